"""The trial that a decorated objective receives: Optuna's own, with reports that work."""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optuna.study import StudyDirection

import green_optuna as go
from green_optuna.record import MAX_STORED_REPORTS, REPORTS_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
MORE_IS_BETTER = go.QualityBounds(0.0, 1.0)
LESS_IS_BETTER = go.QualityBounds(5.0, 0.0)

# What Optuna's own trial takes for a number, as we do.
NUMBERS: tuple[Any, ...] = (
    *(0.5, 1, np.float32(0.5), np.array(0.5), torch.tensor(0.5)),
    *(math.nan, math.inf, -math.inf),
)

decorate = go.green_objective(grid=GRID, meter=METER, trackers=[])


def make_trial(bounds: go.QualityBounds = MORE_IS_BETTER) -> tuple[go.GreenTrial, optuna.Trial]:
    """Wrap an asked trial of a new study, as if it had spent 0.5 kWh in 2 s."""
    trial = go.create_study().ask()
    return go.GreenTrial(trial, bounds=bounds, spent=lambda: (0.5, 2.0)), trial


# One trial, whichever of the two is asked


def test_the_trial_is_an_optuna_trial() -> None:
    """Code that checks for Optuna's own class is content, with the study too."""
    green, _ = make_trial()
    assert isinstance(green, optuna.Trial)
    assert isinstance(green.study, optuna.Study)


def test_what_one_suggests_the_other_has() -> None:
    """Both are one trial: parameters, attributes and constraints are in the study at once."""
    green, trial = make_trial()
    x = green.suggest_float("x", 0, 1)
    y = trial.suggest_categorical("y", ["a", "b"])
    green.set_user_attr("note", "mine")
    green.set_constraint("size", 1.0)
    assert green.params == trial.params == {"x": x, "y": y}
    assert green.number == trial.number == 0
    kept = trial.study.trials[0]
    assert kept.params == {"x": x, "y": y}
    assert kept.user_attrs == green.user_attrs == trial.user_attrs == {"note": "mine"}
    assert kept.constraints == green.constraints == {"size": 1.0}
    assert green.suggest_float("x", 0, 1) == x


