"""A running trial as pruners and forecasts look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.progress import Progress
from green_optuna.scalars import as_float

if TYPE_CHECKING:
    import optuna

    from green_optuna.progress import LearningCurve
    from green_optuna.session import Session


class TrialProgress:
    """Says how far one trial is.

    Args:
        session: Of the trial's study.
        trial: The trial that Optuna made.
        total_steps: How many steps it will make, or the name of the hyperparameter that says so;
            None where finished trials tell.

    Attributes:
        n_params: The number of parameters, as soon as it is known.
    """

    def __init__(
        self, session: Session, trial: optuna.Trial, *, total_steps: int | str | None = None
    ) -> None:
        self.n_params: int | None = None
        self._session = session
        self._trial = trial
        self._total_steps = total_steps

    def at(
        self,
        curve: LearningCurve,
        *,
        energy_kwh: float,
        duration_s: float,
        asked_step: int | None = None,
    ) -> Progress:
        """Say how far it is.

        Args:
            curve: What it has reported.
            energy_kwh: What it has used by now, in kWh.
            duration_s: How long it has run, in s.
            asked_step: The greatest step that it had reported when it asked before.
        """
        terms = self._session.terms
        return Progress(
            number=self._trial.number,
            objectives=terms.objectives,
            curve=curve,
            energy_kwh=energy_kwh,
            co2e_kg=terms.grid.co2e_kg(energy_kwh),
            duration_s=duration_s,
            n_params=self.n_params,
            asked_step=asked_step,
            # Before the first step, it may not have been suggested yet.
            total_steps=self._steps_to_make() if len(curve) else None,
        )

    def _steps_to_make(self) -> int | None:
        """Give the number of steps, as far as it is known."""
        given = self._total_steps
        if not isinstance(given, str):
            return given
        value = self._trial.params.get(given)
        number = as_float(value)
        if number is not None and number >= 1 and number.is_integer():
            return int(number)
        # What a trial will cost is good to know, and no reason to fail it.
        self._session.warn_once(
            f"total_steps={given!r} names no hyperparameter that is a whole number of 1 or more "
            f"({given} = {value!r}): how many steps a trial makes is taken from finished trials."
        )
        return None
