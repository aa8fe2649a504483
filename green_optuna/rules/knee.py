"""The knee of a front over two objectives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from green_optuna.errors import OptionError
from green_optuna.rules.ranking import Ranking
from green_optuna.rules.rows import ROUNDING
from green_optuna.rules.rule import Rule
from green_optuna.rules.scale import Scale, check_scale, transformed
from green_optuna.rules.words import in_words

if TYPE_CHECKING:
    import numpy.typing as npt

    from green_optuna.rules.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee(Rule):
    """The row that lies farthest below the line through the two extremes, for two objectives.

    The knee of Das (1999, https://doi.org/10.1007/BF01195985), on axes that are scaled to [0, 1]
    between the extremes. The extremes are the best row on each axis (among several, the best of
    them on the other axis). The units of the objectives change nothing; the scale may.
    The rule's own figure is the sum of the two losses, scaled so that the extremes are (0, 1) and
    (1, 0): 1 on the line, and less the farther below it. With three objectives, take ``Utopia``.

    - Two rows, or none below the line: the extremes tie at 1, so the order of ties takes the one
      that is better on the earlier of ``names``.
    - A row that is best on both axes (a single row, or rows equal on one axis): that row.
    - A row with +inf on one of the two axes: chosen only when every row has one, by the order of
      ties alone.

    Args:
        objectives: The names of two different objectives.
        scale: "linear", "log" or "rank": how an axis is scaled.

    Raises:
        OptionError: The objectives are not two different names, or the scale is unknown; when it
            chooses, that a logarithmic scale meets a loss of 0 or less.
    """

    name: ClassVar[str] = "knee"

    objectives: tuple[str, str] = ("quality_loss", "co2e_kg")
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        """Check the options; any sequence of two is taken, since configurations hold lists."""
        check_scale(self.scale)
        given: object = self.objectives
        pair = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
        if not all(isinstance(name, str) for name in pair) or len(pair) != 2 or len(set(pair)) != 2:
            raise OptionError(
                f"objectives is {given!r}: give the names of two different objectives, such as "
                "('quality_loss', 'co2e_kg')"
            )
        object.__setattr__(self, "objectives", pair)

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        first, second = map(in_words, self.objectives)
        return f"knee of {first} against {second} on {self.scale} axes"

    def judge(self, rows: Rows) -> Ranking:
        """Rank by how far below the line through the extremes a row lies."""
        losses = rows.columns(self.objectives)
        finite = np.isfinite(losses).all(axis=1)
        sums, bounds = np.full(len(rows), math.inf), {}
        if finite.any():
            points = transformed(losses[finite], self.objectives, self.scale)
            ends = _extremes(points)
            sums[finite] = _scaled_sums(points, ends)
            first, second = (losses[finite][end].tolist() for end in ends)
            spans = (first[0], second[0]), (second[1], first[1])
            bounds = dict(zip(self.objectives, spans, strict=True))
        return Ranking(
            rows,
            "sum on the scaled axes",
            sums,
            rounding=ROUNDING,
            scale=self.scale,
            bounds=bounds,
        )


def _extremes(points: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Give the best row on the first axis, and on the second, of points (n, 2)."""
    x, y = points.T
    return int(np.lexsort((y, x))[0]), int(np.lexsort((x, y))[0])


def _scaled_sums(points: npt.NDArray[np.float64], ends: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return the sum of the two coordinates (n, 2), the extremes being put at (0, 1), (1, 0).

    The distance below the line through the extremes is proportional to 1 - sum.
    """
    points = points / 4  # so that no difference overflows
    first, second = points[list(ends)]
    low = np.array([first[0], second[1]])
    span = np.array([second[0], first[1]]) - low
    if not span.all():  # the extremes are one row
        return np.where((points == low).all(axis=1), 0.0, math.inf)
    with np.errstate(over="ignore"):  # a row very far above the line
        sums: npt.NDArray[np.float64] = ((points - low) / span).sum(axis=1)
    return sums
