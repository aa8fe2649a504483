"""``green-optuna repeat``: trials that are run again, and how sure the choice is then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

from green_optuna.cli import render
from green_optuna.cli.interrupt import Interrupt, ended_by_interrupt
from green_optuna.cli.render import Format
from green_optuna.cli.run import INTERRUPTED, check_rule, check_terms, quiet_optuna
from green_optuna.cli.spelling import grid_keys, rule_options
from green_optuna.cli.storage import find_study
from green_optuna.config import make_objective
from green_optuna.front import pareto_front
from green_optuna.pooling import repeated_number
from green_optuna.record import measurement_of, trial_intervals, why_not_started
from green_optuna.repeating import repeat_trials
from green_optuna.rules import Tolerance
from green_optuna.units import (
    describe_quantity,
    format_co2e,
    quantity_heading,
    show_quantity,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    from optuna.trial import FrozenTrial
    from rich.table import Table

    from green_optuna.config import RunConfig
    from green_optuna.front import ParetoFront
    from green_optuna.objective import GreenObjective


def find_and_repeat(
    config: RunConfig,
    study_name: str | None,
    storage: str | None,
    numbers: Sequence[int] | None,
    *,
    times: int,
    allow_mixed: bool,
    assume_exact: bool,
    output: Format,
) -> int:
    """Run trials of a study again and show what is known of them then.

    Args:
        config: As for ``run``: the objective, and how it is measured.
        study_name: The study; None for what the configuration says, else for the only one.
        storage: The URL of its storage; None for what the configuration or the environment says.
        numbers: The trials; None for those that are worth it.
        times: How often each is run again.
        allow_mixed: Whether to choose among trials that were not all measured alike.
        assume_exact: Whether to take trials of which no error is known as exact.
        output: How to write it.

    Returns:
        The exit code: 0, also where a budget ended it, or 130 where Ctrl-C did.

    Raises:
        GreenOptunaError: The configuration, study or trials cannot be used, or a repeat cannot be
            measured.
    """
    with rule_options():
        rule = config.rule.make() or Tolerance()
    with grid_keys():
        objective = make_objective(config)
    url = storage or config.study.storage or os.environ.get("GREEN_OPTUNA_STORAGE")
    study = find_study(study_name or config.study.name, url)
    check_terms(study, objective.options)
    if numbers is None:
        check_rule(rule, objective.options.objectives)
        front = pareto_front(study, allow_mixed=allow_mixed, assume_exact=assume_exact)
        with rule_options():
            worth = front.worth_repeating(rule)
        render.say(str(worth))
        numbers = worth.trials
    interrupted = bool(numbers) and _repeat(study, objective, numbers, times=times)
    if interrupted:
        render.say("Stopped with Ctrl-C; this is what there is:")
    # Repeats that have been paid for are shown, whatever is to be said of them.
    front = pareto_front(study, allow_mixed=True, assume_exact=assume_exact)
    if front.note is not None:
        render.say(f"warning: {front.note}")
    _show(front, numbers, output=output)
    return INTERRUPTED if interrupted else 0


def _repeat(
    study: optuna.Study, objective: GreenObjective, numbers: Sequence[int], *, times: int
) -> bool:
    """Run the repeats, and tell whether Ctrl-C ended them."""
    ended: list[FrozenTrial] = []
    with quiet_optuna(), Interrupt() as interrupt:

        def tell(twin: optuna.Study, trial: FrozenTrial) -> None:
            ended.append(trial)
            render.say(_said(trial, study))
            if interrupt.asked:
                twin.stop()

        by_interrupt = ended_by_interrupt(
            lambda: repeat_trials(study, objective, numbers, times=times, callbacks=[tell])
        )
    measured = [one for one in map(measurement_of, ended) if one is not None]
    if measured:
        spent = format_co2e(sum(one.co2e_kg for one in measured))
        render.say(f"The repeats cost {spent} of CO2e, which counts in what the study has spent.")
    return by_interrupt or interrupt.asked


def _said(trial: FrozenTrial, study: optuna.Study) -> str:
    """Say how a repeat ended, in a line."""
    number = repeated_number(trial)
    said = f"Trial {trial.number} repeats trial {number}: "
    if (reason := why_not_started(trial)) is not None:
        return f"{said}not started, {reason}."
    if trial.values is None:
        return f"{said}{trial.state.name.lower()}, so that it is in no mean."
    if number is None or trial.params != study.get_trials(deepcopy=False)[number].params:
        return (
            f"{said}but the objective has other hyperparameters now ({trial.params}), so that it "
            "stands for itself."
        )
    values = zip(study.metric_names or (), trial.values, strict=False)
    return said + ", ".join(describe_quantity(name, value) for name, value in values) + "."


def _show(front: ParetoFront, numbers: Sequence[int], *, output: Format) -> None:
    """Show what is known of some trials, all runs together."""
    rows = [_row(front, number) for number in dict.fromkeys(numbers)]
    if output is Format.json:
        plain = {"study": front.study_name, "trials": rows, "uncertainty": front.uncertainty.reason}
        typer.echo(render.json_text(plain), nl=False)
    elif output is Format.csv:
        typer.echo(render.csv_text(rows) if rows else "", nl=False)
    elif rows:
        render.show(_table(front, rows))


def _row(front: ParetoFront, number: int) -> dict[str, Any]:
    """Give what is known of a trial, in the units of the data."""
    candidates = front.candidates
    place = [trial.number for trial in candidates.trials].index(number)
    trial = candidates.trials[place]
    measurement = measurement_of(trial)
    row: dict[str, Any] = {
        "trial": number,
        "repeats": " ".join(str(one.number) for one in candidates.repeats.get(number, ())),
        "runs": 1 if measurement is None else measurement.runs,
        "on_front": place in front.rows,
        "probability": front.uncertainty.of(place),
    }
    intervals = trial_intervals(trial, front.objectives)
    for name, value in candidates.values(place).items():
        interval = intervals[name]
        row[name] = value
        row[f"{name}_low"] = None if interval is None else interval.low
        row[f"{name}_high"] = None if interval is None else interval.high
    return row


def _table(front: ParetoFront, rows: Sequence[dict[str, Any]]) -> Table:
    """Draw what is known of some trials as a table: means, and their intervals."""
    from rich.table import Table

    table = Table(
        title=f"Trials of {front.study_name!r} with all their runs (95% intervals)",
        title_justify="left",
        caption=front.uncertainty.reason,
        caption_justify="left",
    )
    for heading in ("trial", "runs"):
        table.add_column(heading, justify="right")
    for name in front.objectives:
        table.add_column(quantity_heading(name), justify="right")
    table.add_column(quantity_heading("probability"), justify="right")
    for row in rows:
        known, member = row["probability"], "yes" if row["on_front"] else "no"
        table.add_row(
            str(row["trial"]),
            str(row["runs"]),
            *(_with_ends(name, row) for name in front.objectives),
            member if known is None else f"{member}, {show_quantity('probability', known)}",
        )
    return table


def _with_ends(name: str, row: dict[str, Any]) -> str:
    shown = show_quantity(name, row[name])
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None:
        return shown
    return f"{shown} ({show_quantity(name, low)} to {show_quantity(name, high)})"
