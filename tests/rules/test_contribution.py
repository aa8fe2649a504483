"""The hypervolume contribution, against volumes counted in exact arithmetic."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.errors import OptionError
from green_optuna.pareto import hypervolume_contributions
from green_optuna.rules import Contribution, Scale
from rules.brute import NAMES, Row, first, fronts, on_axes


def volume(points: list[list[Fraction]], corner: Fraction) -> Fraction:
    """The volume of what some points dominate, by inclusion and exclusion of their boxes."""
    total = Fraction(0)
    for size in range(1, len(points) + 1):
        for some in itertools.combinations(points, size):
            sides = [corner - max(axis) for axis in zip(*some, strict=True)]
            total -= (-1) ** size * math.prod(sides, start=Fraction(1))
    return total


@given(fronts(max_rows=5), st.sampled_from([Fraction(9, 8), Fraction(2)]))
def test_the_row_that_most_would_be_lost_without_is_chosen(
    rows: list[Row], corner: Fraction
) -> None:
    """Figures and choice are those of the definition, equal rows standing for one another."""
    for scale in ("linear", "rank"):
        axes = on_axes(rows, scale)
        whole = [list(point) for point in {tuple(point) for point in axes}]

        def without(i: int, points: list[list[Fraction]], z: list[list[Fraction]]) -> Fraction:
            return volume([point for point in points if point != z[i]], corner)

        # A row that another one dominates is as if it were not there.
        whole = [p for p in whole if not any(q != p and _no_worse(q, p) for q in whole)]
        left = [without(i, whole, axes) for i in range(len(rows))]
        rule = Contribution(scale=_scale(scale), reference=float(corner))
        ranking = rule.rank(rows, NAMES)
        assert ranking.figure.tolist() == pytest.approx([float(one) for one in left])
        assert ranking.chosen == first(rows, range(len(rows)), left.__getitem__)


def _no_worse(a: list[Fraction], b: list[Fraction]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


def _scale(name: str) -> Scale:
    return "rank" if name == "rank" else "linear"


def test_the_farther_the_reference_the_more_the_extremes_contribute() -> None:
    """Near the front, the row in the middle; far from it, an extreme one."""
    rows = [(0.0, 1.0), (0.25, 0.25), (1.0, 0.0)]
    assert Contribution(reference=1.01).choose(rows, NAMES[:2]) == 1
    assert Contribution(reference=9.0).choose(rows, NAMES[:2]) == 0


@pytest.mark.parametrize("reference", [1.0, 0.5, math.inf, math.nan, True, "2"])
def test_a_reference_that_is_not_beyond_the_rows_is_refused(reference: float) -> None:
    """Extremes would count for nothing."""
    with pytest.raises(OptionError, match="reference is"):
        Contribution(reference=reference)


def test_contributions_of_rows_beyond_the_reference_are_nothing() -> None:
    """As of rows that others dominate, that come twice, or that are infinite."""
    losses = [(0.0, 0.5), (0.5, 0.0), (0.5, 0.5), (0.5, 0.0), (2.0, -1.0), (math.inf, 0.0)]
    assert hypervolume_contributions(losses, (1.0, 1.0)).tolist() == [0.25, 0, 0, 0, 0, 0]
    assert hypervolume_contributions([(3.0, 3.0)], (1.0, 1.0)).tolist() == [0.0]
    for reference, wrong in (((1.0,), losses), ((1.0, 1.0), [(-math.inf, 0.0)])):
        with pytest.raises(OptionError):
            hypervolume_contributions(wrong, reference)


def test_of_one_objective_the_best_row_alone_contributes() -> None:
    """On one axis a volume is a length, from the best row to the reference."""
    assert hypervolume_contributions([[0.5], [0.25], [2.0]], [1.0]).tolist() == [0.0, 0.75, 0.0]
    assert hypervolume_contributions([[0.25], [0.25]], [1.0]).tolist() == [0.0, 0.0]
    assert Contribution().choose([(0.5,), (0.25,)], NAMES[:1]) == 1
