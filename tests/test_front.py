"""The Pareto front of a study against Optuna's and brute force, and what is made of it."""

from __future__ import annotations

import csv
import enum
import json
import math
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import REFERENCES, made_study
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna.report.page.trials import all_trials
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from optuna.trial import FrozenTrial

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
NAMES = ("quality_loss", "co2e_kg", "n_params")

# The naming of objectives is experimental in Optuna.
pytestmark = pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")

# Trials by hand: 1 gives up a little quality for much CO2e; 4 is dominated; 5 is too large.
BY_HAND = (
    (0.100, 5.0, 100.0),
    (0.105, 2.0, 200.0),
    (0.300, 1.0, 50.0),
    (0.500, 0.5, 10.0),
    (0.600, 6.0, 300.0),
    (0.000, 0.0, 1.0),
)


def made_by_hand() -> optuna.Study:
    """Make a study of the trials above, among which one failed."""
    study = go.create_study("by hand")
    for number, values in enumerate(BY_HAND):
        study.add_trial(create_trial(values=values, constraints={"size": number - 4.0}))
        if number == 1:
            study.add_trial(create_trial(state=TrialState.FAIL))
    return study


def measured(n_trials: int = 4) -> optuna.Study:
    """Run trials that are measured, every other one with a parameter of its own."""
    meter = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)

    @go.green_objective(grid=GRID, meter=meter, trackers=[go.MemoryTracker()])
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        width = trial.suggest_int("width", 1, 9)
        if trial.number % 2:
            trial.suggest_int("depth", 2, 5)
        return trial.suggest_float("quality", 0, 1), width

    study = go.create_study("measured", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=n_trials)
    return study


# The front against Optuna's own and against the definition


@st.composite
def trials(draw: st.DrawFn, n_objectives: int) -> FrozenTrial:
    """A trial that ended somehow; few values make ties and duplicates likely."""
    state = draw(st.sampled_from([TrialState.COMPLETE] * 5 + [TrialState.FAIL, TrialState.PRUNED]))
    if state != TrialState.COMPLETE:
        return create_trial(state=state)
    value = st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, math.inf])
    violation = st.sampled_from([-1.0, 0.0, 1e-9, 3.0])
    return create_trial(
        values=draw(st.lists(value, min_size=n_objectives, max_size=n_objectives)),
        constraints=draw(st.none() | st.dictionaries(st.sampled_from("ab"), violation)),
        # How Optuna kept constraints before its version 5.
        system_attrs=draw(st.just({}) | st.lists(violation).map(lambda c: {"constraints": c})),
    )


@st.composite
def studies(draw: st.DrawFn) -> optuna.Study:
    """A study of up to twelve trials, whose objectives have names of somebody else's."""
    names = ["loss", "cost", "size", "delay"][: draw(st.integers(1, 4))]
    study = optuna.create_study(directions=["minimize"] * len(names))
    study.set_metric_names(names)
    study.add_trials(draw(st.lists(trials(len(names)), max_size=12)))
    return study


@given(studies())
def test_the_front_is_optunas(study: optuna.Study) -> None:
    """The same trials as study.best_trials, duplicates and constraints included."""
    assert go.pareto_front(study).numbers == tuple(trial.number for trial in study.best_trials)


def brute_force(study: optuna.Study, columns: Sequence[int]) -> list[int]:
    """The definition: nobody feasible is nowhere worse and somewhere better."""
    rows = {
        trial.number: [trial.values[column] for column in columns]
        for trial in study.trials
        if trial.state == TrialState.COMPLETE
        and all(violation <= 0 for violation in trial.constraints.values())
    }
    return [
        number
        for number, row in rows.items()
        if not any(
            other != row and all(x <= y for x, y in zip(other, row, strict=True))
            for other in rows.values()
        )
    ]


