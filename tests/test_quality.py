"""A quality becomes a loss between 0 (best) and 1 (worst), or an error that says why not."""

import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import optuna
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from green_optuna.errors import OptionError, QualityError
from green_optuna.quality import QualityBounds

UNIT = st.floats(min_value=0.0, max_value=1.0)
BOUND = st.floats(min_value=-1e6, max_value=1e6)

NO_NUMBERS = [
    "0.5",
    b"0.5",
    None,
    True,
    0.5 + 0j,
    [0.5],
    {"accuracy": 0.5},
    np.bool_(True),
    np.complex128(0.5),
    np.str_("0.5"),
    np.array(0.5 + 0j),
    np.array([0.5, 0.6]),
    np.array([]),
    torch.tensor(True),
    torch.tensor(0.5 + 0j),
    torch.tensor([0.5, 0.6]),
    torch.zeros((), device="meta"),
]
NOT_A_NUMBER = pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)


@given(UNIT)
def test_by_default_the_loss_is_one_minus_the_quality(quality: float) -> None:
    """Between 0 and 1, the loss is 1 - q to the last bit, as in the paper's 1 - accuracy."""
    assert QualityBounds().loss(quality) == 1.0 - quality


@given(worst=BOUND, best=BOUND)
def test_the_bounds_have_losses_one_and_zero(worst: float, best: float) -> None:
    """The worst quality loses everything, the best nothing, whichever is the larger."""
    assume(abs(worst - best) > 1e-3)
    bounds = QualityBounds(worst, best)
    assert bounds.loss(worst) == 1.0
    assert bounds.loss(best) == 0.0
    assert bounds.quality(1.0) == worst
    assert bounds.quality(0.0) == best


@given(worst=BOUND, best=BOUND, share=UNIT)
def test_loss_and_quality_are_inverse(worst: float, best: float, share: float) -> None:
    """A quality is found again from its loss, and a loss from its quality."""
    assume(abs(worst - best) > 1e-3)
    bounds = QualityBounds(worst, best)
    scale = max(abs(worst), abs(best))
    quality = bounds.quality(share)
    assert bounds.loss(quality) == pytest.approx(
        share, abs=1e-15 * scale / abs(best - worst) + 1e-12
    )
    assert bounds.quality(bounds.loss(quality)) == pytest.approx(quality, abs=1e-12 * scale)


@given(worst=BOUND, best=BOUND, shares=st.tuples(UNIT, UNIT))
def test_the_better_quality_has_the_lower_loss(
    worst: float, best: float, shares: tuple[float, float]
) -> None:
    """Losses order qualities as the bounds say."""
    assume(abs(worst - best) > 1e-3)
    bounds = QualityBounds(worst, best)
    low, high = sorted(bounds.quality(share) for share in shares)
    better, poorer = (high, low) if bounds.maximise else (low, high)
    assert bounds.loss(better) <= bounds.loss(poorer)


def test_worst_above_best_means_that_lower_is_better() -> None:
    """An error rate of 0.5 between 2 (worst) and 0 (best) loses a quarter."""
    bounds = QualityBounds(worst=2.0, best=0.0)
    assert not bounds.maximise
    assert bounds.loss(0.5) == 0.25
    assert QualityBounds().maximise


@pytest.mark.parametrize(
    "quality",
    [
        0.75,
        Fraction(3, 4),
        Decimal("0.75"),
        np.float32(0.75),
        np.float64(0.75),
        np.array(0.75),
        np.array([[0.75]]),
        torch.tensor(0.75),
        torch.tensor([0.75]),
        torch.tensor(0.75, dtype=torch.float16),
        torch.tensor(0.75, requires_grad=True),
    ],
    ids=repr,
)
def test_every_kind_of_number_is_a_quality(quality: object) -> None:
    """Scalars of Python, numpy and torch count, and arrays of one element, without a warning."""
    assert QualityBounds().loss(quality) == 0.25
    assert QualityBounds().reported(quality) == 0.75


@pytest.mark.parametrize("quality", [1, np.int64(1), np.uint8(1), torch.tensor(1)], ids=repr)
def test_a_whole_number_is_a_quality(quality: object) -> None:
    """An integer counts as the number it is."""
    assert QualityBounds().loss(quality) == 0.0


