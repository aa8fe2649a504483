"""Rules on axes scaled to the front: weighted sum, utopia distance, and the scales themselves."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from green_optuna.errors import OptionError
from green_optuna.pareto import non_dominated
from green_optuna.rules import Contribution, Knee, Rule, Scale, Utopia, WeightedSum
from rules.brute import NAMES, Row, first, fronts, on_axes

scales: st.SearchStrategy[Scale] = st.sampled_from(["linear", "rank"])
weightings = st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any)


@given(fronts(), weightings, scales)
def test_the_weighted_sum_is_least(rows: list[Row], weights: list[int], scale: Scale) -> None:
    """The choice is that of the definition in exact arithmetic."""
    axes = on_axes(rows, scale)
    rule = WeightedSum(weights=dict(zip(NAMES, weights, strict=True)), scale=scale)
    expected = first(
        rows,
        range(len(rows)),
        lambda i: sum((w * z for w, z in zip(weights, axes[i], strict=True)), Fraction(0)),
    )
    assert rule.choose(rows, NAMES) == expected


@given(fronts(), weightings, scales, st.sampled_from([1, 2, math.inf]))
def test_the_distance_to_the_utopia_point_is_least(
    rows: list[Row], weights: list[int], scale: Scale, p: float
) -> None:
    """The choice is that of the definition in exact arithmetic, squares being compared."""
    axes = on_axes(rows, scale)

    def distance(i: int) -> Fraction:
        weighted = [w * z for w, z in zip(weights, axes[i], strict=True)]
        if p == math.inf:
            return max(weighted)
        return sum((one ** int(p) for one in weighted), Fraction(0))

    rule = Utopia(weights=dict(zip(NAMES, weights, strict=True)), scale=scale, p=p)
    ranking = rule.rank(rows, NAMES)
    assert ranking.chosen == first(rows, range(len(rows)), distance)
    exact = float(distance(ranking.chosen))
    assert ranking.figure[ranking.chosen] == pytest.approx(exact**0.5 if p == 2 else exact)


@given(fronts(least=1), weightings)
def test_a_logarithmic_scale_is_the_linear_one_of_logarithms(
    rows: list[Row], weights: list[int]
) -> None:
    """Taking log10 first and scaling linearly afterwards gives the same figures."""
    logarithms = [tuple(math.log10(value) for value in row) for row in rows]
    named = dict(zip(NAMES, weights, strict=True))
    for log, linear in (
        (WeightedSum(weights=named, scale="log"), WeightedSum(weights=named)),
        (Utopia(weights=named, scale="log"), Utopia(weights=named)),
    ):
        ours, theirs = log.rank(rows, NAMES), linear.rank(logarithms, NAMES)
        assert ours.figure.tolist() == pytest.approx(theirs.figure.tolist())


@given(fronts())
def test_with_p_1_the_distance_is_the_weighted_sum(rows: list[Row]) -> None:
    """Two rules that are one by definition agree in all."""
    ours, theirs = Utopia(p=1).rank(rows, NAMES), WeightedSum().rank(rows, NAMES)
    assert (ours.chosen, ours.runner_up) == (theirs.chosen, theirs.runner_up)
    assert ours.figure.tolist() == pytest.approx(theirs.figure.tolist())


@given(fronts(max_rows=12), st.lists(st.integers(1, 9), min_size=3, max_size=3))
def test_pymcdm_ranks_alike(rows: list[Row], weights: list[int]) -> None:
    """Its weighted sum, and VIKOR's S and R, which are the distances of p = 1 and infinity."""
    methods = pytest.importorskip("pymcdm.methods")
    normalizations = pytest.importorskip("pymcdm.normalizations")
    table = np.array(rows)
    table = table[non_dominated(table)]
    assume(len(table) > 1 and (np.ptp(table, axis=0) > 0).all())
    named = dict(zip(NAMES, map(float, weights), strict=True))
    shares, costs = np.array(weights) / sum(weights), np.full(3, -1)

    preference = methods.WSM(normalizations.minmax_normalization)(table, shares, costs)
    ours = WeightedSum(weights=named).rank(table, NAMES)
    # Its best is 1, ours 0.
    assert (1 - preference).tolist() == pytest.approx((ours.figure / sum(weights)).tolist())
    for p, share_of_s in ((1, 1.0), (math.inf, 0.0)):
        figure = Utopia(weights=named, p=p).rank(table, NAMES).figure
        assume(np.ptp(figure) > 1e-9)
        with np.errstate(invalid="ignore", divide="ignore"):  # its other distance may not vary
            theirs = methods.VIKOR(v=share_of_s)(table, shares, costs)
        assume(np.isfinite(theirs).all())
        scaled = (figure - figure.min()) / np.ptp(figure)
        assert theirs.tolist() == pytest.approx(scaled.tolist(), abs=1e-9)


def test_the_scale_decides_and_is_recorded() -> None:
    """Linear axes take the row of little error, logarithmic ones that of little energy."""
    rows = [(0.078, 0.132), (0.1, 0.02), (0.3, 0.015), (0.056, 1.0)]
    names = ("quality_loss", "energy_kwh")
    linear = Utopia(scale="linear").rank(rows, names)
    assert (linear.chosen, linear.scale) == (0, "linear")
    logarithmic = Utopia(scale="log").rank(rows, names)
    assert (logarithmic.chosen, logarithmic.scale) == (1, "log")
    bounds = {"quality_loss": (0.056, 0.3), "energy_kwh": (0.015, 1.0)}
    assert dict(linear.bounds) == dict(logarithmic.bounds) == bounds


