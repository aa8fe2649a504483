"""Axes scaled to [0, 1] over the rows: linear, logarithmic or by ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from green_optuna.errors import OptionError
from green_optuna.rules.rows import ROUNDING

if TYPE_CHECKING:
    import numpy.typing as npt

    from green_optuna.rules.rows import Rows

Scale = Literal["linear", "log", "rank"]
"""How an axis is scaled before it is put on [0, 1]: as it is, by log10, or by ranks from 0."""


def check_scale(scale: object) -> None:
    """Check the name of a scale.

    Raises:
        OptionError: There is no such scale.
    """
    if scale not in get_args(Scale):
        raise OptionError(f"scale is {scale!r}: give one of {', '.join(get_args(Scale))}")


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Rows on axes that go from 0, the best of the finite rows, to 1, their worst.

    Attributes:
        points: z in the shape of (n, k); +inf all along a row that has an infinite loss.
        bounds: What was put at 0 and at 1, by objective, in its own unit.
    """

    points: npt.NDArray[np.float64]
    bounds: dict[str, tuple[float, float]]


def scaled(rows: Rows, names: Sequence[str], scale: Scale) -> Scaled:
    """Scale some objectives: z = (f - min) / (max - min), over the rows without an infinite loss.

    An objective that is the same for all of them, but for roundings, is 0 for all: it tells none
    apart.

    Raises:
        OptionError: The scale is logarithmic and a loss is not above 0.
    """
    losses = rows.columns(names)
    finite = np.isfinite(losses).all(axis=1)
    points = np.full(losses.shape, np.inf)
    if not finite.any():
        return Scaled(points, {})
    # A quarter of each, so that no difference overflows.
    coordinates = transformed(losses[finite], names, scale) / 4
    low = coordinates.min(axis=0)
    span = coordinates.max(axis=0) - low
    # Losses that differ by roundings alone, such as means of the same values, tell none apart.
    apart = span > ROUNDING * np.abs(coordinates).max(axis=0)
    points[finite] = np.where(apart, (coordinates - low) / np.where(apart, span, 1.0), 0.0)
    return Scaled(points, bounds_of(losses[finite], names))


def transformed(
    losses: npt.NDArray[np.float64], names: Sequence[str], scale: Scale
) -> npt.NDArray[np.float64]:
    """Give finite losses (n, k) as they are, as their log10, or as their ranks.

    Equal losses have one rank, and ranks have no gaps, so that duplicates change nothing.

    Raises:
        OptionError: The scale is logarithmic and a loss is not above 0.
    """
    if scale == "rank":
        ranks = [np.unique(column, return_inverse=True)[1] for column in losses.T]
        return np.column_stack(ranks).astype(np.float64)
    if scale == "linear":
        return losses
    for name, least in zip(names, losses.min(axis=0).tolist(), strict=True):
        if least <= 0:
            raise OptionError(
                f"scale is 'log', which wants losses above 0, but the least {name} is {least:g}: "
                "give scale='linear' or scale='rank'"
            )
    return np.log10(losses)


def bounds_of(
    losses: npt.NDArray[np.float64], names: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Give the least and the greatest of each objective, in its own unit."""
    ends = zip(losses.min(axis=0).tolist(), losses.max(axis=0).tolist(), strict=True)
    return dict(zip(names, ends, strict=True))
