"""Ctrl-C while a study runs: it ends the user's function, and nothing amid the storage's work.

Python raises KeyboardInterrupt wherever the main thread happens to be. Inside a transaction,
SQLAlchemy logs tracebacks of it, and Optuna makes another error of one that comes while it
writes how a trial ended. So it is raised where an objective has to expect it, and nowhere else
unless the user insists.
"""

from __future__ import annotations

import math
import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from green_optuna import objective
from green_optuna.cli import render

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

RETRY_S = 0.01
"""How often the main thread is looked at, once Ctrl-C came at a bad moment."""

PATIENCE_S = 5.0
"""How long a good moment is waited for."""

TWICE_S = 0.05
"""Within this time two signals are one Ctrl-C: what has started us may pass on its own."""

_BUSY_PACKAGES = ("optuna", "sqlalchemy", "green_optuna")


class Interrupt:
    """Lets Ctrl-C end a study between two steps of its storage; a context manager.

    The first Ctrl-C raises KeyboardInterrupt inside the user's function: at once, or as soon as
    the main thread is there. Until then it is only noted, and after ``PATIENCE_S`` it is raised
    anywhere. A second one is raised wherever it comes. Where SIGINT has no handler in Python, or
    outside the main thread, the context does nothing.

    Args:
        in_threads: Whether the trials run in other threads, where nothing can be raised: the
            first Ctrl-C is then noted and said, no more.

    Attributes:
        asked: Whether Ctrl-C has come: the study shall start no further trial.
    """

    def __init__(self, *, in_threads: bool = False) -> None:
        self.asked = False
        self._asked_at_s = math.inf
        self._handled_at_s = -math.inf
        self._in_threads = in_threads
        self._former = signal.getsignal(signal.SIGINT)
        # Where a job is started in the background, SIGINT is ignored, and shall stay so.
        in_main = threading.current_thread() is threading.main_thread()
        self._works = in_main and callable(self._former)
        self._leaving = False
        # Of the thread, for which the handler must take no lock: it may have come amid the same.
        self._first: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._over = False
        self._sent_again = False
        self._thread = threading.Thread(
            target=self._after_the_first,
            args=(threading.get_ident(),),
            name="green_optuna-interrupt",
            daemon=True,
        )

    def __enter__(self) -> Self:
        """Install the handler."""
        if self._works:
            self._thread.start()
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the former handler back, once the thread sends nothing more."""
        if self._works:
            self._leaving = self._over = True
            self._first.put(False)
            self._thread.join()
            # It handles first what has been sent and not yet been handled.
            signal.signal(signal.SIGINT, self._former)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - Python's signature
        now_s = time.monotonic()
        again = self._sent_again or now_s - self._handled_at_s < TWICE_S
        self._sent_again, self._handled_at_s = False, now_s
        insisted = self.asked and (not again or self._is_late())
        if not self.asked:
            self.asked = True
            self._asked_at_s = now_s
            self._first.put(True)
        if self._leaving or (again and self._over):
            return
        if insisted or (not self._in_threads and _is_in_users_function(frame)):
            self._over = True
            raise KeyboardInterrupt

    def _is_late(self) -> bool:
        return time.monotonic() - self._asked_at_s > PATIENCE_S

    def _after_the_first(self, main_thread: int) -> None:
        """Once Ctrl-C has come, send it again where it may be raised; run by the thread."""
        if not self._first.get():
            return
        if self._in_threads:
            render.say("Stopping after the trials that run now: no thread can be cut short.")
            return
        while not self._over:
            frame = sys._current_frames().get(main_thread)
            # A signal cuts short what the main thread waits for, such as a locked database: none
            # is sent where nothing would be raised. More than one may be needed: the first can
            # come after Python's last look for signals and before the sleep it should end.
            if self._is_late() or _is_in_users_function(frame):
                self._sent_again = True
                _send(main_thread)
            # A reference to the user's frame would keep alive what it holds.
            del frame
            time.sleep(RETRY_S)


def ended_by_interrupt(step: Callable[[], None]) -> bool:
    """Take a step in which an objective runs; tell whether Ctrl-C ended it."""
    try:
        step()
    except KeyboardInterrupt:
        return True
    except UnboundLocalError as error:
        # What Optuna makes of a second Ctrl-C that comes while it writes how a trial ended.
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        return True
    return False


def _send(thread: int) -> None:
    """Send SIGINT so that it wakes a thread that sleeps."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        signal.pthread_kill(thread, signal.SIGINT)


def _is_in_users_function(frame: FrameType | None) -> bool:
    """Tell whether a stack is inside an objective, and in no step of Optuna's or of ours there."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module == objective.__name__ and frame.f_code.co_name == "measured":
            return True
        if module.partition(".")[0] in _BUSY_PACKAGES:
            return False
        frame = frame.f_back
    return False