@given(studies(), st.data())
def test_the_front_over_some_objectives_is_that_of_the_definition(
    study: optuna.Study, data: st.DataObject
) -> None:
    """Any choice of objectives, in any order."""
    names = study.metric_names or []
    columns = data.draw(
        st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=len(names), unique=True)
    )
    front = go.pareto_front(study, [names[column] for column in columns])
    assert front.objectives == tuple(names[column] for column in columns)
    assert list(front.numbers) == brute_force(study, columns)


@settings(max_examples=40)  # Plotly takes its time
@given(studies())
def test_a_front_can_always_be_tabled_drawn_and_written(study: optuna.Study) -> None:
    """Whatever a study holds, infinities and nothing at all included, and as valid JSON."""
    front = go.pareto_front(study)
    table = front.to_dataframe(dominated=True)
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert table["trial"].tolist() == [trial.number for trial in complete]
    assert table.loc[table["on_front"], "trial"].tolist() == list(front.numbers)
    assert table[list(front.objectives)].to_numpy().tolist() == [t.values for t in complete]
    others, members = front.plot().data
    assert (len(others.x), len(members.x)) == (len(complete) - len(front), len(front))
    for trace in (others, members):
        sizes = trace.marker.size
        assert all(6 <= size <= 24 for size in (sizes if isinstance(sizes, tuple) else [sizes]))
    written = json.loads(json.dumps(front.to_dict(), allow_nan=False))
    assert [row["trial"] for row in written["trials"]] == list(front.numbers)


def test_the_front_does_not_change_the_study() -> None:
    """Reading a study without copying it leaves it as it is."""
    study = made_by_hand()
    before = study.trials
    front = go.pareto_front(study)
    front.select().params["width"] = 3
    table = front.to_dataframe(dominated=True)
    table["co2e_kg"] = 0.0
    front.plot()
    assert study.trials == before


def test_a_front_knows_its_members() -> None:
    """Their numbers increase; length, trials and study say the same."""
    front = go.pareto_front(made_by_hand())
    assert front.numbers == (0, 1, 3, 4)
    assert [trial.number for trial in front.trials] == [0, 1, 3, 4]
    assert len(front) == 4
    assert front.study_name == "by hand"
    assert front.objectives == NAMES


def test_objectives_that_the_study_has_not_are_refused() -> None:
    """Unknown ones, none, and one named twice."""
    study = made_by_hand()
    for names in (("energy_kwh",), (), ("co2e_kg", "co2e_kg")):
        with pytest.raises(go.OptionError, match="name some of those"):
            go.pareto_front(study, names)


def test_fronts_can_be_compared() -> None:
    """A front is equal to itself alone, rather than fail over its arrays."""
    study = made_by_hand()
    front = go.pareto_front(study)
    assert front == front  # noqa: PLR0124 - the claim
    assert front != go.pareto_front(study)


# Selecting


@pytest.mark.parametrize(
    ("rule", "number"),
    [
        (None, 1),
        (go.Tolerance(0.01), 1),
        (go.Tolerance(0.001), 0),
        (go.MinCO2e(), 4),
        (go.MinCO2e(max_quality_loss=0.2), 1),
        (go.BestQuality(), 0),
        (go.BestQuality(max_co2e_kg=1.5), 3),
        (go.Knee(), 1),
        ("tolerance", 1),
        ("min-co2e", 4),
        ("best-quality", 0),
        ("knee", 1),
    ],
    ids=str,
)
def test_each_rule_selects_what_it_says(rule: go.Rule | str | None, number: int) -> None:
    """Worked out by hand, on a study with a failed, a dominated and an infeasible trial."""
    chosen = go.pareto_front(made_by_hand()).select(rule)
    assert chosen.number == chosen.trial.number == number
    assert list(chosen.objectives) == list(NAMES)
    assert list(chosen.objectives.values()) == chosen.trial.values


def test_an_unknown_rule_is_refused() -> None:
    """The error shows the rules there are."""
    with pytest.raises(go.OptionError, match=r"'cheapest'.*tolerance"):
        go.pareto_front(made_by_hand()).select("cheapest")


