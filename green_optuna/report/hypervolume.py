"""How the front grew with what the search spent: its hypervolume over the CO2e of all trials.

The hypervolume (Zitzler and Thiele 1998, https://doi.org/10.1007/BFb0056872) is the volume that a
front dominates, up to a reference point. It never falls while trials are added, so that it shows
what the last kilograms of CO2e still bought.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from green_optuna import pareto
from green_optuna.figures import is_logarithmic
from green_optuna.rules.rows import Rows
from green_optuna.rules.scale import scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from optuna.trial import FrozenTrial

    from green_optuna.candidates import Candidates
    from green_optuna.ledger import Entry
    from green_optuna.report.subject import Subject

REFERENCE: Final = 1.1
"""Where the reference point lies on each axis, the worst trial being at 1.

It is a little beyond the worst, so that the extreme members of a front have a volume too, and not
so far that they have nearly all of it: Ishibuchi, Imada, Setoguchi and Nojima 2018, "How to Specify
a Reference Point in Hypervolume Calculation for Fair Performance Comparison",
https://doi.org/10.1162/evco_a_00226."""

MAX_POINTS: Final = 300
"""How many points a curve has at most: more than a page has pixels to show."""

# Fewer points than this would show steps that are none of the study's.
_MIN_POINTS = 20

# What all the volumes of a curve may take, in s as pareto.hypervolume_takes_s has it. It decides
# from the sizes alone, so that the same study has the same curve on each machine.
_MOST_S = 1.0

# How many points are compared with a front at once.
_BLOCK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """How an objective was put on an axis from 0 to 1.

    Attributes:
        objective: The objective.
        best: What lies at 0, in the objective's unit: the least of the feasible completed trials.
        worst: What lies at 1: the greatest of them.
        logarithmic: Whether the axis is logarithmic, as it is in the figures where all values are
            above 0 and lie 20 times apart or more.
    """

    objective: str
    best: float
    worst: float
    logarithmic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HypervolumePoint:
    """Where the search stood when a trial had ended.

    Attributes:
        trial: The number of the trial that had just ended.
        spent_kwh: What all that had ended by then used, in kWh, and their overhead.
        spent_co2e_kg: The same in kg of CO2e.
        share: The hypervolume of the front by then, as a share of the last one, from 0 to 1.
    """

    trial: int
    spent_kwh: float
    spent_co2e_kg: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HypervolumeCurve:
    """How the front grew with what the search spent.

    Attributes:
        axes: How each objective was scaled; the reference point lies at 1.1 on each.
        points: In the order in which trials ended, the last being what the whole search spent. In
            between, the hypervolume stays as it is until the next point.
        n_ended: How many trials have ended.
        n_not_measured: How many of them add nothing to what was spent, since nobody measured it.
        thinned: Whether there are trials that changed the front and have no point.
        reason: Why there is no curve, in a sentence; None where there is one.
    """

    axes: tuple[Axis, ...] = ()
    points: tuple[HypervolumePoint, ...] = ()
    n_ended: int = 0
    n_not_measured: int = 0
    thinned: bool = False
    reason: str | None = None


def hypervolume_over_co2e(subject: Subject) -> HypervolumeCurve:
    """Tell how the front grew with what the search spent.

    Trials count in the order of their ends, whichever way they ended; those of which the storage
    keeps no end, since their process was killed, come last. A trial that was repeated later counts
    from its own end on with the means over all its runs, and a checkpoint from the end of its
    trial. Those that violate a constraint, and those with an infinite loss, are spent for and on no
    front. The costs add up to the ledger's total.

    Each objective is put on an axis from 0, the best of the trials that count, to 1, the worst, and
    volumes are taken up to 1.1. An axis is logarithmic where the figures' are.

    Up to 300 ended trials, each has a point. Of more, those that changed the front have one, spread
    evenly over what was spent where these are too many, or their volumes would take too long.
    """
    candidates = subject.candidates
    ended = sorted(candidates.ended, key=_end_of)
    none = HypervolumeCurve(
        n_ended=len(ended),
        n_not_measured=sum(entry.energy_kwh is None for entry, _ in ended),
    )
    box, axes = _boxed(candidates, [trial.number for _, trial in ended])
    if not box.positions.size:
        return replace(
            none, reason="No trial with finite objectives has completed that meets its constraints."
        )
    n_points = _affordable(box.largest, len(axes))
    if n_points < _MIN_POINTS:
        return replace(
            none,
            axes=axes,
            reason=f"The hypervolume of a front of {box.largest} trials in {len(axes)} objectives "
            "takes too long to work out again and again: draw the front over fewer objectives.",
        )
    spent_kwh = np.cumsum([(one.energy_kwh or 0.0) + one.overhead_kwh for one, _ in ended])
    changes = np.union1d(box.positions, [0, len(ended) - 1])
    wanted = np.arange(len(ended)) if len(ended) <= n_points else changes
    chosen = _thinned(wanted, spent_kwh[wanted], n_points)
    shares = box.shares(chosen)
    grid = candidates.grid
    return replace(
        none,
        axes=axes,
        points=tuple(
            HypervolumePoint(
                trial=ended[place][1].number,
                spent_kwh=float(spent_kwh[place]),
                spent_co2e_kg=grid.co2e_kg(float(spent_kwh[place])) if grid else 0.0,
                share=float(share),
            )
            for place, share in zip(chosen.tolist(), shares, strict=True)
        ),
        thinned=not np.isin(box.positions, chosen).all(),
    )


