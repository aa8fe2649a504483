"""Trials that are run again: new trials of their study, pooled into the ones that they repeat."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.intervals import mean_interval
from green_optuna.pooling import repeated_number
from green_optuna.record import EACH_RUN, REPEAT_OF, measurement_of, trial_intervals
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)


class OwnError(Exception):
    """An exception of the user's."""


class Function:
    """An objective whose runs differ by ``trial.run`` alone, and that keeps what it saw."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, int]] = []
        self.end: Callable[[go.GreenTrial], None] = lambda _: None

    def __call__(self, trial: go.GreenTrial) -> tuple[float, int]:
        """Suggest a parameter, and another one where it is large."""
        x = trial.suggest_float("x", 0, 1)
        depth = trial.suggest_int("depth", 1, 9) if x > 0.5 else 0
        self.runs.append((trial.number, trial.run))
        self.end(trial)
        noise = random.Random(f"{x} {trial.run}").gauss(0, 0.02)
        return 0.2 + 0.6 * x + noise, 100 + depth


class Counter(go.ReplayMeter):
    """A meter that has its energy from elsewhere."""

    @property
    def sources(self) -> dict[str, go.Source]:
        """A counter reads the processors."""
        return {"cpu": go.Source("a counter", measured=True)}


def decorate(
    function: Callable[..., object],
    **options: Any,  # noqa: ANN401 - what the test is about
) -> go.GreenObjective:
    """Decorate a function, with the test's meter."""
    return go.green_objective(grid=GRID, meter=METER, **{"trackers": [], **options})(function)


def searched(
    function: Callable[..., object],
    storage: str | None = None,
    *,
    n_trials: int = 4,
    sampler: optuna.samplers.BaseSampler | None = None,
    **options: Any,  # noqa: ANN401 - what the test is about
) -> tuple[optuna.Study, go.GreenObjective]:
    """Run a search."""
    study = go.create_study(
        "searched", storage=storage, sampler=sampler or optuna.samplers.RandomSampler(seed=1)
    )
    objective = decorate(function, **options)
    study.optimize(objective, n_trials=n_trials)
    return study, objective


def kept(trial: FrozenTrial) -> dict[str, Any]:
    """Give what is kept of a trial."""
    found: dict[str, Any] = trial.user_attrs[ATTRIBUTE]
    return found


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_repeat_is_a_trial_whose_runs_are_pooled_into_the_one_that_it_repeats(
    sqlite_url: str, repeats: int
) -> None:
    """The means are over all runs, with Student's intervals; the repeats are no candidates."""
    study, objective = searched(Function(), sqlite_url, repeats=repeats)
    before = go.pareto_front(study)
    go.repeat_trials(study, objective, [2], times=2)
    trials = study.trials
    assert [repeated_number(trial) for trial in trials] == [None] * 4 + [2, 2]
    assert all(trial.params == trials[2].params for trial in trials[4:])
    front = go.pareto_front(study)
    candidates = front.candidates
    assert [trial.number for trial in candidates.trials] == [0, 1, 2, 3]
    assert [trial.number for trial in candidates.repeats[2]] == [4, 5]
    group = [trials[2], *trials[4:]]
    assert candidates.losses[2] == pytest.approx(np.mean([one.values for one in group], axis=0))
    assert np.array_equal(candidates.losses[[0, 1, 3]], before.candidates.losses[[0, 1, 3]])
    pooled = candidates.trials[2]
    measurement = measurement_of(pooled)
    assert measurement is not None
    assert measurement.runs == 3 * repeats
    assert measurement.energy_kwh == pytest.approx(
        sum(kept(one)["energy_kwh"]["cpu"] + kept(one)["energy_kwh"]["ram"] for one in group)
    )
    assert kept(pooled)["quality"] == pytest.approx(1 - candidates.losses[2, 0])
    losses = [loss for loss, _, _ in kept(pooled)[EACH_RUN]]
    assert len(set(losses)) == 3 * repeats
    row = front.to_dataframe(dominated=True).iloc[2]
    expected = mean_interval(losses)
    assert expected is not None
    assert (row["quality_loss_low"], row["quality_loss_high"]) == (expected.low, expected.high)
    assert row["quality_loss"] == pytest.approx(expected.mean)


