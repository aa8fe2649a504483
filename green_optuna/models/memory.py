"""The most memory that tensors hold during one inference of a torch model."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from green_optuna.errors import ModelError
from green_optuna.models.calls import Call

if TYPE_CHECKING:
    import torch


def peak_memory_bytes(model: object, inputs: object) -> int:
    """Return the most that tensors hold at once during one inference, in bytes.

    That is the model's parameters and buffers, other tensors that it keeps and uses, its inputs,
    and the most that the results of its operations hold at one time; a storage that several
    tensors share counts once. It is the same on each device, ``meta`` among them, and what else
    runs beside it does not change it. The model runs twice in evaluation mode, without
    gradients; the first time, what it makes once and keeps comes to be.

    What an operator takes for itself while it runs (scratch space of oneDNN and cuDNN), what the
    allocator rounds up or keeps for later, and memory that is not torch's are not in it: a
    device needs more than this, in convolutions and recurrent layers on a CPU up to several
    times what their results hold. Nor is what other threads do for the model. Torch's
    transformers run without their fused fast path, and compiled modules uncompiled.

    Args:
        model: A ``torch.nn.Module``, a method of one, or a function that calls one.
        inputs: Positional arguments as a tuple, keyword arguments as a mapping, or else the one
            argument.

    Raises:
        ModelError: The model runs no operation of torch in this thread, cannot run on these
            inputs, spreads over several GPUs (DataParallel), has lazy parameters, or uses tensors
            without a storage (sparse ones).
    """
    return peak_memory_of(Call.of(model, inputs, batch_size=1))


def peak_memory_of(call: Call) -> int:
    """Return the most that tensors hold at once during a call, like :func:`peak_memory_bytes`."""
    call.require_torch()
    from green_optuna.models.watching import watch

    # Storages that were there before the call, of those it was seen to use; and its own.
    before, held, made = _Storages(), _Storages(), _Storages()
    module = () if call.module is None else (*call.module.parameters(), *call.module.buffers())
    for tensor in _parts_of((module, call.args, call.kwargs)):
        before.add(tensor)
        held.add(tensor)

    def listen_first(_operator: object, *seen: object) -> None:
        for tensor in _parts_of(seen):
            before.add(tensor)

    def listen(_operator: object, *seen: object) -> None:
        for tensor in _parts_of(seen):  # the result last: arguments are there before it
            (held if tensor in before else made).add(tensor)

    with call.evaluating():
        watch(call, listen_first)
        watch(call, listen)
    return held.peak_bytes + made.peak_bytes


class _Storages:
    """The storages of tensors, each for as long as it lives.

    Attributes:
        peak_bytes: The most that those alive at one time held.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._bytes = 0
        self._alive: dict[int, tuple[weakref.ref[object], int]] = {}

    def __contains__(self, tensor: torch.Tensor) -> bool:
        return id(_storage_of(tensor)) in self._alive

    def add(self, tensor: torch.Tensor) -> None:
        """Take a tensor's storage in, or see how large it is by now."""
        storage = _storage_of(tensor)
        key, size = id(storage), storage.nbytes()
        if key in self._alive:
            reference, known = self._alive[key]
        else:
            reference, known = weakref.ref(storage, lambda _: self._drop(key)), 0
        self._alive[key] = reference, size
        self._bytes += size - known
        self.peak_bytes = max(self.peak_bytes, self._bytes)

    def _drop(self, key: int) -> None:
        _, size = self._alive.pop(key)
        self._bytes -= size


def _parts_of(value: object) -> Iterator[torch.Tensor]:
    from green_optuna.models.watching import tensors_in

    for tensor in tensors_in(value):
        # Nested and quantised tensors may be made of several others, and say of which.
        if hasattr(tensor, "__tensor_flatten__"):
            names, _ = tensor.__tensor_flatten__()
            yield from _parts_of([getattr(tensor, name) for name in names])
        else:
            yield tensor


def _storage_of(tensor: torch.Tensor) -> torch.UntypedStorage:
    try:
        # The same object each time, while any tensor has this storage.
        return tensor.untyped_storage()
    except NotImplementedError as error:
        raise ModelError(
            f"The memory of a tensor with the layout {tensor.layout} cannot be told: its values "
            "are in no storage of its own. Only models with dense tensors have a known peak."
        ) from error
