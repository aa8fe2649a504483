"""The readings of one meter, and who ran between them: accounts that neither wait nor lock.

What needs a thread, a lock or a pause is in :mod:`green_optuna.energy.sampler`; what is
reckoned is here, so that it can be driven by hand with a clock of one's own.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from green_optuna.energy.charge import Charge
from green_optuna.energy.measurement import ComponentEnergy
from green_optuna.energy.meter import SharedMeter
from green_optuna.energy.own_time import OwnTime
from green_optuna.energy.sharing import Interval, Segment, share
from green_optuna.energy.window import Window
from green_optuna.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.energy.meter import Meter
    from green_optuna.energy.process import ThreadClock

# What passes between two trials is their study's, and a night between them is not: of a longer
# pause, so many s are counted.
MAX_GAP_S = 60.0


class Readings:
    """What a meter has read, shared out among the windows that were open meanwhile.

    For one thread at a time.

    Args:
        meter: The meter; :meth:`start` starts it.
        clock: Gives the time in s.
        cpu_clock: Gives the CPU time that this process and its children have used, in s.
        thread_clock: Gives a clock of the CPU time of the thread that asks for it; where there
            is none, trials that run side by side share CPU time evenly.

    Attributes:
        own_time: The CPU time that readings and trackers take, which no trial pays for.
    """

    def __init__(
        self,
        meter: Meter,
        *,
        clock: Callable[[], float],
        cpu_clock: Callable[[], float],
        thread_clock: Callable[[], ThreadClock] | None = None,
    ) -> None:
        self._meter = meter
        # Asked once: to hold an object against a protocol takes a while.
        self._shared_meter = meter if isinstance(meter, SharedMeter) else None
        self._thread_clock = thread_clock
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._windows: set[Window] = set()
        # The latest reading, when it was asked for, and when the next one can be.
        self._reading: Charge | None = None
        self._reading_at_s = 0.0
        self._due_at_s = 0.0
        self.own_time = OwnTime()
        # The segments of the interval that began with the latest reading; the last is open.
        self._segments: list[Segment[Window]] = []
        self._segment_at_s = 0.0
        self._segment_cpu_s = 0.0
        self._segment_own_cpu_s: dict[Window, float] = {}
        # What no window was credited with, since it was last asked for.
        self._overhead = ComponentEnergy()
        # Set when a window opened without a fresh reading: one follows as soon as it can.
        self._behind = False

    @property
    def due_at_s(self) -> float:
        """When the meter can next give a new reading, in s on the clock."""
        return self._due_at_s

    @property
    def reading_at_s(self) -> float:
        """When the latest reading was asked for, in s on the clock."""
        return self._reading_at_s

    @property
    def wanted_at_s(self) -> float | None:
        """When the next reading is wanted, in s on the clock; None while no window is open.

        Never before :attr:`due_at_s`.
        """
        if not self._windows:
            return None
        if self._behind:
            return self._due_at_s
        return max(self._due_at_s, self._reading_at_s + self._meter.sample_interval_s)

    def start(self) -> None:
        """Start the meter unless it runs; what that takes is charged to no window.

        Raises:
            MeterError: The meter cannot be started or read.
        """
        if self._reading is None:
            self._meter.start()
            self._begin_segment()
            self._read()

    def take_if_due(self, *, min_age_s: float = 0.0) -> bool:
        """Read the meter if it can give a new reading; tell whether it was read.

        Args:
            min_age_s: How old the latest one must be, in s.

        Raises:
            MeterError: The meter gave no reading, or an impossible one.
        """
        if self._clock() < max(self._due_at_s, self._reading_at_s + min_age_s):
            return False
        self._read()
        return True

    def open(self) -> Window:
        """Open a window, with a fresh reading where the meter can give one.

        Raises:
            MeterError: The meter cannot be started or read.
        """
        self.start()
        # Opened amid work of ours, as by a tracker that measures: what comes now is the trial's.
        ours_in = threading.get_ident() if self.own_time.end() else None
        fresh = self.take_if_due()
        thread = None if self._thread_clock is None else self._thread_clock()
        started_at_s = self._end_segment()
        window = Window(
            started_at_s=started_at_s, started_at=time.time(), thread=thread, ours_in=ours_in
        )
        self._windows.add(window)
        try:
            self._windows_changed()
        except BaseException:
            # Nobody will close it: it would share with all trials to come.
            self._windows.discard(window)
            raise
        self._behind = not fresh
        if len(self._windows) > 1:
            for running in self._windows:
                running.shared = True
        return window

    def end(self, window: Window) -> float:
        """End a window; give the moment, in s on the clock.

        What the window used up to then is its own once :meth:`settle` says so.
        """
        ended_at_s = self._end_segment()
        self._windows.discard(window)
        self._windows_changed()
        if window.ours_in == threading.get_ident():
            self.own_time.begin()
        return ended_at_s

    def settle(self, at_s: float) -> bool:
        """Tell whether all energy up to a moment is shared out; read the meter if that helps.

        Raises:
            MeterError: The meter gave no reading, or an impossible one.
        """
        return self._reading_at_s >= at_s or self.take_if_due()

    def _read(self) -> None:
        """Read the meter and share out the interval that ends with the reading."""
        ended_at_s = self._end_segment()
        reading = self._ask_meter()
        self._reading_at_s = ended_at_s
        self._due_at_s = self._clock() + self._meter.min_interval_s
        segments, self._segments = self._segments, []
        segments.append(Segment(0.0, self.own_time.take_s(), frozenset()))
        interval = reading - (reading if self._reading is None else self._reading)
        self._reading, self._behind = reading, False
        shares = self._shared_out(interval, segments)
        for window, energy in shares.items():
            window.credit(energy)
            window.shared |= interval.beside_s > 0
        self._keep_overhead(interval.total - sum(shares.values(), ComponentEnergy()), segments)
        for window in self._windows:
            window.chart(ended_at_s, min_span_s=self._meter.sample_interval_s / 2)

    def take_overhead(self) -> ComponentEnergy:
        """Give what no window was credited with since the last call, in kWh per component."""
        overhead, self._overhead = self._overhead, ComponentEnergy()
        return overhead

    def _keep_overhead(self, rest: ComponentEnergy, segments: Sequence[Segment[Window]]) -> None:
        """Keep what no window is credited with, of a pause of a minute at most."""
        idle_s = sum(segment.duration_s for segment in segments if not segment.running)
        part = min(1.0, MAX_GAP_S / idle_s) if idle_s > 0 else 1.0
        self._overhead += ComponentEnergy.from_dict(
            {component: kwh * part for component, kwh in rest.to_dict().items()}
        )

    def _shared_out(
        self, interval: Charge, segments: Sequence[Segment[Window]]
    ) -> dict[Window, ComponentEnergy]:
        """Share an interval among the windows, as its meter says that it can be."""
        if self._shared_meter is not None:
            parts = Interval(by_cpu=interval.dynamic, while_running=interval.standing)
            return share(parts, segments, idle_counts=False)
        cpu = self._meter.sources.get("cpu")
        used = interval.dynamic
        parts = Interval(
            by_cpu=ComponentEnergy(cpu_kwh=used.cpu_kwh),
            by_time=ComponentEnergy(gpu_kwh=used.gpu_kwh, ram_kwh=used.ram_kwh),
        )
        return share(parts, segments, idle_counts=cpu is None or not cpu.follows_cpu_time)

    def _ask_meter(self) -> Charge:
        """Take a reading that can be: finite, and in no component below the one before.

        Raises:
            MeterError: There is none.
        """
        cpu_s, thread_cpu_s = self._cpu_clock(), time.thread_time()
        try:
            shared = self._shared_meter
            reading = shared.read_charge() if shared else Charge(dynamic=self._meter.read())
        finally:
            # Each clock ticks in steps of its own: without the bound, a segment that is
            # mostly reading could come out below zero.
            self.own_time.add(min(time.thread_time() - thread_cpu_s, self._cpu_clock() - cpu_s))
        last = {} if self._reading is None else self._reading.total.to_dict()
        for component, kwh in reading.total.to_dict().items():
            if not last.get(component, -math.inf) <= kwh < math.inf:
                raise MeterError(
                    f"The meter's total for {component} went from {last.get(component)!r} to "
                    f"{kwh!r} kWh, and a total never falls: the counter was reset, or another "
                    "program resets it. Start this process again."
                )
        return reading

    def _windows_changed(self) -> None:
        if self._shared_meter is not None:
            self._shared_meter.set_running(len(self._windows))
        self._segment_own_cpu_s = self._own_cpu_times()

    def _own_cpu_times(self) -> dict[Window, float]:
        """Give the CPU time in s of the threads that opened the windows, where several are open.

        Of a thread that has opened several, each has an even part.
        """
        if len(self._windows) < 2:
            return {}
        self.own_time.catch_up()
        clocks = {window: window.thread for window in self._windows if window.thread is not None}
        threads = [clock.ident for clock in clocks.values()]
        times_s = {window: clock.cpu_s() for window, clock in clocks.items()}
        ours_s = self.own_time.by_thread_s
        return {
            window: (cpu_s - ours_s[clocks[window].ident]) / threads.count(clocks[window].ident)
            for window, cpu_s in times_s.items()
            if cpu_s is not None
        }

    def _begin_segment(self) -> float:
        self._segment_at_s = self._clock()
        self.own_time.catch_up()
        self._segment_cpu_s = self._cpu_clock() - self.own_time.total_s
        return self._segment_at_s

    def _end_segment(self) -> float:
        """Cut the interval here: it is about to end, or the set of windows to change."""
        at_s, cpu_s = self._segment_at_s, self._segment_cpu_s
        now_s = self._begin_segment()
        running = frozenset(self._windows)
        before_s, self._segment_own_cpu_s = self._segment_own_cpu_s, self._own_cpu_times()
        own_s = {
            window: cpu_s - before_s[window]
            for window, cpu_s in self._segment_own_cpu_s.items()
            if window in before_s
        }
        used_s = self._segment_cpu_s - cpu_s
        self._segments.append(Segment(now_s - at_s, used_s, running, own_s))
        return now_s
