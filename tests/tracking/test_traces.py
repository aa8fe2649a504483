"""Energy traces come back from where they were logged, for the trials where they matter most."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from kept import kept, study_of

import green_optuna as go
from green_optuna.terms import ATTRIBUTE, read_terms
from green_optuna.tracking.mlflow.traces import MAX_BYTES
from green_optuna.tracking.traces import MAX_POINTS, MAX_TRACES, traced_trials

from .records import logged, make_measurement, make_record, studies_and_trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient
    from servers import Server


def line(n_trials: int) -> go.ParetoFront:
    """A front of trials that grow better and dearer with their number."""
    trials = [kept(0.3 + 0.01 * n, 1e-3 * 1.1**n) for n in range(n_trials)]
    return go.pareto_front(study_of(trials))


def run_study(
    *trackers: go.Tracker, n_points: Sequence[int] = (3, 4, 5)
) -> tuple[optuna.Study, list[go.Trace]]:
    """Tell trackers of trials with traces of so many points, all of them on the front."""
    study = study_of([])
    terms = read_terms(study)
    assert terms is not None
    traces = []
    for number, n in enumerate(n_points):
        measurement = make_measurement(range(1, n + 1), cpu_w=[10.0 * (number + 1)] * n)
        record = make_record(
            study_name=study.study_name,
            terms=terms,
            number=number,
            state="complete",
            measurement=measurement,
        )
        run_ids = {one.name: run for one in trackers if (run := one.start_trial(record))}
        record = replace(record, run_ids=run_ids)
        for one in trackers:
            one.finish_trial(record)
        values = [1.0 - 0.1 * number, measurement.co2e_kg, 10]
        attributes = {ATTRIBUTE: record.attribute()}
        study.add_trial(optuna.create_trial(values=values, user_attrs=attributes))
        traces.append(measurement.trace)
    return study, traces


def file_of(client: MlflowClient, number: int) -> Path:
    """Give the file of a trial's trace."""
    run = studies_and_trials(client)[1][number]
    return Path(run.info.artifact_uri or "") / "energy" / "trace.csv"


# Which trials


def test_the_choice_comes_first_then_members_from_all_along_the_front() -> None:
    """Both ends among them, and no trial twice."""
    front = line(50)
    numbers = [trial.number for trial in traced_trials(front, (), MAX_TRACES)]
    chosen = front.select().number
    assert numbers[0] == chosen
    assert len(set(numbers)) == MAX_TRACES
    others = sorted(numbers[1:])
    assert {others[0], others[-1]} <= {0, 1, 48, 49}
    assert np.diff(others) == pytest.approx(48 / 6, abs=1.5)


def test_trials_that_are_asked_for_come_before_the_choice() -> None:
    """In the order in which they are asked for; one that was pruned too."""
    pruned = kept(0.1, 5e-3, state=optuna.trial.TrialState.PRUNED)
    front = go.pareto_front(study_of([kept(0.5, 2e-3), pruned, kept(0.4, 1e-3), kept(0.3, 9e-3)]))
    assert 3 not in front.numbers
    first = [trial.number for trial in traced_trials(front, [3, 1], 8)]
    assert first == [3, 1, front.select().number, *(set(front.numbers) - {front.select().number})]
    assert [trial.number for trial in traced_trials(front, [3, 1], 1)] == [3]
    assert traced_trials(front, [], 0) == []


def test_a_trial_that_never_ended_cannot_be_asked_for() -> None:
    """The error names it, and the study."""
    with pytest.raises(go.OptionError, match=r"trials \[7\].*study 'kept'"):
        traced_trials(line(2), [0, 7], 8)


def test_a_front_that_the_default_rule_does_not_fit_has_traces_too() -> None:
    """All of its members; of a study without trials there are none."""
    trials = [kept(0.5 + 0.1 * n, 1.0 + n, objectives=("quality_loss",)) for n in range(3)]
    front = go.pareto_front(study_of(trials, objectives=("quality_loss",)))
    assert [trial.number for trial in traced_trials(front, (), 8)] == [2]
    assert traced_trials(go.pareto_front(study_of([])), (), 8) == []


def test_checkpoints_of_a_trial_share_its_trace() -> None:
    """The trial counts once, though several steps of it are on the front."""
    reports = [go.Report(n, 0.2 * n, energy_kwh=n, t_s=n, checkpoint=f"{n}.pt") for n in (1, 2, 3)]
    study = study_of([kept(0.9, 5.0, reports=reports), kept(0.95, 9.0)])
    front = go.pareto_front(study, checkpoints=True)
    assert front.labels == ("0 step 1", "0 step 2", "0 step 3", "0", "1")
    assert sorted(trial.number for trial in traced_trials(front, (), 8)) == [0, 1]


# Reading them


