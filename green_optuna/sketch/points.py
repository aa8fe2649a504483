"""Points of several kinds, and the staircase below which nothing lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from green_optuna.markup import in_html
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
    from collections.abc import Callable, Mapping, Sequence

    from green_optuna.sketch.axes import Axis

MAX_POINTS: Final = 500
"""So many points of one kind are drawn; of more, every n-th, and the picture says so."""

Shape = Literal["circle", "square", "diamond"]
_SHAPES: Mapping[Shape, str] = {
    "circle": '<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5">{title}</circle>',
    "square": '<path d="M{x:.1f} {y:.1f}m-2.5-2.5h5v5h-5z">{title}</path>',
    "diamond": '<path d="M{x:.1f} {y:.1f}m0-6 6 6-6 6-6-6z">{title}</path>',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Points of one kind.

    Attributes:
        label: What they are, for the key.
        colour: Their colour.
        shape: Their shape.
        x: Where they lie, to the right; finite or not.
        y: Where they lie, upwards.
        title: Says what the point of an index is, with its exact values; asked for those drawn.
        name: Is written beside the point of an index; nothing for an empty text.
        filled: Whether they are full or open.
        stairs: Whether a staircase joins them: what they dominate lies above it and to the right.
        ringed: The index of the one that a ring is drawn round.
    """

    label: str
    colour: str
    shape: Shape
    x: Sequence[float]
    y: Sequence[float]
    title: Callable[[int], str]
    name: Callable[[int], str] = lambda _: ""
    filled: bool = True
    stairs: bool = False
    ringed: int | None = None


def scatter(groups: Sequence[Points], *, x: Axis, y: Axis, label: str) -> str:
    """Draw points; an axis is logarithmic where all values are above 0 and far apart.

    Args:
        groups: The points, those behind first. Ones with a value that is no finite number are
            left out, and the picture says how many.
        x: The axis to the right.
        y: The axis upwards.
        label: What the picture shows, for those who do not see it.

    Returns:
        An ``<svg>``; nothing where no point can be drawn.
    """
    shown, notes = [], []
    for group in groups:
        rows = [
            row
            for row, at in enumerate(zip(group.x, group.y, strict=True))
            if all(map(is_drawable, at))
        ]
        if len(rows) < len(group.x):
            notes.append(f"{len(group.x) - len(rows)} not drawn: no value that can be")
        if len(rows) > MAX_POINTS:
            notes.append(f"{MAX_POINTS} of {len(rows)} drawn ({group.label})")
            # Every n-th, first and last among them; and the one that a ring is round.
            step = (len(rows) - 1) / (MAX_POINTS - 1)
            kept = {rows[round(each * step)] for each in range(MAX_POINTS)}
            rows = [row for row in rows if row in kept or row == group.ringed]
        shown.append((group, rows))
    across = Scale.of([group.x[row] for group, rows in shown for row in rows], x, LEFT, RIGHT)
    up = Scale.of([group.y[row] for group, rows in shown for row in rows], y, BOTTOM, TOP)
    if across is None or up is None:
        return ""
    drawn = [
        draw_axes(across, up),
        draw_key([(_mark(group), group.label) for group, rows in shown if rows]),
    ]
    for group, rows in shown:
        drawn.append(_points(group, rows, across, up))
    return picture_of(drawn, notes, label)


def _points(group: Points, rows: Sequence[int], across: Scale, up: Scale) -> str:
    places = {row: (across(group.x[row]), up(group.y[row])) for row in rows}
    drawn, names = [], []
    for row, (x, y) in places.items():
        drawn.append(_SHAPES[group.shape].format(x=x, y=y, title=title_of(group.title(row))))
        name = group.name(row)
        if name:
            # Above the point, and away from the nearer end of the axis.
            late = x > (LEFT + RIGHT) / 2
            anchor, shift = ("end", 4) if late else ("start", -4)
            names.append(
                f'<text x="{x + shift:.1f}" y="{y - 12:.1f}" text-anchor="{anchor}" '
                f'font-weight="bold">{in_html(name, most=24)}</text>'
            )
    if group.ringed in places:
        x, y = places[group.ringed]
        names.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8.5" fill="none" stroke="currentColor" '
            'stroke-width="1.5"/>'
        )
    stairs = ""
    if group.stairs and len(places) > 1:
        first, *others = sorted(set(places.values()))
        path = "".join(f"H{x:.1f}V{y:.1f}" for x, y in others)
        stairs = (
            f'<path d="M{first[0]:.1f} {first[1]:.1f}{path}" fill="none" stroke="{group.colour}"/>'
        )
    return f"{stairs}<g {_style(group)}>{''.join(drawn)}</g>{''.join(names)}"


def _style(group: Points) -> str:
    if group.filled:
        return f'fill="{group.colour}" fill-opacity="0.85"'
    # All of an open shape can be pointed at.
    return f'fill="none" stroke="{group.colour}" stroke-width="1.5" pointer-events="all"'


def _mark(group: Points) -> str:
    shape = _SHAPES[group.shape].format(x=0, y=0, title="")
    return f"<g {_style(group)}>{shape}</g>"
