"""What a running trial will cost, from its first steps and from the trials that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from green_optuna.forecast import (
    CONFIDENCE,
    BasisOfSteps,
    Expected,
    Forecast,
    expected_total,
    rest_error,
    steps_expected,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from green_optuna.history import History, PastTrial
    from green_optuna.progress import Progress

# As many finished trials as a forecast looks at, the latest: they tell quantiles well enough.
MAX_PAST = 200


def forecast_trial(progress: Progress, history: History) -> Forecast | None:
    """Forecast what one run of a running trial's function will have cost at its end.

    The cost of a step is taken after the first report, so that start-up counts once and is not
    taken for a step's. ASSUMED: see :func:`green_optuna.forecast.expected_total`; that
    ``progress.total_steps`` are all made; without them, or beyond them, that the trial ends at a
    step where finished trials ended, of those that came as far. Reports without a finite quality
    count: they cost what others do.

    Args:
        progress: The trial so far, in the first run of its function. Its ``total_steps`` are
            counted from 0 where the first report is of step 0, or, with reports every so many
            steps, where it is one below a multiple of that; else from 1.
        history: The study's trials that have ended.

    Returns:
        The forecast, or None where there is too little to tell: one report; two, and fewer
        than two finished trials to compare with; no ``total_steps``, and fewer than two
        finished trials that came as far.
    """
    steps, energies_kwh, times_s = _increasing(progress)
    if len(steps) < 2:
        return None
    past = _finished(history)
    basis: BasisOfSteps = "finished trials"
    confidence = CONFIDENCE
    # A trial that goes on beyond what was said shows that it was wrong.
    if progress.total_steps is not None and steps[-1] <= progress.total_steps:
        basis = "given"
        left = _steps_left(steps, progress.total_steps)
    else:
        lasts = np.array([_last(trial) for trial in past], dtype=np.int64)
        lasts = lasts[lasts >= steps[-1]]
        if len(lasts) < 2:
            return None
        left = steps_expected(lasts - steps[-1])
        # The next of n + 1 alike lies between the least and the greatest of the others this often.
        confidence = min(confidence, (len(lasts) - 1) / (len(lasts) + 1))
    done = float(steps[-1] - steps[0])
    energy_errors, time_errors = _errors(past, done / (done + left.mid))
    energy_kwh = expected_total(
        steps, energies_kwh, left=left, errors=energy_errors, spent=progress.energy_kwh
    )
    duration_s = expected_total(
        steps, times_s, left=left, errors=time_errors, spent=progress.duration_s
    )
    if energy_kwh is None or duration_s is None:
        return None
    return Forecast(
        energy_kwh=energy_kwh,
        co2e_kg=energy_kwh.map(history.terms.grid.co2e_kg),
        duration_s=duration_s,
        step=int(steps[-1]),
        steps_left=round(left.mid),
        basis_of_steps=basis,
        n_past=len(energy_errors),
        confidence=confidence,
    )


def _increasing(
    progress: Progress,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give the steps and what had been spent at each, without steps that came out of order."""
    steps = np.array(progress.curve.steps, dtype=np.int64)
    ahead = np.ones(len(steps), dtype=np.bool_)
    ahead[1:] = steps[1:] > np.maximum.accumulate(steps)[:-1]
    energies_kwh = np.array(progress.curve.energies_kwh, dtype=np.float64)
    times_s = np.array(progress.curve.times_s, dtype=np.float64)
    return steps[ahead], energies_kwh[ahead], times_s[ahead]


def _steps_left(steps: npt.NDArray[np.int64], total_steps: int) -> Expected:
    """Tell how many of the steps given are left, counted as the reports are."""
    first, stride = int(steps[0]), int(np.median(np.diff(steps)))
    from_zero = first == 0 or (stride > 1 and (first + 1) % stride == 0)
    left = float(max(total_steps - from_zero - int(steps[-1]), 0))
    return Expected(low=left, mid=left, high=left)


def _finished(history: History) -> list[PastTrial]:
    """Give the latest completed trials that reported often enough to compare with."""
    found: list[PastTrial] = []
    for trial in reversed(history.trials):
        if trial.values is not None and len(trial.steps) >= 2:
            found.append(trial)
            if len(found) == MAX_PAST:
                break
    return found


def _last(trial: PastTrial) -> int:
    return int(trial.steps[-1]) if trial.last_step is None else trial.last_step


def _errors(
    past: list[PastTrial], share: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Tell how far forecasts of finished trials were off at a share of their steps.

    Returns:
        The errors of energy and of time, each in the shape of (n_errors,).
    """
    energies: list[float | None] = []
    times: list[float | None] = []
    for trial in past:
        last = _last(trial)
        if trial.energy_kwh is not None and trial.duration_s is not None:
            energies.append(
                rest_error(
                    trial.steps,
                    trial.energies_kwh,
                    share=share,
                    last=last,
                    total=trial.energy_kwh,
                )
            )
            times.append(
                rest_error(
                    trial.steps, trial.times_s, share=share, last=last, total=trial.duration_s
                )
            )
    return _known(energies), _known(times)


def _known(values: list[float | None]) -> npt.NDArray[np.float64]:
    return np.array([value for value in values if value is not None], dtype=np.float64)
