"""One call of a model on example inputs, as inference makes it: what counts and costs are taken of.

A model is a ``torch.nn.Module``, a method of one (``model.generate``), or any other function.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from green_optuna.errors import ModelError, OptionError
from green_optuna.scalars import as_count

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch.nn import Module, Parameter
    from torch.nn.utils.rnn import PackedSequence

# Of what a library says when a model fails, so much is told; its traceback has the rest.
_MAX_SAID = 300


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A model and the inputs that it is called on.

    Attributes:
        model: What is called.
        module: The torch module that runs: the model itself, or that of the method; None of any
            other function.
        args: Positional arguments, tensors among them on the module's device.
        kwargs: Keyword arguments, likewise.
        batch_size: How many samples one call takes.
    """

    model: Callable[..., object]
    module: Module | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    batch_size: int

    @classmethod
    def of(cls, model: object, inputs: object, *, batch_size: int | None = None) -> Call:
        """Make a call of a model and its inputs.

        Args:
            model: A torch module, a method of one, or any other function.
            inputs: Positional arguments as a tuple, keyword arguments as a mapping, or else the
                one argument. Tensors that are not on the module's device are copied there.
            batch_size: How many samples that is; unless given, the length of the first dimension
                of the first tensor or array among the inputs.

        Raises:
            ModelError: The model cannot be called, or the inputs not be copied to its device.
            OptionError: The batch size is no whole number of 1 or more, or cannot be told.
        """
        if not callable(model) or isinstance(model, type):
            raise ModelError(
                f"The model is {_named(model)}, which cannot be called on inputs: pass a "
                "torch.nn.Module, or a function such as model.predict."
            )
        module = module_behind(model)
        args, kwargs = _arguments(inputs)
        size = _batch_size((*args, *kwargs.values()), batch_size)
        device = None if module is None else _device_of(module)
        if device is not None:
            try:
                args = tuple(_on(device, value) for value in args)
                kwargs = {name: _on(device, value) for name, value in kwargs.items()}
            except (NotImplementedError, RuntimeError) as error:
                raise ModelError(
                    f"The inputs cannot be copied to {device}, where the model {_named(model)} is: "
                    f"{shown_error(error)}"
                ) from error
        return cls(model, module, args, kwargs, size)

    @property
    def device(self) -> torch.device | None:
        """Where it runs: the module's device, or that of the first tensor among the inputs."""
        if self.module is not None and (device := _device_of(self.module)) is not None:
            return device
        return next(
            (value.device for value in (*self.args, *self.kwargs.values()) if _is_tensor(value)),
            None,
        )

    @property
    def name(self) -> str:
        """What the model is called in messages."""
        return _named(self.model)

    def __call__(self) -> object:
        """Call the model once; whatever it raises comes out as it is."""
        return self.model(*self.args, **self.kwargs)

    def attempt(self, times: int = 1) -> None:
        """Call the model, once or more often, and let go of what each call gives.

        Raises:
            ModelError: It cannot run on these inputs, or a call of it only begins its work.
        """
        try:
            for _ in range(times - 1):
                self()
            given = self()
        except Exception as error:
            raise ModelError(
                f"The model {self.name} cannot run on the inputs given "
                f"({self._shown_inputs()}): {shown_error(error)}"
            ) from error
        self.check_done(given)

    def check_done(self, given: object) -> None:
        """See that a call has done its work, by what it gave.

        Raises:
            ModelError: It only begins it.
        """
        if isinstance(given, Iterator | AsyncIterator | Awaitable):
            if isinstance(given, Coroutine):
                given.close()  # else it would warn that nobody awaits it
            raise ModelError(
                f"The model {_named(self.model)} gives {_named(type(given))}, so that a call of it "
                "only begins its work: pass a function that does all of it, such as "
                "lambda x: list(model(x)), after model.eval()."
            )

    def require_torch(self) -> None:
        """See that the model can be one of torch, whose shapes are all known.

        Raises:
            ModelError: Torch was never imported, or the module has lazy parameters.
        """
        if "torch" not in sys.modules:
            raise ModelError(
                f"The model {self.name} is none of torch, which was never imported: only the "
                "operations and the memory of a torch.nn.Module can be counted."
            )
        if self.module is not None:
            for _ in shaped_parameters(self.module):
                pass

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Put the module as it is for inference: evaluation mode, no gradients; then back.

        Back are also its buffers, which a call may change; what a call makes anew and keeps (a
        cache, a buffer) stays. Random numbers that it draws move
        torch's generators on: they are those of all threads, and to put them back would give
        another one, which trains meanwhile, the same numbers twice. A function is not known to
        have a module: what it calls stays in its own mode. Modes are the module's own, so that
        a trial that trains the same object in another thread would see them change.
        """
        if "torch" not in sys.modules:
            yield
            return
        import torch

        # Not inference_mode: what a model keeps of a call could then not be trained with.
        with torch.no_grad(), contextlib.ExitStack() as undoing:
            if self.module is not None:
                undoing.enter_context(_buffers_kept(self.module))
                undoing.enter_context(_in_evaluation(self.module))
            yield

    def _shown_inputs(self) -> str:
        named = [(None, value) for value in self.args] + list(self.kwargs.items())
        shown = (f"{name}=" * (name is not None) + _shape_of(value) for name, value in named)
        return ", ".join(shown) or "none"


def shown_error(error: BaseException) -> str:
    """Name an error and the beginning of what it says, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_MAX_SAID]}"


