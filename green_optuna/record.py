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

from green_optuna.carbon import Grid
from green_optuna.energy import ComponentEnergy, Measurement
from green_optuna.energy.stored import measurement_from_dict, measurement_to_dict
from green_optuna.forecast import Forecast
from green_optuna.inference import InferenceCost
from green_optuna.intervals import Interval
from green_optuna.models import ParameterCount
from green_optuna.runs import RunRecord, intervals_of, runs_from_lists, runs_to_lists
from green_optuna.saving.saved import SavedModel
from green_optuna.terms import ATTRIBUTE, VERSION, StudyTerms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optuna.trial import FrozenTrial

REPORTS_ATTRIBUTE = "green_optuna_reports"

# Under this name stands what each run came to, in the dict that is kept of a trial.
EACH_RUN = "each_run"
# Under this one, how far the loss of a quality can be trusted that came with an interval.
LOSS_INTERVAL = "loss_interval"
# And under this one, what the inference of its model costs.
INFERENCE = "inference"
# And this one says that a trial was not started, since a budget was reached.
NOT_STARTED = "not_started"
# And under this one, what a trial that was pruned would have cost.
FORECAST = "forecast"
# And under this one, what became of its model, where it was to be saved.
MODEL = "model"
REPEAT_OF = "green_optuna.repeat_of"
"""The attribute of a trial that says which one it repeats, by its number."""

KILLED_ATTRIBUTE = "green_optuna.killed."
"""With a trial's number behind it, the attribute of a study that keeps what a killed trial cost
where the trial itself takes no attribute any more: Optuna's heartbeat had ended it."""

# Beyond this many reports, what the storage keeps of a trial is thinned.
MAX_STORED_REPORTS = 200

State = Literal["running", "complete", "pruned", "failed", "killed"]

Kind = Literal["trial", "measurement"]


@dataclass(frozen=True, slots=True)
class Report:
    """One ``trial.report``: the quality at a step, with what the trial had spent by then.

    Attributes:
        step: The step, such as an epoch.
        quality: The quality, as it was reported; NaN where it was not finite.
        energy_kwh: Energy since the trial began, in kWh.
        t_s: Time since the trial began, in s.
        checkpoint: Where the user's function saved the model of this step, as it says; None where
            it says nothing.
    """

    step: int
    quality: float
    energy_kwh: float
    t_s: float
    checkpoint: str | None = None


def reports_from_rows(rows: Sequence[Sequence[Any]]) -> tuple[Report, ...]:
    """Read reports as JSON keeps them: of step, quality, energy in kWh and time in s each.

    Where the model of the step was saved comes fifth, if it was.
    """
    return tuple(
        Report(step, math.nan if quality is None else quality, *rest)
        for step, quality, *rest in rows
    )


def reports_to_rows(reports: Sequence[Report]) -> list[list[float | str | None]]:
    """Give reports as JSON keeps them, which has no NaN."""
    return [
        [
            report.step,
            None if math.isnan(report.quality) else report.quality,
            report.energy_kwh,
            report.t_s,
            *([] if report.checkpoint is None else [report.checkpoint]),
        ]
        for report in reports
    ]


