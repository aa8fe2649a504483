"""What a tracker could not take is sent again: nothing lost, nothing twice."""

# ruff: noqa: D102 - the methods of the trackers here are those of Tracker

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from servers import proxy_of

import green_optuna as go
from green_optuna.errors import TrackerError
from green_optuna.tracking import StudyLog, series, spool
from green_optuna.tracking.mlflow import schema

from .records import (
    GRID,
    TERMS,
    history,
    logged,
    make_measurement,
    make_record,
    runs_of,
    studies_and_trials,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow.entities import Run
    from servers import Fate, Server


@dataclass(eq=False)
class Away(go.MemoryTracker):
    """A tracker that is away for as long as it is told to be, or refuses some trials."""

    away: bool = False
    refuses: set[int] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)

    def finish_trial(self, trial: go.TrialRecord) -> None:
        self.asked.append(trial.number)
        if self.away:
            raise TrackerError("It is away.")
        if trial.number in self.refuses:
            raise ValueError("It wants no such trial.")
        super().finish_trial(trial)

    @property
    def taken(self) -> list[int]:
        return [trial.number for trial in self.finished]


def keep(*numbers: int, name: str = "memory") -> spool.Spool:
    """Keep records of trials for a tracker."""
    for number in numbers:
        spool.keep(name, make_record(number=number, state="complete"))
    return spool.Spool(spool.path(TERMS))


def left(waiting: spool.Spool) -> list[int]:
    """Give the numbers of the trials that wait."""
    return [entry.record().number for entry in waiting.entries()]


def run(tracker: go.Tracker, before: Callable[[int], None], n_trials: int) -> optuna.Study:
    """Run trials; ``before`` each one's end, something may happen."""

    @go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[tracker])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        before(trial.number)
        return trial.suggest_float("x", 0.0, 1.0), 10

    study = go.create_study("s")
    study.optimize(objective, n_trials=n_trials)
    return study


def test_the_next_trial_that_gets_through_brings_those_before_it() -> None:
    """In their order, each once, as they were; and the spool is gone."""
    tracker, memory = Away(), go.MemoryTracker(name="beside")

    def come_and_go(number: int) -> None:
        tracker.away = number in (1, 2)

    @go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[tracker, memory])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        come_and_go(trial.number)
        return trial.suggest_float("x", 0.0, 1.0), 10

    go.create_study("s").optimize(objective, n_trials=5)
    assert tracker.taken == [0, 3, 1, 2, 4]
    assert memory.finished == sorted(tracker.finished, key=lambda trial: trial.number)
    assert spool.Spool.all() == []


def test_a_process_that_ends_sends_what_waits() -> None:
    """There is no next trial then."""
    tracker = Away(away=True)
    log = StudyLog(go.create_study("s"), TERMS, [tracker])
    log.finish(make_record(state="complete"))
    tracker.away = False
    log.end()
    assert tracker.taken == [7]
    assert spool.Spool.all() == []


def test_a_tracker_that_is_away_is_asked_for_one_record() -> None:
    """The others would not get through either and wait on; those of other trackers are sent."""
    waiting = keep(1, 2, 3)
    keep(4, name="other")
    away, other = Away(away=True), Away()
    done = spool.replay(waiting, lambda entry: other if entry.tracker == "other" else away)
    assert (away.asked, other.taken) == ([1], [4])
    assert (done.sent, done.left) == ({"other": 1}, {"memory": 3})
    assert left(waiting) == [1, 2, 3]


def test_a_record_that_is_refused_holds_up_no_other() -> None:
    """It waits on, and why is known; the others are sent."""
    waiting = keep(1, 2, 3)
    tracker = Away(refuses={1})
    done = spool.replay(waiting, lambda _: tracker)
    assert tracker.taken == [2, 3]
    assert left(waiting) == [1]
    assert (done.sent, done.left) == ({"memory": 2}, {"memory": 1})
    assert "no such trial" in str(done.errors["memory"])


def test_a_record_that_is_refused_is_not_offered_after_each_trial() -> None:
    """Once a process is enough; sync offers it again."""
    keep(1)
    tracker = Away(refuses={1})
    log = StudyLog(go.create_study("s"), TERMS, [tracker])
    for number in (5, 6, 7):
        log.finish(make_record(number=number, state="complete"))
    assert tracker.asked == [5, 1, 6, 7]
    assert left(spool.Spool(spool.path(TERMS))) == [1]


