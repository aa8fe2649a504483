"""The end of a trial's time: an exception in the user's function, and nowhere else.

A thread of its own watches the time. When it is up, it raises :class:`TrialTimeoutError` in the
trial's thread by ``PyThreadState_SetAsyncExc``, which takes effect between two steps of Python
code there: what waits inside C (a sleep, a subprocess, a CUDA kernel) ends first. Other Pythons
than CPython have no such function; there, only the methods of the trial raise it.

Each thread with a deadline has a gate. It is open while the user's function runs and shut
elsewhere: in our own code, in the methods of the trial, between two runs. The thread shuts it
by one assignment, before which Python looks for no exception, and then takes back what had been
sent to it but had not arrived. So nothing is raised where books are kept, after the function has
returned, or in another trial. The thread itself takes no lock for it, since an exception may
arrive right after a lock was taken; and signals belong to the user.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Self, TypeVar

from green_optuna.errors import TrialTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

# How often the exception is raised again, in s, where the function goes on all the same.
RETRY_S = 1.0
# How soon it is tried again, in s, where the gate was shut.
SHUT_RETRY_S = 0.02
# How long the trial's thread sleeps, in s, while another thread is sending it something.
SENDING_S = 1e-4

Returned = TypeVar("Returned")


class Deadline:
    """The time that a trial has, from the moment that this context is entered.

    One for each trial, for the thread that runs it.

    Args:
        timeout_s: How long, in s; None for as long as it takes.
        retry_s: How often the exception is raised again, in s.
    """

    def __init__(self, timeout_s: float | None, *, retry_s: float = RETRY_S) -> None:
        self.timeout_s = timeout_s
        self._retry_s = retry_s
        self._at_s = math.inf
        self._ended = threading.Event()
        self._gate: _Gate | None = None

    def __enter__(self) -> Self:
        """Begin to watch the time."""
        if self.timeout_s is not None:
            gate = self._gate = _this_gate() or _Gate()
            watcher = threading.Thread(
                target=self._watch, args=(gate,), name="green_optuna-deadline", daemon=True
            )
            self._at_s = time.monotonic() + self.timeout_s
            try:
                _this_thread.gate = gate
                gate.deadlines.append(self)
                watcher.start()
            except BaseException:
                # There is no thread left, or Ctrl-C: it would end the trials that follow.
                self.__exit__()
                raise
        return self

    def __exit__(self, *raised: object) -> None:
        """End the watch; the gate is shut by now."""
        self._at_s = math.inf
        self._ended.set()
        if self._gate is not None:
            self._gate.deadlines.remove(self)
            if not self._gate.deadlines:
                del _this_thread.gate

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._at_s

    def call(self, function: Callable[[], Returned]) -> Returned:
        """Call a function of the user's, in which the exception may be raised.

        Raises:
            TrialTimeoutError: The time is up; also that of a trial in whose function this one
                runs. Whatever else the function raises comes out as it is.
        """
        gate = _this_gate()
        if gate is None:
            return function()
        gate.check()
        # No call stands between this line and the next: Python looks for exceptions after calls.
        gate.shut = False
        try:
            return function()
        finally:
            gate.shut = True
            # One may be on its way already, and another one being sent: two may arrive in here,
            # and by then nobody sends a third. The function has ended, so neither counts.
            try:
                try:
                    gate.take_back()
                except TrialTimeoutError:
                    gate.take_back()
            except TrialTimeoutError:
                gate.take_back()

    def _watch(self, gate: _Gate) -> None:
        """Send the exception when the time is up, until the trial has ended; run by a thread."""
        wait_s = 0.0
        while not self._ended.wait(min(wait_s, threading.TIMEOUT_MAX)):
            wait_s = self._at_s - time.monotonic()
            if wait_s <= 0:
                wait_s = self._retry_s if gate.send(self) else SHUT_RETRY_S


class _Gate:
    """Whether an exception may be raised in a thread now; made shut, in that thread."""

    # Plain attributes: to assign one is a single step.
    __slots__ = ("_senders", "_sending", "_sent", "deadlines", "pid", "shut", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.pid = os.getpid()
        self.deadlines: list[Deadline] = []
        self.shut = True
        # Held by watching threads alone, in which nothing is raised.
        self._senders = threading.Lock()
        self._sending = False
        self._sent = False

    def send(self, deadline: Deadline) -> bool:
        """Raise the exception in the gate's thread if that may be; tell whether it was."""
        with self._senders:
            # Either the thread sees that something is being sent, or this sees the gate shut.
            self._sending = True
            try:
                if self.shut or not deadline.passed:
                    return False
                self._sent = True
                return _set_exception(self.thread, TrialTimeoutError)
            finally:
                self._sending = False

    def take_back(self) -> None:
        """Let nothing arrive from now on; the gate is shut, and this is its thread."""
        while self._sending:
            time.sleep(SENDING_S)
        # What another library has sent stays, unless ours has replaced it.
        if self._sent:
            _set_exception(self.thread, None)
            self._sent = False

    def check(self) -> None:
        """Raise the exception if the time is up, where nobody has sent it.

        Raises:
            TrialTimeoutError: It is up.
        """
        if any(deadline.passed for deadline in self.deadlines):
            raise TrialTimeoutError


class _Shield:
    """Keeps the gate shut for a while; a context for the gate's thread."""

    __slots__ = ("_gate", "_was_shut")

    def __init__(self, gate: _Gate) -> None:
        self._gate = gate
        self._was_shut = True

    def __enter__(self) -> None:
        gate = self._gate
        self._was_shut = was_shut = gate.shut
        if was_shut:
            return
        gate.shut = True
        try:
            gate.take_back()
            gate.check()
        except BaseException:
            gate.shut = was_shut
            raise

    def __exit__(self, *raised: object) -> None:
        self._gate.shut = self._was_shut


class _ThisThread(threading.local):
    """What a thread has of its own."""

    gate: _Gate


_this_thread = _ThisThread()


def shielded() -> AbstractContextManager[None]:
    """Let no deadline cut short what is done inside; raise instead if one has passed before.

    Raises:
        TrialTimeoutError: The time is up, as the context is entered from the user's function.
    """
    gate = _this_gate()
    return contextlib.nullcontext() if gate is None else _Shield(gate)


def _this_gate() -> _Gate | None:
    """Give this thread's gate, if a deadline is being watched for it."""
    gate = getattr(_this_thread, "gate", None)
    # A forked child has a copy, and nobody who watches.
    return gate if gate is not None and gate.pid == os.getpid() else None


def _set_exception(thread: int, kind: type[BaseException] | None) -> bool:
    """Have an exception raised in a thread, or none; tell whether that is possible here."""
    if sys.implementation.name != "cpython":
        return False
    # Holds the interpreter's lock all the while. An empty object is C's null, which is "none".
    given = ctypes.py_object() if kind is None else ctypes.py_object(kind)
    found: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), given)
    return found == 1
