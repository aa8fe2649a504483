"""Whole studies that stop trials: with every sampler, in threads and in processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.record import REPORTS_ATTRIBUTE, measurement_of
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

ROOT = str(Path(__file__).parents[2])
N_EPOCHS = 8
N_PARAMS = 100

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)

SAMPLERS: dict[str, Callable[[], BaseSampler]] = {
    "tpe": lambda: optuna.samplers.TPESampler(seed=1),
    "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=1, population_size=5),
    "nsga3": lambda: optuna.samplers.NSGAIIISampler(seed=1, population_size=5),
    "qmc": lambda: optuna.samplers.QMCSampler(seed=1),
    "random": lambda: optuna.samplers.RandomSampler(seed=1),
}

# The first trials dominate what comes after them: they are as good as can be, and so much quicker
# that a later one has cost more even where three at a time share the power.
N_GOOD = 3
GOOD = {"best": 0.9, "epoch_ms": 6.0}
GOOD_EPOCH_MS = 1.0


def quality(best: float, epoch: int) -> float:
    """The quality after an epoch: every training gains as much from there on as any other."""
    return best - 0.5 * math.exp(-epoch / 2)


def train(trial: go.GreenTrial) -> tuple[float, int]:
    """Sleep through the epochs, and report after each."""
    best = trial.suggest_float("best", 0.5, 0.9)
    epoch_ms = trial.suggest_float("epoch_ms", 6.0, 10.0)
    for epoch in range(N_EPOCHS):
        time.sleep((GOOD_EPOCH_MS if trial.number < N_GOOD else epoch_ms) / 1e3)
        trial.report(quality(best, epoch), epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return quality(best, N_EPOCHS - 1), N_PARAMS


def search(pruner: go.Pruner, sampler: BaseSampler, *, n_jobs: int = 1) -> optuna.Study:
    """A study of which the first three trials are good ones."""
    decorated = go.green_objective(
        grid=GRID, meter=METER, trackers=[], pruner=pruner, n_params=N_PARAMS
    )(lambda trial: train(trial)[0])
    study = go.create_study(sampler=sampler)
    for _ in range(N_GOOD):
        study.enqueue_trial(GOOD)
    study.optimize(decorated, n_trials=N_GOOD)
    study.optimize(decorated, n_trials=22, n_jobs=n_jobs)
    return study


def assert_stopped_ones_were_dominated(study: optuna.Study) -> None:
    """Each names a trial that has completed and dominates what the stopped one would have been."""
    stopped = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert stopped
    for trial in stopped:
        better = study.trials[int(reason_of(trial).rpartition(" ")[2])]
        measurement = measurement_of(trial)
        assert measurement is not None
        loss = 1.0 - quality(trial.params["best"], N_EPOCHS - 1)
        assert better.state == TrialState.COMPLETE
        assert better.values[0] <= loss + 1e-9
        assert better.values[1] < measurement.co2e_kg
        assert better.values[2] == N_PARAMS == trial.user_attrs[ATTRIBUTE]["n_params"]


def reason_of(trial: FrozenTrial) -> str:
    """Why a trial was stopped."""
    reason: str = trial.user_attrs[ATTRIBUTE]["stopped"]
    return reason


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_what_a_study_stops_was_dominated(sampler: str, n_jobs: int) -> None:
    """With each sampler, one trial after the other and in threads."""
    study = search(go.DominancePruner(min_completed=3), SAMPLERS[sampler](), n_jobs=n_jobs)
    assert len(study.trials) == 25
    assert_stopped_ones_were_dominated(study)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_study_is_halved_at_its_rungs(sampler: str, n_jobs: int) -> None:
    """Trials stop at rungs only, and some go on to the end."""
    study = search(go.ParetoHalvingPruner(eta=2), SAMPLERS[sampler](), n_jobs=n_jobs)
    stopped = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert 0 < len(stopped) < 25
    assert {reason_of(trial).rpartition(" ")[2] for trial in stopped} <= {"1", "2", "4"}
    assert study.trials[0].state == TrialState.COMPLETE


class Asked(go.Pruner):
    """Stops nothing, and keeps what it was told."""

    def __init__(self) -> None:
        self.progress: list[go.Progress] = []

    def why_stop(self, progress: go.Progress, history: go.History) -> None:  # noqa: ARG002
        """Keep it."""
        self.progress.append(progress)


def test_a_pruner_is_told_when_it_was_asked_before() -> None:
    """By the greatest step at that time, so that it decides a rung once."""
    pruner = Asked()

    @go.green_objective(grid=GRID, meter=METER, trackers=[], pruner=pruner)
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        for steps in ((), (0,), (3, 2), (4,)):
            time.sleep(0.01)
            for step in steps:
                trial.report(0.5, step)
            trial.should_prune()
        return 0.5, 10

    go.create_study().optimize(objective, n_trials=1)
    assert [one.asked_step for one in pruner.progress] == [None, None, 0, 3]


def test_a_dominated_model_is_not_trained() -> None:
    """Where a perfect trial has fewer parameters, it is stopped before the training begins."""
    nn = pytest.importorskip("torch.nn")
    trained = []

    @go.green_objective(
        grid=GRID,
        meter=METER,
        trackers=[],
        pruner=go.DominancePruner(best_reachable=0.5),
        objectives=("quality_loss", "n_params"),
    )
    def objective(trial: go.GreenTrial) -> float:
        trial.watch(nn.Linear(trial.number + 1, 1))
        trained.append(trial.number)
        time.sleep(0.01)
        return 0.5

    study = go.create_study(objectives=("quality_loss", "n_params"))
    study.optimize(objective, n_trials=2)
    assert trained == [0]
    reason = reason_of(study.trials[1])
    assert reason == "could reach quality loss 0.5 at best, dominated by trial 0"


WORKER = """
import sys
import green_optuna as go
from tests.pruning.test_studies import GRID, METER, N_PARAMS, train

