"""Dominance, fronts, ranks and hypervolume: arrays in, arrays out.

Every objective is minimised. A row of losses is one trial, a column one objective. Infinite
losses are allowed (a trial that diverged); a NaN has no order, so it is refused.

Dominance is that of Douwes, Esling and Briot, "A multi-objective approach for sustainable
generative audio models" (2021), section 2.4: the minimisation problem is their equation 5, and
one row dominates another when it is nowhere worse and somewhere better. Whether and in which
order rows dominate one another is computed by moocore (https://multi-objective.github.io/moocore/).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from green_optuna.errors import OptionError

# What one volume takes by the number of objectives, in s: a factor, and the power of the number of
# rows that it grows with. Measured on fronts of 100 to 10,000 rows, on one core of a server. Of
# more objectives, it would be hopeless.
_TAKES: Final[Mapping[int, tuple[float, int]]] = MappingProxyType(
    {
        **dict.fromkeys((1, 2, 3), (1e-6, 1)),
        4: (6e-10, 2),
        5: (1.3e-8, 2),
        6: (2.5e-9, 3),
        7: (7e-10, 4),
        8: (1e-10, 5),
    }
)


def as_losses(losses: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Check a table of losses and return it as an array of floats.

    Args:
        losses: Losses in the shape of (n, m): n rows of m objectives, m at least 1. Infinities
            are allowed.

    Returns:
        The same losses, in the shape of (n, m). It may share memory with what was given, so it
        is to be read only.

    Raises:
        OptionError: The losses are not numbers, not in two dimensions, without a column, or one
            of them is NaN; the message names its row.
    """
    table = _as_floats(losses, "losses")
    if table.ndim != 2 or table.shape[1] == 0:
        raise OptionError(
            f"losses has the shape {table.shape}: give one row a trial and one column an "
            "objective, (n, m) with m at least 1"
        )
    missing = np.isnan(table)
    if missing.any():
        row = int(missing.any(axis=1).argmax())
        raise OptionError(
            f"losses has a NaN in row {row}: {table[row].tolist()}; NaN has no order, so "
            "leave such rows out, or give inf for a trial that diverged"
        )
    return table


def dominates(a: npt.ArrayLike, b: npt.ArrayLike) -> bool:
    """Tell whether one row of losses dominates another (section 2.4, on the problem of eq. 5).

    Args:
        a: Losses of the first row, in the shape of (m,).
        b: Losses of the second row, in the shape of (m,).

    Returns:
        True when a is nowhere above b and somewhere below it.

    Raises:
        OptionError: The rows do not have the same length, or hold something else than numbers.
    """
    first, second = _as_floats(a, "a"), _as_floats(b, "b")
    if first.ndim != 1 or first.shape != second.shape:
        raise OptionError(
            f"a has the shape {first.shape} and b {second.shape}: give two rows of the same "
            "objectives, both (m,)"
        )
    first, second = as_losses([first, second])
    return bool(np.all(first <= second) and np.any(first < second))


