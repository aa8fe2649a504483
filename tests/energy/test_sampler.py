"""Windows get what was used while they were open: no more, no less, and nothing twice.

The accounts are driven by hand, on a clock that a test moves; a test at the end runs the
sampler with its thread and others on the real clock.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.carbon import Grid
from green_optuna.energy import (
    ComponentEnergy,
    Measurement,
    MeterOptions,
    ReplayMeter,
    Sampler,
    sampler_for,
)
from green_optuna.energy.charge import Charge
from green_optuna.energy.own_time import OwnTime
from green_optuna.energy.readings import Readings
from green_optuna.errors import MeterError, OptionError
from green_optuna.units import joules_from_kwh, kwh_from_joules

from .clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.energy import Source, Trace, Window
    from green_optuna.energy.process import ThreadClock

GRID = Grid(carbon_intensity_g_per_kwh=50.0)
GUARD_S = 0.0625  # a sum of powers of two, so that times add up exactly
STEPS = [(0.0, 10.0), (3.0, 110.0), (5.0, 0.0), (9.0, 40.0)]


@dataclass(slots=True)
class BrokenMeter:
    """A meter that delivers given readings of the processor in kWh; an exception is raised."""

    readings: list[float | Exception]
    min_interval_s: float = 0.0
    sample_interval_s: float = 1.0
    sources: dict[str, Source] = field(default_factory=dict)
    reads: int = 0

    def start(self) -> None:
        """Do nothing."""

    def read(self) -> ComponentEnergy:
        """Deliver the next reading; the last one again and again."""
        self.reads += 1
        reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if isinstance(reading, Exception):
            raise reading
        return ComponentEnergy(cpu_kwh=reading)

    def stop(self) -> None:
        """Do nothing."""


class Host:
    """A machine in slow motion: readings on a fake clock, taken as the sampler's thread would.

    Args:
        watts: Power of each component.
        guard_s: The meter's shortest interval.
        sample_interval_s: Time between two points of a trace.
        cores: How many cores the process keeps busy, which moves its CPU clock.
    """

    def __init__(
        self,
        watts: float | Sequence[tuple[float, float]],
        *,
        guard_s: float = GUARD_S,
        sample_interval_s: float = 1.0,
        cores: float = 0.0,
    ) -> None:
        self.clock = FakeClock()
        self.began_at_s = self.clock.now_s
        self.meter = ReplayMeter(
            cpu_w=watts,
            gpu_w=watts,
            ram_w=watts,
            min_interval_s=guard_s,
            sample_interval_s=sample_interval_s,
            clock=self.clock,
        )
        self.readings = Readings(
            self.meter, clock=self.clock, cpu_clock=lambda: cores * self.clock.now_s
        )
        self.readings.start()

    def wait(self, s: float) -> None:
        """Let time pass, reading when a reading is wanted."""
        until_s = self.clock.now_s + s
        while (wanted_at_s := self.readings.wanted_at_s) is not None and wanted_at_s <= until_s:
            self.clock.now_s = wanted_at_s
            assert self.readings.take_if_due()
        self.clock.now_s = until_s

    def open(self) -> Window:
        """Open a window."""
        return self.readings.open()

    def close(self, *windows: Window) -> list[ComponentEnergy]:
        """End windows at one moment; give the energy of each."""
        energies = []
        for window in windows:
            ended_at_s = self.readings.end(window)
            if not self.readings.settle(ended_at_s):
                self.wait(self.readings.due_at_s - self.clock.now_s)
                assert self.readings.settle(ended_at_s)
            window.chart(ended_at_s)
            energies.append(window.energy)
        return energies

    def joules(self, from_s: float, to_s: float) -> float:
        """The energy of one component between two times since the start, in J."""
        return self.meter.joules_at(to_s)["cpu"] - self.meter.joules_at(from_s)["cpu"]


def assert_joules(energy: ComponentEnergy, joules: float, *, within: float = 0.0) -> None:
    """Hold that each component has so many J."""
    for kwh in energy.to_dict().values():
        assert joules_from_kwh(kwh) == pytest.approx(joules, rel=1e-9, abs=within + 1e-9)


def rows(window: Window) -> Trace:
    """The trace of a window."""
    return window.measurement(1.0, grid=GRID, sources={}).trace


def test_a_constant_power_gives_power_times_duration() -> None:
    """40 W for 2.5 s are 100 J in each component, and none of what came before."""
    host = Host(40.0)
    host.wait(7.0)
    window = host.open()
    host.wait(2.5)
    assert_joules(host.close(window)[0], 100.0)


def test_steps_of_power_are_integrated_between_the_boundaries() -> None:
    """From 2 s to 6 s on the steps: 1 s of 10 W, 2 s of 110 W, 1 s of 0 W."""
    host = Host(STEPS)
    host.wait(2.0)
    window = host.open()
    host.wait(4.0)
    assert_joules(host.close(window)[0], 230.0)


def test_a_window_that_opens_too_soon_for_a_reading_gets_its_part_of_the_interval() -> None:
    """Opened and closed within the guard of a reading, it gets constant power x its duration."""
    host = Host(80.0)
    host.wait(GUARD_S / 4)
    window = host.open()
    host.wait(GUARD_S / 2)
    assert_joules(host.close(window)[0], 80.0 * GUARD_S / 2)


def test_a_reading_follows_a_late_opening_as_soon_as_it_can() -> None:
    """An opening within the guard wants a reading at its end, not a sample interval later."""
    host = Host(80.0)
    host.wait(GUARD_S / 4)
    host.open()
    assert host.readings.wanted_at_s == host.began_at_s + GUARD_S
    host.wait(GUARD_S)
    assert host.readings.wanted_at_s == host.began_at_s + GUARD_S + 1.0


def test_a_reading_is_never_wanted_before_it_can_be_had() -> None:
    """A sample interval shorter than the guard does not keep the thread busy in vain."""
    host = Host(80.0, sample_interval_s=GUARD_S / 8)
    host.wait(2 * GUARD_S)
    host.open()
    assert host.readings.wanted_at_s == host.readings.due_at_s == host.clock.now_s + GUARD_S


def test_two_windows_share_the_time_that_they_have_in_common() -> None:
    """Alone 1 s, together 2 s, the other alone 3 s, at 60 W: 60 + 60 J and 60 + 180 J."""
    host = Host(60.0)
    first = host.open()
    host.wait(1.0)
    second = host.open()
    host.wait(2.0)
    (energy,) = host.close(first)
    assert_joules(energy, 120.0)
    host.wait(3.0)
    assert_joules(host.close(second)[0], 240.0)
    assert first.shared
    assert second.shared


def test_three_windows_share_evenly() -> None:
    """Three trials of the same time get a third each."""
    host = Host(90.0)
    windows = [host.open() for _ in range(3)]
    host.wait(2.0)
    for energy in host.close(*windows):
        # Two of them end within the guard after the first, at the same moment.
        assert_joules(energy, 60.0, within=90.0 * GUARD_S)


def test_a_window_alone_is_not_shared() -> None:
    """Trials one after the other do not mark each other as shared."""
    host = Host(60.0)
    first = host.open()
    host.wait(1.0)
    host.close(first)
    second = host.open()
    host.wait(1.0)
    host.close(second)
    assert not first.shared
    assert not second.shared


def test_within_one_interval_cpu_time_decides_on_the_processors_energy() -> None:
    """Of an interval of 2 ticks with 3 CPU seconds in the first, a trial in it gets all."""
    clock, cpu_clock = FakeClock(), FakeClock()
    meter = ReplayMeter(cpu_w=8.0, gpu_w=8.0, min_interval_s=2.0, clock=clock)
    readings = Readings(meter, clock=clock, cpu_clock=cpu_clock)
    window = readings.open()
    clock.now_s += 1.0
    cpu_clock.now_s += 3.0
    ended_at_s = readings.end(window)
    clock.now_s += 1.0
    assert readings.settle(ended_at_s)
    assert window.energy.cpu_kwh == pytest.approx(kwh_from_joules(16.0))
    assert window.energy.gpu_kwh == pytest.approx(kwh_from_joules(8.0))


def test_what_is_excluded_is_charged_to_no_window() -> None:
    """Of 4 CPU seconds, 3 were a tracker's, which leaves a quarter; memory goes by time."""
    clock, cpu_clock = FakeClock(), FakeClock()
    meter = ReplayMeter(cpu_w=8.0, ram_w=8.0, clock=clock)
    readings = Readings(meter, clock=clock, cpu_clock=cpu_clock)
    window = readings.open()
    clock.now_s += 1.0
    cpu_clock.now_s += 4.0
    readings.own_time.add(3.0)
    assert readings.settle(readings.end(window))
    assert window.energy.cpu_kwh == pytest.approx(kwh_from_joules(2.0))
    assert window.energy.ram_kwh == pytest.approx(kwh_from_joules(8.0))


