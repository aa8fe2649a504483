"""What something that has begun will probably cost: arrays in, a middle and an interval out."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np

from green_optuna.errors import OptionError
from green_optuna.intervals import student_t

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float64]
    Steps: TypeAlias = npt.NDArray[np.int64]

CONFIDENCE = 0.9
"""How often a forecast's interval is meant to hold what comes."""

# From so many values on, their own quantiles are an interval of that confidence.
ENOUGH = 19

BasisOfSteps = Literal["given", "finished trials"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An amount that is still to come out: where it will probably lie.

    Attributes:
        low: The lower end of the interval, in the unit of the amount.
        mid: The most likely amount, or near it.
        high: The upper end.

    Raises:
        OptionError: They are not finite numbers in this order.
    """

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not -math.inf < self.low <= self.mid <= self.high < math.inf:
            raise OptionError(f"{self} is no expectation: give finite numbers in this order.")

    def map(self, change: Callable[[float], float]) -> Expected:
        """Give each of the three changed by a function that only grows."""
        return Expected(low=change(self.low), mid=change(self.mid), high=change(self.high))

    def to_dict(self) -> dict[str, float]:
        """Give the three as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What one run of a trial's function will have cost when it ends, if nobody stops it.

    Attributes:
        energy_kwh: Its energy, in kWh.
        co2e_kg: The same in kg of CO2e.
        duration_s: How long it will take, in s.
        step: The last step that was known of.
        steps_left: How many steps are still to come, as far as is known.
        basis_of_steps: How that is known: the number of steps was given, or it is the median of
            finished trials.
        n_past: How many finished trials told how far such forecasts are off.
        confidence: How often such intervals are meant to hold what comes: less than 90 % where
            fewer than 19 finished trials tell how many steps there are.
        runs: How often the trial's function was to run, each time at this cost.
    """

    energy_kwh: Expected
    co2e_kg: Expected
    duration_s: Expected
    step: int
    steps_left: int
    basis_of_steps: BasisOfSteps
    n_past: int = 0
    confidence: float = CONFIDENCE
    runs: int = 1

    @property
    def values(self) -> dict[str, float]:
        """What a chart shows: ``co2e_kg``, ``co2e_kg_low``, ``co2e_kg_high``, ..."""
        shown: dict[str, float] = {}
        for name in ("co2e_kg", "energy_kwh", "duration_s"):
            amount: Expected = getattr(self, name)
            shown |= {
                name: amount.mid,
                f"{name}_low": amount.low,
                f"{name}_high": amount.high,
            }
        return shown

    def saved_kwh(self, spent_kwh: float) -> Expected:
        """Tell what it saves to stop the trial, in kWh: all its runs against what it has spent."""
        return self.energy_kwh.map(lambda kwh: max(kwh * self.runs - spent_kwh, 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Give the forecast as plain data, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Undo :meth:`to_dict`."""
        amounts = {name: Expected(**kept[name]) for name in ("energy_kwh", "co2e_kg", "duration_s")}
        return cls(**{**kept, **amounts})


def expected_total(
    steps: Steps, costs: Floats, *, left: Expected, errors: Floats, spent: float
) -> Expected | None:
    """Forecast what a run will have cost at its end.

    Start-up is left out: the cost per step is that from the first report to the last. ASSUMED:
    where two or more earlier forecasts were off, this one is off like one of them; else, steps
    go on costing what they cost, or along a straight line (of which fewer than five reports
    tell nothing). The interval reaches as far as any of it says and, with fewer than 19 errors,
    as far as the spread of the run's own costs per step, taken as though all steps to come were off
    the same way: it is wide then, and holds more often than it says.

    Args:
        steps: The steps reported, increasing, an ndarray in the shape of (n_reports,).
        costs: What it had cost at each, in the same shape.
        left: How many steps are still to come.
        errors: Of finished runs, what :func:`rest_error` tells, in the shape of (n_errors,).
        spent: What it has cost by now.

    Returns:
        The total, never below what is spent; None where nothing tells of an interval: fewer than
        three reports and fewer than two errors, or steps that cost nothing that could be seen.
    """
    rate = _rate(steps, costs)
    if rate is None:
        return None
    error = _spread_of(errors)
    # Enough errors of earlier forecasts tell all that there is to tell.
    half = None if len(errors) >= ENOUGH else _half_width(np.diff(costs) / np.diff(steps))
    if error is None and half is None:
        return None
    tail = error or Expected(low=0.0, mid=0.0, high=0.0)
    span = float(steps[-1] - steps[0]) + left.mid
    mid = rate * (left.mid + tail.mid * span)
    lows = [mid, rate * (left.low + tail.low * span)]
    highs = [mid, rate * (left.high + tail.high * span)]
    if half is not None:
        lows.append((rate - half) * left.low + rate * tail.mid * span)
        highs.append((rate + half) * left.high + rate * tail.mid * span)
    trend = None if error is not None else _trend(steps, costs, left.mid)
    if trend is not None:
        lows.append(trend[0] * left.low)
        highs.append(trend[1] * left.high)
    rest = Expected(low=min(lows), mid=mid, high=max(highs))
    return rest.map(lambda amount: max(float(costs[-1]) + amount, spent))


def rest_error(
    steps: Steps, costs: Floats, *, share: float, last: int, total: float
) -> float | None:
    """Tell how far the forecast of a finished run was off when a share of its steps was done.

    Args:
        steps: The steps that it reported, increasing, an ndarray in the shape of (n_reports,).
        costs: What it had cost at each, in the same shape.
        share: The share of its steps that was done, from 0 to 1.
        last: Its last step.
        total: What it cost in the end.

    Returns:
        What was left to pay, in excess of what it cost per step times the steps left, as a share
        of what all its steps cost at that rate; None where it had not made two reports by then.
    """
    first, span = int(steps[0]), float(last - steps[0])
    # Steps are whole: a share that was a step's is not to miss it by a rounding.
    n_known = int(np.searchsorted(steps, first + share * span + 1e-6, side="right"))
    rate = _rate(steps[:n_known], costs[:n_known])
    if rate is None:
        return None
    left = float(last - steps[n_known - 1])
    return ((total - float(costs[n_known - 1])) / rate - left) / span


def steps_expected(left: Steps) -> Expected:
    """Tell how many steps are left from how many were left of finished runs at the same step.

    Args:
        left: Steps left, an ndarray in the shape of (n_runs,), at least one. Of fewer than 19,
            the ends are the least and the greatest, which hold the next one less often.
    """
    ordered = np.sort(left).astype(np.float64)
    low, high = _ranks(len(ordered)) or (0, len(ordered) - 1)
    return Expected(
        low=float(ordered[low]), mid=float(np.median(ordered)), high=float(ordered[high])
    )


def expected_sum(values: Sequence[float], n_more: int) -> Expected:
    """Tell what so many more values will add up to, with those that are known.

    It is Student's prediction interval of a mean of ``n_more`` further values, times their number.
    ASSUMED: they come from the same normal distribution, each on its own.

    Args:
        values: The values known, 0 or more each, at least two.
        n_more: How many are to come, 0 or more.

    Raises:
        OptionError: There are fewer than two values.
    """
    n = len(values)
    if n < 2:
        raise OptionError(f"{n} values say nothing of how far the next ones lie: give 2 or more.")
    spent, mean = math.fsum(values), statistics.mean(values)
    spread = math.sqrt(n_more + n_more**2 / n)
    half = student_t(n - 1, CONFIDENCE) * statistics.stdev(values) * spread
    mid = spent + n_more * mean
    return Expected(low=max(mid - half, spent), mid=mid, high=mid + half)


def _rate(steps: Steps, costs: Floats) -> float | None:
    """Give the cost per step after the first report; None where it cannot be told."""
    if len(steps) < 2:
        return None
    rate = float(costs[-1] - costs[0]) / float(steps[-1] - steps[0])
    return rate if rate > 0 else None


def _half_width(rates: Floats) -> float | None:
    """Give how far a further cost per step may be off the mean, by Student's distribution."""
    n = len(rates)
    if n < 2:
        return None
    return student_t(n - 1, CONFIDENCE) * float(rates.std(ddof=1)) * math.sqrt(1 + 1 / n)


def _trend(steps: Steps, costs: Floats, left: float) -> tuple[float, float] | None:
    """Give the mean cost of the steps to come along a straight trend, with its uncertainty.

    It is the least-squares line through the costs per step, and its prediction interval, whether
    there is a trend to be seen or not: one that hides in noise matters many steps ahead. None for
    fewer than four costs, which tell next to nothing of it.
    """
    n = len(steps) - 1
    if n < 4:
        return None
    rates = np.diff(costs) / np.diff(steps)
    at = (steps[1:] + steps[:-1]) / 2
    from_mean = at - at.mean()
    squares = float(from_mean @ from_mean)
    slope = float(from_mean @ rates) / squares
    residuals = rates - rates.mean() - slope * from_mean
    sigma = math.sqrt(float(residuals @ residuals) / (n - 2))
    t = student_t(n - 2, CONFIDENCE)
    ahead = float(steps[-1]) + left / 2 - float(at.mean())
    mid = float(rates.mean()) + slope * ahead
    half = t * sigma * math.sqrt(1 + 1 / n + ahead**2 / squares)
    # No step gives anything back.
    return max(mid - half, 0.0), max(mid + half, 0.0)


def _spread_of(errors: Floats) -> Expected | None:
    """Give where a further error will lie; None for fewer than two.

    Of 19 or more it is between their quantiles, whatever their distribution; of fewer, it is
    Student's prediction interval, which wants them about normal.
    """
    n = len(errors)
    if n < 2:
        return None
    mid = float(np.median(errors))
    ranks = _ranks(n)
    if ranks is not None:
        ordered = np.sort(errors)
        low, high = (float(ordered[rank]) for rank in ranks)
    else:
        half = student_t(n - 1, CONFIDENCE) * float(errors.std(ddof=1)) * math.sqrt(1 + 1 / n)
        low, high = float(errors.mean()) - half, float(errors.mean()) + half
    return Expected(low=min(low, mid), mid=mid, high=max(high, mid))


def _ranks(n: int) -> tuple[int, int] | None:
    """Give which of n ordered values a further one lies between, this often; None for too few.

    A further value of the same distribution falls into each of the n + 1 gaps alike.
    """
    if n < ENOUGH:
        return None
    # Without the rounding of 1 - 0.9.
    cut = math.floor((n + 1) * (1 - CONFIDENCE) / 2 + 1e-9)
    return cut - 1, n - cut
