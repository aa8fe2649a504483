"""Mean opinion scores, ratios to a reference, energy-weighted scores: by hand, by bootstrap."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.intervals import mean_interval, student_t

RATINGS = st.lists(st.integers(1, 5).map(float), min_size=2, max_size=40)


def rated(mean: float, spread: float, n: int, seed: int) -> list[float]:
    """Ratings of half points on the scale from 1 to 5."""
    drawn = np.random.default_rng(seed).normal(mean, spread, n)
    return [float(rating) for rating in np.clip(np.round(drawn * 2) / 2, 1, 5)]


def test_a_mean_opinion_score_is_the_mean_of_the_ratings() -> None:
    """Equation 7, and Student's interval of that mean."""
    mos = go.mean_opinion_score([3, 4, 5, 4])
    half = student_t(3, 0.95) * math.sqrt(2 / 3) / 2
    assert mos.mean == 4.0
    assert (mos.low, mos.high) == pytest.approx((4 - half, 4 + half), rel=1e-12)
    assert (mos.n, mos.confidence) == (4, 0.95)


def test_ratings_come_as_lists_arrays_and_tensors() -> None:
    """Whatever holds one rating after the other."""
    assert go.mean_opinion_score(np.array([1, 2, 3])).mean == 2.0  # type: ignore[arg-type]
    assert go.mean_opinion_score(torch.tensor([1.0, 2.0])).mean == 1.5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ratings", "said"),
    [
        ([3.0], "There are 1 ratings"),
        ([], "There are 0 ratings"),
        ([3.0, 5.5], "5.5 at 1, off the scale from 1 to 5"),
        ([0.0, 4.0], "0 at 0, off the scale"),
        ([3.0, math.nan], "nan at 1"),
        ([3.0, "4"], "'4' at 1"),
        ([True, 4.0], "True at 0"),
        ("3344", "give a sequence"),
        (4.0, "give a sequence"),
        (np.array(4.0), "give a sequence"),
        (np.ones((2, 2)), "at 0"),
    ],
)
def test_ratings_that_are_none_are_refused(ratings: Any, said: str) -> None:  # noqa: ANN401
    """What is no rating is named, with where it stands and what to do."""
    with pytest.raises(go.QualityError, match=said.replace("(", r"\(")):
        go.mean_opinion_score(ratings)


@pytest.mark.parametrize("scale", [(5, 1), (1, 1), (1,), "15", (1, math.inf), (None, 5)])
def test_a_scale_that_is_none_is_refused(scale: Any) -> None:  # noqa: ANN401
    """A scale has a lowest and a highest rating."""
    with pytest.raises(go.OptionError, match="scale is"):
        go.mean_opinion_score([3.0, 4.0], scale=scale)
    with pytest.raises(go.OptionError, match="scale is"):
        go.relative_score(3.0, 4.0, scale=scale)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_a_confidence_is_between_0_and_1(confidence: float) -> None:
    """A share and no percentage."""
    with pytest.raises(go.OptionError, match="confidence is"):
        go.mean_opinion_score([3.0, 4.0], confidence=confidence)
    with pytest.raises(go.OptionError, match="confidence is"):
        go.relative_score(3.0, 4.0, confidence=confidence)


def test_percent_mos_is_the_ratio_of_the_means() -> None:
    """Equation 8, and its loss."""
    score = go.relative_score([2, 3, 4], [4, 5, 3], scale=(1, 5))
    assert (score.score, score.reference, score.ratio) == (3.0, 4.0, 0.75)
    assert float(score) == 0.75
    assert score.loss == 0.25


def test_what_is_above_the_reference_counts_as_the_reference() -> None:
    """The reference is the ceiling of a quality; the ratio itself is kept."""
    score = go.relative_score(4.4, 4.0)
    assert score.ratio == pytest.approx(1.1)
    assert (float(score), score.loss) == (1.0, 0.0)


def test_a_bare_number_has_no_interval() -> None:
    """Nobody said how sure it is."""
    mos = go.mean_opinion_score([3, 4, 5])
    assert go.relative_score(2.8, 3.86).interval is None
    assert go.relative_score(mos, 4.5).interval is None
    assert go.relative_score(3.0, mos).interval is None
    assert go.relative_score(np.float64(3.0), torch.tensor(4.0)).interval is None  # type: ignore[arg-type]