SCALED: tuple[Rule, ...] = (
    WeightedSum(scale="log"),
    Utopia(scale="log"),
    Contribution(scale="log"),
)


@pytest.mark.parametrize("rule", [*SCALED, Knee(scale="log")])
def test_a_logarithmic_scale_wants_losses_above_zero(rule: Rule) -> None:
    """A perfect quality has no logarithm: the error names it and the other scales."""
    rows = [(0.0, 2.0), (0.5, 1.0), (0.25, 1.5)]
    with pytest.raises(OptionError, match=r"scale is 'log'.* least quality_loss is 0.*'rank'"):
        rule.choose(rows, NAMES[:2])


def test_an_objective_without_weight_may_be_zero_on_a_logarithmic_scale() -> None:
    """What does not count bounds nothing and is no error."""
    rows = [(0.0, 2.0), (0.5, 1.0)]
    ranking = Utopia(scale="log", weights={"quality_loss": 0}).rank(rows, NAMES[:2])
    assert (ranking.chosen, dict(ranking.bounds)) == (1, {"co2e_kg": (1.0, 2.0)})


@pytest.mark.parametrize("scale", ["linear", "log", "rank"])
def test_an_axis_on_which_all_are_the_same_tells_none_apart(scale: Scale) -> None:
    """The other axis decides, and no division by zero happens."""
    rows = [(0.5, 3.0, 7.0), (0.5, 1.0, 7.0), (0.5, 2.0, 7.0)]
    for rule in (Utopia(scale=scale), WeightedSum(scale=scale), Contribution(scale=scale)):
        assert rule.choose(rows, NAMES) == 1
        assert dict(rule.rank(rows, NAMES).bounds)["quality_loss"] == (0.5, 0.5)


@pytest.mark.parametrize("scale", ["linear", "log", "rank"])
def test_an_infinite_loss_bounds_no_axis(scale: Scale) -> None:
    """The others are chosen from as if the row that diverged were not there."""
    rows = [(0.1, 9.0), (0.2, 2.0), (0.9, 1.0)]
    diverged = [(math.inf, 0.5), *rows, (0.05, math.inf)]
    for rule in (Utopia(scale=scale), WeightedSum(scale=scale), Contribution(scale=scale)):
        with_them, alone = rule.rank(diverged, NAMES[:2]), rule.rank(rows, NAMES[:2])
        assert with_them.chosen == alone.chosen + 1
        assert with_them.bounds == alone.bounds
        assert rule.choose([diverged[0], diverged[-1]], NAMES[:2]) == 1


@given(fronts(), st.sampled_from([2.0**-30, 1024.0]), st.integers(0, 2), scales)
def test_the_unit_of_an_axis_changes_nothing(
    rows: list[Row], factor: float, column: int, scale: Scale
) -> None:
    """Kilograms or milligrams: the same row is chosen on any scale."""
    table = np.array(rows)
    table[:, column] *= factor
    for rule in (Utopia(scale=scale), WeightedSum(scale=scale), Contribution(scale=scale)):
        assert rule.choose(table, NAMES) == rule.choose(rows, NAMES)


def test_the_widest_and_the_narrowest_scales_do_not_overflow() -> None:
    """Losses near the ends of what a float holds, and weights there too, are still numbers."""
    for size in (1.7e308, 1e-300):
        rows = [(0.0, size), (0.25 * size, 0.25 * size), (size, 0.0)]
        for rule in (Utopia(), WeightedSum(), Utopia(weights={"co2e_kg": 1e307}, p=math.inf)):
            ranking = rule.rank(rows, NAMES[:2])
            assert np.isfinite(ranking.figure).all()
        assert Utopia().choose(rows, NAMES[:2]) == 1


@given(fronts())
def test_what_is_left_open_is_filled_in(rows: list[Row]) -> None:
    """A rule that fits its objectives names them all, and chooses as before."""
    for rule in (WeightedSum(weights={"co2e_kg": 2}), Utopia(weights={"co2e_kg": 2})):
        fitted = rule.fitted(NAMES)
        assert dict(fitted.weights) == {"quality_loss": 1.0, "co2e_kg": 2, "n_params": 1.0}
        assert fitted.choose(rows, NAMES) == rule.choose(rows, NAMES)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weights": {"co2e_kg": -1.0}}, r"weights\['co2e_kg'\] is -1.0"),
        ({"weights": {"co2e_kg": math.inf}}, "weights is .*finite"),
        ({"weights": {"a": 1e308, "b": 1e308}}, "weights is .*finite"),
        ({"scale": "cubic"}, "scale is 'cubic': give one of linear, log, rank"),
        ({"scale": ["log"]}, "scale is"),
        ({"p": 3}, "p is 3: give 1, 2 or inf"),
        ({"p": True}, "p is True"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(options: dict[str, float], said: str) -> None:
    """The error names the option, its value, and what there is."""
    with pytest.raises(OptionError, match=said):
        Utopia(**options)  # type: ignore[arg-type]


def test_weights_of_zero_alone_are_refused() -> None:
    """Something has to count."""
    with pytest.raises(OptionError, match="a weight above 0"):
        WeightedSum(weights={"co2e_kg": 0}).choose([(1.0,)], ["co2e_kg"])
