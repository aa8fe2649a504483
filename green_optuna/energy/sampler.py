"""One sampler a process: it reads a meter and gives each trial its window on the readings.

A window opens when a trial's function starts and closes when it ends, whatever happened. Both
boundaries want a fresh reading. A meter that gives none so soon after the last one
(``min_interval_s``) is asked again as soon as it can: an opening window does not wait for it,
a closing one does, and the energy of the interval that a boundary cuts is shared out as
:mod:`green_optuna.energy.sharing` says. In between, a thread reads every
``sample_interval_s``; these readings are the trace. While no window is open, nothing is read.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

from green_optuna.energy.codecarbon import CodeCarbonMeter
from green_optuna.energy.meter import SharedMeter
from green_optuna.energy.options import MeterOptions
from green_optuna.energy.process import ThreadClock, process_tree_cpu_s
from green_optuna.energy.readings import Readings
from green_optuna.errors import OptionError
from green_optuna.locks import ProcessLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from green_optuna.carbon import Grid
    from green_optuna.energy.measurement import ComponentEnergy, Measurement
    from green_optuna.energy.meter import Meter
    from green_optuna.energy.window import Window


# A function may report a thousand times a second: readings of hardware that are so young are as
# good as new.
MIN_AGE_S = 0.05


class Sampler:
    """Reads a meter for all the trials of this process; safe to use from any thread.

    Args:
        meter: The meter; it is started with the first window.
        clock: Gives the time in s.
        cpu_clock: Gives the CPU time that this process and its children have used, in s.
        alone: Whether no other such sampler of this process may have a window open meanwhile,
            since both would count the same energy.
    """

    def __init__(
        self,
        meter: Meter,
        *,
        clock: Callable[[], float] = time.perf_counter,
        cpu_clock: Callable[[], float] = process_tree_cpu_s,
        alone: bool = False,
    ) -> None:
        self.meter = meter
        self.alone = alone
        self._clock = clock
        self._min_age_s = MIN_AGE_S if isinstance(meter, SharedMeter) else 0.0
        self._readings = Readings(meter, clock=clock, cpu_clock=cpu_clock, thread_clock=ThreadClock)
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._callbacks: list[Callable[[], None]] = []
        _all_samplers.add(self)

    def start(self) -> None:
        """Start the meter unless it runs; what that takes is charged to no window.

        Raises:
            MeterError: The meter cannot be started or read.
        """
        with self._condition:
            self._readings.start()

    def open(self) -> Window:
        """Open a window: from now on, its share of what the machine uses is its own.

        Raises:
            MeterError: The meter cannot be started or read.
            OptionError: Another meter counts the same energy for a trial that runs now.
        """
        # Before the lock on all samplers: to find the hardware takes seconds, the first time.
        self.start()
        with _samplers_lock if self.alone else contextlib.nullcontext(), self._condition:
            if self.alone:
                _check_alone(self)
            # First, though it has to wait for the lock: where Ctrl-C comes in between, no window
            # is left open that nobody holds.
            self._wake_thread()
            return self._readings.open()

    @property
    def now_s(self) -> float:
        """What the clock shows by which windows are measured, in s."""
        return self._clock()

    @property
    def busy(self) -> bool:
        """Whether a window is open."""
        return self._readings.wanted_at_s is not None

    def close(self, window: Window, grid: Grid) -> Measurement:
        """End a window, with a reading that is no older than its end.

        Waits for at most the meter's ``min_interval_s``.

        Raises:
            MeterError: The meter gave no reading.
        """
        with self._condition:
            ended_at_s = self._readings.end(window)
            # Waiting lets other threads use the sampler; one of them may read in our stead.
            while not self._readings.settle(ended_at_s):
                self._condition.wait(self._readings.due_at_s - self._clock())
            window.chart(ended_at_s)
            return window.measurement(
                ended_at_s - window.started_at_s, grid=grid, sources=self.meter.sources
            )

    def so_far(self, window: Window, grid: Grid) -> Measurement:
        """Give what an open window has used up to a reading taken now, where one can be had.

        Otherwise the latest one serves, which is then younger than ``min_interval_s`` or 50 ms.
        Never waits.

        Raises:
            MeterError: The meter gave no reading.
        """
        with self._condition:
            self._readings.take_if_due(min_age_s=self._min_age_s)
            return window.measurement(
                self._clock() - window.started_at_s, grid=grid, sources=self.meter.sources
            )

    def spent(self, window: Window, *, at_once: bool = False) -> tuple[float, float]:
        """Give what an open window has used, in kWh, and its age in s, as :meth:`so_far` does.

        Args:
            window: The window.
            at_once: Whether to take a reading even where the latest one is younger than 50 ms, if
                the meter can give one.

        Raises:
            MeterError: The meter gave no reading.
        """
        with self._condition:
            self._readings.take_if_due(min_age_s=0.0 if at_once else self._min_age_s)
            return window.energy.total_kwh, self._clock() - window.started_at_s

    def latest(self, window: Window) -> tuple[ComponentEnergy, float]:
        """Give what a window was credited with up to the latest reading, and its age then in s.

        Reads nothing, and never waits for the meter.
        """
        with self._condition:
            return window.energy, max(self._readings.reading_at_s - window.started_at_s, 0.0)

    def after_each_sample(self, callback: Callable[[], None]) -> None:
        """Have something called after each timed reading, in the sampler's thread.

        Args:
            callback: Must be quick, and must not raise; the sampler may be used in it.
        """
        self._callbacks.append(callback)

    def take_overhead(self) -> ComponentEnergy:
        """Give what no window was credited with since the last call, in kWh per component.

        That is the energy between trials, of a pause of a minute at most, and that of readings
        and of what is :meth:`excluded`; up to the latest reading.
        """
        with self._condition:
            return self._readings.take_overhead()

    @contextlib.contextmanager
    def excluded(self) -> Iterator[None]:
        """Charge the CPU time that this thread uses meanwhile to no window."""
        own_time = self._readings.own_time
        within_another = own_time.counts_this_thread
        try:
            with self._condition:
                own_time.begin()
            yield
        finally:
            if not within_another:
                try:
                    with self._condition:
                        own_time.end()
                except BaseException:
                    # Ctrl-C while it waited: else the thread would work for nobody from now on.
                    own_time.end()
                    raise

    def begin_anew_after_fork(self) -> None:
        """Forget the thread and the lock, which another thread of the parent's may have held."""
        self._condition, self._thread = threading.Condition(), None
        self._readings.own_time.forget_threads()

    def _wake_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._sample, name="green_optuna-sampler", daemon=True
            )
            self._thread.start()
        self._condition.notify_all()

    def _sample(self) -> None:
        """Read at the sample interval while windows are open; run by the sampler's thread."""
        while True:
            with self._condition:
                self._wait_until_wanted()
                try:
                    self._readings.take_if_due()
                except Exception:
                    # The closing window reads again, in its trial's thread, and raises there.
                    self._wait(self.meter.sample_interval_s)
                    continue
            for callback in self._callbacks:
                callback()

    def _wait_until_wanted(self) -> None:
        """Wait until a reading is wanted, which a window that opens may change."""
        while True:
            wanted_at_s = self._readings.wanted_at_s
            if wanted_at_s is None:
                self._condition.wait()
            elif (wait_s := wanted_at_s - self._clock()) > 0:
                self._wait(wait_s)
            else:
                return

    def _wait(self, s: float) -> None:
        """Wait for a time in s or until a window opens."""
        self._condition.wait(min(s, threading.TIMEOUT_MAX))


