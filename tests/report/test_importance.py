"""Which hyperparameters decided each objective: what is told, and when nothing is."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept import GRID, kept, study_of
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial

import green_optuna as go
from green_optuna.record import REPEAT_OF
from green_optuna.report.importance import MIN_TRIALS, Importance, Share, importances

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

UNIT = FloatDistribution(0.0, 1.0)


def trial_with(
    values: Sequence[float],
    params: Mapping[str, Any],
    ranges: Mapping[str, BaseDistribution] | None = None,
) -> FrozenTrial:
    """A completed trial with such hyperparameters, each from 0 to 1 unless a range is given."""
    distributions = {name: (ranges or {}).get(name, UNIT) for name in params}
    return create_trial(values=list(values), params=dict(params), distributions=distributions)


def told_of(
    trials: Sequence[FrozenTrial], objectives: Sequence[str] | None = None
) -> tuple[Importance, ...]:
    """What is told of a study of these trials."""
    return importances(go.pareto_front(study_of(trials), objectives).subject())


def made_trials(
    n: int, loss: Callable[[float], float] = lambda depth: abs(depth - 0.3)
) -> list[FrozenTrial]:
    """Trials in which the depth alone sets the quality, and the width alone the cost."""
    rng = np.random.default_rng(1)
    rows = rng.random((n, 3)).tolist()
    return [
        trial_with(
            (loss(depth), 1e-6 * (0.1 + width), 10 + round(100 * width)),
            {"depth": depth, "width": width, "seed": seed},
        )
        for depth, width, seed in rows
    ]


def test_what_alone_sets_an_objective_comes_first_in_it() -> None:
    """The depth sets the quality and the width the cost, and each has nearly all of it."""
    quality, co2e, params = told_of(made_trials(200))
    assert [one.objective for one in (quality, co2e, params)] == [
        "quality_loss",
        "co2e_kg",
        "n_params",
    ]
    assert quality.shares[0].name == "depth"
    assert co2e.shares[0].name == params.shares[0].name == "width"
    for one in (quality, co2e, params):
        assert one.reason is None
        assert one.shares[0].share > 0.8
        assert sum(share.share for share in one.shares) == pytest.approx(1.0)
        assert {share.n_trials for share in one.shares} == {one.n_trials} == {200}
    assert quality.n_best == 20
    assert quality.note == "The best 20 of 200 trials against all."


def test_the_shares_are_what_optuna_says_of_the_study_itself() -> None:
    """No trial is lost or changed on the way to Optuna's evaluator."""
    study = study_of(made_trials(80))
    told = importances(go.pareto_front(study).subject())
    for column, one in enumerate(told):

        def value(trial: FrozenTrial, column: int = column) -> float:
            return float(trial.values[column])

        with pytest.warns(UserWarning, match="low `target` values"):
            theirs = optuna.importance.get_param_importances(study, target=value)
        assert {share.name: share.share for share in one.shares} == pytest.approx(theirs)
        assert [share.name for share in one.shares] == list(theirs)


def test_a_front_over_some_objectives_tells_the_same_of_each() -> None:
    """An objective's column is found by its name, wherever it stands in the trials."""
    trials = made_trials(60)
    quality, co2e, params = told_of(trials)
    assert told_of(trials, ("n_params", "quality_loss")) == (params, quality)
    assert told_of(trials, ("co2e_kg",)) == (co2e,)


def test_repriced_values_are_those_that_count() -> None:
    """Trials of two grids are compared by what they would have cost on one of them."""
    dirty = go.Grid(carbon_intensity_g_per_kwh=900.0, source="test")
    rng = np.random.default_rng(2)
    trials = []
    for place, (width, seed) in enumerate(rng.random((60, 2)).tolist()):
        one = kept(0.5, 1e-3 * (0.1 + width), grid=(GRID, dirty)[place % 2])
        one.params = {"width": width, "seed": seed}
        one.distributions = {"width": UNIT, "seed": UNIT}
        trials.append(one)
    study = study_of(trials, objectives=("quality_loss", "co2e_kg", "n_params"))
    repriced = importances(go.pareto_front(study, grid=GRID).subject())[1]
    as_kept = importances(go.pareto_front(study).subject())[1]
    assert repriced.shares[0].share > as_kept.shares[0].share
    alike = [kept(0.5, sum(t.user_attrs["green_optuna"]["energy_kwh"].values())) for t in trials]
    for one, same in zip(trials, alike, strict=True):
        same.params, same.distributions = one.params, one.distributions
    assert repriced.shares == importances(go.pareto_front(study_of(alike)).subject())[1].shares


