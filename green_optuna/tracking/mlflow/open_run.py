"""A run that is still open, and how much of its trial it holds already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.tracking import series
from green_optuna.tracking.mlflow import schema

if TYPE_CHECKING:
    from mlflow.entities import Run

    from green_optuna.record import TrialRecord
    from green_optuna.tracking.mlflow.store import Store


@dataclass(slots=True)
class OpenRun:
    """A run that is still open, where it is, and how much of its trial it holds.

    Attributes:
        run: The run, as it was when it was made or found.
        uri: The store that it is in.
        step: The last second of the trace that is in it, -1 for none.
        reports: How many of the trial's reports have been looked at.
        forecast: The step as of which its latest forecast is in the run; -1 for none.
        reported: The steps of the reports that were in it when it was found.
        doubtful: Whether the store may have made another run of the trial, in answer to a request
            that we had given up.
    """

    run: Run
    uri: str
    step: int = -1
    reports: int = 0
    forecast: int = -1
    reported: frozenset[int] = field(default_factory=frozenset)
    doubtful: bool = False

    @classmethod
    def found(cls, store: Store, run: Run) -> OpenRun:
        """Find how much of its trial a run holds, whoever logged it.

        Of the points of one step, the last to be sent tells: a request may have been cut.
        """
        run_id = str(run.info.run_id)
        return cls(
            run,
            store.uri,
            step=max(store.steps(run_id, series.LAST_OF_TRACE), default=-1),
            reported=frozenset(store.steps(run_id, series.LAST_OF_REPORT)),
            doubtful=True,
        )

    def log(self, store: Store, trial: TrialRecord) -> None:
        """Log what is known of the trial, and the run does not hold yet."""
        data = self.run.data
        trace = series.trace_points(trial, after=self.step)
        points = [
            *(one for one in series.result_points(trial) if data.metrics.get(one.key) != one.value),
            *(
                one
                for one in series.report_points(trial, since=self.reports)
                if one.step not in self.reported
            ),
            *(
                one
                for one in series.forecast_points(trial)
                if one.step != self.forecast and data.metrics.get(one.key) != one.value
            ),
            *trace,
        ]
        # What is there stays: what came from the spool may be worded otherwise.
        given = schema.params(trial)
        params = {key: value for key, value in given.items() if key not in data.params}
        store.log(self.run.info.run_id, points, params=params, tags=schema.tags(trial))
        self.reports = len(trial.reports)
        self.forecast = self.forecast if trial.forecast is None else trial.forecast.step
        self.step = trace[-1].step if trace else self.step
