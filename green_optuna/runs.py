"""The runs of one trial's function with the same parameters: what each came to and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from green_optuna.intervals import mean_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from green_optuna.carbon import Grid
    from green_optuna.energy import Measurement
    from green_optuna.intervals import Interval


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a trial whose function runs several times.

    Attributes:
        quality_loss: The loss of the quality that it returned; None where it returned none.
        energy_kwh: The energy that it used, in kWh.
        duration_s: How long it took, in s.
    """

    quality_loss: float | None
    energy_kwh: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where one run ended and the next one began, on the clock of the trial.

    Attributes:
        t_s: When that was, in s since the trial began.
        reading_t_s: When the meter was read last, in s since the trial began.
        reading_kwh: What the trial had used by that reading, in kWh.
    """

    t_s: float
    reading_t_s: float
    reading_kwh: float


def cut_runs(
    losses: Sequence[float], boundaries: Sequence[Boundary], measurement: Measurement
) -> tuple[RunRecord, ...]:
    """Share what a trial cost among its runs; their sum is the trial's.

    Where a meter could give no new reading so soon, the energy between two readings is shared
    by time.

    Args:
        losses: The quality losses of the runs that returned a quality.
        boundaries: Between each two runs.
        measurement: What the whole trial cost.
    """
    total_kwh, total_s = measurement.energy_kwh, measurement.duration_s
    cuts_s = [boundary.t_s for boundary in boundaries]
    cuts_kwh = np.interp(
        cuts_s,
        [0.0, *(boundary.reading_t_s for boundary in boundaries), total_s],
        [0.0, *(boundary.reading_kwh for boundary in boundaries), total_kwh],
    )
    padded = [*losses, *[None] * (len(boundaries) + 1 - len(losses))]
    energies_kwh = np.diff(cuts_kwh, prepend=0.0, append=total_kwh).tolist()
    durations_s = np.diff(cuts_s, prepend=0.0, append=total_s).tolist()
    costs = zip(energies_kwh, durations_s, strict=True)
    return tuple(RunRecord(loss, kwh, s) for loss, (kwh, s) in zip(padded, costs, strict=True))


def runs_to_lists(runs: Sequence[RunRecord]) -> list[list[float | None]]:
    """Give runs as JSON keeps them: a row of loss, energy in kWh and duration in s each."""
    return [[run.quality_loss, run.energy_kwh, run.duration_s] for run in runs]


def runs_from_lists(rows: Sequence[Sequence[Any]]) -> tuple[RunRecord, ...]:
    """Undo :func:`runs_to_lists`."""
    return tuple(RunRecord(*row) for row in rows)


def intervals_of(
    runs: Sequence[RunRecord], grid: Grid, objectives: Sequence[str]
) -> dict[str, Interval | None]:
    """Give the confidence interval of each objective's mean over the runs.

    There is none where the function ran once, and none for the number of parameters, in which
    the runs agree.

    Args:
        runs: The runs of a completed trial.
        grid: What turns their energy into CO2e.
        objectives: The names of the objectives.
    """
    values = _values_of(runs, grid)
    return {name: mean_interval(values.get(name, [])) for name in objectives}


def _values_of(runs: Sequence[RunRecord], grid: Grid) -> Mapping[str, list[float]]:
    energies_kwh = [run.energy_kwh for run in runs]
    return {
        "quality_loss": [run.quality_loss for run in runs if run.quality_loss is not None],
        "co2e_kg": [grid.co2e_kg(kwh) for kwh in energies_kwh],
        "energy_kwh": energies_kwh,
        "duration_s": [run.duration_s for run in runs],
    }
