"""A study's trials as arrays, and as what they add to its ledger: read without copying them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

from green_optuna.errors import OptionError, StudyError
from green_optuna.ledger import End, Entry, Ledger
from green_optuna.record import KILLED_ATTRIBUTE, NOT_STARTED, forecast_from_dict
from green_optuna.terms import ATTRIBUTE, StudyTerms, check_directions
from green_optuna.units import whole_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import optuna
    from optuna.trial import FrozenTrial

_ENDS: dict[TrialState, End] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


def entry_of(trial: FrozenTrial, killed: Mapping[str, Any] | None = None) -> Entry | None:
    """Give what a trial adds to its study's ledger, or None while it waits or runs.

    One that was not started, since a budget was reached, adds nothing.

    Args:
        trial: The trial.
        killed: What its study keeps of it, where it could not be kept in the trial itself.
    """
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    if killed is not None and "energy_kwh" not in kept:
        kept = {**kept, **killed}
    state = kept.get("state", "running")
    # One that Optuna takes for running may have ended for us: SystemExit leaves it so. What it
    # enqueues again after a kill begins with the attributes of the trial that was killed.
    if trial.state == TrialState.WAITING or kept.get(NOT_STARTED):
        return None
    if trial.state == TrialState.RUNNING and state in ("running", "killed"):
        return None
    energies_kwh = kept.get("energy_kwh")
    energy_kwh = None if energies_kwh is None else sum(energies_kwh.values())
    end: End = "killed" if state == "killed" else _ENDS.get(trial.state, state)
    forecast = forecast_from_dict(kept) if end == "pruned" else None
    return Entry(
        number=trial.number,
        end=end,
        energy_kwh=energy_kwh,
        saved_kwh=None
        if forecast is None or energy_kwh is None
        else forecast.saved_kwh(energy_kwh),
        overhead_kwh=sum(kept.get("overhead_kwh", {}).values()),
    )


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth value to compare by
class Candidates:
    """The completed trials of a study, as arrays.

    Attributes:
        study_name: The name of the study.
        terms: Its terms, or None where green_optuna has not run in it.
        objectives: The names of its objectives, in order.
        trials: Its completed trials in the order of their numbers, read-only.
        losses: Their objective values, an ndarray in the shape of (n_trials, n_objectives).
        feasible: Whether each meets its constraints, in the shape of (n_trials,).
        ledger: What the study has spent, by how its trials ended.
    """

    study_name: str
    terms: StudyTerms | None
    objectives: tuple[str, ...]
    trials: tuple[FrozenTrial, ...]
    losses: npt.NDArray[np.float64]
    feasible: npt.NDArray[np.bool_]
    ledger: Ledger

    @property
    def study_key(self) -> str | None:
        """The study's key in the trackers, or None where green_optuna has not run in it."""
        return None if self.terms is None else self.terms.key

    @property
    def spent_kwh(self) -> float:
        """What the study has spent, in kWh: its ledger's total."""
        return self.ledger.energy_kwh

    @property
    def spent_co2e_kg(self) -> float:
        """What the study has spent, in kg of CO2e: its ledger's total."""
        return self.ledger.co2e_kg

    def values(self, row: int) -> dict[str, float]:
        """Give a trial's objectives by name, counts as whole numbers where they are."""
        return whole_counts(dict(zip(self.objectives, self.losses[row].tolist(), strict=True)))

    def restrict(self, objectives: Sequence[str] | None) -> Candidates:
        """Keep only some of the objectives.

        Raises:
            OptionError: One of them is not an objective of the study, or is named twice.
        """
        if objectives is None:
            return self
        names = (objectives,) if isinstance(objectives, str) else tuple(objectives)
        missing = [name for name in names if name not in self.objectives]
        if missing or not names or len(set(names)) < len(names):
            raise OptionError(
                f"objectives is {names!r}, but the study {self.study_name!r} has "
                f"{self.objectives!r}: name some of those, each at most once."
            )
        columns = [self.objectives.index(name) for name in names]
        return replace(self, objectives=names, losses=self.losses[:, columns])


def read_candidates(study: optuna.Study) -> Candidates:
    """Read the completed trials of a study, without copying them.

    Raises:
        StudyError: The study does not say what its objectives are.
        DirectionsError: Not all of them are minimised.
    """
    attributes = study.user_attrs
    terms = StudyTerms.from_dict(attributes[ATTRIBUTE]) if ATTRIBUTE in attributes else None
    objectives = terms.objectives if terms else tuple(study.metric_names or ())
    if len(objectives) != len(study.directions):
        raise StudyError(
            f"The study {study.study_name!r} does not say what its {len(study.directions)} "
            "objectives are: run a green_optuna objective in it, or name them with "
            "study.set_metric_names(...)."
        )
    check_directions(study, objectives)
    all_trials = study.get_trials(deepcopy=False)
    trials = tuple(trial for trial in all_trials if trial.state == TrialState.COMPLETE)
    entries = (
        entry_of(trial, attributes.get(f"{KILLED_ATTRIBUTE}{trial.number}")) for trial in all_trials
    )
    losses = np.array([trial.values for trial in trials], dtype=np.float64)
    feasible = [all(value <= 0 for value in trial.constraints.values()) for trial in trials]
    return Candidates(
        study_name=study.study_name,
        terms=terms,
        objectives=objectives,
        trials=trials,
        losses=losses.reshape(len(trials), len(objectives)),
        feasible=np.array(feasible, dtype=np.bool_),
        ledger=Ledger.of((one for one in entries if one), terms.grid if terms else None),
    )
