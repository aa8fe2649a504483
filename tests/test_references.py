"""Results from elsewhere beside a study's front: compared, named, and never taken for trials."""

from __future__ import annotations

import csv
import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import create_trial

import green_optuna as go
from green_optuna.references import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
NAMES = ("quality_loss", "co2e_kg", "n_params")

# A page that shows it as HTML would run it, and Plotly or Rich would take parts of it for theirs.
HOSTILE = "a <img src=x onerror=alert(1)> </script> :+1: [red]b[/red] %{x} &lt; <b>"

# The naming of objectives is experimental in Optuna.
pytestmark = pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")


def measured(
    storage: str | None = None, bounds: tuple[float, float] = (0.0, 1.0), n_trials: int = 4
) -> optuna.Study:
    """Run a study whose trials are measured, and so has a grid and bounds."""

    @go.green_objective(
        grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[], quality_bounds=bounds
    )
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return trial.suggest_float("quality", *sorted(bounds)), trial.suggest_int("width", 1, 9)

    study = go.create_study("measured", storage=storage, sampler=optuna.samplers.RandomSampler(3))
    study.optimize(objective, n_trials=n_trials)
    return study


def made(rows: Sequence[Sequence[float]]) -> optuna.Study:
    """Make a study of trials with these losses; it has neither a grid nor bounds."""
    study = go.create_study("made")
    study.add_trials([create_trial(values=list(row)) for row in rows])
    return study


def made_of(quality: float, n_params: int, *, n_trials: int = 1) -> optuna.Study:
    """Run a study of trials that all come to the same, measured."""
    objective = go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
    study = go.create_study()
    study.optimize(objective(lambda _: (quality, n_params)), n_trials=n_trials)
    return study


def points(rows: Sequence[Sequence[float]]) -> list[go.ReferencePoint]:
    """Make references of losses, named by their place."""
    return [
        go.ReferencePoint(name=f"r{number}", values=dict(zip(NAMES, row, strict=True)))
        for number, row in enumerate(rows)
    ]


# Few values make ties and duplicates likely.
LOSSES = st.lists(
    st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 1.0])] * len(NAMES)), min_size=0, max_size=6
)


def dominates(first: Sequence[float], second: Sequence[float]) -> bool:
    """The definition: nowhere worse, and another."""
    return tuple(first) != tuple(second) and all(x <= y for x, y in zip(first, second, strict=True))


# Where a reference stands


@given(LOSSES, LOSSES)
def test_dominance_is_that_of_the_definition(
    trials: list[tuple[float, ...]], elsewhere: list[tuple[float, ...]]
) -> None:
    """Both ways between references and the front's trials, and among references."""
    front = go.pareto_front(made(trials), references=points(elsewhere))
    assert [one.name for one in front.references] == [f"r{n}" for n in range(len(elsewhere))]
    for one, row in zip(front.references, elsewhere, strict=True):
        assert one.losses == dict(zip(NAMES, row, strict=True))
        above = [n for n in front.numbers if dominates(trials[n], row)]
        assert list(one.dominated_by) == above
        assert list(one.dominates) == [n for n in front.numbers if dominates(row, trials[n])]
        others = [f"r{n}" for n, other in enumerate(elsewhere) if dominates(other, row)]
        assert list(one.dominated_by_references) == others
        # On the front of trials and references taken together, by the definition.
        joint = not any(dominates(other, row) for other in [*trials, *elsewhere])
        assert one.status.startswith("on the joint front") == joint
        assert one.status.startswith("dominated by ") != joint


@given(LOSSES, LOSSES)
def test_references_change_nothing_of_the_front(
    trials: list[tuple[float, ...]], elsewhere: list[tuple[float, ...]]
) -> None:
    """Members, candidates, selection, tables and ledger are as they are without."""
    study = made(trials)
    without, front = go.pareto_front(study), go.pareto_front(study, references=points(elsewhere))
    assert (front.numbers, len(front)) == (without.numbers, len(without))
    assert front.candidates.trials == without.candidates.trials
    assert front.to_dataframe(dominated=True).equals(without.to_dataframe(dominated=True))
    plain = front.to_dict()
    assert ("references" in plain) == bool(elsewhere)
    plain.pop("references", None)
    assert plain == without.to_dict()
    for rule in ("tolerance", "min-co2e", "best-quality") if trials else ():
        assert front.select(rule).to_dict() == without.select(rule).to_dict()