@go.green_objective(
    grid=GRID, meter=METER, trackers=[], pruner=go.DominancePruner(min_completed=3),
    n_params=N_PARAMS,
)
def objective(trial):
    trial.set_user_attr("worker", sys.argv[2])
    return train(trial)[0]

go.load_study("s", storage=sys.argv[1]).optimize(objective, n_trials=int(sys.argv[3]))
"""


def start_worker(url: str, name: str, n_trials: int) -> subprocess.Popen[str]:
    """A process that runs trials of the study."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, name, str(n_trials)],
        env={**os.environ, "PYTHONPATH": ROOT},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_processes_learn_of_one_anothers_trials(sqlite_url: str) -> None:
    """Two workers stop trials that trials of a third, which has ended, dominate."""
    study = go.create_study("s", storage=sqlite_url)
    for _ in range(N_GOOD):
        study.enqueue_trial(GOOD)
    workers = [start_worker(sqlite_url, "first", N_GOOD)]
    said = [worker.communicate(timeout=120)[1] for worker in workers]
    workers = [start_worker(sqlite_url, name, 10) for name in ("second", "third")]
    said += [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert_stopped_ones_were_dominated(study)
    stopped = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert {trial.user_attrs["worker"] for trial in stopped} == {"second", "third"}
    assert any(int(reason_of(trial).rpartition(" ")[2]) < N_GOOD for trial in stopped)


def test_a_rung_is_decided_once_however_often_the_model_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Naming the model again asks no question anew that was answered."""
    monkeypatch.setattr("green_optuna.trial_pruning.REFRESH_S", 0.0)
    study = go.create_study(objectives=("quality_loss", "n_params"))
    better = optuna.trial.create_trial(
        values=[0.1, 7],
        user_attrs={
            REPORTS_ATTRIBUTE: [[4, 0.9, 1e-6, 1.0], [7, 0.9, 1e-6, 1.0]],
            ATTRIBUTE: {"n_params": 7},
        },
    )

    @go.green_objective(
        grid=GRID,
        meter=METER,
        trackers=[],
        objectives=("quality_loss", "n_params"),
        pruner=go.ParetoHalvingPruner(eta=2, min_step=4),
    )
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        for epoch in range(8):
            time.sleep(0.003)
            trial.watch(7)
            trial.report(0.5, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
            if epoch == 4:
                study.add_trial(better)
        return 0.5, 7

    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE


def test_a_storage_that_is_locked_for_a_moment_costs_no_trial(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The pruner goes by what it knew, which is said."""
    monkeypatch.setattr("green_optuna.trial_pruning.REFRESH_S", 0.0)
    study = go.create_study("s", storage=sqlite_url)

    @go.green_objective(grid=GRID, meter=METER, trackers=[], pruner=go.DominancePruner())
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        time.sleep(0.003)
        trial.report(0.5, 0)

        def locked(*_: object, **__: object) -> None:
            raise optuna.exceptions.StorageInternalError("database is locked")

        with monkeypatch.context() as patch:
            patch.setattr(study._storage, "get_all_trials", locked)
            assert not trial.should_prune()
        return 0.5, 7

    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE
    assert "could not be read" in caplog.text
    assert "database is locked" in caplog.text


@pytest.mark.parametrize("row", [[4, 9.5, 1e-6, 1.0], [2**70, 0.5, 1e-6, 1.0], ["x"]])
def test_a_past_trial_with_reports_that_cannot_be_used_costs_no_other_trial(
    row: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    """What it came to counts all the same."""
    study = go.create_study(objectives=("quality_loss", "n_params"))
    odd = optuna.trial.create_trial(values=[0.1, 7], user_attrs={REPORTS_ATTRIBUTE: [row]})
    study.add_trial(odd)

    @go.green_objective(
        grid=GRID,
        meter=METER,
        trackers=[],
        objectives=("quality_loss", "n_params"),
        pruner=go.DominancePruner(best_reachable=0.5),
    )
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        trial.watch(8)
        return 0.5, 8

    study.optimize(objective, n_trials=1)
    assert study.trials[1].state == TrialState.PRUNED
    assert "trial 0 reported" in caplog.text


def test_a_step_beyond_what_storages_hold_is_refused() -> None:
    """As Optuna's own would refuse it."""

    @go.green_objective(grid=GRID, meter=METER, trackers=[])
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        trial.report(0.5, 2**63 - 1)
        with pytest.raises(ValueError, match="more than storages can hold"):
            trial.report(0.5, 2**63)
        time.sleep(0.003)
        return 0.5, 8

    study = go.create_study()
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE


def test_a_constraint_of_the_functions_own_stays() -> None:
    """Optuna takes each once; the trial's energy is kept in any case."""

    @go.green_objective(
        grid=GRID, meter=METER, trackers=[], pruner=go.CapPruner(max_duration_s=60.0)
    )
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        trial.set_constraint("green_optuna.cap.duration_s", 3.0)
        time.sleep(0.003)
        return 0.5, 8

    study = go.create_study()
    study.optimize(objective, n_trials=1)
    assert study.trials[0].constraints == {"green_optuna.cap.duration_s": 3.0}
    assert measurement_of(study.trials[0]) is not None


def test_a_pruner_without_an_answer_cannot_be_made() -> None:
    """A class of one's own says why to stop."""
    with pytest.raises(TypeError, match="abstract"):
        go.Pruner()  # type: ignore[abstract]
