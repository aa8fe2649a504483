"""What trackers that keep series are told: points over steps, and the trace as a file.

Steps of the trace are whole seconds, at most one point each, since that is how charts read well;
the trace at its full rate is a file.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.energy import COMPONENTS, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    import numpy.typing as npt

    from green_optuna.energy import Measurement
    from green_optuna.front import ParetoFront
    from green_optuna.record import TrialRecord

TRACE_FILE = "energy/trace.csv"
_TRACE_COLUMNS = "t_s,cpu_w,gpu_w,ram_w,cumulative_energy_kwh,cumulative_co2e_kg"
_TRACE_MOST = 1e15  # of whatever unit: a power times a time is a number still

# Of the points of one step, those that come last.
LAST_OF_TRACE = "energy/cumulative_co2e_kg"
LAST_OF_REPORT = "report/co2e_kg"

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


def shorten(text: str, limit: int) -> str:
    """Cut a text to what a tracker takes, visibly."""
    return text if len(text) <= limit else text[: limit - len(SHORTENED)] + SHORTENED


def trial_points(trial: TrialRecord) -> Iterator[Point]:
    """Give all that a chart can show of a trial: what most trackers of your own need.

    First come its results (``objective/...``, ``quality``, ``cost/...``), each at step 0 once the
    trial has ended; then its reports (``report/...``) over their own steps, and what it will cost
    (``forecast/...``) as of its latest; then its energy trace (``energy/...``), one point a whole
    second.

    Args:
        trial: The trial, as :meth:`Tracker.finish_trial` or :meth:`Tracker.log_progress` gets it.
    """
    yield from result_points(trial)
    yield from report_points(trial, since=0)
    yield from forecast_points(trial)
    yield from trace_points(trial, after=-1)


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
    if trial.inference is not None:
        values |= {f"cost/{name}": value for name, value in trial.inference.values.items()}
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
    ends = np.flatnonzero(np.diff(steps, append=-1))
    trace = trace.merged(ends)
    series: dict[str, npt.NDArray[np.float64]] = {}
    for name, power_w in (("cpu", trace.cpu_w), ("gpu", trace.gpu_w), ("ram", trace.ram_w)):
        if name != "gpu" or measurement.energy.gpu_kwh > 0:
            series[f"energy/{name}_w"] = power_w
    series["energy/cumulative_kwh"] = trace.energy_kwh
    series[LAST_OF_TRACE] = trace.energy_kwh * measurement.grid.co2e_kg(1.0)
    last = len(ends) - 1 if trial.state == "running" else len(ends)
    first = int(np.searchsorted(steps[ends], after, side="right"))
    return [
        Point(key, float(values[row]), _ms(trial.started_at + trace.t_s[row]), int(step))
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
        yield Point(LAST_OF_REPORT, co2e_kg, at_ms, report.step)


def forecast_points(trial: TrialRecord) -> Iterator[Point]:
    """Give what a trial will cost, or would have cost, at the step as of which that is known."""
    forecast = trial.forecast
    if forecast is None:
        return
    known = (report.t_s for report in trial.reports if report.step == forecast.step)
    at_ms = _ms(trial.started_at + next(known, 0.0))
    for name, value in forecast.values.items():
        yield Point(f"forecast/{name}", value, at_ms, forecast.step)


def trace_csv(measurement: Measurement) -> str:
    """Give the trace at its full rate as CSV."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_TRACE_COLUMNS.split(","))
    for row in measurement.trace.rows():
        writer.writerow([*row, measurement.grid.co2e_kg(row[-1])])
    return file.getvalue()


def trace_from_csv(file: TextIO) -> Trace | str:
    """Undo :func:`trace_csv`; whatever the file holds, nothing is raised.

    Args:
        file: The file, which anybody may have changed.

    Returns:
        The trace, to the last digit; or why it is none, in a sentence.
    """
    try:
        if file.readline(len(_TRACE_COLUMNS) + 2).rstrip("\r\n") != _TRACE_COLUMNS:
            return f"the first line is not {_TRACE_COLUMNS}."
        # Times and energy grow from zero, where a trace has no point of its own.
        lines = itertools.chain(["0,0,0,0,0,0"], file)
        table = np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)
    except ValueError:  # what is no number, or no text at all
        return "a line is not six numbers."
    if not (np.abs(table) < _TRACE_MOST).all():
        return f"a number is not finite, or beyond {_TRACE_MOST:g}."
    t_s, *_, energy_kwh, _ = table.T
    if (np.diff(t_s) <= 0).any():
        return "the times do not grow from above 0."
    if (np.diff(energy_kwh) < 0).any():
        return "the cumulative energy falls."
    # Without the CO2e, which the energy comes to on any grid.
    return Trace(*table[1:, :-1].T)


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
    step = max((trial.number for trial in candidates.measured), default=0)
    return [Point(key, value, _ms(at_s), step) for key, value in values.items()]


def _ms(at_s: float) -> int:
    return int(at_s * 1000)
