"""At a rung, a trial is stopped only where enough of the others are on better fronts."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna import pareto

from .histories import make_history, past, running

THREE = ("quality_loss", "co2e_kg", "n_params")

Row = tuple[float, float]
"""A trial's loss at step 1, and its cost a step."""

ROWS = st.tuples(st.integers(0, 6).map(lambda n: n / 8), st.integers(1, 6).map(float))


def reached_first_rung(rows: list[Row]) -> list[go.PastTrial]:
    """Trials that reported at the steps 0 and 1, every second one stopped there."""
    return [
        past(number, [1.0, loss], kwh_a_step=kwh, pruned=number % 2 == 1)
        for number, (loss, kwh) in enumerate(rows)
    ]


def reason(own: Row, others: list[Row], eta: int = 3) -> str | None:
    """Why a trial that has reached the first rung should stop."""
    history = make_history(reached_first_rung(others))
    progress = running([1.0, own[0]], kwh_a_step=own[1])
    return go.ParetoHalvingPruner(eta=eta).why_stop(progress, history)


def n_ranked_better(own: Row, others: list[Row]) -> int:
    """How many of the others are on better fronts: by taking off one front after the other."""
    left, n_better = [own, *others], 0
    while True:
        front = [row for row in left if not any(pareto.dominates(one, row) for one in left)]
        if own in front:
            return n_better
        n_better += len(front)
        left = [row for row in left if row not in front]


@given(own=ROWS, others=st.lists(ROWS, max_size=12), eta=st.integers(2, 4))
def test_a_trial_is_stopped_as_plain_loops_say(own: Row, others: list[Row], eta: int) -> None:
    """By the share of those on better fronts, once as many have come as one goes on of."""
    n_better, n = n_ranked_better(own, others), len(others) + 1
    stopped = n >= eta and n_better / n >= 1 / eta
    said = f"{n_better} of {n} trials rank better at step 1" if stopped else None
    assert reason(own, others, eta) == said


@given(own=ROWS, others=st.lists(ROWS, max_size=12), data=st.data())
def test_the_order_of_the_others_does_not_matter(
    own: Row, others: list[Row], data: st.DataObject
) -> None:
    """The decision is one on the set of trials."""
    assert reason(own, data.draw(st.permutations(others))) == reason(own, others)


@given(own=ROWS, others=st.lists(ROWS, max_size=12))
def test_what_no_other_dominates_goes_on(own: Row, others: list[Row]) -> None:
    """A member of the first front is never stopped in favour of another one."""
    if not any(pareto.dominates(row, own) for row in others):
        assert reason(own, others, eta=2) is None


def test_the_best_of_many_is_never_stopped() -> None:
    """Of 31 trials in any order, 300 times: indices of a sorted list are no ranks."""
    rng = random.Random(7)
    for _ in range(300):
        others = [(0.2 + rng.random() / 2, 2.0 + rng.random()) for _ in range(30)]
        assert reason((0.1, 1.0), others) is None


def test_one_of_eta_goes_on_where_trials_have_one_order() -> None:
    """Of nine that differ in their loss alone, the best three."""
    losses = [number / 10 for number in range(9)]
    random.Random(3).shuffle(losses)
    went_on = [
        loss
        for loss in losses
        if reason((loss, 1.0), [(other, 1.0) for other in losses if other != loss]) is None
    ]
    assert sorted(went_on) == [0.0, 0.1, 0.2]


def test_trials_of_one_front_stop_together() -> None:
    """However many they are: nine equals go on beside one that they do not dominate."""
    equals = [(0.5, 3.0)] * 9
    assert reason((0.5, 3.0), equals) is None
    assert reason((0.6, 3.0), equals) == "9 of 10 trials rank better at step 1"


def test_the_first_trials_go_on() -> None:
    """With one other there is no third to take, whatever the two came to."""
    assert reason((0.9, 9.0), [(0.1, 1.0)]) is None
    assert reason((0.9, 9.0), [(0.1, 1.0)] * 2) is not None


@pytest.mark.parametrize(
    ("reported", "asked", "rung"),
    [
        ([0, 1], None, None),  # before the first rung
        ([0, 1, 2], 1, 2),
        ([0, 1, 2, 3], 2, None),  # asked there already
        ([0, 1, 2, 3, 4, 5], 3, None),
        ([0, 1, 2, 3, 4, 5, 6], 5, 6),
        ([0, 1, 2, 3, 4, 5, 6, 7], 5, 6),  # not asked at the rung itself
        (list(range(21)), None, 18),  # the highest of three
        (list(range(21)), 18, None),
    ],
)
def test_each_rung_is_decided_once(
    reported: list[int], asked: int | None, rung: int | None
) -> None:
    """When the trial is first asked at the rung or beyond it."""
    history = make_history([past(number, [0.1] * 30) for number in range(9)])
    progress = running([0.9] * len(reported), asked_step=asked, kwh_a_step=2.0)
    said = go.ParetoHalvingPruner(min_step=2).why_stop(progress, history)
    assert said == (None if rung is None else f"9 of 10 trials rank better at step {rung}")