@given(LOSSES, LOSSES, st.randoms())
def test_the_order_of_references_does_not_matter(
    trials: list[tuple[float, ...]],
    elsewhere: list[tuple[float, ...]],
    random: Random,
) -> None:
    """Each stands where it stands, whichever comes first."""
    study, given_points = made(trials), points(elsewhere)
    shuffled = given_points.copy()
    random.shuffle(shuffled)
    placed = {one.name: one for one in go.pareto_front(study, references=given_points).references}
    for one in go.pareto_front(study, references=shuffled).references:
        before = placed[one.name]
        assert set(one.dominated_by_references) == set(before.dominated_by_references)
        assert (one.dominated_by, one.dominates) == (before.dominated_by, before.dominates)


def test_a_status_is_in_words() -> None:
    """Trials by number, references by name, many of them counted, and what is not known."""
    study = made([(0.5, 1.0, 10.0), (0.4, 2.0, 10.0), (0.9, 0.5, 10.0)])
    given_rows = [
        {"name": "best", "quality_loss": 0.1, "co2e_kg": 1.5, "n_params": 10},
        {"name": "worse", "quality_loss": 0.6, "co2e_kg": 3.0, "n_params": 10},
        {"name": "part", "quality_loss": 0.6, "co2e_kg": 3.0},
        {"name": "apart", "quality_loss": 0.95, "co2e_kg": 9.0, "n_params": 1},
    ]
    front = go.pareto_front(study, references=given_rows)
    assert {one.name: one.status for one in front.references} == {
        "best": "on the joint front; dominates trial 1",
        "worse": "dominated by trials 0, 1 and 'best'",
        "part": "not comparable: no n_params",
        "apart": "on the joint front",
    }
    two = go.pareto_front(study, ("quality_loss", "co2e_kg"), references=given_rows)
    assert two.references[2].status == "dominated by trials 0, 1 and 'best'"
    many = made([(0.1 + n / 100, 0.9 - n / 100, 1.0) for n in range(20)])
    late = [{"name": "late", "quality_loss": 0.9, "co2e_kg": 9.0, "n_params": 2}]
    (one,) = go.pareto_front(many, references=late).references
    assert one.status == "dominated by trials 0, 1, 2, 3, 4 and 15 more"
    assert one.dominated_by == tuple(range(20))


# On the study's terms


def test_a_quality_becomes_the_loss_that_the_study_gives_it(sqlite_url: str) -> None:
    """On the scale of the study's bounds, here one of which less is better."""
    study = measured(sqlite_url, bounds=(4.0, 0.0))
    front = go.pareto_front(
        go.load_study("measured", storage=sqlite_url),
        references=[{"name": "a", "quality": 1.0}, {"name": "b", "quality_loss": 0.75}],
    )
    assert [one.values["quality_loss"] for one in front.references] == [0.25, 0.75]
    assert [one.values["quality"] for one in front.references] == [1.0, 3.0]
    with pytest.raises(go.OptionError, match=r"'a' has the quality 4\.5, outside .* worst 4\.0"):
        go.pareto_front(study, references=[{"name": "a", "quality": 4.5}])


