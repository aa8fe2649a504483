"""Measuring without a study: the truth comes out, whatever the block or the function does."""

from __future__ import annotations

import functools
import inspect
import logging
import pickle
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import green_optuna as go
from green_optuna.measure import KEPT_RESULTS
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)


def new_meter() -> go.ReplayMeter:
    """Give a machine of 60 W that no other test reads."""
    return go.ReplayMeter(gpu_w=50.0, ram_w=10.0)


class Clock:
    """A clock in s that stands still until a test moves it."""

    now_s = 1000.0

    def __call__(self) -> float:
        """Read the clock."""
        return self.now_s


class FailingMeter(go.ReplayMeter):
    """A machine whose meter can be broken."""

    broken = False

    def read(self) -> go.ComponentEnergy:
        """Fail where that is wanted."""
        if self.broken:
            raise OSError("no such counter")
        return super().read()


class BrokenTracker(go.MemoryTracker):
    """A tracker that can be told nothing."""

    def start_trial(self, trial: go.TrialRecord) -> str:
        """Fail."""
        raise ConnectionError(f"no way to start {trial.number}")

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Fail."""
        raise ConnectionError(f"no way to finish {trial.number}")


class WaitedForTracker(go.MemoryTracker):
    """A tracker that says when it was told of something that runs."""

    def __init__(self, *, flush_interval_s: float) -> None:
        super().__init__(flush_interval_s=flush_interval_s)
        self.told = threading.Event()

    def log_progress(self, trial: go.TrialRecord) -> None:
        """Keep it and say so."""
        super().log_progress(trial)
        self.told.set()


@go.measure(grid=GRID, meter=new_meter())
def doubled(x: int, *, plus: int = 0) -> int:
    """Double a number."""
    return 2 * x + plus


# A block


def test_a_block_is_charged_what_the_machine_used() -> None:
    """100 J a second for 2 s are 200 J, told while the block runs and contained in its result."""
    clock = Clock()
    meter = go.ReplayMeter(gpu_w=90.0, ram_w=10.0, clock=clock)
    with go.measure(grid=GRID, meter=meter) as run:
        before = run.so_far
        clock.now_s += 2.0
        after = run.so_far
    spent_j = joules_from_kwh(after.energy_kwh - before.energy_kwh)
    assert spent_j == pytest.approx(200.0)
    assert after.energy.gpu_kwh == pytest.approx(0.9 * after.energy_kwh)
    assert run.result.energy_kwh == pytest.approx(after.energy_kwh)
    assert run.result.co2e_kg == pytest.approx(run.result.energy_kwh * 0.25 * 1.2)
    assert run.result.duration_s >= after.duration_s >= before.duration_s
    assert len(run.result.trace) >= 1
    assert run.result.trace.energy_kwh[-1] == pytest.approx(run.result.energy_kwh)
    assert (run.result.basis, run.result.shared, run.result.grid) == ("estimated", False, GRID)


def test_a_block_that_raises_is_measured_and_its_exception_passes_through() -> None:
    """The very exception comes out, and the result is there."""
    error = ValueError("mine")
    with (
        pytest.raises(ValueError, match="mine") as caught,
        go.measure(grid=GRID, meter=new_meter()) as run,
    ):
        raise error
    assert caught.value is error
    assert run.ended
    assert run.result.energy_kwh > 0


def test_there_is_no_result_before_the_end() -> None:
    """The error says what there is instead; afterwards, both are the same."""
    with go.measure(grid=GRID, meter=new_meter()) as run:
        with pytest.raises(go.MeterError, match="so_far"):
            _ = run.result
        assert not run.ended
    assert run.so_far == run.result


def test_one_object_measures_one_block_after_another() -> None:
    """Each with a result of its own; a second one meanwhile is refused, and the first goes on."""
    measuring = go.measure(grid=GRID, meter=new_meter())
    with measuring as first, pytest.raises(go.OptionError, match="for each block"), measuring:
        pytest.fail("it was measured")
    with measuring as second:
        pass
    assert first.result.energy_kwh > 0
    assert second.result.trace is not first.result.trace


def test_blocks_inside_one_another_never_count_a_joule_twice() -> None:
    """Both ran at the same time and say so; what passes meanwhile is halved."""
    clock = Clock()
    meter = go.ReplayMeter(ram_w=100.0, clock=clock)
    with go.measure(grid=GRID, meter=meter) as outer, go.measure(grid=GRID, meter=meter) as inner:
        before = outer.so_far.energy_kwh, inner.so_far.energy_kwh
        clock.now_s += 1.0
        after = outer.so_far.energy_kwh, inner.so_far.energy_kwh
    spent_j = [joules_from_kwh(late - early) for early, late in zip(before, after, strict=True)]
    assert spent_j == pytest.approx([50.0, 50.0])
    assert outer.result.shared
    assert inner.result.shared
    with go.measure(grid=GRID, meter=meter) as alone:
        clock.now_s += 1.0
    assert not alone.result.shared


# Where the electricity comes from


def test_the_place_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is when the block begins; without any, the error says what to pass."""
    measuring = go.measure(meter=new_meter())
    with pytest.raises(go.GridError, match="GREEN_OPTUNA_COUNTRY"), measuring:
        pytest.fail("it was measured")
    monkeypatch.setenv("GREEN_OPTUNA_COUNTRY", "FRA")
    with measuring as run:
        pass
    assert run.result.grid == go.Grid(country="FRA")
    with go.measure(country="POL", meter=new_meter()) as run:
        pass
    assert run.result.grid == go.Grid(country="POL")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"country": "XYZ"}, go.GridError),
        ({"country": "FRA", "grid": GRID}, go.GridError),
        ({"country": "FRA", "name": " "}, go.OptionError),
        ({"country": "FRA", "name": 3}, go.OptionError),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_at_once(
    options: dict[str, Any], error: type[Exception]
) -> None:
    """Where it is written, not where the block begins."""
    with pytest.raises(error):
        go.measure(**options)


