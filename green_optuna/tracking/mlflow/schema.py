"""What a trial and a front look like in MLflow: keys, params, tags, files.

Names keep to the characters that MLflow takes, and what exceeds its limits is shortened visibly.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeVar

from green_optuna.tracking import keys
from green_optuna.tracking.front_note import FRONT_FILE
from green_optuna.tracking.keys import MAX_KEY
from green_optuna.tracking.series import shorten
from green_optuna.urls import shown_data, shown_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.front import ParetoFront
    from green_optuna.record import Kind, State, TrialRecord

T = TypeVar("T")

STUDY_KEY_TAG = "green_optuna.study_key"
ROLE_TAG = "green_optuna.role"
TRACKER_TAG = "green_optuna.tracker"
LATE_TAG = "green_optuna.late"
PARENT_TAG = "mlflow.parentRunId"
STATE_TAG = "green_optuna.state"
FRONT_TAG = "green_optuna.on_front"
CHOSEN_TAG = "green_optuna.chosen"
MODEL_TAG = "green_optuna.model"

# On the study's run: how many trials had ended as of its report.
REPORT_TAG = "green_optuna.report_of"

STATUS: dict[State, str] = {
    "running": "RUNNING",
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
    # MLflow's own KILLED is what a pruned trial is.
    "killed": "FAILED",
}

MAX_PARAM = 6000
MAX_TAG = 8000


def key_for(name: str) -> str:
    """Make a name a key that MLflow takes: letters, digits, ``_-. :`` and single slashes."""
    parts = re.sub(r"[^\w\-. :/]", "_", name).split("/")
    # MLflow refuses what a file system would read as another path, a//b, /a or a/../b, and all
    # that begins as if it were one: ..a.
    key = "/".join("_" if part in {"", ".", ".."} else part for part in parts)
    return shorten(re.sub(r"^\.\.", "_.", key), MAX_KEY)


def keyed(values: Mapping[str, T], *, prefix: str = "") -> dict[str, T]:
    """Give values under keys that MLflow takes, each its own."""
    return keys.keyed(values, key_for, prefix=prefix)


def params(trial: TrialRecord) -> dict[str, str]:
    """Give the hyperparameters under their own names, without passwords of addresses."""
    return {
        key: shorten(shown_data(str(value)), MAX_PARAM)
        for key, value in keyed(trial.params).items()
    }


def origin_tags(study_key: str, kind: Kind, tracker_name: str) -> dict[str, str]:
    """Say whose a study's runs of a kind are: two trackers of it may log to one store."""
    return {
        STUDY_KEY_TAG: study_key,
        ROLE_TAG: kind,
        TRACKER_TAG: re.sub(r"[^\w\-. :/]", "_", tracker_name),
    }


def identity_tags(trial: TrialRecord, tracker_name: str) -> dict[str, str]:
    """Give the tags that no two runs of a store share, however often a trial is told."""
    said = origin_tags(trial.terms.key, trial.kind, tracker_name)
    return said | {number_tag(trial.kind): str(trial.number)}


def number_tag(kind: Kind) -> str:
    """Name the tag that has the number of a trial, or of a measurement."""
    return f"green_optuna.{kind}"


def start_tags(trial: TrialRecord, tracker_name: str) -> dict[str, str]:
    """Say which trial of which study a run is, or which measurement."""
    said = identity_tags(trial, tracker_name)
    if trial.kind == "measurement":
        said["green_optuna.name"] = shorten(trial.study_name, MAX_TAG)
    return said


def tags(trial: TrialRecord) -> dict[str, str]:
    """Say how the trial ended and what its figures rest on."""
    said: dict[str, object] = {STATE_TAG: trial.state}
    measurement = trial.measurement
    if measurement is not None:
        grid, sources = measurement.grid, measurement.sources
        said |= {
            "green_optuna.basis": measurement.basis,
            "green_optuna.host": measurement.host,
            "green_optuna.fingerprint": measurement.fingerprint,
            "green_optuna.resolution_s": measurement.resolution_s,
            "green_optuna.shared": str(measurement.shared).lower(),
            # In words, and few of them: MLflow's pages fetch all tags of each run that they list.
            "green_optuna.grid": (
                f"{grid.carbon_intensity_g_per_kwh} g/kWh ({grid.source}), PUE {grid.pue}"
            ),
            "green_optuna.sources": "; ".join(
                f"{component}: {source.name}" for component, source in sources.items()
            ),
        }
    if trial.inference is not None:
        said["green_optuna.inference"] = trial.inference.called
    if trial.model is not None:
        said[MODEL_TAG] = str(trial.model)
    if trial.live_flushes:
        said["green_optuna.live_flushes_in_window"] = trial.live_flushes
    if trial.stopped is not None:
        said["green_optuna.stopped"] = trial.stopped
    if trial.error is not None:
        # What a storage or a server raised may hold its URL, however it was written.
        said["green_optuna.error"] = shown_text(trial.error)
    said |= keyed(trial.user_attrs, prefix="user_attrs.")
    return {key: shorten(shown_data(str(value)), MAX_TAG) for key, value in said.items()}


def front_artifacts(front: ParetoFront) -> dict[str, str]:
    """Give the front as files: JSON for scripts, CSV and a plot for people."""
    return {
        FRONT_FILE: json.dumps(front.to_dict(), indent=2),
        "front/trials.csv": front.to_csv(),
        # The page brings Plotly along: it opens where there is no internet.
        "front/pareto.html": front.plot().to_html(include_plotlyjs=True),
    }
