"""Trackers are told of a study, and whatever they raise never costs a trial."""

# ruff: noqa: ARG002, D102 - the methods of the trackers here are those of Tracker

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import optuna
import pytest

import green_optuna as go
from green_optuna.errors import OptionError, StudyError
from green_optuna.terms import read_terms
from green_optuna.tracking import StudyLog, spool

from .records import GRID, TERMS, logged, make_measurement, make_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from green_optuna.tracking import Tracker

PASSWORD = "s3cret"


def boom() -> RuntimeError:
    """Give an error as a tracker may raise it: with the URL of its server."""
    return RuntimeError(f"cannot reach http://me:{PASSWORD}@host:9/api")


@dataclass(eq=False)
class BrokenTracker(go.Tracker):
    """Raises in every method; counts the trials that it was told of."""

    name: str = "broken"
    flush_interval_s: float = 0.02
    told: list[str] = field(default_factory=list, repr=False)

    def start_trial(self, trial: go.TrialRecord) -> str | None:
        self.told.append("start")
        raise boom()

    def log_progress(self, trial: go.TrialRecord) -> None:
        self.told.append("progress")
        raise boom()

    def finish_trial(self, trial: go.TrialRecord) -> None:
        self.told.append("finish")
        raise boom()

    def log_front(self, front: go.ParetoFront) -> None:
        self.told.append("front")
        raise boom()

    def log_report(self, front: go.ParetoFront, *, anew: bool = True) -> None:
        self.told.append("report")
        raise boom()

    def end_study(self, study_name: str, terms: go.StudyTerms) -> None:
        self.told.append("end")
        raise boom()


@dataclass(eq=False)
class BrokenContext(go.MemoryTracker):
    """Makes a trial's run current in a way that fails as it says."""

    fails: str = "on entering"

    @contextlib.contextmanager
    def activate(self, run_id: str) -> Iterator[None]:
        if self.fails == "on entering":
            raise boom()
        try:
            yield
        except Exception:
            if self.fails == "by swallowing":
                return
            raise
        finally:
            if self.fails == "on leaving":
                raise boom()