def test_caps_that_nobody_meets_are_an_error_that_says_by_how_much() -> None:
    """Nothing is selected then."""
    with pytest.raises(go.NoModelMeetsCapsError, match=r"max_co2e_kg is 0\.1 .* 0\.5"):
        go.pareto_front(made_by_hand()).select(go.BestQuality(max_co2e_kg=0.1))


def test_a_rule_wants_its_objectives() -> None:
    """A front over the parameters alone has no CO2e to compare."""
    with pytest.raises(go.OptionError, match=r"'tolerance' needs .*'co2e_kg'"):
        go.pareto_front(made_by_hand(), ("quality_loss", "n_params")).select()


def test_a_selection_knows_its_trial() -> None:
    """What was kept of it: quality, energy, hyperparameters and runs."""
    study = measured()
    chosen = go.pareto_front(study).select("best-quality")
    trial = study.trials[chosen.number]
    kept = trial.user_attrs[ATTRIBUTE]
    assert chosen.params == trial.params
    assert (
        chosen.quality == trial.params["quality"] == max(t.params["quality"] for t in study.trials)
    )
    assert chosen.energy_kwh == sum(kept["energy_kwh"].values())
    assert chosen.measurement is not None
    assert chosen.measurement.co2e_kg == trial.values[1]
    assert chosen.run_ids == kept["run_ids"]
    assert set(chosen.run_ids) == {"memory"}
    assert chosen.mlflow_run_id is None
    assert chosen.study_name == "measured"
    assert chosen.rule == go.BestQuality()
    assert isinstance(chosen.objectives["n_params"], int)


def test_a_selection_of_a_trial_that_was_not_measured_says_so() -> None:
    """None stands for what is not known."""
    chosen = go.pareto_front(made_by_hand()).select()
    assert (chosen.quality, chosen.measurement, chosen.energy_kwh) == (None, None, None)
    assert (chosen.run_ids, chosen.mlflow_run_id) == ({}, None)


def test_a_selection_with_an_infinite_hyperparameter_is_json() -> None:
    """None stands for it, since JSON has no number for it."""
    study = go.create_study("infinite")
    choice = optuna.distributions.CategoricalDistribution((1.0, math.inf))
    study.add_trial(
        create_trial(
            values=(0.1, 1.0, 1.0), params={"clip": math.inf}, distributions={"clip": choice}
        )
    )
    chosen = go.pareto_front(study).select()
    assert chosen.params == {"clip": math.inf}
    assert json.loads(json.dumps(chosen.to_dict(), allow_nan=False))["params"] == {"clip": None}


def test_a_selection_is_plain_data_and_one_sentence() -> None:
    """Ready for JSON, and for a person, with the rule that chose."""
    study = measured()
    front = go.pareto_front(study)
    chosen = front.select()
    plain = json.loads(json.dumps(chosen.to_dict(), allow_nan=False))
    assert plain == {
        "study": "measured",
        "trial": chosen.number,
        "rule": "tolerance",
        "rule_arguments": {"relative": 0.01, "absolute": None, "minimise": "co2e_kg"},
        "rule_description": "least CO2e within 1 % of the best quality",
        "scale": None,
        "bounds": {},
        "figure": {"name": "co2e_kg", "value": chosen.objectives["co2e_kg"]},
        "n_front": len(front),
        "runner_up": chosen.runner_up,
        "margin": chosen.margin,
        "saving": chosen.saving and asdict(chosen.saving),
        "objectives": dict(zip(NAMES, study.trials[chosen.number].values, strict=True)),
        "intervals": dict.fromkeys(NAMES),
        "quality": chosen.quality,
        "energy_kwh": chosen.energy_kwh,
        "basis": "estimated",
        "params": chosen.params,
        "run_ids": chosen.run_ids,
    }
    said = str(go.pareto_front(made_by_hand()).select())
    assert said.startswith("Trial 1 of 'by hand' (least CO2e within 1 % of the best quality): ")
    assert "2.00 kg" in said


# Tables


