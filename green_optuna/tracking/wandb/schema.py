"""What a trial and a front look like in Weights & Biases: ids, keys, config, rows, summary."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from green_optuna.tracking import keys, series
from green_optuna.urls import shown_data, shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import plotly.graph_objects as go

    from green_optuna.front import ParetoFront
    from green_optuna.record import TrialRecord

OURS = "green_optuna"
"""The key of a run's config under which stands what the library says of it."""

# W&B keeps this one for itself.
_RESERVED = {"_wandb", OURS}

# W&B's server takes names and groups of this length.
MAX_NAME = 128
# No limit of W&B's: what is longer is of no use in a column.
MAX_TEXT = 10_000

# Beyond this, JavaScript rounds an integer.
_MAX_INTEGER = 2**53

AXES = {
    "energy/*": "energy/t_s",
    "report/*": "report/step",
    "study/*": "study/trial",
    "ledger/*": "study/trial",
}
"""Over which of their columns the charts of a run are drawn."""


def study_digest(key: str) -> str:
    """Give what the ids of all runs of a study begin with, and those of no other study.

    Args:
        key: The key of the study's terms.
    """
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def run_id(trial: TrialRecord) -> str:
    """Give the id of a trial's run: the same whoever logs it, so that it is there once."""
    return f"{study_digest(trial.terms.key)}-{trial.kind}-{trial.number}"


def group_of(study_name: str, key: str) -> str:
    """Name the group of a study's runs after it; a name that is too long ends with its digest."""
    digest = study_digest(key)[:8]
    if len(study_name) <= MAX_NAME:
        return study_name
    return f"{study_name[: MAX_NAME - len(digest) - 4]}... {digest}"


def key_for(name: str) -> str:
    """Make a name a key that W&B keeps apart from others: it reads a dot as one within another."""
    key = series.shorten(re.sub(r"[.\x00-\x1f\x7f]", "_", name), keys.MAX_KEY) or "_"
    return f"{key}_" if key in _RESERVED else key


def keyed(values: Mapping[str, object]) -> dict[str, object]:
    """Give values, as W&B shows them, under keys that it takes, each its own."""
    return {key: _value(value) for key, value in keys.keyed(values, key_for).items()}


def _value(value: object) -> object:
    """Give a value that W&B can chart, or else its text, without passwords of addresses."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) <= _MAX_INTEGER:
        return value
    return series.shorten(shown_data(str(value)), MAX_TEXT)


def start_config(trial: TrialRecord) -> dict[str, object]:
    """Say which trial of which study a run is, or which measurement."""
    return {OURS: _identity(trial)}


def _identity(trial: TrialRecord) -> dict[str, object]:
    return {
        "role": trial.kind,
        "study" if trial.kind == "trial" else "name": _value(trial.study_name),
        "study_key": trial.terms.key,
        trial.kind: trial.number,
    }


def config(trial: TrialRecord) -> dict[str, object]:
    """Give the hyperparameters under their own names, and what the trial's figures rest on."""
    ours = _identity(trial)
    measurement = trial.measurement
    if measurement is not None:
        grid = measurement.grid
        ours |= {
            "basis": measurement.basis,
            "host": measurement.host,
            "fingerprint": measurement.fingerprint,
            "resolution_s": measurement.resolution_s,
            "shared": measurement.shared,
            "carbon_intensity_g_per_kwh": grid.carbon_intensity_g_per_kwh,
            "carbon_intensity_source": grid.source,
            "pue": grid.pue,
            "source": {name: source.name for name, source in measurement.sources.items()},
        }
    if trial.inference is not None:
        ours["inference"] = trial.inference.called
    return keyed(trial.params) | {OURS: ours}


def study_config(front: ParetoFront, key: str) -> dict[str, object]:
    """Say which study a run is."""
    return {
        OURS: {
            "role": "study",
            "study": _value(front.study_name),
            "study_key": key,
            "objectives": list(front.objectives),
        }
    }


def summary(trial: TrialRecord) -> dict[str, object]:
    """Give what a trial came to, how it ended, and the user's attributes."""
    said: dict[str, object] = {point.key: point.value for point in series.result_points(trial)}
    said |= {point.key: point.value for point in series.forecast_points(trial)}
    said[f"{OURS}/state"] = trial.state
    if trial.stopped is not None:
        said[f"{OURS}/stopped"] = trial.stopped
    if trial.error is not None:
        # What a storage or a server raised may hold its URL.
        said[f"{OURS}/error"] = series.shorten(shown_text(trial.error), MAX_TEXT)
    if trial.live_flushes:
        said[f"{OURS}/live_flushes_in_window"] = trial.live_flushes
    said |= {f"user_attrs/{key}": value for key, value in keyed(trial.user_attrs).items()}
    return said


def trace_rows(trial: TrialRecord, *, after: int) -> list[dict[str, float]]:
    """Give the trace after a step, one row a whole second."""
    rows: dict[int, dict[str, float]] = {}
    for point in series.trace_points(trial, after=after):
        rows.setdefault(point.step, _row("energy/t_s", point))[point.key] = point.value
    return list(rows.values())


def report_rows(trial: TrialRecord, *, since: int) -> Iterator[dict[str, float]]:
    """Give the reports from number ``since`` on, one row each."""
    for report in trial.reports[since:]:
        # One at a time, for two of them may have the same step.
        yield _in_one_row(
            "report/step", series.report_points(replace(trial, reports=(report,)), since=0)
        )


def study_row(front: ParetoFront, *, at_s: float) -> dict[str, float]:
    """Give the study's figures so far, over the number of its latest completed trial."""
    return _in_one_row("study/trial", series.study_points(front, at_s=at_s))


def front_rows(front: ParetoFront) -> tuple[list[str | int], list[Any]]:
    """Give the front as a table: its columns, one row a trial, then one a reference."""
    frame = front.to_dataframe(references=True)
    known = frame.astype(object).where(frame.notna(), None)
    rows = [[_value(value) for value in row] for row in known.to_numpy(dtype=object).tolist()]
    return [shown_data(str(column)) for column in frame.columns], rows


def front_plot(front: ParetoFront) -> go.Figure:
    """Give the front's figure with its numbers in plain lists.

    Plotly 6 packs them, which the Plotly of W&B's pages need not know.
    """
    import plotly.graph_objects as go

    return go.Figure(_unpacked(front.plot().to_plotly_json()))


def _unpacked(part: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(part, dict):
        if "bdata" in part:
            packed = base64.b64decode(part["bdata"])
            return np.frombuffer(packed, dtype=part["dtype"]).tolist()
        return {key: _unpacked(value) for key, value in part.items()}
    return [_unpacked(value) for value in part] if isinstance(part, list | tuple) else part


def _in_one_row(axis: str, points: Iterable[series.Point]) -> dict[str, float]:
    row: dict[str, float] = {}
    for point in points:
        row = row or _row(axis, point)
        row[point.key] = point.value
    return row


def _row(axis: str, point: series.Point) -> dict[str, float]:
    # W&B takes its own time unless it is told one, and a trace may come long after it was.
    return {axis: point.step, "_timestamp": point.timestamp_ms / 1000}