class Writes(go.Tracker):
    """Writes what it is told to a file, a line each."""

    name = "writes"

    def __init__(self, path: Path) -> None:
        self.path = path

    def finish_trial(self, trial: go.TrialRecord) -> None:
        self._write(f"trial {trial.number}")

    def log_front(self, front: go.ParetoFront) -> None:
        self._write(f"front of {len(front.candidates.trials)}, spent {front.candidates.spent_kwh}")

    def log_report(self, front: go.ParetoFront, *, anew: bool = True) -> None:
        self._write(f"report of {len(front.candidates.ended)}{' anew' if anew else ''}")

    def end_study(self, study_name: str, terms: go.StudyTerms) -> None:
        self._write(f"end of {study_name}")

    def _write(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(line + "\n")


def make_objective(trackers: Sequence[Tracker]) -> go.GreenObjective:
    """Decorate an objective that completes, is pruned or fails, as its parameter says."""

    @go.green_objective(
        grid=GRID,
        meter=go.ReplayMeter(cpu_w=50.0, sample_interval_s=0.01),
        trackers=trackers,
    )
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        end = trial.suggest_categorical("end", ["complete", "pruned", "failed"])
        trial.report(0.5, 0)
        threading.Event().wait(0.05)
        if end == "pruned":
            raise optuna.TrialPruned
        if end == "failed":
            raise ValueError("the user's own")
        return 0.75, 10

    return objective


def run(objective: go.GreenObjective, ends: Sequence[str] = ("complete",)) -> optuna.Study:
    """Run trials that end as they shall."""
    study = go.create_study("s")
    for end in ends:
        study.enqueue_trial({"end": end})
    study.optimize(objective, n_trials=len(ends), catch=ValueError)
    return study


def spooled(study: optuna.Study) -> list[dict[str, object]]:
    """Give what is kept on disk for a study."""
    terms = read_terms(study)
    assert terms is not None
    path = spool.path(terms)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


ENDS = ("complete", "pruned", "failed", "complete")


def test_a_tracker_that_raises_in_every_method_costs_no_trial() -> None:
    """The trials end as they would, their values reach Optuna, and others are told all."""
    broken, memory = BrokenTracker(), go.MemoryTracker()
    study = run(make_objective([broken, memory]), ENDS)
    assert [trial.state.name for trial in study.trials] == [
        "COMPLETE",
        "PRUNED",
        "FAIL",
        "COMPLETE",
    ]
    assert [trial.values[0] for trial in study.trials if trial.values] == [0.25, 0.25]
    assert {"start", "progress", "finish"} <= set(broken.told)
    assert [trial.state for trial in memory.finished] == [
        "complete",
        "pruned",
        "failed",
        "complete",
    ]


def test_the_user_is_told_once_who_failed_why_and_where_the_records_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One warning in the log, however many trials; without the password that the error held."""
    study = run(make_objective([BrokenTracker()]), ENDS)
    (record,) = logged(caplog)
    terms = read_terms(study)
    assert terms is not None
    assert record.levelname == "WARNING"
    assert "BrokenTracker(name='broken'" in record.getMessage()
    assert "cannot reach http://me:***@host:9/api" in record.getMessage()
    assert str(spool.path(terms)) in record.getMessage()
    assert PASSWORD not in caplog.text


def test_what_a_tracker_could_not_take_is_kept_with_its_trace() -> None:
    """Each trial, however it ended, is a line of the spool."""
    study = run(make_objective([BrokenTracker()]), ENDS)
    lines = spooled(study)
    assert [line["tracker"] for line in lines] == ["broken"] * len(ENDS)
    for line, trial in zip(lines, study.trials, strict=True):
        kept = line["trial"]
        assert isinstance(kept, dict)
        assert (kept["number"], kept["params"]) == (trial.number, trial.params)
        assert kept["trace"][-1][-1] == pytest.approx(sum(kept["energy_kwh"].values()))
        assert kept["energy_kwh"] == trial.user_attrs["green_optuna"]["energy_kwh"]


def test_a_record_that_cannot_be_kept_costs_no_trial_either(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Attributes that JSON cannot hold are the user's affair, and one more line in the log."""
    log = StudyLog(go.create_study("s"), TERMS, [BrokenTracker()])
    log.finish(make_record(state="complete", user_attrs={"where": {(1, 2): "a tuple for a key"}}))
    assert "record of trial 7 for the tracker 'broken' could not be kept" in caplog.text


def test_a_state_folder_that_cannot_be_used_costs_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where neither the tracker nor the disk takes the record, the log says so."""
    log = StudyLog(go.create_study("s"), TERMS, [BrokenTracker()])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GREEN_OPTUNA_STATE_FOLDER", str(tmp_path / "file" / "state"))
    log.finish(make_record(state="complete"))
    assert caplog.text.count("GREEN_OPTUNA_STATE_FOLDER") == 2


@pytest.mark.parametrize("fails", ["on entering", "on leaving", "by swallowing"])
def test_a_context_that_fails_changes_nothing_for_the_trial(fails: str) -> None:
    """It can neither fail the trial, nor hide or replace what the user's function raised."""
    tracker = BrokenContext(fails=fails)
    study = run(make_objective([tracker]), ENDS)
    assert [trial.state.name for trial in study.trials] == [
        "COMPLETE",
        "PRUNED",
        "FAIL",
        "COMPLETE",
    ]
    assert tracker.finished[2].error == "ValueError: the user's own"


def test_a_context_that_lets_the_exception_of_the_function_through_has_not_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even if it raises it once more: nobody is blamed for the user's own error."""

    class Raises(contextlib.AbstractContextManager[None]):
        def __exit__(self, *raised: object) -> None:
            if isinstance(raised[1], BaseException):
                raise raised[1]

    class Tracker(go.MemoryTracker):
        def activate(self, run_id: str) -> Raises:
            return Raises()

    run(make_objective([Tracker()]), ENDS)
    assert logged(caplog) == []


def test_a_secret_of_a_tracker_is_hidden_wherever_it_stands(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A tracker says what must not be shown, and the warning does not show it."""

    class Knows(BrokenTracker):
        @property
        def secrets(self) -> tuple[str, ...]:
            return ("the host", "cannot")

    log = StudyLog(go.create_study("s"), TERMS, [Knows()])
    log.start(make_record())
    assert "*** reach http" in caplog.text


def test_a_tracker_need_write_nothing_but_how_a_trial_ends() -> None:
    """The other methods do nothing unless written, and nothing is lost by that."""

    class Ends(go.Tracker):
        name = "ends"

        def __init__(self) -> None:
            self.energies: list[float] = []

        def finish_trial(self, trial: go.TrialRecord) -> None:
            assert trial.measurement is not None
            self.energies.append(trial.measurement.energy_kwh)

    tracker = Ends()
    study = run(make_objective([tracker]), ENDS)
    kept = [trial.user_attrs["green_optuna"]["energy_kwh"] for trial in study.trials]
    assert tracker.energies == [sum(energy.values()) for energy in kept]
    assert min(tracker.energies) > 0


def test_two_trackers_of_one_name_are_an_error() -> None:
    """Their runs could not be told apart; the error says how to name one."""
    trackers = [go.MLflowTracker("sqlite:///a.db"), go.MLflowTracker("sqlite:///b.db")]
    with pytest.raises(OptionError, match=r"\['mlflow', 'mlflow'\].*name="):
        StudyLog(go.create_study("s"), TERMS, trackers)


def test_the_shortest_flush_interval_counts_and_an_infinite_one_is_never() -> None:
    """Without a tracker that wants it, no trial is flushed."""
    study = go.create_study("s")
    trackers = [
        go.MemoryTracker(name=str(interval_s), flush_interval_s=interval_s)
        for interval_s in (math.inf, 30.0, 5.0)
    ]
    assert StudyLog(study, TERMS, trackers).flush_interval_s == 5.0
    assert StudyLog(study, TERMS, trackers[:1]).flush_interval_s is None
    assert StudyLog(study, TERMS, []).flush_interval_s is None


def test_the_front_is_passed_on_when_a_trial_has_changed_it_and_not_otherwise() -> None:
    """A dominated trial leaves it as it was; before the interval is over, none is passed on."""
    study = go.create_study("s")
    at_once, later = go.MemoryTracker(), go.MemoryTracker()
    eager = StudyLog(study, TERMS, [at_once], front_interval_s=0.0)
    patient = StudyLog(study, TERMS, [later], front_interval_s=math.inf)
    for values in ([0.5, 1e-6, 10], [0.6, 2e-6, 10], [0.4, 2e-6, 10]):
        study.add_trial(optuna.create_trial(values=values))
        eager.completed()
        patient.completed()
    assert [front.numbers for front in at_once.fronts] == [(0,), (0, 2)]
    assert later.fronts == []


def test_a_front_that_cannot_be_drawn_costs_no_trial(caplog: pytest.LogCaptureFixture) -> None:
    """A study that does not say what its objectives are has none, and the log says so."""
    study = optuna.create_study(directions=["minimize"] * 3)
    StudyLog(study, TERMS, [go.MemoryTracker()], front_interval_s=0.0).completed()
    assert "Pareto front was not passed on" in caplog.text


SCRIPT = """
import sys
import optuna
import green_optuna as go
sys.path.insert(0, sys.argv[1])
from tracking.records import GRID
from tracking.test_study_log import Writes
from pathlib import Path

@go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[Writes(Path("told"))])
def objective(trial):
    if trial.number == 2:
        raise optuna.TrialPruned
    return 0.5, 10

def work():
    study = go.create_study("s", storage="sqlite:///studies.db")
    study.optimize(objective, n_trials=3)

if __name__ == "__main__":
    if sys.argv[2] == "main":
        work()
    else:
        import multiprocessing
        process = multiprocessing.get_context(sys.argv[2]).Process(target=work)
        process.start()
        process.join()
        sys.exit(process.exitcode)
"""


@pytest.mark.parametrize("process", ["main", "spawn", "fork"])
def test_the_front_is_passed_on_once_as_the_process_ends(tmp_path: Path, process: str) -> None:
    """Whatever kind of process it is; with all that was spent, the last, pruned trial's too."""
    if process not in ("main", *multiprocessing.get_all_start_methods()):
        pytest.skip(f"this platform has no {process}")
    (tmp_path / "script.py").write_text(SCRIPT)
    tests = Path(__file__).parents[1]
    command = [sys.executable, "script.py", str(tests), process]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    study = go.load_study("s", storage=f"sqlite:///{tmp_path / 'studies.db'}")
    spent = go.pareto_front(study).candidates.spent_kwh
    assert (tmp_path / "told").read_text().splitlines() == [
        "trial 0",
        "trial 1",
        "trial 2",
        f"front of 2, spent {spent}",
        "report of 3",
        "end of s",
    ]


LAST_FRONT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import optuna
import green_optuna as go
from green_optuna.tracking import StudyLog
from tracking.records import TERMS, make_record
from tracking.test_study_log import Writes

study = go.create_study("s")
log = StudyLog(study, TERMS, [Writes(Path("told"))], front_interval_s=0.0)
for number, values in enumerate([[0.5, 1e-6, 10], [0.6, 2e-6, 10]]):
    log.finish(make_record(number=number, state="complete"))
    study.add_trial(optuna.create_trial(values=values))
    log.completed()
"""


def test_the_last_front_is_passed_on_though_it_has_not_changed(tmp_path: Path) -> None:
    """What the study has spent has, and how many trials there are."""
    command = [sys.executable, "-c", LAST_FRONT, str(Path(__file__).parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "told").read_text().splitlines() == [
        "trial 0",
        "front of 1, spent 0.0",
        "trial 1",
        "front of 2, spent 0.0",
        "report of 2",
        "end of s",
    ]


def test_log_front_passes_the_front_on_now() -> None:
    """To each of the trackers, with all the trials there are."""
    study = run(make_objective([]), ENDS)
    trackers = [go.MemoryTracker(), go.MemoryTracker()]
    go.log_front(study, trackers)
    for tracker in trackers:
        (front,) = tracker.fronts
        assert front.numbers == go.pareto_front(study).numbers


def test_log_front_passes_the_report_on_after_the_fronts(tmp_path: Path) -> None:
    """Made anew, whoever made one before: that is what was asked for."""
    study = run(make_objective([]), ENDS)
    tracker = Writes(tmp_path / "told")
    go.log_front(study, [tracker, tracker])
    told = [line.partition(",")[0] for line in tracker.path.read_text().splitlines()]
    assert told == ["front of 2", "front of 2", "report of 4 anew", "report of 4 anew"]


def test_the_end_costs_nothing_where_a_tracker_raises(caplog: pytest.LogCaptureFixture) -> None:
    """It is told all the same, and so are the others; the user once, and not of the password."""

    class Broken(BrokenTracker):
        def finish_trial(self, trial: go.TrialRecord) -> None:
            pass

    class Old:
        """A tracker from before there were reports, and no subclass."""

        name = "old"
        flush_interval_s = math.inf

        def __init__(self) -> None:
            self.told: list[str] = []

        def finish_trial(self, trial: go.TrialRecord) -> None:
            self.told.append("finish")

        def log_front(self, front: go.ParetoFront) -> None:
            self.told.append("front")

        def end_study(self, study_name: str, terms: go.StudyTerms) -> None:
            self.told.append("end")

    broken, old = Broken(), Old()
    log = StudyLog(go.create_study("s"), TERMS, [broken, cast("Tracker", old)])
    log.finish(make_record(state="complete"))
    log.end()
    # It did not take the front, and is not asked for anything that can wait.
    assert broken.told == ["front", "end"]
    assert old.told == ["finish", "front", "end"]
    (record,) = logged(caplog)
    assert PASSWORD not in record.getMessage()


def test_log_front_passes_references_on_with_the_front() -> None:
    """Each tracker gets them beside it; one that cannot be used is an error for nobody else."""
    study = run(make_objective([]), ENDS)
    tracker = go.MemoryTracker()
    go.log_front(study, [tracker], references=[{"name": "elsewhere", "energy_kwh": 1}])
    (front,) = tracker.fronts
    assert [one.name for one in front.references] == ["elsewhere"]
    assert front.numbers == go.pareto_front(study).numbers
    with pytest.raises(go.OptionError, match="energy_kwh is -1"):
        go.log_front(study, [tracker], references=[{"name": "elsewhere", "energy_kwh": -1}])
    assert len(tracker.fronts) == 1


def test_the_last_front_comes_with_the_references_that_one_before_it_had() -> None:
    """The end of the process does not take away what a person has put beside the front."""
    study = run(make_objective([]), ENDS)
    terms = go.StudyTerms.from_dict(study.user_attrs["green_optuna"])
    tracker, other = go.MemoryTracker(), go.MemoryTracker()
    log = StudyLog(study, terms, [tracker])
    log.finish(make_record(state="complete"))
    elsewhere = StudyLog(go.create_study("another"), TERMS, [other])
    elsewhere.finish(make_record(state="complete"))
    # A table that can be read but once, as a file that is gone later.
    go.log_front(study, [tracker], references=iter([{"name": "elsewhere", "energy_kwh": 1}]))
    log.end()
    elsewhere.end()
    names = [[one.name for one in front.references] for front in tracker.fronts]
    assert names == [["elsewhere"], ["elsewhere"]]
    assert [front.references for front in other.fronts] == [()]


def test_log_front_raises_what_a_tracker_raises() -> None:
    """Who asks for it is there to hear of it."""
    study = run(make_objective([]))
    with pytest.raises(RuntimeError, match="cannot reach"):
        go.log_front(study, [BrokenTracker()])


def test_log_front_of_a_study_without_trials_of_ours_is_an_error() -> None:
    """There are no runs to log it beside; the error names the study."""
    with pytest.raises(StudyError, match="No green_optuna objective has run in the study 'other'"):
        go.log_front(go.create_study("other"), [go.MemoryTracker()])


def test_a_memory_tracker_keeps_all_that_it_is_told() -> None:
    """Starts, progress and ends, in the order of the trials."""
    tracker = go.MemoryTracker(flush_interval_s=0.01)
    study = run(make_objective([tracker]), ENDS)
    numbers = [trial.number for trial in study.trials]
    assert [trial.number for trial in tracker.started] == numbers
    assert [trial.number for trial in tracker.finished] == numbers
    assert {trial.number for trial in tracker.progress} == set(numbers)
    assert all(trial.live_flushes > 0 for trial in tracker.finished)
    run_ids = [trial.user_attrs["green_optuna"]["run_ids"]["memory"] for trial in study.trials]
    assert len(set(run_ids)) == len(run_ids)


def test_a_memory_tracker_is_empty_again_in_another_process() -> None:
    """What it was told stays where it was told; its options go along."""
    tracker = go.MemoryTracker(name="mine", flush_interval_s=5.0)
    tracker.finish_trial(make_record(measurement=make_measurement([1.0], cpu_w=[1.0])))
    copy = pickle.loads(pickle.dumps(tracker))
    assert (copy.name, copy.flush_interval_s, copy.finished) == ("mine", 5.0, [])
    assert type(pickle.loads(pickle.dumps(BrokenTracker()))) is BrokenTracker
    assert len(tracker.finished) == 1