def test_best_trials_of_optuna_sees_repeats_as_they_are() -> None:
    """Each with values of its own; what is kept of the repeated trial is left alone."""
    study, objective = searched(Function())
    before = study.trials[2]
    go.repeat_trials(study, objective, [2], times=1)
    go.pareto_front(study)
    assert study.trials[2] == before
    assert len({tuple(study.trials[number].values) for number in (2, 4)}) == 2


def test_what_repeats_spend_counts_in_the_study() -> None:
    """As that of any complete trial."""
    study, objective = searched(Function())
    before = go.pareto_front(study).ledger["complete"]
    go.repeat_trials(study, objective, [0, 3], times=2)
    after = go.pareto_front(study).ledger["complete"]
    spent = [measurement_of(trial) for trial in study.trials[4:]]
    assert after.n_trials == before.n_trials + 4
    assert after.energy_kwh - before.energy_kwh == pytest.approx(
        sum(one.energy_kwh for one in spent if one is not None)
    )


def test_run_numbers_go_on_over_rounds_so_that_no_run_is_the_same_again() -> None:
    """A function that seeds by trial.run alone gets new numbers in each repeat of a trial."""
    function = Function()
    study, objective = searched(function, repeats=2, n_trials=2)
    go.repeat_trials(study, objective, [0, 1], times=1)
    go.repeat_trials(study, objective, [0], times=2)
    study.enqueue_trial(study.trials[0].params, user_attrs={REPEAT_OF: 0})
    study.optimize(objective, n_trials=1)
    by_trial = {number: [run for n, run in function.runs if n == number] for number in range(7)}
    assert by_trial == {0: [0, 1], 1: [0, 1], 2: [2, 3], 3: [2, 3], 4: [4, 5], 5: [6, 7], 6: [8, 9]}
    pooled = go.pareto_front(study).candidates.trials
    assert [kept(trial)["runs"] for trial in pooled] == [10, 4]
    losses = [loss for loss, _, _ in kept(pooled[0])[EACH_RUN]]
    assert len(set(losses)) == len(losses)


def test_all_are_repeated_once_before_any_is_repeated_twice() -> None:
    """So that what is stopped halfway has runs of each."""
    study, objective = searched(Function())
    go.repeat_trials(study, objective, [3, 1, 3], times=2)
    assert [repeated_number(trial) for trial in study.trials[4:]] == [3, 1, 3, 1]


def test_a_repeat_that_fails_is_in_no_mean_and_what_it_spent_counts(sqlite_url: str) -> None:
    """It ends the repeats, unless it is caught; its run number is used up."""
    function = Function()
    study, objective = searched(function, sqlite_url)

    def fail_at(number: int) -> Callable[[go.GreenTrial], None]:
        def end(trial: go.GreenTrial) -> None:
            if trial.number == number:
                raise OwnError

        return end

    function.end = fail_at(5)
    with pytest.raises(OwnError):
        go.repeat_trials(study, objective, [0], times=3)
    assert [trial.state.name for trial in study.trials[4:]] == ["COMPLETE", "FAIL"]
    function.end = fail_at(6)
    go.repeat_trials(study, objective, [0], times=2, catch=OwnError)
    assert [trial.state.name for trial in study.trials[6:]] == ["FAIL", "COMPLETE"]
    front = go.pareto_front(study)
    assert [one.number for one in front.candidates.repeats[0]] == [4, 7]
    assert kept(front.candidates.trials[0])["runs"] == 3
    assert function.runs[-1] == (7, 4)
    assert front.ledger["failed"].n_trials == 2


