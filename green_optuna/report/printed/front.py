"""A front for print: two of its objectives at a time, with Matplotlib."""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from green_optuna.drawing import PrintFigure, text_in_figure
from green_optuna.figures import FRONT_COLOUR, OTHERS_COLOUR, REFERENCE_COLOURS
from green_optuna.record import trial_intervals
from green_optuna.report.printed.axes import add_legend, add_note, lay_out_axis
from green_optuna.report.printed.names_in_plane import Named, place_names
from green_optuna.report.printed.plane import Plane
from green_optuna.report.printed.typeset import name_in_print

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from green_optuna.references import PlacedReference
    from green_optuna.report.subject import Subject

CHOICE_COLOUR: Final = "#E69F00"

# Beyond so many, points behind the front are dots of a picture in a vector file, not paths.
MANY_POINTS: Final = 2_000

# Of an objective's name, in the name of a file.
_MAX_FILE_NAME: Final = 40


def front_figures(subject: Subject) -> Iterator[PrintFigure]:
    """Give a figure of the front for each pair of its objectives, as :func:`front_figure` does.

    The first pair is that of the first two objectives. A front of one objective has one figure,
    over the number of the trial. There is none where no member of the front has finite values.
    """
    objectives = subject.objectives
    pairs: list[tuple[str, ...]] = [*itertools.combinations(objectives, 2)]
    names: set[str] = set()
    for pair in pairs or [objectives]:
        figure = front_figure(subject, *pair)
        if figure is not None:
            # Names that differ in what a file's name cannot have would be the same file.
            own = (f"{figure.name}-{more}" for more in itertools.count(2))
            name = next(one for one in itertools.chain([figure.name], own) if one not in names)
            names.add(name)
            yield replace(figure, name=name)


def front_figure(
    subject: Subject, upwards: str, rightwards: str | None = None
) -> PrintFigure | None:
    """Give the figure of a front over two objectives; None where no member can be drawn.

    Members of the front over all objectives are filled and green, with error bars where intervals
    of them are known; the others are small and grey. The line is the front of the two objectives
    alone, over all trials that meet their constraints. The trial that was chosen is a star,
    checkpoints are squares, references open diamonds with their names. An axis is logarithmic as
    in the plot for the screen. What is infinite is not drawn, and a note below says so. In SVG and
    PDF, more than 2,000 points behind the front are one picture of 300 dots an inch, so that the
    file stays small.

    Args:
        subject: What is drawn.
        upwards: The objective that goes upwards.
        rightwards: The one that goes to the right; None for the number of the trial.
    """
    plane = Plane.of(subject, upwards, rightwards)
    if not plane.drawn[list(subject.rows)].any():
        return None
    names = [upwards] if rightwards is None else [upwards, rightwards]
    return PrintFigure(
        name="-".join(["front", *map(_in_file_name, names)]),
        title=f"Pareto front of {name_in_print(subject.candidates.study_name)}: {plane.describe()}",
        draw=functools.partial(_draw, plane=plane),
        height_in=lambda width_in: 1.45 + 0.4 * width_in,
    )


def _draw(figure: Figure, *, plane: Plane) -> None:
    axes = figure.subplots()
    for axis, quantity in zip((axes.xaxis, axes.yaxis), plane.quantities, strict=True):
        lay_out_axis(axis, quantity)
    _draw_trials(axes, plane)
    _draw_errors(axes, plane)
    _draw_staircase(axes, plane)
    _draw_choice(axes, plane)
    names = _draw_references(axes, plane, figure.get_figwidth())
    add_legend(figure)
    add_note(figure, plane.note)
    if not place_names(figure, names, *plane.in_the_way(), plane.staircase()):
        add_note(figure, f"{plane.note} Names without room are left out.".lstrip())
        figure.set_layout_engine("constrained")  # anew, with the note


