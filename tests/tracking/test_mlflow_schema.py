"""How a trial and a front are put for MLflow: keys, steps, tags, notes."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.tracking import mlflow_schema as schema

from .records import GRID, TERMS, make_measurement, make_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient

POWERS = st.floats(1.0, 500.0)
SPANS = st.floats(0.05, 2.5)


def by_key(points: Sequence[schema.Point]) -> dict[str, list[schema.Point]]:
    """Sort points by their metric."""
    sorted_points: dict[str, list[schema.Point]] = {}
    for point in points:
        sorted_points.setdefault(point.key, []).append(point)
    return sorted_points


def make_front(
    losses: Sequence[Sequence[float]], objectives: Sequence[str] = TERMS.objectives
) -> go.ParetoFront:
    """Give the front of a study with these losses."""
    study = go.create_study("a | study", objectives=objectives)
    for values in losses:
        study.add_trial(optuna.create_trial(values=list(values)))
    return go.pareto_front(study)


@given(st.text(max_size=600))
@example("x/" * 200)
@example("..0")
def test_any_name_becomes_a_key_that_mlflow_takes(name: str) -> None:
    """MLflow's own check of names passes for whatever Optuna takes as one."""
    from mlflow.entities import Param
    from mlflow.utils.validation import _validate_batch_log_data

    key = schema.key_for(name)
    _validate_batch_log_data([], [Param(key, "1")], [])  # type: ignore[no-untyped-call]
    assert schema.key_for(key) == key


@pytest.mark.parametrize("name", ["x", "lr", "layer.0/units", "a-b_c d:e", "größe", "lr.2"])
def test_a_name_that_mlflow_takes_stays_as_it_is(name: str) -> None:
    """Params go by their bare Optuna names."""
    assert schema.key_for(name) == name


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("lr*2", "lr_2"),
        ("a//b", "a/_/b"),
        ("/a/", "_/a/_"),
        ("../a", "_/a"),
        (".", "_"),
        ("", "_"),
        ("x\ny", "x_y"),
    ],
)
def test_odd_characters_are_replaced(name: str, key: str) -> None:
    """What MLflow refuses, paths that it reads as another among it, becomes an underscore."""
    assert schema.key_for(name) == key


@given(st.dictionaries(st.text("a*+?/_", max_size=5), st.integers(), max_size=8))
def test_no_two_names_share_a_key(values: dict[str, object]) -> None:
    """Each value has its key, whatever the names have become."""
    keyed = schema.keyed(values)
    assert sorted(map(str, keyed.values())) == sorted(map(str, values.values()))
    assert all(schema.key_for(key) == key for key in keyed)


def test_names_that_share_a_long_beginning_are_told_apart() -> None:
    """Shortened to one key, they are told apart by their hash, within MLflow's limit."""
    keys = list(schema.keyed({"x" * 300 + "a": 1, "x" * 300 + "b": 2}))
    assert len(set(keys)) == 2
    assert {len(key) for key in keys} == {250}


def test_what_exceeds_the_limits_is_shortened_visibly() -> None:
    """Keys end at 250 characters, params at 6000, tags at 8000, and say so."""
    record = make_record(params={"n" * 300: "v" * 7000}, user_attrs={"note": "t" * 9000})
    ((key, value),) = schema.params(record).items()
    note = schema.tags(record)["user_attrs.note"]
    assert (len(key), len(value), len(note)) == (250, 6000, 8000)
    assert all(text.endswith("...shortened") for text in (key, value, note))


def test_tags_say_what_the_figures_rest_on() -> None:
    """Basis, sources and their resolution, host, intensity, where it is from, and PUE."""
    record = make_record(state="complete", measurement=make_measurement([1.0], cpu_w=[50.0]))
    assert schema.tags(record) == {
        "green_optuna.state": "complete",
        "green_optuna.basis": "mixed",
        "green_optuna.host": "the-host",
        "green_optuna.fingerprint": "0123456789ab",
        "green_optuna.resolution_s": "0.1",
        "green_optuna.shared": "false",
        "green_optuna.carbon_intensity_g_per_kwh": "100.0",
        "green_optuna.carbon_intensity_source": "the test",
        "green_optuna.pue": "1.5",
        "green_optuna.source.cpu": "RAPL",
        "green_optuna.source.gpu": "NVML",
        "green_optuna.source.ram": "10 W estimated for memory",
    }


