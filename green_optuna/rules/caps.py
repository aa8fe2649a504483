"""Caps on objectives, and how far the nearest row is from meeting those that none meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from green_optuna.errors import NoModelMeetsCapsError
from green_optuna.rules.ranking import Limit
from green_optuna.rules.rows import Rows
from green_optuna.rules.words import cap_in_words, listed, plain_number


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap as it was given.

    Attributes:
        option: The option's name, for messages.
        objective: The name of the objective.
        value: The most allowed, in the objective's unit.
    """

    option: str
    objective: str
    value: float

    @property
    def limit(self) -> Limit:
        """The cap as what a row must meet."""
        return Limit(self.objective, self.value, "its cap")


def caps_of(pairs: Sequence[tuple[str, float]]) -> tuple[Cap, ...]:
    """Give the caps of an option ``caps``, which holds one an objective."""
    return tuple(Cap(f"caps[{name!r}]", name, value) for name, value in pairs)


def describe_caps(caps: Sequence[Cap]) -> str:
    """Say in one clause what the caps allow; nothing where there are none."""
    return listed(cap_in_words(cap.objective, cap.value) for cap in caps) if caps else ""


def limits_of(caps: Sequence[Cap], rows: Rows) -> tuple[Limit, ...]:
    """Give caps as limits, once a row meets them all.

    Raises:
        NoModelMeetsCapsError: None does; the message says by how much the nearest misses each.
    """
    limits = tuple(cap.limit for cap in caps)
    met = np.ones((len(caps), len(rows)), dtype=np.bool_)
    for row, limit in zip(met, limits, strict=True):
        row[:] = limit.met_by(rows)
    if not met.all(axis=0).any():
        raise NoModelMeetsCapsError(_nearest_misses(caps, met, rows))
    return limits


def _nearest_misses(caps: Sequence[Cap], met: npt.NDArray[np.bool_], rows: Rows) -> str:
    """Say how far each cap (rows of met) is from being met together with the others."""
    misses = []
    for place, cap in enumerate(caps):
        others = np.logical_and.reduce(np.delete(met, place, axis=0), axis=0)
        among = " among those that meet the other caps" if 0 < others.sum() < len(others) else ""
        values = rows.column(cap.objective)
        least = float(values[others].min() if others.any() else values.min())
        miss = f"{least - cap.value:.3g} over" if least > cap.limit.most else "which meets it"
        misses.append(
            f"{cap.option} is {plain_number(cap.value)} and the least{among} is "
            f"{plain_number(least)}, {miss}"
        )
    return f"no model meets the caps: {'; '.join(misses)}. Raise a cap, or run more trials"