def _end_of(one: tuple[Entry, FrozenTrial]) -> tuple[float, int]:
    _, trial = one
    at = trial.datetime_complete
    return (math.inf if at is None else at.timestamp(), trial.number)


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """The trials that entered the front when they ended, in that order, on axes from 0 to 1.

    Attributes:
        points: Their losses, in the shape of (n, m).
        positions: When each ended, as a place among all that ended, in the shape of (n,).
        largest: How many members the front had when it had most.
    """

    points: npt.NDArray[np.float64]
    positions: npt.NDArray[np.intp]
    largest: int

    def shares(self, positions: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Give the hypervolume at some places, as shares of that at the last of them, (n,)."""
        corner = np.full(self.points.shape[1], REFERENCE)
        counts = np.searchsorted(self.positions, positions, side="right").tolist()
        volumes = {0: 0.0}
        for count in counts:
            if count not in volumes:
                front = self.points[:count][pareto.non_dominated(self.points[:count])]
                volumes[count] = pareto.hypervolume(front, corner)
        # Added up in another order, a volume may seem to fall by a rounding.
        grown = np.maximum.accumulate([volumes[count] for count in counts])
        shares: npt.NDArray[np.float64] = grown / grown[-1]
        return shares


def _boxed(candidates: Candidates, numbers: Sequence[int]) -> tuple[_Box, tuple[Axis, ...]]:
    """Put the trials that count on axes, and keep those that entered the front.

    Args:
        candidates: The completed trials.
        numbers: The numbers of all trials that ended, in the order of their ends.
    """
    counted = np.flatnonzero(candidates.feasible & np.isfinite(candidates.losses).all(axis=1))
    at = {number: place for place, number in enumerate(numbers)}
    positions = np.array([at[candidates.trials[row].number] for row in counted], dtype=np.intp)
    if not counted.size:
        return _Box(np.empty((0, len(candidates.objectives))), positions, 0), ()
    order = np.argsort(positions, kind="stable")
    rows = Rows(candidates.losses[counted[order]], candidates.objectives)
    axes, columns = [], []
    for name in rows.names:
        logarithmic = is_logarithmic(rows.column(name).tolist())
        on_axis = scaled(rows, [name], "log" if logarithmic else "linear")
        best, worst = on_axis.bounds[name]
        axes.append(Axis(objective=name, best=best, worst=worst, logarithmic=logarithmic))
        columns.append(on_axis.points[:, 0])
    points = np.column_stack(columns)
    entered, largest = _entered(points)
    return _Box(points[entered], positions[order][entered], largest), tuple(axes)


def _entered(points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.intp], int]:
    """Tell which points no earlier one is as good as, and how many were on the front at once.

    It goes block by block, which takes a twentieth of the time that one by one does, and the
    greatest front is that at the end of a block.
    """
    first = np.sort(np.unique(points, axis=0, return_index=True)[1])  # of equal ones
    front, entered, largest = first[:0], [first[:0]], 0
    for start in range(0, len(first), _BLOCK):
        block = first[start : start + _BLOCK]
        better = pareto.dominance(points[np.append(front, block)], points[block])
        # In its own block, a point is late where an earlier one is better.
        better[len(front) :] = np.triu(better[len(front) :])
        new = block[~better.any(axis=0)]
        front = np.append(front, new)
        front = front[pareto.non_dominated(points[front])]
        entered.append(new)
        largest = max(largest, len(front))
    return np.concatenate(entered), largest


def _affordable(n: int, n_objectives: int) -> int:
    """Give how many volumes of so many members can be worked out in the time there is."""
    takes_s = pareto.hypervolume_takes_s(n, n_objectives)
    return MAX_POINTS if takes_s * MAX_POINTS <= _MOST_S else int(_MOST_S / takes_s)


def _thinned(
    places: npt.NDArray[np.intp], spent_kwh: npt.NDArray[np.float64], most: int
) -> npt.NDArray[np.intp]:
    """Keep at most so many places, evenly over what was spent, the last among them."""
    if len(places) <= most:
        return places
    if spent_kwh[-1] > spent_kwh[0]:
        targets = np.linspace(spent_kwh[0], spent_kwh[-1], most)
        kept = np.searchsorted(spent_kwh, targets, side="right") - 1
    else:
        kept = np.linspace(0, len(places) - 1, most).astype(np.intp)
    kept[-1] = len(places) - 1
    return places[np.unique(kept)]
