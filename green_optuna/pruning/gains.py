"""How much loss the trials of a study still lost from each step on: what a pruner can learn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from green_optuna.history import PastTrial


class Gains:
    """The largest gain that any completed trial made from each step on.

    A trial's gain from a step on is its loss at the latest report up to that step, less the loss
    that it ended with. It is known for the steps from its first report to before its last: a trial
    that ended at a step says nothing of what others gain beyond it.

    Taking in a trial costs as much as there are distinct steps in all; looking up costs nothing.
    """

    def __init__(self) -> None:
        # Piecewise constant: from each of these steps to before the next one, so many trials made
        # gains, the largest of which is this.
        self._pieces: tuple[
            npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]
        ] = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))

    def learn(self, trial: PastTrial) -> None:
        """Take in a trial, if it completed and reported."""
        if trial.loss is None or not trial.steps.size:
            return
        end = int(trial.steps[-1])
        steps = np.union1d(self._pieces[0], trial.steps)
        counts, largest = self._spread_over(steps)
        rows = np.searchsorted(trial.steps, steps, side="right") - 1
        known = (rows >= 0) & (steps < end)
        gains = np.where(known, trial.losses[rows] - trial.loss, -math.inf)
        # At once, for another thread may be reading.
        self._pieces = steps, counts + known, np.maximum(largest, gains)

    def largest_from(self, step: int) -> tuple[int, float]:
        """Say how many trials made a gain from a step on, and the largest; -inf of none."""
        steps, counts, largest = self._pieces
        piece = int(np.searchsorted(steps, step, side="right")) - 1
        return (int(counts[piece]), float(largest[piece])) if piece >= 0 else (0, -math.inf)

    def _spread_over(
        self, steps: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Give the counts and gains of the pieces that begin at other steps, a finer set."""
        known, counts, largest = self._pieces
        pieces = np.searchsorted(known, steps, side="right")
        return np.append(0, counts)[pieces], np.append(-math.inf, largest)[pieces]
