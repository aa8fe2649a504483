"""What a rule makes of the rows: which it chooses, by how much, and why not another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.rules.rows import ROUNDING
from green_optuna.units import describe_quantity, quantity_heading, show_quantity

if TYPE_CHECKING:
    import numpy.typing as npt

    from green_optuna.rules.rows import Rows
    from green_optuna.rules.scale import Scale


@dataclass(frozen=True, slots=True)
class Limit:
    """The most of one objective that a row may have to be chosen; it is met at equality.

    Attributes:
        objective: The name of the objective.
        value: The most allowed, in the objective's unit.
        words: What sets it, such as "1 % from the best quality".
    """

    objective: str
    value: float
    words: str

    @property
    def most(self) -> float:
        """The limit, with what rounding may cost."""
        unit = 1.0 if self.objective == "quality_loss" else abs(self.value)
        return self.value + ROUNDING * unit

    def met_by(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Tell which rows meet it, in the shape of (n,)."""
        met: npt.NDArray[np.bool_] = rows.column(self.objective) <= self.most
        return met


def met_by_all(limits: Sequence[Limit], rows: Rows) -> npt.NDArray[np.bool_]:
    """Tell which rows meet all of some limits, in the shape of (n,)."""
    met = np.ones(len(rows), dtype=np.bool_)
    for limit in limits:
        met &= limit.met_by(rows)
    return met


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The rows as a rule sees them.

    Attributes:
        rows: The rows.
        figure_name: What the rule's own figure is: an objective, or such as "weighted sum".
        figure: The rule's own figure of each row, the lower the better, in the shape of (n,).
        limits: What a row must meet to be chosen, the first that it misses being why it was not;
            at least one row meets them all.
        rounding: What two figures that are meant to be equal may lie apart.
        scale: The scale of the axes where they were normalised, else None.
        bounds: The values of each objective that were put at 0 and at 1, in its own unit, where
            the axes were normalised.
        chosen: The index of the chosen row.
    """

    rows: Rows
    figure_name: str
    figure: npt.NDArray[np.float64]
    _: KW_ONLY
    limits: tuple[Limit, ...] = ()
    rounding: float = 0.0
    scale: Scale | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    chosen: int = field(init=False)

    def __post_init__(self) -> None:
        """Choose."""
        object.__setattr__(self, "chosen", self._least(self.among))

    @property
    def among(self) -> npt.NDArray[np.bool_]:
        """Which rows meet all limits, in the shape of (n,)."""
        return met_by_all(self.limits, self.rows)

    @property
    def runner_up(self) -> int | None:
        """The row that comes next under the same limits; None where no other meets them."""
        others = self.among
        others[self.chosen] = False
        return self._least(others) if others.any() else None

    @property
    def margin(self) -> float | None:
        """By how much the runner-up's figure is above the chosen one's; None without one."""
        runner_up = self.runner_up
        return None if runner_up is None else self.behind(runner_up)

    def behind(self, row: int) -> float:
        """Give by how much the figure of a row is above that of the chosen one."""
        mine, least = float(self.figure[row]), float(self.figure[self.chosen])
        return 0.0 if mine == least else mine - least

    def why_not(self, row: int) -> str:
        """Say in one clause why a row was not chosen: a limit, the rule's figure, or a tie.

        Args:
            row: The index of a row that is not the chosen one.
        """
        for limit in self.limits:
            value = float(self.rows.column(limit.objective)[row])
            if value > limit.most:
                said = describe_quantity(limit.objective, value)
                shown = show_quantity(limit.objective, limit.value)
                over = f"{said} is over {shown}, {limit.words}"
                if show_quantity(limit.objective, value) != shown:
                    return over
                return f"{over}, by {show_quantity(limit.objective, value - limit.value)}"
        behind = self.behind(row)
        if behind > self.rounding:
            said = describe_quantity(self.figure_name, float(self.figure[row]))
            more = "" if math.isinf(behind) else f"{show_quantity(self.figure_name, behind)} "
            return f"{said} is {more}more"
        return f"equal in {quantity_heading(self.figure_name)}; {self._tie(row)}"

    def _tie(self, row: int) -> str:
        mine, chosen = self.rows.losses[row].tolist(), self.rows.losses[self.chosen].tolist()
        for name, ours, theirs in zip(self.rows.names, mine, chosen, strict=True):
            if ours > theirs:
                return f"{describe_quantity(name, ours)} is more than {show_quantity(name, theirs)}"
        return "equal in every objective, and the earlier trial is taken"

    def _least(self, among: npt.NDArray[np.bool_]) -> int:
        return self.rows.least(self.figure, among, self.rounding)
