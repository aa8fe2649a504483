"""A torch module as it is for inference, and as it was afterwards."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.nn import Module


@contextlib.contextmanager
def in_evaluation(module: Module) -> Iterator[None]:
    """Put a module into evaluation mode, and each part of it back into its own."""
    # Frozen TorchScript has no mode any more, and exported programs refuse to change theirs.
    modes = [(one, one.training) for one in module.modules() if hasattr(one, "training")]
    try:
        if hasattr(module, "training"):
            with contextlib.suppress(NotImplementedError):
                module.eval()
        yield
    finally:
        # By train() where a mode has changed, outer modules first: some do more than to note it,
        # such as layers that merge their adapters' weights for evaluation.
        for one, training in modes:
            if one.training != training:
                with contextlib.suppress(NotImplementedError):
                    one.train(training)
        for one, training in modes:
            one.training = training


@contextlib.contextmanager
def buffers_kept(module: Module) -> Iterator[None]:
    """Put back the buffers that a module has, whatever a call writes or makes of them."""
    import torch
    from torch.nn.parameter import is_lazy

    # Of lazy buffers and those without memory there is nothing to keep; sparse ones, which
    # cannot be compared, are hardly written in place.
    kept = [
        (owner, name, buffer, buffer.detach().clone())
        for owner in module.modules()
        for name, buffer in owner.named_buffers(recurse=False)
        if not is_lazy(buffer) and buffer.layout is torch.strided and not buffer.is_meta
    ]
    try:
        yield
    finally:
        # In inference mode, where those that a model made in it can be written too.
        with torch.inference_mode():
            for owner, name, buffer, before in kept:
                if getattr(owner, name, None) is not buffer:
                    setattr(owner, name, buffer)
                # Written only if need be: a backward pass may be waiting for it unwritten.
                same = (buffer == before) | ((buffer != buffer) & (before != before))  # noqa: PLR0124 - NaN
                if not bool(same.all()):
                    buffer.copy_(before)
