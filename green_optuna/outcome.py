"""What a completed trial came to: objectives, made of what the user's function returned."""

from __future__ import annotations

import operator
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, SupportsIndex, TypeAlias

from green_optuna.errors import ModelError, ObjectiveError
from green_optuna.models import count_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.energy import Measurement
    from green_optuna.models import ParameterCount
    from green_optuna.quality import QualityBounds
    from green_optuna.trial import GreenTrial

NParams: TypeAlias = "int | Callable[[GreenTrial], int] | Literal['total', 'trainable']"
"""A number of parameters, a function that gives it, or which of a model's parameters count."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a completed trial came to.

    Attributes:
        quality: The quality that the user's function returned.
        n_params: The number of parameters that counts, if one does.
        parameters: The parameters of its model, where it was a model that was counted.
        objectives: The values that go to Optuna, by name, in the study's order.
    """

    quality: float
    n_params: int | None
    parameters: ParameterCount | None
    objectives: dict[str, float]


def read_outcome(
    returned: object,
    *,
    trial: GreenTrial,
    measurement: Measurement,
    objectives: Sequence[str],
    bounds: QualityBounds,
    n_params: NParams,
) -> Outcome:
    """Make objectives of what the user's function returned and of what was measured.

    Args:
        returned: ``(quality, model)``, ``(quality, n_params)``, or the quality alone.
        trial: The trial, which may have been told of a model.
        measurement: What the trial cost.
        objectives: The names of the objectives, in order.
        bounds: How a quality becomes a loss.
        n_params: What the decorator was told of the number of parameters.

    Raises:
        ObjectiveError: That cannot be done.
    """
    quality, model = _split(returned)
    loss = bounds.loss(quality)
    count, parameters = _size(
        trial.watched if model is None else model,
        trial=trial,
        n_params=n_params,
        wanted="n_params" in objectives,
    )
    values = {
        "quality_loss": loss,
        "co2e_kg": measurement.co2e_kg,
        "energy_kwh": measurement.energy_kwh,
        "duration_s": measurement.duration_s,
    }
    if count is not None:
        values["n_params"] = count
    return Outcome(
        quality=bounds.returned(quality),
        n_params=count,
        parameters=parameters,
        objectives={name: values[name] for name in objectives},
    )


def as_count(given: object) -> int | None:
    """Give the whole number of 0 or more that an object stands for, or None."""
    if isinstance(given, bool) or not isinstance(given, SupportsIndex):
        return None
    try:
        count = operator.index(given)
    except TypeError:  # an array or a tensor that is no whole number
        return None
    # Optuna keeps floats.
    return count if 0 <= count <= sys.float_info.max else None


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
        parameters = count_parameters(model)
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
