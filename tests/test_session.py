"""One trial on its way: what is measured, what is kept, who is told, and which error is seen."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import platform
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.energy import COMPONENTS, sampler_for
from green_optuna.objective import KEPT_LOGS
from green_optuna.record import measurement_of
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import kwh_from_joules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from green_optuna.tracking import Tracker

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)


@dataclass(eq=False, kw_only=True)
class ScriptedMeter:
    """A meter that adds a joule a reading, notes when it is read, and can be made to fail."""

    events: list[str] = field(default_factory=list)
    joules_a_reading: float = 1.0
    trouble: Exception | None = None
    min_interval_s: float = 0.0
    # No reading but those that begin and end a trial.
    sample_interval_s: float = 1e6
    failures: int = 0
    _joules: float = 0.0

    @property
    def sources(self) -> Mapping[str, go.Source]:
        """All is measured, in a manner of speaking."""
        return dict.fromkeys(COMPONENTS, go.Source("script", measured=True))

    def start(self) -> None:
        """Fail where that is wanted."""
        self._note("start")

    def read(self) -> go.ComponentEnergy:
        """Give one joule more than the last time, shared by time and not by CPU time."""
        self._note("read")
        self._joules += self.joules_a_reading
        return go.ComponentEnergy(ram_kwh=kwh_from_joules(self._joules))

    def stop(self) -> None:
        """Do nothing."""

    def _note(self, event: str) -> None:
        if self.trouble is not None:
            self.failures += 1
            raise self.trouble
        self.events.append(event)


class NotingTracker(go.MemoryTracker):
    """A tracker that notes when it is told what."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self.events = events

    def start_trial(self, trial: go.TrialRecord) -> str:
        """Note it."""
        self.events.append("start_trial")
        return super().start_trial(trial)

    @contextlib.contextmanager
    def activate(self, run_id: str) -> Iterator[None]:
        """Note both ends."""
        self.events.append(f"activate {run_id[-1]}")
        yield
        self.events.append("deactivate")

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Note it."""
        self.events.append("finish_trial")
        super().finish_trial(trial)


class BrokenTracker(go.MemoryTracker):
    """A tracker that fails whatever it is told, once it has opened a run."""

    def __init__(self) -> None:
        super().__init__(name="broken", flush_interval_s=0.01)

    @contextlib.contextmanager
    def activate(self, run_id: str) -> Iterator[None]:
        """Fail at the end."""
        yield
        raise ConnectionError(f"no way to close {run_id}")

    def log_progress(self, trial: go.TrialRecord) -> None:
        """Fail."""
        raise ConnectionError(f"no way to log trial {trial.number}")

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Fail."""
        raise ConnectionError(f"no way to finish trial {trial.number}")


def optimise(
    function: Callable[[go.GreenTrial], object],
    *trackers: Tracker,
    meter: Any = METER,  # noqa: ANN401 - a meter
) -> optuna.Study:
    """Run one trial in a new study."""
    study = go.create_study()
    objective = go.green_objective(grid=GRID, meter=meter, trackers=trackers)(function)
    study.optimize(objective, n_trials=1)
    return study


def wait_until(happened: Callable[[], bool]) -> None:
    """Let other threads work until something has happened, or give up after many tries."""
    for _ in range(2000):
        if happened():
            return
        time.sleep(0.005)
    pytest.fail("it never happened")


def raising(error: BaseException) -> Callable[[go.GreenTrial], object]:
    """Make a function that suggests and reports, then raises."""

    def function(trial: go.GreenTrial) -> object:
        trial.suggest_float("x", 0, 1)
        trial.report(0.5, 0)
        raise error

    return function


# What is measured


def test_nothing_but_the_users_function_is_in_the_window() -> None:
    """Trackers open, activate and finish their runs before the first reading or after the last."""
    events: list[str] = []
    meter = ScriptedMeter(events=events)

    def function(_: go.GreenTrial) -> tuple[float, int]:
        events.append("function")
        return 0.5, 1

    study = optimise(function, NotingTracker(events), meter=meter)
    assert events == [
        *("start", "read"),
        *("start_trial", "activate 0"),
        *("read", "function", "read"),
        *("deactivate", "finish_trial"),
    ]
    measurement = measurement_of(study.trials[0])
    assert measurement is not None
    # The one joule between the two readings, but for what fell before the window's own start.
    assert 0 < measurement.energy_kwh <= kwh_from_joules(1.0)
    assert measurement.basis == "measured"