def test_a_trial_does_not_wait_for_all_that_was_left() -> None:
    """When its patience is over, the rest waits for the next one."""
    waiting = keep(1, 2, 3)
    tracker = Away()
    done = spool.replay(waiting, lambda _: tracker, patience_s=-1.0)
    assert (tracker.asked, done.left) == ([], {"memory": 3})
    assert left(waiting) == [1, 2, 3]


def test_two_that_send_at_once_send_each_record_once() -> None:
    """One of them sends, and the other waits for it or leaves it to that one."""
    waiting = keep(*range(20))
    tracker = Away()
    threads = [
        threading.Thread(target=spool.replay, args=(waiting, lambda _: tracker), kwargs=options)
        for options in ({"wait": True}, {"wait": True}, {"wait": False})
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracker.taken == list(range(20))
    assert not waiting.path.exists()


def test_records_that_are_kept_meanwhile_stay() -> None:
    """A worker may lose one to the tracker while another sends those before it."""
    waiting = keep(1)
    tracker = Away()

    class KeepsMeanwhile(go.Tracker):
        def finish_trial(self, trial: go.TrialRecord) -> None:
            tracker.finish_trial(trial)
            keep(2)

    spool.replay(waiting, lambda _: KeepsMeanwhile())
    assert tracker.taken == [1]
    assert left(waiting) == [2]
    spool.replay(waiting, lambda _: tracker)
    assert tracker.taken == [1, 2]


KILLED_AMID = """
import os, signal
import green_optuna as go
from green_optuna.tracking import spool

class Kills(go.Tracker):
    def finish_trial(self, trial):
        print(trial.number, flush=True)
        if trial.number == 2:
            os.kill(os.getpid(), signal.SIGKILL)

spool.replay(spool.Spool.all()[0], lambda _: Kills())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_a_process_that_is_killed_amid_it_has_sent_what_it_had_sent() -> None:
    """Only the record that was on its way is sent again, and no lock is left behind."""
    waiting = keep(1, 2, 3)
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AMID], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["1", "2"], done.stderr
    tracker = Away()
    spool.replay(waiting, lambda _: tracker)
    assert tracker.taken == [2, 3]
    assert not waiting.path.exists()


# MLflow


def everything(client: MlflowClient, run: Run) -> dict[str, object]:
    """Give all that MLflow has of a run, but for what differs with each: ids and whereabouts."""
    points = {
        key: [(point.step, point.timestamp, point.value) for point in history(client, run, key)]
        for key in run.data.metrics
    }
    tags = {key: value for key, value in run.data.tags.items() if "parent" not in key}
    info = run.info
    trace = client.download_artifacts(run.info.run_id, "energy/trace.csv")
    return {
        "points": points,
        "params": run.data.params,
        "tags": tags,
        "run": (info.run_name, info.status, info.start_time, info.end_time),
        "trace": Path(trace).read_text(encoding="utf-8"),
    }


def a_trial(**fields: object) -> go.TrialRecord:
    """Give the record of a trial of four seconds, with reports."""
    t_s = [0.5, 1.5, 2.5, 4.0]
    measurement = make_measurement(t_s, cpu_w=[10.0, 20.0, 30.0, 40.0])
    given: dict[str, object] = {
        "state": "complete",
        "params": {"lr": 0.1},
        "measurement": measurement,
        "quality": 0.75,
        "objectives": {"quality_loss": 0.25, "co2e_kg": measurement.co2e_kg},
        "reports": tuple(go.Report(i, 0.1 * i, energy_kwh=1e-9 * i, t_s=t_s[i]) for i in range(4)),
    }
    return make_record(**(given | fields))


def test_a_record_that_is_sent_twice_is_there_once(client: MlflowClient, mlflow_uri: str) -> None:
    """As after a kill between MLflow's answer and our note of it; even by another process."""
    go.MLflowTracker(mlflow_uri).finish_trial(a_trial())
    (first,) = studies_and_trials(client)[1].values()
    once = everything(client, first)
    go.MLflowTracker(mlflow_uri).finish_trial(a_trial())
    (second,) = studies_and_trials(client)[1].values()
    assert second.info.run_id == first.info.run_id
    assert everything(client, second) == once


def test_a_run_whose_making_was_answered_to_nobody_is_the_trials(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """The server had made it when the connection broke: there is no second one."""
    made = go.MLflowTracker(mlflow_uri).start_trial(a_trial(state="running", measurement=None))
    go.MLflowTracker(mlflow_uri).finish_trial(a_trial())
    (trial,) = studies_and_trials(client)[1].values()
    assert trial.info.run_id == made
    assert trial.info.status == "FINISHED"


def test_a_trial_that_was_half_told_is_told_whole(client: MlflowClient, mlflow_uri: str) -> None:
    """What a live trial had logged stays, and the replay adds the rest, each second once."""
    theirs = go.MLflowTracker(mlflow_uri)
    run_ids = {"mlflow": theirs.start_trial(a_trial(state="running", measurement=None))}
    half = make_measurement([0.5, 1.5, 2.5], cpu_w=[10.0, 20.0, 30.0])
    running = a_trial(state="running", measurement=half, run_ids=run_ids, objectives={})
    theirs.log_progress(replace(running, quality=None, reports=a_trial().reports[:2]))
    spool.keep("mlflow", a_trial(run_ids=run_ids))
    waiting = spool.Spool(spool.path(TERMS))
    spool.replay(waiting, lambda _: go.MLflowTracker(mlflow_uri))
    (replayed,) = studies_and_trials(client)[1].values()
    other = go.MLflowTracker(mlflow_uri, "at once")
    started = other.start_trial(a_trial(state="running", measurement=None))
    other.finish_trial(a_trial(run_ids={"mlflow": started}))
    (at_once,) = (
        run for run in runs_of(client, "at once") if run.data.tags["green_optuna.role"] == "trial"
    )
    assert everything(client, replayed) == everything(client, at_once)


def test_a_trial_whose_run_was_deleted_meanwhile_gets_another(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """It would be lost in the bin, and MLflow refuses it there."""
    tracker = go.MLflowTracker(mlflow_uri)
    run_id = tracker.start_trial(a_trial(state="running", measurement=None))
    client.delete_run(run_id)
    with pytest.raises(MlflowException):
        tracker.finish_trial(a_trial(run_ids={"mlflow": run_id}))
    spool.keep("mlflow", a_trial(run_ids={"mlflow": run_id}))
    spool.replay(spool.Spool(spool.path(TERMS)), lambda _: tracker)
    (trial,) = studies_and_trials(client)[1].values()
    assert trial.info.run_id != run_id
    assert trial.data.params == {"lr": "0.1"}


def test_a_study_whose_run_is_deleted_by_hand_goes_on_below_another(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """The same process notices with the next front; all trials are below the new one then."""
    tracker = go.MLflowTracker(mlflow_uri)
    study = run(tracker, lambda _: None, n_trials=2)
    (first,), _ = studies_and_trials(client)
    client.delete_run(first.info.run_id)
    go.log_front(study, [tracker])
    (parent,), trials = studies_and_trials(client)
    assert parent.info.run_id != first.info.run_id
    assert "Pareto front" in parent.data.tags["mlflow.note.content"]
    parents = {trial.data.tags["mlflow.parentRunId"] for trial in trials.values()}
    assert parents == {parent.info.run_id}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this platform has no process groups")
def test_a_server_that_is_killed_amid_a_trial_and_started_again_has_it_all(
    server: Server, client: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Each trial is there once and whole, and so is the front; the user was told once."""
    tracker = go.MLflowTracker(server.uri, flush_interval_s=0.05)
    memory = go.MemoryTracker()

    @go.green_objective(
        grid=GRID,
        meter=go.ReplayMeter(cpu_w=50.0, sample_interval_s=0.01),
        trackers=[tracker, memory],
    )
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        trial.report(0.25, 0)
        threading.Event().wait(0.2)
        if trial.number == 1:
            server.kill()
        if trial.number == 3:
            server.start()
        trial.report(0.5, 1)
        return trial.suggest_float("x", 0.0, 1.0), 10

    study = go.create_study("s")
    study.optimize(objective, n_trials=5)
    go.log_front(study, [tracker])
    parents, trials = studies_and_trials(client)
    assert len(parents) == 1
    assert sorted(trials) == [0, 1, 2, 3, 4]
    for record in memory.finished:
        there = trials[record.number]
        assert record.measurement is not None
        assert there.info.status == "FINISHED"
        assert there.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        assert there.data.metrics["cost/energy_kwh"] == record.measurement.energy_kwh
        assert len(history(client, there, "report/quality")) == 2
        seconds = [point.step for point in history(client, there, "energy/cpu_w")]
        assert len(set(seconds)) == len(seconds) > 0
    assert spool.Spool.all() == []
    assert (
        sum("failed and will not be mentioned" in one.getMessage() for one in logged(caplog)) == 1
    )


def test_a_trial_that_began_while_mlflow_was_away_is_marked_on_the_front(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Optuna does not know its run, and MLflow does by now."""
    memory = go.MemoryTracker()
    study = run(memory, lambda _: None, n_trials=2)
    tracker = go.MLflowTracker(mlflow_uri)
    for record in memory.finished:
        tracker.finish_trial(replace(record, run_ids={}))
    go.log_front(study, [tracker])
    (parent,), trials = studies_and_trials(client)
    for number in go.pareto_front(study).numbers:
        assert trials[number].data.tags["green_optuna.on_front"] == "true"
        assert trials[number].info.run_id in parent.data.tags["mlflow.note.content"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this platform has no process groups")
def test_a_request_that_breaks_is_made_up_for_and_not_waited_for(
    server: Server, client: MlflowClient
) -> None:
    """The answer to a new run is lost; the files are refused: each trial is there once, whole."""
    with proxy_of(server.uri) as proxy:
        broken: set[str] = set()

        def fate_of(method: str, path: str) -> Fate:
            if path.endswith("/runs/create") and "create" in broken:
                broken.remove("create")
                return "swallow"
            return "refuse" if method == "PUT" and "files" in broken else "pass"

        proxy.fate_of = fate_of

        def break_something(number: int) -> None:
            broken.clear()
            # What breaks at 1 and 2 hits the start of the next trial, and its files.
            if number == 1:
                broken.add("create")
            if number == 2:
                broken.add("files")

        run(go.MLflowTracker(proxy.uri), break_something, n_trials=5)
        refused = [one for one in proxy.asked if one[0] == "PUT" and "trace.csv" in one[1]]
    parents, trials = studies_and_trials(client)
    assert (len(parents), sorted(trials)) == (1, [0, 1, 2, 3, 4])
    assert {trial.info.status for trial in trials.values()} == {"FINISHED"}
    for trial in trials.values():
        assert len(history(client, trial, "quality")) == 1
        assert MlflowClient(server.uri).list_artifacts(trial.info.run_id, "energy")
    assert len(refused) == 6, "the file that was refused was sent once more, later"
    assert spool.Spool.all() == []


def test_two_trackers_of_one_store_keep_their_runs_apart(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Also where one of them could not open its run at the start."""
    first, second = go.MLflowTracker(mlflow_uri), go.MLflowTracker(mlflow_uri, name="team")
    run_ids = {"mlflow": first.start_trial(a_trial(state="running", measurement=None))}
    second.finish_trial(a_trial(run_ids=run_ids))
    first.finish_trial(a_trial(run_ids=run_ids))
    trials = [run for run in runs_of(client) if run.data.tags["green_optuna.role"] == "trial"]
    assert {run.data.tags["green_optuna.tracker"] for run in trials} == {"mlflow", "team"}
    assert [run.info.status for run in trials] == ["FINISHED"] * 2


def test_a_run_that_a_slow_server_made_besides_is_deleted(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """It was not there yet when the trial's run was looked for."""
    tracker = go.MLflowTracker(mlflow_uri)
    tracker.finish_trial(a_trial())
    (kept,) = studies_and_trials(client)[1].values()
    client.create_run(kept.info.experiment_id, tags=schema.start_tags(a_trial(), "mlflow"))
    go.MLflowTracker(mlflow_uri).finish_trial(a_trial())
    (left,) = studies_and_trials(client)[1].values()
    assert left.info.run_id == kept.info.run_id


def test_a_cut_request_leaves_no_gap(client: MlflowClient, mlflow_uri: str) -> None:
    """MLflow takes a thousand points at a time: of one second, some may have got through."""
    t_s = [float(second) for second in range(1, 301)]
    whole = a_trial(measurement=make_measurement(t_s, cpu_w=t_s))
    tracker = go.MLflowTracker(mlflow_uri)
    run_id = tracker.start_trial(a_trial(state="running", measurement=None))
    points = [
        Metric(point.key, point.value, point.timestamp_ms, point.step)
        for point in series.trace_points(whole, after=-1)
    ]
    keys = {point.key for point in points}
    client.log_batch(run_id, metrics=points[:-2])
    go.MLflowTracker(mlflow_uri).finish_trial(replace(whole, run_ids={"mlflow": run_id}))
    (trial,) = studies_and_trials(client)[1].values()
    assert {key: len(history(client, trial, key)) for key in keys} == dict.fromkeys(keys, 300)


def test_reports_in_any_order_are_all_told(client: MlflowClient, mlflow_uri: str) -> None:
    """One of a later step may have got through before those of earlier ones were made."""
    steps = (100, 10, 20, 30)
    reports = tuple(go.Report(step, 0.5, energy_kwh=1e-9, t_s=0.1 * step) for step in steps)
    theirs = go.MLflowTracker(mlflow_uri)
    running = a_trial(state="running", measurement=None, objectives={}, reports=())
    run_ids = {"mlflow": theirs.start_trial(running)}
    theirs.log_progress(replace(running, run_ids=run_ids, reports=reports[:1]))
    go.MLflowTracker(mlflow_uri).finish_trial(a_trial(run_ids=run_ids, reports=reports))
    (trial,) = studies_and_trials(client)[1].values()
    assert [point.step for point in history(client, trial, "report/quality")] == [10, 20, 30, 100]


def test_parameters_are_not_doubled_by_the_way_they_are_kept(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """A tuple is a list on disk: the value that is there stays; a password is in neither."""
    url = "postgresql://u:hunter2@db/x"
    tracker = go.MLflowTracker(mlflow_uri)
    tracker.finish_trial(a_trial(params={"db": url, "layers": (64, 64)}))
    spool.keep("mlflow", a_trial(params={"db": url, "layers": (64, 64)}))
    spool.replay(spool.Spool(spool.path(TERMS)), lambda _: go.MLflowTracker(mlflow_uri))
    (trial,) = studies_and_trials(client)[1].values()
    assert trial.data.params == {"db": "postgresql://u:***@db/x", "layers": "(64, 64)"}


def test_records_of_another_store_wait_for_it(mlflow_uri: str) -> None:
    """Two workers of one study may log to two stores, under one name."""
    elsewhere, here = go.MLflowTracker("http://127.0.0.1:9"), go.MLflowTracker(mlflow_uri)
    spool.keep("mlflow", a_trial(number=1), recipe=spool.recipe_of(elsewhere))
    spool.keep("mlflow", a_trial(number=2), recipe=spool.recipe_of(here))
    StudyLog(go.create_study("s"), TERMS, [here]).finish(a_trial(number=3))
    assert left(spool.Spool(spool.path(TERMS))) == [1]


def test_any_number_of_refused_records_holds_up_no_other_in_the_end() -> None:
    """A trial does not wait for all of them; without that haste, each is offered."""
    waiting = keep(*range(6))
    tracker = Away(refuses={0, 1, 2, 3})
    spool.replay(waiting, lambda _: tracker, patience_s=60.0)
    assert tracker.taken == []
    spool.replay(waiting, lambda _: tracker)
    assert tracker.taken == [4, 5]


def test_resend_sends_to_trackers_of_ones_own() -> None:
    """Of all studies; what one raises is raised once all that could be sent has been."""
    keep(1, 2)
    spool.keep("memory", make_record(number=3, terms=replace(TERMS, key="other")))
    tracker = Away(refuses={1})
    with pytest.raises(ValueError, match="no such trial"):
        go.resend([tracker])
    assert tracker.taken == [2, 3]
    tracker.refuses.clear()
    assert go.resend([tracker]) == 1
    assert go.resend([tracker]) == 0
