"""What is kept of a study and its trials, and the one bridge between Optuna and arrays.

Optuna's storage holds three attributes of ours, each one small dict: ``green_optuna`` of the
study (its terms), ``green_optuna`` of a trial (who runs it; then what it cost) and
``green_optuna_reports`` of a trial (its reports, thinned); and, of a study, now and then one for a
trial that was killed. One dict costs a storage as much as
one number does; twenty numbers cost twenty times that.
"""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from optuna.trial import TrialState

from green_optuna.carbon import Grid
from green_optuna.energy import ComponentEnergy, Measurement, Source
from green_optuna.errors import OptionError, StudyError
from green_optuna.ledger import End, Entry, Ledger
from green_optuna.models import ParameterCount
from green_optuna.runs import RunRecord, intervals_of, runs_from_lists, runs_to_lists
from green_optuna.terms import ATTRIBUTE, VERSION, StudyTerms, check_directions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import optuna
    from optuna.trial import FrozenTrial

    from green_optuna.intervals import Interval

REPORTS_ATTRIBUTE = "green_optuna_reports"

# Under this name stands what each run came to, in the dict that is kept of a trial.
EACH_RUN = "each_run"
KILLED_ATTRIBUTE = "green_optuna.killed."
"""With a trial's number behind it, the attribute of a study that keeps what a killed trial cost
where the trial itself takes no attribute any more: Optuna's heartbeat had ended it."""

# Beyond this many reports, what the storage keeps of a trial is thinned.
MAX_STORED_REPORTS = 200

State = Literal["running", "complete", "pruned", "failed", "killed"]

_ENDS: dict[TrialState, End] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}

Kind = Literal["trial", "measurement"]


@dataclass(frozen=True, slots=True)
class Report:
    """One ``trial.report``: the quality at a step, with what the trial had spent by then.

    Attributes:
        step: The step, such as an epoch.
        quality: The quality, as it was reported; NaN where it was not finite.
        energy_kwh: Energy since the trial began, in kWh.
        t_s: Time since the trial began, in s.
    """

    step: int
    quality: float
    energy_kwh: float
    t_s: float


