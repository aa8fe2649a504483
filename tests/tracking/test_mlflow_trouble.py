"""When MLflow cannot be reached or does not take a trial, the trial is none the worse."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import optuna
import pytest
from mlflow import MlflowClient
from servers import Server, free_port

import green_optuna as go
from green_optuna.errors import TrackerError
from green_optuna.terms import read_terms
from green_optuna.tracking import spool
from green_optuna.tracking.mlflow.reach import check_database

from .records import GRID, logged, make_record, runs_of, studies_and_trials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from green_optuna.tracking import Tracker


def run(
    tracker: Tracker,
    *,
    n_trials: int = 2,
    before: Callable[[int], None] = lambda _: None,
) -> optuna.Study:
    """Run trials; ``before`` each one's end, something may happen to MLflow."""

    @go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[tracker])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        x = trial.suggest_float("x", 0.0, 1.0)
        before(trial.number)
        return x, 10

    study = go.create_study("s")
    study.optimize(objective, n_trials=n_trials)
    return study


def check_nothing_is_lost(study: optuna.Study, spooled: list[int]) -> None:
    """Hold that the values are in Optuna, and the records of these trials on disk, whole."""
    for trial in study.trials:
        assert trial.state == optuna.trial.TrialState.COMPLETE
        energy = trial.user_attrs["green_optuna"]["energy_kwh"]
        assert trial.values == pytest.approx(
            [1 - trial.params["x"], GRID.co2e_kg(sum(energy.values())), 10]
        )
    terms = read_terms(study)
    assert terms is not None
    lines = spool.path(terms).read_text(encoding="utf-8").splitlines()
    kept = [json.loads(line)["trial"] for line in lines]
    assert [trial["number"] for trial in kept] == spooled
    assert all(trial["params"] == study.trials[trial["number"]].params for trial in kept)
    assert all(trial["trace"] for trial in kept)


def the_warning(caplog: pytest.LogCaptureFixture) -> str:
    """Give the one thing that was said of the trouble."""
    (record,) = logged(caplog)
    assert record.levelname == "WARNING"
    assert "MLflowTracker(uri=" in record.getMessage()
    return record.getMessage()


