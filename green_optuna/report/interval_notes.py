"""What intervals stand beside the values of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.terms import OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from green_optuna.intervals import Interval


def interval_notes(intervals: Sequence[Mapping[str, Interval | None]]) -> list[str]:
    """Say in a sentence what intervals stand beside values; nothing where none does.

    Args:
        intervals: Those of each row, by the objective.
    """
    known = [one for each in intervals for one in each.values() if one is not None]
    if not known:
        return []
    confidences = sorted({f"{one.confidence:.0%}" for one in known})
    counts = sorted({one.n for one in known})
    values = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    said = f"With {' and '.join(confidences)} confidence intervals of the mean of {values} values"
    if any(_goes_beyond(name, one) for each in intervals for name, one in each.items()):
        said += " (Student's: of few values, they may reach beyond what is possible)"
    return [f"{said}."]


def _goes_beyond(name: str, interval: Interval | None) -> bool:
    """Tell whether an interval holds values that one of green_optuna's objectives cannot have."""
    if interval is None or name not in OBJECTIVES:
        return False
    return interval.low < 0 or (name == "quality_loss" and interval.high > 1)
