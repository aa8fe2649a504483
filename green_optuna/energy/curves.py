"""Powers over time with their energy in closed form: what a replay is made of.

A curve begins at zero seconds and is made of straight pieces. Its integral is written out for
each kind rather than summed up over steps, so that it is exact at any moment, and it never falls
from one moment to a later one, not even by a rounding: a meter that replays it is a counter.

A number of busy cores over time is such a curve as well: read cores for W and CPU seconds for J.

Example:
    50 W, and 100 W more for a tenth of every second:

    >>> curve = Constant(50.0) + Bursts(period_s=1.0, duty=0.1, high_w=100.0)
    >>> curve.watts_at(2.05), curve.joules_until(10.0)
    (150.0, 600.0)
"""

from __future__ import annotations

import abc
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from green_optuna.errors import OptionError


class Curve(abc.ABC):
    """A power over time, from zero seconds on; there is none before."""

    __slots__ = ()

    @abc.abstractmethod
    def watts_at(self, t_s: float) -> float:
        """Give the power at a moment, in W; where it jumps, that after the jump."""

    @abc.abstractmethod
    def joules_until(self, t_s: float) -> float:
        """Integrate the power from zero to ``t_s`` seconds, in J; 0 for a moment before."""

    @abc.abstractmethod
    def corners(self, from_s: float, until_s: float) -> list[float]:
        """Give the moments between two others where one straight piece ends, in s, ordered."""

    def __add__(self, other: Curve) -> Curve:
        """Add the powers."""
        return Sum((self, other))


# What is accepted as a power over time: one in W, ``(from_s, watts)`` steps, or a curve.
Power = float | Sequence[tuple[float, float]] | Curve


@dataclass(frozen=True, slots=True)
class Constant(Curve):
    """The same power at all times.

    Attributes:
        watts: The power in W.
    """

    watts: float

    def __post_init__(self) -> None:
        """Check the power.

        Raises:
            OptionError: It is negative or not finite.
        """
        _check_power(self, self.watts)

    def watts_at(self, t_s: float) -> float:
        """Give the power in W."""
        return self.watts if t_s >= 0 else 0.0

    def joules_until(self, t_s: float) -> float:
        """Give power times time, in J."""
        return self.watts * max(t_s, 0.0)

    def corners(self, from_s: float, until_s: float) -> list[float]:  # noqa: ARG002 - there are none
        """Give no moment: the power never changes."""
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp(Curve):
    """A power that goes from one to another on a straight line, and is constant around it.

    Attributes:
        from_w: The power up to ``start_s``, in W.
        to_w: The power from ``end_s`` on, in W.
        start_s: When it begins to change, in s.
        end_s: When it has changed, in s.
    """

    from_w: float
    to_w: float
    start_s: float = 0.0
    end_s: float

    def __post_init__(self) -> None:
        """Check the powers and the moments.

        Raises:
            OptionError: A power is negative or not finite, or the moments are out of order.
        """
        _check_power(self, self.from_w, self.to_w)
        if not 0 <= self.start_s < self.end_s < math.inf:
            raise OptionError(
                f"Ramp goes from {self.start_s!r} s to {self.end_s!r} s: begin at 0 or later and "
                "end after that; Steps can jump."
            )

    def watts_at(self, t_s: float) -> float:
        """Give the power in W."""
        if t_s < 0:
            return 0.0
        part = (t_s - self.start_s) / (self.end_s - self.start_s)
        return self.from_w + (self.to_w - self.from_w) * min(max(part, 0.0), 1.0)

    def joules_until(self, t_s: float) -> float:
        """Give the area of a rectangle and a triangle, in J."""
        height_w = abs(self.to_w - self.from_w)
        unit_s = self._risen_s(t_s) if self.to_w > self.from_w else self._fallen_s(t_s)
        return min(self.from_w, self.to_w) * max(t_s, 0.0) + height_w * unit_s

    def corners(self, from_s: float, until_s: float) -> list[float]:
        """Give its two ends."""
        return [t_s for t_s in (self.start_s, self.end_s) if from_s < t_s < until_s]

    # Both are written as sums of terms that grow, and bounded where the pieces meet.

    def _risen_s(self, t_s: float) -> float:
        """Integrate a ramp from 0 to 1, in s."""
        length_s = self.end_s - self.start_s
        if t_s >= self.end_s:
            return length_s / 2 + (t_s - self.end_s)
        return min(max(t_s - self.start_s, 0.0) ** 2 / (2 * length_s), length_s / 2)

    def _fallen_s(self, t_s: float) -> float:
        """Integrate a ramp from 1 to 0, in s."""
        length_s = self.end_s - self.start_s
        if t_s <= self.start_s:
            return max(t_s, 0.0)
        left_s = max(self.end_s - t_s, 0.0) ** 2 / (2 * length_s)
        return max(self.start_s + length_s / 2 - left_s, self.start_s)