class CountingSampler(optuna.samplers.RandomSampler):
    """A sampler that notes what it is asked."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.asked: list[str] = []

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Note it."""
        self.asked.append("before")
        super().before_trial(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Note it."""
        self.asked.append("relative")
        return super().sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:  # noqa: ANN401 - Optuna's signature
        """Note it."""
        self.asked.append(param_name)
        return super().sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: optuna.trial.TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Note it."""
        self.asked.append("after")
        super().after_trial(study, trial, state, values)


def test_the_sampler_runs_once() -> None:
    """Wrapping a trial asks the sampler nothing: each of its methods runs as without us."""
    sampler = CountingSampler()
    study = go.create_study(sampler=sampler)

    @decorate
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        return trial.suggest_float("x", 0, 1) * trial.suggest_float("y", 0, 1), 1

    study.optimize(objective, n_trials=2)
    assert sampler.asked == ["before", "relative", "x", "y", "after"] * 2


# Reports


def reporting(trial: optuna.Trial, *reports: tuple[Any, Any]) -> list[tuple[str, str]]:
    """Report to a trial; give the kind and the text of all that it warns of or raises."""
    said = []
    for value, step in reports:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                trial.report(value, step)
            except Exception as error:
                said.append((type(error).__name__, str(error)))
        said += [(str(warning.category), str(warning.message)) for warning in caught]
    return said


@pytest.mark.parametrize(
    "step", [0, 3, -1, np.int64(2), 2.7, "2", "two", None, [], math.nan, math.inf]
)
@pytest.mark.parametrize("value", [*NUMBERS, None, "half", [], [0.5], object, 1j])
def test_a_report_has_the_manners_of_optunas(value: object, step: object) -> None:
    """What Optuna's own trial of one objective takes, warns of or refuses, ours does alike."""
    green, _ = make_trial()
    reports = [(value, step), (value, step), (0.25, 7)]
    own = optuna.create_study(direction="maximize").ask()
    assert reporting(green, *reports) == reporting(own, *reports)
    kept = own.study.trials[0].intermediate_values
    assert [report.step for report in green.reports] == list(kept)


@pytest.mark.parametrize("value", ["0.9", True])
def test_what_is_no_number_is_not_taken_for_one(value: object) -> None:
    """Here we are stricter than Optuna: a text or a truth value is no quality."""
    green, _ = make_trial()
    with pytest.raises(TypeError, match="supposed to be a float"):
        green.report(value, 0)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(("bounds", "value"), [(MORE_IS_BETTER, 1.5), (LESS_IS_BETTER, 5.5)])
def test_a_report_outside_the_bounds_is_refused(bounds: go.QualityBounds, value: float) -> None:
    """Reports keep to the bounds of the quality, and the error names both."""
    green, _ = make_trial(bounds)
    with pytest.raises(go.QualityError, match=f"{value} lies outside.*{bounds.worst}"):
        green.report(value, 0)
    assert green.reports == ()


def test_a_step_that_was_saved_is_read_at_once() -> None:
    """What a model cost by its step is not that of a reading before it."""
    green = go.GreenTrial(
        go.create_study().ask(),
        bounds=MORE_IS_BETTER,
        spent=lambda: (0.5, 2.0),
        spent_by_now=lambda: (0.6, 2.0),
    )
    green.report(0.5, 0)
    green.report(0.5, 1, checkpoint="1.pt")
    assert [report.energy_kwh for report in green.reports] == [0.5, 0.6]


@given(st.floats(0.0, 5.0), st.sampled_from([LESS_IS_BETTER, go.QualityBounds(0.0, 5.0)]))
def test_a_report_is_kept_as_it_was_given(value: float, bounds: go.QualityBounds) -> None:
    """The quality is not rounded, and stands beside what the trial has spent by then."""
    green, _ = make_trial(bounds)
    green.report(value, 4)
    assert green.reports == (go.Report(4, value, energy_kwh=0.5, t_s=2.0),)


def test_a_step_counts_once() -> None:
    """Of two reports of a step the first stays, as in Optuna, and one warning is given."""
    green, _ = make_trial()
    green.report(0.5, 1)
    with pytest.warns(UserWarning, match="step=1` is already reported") as caught:
        green.report(0.75, 1)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert [report.quality for report in green.reports] == [0.5]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_report_without_a_number_is_kept_without_one(value: float) -> None:
    """It is a NaN for the trackers, and null in the storage, which knows no NaN."""
    green, trial = make_trial()
    green.report(value, 0)
    assert math.isnan(green.reports[0].quality)
    green.store_reports()
    kept = trial.study.trials[0].user_attrs[REPORTS_ATTRIBUTE]
    assert json.loads(json.dumps(kept, allow_nan=False)) == [[0, None, 0.5, 2.0]]


def test_reports_never_stand_where_they_break_the_sampler() -> None:
    """Optuna's own place for reports stays empty: TPE fails on it with several objectives."""

    @decorate
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        trial.report(trial.suggest_float("x", 0, 1), 0)
        return 0.5, 1

    study = go.create_study(sampler=optuna.samplers.TPESampler(n_startup_trials=1))
    study.optimize(objective, n_trials=3)
    assert [trial.intermediate_values for trial in study.trials] == [{}, {}, {}]
    assert [len(trial.user_attrs[REPORTS_ATTRIBUTE]) for trial in study.trials] == [1, 1, 1]


def test_many_reports_are_thinned_in_the_storage_alone() -> None:
    """A tracker gets all of them; Optuna keeps at most 200, the last among them."""
    tracker = go.MemoryTracker()

    @go.green_objective(grid=GRID, meter=METER, trackers=[tracker])
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        for step in range(1001):
            trial.report(step / 1001, step)
        return 0.5, 1

    study = go.create_study()
    study.optimize(objective, n_trials=1)
    assert [report.step for report in tracker.finished[0].reports] == list(range(1001))
    kept = study.trials[0].user_attrs[REPORTS_ATTRIBUTE]
    assert len(kept) <= MAX_STORED_REPORTS == 200
    assert kept[-1][:2] == [1000, 1000 / 1001]


def test_the_energy_of_the_reports_never_decreases() -> None:
    """What a trial has spent only grows, up to what it cost in the end."""
    tracker = go.MemoryTracker()

    @go.green_objective(grid=GRID, meter=METER, trackers=[tracker])
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        for step in range(5):
            trial.report(0.5, step)
        return 0.5, 1

    go.create_study().optimize(objective, n_trials=1)
    record = tracker.finished[0]
    assert record.measurement is not None
    spent = [report.energy_kwh for report in record.reports]
    assert spent == sorted(spent)
    assert spent[0] > 0
    assert spent[-1] <= record.measurement.energy_kwh


def test_without_a_pruner_nothing_is_pruned() -> None:
    """should_prune answers, where Optuna refuses with several objectives."""
    green, trial = make_trial()
    green.report(0.0, 0)
    assert green.should_prune() is False
    with pytest.raises(NotImplementedError):
        trial.should_prune()


# The study as a trial sees it


@pytest.mark.parametrize(
    ("bounds", "direction"),
    [(MORE_IS_BETTER, StudyDirection.MAXIMIZE), (LESS_IS_BETTER, StudyDirection.MINIMIZE)],
)
def test_the_direction_is_that_of_the_quality(
    bounds: go.QualityBounds, direction: StudyDirection
) -> None:
    """A callback that asks gets the direction of what it reports; a sampler gets all three."""
    green, trial = make_trial(bounds)
    assert green.study.direction == direction
    assert green.study.directions == [StudyDirection.MINIMIZE] * 3
    assert trial.study.directions == [StudyDirection.MINIMIZE] * 3
    with pytest.raises(RuntimeError):
        _ = trial.study.direction


@pytest.mark.parametrize("bounds", [MORE_IS_BETTER, LESS_IS_BETTER])
def test_a_sampler_never_sees_the_direction_of_the_quality(bounds: go.QualityBounds) -> None:
    """What is minimised is the loss; a sampler that saw the view would search for the worst."""
    seen = []

    class Asking(optuna.samplers.RandomSampler):
        def sample_independent(self, study: optuna.Study, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Optuna's
            seen.append(study.direction)
            return super().sample_independent(study, *args, **kwargs)

    objective = go.green_objective(
        grid=GRID,
        meter=METER,
        trackers=[],
        objectives=("quality_loss",),
        quality_bounds=bounds,
        n_params=1,
    )(lambda trial: trial.suggest_float("x", 0, 1))
    go.create_study(objectives=("quality_loss",), sampler=Asking()).optimize(objective, n_trials=2)
    assert seen == [StudyDirection.MINIMIZE] * 2


def test_what_is_set_on_the_view_is_set_on_the_study() -> None:
    """The view has no state of its own."""
    green, trial = make_trial()
    green.study.set_user_attr("note", "mine")
    assert trial.study.user_attrs["note"] == "mine"
    assert green.study.study_name == trial.study.study_name
    assert green.study.trials == trial.study.trials


def test_a_trial_can_stop_the_study() -> None:
    """trial.study.stop() ends the optimisation after the running trial."""

    @decorate
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        if trial.number == 1:
            trial.study.stop()
        return 0.5, 1

    study = go.create_study()
    study.optimize(objective, n_trials=10)
    assert len(study.trials) == 2


# What others do with a trial


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    "make_sampler",
    [
        lambda: optuna.samplers.RandomSampler(seed=1),
        lambda: optuna.samplers.TPESampler(seed=1, n_startup_trials=2),
        lambda: optuna.samplers.NSGAIISampler(seed=1, population_size=2),
        lambda: optuna.samplers.NSGAIIISampler(seed=1, population_size=2),
        lambda: optuna.samplers.QMCSampler(seed=1),
        lambda: optuna.samplers.GPSampler(seed=1, n_startup_trials=2),
    ],
    ids=["random", "tpe", "nsga2", "nsga3", "qmc", "gp"],
)
def test_each_sampler_of_optuna_works(
    make_sampler: Callable[[], optuna.samplers.BaseSampler],
) -> None:
    """Beyond its first random trials, with a pruned one, a failed one and reports among them."""

    @decorate
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        quality = trial.suggest_float("quality", 0, 1)
        width = trial.suggest_int("width", 1, 64, log=True)
        trial.report(quality, 0)
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise ZeroDivisionError
        return quality, width

    study = go.create_study(sampler=make_sampler())
    study.optimize(objective, n_trials=6, catch=ZeroDivisionError)
    assert [trial.state.name for trial in study.trials] == [
        *("COMPLETE", "PRUNED", "FAIL"),
        *("COMPLETE", "COMPLETE", "COMPLETE"),
    ]
    for trial in (study.trials[0], *study.trials[3:]):
        assert trial.values[0] == 1 - trial.params["quality"]
        assert trial.values[2] == trial.params["width"]


class BoosterCallback:
    """What pruning callbacks do, such as LightGBM's: check the direction, report, ask, prune."""

    def __init__(self, trial: optuna.Trial, *, higher_is_better: bool) -> None:
        self.trial = trial
        self.higher_is_better = higher_is_better

    def __call__(self, quality: float, iteration: int) -> None:
        """Take the evaluation of one iteration."""
        wanted = StudyDirection.MAXIMIZE if self.higher_is_better else StudyDirection.MINIMIZE
        if self.trial.study.direction != wanted:
            raise ValueError("The direction of the metric is not that of the study.")
        self.trial.report(quality, step=iteration)
        if self.trial.should_prune():
            raise optuna.TrialPruned(f"Trial was pruned at iteration {iteration}.")


@pytest.mark.parametrize(
    ("bounds", "higher_is_better"), [(MORE_IS_BETTER, True), (LESS_IS_BETTER, False)]
)
def test_pruning_callbacks_of_other_libraries_work(
    bounds: go.QualityBounds, higher_is_better: bool
) -> None:
    """They get through a study of three objectives as through one of one."""

    @go.green_objective(grid=GRID, meter=METER, trackers=[], quality_bounds=bounds)
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        callback = BoosterCallback(trial, higher_is_better=higher_is_better)
        for iteration in range(3):
            callback(0.5 + iteration / 10, iteration)
        return 0.5, 1

    study = go.create_study()
    study.optimize(objective, n_trials=1)
    assert [step for step, *_ in study.trials[0].user_attrs[REPORTS_ATTRIBUTE]] == [0, 1, 2]


def test_a_constraint_set_in_the_function_counts_in_the_study() -> None:
    """Trials that violate it are off the front, with Optuna as with us."""

    @decorate
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        width = trial.suggest_int("width", 1, 10)
        trial.set_constraint("width", width - 5)
        return 0.5, width

    study = go.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    study.optimize(objective, n_trials=8)
    assert {trial.params["width"] > 5 for trial in study.trials} == {True, False}
    numbers = go.pareto_front(study).numbers
    assert numbers == tuple(trial.number for trial in study.best_trials)
    assert all(study.trials[number].params["width"] <= 5 for number in numbers)
