"""A trial is stopped once every end that it can come to is dominated, and no sooner."""

from __future__ import annotations

import math
import pickle
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna import pareto
from green_optuna.pruning.gains import Gains

from .histories import make_history, past, running

THREE = ("quality_loss", "co2e_kg", "n_params")

LOSSES = st.integers(0, 8).map(lambda eighths: eighths / 8)
"""Exact in binary, and few, so that there are ties."""

RATES = st.integers(1, 3).map(float)


def planned(min_steps: int = 1, max_steps: int = 6) -> st.SearchStrategy[tuple[list[float], float]]:
    """A trial's loss at each step, and its cost a step."""
    return st.tuples(st.lists(LOSSES, min_size=min_steps, max_size=max_steps), RATES)


def ten(losses: list[float], **given: Any) -> list[go.PastTrial]:  # noqa: ANN401 - past's own
    """Ten completed trials that are alike."""
    return [past(number, losses, **given) for number in range(10)]


def learned_gain(trials: list[go.PastTrial], step: int) -> tuple[int, float]:
    """How many trials went on beyond a step, and the largest gain: by plain loops."""
    gains = [
        trial.losses[max(row for row, at in enumerate(trial.steps) if at <= step)] - trial.loss
        for trial in trials
        if trial.loss is not None and trial.steps[0] <= step < trial.steps[-1]
    ]
    return len(gains), max(gains, default=-math.inf)


def test_a_trial_that_cannot_catch_up_is_stopped() -> None:
    """Others gained 0.3 from the first step on; from 0.9 it comes to 0.6, which is dominated."""
    history = make_history(ten([0.5, 0.2]))
    reason = go.DominancePruner().why_stop(running([0.9], kwh_a_step=3.0), history)
    assert reason == "could reach quality loss 0.6 at best, dominated by trial 0"


def test_a_trial_that_may_catch_up_goes_on() -> None:
    """From 0.4 it may come to 0.1, which nobody has reached."""
    history = make_history(ten([0.5, 0.2]))
    assert go.DominancePruner().why_stop(running([0.4], kwh_a_step=3.0), history) is None


def test_a_trial_that_has_cost_less_goes_on() -> None:
    """Whatever it comes to, it may be the cheapest."""
    history = make_history(ten([0.5, 0.2]))
    assert go.DominancePruner().why_stop(running([0.9], kwh_a_step=1.0), history) is None


def test_a_tie_does_not_stop() -> None:
    """What is as good in every objective is on the front too."""
    history = make_history(ten([0.5, 0.25]))
    pruner = go.DominancePruner()
    # From 0.5 it may come to 0.25, at a cost of 2 kWh so far: what the others came to.
    assert pruner.why_stop(running([0.5], kwh_a_step=2.0), history) is None
    assert pruner.why_stop(running([0.5], kwh_a_step=2.25), history) is not None


def test_a_tie_that_rounding_hides_does_not_stop() -> None:
    """Of 0.8 - (0.8 - 0.3), the rounding is no loss."""
    assert 0.8 - (0.8 - 0.3) > 0.3
    history = make_history(ten([0.8, 0.3]))
    pruner = go.DominancePruner()
    assert pruner.why_stop(running([0.8], kwh_a_step=2.0), history) is None
    assert pruner.why_stop(running([0.8], kwh_a_step=2.25), history) is not None


@pytest.mark.parametrize(("n_completed", "stopped"), [(9, False), (10, True)])
def test_too_few_completed_trials_teach_nothing(n_completed: int, *, stopped: bool) -> None:
    """Until there are enough, any loss is within reach."""
    history = make_history(ten([0.5, 0.2])[:n_completed])
    reason = go.DominancePruner().why_stop(running([0.9], kwh_a_step=3.0), history)
    assert (reason is not None) is stopped


def test_trials_that_ended_before_a_step_teach_nothing_of_it() -> None:
    """Twenty short trainings do not say what a long one gains after their end."""
    short = [past(number, [0.5, 0.2]) for number in range(20)]
    late = running([0.9, 0.85, 0.8], kwh_a_step=3.0)
    assert go.DominancePruner().why_stop(late, make_history(short)) is None
    long = [past(number, [0.5, 0.4, 0.3, 0.2]) for number in range(20, 30)]
    reason = go.DominancePruner().why_stop(late, make_history(short + long))
    assert reason == "could reach quality loss 0.7 at best, dominated by trial 0"


