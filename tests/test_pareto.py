"""Dominance, fronts, ranks and hypervolume against brute force, closed forms and Optuna."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna._hypervolume import compute_hypervolume

from green_optuna.errors import OptionError
from green_optuna.pareto import (
    as_losses,
    dominance,
    dominates,
    hypervolume,
    non_dominated,
    ranks,
)

if TYPE_CHECKING:
    from random import Random

    import numpy.typing as npt

Losses = list[list[float]]

FINITE = (-1.0, -0.0, 0.0, 0.5, 1.0, 2.0)
INFINITE = (*FINITE, math.inf, -math.inf)


@st.composite
def tables(draw: st.DrawFn, values: tuple[float, ...] = INFINITE, max_rows: int = 10) -> Losses:
    """Rows of one to five objectives whose few values make ties and duplicates likely."""
    n_objectives = draw(st.integers(1, 5))
    row = st.lists(st.sampled_from(values), min_size=n_objectives, max_size=n_objectives)
    return draw(st.lists(row, min_size=1, max_size=max_rows))


def brute_dominates(a: list[float], b: list[float]) -> bool:
    """The definition, element by element."""
    nowhere_worse = all(x <= y for x, y in zip(a, b, strict=True))
    return nowhere_worse and any(x < y for x, y in zip(a, b, strict=True))


def brute_front(losses: Losses) -> list[bool]:
    """The definition, pair by pair."""
    return [not any(brute_dominates(other, row) for other in losses) for row in losses]


def brute_ranks(losses: Losses) -> list[int]:
    """The definition: peel one front after the other."""
    found: dict[int, int] = {}
    while len(found) < len(losses):
        left = [i for i in range(len(losses)) if i not in found]
        front = brute_front([losses[i] for i in left])
        rank = 1 + max(found.values(), default=-1)
        found |= {i: rank for i, on_front in zip(left, front, strict=True) if on_front}
    return [found[i] for i in range(len(losses))]


def union_of_boxes(losses: Losses, reference: list[float]) -> float:
    """The volume by inclusion and exclusion over every set of rows."""
    inside = [row for row in losses if all(x < r for x, r in zip(row, reference, strict=True))]
    volume = 0.0
    for size in range(1, len(inside) + 1):
        for rows in combinations(inside, size):
            corner = [max(column) for column in zip(*rows, strict=True)]
            box = math.prod(r - c for r, c in zip(reference, corner, strict=True))
            volume += box if size % 2 else -box
    return volume


# Dominance


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 1], [2, 2], True),
        ([1, 2], [2, 2], True),
        ([2, 2], [2, 2], False),
        ([1, 3], [2, 2], False),
        ([2, 2], [1, 2], False),
        ([0.0], [-0.0], False),
        ([1, 5], [1, math.inf], True),
        ([math.inf, 0], [math.inf, 0], False),
    ],
)
def test_a_row_dominates_when_nowhere_worse_and_somewhere_better(
    a: list[float], b: list[float], expected: bool
) -> None:
    """Dominance is the definition that follows equation 5 of the paper, infinities included."""
    assert dominates(a, b) is expected


@given(tables())
def test_dominance_is_the_definition_for_every_pair(losses: Losses) -> None:
    """Every pair of rows compares as the definition says, element by element."""
    for a in losses:
        for b in losses:
            assert dominates(a, b) == brute_dominates(a, b)


@given(tables(), st.data())
def test_two_tables_compare_pair_by_pair(losses: Losses, data: st.DataObject) -> None:
    """Each row of one with each of the other, whichever has none."""
    at = data.draw(st.integers(0, len(losses)))
    first, second = (np.reshape(part, (-1, len(losses[0]))) for part in (losses[:at], losses[at:]))
    mask = dominance(first, second)
    assert mask.shape == (len(first), len(second))
    assert mask.tolist() == [[brute_dominates(a, b) for b in losses[at:]] for a in losses[:at]]


def test_tables_of_other_objectives_are_not_compared() -> None:
    """The error gives both shapes."""
    with pytest.raises(OptionError, match=r"a has the shape \(1, 2\) and b \(1, 3\)"):
        dominance([[1.0, 2.0]], [[1.0, 2.0, 3.0]])


@pytest.mark.parametrize("b", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], 1.0])
def test_rows_of_different_lengths_are_not_compared(b: npt.ArrayLike) -> None:
    """Rows of other objectives are an error that gives both shapes."""
    with pytest.raises(OptionError, match=r"a has the shape \(2,\)"):
        dominates([1.0, 2.0], b)


# Fronts


@given(tables())
def test_the_front_is_what_no_other_row_dominates(losses: Losses) -> None:
    """The mask is that of comparing every pair, with ties, duplicates and infinities."""
    assert non_dominated(losses).tolist() == brute_front(losses)


@given(tables(values=(*FINITE, math.inf)))
def test_the_front_is_that_of_optuna(losses: Losses) -> None:
    """The mask marks the trials that Optuna's study.best_trials gives, duplicates included."""
    study = optuna.create_study(directions=["minimize"] * len(losses[0]))
    study.add_trials([optuna.trial.create_trial(values=row) for row in losses])
    mask = np.zeros(len(losses), dtype=bool)
    mask[[trial.number for trial in study.best_trials]] = True
    assert non_dominated(losses).tolist() == mask.tolist()


