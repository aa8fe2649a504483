"""How far a mean of a few values can be trusted: Student's confidence interval."""

from __future__ import annotations

import functools
import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from green_optuna.errors import OptionError
from green_optuna.scalars import as_count, as_float

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95

# From here on the sum takes its time, and an expansion is as good.
MANY_DEGREES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and where the true one lies, as far as the values tell.

    Attributes:
        mean: The mean of the values, in their unit.
        low: The lower end, in their unit; it is not cut off at a bound that the values have.
        high: The upper end, in their unit.
        confidence: How often such an interval holds the true mean, were all done again.
        n: Of how many values.

    Raises:
        OptionError: A number is not finite, the mean is not between the ends, the confidence is
            not between 0 and 1, or n is no whole number of 1 or more.
    """

    mean: float
    low: float
    high: float
    confidence: float
    n: int

    def __post_init__(self) -> None:
        """Check the numbers, and keep them as plain ones, which storages take."""
        mean, low, high, confidence = map(
            as_float, (self.mean, self.low, self.high, self.confidence)
        )
        n = as_count(self.n)
        if mean is None or low is None or high is None or not low <= mean <= high:
            ends = f"low={self.low!r}, mean={self.mean!r}, high={self.high!r}"
            raise OptionError(f"An interval has {ends}: give numbers, in this order.")
        if not -math.inf < low <= high < math.inf:
            raise OptionError(f"An interval goes from {low} to {high}: give finite numbers.")
        check_confidence(self.confidence)
        if not n:
            raise OptionError(f"An interval has n={self.n!r}: give how many values it is of.")
        plain = {"mean": mean, "low": low, "high": high, "confidence": confidence, "n": n}
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def __float__(self) -> float:
        """Give the mean: an interval is a quality that an objective can return."""
        return self.mean

    def to_dict(self) -> dict[str, float]:
        """Give the interval as plain data, ready for JSON."""
        return asdict(self)


def mean_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval | None:
    """Give the two-sided confidence interval of a mean, or None for fewer than two values.

    It is ``mean ± t * s / sqrt(n)``, with the sample's standard deviation s and the quantile t
    of Student's distribution with n - 1 degrees of freedom (Student 1908,
    doi:10.1093/biomet/6.1.1). It holds for values that are independent and about normal.

    Args:
        values: What was measured each time, finite.
        confidence: How often the interval shall hold the true mean, between 0 and 1.

    Raises:
        OptionError: The confidence is not between 0 and 1.
    """
    check_confidence(confidence)
    n = len(values)
    if n < 2:
        # One value says nothing of how far the next one would be from it.
        return None
    mean, spread = _mean_and_spread(values)
    half = student_t(n - 1, confidence) * spread / math.sqrt(n)
    return Interval(mean=mean, low=mean - half, high=mean + half, confidence=confidence, n=n)


def _mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Give the mean and the sample's standard deviation of two values or more.

    Equal values have their own value as the mean, and no spread, whatever rounding makes of sums.
    The statistics module is exact throughout, and takes twenty times as long.
    """
    if min(values) == max(values):
        return float(values[0]), 0.0
    n = len(values)
    mean = math.fsum(values) / n
    largest = max(abs(value - mean) for value in values)
    square = math.fsum(((value - mean) / largest) ** 2 for value in values)
    return mean, largest * math.sqrt(square / (n - 1))


def standard_error(interval: Interval) -> float | None:
    """Give the standard error of the mean that an interval tells; None where it tells of none.

    It undoes what made Student's interval of it: half the width over the quantile t with n - 1
    degrees of freedom. Ends that do not lie evenly about the mean count as if they did. An interval
    of one value has no degree of freedom, and tells nothing.
    """
    if interval.n < 2:
        return None
    half = (interval.high - interval.low) / 2
    return half / student_t(interval.n - 1, interval.confidence)


def join_intervals(intervals: Sequence[Interval]) -> Interval:
    """Give the interval of the mean of several samples taken as one, from the interval of each.

    The samples' means and standard deviations, which the intervals tell, have all that the joint
    sample's have in them.

    Args:
        intervals: Of one sample each, at least one; an interval of one value has no spread.

    Returns:
        Student's interval, of the first one's confidence.
    """
    total = sum(one.n for one in intervals)
    mean = math.fsum(one.n * one.mean for one in intervals) / total
    squares = math.fsum(
        one.n * (one.n - 1) * (standard_error(one) or 0.0) ** 2 + one.n * (one.mean - mean) ** 2
        for one in intervals
    )
    confidence = intervals[0].confidence
    half = 0.0
    if total > 1:
        error = math.sqrt(squares / (total - 1) / total)
        half = student_t(total - 1, confidence) * error
    return Interval(mean=mean, low=mean - half, high=mean + half, confidence=confidence, n=total)


def check_confidence(confidence: object) -> None:
    """Hold that a confidence is one.

    Raises:
        OptionError: It is not between 0 and 1.
    """
    number = as_float(confidence)
    if number is None or not 0 < number < 1:
        raise OptionError(f"confidence is {confidence!r}: give a number between 0 and 1.")


@functools.cache
def student_t(degrees: int, confidence: float) -> float:
    """Give the t that a Student-distributed number exceeds neither way with this probability.

    The probability is a finite sum for whole degrees of freedom, increasing in the angle
    ``atan(t / sqrt(degrees))``, which is found by bisection.

    Args:
        degrees: The degrees of freedom, 1 or more.
        confidence: The probability, between 0 and 1.
    """
    if degrees > MANY_DEGREES:
        return _student_t_of_many(degrees, confidence)
    low, high = 0.0, math.pi / 2
    middle = high / 2
    # Until no number is left between the two.
    while low < middle < high:
        if _probability_within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
        middle = (low + high) / 2
    return math.sqrt(degrees) * math.tan(high)


def _student_t_of_many(degrees: int, confidence: float) -> float:
    """Give Student's quantile by the expansion about the normal one; its error is below 1e-12.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), eq. 26.7.5.
    """
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def _probability_within(angle: float, degrees: int) -> float:
    """Give P(-t <= T <= t) for ``t = sqrt(degrees) * tan(angle)``.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), eq. 26.7.3 for odd
    and 26.7.4 for even degrees of freedom.
    """
    odd = degrees % 2 == 1
    sine, cosine = math.sin(angle), math.cos(angle)
    term = cosine if odd else 1.0
    terms = []
    for power in range(2 if odd else 1, degrees, 2):
        terms.append(term)
        term *= cosine * cosine * power / (power + 1)
    series = sine * math.fsum(terms)
    return (angle + series) * 2 / math.pi if odd else series