def dominance(a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which rows of one table dominate which rows of another (section 2.4).

    Args:
        a: Losses in the shape of (n, m), all minimised. n may be 0.
        b: Losses of the same objectives, in the shape of (k, m). k may be 0.

    Returns:
        A mask in the shape of (n, k): True at (i, j) where row i of a dominates row j of b.

    Raises:
        OptionError: The tables do not have the same columns, or are no tables of numbers.
    """
    first, second = as_losses(a), as_losses(b)
    if first.shape[1] != second.shape[1]:
        raise OptionError(
            f"a has the shape {first.shape} and b {second.shape}: give two tables of the same "
            "objectives, (n, m) and (k, m)"
        )
    no_worse = np.ones((len(first), len(second)), dtype=np.bool_)
    better = np.zeros_like(no_worse)
    for ours, theirs in zip(first.T, second.T, strict=True):  # for there are few objectives
        no_worse &= ours[:, np.newaxis] <= theirs
        better |= ours[:, np.newaxis] < theirs
    return no_worse & better


def non_dominated(losses: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which rows are on the Pareto front.

    Equal rows do not dominate one another, so that duplicates of a member are members too, as
    in Optuna's ``study.best_trials``.

    Args:
        losses: Losses in the shape of (n, m), all minimised. n may be 0.

    Returns:
        A mask in the shape of (n,): True where no other row dominates.

    Raises:
        OptionError: The losses are no table of numbers, or one of them is NaN.
    """
    import moocore  # late: its compiled core is not needed to choose from a front

    table = as_losses(losses)
    if not np.isfinite(table).all():
        table = _places(table)
    mask: npt.NDArray[np.bool_] = moocore.is_nondominated(table, keep_weakly=True)
    return mask


def ranks(losses: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Sort rows into successive fronts.

    Rank 0 is the Pareto front; rank k is the front of what is left without the ranks below k.
    Equal rows share a rank.

    Args:
        losses: Losses in the shape of (n, m), all minimised. n may be 0.

    Returns:
        Ranks in the shape of (n,), from 0.

    Raises:
        OptionError: The losses are no table of numbers, or one of them is NaN.
    """
    import moocore

    return np.asarray(moocore.pareto_rank(_places(as_losses(losses))), dtype=np.intp)


def hypervolume(losses: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Measure the volume between a set of rows and a reference point.

    It is the volume of all that at least one row dominates and that is itself better than the
    reference (Zitzler and Thiele 1998, https://doi.org/10.1007/BFb0056872). A row that is not
    below the reference in every objective adds nothing. A row with a loss of -inf that is below
    it makes the volume infinite.

    Args:
        losses: Losses in the shape of (n, m), all minimised. n may be 0.
        reference: The worst losses that count, in the shape of (m,), finite.

    Returns:
        The volume, in the product of the objectives' units; 0 when no row counts.

    Raises:
        OptionError: The losses are no table of numbers, one of them is NaN, or the reference
            does not have one finite number an objective.
    """
    import moocore

    table = as_losses(losses)
    corner = _corner(reference, table)
    inside = table[(table < corner).all(axis=1)]
    if np.isneginf(inside).any():
        return math.inf  # moocore crashes on -inf
    return float(moocore.hypervolume(inside, ref=corner))


def hypervolume_contributions(
    losses: npt.ArrayLike, reference: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Measure how much hypervolume a set of rows would lose without each of them.

    A row that another one dominates, that is given twice, or that is not below the reference in
    every objective, contributes nothing; rows that others dominate are as if they were not there.

    Args:
        losses: Losses in the shape of (n, m), all minimised, finite or +inf. n may be 0.
        reference: The worst losses that count, in the shape of (m,), finite.

    Returns:
        Volumes in the shape of (n,), in the product of the objectives' units.

    Raises:
        OptionError: The losses are no table of numbers, one of them is NaN or -inf, or the
            reference does not have one finite number an objective.
    """
    import moocore

    table = as_losses(losses)
    corner = _corner(reference, table)
    if np.isneginf(table).any():
        raise OptionError("losses has -inf: what a row contributes is then no number")
    volumes = np.zeros(len(table))
    inside = (table < corner).all(axis=1)
    if table.shape[1] == 1:  # moocore wants two: one that is the same for all changes no volume
        table, corner = np.insert(table, 1, 0.0, axis=1), np.append(corner, 1.0)
    if inside.any():  # moocore wants a row
        volumes[inside] = moocore.hv_contributions(table[inside], ref=corner)
    return volumes


def hypervolume_takes_s(n: int, m: int, *, contributions: bool = False) -> float:
    """Estimate what a hypervolume takes, in s, from the sizes alone: the same on each machine.

    Args:
        n: The number of rows, none of which another dominates.
        m: The number of objectives.
        contributions: Whether those of all rows are asked for: beyond three objectives, each takes
            a volume.

    Returns:
        About how long, up to a few times off; infinity where it is hopeless.
    """
    if m not in _TAKES:
        return math.inf
    factor, power = _TAKES[m]
    volumes = n if contributions and m > 3 else 1
    return float(factor * n**power * volumes)


def _corner(reference: npt.ArrayLike, table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    corner = _as_floats(reference, "reference")
    if corner.shape != table.shape[1:] or not np.isfinite(corner).all():
        raise OptionError(
            f"reference is {corner.tolist()}: give one finite number an objective "
            f"({table.shape[1]} in all), worse than every loss that should count"
        )
    return corner


def _as_floats(values: npt.ArrayLike, what: str) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{what} is not an array of numbers: {error}") from error


def _places(losses: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Replace each loss by its place in its column, where one is infinite: 0 for the least.

    Equal losses have one place. Dominance depends on the order within each column only, so nothing
    is lost, and moocore 0.3.2 is wrong on three or more objectives with an infinity, and crashes
    on -inf. Finite losses stay as they are: to sort them takes as long as the front does.
    """
    if np.isfinite(losses).all():
        return losses
    columns = [np.unique(column, return_inverse=True)[1] for column in losses.T]
    return np.column_stack(columns).astype(np.float64)
