"""A call of a model, watched operation by operation in the thread that makes it.

The module imports torch, so that it is imported late.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from green_optuna.errors import ModelError
from green_optuna.locks import ProcessLock
from green_optuna.models.calls import Call, shown_error
from green_optuna.models.operations import Operator

Arguments = tuple[object, ...]
# Is told the operator, its arguments, those by name, and its result.
Listener = Callable[[Operator, Arguments, Mapping[str, object], object], None]


class _Listening(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells of each operation that has run, composite ones by their parts.

    In place of torch's ``FlopCounterMode``, which takes operations apart in the same way: that
    has hooks on the modules of all threads while it counts, warns of compiled modules, and
    cannot run ``flex_attention``.
    """

    supports_higher_order_operators = True

    def __init__(self, listener: Listener) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._listener = listener

    def __torch_dispatch__(
        self,
        func: Operator,
        types: Collection[type],
        args: Arguments = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Run the operation, then tell of it."""
        named = kwargs or {}
        # Tensors of other kinds, such as nested ones, have parts of their own for an operation.
        if not types and isinstance(func, torch._ops.OpOverload) and func.namespace == "aten":
            with self:
                result = func.decompose(*args, **named)
            if result is not NotImplemented:
                return result
        result = func(*args, **named)
        self._listener(func, args, named, result)
        return result


class _NoFastPath(TorchFunctionMode):
    """Does nothing, but where it is in force torch's transformers take no fused fast path.

    Theirs is one operator for a whole layer, which hides what happens inside. The switch that
    torch has for it (``torch.backends.mha``) is one for all threads; this is for the caller's.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: Arguments = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Call the function as it would be called."""
        return func(*args, **(kwargs or {}))


_COMPILERS = ("torch._dynamo", "torch.nn.attention.flex_attention")
_stance_lock = ProcessLock()


@contextlib.contextmanager
def _uncompiled() -> Iterator[None]:
    """Run what torch.compile has wrapped as it was written.

    Torch does so by itself where operations are watched, but then marks the function as one that
    is never to be compiled again. The stance is one for all threads: of two that took it at a
    time, one could put back what the other had set.
    """
    if sys.modules.keys().isdisjoint(_COMPILERS):
        yield  # nothing can be compiled, and to import what compiles takes seconds
        return
    with _stance_lock, torch.compiler.set_stance("force_eager"):
        yield


def watch(call: Call, listener: Listener) -> None:
    """Make a call and tell a listener of each operation.

    Raises:
        ModelError: The model cannot run on its inputs, cannot run where it is watched, or runs
            no operation of torch in this thread.
    """
    _refuse_unseen(call)
    seen = False

    def listen(
        operator: Operator,
        args: Arguments,
        kwargs: Mapping[str, object],
        result: object,
    ) -> None:
        nonlocal seen
        seen = True
        listener(operator, args, kwargs, result)

    try:
        with _uncompiled(), _Listening(listen), _NoFastPath():
            call.check_done(call())
    except ModelError:
        raise
    except Exception as error:
        call.attempt()  # says so, where the model itself is what fails
        raise ModelError(
            f"The model {call.name} runs, but not where its operations are watched: "
            f"{shown_error(error)}"
        ) from error
    if not seen:
        raise ModelError(
            f"The model {call.name} ran no operation of torch in this thread, so that nothing "
            "can be counted: pass a torch.nn.Module that computes with tensors, in one thread."
        )


def _refuse_unseen(call: Call) -> None:
    """Refuse modules whose work is not to be seen from here."""
    graph = getattr(call.module, "inlined_graph", None)
    if graph is not None and "mkldnn" in str(graph):
        raise ModelError(
            f"The model {call.name} has been optimised for inference by TorchScript, whose "
            "convolutions run where they cannot be watched: pass the module that it was made of."
        )
    for module in () if call.module is None else call.module.modules():
        if isinstance(module, torch.nn.DataParallel) and len(module.device_ids) > 1:
            raise ModelError(
                f"The model {call.name} spreads over {len(module.device_ids)} devices with "
                "DataParallel, each in a thread that cannot be watched: pass the module inside "
                "it (model.module)."
            )


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    """Go through the tensors in a value: itself, or those in lists, tuples and mappings."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_in(one)
