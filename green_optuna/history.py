"""The trials of a study that have ended, as pruners look at them: read once each."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from optuna.trial import TrialState

from green_optuna import pareto
from green_optuna.errors import QualityError
from green_optuna.locks import ProcessLock
from green_optuna.progress import LearningCurve
from green_optuna.record import REPORTS_ATTRIBUTE, measurement_of, reports_from_rows
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import numpy.typing as npt
    import optuna
    from optuna.trial import FrozenTrial

    from green_optuna.terms import StudyTerms

_logger = logging.getLogger("green_optuna")

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PastTrial:
    """A trial that has completed or was pruned.

    Attributes:
        number: Its number in the study.
        values: Its objectives, an ndarray in the shape of (n_objectives,); None where it was
            pruned.
        feasible: Whether it meets its constraints.
        steps: The steps that it reported, increasing, an ndarray in the shape of (n_reports,).
        losses: The loss of the quality at each step, in the shape of (n_reports,); none is NaN.
        energies_kwh: What it had used at each step, in kWh, in the shape of (n_reports,).
        times_s: How long it had run at each step, in s, in the shape of (n_reports,).
        loss: The loss that it ended with; None where it was pruned.
        energy_kwh: What one run of its function used in all, in kWh; None where not measured.
        duration_s: How long one run took, in s; None where not measured.
        n_params: Its number of parameters, where it was kept.
        last_step: The last step that it reported, also where its quality was NaN.
    """

    number: int
    values: npt.NDArray[np.float64] | None
    feasible: bool
    steps: npt.NDArray[np.int64]
    losses: npt.NDArray[np.float64]
    energies_kwh: npt.NDArray[np.float64]
    times_s: npt.NDArray[np.float64]
    loss: float | None
    energy_kwh: float | None
    duration_s: float | None
    n_params: int | None
    last_step: int | None = None

    def row_at(self, step: int) -> int | None:
        """Give the row of the latest report up to a step; None where there is none."""
        row = int(np.searchsorted(self.steps, step, side="right")) - 1
        return row if row >= 0 else None


class Learner(Protocol):
    """Something that a pruner makes of the trials that have ended, one after the other."""

    def learn(self, trial: PastTrial) -> None:
        """Take in a trial."""


LearnerT = TypeVar("LearnerT", bound=Learner)


class History:
    """What a process knows of the trials of one study that have ended, whoever ran them.

    Reading it in costs a query of the storage and the new trials, not all of them; safe with
    threads.

    Args:
        terms: The study's terms.

    Attributes:
        trials: The trials that completed or were pruned, in the order in which they became known.
    """

    def __init__(self, terms: StudyTerms) -> None:
        self.terms = terms
        self.trials: list[PastTrial] = []
        self._seen: set[int] = set()
        self._lock = ProcessLock()
        self._front: tuple[list[PastTrial], npt.NDArray[np.float64]] | None = None
        # What pruners learned, with how many of the trials it has been told of.
        self._learned: dict[Hashable, tuple[Any, int]] = {}

    def refresh(self, study: optuna.Study) -> None:
        """Take in the trials that have ended since."""
        found = study._storage.get_all_trials(study._study_id, deepcopy=False, states=_ENDED)
        with self._lock:
            new = [trial for trial in found if trial.number not in self._seen]
            for trial in new:
                self.trials.append(self._past(trial))
                self._seen.add(trial.number)
            if new:
                self._front = None

    @property
    def front(self) -> npt.NDArray[np.float64]:
        """The objectives on the front of the completed, feasible trials, (n, n_objectives)."""
        return self._members()[1]

    def dominating(self, losses: Sequence[float]) -> PastTrial | None:
        """Give a completed, feasible trial that dominates some losses; None where none does.

        Args:
            losses: One for each of the study's objectives, in order, (n_objectives,).
        """
        members, front = self._members()
        rows = np.flatnonzero(pareto.dominance(front, [losses]))
        return min((members[row] for row in rows), key=lambda trial: trial.number, default=None)

    def learned(self, key: Hashable, make: Callable[[], LearnerT]) -> LearnerT:
        """Give what a pruner makes of the trials; it is told of each trial once.

        A pruner keeps nothing of a study itself. Another thread may read what is given while
        this one lets it learn.

        Args:
            key: Tells it from what other pruners make of the trials.
            make: Makes one that knows of no trial.
        """
        with self._lock:
            learner, n_known = self._learned.get(key) or (make(), 0)
            new = self.trials[n_known:]
            for trial in new:
                learner.learn(trial)
            self._learned[key] = learner, n_known + len(new)
            found: LearnerT = learner
            return found

    def _members(self) -> tuple[list[PastTrial], npt.NDArray[np.float64]]:
        """Give the trials on the front, and their objectives."""
        with self._lock:
            if self._front is None:
                trials, rows = [], []
                for trial in self.trials:
                    if trial.values is not None and trial.feasible:
                        trials.append(trial)
                        rows.append(trial.values)
                losses = np.array(rows, dtype=np.float64)
                losses = losses.reshape(len(rows), len(self.terms.objectives))
                kept = np.flatnonzero(pareto.non_dominated(losses))
                self._front = [trials[row] for row in kept], losses[kept]
            return self._front

    def _past(self, trial: FrozenTrial) -> PastTrial:
        objectives = self.terms.objectives
        kept: dict[str, Any] = trial.user_attrs.get(ATTRIBUTE, {})
        measurement = measurement_of(trial)
        complete = trial.state == TrialState.COMPLETE
        curve, loss = self._curve(trial)
        if complete and "quality_loss" in objectives:
            loss = float(trial.values[objectives.index("quality_loss")])
        known = ~np.isnan(np.array(curve.losses, dtype=np.float64))
        return PastTrial(
            number=trial.number,
            values=np.array(trial.values, dtype=np.float64) if complete else None,
            feasible=all(value <= 0 for value in trial.constraints.values()),
            steps=np.array(curve.steps, dtype=np.int64)[known],
            losses=np.array(curve.losses, dtype=np.float64)[known],
            energies_kwh=np.array(curve.energies_kwh, dtype=np.float64)[known],
            times_s=np.array(curve.times_s, dtype=np.float64)[known],
            loss=loss if complete else None,
            energy_kwh=None if measurement is None else measurement.energy_per_run_kwh,
            duration_s=None if measurement is None else measurement.duration_per_run_s,
            n_params=kept.get("n_params"),
            last_step=curve.last_step,
        )

    def _curve(self, trial: FrozenTrial) -> tuple[LearningCurve, float | None]:
        """Give what a trial reported, in the order of steps, and the loss of what it returned.

        They are empty, and None, where they cannot be used: added by hand, say.
        """
        bounds, curve = self.terms.quality_bounds, LearningCurve()
        quality = trial.user_attrs.get(ATTRIBUTE, {}).get("quality")
        try:
            reports = reports_from_rows(trial.user_attrs.get(REPORTS_ATTRIBUTE, ()))
            np.array([report.step for report in reports], dtype=np.int64)
            curve.follow(sorted(reports, key=lambda report: report.step), bounds)
            return curve, None if quality is None else bounds.loss(quality)
        except (QualityError, TypeError, ValueError, OverflowError) as error:
            # What the trial came to counts all the same.
            _logger.warning("Pruners cannot use what trial %d reported: %s", trial.number, error)
            return LearningCurve(), None