def test_the_front_of_many_rows_is_that_of_brute_force() -> None:
    """A front of hundreds of rows without ties is found as by comparing every pair."""
    losses = np.random.default_rng(7).random((400, 3))
    below = (losses[:, None] <= losses[None]).all(axis=2)
    strictly = (losses[:, None] < losses[None]).any(axis=2)
    expected = ~(below & strictly).any(axis=0)
    assert non_dominated(losses).tolist() == expected.tolist()


@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_moves_the_front_with_it(losses: Losses, random: Random) -> None:
    """Shuffled rows have the same members and the same ranks."""
    order = list(range(len(losses)))
    random.shuffle(order)
    shuffled = [losses[i] for i in order]
    assert non_dominated(shuffled).tolist() == non_dominated(losses)[order].tolist()
    assert ranks(shuffled).tolist() == ranks(losses)[order].tolist()


@given(tables())
def test_duplicates_change_no_verdict(losses: Losses) -> None:
    """Each row given twice has the same verdict and rank as once."""
    assert non_dominated(losses + losses).tolist() == 2 * non_dominated(losses).tolist()
    assert ranks(losses + losses).tolist() == 2 * ranks(losses).tolist()


@given(tables(), st.sampled_from([1e-9, 0.25, 3.0, 1e6]), st.integers(0, 4))
def test_the_unit_of_an_objective_does_not_matter(
    losses: Losses, factor: float, column: int
) -> None:
    """A positive factor on one axis changes neither the front nor the ranks."""
    scaled = np.array(losses)
    scaled[:, column % scaled.shape[1]] *= factor
    assert non_dominated(scaled).tolist() == non_dominated(losses).tolist()
    assert ranks(scaled).tolist() == ranks(losses).tolist()


@given(tables(values=FINITE), st.data())
def test_a_dominated_row_more_changes_no_verdict(losses: Losses, data: st.DataObject) -> None:
    """A row that another dominates leaves the others' verdicts alone, and gets none."""
    worse = [x + 1 for x in data.draw(st.sampled_from(losses))]
    assert non_dominated([*losses, worse]).tolist() == [*non_dominated(losses).tolist(), False]


# Ranks


@given(tables())
def test_ranks_are_the_fronts_peeled_one_by_one(losses: Losses) -> None:
    """Rank k is the front of what is left without the ranks below k."""
    assert ranks(losses).tolist() == brute_ranks(losses)


@given(tables())
def test_rank_zero_is_the_front(losses: Losses) -> None:
    """The rows of rank 0 are those that no other dominates."""
    assert (ranks(losses) == 0).tolist() == non_dominated(losses).tolist()


def test_one_objective_ranks_by_value() -> None:
    """With one objective the front is the least value, and ranks count distinct values."""
    losses = [[3.0], [1.0], [2.0], [1.0]]
    assert non_dominated(losses).tolist() == [False, True, False, True]
    assert ranks(losses).tolist() == [2, 0, 1, 0]


