"""What intervals stand beside the values of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    return [
        f"With {' and '.join(confidences)} confidence intervals of the mean of {values} values."
    ]
