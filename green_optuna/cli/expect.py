"""``green-optuna run --estimate N``: what a study will cost, from its first trials."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from green_optuna.candidates import entry_of
from green_optuna.cli import render
from green_optuna.errors import OptionError
from green_optuna.forecast import CONFIDENCE, Expected, expected_sum
from green_optuna.record import measurement_of, why_not_started
from green_optuna.terms import read_terms
from green_optuna.units import format_co2e, format_duration, format_energy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import optuna
    from optuna.trial import FrozenTrial
    from rich.table import Table

    from green_optuna.carbon import Grid
    from green_optuna.config import StudyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEstimate:
    """What a study will probably cost, with the trials that have run.

    Attributes:
        energy_kwh: Its energy, in kWh: trials however they end, and what passes between them.
        co2e_kg: The same in kg of CO2e.
        duration_s: How long it takes, in s.
        n_trials: How many trials it has in the end.
        n_known: How many of them tell, having been measured.
    """

    energy_kwh: Expected
    co2e_kg: Expected
    duration_s: Expected
    n_trials: int
    n_known: int


def first_trials(config: StudyConfig, n: int) -> StudyConfig:
    """Give the settings of a study for its first trials only.

    Raises:
        OptionError: It has no number of trials that these could be part of.
    """
    if config.n_trials is None:
        raise OptionError(
            "--estimate says what study.n_trials trials will cost, and study.n_trials is null: "
            "give a number."
        )
    if n > config.n_trials:
        raise OptionError(
            f"--estimate is {n}, and study.n_trials is {config.n_trials}: estimate from fewer "
            "trials than the study has."
        )
    return replace(config, n_trials=n)


def estimate_study(
    trials: Sequence[FrozenTrial], grid: Grid, *, n_trials: int, n_jobs: int = 1
) -> StudyEstimate | None:
    """Tell what a study will cost from trials that have ended.

    What passed before the first trial and around it, in excess of what did around the others,
    is the process's start-up and counts once. ASSUMED: the trials to come cost what these did,
    each on its own, and costs are about normally distributed; a sampler that comes to prefer large
    or small models makes them cost more or less.

    Args:
        trials: Trials that have ended, completed, pruned or failed, in their order; those that a
            budget kept from starting count for nothing.
        grid: The study's intensity and PUE.
        n_trials: How many trials there are in the end, these among them.
        n_jobs: How many run side by side.

    Returns:
        The estimate; None where fewer than two of the trials were measured.
    """
    started = [trial for trial in trials if why_not_started(trial) is None]
    energies_kwh: list[float] = []
    overheads_kwh: list[float] = []
    times_s: list[float] = []
    pauses_s: list[float] = []
    for trial in started:
        entry, measurement = entry_of(trial), measurement_of(trial)
        if entry is None or entry.energy_kwh is None or measurement is None or not trial.duration:
            continue
        energies_kwh.append(entry.energy_kwh)
        overheads_kwh.append(entry.overhead_kwh)
        times_s.append(measurement.duration_s / n_jobs)
        passed_s = trial.duration.total_seconds() - measurement.duration_s
        pauses_s.append(max(passed_s, 0.0) / n_jobs)
    if len(energies_kwh) < 2:
        return None
    n_more = max(n_trials - len(started), 0)
    energy_kwh = _with_start_up(energies_kwh, overheads_kwh, n_more)
    return StudyEstimate(
        energy_kwh=energy_kwh,
        co2e_kg=energy_kwh.map(grid.co2e_kg),
        duration_s=_with_start_up(times_s, pauses_s, n_more),
        n_trials=n_trials,
        n_known=len(energies_kwh),
    )


def _with_start_up(amounts: Sequence[float], around: Sequence[float], n_more: int) -> Expected:
    """Add up what trials cost, and what passed around them, the first time's excess once."""
    usual = statistics.mean(around[1:])
    start_up = max(around[0] - usual, 0.0)
    each = [amount + other for amount, other in zip(amounts, around, strict=True)]
    each[0] -= start_up
    return expected_sum(each, n_more).map(lambda amount: amount + start_up)


def show_estimate(study: optuna.Study, trials: Sequence[FrozenTrial], config: StudyConfig) -> None:
    """Show what a run of ``config.n_trials`` trials will cost, from those that have run."""
    terms, total = read_terms(study), config.n_trials or 0
    n_jobs = config.n_jobs if config.n_jobs > 0 else os.cpu_count() or 1
    estimate = None
    if terms is not None:
        estimate = estimate_study(trials, terms.grid, n_trials=total, n_jobs=n_jobs)
    if estimate is None:
        render.say("Fewer than two trials were measured: there is nothing to estimate from.")
        return
    render.show(_table(estimate))
    n_started = sum(why_not_started(trial) is None for trial in trials)
    said = "The trials that have run are part of the study."
    if n_started < len(trials):
        said += " Its budget ends it before the others: raise it, or leave it out, to go on."
    else:
        said += " The same command without --estimate goes on"
        left = total - n_started
        said += f"; with study.n_trials={left}, up to the {total} of this run." if left else "."
    render.say(said)


def _table(estimate: StudyEstimate) -> Table:
    from rich.table import Table

    table = Table(
        title=f"What these {estimate.n_trials} trials will probably cost",
        title_justify="left",
        caption=f"From {estimate.n_known} trials, which are in it, and all that goes with them; "
        "if those to come are like them and costs about normally distributed.",
        caption_justify="left",
    )
    table.add_column("")
    for heading in ("about", f"{CONFIDENCE:.0%} interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows: tuple[tuple[str, Expected, Callable[[float], str]], ...] = (
        ("energy", estimate.energy_kwh, format_energy),
        ("CO2e", estimate.co2e_kg, format_co2e),
        ("time", estimate.duration_s, format_duration),
    )
    for name, amount, shown in rows:
        ends = f"{shown(amount.low)} to {shown(amount.high)}"
        table.add_row(name, shown(amount.mid), ends)
    return table