def thin_reports(reports: Sequence[Report]) -> list[list[float | str | None]]:
    """Give at most 200 of the reports as JSON keeps them, evenly spread, the last among them.

    Those whose model was saved are kept first: each is a model that could be deployed. No two
    reports have one step.
    """
    kept: Sequence[Report] = reports
    if len(reports) > MAX_STORED_REPORTS:
        saved = [one for one in reports if one.checkpoint]
        most = min(len(saved), MAX_STORED_REPORTS - 1)
        rest = [one for one in reports if not one.checkpoint]
        stride = max(math.ceil(len(rest) / (MAX_STORED_REPORTS - most)), 1)
        # The last of all is the last of its own kind, and is kept of either.
        spread = [saved[(place + 1) * len(saved) // most - 1] for place in range(most)]
        steps = {one.step for one in (*spread, *rest[::-1][::stride])}
        kept = [one for one in reports if one.step in steps]
    return reports_to_rows([replace(report, t_s=round(report.t_s, 3)) for report in kept])


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
        overhead: What its process used between trials before it ended, and to measure its model's
            inference, in kWh per component.
        quality: The quality that the user's function returned.
        n_params: The number of parameters that counts.
        parameters: The parameters of its model, where it was a model that was counted.
        objectives: The values that went to Optuna, by name; empty unless complete.
        loss_interval: How far the quality's loss can be trusted, where the quality that the user's
            function returned came with an interval of its own.
        inference: What the inference of its model costs, where that was asked for.
        runs: What each run of its function came to, where it was to run several times.
        reports: What it reported.
        model: What became of its model, where it was to be saved with the trial; None else.
        error: The exception that ended it, in one line; None unless it failed or was killed.
        stopped: Why the pruner stopped it; None unless it did.
        forecast: What one run of its function will cost, while it runs; what it would have cost,
            where it was pruned. None where there is too little to tell.
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
    loss_interval: Interval | None = None
    inference: InferenceCost | None = None
    runs: tuple[RunRecord, ...] = ()
    reports: tuple[Report, ...] = ()
    model: SavedModel | None = None
    error: str | None = None
    stopped: str | None = None
    forecast: Forecast | None = None
    live_flushes: int = 0

    @property
    def intervals(self) -> dict[str, Interval | None]:
        """The confidence interval of each objective, None where nothing tells of one.

        The runs tell, where the function ran several times; else the quality's own interval. Of
        an inference, its own runs tell.
        """
        of_runs = intervals_of(self.runs, self.terms.grid, tuple(self.objectives))
        return of_runs | _own_intervals(self.loss_interval, self.inference, self.objectives)

    def attribute(self) -> dict[str, Any]:
        """Give what Optuna's storage keeps of the trial when it has ended, as one dict."""
        kept: dict[str, Any] = {
            "version": VERSION,
            "state": self.state,
            "run_ids": dict(self.run_ids),
        }
        plain = {"stopped": self.stopped, "quality": self.quality, "n_params": self.n_params}
        kept |= {name: value for name, value in plain.items() if value is not None}
        if self.forecast is not None:
            kept[FORECAST] = self.forecast.to_dict()
        if self.parameters is not None:
            kept["n_total_params"] = self.parameters.total
            kept["n_trainable_params"] = self.parameters.trainable
        if self.measurement is not None:
            kept |= measurement_to_dict(self.measurement)
        if self.loss_interval is not None:
            kept[LOSS_INTERVAL] = self.loss_interval.to_dict()
        if self.inference is not None:
            kept[INFERENCE] = self.inference.to_dict()
        if self.model is not None:
            kept[MODEL] = self.model.to_dict()
        if self.runs:
            kept[EACH_RUN] = runs_to_lists(self.runs)
        if self.overhead.total_kwh > 0:
            kept["overhead_kwh"] = self.overhead.to_dict()
        return kept


def not_started_attribute(reason: str) -> dict[str, Any]:
    """Give what Optuna's storage keeps of a trial that was not started.

    Args:
        reason: Why, in a few words.
    """
    return {"version": VERSION, "state": "pruned", "stopped": reason, NOT_STARTED: True}


def why_not_started(trial: FrozenTrial) -> str | None:
    """Say why a trial was not started, as its study keeps it; None where it was."""
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    return kept["stopped"] if kept.get(NOT_STARTED) else None


def in_one_line(error: BaseException) -> str:
    """Name an exception and what it says, whatever its own ``__str__`` does."""
    return " ".join("".join(traceback.format_exception_only(error)).split())


def measurement_of(trial: FrozenTrial) -> Measurement | None:
    """Give what a trial cost, as its study keeps it, or None where nothing was kept."""
    kept = trial.user_attrs.get(ATTRIBUTE)
    return measurement_from_dict(kept) if kept and "energy_kwh" in kept else None


def trial_intervals(trial: FrozenTrial, objectives: Sequence[str]) -> dict[str, Interval | None]:
    """Give the confidence interval of each objective of a completed trial, as its runs tell.

    None stands where the function ran once, or nothing was kept of its runs; but for the quality's
    loss, where the quality came with an interval of its own, and for the energy of inference.
    """
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    # Read only where it is asked for: a front's table asks for each trial's intervals.
    inference = inference_from_dict(kept) if "inference_kwh" in objectives else None
    own = _own_intervals(loss_interval_of(kept), inference, objectives)
    if EACH_RUN not in kept:
        return dict.fromkeys(objectives, None) | own
    runs, grid = runs_from_lists(kept[EACH_RUN]), Grid.from_dict(kept["grid"])
    return intervals_of(runs, grid, objectives) | own


def loss_interval_of(kept: Mapping[str, Any]) -> Interval | None:
    """Give the interval of a quality's loss, from what is kept of its trial."""
    return Interval(**kept[LOSS_INTERVAL]) if LOSS_INTERVAL in kept else None


def inference_of(trial: FrozenTrial) -> InferenceCost | None:
    """Give what the inference of a trial's model costs, or None where nothing was kept."""
    return inference_from_dict(trial.user_attrs.get(ATTRIBUTE, {}))


def inference_from_dict(kept: Mapping[str, Any]) -> InferenceCost | None:
    """Give what an inference costs, from what is kept of its trial."""
    return InferenceCost.from_dict(kept[INFERENCE]) if INFERENCE in kept else None


def run_ids_of(trial: FrozenTrial) -> dict[str, str]:
    """Give a trial's run in each tracker, by the tracker's name ("mlflow")."""
    return dict(trial.user_attrs.get(ATTRIBUTE, {}).get("run_ids", {}))


def saved_model_of(trial: FrozenTrial) -> SavedModel | None:
    """Give what became of a trial's model, or None where it was not to be saved."""
    return saved_model_from_dict(trial.user_attrs.get(ATTRIBUTE, {}))


def saved_model_from_dict(
    kept: Mapping[str, Any], *, folder: str | None = None
) -> SavedModel | None:
    """Give what became of a model, from what is kept of its trial.

    Args:
        kept: What is kept of the trial.
        folder: Where the model's files wait for a tracker, if they do.
    """
    return SavedModel.from_dict(kept[MODEL], folder=folder) if MODEL in kept else None


def forecast_from_dict(kept: Mapping[str, Any]) -> Forecast | None:
    """Give what a trial would have cost, from what is kept of it."""
    return Forecast.from_dict(kept[FORECAST]) if FORECAST in kept else None


def _own_intervals(
    loss: Interval | None, inference: InferenceCost | None, objectives: Iterable[str]
) -> dict[str, Interval | None]:
    """Give the intervals that do not come of the runs of a trial's function."""
    energy_kwh = None if inference is None else inference.energy_kwh
    known = {"quality_loss": loss, "inference_kwh": energy_kwh}
    return {name: known[name] for name in objectives if known.get(name) is not None}
