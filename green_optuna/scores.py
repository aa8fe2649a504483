"""Scores made of several figures: of listeners' ratings, of a reference, of quality and energy.

Sources: Douwes, Esling and Briot, "A multi-objective approach for sustainable generative audio
models" (2021), https://hal.science/hal-03296897, equations 7 and 8; Ronchini and Serizel,
"Performance and energy balance: a comprehensive study of state-of-the-art sound event detection
systems" (2023), arXiv:2310.03455, for the energy-weighted score; Fieller, "Some problems in
interval estimation", Journal of the Royal Statistical Society B 16 (1954), 175-185,
doi:10.1111/j.2517-6161.1954.tb00159.x, for the interval of a ratio of means.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from green_optuna.errors import OptionError, QualityError
from green_optuna.intervals import (
    CONFIDENCE,
    Interval,
    check_confidence,
    mean_interval,
    student_t,
)
from green_optuna.scalars import as_float

if TYPE_CHECKING:
    from collections.abc import Sequence

MOS_SCALE: Final = (1.0, 5.0)
"""The lowest and the highest rating of a mean opinion score (ITU-T P.800)."""


def mean_opinion_score(
    ratings: Sequence[float],
    *,
    scale: tuple[float, float] = MOS_SCALE,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Give the mean opinion score of raw ratings, with its confidence interval (eq. 7).

    The interval takes the ratings for independent. Ratings that one listener gave to several
    sounds are not quite: give each listener's mean instead, to be on the safe side.

    Args:
        ratings: One rating each, in the shape of (n,), n at least 2.
        scale: The lowest and the highest rating there can be.
        confidence: How often the interval shall hold the true score, between 0 and 1.

    Raises:
        QualityError: There are fewer than two ratings, or one is no number or off the scale.
        OptionError: The scale or the confidence cannot be used.
    """
    values = _checked(ratings, _checked_scale(scale), "ratings")
    interval = mean_interval(values, confidence=confidence)
    assert interval is not None  # there are two values or more
    return interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeScore:
    """A score as a share of a reference's: %MOS where both are mean opinion scores (eq. 8).

    It is a quality that an objective can return, between 0 and 1; what is above the reference
    counts as 1 there, since the reference is the ceiling.

    Attributes:
        ratio: The score by the reference's, not cut off at 1.
        interval: The confidence interval of the ratio; None where none can be told.
        score: The score.
        reference: The reference's score, such as that of the ground truth.
    """

    ratio: float
    interval: Interval | None
    score: float
    reference: float

    @property
    def loss(self) -> float:
        """1 - ratio, the paper's 1 - %MOS; 0 for what is above the reference."""
        return 1.0 - float(self)

    def __float__(self) -> float:
        """Give the ratio as a quality, 1 at most."""
        return min(self.ratio, 1.0)


def relative_score(
    score: float | Interval | Sequence[float],
    reference: float | Interval | Sequence[float],
    *,
    paired: bool = False,
    scale: tuple[float, float] | None = None,
    confidence: float = CONFIDENCE,
) -> RelativeScore:
    """Give a score as a share of a reference's, with its confidence interval (eq. 8).

    With ratings of generated sound and of the ground truth it is %MOS; it serves as well for any
    score from 0 up of which a reference sets the ceiling, such as that of ViSQOL. Ratios compare
    models that were rated by other listeners better than scores do; they are no less subjective.

    The interval is Fieller's, with Welch's degrees of freedom where the two vary differently. Its
    ends do not lie evenly about the ratio. There is none (None) where a score comes as a bare
    number, or where the reference is so uncertain that it might be 0.

    Args:
        score: The model's: values in the shape of (n,), or their mean with its interval, or a
            number.
        reference: The reference's, likewise.
        paired: Whether values of both go together one by one, as when the same listeners rated
            both: what they share then cancels out.
        scale: The lowest and the highest value there can be, ``(1, 5)`` for ratings; unchecked
            unless given.
        confidence: How often the interval shall hold the true ratio, between 0 and 1.

    Raises:
        QualityError: Fewer than two values, or one that is no number or off the scale; unequal
            numbers of paired values; a negative score; a reference of 0 or less.
        OptionError: ``paired`` without values of both, or a scale or confidence that cannot be
            used.
    """
    check_confidence(confidence)
    ends = (-math.inf, math.inf) if scale is None else _checked_scale(scale)
    ours = _Mean.of(score, "score", ends)
    theirs = _Mean.of(reference, "reference", ends)
    if ours.mean < 0:
        raise QualityError(
            f"The score is {ours.mean:g}, and a share of the reference says nothing of a score "
            "below 0: shift both onto a scale that begins at 0."
        )
    if theirs.mean <= 0:
        raise QualityError(
            f"The reference's score is {theirs.mean:g}: it must be above 0 to set the ceiling. "
            "Look whether it was the ground truth that was rated."
        )
    covariance = _covariance(ours, theirs) if paired else 0.0
    return RelativeScore(
        ratio=ours.mean / theirs.mean,
        interval=_fieller(ours, theirs, covariance, paired=paired, confidence=confidence),
        score=ours.mean,
        reference=theirs.mean,
    )


