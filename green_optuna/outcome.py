"""What a completed trial came to: objectives, made of what the user's function returned."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, SupportsIndex, TypeAlias

from green_optuna.errors import ModelError, ObjectiveError
from green_optuna.intervals import Interval
from green_optuna.models import count_parameters
from green_optuna.models.calls import module_behind
from green_optuna.scalars import as_count
from green_optuna.scores import RelativeScore
from green_optuna.trial_inference import inference_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.energy import Measurement
    from green_optuna.inference import InferenceCost
    from green_optuna.models import ParameterCount
    from green_optuna.quality import QualityBounds
    from green_optuna.trial import GreenTrial

NParams: TypeAlias = "int | Callable[[GreenTrial], int] | Literal['total', 'trainable']"
"""A number of parameters, a function that gives it, or which of a model's parameters count."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of the user's function came to.

    Attributes:
        quality: The quality that it returned.
        loss: That quality's loss.
        n_params: The number of parameters that counts, if one does.
        parameters: The parameters of its model, where it was a model that was counted.
        loss_interval: How far the loss can be trusted, where the quality came with an interval.
    """

    quality: float
    loss: float
    n_params: int | None
    parameters: ParameterCount | None
    loss_interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a completed trial came to.

    Attributes:
        quality: The quality that the user's function returned, the mean over its runs.
        n_params: The number of parameters that counts, if one does.
        parameters: The parameters of its model, where it was a model that was counted.
        objectives: The values that go to Optuna, by name, in the study's order.
        loss_interval: How far the loss can be trusted, where the function returned a quality with
            an interval. Of several runs that differ, the runs tell.
    """

    quality: float
    n_params: int | None
    parameters: ParameterCount | None
    objectives: dict[str, float]
    loss_interval: Interval | None = None


def read_result(
    returned: object,
    *,
    trial: GreenTrial,
    bounds: QualityBounds,
    n_params: NParams,
    wanted: bool,
) -> Result:
    """Read what the user's function returned.

    Args:
        returned: ``(quality, model)``, ``(quality, n_params)``, or the quality alone; the quality
            a number, an ``Interval`` or a ``RelativeScore``.
        trial: The trial, which may have been told of a model.
        bounds: How a quality becomes a loss.
        n_params: What the decorator was told of the number of parameters.
        wanted: Whether the number of parameters is an objective.

    Raises:
        ObjectiveError: That cannot be done.
    """
    quality, model = _split(returned)
    loss = bounds.loss(quality)
    count, parameters = _size(
        trial.watched if model is None else model, trial=trial, n_params=n_params, wanted=wanted
    )
    return Result(
        bounds.returned(quality), loss, count, parameters, _loss_interval(quality, bounds)
    )


def make_outcome(
    results: Sequence[Result],
    *,
    measurement: Measurement,
    inference: InferenceCost | None,
    objectives: Sequence[str],
) -> Outcome:
    """Make objectives of what the runs of a trial came to: each is the mean over the runs.

    Args:
        results: What each run came to.
        measurement: What all of them cost.
        inference: What the inference of the last run's model costs, where that was asked for.
        objectives: The names of the objectives, in order.

    Raises:
        ModelError: The runs differ in the number of parameters, which is an objective; or an
            objective cannot be told of the model's inference.
    """
    counts = {result.n_params for result in results}
    if len(counts) > 1 and "n_params" in objectives:
        raise ModelError(
            f"The runs of the trial have {[result.n_params for result in results]} parameters: "
            "with the same hyperparameters, each run must build a model of the same size."
        )
    # Exact, so that the mean of equal losses is that loss.
    losses = {result.loss for result in results}
    values = {
        "quality_loss": statistics.mean(result.loss for result in results),
        "co2e_kg": measurement.co2e_per_run_kg,
        "energy_kwh": measurement.energy_per_run_kwh,
        "duration_s": measurement.duration_per_run_s,
        **inference_values(inference, objectives),
    }
    count, parameters = results[-1].n_params, results[-1].parameters
    if len(counts) > 1:
        count = parameters = None
    if count is not None:
        values["n_params"] = count
    return Outcome(
        quality=statistics.mean(result.quality for result in results),
        n_params=count,
        parameters=parameters,
        objectives={name: values[name] for name in objectives},
        # Equal losses may come of the same ratings each time: that is no certainty.
        loss_interval=results[0].loss_interval if len(losses) == 1 else None,
    )


def model_of(returned: object, trial: GreenTrial) -> object:
    """Give the model that a function returned or named, or None; a number of parameters is none."""
    model = _split(returned)[1]
    return trial.watched if model is None or as_count(model) is not None else model


def count_if_model(model: object, n_params: NParams) -> int | None:
    """Count a model's parameters as the objective's options say; None where it cannot be done.

    Args:
        model: What was named as the model.
        n_params: Which of its parameters count, or their number.
    """
    if isinstance(n_params, int):
        return n_params
    module = module_behind(model)
    if module is None or not isinstance(n_params, str):
        return as_count(model)
    try:
        return int(getattr(count_parameters(module), n_params))
    except ModelError:
        return None  # a lazy layer, whose parameters count when the trial ends


def _loss_interval(quality: object, bounds: QualityBounds) -> Interval | None:
    """Give how far the loss can be trusted, where the quality says how far it can be itself."""
    interval = quality.interval if isinstance(quality, RelativeScore) else quality
    return bounds.loss_interval(interval) if isinstance(interval, Interval) else None


def _split(returned: object) -> tuple[object, object]:
    """Take apart what the function returned: the quality, and the model or count beside it."""
    if isinstance(returned, tuple | list):
        if len(returned) != 2:
            raise ObjectiveError(
                f"The objective returned {len(returned)} values: return (quality, model), "
                "(quality, n_params), or the quality alone after trial.watch(model)."
            )
        return returned[0], returned[1]
    return returned, None


def _size(
    model: object, *, trial: GreenTrial, n_params: NParams, wanted: bool
) -> tuple[int | None, ParameterCount | None]:
    """Tell the number of parameters, and the two counts of a model that was counted.

    Raises:
        ModelError: It cannot be told, and is wanted as an objective.
    """
    if isinstance(n_params, int):
        return n_params, None
    if not isinstance(n_params, str):
        return _count(n_params(trial), "n_params"), None
    try:
        if isinstance(model, SupportsIndex):
            return _count(model, "the objective"), None
        module = module_behind(model)
        if module is None and model is not None:
            # A function returned in place of a model: of the one that was named, if any.
            module = module_behind(trial.watched)
        parameters = count_parameters(model if module is None else module)
    except ModelError:
        if wanted:
            raise
        # Nobody asked for it, so it costs no trial.
        return None, None
    return int(getattr(parameters, n_params)), parameters


def _count(given: object, who: str) -> int:
    """Take a number of parameters that the user gave."""
    count = as_count(given)
    if count is None:
        raise ModelError(
            f"{who} gave {given!r} as the number of parameters: give a whole number of 0 or more."
        )
    return count
