"""What the pictures share: where values lie along an axis, its ticks, the key and the frame."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from green_optuna.markup import in_html

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH, HEIGHT = 480, 300
"""The size of a picture, in px; it shrinks with a narrow page."""

LOG_AXIS_FROM: Final = 20.0
"""From this ratio of the largest to the smallest value on, an axis may be logarithmic."""

LEFT, RIGHT, TOP, BOTTOM = 66, WIDTH - 14, 34, HEIGHT - 52
"""Where the axes are, in px."""

LARGEST, SMALLEST = 1e100, 1e-100
"""Values beyond are left out, and nearer to zero are taken for it: nothing overflows."""

_MOST_TICKS: Final = 6
_CLOCK_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What an axis shows.

    Attributes:
        label: Its quantity.
        show: Gives a value as a person reads it, with its unit.
        is_clock: Whether the values are s, which go in steps of minutes and hours.
    """

    label: str
    show: Callable[[float], str]
    is_clock: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values lie along an axis."""

    axis: Axis
    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool

    @classmethod
    def of(
        cls, values: Sequence[float], axis: Axis, begin: float, end: float, *, linear: bool = False
    ) -> Scale | None:
        """Lay out an axis, with some room at its ends; None where there is no value."""
        if not values:
            return None
        low, high = (0.0 if abs(v) < SMALLEST else v for v in (min(values), max(values)))
        if not linear and 0 < low <= high / LOG_AXIS_FROM:
            # 5 % more at each end.
            room = (high / low) ** 0.05
            return cls(axis, low / room, high * room, begin, end, logarithmic=True)
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            room = abs(high) / 2 or 1.0
        else:
            room = (high - low) * 0.06
        # No axis of costs goes below zero, nor away from it where an area stands on it.
        low = 0.0 if linear or 0 <= low < room else low - room
        return cls(axis, low, high + room, begin, end, logarithmic=False)

    def __call__(self, value: float) -> float:
        """Give a place in px."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.begin + (value - low) / (high - low) * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Give round values along the axis."""
        if self.logarithmic:
            return self._decades()
        step = self._step((self.high - self.low) / _MOST_TICKS)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [each * step for each in range(first, last + 1)]

    def _step(self, least: float) -> float:
        if self.axis.is_clock and 1 <= least <= _CLOCK_STEPS[-1]:
            return next(step for step in _CLOCK_STEPS if step >= least)
        unit = 10.0 ** math.floor(math.log10(least))
        return next(unit * share for share in (1, 2, 5, 10) if unit * share >= least)

    def _decades(self) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        found: list[float] = []
        for shares in ((1, 2, 5), (1, 3), (1,)):
            each = (share * 10.0**power for power in range(first, last + 1) for share in shares)
            found = [value for value in each if self.low <= value <= self.high]
            if len(found) <= _MOST_TICKS:
                return found
        return found[:: math.ceil(len(found) / _MOST_TICKS)]


def draw_axes(across: Scale, up: Scale) -> str:
    """Draw two axes, with their ticks, and thin lines that help to read the values."""
    lines, texts = [], []
    for value in across.ticks():
        at = across(value)
        lines.append(f"M{at:.1f} {TOP}V{BOTTOM}")
        text = _tick(across.axis, value)
        texts.append(f'<text x="{at:.1f}" y="{BOTTOM + 15}" text-anchor="middle">{text}</text>')
    for value in up.ticks():
        at = up(value)
        lines.append(f"M{LEFT} {at:.1f}H{RIGHT}")
        text = _tick(up.axis, value)
        texts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    texts.append(
        f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 31}" text-anchor="middle" '
        f'font-size="12">{in_html(_name(across))}</text>'
    )
    middle = (TOP + BOTTOM) / 2
    texts.append(
        f'<text x="12" y="{middle}" text-anchor="middle" font-size="12" '
        f'transform="rotate(-90 12 {middle})">{in_html(_name(up), most=40)}</text>'
    )
    return (
        f'<path d="{"".join(lines)}" fill="none" stroke="currentColor" stroke-opacity="0.15"/>'
        f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="currentColor"/>'
        f"{''.join(texts)}"
    )


def _name(scale: Scale) -> str:
    return f"{scale.axis.label} (log scale)" if scale.logarithmic else scale.axis.label


def _tick(axis: Axis, value: float) -> str:
    """Write the value of a tick without zeros that say nothing: ``20 mg`` for ``20.0 mg``."""
    if value == 0:
        return "0"  # of whatever unit the others are
    shown = axis.show(value)
    return in_html(re.sub(r"\.0+(?!\d)|(\.\d*?[1-9])0+(?!\d)", r"\1", shown), most=16)


def draw_key(entries: Sequence[tuple[str, str]]) -> str:
    """Say above the axes what each mark stands for."""
    drawn = []
    at = float(LEFT)
    for mark, label in entries:
        text = in_html(label, most=30)
        drawn.append(
            f'<g transform="translate({at:.0f} 16)">{mark}<text x="11" y="4">{text}</text></g>'
        )
        at += 30 + 6.2 * min(len(label), 30)
    return "".join(drawn)


def title_of(text: str) -> str:
    """Write what a browser shows of a point that is pointed at."""
    return f"<title>{in_html(text, most=300)}</title>"


def is_drawable(value: float) -> bool:
    """Tell whether an axis can have a place for a value."""
    return math.isfinite(value) and abs(value) <= LARGEST


def picture_of(drawn: Sequence[str], notes: Sequence[str], label: str) -> str:
    """Put a picture together.

    Where a page's viewer drops the tags of SVG and keeps their texts (JupyterLab does so until a
    notebook is trusted), these texts have no size.
    """
    note, height = "", HEIGHT - 14
    if notes:
        height = HEIGHT
        note = (
            f'<text x="{LEFT}" y="{HEIGHT - 5}" font-size="10" fill-opacity="0.8">'
            f"{in_html('; '.join(notes), most=90)}</text>"
        )
    return (
        f'<div style="font-size:0"><svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{in_html(label, most=300)}" style="max-width:100%;height:auto" '
        f'font-family="sans-serif" font-size="11" fill="currentColor">'
        f"{''.join(drawn)}{note}</svg></div>"
    )
