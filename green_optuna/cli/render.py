"""What the command line shows: tables for a person, JSON and CSV for a program."""

from __future__ import annotations

import csv
import enum
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from green_optuna.ledger import show_trainings
from green_optuna.plain import finite_or_none
from green_optuna.terms import read_links
from green_optuna.units import (
    format_co2e,
    format_energy,
    quantity_heading,
    show_param,
    show_quantity,
)
from green_optuna.urls import shown_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import optuna
    import pandas as pd
    from rich.console import RenderableType
    from rich.table import Table

    from green_optuna.front import ParetoFront
    from green_optuna.intervals import Interval
    from green_optuna.ledger import Ledger
    from green_optuna.references import PlacedReference
    from green_optuna.selection import Selection


# Of what a selection holds by name, the columns that they have in CSV.
_COLUMNS = {
    "rule_arguments": "rule_{}",
    "figure": "figure_{}",
    "saving": "saving_{}",
    "objectives": "{}",
    "params": "param_{}",
    "run_ids": "{}_run_id",
}


class Format(enum.StrEnum):
    """How a result is written."""

    table = "table"
    json = "json"
    csv = "csv"


def front_table(front: ParetoFront, *, dominated: bool = False) -> Table:
    """Draw a front as a table, the best in its first objective on top."""
    from rich.table import Table

    frame = front.to_dataframe(dominated=dominated).sort_values(list(front.objectives))
    candidates = f"{front.candidates.n_completed} completed trials"
    if front.candidates.left_out is not None:
        candidates += f" and {front.candidates.n_checkpoints} checkpoints"
    table = Table(
        title=f"Pareto front of {front.study_name!r}: {len(front)} of {candidates}",
        title_justify="left",
        caption=_caption(front),
        caption_justify="left",
    )
    columns = _shown_columns(frame, front.objectives)
    table.add_column("trial", justify="right")
    if dominated:
        table.add_column("on front")
    for name in columns:
        table.add_column(quantity_heading(name), justify="right", no_wrap=True)
    table.add_column("hyperparameters", overflow="fold")
    params = {trial.number: trial.params for trial in front.candidates.trials}
    for record in _records(frame):
        marks = ["yes" if record["on_front"] else ""] if dominated else []
        figures = [_shown(name, record[name]) for name in columns]
        step = record.get("step")
        label = str(record["trial"]) if step is None else f"{record['trial']} step {step}"
        table.add_row(label, *marks, *figures, _in_words(params[record["trial"]]))
    return table


def references_table(front: ParetoFront) -> Table:
    """Draw the references of a front as a table; below it, where they are from and what to know."""
    from rich.table import Table
    from rich.text import Text

    # As text: Rich would take :+1: in a string for a picture.
    said = (Text(_about(one)) for one in front.references if one.source or one.notes)
    table = Table(
        title="References (published or estimated elsewhere; no trials)",
        title_justify="left",
        caption=Text("\n").join(said),
        caption_justify="left",
    )
    columns = _reference_columns(front)
    table.add_column("name", overflow="fold")
    table.add_column("basis", no_wrap=True)
    for name in columns:
        table.add_column(quantity_heading(name), justify="right", no_wrap=True)
    table.add_column("status", overflow="fold")
    for one in front.references:
        figures = [_shown(name, one.values.get(name)) for name in columns]
        table.add_row(Text(one.name), one.basis, *figures, Text(one.status))
    return table