def test_trials_are_compared_at_the_rung_not_beyond() -> None:
    """What the others came to later is no yardstick, and a later report of its own neither."""
    late = [past(number, [0.9, 0.5, 0.0, 0.0]) for number in range(9)]
    history = make_history(late)
    ahead = running([0.9, 0.4, 1.0], kwh_a_step=1.0)
    assert go.ParetoHalvingPruner().why_stop(ahead, history) is None
    behind = running([0.9, 0.6, 0.0], kwh_a_step=1.0)
    assert go.ParetoHalvingPruner().why_stop(behind, history) is not None


def test_trials_that_ended_before_a_rung_are_not_compared_there() -> None:
    """A short training that came out well says nothing of a long one at a later step."""
    short = [past(number, [0.1, 0.1]) for number in range(9)]
    progress = running([0.9] * 4, asked_step=1)
    assert go.ParetoHalvingPruner().why_stop(progress, make_history(short)) is None


def test_reports_at_other_steps_are_compared_by_the_latest_up_to_the_rung() -> None:
    """With the costs of that report."""
    others = [past(number, [0.5, 0.3, 0.1], steps=[0, 2, 4]) for number in range(9)]
    history = make_history(others)
    pruner = go.ParetoHalvingPruner(min_step=3)
    # At step 3 the others had a loss of 0.3 and had spent 3 kWh.
    cheaper = running([0.4, 0.1], steps=[1, 3], kwh_a_step=0.7)
    assert pruner.why_stop(cheaper, history) is None
    dearer = running([0.4, 0.3], steps=[1, 3], kwh_a_step=0.8)
    assert pruner.why_stop(dearer, history) == "9 of 10 trials rank better at step 3"


def test_a_nan_counts_for_nothing_at_a_rung() -> None:
    """The last finite report up to it stands; without one, there is nothing to compare."""
    history = make_history([past(number, [0.5, 0.5]) for number in range(9)])
    pruner = go.ParetoHalvingPruner()
    assert pruner.why_stop(running([0.9, math.nan], kwh_a_step=3.0), history) is not None
    assert pruner.why_stop(running([0.4, math.nan], kwh_a_step=3.0), history) is None
    assert pruner.why_stop(running([math.nan, math.nan], kwh_a_step=3.0), history) is None


def test_parameters_count_where_they_are_known() -> None:
    """A small model goes on; where nobody has said how small, loss and costs decide."""
    ends = [0.5, 2.0, 100.0]
    others = [past(number, [0.5, 0.5], values=ends, n_params=100) for number in range(9)]
    history = make_history(others, THREE)
    late: dict[str, Any] = {"kwh_a_step": 3.0, "objectives": THREE}
    pruner = go.ParetoHalvingPruner()
    assert pruner.why_stop(running([0.9, 0.9], **late, n_params=99), history) is None
    assert pruner.why_stop(running([0.9, 0.9], **late, n_params=101), history) is not None
    assert pruner.why_stop(running([0.9, 0.9], **late), history) is not None


def test_a_trial_of_unknown_size_is_better_than_none() -> None:
    """It may have had any number of parameters."""
    unknown = [past(number, [0.5, 0.5], pruned=True) for number in range(9)]
    history = make_history(unknown, THREE)
    progress = running([0.9, 0.9], kwh_a_step=3.0, objectives=THREE, n_params=5)
    assert go.ParetoHalvingPruner().why_stop(progress, history) is None


def test_objectives_known_at_the_end_only_are_not_compared() -> None:
    """The energy of inference is not known at a rung."""
    objectives = ("quality_loss", "duration_s", "inference_kwh")
    trials = [past(number, [0.5, 0.5], values=[0.5, 2.0, 1.0]) for number in range(9)]
    history = make_history(trials, objectives)
    progress = running([0.9, 0.9], objectives=objectives)
    said = go.ParetoHalvingPruner().why_stop(progress, history)
    assert said == "9 of 10 trials rank better at step 1"


def test_a_history_that_grows_is_compared_with_all_of_it() -> None:
    """Each trial is told to a rung once."""
    rng = random.Random(11)
    rows = [(rng.random(), 1.0 + rng.random()) for _ in range(40)]
    trials = reached_first_rung(rows)
    growing = make_history([])
    for number, own in enumerate(rows):
        progress = running([1.0, own[0]], kwh_a_step=own[1])
        said = go.ParetoHalvingPruner().why_stop(progress, growing)
        assert said == reason(own, rows[:number])
        growing.trials.append(trials[number])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"eta": 1}, "eta is 1: give a whole number of 2 or more"),
        ({"eta": 2.5}, r"eta is 2\.5"),
        ({"min_step": 0}, "min_step is 0: give a whole number of 1 or more"),
        ({"min_step": True}, "min_step is True"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], said: str) -> None:
    """When the pruner is made."""
    with pytest.raises(go.OptionError, match=said):
        go.ParetoHalvingPruner(**options)