def test_a_report_says_what_has_been_spent_by_then() -> None:
    """Each report reads the meter once, and the trial's total has all that the reports had.

    The first and the last joule are not whole: a part of each fell outside the window.
    """
    tracker = go.MemoryTracker()

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        for step in range(3):
            trial.report(0.5, step)
        return 0.5, 1

    optimise(function, tracker, meter=ScriptedMeter())
    record = tracker.finished[0]
    assert record.measurement is not None
    joule = kwh_from_joules(1.0)
    spent = [report.energy_kwh / joule for report in record.reports]
    assert np.diff(spent) == pytest.approx([1, 1])
    assert 0 < spent[0] <= 1
    assert 0 < record.measurement.energy_kwh / joule - spent[-1] <= 1


# What is told


def test_a_tracker_gets_all_there_is_to_know_of_a_trial() -> None:
    """Parameters, attributes, reports, costs and objectives, each under its own name."""
    tracker = go.MemoryTracker()

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        trial.set_user_attr("note", "mine")
        trial.report(0.25, 3)
        return trial.suggest_float("quality", 0.75, 0.75), 4

    study = optimise(function, tracker)
    started, record = tracker.started[0], tracker.finished[0]
    assert (started.state, started.measurement, started.params) == ("running", None, {})
    assert (record.state, record.number, record.error) == ("complete", 0, None)
    assert record.study_name == study.study_name
    assert record.params == {"quality": 0.75}
    assert record.user_attrs == {"note": "mine"}
    assert record.run_ids == {"memory": f"{record.terms.key}/0"}
    assert (record.quality, record.n_params, record.parameters) == (0.75, 4, None)
    assert [(report.step, report.quality) for report in record.reports] == [(3, 0.25)]
    assert list(record.objectives) == ["quality_loss", "co2e_kg", "n_params"]
    assert list(record.objectives.values()) == study.trials[0].values
    assert record.attribute() == study.trials[0].user_attrs[ATTRIBUTE]


def test_a_running_trial_is_told_of_while_it_runs() -> None:
    """As far as it has come; how often is in the record, since it is part of what was measured."""
    tracker = go.MemoryTracker(flush_interval_s=0.01)

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        trial.suggest_float("x", 0, 1)
        trial.report(0.5, 0)
        # One may be on its way already, without the report; the next one has it.
        enough = len(tracker.progress) + 2
        wait_until(lambda: len(tracker.progress) >= enough)
        return 0.5, 1

    optimise(function, tracker)
    record = tracker.finished[0]
    assert record.measurement is not None
    assert record.live_flushes == len(tracker.progress) >= 2
    energies_kwh = []
    for count, running in enumerate(tracker.progress, start=1):
        assert (running.state, running.live_flushes) == ("running", count)
        assert running.measurement is not None
        energies_kwh.append(running.measurement.energy_kwh)
    assert tracker.progress[-1].params == record.params
    assert tracker.progress[-1].reports == record.reports
    assert energies_kwh == sorted(energies_kwh)
    assert 0 < energies_kwh[-1] <= record.measurement.energy_kwh


# How a trial ends


def test_a_pruned_trial_is_pruned_and_its_energy_counts() -> None:
    """Optuna sees a pruned trial without values; what it spent is in the study's total."""
    tracker = go.MemoryTracker()
    study = optimise(raising(optuna.TrialPruned()), tracker)
    trial = study.trials[0]
    assert (trial.state, trial.values) == (TrialState.PRUNED, None)
    assert trial.user_attrs[ATTRIBUTE]["state"] == tracker.finished[0].state == "pruned"
    assert tracker.finished[0].error is None
    measurement = measurement_of(trial)
    assert measurement is not None
    assert go.pareto_front(study).ledger["pruned"].energy_kwh == measurement.energy_kwh > 0


class OwnError(Exception):
    """An exception of the user's."""


