"""A running trial and what it will cost: forecast while it runs, and kept where it is pruned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from green_optuna.forecasting import forecast_trial
from green_optuna.scalars import as_float
from green_optuna.trial_pruning import progress_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from green_optuna.energy import Measurement
    from green_optuna.forecast import Forecast
    from green_optuna.record import Report
    from green_optuna.session import Session


class TrialForecast:
    """What one trial will cost, as of its latest report. Forecasting is charged to no trial.

    Args:
        session: Of the trial's study.
        trial: The trial that Optuna made.
        total_steps: How many steps it will make, or the name of the hyperparameter that says so;
            None where finished trials tell.
        repeats: How often its function is to run.
    """

    def __init__(
        self,
        session: Session,
        trial: optuna.Trial,
        *,
        total_steps: int | str | None,
        repeats: int = 1,
    ) -> None:
        self._session = session
        self._trial = trial
        self._given = total_steps
        self._repeats = repeats

    def make(self, reports: Sequence[Report], measurement: Measurement) -> Forecast | None:
        """Forecast what the trial will cost in the end; None where there is too little to tell.

        Args:
            reports: What it has reported, all in the first run of its function.
            measurement: What it has cost so far.
        """
        # One report tells of no step; most trials that end early have made none.
        if len(reports) < 2:
            return None
        session = self._session
        with session.sampler.excluded():
            session.history.refresh(self._trial.study)
            progress = progress_of(
                session.terms,
                self._trial.number,
                reports,
                energy_kwh=measurement.energy_kwh,
                duration_s=measurement.duration_s,
            )
            forecast = forecast_trial(progress, session.history, total_steps=self._total_steps())
        return None if forecast is None else replace(forecast, runs=self._repeats)

    def _total_steps(self) -> int | None:
        """Give the number of steps, as far as it is known."""
        if not isinstance(self._given, str):
            return self._given
        value = self._trial.params.get(self._given)
        number = as_float(value)
        if number is not None and number >= 1 and number.is_integer():
            return int(number)
        # What a trial will cost is good to know, and no reason to fail it.
        self._session.warn_once(
            f"total_steps={self._given!r} names no hyperparameter that is a whole number of 1 or "
            f"more ({self._given} = {value!r}): how many steps a trial makes is taken from "
            "finished trials."
        )
        return None
