"""What to know before trusting a report: when each caution is there, and in which order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import NAMES, kept, study_of
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna.report.cautions import FEW_TRIALS, Caution, cautions
from green_optuna.runs import RunRecord
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

COUNTED = {"cpu": ["RAPL", True, False, 0.001], "ram": ["RAPL, memory", True, False, 0.001]}
BY_CPU_TIME = {"cpu": ["8 W a core", False, True, 0.0], "ram": ["3 W", False, False, 0.0]}


def from_sources(
    sources: Mapping[str, list[object]], basis: str, *, host: str = "here"
) -> FrozenTrial:
    """A completed trial whose energy comes from such sources."""
    trial = kept(0.9, 1e-6, host=host)
    trial.user_attrs[ATTRIBUTE] |= {"sources": dict(sources), "basis": basis}
    return trial


def with_runs(losses: Sequence[float], energies_kwh: Sequence[float]) -> FrozenTrial:
    """A completed trial whose function ran several times."""
    runs = [RunRecord(*one, 1.0) for one in zip(losses, energies_kwh, strict=True)]
    return kept(1 - float(np.mean(losses)), float(np.sum(energies_kwh)), runs=runs)


def many(trial: FrozenTrial) -> list[FrozenTrial]:
    """So many of a trial that they are not few."""
    return [trial] * FEW_TRIALS


def told_of(
    study: optuna.Study,
    objectives: Sequence[str] | None = None,
    *,
    grid: go.Grid | None = None,
    checkpoints: bool = False,
) -> dict[str, str]:
    """The cautions of a study, by their titles, in order."""
    front = go.pareto_front(study, objectives, grid=grid, checkpoints=checkpoints, allow_mixed=True)
    return {one.title: one.text for one in cautions(front.subject())}


def test_a_study_with_nothing_to_doubt_has_no_caution() -> None:
    """Many trials, of several runs each, all counted by hardware."""
    trials = []
    for place in range(FEW_TRIALS):
        cost = 1e-6 * (1 + place)
        trial = with_runs([0.1 - 0.003 * place] * 2, [cost, cost * 1.0001])
        trial.user_attrs[ATTRIBUTE] |= {"sources": COUNTED, "basis": "measured"}
        trials.append(trial)
    assert told_of(study_of(trials)) == {}


def test_nothing_to_choose_from_is_said_first() -> None:
    """No trial at all, or none that completed."""
    assert told_of(study_of([])) == {
        "No trial has ended": "There is nothing to show yet: run trials in it."
    }
    failed = [kept(0.5, 1e-6, state=TrialState.FAIL)] * 2
    told = told_of(study_of([*failed, kept(0.5, 1e-6, state=TrialState.PRUNED)]))
    assert next(iter(told)) == "No trial has completed"
    assert told["No trial has completed"] == (
        "Of all that have ended, 2 failed and 1 pruned: the runs of the trials in what tracks them "
        "say why."
    )


def test_why_nothing_is_chosen_is_said() -> None:
    """Where all violate a constraint, and where the rule wants what is not there."""
    over = told_of(study_of([kept(0.5, 1e-6, constraints={"cap": 1.0})]))
    assert over["No trial is chosen"].startswith("The study 'kept' has no completed trial")
    misses = told_of(study_of([kept(0.5, 1e-6)]), objectives=("quality_loss",))
    assert misses["No trial is chosen"] == (
        "The rule tolerance needs CO2e, which is not among the objectives: ask for another rule."
    )


def test_what_does_not_compare_is_said_where_it_is_compared() -> None:
    """Two machines are one too many for CO2e, and no matter for the parameters."""
    study = study_of([kept(0.5, 1e-6, host="here"), kept(0.9, 1e-6, host="there")])
    text = told_of(study)["Not all trials were measured alike"]
    assert "on 'here' (hardware here), and 1 trial by replay; guess on 'there'" in text
    assert "Not all trials were measured alike" not in told_of(
        study, objectives=("quality_loss", "n_params")
    )


def test_another_grid_is_no_place_where_trials_ran() -> None:
    """The grid before and after, and that nobody emitted that."""
    there = go.Grid(carbon_intensity_g_per_kwh=25.0, source="test")
    text = told_of(study_of([kept(0.5, 1e-6)]), grid=there)["CO2e is that of another grid"]
    assert text == (
        "CO2e is repriced from energy for 25 g/kWh (test); it was 250 g/kWh and PUE 1.2 (test). No "
        "trial emitted what is shown."
    )


def test_energy_that_is_estimated_is_said_to_be_and_how_much_of_it() -> None:
    """All of it, on one host or several; or one component, with its share."""
    one = told_of(study_of([from_sources(BY_CPU_TIME, "estimated")]))
    assert one["All energy is estimated"] == (
        "Energy is estimated on 'here' (8 W a core; 3 W), so CO2e follows CPU time and wall-clock "
        "time; green-optuna doctor says why, and what would mend it."
    )
    two = [from_sources(BY_CPU_TIME, "estimated", host=host) for host in ("here", "there")]
    assert "estimated on 2 hosts (" in told_of(study_of(two))["All energy is estimated"]
    # A quarter of each trial's energy is in the memory, and one of two trials has it estimated.
    guess = {**COUNTED, "ram": ["3 W", False, False, 0.0]}
    part = [from_sources(guess, "mixed"), from_sources(COUNTED, "measured")]
    assert told_of(study_of(part))["Energy is partly estimated"] == (
        "That of the memory is estimated (3 W), which is 12 % of what the trials used; "
        "green-optuna doctor says why, and what would mend it."
    )
    assert "Energy is partly estimated" not in told_of(
        study_of([from_sources(COUNTED, "measured")])
    )


def test_trials_that_did_not_complete_count_in_what_is_estimated() -> None:
    """What they used is in what the search cost; so it is where no trial completed."""
    failed = from_sources(BY_CPU_TIME, "estimated")
    failed.state, failed.values = TrialState.FAIL, None
    told = told_of(study_of([failed]))
    assert told["All energy is estimated"].startswith("Energy is estimated on 'here' (8 W a core")
    # Its processor and its memory are half of what the two trials used.
    part = told_of(study_of([failed, from_sources(COUNTED, "measured")]))
    assert "which is 50 % of what the trials used" in part["Energy is partly estimated"]


def test_a_choice_that_errors_leave_open_is_not_settled() -> None:
    """Two trials that overlap are named; two that are far apart are not."""
    close = [with_runs([0.10, 0.14], [1.0e-6, 1.2e-6]), with_runs([0.11, 0.13], [1.0e-6, 1.2e-6])]
    study = study_of(close)
    front = go.pareto_front(study)
    worth = front.worth_repeating()
    text = told_of(study)["The choice is not settled"]
    assert worth.reason in text
    assert text.endswith(f"run {worth.trials[0]} and {worth.trials[1]} again: green-optuna repeat.")
    apart = [with_runs([0.1, 0.1], [1e-6, 1.01e-6]), with_runs([0.9, 0.9], [5e-6, 5.01e-6])]
    assert "The choice is not settled" not in told_of(study_of(apart))


def test_few_trials_are_said_to_have_missed_the_best_perhaps() -> None:
    """By what as many at random would have missed: 0.9 to the power of their number."""
    assert told_of(study_of([kept(0.5, 1e-6)] * 7))["Few trials"] == (
        "7 trials have completed, and as many at random would all miss the best tenth of all "
        "settings with a probability of 48 %: run more, 29 or so at least."
    )
    assert "Few trials" in told_of(study_of(many(kept(0.5, 1e-6))[1:]))
    assert "Few trials" not in told_of(study_of(many(kept(0.5, 1e-6))))
    assert 0.9**FEW_TRIALS < 0.05 < 0.9 ** (FEW_TRIALS - 1)


def test_that_no_error_is_known_is_said_in_words_for_all() -> None:
    """Each trial ran once; a front without members has nothing to be sure of."""
    title = "How much is chance is not known"
    assert told_of(study_of([kept(0.5, 1e-6)]))[title].startswith("Each trial ran once, so that")
    assert title not in told_of(study_of([]))


def test_infinite_losses_are_named() -> None:
    """Some of them, where there are many."""
    study = study_of([kept(0.5, 1e-6), *[kept(-math.inf, 1e-6)] * 7])
    assert told_of(study)["Not all objectives are finite"] == (
        "Trials 1, 2, 3, 4, 5 and 2 more completed with an objective that is no finite number, and "
        "no figure has a place for it: look for a training that diverged."
    )


def test_what_was_not_measured_is_missing_from_the_cost() -> None:
    """Some trials of a study, or all of one that green_optuna has not run in."""
    unmeasured = kept(0.5, 1e-6)
    del unmeasured.user_attrs[ATTRIBUTE]["energy_kwh"]
    assert told_of(study_of([kept(0.5, 1e-6), unmeasured]))["Not all trials were measured"] == (
        "Not measured, and not counted: trial 1. The search cost more than is shown."
    )
    own = go.create_study("own", objectives=NAMES)
    own.add_trial(create_trial(values=[0.5, 1e-6, 3.0]))
    title, said = "Nothing was measured", "green_optuna has measured no trial of this study"
    assert said in told_of(own)[title]
    assert told_of(own)[title].endswith("cost: decorate its objective with green_objective.")


@pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")
def test_advice_can_be_followed_in_a_study_of_optunas_own() -> None:
    """The command repeat cannot run it; and a decorated objective may have failed in it at once."""
    title = "How much is chance is not known"
    own = optuna.create_study(directions=["minimize"] * 2)
    own.set_metric_names(["loss", "delay"])
    own.add_trial(create_trial(values=[0.5, 1.0]))
    assert "green-optuna repeat" not in told_of(own)[title]
    assert told_of(own)[title].startswith("Each trial ran once, so that")
    assert "green-optuna repeat" in told_of(study_of([kept(0.5, 1e-6)]))[title]

    @go.green_objective(meter=go.ReplayMeter(cpu_w=1.0), country="FRA", objectives=("co2e_kg",))
    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", 0.0, 1.0)

    study = go.create_study()
    study.optimize(objective, n_trials=1, catch=(go.DirectionsError,))
    assert told_of(study)["Nothing was measured"].endswith(
        "cost: decorate its objective with green_objective, or, if it is decorated, see by which "
        "error its trials failed."
    )


def test_trials_that_have_not_ended_are_counted() -> None:
    """They run, or were killed; those that wait for their turn have used nothing."""
    study = study_of([kept(0.5, 1e-6)])
    study.enqueue_trial({})
    title = "Not all trials have ended"
    assert title not in told_of(study)
    study.ask()
    assert told_of(study)[title] == (
        "1 trial has begun and not ended, and what it has used so far is in no figure here. If its "
        "process is gone, green-optuna sync on that machine counts what it had used."
    )
    study.ask()
    assert told_of(study)[title].startswith("2 trials have begun and not ended, and what they have")
    assert "If the process of one is gone, green-optuna sync" in told_of(study)[title]


def test_a_study_that_has_just_begun_has_nothing_to_show_yet() -> None:
    """One of Optuna's alone has nothing that could be counted later."""
    study = go.create_study("new", objectives=NAMES)
    study.ask()
    assert told_of(study) == {
        "No trial has ended": "There is nothing to show yet: wait, or run trials in it.",
        "Not all trials have ended": "1 trial has begun and not ended, and what it has used so far "
        "is in no figure here.",
    }