ERRORS = [OwnError("mine"), KeyboardInterrupt(), SystemExit(3)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_failed_trial_keeps_its_energy_and_the_users_error_is_seen(error: BaseException) -> None:
    """Whatever the function raises comes out as it is, Ctrl-C too; the record says failed."""
    tracker = go.MemoryTracker()
    study = go.create_study()
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[tracker])(raising(error))
    with pytest.raises(type(error)) as raised:
        study.optimize(objective, n_trials=1)
    assert raised.value is error
    record = tracker.finished[0]
    assert record.state == "failed"
    assert record.error is not None
    assert type(error).__name__ in record.error
    assert record.quality is None
    assert len(record.reports) == 1
    trial = study.trials[0]
    assert trial.user_attrs[ATTRIBUTE] == record.attribute()
    assert go.pareto_front(study).candidates.spent_kwh > 0
    # Optuna leaves a trial that ends its process as it is.
    assert trial.state == (TrialState.RUNNING if isinstance(error, SystemExit) else TrialState.FAIL)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("trouble", [go.MeterError("no reading"), OSError("the bus is gone")])
def test_the_users_error_is_seen_when_the_meter_fails_too(
    trouble: Exception, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The meter's trouble is logged, whatever a meter of the user's raises; the trial is kept."""
    meter = ScriptedMeter()
    tracker = go.MemoryTracker()

    def function(_: go.GreenTrial) -> object:
        meter.trouble = trouble
        raise error

    with pytest.raises(type(error)) as raised:
        optimise(function, tracker, meter=meter)
    assert raised.value is error
    assert "Trial 0 was not measured" in caplog.text
    assert str(trouble) in caplog.text
    assert tracker.finished[0].state == "failed"
    assert tracker.finished[0].measurement is None


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_the_users_error_is_seen_when_a_tracker_fails_too(error: BaseException) -> None:
    """Wherever the tracker fails, even where it closes the run round the user's function."""
    with pytest.raises(type(error)) as raised:
        optimise(raising(error), BrokenTracker())
    assert raised.value is error


def test_a_tracker_that_fails_costs_no_trial() -> None:
    """The values reach Optuna, with their measurement."""
    tracker = BrokenTracker()

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        trial.suggest_float("x", 0, 1)
        return 0.75, 1

    trial = optimise(function, tracker).trials[0]
    assert trial.state == TrialState.COMPLETE
    assert trial.values[0] == 0.25
    assert measurement_of(trial) is not None


class FullStorage(optuna.storages.InMemoryStorage):
    """A storage that takes no more attributes, once it is told so."""

    full = False

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ANN401 - Optuna's signature
        """Take it or fail."""
        if self.full:
            raise OSError("no space left")
        super().set_trial_user_attr(trial_id, key, value)


def test_the_users_error_is_seen_when_the_storage_fails_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """That the trial could not be kept is logged."""
    storage = FullStorage()
    study = go.create_study(storage=storage)
    error = OwnError("mine")

    @go.green_objective(grid=GRID, meter=METER, trackers=[])
    def objective(_: go.GreenTrial) -> object:
        storage.full = True
        raise error

    with pytest.raises(OwnError) as raised:
        study.optimize(objective, n_trials=1)
    assert raised.value is error
    assert "Trial 0 could not be kept: OSError('no space left')" in caplog.text


class UnspeakableError(Exception):
    """An exception that cannot say what it is about."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("one\n  two\n"), "ValueError: one two"),
        (KeyError("width"), "KeyError: 'width'"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (UnspeakableError(), "test_session.UnspeakableError: <exception str() failed>"),
    ],
    ids=["lines", "key", "interrupt", "unspeakable"],
)
def test_the_error_is_kept_in_one_line(error: BaseException, said: str) -> None:
    """Its kind and its text, whatever the text is like."""
    tracker = go.MemoryTracker()
    with pytest.raises(type(error)):
        optimise(raising(error), tracker)
    assert tracker.finished[0].error == said
    assert tracker.finished[0].measurement is not None


# A meter that does not measure


def test_a_meter_that_cannot_start_fails_the_trial_before_anybody_is_told() -> None:
    """No run is opened for a trial that cannot be measured, and the function does not run."""
    tracker = go.MemoryTracker()
    trouble = go.MeterError("nothing to measure on this host")
    with pytest.raises(go.MeterError) as raised:
        optimise(raising(OwnError()), tracker, meter=ScriptedMeter(trouble=trouble))
    assert raised.value is trouble
    assert tracker.started == []


def test_a_meter_that_fails_at_the_end_fails_the_trial() -> None:
    """A trial without a reading is never on the front at no cost."""
    meter = ScriptedMeter()
    tracker = go.MemoryTracker()
    study = go.create_study()

    @go.green_objective(grid=GRID, meter=meter, trackers=[tracker])
    def objective(_: go.GreenTrial) -> tuple[float, int]:
        meter.trouble = go.MeterError("no reading")
        return 0.5, 1

    with pytest.raises(go.MeterError, match="no reading"):
        study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[0].user_attrs[ATTRIBUTE]["state"] == "failed"
    assert tracker.finished[0].error is not None


def test_a_meter_that_stands_still_fails_the_trial() -> None:
    """No work is free: zero energy is an error, not the best trial of the study."""
    meter = ScriptedMeter(joules_a_reading=0.0)
    study = go.create_study()
    decorate = go.green_objective(grid=GRID, meter=meter, trackers=[])
    with pytest.raises(go.MeterError, match=r"saw no energy in .* trial 0: .*stands still"):
        study.optimize(decorate(lambda _: (0.5, 1)), n_trials=1)
    assert study.best_trials == []


def test_a_meter_that_fails_now_and_then_costs_no_trial() -> None:
    """A flush that gets no reading is left out; the next one, and the end, have all of it."""
    meter = ScriptedMeter()
    tracker = go.MemoryTracker(flush_interval_s=0.01)

    def function(_: go.GreenTrial) -> tuple[float, int]:
        meter.trouble = OSError("the bus is busy")
        wait_until(lambda: meter.failures > 0)
        meter.trouble = None
        wait_until(lambda: len(tracker.progress) > 0)
        return 0.5, 1

    study = optimise(function, tracker, meter=meter)
    assert study.trials[0].state == TrialState.COMPLETE
    assert tracker.finished[0].live_flushes == len(tracker.progress) >= 1


# Where it is measured


def test_a_worker_with_another_meter_joins_with_one_warning() -> None:
    """The figures are hard to compare, so it is said; each trial keeps its own sources."""
    study = optimise(lambda _: (0.5, 1))
    objective = go.green_objective(grid=GRID, meter=ScriptedMeter(), trackers=[])(
        lambda _: (0.5, 1)
    )
    with pytest.warns(
        UserWarning, match=r"other sources \(script.*than the first trial's \(replay"
    ):
        study.optimize(objective, n_trials=1)
    study.optimize(objective, n_trials=1)
    said = [measurement_of(trial) for trial in study.get_trials()]
    assert [one.sources["cpu"].name for one in said if one] == ["replay", "script", "script"]


@pytest.mark.parametrize("hardware", ["another", ""], ids=["other hardware", "not kept"])
def test_a_worker_on_another_host_joins_with_one_warning(hardware: str) -> None:
    """A study may span hosts; the second one is told which the first was."""
    study = optimise(lambda _: (0.5, 1))
    other = {"host": "elsewhere", "fingerprint": hardware}
    study.set_user_attr(ATTRIBUTE, study.user_attrs[ATTRIBUTE] | other)
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[])(lambda _: (0.5, 1))
    with pytest.warns(UserWarning, match="the first trial ran on 'elsewhere'"):
        study.optimize(objective, n_trials=1)
    study.optimize(objective, n_trials=1)
    assert len(study.get_trials(states=[TrialState.COMPLETE])) == 3


def test_a_worker_on_a_host_of_the_same_hardware_joins_without_a_word() -> None:
    """The nodes of a cluster compare, whatever their names; a warning is an error here."""
    study = optimise(lambda _: (0.5, 1))
    study.set_user_attr(ATTRIBUTE, study.user_attrs[ATTRIBUTE] | {"host": "elsewhere"})
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[])(lambda _: (0.5, 1))
    study.optimize(objective, n_trials=1)
    assert len(study.get_trials(states=[TrialState.COMPLETE])) == 2


def test_a_study_of_estimates_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Its first worker says it, by name; a second one and a resumed study say nothing."""
    study = optimise(lambda _: (0.5, 1))
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"Study {study.study_name!r}: Energy is estimated on this host (replay)")
    assert "green-optuna doctor says why" in said
    caplog.clear()
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[])(lambda _: (0.5, 1))
    study.optimize(objective, n_trials=2)
    assert caplog.records == []


