"""A trial over a cap is stopped, says why, and samplers learn by how much it is over."""

from __future__ import annotations

import math
import pickle
import time
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.trial import TrialState
from torch import nn

import green_optuna as go
from green_optuna.record import measurement_of
from green_optuna.terms import ATTRIBUTE
from green_optuna.tracking.mlflow.schema import tags

if TYPE_CHECKING:
    from collections.abc import Callable

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
# What 60 W emit in a second, in kg.
KG_A_SECOND = 60.0 / 3.6e6 * 0.25


def search(
    function: Callable[[go.GreenTrial], object],
    pruner: go.Pruner | list[go.Pruner] | None,
    *,
    n_trials: int = 1,
    **options: Any,  # noqa: ANN401 - what the test is about
) -> optuna.Study:
    """Run a study with a pruner."""
    given: dict[str, Any] = {"grid": GRID, "meter": METER, "trackers": []} | options
    decorated = go.green_objective(pruner=pruner, **given)(function)
    study = go.create_study(objectives=decorated.options.objectives)
    study.optimize(decorated, n_trials=n_trials)
    return study


def epochs(trial: go.GreenTrial, *, sleep_s: float = 0.01, n: int = 100) -> tuple[float, int]:
    """Train for so many epochs, which do nothing but take time."""
    for epoch in range(n):
        time.sleep(sleep_s)
        trial.report(0.5, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return 0.5, 10


def test_a_trial_over_its_co2e_is_stopped() -> None:
    """Soon after the cap is exceeded, with the reason in the study and in the trackers."""
    memory = go.MemoryTracker()
    cap_kg = 0.1 * KG_A_SECOND
    study = search(epochs, go.CapPruner(max_co2e_kg=cap_kg), trackers=[memory])
    trial = study.trials[0]
    measurement = measurement_of(trial)
    assert trial.state == TrialState.PRUNED
    assert measurement is not None
    assert measurement.co2e_kg > cap_kg
    reason = trial.user_attrs[ATTRIBUTE]["stopped"]
    assert reason.startswith("CO2e ")
    assert reason.endswith("allowed")
    assert memory.finished[0].stopped == reason
    assert tags(memory.finished[0])["green_optuna.stopped"] == reason


def test_a_trial_within_its_caps_goes_on() -> None:
    """It completes, and its constraints say by how much it is below."""
    pruner = go.CapPruner(max_co2e_kg=1.0, max_n_params=50, max_duration_s=60.0)
    trial = search(lambda trial: epochs(trial, n=3), pruner).trials[0]
    assert trial.state == TrialState.COMPLETE
    assert "stopped" not in trial.user_attrs[ATTRIBUTE]
    constraints = trial.constraints
    assert constraints["green_optuna.cap.n_params"] == -40
    assert constraints["green_optuna.cap.co2e_kg"] == trial.values[1] - 1.0
    assert -60 < constraints["green_optuna.cap.duration_s"] < -59


def test_a_model_with_too_many_parameters_is_not_trained() -> None:
    """It is stopped where the trial is told of it, before the training begins."""
    trained = []

    def function(trial: go.GreenTrial) -> float:
        trial.watch(nn.Linear(9, 9))
        trained.append(trial.number)
        return 0.5

    trial = search(function, go.CapPruner(max_n_params=89)).trials[0]
    assert trial.state == TrialState.PRUNED
    assert trained == []
    assert trial.user_attrs[ATTRIBUTE]["stopped"] == "parameters 90, and 89 allowed"
    assert trial.constraints["green_optuna.cap.n_params"] == 1
    assert search(function, go.CapPruner(max_n_params=90)).trials[0].values[2] == 90


def test_trainable_parameters_are_capped_where_they_count() -> None:
    """What is frozen counts for nothing then."""

    def function(trial: go.GreenTrial) -> float:
        layer = nn.Linear(9, 9)
        layer.weight.requires_grad = False
        trial.watch(layer)
        return 0.5

    pruner = go.CapPruner(max_n_params=9)
    assert search(function, pruner, n_params="trainable").trials[0].state == TrialState.COMPLETE
    assert search(function, pruner).trials[0].state == TrialState.PRUNED


def test_a_number_of_parameters_that_is_given_is_checked_at_the_start() -> None:
    """The function does not run at all."""
    ran = []
    pruner = go.CapPruner(max_n_params=10)
    trial = search(lambda trial: ran.append(trial.number), pruner, n_params=11).trials[0]
    assert (trial.state, ran) == (TrialState.PRUNED, [])


def test_without_a_pruner_nothing_is_stopped() -> None:
    """And no constraint is set."""
    trial = search(lambda trial: epochs(trial, n=3), None).trials[0]
    assert trial.state == TrialState.COMPLETE
    assert trial.constraints == {}


def test_what_the_function_prunes_itself_has_no_reason_of_the_pruners() -> None:
    """The constraints are set all the same."""

    def function(_: go.GreenTrial) -> float:
        time.sleep(0.01)
        raise optuna.TrialPruned

    trial = search(function, go.CapPruner(max_co2e_kg=1.0)).trials[0]
    assert "stopped" not in trial.user_attrs[ATTRIBUTE]
    assert trial.constraints["green_optuna.cap.co2e_kg"] < 0


def test_a_failed_trial_has_its_constraints() -> None:
    """However it ends."""

    def function(_: go.GreenTrial) -> float:
        time.sleep(0.01)
        raise ValueError("mine")

    decorated = go.green_objective(
        grid=GRID, meter=METER, trackers=[], pruner=go.CapPruner(max_duration_s=9.0)
    )(function)
    study = go.create_study()
    study.optimize(decorated, n_trials=1, catch=ValueError)
    assert study.trials[0].constraints["green_optuna.cap.duration_s"] < 0


def test_what_is_over_a_cap_is_on_no_front() -> None:
    """A function that does not ask is not stopped; its trial is infeasible."""
    pruner = go.CapPruner(max_n_params=5)
    study = search(lambda trial: (0.5 + 0.1 * trial.number, 4 + trial.number), pruner, n_trials=3)
    assert go.pareto_front(study, ("quality_loss", "n_params")).numbers == (0, 1)


def test_only_the_first_of_several_runs_is_stopped() -> None:
    """The caps are those of one run: the mean counts, though one of them took longer."""

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        return epochs(trial, n=2, sleep_s=0.7 if trial.run else 0.01)

    trial = search(function, go.CapPruner(max_duration_s=1.3), repeats=3).trials[0]
    assert trial.state == TrialState.COMPLETE
    measurement = measurement_of(trial)
    assert measurement is not None
    assert measurement.duration_s > 1.3
    assert trial.constraints["green_optuna.cap.duration_s"] < 0


def test_trials_side_by_side_are_stopped_each_by_its_own() -> None:
    """In threads, each has its own time."""
    decorated = go.green_objective(
        grid=GRID, meter=METER, trackers=[], pruner=go.CapPruner(max_duration_s=3.0)
    )

    @decorated
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        return epochs(trial, n=3 if trial.number % 2 else 10_000)

    study = go.create_study()
    study.optimize(objective, n_trials=4, n_jobs=4)
    states = {trial.number: trial.state for trial in study.trials}
    assert [states[number] for number in (0, 2)] == [TrialState.PRUNED] * 2
    assert [states[number] for number in (1, 3)] == [TrialState.COMPLETE] * 2


def test_several_pruners_are_asked_each() -> None:
    """Any of them stops the trial; of caps on the same, the lowest is the constraint."""
    caps = [go.CapPruner(max_n_params=50), go.CapPruner(max_n_params=40, max_duration_s=60.0)]

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        trial.watch(nn.Linear(3, 1 if trial.number == 0 else 11))
        return epochs(trial, n=20)

    reachable = go.DominancePruner(best_reachable=0.5)
    first, second = search(function, [*caps, reachable], n_trials=2).trials
    assert first.state == TrialState.COMPLETE
    assert first.constraints["green_optuna.cap.n_params"] == 10 - 40
    assert second.user_attrs[ATTRIBUTE]["stopped"] == "parameters 44, and 40 allowed"
    assert second.constraints["green_optuna.cap.n_params"] == 4

    def slower(trial: go.GreenTrial) -> float:
        return epochs(trial, sleep_s=0.01 * (1 + trial.number), n=30)[0]

    costs = ("quality_loss", "co2e_kg")
    late = search(slower, [*caps, reachable], n_trials=2, objectives=costs).trials[1]
    assert late.user_attrs[ATTRIBUTE]["stopped"].endswith("dominated by trial 0")


@pytest.mark.parametrize(
    ("caps", "said"),
    [
        ({}, "stops nothing"),
        ({"max_co2e_kg": -1.0}, r"max_co2e_kg is -1\.0"),
        ({"max_n_params": math.nan}, "max_n_params is nan"),
        ({"max_duration_s": math.inf}, "max_duration_s is inf"),
        ({"max_n_params": "5"}, "max_n_params is '5'"),
    ],
)
def test_caps_that_are_none_are_refused(caps: dict[str, Any], said: str) -> None:
    """When the pruner is made."""
    with pytest.raises(go.OptionError, match=said):
        go.CapPruner(**caps)


@pytest.mark.parametrize("pruner", [optuna.pruners.MedianPruner(), "cap", 3])
def test_a_pruner_for_one_objective_is_refused(pruner: Any) -> None:  # noqa: ANN401
    """Optuna's own compare one value; the message names one of ours."""
    with pytest.raises(go.OptionError, match="CapPruner"):
        go.green_objective(pruner=pruner)


def test_an_objective_with_a_pruner_pickles() -> None:
    """It goes to another process as it is."""
    decorated = go.green_objective(pruner=go.CapPruner(max_n_params=3))(lambda _: 0.5)
    assert pickle.loads(pickle.dumps(decorated)).options.pruners == (go.CapPruner(max_n_params=3),)
