"""``green-optuna front --grid FRA --grid POL``: what another grid changes of a study's choice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from green_optuna.cli import render
from green_optuna.cli.grid import grid_of_text, pue_of
from green_optuna.cli.render import Format
from green_optuna.cli.spelling import flag, rule_options
from green_optuna.cli.storage import find_study
from green_optuna.errors import NoModelMeetsCapsError, OptionError
from green_optuna.front import pareto_front
from green_optuna.plain import finite_or_none
from green_optuna.repricing import describe_grid, grids_of
from green_optuna.rules import Tolerance
from green_optuna.units import format_co2e

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from green_optuna.carbon import Grid
    from green_optuna.front import ParetoFront
    from green_optuna.rules import Rule

AS_MEASURED: Final = "as measured"

SAME_FRONT: Final = (
    "Another grid changes all CO2e by one factor, so no trial dominates another that it did not: "
    "the front has the same members. Caps in kg, and what weighs CO2e unscaled, may choose another."
)
OTHER_FRONT: Final = (
    "The trials were kept with different intensities ({}), which decides between them as measured; "
    "on one grid for all, which trial dominates which hangs on energy alone, and is the same on "
    "each. Caps in kg, and what weighs CO2e unscaled, may choose another."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnGrid:
    """What one grid makes of a study.

    Attributes:
        grid: What the grid was called.
        carbon_intensity_g_per_kwh: Its carbon intensity in g/kWh; None as measured, where the
            trials had several.
        source: Where that figure is from.
        pue: The power usage effectiveness.
        chosen: The trial, or checkpoint, that the rule chooses; None where none meets the caps.
        chosen_co2e_kg: Its CO2e in kg.
        least: The trial of least CO2e on the front.
        least_co2e_kg: Its CO2e in kg.
        most: The trial of most CO2e on the front.
        most_co2e_kg: Its CO2e in kg.
        study_co2e_kg: CO2e of all that the study has spent, in kg.
        missed: By how much the nearest trials miss the caps; empty where one meets them.
    """

    grid: str
    carbon_intensity_g_per_kwh: float | None
    source: str
    pue: float | None
    chosen: str | None
    chosen_co2e_kg: float | None
    least: str
    least_co2e_kg: float
    most: str
    most_co2e_kg: float
    study_co2e_kg: float
    missed: str = ""


def show_grids(
    study_name: str | None,
    storage: str | None,
    objectives: Sequence[str] | None,
    *,
    grids: Sequence[str],
    rule: Rule | None,
    checkpoints: bool,
    allow_mixed: bool,
    output: Format,
) -> None:
    """Show what a rule chooses from a study's front on several grids.

    Args:
        study_name: The study; None for the only one in the storage.
        storage: The URL of its storage.
        objectives: Some of the study's objectives, CO2e among them; None for all.
        grids: The grids, as :func:`~green_optuna.cli.grid.grid_of_text` reads them. The PUE is
            the study's.
        rule: The rule; None for the default.
        checkpoints: Whether to choose among checkpoints too.
        allow_mixed: Whether to compare trials that were not all measured alike.
        output: How to write it.

    Raises:
        OptionError: There is no such study, storage or objective, or the front has no CO2e.
        GridError: A grid is not known.
        NoModelMeetsCapsError: On none of the grids a trial meets the rule's caps. What there is
            is shown before.
        StudyError: The study cannot be used, or keeps no energy that could be repriced.
    """
    study = find_study(study_name, storage)
    pue = pue_of(study)
    named: dict[str, Grid | None] = {AS_MEASURED: None}
    named |= {text: grid_of_text(text, pue=pue) for text in grids}
    chosen_by = rule or Tolerance()
    rows, kept_with = [], ""
    for name, grid in named.items():
        front = pareto_front(
            study, objectives, grid=grid, checkpoints=checkpoints, allow_mixed=allow_mixed
        )
        if "co2e_kg" not in front.objectives:
            raise OptionError(
                f"--grid is of CO2e, and the front is drawn over {list(front.objectives)}: draw it "
                "over co2e_kg too."
            )
        rows.append(_on_grid(name, grid, front, chosen_by))
        if grid is None:
            before = grids_of(front.candidates.trials)
            kept_with = "; ".join(map(describe_grid, before)) if len(before) > 1 else ""
    said = OTHER_FRONT.format(kept_with) if kept_with else SAME_FRONT
    if pue != 1:
        said += f" The other grids are at the study's PUE, {pue:g}."
    _show(study.study_name, chosen_by, rows, said, output)
    if all(row.chosen is None for row in rows):
        raise NoModelMeetsCapsError(rows[0].missed)


def _on_grid(name: str, grid: Grid | None, front: ParetoFront, rule: Rule) -> OnGrid:
    own = grids_of(front.candidates.trials)
    shown = own[0] if grid is None and len(own) == 1 else grid
    chosen, missed = None, ""
    try:
        with rule_options(flag):
            chosen = front.select(rule)
    except NoModelMeetsCapsError as error:
        missed = str(error)
    co2e_kg = front.candidates.losses[list(front.rows), front.objectives.index("co2e_kg")]
    least, most = int(co2e_kg.argmin()), int(co2e_kg.argmax())
    return OnGrid(
        grid=name,
        carbon_intensity_g_per_kwh=None if shown is None else shown.carbon_intensity_g_per_kwh,
        source="" if shown is None else shown.source,
        pue=None if shown is None else shown.pue,
        chosen=None if chosen is None else chosen.label,
        chosen_co2e_kg=None if chosen is None else chosen.objectives["co2e_kg"],
        least=front.labels[least],
        least_co2e_kg=float(co2e_kg[least]),
        most=front.labels[most],
        most_co2e_kg=float(co2e_kg[most]),
        study_co2e_kg=front.ledger.co2e_kg,
        missed=missed,
    )


def _show(study_name: str, rule: Rule, rows: list[OnGrid], said: str, output: Format) -> None:
    plain = [finite_or_none(asdict(row)) for row in rows]
    if output is Format.csv:
        typer.echo(render.csv_text(plain), nl=False)
    elif output is Format.json:
        whole: dict[str, Any] = {
            "study": study_name,
            "rule": rule.name,
            "rule_description": rule.describe(),
            "same_choice": len({row.chosen for row in rows}) == 1,
            "note": said,
            "grids": plain,
        }
        typer.echo(json.dumps(whole, indent=2))
    else:
        render.show(_table(study_name, rule, rows))
        typer.echo(_choice_in_words(rows))
        typer.echo(said)


def _table(study_name: str, rule: Rule, rows: Sequence[OnGrid]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(f"What {study_name!r} would have cost: {rule.describe()}"), title_justify="left"
    )
    for heading in ("grid", "g/kWh", "chosen", "CO2e", "front from", "to", "study"):
        table.add_column(heading, justify="left" if heading == "grid" else "right")
    for row in rows:
        intensity, chosen_kg = row.carbon_intensity_g_per_kwh, row.chosen_co2e_kg
        table.add_row(
            Text(row.grid),
            "several" if intensity is None else f"{intensity:.4g}",
            "none" if row.chosen is None else row.chosen,
            "" if chosen_kg is None else format_co2e(chosen_kg),
            f"{format_co2e(row.least_co2e_kg)} ({row.least})",
            f"{format_co2e(row.most_co2e_kg)} ({row.most})",
            format_co2e(row.study_co2e_kg),
        )
    return table


def _choice_in_words(rows: Sequence[OnGrid]) -> str:
    """Say whether the rule chooses the same on each grid."""
    groups: dict[str | None, list[str]] = {}
    for row in rows:
        where = row.grid if row.grid == AS_MEASURED else f"on {row.grid}"
        groups.setdefault(row.chosen, []).append(where)
    if len(groups) == 1:
        chosen = rows[0].chosen
        return f"The choice is the same on each: {'none' if chosen is None else f'trial {chosen}'}."
    parts = [
        f"{'none' if chosen is None else f'trial {chosen}'} {' and '.join(names)}"
        for chosen, names in groups.items()
    ]
    misses = [f"{row.grid}: {row.missed}." for row in rows if row.missed]
    return " ".join([f"The choice differs: {'; '.join(parts)}.", *misses])
