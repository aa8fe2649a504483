"""A quality scaled to a loss in [0, 1], where 0 is the best there can be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from green_optuna.errors import OptionError, QualityError
from green_optuna.intervals import Interval
from green_optuna.scalars import as_float

# A mean of perfect scores may exceed 1 by a few roundings, which in the single precision that
# networks work in are 1e-7 each; that much, as a share of the range between the bounds, is taken
# for the bound itself.
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class QualityBounds:
    """The qualities that count as worst and best, between which every quality lies.

    The loss of a quality q is ``(best - q) / (best - worst)``: 1 - q with the default bounds.
    ``QualityBounds(worst=2.5, best=0.0)`` declares a quality of which less is better.

    A quality may be anything that converts itself to a number (``__float__`` or ``__index__``):
    Python and numpy scalars, arrays and torch tensors of one element. Truth values, strings and
    complex numbers do not count as numbers. A mean with its interval (``Interval``) counts as its
    mean, a ``RelativeScore`` as its ratio; their intervals are kept.

    Attributes:
        worst: The quality whose loss is 1.
        best: The quality whose loss is 0.

    Raises:
        OptionError: A bound is not a finite number, or both are equal.
    """

    worst: float = 0.0
    best: float = 1.0

    def __post_init__(self) -> None:
        """Check the bounds, and keep them as floats."""
        for name in ("worst", "best"):
            bound = getattr(self, name)
            number = as_float(bound)
            if number is None or not math.isfinite(number):
                raise OptionError(
                    f"quality_bounds: {name} is {bound!r} (of type {_type_name(bound)}), not a "
                    f"finite number; pass quality_bounds=(worst, best), for instance (0.0, 1.0)."
                )
            object.__setattr__(self, name, number)
        if self.worst == self.best:
            raise OptionError(
                f"quality_bounds: worst and best are both {self.best!r}, so qualities cannot be "
                f"told apart; pass quality_bounds=(worst, best) with two different numbers."
            )
        if not math.isfinite(self.best - self.worst):
            raise OptionError(
                f"quality_bounds: {self.worst!r} and {self.best!r} are too far apart for "
                f"floating-point numbers; pass bounds that the quality can come near to."
            )

    @classmethod
    def of(cls, value: object) -> Self:
        """Return bounds as they are, or make them of a ``(worst, best)`` pair.

        Raises:
            OptionError: The value is neither, or its bounds cannot be used.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != 2:
            raise OptionError(
                f"quality_bounds is {value!r} (of type {_type_name(value)}); pass a pair of "
                f"numbers, quality_bounds=(worst, best), or a QualityBounds."
            )
        return cls(worst=value[0], best=value[1])

    @property
    def maximise(self) -> bool:
        """Whether more is better: best > worst."""
        return self.best > self.worst

    def returned(self, quality: object) -> float:
        """Check a quality that an objective returned, and give it as a plain float.

        Raises:
            QualityError: The quality is not a finite number, or lies outside the bounds by more
                than rounding (1e-6 of their range).
        """
        number = as_float(quality)
        if number is None:
            raise QualityError(
                f"The quality is {_shown(quality)} of type {_type_name(quality)}, which is not a "
                f"number; return one number, such as an accuracy."
            )
        if not math.isfinite(number):
            raise QualityError(
                f"The quality is {number!r}, which is not finite; look for a diverged training or "
                f"an empty validation set, or raise optuna.TrialPruned for such a trial."
            )
        self._check_inside(number)
        return number

    def reported(self, value: object) -> float:
        """Check a quality that was reported, and give it as a plain float.

        Optuna tolerates NaN and infinities in reports, if not in results: they give NaN.

        Raises:
            TypeError: The value is not a number, in Optuna's words.
            QualityError: The value is finite but lies outside the bounds.
        """
        number = as_float(value)
        if number is None:
            raise TypeError(
                f"The `value` argument is of type '{type(value)}' but supposed to be a float."
            )
        if not math.isfinite(number):
            return math.nan
        self._check_inside(number)
        return number

    def loss(self, quality: object) -> float:
        """Return the loss of a quality: 0 for the best there can be, 1 for the worst.

        Raises:
            QualityError: As `returned` raises it; what rounding puts outside is clipped.
        """
        # The sum takes the sign off a zero.
        return min(max(self._scaled(self.returned(quality)), 0.0), 1.0) + 0.0

    def loss_interval(self, quality: Interval) -> Interval:
        """Return the interval of the loss that an interval of the quality makes.

        Its mean is a loss, from 0 to 1; its ends are cut off only where it would not hold that.
        """
        mean = min(max(self._scaled(quality.mean), 0.0), 1.0)
        ends = self._scaled(quality.low), self._scaled(quality.high), mean
        return replace(quality, mean=mean, low=min(ends), high=max(ends))

    def quality(self, loss: float) -> float:
        """Return the quality that has this loss; the inverse of `loss`."""
        return self.worst * loss + self.best * (1.0 - loss)

    def _scaled(self, quality: float) -> float:
        return (self.best - quality) / (self.best - self.worst)

    def _check_inside(self, quality: float) -> None:
        if not -_ROUNDING <= self._scaled(quality) <= 1.0 + _ROUNDING:
            raise QualityError(
                f"The quality {quality!r} lies outside its bounds, worst {self.worst!r} and best "
                f"{self.best!r}; declare the bounds it keeps to with quality_bounds=(worst, best), "
                f"where worst > best says that lower is better."
            )


def _type_name(value: object) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _shown(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
