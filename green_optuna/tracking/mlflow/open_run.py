"""A run that is still open, and how much of its trial it holds already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Run

    from green_optuna.record import TrialRecord
    from green_optuna.tracking.mlflow.store import Store


@dataclass(slots=True)
class OpenRun:
    """A run that is still open, where it is, and how much of its trial has been logged."""

    run: Run
    uri: str
    step: int = -1
    reports: int = 0


def found(store: Store, run: Run, trial: TrialRecord) -> OpenRun:
    """Find how much of a trial has been logged, by whom it may."""
    run_id = str(run.info.run_id)
    reported = store.last_step(run_id, "report/energy_kwh")
    return OpenRun(
        run,
        store.uri,
        step=store.last_step(run_id, "energy/cumulative_kwh"),
        reports=sum(report.step <= reported for report in trial.reports),
    )