def energy_weighted_score(score: float, *, energy_kwh: float, baseline_energy_kwh: float) -> float:
    """Weigh a score by energy: ``score * baseline energy / own energy``.

    It is the form of EW-PSDS (Ronchini and Serizel 2023), for those who must report one number.
    Both energies must be of the same work on the same hardware. It is linear in the energy saved
    and knows no least quality: half the energy makes up for half the score, and a model that costs
    next to nothing wins however bad it is. A Pareto front shows what this number hides.

    Args:
        score: The score, 0 or more, of which more is better.
        energy_kwh: What the model used, in kWh, in training or in inference.
        baseline_energy_kwh: What the baseline used for the same, in kWh.

    Raises:
        QualityError: The score is no finite number, or below 0.
        OptionError: An energy is no finite number above 0.
    """
    number = as_float(score)
    if number is None or not 0 <= number < math.inf:
        raise QualityError(f"score is {score!r}: give a finite number of 0 or more.")
    energies = {"energy_kwh": energy_kwh, "baseline_energy_kwh": baseline_energy_kwh}
    for name, given in energies.items():
        energy = as_float(given)
        if energy is None or not 0 < energy < math.inf:
            raise OptionError(f"{name} is {given!r}: give kWh, a finite number above 0.")
    weighted = number * (float(baseline_energy_kwh) / float(energy_kwh))
    if not math.isfinite(weighted):
        raise OptionError(
            f"energy_kwh is {energy_kwh!r} and baseline_energy_kwh {baseline_energy_kwh!r}, so far "
            "apart that the score is beyond all numbers: look at their units."
        )
    return weighted


@dataclass(frozen=True, slots=True)
class _Mean:
    """A mean, and how far it can be trusted.

    Attributes:
        mean: The mean.
        error: Its standard error; None where it is not known.
        n: Of how many values.
        values: The values, where they are at hand.
    """

    mean: float
    error: float | None
    n: int
    values: tuple[float, ...] = ()

    @classmethod
    def of(cls, given: object, name: str, scale: tuple[float, float]) -> Self:
        if isinstance(given, Interval):
            # What made the interval of the standard error, undone.
            half = (given.high - given.low) / 2
            known = given.n > 1
            error = half / student_t(given.n - 1, given.confidence) if known else None
            _check_on_scale(given.mean, scale, f"The {name} is")
            return cls(given.mean, error, given.n)
        if _is_sized(given):
            values = _checked(given, scale, f"{name} values")
            error = statistics.stdev(values) / math.sqrt(len(values))
            return cls(statistics.mean(values), error, len(values), tuple(values))
        number = as_float(given)
        if number is None or not math.isfinite(number):
            raise QualityError(f"The {name} is {given!r}: give a finite number, or values.")
        _check_on_scale(number, scale, f"The {name} is")
        return cls(number, None, 1)