def test_work_of_ours_is_taken_off_while_it_runs_and_not_from_who_runs_at_its_end() -> None:
    """Beside 4 s of a tracker's work, two trials of 1 s each on a core of their own get the same.

    Taken off at its end, all 4 s would fall on the second trial, which would have used nothing.
    """
    clock, cpu_clock, tracker_s = FakeClock(), FakeClock(), 0.0
    meter = ReplayMeter(cpu_w=8.0, clock=clock)
    readings = Readings(meter, clock=clock, cpu_clock=cpu_clock)
    readings.own_time = OwnTime(lambda: lambda: tracker_s)
    readings.start()
    spent = []

    def work(s: float, *, trial: bool) -> None:
        nonlocal tracker_s
        clock.now_s += s
        tracker_s += s
        cpu_clock.now_s += 2 * s if trial else s

    thread = threading.Thread(target=readings.own_time.begin)
    thread.start()
    thread.join()
    for _ in range(2):
        window = readings.open()
        work(1.0, trial=True)
        assert readings.settle(readings.end(window))
        spent.append(joules_from_kwh(window.energy.cpu_kwh))
        work(1.0, trial=False)
    assert spent == [pytest.approx(4.0)] * 2


def test_work_of_ours_within_other_work_of_ours_counts_once() -> None:
    """A reading taken while a pruner is asked is no second time off the trial's."""
    shown_s = 0.0
    own_time = OwnTime(lambda: lambda: shown_s)
    own_time.begin()
    shown_s = 1.0
    own_time.begin()
    own_time.add(0.5)
    shown_s = 2.0
    own_time.end()
    own_time.end()
    shown_s = 5.0
    assert own_time.take_s() == pytest.approx(2.0)
    assert own_time.by_thread_s == {threading.get_ident(): pytest.approx(2.0)}
    own_time.add(0.5)
    assert own_time.take_s() == pytest.approx(0.5)


