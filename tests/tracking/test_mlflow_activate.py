"""MLflow's own functions inside the user's function log to the trial's run, and only there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import optuna
import pytest

import green_optuna as go

from .records import GRID, make_record, runs_of, studies_and_trials

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient

    from green_optuna.tracking import Tracker

METER = go.ReplayMeter(cpu_w=50.0)


def make_objective(
    tracker: Tracker, function: Callable[[optuna.Trial], object]
) -> go.GreenObjective:
    """Decorate a function that runs before a quality of one half is returned."""

    @go.green_objective(grid=GRID, meter=METER, trackers=[tracker], n_params=10)
    def objective(trial: optuna.Trial) -> float:
        function(trial)
        return 0.5

    return objective


def log_number(trial: optuna.Trial) -> None:
    """Log the trial's number with MLflow's fluent functions, while others do the same."""
    mlflow.log_param("number", trial.number)
    for step in range(3):
        mlflow.log_metric("mine", trial.number, step=step)
        threading.Event().wait(0.01)
    mlflow.set_tag("mine", trial.number)


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_what_the_user_logs_lands_in_the_run_of_the_trial(
    client: MlflowClient, mlflow_uri: str, n_jobs: int
) -> None:
    """Params, metrics and tags, with threads too; no stray run is made."""
    objective = make_objective(go.MLflowTracker(mlflow_uri), log_number)
    go.create_study("s").optimize(objective, n_trials=8, n_jobs=n_jobs)
    _, trials = studies_and_trials(client)
    for number, run in trials.items():
        assert run.data.params["number"] == str(number)
        assert run.data.tags["mine"] == str(number)
        points = client.get_metric_history(run.info.run_id, "mine")
        assert [point.value for point in points] == [number] * 3
    assert len(runs_of(client)) == 9
    assert client.search_runs(["0"]) == []


@pytest.mark.usefixtures("_fluent")
def test_outside_of_trials_nothing_is_active(client: MlflowClient) -> None:
    """Before, between and after them, MLflow's functions open a run as ever."""
    active: list[object] = []
    objective = make_objective(go.MLflowTracker(), lambda _: active.append(mlflow.active_run()))
    study = go.create_study("s")
    study.optimize(objective, n_trials=2, callbacks=[lambda *_: active.append(mlflow.active_run())])
    _, trials = studies_and_trials(client)
    in_first, between, in_second, after = active
    assert isinstance(in_first, mlflow.ActiveRun)
    assert isinstance(in_second, mlflow.ActiveRun)
    assert in_first.info.run_id == trials[0].info.run_id
    assert in_second.info.run_id == trials[1].info.run_id
    assert (between, after) == (None, None)


@pytest.mark.usefixtures("_fluent")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("n_jobs", [1, 4])
def test_autologging_of_scikit_learn_lands_in_the_run_of_the_trial(
    client: MlflowClient, n_jobs: int
) -> None:
    """Each run has the parameters of its own estimator, with threads too."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
    # MLflow's autologging leaves out a fit that begins while another one runs in the process.
    one_fit = threading.Lock()

    def fit(trial: optuna.Trial) -> None:
        with one_fit:
            linear_model.Ridge(alpha=float(trial.number + 1)).fit(x, y)

    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    try:
        objective = make_objective(go.MLflowTracker(), fit)
        go.create_study("s").optimize(objective, n_trials=4, n_jobs=n_jobs)
    finally:
        mlflow.sklearn.autolog(disable=True)
    _, trials = studies_and_trials(client)
    alphas = {number: run.data.params["alpha"] for number, run in trials.items()}
    assert alphas == {number: str(float(number + 1)) for number in range(4)}
    assert len(runs_of(client)) == 5
    assert all(run.info.status == "FINISHED" for run in trials.values())


@pytest.mark.usefixtures("_fluent")
def test_a_run_that_the_user_opened_round_the_study_is_left_as_it_was(
    client: MlflowClient,
) -> None:
    """It is active again after the trials, still running, and has nothing of theirs."""
    with mlflow.start_run() as outer:
        go.create_study("s").optimize(
            make_objective(go.MLflowTracker(experiment="mine"), log_number), n_trials=2
        )
        active = mlflow.active_run()
        assert active is not None
        assert active.info.run_id == outer.info.run_id
        assert client.get_run(outer.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("after", 1.0)
    stored = client.get_run(outer.info.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.metrics == {"after": 1.0}
    assert stored.data.params == {}


@pytest.mark.usefixtures("_fluent")
@pytest.mark.parametrize("n_jobs", [1, 4])
def test_the_tracking_uri_of_the_user_is_put_back_after_the_trials(
    client: MlflowClient, mlflow_uri: str, tmp_path: object, n_jobs: int
) -> None:
    """A study that is logged elsewhere leaves the user's outer run where it is."""
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.db"
    objective = make_objective(go.MLflowTracker(elsewhere), log_number)
    with mlflow.start_run() as outer:
        go.create_study("s").optimize(objective, n_trials=4, n_jobs=n_jobs)
        assert mlflow.get_tracking_uri() == mlflow_uri
    assert client.get_run(outer.info.run_id).info.status == "FINISHED"
    _, trials = studies_and_trials(mlflow.MlflowClient(elsewhere))
    assert {run.data.tags["mine"] for run in trials.values()} == set("0123")