def test_a_study_that_is_measured_does_not_say_that_it_is_estimated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where any component has a counter, nothing is said."""
    optimise(lambda _: (0.5, 1), meter=ScriptedMeter())
    assert caplog.records == []


# What the storage holds while a trial runs


@pytest.mark.parametrize("trackers", [[], [go.MemoryTracker()]], ids=["none", "memory"])
def test_the_run_of_a_trial_can_be_found_while_it_runs(trackers: list[Tracker]) -> None:
    """The storage names the host, the process and each tracker's run, where there is one.

    Without a tracker that is one commit less; the journal has it in any case.
    """
    kept: list[dict[str, Any]] = []

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        kept.append(trial.user_attrs.get(ATTRIBUTE, {}))
        return 0.5, 1

    optimise(function, *trackers)
    (at_start,) = kept
    assert at_start.get("run_ids", {}).keys() == {tracker.name for tracker in trackers}
    if trackers:
        assert (at_start["host"], at_start["pid"]) == (platform.node(), os.getpid())
        assert at_start["started_at"] <= time.time()


# What comes between the function's end and the trial's


class Interrupted(go.MemoryTracker):
    """A tracker during whose first farewell the user presses Ctrl-C."""

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Be interrupted, once."""
        super().finish_trial(trial)
        if len(self.finished) == 1:
            raise KeyboardInterrupt


