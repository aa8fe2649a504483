"""One search over recorded trainings, without waiting for them: Optuna's sampler, our pruner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import optuna
from curves import Yardstick

import green_optuna as go
from green_optuna.record import REPORTS_ATTRIBUTE, Report, thin_reports
from green_optuna.terms import ATTRIBUTE, DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    import numpy.typing as npt
    from curves import Task, Training

# At so many points of the budget it is looked at what has been found.
N_LOOKS = 40
# Within the few dozen full trainings that a budget pays, the default of 50 never breeds.
POPULATION_SIZE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to search.

    Attributes:
        name: Its name in the tables.
        pruner: What stops trials; None for nothing.
        epochs: Whether the number of epochs is a hyperparameter. If not, it is the most.
    """

    name: str
    pruner: go.Pruner | None = None
    epochs: bool = False


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
    """A search that is going on.

    It is Optuna's study, in which ended trials leave what a decorated objective leaves; the
    pruner reads them as it does in earnest.
    """

    def __init__(self, task: Task, method: Method, sampler: optuna.samplers.BaseSampler) -> None:
        self.left_kwh = task.budget * task.full_kwh
        self.found: list[list[float]] = []
        self.spent_kwh: list[float] = []
        self.n_pruned = 0
        self._total_kwh = self.left_kwh
        self._task = task
        self._method = method
        self._study = go.create_study(sampler=sampler)
        self._history = go.History(
            go.StudyTerms(
                objectives=DEFAULT_OBJECTIVES, quality_bounds=go.QualityBounds(), grid=task.grid
            )
        )

    def trial(self) -> None:
        """Ask for a trial, run it to its end, and tell what it came to."""
        trial = self._study.ask()
        point = tuple(trial.suggest_int(name, 0, n - 1) for name, n in self._task.choices.items())
        training = self._task.trainings[point]
        last = len(training.epochs) - 1
        if self._method.epochs:
            last = trial.suggest_int("epochs", 0, last)
        row = self._stop_at(trial.number, training, last) if self._task.one_run else None
        spent_kwh = float(training.energies_kwh[last if row is None else row])
        if spent_kwh > self.left_kwh:
            # The budget ends amid it.
            self.left_kwh = 0.0
            return
        self.left_kwh -= spent_kwh
        self._keep(trial, training, last if row is None else row)
        if row is not None:
            self.n_pruned += 1
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            values = [
                float(training.losses[last]),
                self._task.grid.co2e_kg(spent_kwh),
                float(training.n_params),
            ]
            self.found.append(values)
            self.spent_kwh.append(self._total_kwh - self.left_kwh)
            self._study.tell(trial, values)
        self._history.refresh(self._study)

    def _stop_at(self, number: int, training: Training, last: int) -> int | None:
        """Ask the pruner after each epoch but the last, when there is nothing left to save."""
        if self._method.pruner is None:
            return None
        steps = [int(epoch) for epoch in training.epochs]
        for row in range(last):
            energy_kwh = float(training.energies_kwh[row])
            progress = go.Progress(
                number=number,
                objectives=DEFAULT_OBJECTIVES,
                steps=tuple(steps[: row + 1]),
                losses=tuple(training.losses[: row + 1]),
                energies_kwh=tuple(training.energies_kwh[: row + 1]),
                times_s=(0.0,) * (row + 1),
                energy_kwh=energy_kwh,
                co2e_kg=self._task.grid.co2e_kg(energy_kwh),
                n_params=training.n_params,
                asked_step=steps[row - 1] if row else None,
            )
            if self._method.pruner.why_stop(progress, self._history) is not None:
                return row
        return None

    def _keep(self, trial: optuna.Trial, training: Training, row: int) -> None:
        reports = [
            # No pruner here reads times, which the tables have not.
            Report(step=int(epoch), quality=1 - float(loss), energy_kwh=float(kwh), t_s=0.0)
            for epoch, loss, kwh in zip(
                training.epochs[: row + 1],
                training.losses[: row + 1],
                training.energies_kwh[: row + 1],
                strict=True,
            )
        ]
        trial.set_user_attr(REPORTS_ATTRIBUTE, thin_reports(reports if self._task.one_run else []))
        trial.set_user_attr(ATTRIBUTE, {"n_params": training.n_params})
