"""How far a mean of a few values can be trusted: Student's confidence interval."""

from __future__ import annotations

import functools
import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and where the true one lies, as far as the values tell.

    Attributes:
        mean: The mean of the values, in their unit.
        low: The lower end, in their unit; it is not cut off at a bound that the values have.
        high: The upper end, in their unit.
        confidence: How often such an interval holds the true mean, were all done again.
        n: Of how many values.
    """

    mean: float
    low: float
    high: float
    confidence: float
    n: int

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
    # Exact, so that equal values have their own value as the mean, and no width.
    mean = statistics.mean(values)
    half = student_t(n - 1, confidence) * statistics.stdev(values) / math.sqrt(n)
    return Interval(mean=mean, low=mean - half, high=mean + half, confidence=confidence, n=n)


def check_confidence(confidence: float) -> None:
    """Hold that a confidence is one.

    Raises:
        OptionError: It is not between 0 and 1.
    """
    if not 0 < confidence < 1:
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