def test_the_blocks_of_two_threads_count_side_by_side_and_nested_ones_once() -> None:
    """Real threads, real clocks: nothing of them is charged, and the block's end ends it."""
    sampler = Sampler(ReplayMeter(cpu_w=1.0))
    own_time = sampler._readings.own_time

    def work() -> None:
        with sampler.excluded():
            with sampler.excluded():
                burn(0.05)
            assert own_time.counts_this_thread
            burn(0.05)
        assert not own_time.counts_this_thread
        burn(0.05)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used_s = own_time.take_s()
    assert 0.2 <= used_s < 0.3


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="not told on this platform")
def test_another_threads_time_can_be_told_while_it_runs() -> None:
    """What a tracker has used so far is known before it is done, and its end adds the rest."""
    own_time, begun, go_on = OwnTime(), threading.Event(), threading.Event()

    def work() -> None:
        own_time.begin()
        burn(0.05)
        begun.set()
        assert go_on.wait(60)
        burn(0.05)
        own_time.end()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    assert own_time.take_s() >= 0.05
    go_on.set()
    thread.join()
    assert own_time.take_s() >= 0.05
    assert own_time.take_s() == 0.0


def test_a_window_that_opens_amid_work_of_ours_is_charged_and_the_work_goes_on_after_it() -> None:
    """A tracker may measure a block of its own: 1 s of ours, 1 s of its block, 1 s of ours."""
    clock, cpu_clock = FakeClock(), FakeClock()
    meter = ReplayMeter(cpu_w=8.0, clock=clock)
    readings = Readings(meter, clock=clock, cpu_clock=cpu_clock)
    readings.own_time = OwnTime(lambda: cpu_clock)
    outer = readings.open()

    def work() -> None:
        clock.now_s += 1.0
        cpu_clock.now_s += 1.0

    readings.own_time.begin()
    work()
    inner = readings.open()
    assert not readings.own_time.counts_this_thread
    work()
    assert readings.settle(readings.end(inner))
    assert readings.own_time.counts_this_thread
    work()
    assert readings.own_time.end()
    work()
    assert readings.settle(readings.end(outer))
    # The second beside the inner one is shared evenly: nothing says whose it was.
    spent = [joules_from_kwh(window.energy.cpu_kwh) for window in (inner, outer)]
    assert spent == [pytest.approx(4.0), pytest.approx(12.0)]


