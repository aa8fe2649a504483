"""What a study becomes in Weights & Biases: read back from the files of real offline runs."""

from __future__ import annotations

import csv
import json
import logging
import os
import pickle
import shlex
import subprocess
import sys
import threading
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest

import green_optuna as go
from green_optuna.cli import main
from green_optuna.record import measurement_of
from green_optuna.terms import read_terms
from green_optuna.tracking import spool

from .records import (
    GRID,
    TERMS,
    ending_objective,
    make_measurement,
    make_record,
    run_ends,
    studies_and_trials,
)
from .wandb_runs import runs_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

    from .wandb_runs import LoggedRun

ENDS = ["complete", "pruned", "failed"]


def make_objective(
    *trackers: go.Tracker, wait_s: float = 0.03, sample_interval_s: float = 0.01
) -> go.GreenObjective:
    """Decorate an objective that ends as its parameter says, with names that W&B does not take."""
    return ending_objective(
        *trackers,
        parameter="layer.0",
        said="no such host: postgresql://me:s3cret@host/db",
        wait_s=wait_s,
        sample_interval_s=sample_interval_s,
    )


def offline(folder: Path, *, flush_interval_s: float = 30.0) -> go.WandbTracker:
    """Give a tracker whose runs stay on this machine."""
    return go.WandbTracker(
        "tests", mode="offline", folder=folder, flush_interval_s=flush_interval_s
    )


def run(objective: go.GreenObjective, *ends: str, n_jobs: int = 1) -> optuna.Study:
    """Run trials that end as they shall."""
    return run_ends(go.create_study("digits"), objective, *ends, n_jobs=n_jobs)


def ended(study: optuna.Study, tracker: go.WandbTracker) -> go.StudyTerms:
    """End a study in a tracker, as its process does in the end."""
    terms = read_terms(study)
    assert terms is not None
    tracker.end_study(study.study_name, terms)
    return terms


def test_each_trial_is_a_run_in_the_group_of_its_study(tmp_path: Path) -> None:
    """Named after its number, in the tracker's project, ended as it did, and visibly pruned."""
    study = run(make_objective(offline(tmp_path)), *ENDS)
    runs = runs_in(tmp_path, n_ended=3)
    assert [one.meta.display_name for one in runs] == ["trial-0000", "trial-0001", "trial-0002"]
    for one in runs:
        assert (one.meta.project, one.meta.run_group, one.meta.job_type) == (
            "tests",
            "digits",
            "trial",
        )
    assert [one.exit_code for one in runs] == [0, 0, 1]
    assert [list(one.meta.tags) for one in runs] == [[], ["pruned"], []]
    assert [one.summary["green_optuna/state"] for one in runs] == ENDS
    assert runs[2].summary["green_optuna/error"].endswith("postgresql://me:***@host/db")
    ids = [trial.user_attrs["green_optuna"]["run_ids"]["wandb"] for trial in study.trials]
    assert ids == [one.meta.run_id for one in runs]


def test_a_run_holds_what_optuna_has_of_its_trial(tmp_path: Path) -> None:
    """Hyperparameters, objectives, quality, costs, and what they rest on, are the same in both."""
    study = run(make_objective(offline(tmp_path)), "complete")
    (logged,) = runs_in(tmp_path, n_ended=1)
    trial = study.trials[0]
    measurement = measurement_of(trial)
    assert measurement is not None
    assert logged.config["end"] == "complete"
    assert logged.config["layer_0"] == trial.params["layer.0"]
    expected = {
        **{f"objective/{name}": v for name, v in zip(TERMS.objectives, trial.values, strict=True)},
        "quality": trial.params["layer.0"],
        "cost/energy_kwh": measurement.energy_kwh,
        "cost/co2e_kg": measurement.co2e_kg,
        "cost/duration_s": measurement.duration_s,
        "user_attrs/seed": 3,
    }
    assert {key: logged.summary[key] for key in expected} == pytest.approx(expected)
    ours = logged.config["green_optuna"]
    assert (ours["basis"], ours["host"]) == ("estimated", measurement.host)
    assert (ours["study"], ours["trial"], ours["pue"]) == ("digits", 0, 1.5)
    assert ours["carbon_intensity_source"] == "the test"


def test_the_trace_has_an_axis_in_seconds_and_reports_one_in_steps(tmp_path: Path) -> None:
    """Each second is there once, with the time when it was, and the whole trace in a file."""
    tracker = offline(tmp_path)
    reports = (go.Report(2, 0.5, 1e-6, 0.5), go.Report(2, 0.6, 2e-6, 1.5))
    record = make_record(run_ids={"wandb": str(tracker.start_trial(make_record()))})
    early = make_measurement([1.0, 2.0, 3.0], cpu_w=[10.0] * 3)
    tracker.log_progress(replace(record, measurement=early, reports=reports[:1]))
    late = make_measurement([1.0, 2.0, 3.0, 3.2, 4.0, 4.1], cpu_w=[10.0, 10, 10, 10, 20, 20])
    tracker.finish_trial(replace(record, state="complete", measurement=late, reports=reports))
    (logged,) = runs_in(tmp_path, n_ended=1)
    assert logged.column("energy/t_s") == [1, 2, 3, 4]
    assert logged.column("energy/cumulative_kwh")[-1] == pytest.approx(late.energy_kwh)
    assert [row["_timestamp"] for row in logged.rows if "energy/t_s" in row] == pytest.approx(
        [1e6 + s for s in (1.0, 2.0, 3.2, 4.1)]
    )
    assert logged.column("report/step") == [2, 2]
    assert logged.column("report/quality") == [0.5, 0.6]
    axes = {name: metric.step_metric for name, metric in logged.metrics.items()}
    assert (axes["energy/*"], axes["report/*"]) == ("energy/t_s", "report/step")
    text = logged.saved("energy/trace.csv").read_text(encoding="utf-8")
    assert [
        float(row["t_s"]) for row in csv.DictReader(text.splitlines())
    ] == late.trace.t_s.tolist()