def test_what_a_trial_has_reached_already_stays_within_reach() -> None:
    """An objective may return its best epoch, not its last."""
    history = make_history(ten([0.5, 0.45, 0.4, 0.4]))
    fell_back = running([0.5, 0.2, 0.9], kwh_a_step=3.0)
    assert go.DominancePruner().why_stop(fell_back, history) is None
    never_good = running([0.5, 0.5, 0.9], kwh_a_step=3.0)
    assert go.DominancePruner().why_stop(never_good, history) is not None


def test_no_loss_below_zero_is_within_reach() -> None:
    """A perfect trial dominates what others' gains would carry beyond perfection."""
    pruner = go.DominancePruner()
    late = running([0.2], kwh_a_step=3.0)
    assert pruner.why_stop(late, make_history(ten([0.9, 0.1]))) is None
    reason = pruner.why_stop(late, make_history([*ten([0.9, 0.1]), past(10, [0.9, 0.0])]))
    assert reason == "could reach quality loss 0 at best, dominated by trial 10"


def test_a_nan_counts_for_nothing() -> None:
    """The last finite report stands, with what others gained from its own step on."""
    history = make_history(ten([0.9, 0.5, 0.2]))
    pruner = go.DominancePruner()
    diverged = running([0.95, math.nan], kwh_a_step=9.0)
    # 0.95 - 0.7 from step 0 on, not 0.95 - 0.3 from step 1 on.
    assert pruner.why_stop(diverged, history) == (
        "could reach quality loss 0.25 at best, dominated by trial 0"
    )
    assert pruner.why_stop(running([math.nan], kwh_a_step=9.0), history) is None


def test_the_latest_step_counts_not_the_latest_call() -> None:
    """Steps may be reported in any order."""
    history = make_history(ten([0.9, 0.5, 0.2]))
    turned = running([0.8, 0.95], steps=[1, 0], kwh_a_step=9.0)
    reason = go.DominancePruner().why_stop(turned, history)
    assert reason == "could reach quality loss 0.5 at best, dominated by trial 0"


def test_a_declared_bound_is_taken_at_its_word() -> None:
    """With no trial to learn from but the one that dominates; above it, nothing is stopped."""
    history = make_history([past(4, [0.1])])
    late = running([0.9], kwh_a_step=3.0)
    reason = go.DominancePruner(best_reachable=0.85).why_stop(late, history)
    assert reason == "could reach quality loss 0.15 at best, dominated by trial 4"
    assert go.DominancePruner(best_reachable=0.95).why_stop(late, history) is None


def test_a_bound_of_a_study_of_which_less_is_better() -> None:
    """It is on the study's own scale: an error of 1 is half the worst one."""
    history = make_history([past(4, [0.25])])
    history.terms = replace(history.terms, quality_bounds=go.QualityBounds(worst=2.0, best=0.0))
    reason = go.DominancePruner(best_reachable=1.0).why_stop(
        running([0.9], kwh_a_step=3.0), history
    )
    assert reason == "could reach quality loss 0.5 at best, dominated by trial 4"


def test_a_declared_bound_outside_the_scale_is_refused() -> None:
    """When it is first used, for the pruner does not know the scale before."""
    with pytest.raises(go.QualityError, match=r"1\.5"):
        go.DominancePruner(best_reachable=1.5).why_stop(running([0.9]), make_history([]))


@pytest.mark.parametrize(
    ("gives", "stopped"),
    [(0.85, True), (None, False), (math.nan, False), (7.0, False), (-math.inf, True)],
)
def test_a_function_says_what_is_within_reach(gives: float | None, *, stopped: bool) -> None:
    """Where it cannot say, anything is; and no better than the best there is, nor the worst."""
    asked = []

    def best(progress: go.Progress) -> float | None:
        asked.append(progress)
        return gives

    late = running([0.9], kwh_a_step=3.0)
    reason = go.DominancePruner(best_reachable=best).why_stop(late, make_history([past(4, [0.1])]))
    assert (reason is not None) is stopped
    assert asked == [late]


def test_a_function_that_gives_no_number_is_named() -> None:
    """With what it gave."""
    pruner = go.DominancePruner(best_reachable=lambda _: "much")  # type: ignore[arg-type, return-value]
    with pytest.raises(go.OptionError, match="gave 'much'"):
        pruner.why_stop(running([0.9]), make_history([]))


def test_parameters_that_nobody_has_said_may_be_none() -> None:
    """Told of them, the same trial is stopped; and before the training where it is perfect."""
    trials = ten([0.5, 0.2], values=[0.2, 2.0, 10.0], n_params=10)
    history = make_history(trials, THREE)
    late: dict[str, Any] = {"kwh_a_step": 3.0, "objectives": THREE}
    pruner = go.DominancePruner()
    assert pruner.why_stop(running([0.9], **late), history) is None
    assert pruner.why_stop(running([0.9], **late, n_params=9), history) is None
    assert pruner.why_stop(running([0.9], **late, n_params=10), history) is not None