def test_a_window_that_another_thread_closes_makes_that_one_none_of_ours() -> None:
    """Else its whole life would be charged to nobody."""
    readings = Readings(ReplayMeter(cpu_w=1.0), clock=FakeClock(), cpu_clock=FakeClock())
    readings.own_time.begin()
    window = readings.open()
    counted = []

    def close() -> None:
        readings.end(window)
        counted.append(readings.own_time.counts_this_thread)

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert counted == [False]


def test_ctrl_c_while_work_of_ours_ends_leaves_no_thread_ours() -> None:
    """It may come while the block waits for the lock; the user's loop may go on after it."""
    sampler = Sampler(ReplayMeter(cpu_w=1.0))

    class Interrupted(threading.Condition):
        n_entered = 0

        def __enter__(self) -> bool:
            self.n_entered += 1
            if self.n_entered == 2:
                raise KeyboardInterrupt
            return super().__enter__()

    sampler._condition = Interrupted()
    with pytest.raises(KeyboardInterrupt), sampler.excluded():
        assert sampler._readings.own_time.counts_this_thread
    assert not sampler._readings.own_time.counts_this_thread


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_has_forgotten_what_its_parent_was_about() -> None:
    """What it does is its own, although it was forked amid work of ours."""
    sampler = Sampler(ReplayMeter(cpu_w=1.0))
    with sampler.excluded():
        pid = os.fork()
        if not pid:
            os._exit(sampler._readings.own_time.counts_this_thread)
        assert sampler._readings.own_time.counts_this_thread
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_trial_beside_another_does_not_pay_for_work_of_ours_in_its_thread() -> None:
    """Of 3 CPU seconds of its thread, 2 were a tracker's: it used as much as the other."""
    clock, cpu_clock = FakeClock(), FakeClock()
    threads = {name: FakeThread(ident) for ident, name in enumerate("ab")}
    opening = iter(threads.values())
    readings = Readings(
        ReplayMeter(cpu_w=8.0, clock=clock),
        clock=clock,
        cpu_clock=cpu_clock,
        thread_clock=lambda: cast("ThreadClock", next(opening)),
    )
    windows = [readings.open(), readings.open()]
    clock.now_s += 4.0
    cpu_clock.now_s += 4.0
    threads["a"].used_s, threads["b"].used_s = 3.0, 1.0
    readings.own_time.total_s += 2.0
    readings.own_time.by_thread_s[threads["a"].ident] += 2.0
    assert readings.take_if_due()
    spent = [joules_from_kwh(window.energy.cpu_kwh) for window in windows]
    assert spent == [pytest.approx(8.0)] * 2


@dataclass(slots=True)
class FakeThread:
    """The clock of a thread that a test moves."""

    ident: int
    used_s: float = 0.0

    def cpu_s(self) -> float:
        """Read it."""
        return self.used_s


def burn(cpu_s: float) -> None:
    """Use so much CPU time of this thread, in s."""
    began_s = time.thread_time()
    while time.thread_time() - began_s < cpu_s:
        sum(range(1000))


def test_a_trial_that_waits_pays_for_all_but_the_readings() -> None:
    """Of 100 W at idle, 3 ms a second go to the meter itself, and no more."""
    clock, cpu_clock = FakeClock(), FakeClock()
    readings = Readings(ReplayMeter(cpu_w=100.0, clock=clock), clock=clock, cpu_clock=cpu_clock)
    window = readings.open()
    for _ in range(5):
        clock.now_s += 1.0
        cpu_clock.now_s += 0.003
        readings.own_time.add(0.003)
        assert readings.take_if_due()
    readings.end(window)
    assert window.energy.cpu_kwh == pytest.approx(kwh_from_joules(500.0 * 0.997))


pauses = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), min_size=1, max_size=25)
powers = st.lists(st.floats(0.0, 200.0), min_size=1, max_size=6)


