"""How a trial and a front are put for MLflow: keys, steps, tags, notes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.tracking import series
from green_optuna.tracking.front_note import front_note
from green_optuna.tracking.mlflow import schema

from .records import TERMS, make_measurement, make_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient


def make_front(
    losses: Sequence[Sequence[float]],
    objectives: Sequence[str] = TERMS.objectives,
    references: Sequence[Mapping[str, object]] = (),
) -> go.ParetoFront:
    """Give the front of a study with these losses."""
    study = go.create_study("a | study", objectives=objectives)
    for values in losses:
        study.add_trial(optuna.create_trial(values=list(values)))
    return go.pareto_front(study, references=references)


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
        "green_optuna.grid": "100.0 g/kWh (the test), PUE 1.5",
        "green_optuna.sources": "cpu: RAPL; gpu: NVML; ram: 10 W estimated for memory",
    }


def test_tags_say_what_went_on_in_the_trial() -> None:
    """Flushes in the window, the user's attributes, and the error; no password is in any."""
    record = make_record(
        state="failed",
        live_flushes=3,
        user_attrs={"seed": 1, "data": "postgresql://me:s3cret@host/data"},
        params={"table": "postgresql://me:s3cret@host/db/table", "n": 3},
        error="OperationalError: cannot reach postgresql://me:s3cret@host/db",
    )
    tags = schema.tags(record)
    assert tags["green_optuna.live_flushes_in_window"] == "3"
    assert tags["user_attrs.seed"] == "1"
    assert tags["green_optuna.error"].endswith("postgresql://me:***@host/db")
    assert tags["user_attrs.data"] == "postgresql://me:***@host/data"
    params = schema.params(record)
    assert params == {"table": "postgresql://me:***@host/db/table", "n": "3"}


def test_the_note_is_a_markdown_table_of_the_front_with_the_selected_trial() -> None:
    """One row a member, scaled for people, and what the default rule selects."""
    front = make_front([(0.1, 2e-6, 1000), (0.2, 1e-6, 10), (0.3, 3e-6, 2000)])
    note = front_note(front, limit=schema.MAX_TAG)
    assert "2 of 3 completed trials" in note
    assert "of study a &#124; study:" in note
    assert "Selected by default: trial 0, least CO2e within 1 % of the best quality: 1 - " in note
    assert re.findall(r"^\| (\d+) \|", note, re.MULTILINE) == ["0", "1"]
    assert "| 2.00 mg |" in note
    assert len({line.count("|") for line in note.splitlines() if line.startswith("|")}) == 1


def test_the_note_of_a_large_front_says_how_many_rows_it_leaves_out() -> None:
    """MLflow's limit cuts between rows, and the selected trial stays."""
    n_trials = 600
    front = make_front([(0.001 * i, 1e-6 * (n_trials - i), 10) for i in range(n_trials)])
    note = front_note(front, limit=schema.MAX_TAG)
    rows = len(re.findall(r"^\| \d+ \|.*\|$", note, re.MULTILINE))
    assert len(note) <= 8000
    assert f"{n_trials - rows} more are in `front/pareto.json`" in note
    assert "Selected by default" in note


def test_the_note_leads_to_the_report_where_there_is_one() -> None:
    """And says of how many trials it is, since more may have ended."""
    front = make_front([(0.1, 2e-6, 1000)])
    assert "report" not in front_note(front, limit=schema.MAX_TAG)
    for n_ended, said in ((1, "1 trial that had ended"), (7, "7 trials that had ended")):
        note = front_note(front, limit=schema.MAX_TAG, report=("#/a/report.html", n_ended))
        assert f"\n[Read the report](#/a/report.html), of the {said} by then.\n" in note


def test_the_note_shows_references_as_what_they_are() -> None:
    """A table of their own, as Markdown and HTML show it; a long front leaves room for it."""
    n_trials = 600
    elsewhere = [
        {"name": "a | <img src=x onerror=alert(1)>", "quality_loss": 0.7, "co2e_kg": 1.0},
        {"name": "b", "basis": "estimated", "quality_loss": 0, "co2e_kg": 0, "n_params": 1},
        *({"name": f"{'long' * 99}{n}", "n_params": n} for n in range(60)),
    ]
    front = make_front(
        [(0.001 * i, 1e-6 * (n_trials - i), 10) for i in range(n_trials)], references=elsewhere
    )
    note = front_note(front, limit=schema.MAX_TAG)
    assert len(note) <= 8000
    assert "<img" not in note
    trials, apart, references = note.partition("\n**References**, published or estimated elsewhere")
    assert apart
    rows = len(re.findall(r"^\| \d+ \|.*\|$", trials, re.MULTILINE))
    assert rows > 20
    assert f"{n_trials - rows} more are in `front/pareto.json`" in trials
    first, second, *others = re.findall(r"^\| .* \|$", references, re.MULTILINE)[1:]
    assert "| published | 0.7 | 1.00 kg |  | not comparable: no n&#95;params |" in first
    assert second.startswith("| b | estimated | 0 | 0 kg | 1 | on the joint front")
    assert f"{60 - len(others)} more are in `front/pareto.json`" in references
    assert len({line.count("|") for line in references.splitlines() if line.startswith("|")}) == 1
    files = schema.front_artifacts(front)
    assert len(json.loads(files["front/pareto.json"])["references"]) == 62
    assert files["front/trials.csv"].count("\npublished,") == 61


@pytest.mark.parametrize("objectives", [("co2e_kg",), ("quality_loss", "n_params")])
def test_a_front_that_the_default_rule_does_not_fit_is_logged_without_it(
    objectives: tuple[str, ...],
) -> None:
    """A study without quality or CO2e has a front all the same."""
    front = make_front([[0.1, 0.2][: len(objectives)]], objectives)
    assert "Selected" not in front_note(front, limit=schema.MAX_TAG)
    assert set(schema.front_artifacts(front)) == {
        "front/pareto.json",
        "front/trials.csv",
        "front/pareto.html",
    }


def test_an_empty_front_can_be_logged() -> None:
    """A study whose trials have all failed so far has a note and files too."""
    front = make_front([])
    assert "0 of 0 completed trials" in front_note(front, limit=schema.MAX_TAG)
    assert json.loads(schema.front_artifacts(front)["front/pareto.json"])["trials"] == []
    assert {point.step for point in series.study_points(front, at_s=1.0)} == {0}


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