# What cannot be measured


def test_a_meter_that_cannot_be_read_is_said_before_the_block() -> None:
    """The work is not begun, and the same object works once the meter does."""
    meter = FailingMeter(ram_w=10.0)
    meter.broken = True
    measuring = go.measure(grid=GRID, meter=meter)
    with pytest.raises(OSError, match="no such counter"), measuring:
        pytest.fail("it was begun")
    meter.broken = False
    with measuring as run:
        pass
    assert run.result.energy_kwh > 0


def test_a_meter_that_fails_at_the_end_costs_the_result_and_not_the_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the function returned is returned; the result raises, and the log has said why."""
    meter = FailingMeter(ram_w=10.0)

    @go.measure(grid=GRID, meter=meter)
    def work() -> str:
        meter.broken = True
        return "precious"

    with caplog.at_level(logging.WARNING, logger="green_optuna"):
        assert work() == "precious"
    assert "no such counter" in caplog.text
    with pytest.raises(go.MeterError, match="no such counter") as caught:
        _ = work.result
    assert isinstance(caught.value.__cause__, OSError)
    assert work.results == ()


def test_no_energy_at_all_is_no_result() -> None:
    """A counter that stands still is an error, never a measurement of zero."""
    tracker = go.MemoryTracker()
    with go.measure(grid=GRID, meter=go.ReplayMeter(), trackers=[tracker]) as run:
        pass
    with pytest.raises(go.MeterError, match="counter stands still"):
        _ = run.result
    assert tracker.finished[0].state == "failed"
    assert "counter stands still" in str(tracker.finished[0].error)


# A function


def test_each_call_of_a_decorated_function_is_measured() -> None:
    """It returns what it returns and stays itself to those who look at it."""
    calls = len(doubled.results)
    assert (doubled(3), doubled(3, plus=1)) == (6, 7)
    assert len(doubled.results) == calls + 2
    assert doubled.results[-1] is doubled.result
    assert doubled.result.energy_kwh > 0
    assert doubled.__wrapped__(4) == 8
    assert (repr(doubled), doubled.__doc__) == ("<measured function 'doubled'>", "Double a number.")
    assert list(inspect.signature(doubled).parameters) == ["x", "plus"]


def test_a_function_that_has_not_been_called_has_no_result() -> None:
    """And says so."""
    unused = go.measure(grid=GRID)(len)
    assert unused.results == ()
    with pytest.raises(go.MeterError, match="no call of it has ended"):
        _ = unused.result


def test_a_call_that_raises_is_measured() -> None:
    """The exception comes out, and the call has a result."""

    @go.measure(grid=GRID, meter=new_meter())
    def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert fail.result.energy_kwh > 0


def test_the_latest_results_are_kept() -> None:
    """No more than a hundred: a function may be called for days."""
    step = go.measure(grid=GRID, meter=new_meter())(lambda: None)
    for _ in range(KEPT_RESULTS + 3):
        step()
    assert len(step.results) == KEPT_RESULTS


class Model:
    """A class with measured methods."""

    @go.measure(grid=GRID, meter=new_meter())
    def predict(self, x: int) -> tuple[Model, int]:
        """Say who was called."""
        return self, x

    @classmethod
    @go.measure(grid=GRID, meter=new_meter())
    def make(cls) -> Model:
        """Make one."""
        return cls()

    @staticmethod
    @go.measure(grid=GRID, meter=new_meter())
    def version() -> int:
        """Give a number."""
        return 1


def test_methods_are_measured() -> None:
    """They are bound as methods are, on classes too."""
    # mypy does not know that a class method may wrap a descriptor.
    model = Model.make()  # type: ignore[call-arg]
    assert model.predict(3) == (model, 3)
    assert Model.predict(model, 4) == (model, 4)
    assert model.version() == 1
    assert len(Model.predict.results) == 2
    assert Model.predict.options.name == "Model.predict"


def test_the_bare_decorator_asks_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is called, not when it is imported."""

    @go.measure
    def work() -> int:
        return 3

    with pytest.raises(go.GridError):
        work()
    monkeypatch.setenv("GREEN_OPTUNA_COUNTRY", "FRA")
    assert work() == 3
    assert work.result.grid.country == "FRA"