def ledger_table(ledger: Ledger, selection: Selection | None = None) -> Table:
    """Draw what a study has spent as a table, an account a row.

    Args:
        ledger: What it has spent.
        selection: The model that was chosen, with whose training the search is compared.
    """
    from rich.table import Table

    table = Table(title="What the search cost", title_justify="left", show_footer=True)
    total = str(ledger.n_trials), format_energy(ledger.energy_kwh), format_co2e(ledger.co2e_kg)
    table.add_column("spent on", footer="total")
    for heading, footer in zip(("trials", "energy", "CO2e"), total, strict=True):
        table.add_column(heading, footer=footer, justify="right")
    table.add_column("share", justify="right")
    for row in ledger.rows:
        count = "" if row.account == "overhead" else str(row.n_trials)
        energy, co2e = format_energy(row.energy_kwh), format_co2e(row.co2e_kg)
        table.add_row(row.account, count, energy, co2e, f"{ledger.share(row):.1%}")
    said = [] if ledger.saved is None else [str(ledger.saved)]
    if ledger.not_measured:
        said.append(ledger.note())
    if selection is not None and (trainings := ledger.against(selection.measurement)):
        said.insert(0, f"That is {show_trainings(trainings)} of trial {selection.label}.")
    table.caption, table.caption_justify = "\n".join(said) or None, "left"
    return table


def selection_table(selection: Selection) -> Table:
    """Draw a selection as a table of names and values."""
    from rich.table import Table

    table = Table(
        title=f"Selected from {selection.study_name!r}", title_justify="left", show_header=False
    )
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("trial", selection.label)
    if selection.checkpoint is not None:
        table.add_row("checkpoint", selection.checkpoint)
    table.add_row("rule", selection.rule.describe())
    if selection.probability is not None:
        shown = show_quantity("probability", selection.probability)
        table.add_row(quantity_heading("probability"), shown)
    if selection.saving is not None and selection.saving.against != selection.number:
        table.add_row("saving", str(selection.saving))
    table.add_row("runner-up", selection.describe_runner_up())
    if selection.quality is not None:
        table.add_row("quality", show_quantity("quality", selection.quality))
    for name, value in selection.objectives.items():
        interval = selection.intervals[name]
        ends = "" if interval is None else f" ({_ends(name, interval)})"
        table.add_row(quantity_heading(name), show_quantity(name, value) + ends)
    if selection.measurement is not None and "energy_kwh" not in selection.objectives:
        energy = show_quantity("energy_kwh", selection.measurement.energy_per_run_kwh)
        table.add_row("energy", f"{energy} ({selection.measurement.basis})")
    for name, shown in _inference_rows(selection):
        table.add_row(name, shown)
    for name, value in selection.params.items():
        table.add_row(name, show_param(value))
    for tracker, run_id in selection.run_ids.items():
        table.add_row(f"{tracker} run", run_id)
    return table


def _inference_rows(selection: Selection) -> Iterator[tuple[str, str]]:
    """Give names and values of what the inference of the selected model costs."""
    inference = selection.inference
    if inference is None:
        return
    for name, value in inference.values.items():
        if name not in selection.objectives:
            yield quantity_heading(name), show_quantity(name, value)
    yield "inference", inference.called


def others_table(selection: Selection) -> Table:
    """Draw why each other trial of the front was not selected."""
    from rich.table import Table

    table = Table(title="Why not the others", title_justify="left")
    table.add_column("trial", justify="right")
    table.add_column("reason", overflow="fold")
    for number, reason in selection.why_not_others().items():
        table.add_row(str(number), reason)
    return table


def front_text(front: ParetoFront, output: Format, *, dominated: bool) -> str:
    """Write a front as JSON or CSV, in the units of the data."""
    if output is Format.csv:
        return front.to_csv(dominated=dominated)
    frame = front.to_dataframe(dominated=dominated)
    return json_text(front.to_dict() | {"trials": _records(frame)})


def selection_text(selection: Selection, output: Format, *, why: bool = False) -> str:
    """Write a selection as JSON, or as CSV of one row, in the units of the data.

    Args:
        selection: The selection.
        output: JSON or CSV.
        why: Whether JSON says, too, why each other trial of the front was not selected.
    """
    plain = selection.to_dict()
    if output is Format.json:
        others = {str(number): said for number, said in selection.why_not_others().items()}
        return json_text(plain | ({"why_not": others} if why else {}))
    row: dict[str, Any] = {}
    for name, value in plain.items():
        if name == "inference":
            known = {} if selection.inference is None else selection.inference.values
            row |= {one: figure for one, figure in known.items() if one not in row}
        else:
            row |= _cells(name, value)
    return csv_text([row])


