"""``green-optuna sync`` sends what trackers could not take, from any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient

import green_optuna as go
from green_optuna.cli import main
from green_optuna.terms import read_terms
from green_optuna.tracking import spool

GRID = go.Grid(carbon_intensity_g_per_kwh=100.0, source="the test")

# What keeps MLflow from making its database, until it is taken away.
SCRIPT = """
import sys
import optuna
import green_optuna as go

@go.green_objective(
    grid=go.Grid(carbon_intensity_g_per_kwh=100.0, source="the test"),
    meter=go.ReplayMeter(cpu_w=50.0),
    trackers=[go.MLflowTracker(sys.argv[1], "mine")],
)
def objective(trial):
    return trial.suggest_float("x", 0.0, 1.0), 10

study = go.create_study("s", storage=sys.argv[2] or None)
study.optimize(objective, n_trials=3)
"""


class Blocked:
    """An MLflow store that cannot be written to until it is let go.

    Args:
        folder: Where it shall be.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store" / "mlflow.db"
        self.path.mkdir(parents=True)
        self.uri = f"sqlite:///{self.path}"

    def let_go(self) -> MlflowClient:
        """Let MLflow make its database; give a client of it."""
        self.path.rmdir()
        return MlflowClient(self.uri)


@pytest.fixture
def blocked(tmp_path: Path) -> Blocked:
    """Give a store that is away."""
    return Blocked(tmp_path)


def run_away(store: Blocked, storage: str) -> None:
    """Run a study in a process of its own, whose tracker takes nothing."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, store.uri, storage],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert "green-optuna sync" in done.stderr, "the user is told what to type"


def trials_of(client: MlflowClient) -> list[str]:
    """Give the names of the trials' runs in the experiment that they were to go to."""
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return sorted(str(run.info.run_name) for run in runs)


NAMES = ["study: s", "trial-0000", "trial-0001", "trial-0002"]


@pytest.mark.slow
@pytest.mark.parametrize("in_memory", [True, False])
def test_sync_sends_what_a_process_left_to_where_it_was_to_go(
    blocked: Blocked, sqlite_url: str, in_memory: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an option; even where the study was in memory, and is gone. Then nothing is left."""
    run_away(blocked, "" if in_memory else sqlite_url)
    assert main(["sync"]) == 1
    assert "Study 's': 3 records not taken by 'mlflow'" in capsys.readouterr().err
    client = blocked.let_go()
    assert main(["sync"] if in_memory else ["sync", "s", "--storage", sqlite_url]) == 0
    assert "Study 's': 3 records sent to 'mlflow'." in capsys.readouterr().err
    assert trials_of(client) == NAMES
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`green_optuna.role` = 'study'")
    noted = "mlflow.note.content" in parent.data.tags
    assert noted != in_memory, "the front goes along where the study is at hand"
    assert main(["sync"]) == 0
    assert "Nothing was left behind here." in capsys.readouterr().err
    assert trials_of(client) == NAMES


def keep_one(tracker: go.Tracker) -> None:
    """Keep a record for a tracker, as a study does whose tracker is away."""
    memory = go.MemoryTracker()

    @go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[memory])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return trial.suggest_float("x", 0.0, 1.0), 10

    study = go.create_study("s")
    study.optimize(objective, n_trials=1)
    assert read_terms(study) is not None
    spool.keep(tracker.name, memory.finished[0], recipe=spool.recipe_of(tracker))


def test_records_for_a_tracker_of_the_users_own_wait_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only the user's code can make it; that is no failure, and it is said."""
    keep_one(go.MemoryTracker())
    assert main(["sync"]) == 0
    said = capsys.readouterr().err
    assert "Study 's': 1 record kept for 'memory': the study's next trial" in said
    assert len(spool.Spool.all()) == 1


def test_a_password_is_asked_for_and_not_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is known but for it; where the environment has it whole, that is taken."""
    uri = "http://me:s3cret@127.0.0.1:9"
    keep_one(go.MLflowTracker(uri))
    (waiting,) = spool.Spool.all()
    assert "s3cret" not in waiting.path.read_text(encoding="utf-8")
    assert main(["sync"]) == 1
    said = capsys.readouterr().err
    assert "http://me:***@127.0.0.1:9 needs its password" in said
    assert "--mlflow-uri" in said
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert main(["sync"]) == 1
    said = capsys.readouterr().err
    assert "does not answer" in said
    assert "s3cret" not in said


def test_records_can_be_sent_elsewhere(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """To another store and experiment than they were to go to."""
    keep_one(go.MLflowTracker("http://127.0.0.1:9"))
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    assert main(["sync", "--mlflow-uri", uri, "--experiment", "mine"]) == 0
    assert "1 record sent" in capsys.readouterr().err
    assert trials_of(MlflowClient(uri)) == ["study: s", "trial-0000"]
