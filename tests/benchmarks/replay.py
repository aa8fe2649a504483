"""A study in which recorded trainings are replayed, without waiting for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from multi_metric import MultiMetric
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.record import REPORTS_ATTRIBUTE, Report, thin_reports
from green_optuna.terms import ATTRIBUTE, DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import optuna
    from curves import Task, Training


# Of a machine that draws 60 W.
S_PER_KWH = 6e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to search.

    Attributes:
        name: Its name in the tables.
        pruner: What stops trials; None for nothing.
        epochs: Whether the number of epochs is a hyperparameter. If not, it is the most.
    """

    name: str
    pruner: go.Pruner | MultiMetric | None = None
    epochs: bool = False


class Replay:
    """Optuna's study, in which ended trials leave what a decorated objective leaves.

    Args:
        task: What is recorded.
        pruner: What stops trials; None for nothing. Ours read the study as they do in earnest.
        sampler: What chooses.
        objectives: The study's.

    Attributes:
        study: The study.
    """

    def __init__(
        self,
        task: Task,
        pruner: go.Pruner | MultiMetric | None,
        sampler: optuna.samplers.BaseSampler,
        objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    ) -> None:
        self.study = go.create_study(sampler=sampler, objectives=objectives)
        self._task = task
        self._pruner = pruner if task.one_run else None
        self._objectives = tuple(objectives)
        self._history = go.History(
            go.StudyTerms(
                objectives=self._objectives, quality_bounds=go.QualityBounds(), grid=task.grid
            )
        )
        if isinstance(self._pruner, MultiMetric):
            self._wrap = self._pruner.attach(self.study, self._objectives)

    def choose(self, trial: optuna.Trial) -> Training:
        """Give the training that a trial chooses."""
        choices = self._task.choices.items()
        return self._task.trainings[tuple(trial.suggest_int(name, 0, n - 1) for name, n in choices)]

    def stop_at(self, trial: optuna.Trial, training: Training, last: int) -> int | None:
        """Ask the pruner after each checkpoint but the last, when nothing is left to save.

        Args:
            trial: The running trial.
            training: What it trains.
            last: The row of the training that it is to end with.

        Returns:
            The row after which it is stopped; None where it is not.
        """
        stops = self._question(trial)
        for row in range(last):
            if stops(self._progress(trial.number, training, row)):
                return row
        return None

    def _question(self, trial: optuna.Trial) -> Callable[[go.Progress], bool]:
        """Give what asks the pruner of a trial."""
        pruner, history = self._pruner, self._history
        if pruner is None:
            return lambda _: False
        if isinstance(pruner, MultiMetric):
            return partial(pruner.stops, self._wrap(trial))
        return lambda progress: pruner.why_stop(progress, history) is not None

    def end(self, trial: optuna.Trial, training: Training, row: int, *, pruned: bool) -> None:
        """End a trial after a row of its training."""
        reports = [
            Report(step=step, quality=1 - loss, energy_kwh=kwh, t_s=t_s)
            for step, loss, kwh, t_s in _points(training, row)
        ]
        trial.set_user_attr(REPORTS_ATTRIBUTE, thin_reports(reports if self._task.one_run else []))
        trial.set_user_attr(ATTRIBUTE, {"n_params": training.n_params})
        if pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, self._task.result(training, row, self._objectives))
        self._history.refresh(self.study)

    def _progress(self, number: int, training: Training, row: int) -> go.Progress:
        energy_kwh = float(training.energies_kwh[row])
        return go.Progress(
            number=number,
            objectives=self._objectives,
            curve=go.LearningCurve(*zip(*_points(training, row), strict=True)),
            energy_kwh=energy_kwh,
            co2e_kg=self._task.grid.co2e_kg(energy_kwh),
            n_params=training.n_params,
            asked_step=int(training.epochs[row - 1]) if row else None,
        )


def _points(training: Training, row: int) -> Iterator[tuple[int, float, float, float]]:
    """Give step, loss, energy in kWh and time in s of each checkpoint up to a row.

    The tables have no times: as though all networks drew the same power.
    """
    for epoch, loss, kwh in zip(
        training.epochs[: row + 1],
        training.losses[: row + 1],
        training.energies_kwh[: row + 1],
        strict=True,
    ):
        yield int(epoch), float(loss), float(kwh), float(kwh) * S_PER_KWH
