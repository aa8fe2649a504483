"""What is passed on while something is measured, from a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def called_every(interval_s: float | None, call: Callable[[], None]) -> Iterator[None]:
    """Have something called now and then while a block runs; never in a block that is short.

    Args:
        interval_s: How long to wait before each call, in s; None for no call at all.
        call: What is called, in a thread of its own; it must not raise.
    """
    if interval_s is None:
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(
        target=_call_until,
        args=(ended, min(interval_s, threading.TIMEOUT_MAX), call),
        name="green_optuna-flush",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _call_until(ended: threading.Event, interval_s: float, call: Callable[[], None]) -> None:
    while not ended.wait(interval_s):
        call()
