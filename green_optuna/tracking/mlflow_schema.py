"""What a trial and a front look like in MLflow: keys, steps, tags, notes.

Steps of the trace are whole seconds, at most one point each, since that is how MLflow's charts
read well; the trace at its full rate is an artifact. Names keep to the characters that MLflow
takes, and what exceeds its limits is shortened visibly.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.energy import COMPONENTS
from green_optuna.rules import Tolerance
from green_optuna.units import quantity_label, show_quantity
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from green_optuna.energy import Measurement
    from green_optuna.front import ParetoFront
    from green_optuna.record import State, TrialRecord

STUDY_KEY_TAG = "green_optuna.study_key"
ROLE_TAG = "green_optuna.role"

STATUS: dict[State, str] = {
    "running": "RUNNING",
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
    # MLflow's own KILLED is what a pruned trial is.
    "killed": "FAILED",
}

TRACE_FILE = "energy/trace.csv"
FRONT_FILE = "front/pareto.json"

MAX_KEY = 250
MAX_PARAM = 6000
MAX_TAG = 8000
# Of characters that a key may have.
SHORTENED = "...shortened"


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric.

    Attributes:
        key: The metric's key.
        value: Its value.
        timestamp_ms: When it was, in ms since the epoch.
        step: Where it stands on the chart.
    """

    key: str
    value: float
    timestamp_ms: int
    step: int


def run_name(trial: TrialRecord) -> str:
    """Name a trial's run, ``trial-0007``, or a measurement's: its name.

    From the second of its name in a process on, a measurement's number follows: ``evaluate-0001``.
    """
    if trial.kind == "trial":
        return f"trial-{trial.number:04d}"
    return f"{trial.study_name}-{trial.number:04d}" if trial.number else trial.study_name


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


def shorten(text: str, limit: int) -> str:
    """Cut a text to what MLflow takes, visibly."""
    return text if len(text) <= limit else text[: limit - len(SHORTENED)] + SHORTENED


def params(trial: TrialRecord) -> dict[str, str]:
    """Give the hyperparameters under their own names."""
    return {key: shorten(str(value), MAX_PARAM) for key, value in keyed(trial.params).items()}


def start_tags(trial: TrialRecord) -> dict[str, str]:
    """Say which trial of which study a run is, or which measurement."""
    said = {STUDY_KEY_TAG: trial.terms.key, ROLE_TAG: trial.kind}
    said[f"green_optuna.{trial.kind}"] = str(trial.number)
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


def result_points(trial: TrialRecord) -> Iterator[Point]:
    """Give what a trial came to, one point a metric, the objectives first; nothing while it runs.

    MLflow's parallel coordinates begin with the metrics that were logged first.
    """
    if trial.state == "running":
        return
    measurement = trial.measurement
    ended_s = trial.started_at + (measurement.duration_s if measurement else 0.0)
    values: dict[str, float] = {
        f"objective/{name}": value for name, value in trial.objectives.items()
    }
    if trial.quality is not None:
        values["quality"] = trial.quality
    if measurement is not None:
        values |= {
            "cost/co2e_kg": measurement.co2e_kg,
            "cost/energy_kwh": measurement.energy_kwh,
            "cost/duration_s": measurement.duration_s,
            "cost/mean_power_w": measurement.mean_power_w,
        }
        energy_kwh = measurement.energy.to_dict()
        values |= {f"cost/{name}_kwh": energy_kwh[name] for name in COMPONENTS}
    if trial.n_params is not None:
        values["cost/n_params"] = trial.n_params
    if trial.parameters is not None:
        values["cost/n_total_params"] = trial.parameters.total
        values["cost/n_trainable_params"] = trial.parameters.trainable
    values |= _run_values(trial)
    for key, value in values.items():
        yield Point(key, float(value), _ms(ended_s), 0)


