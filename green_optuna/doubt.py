"""How probable it is that a row is on the front, where losses have errors: arrays in, arrays out.

A loss that is the mean of a few values is known up to an error, and so is the front. The true
losses are drawn many times from what is known of them, and a row's probability of being
non-dominated is the share of the draws in which it is on the front.

The error model: a true loss lies about the mean as ``mean + scale * T``, where scale is the mean's
standard error and T has Student's distribution with n - 1 degrees of freedom, n being the number of
values. That is how Student's interval comes about, and what is believed of the mean of normal
values of unknown spread after seeing them (Box and Tiao, Bayesian Inference in Statistical Analysis
(1973), section 2.4.2). Errors of two rows are independent, and those of two columns, unless one
column is a multiple of the other (CO2e of energy). A scale of 0 is a loss that is known exactly.
Where losses are costs, what would be drawn below 0 is reflected there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from green_optuna import pareto
from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_DRAWS, LEAST_DRAWS = 1_000, 200
"""How often losses are drawn: of up to 2,000 rows, and of 10,000 or more. At 200 draws, a share is
off by 0.035 at most (one standard error); at 1,000, by 0.016."""


def n_draws(n_rows: int) -> int:
    """Give how often the losses of so many rows are drawn, so that it takes about as long."""
    return max(LEAST_DRAWS, min(MOST_DRAWS, MOST_DRAWS * 2_000 // max(n_rows, 1)))


def draw_losses(
    losses: npt.ArrayLike,
    scales: npt.ArrayLike,
    degrees: npt.ArrayLike,
    *,
    like: Sequence[int] | None = None,
    non_negative: bool = False,
    draws: int | None = None,
    seed: int = 0,
) -> Iterator[npt.NDArray[np.float64]]:
    """Draw what the true losses may be; the same arguments give the same draws.

    Args:
        losses: The means in the shape of (n, m), all minimised. Those of scale 0 may be infinite.
        scales: Their standard errors, 0 or more, in the same shape and units.
        degrees: Their degrees of freedom, 1 or more, in the same shape; unused where a scale is 0.
        like: For each of the m columns, the column whose errors it shares, standard errors apart;
            its own number for errors of its own. All of their own unless given.
        non_negative: Whether none can be below 0, so that what is drawn there is reflected.
        draws: How many; what :func:`n_draws` says unless given.
        seed: Of the random numbers.

    Yields:
        Losses in the shape of (n, m), one after the other.

    Raises:
        OptionError: The arrays do not fit together, or a scale or degree cannot be.
    """
    means = pareto.as_losses(losses)
    errors, freedom = _checked(means, scales, degrees)
    columns = range(means.shape[1])
    shared = list(columns) if like is None else list(like)
    if len(shared) != len(columns) or any(shared[one] != one for one in shared):
        raise OptionError(
            f"like is {shared}: give one of the {len(columns)} columns a column, one that has "
            "errors of its own"
        )
    generator = np.random.default_rng(seed)
    uncertain = [np.flatnonzero(errors[:, column]) for column in columns]
    for _ in range(n_draws(len(means)) if draws is None else draws):
        students = np.zeros_like(means)
        for column in columns:
            rows = uncertain[column]
            if shared[column] == column:
                students[rows, column] = generator.standard_t(freedom[rows, column])
        drawn = means + errors * students[:, shared]
        yield np.where(errors > 0, np.abs(drawn), drawn) if non_negative else drawn


def probabilities(
    losses: npt.ArrayLike,
    scales: npt.ArrayLike,
    degrees: npt.ArrayLike,
    *,
    like: Sequence[int] | None = None,
    non_negative: bool = False,
    draws: int | None = None,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Give each row's probability of being non-dominated: its share of the draws.

    Args:
        losses: As for :func:`draw_losses`, and so are the others.
        scales: The standard errors.
        degrees: The degrees of freedom.
        like: The columns that share errors.
        non_negative: Whether none can be below 0.
        draws: How many.
        seed: Of the random numbers.

    Returns:
        Probabilities in the shape of (n,).

    Raises:
        OptionError: The arrays do not fit together, or a scale or degree cannot be.
    """
    total = n_draws(len(pareto.as_losses(losses))) if draws is None else draws
    drawn = draw_losses(
        losses, scales, degrees, like=like, non_negative=non_negative, draws=total, seed=seed
    )
    counts = sum((pareto.non_dominated(one).astype(np.int64) for one in drawn), np.int64(0))
    return np.asarray(counts, dtype=np.float64) / total


def winning_shares(
    losses: npt.ArrayLike,
    scales: npt.ArrayLike,
    degrees: npt.ArrayLike,
    *,
    choose: Callable[[npt.NDArray[np.float64]], int | None],
    like: Sequence[int] | None = None,
    non_negative: bool = False,
    draws: int | None = None,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Give the share of the draws in which a choice falls on each row.

    Args:
        losses: As for :func:`draw_losses`, and so are the others.
        scales: The standard errors.
        degrees: The degrees of freedom.
        choose: Given the losses of a draw's front, in the order of the rows, says which of them is
            chosen; None where none is.
        like: The columns that share errors.
        non_negative: Whether none can be below 0.
        draws: How many.
        seed: Of the random numbers.

    Returns:
        Shares in the shape of (n,), which sum to 1 where there always was a choice.

    Raises:
        OptionError: The arrays do not fit together, or a scale or degree cannot be.
    """
    table = pareto.as_losses(losses)
    total = n_draws(len(table)) if draws is None else draws
    wins = np.zeros(len(table))
    for drawn in draw_losses(
        table, scales, degrees, like=like, non_negative=non_negative, draws=total, seed=seed
    ):
        front = np.flatnonzero(pareto.non_dominated(drawn))
        place = choose(drawn[front])
        if place is not None:
            wins[front[place]] += 1
    return wins / total


def _checked(
    means: npt.NDArray[np.float64], scales: npt.ArrayLike, degrees: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    errors = np.asarray(scales, dtype=np.float64)
    freedom = np.asarray(degrees, dtype=np.float64)
    if errors.shape != means.shape or freedom.shape != means.shape:
        raise OptionError(
            f"losses has the shape {means.shape}, scales {errors.shape} and degrees "
            f"{freedom.shape}: give one scale and one degree a loss"
        )
    if not (np.isfinite(errors) & (errors >= 0)).all():
        raise OptionError("scales must be finite and 0 or more: 0 is a loss known exactly")
    uncertain = errors > 0
    if not np.isfinite(means[uncertain]).all():
        raise OptionError("an infinite loss has a scale above 0: it has no error, so give it 0")
    if not (freedom[uncertain] >= 1).all():
        raise OptionError("degrees must be 1 or more where a scale is above 0")
    return errors, freedom