def test_repeats_and_checkpoints_count_once() -> None:
    """What ran several times, or was saved at several steps, is one choice of hyperparameters."""
    trials = []
    reports = [go.Report(step, 0.4, 1e-6, 1.0, checkpoint=f"{step}.pt") for step in range(3)]
    for place, width in enumerate(np.linspace(0, 1, 40).tolist()):
        one = kept(width, 1e-5 + 1e-5 * width, reports=reports if place % 2 else ())
        one.params, one.distributions = {"width": width}, {"width": UNIT}
        trials.append(one)
    again = kept(1.0, 2e-5)
    again.params, again.distributions = trials[-1].params, trials[-1].distributions
    again.set_user_attr(REPEAT_OF, 39)
    study = study_of([*trials, again])
    subject = go.pareto_front(study, checkpoints=True).subject()
    assert len(subject.candidates.trials) == 100
    assert {one.n_trials for one in importances(subject)} == {40}


@pytest.mark.parametrize(("n", "who"), [(0, "No trials"), (1, "1 trial"), (29, "29 trials")])
def test_few_trials_tell_nothing(n: int, who: str) -> None:
    """Below the number from which on the evaluator is better than a guess, it is not asked."""
    quality, co2e, _ = told_of(made_trials(n))
    assert quality.reason == (
        f"{who} completed with a finite quality loss, and which hyperparameters decide it cannot "
        "be told of fewer than 30."
    )
    assert quality.note == quality.reason
    assert not quality.shares
    assert co2e.n_trials == n


def test_few_of_the_best_tell_it_roughly() -> None:
    """Three trials among the best are fewer than the five that the evaluator wants."""
    (quality, *_), (more, *_) = told_of(made_trials(MIN_TRIALS)), told_of(made_trials(50))
    assert quality.rough
    assert quality.note == (
        "The best 3 of 30 trials against all. So few tell it roughly: the order may change with "
        "more trials."
    )
    assert not more.rough


def test_an_objective_that_is_the_same_for_all_has_no_importances() -> None:
    """Where all are equal there are no best ones, and likewise where nearly all are the worst."""
    flat, *_ = told_of(made_trials(40, loss=lambda _: 0.25))
    assert flat.reason == "All 40 trials have the same quality loss."
    assert not flat.shares
    trials = made_trials(40, loss=lambda _: 1.0)
    trials[7].values = [0.9, *trials[7].values[1:]]
    nearly, co2e, _ = told_of(trials)
    assert "have one and the same quality loss" in (nearly.reason or "")
    assert co2e.reason is None


def test_what_is_not_finite_does_not_count() -> None:
    """A trial that diverged is left out of the objective that it has no figure of."""
    trials = made_trials(40)
    trials[3].values = [float("inf"), *trials[3].values[1:]]
    quality, co2e, _ = told_of(trials)
    assert (quality.n_trials, co2e.n_trials) == (39, 40)


def test_hyperparameters_that_tell_nothing_are_named_with_the_reason() -> None:
    """One value, lists to choose from, a range of its own in each trial, one beyond floats."""
    of_lists: Any = [[1], [2]]
    with pytest.warns(UserWarning, match="persistent storage"):
        lists = CategoricalDistribution(of_lists)
    trials = [
        trial_with(
            (place / 40, 1e-6, 10),
            {
                "fixed": 0.5,
                "lists": [1 + place % 2],
                "moving": place + 0.25,
                "vast": 0.0,
                "width": place / 40,
            },
            {
                "lists": lists,
                "moving": FloatDistribution(place, place + 1),
                "vast": FloatDistribution(-1.7e308, 1.7e308),
            },
        )
        for place in range(40)
    ]
    quality, co2e, _ = told_of(trials)
    assert quality.shares == (Share(name="width", share=1.0, n_trials=40),)
    assert quality.note == (
        "The best 4 of 40 trials against all. So few tell it roughly: the order may change with "
        "more trials. Not compared: fixed (it has one value in all trials that have it); "
        "lists (its choices are lists or other objects that cannot be told apart); "
        "moving (its range is another in each trial); "
        "vast (its range is too wide or too narrow for floating-point numbers)."
    )
    assert co2e.reason == "All 40 trials have the same CO2e."
    assert co2e.not_compared == quality.not_compared