def as_module(model: object) -> Module | None:
    """Return the model where it is a torch module; torch is not imported to find out."""
    if sys.modules.get("torch") is None:
        return None  # nobody can have made a module without it
    from torch.nn import Module

    return model if isinstance(model, Module) else None


def shaped_parameters(module: Module) -> Iterator[Parameter]:
    """Go through the parameters of a module, each once though layers may share it.

    Raises:
        ModelError: One is lazy, and has no shape yet.
    """
    from torch.nn.parameter import is_lazy

    for name, parameter in module.named_parameters():
        if is_lazy(parameter):
            raise ModelError(
                f"The parameter {name!r} of {type(module).__qualname__} has no shape yet (a lazy "
                "layer); run one forward pass before anything is counted."
            )
        yield parameter


@contextlib.contextmanager
def _in_evaluation(module: Module) -> Iterator[None]:
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
def _buffers_kept(module: Module) -> Iterator[None]:
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


def module_behind(model: object) -> Module | None:
    """Return the torch module that a model is, or a method or ``functools.partial`` of one."""
    if isinstance(model, functools.partial):
        return module_behind(model.func)
    module = as_module(model)
    return as_module(getattr(model, "__self__", None)) if module is None else module


def _arguments(inputs: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
        return inputs, {}
    # Of the mappings of other libraries, such as a tokenizer's output, too.
    if isinstance(inputs, Mapping):
        return (), {str(name): value for name, value in inputs.items()}
    return (inputs,), {}


def _batch_size(values: tuple[object, ...], given: object) -> int:
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


def _device_of(module: Module) -> torch.device | None:
    tensors = (tensor for group in (module.parameters(), module.buffers()) for tensor in group)
    return next((tensor.device for tensor in tensors), None)


def _is_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _is_packed(value: object) -> TypeGuard[PackedSequence]:
    rnn = sys.modules.get("torch.nn.utils.rnn")
    return rnn is not None and isinstance(value, rnn.PackedSequence)


def _on(device: torch.device, value: Any) -> Any:  # noqa: ANN401 - whatever a model takes
    """Copy a tensor, or those in a list, tuple or dict, to a device; leave all else."""
    if _is_tensor(value) or _is_packed(value):
        return value.to(device)
    if type(value) in (list, tuple):
        return type(value)(_on(device, one) for one in value)
    if type(value) is dict:
        return {name: _on(device, one) for name, one in value.items()}
    return value


def _named(model: object) -> str:
    if isinstance(model, functools.partial):
        return _named(model.func)
    known = model if isinstance(model, type) else getattr(model, "__qualname__", None)
    return str(getattr(known, "__qualname__", known) or type(model).__qualname__)


def _shape_of(value: object) -> str:
    shape, kind = getattr(value, "shape", None), type(value).__name__
    dtype = getattr(value, "dtype", None)
    return kind if shape is None else f"{kind} of shape {tuple(shape)}, {dtype}"
