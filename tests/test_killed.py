"""Trials whose process was killed: their energy is kept once, and they are ended."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.cli import main
from green_optuna.journal.file import folder, read_lines
from green_optuna.journal.folding import STALE_S, fold_killed
from green_optuna.record import KILLED_ATTRIBUTE, REPORTS_ATTRIBUTE, measurement_of
from green_optuna.terms import ATTRIBUTE, read_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
ROOT = str(Path(__file__).parents[1])

posix = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")

# A worker in the middle of a long trial; with a child that outlives it, and holds its files.
WORKER = """
import os, sys, time
import green_optuna as go
trackers = [go.MLflowTracker(sys.argv[2])] if sys.argv[2] else []
meter = go.ReplayMeter(cpu_w=50.0, ram_w=10.0, sample_interval_s=0.05)
grid = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)

@go.green_objective(grid=grid, meter=meter, trackers=trackers)
def objective(trial):
    trial.suggest_float("x", 0.25, 0.25)
    trial.report(0.5, 0)
    child = os.fork()
    if child == 0:
        time.sleep(600)
    print(child, flush=True)
    time.sleep(600)

go.load_study("s", storage=sys.argv[1]).optimize(objective, n_trials=1)
"""

# One that folds in what others left behind, at the same time as another one does.
FOLDER = """
import sys, time
from pathlib import Path
import green_optuna as go
from green_optuna.journal.folding import fold_killed
from green_optuna.terms import read_terms
study = go.load_study("s", storage=sys.argv[1])
terms = read_terms(study)
Path(sys.argv[2]).write_text("ready")
while not Path(sys.argv[3]).exists():
    time.sleep(0.001)
told = []
fold_killed(study, terms, lambda record: told.append(record.number), wait=True)
print(*told)
"""


@dataclass
class Worker:
    """A worker in the middle of a trial.

    Attributes:
        process: The process.
        child: The number of its child.
        journal: Its journal.
    """

    process: subprocess.Popen[str]
    child: int
    journal: Path

    def kill(self) -> dict[str, Any]:
        """Kill it; give the last sample of its trial."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return [line for line in read_lines(self.journal) if "t_s" in line][-1]


@pytest.fixture
def start_worker(sqlite_url: str, tmp_path: Path) -> Iterator[Callable[[str], Worker]]:
    """Give what starts a worker and waits until three samples of its trial are kept."""
    workers = []

    def start(mlflow_uri: str = "") -> Worker:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, sqlite_url, mlflow_uri],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": ROOT},
        )
        assert process.stdout is not None
        worker = Worker(process, int(process.stdout.readline()), tmp_path)
        workers.append(worker)
        for _ in range(12_000):
            for path in (tmp_path / "state" / "journal").glob("*/*.jsonl"):
                if sum("t_s" in line for line in read_lines(path)) >= 3:
                    worker.journal = path
                    return worker
            time.sleep(0.005)
        pytest.fail("no sample was kept")

    yield start
    for worker in workers:
        worker.process.kill()
        worker.process.wait()
        os.kill(worker.child, signal.SIGKILL)
        if worker.process.stdout is not None:
            worker.process.stdout.close()


def decorated(
    *trackers: go.Tracker, seen: list[int] | None = None, budget: go.Budget | None = None
) -> go.GreenObjective:
    """Give the objective of the next worker."""
    meter = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)

    @go.green_objective(grid=GRID, meter=meter, trackers=trackers, budget=budget)
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        if seen is not None:
            seen.append(trial.number)
        return 0.5, 1

    return objective


# A process that is killed