@dataclass(slots=True)
class Replayed:
    """What windows were open when, in s since the start, and what they were credited with."""

    host: Host
    windows: list[tuple[float, float, ComponentEnergy]]
    intervals: list[tuple[float, int]]

    def expected_j(self, opened_s: float, closed_s: float) -> float:
        """The even share of the machine's energy between two times, by integration."""
        joules = 0.0
        for (start_s, n_open), (end_s, _) in itertools.pairwise(self.intervals):
            if start_s >= opened_s and end_s <= closed_s and n_open:
                joules += self.host.joules(start_s, end_s) / n_open
        return joules


def replay(schedule: list[tuple[int, int]], watts: list[float], *, cores: float) -> Replayed:
    """Open and close windows on a machine whose power steps every 2 s."""
    return replay_on(Host([(2.0 * i, w) for i, w in enumerate(watts)], cores=cores), schedule)


def replay_on(host: Host, schedule: list[tuple[int, int]]) -> Replayed:
    """Open and close up to six windows as scheduled, after pauses in eighths of a guard."""
    live: dict[int, tuple[Window, float]] = {}
    replayed = Replayed(host, [], [(0.0, 0)])

    def close(slot: int) -> None:
        window, opened_s = live.pop(slot)
        closed_s = host.clock.now_s - host.began_at_s
        replayed.intervals.append((closed_s, len(live)))
        (energy,) = host.close(window)
        replayed.windows.append((opened_s, closed_s, energy))

    for slot, pause in schedule:
        host.wait(pause * GUARD_S / 8)
        if slot in live:
            close(slot)
        else:
            live[slot] = (host.open(), host.clock.now_s - host.began_at_s)
            replayed.intervals.append((host.clock.now_s - host.began_at_s, len(live)))
    for slot in list(live):
        close(slot)
    return replayed


@given(pauses, powers, st.sampled_from([0.0, 1.0]))
def test_a_window_gets_its_own_energy_within_the_bound_of_interpolation(
    schedule: list[tuple[int, int]], watts: list[float], cores: float
) -> None:
    """Each window's energy is its even share, within g/4 x the span of powers a boundary.

    A boundary within the guard g of a reading cuts an interval of length g. There, a part of
    length o is credited with o/g of the energy; the power varies by at most the span P, so
    that errs by at most o (g - o) / g x P <= g P / 4. Outside those intervals nothing errs:
    what was used before a window or after it is never in it.
    """
    replayed = replay(schedule, watts, cores=cores)
    boundaries = [at_s for at_s, _ in replayed.intervals]
    for opened_s, closed_s, energy in replayed.windows:
        near = [at_s for at_s in boundaries if opened_s - GUARD_S <= at_s <= closed_s + GUARD_S]
        bound_j = len(near) * GUARD_S / 4 * (max(watts) - min(watts))
        assert_joules(energy, replayed.expected_j(opened_s, closed_s), within=bound_j)


@given(pauses, powers, st.sampled_from([0.0, 1.0]))
def test_windows_never_sum_to_more_than_the_machine(
    schedule: list[tuple[int, int]], watts: list[float], cores: float
) -> None:
    """Whatever opens and closes when, no joule is credited that the machine did not use."""
    replayed = replay(schedule, watts, cores=cores)
    host = replayed.host
    machine_j = host.joules(0.0, host.clock.now_s - host.began_at_s)
    credited_j = math.fsum(joules_from_kwh(energy.ram_kwh) for _, _, energy in replayed.windows)
    assert credited_j <= machine_j * (1 + 1e-9) + 1e-9


@given(pauses, powers, st.sampled_from([0.0, 1.0]))
def test_all_windows_sum_to_the_machine_where_one_is_always_open(
    schedule: list[tuple[int, int]], watts: list[float], cores: float
) -> None:
    """With a window that is open throughout, all energy is credited, and only once."""
    host = Host([(2.0 * i, w) for i, w in enumerate(watts)], cores=cores)
    always = host.open()
    others = replay_on(host, schedule).windows
    host.wait(2 * GUARD_S)
    (energy,) = host.close(always)
    machine_j = host.joules(0.0, host.clock.now_s - host.began_at_s)
    credited_kwh = math.fsum([energy.cpu_kwh, *(other.cpu_kwh for _, _, other in others)])
    assert joules_from_kwh(credited_kwh) == pytest.approx(machine_j, rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=30), powers)
