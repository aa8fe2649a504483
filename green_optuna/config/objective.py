"""The objective that a configuration names, with the options that it sets."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from green_optuna.budget import Budget, CarbonBudget
from green_optuna.carbon import Grid
from green_optuna.config.given import given_options
from green_optuna.config.loading import load_function
from green_optuna.energy import MeterOptions
from green_optuna.errors import GridError, OptionError
from green_optuna.inference import InferenceOptions
from green_optuna.objective import GreenObjective, green_objective
from green_optuna.quality import QualityBounds
from green_optuna.terms import check_objectives
from green_optuna.tracking import MLflowTracker, WandbTracker

if TYPE_CHECKING:
    from collections.abc import Callable

    from green_optuna.config.schema import (
        BudgetConfig,
        GridConfig,
        InferenceConfig,
        MeterConfig,
        MLflowConfig,
        RunConfig,
        TrackersConfig,
        WandbConfig,
    )
    from green_optuna.energy import Meter
    from green_optuna.tracking import Tracker


T = TypeVar("T", MLflowTracker, WandbTracker)


def make_objective(config: RunConfig) -> GreenObjective:
    """Load the objective of a configuration and give it the options that the latter sets.

    Args:
        config: Where an option is None, that of the objective's decorator stays, or its
            default where the objective is a plain function.

    Raises:
        OptionError: The objective cannot be loaded, or an option cannot be used.
        GridError: Nobody says where the electricity comes from.
    """
    loaded = load_function(config.objective)
    decorated = loaded if isinstance(loaded, GreenObjective) else green_objective(loaded)
    given = decorated.options
    options = replace(
        given,
        grid=_grid(config.grid, given.grid),
        meter=_meter(config.meter, given.meter),
        trackers=_trackers(config.trackers, given.trackers),
        objectives=given.objectives
        if config.objectives is None
        else check_objectives(config.objectives),
        quality_bounds=given.quality_bounds
        if config.quality_bounds is None
        else QualityBounds.of(config.quality_bounds),
        n_params=given.n_params if config.n_params is None else config.n_params,  # type: ignore[arg-type]  # it is checked there
        repeats=given.repeats if config.repeats is None else config.repeats,
        timeout_s=given.timeout_s if config.timeout_s is None else config.timeout_s,
        save_model=given.save_model if config.save_model is None else config.save_model,
        inference=_inference(config.inference, given.inference),
        total_steps=given.total_steps if config.total_steps is None else config.total_steps,
        pruners=config.pruner.make(given.pruners),
        budgets=_budgets(config.budget, given.budgets),
    )
    return decorated if options == given else GreenObjective(decorated.function, options)


def _grid(config: GridConfig, given: Grid | None) -> Grid:
    options = given_options(config)
    pue = options.pop("pue", 1.0 if given is None else given.pue)
    if options:
        return Grid(**options, pue=pue)
    if given is None:
        try:
            given = Grid.from_environment()
        except GridError as error:
            raise GridError(f"{error} On the command line: grid.country=FRA.") from error
    return Grid.from_dict(given.to_dict() | {"pue": pue})


def _meter(config: MeterConfig, given: MeterOptions | Meter) -> MeterOptions | Meter:
    options = given_options(config)
    if not options:
        return given
    if not isinstance(given, MeterOptions):
        raise OptionError(
            f"meter.{next(iter(options))} is for CodeCarbon, and the objective has a meter of its "
            f"own, {type(given).__name__}: leave the option out, or the meter."
        )
    return replace(given, **options)


def _inference(config: InferenceConfig, given: InferenceOptions | None) -> InferenceOptions | None:
    options = given_options(config)
    if "inputs" in options:
        options["inputs"] = load_function(options["inputs"], "inference.inputs")
    if given is not None:
        return replace(given, **options) if options else given
    if options and "inputs" not in options:
        raise OptionError(
            f"inference.{next(iter(options))} is given, and the inference of nothing is measured: "
            "give inference.inputs=train.py:inputs as well, a function of the model."
        )
    return InferenceOptions(**options) if options else None


def _budgets(config: BudgetConfig, given: tuple[Budget, ...]) -> tuple[Budget, ...]:
    """Give the budgets with the caps that the configuration sets; what else stops it stays."""
    options = given_options(config)
    if not options:
        return given
    ours = next((one for one in given if isinstance(one, CarbonBudget)), None)
    if ours is None:
        return (CarbonBudget(**options), *given)
    return tuple(replace(ours, **options) if one is ours else one for one in given)


def _trackers(config: TrackersConfig, given: tuple[Tracker, ...]) -> tuple[Tracker, ...]:
    trackers = _with_one(
        given, MLflowTracker, given_options(config.mlflow), lambda one: _mlflow(config.mlflow, one)
    )
    return _with_one(
        trackers, WandbTracker, given_options(config.wandb), lambda one: _wandb(config.wandb, one)
    )


def _with_one(
    given: tuple[Tracker, ...],
    kind: type[T],
    options: dict[str, Any],
    changed: Callable[[T], T],
) -> tuple[Tracker, ...]:
    """Give the trackers with the first of a kind changed, or added, or with none of that kind.

    Args:
        given: The decorator's trackers.
        kind: The class of the tracker that is meant.
        options: What the configuration says of it: nothing leaves it as it is.
        changed: Gives one like another, but for what the configuration sets.
    """
    if not options:
        return given
    ours = [tracker for tracker in given if isinstance(tracker, kind)]
    if not options.get("enabled", True):
        return tuple(tracker for tracker in given if tracker not in ours)
    if not ours:
        return (changed(kind()), *given)
    # Where there are several, they are told apart by the decorator alone: the first is meant.
    return tuple(changed(ours[0]) if one is ours[0] else one for one in given)


def _wandb(config: WandbConfig, given: WandbTracker) -> WandbTracker:
    """Make a tracker like the given one, but for what the configuration sets."""
    return WandbTracker(
        given.project if config.project is None else config.project,
        entity=given.entity if config.entity is None else config.entity,
        mode=given.mode if config.mode is None else config.mode,
        folder=given.folder if config.folder is None else config.folder,
        flush_interval_s=given.flush_interval_s,
        name=given.name,
    )


def _mlflow(config: MLflowConfig, given: MLflowTracker) -> MLflowTracker:
    """Make a tracker like the given one, but for what the configuration sets."""
    # A copy has the options alone, and no connection.
    tracker = copy.copy(given)
    if config.activate is not None:
        tracker = MLflowTracker(
            activate=config.activate,
            flush_interval_s=given.flush_interval_s,
            name=given.name,
            report=given.report,
        )
        tracker.uri, tracker.experiment = given.uri, given.experiment
    tracker.uri = tracker.uri if config.uri is None else config.uri
    tracker.experiment = tracker.experiment if config.experiment is None else config.experiment
    tracker.report = tracker.report if config.report is None else config.report
    return tracker