def test_tags_say_what_went_on_in_the_trial() -> None:
    """Flushes in the window, the user's attributes, and the error without a password in it."""
    record = make_record(
        state="failed",
        live_flushes=3,
        user_attrs={"seed": 1},
        error="OperationalError: cannot reach postgresql://me:s3cret@host/db",
    )
    tags = schema.tags(record)
    assert tags["green_optuna.live_flushes_in_window"] == "3"
    assert tags["user_attrs.seed"] == "1"
    assert tags["green_optuna.error"].endswith("postgresql://me:***@host/db")


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
    points = list(schema.result_points(record))
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
    found = {point.key: point.value for point in schema.result_points(record)}
    half = 12.7062047 / math.sqrt(2)  # the quantile for one degree of freedom
    assert found["cost/runs"] == 2
    assert found["objective/quality_loss_low"] == pytest.approx(0.3 - half * 0.1 * math.sqrt(2))
    assert found["objective/quality_loss_high"] == pytest.approx(0.3 + half * 0.1 * math.sqrt(2))
    assert found["objective/co2e_kg_high"] == pytest.approx(
        GRID.co2e_kg(2e-6) + half * GRID.co2e_kg(1e-6) * math.sqrt(2)
    )
    assert "objective/n_params_low" not in found
    once = make_record(state="complete", objectives=objectives)
    assert {point.key for point in schema.result_points(once)} == {
        f"objective/{name}" for name in objectives
    }


def test_a_trial_that_was_not_measured_has_no_costs() -> None:
    """No figure is made up where the meter gave none."""
    record = make_record(state="failed")
    assert list(schema.result_points(record)) == []
    assert schema.trace_points(record, after=-1) == []


@given(st.lists(st.tuples(SPANS, POWERS), min_size=1, max_size=30))
def test_the_trace_has_one_point_a_second_and_keeps_the_energy(
    spans_and_powers: list[tuple[float, float]],
) -> None:
    """Steps are whole seconds, each once; power times time sums to the energy; so does the end."""
    spans_s, cpu_w = zip(*spans_and_powers, strict=True)
    measurement = make_measurement(np.cumsum(spans_s).tolist(), cpu_w=cpu_w)
    record = make_record(state="complete", started_at=0.0, measurement=measurement)
    points = by_key(schema.trace_points(record, after=-1))
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
        schema.trace_points(make_record(measurement=measurement, state="pruned"), after=-1)
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

    logged: list[schema.Point] = []
    after = -1
    for cut in [cut for cut in sorted(cuts) if cut < len(t_s)]:
        running = make_record(measurement=measured(cut))
        logged += schema.trace_points(running, after=after)
        after = logged[-1].step if logged else -1
    ended = make_record(state="complete", measurement=measured(len(t_s)))
    logged += schema.trace_points(ended, after=after)
    assert logged == schema.trace_points(ended, after=-1)


def test_reports_stand_at_their_own_steps_with_what_they_had_cost() -> None:
    """A quality that was not finite is left out, and its cost is not."""
    reports = (
        go.Report(0, 0.5, energy_kwh=1e-6, t_s=1.0),
        go.Report(10, math.nan, energy_kwh=2e-6, t_s=2.5),
    )
    points = by_key(list(schema.report_points(make_record(reports=reports), since=0)))
    at = {key: [(point.step, point.timestamp_ms) for point in points[key]] for key in points}
    assert at == {
        "report/quality": [(0, 1_000_001_000)],
        "report/energy_kwh": [(0, 1_000_001_000), (10, 1_000_002_500)],
        "report/co2e_kg": [(0, 1_000_001_000), (10, 1_000_002_500)],
    }
    assert points["report/co2e_kg"][1].value == pytest.approx(GRID.co2e_kg(2e-6))
    assert len(list(schema.report_points(make_record(reports=reports), since=1))) == 2