def test_the_trace_sums_to_the_energy(pauses: list[tuple[int, bool]], watts: list[float]) -> None:
    """Power times span sums to the energy; times increase, and energies never decrease."""
    host = Host([(2.0 * i, w) for i, w in enumerate(watts)])
    window, other = host.open(), None
    for pause, toggle in pauses:
        host.wait(pause * GUARD_S)
        if toggle and other is None:
            other = host.open()
        elif toggle and other is not None:
            host.close(other)
            other = None
    (energy,) = host.close(window)
    trace = rows(window)
    spans_s = np.diff(trace.t_s, prepend=0.0)
    assert (spans_s > 0).all()
    assert (np.diff(trace.energy_kwh, prepend=0.0) >= 0).all()
    assert trace.energy_kwh[-1] == pytest.approx(energy.total_kwh, rel=1e-9)
    # The machine of these tests draws the same in each component.
    for power_w in (trace.cpu_w, trace.gpu_w, trace.ram_w):
        joules = float((power_w * spans_s).sum())
        assert joules == pytest.approx(joules_from_kwh(energy.cpu_kwh), rel=1e-9, abs=1e-9)
    powers_w = trace.cpu_w + trace.gpu_w + trace.ram_w
    spent_kwh = [kwh_from_joules(j) for j in np.cumsum(powers_w * spans_s)]
    assert trace.energy_kwh.tolist() == pytest.approx(spent_kwh, rel=1e-9, abs=1e-15)


def test_the_trace_has_a_point_each_sample_interval_and_one_at_the_end() -> None:
    """3.25 s at an interval of 1 s give points at 1, 2, 3 and 3.25 s, with the power of each."""
    host = Host([(0.0, 10.0), (1.0, 20.0), (2.0, 30.0), (3.0, 40.0)])
    window = host.open()
    host.wait(3.25)
    host.close(window)
    trace = rows(window)
    # The first reading follows the opening within a guard; the rest keep their distance.
    assert trace.t_s.tolist() == pytest.approx([1.0, 2.0, 3.0, 3.25], abs=2 * GUARD_S)
    assert trace.gpu_w.tolist() == pytest.approx([10.0, 20.0, 30.0, 40.0], rel=0.07)


def test_boundaries_of_others_do_not_crowd_the_trace() -> None:
    """Points are at least half a sample interval apart, however many trials come and go."""
    host = Host(50.0)
    window = host.open()
    for _ in range(20):
        other = host.open()
        host.wait(0.125)
        host.close(other)
    host.close(window)
    assert np.diff(rows(window).t_s, prepend=0.0)[:-1].min() >= 0.5


def hold_still(meter: ReplayMeter | BrokenMeter, clock: FakeClock) -> Sampler:
    """A sampler whose thread has nothing to do while a test runs: it would read in 1000 s."""
    meter.sample_interval_s = 1000.0
    return Sampler(meter, clock=clock, cpu_clock=lambda: 0.0)


def test_so_far_is_the_energy_up_to_now() -> None:
    """An open window tells what it has used, in the time that it is open."""
    clock = FakeClock()
    sampler = hold_still(ReplayMeter(cpu_w=36.0, clock=clock), clock)
    window = sampler.open()
    clock.now_s += 10.0
    so_far = sampler.so_far(window, GRID)
    assert so_far.duration_s == 10.0
    assert so_far.energy_kwh == pytest.approx(kwh_from_joules(360.0))
    clock.now_s += 10.0
    assert sampler.close(window, GRID).energy_kwh == pytest.approx(kwh_from_joules(720.0))


def test_so_far_does_not_wait_for_the_guard() -> None:
    """Asked again within the guard, it gives the energy of the latest reading."""
    clock = FakeClock()
    sampler = hold_still(ReplayMeter(cpu_w=36.0, min_interval_s=5.0, clock=clock), clock)
    window = sampler.open()
    clock.now_s += 10.0
    first = sampler.so_far(window, GRID)
    clock.now_s += 1.0
    again = sampler.so_far(window, GRID)
    assert again.energy == first.energy
    assert again.duration_s == 11.0