def test_energy_becomes_co2e_on_the_studys_grid() -> None:
    """Intensity and PUE are the study's, what was given is said; CO2e alone is left as it is."""
    front = go.pareto_front(
        measured(),
        references=[
            {"name": "energy", "energy_kwh": 42},
            {"name": "both", "energy_kwh": 42, "co2e_kg": 20},
            {"name": "co2e", "co2e_kg": 20},
            {"name": "neither", "n_params": 3},
        ],
    )
    energy, both, co2e, neither = front.references
    assert energy.losses["co2e_kg"] == both.losses["co2e_kg"] == 42 * 0.250 * 1.2
    said = "CO2e from 42.0 kWh at the study's 250 g/kWh and PUE 1.2"
    assert energy.notes == (f"{said}.",)
    assert both.notes == (f"{said}; 20.0 kg was given.",)
    assert (co2e.losses["co2e_kg"], neither.losses["co2e_kg"]) == (20.0, None)
    assert co2e.notes == (
        "CO2e as given; its carbon intensity may differ from the study's 250 g/kWh and PUE 1.2.",
    )
    assert neither.notes == ()


def test_a_study_without_terms_compares_what_needs_none() -> None:
    """A loss and a CO2e; of a quality and an energy it says why they are not compared."""
    study = made([(0.5, 1.0, 10.0)])
    rows = [
        {"name": "a", "quality_loss": 0.4, "co2e_kg": 0.5, "n_params": 5},
        {"name": "b", "quality": 0.6, "energy_kwh": 0.5, "n_params": 5},
    ]
    ours, theirs = go.pareto_front(study, references=rows).references
    assert ours.status == "on the joint front; dominates trial 0"
    assert theirs.status == "not comparable: no quality_loss, co2e_kg"
    assert "give quality_loss" in theirs.notes[0]
    assert "no carbon intensity to turn 500 Wh into it" in theirs.notes[1]


# Tables


CSV = '''name , quality,co2e_kg,n_params,basis,source,year
"SING, 2018",0.74,22.7, 6.4e7,published,hal-03296897,2018
 Müller-µ  , .5 ,,,estimated,,
,,,,,,
WaveNet,,3,,,"doi:10.5/a ""b""",2016
'''

# What CSV says.
READ = (
    go.ReferencePoint(
        name="SING, 2018",
        source="hal-03296897",
        values={"quality": 0.74, "co2e_kg": 22.7, "n_params": 6.4e7},
    ),
    go.ReferencePoint(name="Müller-µ", basis="estimated", values={"quality": 0.5}),
    go.ReferencePoint(name="WaveNet", source='doi:10.5/a "b"', values={"co2e_kg": 3.0}),
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_file_is_read(tmp_path: Path, encoding: str) -> None:
    """Quoted cells, blanks, accents, a byte order mark, empty cells and rows, foreign columns."""
    path = tmp_path / "published.csv"
    path.write_bytes(CSV.replace("\n", "\r\n").encode(encoding))
    assert go.read_references(path) == go.read_references(str(path)) == READ


def test_a_data_frame_and_rows_are_read_alike(tmp_path: Path) -> None:
    """NaN in a frame, None and an empty text in a row all mean that nobody knows."""
    path = tmp_path / "published.csv"
    path.write_text(CSV, encoding="utf-8")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            {str(column).strip(): cell for column, cell in row.items()}
            for row in csv.DictReader(file)
            if any(row.values())
        ]
    assert go.read_references(rows) == READ
    assert go.read_references(iter(rows)) == READ
    frame = pd.DataFrame(
        {
            "name": ["SING, 2018", "Müller-µ", "WaveNet"],
            "quality": [0.74, 0.5, float("nan")],
            "co2e_kg": pd.array([22.7, None, 3], dtype="Float64"),
            "n_params": [64_000_000, None, None],
            "basis": [None, "estimated", "published"],
            "source": ["hal-03296897", None, 'doi:10.5/a "b"'],
            "year": [2018, None, 2016],
        },
        index=[7, 7, 9],
    )
    assert go.read_references(frame) == READ
    assert go.read_references(READ) == READ
    assert go.read_references([{**rows[0]}, *READ[1:]]) == READ
    assert go.read_references([]) == ()


