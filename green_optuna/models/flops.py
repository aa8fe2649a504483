"""Floating-point operations of one inference of a torch model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from green_optuna.errors import ModelError
from green_optuna.models.calls import Call


@dataclass(frozen=True, slots=True)
class FlopCount:
    """How many floating-point operations one call of a model takes.

    A multiplication and an addition are two operations (FLOPs), not one (MACC).

    Attributes:
        total: Operations of one call, all its samples together.
        batch_size: How many samples one call takes.
        by_operation: The operations that were counted, by the name of torch's operator.
        uncounted: Operators that did arithmetic that no formula covers, which may be much, by
            name, with how often each ran.
        elementwise: Operators that do a few operations an element, none of them counted, by
            name, with how many elements they worked on.
    """

    total: int
    batch_size: int
    by_operation: Mapping[str, int]
    uncounted: Mapping[str, int]
    elementwise: Mapping[str, int]

    @property
    def per_sample(self) -> float:
        """Operations of one sample."""
        return self.total / self.batch_size

    def per_sample_or_error(self) -> float:
        """Return the operations of one sample, where the count is one that can be compared.

        Raises:
            ModelError: Nothing was counted though the model does arithmetic, or operators were
                not counted that may do much of it.
        """
        if self.uncounted or (self.total == 0 and self.elementwise):
            raise ModelError(f"Not counted: {dict(self.uncounted)}")
        return self.per_sample

    def to_dict(self) -> dict[str, Any]:
        """Give the count as plain data, ready for JSON."""
        return {
            "total": self.total,
            "batch_size": self.batch_size,
            "by_operation": dict(self.by_operation),
            "uncounted": dict(self.uncounted),
            "elementwise": dict(self.elementwise),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Undo :meth:`to_dict`."""
        return cls(**kept)


def count_flops(model: object, inputs: object, *, batch_size: int | None = None) -> FlopCount:
    """Count the floating-point operations of one inference."""
    return flops_of(Call.of(model, inputs, batch_size=batch_size))


def flops_of(call: Call) -> FlopCount:
    """Count the floating-point operations of a call."""
    from torch.utils.flop_counter import FlopCounterMode

    with call.evaluating(), FlopCounterMode(display=False) as counter:
        call()
    counts = counter.get_flop_counts().get("Global", {})
    return FlopCount(
        total=counter.get_total_flops(),
        batch_size=call.batch_size,
        by_operation={str(operation): count for operation, count in counts.items()},
        uncounted={},
        elementwise={},
    )