def test_ctrl_c_after_the_function_leaves_no_run_open() -> None:
    """Optuna fails the trial, so the tracker and the storage are told that it failed."""
    tracker = Interrupted()
    study = go.create_study()
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[tracker])(lambda _: (0.5, 1))
    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective, n_trials=1)
    assert [record.state for record in tracker.finished] == ["complete", "failed"]
    assert tracker.finished[-1].objectives == {}
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[0].user_attrs[ATTRIBUTE]["state"] == "failed"
    assert "quality" not in study.trials[0].user_attrs[ATTRIBUTE]


class TooEarly(go.MemoryTracker):
    """A tracker that is asked for its interval when the user presses Ctrl-C."""

    pressed = False

    @property
    def flush_interval_s(self) -> float:
        """Be interrupted, once."""
        if not self.pressed:
            self.pressed = True
            raise KeyboardInterrupt
        return math.inf

    @flush_interval_s.setter
    def flush_interval_s(self, _: float) -> None:
        """Take what the class sets."""


def test_ctrl_c_before_the_function_leaves_no_window_and_no_run_open() -> None:
    """The window has just opened: it is closed, so that it takes no share of later trials."""
    tracker, meter = TooEarly(), go.ReplayMeter(cpu_w=50.0)
    study = go.create_study()
    objective = go.green_objective(grid=GRID, meter=meter, trackers=[tracker])(lambda _: (0.5, 1))
    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective, n_trials=1)
    assert not sampler_for(meter).busy
    assert [record.state for record in tracker.finished] == ["failed"]
    study.optimize(objective, n_trials=1)
    measured = [measurement_of(trial) for trial in study.trials]
    assert [one.shared for one in measured if one] == [False, False]


@pytest.mark.parametrize("error", [optuna.TrialPruned(), ZeroDivisionError()])
def test_ctrl_c_while_a_trial_that_failed_is_told_of_leaves_no_run_open(error: Exception) -> None:
    """It is told of once more: that it failed, which is what Optuna makes of it."""
    tracker = Interrupted()

    @go.green_objective(grid=GRID, meter=METER, trackers=[tracker])
    def objective(_: go.GreenTrial) -> object:
        raise error

    study = go.create_study()
    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective, n_trials=1)
    assert tracker.finished[-1].error == "KeyboardInterrupt"
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[0].user_attrs[ATTRIBUTE]["state"] == "failed"


class InterruptedMeter(go.ReplayMeter):
    """A meter whose reading is interrupted by Ctrl-C, once it is told to be."""

    __slots__ = ("pressed",)

    def read(self) -> go.ComponentEnergy:
        """Be interrupted, once."""
        if getattr(self, "pressed", False):
            self.pressed = False
            raise KeyboardInterrupt
        return super().read()