@pytest.mark.parametrize("scheme", ["http", "postgresql", "mysql+pymysql"])
def test_a_closed_port_costs_no_trial(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    """The user is told once, with the address, the remedy and no password."""
    uri = f"{scheme}://me:s3cret%21@127.0.0.1:{free_port()}/x"
    study = run(go.MLflowTracker(uri))
    check_nothing_is_lost(study, spooled=[0, 1])
    said = the_warning(caplog)
    assert "does not answer" in said
    assert "Start it, or pass MLflowTracker(uri=...)" in said
    assert shown(uri) in said
    assert "s3cret" not in caplog.text


def shown(uri: str) -> str:
    """Give a URI of these tests as it shall be shown."""
    return uri.replace("s3cret%21", "***")


@pytest.mark.parametrize("uri", ["http://me:s3/cret@host:x", "postgresql://me:s3cret@host:x/db"])
def test_an_address_that_is_none_costs_no_trial(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does the error of whoever tried to read it show the password."""
    study = run(go.MLflowTracker(uri))
    check_nothing_is_lost(study, spooled=[0, 1])
    the_warning(caplog)
    assert "s3" not in caplog.text
    assert "cret" not in caplog.text


@pytest.mark.parametrize("kind", ["a folder", "below a file"])
def test_a_database_that_cannot_be_written_costs_no_trial(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The error says at once what MLflow would find out after many retries."""
    path = tmp_path / "x"
    if kind == "a folder":
        path.mkdir()
    else:
        path.write_text("")
        path /= "mlflow.db"
    study = run(go.MLflowTracker(f"sqlite:///{path}"))
    check_nothing_is_lost(study, spooled=[0, 1])
    assert "cannot be written to" in the_warning(caplog)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_database_is_told_at_once(mlflow_uri: str, tmp_path: Path) -> None:
    """It can be opened, and not be used."""
    (tmp_path / "mlflow.db").chmod(0o400)
    with pytest.raises(TrackerError, match="cannot be written to"):
        check_database(mlflow_uri)


def test_a_file_that_is_no_database_is_told_at_once(tmp_path: Path) -> None:
    """The error names it."""
    (tmp_path / "notes.txt").write_text("this is no database, and long enough to be seen as none")
    with pytest.raises(TrackerError, match=r"notes\.txt cannot be written to"):
        check_database(f"sqlite:///{tmp_path / 'notes.txt'}")


def test_a_database_that_others_write_to_is_there(mlflow_uri: str, tmp_path: Path) -> None:
    """A lock that is held at this moment is no trouble."""
    import sqlite3

    writer = sqlite3.connect(tmp_path / "mlflow.db")
    try:
        writer.execute("BEGIN IMMEDIATE")
        check_database(mlflow_uri)
    finally:
        writer.rollback()
        writer.close()


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"])
def test_databases_without_a_file_of_that_name_are_left_to_mlflow(uri: str, tmp_path: Path) -> None:
    """Nothing is made on disk for them."""
    check_database(uri)
    assert list(tmp_path.glob("*mem*")) + list(tmp_path.glob("file*")) == []


def test_an_experiment_that_was_deleted_costs_no_trial(
    client: MlflowClient, mlflow_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning says how to restore it."""
    experiment_id = client.create_experiment("mine")
    client.delete_experiment(experiment_id)
    study = run(go.MLflowTracker(mlflow_uri, "mine"))
    check_nothing_is_lost(study, spooled=[0, 1])
    assert f"`mlflow experiments restore -x {experiment_id}`" in the_warning(caplog)


def test_an_experiment_that_is_deleted_while_the_study_runs_costs_no_trial(
    client: MlflowClient, mlflow_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The trials before it are in MLflow, those after it on disk, and the remedy is named."""
    tracker = go.MLflowTracker(mlflow_uri, "mine")
    run_id = tracker.start_trial(make_record())
    experiment_id = client.get_run(run_id).info.experiment_id
    client.delete_experiment(experiment_id)
    study = run(tracker)
    check_nothing_is_lost(study, spooled=[0, 1])
    assert f"`mlflow experiments restore -x {experiment_id}`" in the_warning(caplog)


def test_a_place_for_files_that_is_away_leaves_no_run_open(
    client: MlflowClient, mlflow_uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the files are missing in MLflow then, and the record is kept on disk besides."""
    (tmp_path / "file").write_text("")
    client.create_experiment("green_optuna", artifact_location=(tmp_path / "file" / "x").as_uri())
    study = run(go.MLflowTracker(mlflow_uri))
    check_nothing_is_lost(study, spooled=[0, 1])
    _, trials = studies_and_trials(client)
    assert [trials[number].info.status for number in (0, 1)] == ["FINISHED"] * 2
    assert trials[1].data.metrics["quality"] == study.trials[1].params["x"]
    assert "NotADirectoryError" in the_warning(caplog)


def test_a_study_whose_run_was_deleted_gets_another(client: MlflowClient, mlflow_uri: str) -> None:
    """A process that comes later does not log below a run that nobody sees."""
    go.MLflowTracker(mlflow_uri).start_trial(make_record(number=0))
    (first,), _ = studies_and_trials(client)
    client.delete_run(first.info.run_id)
    go.MLflowTracker(mlflow_uri).start_trial(make_record(number=1))
    (parent,), trials = studies_and_trials(client)
    assert parent.info.run_id != first.info.run_id
    assert trials[1].data.tags["mlflow.parentRunId"] == parent.info.run_id


@dataclass(slots=True)
class Gateway:
    """A server that answers everything with one status, and counts what it is asked.

    Attributes:
        port: Where it is.
        asked: What it was asked.
        wait_s: How long it waits before each answer, in s, as a sum.
    """

    port: int
    asked: list[str] = field(default_factory=list)
    wait_s: list[float] = field(default_factory=list)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Give a gateway behind which there is no MLflow."""
    asked: list[str] = []
    wait_s: list[float] = []

    class Away(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            threading.Event().wait(sum(wait_s))
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Away)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Gateway(server.server_port, asked, wait_s)
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_gateway_without_a_server_is_asked_once_a_step(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """MLflow would ask it again for minutes; nothing but our one question reaches it."""
    study = run(go.MLflowTracker(f"http://127.0.0.1:{gateway.port}"))
    check_nothing_is_lost(study, spooled=[0, 1])
    assert gateway.asked == ["/health"] * 4
    assert "HTTP status 503" in the_warning(caplog)


def test_a_gateway_that_is_slow_to_say_so_is_not_asked_at_each_step(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """A study would wait more for it than for its trials."""
    gateway.wait_s.append(1.1)
    study = run(go.MLflowTracker(f"http://127.0.0.1:{gateway.port}"), n_trials=3)
    check_nothing_is_lost(study, spooled=[0, 1, 2])
    assert gateway.asked == ["/health"]
    the_warning(caplog)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this platform has no process groups")
def test_a_server_that_dies_between_trials_costs_none(
    server: Server,
    client: MlflowClient,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its trials are in MLflow up to then, whole and quietly, and on disk from then on."""
    turn = threading.Lock()

    class BetweenRequests(go.MLflowTracker):
        """Flushes in turn with the killing: MLflow asks for two minutes after one in between."""

        def log_progress(self, trial: go.TrialRecord) -> None:
            with turn:
                super().log_progress(trial)

    tracker = BetweenRequests(server.uri, flush_interval_s=0.05)

    def kill_in_the_second(number: int) -> None:
        threading.Event().wait(0.2)
        if number == 1:
            with turn:
                server.kill()
            threading.Event().wait(0.2)

    study = run(tracker, n_trials=3, before=kill_in_the_second)
    check_nothing_is_lost(study, spooled=[1, 2])
    parents, trials = studies_and_trials(client)
    assert len(parents) == 1
    assert {number: run.info.status for number, run in trials.items()} == {
        0: "FINISHED",
        1: "RUNNING",
    }
    assert trials[0].data.metrics["quality"] == study.trials[0].params["x"]
    assert "does not answer" in the_warning(caplog)
    assert capfd.readouterr().out == "", "a script's own output may be read by another program"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this platform has no process groups")
def test_a_study_on_a_server_is_as_on_a_file(server: Server, client: MlflowClient) -> None:
    """Runs, artifacts and the front come through it."""
    tracker, memory = go.MLflowTracker(server.uri), go.MemoryTracker()
    study = run(memory, n_trials=2)
    for record in memory.finished:
        tracker.finish_trial(record)
    go.log_front(study, [tracker])
    (parent,), trials = studies_and_trials(client)
    remote = MlflowClient(server.uri)
    files = [file.path for file in remote.list_artifacts(trials[0].info.run_id, "energy")]
    fronts = {file.path for file in remote.list_artifacts(parent.info.run_id, "front")}
    assert files == ["energy/trace.csv"]
    assert fronts == {"front/pareto.html", "front/pareto.json", "front/trials.csv"}
    assert len(runs_of(remote)) == 3
