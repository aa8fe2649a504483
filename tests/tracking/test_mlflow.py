"""What a study becomes in MLflow: read back from real stores, after real trials."""

from __future__ import annotations

import csv
import logging
import math
import os
import pickle
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

import green_optuna as go
from green_optuna.errors import OptionError
from green_optuna.record import measurement_of
from green_optuna.tracking.mlflow.place import absolute_uri

from .records import (
    GRID,
    TERMS,
    ending_objective,
    history,
    make_measurement,
    make_record,
    run_ends,
    runs_of,
    studies_and_trials,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


def make_objective(
    uri: str, *, flush_interval_s: float = 30.0, wait_s: float = 0.03
) -> go.GreenObjective:
    """Decorate an objective that ends as its parameter says, and tells MLflow."""
    return ending_objective(go.MLflowTracker(uri, flush_interval_s=flush_interval_s), wait_s=wait_s)


def artifact(run: Run, path: str) -> Path:
    """Give a file of a run, in the local folder where MLflow keeps it."""
    return Path(run.info.artifact_uri or "") / path


def test_a_study_is_one_run_with_its_trials_below(client: MlflowClient, mlflow_uri: str) -> None:
    """The parent is named after the study, each child after its number, whatever its end."""
    study = run_ends(
        go.create_study("digits"), make_objective(mlflow_uri), "complete", "pruned", "failed"
    )
    (parent,), trials = studies_and_trials(client)
    assert parent.info.run_name == "study: digits"
    assert [trials[n].info.run_name for n in range(3)] == [f"trial-000{n}" for n in range(3)]
    for trial in study.trials:
        child = trials[trial.number]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.info.status == STATUS[trial.state.name]
        assert trial.user_attrs["green_optuna"]["run_ids"] == {"mlflow": child.info.run_id}


def test_a_run_holds_what_optuna_has_of_its_trial(client: MlflowClient, mlflow_uri: str) -> None:
    """Params, objectives, quality and costs are the same in both, and tags say what they are."""
    study = run_ends(go.create_study("s"), make_objective(mlflow_uri), "complete")
    trial, child = study.trials[0], studies_and_trials(client)[1][0]
    measurement = measurement_of(trial)
    assert measurement is not None
    assert child.data.params == {name: str(value) for name, value in trial.params.items()}
    expected = {
        **{f"objective/{name}": v for name, v in zip(TERMS.objectives, trial.values, strict=True)},
        "quality": trial.params["x"],
        "cost/energy_kwh": measurement.energy_kwh,
        "cost/co2e_kg": measurement.co2e_kg,
        "cost/duration_s": measurement.duration_s,
        "cost/n_params": 10.0,
        "energy/cumulative_kwh": measurement.energy_kwh,
        "energy/cumulative_co2e_kg": measurement.co2e_kg,
        "report/quality": trial.params["x"],
    }
    assert {key: child.data.metrics[key] for key in expected} == pytest.approx(expected)
    assert "the test" in child.data.tags["green_optuna.grid"]
    assert child.data.tags["green_optuna.basis"] == "estimated"
    assert child.data.tags["user_attrs.seed"] == "3"
    assert [point.step for point in history(client, child, "report/quality")] == [0, 5]


def test_a_run_that_did_not_complete_holds_what_it_cost(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Energy, trace and params are there; objectives are not, and the error is."""
    study = run_ends(go.create_study("s"), make_objective(mlflow_uri), "pruned", "failed")
    _, trials = studies_and_trials(client)
    for trial in study.trials:
        measurement, child = measurement_of(trial), trials[trial.number]
        assert measurement is not None
        assert child.data.metrics["cost/energy_kwh"] == pytest.approx(measurement.energy_kwh)
        assert child.data.params["end"] == trial.params["end"]
        assert not [key for key in child.data.metrics if key.startswith("objective/")]
        assert artifact(child, "energy/trace.csv").exists()
    assert "green_optuna.error" not in trials[0].data.tags
    assert trials[1].data.tags["green_optuna.error"] == "ValueError: the user's own"


def test_the_whole_trace_is_in_a_file(client: MlflowClient, mlflow_uri: str) -> None:
    """The CSV goes up to the trial's energy, at the meter's own rate."""
    study = run_ends(go.create_study("s"), make_objective(mlflow_uri, wait_s=0.2), "complete")
    measurement = measurement_of(study.trials[0])
    assert measurement is not None
    path = artifact(studies_and_trials(client)[1][0], "energy/trace.csv")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    at_s = [float(row["t_s"]) for row in rows]
    assert len(rows) > 5
    assert all(earlier < later for earlier, later in pairwise(at_s))
    assert float(rows[-1]["cumulative_energy_kwh"]) == pytest.approx(measurement.energy_kwh)


def test_a_running_trial_can_be_watched(client: MlflowClient, mlflow_uri: str) -> None:
    """Points are in the store before the trial ends, and each second once after it."""
    seen: list[dict[str, float]] = []

    @go.green_objective(
        grid=GRID,
        meter=go.ReplayMeter(cpu_w=50.0, sample_interval_s=0.1),
        trackers=[go.MLflowTracker(mlflow_uri, flush_interval_s=0.2)],
    )
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        trial.suggest_float("x", 0.0, 1.0)
        trial.report(0.5, 3)
        while not seen or "energy/cumulative_kwh" not in seen[-1]:
            threading.Event().wait(0.1)
            (child,) = studies_and_trials(client)[1].values()
            seen.append(child.data.metrics)
            assert child.info.status == "RUNNING"
        assert child.data.params.keys() == {"x"}
        threading.Event().wait(1.0)
        return 0.5, 10

    go.create_study("s").optimize(objective, n_trials=1)
    child = studies_and_trials(client)[1][0]
    points = history(client, child, "energy/cumulative_kwh")
    assert {"energy/cpu_w", "report/quality"} <= seen[-1].keys()
    assert "cost/energy_kwh" not in seen[-1], "what it came to is known at its end"
    assert len({point.step for point in points}) == len(points) > 1
    assert seen[-1]["energy/cumulative_kwh"] in [point.value for point in points]
    assert len(history(client, child, "report/quality")) == 1
    assert int(child.data.tags["green_optuna.live_flushes_in_window"]) >= 2
    # A step is a whole second, rounded to the nearest.
    first = points[0]
    for point in points:
        elapsed_ms = point.timestamp - first.timestamp
        assert abs(elapsed_ms - 1000 * (point.step - first.step)) <= 1001
    assert first.timestamp >= child.info.start_time


def test_a_killed_trial_is_logged_on_from_where_its_process_was(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """What it had logged while it ran stays, and another process adds what is missing, once."""
    reports = tuple(go.Report(step, 0.5, energy_kwh=1e-6, t_s=step + 0.5) for step in range(4))
    theirs, ours = go.MLflowTracker(mlflow_uri), go.MLflowTracker(mlflow_uri)
    run_ids = {"mlflow": theirs.start_trial(make_record())}
    early = make_measurement([1.0, 2.0, 3.0], cpu_w=[10.0] * 3)
    theirs.log_progress(make_record(run_ids=run_ids, measurement=early, reports=reports[:2]))
    late = make_measurement([1.1, 2.1, 3.1, 4.1, 5.1], cpu_w=[20.0] * 5)
    killed = make_record(run_ids=run_ids, state="killed", error="killed: process 1 on the-host")
    ours.finish_trial(replace(killed, measurement=late, reports=reports))

    run = studies_and_trials(client)[1][7]
    assert run.info.status == "FAILED"
    # The third second was not over when it was logged.
    cpu_w = history(client, run, "energy/cpu_w")
    assert [point.step for point in cpu_w] == [1, 2, 3, 4, 5]
    assert [point.value for point in cpu_w] == pytest.approx([10.0, 10.0, 20.0, 20.0, 20.0])
    reported = [point.step for point in history(client, run, "report/energy_kwh")]
    assert reported == [0, 1, 2, 3]
    assert run.data.metrics["cost/energy_kwh"] == late.energy_kwh


def test_a_resumed_study_keeps_its_run(
    client: MlflowClient, mlflow_uri: str, sqlite_url: str
) -> None:
    """Another tracker, as in another process, finds the run by the study's key."""
    for _ in range(2):
        run_ends(go.create_study("s", storage=sqlite_url), make_objective(mlflow_uri), "complete")
    parents, trials = studies_and_trials(client)
    assert len(parents) == 1
    assert len(trials) == 2


def test_two_studies_of_one_name_have_a_run_each(client: MlflowClient, mlflow_uri: str) -> None:
    """A study that was made anew is another one."""
    objective = make_objective(mlflow_uri)
    for _ in range(2):
        run_ends(go.create_study("s"), objective, "complete")
    runs = runs_of(client)
    parents = [run.info.run_id for run in runs if run.data.tags["green_optuna.role"] == "study"]
    children = [run.data.tags.get("mlflow.parentRunId") for run in runs]
    assert len(parents) == 2
    assert sorted(filter(None, children)) == sorted(parents)


def test_four_threads_share_one_run_of_the_study(client: MlflowClient, mlflow_uri: str) -> None:
    """No trial is lost or mixed up with another that ran beside it."""
    ends = ["complete", "pruned"] * 6
    study = run_ends(go.create_study("s"), make_objective(mlflow_uri), *ends, n_jobs=4)
    parents, trials = studies_and_trials(client)
    assert len(parents) == 1
    assert sorted(trials) == list(range(12))
    for trial in study.trials:
        assert trials[trial.number].data.params["x"] == str(trial.params["x"])


WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
import green_optuna as go
from tracking.test_mlflow import make_objective
study = go.create_study("s", storage=sys.argv[2])
study.optimize(make_objective(sys.argv[3]), n_trials=2, catch=ValueError)
"""


@pytest.mark.slow
def test_three_processes_share_a_fresh_store(sqlite_url: str, tmp_path: Path) -> None:
    """They make its tables, the experiment and the study's run once, and lose no trial."""
    # Not enqueued: Optuna gives a trial that waits to two workers, where they ask SQLite for it
    # at the same moment, and one of them fails as it ends it.
    study = go.create_study("s", storage=sqlite_url)
    uri = f"sqlite:///{tmp_path / 'fresh.db'}"
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", WORKER, tests, sqlite_url, uri]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], said
    assert not any("will not be mentioned again" in text for text in said), said
    parents, trials = studies_and_trials(MlflowClient(uri))
    assert len(parents) == 1
    states = {trial.number: STATUS[trial.state.name] for trial in study.trials}
    assert len(states) == 6
    assert {number: run.info.status for number, run in trials.items()} == states


def test_a_new_store_is_made_quietly_where_it_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its folder is made, MLflow's log says nothing of it, and is as before afterwards."""
    caplog.set_level(logging.INFO)
    level = logging.getLogger("mlflow.store.db.utils").level
    uri = f"sqlite:///{tmp_path / 'some' / 'folder' / 'mlflow.db'}"
    go.MLflowTracker(uri).start_trial(make_record())
    assert (tmp_path / "some" / "folder" / "mlflow.db").exists()
    assert [record.message for record in caplog.records] == []
    assert logging.getLogger("mlflow.store.db.utils").level == level
    (child,) = studies_and_trials(MlflowClient(uri))[1].values()
    assert Path(child.info.artifact_uri or "").is_absolute(), "found from any folder"


@pytest.mark.parametrize("given_by", ["argument", "name", "id", "nothing"])
def test_the_experiment_is_the_one_that_is_asked_for(
    client: MlflowClient, mlflow_uri: str, given_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The argument goes before the environment, and without either it is green_optuna."""
    experiment_id = client.create_experiment("mine")
    if given_by in ("argument", "name"):
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine" if given_by == "name" else "other")
    if given_by == "id":
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment_id)
    tracker = go.MLflowTracker(mlflow_uri, "mine" if given_by == "argument" else None)
    run_id = tracker.start_trial(make_record())
    found = client.get_experiment(client.get_run(run_id).info.experiment_id)
    assert found.name == ("green_optuna" if given_by == "nothing" else "mine")


@pytest.mark.usefixtures("_fluent")
@pytest.mark.parametrize("name", [None, "by name"])
def test_the_current_experiment_of_another_store_is_not_taken_for_ours(
    client: MlflowClient, tmp_path: Path, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What mlflow.set_experiment chose has an id that is a stranger's elsewhere."""
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    shutil.copyfile(tmp_path / "mlflow.db", tmp_path / "other.db")
    other = MlflowClient(uri)
    strangers = other.create_experiment("a stranger's")
    # As mlflow.set_experiment does, but undone after the test.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client.create_experiment("mine"))
    assert os.environ["MLFLOW_EXPERIMENT_ID"] == strangers
    if name is not None:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", name)
    run_id = go.MLflowTracker(uri).start_trial(make_record())
    found = other.get_experiment(other.get_run(run_id).info.experiment_id)
    assert found.name == (name or "green_optuna")


@pytest.mark.usefixtures("_fluent")
def test_a_store_given_as_a_relative_file_has_the_current_experiment(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two URIs of one file are one store."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client.create_experiment("mine"))
    run_id = go.MLflowTracker("sqlite:///mlflow.db").start_trial(make_record())
    assert client.get_experiment(client.get_run(run_id).info.experiment_id).name == "mine"


@pytest.mark.usefixtures("_fluent")
def test_a_tracker_that_connects_anew_inside_a_trial_keeps_its_experiment(
    client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its store is then MLflow's current one, and the id in the environment is not its own."""
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    shutil.copyfile(tmp_path / "mlflow.db", tmp_path / "other.db")
    other = MlflowClient(uri)
    other.create_experiment("a stranger's")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client.create_experiment("mine"))
    tracker = go.MLflowTracker(uri)
    run_id = tracker.start_trial(make_record())
    with tracker.activate(run_id):
        other.delete_run(run_id)
        with pytest.raises(MlflowException, match="active"):
            tracker.log_progress(make_record(run_ids={"mlflow": run_id}, params={"x": 1}))
        later_id = tracker.start_trial(make_record(number=8))
    ids = {other.get_run(run).info.experiment_id for run in (run_id, later_id)}
    assert [other.get_experiment(found).name for found in ids] == ["green_optuna"]


def test_a_parameter_that_the_user_logged_with_another_value_costs_nothing_else(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Theirs stays, ours of that name stands beside it, and all the rest is as ever."""
    tracker = go.MLflowTracker(mlflow_uri)
    run_id = tracker.start_trial(make_record())
    client.log_param(run_id, "lr", "a schedule")
    client.log_param(run_id, "seed", "3")
    record = make_record(
        run_ids={"mlflow": run_id},
        params={"lr": 0.1, "seed": 3, "x": 0.5},
        quality=0.75,
        reports=(go.Report(0, 0.5, energy_kwh=1e-6, t_s=0.1),),
    )
    tracker.log_progress(record)
    tracker.finish_trial(
        make_record(
            state="complete",
            run_ids=record.run_ids,
            params=record.params,
            quality=record.quality,
            reports=record.reports,
        )
    )
    stored = client.get_run(run_id)
    assert stored.data.params == {"lr": "a schedule", "optuna/lr": "0.1", "seed": "3", "x": "0.5"}
    assert stored.data.metrics["quality"] == 0.75
    assert len(history(client, stored, "report/quality")) == 1
    assert stored.data.tags["green_optuna.state"] == "complete"
    assert stored.info.status == "FINISHED"


def test_a_trial_whose_run_could_not_be_opened_gets_one_at_its_end(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """A server that was away when the trial started holds the whole of it nevertheless."""
    go.MLflowTracker(mlflow_uri).finish_trial(make_record(state="complete", quality=0.5))
    child = studies_and_trials(client)[1][7]
    assert (child.info.status, child.data.metrics["quality"]) == ("FINISHED", 0.5)
    assert child.info.start_time == 1_000_000_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_logs_with_a_client_of_its_own(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """A tracker that its parent has used works in the child, and goes on in the parent."""
    tracker = go.MLflowTracker(mlflow_uri)
    tracker.finish_trial(make_record(state="complete", number=0))
    child_pid = os.fork()
    if child_pid == 0:
        try:
            tracker.finish_trial(make_record(state="complete", number=1))
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child_pid, 0)[1] == 0
    tracker.finish_trial(make_record(state="complete", number=2))
    parents, trials = studies_and_trials(client)
    assert len(parents) == 1
    assert {number: run.info.status for number, run in trials.items()} == dict.fromkeys(
        range(3), "FINISHED"
    )


class TeamTracker(go.MLflowTracker):
    """A tracker of the user's own, with an option of its own."""

    def __init__(self, uri: str, *, team: str) -> None:
        super().__init__(uri, team)
        self.team = team


def test_a_tracker_of_the_users_own_stays_one_in_another_process(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Its class and what it adds go along."""
    copy = pickle.loads(pickle.dumps(TeamTracker(mlflow_uri, team="green")))
    assert isinstance(copy, TeamTracker)
    assert copy.team == "green"
    copy.start_trial(make_record())
    assert len(runs_of(client, "green")) == 2


def test_a_tracker_pickles_its_options_and_no_connection(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """What another process gets can be used there, wherever the first one was."""
    tracker = go.MLflowTracker(mlflow_uri, "mine", flush_interval_s=5.0, name="team")
    tracker.start_trial(make_record(number=0))
    copy = pickle.loads(pickle.dumps(tracker))
    copy.start_trial(make_record(number=1))
    assert (copy.uri, copy.experiment, copy.flush_interval_s, copy.name) == (
        mlflow_uri,
        "mine",
        5.0,
        "team",
    )
    assert len(runs_of(client, "mine")) == 3


def test_a_tracker_shows_its_options_without_a_password() -> None:
    """Its repr stands in warnings."""
    tracker = go.MLflowTracker("http://me:s3cret@host:5000", "mine")
    assert repr(tracker) == "MLflowTracker(uri='http://me:***@host:5000', experiment='mine')"


@pytest.mark.parametrize("interval_s", [0.0, -1.0, math.nan])
def test_a_flush_interval_that_is_none_is_an_error(interval_s: float) -> None:
    """It names the value and the remedy."""
    with pytest.raises(OptionError, match=rf"flush_interval_s is {interval_s!r}: give seconds"):
        go.MLflowTracker(flush_interval_s=interval_s)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:///mlflow.db", "mlflow.db"),
        ("sqlite:///stores/mlflow.db?timeout=5", "stores/mlflow.db"),
        ("sqlite+pysqlite:///mlflow.db", "mlflow.db"),
    ],
)
def test_a_relative_store_is_made_absolute(uri: str, path: str, tmp_path: Path) -> None:
    """Only the path changes."""
    assert absolute_uri(uri) == uri.replace(path, str(tmp_path / path))


@pytest.mark.parametrize("uri", ["mlruns", "./mlruns", "file:mlruns"])
def test_a_relative_folder_is_made_absolute(uri: str, tmp_path: Path) -> None:
    """MLflow's older stores are folders."""
    assert absolute_uri(uri) == str(tmp_path / "mlruns")


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////var/mlflow.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:mlflow.db?uri=true",
        "http://localhost:5000",
        "postgresql://user:secret@host/mlflow",
        "databricks",
        "databricks://profile",
        "/var/mlruns",
    ],
)
def test_any_other_store_is_left_as_it_is(uri: str) -> None:
    """It means the same from every folder."""
    assert absolute_uri(uri) == uri


def test_a_change_of_folder_does_not_move_a_study(tmp_path: Path) -> None:
    """A script that changes its folder logs where it began, also as it ends."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, green_optuna as go\n"
        "@go.green_objective(grid=go.Grid(carbon_intensity_g_per_kwh=100.0),\n"
        "                    meter=go.ReplayMeter(cpu_w=50.0),\n"
        "                    trackers=[go.MLflowTracker('sqlite:///mlflow.db')])\n"
        "def objective(trial):\n"
        "    os.makedirs('elsewhere', exist_ok=True)\n"
        "    os.chdir('elsewhere')\n"
        "    return 0.5, 1\n"
        "go.create_study('moving').optimize(objective, n_trials=2)\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True)
    study_runs, trial_runs = studies_and_trials(MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}"))
    assert [run.info.status for run in [*study_runs, *trial_runs.values()]] == ["FINISHED"] * 3
    assert "mlflow.note.content" in study_runs[0].data.tags
    assert [path.name for path in tmp_path.rglob("mlflow.db")] == ["mlflow.db"]
