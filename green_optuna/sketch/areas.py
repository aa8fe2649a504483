"""Areas that stand on one another, constant in each of some steps."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from green_optuna.sketch.axes import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Scale,
    draw_axes,
    draw_key,
    is_drawable,
    picture_of,
    title_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from green_optuna.sketch.axes import Axis

MAX_STEPS: Final = 200
"""So many steps are drawn; of more, the means of some together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One of some areas that stand on one another.

    Attributes:
        label: What it is, for the key.
        colour: Its colour.
        dashes: How the line on top of it is broken, as SVG's ``stroke-dasharray``; "" for a line.
        values: How high it is in each step, in the unit of the axis.
    """

    label: str
    colour: str
    dashes: str
    values: Sequence[float]


def stacked_areas(
    ends: Sequence[float], areas: Sequence[Area], *, x: Axis, y: Axis, label: str
) -> str:
    """Draw what is constant in each of some steps, as areas that stand on one another.

    Args:
        ends: Where each step ends, increasing; the first begins at 0.
        areas: The areas, the lowest first. A step with a value that is no finite number, or is
            below 0, is a gap.
        x: The axis to the right.
        y: The axis upwards, from 0.
        label: What the picture shows, for those who do not see it.

    Returns:
        An ``<svg>``; nothing where no step can be drawn.
    """
    steps, notes = _steps(ends, areas)
    if not steps:
        return ""
    across = Scale.of([0.0, *(step.end for step in steps)], x, LEFT, RIGHT, linear=True)
    up = Scale.of([0.0, *(math.fsum(s.values) for s in steps)], y, BOTTOM, TOP, linear=True)
    if across is None or up is None:
        return ""
    # As they stand: the one on top is named last.
    drawn = [draw_axes(across, up), draw_key([(_swatch(area), area.label) for area in areas])]
    drawn += [_area(place, area, steps, across, up) for place, area in enumerate(areas)]
    for step in steps:
        left, right = across(step.begin), across(step.end)
        said = [f"{x.show(step.begin)} to {x.show(step.end)}"]
        said += [f"{a.label} {v:.6g}" for a, v in zip(areas, step.values, strict=True)]
        drawn.append(
            f'<rect x="{left:.1f}" y="{TOP}" width="{max(right - left, 0.5):.1f}" '
            f'height="{BOTTOM - TOP}" fill="transparent">{title_of(", ".join(said))}</rect>'
        )
    return picture_of(drawn, notes, label)


@dataclass(frozen=True, slots=True)
class _Step:
    begin: float
    end: float
    values: tuple[float, ...]


def _steps(ends: Sequence[float], areas: Sequence[Area]) -> tuple[list[_Step], list[str]]:
    """Give the steps that can be drawn, some together where there are many, and what to know."""
    begins = [0.0, *ends][: len(ends)]
    values = zip(*(area.values for area in areas), strict=True)
    every = [_Step(*one) for one in zip(begins, ends, values, strict=True)]
    steps = [
        step
        for step in every
        if is_drawable(step.end)
        and step.begin < step.end
        and all(is_drawable(value) and value >= 0 for value in step.values)
    ]
    notes = []
    if len(steps) < len(every):
        notes.append(f"{len(every) - len(steps)} of {len(every)} steps not drawn: not known")
    together = math.ceil(len(steps) / MAX_STEPS)
    if together > 1:
        notes.append(f"means of {together} readings each")
        steps = [_mean(steps[at : at + together]) for at in range(0, len(steps), together)]
    return steps, notes


def _mean(steps: Sequence[_Step]) -> _Step:
    """Make one step of some, as high as they are in the mean over their time."""
    spans = [step.end - step.begin for step in steps]
    columns = zip(*(step.values for step in steps), strict=True)
    means = (math.fsum(map(operator.mul, column, spans)) / math.fsum(spans) for column in columns)
    return _Step(steps[0].begin, steps[-1].end, tuple(means))


def _area(place: int, area: Area, steps: Sequence[_Step], across: Scale, up: Scale) -> str:
    """Draw one area, from the sum of those below it, and the line on top of it."""
    fill, line = [], []
    for run in _runs(steps):
        floor = [(step, up(math.fsum(step.values[:place]))) for step in run]
        top = [(step, up(math.fsum(step.values[: place + 1]))) for step in run]
        over = "".join(f"V{y:.1f}H{across(step.end):.1f}" for step, y in top)
        under = "".join(f"V{y:.1f}H{across(step.begin):.1f}" for step, y in reversed(floor))
        begin = f"M{across(run[0].begin):.1f} "
        fill.append(f"{begin}{floor[0][1]:.1f}{over}{under}Z")
        line.append(f"{begin}{top[0][1]:.1f}{over}")
    if not any(step.values[place] for step in steps):
        return ""
    dashes = f' stroke-dasharray="{area.dashes}"' if area.dashes else ""
    return (
        f'<path d="{"".join(fill)}" fill="{area.colour}" fill-opacity="0.45"/>'
        f'<path d="{"".join(line)}" fill="none" stroke="{area.colour}" stroke-width="1.5"{dashes}/>'
    )


def _runs(steps: Sequence[_Step]) -> Iterator[list[_Step]]:
    """Give the steps that follow one another without a gap, together."""
    run: list[_Step] = []
    for step in steps:
        if run and step.begin != run[-1].end:
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _swatch(area: Area) -> str:
    dashes = f' stroke-dasharray="{area.dashes}"' if area.dashes else ""
    return (
        f'<path d="M-7-3h14v9h-14z" fill="{area.colour}" fill-opacity="0.45"/>'
        f'<path d="M-7-3h14" stroke="{area.colour}" stroke-width="1.5"{dashes}/>'
    )
