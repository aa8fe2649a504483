"""The CPU time that this library takes for itself, which no trial shall pay for."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from green_optuna.energy.process import thread_clock

if TYPE_CHECKING:
    from collections.abc import Callable


def this_threads_clock() -> Callable[[], float | None]:
    """Give a clock of the CPU time of the thread that asks for it, in s, for all threads to read.

    It shows None to others where the platform does not tell them, and once the thread has ended.
    """
    thread, told_s = threading.get_ident(), thread_clock()
    return lambda: time.thread_time() if threading.get_ident() == thread else told_s()


class OwnTime:
    """Adds up the CPU time of threads that are about trackers, files or readings.

    Where the platform tells of other threads, as Linux does, what one has used by now is known at
    any time: taken off only once it is done, a second of work would come from the trials that
    happen to run then. Its methods want a lock, but for :attr:`counts_this_thread`, and for
    :meth:`end` where there is none to be had.

    Args:
        thread_clock: Gives a clock of the CPU time of the thread that asks for it, in s.

    Attributes:
        total_s: All of it up to the latest :meth:`catch_up`, in s.
        by_thread_s: That of each thread, in s by its identity.
    """

    def __init__(
        self, thread_clock: Callable[[], Callable[[], float | None]] = this_threads_clock
    ) -> None:
        self._thread_clock = thread_clock
        self.total_s = 0.0
        self.by_thread_s: defaultdict[int, float] = defaultdict(float)
        self._taken_s = 0.0
        # The threads that are about it now: a clock of each, and what it showed when last read.
        self._clocks: dict[int, tuple[Callable[[], float | None], float]] = {}

    @property
    def counts_this_thread(self) -> bool:
        """Whether the CPU time of the calling thread is counted now."""
        return threading.get_ident() in self._clocks

    def begin(self) -> None:
        """Count this thread's CPU time from now on, unless it is counted already."""
        if not self.counts_this_thread:
            clock = self._thread_clock()
            self._clocks[threading.get_ident()] = clock, clock() or 0.0

    def end(self) -> bool:
        """Count this thread's CPU time up to now, and no longer; tell whether it was counted."""
        thread = threading.get_ident()
        self._catch_up(thread)
        # A child process has forgotten what its parent began before the fork.
        return self._clocks.pop(thread, None) is not None

    def add(self, cpu_s: float) -> None:
        """Count CPU time in s that this thread has just used, unless it is counted already."""
        if not self.counts_this_thread:
            self._add(threading.get_ident(), cpu_s)

    def catch_up(self) -> None:
        """Count what threads that are about it have used by now."""
        # A copy: after a Ctrl-C, one ends without the lock.
        for thread in [*self._clocks]:
            self._catch_up(thread)

    def take_s(self) -> float:
        """Give what was counted since the last call, in s."""
        self.catch_up()
        new_s, self._taken_s = self.total_s - self._taken_s, self.total_s
        return new_s

    def forget_threads(self) -> None:
        """Count no thread any longer: none but the calling one outlives a fork."""
        self._clocks.clear()

    def _catch_up(self, thread: int) -> None:
        known = self._clocks.get(thread)
        now_s = None if known is None else known[0]()
        if known is not None and now_s is not None:
            self._clocks[thread] = known[0], now_s
            self._add(thread, now_s - known[1])

    def _add(self, thread: int, cpu_s: float) -> None:
        self.total_s += cpu_s
        self.by_thread_s[thread] += cpu_s
