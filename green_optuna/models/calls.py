"""One call of a model on example inputs, as inference makes it: what counts and costs are taken of.

A model is a ``torch.nn.Module``, a method of one (``model.generate``), or any other function.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from green_optuna.errors import ModelError
from green_optuna.models.evaluation import buffers_kept, in_evaluation
from green_optuna.models.inputs import (
    as_arguments,
    batch_size_of,
    device_of,
    is_tensor,
    shown_input,
    to_device,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch.nn import Module, Parameter

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
        args, kwargs = as_arguments(inputs)
        size = batch_size_of((*args, *kwargs.values()), batch_size)
        device = None if module is None else device_of(module)
        if device is not None:
            try:
                args = tuple(to_device(device, value) for value in args)
                kwargs = {name: to_device(device, value) for name, value in kwargs.items()}
            except (NotImplementedError, RuntimeError) as error:
                raise ModelError(
                    f"The inputs cannot be copied to {device}, where the model {_named(model)} is: "
                    f"{shown_error(error)}"
                ) from error
        return cls(model, module, args, kwargs, size)

    @property
    def device(self) -> torch.device | None:
        """Where it runs: the module's device, or that of the first tensor among the inputs."""
        if self.module is not None and (device := device_of(self.module)) is not None:
            return device
        return next(
            (value.device for value in (*self.args, *self.kwargs.values()) if is_tensor(value)),
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
                f"The model {self.name} gives {_named(type(given))}, so that a call of it "
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
        cache, a buffer) stays. Random numbers that it draws move torch's generators on: they are
        those of all threads, and to put them back would give another one, which trains
        meanwhile, the same numbers twice. A function is not known to have a module: what it calls
        stays in its own mode. Modes are the module's own, so that a trial that trains the same
        object in another thread would see them change.
        """
        if "torch" not in sys.modules:
            yield
            return
        import torch

        # Not inference_mode: what a model keeps of a call could then not be trained with.
        with torch.no_grad(), contextlib.ExitStack() as undoing:
            if self.module is not None:
                undoing.enter_context(buffers_kept(self.module))
                undoing.enter_context(in_evaluation(self.module))
            yield

    def _shown_inputs(self) -> str:
        named = [(None, value) for value in self.args] + list(self.kwargs.items())
        shown = (f"{name}=" * (name is not None) + shown_input(value) for name, value in named)
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


def module_behind(model: object) -> Module | None:
    """Return the torch module that a model is, or a method or ``functools.partial`` of one."""
    if isinstance(model, functools.partial):
        return module_behind(model.func)
    module = as_module(model)
    return as_module(getattr(model, "__self__", None)) if module is None else module


def _named(model: object) -> str:
    if isinstance(model, functools.partial):
        return _named(model.func)
    known = model if isinstance(model, type) else getattr(model, "__qualname__", None)
    return str(getattr(known, "__qualname__", known) or type(model).__qualname__)