def _run_values(trial: TrialRecord) -> dict[str, float]:
    """Give what the runs of a function that runs several times say of the objectives."""
    values: dict[str, float] = {"cost/runs": len(trial.runs)} if trial.runs else {}
    for name, interval in trial.intervals.items():
        if interval is not None:
            values[f"objective/{name}_low"] = interval.low
            values[f"objective/{name}_high"] = interval.high
    return values


def trace_points(trial: TrialRecord, *, after: int) -> list[Point]:
    """Give the trace after a step, one point a whole second, in the order of the steps.

    A power is the mean over the second, so that power times time sums to the energy here too.
    The latest second of a trial that runs is left out: more may come of it.

    Args:
        trial: The trial.
        after: The last step that has been logged; -1 for none.
    """
    measurement = trial.measurement
    if measurement is None or not len(measurement.trace):
        return []
    trace = measurement.trace
    steps = np.rint(trace.t_s).astype(np.int64)
    begins = np.flatnonzero(np.diff(steps, prepend=-1))
    ends = np.append(begins[1:], len(steps)) - 1
    spans_s = np.diff(trace.t_s, prepend=0.0)
    series: dict[str, npt.NDArray[np.float64]] = {}
    for name, power_w in (("cpu", trace.cpu_w), ("gpu", trace.gpu_w), ("ram", trace.ram_w)):
        if name != "gpu" or measurement.energy.gpu_kwh > 0:
            joules = np.add.reduceat(power_w * spans_s, begins)
            series[f"energy/{name}_w"] = joules / np.add.reduceat(spans_s, begins)
    energy_kwh = trace.energy_kwh[ends]
    series["energy/cumulative_kwh"] = energy_kwh
    series["energy/cumulative_co2e_kg"] = energy_kwh * measurement.grid.co2e_kg(1.0)
    last = len(ends) - 1 if trial.state == "running" else len(ends)
    first = int(np.searchsorted(steps[ends], after, side="right"))
    return [
        Point(key, float(values[row]), _ms(trial.started_at + trace.t_s[ends[row]]), int(step))
        for row, step in enumerate(steps[ends][:last])
        if row >= first
        for key, values in series.items()
    ]


def report_points(trial: TrialRecord, *, since: int) -> Iterator[Point]:
    """Give the reports from number ``since`` on: the quality and what it had cost, over steps."""
    for report in trial.reports[since:]:
        at_ms = _ms(trial.started_at + report.t_s)
        co2e_kg = trial.terms.grid.co2e_kg(report.energy_kwh)
        if not math.isnan(report.quality):
            yield Point("report/quality", report.quality, at_ms, report.step)
        yield Point("report/energy_kwh", report.energy_kwh, at_ms, report.step)
        yield Point("report/co2e_kg", co2e_kg, at_ms, report.step)


def trace_csv(measurement: Measurement) -> str:
    """Give the trace at its full rate as CSV."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["t_s", "cpu_w", "gpu_w", "ram_w", "cumulative_energy_kwh", "cumulative_co2e_kg"]
    )
    for row in measurement.trace.rows():
        writer.writerow([*row, measurement.grid.co2e_kg(row[-1])])
    return file.getvalue()


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


def study_points(front: ParetoFront, *, at_s: float) -> list[Point]:
    """Give the study's figures so far, over the number of its latest completed trial.

    Args:
        front: The study's front.
        at_s: Now, in s since the epoch.
    """
    candidates = front.candidates
    values = {
        "study/completed_trials": float(len(candidates.trials)),
        "study/front_size": float(len(front)),
        "study/energy_kwh": candidates.spent_kwh,
        "study/co2e_kg": candidates.spent_co2e_kg,
    }
    values |= {f"ledger/{row.account}_kwh": row.energy_kwh for row in front.ledger.rows}
    step = max((trial.number for trial in candidates.trials), default=0)
    return [Point(key, value, _ms(at_s), step) for key, value in values.items()]


def _ms(at_s: float) -> int:
    return int(at_s * 1000)