# A forked child may use what it inherits, such as a trial's report: it shall not wait for ever.
_all_samplers: weakref.WeakSet[Sampler] = weakref.WeakSet()


def _after_fork() -> None:
    for sampler in _all_samplers:
        sampler.begin_anew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# A meter belongs to a process, whatever studies run in it. A child process starts afresh, for
# threads do not survive a fork.
_samplers: dict[tuple[int, MeterOptions | int], Sampler] = {}
_samplers_lock = ProcessLock()


def sampler_for(meter: MeterOptions | Meter) -> Sampler:
    """Give this process's sampler of a meter; it is made at the first call.

    Options that differ in nothing but their sample interval share one sampler, at the shorter
    interval.

    Args:
        meter: How CodeCarbon shall measure, or a meter of the user's own.
    """
    with _samplers_lock:
        if not isinstance(meter, MeterOptions):
            # The sampler holds the meter, so that its id stays its own.
            alone = isinstance(meter, CodeCarbonMeter)
            return _samplers.setdefault((os.getpid(), id(meter)), Sampler(meter, alone=alone))
        key = (os.getpid(), replace(meter, sample_interval_s=MeterOptions().sample_interval_s))
        sampler = _samplers.setdefault(key, Sampler(CodeCarbonMeter(meter), alone=True))
        own = sampler.meter
        if isinstance(own, CodeCarbonMeter):
            shorter_s = min(own.options.sample_interval_s, meter.sample_interval_s)
            own.options = replace(own.options, sample_interval_s=shorter_s)
        return sampler


def _check_alone(sampler: Sampler) -> None:
    """Hold that no other CodeCarbon meter of this process counts for a trial now.

    Raises:
        OptionError: One does: each of the two would count all that the process uses.
    """
    others = [
        other.meter
        for (pid, _), other in _samplers.items()
        if pid == os.getpid() and other.alone and other is not sampler and other.busy
    ]
    for other in others:
        theirs, ours = (getattr(meter, "options", None) for meter in (other, sampler.meter))
        raise OptionError(
            f"A trial of this process is being measured with {theirs}, and this one would be "
            f"with {ours}: both would count the same energy. Run them one after the other, in "
            "processes of their own, or with the same options."
        )
