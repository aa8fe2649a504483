"""Objectives one after another, each with what may be given up of it."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.errors import OptionError
from green_optuna.rules import Lexicographic, Tolerance
from rules.brute import NAMES, Row, exact, first, fronts


@given(fronts(), st.permutations(range(3)), st.lists(st.integers(0, 99), min_size=2, max_size=2))
def test_each_objective_keeps_the_rows_close_to_its_best(
    rows: list[Row], order: list[int], percents: list[int]
) -> None:
    """The choice is that of the definition in exact arithmetic."""
    table = [[exact(value) for value in row] for row in rows]
    left = list(range(len(rows)))
    for column, percent in zip(order, percents, strict=False):
        share, least = Fraction(percent, 100), min(table[i][column] for i in left)
        room = max(Fraction(0), 1 - least) if column == 0 else least
        left = [i for i in left if table[i][column] <= least + share * room]
    expected = first(rows, left, lambda i: table[i][order[-1]])
    shares = [*(percent / 100 for percent in percents), 0.0]
    rule = Lexicographic([(NAMES[column], share) for column, share in zip(order, shares)])  # noqa: B905 - as long as they are
    assert rule.choose(rows, NAMES) == expected


@given(fronts(), st.integers(0, 99))
def test_quality_first_is_the_tolerance(rows: list[Row], percent: int) -> None:
    """A share of the best quality, then CO2e: the same choice as the default rule's."""
    rule = Lexicographic({"quality_loss": percent / 100, "co2e_kg": 0})
    assert rule.choose(rows, NAMES) == Tolerance(percent / 100).choose(rows, NAMES)


@given(fronts(), st.permutations(range(3)))
def test_names_alone_sort_the_rows(rows: list[Row], order: list[int]) -> None:
    """Without tolerances, the choice is the first of a sort by the objectives."""
    rule = Lexicographic([NAMES[column] for column in order])
    by_order = sorted(range(len(rows)), key=lambda i: ([rows[i][c] for c in order], i))
    assert rule.choose(rows, NAMES) == by_order[0]


def test_the_figure_is_that_of_the_objective_that_decided() -> None:
    """Where the first objective leaves one row, the runner-up is behind in that."""
    rows = [(0.1, 5.0, 1.0), (0.3, 1.0, 1.0), (0.2, 3.0, 1.0)]
    ranking = Lexicographic().rank(rows, NAMES)
    assert (ranking.chosen, ranking.runner_up, ranking.figure_name) == (0, 2, "quality_loss")
    assert ranking.margin == pytest.approx(0.1)
    ranking = Lexicographic({"quality_loss": 0.2, "co2e_kg": 0}).rank(rows, NAMES)
    assert (ranking.chosen, ranking.runner_up, ranking.margin) == (2, 0, 2.0)
    assert ranking.why_not(1) == "1 - quality 0.3 is over 0.28, 20 % from the best quality"


def test_rows_that_all_diverged_are_as_good_as_one_another() -> None:
    """An infinite least value keeps all of them."""
    rows = [(math.inf, 3.0), (math.inf, 2.0)]
    assert Lexicographic({"quality_loss": 0.5, "co2e_kg": 0}).choose(rows, NAMES[:2]) == 1


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([], "name at least one"),
        (["co2e_kg", "co2e_kg"], "each once"),
        ("co2e_kg", "several names"),
        ({"quality_loss": 1.0, "co2e_kg": 0.0}, r"order\['quality_loss'\] is 1.0: .* below 1"),
        ({"quality_loss": -0.1, "co2e_kg": 0.0}, r"order\['quality_loss'\] is -0.1"),
        ({"quality_loss": 0.1, "co2e_kg": 0.1}, r"order\['co2e_kg'\] is 0.1, but nothing comes"),
    ],
)
def test_an_order_that_cannot_be_followed_is_refused(order: list[str], said: str) -> None:
    """The error names what is wrong; a tolerance that nothing would use is not ignored."""
    with pytest.raises(OptionError, match=said):
        Lexicographic(order)