def _draw_trials(axes: Axes, plane: Plane) -> None:
    many = int((plane.drawn & ~plane.on_front).sum()) > MANY_POINTS
    for on_front, at_step in itertools.product((False, True), repeat=2):
        rows = plane.drawn & (plane.on_front == on_front) & (plane.at_step == at_step)
        if not rows.any():
            continue
        kind = "Pareto front" if on_front else "other trials"
        right, up = plane.points[rows].T
        axes.scatter(
            right,
            up,
            s=(16 if at_step else 18) if on_front else 5,
            c=FRONT_COLOUR if on_front else OTHERS_COLOUR,
            marker="s" if at_step else "o",
            alpha=None if on_front else 0.6,
            linewidths=0.4 if on_front else 0,
            edgecolors="white" if on_front else "none",
            label=f"{kind}, checkpoints" if at_step else kind,
            rasterized=many and not on_front,
            zorder=3 if on_front else 1.5,
        )


def _draw_errors(axes: Axes, plane: Plane) -> None:
    """Draw the confidence intervals of the front's members, as far as they are known."""
    names = [quantity.name for quantity in plane.quantities]
    factors = [quantity.unit.factor for quantity in plane.quantities]
    for row in np.flatnonzero(plane.drawn & plane.on_front):
        intervals = trial_intervals(plane.subject.candidates.trials[row], plane.subject.objectives)
        point = plane.points[row].tolist()
        known = [intervals.get(name) for name in names]
        if not any(known):
            continue
        bars = [
            None
            if one is None
            else [[max(value - one.low * factor, 0.0)], [max(one.high * factor - value, 0.0)]]
            for one, value, factor in zip(known, point, factors, strict=True)
        ]
        axes.errorbar(
            point[0],
            point[1],
            xerr=bars[0],
            yerr=bars[1],
            fmt="none",
            ecolor=FRONT_COLOUR,
            elinewidth=0.6,
            zorder=2.5,
        )


def _draw_staircase(axes: Axes, plane: Plane) -> None:
    steps = plane.staircase()
    if len(steps) > 1:
        axes.step(*steps.T, where="post", color=FRONT_COLOUR, label=plane.line_label, zorder=2)


def _draw_choice(axes: Axes, plane: Plane) -> None:
    row, choice = plane.subject.chosen_row, plane.subject.choice
    if choice is not None and row is not None and plane.drawn[row]:
        right, up = plane.points[row].tolist()
        axes.scatter(
            right,
            up,
            s=85,
            c=CHOICE_COLOUR,
            marker="*",
            linewidths=0.6,
            edgecolors="black",
            label=f"chosen: trial {choice.label}",
            zorder=5,
        )


def _draw_references(axes: Axes, plane: Plane, width_in: float) -> list[Named]:
    """Draw the references; give their names, to be written beside them."""
    limit = min(int(8 * width_in), 40)
    names: list[Named] = []
    for basis, colour in REFERENCE_COLOURS.items():
        part = [one for one in plane.references if one.basis == basis]
        if not part:
            continue
        points = np.array([plane.point_of(one) for one in part])
        if plane.rightwards is None:
            _draw_levels(axes, part, points[:, 1], limit=limit, colour=colour)
            continue
        right, up = points.T
        axes.scatter(
            right,
            up,
            s=26,
            marker="D",
            facecolors="none",
            edgecolors=colour,
            linewidths=1.1,
            label=basis,
            zorder=4,
        )
        names += [
            Named(name=text_in_figure(one.name, limit), colour=colour, point=plane.point_of(one))
            for one in part
        ]
    return names


def _draw_levels(
    axes: Axes,
    references: Sequence[PlacedReference],
    levels: npt.NDArray[np.float64],
    *,
    limit: int,
    colour: str,
) -> None:
    """Draw references over one objective, in which each is a level that trials reach or not."""
    for one, level in zip(references, levels.tolist(), strict=True):
        axes.axhline(level, color=colour, linestyle="--", linewidth=0.8)
        axes.annotate(
            f"{text_in_figure(one.name, limit)} ({one.basis})",
            (0.99, level),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            fontsize=6.5,
            color=colour,
        )


def _in_file_name(name: str) -> str:
    """Give an objective's name, which is the user's, as a part of the name of a file."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name)[:_MAX_FILE_NAME]