def test_every_quantity_can_be_given_and_is_shown() -> None:
    """Those of inference too, which a study need not know."""
    values = {name: 0.5 if name == "quality" else 7 for name in QUANTITIES if name != NAMES[0]}
    front = go.pareto_front(measured(), references=[{"name": "all", **values}])
    (row,) = front.references_to_dataframe().to_dict("records")
    assert set(row) == {"name", "basis", "status", "source", "notes", *QUANTITIES}
    assert (row["flops"], row["peak_memory_bytes"], row["inference_s"]) == (7, 7, 7)
    assert row["name"] == "all"


REFUSED: dict[str, tuple[Callable[[], object] | str, str]] = {
    "no name column": ("model,quality\nSING,0.7\n", r"no column 'name', but 'model', 'quality'"),
    "semicolons": ("name;quality\nSING;0.7\n", r"no column 'name'.*by commas"),
    "nothing known": ("name,score\nSING,0.7\n", r"no column that could be compared.*co2e_kg"),
    "a slip": ("name,quality,co2_kg\nSING,0.7,3\n", r"'co2_kg' is unknown; did you mean 'co2e_kg'"),
    "another unit": ("name,duration_h\nSING,3\n", r"'duration_h'.*did you mean 'duration_s'"),
    "a capital": ("Name,quality\nSING,0.7\n", r"'Name' is unknown; did you mean 'name'"),
    "a unit apart": ("name,CO2e (kg)\nSING,3\n", r"'CO2e \(kg\)'.*did you mean 'co2e_kg'"),
    "a column twice": ("name,co2e_kg,co2e_kg\nSING,1,2\n", r"'co2e_kg' is there twice"),
    "a unit": ("name,co2e_kg\nA,1\nSING,22 kg\n", r"line 3: co2e_kg is '22 kg', which is no num"),
    "a separator": ('name,n_params\nSING,"64,000"\n', r"line 2: n_params is '64,000'.*separators"),
    "below 0": ("name,co2e_kg\nSING,-3\n", r"co2e_kg is '-3': give a number that is not below 0"),
    "NaN": ("name,energy_kwh\nSING,NaN\n", r"energy_kwh is 'NaN', which is not finite: leave it"),
    "infinite": ("name,n_params\nSING,1e999\n", r"n_params is '1e999', which is not finite"),
    "a loss of 3": ("name,quality_loss\nSING,3\n", r"quality_loss is '3': give a loss from 0 to 1"),
    "the same name": ("name,n_params\nSING,1\nSING ,2\n", r"line 3: the name 'SING' is there twi"),
    "no name": ("name,n_params\nA,1\n ,2\n", r"line 3: name is empty"),
    "no value": ("name,n_params\nSING,\n", r"line 2: 'SING' has no value: give one at least of"),
    "another basis": ("name,basis,n_params\nA,measured,1\n", r"basis is 'measured': give one of p"),
    "too many cells": ("name,n_params\nSING,64,000\n", r"line 2: there are 3 cells for 2 columns"),
    "an open quote": ('name,n_params\n"SING,64\n', r"is no CSV file in UTF-8 .*: save"),
    "an escape": ("name,n_params\n\x1b[2J,64\n", r"name is '\\x1b\[2J', which has characters"),
    "a formula": ('name,n_params\n"=1+1",64\n', r"name is '=1\+1', which a spreadsheet would"),
    "a formula as source": ("name,n_params,source\nA,64,@a\n", r"source is '@a', which a spread"),
    "no rows": ("name,n_params\n", r"has columns and no rows"),
    "nothing": ("", r"has no column 'name', but none"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_a_csv_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """The error names the file, the row, the column or cell, and what to do."""
    path = tmp_path / "published.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(go.OptionError, match=said) as raised:
        go.read_references(path)
    assert repr(str(path)) in str(raised.value)
    assert str(raised.value).isprintable()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Where it is not there, is a folder, or is no text."""
    with pytest.raises(go.OptionError, match=r"Cannot read .*gone\.csv' \(No such file"):
        go.read_references(tmp_path / "gone.csv")
    with pytest.raises(go.OptionError, match=r"Cannot read"):
        go.read_references(tmp_path)
    path = tmp_path / "latin.csv"
    path.write_bytes("name,n_params\nMüller,3\n".encode("latin-1"))
    with pytest.raises(go.OptionError, match=r"latin\.csv' is no CSV file in UTF-8"):
        go.read_references(path)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (3, r"references is 3 \(of type int\): give the path"),
        ({"name": "a", "n_params": 1}, r"of type dict\): give the path"),
        (READ[0], r"of type ReferencePoint\): give the path"),
        (["a"], r"references\[0\] is 'a' \(of type str\): give a dict"),
        ([READ[0], {"name": "b", "n_params": True}], r"references\[1\]: n_params is True, which"),
        ([{"name": "b", "n_params": float("nan")}], r"references\[0\]: n_params is nan, which is"),
        ([{"name": "b", "n_params": 10**400}], r"n_params is 1000.*, which is not finite"),
        ([{"name": "b", "n_params": np.True_}], r"n_params is np\.True_, which is no number"),
        ([{"name": 3, "n_params": 1}], r"references\[0\]: name is 3 \(of type int\): give a text"),
        ([{"name": "b", "nparams": 1}], r"references\[0\]: the column 'nparams'.*'n_params'"),
        ([READ[0], READ[0]], r"references\[1\]: the name 'SING, 2018' is there twice"),
        (pd.DataFrame({"name": ["a"], "n_params": ["x"]}), r"references\.iloc\[0\]: n_params is "),
        (pd.DataFrame({"n_params": [1]}), r"references has no column 'name'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(table: object, said: str) -> None:
    """The error names the row as Python counts it."""
    with pytest.raises(go.OptionError, match=said):
        go.read_references(table)  # type: ignore[arg-type]


def test_a_point_knows_its_quantities() -> None:
    """A slip is an error here too; texts are kept in one line; points travel and compare."""
    with pytest.raises(go.OptionError, match=r"'co2_kg' is no quantity: did you mean 'co2e_kg'"):
        go.ReferencePoint(name="a", values={"co2_kg": 1.0})
    with pytest.raises(go.OptionError, match=r"'pear' is no quantity: there are quality, "):
        go.ReferencePoint(name="a", values={"pear": 1.0})
    given_values = {"quality": -3.0}
    point = go.ReferencePoint(name=" a\n\u00a0b ", values=given_values)
    given_values["quality"] = 4.0
    assert (point.name, point.values, point.basis) == ("a b", {"quality": -3.0}, "published")
    assert pickle.loads(pickle.dumps(point)) == point
    assert len({point, go.ReferencePoint(name="a b", values={"quality": -3.0})}) == 1


# Written and drawn


def test_the_tables_mark_what_is_no_trial(tmp_path: Path) -> None:
    """In CSV by kind and an empty number; in JSON apart; without references as before."""
    study = measured()
    front = go.pareto_front(
        study,
        references=[
            {"name": HOSTILE, "quality": 0.5, "energy_kwh": 1, "n_params": 3, "basis": "estimated"},
            {"name": "part", "quality": 0.5, "flops": 9},
        ],
    )
    with front.save(tmp_path / "front.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == [*["trial"] * 4, "estimated", "published"]
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3", "", ""]
    assert [row["name"] for row in rows] == ["", "", "", "", HOSTILE, "part"]
    assert [row["param_width"] for row in rows] == [
        *(str(trial.params["width"]) for trial in study.trials),
        *("", ""),
    ]
    assert float(rows[4]["co2e_kg"]) == GRID.co2e_kg(1)
    assert (rows[5]["co2e_kg"], rows[5]["flops"], rows[0]["flops"]) == ("", "9", "")
    assert [row["status"] for row in rows[4:]] == [one.status for one in front.references]
    assert [row["n_params"] for row in rows[:4]] == [str(int(t.values[2])) for t in study.trials]
    saved = json.loads(front.save(tmp_path / "front.json").read_text(encoding="utf-8"))
    assert saved["references"] == json.loads(json.dumps(front.to_dict()["references"]))
    assert [one["name"] for one in saved["references"]] == [HOSTILE, "part"]
    assert saved["references"][1]["co2e_kg"] is None
    plain = go.pareto_front(study)
    assert "references" not in plain.to_dict()
    assert plain.to_dataframe(references=True).equals(plain.to_dataframe())
    assert "kind" not in plain.save(tmp_path / "plain.csv").read_text(encoding="utf-8")


def test_the_figure_shows_each_reference_once() -> None:
    """Apart from the trials, by basis, with its name; what has no place is named below."""
    study = made([(0.5, 1.0, 10.0), (0.4, 2.0, 10.0)])
    rows = [
        {"name": "p", "quality_loss": 0.3, "co2e_kg": 9.0, "source": "doi:10.5/x"},
        {"name": "e", "quality_loss": 0.2, "co2e_kg": 4.0, "n_params": 8, "basis": "estimated"},
        {"name": "q", "quality_loss": 0.1, "co2e_kg": 5.0, "n_params": 8},
        {"name": "lost & <found>", "quality_loss": 0.1, "n_params": 8},
    ]
    figure = go.pareto_front(study, references=rows).plot()
    others, members, published, estimated = figure.data
    assert (len(others.x), len(members.x)) == (0, 2)
    assert (published.name, published.text) == ("published", ("p", "q"))
    assert (tuple(published.x), tuple(published.y)) == ((9.0, 5.0), (0.3, 0.1))
    assert (estimated.name, tuple(estimated.x)) == ("estimated", (4.0,))
    assert {published.marker.symbol, estimated.marker.symbol} == {"diamond-open"}
    assert len({trace.marker.color for trace in figure.data}) == 4
    assert "doi:10.5/x" in published.hovertext[0]
    assert "not comparable: no n_params" in published.hovertext[0]
    (note,) = figure.layout.annotations
    assert note.text == "Not drawn: lost &amp; &lt;found&gt; (published; no CO2e)"
    assert not go.pareto_front(study, references=rows[:3]).plot().layout.annotations
    many = [{"name": f"r{n}", "n_params": n} for n in range(60)]
    (note,) = go.pareto_front(study, references=many).plot().layout.annotations
    assert note.text.startswith("Not drawn: r0 (published; no quality loss or CO2e)<br>r1 (")
    assert note.text.endswith("<br>and 55 more")


def test_an_axis_makes_room_for_references() -> None:
    """Far from the trials, one makes the axis logarithmic; one at 0 does not keep it from that."""
    study = made([(0.5, 1.0, 10.0), (0.4, 2.0, 10.0)])

    def axis(*costs: float) -> object:
        rows = [{"name": str(cost), "quality_loss": 0.3, "co2e_kg": cost} for cost in costs]
        return go.pareto_front(study, references=rows).plot().layout.xaxis.type

    assert axis() is None
    assert axis(3.0) is None
    assert axis(30.0) == "log"
    assert axis(0.01) == "log"
    assert axis(30.0, 0.0) == "log"


def test_a_hostile_name_is_shown_as_it_is(tmp_path: Path) -> None:
    """Plotly gets no tag of it, neither in the figure nor in the hover nor below, nor the page."""
    rows = [
        {"name": HOSTILE, "source": HOSTILE, "quality": 0.5, "co2e_kg": 1.0, "n_params": 3},
        {"name": f"{HOSTILE}2", "n_params": 3},
    ]
    front = go.pareto_front(measured(), references=rows)
    figure = front.plot()
    trace = figure.data[2]
    texts = [*trace.text, *trace.hovertext, *(note.text for note in figure.layout.annotations)]
    assert len(texts) == 3
    for text in texts:
        ours = text.replace("<br>", "").replace("<b>", "", 1).replace("</b>", "", 1)
        assert "a &lt;img src=x" in ours
        assert "<" not in ours
        assert ">" not in ours
    page = front.save(tmp_path / "front.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "onerror=alert(1)" in page


def test_over_one_objective_a_reference_is_a_level() -> None:
    """Trials stand in the order of their numbers, which a reference has not."""
    study = made([(0.5, 1.0, 10.0)])
    rows = [{"name": "a <b>", "quality_loss": 0.3}, {"name": "c", "n_params": 3}]
    front = go.pareto_front(study, "quality_loss", references=rows)
    assert front.references[0].status == "on the joint front; dominates trial 0"
    figure = front.plot()
    (level,), (note,) = figure.layout.shapes, figure.layout.annotations
    assert (level.y0, level.y1) == (0.3, 0.3)
    assert note.text == "a &lt;b&gt; (published)"


def test_a_reference_at_0_leaves_a_logarithmic_axis_as_it_is() -> None:
    """It has no place there, and is named below the figure with the reason."""
    study = made([(0.5, 1.0, 10.0), (0.4, 100.0, 10.0)])
    rows = [{"name": "free", "quality_loss": 0.9, "co2e_kg": 0, "n_params": 1}]
    figure = go.pareto_front(study, references=rows).plot()
    assert figure.layout.xaxis.type == "log"
    (note,) = figure.layout.annotations
    assert note.text == "Not drawn: free (published; CO2e 0)"


def test_what_equals_a_trial_ties_with_it_however_it_is_given() -> None:
    """As a quality or as its loss, which differ by a rounding, neither dominates."""
    study = made_of(0.97, 650)
    by_quality, by_loss = {"quality": 0.97}, {"quality_loss": 0.03}
    for quality in (by_quality, by_loss, by_quality | by_loss):
        rows = [{"name": "same", "n_params": 650, **quality}]
        front = go.pareto_front(study, ("quality_loss", "n_params"), references=rows)
        assert front.references[0].status == "on the joint front"


def test_a_quality_and_a_loss_that_differ_are_refused() -> None:
    """Both may be there, as in the table of a front, where they agree."""
    study = made_of(0.97, 650)
    with pytest.raises(go.OptionError, match=r"quality 0\.9, whose loss is 0\.09.*: give one"):
        go.pareto_front(study, references=[{"name": "a", "quality": 0.9, "quality_loss": 0.5}])


def test_the_front_of_an_earlier_study_serves_as_references(tmp_path: Path) -> None:
    """Its table needs a name for each trial, and nothing else."""
    study = made_of(0.97, 650, n_trials=2)
    earlier = go.pareto_front(study)
    frame = earlier.to_dataframe()
    frame.insert(0, "name", [f"earlier {number}" for number in frame["trial"]])
    frame["co2e_kg_low"] = 0.0
    front = go.pareto_front(study, references=frame)
    assert [one.name for one in front.references] == frame["name"].tolist()
    path = tmp_path / "earlier.csv"
    path.write_text("\n \n" + frame.to_csv(index=False), encoding="utf-8")
    assert len(go.pareto_front(study, references=path).references) == len(frame)


@pytest.mark.parametrize("values", [{5: 1.0}, [("quality", 0.5)], None])
def test_a_point_of_no_quantities_is_refused(values: Any) -> None:  # noqa: ANN401
    """With what was given, and what there is."""
    with pytest.raises(go.OptionError, match=r"is no quantity|give a dict"):
        go.ReferencePoint(name="a", values=values)


def test_a_study_of_other_objectives_is_not_told_to_give_a_loss() -> None:
    """The status says what is missing; a quality's loss would not help."""
    study = optuna.create_study(directions=["minimize"] * 2)
    study.set_metric_names(["rmse", "latency"])
    study.add_trial(optuna.trial.create_trial(values=[1.0, 2.0]))
    front = go.pareto_front(study, references=[{"name": "a", "quality": 0.5}])
    assert front.references[0].status == "not comparable: no rmse, latency"
    assert front.references[0].notes == ()


def test_a_list_gets_no_advice_about_files() -> None:
    """That is for CSV files alone."""
    with pytest.raises(go.OptionError, match=r"no column 'name', but 'quality': add it\.$"):
        go.read_references([{"quality": 0.5}])
