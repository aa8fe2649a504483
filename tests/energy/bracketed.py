"""A window on a real clock, and what its energy must lie between however busy the machine is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from green_optuna.carbon import Grid
    from green_optuna.energy import Measurement, Sampler


class Bracketed:
    """Opens a window and notes when: both its readings fall between two looks at the clock.

    A machine may let a thread wait for long between the moment that a boundary stands for and the
    meter's answer, so that no part of the energy could be allowed for it beforehand.

    Args:
        sampler: What opens the window.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._asked_at_s = time.perf_counter()
        self.window = sampler.open()
        self._opened_at_s = time.perf_counter()
        self._closing_at_s = self._closed_at_s = self._opened_at_s

    def close(self, grid: Grid) -> Measurement:
        """Close the window."""
        self._closing_at_s = time.perf_counter()
        measurement = self._sampler.close(self.window, grid)
        self._closed_at_s = time.perf_counter()
        return measurement

    @property
    def least_s(self) -> float:
        """The shortest time that can be between its readings, in s."""
        return self._closing_at_s - self._opened_at_s

    @property
    def most_s(self) -> float:
        """The longest time that can be between its readings, in s."""
        return self._closed_at_s - self._asked_at_s

    def check(self, joules: float, *, watts: float) -> None:
        """Hold that so much energy is a constant power over the time between its readings."""
        rounding = 1e-9
        assert watts * self.least_s * (1 - rounding) <= joules
        assert joules <= watts * self.most_s * (1 + rounding)
