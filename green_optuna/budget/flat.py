"""A study whose front no longer grows for what it spends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from green_optuna import pareto
from green_optuna.budget.base import Budget
from green_optuna.errors import OptionError
from green_optuna.scalars import as_count, as_float
from green_optuna.units import format_co2e

if TYPE_CHECKING:
    import numpy.typing as npt

    from green_optuna.budget.spending import EndedTrial, Spending

# How far beyond the worst losses the reference lies. On them, a loss that all trials share (a
# given number of parameters) would make every volume zero.
MARGIN = 1.1

# With more, the volume of a few hundred trials takes seconds.
MAX_OBJECTIVES = 5


@dataclass(frozen=True, slots=True)
class StopWhenFlat(Budget):
    """Starts no further trial once the front grows too little for the CO2e that it costs.

    The front's size is the share of a box that it dominates: the hypervolume (Zitzler and Thiele
    1998, https://doi.org/10.1007/BFb0056872) between it and a reference point, over that between
    zero and the reference. Costs count on their own, linear scale, and units cancel out. What the
    last ``window`` trials to end added to it, over the CO2e that they and the pauses between them
    cost in kg, is compared with ``min_gain_per_kg``. Trials count in the order of their ends,
    however they ended; those over a cap are on no front, and repeats of a trial are left out.

    Nothing is said before ``window`` trials have completed, and ``window`` more have ended. The
    same trials lead to the same answer in every worker. It is assumed that a search that found
    little lately finds little next.

    Attributes:
        min_gain_per_kg: The least growth that is worth it, as a share of the box from 0 to 1, for
            each kg of CO2e.
        window: Over how many trials the growth is looked at.
        reference: The worst objectives that count, in the study's order and units. Unless given,
            what lies 10 % beyond the worst of the first ``window`` completed trials in each
            objective, and it stays there.

    Raises:
        OptionError: An option is no such number.
    """

    min_gain_per_kg: float
    window: int = 10
    reference: Sequence[float] | None = None

    def __post_init__(self) -> None:
        """Check the options, and keep them as plain numbers."""
        least, window = as_float(self.min_gain_per_kg), as_count(self.window)
        if least is None or not 0 < least < math.inf:
            raise OptionError(
                f"min_gain_per_kg is {self.min_gain_per_kg!r}: give a finite number above 0."
            )
        if not window:
            raise OptionError(f"window is {self.window!r}: give a whole number of 1 or more.")
        object.__setattr__(self, "min_gain_per_kg", least)
        object.__setattr__(self, "window", window)
        if self.reference is not None:
            object.__setattr__(self, "reference", _checked_reference(self.reference))

    def check(self, objectives: Sequence[str]) -> None:
        """Hold that there are not too many objectives, and as many numbers in the reference."""
        if len(objectives) > MAX_OBJECTIVES:
            raise OptionError(
                f"StopWhenFlat works out a hypervolume before each trial, which takes too long for "
                f"{len(objectives)} objectives: give {MAX_OBJECTIVES} or fewer, or a CarbonBudget."
            )
        if self.reference is not None and len(self.reference) != len(objectives):
            raise OptionError(
                f"The reference of StopWhenFlat is {self.reference!r}: give one number for each "
                f"of the objectives {', '.join(objectives)}."
            )

    def why_stop(self, spending: Spending) -> str | None:
        """Say how little the front has grown for what it cost."""
        ended = [
            trial
            for trial in spending.trials
            if math.isfinite(trial.ended_at) and not trial.is_repeat
        ]
        before, latest = ended[: -self.window], ended[-self.window :]
        first = _losses(before)[: self.window]
        if len(first) < self.window:
            return None
        spent_kg = spending.grid.co2e_kg(
            math.fsum((one.entry.energy_kwh or 0.0) + one.entry.overhead_kwh for one in latest)
        )
        if spent_kg <= 0:
            return None
        reference = np.array(
            first.max(axis=0) * MARGIN if self.reference is None else self.reference
        )
        gain = _share(_losses(ended), reference) - _share(_losses(before), reference)
        if gain / spent_kg >= self.min_gain_per_kg:
            return None
        return (
            f"the last {self.window} trials added {gain:.3g} to the front's hypervolume for "
            f"{format_co2e(spent_kg)} CO2e: {gain / spent_kg:.3g} a kg, less than "
            f"{self.min_gain_per_kg:g}"
        )


def _checked_reference(given: object) -> tuple[float, ...]:
    """Give a reference point as plain numbers.

    Raises:
        OptionError: It is no sequence of finite numbers above 0.
    """
    numbers: list[float | None] = []
    if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str):
        numbers = [as_float(one) for one in given]
    kept = tuple(one for one in numbers if one is not None and 0 < one < math.inf)
    if not kept or len(kept) < len(numbers):
        raise OptionError(
            f"The reference of StopWhenFlat is {given!r}: give one finite number above 0 an "
            "objective, worse than every one that should count."
        )
    return kept


def _losses(trials: Sequence[EndedTrial]) -> npt.NDArray[np.float64]:
    """Give the objectives of those that completed, an ndarray in the shape of (n, m)."""
    # One that diverged is on no front, and would stretch the box without end.
    rows = [
        trial.losses
        for trial in trials
        if trial.losses is not None and all(map(math.isfinite, trial.losses))
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(rows[0]) if rows else 0)


def _share(losses: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]) -> float:
    """Give the share that a front dominates of the box between zero and the reference.

    Args:
        losses: Objectives of 0 or more, in the shape of (n, m), n at least 1.
        reference: In the shape of (m,).
    """
    # Where all the first trials have a perfect 0, only such trials are in the box.
    empty = reference <= 0
    beyond = (losses[:, empty] > 0).any(axis=1)
    scaled = losses / np.where(empty, 1.0, reference)
    inside = scaled[~beyond & (scaled < 1.0).all(axis=1)]
    front = inside[pareto.non_dominated(inside)]
    return pareto.hypervolume(front, np.ones(len(reference)))
