"""``green-optuna run --estimate N``: what a study will cost, from its first trials."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from green_optuna.candidates import entry_of
from green_optuna.cli import render
from green_optuna.errors import OptionError
from green_optuna.forecast import CONFIDENCE, Expected, expected_sum
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

    ASSUMED: the trials to come cost what these did, each on its own; a sampler that comes to
    prefer large or small models makes them cost more or less.

    Args:
        trials: Trials that have ended, completed, pruned or failed.
        grid: The study's intensity and PUE.
        n_trials: How many trials the study has in the end, these among them.
        n_jobs: How many run side by side.

    Returns:
        The estimate; None where fewer than two of the trials were measured.
    """
    energies_kwh: list[float] = []
    times_s: list[float] = []
    for trial in trials:
        entry = entry_of(trial)
        if entry is None or entry.energy_kwh is None or trial.duration is None:
            continue
        energies_kwh.append(entry.energy_kwh + entry.overhead_kwh)
        times_s.append(trial.duration.total_seconds() / n_jobs)
    if len(energies_kwh) < 2:
        return None
    n_more = n_trials - len(energies_kwh)
    energy_kwh = expected_sum(energies_kwh, n_more)
    return StudyEstimate(
        energy_kwh=energy_kwh,
        co2e_kg=energy_kwh.map(grid.co2e_kg),
        duration_s=expected_sum(times_s, n_more),
        n_trials=n_trials,
        n_known=len(energies_kwh),
    )


def show_estimate(study: optuna.Study, trials: Sequence[FrozenTrial], config: StudyConfig) -> None:
    """Show what a study of ``config.n_trials`` trials will cost, from those that have run."""
    terms, total = read_terms(study), config.n_trials or 0
    n_jobs = config.n_jobs if config.n_jobs > 0 else os.cpu_count() or 1
    estimate = None
    if terms is not None:
        estimate = estimate_study(trials, terms.grid, n_trials=total, n_jobs=n_jobs)
    if estimate is None:
        render.say("Fewer than two trials were measured: there is nothing to estimate from.")
        return
    render.show(_table(estimate))
    left = total - len(trials)
    goes_on = "The same command without --estimate goes on"
    up_to = f"; with study.n_trials={left}, up to {total} trials in all" if left > 0 else ""
    render.say(f"The trials that have run are part of the study. {goes_on}{up_to}.")


def _table(estimate: StudyEstimate) -> Table:
    from rich.table import Table

    table = Table(
        title=f"What {estimate.n_trials} trials will probably cost",
        title_justify="left",
        caption=f"From {estimate.n_known} trials, which are in it, and all that goes with them; "
        "if those to come are like them.",
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
