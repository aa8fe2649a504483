"""The row without which a front would lose most hypervolume."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from green_optuna.errors import OptionError
from green_optuna.pareto import hypervolume, hypervolume_contributions
from green_optuna.rules.amounts import check_amount
from green_optuna.rules.ranking import Ranking
from green_optuna.rules.rows import ROUNDING
from green_optuna.rules.rule import Rule
from green_optuna.rules.scale import Scale, check_scale, scaled

if TYPE_CHECKING:
    from green_optuna.rules.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution(Rule):
    """The row that contributes most hypervolume, over all objectives scaled to [0, 1].

    What only this row dominates (Emmerich, Beume and Naujoks 2005,
    https://doi.org/10.1007/978-3-540-31880-4_5), up to a reference point. Equal rows share what
    one of them contributes. A row with an infinite loss contributes nothing and bounds no axis.
    The rule's own figure is the hypervolume that is left without the row.

    Args:
        scale: "linear", "log" or "rank": how an axis is scaled. It decides a great deal.
        reference: Where the reference point lies on each axis, above 1, the worst of the rows;
            the farther out, the more the extremes contribute.

    Raises:
        OptionError: The scale is unknown, or the reference is not a finite number above 1; when
            it chooses, that a logarithmic scale meets a loss of 0 or less.
    """

    name: ClassVar[str] = "contribution"

    scale: Scale = "linear"
    reference: float = 1.1

    def __post_init__(self) -> None:
        """Check the options."""
        check_scale(self.scale)
        check_amount("reference", self.reference)
        if not 1 < self.reference < math.inf:
            raise OptionError(f"reference is {self.reference!r}: give a number above 1, as 1.1 is")

    @property
    def objectives(self) -> tuple[str, ...]:
        """None in particular: all that there are count."""
        return ()

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        return (
            f"largest hypervolume contribution, {self.scale} axes scaled to the front, reference "
            f"at {self.reference:g}"
        )

    def judge(self, rows: Rows) -> Ranking:
        """Rank by the hypervolume that is left without a row."""
        axes = scaled(rows, rows.names, self.scale)
        finite = np.isfinite(axes.points).all(axis=1)
        figure = np.full(len(rows), math.inf)
        total = 0.0
        if finite.any():
            corner = np.full(len(rows.names), float(self.reference))
            distinct, of = np.unique(axes.points[finite], axis=0, return_inverse=True)
            total = hypervolume(distinct, corner)
            figure[finite] = (total - hypervolume_contributions(distinct, corner))[of]
        return Ranking(
            rows,
            "hypervolume left without it",
            figure,
            rounding=ROUNDING * max(1.0, total),
            scale=self.scale,
            bounds=axes.bounds,
        )
