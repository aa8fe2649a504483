"""Records of trials with known figures, and what an MLflow store holds, for the tests here."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna

import green_optuna as go
from green_optuna.units import kwh_from_joules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import LogRecord

    import pytest
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

GRID = go.Grid(carbon_intensity_g_per_kwh=100.0, source="the test", pue=1.5)
TERMS = go.StudyTerms(
    objectives=("quality_loss", "co2e_kg", "n_params"),
    quality_bounds=go.QualityBounds(),
    grid=GRID,
    key="0123456789abcdef",
)
START = go.TrialRecord(study_name="s", terms=TERMS, number=7, started_at=1e6)
SOURCES = {
    "cpu": go.Source("RAPL", measured=True),
    "gpu": go.Source("NVML", measured=True, resolution_s=0.1),
    "ram": go.Source("10 W estimated for memory", measured=False),
}


def make_measurement(
    t_s: Sequence[float], *, cpu_w: Sequence[float], gpu_w: float = 0.0
) -> go.Measurement:
    """Give a measurement whose trace has these points, with 10 W of memory beside."""
    spans_s = np.diff(np.array(t_s, dtype=float), prepend=0.0)
    columns = [np.array(cpu_w, dtype=float), np.full(len(t_s), gpu_w), np.full(len(t_s), 10.0)]
    kwh = [kwh_from_joules(1.0) * np.cumsum(power_w * spans_s) for power_w in columns]
    return go.Measurement(
        energy=go.ComponentEnergy(*(float(column[-1]) for column in kwh)),
        duration_s=float(t_s[-1]),
        grid=GRID,
        sources=SOURCES,
        host="the-host",
        fingerprint="0123456789ab",
        trace=go.Trace.from_points(list(zip(t_s, *columns, np.sum(kwh, axis=0), strict=True))),
    )


def make_record(**fields: Any) -> go.TrialRecord:  # noqa: ANN401 - whatever a field holds
    """Give the record of trial 7, which started at a million seconds, with some fields changed."""
    return replace(START, **fields)


def runs_of(client: MlflowClient, experiment: str = "green_optuna") -> list[Run]:
    """Give all the runs of an experiment, the oldest first."""
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(
        client.search_runs(
            [found.experiment_id], order_by=["attributes.start_time ASC"], max_results=1000
        )
    )


def studies_and_trials(client: MlflowClient) -> tuple[list[Run], dict[int, Run]]:
    """Give the runs of studies, and those of trials by the trial's number."""
    runs = runs_of(client)
    studies = [run for run in runs if run.data.tags["green_optuna.role"] == "study"]
    trials = [run for run in runs if run.data.tags["green_optuna.role"] == "trial"]
    by_number = {int(run.data.tags["green_optuna.trial"]): run for run in trials}
    assert len(by_number) == len(trials), "a trial has two runs"
    return studies, by_number


def logged(caplog: pytest.LogCaptureFixture) -> list[LogRecord]:
    """Give what the library logged, but for its word on a meter that estimates."""
    ours = [record for record in caplog.records if record.name == "green_optuna"]
    return [record for record in ours if "is estimated on this host" not in record.getMessage()]


def history(client: MlflowClient, run: Run, key: str) -> list[Metric]:
    """Give all that was logged of a metric, in the order of its steps."""
    points = client.get_metric_history(run.info.run_id, key)
    return sorted(points, key=lambda point: (point.step, point.timestamp))


def ending_objective(
    *trackers: go.Tracker,
    parameter: str = "x",
    said: str = "the user's own",
    wait_s: float = 0.03,
    sample_interval_s: float = 0.01,
) -> go.GreenObjective:
    """Decorate an objective that completes, is pruned or fails, as its parameter says.

    Args:
        trackers: Who is told.
        parameter: The name of its other parameter, which is its quality.
        said: What it says where it fails.
        wait_s: How long it takes, in s.
        sample_interval_s: The meter's, in s.
    """

    @go.green_objective(
        grid=GRID,
        meter=go.ReplayMeter(cpu_w=50.0, ram_w=10.0, sample_interval_s=sample_interval_s),
        trackers=trackers,
    )
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        end = trial.suggest_categorical("end", ["complete", "pruned", "failed"])
        x = trial.suggest_float(parameter, 0.0, 1.0)
        trial.report(x / 2, 0)
        trial.set_user_attr("seed", 3)
        threading.Event().wait(wait_s)
        trial.report(x, 5)
        if end == "pruned":
            raise optuna.TrialPruned
        if end == "failed":
            raise ValueError(said)
        return x, 10

    return objective


def run_ends(
    study: optuna.Study, objective: go.GreenObjective, *ends: str, n_jobs: int = 1
) -> optuna.Study:
    """Run trials of :func:`ending_objective` that end as they shall."""
    for end in ends:
        study.enqueue_trial({"end": end})
    study.optimize(objective, n_trials=len(ends), catch=ValueError, n_jobs=n_jobs)
    return study
