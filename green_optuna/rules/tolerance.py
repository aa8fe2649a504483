"""The default rule: the cheapest among those whose quality is close to the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Self

from green_optuna.errors import OptionError
from green_optuna.rules.amounts import check_amount
from green_optuna.rules.ranking import Limit, Ranking
from green_optuna.rules.rows import Rows
from green_optuna.rules.rule import Rule
from green_optuna.rules.words import least_in_words


@dataclass(frozen=True, slots=True)
class Tolerance(Rule):
    """Least CO2e among the rows whose quality is close to the best one; the default rule.

    The quality is 1 - ``quality_loss``, on the study's own scale from 0 (worst) to 1 (best). It
    is close enough when it is at least (1 - relative) x best, or best - absolute. The rule's own
    figure is what it minimises.

    Args:
        relative: The share of the best quality that may be given up, at least 0 and below 1;
            0.01 (1 %) when neither option is given, None when the other is.
        absolute: What may be given up on the scale from 0 to 1, at least 0, instead of a share.
        minimise: The objective that is made least, CO2e unless given. Where a front has energy
            and no CO2e, least CO2e is least energy, since a study has one carbon intensity.

    Raises:
        OptionError: Both tolerances are given, or one of them is outside its range; what is to
            be made least is the quality loss, which has the tolerance.
    """

    name: ClassVar[str] = "tolerance"

    relative: float | None = None
    _: KW_ONLY
    absolute: float | None = None
    minimise: str = "co2e_kg"

    def __post_init__(self) -> None:
        """Check the options, and fill in the default share."""
        if self.absolute is not None and self.relative is not None:
            raise OptionError(
                f"Tolerance has relative={self.relative!r} and absolute={self.absolute!r}: give "
                "one of them"
            )
        if self.absolute is None and self.relative is None:
            object.__setattr__(self, "relative", 0.01)
        for option, value in (("relative", self.relative), ("absolute", self.absolute)):
            if value is not None:
                check_amount(option, value)
        if self.relative is not None and self.relative >= 1:
            raise OptionError(
                f"relative is {self.relative!r}: give a share below 1, such as 0.01 for 1 %"
            )
        if self.absolute == math.inf:
            raise OptionError("absolute is inf: give a finite number, such as 0.01")
        if self.minimise == "quality_loss":
            raise OptionError(
                "minimise is 'quality_loss', of which the tolerance is: give another objective, "
                "such as 'co2e_kg'"
            )

    @property
    def objectives(self) -> tuple[str, ...]:
        """The quality, and what is made least."""
        return ("quality_loss", self.minimise)

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        return f"{least_in_words(self.minimise)} within {self._amount()} of the best quality"

    def fitted(self, names: Sequence[str]) -> Self:
        """Take energy for CO2e where there is no CO2e."""
        proportional = self.minimise == "co2e_kg" not in names and "energy_kwh" in names
        return replace(self, minimise="energy_kwh") if proportional else self

    def remedy(self, names: Sequence[str]) -> str:
        """Say what to do where an objective is missing: mostly, what else could be least."""
        costs = [name for name in names if name != "quality_loss"]
        if not costs or len(costs) == len(names):
            return super(Tolerance, self).remedy(names)
        return (
            f"say what is to be least, such as minimise={costs[0]!r}, choose another rule, or make "
            "a study with them"
        )

    def judge(self, rows: Rows) -> Ranking:
        """Rank by what is made least the rows whose quality is close to the best."""
        best = float(rows.column("quality_loss").min())
        # quality >= (1 - share) x best, in losses; beyond the worst loss, 1, no share is left
        given_up = (self.relative or 0.0) * max(0.0, 1.0 - best) + (self.absolute or 0.0)
        limit = Limit("quality_loss", best + given_up, f"{self._amount()} from the best quality")
        return Ranking(rows, self.minimise, rows.column(self.minimise), limits=(limit,))

    def _amount(self) -> str:
        if self.absolute is not None:
            return f"{self.absolute:.6g}"
        return f"{100 * (self.relative or 0.0):.6g} %"
