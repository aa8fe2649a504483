"""A lock belongs to a process."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from green_optuna.locks import ProcessLock


def test_a_lock_is_held_by_one_thread_at_a_time() -> None:
    """The second waits for the first."""
    lock, entered, order = ProcessLock(), threading.Event(), []

    def second() -> None:
        entered.set()
        with lock:
            order.append("second")

    thread = threading.Thread(target=second)
    with lock:
        thread.start()
        entered.wait()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_has_a_lock_of_its_own() -> None:
    """It can take it, though a thread of its parent held it at the fork."""
    lock, taken, forked = ProcessLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            forked.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    pid = os.fork()
    if pid == 0:
        # The alarm ends a child that waits for ever.
        signal.alarm(20)
        with lock:
            os._exit(7)
    forked.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