def test_ctrl_c_while_the_window_closes_costs_no_energy() -> None:
    """The function has used it, so the trial that fails keeps it."""
    meter = InterruptedMeter(cpu_w=50.0, sample_interval_s=3600.0)

    @go.green_objective(grid=GRID, meter=meter, trackers=[])
    def objective(_: go.GreenTrial) -> tuple[float, int]:
        meter.pressed = True
        return 0.5, 1

    study = go.create_study()
    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective, n_trials=1)
    measurement = measurement_of(study.trials[0])
    assert measurement is not None
    assert measurement.energy_kwh > 0
    assert not sampler_for(meter).busy


def test_a_trial_that_another_has_ended_is_still_told_of() -> None:
    """A stale heartbeat, say, ended it: the storage takes nothing more, and the trackers do."""
    tracker = go.MemoryTracker()
    study = go.create_study()
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[tracker])

    @objective
    def ended(trial: go.GreenTrial) -> tuple[float, int]:
        study.tell(trial.number, state=TrialState.FAIL)
        return 0.5, 1

    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        ended(study.ask())
    assert tracker.finished[-1].state == "failed"
    assert tracker.finished[-1].measurement is not None


def test_nobody_is_told_of_a_result_that_the_storage_does_not_take() -> None:
    """To Optuna the trial has failed, and so it has to the trackers."""
    tracker, storage = go.MemoryTracker(), FullStorage()
    study = go.create_study(storage=storage)

    @go.green_objective(grid=GRID, meter=METER, trackers=[tracker])
    def objective(_: go.GreenTrial) -> tuple[float, int]:
        storage.full = True
        return 0.5, 1

    with pytest.raises(OSError, match="no space left"):
        study.optimize(objective, n_trials=1)
    assert [record.state for record in tracker.finished] == ["failed"]
    assert tracker.finished[0].measurement is not None
    assert study.trials[0].state == TrialState.FAIL


@pytest.mark.parametrize("trackers", [[], [go.MemoryTracker()]], ids=["no tracker", "a tracker"])
def test_an_objective_of_many_studies_keeps_few_of_them(trackers: list[go.MemoryTracker]) -> None:
    """Each is told of with its last front, and then let go; without trackers, at once."""
    objective = go.green_objective(grid=GRID, meter=METER, trackers=trackers)(lambda _: (0.5, 1))
    storages = []
    for _ in range(KEPT_LOGS + 4):
        study = go.create_study()
        study.optimize(objective, n_trials=1)
        storages.append(weakref.ref(study._storage))
    del study
    gc.collect()
    n_alive = sum(storage() is not None for storage in storages)
    assert n_alive <= (KEPT_LOGS if trackers else 1)
    assert [len(tracker.fronts) for tracker in trackers] == [4] * len(trackers)


def test_without_trackers_no_study_is_begun_anew() -> None:
    """However many others came between: what it had to say of a study is said once."""
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[])(lambda _: (0.5, 1))
    studies = [
        optuna.create_study(directions=["minimize"] * 3, pruner=optuna.pruners.PercentilePruner(9))
        for _ in range(KEPT_LOGS + 4)
    ]
    for study in studies:
        with pytest.warns(UserWarning, match="PercentilePruner, is ignored"):
            study.optimize(objective, n_trials=1)
    # A warning is an error here.
    for study in studies:
        study.optimize(objective, n_trials=1)


def test_a_study_that_comes_back_after_many_others_goes_on() -> None:
    """Its log was ended meanwhile; its next trials are told of all the same."""
    tracker = go.MemoryTracker()
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[tracker])(lambda _: (0.5, 1))
    first = go.create_study("first")
    for study in (first, *(go.create_study() for _ in range(KEPT_LOGS)), first):
        study.optimize(objective, n_trials=1)
    told = [record for record in tracker.finished if record.study_name == "first"]
    assert [record.number for record in told] == [0, 1]
    assert len({record.terms.key for record in told}) == 1


def test_a_study_that_is_loaded_anew_leaves_nothing_behind(sqlite_url: str) -> None:
    """Ask-and-tell with a study loaded for each trial keeps one storage, and one log."""
    tracker = go.MemoryTracker()
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[tracker])(lambda _: (0.5, 1))
    storages = []
    for _ in range(4):
        study = go.create_study("again", storage=sqlite_url)
        trial = study.ask()
        study.tell(trial, objective(trial))
        storages.append(weakref.ref(trial.storage))
    del study, trial
    gc.collect()
    assert [storage() is None for storage in storages] == [True, True, True, False]
    assert len({record.terms.key for record in tracker.finished}) == 1