def test_an_infinity_among_three_objectives_is_ranked_as_any_other_loss() -> None:
    """Rows with infinities in several objectives, which moocore 0.3.2 misplaces, rank rightly."""
    losses = [
        [-1.0, -1.0, -1.0],
        [2.0, -1.0, 1.0],
        [0.0, 0.0, 2.0],
        [0.0, math.inf, 1.0],
        [1.0, math.inf, 2.0],
        [math.inf, 1.0, math.inf],
        [1.0, 1.0, math.inf],
    ]
    assert ranks(losses).tolist() == brute_ranks(losses) == [0, 1, 1, 1, 2, 3, 2]


# Hypervolume


def test_one_row_spans_a_box() -> None:
    """The hypervolume of one row is the product of its distances from the reference."""
    assert hypervolume([[1.0, 2.0, 3.0]], [2.0, 4.0, 7.0]) == 1.0 * 2.0 * 4.0


def test_a_staircase_has_the_area_under_its_steps() -> None:
    """The rows (i, n - i) below (n + 1, n + 1) span steps of 1, 2, ... and n + 1 squares."""
    n = 9
    staircase = [[i, n - i] for i in range(n + 1)]
    assert hypervolume(staircase, [n + 1, n + 1]) == (n + 1) * (n + 2) / 2


def test_one_objective_spans_the_distance_from_the_best_value() -> None:
    """With one objective the hypervolume is the reference less the least value."""
    assert hypervolume([[0.75], [0.25], [0.5]], [1.0]) == 0.75


@given(tables(values=(*FINITE, math.inf), max_rows=7))
def test_the_hypervolume_is_the_union_of_the_boxes(losses: Losses) -> None:
    """Inclusion and exclusion over every set of rows gives the same volume."""
    reference = [1.5, 1.0, 2.0, 0.75, 3.0][: len(losses[0])]
    expected = union_of_boxes(losses, reference)
    assert hypervolume(losses, reference) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n_objectives", [1, 2, 3, 4])
def test_the_hypervolume_is_that_of_optuna(n_objectives: int) -> None:
    """Optuna's own algorithm, given rows cut off at the reference, finds the same volume."""
    losses = np.random.default_rng(n_objectives).random((60, n_objectives)) * 1.4
    reference = np.ones(n_objectives)
    expected = compute_hypervolume(np.minimum(losses, reference), reference)
    assert hypervolume(losses, reference) == pytest.approx(expected, rel=1e-12)


@given(tables(values=FINITE), st.randoms(use_true_random=False))
def test_order_and_duplicates_leave_the_hypervolume_alone(losses: Losses, random: Random) -> None:
    """Rows shuffled and given twice span the same volume."""
    reference = [2.5] * len(losses[0])
    shuffled = losses + losses
    random.shuffle(shuffled)
    assert hypervolume(shuffled, reference) == pytest.approx(hypervolume(losses, reference))


@given(tables(values=FINITE), st.sampled_from([1e-6, 0.5, 1000.0]), st.integers(0, 4))
def test_the_hypervolume_carries_the_unit_of_each_axis(
    losses: Losses, factor: float, column: int
) -> None:
    """A positive factor on one axis, reference included, multiplies the volume by it."""
    table, reference = np.array(losses), np.full(len(losses[0]), 2.5)
    volume = hypervolume(table, reference)
    axis = column % table.shape[1]
    table[:, axis] *= factor
    reference[axis] *= factor
    assert hypervolume(table, reference) == pytest.approx(factor * volume)


@given(tables(values=FINITE))
def test_the_front_spans_the_whole_hypervolume(losses: Losses) -> None:
    """Dominated rows add nothing to the volume."""
    reference = [2.5] * len(losses[0])
    front = np.array(losses)[non_dominated(losses)]
    assert hypervolume(front, reference) == pytest.approx(hypervolume(losses, reference))