def test_the_table_has_a_row_a_trial() -> None:
    """Objectives, what was measured, then the hyperparameters, sorted by trial."""
    study = measured(n_trials=6)
    table = go.pareto_front(study).to_dataframe(dominated=True)
    assert list(table.columns) == [
        *("trial", "on_front", "quality_loss", "co2e_kg", "n_params"),
        *("quality", "energy_kwh", "duration_s", "basis"),
        *("param_depth", "param_quality", "param_width"),
    ]
    assert table["trial"].tolist() == list(range(6))
    for row, trial in zip(table.to_dict("records"), study.trials, strict=True):
        kept = trial.user_attrs[ATTRIBUTE]
        assert [row[name] for name in NAMES] == trial.values
        assert row["quality"] == kept["quality"]
        assert row["energy_kwh"] == sum(kept["energy_kwh"].values())
        assert row["duration_s"] == kept["duration_s"]
        assert row["basis"] == "estimated"
        assert row["param_width"] == trial.params["width"]
        assert math.isnan(row["param_depth"]) == ("depth" not in trial.params)
    assert table["n_params"].dtype.kind == "i"


def test_the_table_of_the_front_has_its_members_alone() -> None:
    """Unless the dominated trials are asked for."""
    front = go.pareto_front(made_by_hand())
    assert front.to_dataframe()["trial"].tolist() == [0, 1, 3, 4]
    assert front.to_dataframe()["on_front"].all()
    both = front.to_dataframe(dominated=True)
    assert both["trial"].tolist() == [0, 1, 3, 4, 5, 6]
    assert both["on_front"].tolist() == [True] * 4 + [False] * 2


def test_an_objective_is_one_column() -> None:
    """Energy and duration are not repeated where they are objectives."""
    study = go.create_study(objectives=("quality_loss", "energy_kwh", "duration_s"))
    study.add_trial(create_trial(values=[0.1, 2.0, 3.0]))
    columns = list(go.pareto_front(study).to_dataframe().columns)
    assert columns == ["trial", "on_front", *(study.metric_names or []), "quality", "basis"]


def test_the_plain_data_keep_whole_numbers_whole() -> None:
    """A parameter that only some trials have does not turn into a fraction, as in a table."""
    depth = optuna.distributions.IntDistribution(1, 5)
    study = go.create_study("some")
    study.add_trial(create_trial(values=[0.1, 2.0, 7.0]))
    study.add_trial(
        create_trial(values=[0.2, 1.0, 8.0], params={"depth": 3}, distributions={"depth": depth})
    )
    study.add_trial(create_trial(values=[0.2, 2.0, 9.0]))
    plain = go.pareto_front(study).to_dict()
    assert plain["study"] == "some"
    assert plain["objectives"] == list(NAMES)
    assert plain["n_completed"] == 3
    assert [row["param_depth"] for row in plain["trials"]] == [None, 3]
    assert [row["n_params"] for row in plain["trials"]] == [7, 8]
    whole = (plain["trials"][1]["param_depth"], plain["trials"][1]["n_params"])
    assert all(isinstance(number, int) for number in whole)


# Figures


def test_the_figure_shows_every_completed_trial_once() -> None:
    """The first objective upwards, the second to the right, the members apart from the others."""
    figure = go.pareto_front(made_by_hand()).plot()
    others, members = figure.data
    assert members.name == "Pareto front"
    assert sorted(zip(members.x, members.y, strict=True)) == sorted(
        (co2e, loss) for loss, co2e, _ in BY_HAND[:4]
    )
    assert sorted(zip(others.x, others.y, strict=True)) == sorted(
        (co2e, loss) for loss, co2e, _ in BY_HAND[4:]
    )
    # One of the others violates a constraint, and nobody dominates it.
    assert others.name == "other trials"
    assert figure.layout.title.text == "Pareto front of by hand"
    assert "kg" in figure.layout.xaxis.title.text
    assert "trial 4" in members.text[0]


