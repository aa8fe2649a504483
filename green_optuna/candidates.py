"""A study's trials as arrays, and as what they add to its ledger: read without copying them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

from green_optuna.checkpoints import (
    check_known_at_steps,
    checkpoint_of,
    checkpoints_of,
    describe_checkpoints,
)
from green_optuna.errors import OptionError, StudyError
from green_optuna.ledger import End, Entry, Ledger
from green_optuna.pooling import pool_repeats
from green_optuna.record import KILLED_ATTRIBUTE, NOT_STARTED, forecast_from_dict
from green_optuna.repricing import (
    Repricing,
    cannot_be_repriced,
    grids_of,
    is_same_grid,
    reprice_trial,
)
from green_optuna.terms import ATTRIBUTE, StudyTerms, check_directions
from green_optuna.units import whole_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import optuna
    from optuna.trial import FrozenTrial

    from green_optuna.carbon import Grid

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
    """The completed trials of a study, as arrays, and checkpoints where they were asked for.

    Attributes:
        study_name: The name of the study.
        terms: Its terms, or None where green_optuna has not run in it.
        objectives: The names of its objectives, in order.
        trials: Its completed trials in the order of their numbers, read-only.
        losses: Their objective values, an ndarray in the shape of (n_trials, n_objectives).
        feasible: Whether each meets its constraints, in the shape of (n_trials,).
        ledger: What the study has spent, by how its trials ended.
        repricing: That CO2e is that of another grid; None where it is as the trials keep it.
        left_out: How many checkpoints are no candidates, by why; None unless checkpoints were
            asked for. Those that are stand among the trials, before the trial as it ended.
        repeats: The completed trials that repeat others, by the number of the trial that each is
            pooled into: that one stands among ``trials`` with the runs of all, and they do not.
        ended: Every trial that has ended, however it did, in the order of the numbers, with what
            it adds to the ledger; those not started, since a budget was reached, are left out.
        running: The numbers of the trials that have begun and, as far as the storage tells, not
            ended: they run, or their process is gone.
    """

    study_name: str
    terms: StudyTerms | None
    objectives: tuple[str, ...]
    trials: tuple[FrozenTrial, ...]
    losses: npt.NDArray[np.float64]
    feasible: npt.NDArray[np.bool_]
    ledger: Ledger
    repeats: Mapping[int, tuple[FrozenTrial, ...]] = field(default_factory=dict)
    repricing: Repricing | None = None
    left_out: Mapping[str, int] | None = None
    ended: tuple[tuple[Entry, FrozenTrial], ...] = ()
    running: tuple[int, ...] = ()

    @property
    def measured(self) -> tuple[FrozenTrial, ...]:
        """All completed trials, those that repeat others too."""
        return (*self.trials, *(one for group in self.repeats.values() for one in group))

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

    @property
    def n_checkpoints(self) -> int:
        """How many of the candidates are checkpoints of trials."""
        if self.left_out is None:
            return 0
        return sum(checkpoint_of(trial) is not None for trial in self.trials)

    @property
    def n_completed(self) -> int:
        """How many trials have completed."""
        return len(self.trials) - self.n_checkpoints

    @property
    def grid(self) -> Grid | None:
        """What turned energy into CO2e; None where green_optuna has not run in the study."""
        if self.repricing is not None:
            return self.repricing.grid
        return None if self.terms is None else self.terms.grid

    @property
    def notes(self) -> list[str]:
        """What to know of them: that they were repriced, which checkpoints are none of them."""
        said = None
        if self.left_out is not None:
            said = describe_checkpoints(self.n_checkpoints, self.left_out)
        return [str(one) for one in (self.repricing, said) if one is not None]

    def summary(self) -> dict[str, Any]:
        """Say of what a front is drawn, as plain data, ready for JSON."""
        said: dict[str, Any] = {"n_completed": self.n_completed}
        if self.repricing is not None:
            said["repricing"] = self.repricing.to_dict()
        if self.left_out is not None:
            said |= {"n_checkpoints": self.n_checkpoints, "left_out": dict(self.left_out)}
        return said

    def reprice(self, grid: Grid) -> Candidates:
        """Give the candidates with the CO2e that their energy comes to on another grid.

        It is NaN for a trial that keeps no energy. The candidates are copies of the trials then;
        they are the same ones where all ran at that very intensity and PUE.

        Args:
            grid: The grid; its PUE counts too.
        """
        before = self.repricing.before if self.repricing else grids_of(self.trials)
        if self.grid is not None and all(is_same_grid(one, grid) for one in (self.grid, *before)):
            return self
        names = self.terms.objectives if self.terms else self.objectives
        trials = tuple(reprice_trial(trial, grid, names) for trial in self.trials)
        losses = self.losses.copy()
        if "co2e_kg" in self.objectives:
            column, place = self.objectives.index("co2e_kg"), names.index("co2e_kg")
            losses[:, column] = [trial.values[place] for trial in trials]
        return replace(
            self,
            trials=trials,
            losses=losses,
            ledger=self.ledger.at(grid),
            repricing=Repricing(grid=grid, before=before),
        )

    def known(self) -> Candidates:
        """Leave out the checkpoints of which an objective is not known.

        Raises:
            OptionError: An objective is known of no checkpoint.
            StudyError: One is not known of a trial that completed, since its CO2e is to be
                repriced, and it keeps no energy.
        """
        if self.left_out is not None:
            check_known_at_steps(self.objectives, self.study_name)
        unknown = np.isnan(self.losses)
        rows = unknown.any(axis=1)
        if not rows.any():
            return self
        left_out = Counter(self.left_out or {})
        for row in np.flatnonzero(rows):
            trial = self.trials[row]
            if checkpoint_of(trial) is None:
                unmeasured = [self.trials[each].number for each in np.flatnonzero(rows)]
                raise StudyError(cannot_be_repriced(self.study_name, unmeasured))
            left_out[f"no {self.objectives[int(unknown[row].argmax())]} known"] += 1
        kept = np.flatnonzero(~rows)
        return replace(
            self,
            trials=tuple(self.trials[row] for row in kept),
            losses=self.losses[kept],
            feasible=self.feasible[kept],
            left_out=left_out,
        )

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


def read_candidates(study: optuna.Study, *, checkpoints: bool = False) -> Candidates:
    """Read the completed trials of a study, without copying them.

    Args:
        study: The study.
        checkpoints: Also the reported steps whose model was saved. Objectives that are not known
            of one are NaN (see :meth:`Candidates.known`).

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
    completed = tuple(trial for trial in all_trials if trial.state == TrialState.COMPLETE)
    trials, repeats = pool_repeats(completed, objectives)
    entries = [
        entry_of(trial, attributes.get(f"{KILLED_ATTRIBUTE}{trial.number}")) for trial in all_trials
    ]
    running = tuple(
        trial.number
        for entry, trial in zip(entries, all_trials, strict=True)
        if entry is None and trial.state == TrialState.RUNNING
    )
    ended = [(entry, trial) for entry, trial in zip(entries, all_trials, strict=True) if entry]
    losses = np.array([trial.values for trial in trials], dtype=np.float64)
    feasible = [all(value <= 0 for value in trial.constraints.values()) for trial in trials]
    candidates = Candidates(
        study_name=study.study_name,
        terms=terms,
        objectives=objectives,
        trials=trials,
        losses=losses.reshape(len(trials), len(objectives)),
        feasible=np.array(feasible, dtype=np.bool_),
        ledger=Ledger.of((entry for entry, _ in ended), terms.grid if terms else None),
        repeats=repeats,
        ended=tuple(ended),
        running=running,
    )
    return _with_checkpoints(candidates, all_trials) if checkpoints else candidates


def _with_checkpoints(candidates: Candidates, trials: Sequence[FrozenTrial]) -> Candidates:
    """Put the checkpoints of all trials among the completed trials.

    Raises:
        StudyError: green_optuna has not run in the study, so that nothing was reported to it.
    """
    if candidates.terms is None:
        raise StudyError(
            f"The study {candidates.study_name!r} keeps no reports of green_optuna's, so that it "
            "has no checkpoints: leave checkpoints=True out."
        )
    pooled = {one.number for group in candidates.repeats.values() for one in group}
    own = [trial for trial in trials if trial.number not in pooled]
    found, feasible, left_out = checkpoints_of(own, candidates.terms)
    every = [*found, *candidates.trials]
    # Stable: a trial as it ended comes after its checkpoints.
    order = sorted(range(len(every)), key=lambda row: every[row].number)
    losses = np.array([trial.values for trial in found], dtype=np.float64)
    losses = losses.reshape(len(found), len(candidates.objectives))
    return replace(
        candidates,
        trials=tuple(every[row] for row in order),
        losses=np.concatenate([losses, candidates.losses])[order],
        feasible=np.concatenate([np.array(feasible, np.bool_), candidates.feasible])[order],
        left_out=left_out,
    )
