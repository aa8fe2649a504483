"""Names beside points, so that they hide as little as can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# How far from its point a name may stand, in pt; from the second on, a line leads to it.
_DISTANCES_PT: Final = (5.0, 13.0, 22.0, 32.0)

# In which directions, with how much of the distance to the right and upwards.
_DIRECTIONS: Final = (
    *((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)),
    *((0.5, 1.0), (-0.5, 1.0), (0.5, -1.0), (-0.5, -1.0)),
)

# A point stands in a name's way within so many pt.
_ROOM_PT: Final = 2.0

# How bad it is that a name hides another, or leaves the figure; and that it is 1 pt farther.
_WORSE: Final = 1000.0
_FAR: Final = 0.3

# How bad each point is of another name's line that it hides, or of its own that another one hides.
_CROSSED: Final = 4.0

NEVER_HIDDEN: Final = 50.0
"""What weighs so much is hidden by no name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A name and its point.

    Attributes:
        name: The name.
        colour: Its colour.
        point: Where it belongs, in the units of the axes.
    """

    name: str
    colour: str
    point: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """Where a name may stand: its offset in pt, and what it covers, in dots of the figure.

    A line from its point to it, if there is one, has some points, in the shape of (n_points, 2).
    """

    right_pt: float
    up_pt: float
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    line: npt.NDArray[np.float64]

    @property
    def far_pt(self) -> float:
        """How far it is from its point, in pt."""
        return max(abs(self.right_pt), abs(self.up_pt))

    @property
    def sides(self) -> dict[str, Any]:
        """Which of its sides is at the offset."""
        right, up = self.right_pt, self.up_pt
        return {
            "ha": "left" if right > 0 else "right" if right < 0 else "center",
            "va": "bottom" if up > 0 else "top" if up < 0 else "center",
        }

    def overlaps(self, other: _Box) -> bool:
        """Tell whether two names would cover one another."""
        return bool((self.low < other.high).all() and (other.low < self.high).all())

    def covers(self, points: npt.NDArray[np.float64], room: float) -> npt.NDArray[np.bool_]:
        """Tell which points it covers, or comes nearer to than some room: (n_points,)."""
        inside = (points > self.low - room) & (points < self.high + room)
        return np.asarray(inside.all(axis=1))

    def crosses(self, points: npt.NDArray[np.float64], room: float) -> npt.NDArray[np.bool_]:
        """Tell which points its line passes, but those at its own beginning: (n_points,)."""
        met = np.zeros(len(points), dtype=np.bool_)
        for mark in self.line[2:]:
            met |= (np.abs(points - mark) < room).all(axis=1)
        return met


def place_names(
    figure: Figure,
    names: Sequence[Named],
    points: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    steps: npt.NDArray[np.float64],
) -> bool:
    """Write names beside their points, each where it hides the least.

    A name is left out where it would hide another one, a reference or what was chosen, or leave
    the figure.

    Args:
        figure: A figure of one pair of axes on which all else is drawn; its layout is kept.
        names: The names.
        points: Where points are, in the units of the axes, an ndarray in the shape of
            (n_points, 2).
        weights: How bad it is to hide each, in the shape of (n_points,).
        steps: A line of steps, each to the right and then down, in the shape of (n_steps, 2).

    Returns:
        Whether all are written.
    """
    if not names:
        return True
    (axes,) = figure.axes
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    line = _along(axes.transData.transform(steps))
    at = np.concatenate([axes.transData.transform(points), line])
    weights = np.concatenate([weights, np.ones(len(line))])
    taken: list[_Box] = []
    for one in names:
        best, least = None, NEVER_HIDDEN
        for box in _boxes(axes, one):
            bad = _hidden(box, axes, at, weights, taken) + _FAR * box.far_pt
            if bad < least:
                best, least = box, bad
        if best is not None:
            _write(axes, one, best)
            taken.append(best)
            at = np.concatenate([at, best.line])
            weights = np.concatenate([weights, np.full(len(best.line), _CROSSED)])
    return len(taken) == len(names)


def _boxes(axes: Axes, one: Named) -> Iterator[_Box]:
    """Give where a name may stand, the nearer places first."""
    text = axes.text(0, 0, one.name, fontsize=6.5)
    size = np.array(text.get_window_extent().size)
    text.remove()
    dots = axes.figure.get_dpi() / 72
    point = axes.transData.transform(one.point)
    for far in _DISTANCES_PT:
        for direction in np.array(_DIRECTIONS):
            end = point + direction * far * dots
            # By half its size to either side, where it stands in the middle.
            low = end - size * (0.5 - 0.5 * np.sign(direction))
            line = np.linspace(point, end, 10 if far > _DISTANCES_PT[0] else 0)
            right_pt, up_pt = (direction * far).tolist()
            yield _Box(right_pt, up_pt, low, low + size, line)


def _write(axes: Axes, one: Named, box: _Box) -> None:
    from matplotlib.patheffects import withStroke

    line = {"arrowstyle": "-", "linewidth": 0.5, "color": one.colour, "shrinkA": 0, "shrinkB": 3}
    text = axes.annotate(
        one.name,
        one.point,
        xytext=(box.right_pt, box.up_pt),
        textcoords="offset points",
        fontsize=6.5,
        color=one.colour,
        zorder=6,
        arrowprops=None if box.far_pt <= _DISTANCES_PT[0] else line,
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
        **box.sides,
    )
    text.set_in_layout(False)  # it was placed in the layout that there is


def _along(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give points along a line of steps, close to one another on the figure."""
    if len(steps) < 2:
        return np.empty((0, 2))
    corners = np.repeat(steps, 2, axis=0)[:-1]
    corners[1::2, 0] = steps[1:, 0]
    lengths = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(corners, axis=0)).sum(axis=1))])
    marks = np.linspace(0.0, lengths[-1], 500)
    return np.column_stack([np.interp(marks, lengths, corner) for corner in corners.T])


def _hidden(
    box: _Box,
    axes: Axes,
    points: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    taken: Sequence[_Box],
) -> float:
    """Tell how bad it would be if a name stood there."""
    room = _ROOM_PT * axes.figure.get_dpi() / 72
    # To the right there is nothing beside the axes; to the left and below, their ticks.
    outside = max(axes.bbox.x0 - box.low[0], box.high[0] - axes.figure.bbox.x1, 0.0)
    outside += max(axes.bbox.y0 - box.low[1], box.high[1] - axes.bbox.y1, 0.0)
    hidden = float(weights[box.covers(points, room)].sum())
    # A name that is led to through others is worse than one that lies on them.
    hidden += 2 * float(weights[box.crosses(points, room)].sum())
    hidden += _WORSE * sum(box.overlaps(one) for one in taken)
    hidden += _CROSSED * sum(int(one.covers(box.line, 0.0).sum()) for one in taken)
    return hidden + (_WORSE + outside if outside > 0 else 0.0)
