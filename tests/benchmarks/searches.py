"""One search over recorded trainings, without waiting for them: Optuna's sampler, our pruner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import optuna
from curves import Yardstick
from replay import Replay

from green_optuna.terms import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    import numpy.typing as npt
    from curves import Task
    from replay import Method

# At so many points of the budget it is looked at what has been found.
N_LOOKS = 40
# Within the few dozen full trainings that a budget pays, the default of 50 never breeds.
POPULATION_SIZE = 10


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Search:
    """What a search came to.

    Attributes:
        hypervolumes: The share of the task's hypervolume that completed trials had reached after
            1/40, 2/40, ... of the budget, an ndarray in the shape of (40,).
        recall: The share of the front of full trainings that it found, or bettered.
        n_completed: The trials that completed.
        n_pruned: The trials that were stopped.
    """

    hypervolumes: npt.NDArray[np.float64]
    recall: float
    n_completed: int
    n_pruned: int


def search(task: Task, method: Method, sampler: str, seed: int) -> Search:
    """Search until the budget is spent; what pruned and unfinished trials took counts."""
    run = _Run(task, method, _sampler(sampler, seed))
    while run.left_kwh > 0:
        run.trial()
    yardstick = Yardstick(task)
    budget_kwh = task.budget * task.full_kwh
    spent = np.array(run.spent_kwh) / budget_kwh
    looks = np.arange(1, N_LOOKS + 1) / N_LOOKS
    found = np.array(run.found).reshape(-1, len(DEFAULT_OBJECTIVES))
    return Search(
        hypervolumes=np.array([yardstick.hypervolume(found[spent <= look]) for look in looks]),
        recall=yardstick.recall(found),
        n_completed=len(found),
        n_pruned=run.n_pruned,
    )


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    if name == "TPE":
        return optuna.samplers.TPESampler(seed=seed)
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION_SIZE)


class _Run:
    """A search that is going on."""

    def __init__(self, task: Task, method: Method, sampler: optuna.samplers.BaseSampler) -> None:
        self.left_kwh = task.budget * task.full_kwh
        self.found: list[list[float]] = []
        self.spent_kwh: list[float] = []
        self.n_pruned = 0
        self._total_kwh = self.left_kwh
        self._task = task
        self._epochs = method.epochs
        self._replay = Replay(task, method.pruner, sampler)

    def trial(self) -> None:
        """Ask for a trial, run it to its end, and tell what it came to."""
        trial = self._replay.study.ask()
        training = self._replay.choose(trial)
        last = len(training.epochs) - 1
        if self._epochs:
            last = trial.suggest_int("epochs", 0, last)
        stopped_at = self._replay.stop_at(trial, training, last)
        row = last if stopped_at is None else stopped_at
        spent_kwh = float(training.energies_kwh[row])
        if spent_kwh > self.left_kwh:
            # The budget ends amid it.
            self.left_kwh = 0.0
            return
        self.left_kwh -= spent_kwh
        self._replay.end(trial, training, row, pruned=stopped_at is not None)
        if stopped_at is not None:
            self.n_pruned += 1
        else:
            self.found.append(self._task.result(training, row))
            self.spent_kwh.append(self._total_kwh - self.left_kwh)