@dataclass(frozen=True, slots=True)
class Steps(Curve):
    """A power that jumps.

    Attributes:
        steps: ``(from_s, watts)``: from ``from_s`` s on the power is ``watts``, until the next
            step. The first is at 0.
    """

    steps: Sequence[tuple[float, float]]

    def __post_init__(self) -> None:
        """Check the steps.

        Raises:
            OptionError: A power is negative or not finite, or the steps are out of order.
        """
        object.__setattr__(self, "steps", tuple((start, watts) for start, watts in self.steps))
        starts = [start for start, _ in self.steps]
        if starts[:1] != [0.0] or not all(a <= b for a, b in itertools.pairwise(starts)):
            raise OptionError(f"Steps has its steps at {starts}: begin at 0 and go upwards.")
        _check_power(self, *(watts for _, watts in self.steps))

    def watts_at(self, t_s: float) -> float:
        """Give the power in W."""
        return next((watts for start, watts in reversed(self.steps) if start <= t_s), 0.0)

    def joules_until(self, t_s: float) -> float:
        """Add up power times time over the steps, in J."""
        ends = [start for start, _ in self.steps[1:]] + [math.inf]
        return sum(
            watts * (min(end, t_s) - start)
            for (start, watts), end in zip(self.steps, ends, strict=True)
            if start < t_s
        )

    def corners(self, from_s: float, until_s: float) -> list[float]:
        """Give the moments of the steps."""
        return [start for start, _ in self.steps if from_s < start < until_s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts(Curve):
    """A power that is high for the first part of each period, and low for the rest of it.

    Attributes:
        period_s: The time from one burst's beginning to the next one's, in s.
        duty: How much of a period the burst takes, from 0 to 1.
        high_w: The power in a burst, in W.
        low_w: The power between two, in W.
    """

    period_s: float
    duty: float
    high_w: float
    low_w: float = 0.0

    def __post_init__(self) -> None:
        """Check the powers and the times.

        Raises:
            OptionError: A power is negative or not finite, the low one is above the high one,
                the period is not a positive number, or the duty no part of one.
        """
        _check_power(self, self.low_w, self.high_w)
        if self.low_w > self.high_w:
            raise OptionError(f"Bursts has low_w {self.low_w!r} above high_w {self.high_w!r}.")
        if not 0 < self.period_s < math.inf:
            raise OptionError(f"Bursts has period_s {self.period_s!r}: give a positive number.")
        if not 0 <= self.duty <= 1:
            raise OptionError(f"Bursts has duty {self.duty!r}: give a number from 0 to 1.")

    def watts_at(self, t_s: float) -> float:
        """Give the power in W."""
        if t_s < 0:
            return 0.0
        return self.high_w if t_s % self.period_s < self.duty * self.period_s else self.low_w

    def joules_until(self, t_s: float) -> float:
        """Give the low power times the time, and the bursts on top of it, in J."""
        t_s = max(t_s, 0.0)
        burst_s = self.duty * self.period_s
        periods, rest_s = divmod(t_s, self.period_s)
        # Bounded by what the next period begins with, which may be rounded otherwise.
        bursts_s = min(periods * burst_s + min(rest_s, burst_s), (periods + 1) * burst_s)
        return self.low_w * t_s + (self.high_w - self.low_w) * bursts_s

    def corners(self, from_s: float, until_s: float) -> list[float]:
        """Give the ends of all bursts and periods."""
        burst_s = self.duty * self.period_s
        first = math.floor(max(from_s, 0.0) / self.period_s)
        last = math.ceil(max(until_s, 0.0) / self.period_s)
        begins = [period * self.period_s for period in range(first, last + 1)]
        moments = sorted({*begins, *(begin + burst_s for begin in begins)})
        return [t_s for t_s in moments if from_s < t_s < until_s]


@dataclass(frozen=True, slots=True)
class Sum(Curve):
    """Several curves at once; ``a + b`` gives one.

    Attributes:
        parts: The curves.
    """

    parts: tuple[Curve, ...]

    def watts_at(self, t_s: float) -> float:
        """Add up the powers, in W."""
        return sum(part.watts_at(t_s) for part in self.parts)

    def joules_until(self, t_s: float) -> float:
        """Add up the energies, in J."""
        return sum(part.joules_until(t_s) for part in self.parts)

    def corners(self, from_s: float, until_s: float) -> list[float]:
        """Give those of all parts."""
        return sorted({t_s for part in self.parts for t_s in part.corners(from_s, until_s)})


def as_curve(power: Power, name: str) -> Curve:
    """Make a curve of what a user gave.

    Args:
        power: A power in W, ``(from_s, watts)`` steps, or a curve, which is given back.
        name: What the user calls it, for the error.

    Raises:
        OptionError: It is none of these, or an impossible power.
    """
    if isinstance(power, Curve):
        return power
    try:
        if isinstance(power, Sequence) and not isinstance(power, str):
            return Steps(power)
        return Constant(power)
    except OptionError as error:
        raise OptionError(f"{name}: {error}") from None


def _check_power(curve: Curve, *powers_w: object) -> None:
    for power_w in powers_w:
        number = isinstance(power_w, int | float) and not isinstance(power_w, bool)
        if not (number and 0 <= power_w < math.inf):  # type: ignore[operator]  # a number
            raise OptionError(
                f"{type(curve).__name__} has a power of {power_w!r} W: give a number from 0 up."
            )
