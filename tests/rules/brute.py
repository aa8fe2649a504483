"""Rows to choose from, and the definitions of rules in exact arithmetic, row by row."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = tuple[float, ...]

NAMES = ("quality_loss", "co2e_kg", "n_params")

thousandths = st.integers(0, 1000).map(lambda k: k / 1000)
few = st.integers(0, 5).map(float)


@st.composite
def fronts(draw: st.DrawFn, *, least: int = 0, max_rows: int = 7) -> list[Row]:
    """Rows of (quality loss, CO2e, parameters) whose few values make ties likely."""
    loss = st.one_of(st.integers(0, 4).map(lambda k: k / 4), thousandths)
    shifted = [column.map(lambda value: value + least) for column in (loss, few, few)]
    return draw(st.lists(st.tuples(*shifted), min_size=1, max_size=max_rows))


def exact(value: float) -> Fraction:
    """The decimal number that a float was written as, to the thousandth."""
    return Fraction(round(1000 * value), 1000)


def ranked(column: Sequence[Fraction]) -> list[Fraction]:
    """The number of different values below each."""
    return [Fraction(len({other for other in column if other < value})) for value in column]


def unit(column: Sequence[Fraction]) -> list[Fraction]:
    """Each value's place between the least, 0, and the greatest, 1; 0 where there is one value."""
    low, high = min(column), max(column)
    return [(value - low) / (high - low) if high > low else Fraction(0) for value in column]


def on_axes(rows: Sequence[Row], scale: str) -> list[list[Fraction]]:
    """The rows on axes that go from 0 to 1, linear or by ranks."""
    columns = [[exact(value) for value in column] for column in zip(*rows, strict=True)]
    axes = [unit(ranked(column) if scale == "rank" else column) for column in columns]
    return [list(row) for row in zip(*axes, strict=True)]


def first(rows: Sequence[Row], among: Sequence[int], figure: Callable[[int], Fraction]) -> int:
    """The documented order of ties: the rule's figure, the losses as named, the earlier row."""
    return min(among, key=lambda i: (figure(i), rows[i], i))