def test_the_csv_holds_the_trace_at_its_full_rate() -> None:
    """Every point, to the last digit, and the CO2e beside the energy."""
    measurement = make_measurement([0.1, 0.2, 0.30000000000000004], cpu_w=[1.0, 2.0, 3.0])
    rows = list(csv.DictReader(io.StringIO(schema.trace_csv(measurement))))
    assert [float(row["t_s"]) for row in rows] == measurement.trace.t_s.tolist()
    assert [float(row["cpu_w"]) for row in rows] == [1.0, 2.0, 3.0]
    assert [float(row["cumulative_energy_kwh"]) for row in rows] == (
        measurement.trace.energy_kwh.tolist()
    )
    assert float(rows[-1]["cumulative_co2e_kg"]) == measurement.co2e_kg


def test_the_note_is_a_markdown_table_of_the_front_with_the_selected_trial() -> None:
    """One row a member, scaled for people, and what the default rule selects."""
    front = make_front([(0.1, 2e-6, 1000), (0.2, 1e-6, 10), (0.3, 3e-6, 2000)])
    note = schema.front_note(front)
    assert "2 of 3 completed trials" in note
    assert str(front.select()) in note
    assert re.findall(r"^\| (\d+) \|", note, re.MULTILINE) == ["0", "1"]
    assert "| 2.00 mg |" in note
    assert len({line.count("|") for line in note.splitlines() if line.startswith("|")}) == 1


def test_the_note_of_a_large_front_says_how_many_rows_it_leaves_out() -> None:
    """MLflow's limit cuts between rows, and the selected trial stays."""
    n_trials = 600
    front = make_front([(0.001 * i, 1e-6 * (n_trials - i), 10) for i in range(n_trials)])
    note = schema.front_note(front)
    rows = len(re.findall(r"^\| \d+ \|.*\|$", note, re.MULTILINE))
    assert len(note) <= 8000
    assert f"{n_trials - rows} more are in `front/pareto.json`" in note
    assert "Selected by default" in note


@pytest.mark.parametrize("objectives", [("co2e_kg",), ("quality_loss", "n_params")])
def test_a_front_that_the_default_rule_does_not_fit_is_logged_without_it(
    objectives: tuple[str, ...],
) -> None:
    """A study without quality or CO2e has a front all the same."""
    front = make_front([[0.1, 0.2][: len(objectives)]], objectives)
    assert "Selected" not in schema.front_note(front)
    assert set(schema.front_artifacts(front)) == {
        "front/pareto.json",
        "front/trials.csv",
        "front/pareto.html",
    }


def test_an_empty_front_can_be_logged() -> None:
    """A study whose trials have all failed so far has a note and files too."""
    front = make_front([])
    assert "0 of 0 completed trials" in schema.front_note(front)
    assert json.loads(schema.front_artifacts(front)["front/pareto.json"])["trials"] == []
    assert {point.step for point in schema.study_points(front, at_s=1.0)} == {0}


def test_the_page_of_the_front_opens_without_internet() -> None:
    """Plotly stands in the page itself, and nothing in it is fetched."""
    page = schema.front_artifacts(make_front([(0.1, 1e-6, 10)]))["front/pareto.html"]
    assert len(page) > 1_000_000
    assert not re.search(r"<(script|link|img|iframe)\b[^>]*\b(src|href)\s*=", page)


def test_every_key_and_tag_passes_the_server(client: MlflowClient) -> None:
    """A real store takes the oddest names and the longest values."""
    from mlflow.entities import Param, RunTag

    odd: dict[str, Any] = {"a*b": 1, "a+b": 2, "/": 3, "": 4, "größe": 5, "x" * 400: "y" * 9000}
    record = make_record(params=odd, user_attrs=odd)
    run_id = client.create_run("0").info.run_id
    client.log_batch(
        run_id,
        params=[Param(key, value) for key, value in schema.params(record).items()],
        tags=[RunTag(key, value) for key, value in schema.tags(record).items()],
    )
    stored = client.get_run(run_id).data
    assert stored.params == schema.params(record)
    assert schema.tags(record).items() <= stored.tags.items()
    assert len(stored.params) == len(odd)
