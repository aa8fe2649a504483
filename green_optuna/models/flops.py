"""Floating-point operations of one inference of a torch model.

Douwes, Esling and Briot (2021, section 4.1) find floating-point operations (FPO, here FLOPs) and
multiply-accumulate operations (MACC) confused in the literature; a MACC is two FLOPs here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from green_optuna.errors import ModelError
from green_optuna.models.calls import Call

if TYPE_CHECKING:
    from green_optuna.models.operations import Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class FlopCount:
    """How many floating-point operations one call of a model takes.

    A multiplication with its addition (a MACC) counts as two operations.

    Attributes:
        total: Operations of one call, all its samples together.
        batch_size: How many samples one call takes.
        by_operation: What the total is made of: operations by the name of torch's operator.
        uncounted: Operators that no formula covers and that may compute much, by name, with the
            times that each ran. The total lacks what they compute.
        elementwise: Operators that do a few operations an element (activations, normalisation,
            pooling, sums), by name, with the elements that each worked on in all. They are not
            counted, as is the custom, and matter where they are not few beside the total.
    """

    total: int
    batch_size: int
    by_operation: Mapping[str, int]
    uncounted: Mapping[str, int]
    elementwise: Mapping[str, int]

    @property
    def per_sample(self) -> float:
        """Operations of one sample; a lower bound where something is uncounted."""
        return self.total / self.batch_size

    def per_sample_or_error(self) -> float:
        """Return the operations of one sample, where that is a figure to compare models by.

        Raises:
            ModelError: Operators ran that may compute much and were not counted, nothing was
                counted at all, or more elements were worked on one by one than operations were
                counted: the model would look cheaper than it is.
        """
        if self.uncounted:
            names = ", ".join(f"{name} ({times}x)" for name, times in self.uncounted.items())
            raise ModelError(
                f"The model's floating-point operations are not all known: beside "
                f"{self.total} that were counted it runs {names}, for which there is no "
                "formula. Give one with torch.utils.flop_counter.register_flop_formula, or use "
                "per_sample as the lower bound that it is."
            )
        elements = sum(self.elementwise.values())
        if self.total == 0 or elements > self.total:
            names = ", ".join(self.elementwise) or "nothing else was seen"
            raise ModelError(
                f"Of the model's floating-point operations {self.total} were counted, all products "
                f"of matrices, beside {elements} elements that are worked on one by one ({names}) "
                "and what it may compute outside torch. Compare such models by their energy."
            )
        return self.per_sample

    def to_dict(self) -> dict[str, Any]:
        """Give the attributes by name, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, count: Mapping[str, Any]) -> Self:
        """Undo :meth:`to_dict`."""
        return cls(**count)


def count_flops(model: object, inputs: object, *, batch_size: int | None = None) -> FlopCount:
    """Count the floating-point operations of one inference, by torch's own formulas.

    The model runs once, in evaluation mode and without gradients; it and its buffers are then as
    before. What is counted are products of matrices, in linear, convolutional and recurrent
    layers and in attention: all of a matrix, also where a mask or padding makes a part of it
    idle; biases are not counted. Of complex numbers, a product counts as one of real ones, and a
    convolution as the three that torch makes of it. Products of sparse matrices are not counted,
    and named. Torch's transformers are counted without their fused fast path, and compiled
    modules as they would run uncompiled. The same counts come out on each device, ``meta`` among
    them.

    A formula of one's own for an operator, given to
    ``torch.utils.flop_counter.register_flop_formula``, is used. What a model does in threads that
    it starts is not seen.

    Args:
        model: A ``torch.nn.Module``, a method of one, or a function that calls one.
        inputs: Positional arguments as a tuple, keyword arguments as a mapping, or else the one
            argument.
        batch_size: How many samples that is; unless given, the length of the first dimension of
            the first tensor among the inputs.

    Raises:
        ModelError: The model runs no operation of torch in this thread, cannot run on these
            inputs, spreads over several GPUs (DataParallel), or has lazy parameters.
        OptionError: The batch size is no whole number of 1 or more, or cannot be told.
    """
    return flops_of(Call.of(model, inputs, batch_size=batch_size))


def flops_of(call: Call) -> FlopCount:
    """Count the floating-point operations of a call, like :func:`count_flops`."""
    call.require_torch()
    from green_optuna.models.operations import Kind, flops_by, kind_of
    from green_optuna.models.watching import tensors_in, watch

    counted: dict[str, int] = {}
    uncounted: dict[str, int] = {}
    elementwise: dict[str, int] = {}

    def listen(
        operator: Operator,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        result: object,
    ) -> None:
        packet = getattr(operator, "overloadpacket", operator)
        name = str(packet)
        flops = flops_by(packet, args, kwargs, result)
        if flops is not None:
            counted[name] = counted.get(name, 0) + flops
            return
        kind = kind_of(operator)
        if kind is Kind.OTHER:
            uncounted[name] = uncounted.get(name, 0) + 1
        elif kind is Kind.ELEMENTWISE:
            tensors = tensors_in((args, kwargs, result))
            elements = max((tensor.numel() for tensor in tensors), default=0)
            elementwise[name] = elementwise.get(name, 0) + elements

    with call.evaluating():
        watch(call, listen)
    return FlopCount(
        total=sum(counted.values()),
        batch_size=call.batch_size,
        by_operation=counted,
        uncounted=uncounted,
        elementwise=elementwise,
    )
