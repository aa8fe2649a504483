"""A running trial and its pruner: what the pruner is told, when, and what it said."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import optuna

from green_optuna.pruning import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from green_optuna.pruning import Pruner
    from green_optuna.record import Report
    from green_optuna.session import Session
    from green_optuna.terms import StudyTerms

# How often a running trial looks for trials that have ended elsewhere, in s.
REFRESH_S = 5.0


class TrialPruning:
    """What one trial's pruner is asked and says. What deciding takes is charged to no trial.

    Args:
        pruner: The pruner.
        session: Of the trial's study.
        study: The study, in whose storage others' trials end.
        number: The trial's number.
        spent: Gives the energy in kWh and the time in s since the trial began.
        n_params: The number of parameters, where it is known from the start.
        count: Counts the parameters of a model; None where it has none that count.

    Attributes:
        n_params: The number of parameters, as soon as it is known.
        reason: Why the trial should stop, in a few words; None as long as it should not.
    """

    def __init__(
        self,
        pruner: Pruner,
        session: Session,
        study: optuna.Study,
        *,
        number: int,
        spent: Callable[[], tuple[float, float]],
        n_params: int | None,
        count: Callable[[object], int | None],
    ) -> None:
        self.n_params = n_params
        self.reason: str | None = None
        self._pruner = pruner
        self._session = session
        self._study = study
        self._number = number
        self._spent = spent
        self._count = count
        self._refreshed_at_s = time.monotonic()
        self._asked_step: int | None = None

    def should_stop(self, reports: Sequence[Report]) -> bool:
        """Ask whether the trial should stop; once it should, it always should."""
        if self.reason is None:
            with self._session.sampler.excluded():
                if time.monotonic() - self._refreshed_at_s >= REFRESH_S:
                    self.refresh()
                progress = self._progress(reports)
                self.reason = self._pruner.why_stop(progress, self._session.history)
                self._asked_step = max(progress.steps, default=None)
        return self.reason is not None

    def refresh(self) -> None:
        """Look for trials that have ended since, whoever ran them."""
        self._session.history.refresh(self._study)
        self._refreshed_at_s = time.monotonic()

    def watch(self, model: object) -> None:
        """Take note of the model, and ask before it is trained.

        Raises:
            optuna.TrialPruned: It should not be.
        """
        self.n_params = self._count(model)
        if self.should_stop(()):
            raise optuna.TrialPruned(self.reason)

    def check_start(self) -> None:
        """Ask before the function runs, where the number of parameters is known already.

        Raises:
            optuna.TrialPruned: It should not run.
        """
        if self.n_params is not None and self.should_stop(()):
            raise optuna.TrialPruned(self.reason)

    def constraints(self, values: Mapping[str, float]) -> dict[str, float]:
        """Give the constraints that the pruner's caps are: by how much each is exceeded.

        Args:
            values: What the trial came to, of what may be capped; what is not known is left out.
        """
        return {
            f"green_optuna.cap.{name}": values[name] - cap
            for name, cap in self._pruner.caps.items()
            if name in values
        }

    def _progress(self, reports: Sequence[Report]) -> Progress:
        energy_kwh, duration_s = self._spent()
        return progress_of(
            self._session.terms,
            self._number,
            reports,
            energy_kwh=energy_kwh,
            duration_s=duration_s,
            n_params=self.n_params,
            asked_step=self._asked_step,
        )


def progress_of(
    terms: StudyTerms,
    number: int,
    reports: Sequence[Report],
    *,
    energy_kwh: float,
    duration_s: float,
    n_params: int | None = None,
    asked_step: int | None = None,
) -> Progress:
    """Say how far a running trial is.

    Args:
        terms: Of its study.
        number: Its number.
        reports: What it has reported.
        energy_kwh: What it has used by now, in kWh.
        duration_s: How long it has run, in s.
        n_params: Its number of parameters, where it is known.
        asked_step: The last step that it had reported when it asked before.
    """
    bounds = terms.quality_bounds
    return Progress(
        number=number,
        objectives=terms.objectives,
        steps=tuple(report.step for report in reports),
        losses=tuple(
            math.nan if math.isnan(report.quality) else bounds.loss(report.quality)
            for report in reports
        ),
        energies_kwh=tuple(report.energy_kwh for report in reports),
        times_s=tuple(report.t_s for report in reports),
        energy_kwh=energy_kwh,
        co2e_kg=terms.grid.co2e_kg(energy_kwh),
        duration_s=duration_s,
        n_params=n_params,
        asked_step=asked_step,
    )