@posix
@pytest.mark.slow
def test_a_killed_worker_loses_no_energy_and_leaves_no_run_open(
    start_worker: Callable[[str], Worker],
    sqlite_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next worker counts it to the last sample, fails the trial, and closes its run."""
    from mlflow import MlflowClient

    go.create_study("s", storage=sqlite_url)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    worker = start_worker(uri)
    last = worker.kill()
    study = go.load_study("s", storage=sqlite_url)
    study.optimize(decorated(go.MLflowTracker(uri)), n_trials=1)

    killed, complete = study.trials
    assert (killed.state, complete.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert killed.user_attrs[ATTRIBUTE]["state"] == "killed"
    measurement = measurement_of(killed)
    assert measurement is not None
    assert measurement.energy.to_dict() == last["energy_kwh"]
    assert measurement.duration_s == last["t_s"]
    assert measurement.mean_power_w == pytest.approx(60.0, rel=0.2)
    assert (measurement.basis, measurement.host) == ("estimated", platform.node())
    ledger = go.pareto_front(study).ledger
    assert (ledger["killed"].n_trials, ledger["killed"].energy_kwh) == (1, measurement.energy_kwh)
    assert caplog.text.count("trial 0 of the study 's' was killed") == 1
    assert list(worker.journal.parent.iterdir()) == []

    run = MlflowClient(uri).get_run(killed.user_attrs[ATTRIBUTE]["run_ids"]["mlflow"])
    assert run.info.status == "FAILED"
    assert run.data.tags["green_optuna.state"] == "killed"
    assert run.data.tags["green_optuna.error"].startswith("killed: ")
    assert run.data.params == {"x": "0.25"}
    assert run.data.metrics["cost/energy_kwh"] == measurement.energy_kwh
    trace = (Path(run.info.artifact_uri or "") / "energy" / "trace.csv").read_text().splitlines()
    assert len(trace) >= 4
    assert float(trace[-1].split(",")[4]) == pytest.approx(measurement.energy_kwh)


@posix
def test_a_live_worker_is_left_alone_until_it_is_killed(
    start_worker: Callable[[], Worker], sqlite_url: str
) -> None:
    """Its trial runs on; once it is dead its children, who hold its files, do not protect it."""
    study = go.create_study("s", storage=sqlite_url)
    worker = start_worker()
    terms = read_terms(study)
    assert terms is not None
    told: list[go.TrialRecord] = []
    assert fold_killed(study, terms, told.append) == ()
    assert study.trials[0].state == TrialState.RUNNING
    assert worker.journal.exists()
    last = worker.kill()
    os.kill(worker.child, 0)
    assert fold_killed(study, terms, told.append) == (0,)
    assert [record.measurement.energy.to_dict() for record in told if record.measurement] == [
        last["energy_kwh"]
    ]
    assert fold_killed(study, terms, told.append) == ()


@posix
def test_what_a_killed_worker_had_spent_counts_in_the_next_ones_budget(
    start_worker: Callable[[], Worker], sqlite_url: str
) -> None:
    """Less than that starts no trial, and more does."""
    study = go.create_study("s", storage=sqlite_url)
    last = start_worker().kill()
    spent_kwh = sum(last["energy_kwh"].values())
    study.optimize(decorated(budget=go.CarbonBudget(energy_kwh=spent_kwh * 0.99)), n_trials=3)
    killed, refused = study.trials
    assert killed.user_attrs[ATTRIBUTE]["state"] == "killed"
    assert "is spent" in refused.user_attrs[ATTRIBUTE]["stopped"]
    study.optimize(decorated(budget=go.CarbonBudget(energy_kwh=spent_kwh * 9)), n_trials=1)
    assert study.trials[2].state == TrialState.COMPLETE


@posix
def test_a_worker_that_goes_on_counts_what_a_killed_one_had_spent(
    start_worker: Callable[[], Worker], sqlite_url: str
) -> None:
    """Before its next trial, and not only when the next worker starts."""
    study = go.create_study("s", storage=sqlite_url)
    spent_kwh = 60.0 * 0.1 / 3.6e6
    objective = decorated(budget=go.CarbonBudget(energy_kwh=spent_kwh))
    study.optimize(objective, n_trials=1)
    worker = start_worker()
    while sum(read_lines(worker.journal)[-1].get("energy_kwh", {}).values()) < spent_kwh:
        time.sleep(0.01)
    worker.kill()
    study.optimize(objective, n_trials=1)
    assert study.trials[1].user_attrs[ATTRIBUTE]["state"] == "killed"
    assert "is spent" in study.trials[2].user_attrs[ATTRIBUTE]["stopped"]


# What a dead process has left


@dataclass
class Left:
    """A study, and what dead processes of this host, or of another, left behind of it.

    Attributes:
        study: The study.
        terms: Its terms.
        told: What was told of its killed trials.
    """

    study: optuna.Study
    terms: go.StudyTerms
    told: list[go.TrialRecord] = field(default_factory=list)

    def fold(self) -> tuple[int, ...]:
        """Fold in what was left behind."""
        return fold_killed(self.study, self.terms, self.told.append)

    def leave(
        self, *numbers: int, host: str | None = None, age_s: float = 0.0, version: int = 1
    ) -> Path:
        """Write the journal of a dead process in which trials of 3.6 kW ran for two seconds."""
        now = time.time() - age_s
        header = {"version": version, "host": host or platform.node(), "pid": 1, "study": "s"}
        lines = [header | {"sample_interval_s": 1.0}]
        for number in numbers:
            start = {"trial": number, "started_at": now - 3, "run_ids": {"memory": f"run-{number}"}}
            sources = {"cpu": ["replay", False, False, 0.0]}
            lines.append(start | {"sources": sources, "fingerprint": "f"})
            for t_s in (1.0, 2.0):
                kwh = {"cpu": t_s / 1000, "gpu": 0.0, "ram": 0.0}
                sample = {"trial": number, "at": now - 2 + t_s, "t_s": t_s, "energy_kwh": kwh}
                lines.append(sample | {"shared": False})
        path = folder(self.terms.key) / f"gone-1-{numbers[0]}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        os.utime(path, (now, now))
        return path


@pytest.fixture
def left(sqlite_url: str) -> Left:
    """Give a study in which one trial has completed."""
    study = go.create_study("s", storage=sqlite_url)
    study.optimize(decorated(), n_trials=1)
    terms = read_terms(study)
    assert terms is not None
    return Left(study, terms)


def test_a_trial_that_was_left_running_fails_with_what_it_spent(left: Left) -> None:
    """Its record has all there is to know, and its power is the energy over the time."""
    trial = left.study.ask()
    trial.suggest_float("x", 0.5, 0.5)
    trial.set_user_attr("note", "mine")
    left.leave(trial.number)
    assert left.fold() == (1,)
    frozen = left.study.trials[1]
    assert frozen.state == TrialState.FAIL
    measurement = measurement_of(frozen)
    assert measurement is not None
    assert (measurement.energy_kwh, measurement.duration_s) == (0.002, 2.0)
    assert measurement.co2e_kg == pytest.approx(0.002 * 1.2 * 250 / 1000)
    assert frozen.user_attrs[ATTRIBUTE]["co2e_kg"] == measurement.co2e_kg
    (record,) = left.told
    assert (record.state, record.number, record.run_ids) == ("killed", 1, {"memory": "run-1"})
    assert (record.params, record.user_attrs) == ({"x": 0.5}, {"note": "mine"})
    assert record.measurement is not None
    assert record.measurement.trace.cpu_w.tolist() == pytest.approx([3600.0, 3600.0])
    assert "process 1 on" in str(record.error)
    assert left.fold() == ()
    assert list(folder(left.terms.key).iterdir()) == []


def test_a_trial_that_a_heartbeat_failed_first_is_kept_by_its_study(left: Left) -> None:
    """It takes no attribute any more; the ledger has it all the same, as killed."""
    trial = left.study.ask()
    left.study.tell(trial, state=TrialState.FAIL)
    left.leave(trial.number)
    assert left.fold() == (1,)
    assert ATTRIBUTE not in left.study.trials[1].user_attrs
    assert left.study.user_attrs[f"{KILLED_ATTRIBUTE}1"]["energy_kwh"]["cpu"] == 0.002
    ledger = go.pareto_front(left.study).ledger
    assert (ledger["killed"].n_trials, ledger["killed"].energy_kwh) == (1, 0.002)
    assert (ledger["failed"].n_trials, ledger.not_measured) == (0, ())
    assert [record.state for record in left.told] == ["killed"]


def retrying_study(sqlite_url: str) -> tuple[optuna.Study, go.StudyTerms]:
    """A study with one trial, whose storage enqueues stale trials again; give its terms, too."""
    retry = optuna.storages.RetryHeartbeatStaleTrialCallback()
    storage = optuna.storages.RDBStorage(
        sqlite_url, heartbeat_interval=600, heartbeat_stale_trial_callback=retry
    )
    study = go.create_study("s", storage=storage)
    study.optimize(decorated(), n_trials=1)
    terms = read_terms(study)
    assert terms is not None
    return study, terms


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")
def test_the_storages_callback_for_stale_trials_is_called(sqlite_url: str) -> None:
    """The trial is enqueued again, as after a missed heartbeat; its energy counts once."""
    study, terms = retrying_study(sqlite_url)
    trial = study.ask()
    trial.suggest_float("x", 0.5, 0.5)
    left = Left(study, terms)
    left.leave(trial.number)
    seen: list[int] = []
    study.optimize(decorated(seen=seen), n_trials=2)
    assert [one.state.name for one in study.trials] == ["COMPLETE", "FAIL", *["COMPLETE"] * 2]
    assert len(seen) == 2
    ledger = go.pareto_front(study).ledger
    assert (ledger["killed"].n_trials, ledger["killed"].energy_kwh) == (1, 0.002)
    assert ledger["complete"].n_trials == 3


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")
def test_a_trial_that_is_enqueued_again_begins_without_what_was_spent(sqlite_url: str) -> None:
    """It may fail before it is measured, and report nothing: neither is its own."""
    study, terms = retrying_study(sqlite_url)
    trial = study.ask()
    trial.set_user_attr(REPORTS_ATTRIBUTE, [[0, 0.5, 0.001, 1.0]])
    trial.set_user_attr("note", "mine")
    left = Left(study, terms)
    left.leave(trial.number)
    assert left.fold() == (1,)
    assert study.trials[2].user_attrs == {"note": "mine"}
    elsewhere = go.Grid(carbon_intensity_g_per_kwh=1.0, source="another place")
    objective = go.green_objective(grid=elsewhere, meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
    with pytest.raises(go.TermsError):
        study.optimize(objective(lambda _: (0.5, 1)), n_trials=1)
    ledger = go.pareto_front(study).ledger
    assert (ledger["killed"].n_trials, ledger["killed"].energy_kwh) == (1, 0.002)
    assert ledger.not_measured == (2,)


def test_a_trial_that_was_killed_after_its_measurement_keeps_that(left: Left) -> None:
    """It knows more than the last sample; it failed all the same, for nobody has its values."""
    trial = left.study.ask()
    measured = left.study.trials[0].user_attrs[ATTRIBUTE]
    trial.set_user_attr(ATTRIBUTE, measured)
    left.leave(trial.number)
    assert left.fold() == (1,)
    kept = left.study.trials[1].user_attrs[ATTRIBUTE]
    assert (kept["state"], kept["energy_kwh"]) == ("killed", measured["energy_kwh"])
    assert go.pareto_front(left.study).ledger["killed"].n_trials == 1


def test_a_trial_that_had_ended_is_left_as_it_is(left: Left) -> None:
    """A journal that was not removed in time changes nothing."""
    before = left.study.trials[0].user_attrs
    path = left.leave(0)
    assert left.fold() == ()
    assert left.study.trials[0].user_attrs == before
    assert left.told == []
    assert not path.exists()


@pytest.mark.parametrize("finished", [False, True])
def test_a_folding_that_is_cut_short_is_taken_up_again(*, left: Left, finished: bool) -> None:
    """The journal stays until all is done, and nothing is counted twice."""
    trial = left.study.ask()
    if finished:
        left.study.tell(trial, state=TrialState.FAIL)
    path = left.leave(trial.number)

    def fail(_: go.TrialRecord) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fold_killed(left.study, left.terms, fail)
    assert path.exists()
    assert left.fold() == (1,)
    assert len(left.told) == 1
    assert not path.exists()
    ledger = go.pareto_front(left.study).ledger
    assert (ledger["killed"].n_trials, ledger["killed"].energy_kwh) == (1, 0.002)


def test_a_trial_that_was_killed_before_its_first_sample_is_not_measured(left: Left) -> None:
    """It is ended, and no energy is invented for it."""
    trial = left.study.ask()
    path = left.leave(trial.number)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert left.fold() == (1,)
    assert left.study.trials[1].state == TrialState.FAIL
    assert left.told[0].measurement is None
    ledger = go.pareto_front(left.study).ledger
    assert (ledger["killed"].n_trials, ledger.not_measured) == (0, (1,))


def test_another_host_is_taken_for_alive_until_it_has_been_silent(left: Left) -> None:
    """Its lock may not reach here, so that its last sample has to be old."""
    fresh, old = left.study.ask(), left.study.ask()
    path = left.leave(fresh.number, host="elsewhere", age_s=STALE_S / 4)
    left.leave(old.number, host="elsewhere", age_s=STALE_S * 2)
    assert left.fold() == (old.number,)
    assert left.study.trials[fresh.number].state == TrialState.RUNNING
    assert path.exists()


def test_a_journal_of_a_newer_version_is_left_to_that(left: Left) -> None:
    """What is not understood is not thrown away."""
    path = left.leave(left.study.ask().number, version=2)
    assert left.fold() == ()
    assert path.exists()


def test_a_running_trial_without_a_journal_is_left_alone(left: Left) -> None:
    """It may run anywhere: an ask-and-tell loop without us, or a host with a home of its own."""
    trial = left.study.ask()
    left.leave(left.study.ask().number)
    assert left.fold() == (2,)
    assert left.study.trials[trial.number].state == TrialState.RUNNING


def test_two_that_fold_at_the_same_time_fold_each_trial_once(
    left: Left, sqlite_url: str, tmp_path: Path
) -> None:
    """Which of the two does it is all the same."""
    numbers = [left.study.ask().number for _ in range(6)]
    for number in numbers:
        left.leave(number)
    workers = []
    for name in ("one", "two"):
        command = [sys.executable, "-c", FOLDER, sqlite_url, str(tmp_path / name), "go"]
        environment = os.environ | {"PYTHONPATH": ROOT}
        workers.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        )
    for _ in range(12_000):
        if all((tmp_path / name).exists() for name in ("one", "two")):
            break
        time.sleep(0.01)
    (tmp_path / "go").write_text("now")
    told = [worker.communicate(timeout=300)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sorted(int(number) for one in told for number in one) == numbers
    ledger = go.pareto_front(left.study).ledger
    assert ledger["killed"].n_trials == 6
    assert ledger["killed"].energy_kwh == pytest.approx(6 * 0.002)


def test_trouble_with_folding_costs_no_trial(left: Left, caplog: pytest.LogCaptureFixture) -> None:
    """The next worker says so and goes on; the journal stays for another time."""
    path = left.leave(left.study.ask().number)
    path.unlink()
    path.mkdir()
    left.study.optimize(decorated(), n_trials=1)
    assert left.study.trials[-1].state == TrialState.COMPLETE
    assert "could not be folded in" in caplog.text


def test_the_next_worker_tells_its_trackers(left: Left) -> None:
    """The run of the killed trial is ended in them before the worker's own trial starts."""
    left.leave(left.study.ask().number)
    tracker = go.MemoryTracker()
    left.study.optimize(decorated(tracker), n_trials=1)
    assert [(one.number, one.state) for one in tracker.finished] == [(1, "killed"), (2, "complete")]


# green-optuna sync


def test_sync_folds_in_what_was_left_behind(
    left: Left, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without starting a trial; it says which trials. Their runs wait for a worker's tracker."""
    left.leave(left.study.ask().number)
    assert main(["sync", "s", "--storage", sqlite_url]) == 0
    said = capsys.readouterr().err
    assert "killed, now counted: 1." in said
    assert "run of trial 1 in 'memory' is left as it is" in said
    assert left.study.trials[1].state == TrialState.FAIL
    assert main(["sync", "--storage", sqlite_url]) == 0
    said = capsys.readouterr().err
    assert "killed" not in said
    assert "Study 's': 1 record kept for 'memory'" in said
    tracker = go.MemoryTracker()
    left.study.optimize(decorated(tracker), n_trials=1)
    assert [(one.number, one.state) for one in tracker.finished] == [(2, "complete"), (1, "killed")]
    assert main(["sync", "--storage", sqlite_url]) == 0
    assert "No trial of study 's' was left behind here." in capsys.readouterr().err


def test_sync_refuses_a_study_of_somebody_elses(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of ours can have been left behind of it."""
    go.create_study("theirs", storage=sqlite_url)
    assert main(["sync", "theirs", "--storage", sqlite_url]) == 1
    assert "No green_optuna objective has run in the study 'theirs'" in capsys.readouterr().err
