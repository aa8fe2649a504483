"""What trackers that keep series are told of a trial: results, trace and reports as points."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.tracking import series

from .records import GRID, TERMS, make_measurement, make_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

POWERS = st.floats(1.0, 500.0)
SPANS = st.floats(0.05, 2.5)


def by_key(points: Sequence[series.Point]) -> dict[str, list[series.Point]]:
    """Sort points by their metric."""
    sorted_points: dict[str, list[series.Point]] = {}
    for point in points:
        sorted_points.setdefault(point.key, []).append(point)
    return sorted_points


def test_results_are_one_point_each_with_the_objectives_first() -> None:
    """Objectives, quality and costs, at step 0 and at the time when the trial ended."""
    measurement = make_measurement([2.0], cpu_w=[50.0], gpu_w=30.0)
    record = make_record(
        state="complete",
        measurement=measurement,
        quality=0.75,
        n_params=10,
        parameters=go.ParameterCount(total=10, trainable=4),
        objectives={"quality_loss": 0.25, "co2e_kg": measurement.co2e_kg, "n_params": 10},
    )
    points = list(series.result_points(record))
    assert {(point.step, point.timestamp_ms) for point in points} == {(0, 1_000_002_000)}
    assert [point.key for point in points][:3] == [f"objective/{name}" for name in TERMS.objectives]
    assert {point.key: point.value for point in points} == pytest.approx(
        {
            "objective/quality_loss": 0.25,
            "objective/co2e_kg": 180 / 3.6e6 * 1.5 * 0.1,
            "objective/n_params": 10,
            "quality": 0.75,
            "cost/co2e_kg": 180 / 3.6e6 * 1.5 * 0.1,
            "cost/energy_kwh": 180 / 3.6e6,
            "cost/duration_s": 2.0,
            "cost/mean_power_w": 90.0,
            "cost/cpu_kwh": 100 / 3.6e6,
            "cost/gpu_kwh": 60 / 3.6e6,
            "cost/ram_kwh": 20 / 3.6e6,
            "cost/n_params": 10,
            "cost/n_total_params": 10,
            "cost/n_trainable_params": 4,
        }
    )


def test_runs_are_counted_and_the_ends_of_their_intervals_are_metrics() -> None:
    """Beside each objective that the runs differ in; without several runs, there are none."""
    runs = (go.RunRecord(0.2, 1e-6, 1.0), go.RunRecord(0.4, 3e-6, 2.0))
    objectives = {"quality_loss": 0.3, "co2e_kg": 3e-7, "n_params": 10}
    record = make_record(
        state="complete",
        measurement=make_measurement([3.0], cpu_w=[50.0]),
        objectives=objectives,
        runs=runs,
    )
    found = {point.key: point.value for point in series.result_points(record)}
    half = 12.7062047 / math.sqrt(2)  # the quantile for one degree of freedom
    assert found["cost/runs"] == 2
    assert found["objective/quality_loss_low"] == pytest.approx(0.3 - half * 0.1 * math.sqrt(2))
    assert found["objective/quality_loss_high"] == pytest.approx(0.3 + half * 0.1 * math.sqrt(2))
    assert found["objective/co2e_kg_high"] == pytest.approx(
        GRID.co2e_kg(2e-6) + half * GRID.co2e_kg(1e-6) * math.sqrt(2)
    )
    assert "objective/n_params_low" not in found
    once = make_record(state="complete", objectives=objectives)
    assert {point.key for point in series.result_points(once)} == {
        f"objective/{name}" for name in objectives
    }


def test_a_trial_that_was_not_measured_has_no_costs() -> None:
    """No figure is made up where the meter gave none."""
    record = make_record(state="failed")
    assert list(series.result_points(record)) == []
    assert series.trace_points(record, after=-1) == []


@given(st.lists(st.tuples(SPANS, POWERS), min_size=1, max_size=30))
def test_the_trace_has_one_point_a_second_and_keeps_the_energy(
    spans_and_powers: list[tuple[float, float]],
) -> None:
    """Steps are whole seconds, each once; power times time sums to the energy; so does the end."""
    spans_s, cpu_w = zip(*spans_and_powers, strict=True)
    measurement = make_measurement(np.cumsum(spans_s).tolist(), cpu_w=cpu_w)
    record = make_record(state="complete", started_at=0.0, measurement=measurement)
    points = by_key(series.trace_points(record, after=-1))
    steps = [point.step for point in points["energy/cpu_w"]]
    assert all(earlier < later for earlier, later in pairwise(steps))
    at_s = [point.timestamp_ms / 1000 for point in points["energy/cpu_w"]]
    assert all(abs(t_s - step) <= 0.501 for t_s, step in zip(at_s, steps, strict=True))
    spans = np.diff(at_s, prepend=0.0)
    joules = spans @ [point.value for point in points["energy/cpu_w"]]
    assert joules / 3.6e6 == pytest.approx(measurement.energy.cpu_kwh, rel=0.02)
    assert points["energy/cumulative_kwh"][-1].value == pytest.approx(measurement.energy_kwh)
    assert points["energy/cumulative_co2e_kg"][-1].value == pytest.approx(measurement.co2e_kg)


def test_the_power_of_a_second_is_its_mean() -> None:
    """Points within one second are weighted by the time that they stand for."""
    measurement = make_measurement([0.6, 0.9, 1.4], cpu_w=[10.0, 100.0, 50.0])
    points = by_key(
        series.trace_points(make_record(measurement=measurement, state="pruned"), after=-1)
    )
    (point,) = points["energy/cpu_w"]
    assert (point.step, point.timestamp_ms) == (1, 1_000_001_400)
    assert point.value == pytest.approx((10.0 * 0.6 + 100.0 * 0.3 + 50.0 * 0.5) / 1.4)
    assert "energy/gpu_w" not in points, "there was no accelerator"


@given(
    st.lists(SPANS, min_size=2, max_size=30),
    st.lists(st.integers(1, 29), max_size=5),
)
def test_a_trace_in_portions_is_the_trace_at_once(spans_s: list[float], cuts: list[int]) -> None:
    """Whenever a running trial is logged, no second is missed, and none is logged twice."""
    t_s = np.cumsum(spans_s).tolist()

    def measured(n_points: int) -> go.Measurement:
        return make_measurement(t_s[:n_points], cpu_w=np.arange(1.0, n_points + 1).tolist())

    logged: list[series.Point] = []
    after = -1
    for cut in [cut for cut in sorted(cuts) if cut < len(t_s)]:
        running = make_record(measurement=measured(cut))
        logged += series.trace_points(running, after=after)
        after = logged[-1].step if logged else -1
    ended = make_record(state="complete", measurement=measured(len(t_s)))
    logged += series.trace_points(ended, after=after)
    assert logged == series.trace_points(ended, after=-1)


def test_reports_stand_at_their_own_steps_with_what_they_had_cost() -> None:
    """A quality that was not finite is left out, and its cost is not."""
    reports = (
        go.Report(0, 0.5, energy_kwh=1e-6, t_s=1.0),
        go.Report(10, math.nan, energy_kwh=2e-6, t_s=2.5),
    )
    points = by_key(list(series.report_points(make_record(reports=reports), since=0)))
    at = {key: [(point.step, point.timestamp_ms) for point in points[key]] for key in points}
    assert at == {
        "report/quality": [(0, 1_000_001_000)],
        "report/energy_kwh": [(0, 1_000_001_000), (10, 1_000_002_500)],
        "report/co2e_kg": [(0, 1_000_001_000), (10, 1_000_002_500)],
    }
    assert points["report/co2e_kg"][1].value == pytest.approx(GRID.co2e_kg(2e-6))
    assert len(list(series.report_points(make_record(reports=reports), since=1))) == 2


def test_the_csv_holds_the_trace_at_its_full_rate() -> None:
    """Every point, to the last digit, and the CO2e beside the energy."""
    measurement = make_measurement([0.1, 0.2, 0.30000000000000004], cpu_w=[1.0, 2.0, 3.0])
    rows = list(csv.DictReader(io.StringIO(series.trace_csv(measurement))))
    assert [float(row["t_s"]) for row in rows] == measurement.trace.t_s.tolist()
    assert [float(row["cpu_w"]) for row in rows] == [1.0, 2.0, 3.0]
    assert [float(row["cumulative_energy_kwh"]) for row in rows] == (
        measurement.trace.energy_kwh.tolist()
    )
    assert float(rows[-1]["cumulative_co2e_kg"]) == measurement.co2e_kg


HEADER = "t_s,cpu_w,gpu_w,ram_w,cumulative_energy_kwh,cumulative_co2e_kg"


@given(st.lists(st.tuples(SPANS, POWERS), max_size=30))
def test_a_trace_comes_back_from_its_file_to_the_last_digit(
    spans_and_powers: list[tuple[float, float]],
) -> None:
    """An empty one too."""
    measurement = replace(make_measurement([1.0], cpu_w=[1.0]), trace=go.Trace.from_points([]))
    if spans_and_powers:
        spans_s, cpu_w = zip(*spans_and_powers, strict=True)
        measurement = make_measurement(np.cumsum(spans_s).tolist(), cpu_w=cpu_w, gpu_w=1 / 3)
    text = series.trace_csv(measurement)
    assert series.trace_from_csv(io.StringIO(text)) == measurement.trace
    assert series.trace_from_csv(io.StringIO(text.replace("\n", "\r\n"))) == measurement.trace


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1,2,3,4,5", "a line is not six numbers"),
        ("1,2,3,4,5,6,7", "a line is not six numbers"),
        ("1,2,3,4,5,6\n2,2,3,4,5", "a line is not six numbers"),
        ("1,2,3,4,5,", "a line is not six numbers"),
        ('"1",2,3,4,5,6', "a line is not six numbers"),
        ("1_0,2,3,4,5,6", "a line is not six numbers"),
        ("=1+1,2,3,4,5,6", "a line is not six numbers"),
        ("\0", "a line is not six numbers"),
        ("1,nan,3,4,5,6", "a number is not finite"),
        ("1,2,inf,4,5,6", "a number is not finite"),
        ("1,2,3,1e300,5,6", "or beyond 1e+15"),
        ("0,2,3,4,5,6", "the times do not grow from above 0"),
        ("2,2,3,4,5,6\n2,2,3,4,6,6", "the times do not grow from above 0"),
        ("1,2,3,4,5,6\n2,2,3,4,4,6", "the cumulative energy falls"),
        ("1,2,3,4,-5,6", "the cumulative energy falls"),
    ],
)
def test_a_file_that_holds_no_trace_is_said_to_hold_none(rows: str, said: str) -> None:
    """Why is a sentence, and nothing of the file is in it."""
    found = series.trace_from_csv(io.StringIO(f"{HEADER}\n{rows}\n"))
    assert isinstance(found, str)
    assert said in found


@given(st.text(max_size=200), st.booleans())
def test_whatever_a_file_holds_nothing_is_raised(text: str, headed: bool) -> None:
    """A trace comes of it, or a sentence."""
    found = series.trace_from_csv(io.StringIO(f"{HEADER}\n{text}" if headed else text))
    assert isinstance(found, go.Trace | str)


def test_a_file_that_is_no_text_is_no_trace(tmp_path: Path) -> None:
    """Nor is one that begins otherwise, or is empty."""
    for content in (b"\xff\xfe\x00", HEADER.encode() + b"\n1,\xff,3,4,5,6\n"):
        (tmp_path / "trace.csv").write_bytes(content)
        with (tmp_path / "trace.csv").open(encoding="utf-8") as file:
            assert series.trace_from_csv(file) == "a line is not six numbers."
    for text in ("", "a,b\n1,2\n", HEADER + ",more\n"):
        assert series.trace_from_csv(io.StringIO(text)) == f"the first line is not {HEADER}."
