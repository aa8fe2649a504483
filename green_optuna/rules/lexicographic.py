"""The lexicographic method: objectives in an order, each with what may be given up of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from green_optuna.errors import OptionError
from green_optuna.rules.amounts import Amounts, as_pairs
from green_optuna.rules.ranking import Limit, Ranking
from green_optuna.rules.rule import Rule
from green_optuna.rules.words import in_words, least_in_words

if TYPE_CHECKING:
    from green_optuna.rules.rows import Rows


@dataclass(frozen=True, slots=True)
class Lexicographic(Rule):
    """Objectives one after another: each keeps the rows close to its best, the last one decides.

    The lexicographic method with tolerances (Waltz, "An engineering approach: hierarchical
    optimization criteria", IEEE Transactions on Automatic Control 12, 1967). An objective's
    tolerance is a share: of the best quality that is left, as in ``Tolerance``, or of the least
    value that is left. The rule's own figure is the objective at which one row alone is left, the
    last one at the latest.

    Args:
        order: The names of the objectives, the most important first: alone, or with their
            tolerances as pairs or as a mapping. A name alone has a tolerance of 0, and so has the
            last, after which nothing could use it. ``quality_loss`` with 0.01, then ``co2e_kg``,
            unless given.

    Raises:
        OptionError: There is no objective, one comes twice, a tolerance is not a number from 0
            on and below 1, or the last one has one.
    """

    name: ClassVar[str] = "lexicographic"

    order: Amounts | Iterable[str] = (("quality_loss", 0.01), ("co2e_kg", 0.0))

    def __post_init__(self) -> None:
        """Check the order, and give each name a tolerance."""
        given = self.order
        if isinstance(given, str):
            raise OptionError(f"order is {given!r}: give several names, such as ['quality_loss']")
        steps = list(given.items()) if isinstance(given, Mapping) else list(given)
        pairs: list[Any] = [(step, 0.0) if isinstance(step, str) else step for step in steps]
        order = as_pairs("order", pairs)
        if not order or len(order) < len(pairs):
            raise OptionError(f"order is {given!r}: name at least one objective, and each once")
        for name, share in order:
            if share >= 1:
                raise OptionError(
                    f"order[{name!r}] is {share!r}: give a share below 1, such as 0.01 for 1 %"
                )
        name, share = order[-1]
        if share:
            raise OptionError(
                f"order[{name!r}] is {share!r}, but nothing comes after it that could use what it "
                "gives up: give 0, or another objective after it"
            )
        object.__setattr__(self, "order", order)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives in their order."""
        return tuple(name for name, _ in self._steps())

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        said = [
            least_in_words(name) + (f" within {100 * share:.6g} %" if share else "")
            for name, share in self._steps()
        ]
        return ", then ".join(said)

    def judge(self, rows: Rows) -> Ranking:
        """Rank by the objective at which one row alone is left, the rows that come to it."""
        left, limits = np.ones(len(rows), dtype=np.bool_), []
        steps = self._steps()
        for name, share in steps[:-1]:
            limit = _limit(name, share, float(rows.column(name)[left].min()))
            closer = left & limit.met_by(rows)
            if closer.sum() == 1:
                break
            left = closer
            limits.append(limit)
        else:
            name = steps[-1][0]
        return Ranking(rows, name, rows.column(name), limits=tuple(limits))

    def _steps(self) -> tuple[tuple[str, float], ...]:
        return as_pairs("order", self.order)  # type: ignore[arg-type]  # pairs, once made


def _limit(name: str, share: float, least: float) -> Limit:
    """Give what an objective may be at most that is close to its best."""
    room = max(0.0, 1.0 - least) if name == "quality_loss" else abs(least)
    best = "the best quality" if name == "quality_loss" else f"the least {in_words(name)}"
    value = least + share * room if share else least  # infinity, once none, is no number
    return Limit(name, value, f"{100 * share:.6g} % from {best}" if share else best)