async def coroutine() -> None:
    """Do nothing, later."""


async def asynchronous() -> AsyncIterator[int]:
    """Give a number, later."""
    yield 1


def generator() -> Iterator[int]:
    """Give a number, when asked."""
    yield 1


class Lazy:
    """An object whose call only begins its work."""

    def __call__(self) -> Iterator[int]:
        """Give a number, when asked."""
        yield 1


@pytest.mark.parametrize(
    "function", [coroutine, asynchronous, generator, Lazy(), functools.partial(coroutine)]
)
def test_a_function_whose_call_only_begins_its_work_is_refused(
    function: Callable[..., object],
) -> None:
    """It would measure nothing; the error says what does."""
    with pytest.raises(go.OptionError, match="inside it"):
        go.measure(grid=GRID)(function)


@pytest.mark.parametrize("thing", [3, "FRA", Model, vars(Model)["make"]])
def test_what_is_no_function_is_refused(thing: Any) -> None:  # noqa: ANN401 - anything
    """A country without its name, say."""
    with pytest.raises(go.OptionError, match="decorates a function"):
        go.measure(thing)


def test_calls_in_threads_and_inside_one_another_have_a_result_each() -> None:
    """They share what the machine used: their sum is no more than that."""
    meter = new_meter()
    together = threading.Barrier(3)

    @go.measure(grid=GRID, meter=meter)
    def work(depth: int) -> int:
        if depth:
            return 1 + work(depth - 1)
        together.wait(timeout=60)
        return 0

    with go.measure(grid=GRID, meter=meter) as around:
        threads = [threading.Thread(target=work, args=(1,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(work.results) == 6
    assert all(result.shared and result.energy_kwh > 0 for result in work.results)
    spent_kwh = around.result.energy_kwh + sum(result.energy_kwh for result in work.results)
    assert spent_kwh <= meter.read().total_kwh


def test_a_decorated_function_pickles_as_a_function_does() -> None:
    """By its name where that leads back to it, else with what it wraps."""
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    other = go.measure(grid=GRID, name="length")(len)
    copy = pickle.loads(pickle.dumps(other))
    assert (copy([1, 2]), copy.options.name, copy.options.grid) == (2, "length", GRID)


# Who is told


def test_trackers_are_told_as_of_a_trial() -> None:
    """When it begins, outside of what is measured, while it runs, and how it ended."""
    tracker = WaitedForTracker(flush_interval_s=0.01)
    measuring = go.measure(grid=GRID, meter=new_meter(), trackers=[tracker], name="told")
    with measuring as run:
        assert [record.state for record in tracker.started] == ["running"]
        assert tracker.told.wait(timeout=60)
    (record,) = tracker.finished
    assert (record.kind, record.study_name, record.number) == ("measurement", "told", 0)
    assert (record.state, record.error, record.params, record.objectives) == (
        *("complete", None),
        *({}, {}),
    )
    assert record.measurement is run.result
    assert record.terms.grid == GRID
    assert record.terms.sources == {"cpu": "replay", "gpu": "replay", "ram": "replay"}
    assert record.run_ids == {"memory": f"{record.terms.key}/0"}
    assert record.live_flushes == len(tracker.progress) >= 1
    running = tracker.progress[0]
    assert running.measurement is not None
    assert (running.state, running.started_at) == ("running", record.started_at)
    assert 0 < running.measurement.energy_kwh <= run.result.energy_kwh
    assert tracker.fronts == []


def test_measurements_of_one_name_are_numbered() -> None:
    """Whoever asks for them in a process, under one key; another name has another."""
    tracker = go.MemoryTracker()
    for name in ("numbered", "other", "numbered"):
        with go.measure(grid=GRID, meter=new_meter(), trackers=[tracker], name=name):
            pass
    first, other, second = tracker.finished
    assert [record.number for record in tracker.finished] == [0, 0, 1]
    assert first.terms.key == second.terms.key != other.terms.key


def test_a_function_gives_its_name_unless_one_is_given() -> None:
    """The qualified one, which tells methods of one name apart."""
    tracker = go.MemoryTracker()
    options: dict[str, Any] = {"grid": GRID, "meter": new_meter(), "trackers": [tracker]}
    go.measure(**options)(doubled.function)(1)
    go.measure(**options, name="twice")(doubled.function)(1)
    with go.measure(**options):
        pass
    assert [one.study_name for one in tracker.finished] == ["doubled", "twice", "measurement"]


def test_how_a_block_ended_is_told() -> None:
    """Failed with its error; a script that is done may say so with sys.exit()."""
    tracker = go.MemoryTracker()
    measuring = go.measure(grid=GRID, meter=new_meter(), trackers=[tracker])
    for error in (ValueError("mine"), SystemExit(0), SystemExit(3), KeyboardInterrupt()):
        with pytest.raises(type(error)), measuring:
            raise error
    assert [(record.state, record.error) for record in tracker.finished] == [
        ("failed", "ValueError: mine"),
        ("complete", None),
        ("failed", "SystemExit: 3"),
        ("failed", "KeyboardInterrupt"),
    ]
    assert all(record.measurement is not None for record in tracker.finished)


def test_a_trackers_trouble_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, however often the function is called, and the results are there."""
    work = go.measure(grid=GRID, meter=new_meter(), trackers=[BrokenTracker()])(doubled.function)
    with caplog.at_level(logging.WARNING, logger="green_optuna"):
        assert [work(1), work(2)] == [2, 4]
    assert len(caplog.records) == 1
    assert "no way to start" in caplog.text
    assert len(work.results) == 2


def test_two_trackers_of_one_name_are_refused() -> None:
    """Each record says which run is whose."""
    trackers = [go.MemoryTracker(), go.MemoryTracker()]
    measuring = go.measure(grid=GRID, meter=new_meter(), trackers=trackers)
    with pytest.raises(go.OptionError, match="name of its own"), measuring:
        pytest.fail("it was measured")


def test_no_study_is_made() -> None:
    """Nothing waits for the process to end, and the trackers hear of no study."""

    class Knows(go.MemoryTracker):
        def end_study(self, study_name: str, terms: go.StudyTerms) -> None:
            raise AssertionError((study_name, terms))

    tracker = Knows()
    with go.measure(grid=GRID, meter=new_meter(), trackers=[tracker]):
        pass
    assert len(tracker.finished) == 1


def test_the_function_is_the_packages_and_the_module_can_be_imported() -> None:
    """Both are called measure; the name in the package is the function."""
    assert callable(go.measure)
    assert sys.modules["green_optuna.measure"].measure is go.measure
