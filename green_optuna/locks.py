"""A lock that a fork does not leave locked for ever."""

from __future__ import annotations

import os
import threading
from typing import Self


class ProcessLock:
    """A lock among the threads of one process, to be used in a ``with`` statement.

    A child that is forked while another thread holds a plain lock inherits it locked, and
    nobody there to release it. Each process has its own here.
    """

    def __init__(self) -> None:
        self._locks: dict[int, threading.Lock] = {}

    def __enter__(self) -> Self:
        """Wait for the lock and take it."""
        self._locks.setdefault(os.getpid(), threading.Lock()).acquire()
        return self

    def __exit__(self, *raised: object) -> None:
        """Release it."""
        self._locks[os.getpid()].release()
