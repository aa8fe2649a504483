"""The model of a trial, saved with its MLflow run: which state of it, when, and if that fails."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
import torch
from mlflow import MlflowClient
from servers import free_port, proxy_of
from torch import nn

import green_optuna as go
from green_optuna.energy import sampler_for
from green_optuna.folders import state_folder
from green_optuna.terms import ATTRIBUTE, read_terms
from green_optuna.tracking import spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow.entities import Run
    from servers import Fate, Server

# The test's own store is MLflow's current one.
pytestmark = pytest.mark.usefixtures("_fluent")

METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)


class Constant(nn.Module):
    """A module of one number, which it says whatever it is given."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Say the number."""
        return self.value + 0 * x

    def set(self, value: float) -> None:
        """Train it."""
        with torch.no_grad():
            self.value.fill_(value)


def run(
    function: Callable[[Any], object],
    *,
    n_trials: int = 1,
    uri: str | None = None,
    trackers: list[go.Tracker] | None = None,
    **options: Any,  # noqa: ANN401 - those of the decorator
) -> optuna.Study:
    """Run a study whose trials are told to MLflow."""
    objective = go.green_objective(
        country="FRA",
        meter=METER,
        trackers=[go.MLflowTracker(uri)] if trackers is None else trackers,
        **options,
    )(function)
    study = go.create_study("s", storage="sqlite:///studies.db")
    study.optimize(objective, n_trials=n_trials, catch=ValueError)
    return study


def kept_of(study: optuna.Study, number: int = 0) -> dict[str, Any] | None:
    """What a study keeps of a trial's model."""
    kept: dict[str, Any] | None = study.trials[number].user_attrs[ATTRIBUTE].get("model")
    return kept


def runs() -> dict[int, Run]:
    """The trials' runs in MLflow, by their numbers."""
    client = MlflowClient()
    found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    tag = "green_optuna.trial"
    return {int(one.data.tags[tag]): one for one in found if tag in one.data.tags}


def value_of(run: Run) -> float | None:
    """The number of the model that was saved with a run; None where there is none."""
    import mlflow.pytorch

    client = MlflowClient()
    outputs = run.outputs.model_outputs if run.outputs else []
    if not outputs:
        return None
    (output,) = outputs
    logged = client.get_logged_model(output.model_id)
    assert (logged.status, logged.source_run_id) == ("READY", run.info.run_id)
    loaded = mlflow.pytorch.load_model(logged.artifact_location)
    return float(loaded.value.detach())


def waiting_files() -> list[Path]:
    """The files of models that wait for a tracker."""
    return [path for path in (state_folder() / "models").rglob("*") if path.is_file()]


def test_the_model_that_is_returned_is_saved_with_its_run() -> None:
    """Each completed trial's run has its model, and nothing of it is left on the way there."""

    def function(trial: optuna.Trial) -> tuple[float, nn.Module]:
        return 0.5, Constant(trial.number + 1.0)

    study = run(function, n_trials=2, save_model=True)
    assert {number: value_of(one) for number, one in runs().items()} == {0: 1.0, 1: 2.0}
    kept = kept_of(study)
    assert kept is not None
    assert (kept["flavor"], kept["form"]) == ("pytorch", "pickle")
    assert runs()[0].data.tags["green_optuna.model"] == "pytorch, as a pickle"
    assert waiting_files() == []


def test_without_being_asked_no_model_is_saved() -> None:
    """A study that saves none has nothing of it anywhere."""
    study = run(lambda _trial: (0.5, Constant(1.0)))
    assert kept_of(study) is None
    assert "green_optuna.model" not in runs()[0].data.tags


def test_the_best_state_of_a_training_can_be_saved() -> None:
    """A model is saved as it was at the last call, whatever is trained or returned after it."""

    def function(trial: go.GreenTrial) -> tuple[float, nn.Module]:
        model = Constant(0.0)
        for value in (0.2, 0.9, 0.4):
            model.set(value)
            if value >= 0.2 and value != 0.4:
                trial.save_model(model)
        return 0.9, model

    run(function, save_model=True)
    assert value_of(runs()[0]) == pytest.approx(0.9)


def test_the_model_that_is_watched_is_saved() -> None:
    """A function that returns its quality alone names its model by `trial.watch`."""

    def function(trial: go.GreenTrial) -> float:
        trial.watch(Constant(7.0))
        return 0.5

    run(function, save_model=True)
    assert value_of(runs()[0]) == 7.0


def test_of_several_runs_the_last_ones_model_is_saved() -> None:
    """It is the one of which inference is measured, too."""

    def function(trial: go.GreenTrial) -> tuple[float, nn.Module]:
        model = Constant(float(trial.run))
        if trial.run == 0:
            trial.save_model(Constant(99.0))
        return 0.5, model

    run(function, save_model=True, repeats=3)
    assert value_of(runs()[0]) == 2.0