def _cells(name: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a selection holds
    """Give what a selection holds under a name as cells of one row, by their columns."""
    if name in _COLUMNS:
        return {_COLUMNS[name].format(key): _in_cell(one) for key, one in (value or {}).items()}
    if name == "intervals":
        known = {objective: one for objective, one in value.items() if one is not None}
        return {f"{key}_{end}": one[end] for key, one in known.items() for end in ("low", "high")}
    if name == "bounds":
        return {f"{key}_at_{end}": ends[end] for key, ends in value.items() for end in (0, 1)}
    return {name: value}


def _in_cell(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict | list) else value


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as CSV, below the names of the first one's columns; no password is shown."""
    text = io.StringIO()
    shown = shown_data([*rows])
    writer = csv.DictWriter(text, fieldnames=list(shown[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(shown)
    return text.getvalue()


def show(thing: RenderableType) -> None:
    """Show something on standard output; where that is no terminal, nothing is cut."""
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        # A measurement is cut to the console's own width unless another one is allowed.
        unlimited = console.options.update(max_width=sys.maxsize)
        console.width = max(console.width, console.measure(thing, options=unlimited).maximum)
    console.print(thing)


def say(text: str) -> None:
    """Say something on standard error."""
    typer.echo(text, err=True)


def say_links(study: optuna.Study) -> None:
    """Say how a study is opened in what tracks it, where something does."""
    for tracker, link in read_links(study).items():
        say(f"Trials and energy traces in {tracker}: {link}")


def _shown_columns(frame: pd.DataFrame, objectives: Sequence[str]) -> list[str]:
    """Choose what a person is shown: the quality rather than its loss, where it was kept."""
    kept = frame["quality"].notna().any()
    shown = [name for name in objectives if not (kept and name == "quality_loss")]
    measured = [name for name in ("energy_kwh",) if name not in shown]
    known = ["probability"] if "probability" in frame else []
    return [*(["quality"] if kept else []), *shown, *measured, *known]


def _caption(front: ParetoFront) -> str | None:
    """Say below a front what to know of it; most studies have no errors, which is not said."""
    partly = front.uncertainty.partly_known
    said = [front.note, front.uncertainty.reason if partly else None]
    return "\n".join(filter(None, said)) or None


def _about(one: PlacedReference) -> str:
    source = f" ({one.source})" if one.source else ""
    return f"{one.name}{source}{': ' if one.notes else ''}{' '.join(one.notes)}"


def _reference_columns(front: ParetoFront) -> list[str]:
    """Choose what a person is shown of references: the quality rather than its loss, if known."""
    losses = [one.values for one in front.references if "quality_loss" in one.values]
    if any("quality" not in values for values in losses):
        return list(front.objectives)
    shown = [name for name in front.objectives if name != "quality_loss"]
    return ["quality", *shown] if len(shown) < len(front.objectives) else shown


def _ends(name: str, interval: Interval) -> str:
    low, high = (show_quantity(name, end) for end in (interval.low, interval.high))
    return f"{interval.confidence:.0%} interval, n = {interval.n}: {low} to {high}"


def _shown(name: str, value: float | None) -> str:
    return "" if value is None else show_quantity(name, value)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _in_words(params: Mapping[str, object]) -> str:
    return " ".join(f"{name}={show_param(value)}" for name, value in params.items())


def json_text(plain: Mapping[str, Any]) -> str:
    """Write plain data as JSON, with null for what is no finite number; no password is shown."""
    return json.dumps(shown_data(finite_or_none(plain)), indent=2, default=str) + "\n"
