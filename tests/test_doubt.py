"""The probability of being on the front, against closed forms, and calibrated on known truths."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from green_optuna.doubt import (
    LEAST_DRAWS,
    MOST_DRAWS,
    draw_losses,
    n_draws,
    probabilities,
    winning_shares,
)
from green_optuna.errors import OptionError
from green_optuna.pareto import non_dominated

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

ECNAS = Path(__file__).parent / "benchmarks" / "data" / "ecnas_4_epochs.csv"
MANY = 20_000


def student_cdf(t: float, degrees: int) -> float:
    """P(T <= t) for one and for two degrees of freedom, where it is elementary."""
    if degrees == 1:
        return 0.5 + math.atan(t) / math.pi
    return 0.5 + t / (2 * math.sqrt(2 + t * t))


def of_runs(runs: Array) -> tuple[Array, Array, Array]:
    """Means, standard errors and degrees of freedom of runs in the shape of (n, n_runs, m)."""
    n_runs = runs.shape[1]
    scales = runs.std(axis=1, ddof=1) / math.sqrt(n_runs)
    return runs.mean(axis=1), scales, np.full(scales.shape, n_runs - 1.0)


def brier(predicted: npt.NDArray[np.floating | np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """The mean squared difference between predictions and what came true."""
    return float(np.mean((predicted.astype(float) - truth.astype(float)) ** 2))


# Closed forms


@pytest.mark.parametrize("degrees", [1, 2])
def test_a_row_against_an_exact_one_follows_students_distribution(degrees: int) -> None:
    """Of one objective, the uncertain row is on the front where its draw is the lower one."""
    known = probabilities([[0.0], [1.5]], [[0.0], [0.5]], [[1], [degrees]], draws=MANY)
    below = student_cdf(-3.0, degrees)
    assert known.tolist() == pytest.approx([1 - below, below], abs=4 * 0.5 / math.sqrt(MANY))


def test_two_objectives_are_drawn_on_their_own() -> None:
    """A row is dominated where it is worse in both: the product of the two probabilities."""
    known = probabilities(
        [[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]], np.full((2, 2), 2), draws=MANY
    )
    above, below = 1 - student_cdf(-1.0, 2), student_cdf(-1.0, 2)
    assert known.tolist() == pytest.approx([1 - below**2, 1 - above**2], abs=0.015)


def test_a_multiple_is_drawn_with_what_it_is_a_multiple_of() -> None:
    """Of CO2e and energy, no draw is better in one and worse in the other."""
    means, scales = [[1.0, 10.0], [2.0, 20.0]], [[1.0, 10.0], [1.0, 10.0]]
    for drawn in draw_losses(means, scales, np.full((2, 2), 2), like=[0, 0], draws=50):
        assert drawn[:, 1] == pytest.approx(10 * drawn[:, 0])
    apart = probabilities(means, scales, np.full((2, 2), 2))
    together = probabilities(means, scales, np.full((2, 2), 2), like=[0, 0])
    assert together.sum() == pytest.approx(1.0)
    assert apart.sum() > 1.2


# Laws


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.5, 1.0, math.inf]), min_size=2, max_size=2), min_size=1
    )
)
def test_without_errors_the_front_is_certain(losses: list[list[float]]) -> None:
    """Members have 1 and the others 0, with ties, duplicates and infinities."""
    exact = np.zeros((len(losses), 2))
    known = probabilities(losses, exact, exact, draws=3)
    assert known.tolist() == non_dominated(losses).astype(float).tolist()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_the_same_trials_have_the_same_probabilities_in_any_unit(seed: int, factor: float) -> None:
    """Drawn twice they are equal, and a power of two in the unit changes no draw's order."""
    rng = np.random.default_rng(seed)
    means, scales, degrees = of_runs(rng.random((12, 3, 2)))
    unit = 2.0 ** round(math.log2(factor))
    first = probabilities(means, scales, degrees)
    assert first.tolist() == probabilities(means, scales, degrees).tolist()
    assert first.tolist() == probabilities(means * unit, scales * unit, degrees).tolist()
    assert ((first >= 0) & (first <= 1)).all()


def test_a_duplicate_without_errors_has_the_probability_of_its_twin() -> None:
    """Equal rows do not dominate one another in any draw."""
    means = [[0.0, 1.0], [0.0, 1.0], [1.0, 0.5]]
    known = probabilities(means, [[0, 0], [0, 0], [2, 1]], np.ones((3, 2)))
    assert known[0] == known[1] < 1


def test_choices_are_counted_over_the_draws() -> None:
    """Choosing the least first objective wins as often as that row is the least; None is no win."""
    means, scales = [[0.0, 1.0], [1.5, 0.0]], [[0.0, 0.0], [0.5, 0.0]]
    degrees = np.full((2, 2), 2)

    def least(front: Array) -> int:
        return int(front[:, 0].argmin())

    shares = winning_shares(means, scales, degrees, choose=least, draws=MANY)
    below = student_cdf(-3.0, 2)
    assert shares.tolist() == pytest.approx([1 - below, below], abs=0.01)
    nobody = winning_shares(means, scales, degrees, choose=lambda _: None)
    assert nobody.tolist() == [0.0, 0.0]


