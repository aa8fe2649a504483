"""The number of parameters of a torch module."""

from __future__ import annotations

from dataclasses import dataclass

from green_optuna.errors import ModelError
from green_optuna.models.calls import as_module, shaped_parameters


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """How many parameters a model has.

    Attributes:
        total: Scalar parameters in all.
        trainable: Those of them that require a gradient.
    """

    total: int
    trainable: int


def count_parameters(model: object) -> ParameterCount:
    """Count the scalar parameters of a torch module, wrapped (``DataParallel``) or not.

    A parameter that several layers share counts once. Buffers, such as the running mean of a
    batch normalisation, are not parameters. What counts is the shape: the device (``meta`` too)
    and the precision do not matter.

    Args:
        model: A ``torch.nn.Module``. A number that is known already has nothing to be counted.

    Raises:
        ModelError: The model is not a torch module, or has a lazy parameter whose shape is not
            known yet.
    """
    module = as_module(model)
    if module is None:
        raise ModelError(_not_a_module(model))
    total = trainable = 0
    for parameter in shaped_parameters(module):
        total += parameter.numel()
        trainable += parameter.numel() if parameter.requires_grad else 0
    return ParameterCount(total=total, trainable=trainable)


def _not_a_module(model: object) -> str:
    kind = type(model)
    if isinstance(model, int) and not isinstance(model, bool):
        return f"{model!r} is a number of parameters already: use it as it is, in place of a model."
    if isinstance(model, type):
        return (
            f"The model is the class {model.__qualname__} itself; pass an instance of it, whose "
            f"parameters can be counted."
        )
    return (
        f"The parameters of an object of type {kind.__module__}.{kind.__qualname__} cannot be "
        f"counted; return a torch.nn.Module or their number (an int) beside the quality, call "
        f"trial.watch(model), or pass n_params=."
    )
