"""A study of many trials, in threads and in processes, is the same in Optuna and in MLflow."""

from __future__ import annotations

import importlib.util
import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

import green_optuna as go
from green_optuna.record import measurement_of

if TYPE_CHECKING:
    import optuna
    from mlflow.entities import Run
    from optuna.trial import FrozenTrial

# What the workers run: each process imports it, as it would a user's own file.
OBJECTIVE = """
import math
import threading

import optuna

import green_optuna as go


@go.green_objective(
    grid=go.Grid(carbon_intensity_g_per_kwh=100.0, source="the test", pue=1.5),
    meter=go.ReplayMeter(cpu_w=[(0.0, 40.0), (1.0, 90.0)], ram_w=10.0, sample_interval_s=0.01),
    trackers=[go.MLflowTracker({uri!r}, flush_interval_s=0.1)],
)
def objective(trial):
    x = trial.suggest_float("x", 0.0, 1.0)
    width = trial.suggest_int("width", 8, 256, log=True)
    for epoch in range(3):
        threading.Event().wait(0.01 + 0.02 * x)
        trial.report(x * (1.0 - math.exp(-epoch)), epoch)
        if trial.number % 10 == 9 and epoch == 1:
            raise optuna.TrialPruned
    return x, width * width


def work(storage, n_trials, n_jobs):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = go.load_study("scale", storage=storage)
    study.optimize(objective, n_trials=n_trials, n_jobs=n_jobs)
"""

N_IN_THREADS, N_IN_PROCESSES = 60, 30
OBJECTIVES = ("objective/quality_loss", "objective/co2e_kg", "objective/n_params")
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}


@pytest.mark.slow
def test_a_study_over_threads_and_processes_loses_and_mixes_nothing(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One parent; every trial has its own run, with its own params, objectives and energy."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    study = go.create_study("scale", storage=sqlite_url)
    run_in_threads_and_processes(sqlite_url, uri, tmp_path, monkeypatch)

    trials = study.trials
    assert [trial.number for trial in trials] == list(range(N_IN_THREADS + N_IN_PROCESSES))
    pruned = [trial.number for trial in trials if trial.state.name == "PRUNED"]
    assert pruned == list(range(9, N_IN_THREADS + N_IN_PROCESSES, 10))
    assert {trial.state.name for trial in trials} == set(STATUS)

    # Each worker has logged the front at its own end, not knowing whether it was the last.
    go.log_front(study, [go.MLflowTracker(uri)])
    parent, runs = read_runs(MlflowClient(uri))
    assert sorted(runs) == [trial.number for trial in trials]
    hosts = {trial.user_attrs["green_optuna"]["host"] for trial in trials}
    assert len(hosts) == 1
    for trial in trials:
        check_run(runs[trial.number], trial, parent)
    check_front(study, parent)


def run_in_threads_and_processes(
    storage: str, uri: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run trials in four threads of this process, then in three processes."""
    (folder / "user_objective.py").write_text(OBJECTIVE.format(uri=uri))
    # The processes inherit the path.
    monkeypatch.syspath_prepend(folder)
    spec = importlib.util.find_spec("user_objective")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "user_objective", module)
    spec.loader.exec_module(module)

    module.work(storage, N_IN_THREADS, 4)
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=module.work, args=(storage, N_IN_PROCESSES // 3, 1))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]


def read_runs(client: MlflowClient) -> tuple[Run, dict[int, Run]]:
    """Give the one run of the study, and those of its trials by their numbers."""
    experiment = client.get_experiment_by_name("green_optuna")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    (parent,) = (run for run in found if run.info.run_name == "study: scale")
    children = [run for run in found if run is not parent]
    runs = {int(run.data.tags["green_optuna.trial"]): run for run in children}
    assert len(runs) == len(children), "a trial has two runs"
    return parent, runs


def check_run(run: Run, trial: FrozenTrial, parent: Run) -> None:
    """Hold that a run is what Optuna says of its trial."""
    measurement = measurement_of(trial)
    assert measurement is not None
    assert measurement.energy_kwh > 0, "no work is free"
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.info.status == STATUS[trial.state.name]
    assert run.data.params == {name: str(value) for name, value in trial.params.items()}
    kept = trial.user_attrs["green_optuna"]
    assert kept["run_ids"] == {"mlflow": run.info.run_id}
    values = trial.values or []  # a pruned trial has none
    expected = dict(zip(OBJECTIVES[: len(values)], values, strict=True))
    logged = run.data.metrics.items()
    assert {key: value for key, value in logged if key.startswith("objective/")} == expected
    # The last point of the trace is the energy of this trial, which no other has.
    last = run.data.metrics["energy/cumulative_kwh"]
    assert last == pytest.approx(measurement.energy_kwh, rel=1e-12)
    assert run.data.metrics["cost/energy_kwh"] == pytest.approx(last, rel=1e-12)
    trace = (Path(run.info.artifact_uri or "") / "energy" / "trace.csv").read_text().splitlines()
    assert float(trace[-1].split(",")[-2]) == pytest.approx(measurement.energy_kwh, rel=1e-12)


def check_front(study: optuna.Study, parent: Run) -> None:
    """Hold that the study's run has the front and the spending of all its trials."""
    front = go.pareto_front(study)
    metrics = parent.data.metrics
    assert metrics["study/completed_trials"] == len(front.candidates.trials)
    assert metrics["study/front_size"] == len(front)
    assert metrics["study/energy_kwh"] == pytest.approx(front.candidates.spent_kwh)
    assert parent.data.tags["mlflow.note.content"].count("\n| ") == len(front) + 1
    assert parent.info.status == "FINISHED"