def test_more_rows_are_drawn_less_often() -> None:
    """A thousand times up to 2,000 rows, 200 times from 10,000 on."""
    assert [n_draws(n) for n in (0, 1, 2_000, 4_000, 10_000, 10**6)] == [
        *(MOST_DRAWS, MOST_DRAWS, MOST_DRAWS, MOST_DRAWS // 2, LEAST_DRAWS, LEAST_DRAWS)
    ]
    assert probabilities(np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    ("scales", "degrees", "like", "message"),
    [
        ([[0.1]], [[1, 1]], None, "one scale and one degree a loss"),
        ([[-0.1, 0]], [[1, 1]], None, "0 or more"),
        ([[math.nan, 0]], [[1, 1]], None, "finite"),
        ([[0.1, 0]], [[0, 1]], None, "1 or more where a scale"),
        ([[0.0, 0.1]], [[1, 1]], None, "an infinite loss has a scale"),
        ([[0.0, 0.0]], [[1, 1]], [0], "one of the 2 columns"),
        ([[0.0, 0.0]], [[1, 1]], [1, 0], "has errors of its own"),
    ],
)
def test_errors_that_cannot_be_are_refused(
    scales: list[list[float]], degrees: list[list[float]], like: list[int] | None, message: str
) -> None:
    """The message says what does not fit."""
    with pytest.raises(OptionError, match=message):
        probabilities([[1.0, math.inf]], scales, degrees, like=like)


# Calibration


def known_truth(rng: np.random.Generator, n_runs: int) -> tuple[Array, Array]:
    """True losses of 60 models in the shape of (60, 3), and runs about them (60, n_runs, 3).

    Quality against energy with diminishing returns; each model has a noise of its own. The third
    objective is exact and has ties, as parameter counts do.
    """
    effort = rng.random(60)
    loss = 0.1 + 0.5 * (1 - effort) ** 2 + 0.15 * rng.random(60)
    truth = np.column_stack([loss, effort, rng.integers(1, 9, 60)])
    noise = np.column_stack([0.02 * (0.5 + rng.random(60)), 0.02 * effort, np.zeros(60)])
    runs = truth[:, None] + noise[:, None] * rng.standard_normal((60, n_runs, 3))
    return truth, runs


@pytest.mark.parametrize("n_runs", [3, 5])
def test_probabilities_are_nearer_to_the_truth_than_the_plain_front(n_runs: int) -> None:
    """Of known truths, the Brier score is better than that of the front of the means."""
    plain, ours, single = [], [], []
    for seed in range(20):
        truth, runs = known_truth(np.random.default_rng(seed), n_runs)
        on_front = non_dominated(truth)
        means, scales, degrees = of_runs(runs)
        ours.append(brier(probabilities(means, scales, degrees, draws=300), on_front))
        plain.append(brier(non_dominated(means), on_front))
        single.append(brier(non_dominated(runs[:, 0]), on_front))
    assert np.mean(ours) < 0.9 * np.mean(plain) < np.mean(single)


def test_what_is_probable_comes_true_more_often() -> None:
    """Members of at least 0.8 are on the true front more than nine times in ten."""
    known, came_true = [], []
    for seed in range(20):
        truth, runs = known_truth(np.random.default_rng(seed), 3)
        known.append(probabilities(*of_runs(runs), draws=300))
        came_true.append(non_dominated(truth))
    all_known, all_true = np.concatenate(known), np.concatenate(came_true)
    shares = [
        all_true[(all_known >= low) & (all_known < low + 0.2 + (low == 0.8))].mean()
        for low in (0.0, 0.2, 0.4, 0.6, 0.8)
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] > 0.9


def test_two_repeats_foretell_the_third_ones_front_better_than_one_run() -> None:
    """Of 91 networks that were trained three times: real noise, measured energy."""
    rows = list(csv.DictReader(ECNAS.read_text(encoding="utf-8").splitlines()))
    figures = [
        [1 - float(row["val_acc_e4"]), float(row["energy_e4_kwh"]), float(row["n_params"])]
        for row in sorted(rows, key=lambda row: (row["arch"], row["repeat"]))
    ]
    runs = np.array(figures).reshape(-1, 3, 3)
    ours, single = [], []
    for held_out in range(3):
        rest = np.delete(runs, held_out, axis=1)
        third = non_dominated(runs[:, held_out])
        ours.append(brier(probabilities(*of_runs(rest)), third))
        single += [brier(non_dominated(rest[:, one]), third) for one in range(2)]
    assert np.mean(ours) < 0.7 * np.mean(single)
