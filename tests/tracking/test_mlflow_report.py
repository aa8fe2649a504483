"""The study's run in MLflow has the study's report among its files."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from browser.studies import log_study
from mlflow import MlflowClient

import green_optuna as go
from green_optuna.errors import TrackerError
from green_optuna.tracking.mlflow import schema

from .records import runs_of, studies_and_trials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servers import Server

    from green_optuna.record import State

STATES: tuple[State, ...] = ("complete", "pruned", "complete", "failed", "complete")


def study_in(uri: str) -> optuna.Study:
    """Log a study, with its front and its report."""
    return log_study("s", storage=None, tracker=go.MLflowTracker(uri), states=STATES)[0]


def report_file(client: MlflowClient) -> Path:
    """Give the file of the report."""
    (parent,), _ = studies_and_trials(client)
    return Path(parent.info.artifact_uri or "") / "report.html"


def data_of(page: str) -> dict[str, Any]:
    """Give the data that a report's figures show."""
    found = re.search('<script type="application/json" id="data">(.*?)</script>', page)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_run_of_the_study_has_a_report_with_traces(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """The note leads to it, and a tag says of how many trials it is, however they ended."""
    study = study_in(mlflow_uri)
    front = go.pareto_front(study)
    data = data_of(report_file(client).read_text(encoding="utf-8"))
    assert {one["label"] for one in data["traces"]} == {str(one) for one in front.numbers}
    (parent,), _ = studies_and_trials(client)
    assert parent.data.tags[schema.REPORT_TAG] == str(len(STATES))
    page = f"#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}"
    link = f"[Read the report]({page}/artifacts/report.html), of the 5 trials"
    assert link in parent.data.tags["mlflow.note.content"]


def test_a_tracker_may_leave_the_report_out(client: MlflowClient, mlflow_uri: str) -> None:
    """As the process ends and when a front is logged; the front is there all the same."""
    tracker = pickle.loads(pickle.dumps(go.MLflowTracker(mlflow_uri, report=False)))
    study, _ = log_study("s", storage=None, tracker=tracker, states=STATES)
    go.log_front(study, [tracker])
    assert not report_file(client).exists()
    assert report_file(client).with_name("front").is_dir()
    go.log_front(study, [go.MLflowTracker(mlflow_uri)])
    assert report_file(client).exists()


def test_the_note_has_no_link_before_there_is_a_report_and_keeps_it_after(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """It comes with the report, and with each front from then on."""
    tracker = go.MLflowTracker(mlflow_uri)
    study, _ = log_study("s", storage=None, tracker=tracker, states=STATES, report=False)

    def note() -> str:
        return studies_and_trials(client)[0][0].data.tags["mlflow.note.content"]

    assert "report" not in note()
    assert not report_file(client).exists()
    tracker.log_report(go.pareto_front(study))
    with_link = note()
    assert "[Read the report]" in with_link
    tracker.log_front(go.pareto_front(study))
    assert note() == with_link


def test_a_report_of_as_many_trials_is_made_anew_where_that_is_asked_for_alone(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Of workers that end together one makes it; a worker that knows of more trials does too."""
    study = study_in(mlflow_uri)
    front, tracker, path = go.pareto_front(study), go.MLflowTracker(mlflow_uri), report_file(client)
    path.write_text("there")
    tracker.log_report(front, anew=False)
    assert path.read_text() == "there"
    tracker.log_report(front)
    assert path.read_text() != "there"
    path.write_text("there")
    study.add_trial(optuna.create_trial(values=[0.5, 1.0, 10]))
    go.MLflowTracker(mlflow_uri).log_report(go.pareto_front(study), anew=False)
    assert path.read_text() != "there"
    (parent,), _ = studies_and_trials(client)
    assert parent.data.tags[schema.REPORT_TAG] == str(len(front.candidates.ended) + 1)
    path.write_text("there")
    # It was slower to end than others.
    tracker.log_report(front, anew=False)
    assert path.read_text() == "there"


def test_a_study_of_which_no_trial_completed_has_a_report(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """What it spent is in it."""
    log_study("s", storage=None, tracker=go.MLflowTracker(mlflow_uri), states=("failed",))
    assert data_of(report_file(client).read_text(encoding="utf-8"))["chosen"] is None


def test_a_study_without_trials_of_ours_has_no_report(mlflow_uri: str) -> None:
    """There is no run to keep it; the error names the study."""
    front = go.pareto_front(go.create_study("other"))
    with pytest.raises(TrackerError, match="The study 'other' has no run in MLflow"):
        go.MLflowTracker(mlflow_uri).log_report(front)


SCRIPT = """
import sys
import optuna
import green_optuna as go

@go.green_objective(
    country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[go.MLflowTracker(sys.argv[1])]
)
def objective(trial):
    return trial.suggest_float("x", 0.0, 1.0), 10

study = go.create_study("s", storage="sqlite:///studies.db")
study.optimize(objective, n_trials=3)
print("done")
"""


def run_script(
    folder: Path, uri: str, script: str, environment: Mapping[str, str] | None = None
) -> str:
    """Run a script to its end; give what it logged."""
    done = subprocess.run(
        [sys.executable, "-c", script, uri],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | (environment or {}),
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    return done.stderr


def test_a_process_leaves_the_report_of_its_study_behind(
    client: MlflowClient, mlflow_uri: str, tmp_path: Path
) -> None:
    """With all trials and their traces, as it ends; nobody is warned of anything."""
    assert "WARNING" not in run_script(tmp_path, mlflow_uri, SCRIPT)
    data = data_of(report_file(client).read_text(encoding="utf-8"))
    assert data["table"]["columns"]["trial"] == [0, 1, 2]
    assert data["traces"]


def test_a_package_that_is_missing_costs_the_report_alone(
    client: MlflowClient, mlflow_uri: str, tmp_path: Path
) -> None:
    """The user is told once, in words, and the front is there."""
    stderr = run_script(tmp_path, mlflow_uri, SCRIPT + '\nsys.modules["jinja2"] = None\n')
    assert stderr.count("The report of the study 's' could not be made") == 1
    assert "jinja2" in stderr
    assert "Traceback" not in stderr
    assert not report_file(client).exists()
    assert (report_file(client).parent / "front" / "pareto.html").exists()
    (parent,), _ = studies_and_trials(client)
    assert parent.info.status == "FINISHED"
    assert schema.REPORT_TAG not in parent.data.tags


def test_a_report_that_fails_after_a_while_leaves_the_store_in_reach(
    client: MlflowClient, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is not taken for one that is away: the study's run is ended as ever."""
    monkeypatch.setattr("green_optuna.tracking.patience.SLOW_S", 0.0)
    tracker = go.MLflowTracker(mlflow_uri)
    study, _ = log_study("s", storage=None, tracker=tracker, states=STATES, report=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(TrackerError, match=r"could not be made .*jinja2"):
        tracker.log_report(go.pareto_front(study))
    terms = go.StudyTerms.from_dict(study.user_attrs["green_optuna"])
    tracker.end_study(study.study_name, terms)
    (parent,), _ = studies_and_trials(client)
    assert parent.info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this platform has no process groups")
def test_a_process_leaves_its_report_on_a_server(server: Server, tmp_path: Path) -> None:
    """With traces, read back from it when Python starts no more threads."""
    assert "WARNING" not in run_script(tmp_path, server.uri, SCRIPT)
    client = MlflowClient(server.uri)
    (parent,) = [run for run in runs_of(client) if run.info.run_name == "study: s"]
    page = Path(client.download_artifacts(parent.info.run_id, "report.html", str(tmp_path)))
    assert data_of(page.read_text(encoding="utf-8"))["traces"]
