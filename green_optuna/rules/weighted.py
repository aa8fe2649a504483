"""Rules that add up the objectives on axes scaled to the front: weighted sum, utopia distance."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from green_optuna.errors import OptionError
from green_optuna.rules.amounts import Amounts, as_pairs
from green_optuna.rules.ranking import Ranking
from green_optuna.rules.rows import ROUNDING
from green_optuna.rules.rule import Rule
from green_optuna.rules.scale import Scale, check_scale, scaled
from green_optuna.rules.words import in_words, listed, plain_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from green_optuna.rules.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighted(Rule):
    """Objectives on axes scaled to [0, 1] over the rows, each with a weight.

    A row with an infinite loss of a weight above 0 bounds no axis, and is chosen only when every
    row has one.
    """

    _figure_name: ClassVar[str]

    weights: Amounts = ()
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        """Check the weights and the scale."""
        check_scale(self.scale)
        weights = tuple(sorted(as_pairs("weights", self.weights)))
        if not math.isfinite(sum(weight for _, weight in weights)):
            raise OptionError(f"weights is {dict(weights)}: give finite numbers, such as 2")
        object.__setattr__(self, "weights", weights)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives that have been given a weight; the others weigh 1, whatever they are."""
        return tuple(name for name, _ in self._weights())

    def fitted(self, names: Sequence[str]) -> Self:
        """Give the objectives without a weight that of 1."""
        return replace(self, weights=dict.fromkeys(names, 1.0) | dict(self._weights()))

    def judge(self, rows: Rows) -> Ranking:
        """Rank by the weighted figure on the scaled axes."""
        weights = {name: weight for name, weight in self._weights() if weight}
        if not weights:
            raise OptionError(
                f"weights is {dict(self._weights())}: give one objective a weight above 0"
            )
        axes = scaled(rows, list(weights), self.scale)
        figure = self._figure(axes.points, np.array(list(weights.values())))
        return Ranking(
            rows,
            self._figure_name,
            figure,
            rounding=ROUNDING * sum(weights.values()),
            scale=self.scale,
            bounds=axes.bounds,
        )

    @abc.abstractmethod
    def _figure(
        self, points: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Give one figure a row: z in the shape of (n, k), weights of (k,), all above 0."""

    def _weights(self) -> tuple[tuple[str, float], ...]:
        return as_pairs("weights", self.weights)

    def _in_words(self) -> str:
        """List the objectives with their weights."""
        said = [
            in_words(name) if weight == 1 else f"{plain_number(weight)} x {in_words(name)}"
            for name, weight in self._weights()
            if weight
        ]
        return listed(said) if said else "all objectives"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSum(_Weighted):
    """The least weighted sum of the objectives, on axes scaled to [0, 1] over the rows.

    The weighting method (Zadeh 1963, https://doi.org/10.1109/TAC.1963.1105511). It cannot choose
    from where a front is not convex. The rule's own figure is the sum of w z.

    Args:
        weights: Weights by objective, at least 0; 1 for those that are not named.
        scale: "linear", "log" or "rank": how an axis is scaled. It decides a great deal.

    Raises:
        OptionError: A weight is not a finite number from 0 on, or the scale is unknown; when it
            chooses, that all weights are 0, or a logarithmic scale meets a loss of 0 or less.
    """

    name: ClassVar[str] = "weighted-sum"
    _figure_name: ClassVar[str] = "weighted sum"

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        return f"least weighted sum of {self._in_words()}, {self.scale} axes scaled to the front"

    def _figure(
        self, points: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        total: npt.NDArray[np.float64] = (points * weights).sum(axis=1)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Utopia(_Weighted):
    """The nearest to the utopia point, which has the best of each objective: min ||w z||_p.

    Compromise programming (Zeleny 1973), on axes scaled to [0, 1] over the rows, where the utopia
    point is 0. The rule's own figure is the distance.

    Args:
        weights: Weights by objective, at least 0; 1 for those that are not named.
        scale: "linear", "log" or "rank": how an axis is scaled. It decides a great deal.
        p: The distance: 1 (a weighted sum), 2 (Euclidean) or infinity (the worst axis alone).

    Raises:
        OptionError: p is none of these, a weight is not a finite number from 0 on, or the scale
            is unknown; when it chooses, that all weights are 0, or a logarithmic scale meets a
            loss of 0 or less.
    """

    name: ClassVar[str] = "utopia"
    _figure_name: ClassVar[str] = "distance to the utopia point"

    p: float = 2

    def __post_init__(self) -> None:
        """Check the distance too."""
        super(Utopia, self).__post_init__()
        if isinstance(self.p, bool) or self.p not in (1, 2, math.inf):
            raise OptionError(f"p is {self.p!r}: give 1, 2 or inf")

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        return (
            f"nearest to the utopia point in {self._in_words()}, p = {self.p:g}, {self.scale} axes "
            "scaled to the front"
        )

    def _figure(
        self, points: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        most = float(weights.max())  # taken out, so that no square overflows
        distance: npt.NDArray[np.float64]
        distance = most * np.linalg.norm(points * (weights / most), ord=self.p, axis=1)
        return distance
