"""Two objectives of a study's trials as the points of a figure, in units for people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from green_optuna import pareto
from green_optuna.checkpoints import checkpoint_of
from green_optuna.figures import is_axis_logarithmic, not_drawn, why_not_drawn, with_all
from green_optuna.report.printed.names_in_plane import NEVER_HIDDEN
from green_optuna.report.printed.typeset import label_in_print
from green_optuna.units import Unit, fitting_unit

if TYPE_CHECKING:
    import numpy.typing as npt

    from green_optuna.references import PlacedReference
    from green_optuna.report.subject import Subject

# What stands for a second objective where a front has one alone.
TRIAL = "trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What an axis shows.

    Attributes:
        name: The name in data.
        unit: The unit in which it is shown.
        logarithmic: Whether the axis is.
        ratio: Of the largest to the smallest value, on such an axis.
    """

    name: str
    unit: Unit
    logarithmic: bool = False
    ratio: float = 1.0

    @property
    def label(self) -> str:
        """What stands beside the axis."""
        return label_in_print(self.name, self.unit.symbol)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """Where the trials of a study lie over two objectives.

    Attributes:
        subject: What is drawn.
        upwards: The objective that goes upwards.
        rightwards: The one that goes to the right; None for the number of the trial.
        quantities: What the axes show, the one to the right first.
        points: One row a candidate, in the units of the axes, an ndarray in the shape of
            (n_candidates, 2).
        drawn: Which of them are finite, in the shape of (n_candidates,).
        on_front: Which are on the front over all objectives, in the same shape.
        at_step: Which are checkpoints, in the same shape.
    """

    subject: Subject
    upwards: str
    rightwards: str | None
    quantities: tuple[Quantity, Quantity]
    points: npt.NDArray[np.float64]
    drawn: npt.NDArray[np.bool_]
    on_front: npt.NDArray[np.bool_]
    at_step: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, subject: Subject, upwards: str, rightwards: str | None) -> Self:
        """Lay out two objectives of a subject, or one over the trials' numbers."""
        candidates = subject.candidates
        up = candidates.losses[:, candidates.objectives.index(upwards)]
        if rightwards is None:
            right = np.array([trial.number for trial in candidates.trials], dtype=np.float64)
        else:
            right = candidates.losses[:, candidates.objectives.index(rightwards)]
        points = np.column_stack([right, up])
        names = [upwards] if rightwards is None else [upwards, rightwards]
        references = with_all(subject.references, names)
        drawn: npt.NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
        quantities = (
            Quantity(name=TRIAL, unit=Unit("", 1.0))
            if rightwards is None
            else _quantity(rightwards, right[drawn], references),
            _quantity(upwards, up[drawn], references),
        )
        on_front = np.zeros(len(points), dtype=np.bool_)
        on_front[list(subject.rows)] = True
        return cls(
            subject=subject,
            upwards=upwards,
            rightwards=rightwards,
            quantities=quantities,
            points=points * [quantity.unit.factor for quantity in quantities],
            drawn=drawn,
            on_front=on_front,
            at_step=np.array(
                [checkpoint_of(trial) is not None for trial in candidates.trials], dtype=np.bool_
            ),
        )

    def describe(self) -> str:
        """Say what goes over what, in words."""
        names = [label_in_print(quantity.name) for quantity in self.quantities]
        return f"{names[1]} over {names[0]}"

    def staircase(self) -> npt.NDArray[np.float64]:
        """Give the front of these two alone, over all trials that meet their constraints.

        Over the trials' numbers, it is the best value so far.

        Returns:
            Its points from left to right, an ndarray in the shape of (n_steps, 2).
        """
        points = self.points[self.drawn & self.subject.candidates.feasible]
        return np.unique(points[pareto.non_dominated(points)], axis=0)

    @property
    def line_label(self) -> str | None:
        """What the staircase is called; None where it goes through all members of the front."""
        if self.rightwards is None:
            return "best so far"
        return "front of these two" if len(self.subject.objectives) > 2 else None

    @property
    def references(self) -> list[PlacedReference]:
        """The references that can be drawn."""
        return [one for one in self.subject.references if not why_not_drawn(one, self._logarithmic)]

    def point_of(self, one: PlacedReference) -> tuple[float, float]:
        """Give where a reference lies, in the units of the axes; a level lies at any trial."""
        right, up = self.quantities
        level = one.values[up.name] * up.unit.factor
        return one.values.get(right.name, 0.0) * right.unit.factor, level

    def in_the_way(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Give what names shall not hide: the trials and the references.

        Returns:
            Points in the shape of (n_points, 2), and how bad it is to hide each, (n_points,).
        """
        # Of a cloud of points, each counts for little.
        weights = np.where(self.on_front, 5.0, 1.0) * min(1.0, 200.0 / max(len(self.points), 1))
        if self.subject.chosen_row is not None:
            weights[self.subject.chosen_row] = NEVER_HIDDEN
        others = np.array([self.point_of(one) for one in self.references]).reshape(-1, 2)
        return (
            np.concatenate([self.points[self.drawn], others]),
            np.concatenate([weights[self.drawn], np.full(len(others), NEVER_HIDDEN)]),
        )

    @property
    def note(self) -> str:
        """What is to be said below the figure; empty where there is nothing."""
        said = []
        if self.subject.candidates.repricing is not None:
            said.append(str(self.subject.candidates.repricing))
        left_out = not_drawn(self.subject.references, self._logarithmic)
        infinite = int((~self.drawn).sum())
        if infinite:
            trials = "1 trial" if infinite == 1 else f"{infinite} trials"
            left_out.insert(0, f"{trials} of infinite value")
        if left_out:
            said.append(f"Not drawn: {'; '.join(left_out)}.")
        return " ".join(said)

    @property
    def _logarithmic(self) -> dict[str, bool]:
        """Whether the axis of each objective is logarithmic: that of the trials is none."""
        _, up = self.quantities
        shown = self.quantities if self.rightwards is not None else (up,)
        return {one.name: one.logarithmic for one in shown}


def _quantity(
    name: str, values: npt.NDArray[np.float64], references: list[PlacedReference]
) -> Quantity:
    """Choose how an axis shows finite values, and references that have one."""
    logarithmic = is_axis_logarithmic(values.tolist(), name, references)
    others = [one.values[name] for one in references]
    shown = [*values.tolist(), *(value for value in others if value > 0 or not logarithmic)]
    if not shown:
        return Quantity(name=name, unit=fitting_unit(name, 0.0))
    if not logarithmic:
        return Quantity(name=name, unit=fitting_unit(name, max(map(abs, shown))))
    low, high = min(shown), max(shown)
    # Over many powers of ten, the largest would make fractions of most.
    unit = fitting_unit(name, math.sqrt(low) * math.sqrt(high))
    return Quantity(name=name, unit=unit, logarithmic=True, ratio=high / low)
