"""The confidence interval of a mean: against scipy, and by its laws."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.intervals import MANY_DEGREES, mean_interval, student_t

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


@given(st.integers(1, 300), st.floats(0.5, 0.9999))
def test_the_quantile_is_that_of_scipy(degrees: int, confidence: float) -> None:
    """Two finite sums give what scipy finds by another way, for odd and even degrees."""
    stats = pytest.importorskip("scipy.stats")
    expected = stats.t.ppf((1 + confidence) / 2, degrees)
    assert student_t(degrees, confidence) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("degrees", "t"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042)]
)
def test_the_quantile_is_that_of_the_tables(degrees: int, t: float) -> None:
    """As printed for 95 %, two-sided (NIST/SEMATECH e-Handbook, doi:10.18434/M32189, 1.3.6.7.2)."""
    assert student_t(degrees, 0.95) == pytest.approx(t, abs=5e-4)


def test_one_degree_of_freedom_has_a_closed_form() -> None:
    """Student's distribution is Cauchy's then, whose quantile is a tangent."""
    for confidence in (0.1, 0.5, 0.95, 0.999):
        expected = math.tan(math.pi * confidence / 2)
        assert student_t(1, confidence) == pytest.approx(expected, rel=1e-12)


def test_an_interval_by_hand() -> None:
    """Of 1, 2 and 3: mean 2, standard deviation 1, and t in closed form for two degrees."""
    interval = mean_interval([1.0, 2.0, 3.0])
    assert interval is not None
    half = 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)
    assert (interval.mean, interval.n, interval.confidence) == (2.0, 3, 0.95)
    assert interval.low == pytest.approx(2 - half, rel=1e-12)
    assert interval.high == pytest.approx(2 + half, rel=1e-12)
    assert interval.to_dict() == {
        "mean": 2.0,
        "low": interval.low,
        "high": interval.high,
        "confidence": 0.95,
        "n": 3,
    }


@given(VALUES, st.randoms())
def test_the_order_of_the_values_does_not_matter(values: list[float], random: object) -> None:
    """An interval is of a set of values."""
    shuffled = [*values]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    assert mean_interval(shuffled) == mean_interval(values)


@given(VALUES)
def test_more_confidence_takes_a_wider_interval(values: list[float]) -> None:
    """And each holds the mean."""
    narrow, wide = (mean_interval(values, confidence=share) for share in (0.8, 0.99))
    assert narrow is not None
    assert wide is not None
    assert wide.low <= narrow.low <= narrow.mean <= narrow.high <= wide.high


@given(st.floats(-1e6, 1e6), st.integers(2, 40))
def test_equal_values_have_themselves_as_the_interval(value: float, n: int) -> None:
    """No rounding makes a width of nothing."""
    interval = mean_interval([value] * n)
    assert interval is not None
    assert (interval.low, interval.mean, interval.high) == (value, value, value)


@pytest.mark.parametrize("values", [[], [3.0]])
def test_no_interval_is_made_up_of_one_value(values: list[float]) -> None:
    """It says nothing of how far the next one would be."""
    assert mean_interval(values) is None


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, 95.0, math.nan])
def test_a_confidence_that_is_no_share_is_refused(confidence: float) -> None:
    """The error shows it."""
    with pytest.raises(go.OptionError, match=f"confidence is {confidence}"):
        mean_interval([1.0, 2.0], confidence=confidence)


def interval(**changed: object) -> go.Interval:
    """Give an interval, but for what is changed."""
    given: dict[str, Any] = {"mean": 0.5, "low": 0.4, "high": 0.6, "confidence": 0.95, "n": 5}
    return go.Interval(**given | changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"mean": 0.7}, r"low=0\.4, mean=0\.7, high=0\.6"),
        ({"low": 0.6, "high": 0.4}, "in this order"),
        ({"mean": math.nan}, "in this order"),
        ({"high": "0.6"}, "give numbers"),
        ({"low": -math.inf}, "give finite numbers"),
        ({"high": math.inf}, "give finite numbers"),
        ({"confidence": 95}, "confidence is 95"),
        ({"confidence": "0.95"}, "confidence is '0.95'"),
        ({"n": 0}, "n=0"),
        ({"n": 2.5}, r"n=2\.5"),
    ],
)
def test_an_interval_that_is_none_is_refused(changed: dict[str, object], said: str) -> None:
    """Before it stands beside a loss."""
    with pytest.raises(go.OptionError, match=said):
        interval(**changed)


def test_an_interval_keeps_plain_numbers() -> None:
    """Of numpy and torch, as JSON takes them."""
    plain = interval(mean=np.float32(0.5), low=torch.tensor(0.25), n=np.int64(7)).to_dict()
    assert json.loads(json.dumps(plain)) == {
        "mean": 0.5,
        "low": 0.25,
        "high": 0.6,
        "confidence": 0.95,
        "n": 7,
    }


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.9999])
def test_the_quantile_of_many_degrees_goes_on_where_the_sum_ends(confidence: float) -> None:
    """The expansion gives what the sum gives, where both can be had."""
    summed = student_t(MANY_DEGREES, confidence)
    expanded = student_t(MANY_DEGREES + 1, confidence)
    assert expanded == pytest.approx(summed, rel=1e-7)
    assert expanded < summed