class Telling(Constant):
    """A module that notes, as it is copied or pickled, whether a window is open."""

    windows: list[bool] = []  # noqa: RUF012 - one for all copies

    def __getstate__(self) -> dict[str, Any]:
        """Note it."""
        Telling.windows.append(sampler_for(METER).busy)
        return self.__dict__


def test_a_model_is_written_outside_the_measured_window() -> None:
    """No window is open when the model that is returned is copied and written."""
    Telling.windows.clear()
    study = run(lambda _trial: (0.5, Telling(1.0)), save_model=True)
    assert kept_of(study) is not None
    assert len(Telling.windows) >= 2
    assert not any(Telling.windows)


@pytest.mark.parametrize("keep", [False, True])
def test_a_pruned_trials_model_is_saved_only_where_that_is_asked_for(keep: bool) -> None:
    """`keep_pruned` saves it; and of a failed trial nothing is saved."""

    def function(trial: go.GreenTrial) -> float:
        trial.save_model(Constant(5.0), keep_pruned=keep)
        if trial.number == 0:
            raise optuna.TrialPruned
        raise ValueError("no")

    run(function, n_trials=2)
    assert value_of(runs()[0]) == (5.0 if keep else None)
    assert value_of(runs()[1]) is None
    assert waiting_files() == []