def test_the_area_of_a_point_grows_with_the_third_objective() -> None:
    """In the order of the parameters, within bounds that can be seen."""
    _, members = go.pareto_front(made_by_hand()).plot().data
    n_params = {co2e: count for _, co2e, count in BY_HAND}
    by_size = [x for _, x in sorted(zip(members.marker.size, members.x, strict=True))]
    assert by_size == sorted(by_size, key=n_params.__getitem__)
    assert 6 <= min(members.marker.size) < max(members.marker.size) <= 24


def test_two_objectives_make_a_staircase_and_one_a_history() -> None:
    """Over three objectives the members lie on no line; over one, the trials follow in order."""
    study = made_by_hand()
    modes = {}
    for names in (NAMES, NAMES[:2], NAMES[:1]):
        members = go.pareto_front(study, names).plot().data[1]
        modes[len(names)] = members.mode
    assert modes == {3: "markers", 2: "lines+markers", 1: "markers"}
    history = go.pareto_front(study, "quality_loss").plot()
    assert list(history.data[1].x) == [0]
    assert list(history.data[0].x) == [1, 3, 4, 5, 6]


def test_an_axis_is_logarithmic_where_the_values_are_far_apart() -> None:
    """From a ratio of 20 on, and only where all values are positive."""
    study = go.create_study(objectives=("quality_loss", "co2e_kg"))
    study.add_trials([create_trial(values=[0.1, 1e-6]), create_trial(values=[0.5, 1e-3])])
    layout = go.pareto_front(study).plot().layout
    assert layout.xaxis.type == "log"
    assert layout.yaxis.type != "log"
    study.add_trial(create_trial(values=[0.9, 0.0]))
    assert go.pareto_front(study).plot().layout.xaxis.type != "log"


# Files


def test_the_front_is_written_as_json(tmp_path: Path) -> None:
    """The members, as to_dict gives them."""
    front = go.pareto_front(measured())
    path = front.save(tmp_path / "front.json")
    assert path == tmp_path / "front.json"
    assert json.loads(path.read_text(encoding="utf-8")) == front.to_dict()


def test_the_front_is_written_as_csv(tmp_path: Path) -> None:
    """All completed trials, the members marked, to the digit."""
    study = measured(n_trials=6)
    path = go.pareto_front(study).save(str(tmp_path / "front.csv"))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == list(range(6))
    for row, trial in zip(rows, study.trials, strict=True):
        assert [float(row[name]) for name in NAMES] == trial.values
    on_front = tuple(int(row["trial"]) for row in rows if row["on_front"] == "True")
    assert on_front == go.pareto_front(study).numbers


def test_the_front_is_written_as_a_page_that_needs_no_internet(tmp_path: Path) -> None:
    """The page holds Plotly itself, and loads nothing."""
    text = go.pareto_front(measured()).save(tmp_path / "front.html").read_text(encoding="utf-8")
    assert "Pareto front of measured" in text
    assert "<script src=" not in text
    assert '<script charset="utf-8" src=' not in text


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    """The error shows the path and the endings there are; nothing is written."""
    with pytest.raises(go.OptionError, match=r"front\.xlsx.*\.json"):
        go.pareto_front(made_by_hand()).save(tmp_path / "front.xlsx")
    assert not (tmp_path / "front.xlsx").exists()


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """While a front is written again and again, each reading of the file is whole."""
    front = go.pareto_front(measured())
    path = front.save(tmp_path / "front.json")
    ended = threading.Event()
    readings = []

    def read() -> None:
        while not ended.is_set():
            readings.append(path.read_text(encoding="utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(100):
        front.save(path)
    ended.set()
    reader.join()
    assert set(readings) == {json.dumps(front.to_dict(), indent=2)}


def test_a_file_is_written_with_the_users_own_permissions(tmp_path: Path) -> None:
    """Whoever can read the user's other files can read this one; no other file is left."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = go.pareto_front(made_by_hand()).save(folder / "front.csv")
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode
    assert list(folder.iterdir()) == [path]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    """A folder that is not there is the system's own error."""
    with pytest.raises(FileNotFoundError):
        go.pareto_front(made_by_hand()).save(tmp_path / "missing" / "front.csv")
    assert not (tmp_path / "missing").exists()


# Studies with little in them


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [create_trial(state=TrialState.FAIL), create_trial(state=TrialState.PRUNED)],
        [create_trial(values=[0.5, 1.0, 1.0], constraints={"size": 1.0})],
    ],
    ids=["empty", "only failed", "only infeasible"],
)
def test_a_study_with_nothing_to_choose_from_says_so(
    trials: list[FrozenTrial], tmp_path: Path
) -> None:
    """Its front is empty and can be shown; to select from it is an error that names it."""
    study = go.create_study("little")
    study.add_trials(trials)
    front = go.pareto_front(study)
    assert (len(front), front.numbers, front.trials) == (0, (), ())
    assert list(front.to_dataframe().columns[:5]) == ["trial", "on_front", *NAMES]
    assert front.to_dict()["trials"] == []
    for ending in ("json", "csv", "html"):
        assert front.save(tmp_path / f"front.{ending}").stat().st_size > 0
    with pytest.raises(go.EmptyStudyError, match=r"'little' has no completed trial.*Run more"):
        front.select()