def test_trials_shorter_than_a_reading_are_known_roughly() -> None:
    """The trials last 60 s."""
    slow = {"cpu": ["a slow counter", True, False, 60.0]}
    trials = [from_sources(slow, "measured"), from_sources(COUNTED, "measured")]
    some = told_of(study_of(trials))["Some trials are too short to measure well"]
    assert some.startswith(
        "1 of 2 completed trials lasted no longer than it takes to get a new reading (1 min 00 s)"
    )
    assert "Trials are too short to measure well" in told_of(study_of(trials[:1]))
    fast = told_of(study_of(trials[1:]))
    assert not any("short" in title for title in fast)


def test_checkpoints_that_are_not_compared_are_counted() -> None:
    """Where the front has checkpoints at all."""
    reports = [
        go.Report(1, 0.6, 0.0, 1.0, checkpoint="one.pt"),
        go.Report(2, 0.6, 1e-6, 2.0, checkpoint="two.pt"),
    ]
    study = study_of([kept(0.7, 2e-6, reports=reports)])
    assert told_of(study, checkpoints=True)["Not all checkpoints are compared"] == (
        "1 checkpoint is no candidate: no energy seen by the step (1)."
    )
    assert "Not all checkpoints are compared" not in told_of(study)


ORDER = (
    "No trial has ended",
    "No trial has completed",
    "No trial is chosen",
    "Not all trials were measured alike",
    "CO2e is that of another grid",
    "All energy is estimated",
    "Energy is partly estimated",
    "The choice is not settled",
    "Few trials",
    "How much is chance is not known",
    "Not all objectives are finite",
    "Nothing was measured",
    "Not all trials were measured",
    "Not all trials have ended",
    "Some trials are too short to measure well",
    "Trials are too short to measure well",
)


