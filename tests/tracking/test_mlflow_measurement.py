"""What a measurement without a study becomes in MLflow: read back from real stores."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pytest

import green_optuna as go
from green_optuna.cli import main

from .records import GRID, history, runs_of

if TYPE_CHECKING:
    from mlflow import MlflowClient


def new_meter() -> go.ReplayMeter:
    """Give a machine of 60 W that no other test reads."""
    return go.ReplayMeter(cpu_w=50.0, ram_w=10.0, sample_interval_s=0.01)


def test_a_measurement_is_one_run_with_its_costs_and_its_trace(
    client: MlflowClient, mlflow_uri: str, tmp_path: Path
) -> None:
    """Named as it is called, under no other, with what a trial's run has; and no study's run."""
    tracker = go.MLflowTracker(mlflow_uri)
    with go.measure(grid=GRID, meter=new_meter(), trackers=[tracker], name="evaluating") as done:
        mlflow.log_metric("accuracy", 0.9)
    (run,) = runs_of(client)
    assert (run.info.run_name, run.info.status) == ("evaluating", "FINISHED")
    tags, result = run.data.tags, done.result
    assert "mlflow.parentRunId" not in tags
    assert (tags["green_optuna.role"], tags["green_optuna.name"]) == (
        "measurement",
        "evaluating",
    )
    assert (tags["green_optuna.measurement"], tags["green_optuna.state"]) == ("0", "complete")
    assert (tags["green_optuna.basis"], tags["green_optuna.shared"]) == ("estimated", "false")
    metrics = run.data.metrics
    assert metrics["accuracy"] == 0.9
    assert metrics["cost/energy_kwh"] == pytest.approx(result.energy_kwh)
    assert metrics["cost/co2e_kg"] == pytest.approx(result.co2e_kg)
    assert metrics["cost/duration_s"] == pytest.approx(result.duration_s)
    assert not [name for name in metrics if name.startswith("objective/")]
    assert history(client, run, "energy/cumulative_kwh")[-1].value == pytest.approx(
        result.energy_kwh
    )
    path = Path(
        client.download_artifacts(run.info.run_id, "energy/trace.csv", str(tmp_path / "downloads"))
    )
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(result.trace)


def test_calls_of_a_function_are_told_apart(client: MlflowClient, mlflow_uri: str) -> None:
    """By their numbers, and all of them are found by the name that they share."""
    tracker = go.MLflowTracker(mlflow_uri, "calls")

    @go.measure(grid=GRID, meter=new_meter(), trackers=[tracker], name="step of mine")
    def step(*, fails: bool) -> None:
        if fails:
            raise ValueError("mine")

    step(fails=False)
    with pytest.raises(ValueError, match="mine"):
        step(fails=True)
    runs = sorted(runs_of(client, "calls"), key=lambda run: str(run.info.run_name))
    assert [(run.info.run_name, run.info.status) for run in runs] == [
        ("step of mine", "FINISHED"),
        ("step of mine-0001", "FAILED"),
    ]
    assert runs[1].data.tags["green_optuna.error"] == "ValueError: mine"
    assert {run.data.tags["green_optuna.name"] for run in runs} == {"step of mine"}
    assert len({run.data.tags["green_optuna.study_key"] for run in runs}) == 1


def test_a_program_is_one_run_too(
    client: MlflowClient, mlflow_uri: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Named as it is called; it says how the program ended, and nothing of its arguments."""
    options = ("--country", "FRA", "--mlflow", "--tracking-uri", mlflow_uri, "--name", "program")
    secret = "raise SystemExit(3)  # s3cret"
    code = main(["measure", *options, "--experiment", "programs", sys.executable, "-c", secret])
    assert code == 3
    assert capfd.readouterr().err.startswith("program: ")
    (run,) = runs_of(client, "programs")
    assert (run.info.run_name, run.info.status) == ("program", "FAILED")
    assert run.data.tags["green_optuna.error"].endswith("exit code 3")
    assert run.data.metrics["cost/co2e_kg"] > 0
    assert "s3cret" not in str(run.to_dictionary())
