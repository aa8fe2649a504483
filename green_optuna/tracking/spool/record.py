"""A trial's record as JSON keeps it, whole, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from green_optuna.energy import ComponentEnergy, Trace
from green_optuna.energy.stored import measurement_from_dict
from green_optuna.models import ParameterCount
from green_optuna.record import (
    EACH_RUN,
    TrialRecord,
    forecast_from_dict,
    inference_from_dict,
    loss_interval_of,
    reports_from_rows,
    reports_to_rows,
    saved_model_from_dict,
)
from green_optuna.runs import runs_from_lists
from green_optuna.terms import StudyTerms
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.energy import Measurement

# Where the files of its model wait with it, on this machine.
MODEL_FOLDER = "model_folder"


def record_to_dict(trial: TrialRecord) -> dict[str, Any]:
    """Give all of a record as JSON keeps it: what Optuna's storage keeps, and the trace."""
    kept: dict[str, Any] = {
        "kind": trial.kind,
        "study_name": trial.study_name,
        "terms": trial.terms.to_dict(),
        "number": trial.number,
        "started_at": trial.started_at,
        # As trackers show them: JSON makes lists of tuples.
        "params": {
            name: value if isinstance(value, str | int | float | None) else str(value)
            for name, value in trial.params.items()
        },
        "user_attrs": dict(trial.user_attrs),
        "objectives": dict(trial.objectives),
        "reports": reports_to_rows(trial.reports),
        "error": trial.error,
        "live_flushes": trial.live_flushes,
        **trial.attribute(),
    }
    if trial.model is not None and trial.model.folder is not None:
        kept[MODEL_FOLDER] = str(trial.model.folder)
    if trial.measurement is not None:
        kept["trace"] = [list(row) for row in trial.measurement.trace.rows()]
    return kept


def record_from_dict(kept: Mapping[str, Any]) -> TrialRecord:
    """Undo :func:`record_to_dict`.

    Values that JSON does not know, as a user may attach, come back as text.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is not what it should be.
        ValueError: Likewise.
    """
    parameters = None
    if "n_total_params" in kept:
        parameters = ParameterCount(
            total=kept["n_total_params"], trainable=kept["n_trainable_params"]
        )
    return TrialRecord(
        study_name=kept["study_name"],
        terms=StudyTerms.from_dict(kept["terms"]),
        number=kept["number"],
        started_at=kept["started_at"],
        kind=kept["kind"],
        state=kept["state"],
        params=kept["params"],
        run_ids=kept["run_ids"],
        user_attrs=kept["user_attrs"],
        measurement=_measurement(kept),
        overhead=_overhead(kept),
        quality=kept.get("quality"),
        n_params=kept.get("n_params"),
        parameters=parameters,
        objectives=kept["objectives"],
        loss_interval=loss_interval_of(kept),
        inference=inference_from_dict(kept),
        runs=runs_from_lists(kept.get(EACH_RUN, ())),
        reports=reports_from_rows(kept["reports"]),
        model=saved_model_from_dict(kept, folder=kept.get(MODEL_FOLDER)),
        error=kept["error"],
        stopped=kept.get("stopped"),
        forecast=forecast_from_dict(kept),
        live_flushes=kept["live_flushes"],
    )


def without_secrets(value: object) -> object:
    """Mask the passwords of URLs in all texts of a record, however deep they are."""
    if isinstance(value, str):
        return shown_text(value)
    if isinstance(value, dict):
        return {key: without_secrets(within) for key, within in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(within) for within in value]
    return value


def _measurement(kept: Mapping[str, Any]) -> Measurement | None:
    if "trace" not in kept:
        return None
    trace = Trace.from_points([tuple(row) for row in kept["trace"]])
    return replace(measurement_from_dict(kept), trace=trace)


def _overhead(kept: Mapping[str, Any]) -> ComponentEnergy:
    overhead_kwh = kept.get("overhead_kwh")
    return ComponentEnergy() if overhead_kwh is None else ComponentEnergy.from_dict(overhead_kwh)