def test_a_tracking_uri_that_was_not_set_is_not_set_after_the_trials(mlflow_uri: str) -> None:
    """What the environment says of it is as before, for other processes to inherit."""
    objective = make_objective(go.MLflowTracker(mlflow_uri), log_number)
    go.create_study("s").optimize(objective, n_trials=1)
    assert not mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]


def test_without_activation_the_user_opens_runs_of_his_own(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """They are no part of the study, and the trial's run has nothing of them."""

    def open_run(trial: optuna.Trial) -> None:
        assert mlflow.active_run() is None
        own = client.create_run("0")
        client.log_param(own.info.run_id, "number", trial.number)
        client.set_terminated(own.info.run_id)

    objective = make_objective(go.MLflowTracker(mlflow_uri, activate=False), open_run)
    go.create_study("s").optimize(objective, n_trials=2)
    assert len(client.search_runs(["0"])) == 2
    assert not any("number" in run.data.params for run in runs_of(client))


@pytest.mark.usefixtures("_fluent")
@pytest.mark.parametrize("outer", [False, True])
def test_opening_a_run_inside_an_active_one_says_what_to_do(outer: bool) -> None:
    """MLflow's own error is there, with a note on whose run is active, and the ways out."""
    objective = make_objective(go.MLflowTracker(), lambda _: mlflow.start_run())
    study = go.create_study("s")
    if outer:
        mlflow.start_run()
    with pytest.raises(Exception, match="already active") as raised:
        study.optimize(objective, n_trials=1)
    (note,) = raised.value.__notes__
    assert "nested=True" in note
    assert "MLflowTracker(activate=False)" in note
    assert study.trials[0].state == optuna.trial.TrialState.FAIL


def test_other_exceptions_get_no_note(mlflow_uri: str) -> None:
    """What has nothing to do with MLflow is not commented on."""

    def fail(_: optuna.Trial) -> None:
        raise ValueError("is already active")

    with pytest.raises(ValueError, match="is already active") as raised:
        go.create_study("s").optimize(
            make_objective(go.MLflowTracker(mlflow_uri), fail), n_trials=1
        )
    assert not hasattr(raised.value, "__notes__")


@pytest.mark.usefixtures("_fluent")
def test_a_run_that_the_user_ends_is_ended_once_more_in_good_order(client: MlflowClient) -> None:
    """mlflow.end_run() in the function does no harm: the trial has all its figures."""
    objective = make_objective(go.MLflowTracker(), lambda _: mlflow.end_run("KILLED"))
    go.create_study("s").optimize(objective, n_trials=1)
    run = studies_and_trials(client)[1][0]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["quality"] == 0.5


@pytest.mark.usefixtures("_fluent")
def test_a_nested_run_is_a_child_of_the_run_of_the_trial(client: MlflowClient) -> None:
    """A cross-validation may log its folds below the trial."""

    def fold(_: optuna.Trial) -> None:
        with mlflow.start_run(nested=True, run_name="fold"):
            mlflow.log_metric("accuracy", 0.5)

    go.create_study("s").optimize(make_objective(go.MLflowTracker(), fold), n_trials=1)
    runs = {run.info.run_name: run for run in runs_of(client)}
    runs |= {run.info.run_name: run for run in client.search_runs(["0"])}
    assert runs["fold"].data.tags["mlflow.parentRunId"] == runs["trial-0000"].info.run_id


def test_a_run_of_an_unknown_id_activates_nothing(mlflow_uri: str) -> None:
    """Where the run could not be opened, the function runs as if there were no tracker."""
    tracker = go.MLflowTracker(mlflow_uri)
    tracker.start_trial(make_record())
    with tracker.activate("another"):
        assert mlflow.active_run() is None