def test_traces_come_back_as_they_were_measured(mlflow_uri: str) -> None:
    """From MLflow in another process's tracker, and from memory in this one's."""
    memory, tracker = go.MemoryTracker(), go.MLflowTracker(mlflow_uri)
    study, traces = run_study(memory, tracker)
    front = go.pareto_front(study)
    expected = {number: traces[number] for number in front.numbers}
    assert len(expected) == 3
    assert memory.read_traces(front) == expected
    assert go.MLflowTracker(mlflow_uri).read_traces(front) == expected
    assert list(tracker.read_traces(front, first=[1], limit=2)) == [1, front.select().number]


def test_a_long_trace_is_thinned_and_keeps_its_energy(mlflow_uri: str) -> None:
    """A page has no use for more points than it is wide."""
    memory, tracker = go.MemoryTracker(), go.MLflowTracker(mlflow_uri)
    study, (long,) = run_study(memory, tracker, n_points=[2000])
    front = go.pareto_front(study)
    for one in (memory, tracker):
        (trace,) = one.read_traces(front).values()
        assert len(trace) == MAX_POINTS
        assert trace.energy_kwh[-1] == long.energy_kwh[-1]
        spans_s = np.diff(trace.t_s, prepend=0.0)
        assert trace.cpu_w @ spans_s == pytest.approx(long.cpu_w.sum())


def test_a_tracker_that_can_read_none_gives_none() -> None:
    """A tracker of the user's own need not; nor has a study without trials of ours any."""

    class Ends(go.Tracker):
        def finish_trial(self, trial: go.TrialRecord) -> None:
            pass

    assert Ends().read_traces(line(2)) == {}
    plain = go.create_study("plain")
    plain.add_trial(optuna.create_trial(values=[0.1, 0.1, 1]))
    front = go.pareto_front(plain)
    assert go.MemoryTracker().read_traces(front) == {}


def test_what_is_not_there_is_left_out_in_silence(
    client: MlflowClient, mlflow_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A trial without a run, one whose run is in another store, and one without the file."""
    tracker = go.MLflowTracker(mlflow_uri)
    study, traces = run_study(tracker, n_points=[3, 3, 3, 3])
    file_of(client, 1).unlink()
    trials = study.get_trials()
    for number, run_ids in ((0, {}), (2, {"mlflow": "0" * 32})):
        trials[number].user_attrs[ATTRIBUTE]["run_ids"] = run_ids
    other = study_of(trials)
    front = go.pareto_front(other)
    assert front.numbers == (0, 1, 2, 3)
    assert tracker.read_traces(front) == {3: traces[3]}
    assert logged(caplog) == []


def test_a_file_that_holds_no_trace_costs_no_other(
    client: MlflowClient, mlflow_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which and why, once each: one is no trace, one is larger than any."""
    tracker = go.MLflowTracker(mlflow_uri)
    study, traces = run_study(tracker, n_points=[3, 3, 3])
    file_of(client, 0).write_text("<script>alert(1)</script>\n")
    with file_of(client, 1).open("r+b") as file:
        file.truncate(MAX_BYTES + 1)  # of nothing: it takes no room on the disk
    assert tracker.read_traces(go.pareto_front(study)) == {2: traces[2]}
    said = sorted(record.getMessage() for record in logged(caplog))
    assert len(said) == 2
    assert "trial 0 was not read: in energy/trace.csv, the first line is not t_s," in said[0]
    assert "script" not in said[0]
    assert "trial 1 was not read: energy/trace.csv has more than 128 MB" in said[1]


def test_a_trial_that_began_while_mlflow_was_away_has_a_trace_too(mlflow_uri: str) -> None:
    """Optuna does not know its run, and MLflow does."""
    memory = go.MemoryTracker()
    study, traces = run_study(memory)
    tracker = go.MLflowTracker(mlflow_uri)
    for record in memory.finished:
        tracker.finish_trial(replace(record, run_ids={}))
    read = tracker.read_traces(go.pareto_front(study))
    assert read == dict(enumerate(traces))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this platform has no process groups")
def test_traces_come_back_through_a_server(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that it has; a run or a file that it has not is left out, and so is a huge file."""
    tracker = go.MLflowTracker(server.uri)
    study, traces = run_study(tracker, n_points=[3, 3, 3, 3, 2000])
    files = {
        number: next(tmp_path.rglob(f"artifacts/**/{run_id}/artifacts/energy/trace.csv"))
        for number, trial in enumerate(study.trials)
        for run_id in trial.user_attrs[ATTRIBUTE]["run_ids"].values()
    }
    files[0].unlink()
    with files[2].open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    trials = study.get_trials()
    trials[3].user_attrs[ATTRIBUTE]["run_ids"]["mlflow"] = "0" * 32
    read = tracker.read_traces(go.pareto_front(study_of(trials)))
    assert sorted(read) == [1, 4]
    assert read[1] == traces[1]
    assert len(read[4]) == MAX_POINTS
    (record,) = logged(caplog)
    assert "trial 2 was not read" in record.getMessage()
