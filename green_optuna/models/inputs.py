"""Example inputs of a model: as arguments, on a device, and how many samples they hold."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from green_optuna.errors import OptionError
from green_optuna.scalars import as_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch.nn import Module
    from torch.nn.utils.rnn import PackedSequence


def as_arguments(inputs: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give inputs as the arguments of a call: of a tuple, of a mapping by name, or the one."""
    if isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
        return inputs, {}
    # Of the mappings of other libraries, such as a tokenizer's output, too.
    if isinstance(inputs, Mapping):
        return (), {str(name): value for name, value in inputs.items()}
    return (inputs,), {}


def batch_size_of(values: tuple[object, ...], given: object) -> int:
    """Tell how many samples inputs hold.

    Raises:
        OptionError: What is given is no whole number of 1 or more, or it cannot be told.
    """
    if given is not None:
        count = as_count(given)
        if not count:
            raise OptionError(f"batch_size is {given!r}: give a whole number of 1 or more.")
        return count
    first = next((size for value in values for size in _first_dimensions(value)), None)
    if first:
        return first
    why = "no input has a first dimension" if first is None else "the first input has no sample"
    raise OptionError(
        f"batch_size cannot be told: {why}. Give batch_size=, the number of samples that one call "
        "takes, or inputs that have some."
    )


def _first_dimensions(value: object) -> Iterator[int]:
    """Give how many samples the tensors and arrays in an input hold, in their order."""
    shape = getattr(value, "shape", None)
    if _is_packed(value):
        yield int(value.batch_sizes[0])
    elif shape is not None and len(shape) > 0:
        yield int(shape[0])
    elif type(value) in (list, tuple, dict):
        inside: Any = value
        for one in inside.values() if type(value) is dict else inside:
            yield from _first_dimensions(one)


def devices_of(module: Module) -> Iterator[torch.device]:
    """Give the device of each of a module's tensors, parameters first."""
    for tensor in itertools.chain(module.parameters(), module.buffers()):
        yield tensor.device


def device_of(module: Module) -> torch.device | None:
    """Give the device of a module's first tensor; None where it has none."""
    return next(devices_of(module), None)


def is_tensor(value: object) -> bool:
    """Tell whether a value is a tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _is_packed(value: object) -> TypeGuard[PackedSequence]:
    rnn = sys.modules.get("torch.nn.utils.rnn")
    return rnn is not None and isinstance(value, rnn.PackedSequence)


def to_device(device: torch.device, value: Any) -> Any:  # noqa: ANN401 - whatever a model takes
    """Copy a tensor, or those in a list, tuple or dict, to a device; leave all else."""
    if is_tensor(value) or _is_packed(value):
        return value.to(device)
    if type(value) in (list, tuple):
        return type(value)(to_device(device, one) for one in value)
    if type(value) is dict:
        return {name: to_device(device, one) for name, one in value.items()}
    return value


def shown_input(value: object) -> str:
    """Name an input by its type and shape."""
    shape, kind = getattr(value, "shape", None), type(value).__name__
    dtype = getattr(value, "dtype", None)
    return kind if shape is None else f"{kind} of shape {tuple(shape)}, {dtype}"