def test_a_model_that_cannot_be_saved_costs_no_trial(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and kept with each trial and its run."""

    def function(trial: go.GreenTrial) -> tuple[float, nn.Module]:
        model = Constant(1.0)
        model.lock = threading.Lock()  # type: ignore[assignment]
        return 0.25 * (trial.number + 1), model

    with caplog.at_level(logging.WARNING, logger="green_optuna"):
        study = run(function, n_trials=2, save_model=True)
    assert [trial.values[0] for trial in study.trials] == [0.75, 0.5]
    told = [one.getMessage() for one in caplog.records if "was not saved" in one.getMessage()]
    assert len(told) == 1
    assert "The model of trial 0 was not saved" in told[0]
    assert "cannot pickle '_thread.lock' object" in told[0]
    for number in (0, 1):
        kept = kept_of(study, number)
        assert kept is not None
        assert "cannot pickle" in kept["error"]
        assert runs()[number].data.tags["green_optuna.model"].startswith("not saved: ")
    assert waiting_files() == []
    with pytest.raises(go.RegistryError, match=r"was not saved: .*cannot pickle"):
        go.register(go.pareto_front(study).select(), "m")


def test_where_no_tracker_keeps_models_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A model is not written for nobody."""
    with caplog.at_level(logging.WARNING, logger="green_optuna"):
        study = run(
            lambda _trial: (0.5, Constant(1.0)), trackers=[go.MemoryTracker()], save_model=True
        )
    assert "None of the trackers keeps models: add MLflowTracker()" in caplog.text
    assert kept_of(study) == {
        "error": "None of the trackers keeps models: add MLflowTracker() to trackers=."
    }


def test_a_model_for_a_server_that_is_away_is_kept_and_sent_later(mlflow_uri: str) -> None:
    """Its files wait beside the trial's record; then the trial can be registered all the same."""
    away = f"http://127.0.0.1:{free_port()}"
    study = run(lambda _trial: (0.5, Constant(3.0)), uri=away, save_model=True)
    assert {path.name for path in waiting_files()} >= {"MLmodel"}
    terms = read_terms(study)
    assert terms is not None
    waiting = spool.Spool(spool.path(terms))
    assert len(waiting.entries()) == 1
    selection = go.pareto_front(study).select()
    MlflowClient().create_experiment("another")
    with pytest.raises(go.RegistryError, match="is sent by `green-optuna sync`"):
        go.register(selection, "m")

    done = spool.replay(waiting, spool.MakeAgain(mlflow_uri=mlflow_uri), wait=True)
    assert done.sent.total() == 1
    assert waiting_files() == []
    assert value_of(runs()[0]) == 3.0
    made = go.register(selection, "m", alias="green")
    assert made.run_id == runs()[0].info.run_id


def test_files_that_are_gone_before_they_are_sent_do_not_hold_up_the_record(
    mlflow_uri: str,
) -> None:
    """The record is taken, and its run says that the model is missing."""
    import shutil

    away = f"http://127.0.0.1:{free_port()}"
    study = run(lambda _trial: (0.5, Constant(3.0)), uri=away, save_model=True)
    shutil.rmtree(state_folder() / "models")
    terms = read_terms(study)
    assert terms is not None
    waiting = spool.Spool(spool.path(terms))
    done = spool.replay(waiting, spool.MakeAgain(mlflow_uri=mlflow_uri), wait=True)
    assert done.sent.total() == 1
    run_tags = runs()[0].data.tags
    assert run_tags["green_optuna.model"].startswith("not saved: its files were gone")
    with pytest.raises(go.RegistryError, match="has no model"):
        go.register(go.pareto_front(study).select(), "m")


def test_a_tracker_that_keeps_models_is_given_the_files() -> None:
    """A tracker of one's own finds them in `trial.model.folder`, while it is told of the trial."""

    class Keeping(go.MemoryTracker):
        keeps_models = True
        found: set[str] = set()  # noqa: RUF012 - read below

        def finish_trial(self, trial: go.TrialRecord) -> None:
            assert trial.model is not None
            assert trial.model.folder is not None
            self.found.update(path.name for path in trial.model.folder.iterdir())

    memory = go.MemoryTracker()
    run(
        lambda _trial: (0.5, Constant(1.0)),
        trackers=[Keeping(name="keeping"), memory],
        save_model=True,
    )
    assert "MLmodel" in Keeping.found
    assert waiting_files() == []
    (told,) = memory.finished
    assert told.model is not None
    assert (told.model.flavor, told.model.folder) == ("pytorch", None)


def test_the_option_takes_true_or_false() -> None:
    """What is neither is refused as the function is decorated."""
    with pytest.raises(go.OptionError, match="save_model is 'yes'"):
        go.green_objective(save_model="yes")(lambda _: 1.0)  # type: ignore[call-overload]


def test_a_model_that_the_function_logs_itself_is_not_taken_for_the_trials() -> None:
    """Autologging calls its models by the same name; the one that was asked for is registered."""

    def function(_trial: optuna.Trial) -> tuple[float, nn.Module]:
        import mlflow.sklearn
        from sklearn.dummy import DummyClassifier

        mlflow.sklearn.log_model(
            DummyClassifier().fit([[0], [1]], [0, 1]),
            name="model",
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
        )
        return 0.5, Constant(4.0)

    study = run(function, save_model=True)
    made = go.register(go.pareto_front(study).select(), "m")
    assert made.flavor == "pytorch"
    client = MlflowClient()
    logged = client.get_logged_model(made.model_id)
    assert logged.model_type == "pytorch"
    outputs = runs()[0].outputs
    assert outputs is not None
    assert len(outputs.model_outputs) == 2


@pytest.mark.slow
def test_a_model_whose_upload_is_cut_is_sent_again_whole(server: Server) -> None:
    """Each run has one model in the end, and nothing is left of the first attempt."""
    with proxy_of(server.uri) as proxy:
        refused: list[str] = []

        def fate_of(method: str, path: str) -> Fate:
            if method == "PUT" and path.endswith("model.pth") and not refused:
                refused.append(path)
                return "refuse"
            return "pass"

        proxy.fate_of = fate_of
        run(
            lambda trial: (0.5, Constant(trial.number + 1.0)),
            n_trials=2,
            uri=proxy.uri,
            save_model=True,
        )
    assert len(refused) == 1
    assert waiting_files() == []
    client = MlflowClient()
    for number, one in runs().items():
        assert one.info.status == "FINISHED"
        logged = client.search_logged_models(
            [one.info.experiment_id], filter_string=f"source_run_id = '{one.info.run_id}'"
        )
        assert [model.status for model in logged] == ["READY"]
        made = go.register(
            go.pareto_front(
                optuna.load_study(study_name="s", storage="sqlite:///studies.db")
            ).select(),
            f"m{number}",
            tracking_uri=server.uri,
        )
        assert made.version == 1


class Full(optuna.storages.InMemoryStorage):
    """A storage that takes no result."""

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ANN401
        """Refuse what completes a trial."""
        if key == ATTRIBUTE and value["state"] == "complete":
            raise OSError("no space left")
        super().set_trial_user_attr(trial_id, key, value)


def test_a_result_that_the_storage_refuses_leaves_no_model() -> None:
    """The trial has failed, and a failed one's model is nowhere."""
    objective = go.green_objective(
        country="FRA", meter=METER, trackers=[go.MLflowTracker()], save_model=True
    )(lambda _trial: (0.5, Constant(1.0)))
    study = go.create_study("s", storage=Full())
    study.optimize(objective, n_trials=1, catch=OSError)
    (trial,) = study.trials
    assert trial.state == optuna.trial.TrialState.FAIL
    assert kept_of(study) is None
    assert trial.user_attrs[ATTRIBUTE]["overhead_kwh"]
    assert value_of(runs()[0]) is None
    assert waiting_files() == []