def thin_reports(reports: Sequence[Report]) -> list[list[float | None]]:
    """Give at most 200 of the reports as JSON keeps them, evenly spread, the last among them."""
    stride = math.ceil(len(reports) / MAX_STORED_REPORTS)
    kept = list(reversed(reports[::-1][:: max(stride, 1)]))
    return [
        [
            report.step,
            None if math.isnan(report.quality) else report.quality,
            report.energy_kwh,
            round(report.t_s, 3),
        ]
        for report in kept
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """All that is known of one trial: what the trackers get.

    What was measured without a study comes in the same form, since it costs the same things. It
    has no hyperparameters, quality or objectives, and is of the kind "measurement".

    Attributes:
        study_name: The name of its study; of a measurement, its own.
        terms: The terms of its study; of a measurement, with a key that it shares with those of
            its name in its process.
        number: Its number in the study; of a measurement, among those that share its key.
        state: "running" when it starts and while it runs, then how it ended: "killed" where its
            process did, in the middle of it.
        started_at: When it started, in s since the epoch.
        kind: "trial", or "measurement" where there is no study.
        params: Its hyperparameters.
        run_ids: The run that each tracker opened for it, by the tracker's name.
        user_attrs: What the user's function attached to it.
        measurement: What it cost; None at its start.
        overhead: What its process used between trials before it ended, in kWh per component.
        quality: The quality that the user's function returned.
        n_params: The number of parameters that counts.
        parameters: The parameters of its model, where it was a model that was counted.
        objectives: The values that went to Optuna, by name; empty unless complete.
        runs: What each run of its function came to, where it was to run several times.
        reports: What it reported.
        error: The exception that ended it, in one line; None unless it failed or was killed.
        live_flushes: How often trackers were told of it while it ran. What that took is part
            of its measurement.
    """

    study_name: str
    terms: StudyTerms
    number: int
    started_at: float
    kind: Kind = "trial"
    state: State = "running"
    params: Mapping[str, Any] = field(default_factory=dict)
    run_ids: Mapping[str, str] = field(default_factory=dict)
    user_attrs: Mapping[str, Any] = field(default_factory=dict)
    measurement: Measurement | None = None
    overhead: ComponentEnergy = field(default_factory=ComponentEnergy)
    quality: float | None = None
    n_params: int | None = None
    parameters: ParameterCount | None = None
    objectives: Mapping[str, float] = field(default_factory=dict)
    runs: tuple[RunRecord, ...] = ()
    reports: tuple[Report, ...] = ()
    error: str | None = None
    live_flushes: int = 0

    @property
    def intervals(self) -> dict[str, Interval | None]:
        """The confidence interval of each objective, None where its function ran once."""
        return intervals_of(self.runs, self.terms.grid, tuple(self.objectives))

    def attribute(self) -> dict[str, Any]:
        """Give what Optuna's storage keeps of the trial when it has ended, as one dict."""
        kept: dict[str, Any] = {
            "version": VERSION,
            "state": self.state,
            "run_ids": dict(self.run_ids),
        }
        if self.quality is not None:
            kept["quality"] = self.quality
        if self.n_params is not None:
            kept["n_params"] = self.n_params
        if self.parameters is not None:
            kept["n_total_params"] = self.parameters.total
            kept["n_trainable_params"] = self.parameters.trainable
        if self.measurement is not None:
            kept |= measurement_to_dict(self.measurement)
        if self.runs:
            kept[EACH_RUN] = runs_to_lists(self.runs)
        if self.overhead.total_kwh > 0:
            kept["overhead_kwh"] = self.overhead.to_dict()
        return kept


def in_one_line(error: BaseException) -> str:
    """Name an exception and what it says, whatever its own ``__str__`` does."""
    return " ".join("".join(traceback.format_exception_only(error)).split())


def measurement_to_dict(measurement: Measurement) -> dict[str, Any]:
    """Give a measurement as JSON keeps it; its trace is left to the trackers."""
    return {
        "energy_kwh": measurement.energy.to_dict(),
        "duration_s": measurement.duration_s,
        "co2e_kg": measurement.co2e_kg,
        "grid": measurement.grid.to_dict(),
        "basis": measurement.basis,
        "sources": sources_to_dict(measurement.sources),
        "host": measurement.host,
        "fingerprint": measurement.fingerprint,
        "shared": measurement.shared,
        "runs": measurement.runs,
    }


def measurement_from_dict(kept: Mapping[str, Any]) -> Measurement:
    """Undo :func:`measurement_to_dict`; the trace is empty."""
    return Measurement(
        energy=ComponentEnergy.from_dict(kept["energy_kwh"]),
        duration_s=kept["duration_s"],
        grid=Grid.from_dict(kept["grid"]),
        sources=sources_from_dict(kept["sources"]),
        host=kept["host"],
        fingerprint=kept.get("fingerprint", ""),
        shared=kept["shared"],
        runs=kept.get("runs", 1),
    )


def sources_to_dict(sources: Mapping[str, Source]) -> dict[str, list[Any]]:
    """Give where energies come from as JSON keeps it."""
    return {
        name: [source.name, source.measured, source.follows_cpu_time, source.resolution_s]
        for name, source in sources.items()
    }


def sources_from_dict(kept: Mapping[str, Sequence[Any]]) -> dict[str, Source]:
    """Undo :func:`sources_to_dict`."""
    return {name: Source(*source) for name, source in kept.items()}


def measurement_of(trial: FrozenTrial) -> Measurement | None:
    """Give what a trial cost, as its study keeps it, or None where nothing was kept."""
    kept = trial.user_attrs.get(ATTRIBUTE)
    return measurement_from_dict(kept) if kept and "energy_kwh" in kept else None


def trial_intervals(trial: FrozenTrial, objectives: Sequence[str]) -> dict[str, Interval | None]:
    """Give the confidence interval of each objective of a completed trial, as its runs tell.

    None stands where the function ran once, or nothing was kept of its runs.
    """
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    if EACH_RUN not in kept:
        return dict.fromkeys(objectives)
    return intervals_of(runs_from_lists(kept[EACH_RUN]), Grid.from_dict(kept["grid"]), objectives)


def entry_of(trial: FrozenTrial, killed: Mapping[str, Any] | None = None) -> Entry | None:
    """Give what a trial adds to its study's ledger, or None while it waits or runs.

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
    if trial.state == TrialState.WAITING:
        return None
    if trial.state == TrialState.RUNNING and state in ("running", "killed"):
        return None
    energies_kwh = kept.get("energy_kwh")
    return Entry(
        number=trial.number,
        end="killed" if state == "killed" else _ENDS.get(trial.state, state),
        energy_kwh=None if energies_kwh is None else sum(energies_kwh.values()),
        overhead_kwh=sum(kept.get("overhead_kwh", {}).values()),
    )


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth value to compare by
class Candidates:
    """The completed trials of a study, as arrays.

    Attributes:
        study_name: The name of the study.
        study_key: Its key in the trackers, or None where green_optuna has not run in it.
        objectives: The names of its objectives, in order.
        trials: Its completed trials in the order of their numbers, read-only.
        losses: Their objective values, an ndarray in the shape of (n_trials, n_objectives).
        feasible: Whether each meets its constraints, in the shape of (n_trials,).
        ledger: What the study has spent, by how its trials ended.
    """

    study_name: str
    study_key: str | None
    objectives: tuple[str, ...]
    trials: tuple[FrozenTrial, ...]
    losses: npt.NDArray[np.float64]
    feasible: npt.NDArray[np.bool_]
    ledger: Ledger

    @property
    def spent_kwh(self) -> float:
        """What the study has spent, in kWh: its ledger's total."""
        return self.ledger.energy_kwh

    @property
    def spent_co2e_kg(self) -> float:
        """What the study has spent, in kg of CO2e: its ledger's total."""
        return self.ledger.co2e_kg

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
        study_key=terms.key if terms else None,
        objectives=objectives,
        trials=trials,
        losses=losses.reshape(len(trials), len(objectives)),
        feasible=np.array(feasible, dtype=np.bool_),
        ledger=Ledger.of((one for one in entries if one), terms.grid if terms else None),
    )
