"""A clock that stands still until a test moves it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FakeClock:
    """A clock in s; call it to read it, assign ``now_s`` to move it.

    Attributes:
        now_s: What it shows. Not zero at first, so that a test notices a forgotten offset.
    """

    now_s: float = 1000.0

    def __call__(self) -> float:
        """Read the clock."""
        return self.now_s