def test_nothing_undercuts_what_is_known_at_the_end_only() -> None:
    """With the energy of inference among the objectives, the trial may have none."""
    objectives = ("quality_loss", "co2e_kg", "inference_kwh")
    history = make_history(ten([0.5, 0.2], values=[0.2, 2.0, 1e-6]), objectives)
    late = running([0.9], kwh_a_step=3.0, objectives=objectives)
    assert go.DominancePruner().why_stop(late, history) is None


def test_only_feasible_trials_that_completed_dominate() -> None:
    """A stopped trial came to nothing, and one that is not feasible is no choice."""
    late = running([0.9], kwh_a_step=3.0)
    pruner = go.DominancePruner(best_reachable=0.5)
    for trial in (past(0, [0.1], pruned=True), past(0, [0.1], feasible=False)):
        assert pruner.why_stop(late, make_history([trial])) is None
    assert pruner.why_stop(late, make_history([past(0, [0.1])])) is not None


def test_a_projection_stops_sooner() -> None:
    """It will have spent 1 kWh at each of four steps in the end, which 3.5 kWh dominate."""
    history = make_history(ten([0.5, 0.4, 0.3, 0.2], values=[0.2, 3.5]))
    early = running([0.9, 0.9])
    assert go.DominancePruner().why_stop(early, history) is None
    reason = go.DominancePruner(project=True).why_stop(early, history)
    assert reason == "could reach quality loss 0.7 at best, by forecast dominated by trial 0"


def test_a_projection_ends_where_the_soonest_trial_did() -> None:
    """One that ended at the second step shows that a trial may; nothing is added then."""
    trials = ten([0.5, 0.4, 0.3, 0.2], values=[0.2, 3.5])
    short = past(10, [0.9, 0.9], values=[0.9, 9.0])
    pruner = go.DominancePruner(project=True)
    assert pruner.why_stop(running([0.9, 0.9]), make_history([*trials, short])) is None
    # Unless it is known that this one does not.
    known = replace(running([0.9, 0.9]), total_steps=4)
    assert pruner.why_stop(known, make_history([*trials, short])) is not None


@pytest.mark.parametrize(("others_kwh", "stopped"), [(13.5, True), (14.5, False)])
def test_a_projection_leaves_out_the_start(others_kwh: float, *, stopped: bool) -> None:
    """What loading and compiling took is spent once, and not at each step to come."""
    history = make_history(ten([0.5, 0.4, 0.3, 0.2, 0.2, 0.2], values=[0.2, others_kwh]))
    # 12 kWh by now, 1 kWh a step but for the first: 2 kWh to come.
    curve = go.LearningCurve(range(4), [0.9] * 4, [9.0, 10.0, 11.0, 12.0], range(1, 5))
    started = replace(running([]), curve=curve, energy_kwh=12.0, co2e_kg=12.0)
    reason = go.DominancePruner(project=True).why_stop(started, history)
    assert (reason is not None) is stopped


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 9), LOSSES), max_size=6, unique_by=lambda at: at[0]),
            LOSSES,
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_gains_are_those_of_plain_loops(
    drawn: list[tuple[list[tuple[int, float]], float, bool]],
) -> None:
    """At every step, whatever steps each trial reported, and whatever order they come in."""
    trials = []
    for number, (reports, loss, pruned) in enumerate(drawn):
        steps = sorted(step for step, _ in reports)
        if steps:
            losses = [at for _, at in reports]
            trials.append(past(number, losses, steps=steps, loss=loss, pruned=pruned))
    gains = Gains()
    for trial in trials:
        gains.learn(trial)
    expected = [learned_gain(trials, step) for step in range(12)]
    assert [gains.largest_from(step) for step in range(12)] == expected