def _covariance(ours: _Mean, theirs: _Mean) -> float:
    """Give the covariance of the two means of paired values."""
    if not ours.values or not theirs.values:
        raise OptionError(
            "paired=True wants the values themselves, of the score and of the reference: a mean "
            "does not say which of them go together."
        )
    if ours.n != theirs.n:
        raise QualityError(
            f"There are {ours.n} score values and {theirs.n} reference values: paired ones must "
            "be as many. Leave paired out where they do not go together."
        )
    return statistics.covariance(ours.values, theirs.values) / ours.n


def _fieller(
    ours: _Mean, theirs: _Mean, covariance: float, *, paired: bool, confidence: float
) -> Interval | None:
    """Give Fieller's interval of a ratio of means: all r with (a - r b)^2 <= t^2 var(a - r b)."""
    if ours.error is None or theirs.error is None:
        return None
    a, b = ours.mean, theirs.mean
    ratio = a / b
    var_a, var_b = ours.error**2, theirs.error**2
    n = min(ours.n, theirs.n)
    degrees = n - 1 if paired else _welch(var_a, ratio**2 * var_b, ours.n, theirs.n)
    t2 = student_t(degrees, confidence) ** 2
    # b^2 r^2 - 2 a b r + a^2 - t^2 (var_a - 2 r cov + r^2 var_b) <= 0
    square, linear, constant = b * b - t2 * var_b, a * b - t2 * covariance, a * a - t2 * var_a
    if square <= 0:
        return None
    root = math.sqrt(max(linear * linear - square * constant, 0.0))
    # Where there is no spread, both ends are the ratio itself but for a rounding.
    low, high = min((linear - root) / square, ratio), max((linear + root) / square, ratio)
    return Interval(mean=ratio, low=low, high=high, confidence=confidence, n=n)


def _welch(var_a: float, var_b: float, n_a: int, n_b: int) -> int:
    """Give Welch and Satterthwaite's degrees of freedom of a difference, rounded down.

    Source: Welch, Biometrika 34 (1947), 28-35, doi:10.1093/biomet/34.1-2.28.
    """
    spread = var_a**2 / (n_a - 1) + var_b**2 / (n_b - 1)
    if spread == 0:
        return min(n_a, n_b) - 1
    degrees = (var_a + var_b) ** 2 / spread
    # What is whole but for a rounding is whole: a unit must not cost a degree of freedom.
    return max(int(degrees * (1 + 1e-9)), 1)


def _check_on_scale(number: float, scale: tuple[float, float], what: str, where: str = "") -> None:
    """Hold that a number is on the scale.

    Raises:
        QualityError: It is not.
    """
    low, high = scale
    if not low <= number <= high:
        raise QualityError(
            f"{what} {number:g}{where}, off the scale from {low:g} to {high:g}: mend it, or say "
            "scale=(lowest, highest)."
        )


def _checked(given: Any, scale: tuple[float, float], name: str) -> list[float]:  # noqa: ANN401
    """Give values as floats.

    Raises:
        QualityError: There are fewer than two, or one is no finite number or off the scale.
    """
    if isinstance(given, str | bytes) or not _is_sized(given):
        raise QualityError(f"The {name} are {given!r}: give a sequence of numbers.")
    values = []
    for at, value in enumerate(given):
        number = as_float(value)
        if number is None or not math.isfinite(number):
            raise QualityError(f"The {name} have {value!r} at {at}: give finite numbers only.")
        _check_on_scale(number, scale, f"The {name} have", f" at {at}")
        values.append(number)
    if len(values) < 2:
        raise QualityError(
            f"There are {len(values)} {name}: an interval wants two or more. A score that is "
            "known without one is given as a number."
        )
    return values


def _is_sized(given: object) -> bool:
    """Tell a sequence of values from a number, which may be an array or tensor of no dimension."""
    return hasattr(given, "__len__") and getattr(given, "ndim", 1) > 0


def _checked_scale(scale: Sequence[float]) -> tuple[float, float]:
    given: object = scale
    if isinstance(given, tuple | list) and len(given) == 2:
        low, high = (as_float(end) for end in given)
        if low is not None and high is not None and -math.inf < low < high < math.inf:
            return low, high
    raise OptionError(f"scale is {scale!r}: give (lowest, highest), two finite numbers.")