def test_a_running_trial_can_be_watched(tmp_path: Path) -> None:
    """Rows are on disk before the trial ends, and none of them again after it."""
    tracker = offline(tmp_path, flush_interval_s=0.2)
    seen: list[LoggedRun] = []

    @go.green_objective(
        grid=GRID, meter=go.ReplayMeter(cpu_w=50.0, sample_interval_s=0.1), trackers=[tracker]
    )
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        trial.report(trial.suggest_float("x", 0.0, 1.0), 3)
        # W&B's service writes a block of rows at once, not each row.
        while not tracker._own.open_runs[f"{id_of(trial)}"].reports:
            threading.Event().wait(0.05)
        seen.extend(runs_in(tmp_path))
        return 0.5, 10

    def id_of(trial: optuna.Trial) -> str:
        return str(trial.user_attrs["green_optuna"]["run_ids"]["wandb"])

    go.create_study("s").optimize(objective, n_trials=1)
    (logged,) = runs_in(tmp_path, n_ended=1)
    assert [one.exit_code for one in seen] in ([], [None])
    assert len(logged.column("report/step")) == 1
    assert logged.summary["green_optuna/live_flushes_in_window"] >= 1


def test_trials_side_by_side_keep_their_rows_apart(tmp_path: Path) -> None:
    """With four threads no run is lost, and each has its own reports alone."""
    study = run(make_objective(offline(tmp_path)), *ENDS * 4, n_jobs=4)
    runs = runs_in(tmp_path, n_ended=12)
    assert len({one.meta.run_id for one in runs}) == len(runs) == 12
    for one in runs:
        trial = study.trials[one.config["green_optuna"]["trial"]]
        x = trial.params["layer.0"]
        assert one.config["end"] == trial.params["end"]
        assert one.column("report/quality") == pytest.approx([x / 2, x])


def test_a_measurement_is_a_run_without_a_group(tmp_path: Path) -> None:
    """It goes by its name, and costs the same things."""
    with go.measure(
        name="evaluate", grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[offline(tmp_path)]
    ):
        threading.Event().wait(0.02)
    (logged,) = runs_in(tmp_path, n_ended=1)
    assert (logged.meta.display_name, logged.meta.job_type) == ("evaluate", "measurement")
    assert logged.meta.run_group == ""
    assert logged.summary["cost/energy_kwh"] > 0


def test_the_front_is_a_table_a_plot_and_a_note_of_the_studys_run(tmp_path: Path) -> None:
    """In the same group; W&B's pages can draw the plot, and the file holds all of it."""
    tracker = offline(tmp_path)
    study = run(make_objective(tracker), "complete", "complete")
    front = go.pareto_front(study)
    tracker.log_front(front)
    tracker.log_front(front)
    ended(study, tracker)
    (logged, *_) = runs_in(tmp_path, n_ended=3)
    meta = logged.meta
    assert (meta.display_name, meta.run_group, meta.job_type) == (
        "study: digits",
        "digits",
        "study",
    )
    assert logged.exit_code == 0
    assert "**Pareto front** of study" in meta.notes
    assert logged.column("study/trial") == [1, 1]
    (complete, *_) = front.ledger.rows
    assert complete.account == "complete"
    assert logged.column("ledger/complete_kwh")[-1] == pytest.approx(complete.energy_kwh)
    files = {name.partition("_")[0]: logged.saved(name) for name in logged.files}
    table = json.loads(files["media/table/front/table"].read_text(encoding="utf-8"))
    assert [row[table["columns"].index("trial")] for row in table["data"]] == list(front.numbers)
    plot = json.loads(files["media/plotly/front/plot"].read_text(encoding="utf-8"))
    points = [value for trace in plot["data"] for value in trace.get("y", [])]
    assert points
    assert all(isinstance(value, float) for value in points)
    assert json.loads(logged.saved("front/pareto.json").read_text())["trials"]


