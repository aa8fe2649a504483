"""How often a server that takes long to say nothing is asked whether it is there."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from green_optuna.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A server that takes longer than this, in s, is not asked again for ten times as long: a study
# waits a tenth of its time for it at most.
SLOW_S = 1.0
PATIENCE = 10.0


class Patience:
    """What one process knows of a server that was away."""

    def __init__(self) -> None:
        self._again_at_s = 0.0
        self._said = ""

    def check(self) -> None:
        """Do not wait again so soon.

        Raises:
            TrackerError: It was away a moment ago, and finding that out took its time.
        """
        if time.monotonic() < self._again_at_s:
            raise TrackerError(self._said)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Remember how long it took to find out that the server is away, where it is."""
        began_s = time.monotonic()
        try:
            yield
        except (TrackerError, TimeoutError) as error:
            now_s = time.monotonic()
            if now_s - began_s > SLOW_S:
                self._said = str(error)
                self._again_at_s = now_s + PATIENCE * (now_s - began_s)
            raise
