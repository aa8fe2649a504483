"""A running trial and its pruners: what they are told, when, and what they said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import optuna

from green_optuna.progress import LearningCurve
from green_optuna.record import in_one_line
from green_optuna.terms import CAP_CONSTRAINT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from green_optuna.pruning import Pruner
    from green_optuna.record import Report
    from green_optuna.session import Session
    from green_optuna.trial_progress import TrialProgress

# How often a running trial looks for trials that have ended elsewhere, in s.
REFRESH_S = 5.0


class TrialPruning:
    """What one trial's pruners are asked and say.

    The processor time that it takes is charged to no trial; the wall-clock time passes all the
    same.

    Args:
        pruners: The pruners, asked in this order.
        session: Of the trial's study.
        study: The study, in whose storage others' trials end.
        progress: Says how far the trial is, and is told of its parameters.
        spent: Gives the energy in kWh and the time in s since the trial began.
        count: Counts the parameters of a model; None where it has none that count.

    Attributes:
        reason: Why the trial should stop, in a few words; None as long as it should not.
    """

    def __init__(
        self,
        pruners: Sequence[Pruner],
        session: Session,
        study: optuna.Study,
        *,
        progress: TrialProgress,
        spent: Callable[[], tuple[float, float]],
        count: Callable[[object], int | None],
    ) -> None:
        self.reason: str | None = None
        self._pruners = pruners
        self._session = session
        self._study = study
        self._progress = progress
        self._spent = spent
        self._count = count
        self._refreshed_at_s = time.monotonic()
        self._curve = LearningCurve()
        self._asked_step: int | None = None

    def should_stop(self, reports: Sequence[Report]) -> bool:
        """Ask whether the trial should stop; once it should, it always should."""
        if self.reason is None:
            with self._session.sampler.excluded():
                if time.monotonic() - self._refreshed_at_s >= REFRESH_S:
                    self.refresh()
                self.reason = self._why_stop(reports)
        return self.reason is not None

    def refresh(self) -> None:
        """Look for trials that have ended since, whoever ran them."""
        try:
            self._session.history.refresh(self._study)
        except Exception as error:
            # A storage that is locked for a moment: what was known before is enough to go on.
            self._session.warn_once(
                f"what has ended elsewhere could not be read, and pruners go by what they knew: "
                f"{in_one_line(error)}",
                of="history",
            )
        self._refreshed_at_s = time.monotonic()

    def watch(self, model: object, reports: Sequence[Report]) -> None:
        """Take note of the model, and ask before it is trained.

        Raises:
            optuna.TrialPruned: It should not be.
        """
        self._progress.n_params = self._count(model)
        if self.should_stop(reports):
            raise optuna.TrialPruned(self.reason)

    def check_start(self) -> None:
        """Ask before the function runs, where the number of parameters is known already.

        Raises:
            optuna.TrialPruned: It should not run.
        """
        if self._progress.n_params is not None and self.should_stop(()):
            raise optuna.TrialPruned(self.reason)

    def constraints(self, values: Mapping[str, float]) -> dict[str, float]:
        """Give the constraints that the pruners' caps are: by how much each is exceeded.

        Args:
            values: What the trial came to, of what may be capped; what is not known is left out.
        """
        caps: dict[str, float] = {}
        for pruner in self._pruners:
            for name, cap in pruner.caps.items():
                caps[name] = min(cap, caps.get(name, cap))
        return {
            f"{CAP_CONSTRAINT}{name}": values[name] - cap
            for name, cap in caps.items()
            if name in values
        }

    def _why_stop(self, reports: Sequence[Report]) -> str | None:
        """Ask the pruners, and give the first one's answer that is a reason."""
        energy_kwh, duration_s = self._spent()
        self._curve.follow(reports, self._session.terms.quality_bounds)
        progress = self._progress.at(
            self._curve, energy_kwh=energy_kwh, duration_s=duration_s, asked_step=self._asked_step
        )
        self._asked_step = self._curve.last_step
        reasons = (pruner.why_stop(progress, self._session.history) for pruner in self._pruners)
        return next((reason for reason in reasons if reason is not None), None)
