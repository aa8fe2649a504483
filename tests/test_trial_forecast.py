"""Forecasts through a study: kept with what was pruned, told to trackers, summed in the ledger."""

from __future__ import annotations

import json
import math
import pickle
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import optuna
import pytest

import green_optuna as go
from green_optuna.candidates import entry_of, read_candidates
from green_optuna.record import forecast_from_dict, measurement_of
from green_optuna.terms import ATTRIBUTE
from green_optuna.tracking.series import forecast_points
from green_optuna.tracking.spool.record import record_from_dict, record_to_dict
from green_optuna.tracking.wandb.schema import summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optuna.trial import FrozenTrial

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
EPOCHS = 40


class StopAt(go.Pruner):
    """Stops every trial but the first few at a step."""

    def __init__(self, step: int, *, spared: int = 0) -> None:
        self.step, self.spared = step, spared

    def why_stop(self, progress: go.Progress, history: go.History) -> str | None:  # noqa: ARG002
        """Say so at the step."""
        if progress.number < self.spared or self.step not in progress.curve.steps:
            return None
        return "it is time"


def epochs(trial: go.GreenTrial) -> tuple[float, int]:
    """Train for so many epochs, which do nothing but take 5 ms, with a start-up of five."""
    n = trial.suggest_int("epochs", EPOCHS, EPOCHS)
    time.sleep(0.025)
    for epoch in range(n):
        time.sleep(0.005)
        trial.report(math.nan if epoch == 2 else 0.5, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return 0.5, 10


def search(
    pruner: go.Pruner | None,
    *,
    function: Callable[[go.GreenTrial], object] = epochs,
    n_trials: int = 1,
    **options: Any,  # noqa: ANN401 - what the test is about
) -> optuna.Study:
    """Run a study with a pruner."""
    given: dict[str, Any] = {"grid": GRID, "meter": METER, "trackers": []} | options
    study = go.create_study()
    study.optimize(go.green_objective(pruner=pruner, **given)(function), n_trials=n_trials)
    return study


def kept_of(trial: FrozenTrial) -> go.Forecast:
    """Give the forecast that is kept with a trial."""
    kept = forecast_from_dict(trial.user_attrs[ATTRIBUTE])
    assert kept is not None
    return kept


@pytest.mark.parametrize("total_steps", [EPOCHS, "epochs"])
def test_what_a_pruned_trial_would_have_cost_is_kept(total_steps: int | str) -> None:
    """Beyond what it did, as of its last step, with the steps as the user gave them."""
    trial = search(StopAt(7), total_steps=total_steps).trials[0]
    made, measurement = kept_of(trial), measurement_of(trial)
    assert measurement is not None
    assert (made.step, made.steps_left, made.basis_of_steps) == (7, EPOCHS - 8, "given")
    # A machine that is busy makes steps longer, never shorter.
    assert made.duration_s.mid > 0.025 + 0.005 * EPOCHS
    assert made.energy_kwh.mid > measurement.energy_kwh
    assert made.co2e_kg.mid == pytest.approx(GRID.co2e_kg(made.energy_kwh.mid))


def test_without_a_number_of_steps_the_studys_finished_trials_tell() -> None:
    """Two that ran to the end; a trial before them has no forecast."""
    study = search(StopAt(5, spared=2), n_trials=3)
    assert kept_of(study.trials[2]).basis_of_steps == "finished trials"
    assert kept_of(study.trials[2]).steps_left == EPOCHS - 6
    assert "forecast" not in search(StopAt(5)).trials[0].user_attrs[ATTRIBUTE]


def test_trials_side_by_side_are_forecast_each_by_its_own() -> None:
    """In threads, each has its own steps and costs."""

    def function(trial: go.GreenTrial) -> object:
        trial.suggest_int("n", 10 * trial.number + 10, 10 * trial.number + 10)
        return epochs(trial)

    options: dict[str, Any] = {"grid": GRID, "meter": METER, "trackers": []}
    decorated = go.green_objective(pruner=StopAt(6), total_steps="n", **options)(function)
    study = go.create_study()
    study.optimize(decorated, n_trials=4, n_jobs=4)
    left = {trial.number: kept_of(trial).steps_left for trial in study.trials}
    assert left == {number: 10 * number + 3 for number in range(4)}


def test_what_the_function_prunes_itself_is_forecast_too() -> None:
    """No pruner of ours is needed."""

    def function(trial: go.GreenTrial) -> float:
        for epoch in range(4):
            time.sleep(0.002)
            trial.report(0.5, epoch)
        raise optuna.TrialPruned

    trial = search(None, function=function, total_steps=10).trials[0]
    assert kept_of(trial).steps_left == 6


@pytest.mark.parametrize("name", ["epoch", "kind"])
def test_a_name_that_says_no_number_of_steps_is_warned_of_once(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its trials run on: what they will cost is then told by those that finish."""

    def function(trial: go.GreenTrial) -> object:
        trial.suggest_categorical("kind", ["plain"])
        return epochs(trial)

    study = search(StopAt(4), function=function, n_trials=2, total_steps=name)
    said = [one.getMessage() for one in caplog.records if "total_steps" in one.getMessage()]
    assert len(said) == 1
    assert f"total_steps={name!r} names no hyperparameter" in said[0]
    assert all("forecast" not in trial.user_attrs[ATTRIBUTE] for trial in study.trials)


@pytest.mark.parametrize("given", [0, -1, 2.5, "", True, [3]])
def test_a_number_of_steps_that_is_none_is_refused(given: Any) -> None:  # noqa: ANN401
    """When the objective is decorated."""
    with pytest.raises(go.OptionError, match="total_steps"):
        go.green_objective(total_steps=given)


def test_an_objective_with_a_number_of_steps_pickles() -> None:
    """It goes to another process as it is."""
    decorated = go.green_objective(total_steps="epochs")(lambda _: 0.5)
    assert pickle.loads(pickle.dumps(decorated)).options.total_steps == "epochs"


def test_all_runs_of_a_pruned_trial_would_have_been_made() -> None:
    """The forecast is of one run; what was saved is of all."""
    study = search(StopAt(7), repeats=3, total_steps=EPOCHS)
    made, entry = kept_of(study.trials[0]), entry_of(study.trials[0])
    assert made.runs == 3
    assert entry is not None
    assert entry.energy_kwh is not None
    assert entry.saved_kwh == made.saved_kwh(entry.energy_kwh)
    assert entry.saved_kwh.mid == pytest.approx(3 * made.energy_kwh.mid - entry.energy_kwh)


def test_a_trial_pruned_in_a_later_run_has_no_forecast() -> None:
    """What it has spent is then of several runs, and its reports of the first one."""

    def function(trial: go.GreenTrial) -> object:
        if trial.run == 1:
            raise optuna.TrialPruned
        return epochs(trial)

    trial = search(None, function=function, repeats=3, total_steps=EPOCHS).trials[0]
    assert trial.state == optuna.trial.TrialState.PRUNED
    assert "forecast" not in trial.user_attrs[ATTRIBUTE]


def test_the_ledger_says_what_pruning_saved_and_never_counts_it() -> None:
    """The sum over the pruned trials whose forecast is known; what was spent stays as it is."""
    study = search(StopAt(5, spared=1), n_trials=3, total_steps=EPOCHS)
    ledger = read_candidates(study).ledger
    forecasts = [kept_of(trial) for trial in study.trials[1:]]
    spent = [measurement_of(trial) for trial in study.trials]
    assert ledger.saved is not None
    assert ledger.saved.n_trials == 2
    spent_kwh = [one.energy_kwh for one in spent if one is not None]
    assert ledger.saved.energy_kwh.mid == pytest.approx(
        sum(one.energy_kwh.mid for one in forecasts) - sum(spent_kwh[1:])
    )
    assert ledger.saved.co2e_kg.high == pytest.approx(GRID.co2e_kg(ledger.saved.energy_kwh.high))
    assert ledger.energy_kwh - ledger["overhead"].energy_kwh == pytest.approx(sum(spent_kwh))
    assert "by forecast of 2 pruned trials" in go.pareto_front(study).ledger.summary()


def test_a_study_whose_pruned_trials_have_no_forecast_saved_nothing_known() -> None:
    """Nothing is said of it, rather than nothing saved."""
    ledger = read_candidates(search(StopAt(0), total_steps=EPOCHS)).ledger
    assert ledger["pruned"].n_trials == 1
    assert ledger.saved is None
    assert "saved" not in ledger.summary()


def test_trackers_are_told_while_a_trial_runs_and_when_it_is_pruned() -> None:
    """As points over steps, each with its interval, when the step was reported."""
    memory = go.MemoryTracker(flush_interval_s=0.05)
    search(StopAt(30), total_steps=EPOCHS, trackers=[memory])
    live = [record.forecast for record in memory.progress if record.forecast is not None]
    assert live
    record = memory.finished[0]
    assert record.forecast is not None
    assert {one.steps_left for one in live} != {record.forecast.steps_left}
    points = {point.key: point for point in forecast_points(record)}
    assert points["forecast/co2e_kg"].value == record.forecast.co2e_kg.mid
    assert points["forecast/duration_s_high"].value == record.forecast.duration_s.high
    assert len(points) == 9
    reported_s = next(one.t_s for one in record.reports if one.step == 30)
    at_ms = int((record.started_at + reported_s) * 1000)
    assert {(point.step, point.timestamp_ms) for point in points.values()} == {(30, at_ms)}
    assert points.items() <= {point.key: point for point in go.trial_points(record)}.items()
    assert summary(record)["forecast/energy_kwh_low"] == record.forecast.energy_kwh.low
    assert list(forecast_points(replace(record, forecast=None))) == []


def test_a_completed_trial_keeps_no_forecast() -> None:
    """What it cost is known."""
    memory = go.MemoryTracker(flush_interval_s=0.05)
    study = search(None, total_steps=EPOCHS, trackers=[memory])
    assert memory.finished[0].forecast is None
    assert "forecast" not in study.trials[0].user_attrs[ATTRIBUTE]


def test_a_forecast_goes_through_the_spool() -> None:
    """A tracker that is told later is told the same."""
    memory = go.MemoryTracker()
    search(StopAt(7), total_steps=EPOCHS, trackers=[memory])
    record = memory.finished[0]
    again = record_from_dict(json.loads(json.dumps(record_to_dict(record))))
    assert again.forecast is not None
    assert again.forecast == record.forecast


@pytest.mark.slow
def test_mlflow_has_the_forecast_over_steps(tmp_path: Path) -> None:
    """A point at each step as of which it was told, none of them twice."""
    tracker = go.MLflowTracker(f"sqlite:///{tmp_path}/mlflow.db", flush_interval_s=0.05)
    study = search(StopAt(30), total_steps=EPOCHS, trackers=[tracker])
    from mlflow import MlflowClient

    run_id = study.trials[0].user_attrs[ATTRIBUTE]["run_ids"]["mlflow"]
    found = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_metric_history(
        run_id, "forecast/co2e_kg"
    )
    steps = [point.step for point in found]
    assert steps == sorted(set(steps))
    assert steps[-1] == 30
    assert found[-1].value == kept_of(study.trials[0]).co2e_kg.mid


def test_a_forecast_that_fails_loses_no_measurement(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A storage that is locked for a moment: the trial is kept, told of, and counted."""
    memory = go.MemoryTracker()
    study = go.create_study("s", storage=sqlite_url)

    @go.green_objective(grid=GRID, meter=METER, trackers=[memory], total_steps=EPOCHS)
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        for epoch in range(3):
            time.sleep(0.01)
            trial.report(0.5, epoch)
        raise optuna.TrialPruned

    def locked(*_: object, **__: object) -> None:
        raise optuna.exceptions.StorageInternalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(go.History, "refresh", locked)
        study.optimize(objective, n_trials=1)
    (record,) = memory.finished
    assert record.state == "pruned"
    assert record.measurement is not None
    assert record.forecast is None
    assert go.pareto_front(study).ledger["pruned"].n_trials == 1
    assert "could not be forecast" in caplog.text