@NOT_A_NUMBER
def test_what_is_no_number_is_no_quality(value: object) -> None:
    """The error names the type of what was returned."""
    with pytest.raises(QualityError, match=rf"{type(value).__name__}, which is not a number"):
        QualityBounds().loss(value)


@NOT_A_NUMBER
def test_what_is_no_number_is_no_report(value: object) -> None:
    """A report is refused with a TypeError, whose words are Optuna's."""
    with pytest.raises(TypeError) as caught:
        QualityBounds().reported(value)
    assert str(caught.value) == (
        f"The `value` argument is of type '{type(value)}' but supposed to be a float."
    )


def test_the_words_for_a_wrong_report_are_those_of_optuna() -> None:
    """Optuna itself refuses the same report in the same words."""
    with pytest.raises(TypeError) as theirs:
        optuna.create_study().ask().report(None, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError) as ours:
        QualityBounds().reported(None)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), 10**400])
def test_a_quality_is_finite_and_a_report_need_not_be(value: object) -> None:
    """What is not finite is no result, but may be reported, as NaN."""
    with pytest.raises(QualityError, match="not finite"):
        QualityBounds().loss(value)
    assert math.isnan(QualityBounds().reported(value))


@pytest.mark.parametrize("quality", [1.01, -0.01, 93.0, 1 + 1e-5, 1e308])
def test_outside_the_bounds_is_an_error(quality: float) -> None:
    """The error names the quality, the bounds and the option that declares others."""
    for loss in (QualityBounds().loss, QualityBounds().reported):
        with pytest.raises(QualityError) as caught:
            loss(quality)
        for part in (repr(quality), "worst 0.0", "best 1.0", "quality_bounds=(worst, best)"):
            assert part in str(caught.value)


@given(worst=BOUND, best=BOUND, noise=st.floats(min_value=0.0, max_value=0.9e-6))
def test_rounding_noise_is_clipped(worst: float, best: float, noise: float) -> None:
    """A millionth of the range beyond a bound is taken for the bound."""
    assume(abs(best - worst) > 1.0)
    bounds = QualityBounds(worst, best)
    assert bounds.loss(best + noise * (best - worst)) == pytest.approx(0.0, abs=1e-15)
    assert bounds.loss(best + noise * (best - worst)) >= 0.0
    assert bounds.loss(worst - noise * (best - worst)) <= 1.0


def test_bounds_are_made_of_a_pair_or_of_bounds() -> None:
    """A (worst, best) pair of any sequence will do, and bounds stay what they are."""
    bounds = QualityBounds(worst=2.0, best=0.5)
    assert QualityBounds.of(bounds) is bounds
    assert QualityBounds.of((2, 0.5)) == bounds
    assert QualityBounds.of([np.float64(2), np.array(0.5)]) == bounds
    assert type(QualityBounds.of((2, 0)).worst) is float


@pytest.mark.parametrize(
    "value",
    [None, 1.0, "01", b"01", (), (1.0,), (0.0, 1.0, 2.0), {0.0, 1.0}, {"worst": 0, "best": 1}],
)
def test_what_is_no_pair_is_refused(value: object) -> None:
    """The error shows the value and what a pair looks like."""
    with pytest.raises(OptionError, match=r"quality_bounds=\(worst, best\)") as caught:
        QualityBounds.of(value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ((0.5, 0.5), "both 0.5"),
        ((0.0, -0.0), "both -0.0"),
        ((math.nan, 1.0), "worst is nan"),
        ((0.0, math.inf), "best is inf"),
        ((-1e308, 1e308), "too far apart"),
        (("0", 1.0), "worst is '0'"),
        ((False, True), "worst is False"),
    ],
)
def test_bounds_that_cannot_scale_are_refused(pair: tuple[float, float], problem: str) -> None:
    """Equal bounds, and bounds that are not finite numbers, are named in the error."""
    with pytest.raises(OptionError, match=problem):
        QualityBounds.of(pair)
    with pytest.raises(OptionError, match=problem):
        QualityBounds(*pair)


def test_bounds_travel_to_another_process() -> None:
    """Pickled bounds are equal, and may be a key."""
    bounds = QualityBounds(1, 0)
    assert pickle.loads(pickle.dumps(bounds)) == bounds
    assert {bounds: 1}[QualityBounds(1.0, 0.0)] == 1