@given(data=st.data(), project=st.booleans(), returns_best=st.booleans())
def test_no_trial_that_gains_as_the_others_did_is_missed(
    data: st.DataObject, *, project: bool, returns_best: bool
) -> None:
    """What is stopped would have ended dominated: the front is that of the unpruned study.

    Whether a trial returns its last quality or its best; where costs are projected, all trials
    have as many steps and a steady cost.
    """
    n_steps = data.draw(st.integers(1, 6))
    plans = st.lists(planned(n_steps, n_steps) if project else planned(), max_size=12)
    pruner = go.DominancePruner(min_completed=1, project=project)
    history, ends, all_obey = make_history([]), [], True
    for number, (losses, kwh) in enumerate(data.draw(plans)):
        loss = min(losses) if returns_best else losses[-1]
        end = [loss, len(losses) * kwh]
        ends.append(end)
        stopped_at = None
        for step in range(len(losses)):
            if pruner.why_stop(running(losses[: step + 1], kwh_a_step=kwh), history) is not None:
                stopped_at = step
                break
        trial = past(number, losses, kwh_a_step=kwh, loss=loss, pruned=stopped_at is not None)
        if stopped_at is not None:
            n_known, gain = learned_gain(history.trials, stopped_at)
            obeys = n_known == 0 or losses[stopped_at] - loss <= max(gain, 0.0)
            all_obey &= obeys
            better = [row for row in history.front if pareto.dominates(row, end)]
            assert better or not obeys
        history = make_history([*history.trials, trial])
    if all_obey and ends:
        unpruned = [tuple(ends[row]) for row in pareto.non_dominated(ends).nonzero()[0]]
        assert sorted(map(tuple, history.front.tolist())) == sorted(unpruned)


def test_reports_that_the_study_did_not_keep_stop_nothing() -> None:
    """Between two that it kept, a trial is taken to have been at the worse of both."""
    # Kept: every second of 402 reports, of which the others were at 0.7.
    steps = list(range(1, 402, 2))
    history = make_history(ten([0.4] * 199 + [0.7, 0.2], steps=steps))
    gains = history.learned(Gains, Gains)
    assert gains.largest_from(steps[198])[1] == pytest.approx(0.5)
    assert gains.largest_from(steps[197])[1] == pytest.approx(0.2)


def test_a_function_is_asked_from_the_first_report_on() -> None:
    """Before it, there is nothing to go by."""
    asked: list[int] = []

    def reachable(progress: go.Progress) -> float:
        asked.append(len(progress.curve))
        return 1 - progress.curve.losses[-1]

    pruner = go.DominancePruner(best_reachable=reachable)
    assert pruner.why_stop(running([]), make_history(ten([0.5, 0.2]))) is None
    pruner.why_stop(running([0.9]), make_history(ten([0.5, 0.2])))
    assert asked == [1]


def test_a_best_quality_beyond_the_bounds_is_refused_when_the_objective_is_decorated() -> None:
    """It is on the study's own scale, and not in per cent."""
    with pytest.raises(go.OptionError, match=r"best_reachable: .*95"):
        go.green_objective(pruner=go.DominancePruner(best_reachable=95.0))
    go.green_objective(quality_bounds=(0, 100), pruner=go.DominancePruner(best_reachable=95.0))


def test_a_history_that_grows_is_learned_as_one_that_is_given_at_once() -> None:
    """Each trial is told to what learns once."""
    rng = random.Random(5)
    trials = [
        past(number, [rng.random() for _ in range(rng.randint(1, 5))]) for number in range(30)
    ]
    growing = make_history([])
    for number, trial in enumerate(trials):
        growing.trials.append(trial)
        at_once = make_history(trials[: number + 1])
        for step in range(5):
            of_both = [one.learned(Gains, Gains).largest_from(step) for one in (growing, at_once)]
            assert of_both[0] == of_both[1] == learned_gain(trials[: number + 1], step)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"best_reachable": "best"}, "best_reachable is 'best'"),
        ({"best_reachable": math.nan}, "best_reachable is nan"),
        ({"best_reachable": True}, "best_reachable is True"),
        ({"best_reachable": None}, "best_reachable is None"),
        ({"project": "yes"}, "project is 'yes'"),
        ({"min_completed": 0}, "min_completed is 0"),
        ({"min_completed": 2.5}, r"min_completed is 2\.5"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], said: str) -> None:
    """When the pruner is made."""
    with pytest.raises(go.OptionError, match=said):
        go.DominancePruner(**options)


@pytest.mark.parametrize("pruner", [go.DominancePruner(), go.ParetoHalvingPruner()])
def test_a_study_without_a_quality_is_refused(pruner: go.Pruner) -> None:
    """When the objective is decorated."""
    with pytest.raises(go.OptionError, match=type(pruner).__name__):
        go.green_objective(pruner=pruner, objectives=("co2e_kg", "n_params"))


@pytest.mark.parametrize(
    "pruner",
    [go.DominancePruner(best_reachable=0.5, project=True), go.ParetoHalvingPruner(eta=4)],
)
def test_the_pruners_pickle_and_keep_nothing_of_a_study(pruner: go.Pruner) -> None:
    """Having decided, they are still equal to new ones."""
    pruner.why_stop(running([0.9] * 5), make_history(ten([0.5, 0.2, 0.1])))
    assert pickle.loads(pickle.dumps(pruner)) == pruner == replace(pruner)  # type: ignore[type-var]
