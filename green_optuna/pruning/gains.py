"""How much loss the trials of a study still lost from each step on: what a pruner can learn."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.record import MAX_STORED_REPORTS

if TYPE_CHECKING:
    from green_optuna.history import PastTrial

# The answers for so many steps are kept. Trials that report at the same steps ask for the same.
MAX_KEPT = 10_000


class Gains:
    """The largest gain that any completed trial made from each step on.

    A trial's gain from a step on is its loss at the latest report up to that step, less the loss
    that it ended with. It is known for the steps from its first report to before its last: a trial
    that ended at a step says nothing of what others gain beyond it. Of a trial that reported so
    often that the study may have kept a part of it, it is the larger one of two neighbours.

    Taking in a trial costs as much as it has reports; looking up a step, a search in each trial
    that has become known since it was looked up last.
    """

    def __init__(self) -> None:
        # Of each trial, its steps, and its gain from each to before the next one; not of the last.
        self._trials: list[tuple[list[int], list[float]]] = []
        # Of a step, how many of the trials were looked at; how many made a gain; the largest.
        self._kept: dict[int, tuple[int, int, float]] = {}

    def learn(self, trial: PastTrial) -> None:
        """Take in a trial, if it completed and reported more than once."""
        if trial.loss is None or trial.steps.size < 2:
            return
        losses = trial.losses[:-1]
        if trial.losses.size > MAX_STORED_REPORTS // 2:
            losses = np.maximum(losses, trial.losses[1:])
        self._trials.append((trial.steps.tolist(), (losses - trial.loss).tolist()))

    def largest_from(self, step: int) -> tuple[int, float]:
        """Say how many trials made a gain from a step on, and the largest; -inf of none."""
        n_seen, count, largest = self._kept.get(step, (0, 0, -math.inf))
        # At once, for another thread may be adding.
        new = self._trials[n_seen:]
        for steps, gains in new:
            row = bisect_right(steps, step) - 1
            if 0 <= row < len(gains):
                count += 1
                largest = max(largest, gains[row])
        if new:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[step] = n_seen + len(new), count, largest
        return count, largest
