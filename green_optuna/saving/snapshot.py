"""A model as it is at one moment, to be written later."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from green_optuna.errors import ModelError
from green_optuna.models.calls import module_behind, shown_error
from green_optuna.models.inputs import is_tensor

if TYPE_CHECKING:
    import numpy.typing as npt

# By the package that its class, or a base of it, comes from; the first that fits.
_FLAVORS = ("lightgbm", "sklearn")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Snapshot:
    """A model as it is at one moment, on the processor, with example inputs.

    Attributes:
        model: A copy, which no later training changes; None where none could be made.
        flavor: MLflow's name for its kind.
        inputs: The arrays of one call, where its graph is to be stored; empty for itself.
        keep_pruned: Whether it is to be written where its trial is pruned, too.
        error: Why there is no copy; None where there is.
    """

    model: object = None
    flavor: str = ""
    inputs: tuple[npt.NDArray[np.generic], ...] = ()
    keep_pruned: bool = False
    error: str | None = None

    @classmethod
    def of(cls, model: object, *, inputs: object = None, keep_pruned: bool = False) -> Self:
        """Copy a model; where that cannot be done, the snapshot says why.

        Args:
            model: A torch module, or an estimator of scikit-learn or LightGBM.
            inputs: Example inputs of one call of the module: a tensor, an array, or a tuple.
            keep_pruned: Whether it is to be written where its trial is pruned, too.
        """
        try:
            flavor = flavor_of(model)
            arrays = () if inputs is None else _arrays(inputs, flavor)
            copied = _copied(model)
        except Exception as error:
            # Whatever the model's own code raises as it is copied costs no trial.
            said = str(error) if isinstance(error, ModelError) else shown_error(error)
            return cls(error=said, keep_pruned=keep_pruned)
        return cls(model=copied, flavor=flavor, inputs=arrays, keep_pruned=keep_pruned)


def flavor_of(model: object) -> str:
    """Give MLflow's name for a kind of model.

    Raises:
        ModelError: It is none that can be saved.
    """
    if module_behind(model) is not None:
        return "pytorch"
    packages = [base.__module__.partition(".")[0] for base in type(model).__mro__]
    for flavor in _FLAVORS:
        if flavor in packages:
            return flavor
    if model is None:
        raise ModelError(
            "There is no model to be saved: return it beside the quality, or call "
            "trial.watch(model) or trial.save_model(model)."
        )
    raise ModelError(
        f"A model of type {type(model).__qualname__} cannot be saved: pass a torch.nn.Module or an "
        "estimator of scikit-learn or LightGBM, or log it yourself in the function, with MLflow's "
        "own log_model."
    )


def _copied(model: object) -> object:
    module = module_behind(model)
    if module is None:
        return copy.deepcopy(model)
    from green_optuna.saving.modules import copied_to_cpu

    return copied_to_cpu(module)


def _arrays(inputs: object, flavor: str) -> tuple[npt.NDArray[np.generic], ...]:
    """Give example inputs as arrays.

    Raises:
        ModelError: They are none, or of fewer than two samples: the graph would take one only. Or
            the model has no graph.
    """
    if flavor != "pytorch":
        raise ModelError(
            f"inputs= is for torch modules, and the model is one of {flavor}: leave it out."
        )
    given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    arrays = tuple(
        one.detach().cpu().numpy().copy() if is_tensor(one) else np.array(one) for one in given
    )
    if not arrays or any(one.dtype == object or one.ndim == 0 or len(one) < 2 for one in arrays):
        shapes = ", ".join(str(one.shape) for one in arrays) or "nothing"
        raise ModelError(
            f"inputs= is {shapes}: give the tensors or arrays of one call of the model, with two "
            "samples or more, such as inputs=images[:2]."
        )
    return arrays