def test_no_pruner_stops_a_repeat_nor_does_a_flat_front(sqlite_url: str) -> None:
    """Else the mean would be of the runs that went well; a cap on what is spent still holds."""
    function = Function()
    stopped: list[bool] = []

    def report(trial: go.GreenTrial) -> None:
        trial.report(0.1, 0)
        stopped.append(trial.should_prune())

    function.end = report
    pruner = go.CapPruner(max_co2e_kg=1e-30)
    study, _ = searched(function, sqlite_url, n_trials=3)
    flat = decorate(function, pruner=pruner, budget=go.StopWhenFlat(min_gain_per_kg=1e30, window=1))
    go.repeat_trials(study, flat, [0], times=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 5
    assert not any(stopped)
    capped = decorate(function, budget=go.CarbonBudget(co2e_kg=1e-12))
    go.repeat_trials(study, capped, [0], times=3)
    assert [trial.state.name for trial in study.trials[5:]] == ["PRUNED"]
    assert go.pareto_front(study).candidates.repeats.keys() == {0}


def test_repeats_are_left_out_where_a_flat_front_is_looked_for() -> None:
    """They add nothing to a front, and are no sign that the search has ended."""
    study, objective = searched(Function(), n_trials=2)
    go.repeat_trials(study, objective, [0], times=3)
    seen: list[go.Spending] = []

    class Look(go.Budget):
        def why_stop(self, spending: go.Spending) -> str | None:
            seen.append(spending)
            return go.StopWhenFlat(min_gain_per_kg=1e30, window=1).why_stop(spending)

    study.optimize(decorate(Function(), budget=Look()), n_trials=1)
    assert [trial.is_repeat for trial in seen[0].trials] == [False, False, True, True, True]
    assert "the last 1 trials added" in str(study.trials[-1].user_attrs[ATTRIBUTE]["stopped"])


@pytest.mark.parametrize("times", [0, -1, 1.5, "many"])
def test_a_number_of_times_is_one_or_more(times: object) -> None:
    """The error gives what was passed."""
    study, objective = searched(Function(), n_trials=1)
    with pytest.raises(go.OptionError, match=r"times is .*whole number of 1 or more"):
        go.repeat_trials(study, objective, [0], times=times)  # type: ignore[arg-type]  # the test


def test_only_completed_trials_that_are_there_are_repeated() -> None:
    """Else the error says what the trial is; nothing has run then."""
    function = Function()

    def end(trial: go.GreenTrial) -> None:
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise OwnError

    function.end = end
    study = go.create_study("s")
    objective = decorate(function)
    study.optimize(objective, n_trials=3, catch=OwnError)
    go.repeat_trials(study, objective, [0])
    for wrong, message in (
        (9, r"no trial 9 in 's': there is 0 to 3"),
        (-1, r"no trial -1"),
        (1, r"Trial 1 of 's' is pruned, and only a completed one.*enqueue_trial"),
        (2, r"is fail"),
        (3, r"Trial 3 of 's' repeats trial 0: repeat that one instead"),
    ):
        with pytest.raises(go.OptionError, match=message):
            go.repeat_trials(study, objective, [0, wrong])
    with pytest.raises(go.OptionError, match="there is none"):
        go.repeat_trials(go.create_study(), objective, [0])
    assert len(study.trials) == 4
    go.repeat_trials(study, objective, [])
    assert len(study.trials) == 4


def test_a_search_goes_on_after_repeats(sqlite_url: str) -> None:
    """Each sampler takes them, and what waits in the queue is left to the search."""
    for name, sampler in (
        ("tpe", optuna.samplers.TPESampler(seed=1, n_startup_trials=3)),
        ("nsga", optuna.samplers.NSGAIISampler(seed=1, population_size=3)),
    ):
        study = go.create_study(name, storage=sqlite_url, sampler=sampler)
        objective = decorate(Function())
        study.optimize(objective, n_trials=6)
        study.enqueue_trial({"x": 0.25})
        go.repeat_trials(study, objective, [1, 4], times=2)
        assert [trial.state for trial in study.trials].count(TrialState.WAITING) == 1
        generations = [key for t in study.trials[7:] for key in t.system_attrs if "nsga" in key]
        assert generations == []
        study.optimize(objective, n_trials=5)
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 15
        assert study.trials[6].params["x"] == 0.25
        assert len(go.pareto_front(study).candidates.trials) == 11


def test_a_repeat_elsewhere_makes_a_mixed_front() -> None:
    """A mean over runs that were not measured alike is no mean."""
    study, _ = searched(Function())
    other = go.green_objective(grid=GRID, meter=Counter(cpu_w=1.0), trackers=[])(Function())
    with pytest.warns(UserWarning, match="measures otherwise"):
        go.repeat_trials(study, other, [0])
    with pytest.raises(go.MixedStudyError, match=r"not all measured alike.*1 trial by"):
        go.pareto_front(study)
    assert go.pareto_front(study, allow_mixed=True).mixed
    assert len(go.pareto_front(study, ("quality_loss", "n_params")).candidates.repeats) == 1


def test_what_is_no_repeat_stays_a_trial_of_its_own() -> None:
    """Of a trial that is not there, has not completed, or has other hyperparameters."""
    study, objective = searched(Function(), n_trials=2)
    for number in (99, 0, "0"):
        study.enqueue_trial({"x": 0.125}, user_attrs={REPEAT_OF: number})
    study.optimize(objective, n_trials=3)
    candidates = go.pareto_front(study).candidates
    assert [trial.number for trial in candidates.trials] == [0, 1, 2, 3, 4]
    assert candidates.repeats == {}


def test_a_repeat_of_a_repeat_is_one_of_the_first() -> None:
    """Whoever enqueued it so."""
    study, objective = searched(Function(), n_trials=2)
    go.repeat_trials(study, objective, [1])
    study.enqueue_trial(study.trials[1].params, user_attrs={REPEAT_OF: 2})
    study.optimize(objective, n_trials=1)
    repeats = go.pareto_front(study).candidates.repeats
    assert {number: [one.number for one in group] for number, group in repeats.items()} == {
        1: [2, 3]
    }


def test_the_ratings_of_equal_runs_are_no_certainty() -> None:
    """A quality that comes with an interval keeps it where a repeat comes to the same."""
    score = go.relative_score([2, 3, 4], [4, 5, 4])

    def rated(trial: go.GreenTrial) -> tuple[go.RelativeScore, int]:
        trial.suggest_float("x", 0, 1)
        return score, 3

    study, objective = searched(rated, n_trials=1)
    once = go.pareto_front(study).select().intervals["quality_loss"]
    go.repeat_trials(study, objective, [0])
    assert once is not None
    assert go.pareto_front(study).select().intervals["quality_loss"] == once


def test_trackers_are_told_of_repeats_as_of_trials() -> None:
    """With what they repeat among the attributes; the front has the repeated trial alone."""
    tracker = go.MemoryTracker()
    study, objective = searched(Function(), n_trials=2, trackers=[tracker])
    go.repeat_trials(study, objective, [0])
    assert [record.number for record in tracker.finished] == [0, 1, 2]
    assert tracker.finished[2].user_attrs[REPEAT_OF] == 0
    assert 2 not in go.pareto_front(study).numbers


def test_repeats_make_the_choice_surer() -> None:
    """From one run each, with no probability, to what the runs tell of the two that matter."""
    study, objective = searched(Function(), n_trials=6)
    front = go.pareto_front(study)
    worth = front.worth_repeating()
    assert len(worth.trials) == 2
    go.repeat_trials(study, objective, worth.trials, times=3)
    partly = go.pareto_front(study)
    assert partly.probabilities is None
    assert partly.uncertainty.partly_known
    go.repeat_trials(study, objective, range(6), times=2)
    whole = go.pareto_front(study)
    assert whole.probabilities is not None
    assert all(0 < one <= 1 for one in whole.probabilities.values())
    assert whole.select(min_probability=max(whole.probabilities.values())).probability is not None
    assert not math.isnan(whole.to_dataframe()["quality_loss_low"][0])


def test_the_inference_of_repeats_is_one_sample_too() -> None:
    """Of the runs of all measurements, with their interval."""

    def infers(trial: go.GreenTrial) -> tuple[float, object]:
        return trial.suggest_float("x", 0, 1), sum

    names = ("quality_loss", "inference_kwh")
    study = go.create_study(objectives=names)
    objective = decorate(
        infers,
        objectives=names,
        inference=go.InferenceOptions(inputs=[1, 2, 3], batch_size=1, runs=2, run_s=0.001),
    )
    study.optimize(objective, n_trials=2)
    go.repeat_trials(study, objective, [0], times=2)
    candidates = go.pareto_front(study).candidates
    values = [study.trials[number].values[1] for number in (0, 2, 3)]
    assert candidates.losses[0, 1] == pytest.approx(np.mean(values))
    interval = trial_intervals(candidates.trials[0], names)["inference_kwh"]
    assert interval is not None
    assert (interval.n, interval.mean) == (6, candidates.losses[0, 1])
