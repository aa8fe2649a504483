"""What the search bought and what decided it, for print, with Matplotlib."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from green_optuna.drawing import PrintFigure, text_in_figure
from green_optuna.figures import FRONT_COLOUR
from green_optuna.report.hypervolume import hypervolume_over_co2e
from green_optuna.report.importance import by_importance, importances
from green_optuna.report.printed.axes import MAX_LABEL, lay_out_axis
from green_optuna.report.printed.plane import Quantity
from green_optuna.report.printed.typeset import label_in_print, name_in_print
from green_optuna.units import fitting_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from green_optuna.report.hypervolume import HypervolumePoint
    from green_optuna.report.importance import Importance
    from green_optuna.report.subject import Subject

# So many hyperparameters have bars, those first that matter most for any objective.
MAX_BARS: Final = 8

# So many panels stand side by side.
MAX_PANELS: Final = 3

# Of a hyperparameter's name beside its bar.
_MAX_NAME: Final = 16


def hypervolume_figures(subject: Subject) -> Iterator[PrintFigure]:
    """Give a figure of the front's hypervolume over the CO2e that the search had spent by then.

    There is none of a single trial, of no front, or where nothing is known of what was spent.
    """
    points = hypervolume_over_co2e(subject).points
    if len(points) > 1 and points[-1].spent_co2e_kg > 0:
        yield PrintFigure(
            name="hypervolume",
            title=f"What each gram bought in {name_in_print(subject.candidates.study_name)}",
            draw=functools.partial(_draw_hypervolume, points=points),
            height_in=lambda width_in: 0.6 * min(width_in, 4.0),
        )


def importance_figures(subject: Subject) -> Iterator[PrintFigure]:
    """Give a figure of how much each hyperparameter matters, a panel an objective.

    At most eight of them. There is none where it can be told of no objective.
    """
    known = [one for one in importances(subject) if one.shares]
    if known:
        names = [*by_importance(known)][:MAX_BARS]
        yield PrintFigure(
            name="importance",
            title=f"What decided {name_in_print(subject.candidates.study_name)}",
            draw=functools.partial(_draw_importances, known=known, names=names),
            height_in=lambda _: 0.35 + _n_rows(known) * (0.4 + 0.16 * len(names)),
        )


def _draw_hypervolume(figure: Figure, *, points: Sequence[HypervolumePoint]) -> None:
    axes = figure.subplots()
    most_kg = points[-1].spent_co2e_kg
    spent = Quantity(name="co2e_kg", unit=fitting_unit("co2e_kg", most_kg))
    axes.step(
        [0.0, *(point.spent_co2e_kg * spent.unit.factor for point in points)],
        [0.0, *(100 * point.share for point in points)],
        where="post",
        color=FRONT_COLOUR,
    )
    lay_out_axis(axes.xaxis, spent)
    axes.set_xlabel(f"{spent.label} spent by the search")
    axes.set_ylabel("of the final hypervolume (%)")
    axes.set(xlim=(0, most_kg * spent.unit.factor), ylim=(0, 103))


def _draw_importances(figure: Figure, *, known: Sequence[Importance], names: Sequence[str]) -> None:
    columns = min(len(known), MAX_PANELS)
    grid = figure.subplots(_n_rows(known), columns, sharey=True, squeeze=False)
    panels = grid.ravel().tolist()
    places = np.arange(len(names))
    for axes, one in zip(panels, known, strict=False):
        shares = {share.name: 100 * share.share for share in one.shares}
        axes.barh(places, [shares.get(name, 0.0) for name in names], 0.65, color=FRONT_COLOUR)
        label = text_in_figure(label_in_print(one.objective), MAX_LABEL // columns)
        axes.set_title(label, fontsize=7, loc="left", pad=3)
        axes.set(xlim=(0, 100), xticks=[0, 50, 100])
        axes.grid(visible=False, axis="y")
    panels[0].set_yticks(places, [text_in_figure(name_in_print(one), _MAX_NAME) for one in names])
    panels[0].invert_yaxis()  # for all of them: the axis is shared
    for axes in panels[len(known) :]:
        axes.remove()
    figure.supxlabel("share of what decides an objective (%)", fontsize=8)


def _n_rows(known: Sequence[Importance]) -> int:
    return math.ceil(len(known) / MAX_PANELS)
