"""A running trial and what it will cost: forecast while it runs, and kept where it is pruned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from green_optuna.forecasting import forecast_trial
from green_optuna.progress import LearningCurve
from green_optuna.record import in_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from green_optuna.energy import Measurement
    from green_optuna.forecast import Forecast
    from green_optuna.record import Report
    from green_optuna.session import Session
    from green_optuna.trial_progress import TrialProgress


class TrialForecast:
    """What one trial will cost, as of its latest report. Forecasting is charged to no trial.

    Args:
        session: Of the trial's study.
        study: The study, in whose storage others' trials end.
        progress: Says how far the trial is.
        repeats: How often its function is to run.
    """

    def __init__(
        self,
        session: Session,
        study: optuna.Study,
        *,
        progress: TrialProgress,
        repeats: int = 1,
    ) -> None:
        self._session = session
        self._study = study
        self._progress = progress
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
        try:
            return self._make(reports, measurement)
        except Exception as error:
            # What a trial will cost is good to know, and no reason to lose what it did cost.
            self._session.warn_once(
                f"what a trial will cost could not be forecast: {in_one_line(error)}",
                of="forecast",
            )
            return None

    def _make(self, reports: Sequence[Report], measurement: Measurement) -> Forecast | None:
        session = self._session
        with session.sampler.excluded():
            session.history.refresh(self._study)
            curve = LearningCurve()
            curve.follow(reports, session.terms.quality_bounds)
            progress = self._progress.at(
                curve, energy_kwh=measurement.energy_kwh, duration_s=measurement.duration_s
            )
            forecast = forecast_trial(progress, session.history)
        return None if forecast is None else replace(forecast, runs=self._repeats)