def test_a_measurement_says_what_and_where_it_was() -> None:
    """The result carries the grid, the meter's sources and a duration by the sampler's clock."""
    clock = FakeClock()
    meter = ReplayMeter(cpu_w=36.0, clock=clock)
    sampler = hold_still(meter, clock)
    window = sampler.open()
    clock.now_s += 100.0
    measurement = sampler.close(window, GRID)
    assert measurement.duration_s == 100.0
    assert measurement.grid == GRID
    assert measurement.sources == meter.sources
    assert measurement.basis == "estimated"
    assert not measurement.shared
    assert measurement.mean_power_w == pytest.approx(36.0)


def test_what_starting_takes_is_charged_to_no_window() -> None:
    """A meter that needs 3 s to start does not charge them to the first trial."""
    clock = FakeClock()

    @dataclass
    class SlowMeter(ReplayMeter):
        def start(self) -> None:
            ReplayMeter.start(self)
            clock.now_s += 3.0

    sampler = hold_still(SlowMeter(cpu_w=100.0, clock=clock), clock)
    window = sampler.open()
    clock.now_s += 1.0
    assert sampler.close(window, GRID).energy_kwh == pytest.approx(kwh_from_joules(100.0))


def test_a_meter_that_fails_at_the_end_fails_the_trial_and_not_the_next() -> None:
    """The closing trial gets the error; the energy of its time goes to no other."""
    clock = FakeClock()
    meter = BrokenMeter([1.0, 1.0, MeterError("no answer"), 5.0, 7.0])
    sampler = hold_still(meter, clock)
    first = sampler.open()
    clock.now_s += 1.0
    with pytest.raises(MeterError, match="no answer"):
        sampler.close(first, GRID)
    second = sampler.open()
    clock.now_s += 1.0
    assert sampler.close(second, GRID).energy_kwh == pytest.approx(2.0)


@pytest.mark.parametrize("reading", [0.5, math.nan, math.inf])
def test_an_impossible_reading_is_an_error(reading: float) -> None:
    """A total that falls, or is no finite number, makes no energy: the error names both."""
    clock = FakeClock()
    sampler = hold_still(BrokenMeter([1.0, 1.0, reading]), clock)
    window = sampler.open()
    clock.now_s += 1.0
    with pytest.raises(MeterError, match=rf"cpu went from 1\.0 to {reading} kWh"):
        sampler.close(window, GRID)