def test_a_study_of_one_trial_has_it_on_the_front() -> None:
    """Every rule selects it."""
    study = go.create_study()
    study.add_trial(create_trial(values=[0.5, 1.0, 1.0]))
    front = go.pareto_front(study)
    assert front.numbers == (0,)
    for rule in (None, "min-co2e", "best-quality", "knee"):
        assert front.select(rule).number == 0


def test_a_study_of_somebody_elses_can_be_chosen_from() -> None:
    """Names are all that it must have; where they are ours, the rules work."""
    study = optuna.create_study(directions=["minimize"] * 2)
    study.set_metric_names(["co2e_kg", "quality_loss"])
    study.add_trials([create_trial(values=[2.0, 0.1]), create_trial(values=[1.0, 0.4])])
    front = go.pareto_front(study)
    assert front.objectives == ("co2e_kg", "quality_loss")
    assert front.select().number == 0
    assert front.select("min-co2e").number == 1
    assert front.candidates.study_key is None
    study.set_metric_names(["regret", "cost"])
    front = go.pareto_front(study)
    assert front.select(go.Utopia(weights={"cost": 2})).number == 0
    assert front.select(go.Lexicographic(["regret"])).number == 1


def test_a_study_without_names_is_refused() -> None:
    """The error says how to name its objectives."""
    study = optuna.create_study(directions=["minimize"] * 2)
    with pytest.raises(go.StudyError, match="set_metric_names"):
        go.pareto_front(study)


@pytest.mark.parametrize(
    ("names", "faulty"),
    [
        (["loss", "trial"], "trial"),
        (["loss", "loss"], "loss"),
        (["param_lr", "loss"], "param_lr"),
        (["loss_low", "loss"], "loss_low"),
    ],
)
def test_names_that_a_table_needs_for_other_columns_are_refused(
    names: list[str], faulty: str
) -> None:
    """Else a metric would stand where the trial's number does; the error says which one."""
    study = optuna.create_study(directions=["minimize"] * 2)
    study.set_metric_names(names)
    trial = study.ask()
    trial.suggest_float("lr", 0.0, 1.0)
    study.tell(trial, [2.0, 0.1])
    with pytest.raises(go.StudyError, match=f"'{faulty}' for another column"):
        go.pareto_front(study)
    other = [name for name in names if name != faulty]
    if other:
        assert go.pareto_front(study, other).numbers == (0,)
    study.set_metric_names(["loss", "trials"])
    (record,) = go.pareto_front(study).to_dataframe().to_dict("records")
    assert [record[name] for name in ("trial", "loss", "trials")] == [0, 2.0, 0.1]