@pytest.mark.parametrize(
    "beyond", [[0.0, 1.0], [0.0, 2.0], [1.0, 1.0], [math.inf, 0.0], [math.inf, math.inf]]
)
def test_a_row_on_or_beyond_the_reference_adds_nothing(beyond: list[float]) -> None:
    """A row that is not below the reference in every objective spans no volume."""
    assert hypervolume([beyond], [1.0, 1.0]) == 0.0
    assert hypervolume([[0.5, 0.5], beyond], [1.0, 1.0]) == 0.25


@pytest.mark.parametrize("n_objectives", [1, 2, 3, 4])
def test_a_loss_without_lower_limit_spans_an_infinite_volume(n_objectives: int) -> None:
    """A row with -inf below the reference has no finite volume; beyond it, it has none."""
    row = [-math.inf] + [0.0] * (n_objectives - 1)
    assert hypervolume([row], [1.0] * n_objectives) == math.inf
    if n_objectives > 1:
        assert hypervolume([row], [1.0] * (n_objectives - 1) + [0.0]) == 0.0


@pytest.mark.parametrize(
    "reference", [[1.0], [1.0, 1.0, 1.0], 1.0, [1.0, math.nan], [1.0, math.inf], ["a", "b"]]
)
def test_a_reference_that_does_not_fit_is_named(reference: npt.ArrayLike) -> None:
    """A reference without one finite number an objective is an error that names it."""
    with pytest.raises(OptionError, match="reference"):
        hypervolume([[0.0, 0.0]], reference)


# What is given


@pytest.mark.parametrize("n_objectives", [1, 2, 3])
def test_no_rows_have_no_front_and_no_volume(n_objectives: int) -> None:
    """A table without rows gives empty arrays and a volume of 0."""
    empty = np.empty((0, n_objectives))
    assert non_dominated(empty).shape == ranks(empty).shape == (0,)
    assert hypervolume(empty, [1.0] * n_objectives) == 0.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8])
def test_any_kind_of_number_will_do(dtype: npt.DTypeLike) -> None:
    """Integers and short floats give the verdicts that floats give, in the promised types."""
    losses = np.array([[0, 3], [1, 1], [2, 2], [1, 1]], dtype=dtype)
    front, rank = non_dominated(losses), ranks(losses)
    assert front.tolist() == [True, True, False, True]
    assert rank.tolist() == [0, 0, 1, 0]
    assert (front.dtype, rank.dtype) == (np.dtype(np.bool_), np.dtype(np.intp))
    assert hypervolume(losses, np.array([4, 4], dtype=dtype)) == 4 + 6


def test_nothing_given_is_written_to() -> None:
    """Read-only arrays are taken, so what is given stays as it was."""
    losses, reference = np.array([[1.0, 2.0], [math.inf, 0.0], [2.0, 1.0]]), np.array([3.0, 3.0])
    losses.flags.writeable = reference.flags.writeable = False
    assert non_dominated(losses).tolist() == [True, True, True]
    assert ranks(losses).tolist() == [0, 0, 0]
    assert hypervolume(losses, reference) == 3.0
    assert dominates(losses[0], losses[1]) is False


def test_a_table_of_floats_is_not_copied() -> None:
    """What is already an array of floats is checked and handed through."""
    losses = np.array([[1.0, 2.0]])
    assert as_losses(losses) is losses


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([[1.0, 2.0], [math.nan, 1.0]], "NaN in row 1"),
        ([[None, 1.0]], "NaN in row 0"),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[[1.0]]], r"shape \(1, 1, 1\)"),
        ([[], []], r"shape \(2, 0\)"),
        ([[1.0], [1.0, 2.0]], "not an array of numbers"),
        ([["low", "high"]], "not an array of numbers"),
    ],
)
def test_what_is_no_table_of_losses_is_refused(losses: npt.ArrayLike, message: str) -> None:
    """A NaN, a wrong shape or a text is an error that says where and what."""
    for refuse in (as_losses, non_dominated, ranks):
        with pytest.raises(OptionError, match=message):
            refuse(losses)
    with pytest.raises(OptionError, match=message):
        hypervolume(losses, [3.0, 3.0])