def test_a_meter_that_cannot_be_read_opens_no_window() -> None:
    """The error of a meter's first reading comes out of open, and of every try after it."""
    sampler = hold_still(BrokenMeter([MeterError("no counter")]), FakeClock())
    for _ in range(2):
        with pytest.raises(MeterError, match="no counter"):
            sampler.open()


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds that another thread brings about."""
    deadline_s = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen within 30 s"
        time.sleep(0.002)


@pytest.mark.parametrize("error", [MeterError("no answer"), OSError("bus error")])
def test_an_error_in_the_thread_is_raised_where_the_trial_ends(error: Exception) -> None:
    """The sampler's thread survives a reading that fails, and a trial's close then raises."""
    meter = BrokenMeter([1.0, 1.0, error], sample_interval_s=0.005)
    sampler = Sampler(meter)
    window = sampler.open()
    reads = meter.reads
    until(lambda: meter.reads >= reads + 3)
    with pytest.raises(type(error), match=str(error)):
        sampler.close(window, GRID)


def test_the_thread_charts_a_running_trial() -> None:
    """While a trial runs, its trace grows without anybody asking."""
    sampler = Sampler(ReplayMeter(cpu_w=50.0, sample_interval_s=0.01))
    window = sampler.open()
    seen = threading.Event()

    def look() -> bool:
        # A measurement taken now without a new reading: only what the thread has charted.
        if len(rows(window)) >= 3:
            seen.set()
        return seen.is_set()

    until(look)
    assert sampler.close(window, GRID).energy_kwh > 0


def run_trials(
    sampler: Sampler,
    results: list[tuple[float, float, Measurement]],
    all_open: threading.Barrier,
) -> None:
    """Measure four trials of some 200 ms one after the other, with their wall-clock bounds."""
    for _ in range(4):
        began_s = time.perf_counter()
        window = sampler.open()
        # Also where the machine lets a thread wait for long, each runs beside others.
        all_open.wait()
        sum(range(100_000))
        time.sleep(0.2)
        measurement = sampler.close(window, GRID)
        ended_s = window.started_at_s + measurement.duration_s
        assert window.started_at_s >= began_s
        results.append((window.started_at_s, ended_s, measurement))


def union_s(spans: list[tuple[float, float]]) -> float:
    """The length of the union of spans of time."""
    total_s, reached_s = 0.0, -math.inf
    for start_s, end_s in sorted(spans):
        total_s += max(0.0, end_s - max(start_s, reached_s))
        reached_s = max(reached_s, end_s)
    return total_s


def test_trials_in_threads_sum_to_what_the_machine_used() -> None:
    """Four threads with four trials each: their sum is the energy of the union of their times.

    The meter answers for the moment at which it is asked, however long its thread then waits for
    a processor; it has no guard, and is read at each boundary.
    """
    asked_at_s = 0.0

    def clock() -> float:
        nonlocal asked_at_s
        asked_at_s = time.perf_counter()
        return asked_at_s

    meter = ReplayMeter(gpu_w=1000.0, sample_interval_s=0.01, clock=lambda: asked_at_s)
    sampler = Sampler(meter, clock=clock)
    sampler.start()
    began_s = time.perf_counter()
    results: list[tuple[float, float, Measurement]] = []
    all_open = threading.Barrier(4, timeout=60)
    threads = [
        threading.Thread(target=run_trials, args=(sampler, results, all_open)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    machine_j = 1000.0 * (time.perf_counter() - began_s)
    sum_j = math.fsum(joules_from_kwh(one.energy_kwh) for _, _, one in results)
    assert len(results) == 16
    assert all(one.shared and one.energy_kwh > 0 for _, _, one in results)
    assert sum_j <= machine_j
    assert sum_j == pytest.approx(1000.0 * union_s([(a, b) for a, b, _ in results]))


def test_a_meter_has_one_sampler_in_a_process() -> None:
    """Two studies on the same meter share its sampler, and another meter has another."""
    meter = ReplayMeter(cpu_w=1.0)
    assert sampler_for(meter) is sampler_for(meter)
    assert sampler_for(meter) is not sampler_for(ReplayMeter(cpu_w=1.0))


def test_the_rate_of_the_trace_makes_no_second_meter() -> None:
    """Two trackers of CodeCarbon would each count all; the finer rate serves both."""
    coarse = sampler_for(MeterOptions(sample_interval_s=2.0, ram_power_w=7.0))
    fine = sampler_for(MeterOptions(sample_interval_s=0.5, ram_power_w=7.0))
    again = sampler_for(MeterOptions(sample_interval_s=2.0, ram_power_w=7.0))
    assert coarse is fine is again
    assert fine.meter.sample_interval_s == 0.5


def test_two_meters_never_count_the_same_energy_at_once() -> None:
    """The second is refused while the first has a window open, and not a moment longer."""
    first, second = (sampler_for(MeterOptions(ram_power_w=watts)) for watts in (8.0, 9.0))
    window = first.open()
    with pytest.raises(OptionError, match=r"ram_power_w=8\.0.*ram_power_w=9\.0"):
        second.open()
    assert first.close(window, GRID).energy_kwh > 0
    assert second.close(second.open(), GRID).energy_kwh > 0


@dataclass(slots=True)
class InterruptedMeter(BrokenMeter):
    """A meter of a shared machine, at which Ctrl-C comes as the first window opens."""

    interrupted: bool = False

    def set_running(self, running: int) -> None:  # noqa: ARG002 - as the protocol has it
        """Be interrupted, the first time."""
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt

    def read_charge(self) -> Charge:
        """Deliver the next reading, of what stands by."""
        return Charge(standing=BrokenMeter.read(self))


def test_a_window_whose_opening_was_interrupted_shares_with_nobody() -> None:
    """Nobody will ever close it: after Ctrl-C, the next trial has all of its energy."""
    sampler = Sampler(InterruptedMeter([0.0, 0.0, 0.0, 1.0]))
    with pytest.raises(KeyboardInterrupt):
        sampler.open()
    assert not sampler.busy
    measurement = sampler.close(sampler.open(), GRID)
    assert measurement.energy.cpu_kwh == pytest.approx(1.0)
    assert not measurement.shared