@pytest.mark.parametrize("references", [(), REFERENCES])
def test_all_columns_of_the_tables_are_their_own(references: list[dict[str, object]]) -> None:
    """No objective can bear the name of a column that the tables have for something else."""
    front = go.pareto_front(made_study(30, checkpoints=True), references=references)
    measured = {"quality", "energy_kwh", "duration_s", "n_params"}
    columns = [
        *front.to_dataframe(references=True).columns,
        *all_trials(front.subject())["names"],
        *("step", "checkpoint", "host", "shared", "feasible", "reason"),
    ]
    own = [name for name in columns if not name.startswith("param_") and name not in measured]
    for name in {*own} - {*front.objectives}:
        study = optuna.create_study(directions=["minimize"])
        study.set_metric_names([name])
        with pytest.raises(go.StudyError, match=f"{name!r} for another column"):
            go.pareto_front(study, references=references)


def test_names_of_columns_that_are_not_there_are_free() -> None:
    """Where no reference stands beside the trials, a metric may be its name."""
    study = optuna.create_study(directions=["minimize"] * 2)
    study.set_metric_names(["kind", "source"])
    study.add_trial(create_trial(values=[2.0, 0.5]))
    frame = go.pareto_front(study).to_dataframe()
    assert frame[["kind", "source"]].to_numpy().tolist() == [[2.0, 0.5]]


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
@pytest.mark.parametrize("references", [(), REFERENCES])
def test_files_hold_no_password_of_an_address(
    tmp_path: Path, references: list[dict[str, object]]
) -> None:
    """A hyperparameter may be the database that a trial read; all else is as it is."""
    study = go.create_study("postgresql://me:hunter2@db/study")
    url, seed = "postgresql://me:hunter2@db/data", 2**60
    trial = study.ask()
    trial.suggest_categorical("data", [url])
    trial.suggest_categorical("both", [(url, 1)])  # type: ignore[list-item]
    trial.suggest_categorical("seed", [seed])
    trial.suggest_categorical("model", ["resnet50:in1k@224/fp16"])
    study.tell(trial, [0.1, 1e-6, 10])
    named = [{**one, "name": f"{one['name']} {url}", "source": url} for one in references]
    front = go.pareto_front(study, references=named)
    for ending in ("json", "csv", "html"):
        text = front.save(tmp_path / f"front.{ending}").read_text(encoding="utf-8")
        assert "me:***@db" in text
        assert "hunter2" not in text
        assert ending == "html" or (str(seed) in text and "resnet50:in1k@224/fp16" in text)
    assert front.to_dataframe().loc[0, "param_data"] == url


class Colour(enum.Enum):
    """A choice that is no plain value."""

    RED = 1


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_parameters_that_are_no_plain_values_are_written_all_the_same(tmp_path: Path) -> None:
    """In memory, Optuna takes enums and numbers of NumPy: a front of them is JSON too."""
    study = go.create_study("s")
    choices = {"colour": Colour.RED, "n": np.int64(4)}
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.CategoricalDistribution((value,))  # type: ignore[arg-type]
        for name, value in choices.items()
    }
    study.add_trial(
        optuna.create_trial(values=[0.1, 1e-6, 10], params=choices, distributions=distributions)
    )
    saved = go.pareto_front(study).save(tmp_path / "front.json")
    (trial,) = json.loads(saved.read_text(encoding="utf-8"))["trials"]
    assert (trial["param_colour"], trial["param_n"]) == ("Colour.RED", 4)


def test_a_rule_that_nobody_asked_for_and_that_takes_long_is_left_out() -> None:
    """A report of many members in many objectives says so, and asks how long it takes first."""
    study = optuna.create_study(directions=["minimize"] * 6)
    study.set_metric_names([f"loss_{number}" for number in range(6)])
    rng = np.random.default_rng(0)
    points = rng.random((400, 6))
    points /= points.sum(axis=1, keepdims=True)  # on one plane, where none dominates another
    study.add_trials([optuna.trial.create_trial(values=row) for row in points.tolist()])
    front = go.pareto_front(study)
    assert len(front) == 400
    why = front.subject().others["contribution"]
    assert isinstance(why, str)
    assert "400 members in 6 objectives" in why
    asked = go.pareto_front(study, ["loss_0", "loss_1"]).subject("contribution")
    assert asked.choice is not None
