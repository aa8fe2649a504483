"""A copy of a torch module on the processor, as it is now, ready to be stored.

The module imports torch, so that it is imported late.
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from green_optuna.errors import ModelError


def copied_to_cpu(module: nn.Module) -> nn.Module:
    """Copy a module to the processor's memory, in evaluation mode; nothing of it is changed.

    What spreads or compiles it is left out: it is of the machine that trains. No second copy is
    made where the module itself is, whose memory may be short.

    Raises:
        ModelError: It is not whole in this process, has lazy parameters, or is TorchScript's.
    """
    module = _inner(module)
    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError(
            "A module of TorchScript cannot be saved here: pass the module that it was made of."
        )
    # What is in the memo already is taken for the copy of its original, ties among layers too.
    memo: dict[int, object] = {}
    for name, tensor in itertools.chain(
        module.named_parameters(remove_duplicate=False), module.named_buffers()
    ):
        if id(tensor) not in memo:
            memo[id(tensor)] = _on_cpu(name, tensor)
    copied: nn.Module = copy.deepcopy(module, memo)
    for part in [*copied.modules()]:
        for name, child in part.named_children():
            setattr(part, name, _inner(child))
    return copied.eval()


def _on_cpu(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if is_lazy(tensor):
        raise ModelError(
            f"The parameter {name!r} has no shape yet (a lazy layer); run one forward pass before "
            "the model is saved."
        )
    if hasattr(tensor, "full_tensor"):
        raise ModelError(
            f"The parameter {name!r} is spread over several processes: gather the model first, "
            "and save it in one of them."
        )
    moved = tensor.detach().to("cpu", copy=True)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(moved, requires_grad=tensor.requires_grad)
    return moved


def _inner(module: nn.Module) -> nn.Module:
    """Give the module that another one compiles, or spreads over devices or processes.

    Raises:
        ModelError: No process has all of it.
    """
    while True:
        kind = type(module)
        if kind.__name__ == "FullyShardedDataParallel":
            raise ModelError(
                "The model is spread over several processes by FullyShardedDataParallel: gather "
                "it first, and save it in one of them."
            )
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif kind.__name__ == "OptimizedModule" and kind.__module__.startswith("torch._dynamo"):
            module = module._orig_mod  # type: ignore[assignment]
        else:
            return module