def test_offline_runs_are_sent_by_one_line_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B's own command takes it in any folder, and finds the study's runs alone."""
    folder = tmp_path / "it's here"
    tracker = offline(folder)
    assert tracker.sync_command is None
    study = run(make_objective(tracker), "complete", "pruned")
    monkeypatch.chdir("/")
    with caplog.at_level(logging.WARNING, logger="green_optuna"):
        terms = ended(study, tracker)
    said = [one.getMessage() for one in caplog.records if "To send them" in one.getMessage()]
    assert len(said) == 1
    command = tracker.sync_command
    assert command is not None
    assert said[0].endswith(command)
    assert tracker.study_link("digits", terms) == f"kept on this machine; to send it, {command}"
    offline(folder).start_trial(make_record())
    executable = Path(sys.executable).parent / "wandb"
    shown = subprocess.run(
        command.replace("wandb sync", f"{shlex.quote(str(executable))} sync --dry-run", 1),
        shell=True,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "Would sync 2 run(s)" in shown.stderr


def test_the_tracker_is_made_again_from_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another folder, and pickled too; no API key is among them."""
    monkeypatch.setenv("WANDB_API_KEY", "s3cret" * 7)
    tracker = go.WandbTracker(entity="team", mode="offline")
    options = tracker.spooled_options()
    assert json.loads(json.dumps(options)) == {
        "project": "green_optuna",
        "entity": "team",
        "mode": "offline",
        "folder": str(tmp_path),
        "server": None,
    }
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    spool.keep(tracker.name, make_record(), recipe=spool.recipe_of(tracker))
    (entry,) = spool.Spool(spool.path(TERMS)).entries()
    again = spool.MakeAgain()(entry)
    assert isinstance(again, go.WandbTracker)
    assert again.spooled_options() == options
    pickled = pickle.dumps(tracker)
    assert b"s3cret" not in pickled
    assert pickle.loads(pickled).entity == "team"
    assert tracker.secrets == ("s3cret" * 7,)


@pytest.fixture
def _own_settings() -> Iterator[None]:
    """Have W&B read its environment anew, and again after the test."""
    import wandb

    wandb.teardown()
    yield
    wandb.teardown()


@pytest.mark.usefixtures("_own_settings")
def test_records_are_not_sent_to_another_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were to go to one's own, and the shell of sync may know of the public one alone."""
    theirs = {"project": "p", "entity": None, "mode": "online", "folder": ".", "server": "http://x"}
    spool.keep("wandb", make_record(), recipe={"kind": "wandb", **theirs})
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert main(["sync"]) == 1
    said = capsys.readouterr().err
    assert "were to go to W&B at http://x" in said
    assert "WANDB_BASE_URL" in said


@pytest.mark.usefixtures("_own_settings")
def test_offline_stays_offline_whoever_sends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was the environment that said so, and another shell's says nothing."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert go.WandbTracker().spooled_options()["mode"] == "offline"


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    """W&B draws no text."""
    record = make_record(
        state="complete",
        params={"n": np.int64(4), "x": np.float32(0.5)},
        user_attrs={"ok": np.True_},
    )
    offline(tmp_path).finish_trial(record)
    (logged,) = runs_in(tmp_path, n_ended=1)
    assert (logged.config["n"], logged.config["x"]) == (4, 0.5)
    assert logged.summary["user_attrs/ok"] is True


def test_both_trackers_log_one_study(tmp_path: Path, client: MlflowClient, mlflow_uri: str) -> None:
    """Each has all trials, and Optuna knows both runs of each."""
    study = run(make_objective(go.MLflowTracker(mlflow_uri), offline(tmp_path)), *ENDS, n_jobs=2)
    _, trials = studies_and_trials(client)
    logged = runs_in(tmp_path, n_ended=3)
    for trial, ours in zip(study.trials, logged, strict=True):
        run_ids = trial.user_attrs["green_optuna"]["run_ids"]
        assert run_ids == {"mlflow": trials[trial.number].info.run_id, "wandb": ours.meta.run_id}


def test_runs_of_the_users_own_are_left_alone(tmp_path: Path) -> None:
    """wandb.init() in the function gives a run of its own, and neither ends the other."""
    import wandb

    tracker = offline(tmp_path / "ours")
    mine = wandb.init(
        project="mine", mode="offline", dir=str(tmp_path / "mine"), settings={"silent": True}
    )

    @go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[tracker])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        assert wandb.run is mine
        assert wandb.init(mode="offline") is mine
        wandb.log({"loss": 1.0})
        return trial.suggest_float("x", 0.0, 1.0), 10

    try:
        go.create_study("s").optimize(objective, n_trials=2)
        assert wandb.run is mine
    finally:
        mine.finish()
    (logged,) = runs_in(tmp_path / "mine", n_ended=1)
    assert logged.column("loss") == [1.0, 1.0]
    assert [one.column("loss") for one in runs_in(tmp_path / "ours", n_ended=2)] == [[], []]


def test_offline_wandbs_service_reports_nothing_to_anybody(tmp_path: Path) -> None:
    """It was started so, and the environment of the process is as it was."""
    import psutil  # type: ignore[import-untyped]  # it comes without

    before = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    offline(tmp_path).start_trial(make_record(terms=replace(TERMS, key=uuid.uuid4().hex)))
    after = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    services = [one for one in psutil.Process().children() if one.name() == "wandb-core"]
    assert before == after
    assert services
    assert all("--no-observability" in one.cmdline() for one in services)
