"""The study's run shows its Pareto front: as a note, as files, and as figures over time."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest

import green_optuna as go
from green_optuna.errors import TrackerError

from .records import GRID, history, studies_and_trials

if TYPE_CHECKING:
    from mlflow import MlflowClient

QUALITIES = (0.5, 0.9, 0.7)


def run_study(uri: str) -> optuna.Study:
    """Run three trials of equal size and, as good as, equal cost."""

    @go.green_objective(
        grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[go.MLflowTracker(uri)]
    )
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return QUALITIES[trial.number], 10

    study = go.create_study("s")
    study.optimize(objective, n_trials=len(QUALITIES))
    return study


def test_the_front_is_on_the_run_of_the_study(client: MlflowClient, mlflow_uri: str) -> None:
    """A note to read, JSON and CSV for scripts, a page, and the study's figures."""
    study = run_study(mlflow_uri)
    front = go.pareto_front(study)
    go.log_front(study, [go.MLflowTracker(mlflow_uri)])
    (parent,), _ = studies_and_trials(client)
    folder = Path(parent.info.artifact_uri or "") / "front"
    assert {path.name for path in folder.iterdir()} == {"pareto.json", "trials.csv", "pareto.html"}
    assert json.loads((folder / "pareto.json").read_text()) == front.to_dict()
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert [row["on_front"] == "True" for row in rows] == [n in front.numbers for n in range(3)]
    note = parent.data.tags["mlflow.note.content"]
    assert f"{len(front)} of 3 completed trials" in note
    chosen = front.select()
    assert f"Selected by default: [trial {chosen.number}]" in note
    assert f", {chosen.rule.describe()}: 1 - quality 0.1, CO2e " in note
    assert front.ledger.summary(chosen.number, chosen.measurement) in note
    assert parent.data.metrics == pytest.approx(
        {
            "study/completed_trials": 3,
            "study/front_size": len(front),
            "study/energy_kwh": front.candidates.spent_kwh,
            "study/co2e_kg": front.candidates.spent_co2e_kg,
            "ledger/complete_kwh": front.ledger["complete"].energy_kwh,
            "ledger/pruned_kwh": 0,
            "ledger/failed_kwh": 0,
            "ledger/killed_kwh": 0,
            "ledger/overhead_kwh": front.ledger["overhead"].energy_kwh,
        }
    )


def test_the_figures_of_the_study_stand_at_the_number_of_its_latest_trial(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Logged again after more trials, they make a curve."""
    study = run_study(mlflow_uri)
    tracker = go.MLflowTracker(mlflow_uri)
    go.log_front(study, [tracker])
    study.add_trial(optuna.create_trial(values=[0.0, 1.0, 10.0]))
    go.log_front(study, [tracker])
    (parent,), _ = studies_and_trials(client)
    points = history(client, parent, "study/completed_trials")
    assert [(point.step, point.value) for point in points] == [(2, 3.0), (3, 4.0)]


def test_a_study_without_trials_of_ours_has_no_run(mlflow_uri: str) -> None:
    """There is no key to find it by; the error names the study."""
    front = go.pareto_front(go.create_study("other"))
    with pytest.raises(TrackerError, match="The study 'other' has no run in MLflow"):
        go.MLflowTracker(mlflow_uri).log_front(front)


SCRIPT = """
import mlflow
import optuna
import green_optuna as go

mlflow.set_experiment("mine")

@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0))
def objective(trial):
    return trial.suggest_float("x", 0.0, 1.0), 10

study = go.create_study("s", storage="sqlite:///studies.db")
study.optimize(objective, n_trials=3)
print("done")
"""


def test_a_script_leaves_the_front_of_its_study_behind(
    client: MlflowClient, mlflow_uri: str, tmp_path: Path
) -> None:
    """With MLflow's own settings and no further line, it is logged as the script ends."""
    (tmp_path / "script.py").write_text(SCRIPT)
    assert mlflow_uri == f"sqlite:///{tmp_path / 'mlflow.db'}", "the default, seen from here"
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "WARNING" not in done.stderr
    assert "failed" not in done.stderr
    found = client.get_experiment_by_name("mine")
    assert found is not None
    runs = {run.info.run_name: run for run in client.search_runs([found.experiment_id])}
    parent = runs.pop("study: s")
    assert sorted(runs) == ["trial-0000", "trial-0001", "trial-0002"]
    assert parent.info.status == "FINISHED"
    assert "of 3 completed trials" in parent.data.tags["mlflow.note.content"]
    assert (Path(parent.info.artifact_uri or "") / "front" / "pareto.html").exists()
