"""The rows that a rule chooses from: checked once, read as columns by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from green_optuna.errors import EmptyStudyError, OptionError
from green_optuna.pareto import as_losses

ROUNDING = 1e-12
"""What rounding may cost: on the scale of a quality loss, or as a share of another limit."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth value to compare by
class Rows:
    """The checked losses of the members of a front.

    Attributes:
        losses: An ndarray in the shape of (n, m), n at least 1, numbers or +inf; to be read only.
        names: The m names of the objectives, in the order of the columns.
    """

    losses: npt.NDArray[np.float64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, losses: npt.ArrayLike, names: Sequence[str]) -> Rows:
        """Check losses and names.

        Raises:
            EmptyStudyError: There is no row.
            OptionError: The names do not fit the columns, or a loss is neither a number nor +inf.
        """
        no_rows = isinstance(losses, Sequence) and not losses  # a list that shows no columns
        table = np.empty((0, 1)) if no_rows else as_losses(losses)
        if not len(table):
            raise EmptyStudyError("there is no row to choose from: complete a trial first")
        if np.isneginf(table).any():
            row = int(np.isneginf(table).any(axis=1).argmax())
            raise OptionError(f"losses has -inf in row {row}: a loss is a number or +inf")
        if len(names) != table.shape[1] or len(set(names)) != len(names):
            raise OptionError(
                f"names is {list(names)}: give a different name for each of the "
                f"{table.shape[1]} columns"
            )
        return cls(table, tuple(names))

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.losses)

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Give the losses of one objective, in the shape of (n,)."""
        return self.losses[:, self.names.index(name)]

    def columns(self, names: Sequence[str]) -> npt.NDArray[np.float64]:
        """Give the losses of some objectives, in the shape of (n, len(names))."""
        return self.losses[:, [self.names.index(name) for name in names]]

    def only(self, kept: npt.NDArray[np.bool_]) -> Rows:
        """Keep some of the rows, by a mask in the shape of (n,)."""
        return Rows(self.losses[kept], self.names)

    def least(
        self, figure: npt.NDArray[np.float64], among: npt.NDArray[np.bool_], rounding: float
    ) -> int:
        """Give the row of least figure among some, ties settled as the package says.

        Args:
            figure: The rule's own figure of each row, in the shape of (n,).
            among: Which rows may be chosen, in the shape of (n,); at least one.
            rounding: What two figures that are meant to be equal may lie apart.
        """
        tied = np.flatnonzero(among & (figure <= figure[among].min() + rounding))
        # lexsort's first key is its last, and it is stable: equal rows stay in their order
        order = np.lexsort(self.losses[tied].T[::-1])
        return int(tied[order[0]])
