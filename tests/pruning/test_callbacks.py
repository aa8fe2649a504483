"""Pruning callbacks of other libraries work in a decorated objective as they do in a plain one."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest
import skorch
from optuna.trial import TrialState
from optuna_integration import LightGBMPruningCallback, SkorchPruningCallback
from torch import nn

import green_optuna as go
from green_optuna.record import REPORTS_ATTRIBUTE, measurement_of
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from optuna.trial import FrozenTrial

    Function = Callable[[go.GreenTrial], tuple[float, int]]

ROUNDS = 8


@dataclass(frozen=True, slots=True)
class StopAt(go.Pruner):
    """Stops a trial at a step."""

    step: int

    def why_stop(self, progress: go.Progress, history: go.History) -> str | None:  # noqa: ARG002
        """Say at which step it was to stop."""
        reached = max(progress.curve.steps, default=-1)
        return f"step {reached}, and {self.step} allowed" if reached >= self.step else None


def data() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Two classes that a line separates but for some noise, 200 samples of 5 features."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 5)).astype(np.float32)
    classes = (features.sum(axis=1) + rng.normal(size=200) > 0).astype(np.int64)
    return features, classes


def boost(trial: go.GreenTrial, metric: str) -> tuple[float, int]:
    """Train LightGBM for some rounds; it reports the metric on samples that it has not seen."""
    features, classes = data()
    training = lightgbm.Dataset(features[:150], classes[:150])
    model = lightgbm.train(
        {"objective": "binary", "metric": metric, "verbose": -1, "num_threads": 1},
        training,
        num_boost_round=ROUNDS,
        valid_sets=[lightgbm.Dataset(features[150:], classes[150:], reference=training)],
        callbacks=[LightGBMPruningCallback(trial, metric)],
    )
    return float(model.best_score["valid_0"][metric]), model.num_trees()


def cross_validate(trial: go.GreenTrial) -> tuple[float, int]:
    """The same over folds."""
    found: Any = lightgbm.cv(
        {"objective": "binary", "metric": "auc", "verbose": -1, "num_threads": 1},
        lightgbm.Dataset(*data()),
        num_boost_round=ROUNDS,
        nfold=3,
        callbacks=[LightGBMPruningCallback(trial, "auc")],
    )
    return float(found["valid auc-mean"][-1]), ROUNDS


def fit(trial: go.GreenTrial) -> tuple[float, int]:
    """Train a torch module with skorch for some epochs."""
    net = skorch.NeuralNetClassifier(
        nn.Sequential(nn.Linear(5, 2), nn.Softmax(dim=-1)),
        max_epochs=ROUNDS,
        verbose=0,
        callbacks=[SkorchPruningCallback(trial, "valid_acc")],
    )
    net.fit(*data())
    return float(net.history[-1, "valid_acc"]), 12


def boost_with_xgboost(trial: go.GreenTrial) -> tuple[float, int]:
    """Train XGBoost for some rounds."""
    xgboost = importlib.import_module("xgboost")
    from optuna_integration import XGBoostPruningCallback

    features, classes = data()
    scores: dict[str, Any] = {}
    xgboost.train(
        {"objective": "binary:logistic", "eval_metric": "auc", "nthread": 1},
        xgboost.DMatrix(features[:150], classes[:150]),
        num_boost_round=ROUNDS,
        evals=[(xgboost.DMatrix(features[150:], classes[150:]), "valid")],
        evals_result=scores,
        verbose_eval=False,
        callbacks=[XGBoostPruningCallback(trial, "valid-auc")],
    )
    return float(scores["valid"]["auc"][-1]), ROUNDS


FUNCTIONS = [
    pytest.param(lambda trial: boost(trial, "auc"), id="LightGBM"),
    pytest.param(cross_validate, id="LightGBM, folds"),
    pytest.param(fit, id="skorch"),
    pytest.param(
        boost_with_xgboost,
        id="XGBoost",
        # Its usual wheel takes 350 MB; that of xgboost-cpu is not there for every system.
        marks=pytest.mark.skipif(
            importlib.util.find_spec("xgboost") is None, reason="XGBoost is not installed"
        ),
    ),
]


def run(function: Function, pruner: go.Pruner | None = None, **options: Any) -> FrozenTrial:  # noqa: ANN401
    """Run one trial of a study with three objectives."""
    decorated = go.green_objective(
        grid=go.Grid(carbon_intensity_g_per_kwh=50.0),
        meter=go.ReplayMeter(cpu_w=50.0),
        trackers=[],
        pruner=pruner,
        **options,
    )(function)
    study = go.create_study()
    study.optimize(decorated, n_trials=1)
    return study.trials[0]


def reported(trial: FrozenTrial) -> list[int]:
    """Give the steps that a trial reported."""
    return [int(step) for step, *_ in trial.user_attrs[REPORTS_ATTRIBUTE]]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_callback_stops_the_trial_where_the_pruner_says(function: Function) -> None:
    """After the step's report, with the pruner's reason, and without Optuna's own reports."""
    trial = run(function, StopAt(3))
    assert trial.state == TrialState.PRUNED
    assert reported(trial) == [0, 1, 2, 3]
    assert trial.user_attrs[ATTRIBUTE]["stopped"] == "step 3, and 3 allowed"
    measurement = measurement_of(trial)
    assert measurement is not None
    assert measurement.energy_kwh > 0
    assert trial.intermediate_values == {}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_callback_lets_a_trial_without_a_pruner_complete(function: Function) -> None:
    """Each round's quality is kept all the same."""
    trial = run(function)
    assert trial.state == TrialState.COMPLETE
    assert reported(trial) == list(range(ROUNDS))
    # Reported is what the function returned, in the end.
    assert trial.values[0] == pytest.approx(
        1 - trial.user_attrs[REPORTS_ATTRIBUTE][-1][1], abs=1e-6
    )


def test_lightgbm_sees_the_direction_of_the_quality() -> None:
    """Its callback asks the study, and works with an error where lower is better."""

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        return boost(trial, "binary_error")

    assert run(function, quality_bounds=(1, 0)).state == TrialState.COMPLETE
    assert run(function, StopAt(0), quality_bounds=(1, 0)).state == TrialState.PRUNED
    with pytest.raises(ValueError, match="metric to be maximized"):
        run(function)
    with pytest.raises(ValueError, match="metric to be minimized"):
        run(lambda trial: boost(trial, "auc"), quality_bounds=(1, 0))