@st.composite
def made_studies(draw: st.DrawFn) -> list[FrozenTrial]:
    """Trials of all kinds."""
    trials = []
    for _ in range(draw(st.integers(0, 6))):
        state = draw(st.sampled_from([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]))
        quality = draw(st.sampled_from([0.5, 0.9, -math.inf]))
        runs = [RunRecord(0.1, 1e-6, 1.0), RunRecord(0.2, 2e-6, 1.0)]
        has_runs = draw(st.booleans()) and math.isfinite(quality)
        trial = kept(
            quality,
            draw(st.sampled_from([1e-6, 1e-3])),
            state=state,
            host=draw(st.sampled_from(["here", "here", "there"])),
            constraints={"cap": draw(st.sampled_from([-1.0, 1.0]))},
            runs=runs if has_runs else (),
        )
        if draw(st.integers(0, 4)) == 0:
            del trial.user_attrs[ATTRIBUTE]["energy_kwh"]
        if draw(st.booleans()):
            trial.user_attrs[ATTRIBUTE] |= {"sources": BY_CPU_TIME, "basis": "estimated"}
        trials.append(trial)
    return trials


@given(
    made_studies(),
    st.sampled_from([None, ("quality_loss",), ("co2e_kg",), ("n_params", "co2e_kg")]),
)
def test_whatever_the_study_cautions_come_in_one_order_and_as_sentences(
    trials: list[FrozenTrial], objectives: tuple[str, ...] | None
) -> None:
    """Each once, the most severe first, and each says something."""
    front = go.pareto_front(study_of(trials), objectives, allow_mixed=True)
    said = cautions(front.subject())
    titles = [one.title for one in said]
    assert titles == [title for title in ORDER if title in titles]
    for one in said:
        assert isinstance(one, Caution)
        assert one.text.endswith(".")
        assert "nan" not in one.text


@pytest.mark.parametrize("assume_exact", [False, True])
def test_errors_that_are_taken_as_none_are_not_missed(assume_exact: bool) -> None:
    """Who asks for it knows, and is told no more."""
    study = study_of([with_runs([0.1, 0.11], [1e-6, 1.1e-6]), kept(0.2, 1e-5)])
    front = go.pareto_front(study, assume_exact=assume_exact)
    titles = [one.title for one in cautions(front.subject())]
    assert ("How much is chance is not known" in titles) is not assume_exact
