"""What a trial and a front look like in MLflow: keys, steps, tags, notes.

Names keep to the characters that MLflow takes, and what exceeds its limits is shortened visibly.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from green_optuna.rules import Tolerance
from green_optuna.tracking.series import shorten
from green_optuna.units import quantity_label, show_quantity
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.front import ParetoFront
    from green_optuna.record import State, TrialRecord

STUDY_KEY_TAG = "green_optuna.study_key"
ROLE_TAG = "green_optuna.role"
PARENT_TAG = "mlflow.parentRunId"

STATUS: dict[State, str] = {
    "running": "RUNNING",
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
    # MLflow's own KILLED is what a pruned trial is.
    "killed": "FAILED",
}

FRONT_FILE = "front/pareto.json"

MAX_KEY = 250
MAX_PARAM = 6000
MAX_TAG = 8000


def key_for(name: str) -> str:
    """Make a name a key that MLflow takes: letters, digits, ``_-. :`` and single slashes."""
    parts = re.sub(r"[^\w\-. :/]", "_", name).split("/")
    # MLflow refuses what a file system would read as another path, a//b, /a or a/../b, and all
    # that begins as if it were one: ..a.
    key = "/".join("_" if part in {"", ".", ".."} else part for part in parts)
    return shorten(re.sub(r"^\.\.", "_.", key), MAX_KEY)


def keyed(values: Mapping[str, object], *, prefix: str = "") -> dict[str, object]:
    """Give values under keys that MLflow takes, each its own.

    Two names that become one key are told apart by a few digits of their hash.
    """
    keys = {name: key_for(prefix + name) for name in values}
    uses = Counter(keys.values())
    return {
        key if uses[key] == 1 or key == prefix + name else _hashed(key, name): values[name]
        for name, key in keys.items()
    }


def _hashed(key: str, name: str) -> str:
    digits = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{key[: MAX_KEY - 1 - len(digits)]}_{digits}"


def params(trial: TrialRecord) -> dict[str, str]:
    """Give the hyperparameters under their own names."""
    return {key: shorten(str(value), MAX_PARAM) for key, value in keyed(trial.params).items()}


def identity_tags(trial: TrialRecord) -> dict[str, str]:
    """Give the tags that no two runs of a store share, however often a trial is told."""
    return {
        STUDY_KEY_TAG: trial.terms.key,
        ROLE_TAG: trial.kind,
        f"green_optuna.{trial.kind}": str(trial.number),
    }


def start_tags(trial: TrialRecord) -> dict[str, str]:
    """Say which trial of which study a run is, or which measurement."""
    said = identity_tags(trial)
    if trial.kind == "measurement":
        said["green_optuna.name"] = shorten(trial.study_name, MAX_TAG)
    return said


def tags(trial: TrialRecord) -> dict[str, str]:
    """Say how the trial ended and what its figures rest on."""
    said: dict[str, object] = {"green_optuna.state": trial.state}
    measurement = trial.measurement
    if measurement is not None:
        said |= {
            "green_optuna.basis": measurement.basis,
            "green_optuna.host": measurement.host,
            "green_optuna.fingerprint": measurement.fingerprint,
            "green_optuna.resolution_s": measurement.resolution_s,
            "green_optuna.shared": str(measurement.shared).lower(),
            "green_optuna.carbon_intensity_g_per_kwh": measurement.grid.carbon_intensity_g_per_kwh,
            "green_optuna.carbon_intensity_source": measurement.grid.source,
            "green_optuna.pue": measurement.grid.pue,
        }
        said |= {
            f"green_optuna.source.{component}": source.name
            for component, source in measurement.sources.items()
        }
    if trial.live_flushes:
        said["green_optuna.live_flushes_in_window"] = trial.live_flushes
    if trial.error is not None:
        # What a storage or a server raised may hold its URL.
        said["green_optuna.error"] = shown_text(trial.error)
    said |= keyed(trial.user_attrs, prefix="user_attrs.")
    return {key: shorten(str(value), MAX_TAG) for key, value in said.items()}


def front_artifacts(front: ParetoFront) -> dict[str, str]:
    """Give the front as files: JSON for scripts, CSV and a plot for people."""
    return {
        FRONT_FILE: json.dumps(front.to_dict(), indent=2),
        "front/trials.csv": front.to_dataframe(dominated=True).to_csv(index=False),
        # The page brings Plotly along: it opens where there is no internet.
        "front/pareto.html": front.plot().to_html(include_plotlyjs=True),
    }


def front_note(front: ParetoFront) -> str:
    """Write the front as a Markdown table, for the description of the study's run."""
    names = front.objectives
    note = (
        f"**Pareto front** of study `{front.study_name}`: {len(front)} of "
        f"{len(front.candidates.trials)} completed trials.\n"
    )
    if front.note is not None:
        note += f"\n{front.note}\n"
    cost = str(front.ledger)
    if len(front) and set(Tolerance().objectives) <= set(names):
        selection = front.select()
        note += f"\nSelected by default: {selection}\n"
        cost = front.ledger.summary(selection.number, selection.measurement)
    note += f"\n{cost}\n"
    note += "\n| trial | " + " | ".join(quantity_label(name) for name in names) + " |\n"
    note += "|---:|" + "---:|" * len(names) + "\n"
    losses = front.candidates.losses[list(front.rows)].tolist()
    for row, (trial, values) in enumerate(zip(front.trials, losses, strict=True)):
        shown = [show_quantity(name, value) for name, value in zip(names, values, strict=True)]
        line = f"| {trial.number} | " + " | ".join(shown) + " |\n"
        left_out = f"\n{len(front) - row} more are in `{FRONT_FILE}`."
        if len(note) + len(line) + len(left_out) > MAX_TAG:
            return note + left_out
        note += line
    return shorten(note, MAX_TAG)