def test_nothing_to_compare_is_said() -> None:
    """No hyperparameters, or none that vary."""
    none, *_ = told_of([trial_with((place / 40, 1e-6, 1), {}) for place in range(40)])
    assert none.reason == "The trials have no hyperparameters."
    one, *_ = told_of([trial_with((place / 40, 1e-6, 1), {"fixed": 0.5}) for place in range(40)])
    assert one.reason == "There is no hyperparameter that can be compared."
    assert [left.name for left in one.not_compared] == ["fixed"]


def test_a_conditional_hyperparameter_is_compared_and_its_trials_are_counted() -> None:
    """Those of one branch alone, one trial in a range of its own, and what one trial has alone."""
    rng = np.random.default_rng(3)
    trials = [
        trial_with(
            (abs(width - 0.2), 1e-6, 1),
            {"width": width, **({"depth": depth} if place % 2 else {})},
            {"depth": FloatDistribution(0, 2 if place == 1 else 1)},
        )
        for place, (width, depth) in enumerate(rng.random((80, 2)).tolist())
    ]
    trials.append(trial_with((0.5, 1e-6, 1), {"alone": 0.1, "width": 0.7}))
    quality, *_ = told_of(trials)
    counts = {one.name: one.n_trials for one in quality.shares}
    assert counts == {"width": 81, "depth": 40}
    assert quality.shares[0].name == "width"
    assert "Not in all trials: depth (40)." in quality.note
    assert [one.name for one in quality.not_compared] == ["alone"]


def test_optuna_logs_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """No study is made for it, so that Optuna tells nobody that one was created."""
    subject = go.pareto_front(study_of(made_trials(40))).subject()
    logger = logging.getLogger("optuna")
    logger.addHandler(caplog.handler)
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        caplog.clear()
        importances(subject)
        assert not caplog.records
        optuna.create_study()
        assert caplog.records, "what it would have told is seen here"
    finally:
        logger.removeHandler(caplog.handler)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[BaseDistribution, list[Any]]:
    """A range of any kind, and some values in it."""
    kind = draw(st.sampled_from(["float", "log", "int", "intlog", "step", "choice"]))
    distribution: BaseDistribution
    if kind == "choice":
        choices = draw(st.lists(st.sampled_from([None, True, 1, 0.5, "a", "b"]), min_size=1))
        return CategoricalDistribution(choices), choices
    if kind in ("float", "log"):
        low, high = sorted(draw(st.tuples(FLOATS, FLOATS)))
        if kind == "log":
            low, high = sorted((abs(low) or 1.0, abs(high) or 1.0))
        distribution = FloatDistribution(low, high, log=kind == "log")
        return distribution, [low, high]
    if kind == "step":
        step = draw(st.sampled_from([1e-300, 0.25, 1.0, 3.0]))
        high = draw(st.integers(0, 9)) * step
        return FloatDistribution(0.0, high, step=step), [0.0, high]
    # Optuna keeps them as floats, so that not all large ones are in their own range.
    powers = st.integers(0, 70).map(lambda power: 2**power)
    signs = st.just(1) if kind == "intlog" else st.sampled_from([-1, 0, 1])
    whole = st.tuples(powers, signs).map(math.prod)
    first, last = sorted(draw(st.tuples(whole, whole)))
    return IntDistribution(first, last, log=kind == "intlog"), [first, last]


@settings(deadline=None)
@given(st.lists(ranges(), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_whatever_the_ranges_are_shares_sum_to_one_or_there_is_a_reason(
    given_ranges: list[tuple[BaseDistribution, list[Any]]], random: Random
) -> None:
    """No range that Optuna takes makes it raise or warn."""
    distributions = {f"p{place}": one for place, (one, _) in enumerate(given_ranges)}
    trials = [
        trial_with(
            (random.random(), random.random(), 1),
            {f"p{place}": random.choice(values) for place, (_, values) in enumerate(given_ranges)},
            distributions,
        )
        for _ in range(MIN_TRIALS)
    ]
    for one in told_of(trials):
        named = {share.name for share in one.shares} | {left.name for left in one.not_compared}
        assert named == set(distributions) or one.reason
        assert all(share.share >= 0 for share in one.shares)
        assert one.reason or sum(share.share for share in one.shares) == pytest.approx(1.0)