def test_a_published_mean_with_its_interval_serves_as_the_ratings_do() -> None:
    """The interval of a mean holds all that Fieller's needs."""
    ours, theirs = rated(3.2, 0.8, 30, seed=1), rated(4.4, 0.5, 25, seed=2)
    from_values = go.relative_score(ours, theirs).interval
    from_means = go.relative_score(
        go.mean_opinion_score(ours), go.mean_opinion_score(theirs, confidence=0.9)
    ).interval
    assert from_values is not None
    assert from_means is not None
    assert (from_means.low, from_means.high) == pytest.approx((from_values.low, from_values.high))


@pytest.mark.parametrize("paired", [False, True])
def test_the_interval_is_that_of_a_bootstrap(*, paired: bool) -> None:
    """Resampling the ratings 20,000 times gives the same ends, to a tenth of the width."""
    listeners = np.random.default_rng(5).normal(0, 0.6, 80)
    noise = np.random.default_rng(6).normal(0, 0.4, (2, 80))
    ours, theirs = 2.6 + listeners + noise[0], 4.0 + listeners + noise[1]
    interval = go.relative_score(ours.tolist(), theirs.tolist(), paired=paired).interval
    assert interval is not None
    random = np.random.default_rng(7)
    rows = random.integers(0, 80, (20_000, 80))
    other_rows = rows if paired else random.integers(0, 80, (20_000, 80))
    ratios = ours[rows].mean(axis=1) / theirs[other_rows].mean(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_the_interval_holds_the_true_ratio_as_often_as_it_says() -> None:
    """Of 4,000 listening tests with 12 and 9 ratings, 95 % hold it, give or take 1 %."""
    random = np.random.default_rng(11)
    held = 0
    for _ in range(4000):
        ours, theirs = random.normal(2.8, 0.9, 12), random.normal(4.0, 0.5, 9)
        interval = go.relative_score(ours.tolist(), theirs.tolist()).interval
        assert interval is not None
        held += interval.low <= 0.7 <= interval.high
    assert held / 4000 == pytest.approx(0.95, abs=0.01)


def test_what_listeners_share_cancels_out_where_values_are_paired() -> None:
    """Some listeners rate all sounds high: paired, that does not widen the interval."""
    listeners = rated(3.0, 0.8, 30, seed=3)
    theirs = [value + 0.5 + 0.01 * at for at, value in enumerate(listeners)]
    wide = go.relative_score(listeners, theirs).interval
    narrow = go.relative_score(listeners, theirs, paired=True).interval
    assert wide is not None
    assert narrow is not None
    assert narrow.high - narrow.low < 0.5 * (wide.high - wide.low)


@given(RATINGS, RATINGS, st.floats(0.01, 100))
@example([1.0, 1.0], [*[1.0] * 8, *[2.0] * 4], 0.01)
def test_a_ratio_has_no_unit(ours: list[float], theirs: list[float], factor: float) -> None:
    """Another scale for both changes neither the ratio nor its interval."""
    here = go.relative_score(ours, theirs)
    there = go.relative_score([v * factor for v in ours], [v * factor for v in theirs])
    assert there.ratio == pytest.approx(here.ratio)
    assert (here.interval is None) == (there.interval is None) or _at_the_brink(theirs)
    if here.interval and there.interval and here.interval.high < 100:
        assert there.interval.low == pytest.approx(here.interval.low, rel=1e-5, abs=1e-6)
        assert there.interval.high == pytest.approx(here.interval.high, rel=1e-5, abs=1e-6)


def _at_the_brink(theirs: list[float]) -> bool:
    interval = mean_interval(theirs)
    return interval is not None and abs(interval.low) < 1e-3


@given(RATINGS, RATINGS)
def test_an_interval_holds_its_ratio(ours: list[float], theirs: list[float]) -> None:
    """However the ratings lie, the ratio is between the ends."""
    score = go.relative_score(ours, theirs)
    if score.interval is not None:
        assert score.interval.low <= score.ratio <= score.interval.high
        assert score.interval.mean == score.ratio


def test_a_reference_that_might_be_0_sets_no_ends() -> None:
    """Two ratings that differ by all of the scale say next to nothing."""
    score = go.relative_score([3, 4], [1, 5])
    assert score.ratio == pytest.approx(3.5 / 3)
    assert score.interval is None


@pytest.mark.parametrize("reference", [0.0, -1.0, [0.0, 0.0], [-2, 1]])
def test_a_reference_of_0_or_less_is_refused(reference: Any) -> None:  # noqa: ANN401
    """Nothing is a share of it."""
    with pytest.raises(go.QualityError, match="must be above 0"):
        go.relative_score(1.0, reference)


@pytest.mark.parametrize(
    ("score", "reference", "said"),
    [
        (-0.5, 4.0, "off the scale"),
        (math.nan, 4.0, "The score is nan"),
        (3.0, math.inf, "The reference is inf"),
        ("3.5", 4.0, "give a sequence"),
        (None, 4.0, "The score is None"),
        ([3.0], 4.0, "There are 1 score values"),
        (3.0, [4.0], "There are 1 reference values"),
        (3.0, np.array([4.0]), "There are 1 reference values"),
        ([3.0, 6.0], [4.0, 5.0], "6 at 1, off the scale"),
        (7.0, 4.0, "The score is 7, off the scale"),
        (4.0, 0.5, "The reference is 0.5, off the scale"),
        (go.Interval(mean=6, low=5, high=7, confidence=0.9, n=3), 4.0, "is 6, off the scale"),
    ],
)
def test_scores_that_cannot_be_used_are_refused(
    score: Any,  # noqa: ANN401
    reference: Any,  # noqa: ANN401
    said: str,
) -> None:
    """Each error names what was given."""
    with pytest.raises(go.QualityError, match=said):
        go.relative_score(score, reference, scale=(1, 5))


def test_a_score_below_0_is_no_share_of_anything() -> None:
    """Where no scale says so already."""
    with pytest.raises(go.QualityError, match="says nothing of a score below 0"):
        go.relative_score(-0.5, 4.0)


def test_paired_values_are_as_many() -> None:
    """Unequal numbers cannot go together, and means alone do not say what does."""
    with pytest.raises(go.QualityError, match="3 score values and 2 reference values"):
        go.relative_score([3, 4, 5], [4, 5], paired=True)
    mos = go.mean_opinion_score([3, 4, 5])
    with pytest.raises(go.OptionError, match="wants the values themselves"):
        go.relative_score(mos, [3, 4, 5], paired=True)


def test_an_energy_weighted_score_is_of_the_published_form() -> None:
    """EW-PSDS: the score times the baseline's energy by the model's own."""
    weighted = go.energy_weighted_score(0.4, energy_kwh=0.5, baseline_energy_kwh=1.39)
    assert weighted == pytest.approx(0.4 * 1.39 / 0.5)
    assert go.energy_weighted_score(0.4, energy_kwh=1.39, baseline_energy_kwh=1.39) == 0.4


@pytest.mark.parametrize("energy", [0.0, -1.0, math.nan, math.inf, "1", None, True])
def test_an_energy_weighted_score_wants_energies(energy: Any) -> None:  # noqa: ANN401
    """Zero is no energy of any work."""
    with pytest.raises(go.OptionError, match=r"^energy_kwh is"):
        go.energy_weighted_score(0.4, energy_kwh=energy, baseline_energy_kwh=1.0)
    with pytest.raises(go.OptionError, match=r"^baseline_energy_kwh is"):
        go.energy_weighted_score(0.4, energy_kwh=1.0, baseline_energy_kwh=energy)


def test_energies_that_are_worlds_apart_are_refused() -> None:
    """A score that is no number any more comes of a slip in a unit."""
    with pytest.raises(go.OptionError, match="look at their units"):
        go.energy_weighted_score(0.5, energy_kwh=1e-300, baseline_energy_kwh=1e300)


@pytest.mark.parametrize("score", [-0.1, math.nan, math.inf, "1", None])
def test_an_energy_weighted_score_wants_a_score(score: Any) -> None:  # noqa: ANN401
    """Below 0, less energy would make it worse."""
    with pytest.raises(go.QualityError, match="score is"):
        go.energy_weighted_score(score, energy_kwh=1.0, baseline_energy_kwh=1.0)
