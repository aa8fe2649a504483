"""The page of a study: what it says, and that nothing in a study can make it do anything else."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept import kept, study_of
from made import REFERENCES, SPACE, made_study
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna.energy import Trace
from green_optuna.record import REPEAT_OF
from green_optuna.report.importance import importances
from green_optuna.report.page.content import MOST_DRAWN
from green_optuna.report.page.html import page, visible, with_real_signs
from green_optuna.report.page.members import MOST_MEMBERS, MOST_PARAMS, members_table
from green_optuna.runs import RunRecord
from green_optuna.terms import ATTRIBUTE

from .hostile import HOSTILE, foreign_study, trials_named
from .print_studies import study_by_hand
from .reading import Reading

if TYPE_CHECKING:
    from pathlib import Path


texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=4).map("".join)


def read(front: go.ParetoFront, rule: go.Rule | None = None) -> Reading:
    """Write the page of a front, as UTF-8, and read it."""
    return Reading(page(front.subject(rule)).encode().decode())


@settings(max_examples=10)
@given(
    study=texts,
    name=texts,
    choices=st.tuples(texts, texts),
    host=texts,
    reason=texts,
    reference=texts.filter(str.isprintable),
)
def test_whatever_a_study_is_named_its_page_stays_as_it_is(
    *, study: str, name: str, choices: tuple[str, str], host: str, reason: str, reference: str
) -> None:
    """Elements are those of a study with plain names, nothing leads out, and the data is whole."""
    first, second = (f"{number}{choice}" for number, choice in enumerate(choices))
    texts_of = {"name": f"r{reference}", "source": f"s{reference}"}
    references = [{**texts_of, "quality": 0.95, "co2e_kg": 1e-7, "n_params": 5}]
    made = study_of(trials_named(name, (first, second), host, reason), name=study)
    shown = read(go.pareto_front(made, references=references))
    shown.check_that_nothing_leads_out()
    plain = study_of(trials_named("a", ("b", "c"), "d", "e"), name="f")
    named = [{**references[0], "name": "g", "source": "h"}]
    assert shown.tags == read(go.pareto_front(plain, references=named)).tags
    assert shown.data["study"] == study
    assert [row["host"] for row in shown.rows] == [host] * 3
    assert [row[f"param_0{name}"] for row in shown.rows] == [first, second, first]
    assert shown.rows[2]["reason"] == reason
    assert shown.data["references"][0]["name"] == f"r{reference}"


@settings(max_examples=10)
@given(names=st.tuples(texts, texts))
def test_metrics_may_have_any_names(names: tuple[str, str]) -> None:
    """In a study that green_optuna did not make."""
    objectives = [f"{number}{name}" for number, name in enumerate(names)]
    shown = read(go.pareto_front(foreign_study(objectives)))
    shown.check_that_nothing_leads_out()
    assert shown.tags == read(go.pareto_front(foreign_study(["a", "b"]))).tags
    assert shown.data["objectives"] == objectives
    assert [[row[name] for name in objectives] for row in shown.rows] == [[1, 3], [2, 2], [3, 3]]


def test_a_study_that_green_optuna_did_not_make_has_a_page() -> None:
    """Over the metrics that it names; the page says that nothing was measured."""
    shown = read(go.pareto_front(foreign_study(["loss", "latency"])))
    shown.check_that_nothing_leads_out()
    assert [row["on_front"] for row in shown.rows] == [True, True, False]
    assert "green_optuna has measured nothing in this study" in shown.text


def test_hidden_characters_are_seen() -> None:
    """What no eye can see has a sign in the words; the data is as it was."""
    name = "a\x00b\u202ec\ud800d\u200be"
    shown = read(go.pareto_front(study_of([kept(0.9, 1e-6)], name=name)))
    assert "a\ufffdb\ufffdc\ufffdd\ufffde" in shown.text
    assert visible("\n\u00e9\u6f22") == "\n\u00e9\u6f22"
    assert shown.data["study"] == name


def test_signs_are_those_of_a_page() -> None:
    """A micro sign and a minus sign, where they stand in a quantity."""
    assert with_real_signs("1 - quality 0.1, CO2e 48.6 ug in 3 us") == (
        "1 \u2212 quality 0.1, CO2e 48.6 \u00b5g in 3 \u00b5s"
    )
    assert with_real_signs("a ug, 5 ugly, 1 - qualityless") == "a ug, 5 ugly, 1 - qualityless"


def test_the_file_is_utf_8_and_the_same_but_for_its_date(tmp_path: Path) -> None:
    """A front gives one page, whoever asks when."""
    front = go.pareto_front(made_study(30), references=REFERENCES)
    first, second = (
        front.report(tmp_path / f"{name}.html").read_bytes().decode("utf-8")
        for name in ("first", "second")
    )
    date = re.compile(r"\d{4}-\d\d-\d\d at \d\d:\d\d UTC")
    assert len(date.findall(first)) == 1
    assert date.sub("", first) == date.sub("", second)
    assert first.startswith("<!doctype html>")


def test_values_are_whole_in_the_data() -> None:
    """Not rounded, and each under its trial: objectives, costs and hyperparameters."""
    front = go.pareto_front(made_study(40))
    rows = {row["trial"]: row for row in read(front).rows}
    frame = front.to_dataframe(dominated=True)
    assert len(frame) < len(rows) == 40
    for record in frame.to_dict("records"):
        row = rows[record["trial"]]
        assert {name: row[name] for name in record if name in row} == {
            name: value for name, value in record.items() if name in row
        }
        assert set(record) <= set(row)


def test_trials_that_did_not_complete_are_in_the_table_with_what_they_cost() -> None:
    """Pruned ones with their reason, failed ones too; no figure draws them."""
    reason = "could reach quality loss 0.12 at best"
    pruned = kept(0.5, 2e-6, 7, state=TrialState.PRUNED)
    pruned.user_attrs = {ATTRIBUTE: {**pruned.user_attrs[ATTRIBUTE], "stopped": reason}}
    failed = kept(0.5, 3e-6, 7, state=TrialState.FAIL)
    shown = read(go.pareto_front(study_of([pruned, kept(0.9, 1e-6), failed])))
    by_trial = {row["trial"]: row for row in shown.rows}
    assert [by_trial[n]["state"] for n in range(3)] == ["pruned", "complete", "failed"]
    assert [by_trial[n]["energy_kwh"] for n in range(3)] == pytest.approx([2e-6, 1e-6, 3e-6])
    assert by_trial[2]["co2e_kg"] == pytest.approx(3e-6 * 0.25 * 1.2)
    assert [by_trial[n]["reason"] for n in range(3)] == [reason, None, None]
    drawn = shown.data["drawn"]
    assert drawn["front"] + drawn["may_be"] + drawn["others"] == [0]
    assert shown.rows[0]["trial"] == 1


def test_infinities_and_nan_are_no_numbers() -> None:
    """A loss that diverged has no place in a figure, and a reported one none on a curve."""
    worse = create_trial(values=[math.inf, 1e-6, 10.0])
    reports = [go.Report(1, math.nan, 1e-7, 1.0), go.Report(2, 0.9, 2e-7, 2.0)]
    shown = read(go.pareto_front(study_of([kept(0.9, 1e-6, reports=reports), worse])))
    assert [row["quality_loss"] for row in shown.rows] == [pytest.approx(0.1), None]
    assert shown.data["curves"][0]["quality"] == [None, 0.9]


def test_a_repriced_front_says_so() -> None:
    """All CO2e is that of the grid asked for, what the search cost included."""
    grid = go.Grid(carbon_intensity_g_per_kwh=25.0, source="elsewhere", pue=1.2)
    study = made_study(20)
    here, there = read(go.pareto_front(study)), read(go.pareto_front(study, grid=grid))
    assert "elsewhere" in there.text
    assert "elsewhere" not in here.text
    assert "of CO2e that the search as a whole would have cost" in there.text
    assert "of CO2e that one training of it would take" in there.text
    for past in ("The search cost", "for the search as a whole"):
        assert past in here.text
        assert past not in there.text
    ratio = np.array([b["co2e_kg"] for b in there.rows]) / [a["co2e_kg"] for a in here.rows]
    assert ratio == pytest.approx(0.1)


def test_a_mixed_front_says_where_each_trial_ran() -> None:
    """Its trials were measured on differing hardware."""
    study = study_of([kept(0.9, 1e-6, host="here"), kept(0.8, 1e-7, host="there")])
    shown = read(go.pareto_front(study, allow_mixed=True))
    assert [row["host"] for row in shown.rows] == ["here", "there"]
    assert "'here'" in shown.text
    assert "'there'" in shown.text


@pytest.mark.parametrize("objectives", [("quality_loss", "n_params"), ("co2e_kg",)])
def test_a_front_over_some_objectives_draws_those_alone(objectives: tuple[str, ...]) -> None:
    """In the order in which they were asked for."""
    front = go.pareto_front(made_study(20), objectives)
    shown = read(front)
    assert shown.data["objectives"] == [*objectives]
    assert list(shown.data["staircases"]) == (["0|1"] if objectives[1:] else [])
    numbers = [shown.rows[row]["trial"] for row in shown.data["drawn"]["front"]]
    assert numbers == [*front.numbers]


def test_a_front_over_some_objectives_says_what_the_search_had_besides() -> None:
    """Above its figures, and in the terms; one over all, in whatever order, does not."""
    study, names = made_study(20), ("quality_loss", "n_params")
    said = "The search minimised 1 \u2212 quality, CO2e and parameters; this front compares "
    some = read(go.pareto_front(study, names)).text
    assert some.count(f"{said}1 \u2212 quality and parameters alone.") == 2
    every = read(go.pareto_front(study, ("n_params", "quality_loss", "co2e_kg"))).text
    assert said not in every
    assert "1 \u2212 quality, CO2e, parameters: all minimised" in every
    alone = study_of([kept(0.8, 1e-6, objectives=("co2e_kg",))], objectives=("co2e_kg",))
    assert "CO2e: minimised" in read(go.pareto_front(alone)).text


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        (("co2e_kg",), "in the order of their numbers. Lower is better: on the Pareto front is"),
        (
            ("quality_loss", "co2e_kg"),
            "is as good in both 1 \u2212 quality and CO2e, and better in",
        ),
        (None, "is as good in all of 1 \u2212 quality, CO2e and parameters, and better in one."),
    ],
)
def test_the_front_is_explained_by_its_own_objectives(
    objectives: tuple[str, ...] | None, said: str
) -> None:
    """Of one, there is no corner to look for, and of two no third."""
    text = " ".join(read(go.pareto_front(made_study(30), objectives)).text.split())
    assert said in text
    assert ("Down and to the left" in text) == (objectives is None or len(objectives) > 1)


def test_one_more_is_one() -> None:
    """Members that have no row in the short table are counted in plain English."""
    front = go.pareto_front(made_study(60), ("quality_loss", "co2e_kg"))
    assert len(front) == MOST_MEMBERS + 1
    assert members_table(front.subject()).caption == "1 more is in the table of all trials."


@pytest.mark.parametrize(
    ("more", "said"), [(1, "1 more hyperparameter differs."), (2, "2 more hyperparameters differ.")]
)
def test_hyperparameters_that_have_no_column_are_counted(more: int, said: str) -> None:
    """Those that differ among the members, in plain English."""
    study = go.create_study("many")
    for number in range(2):
        trial = study.ask()
        for place in range(MOST_PARAMS + more):
            trial.suggest_int(f"p{place}", number, number)
        study.tell(trial, [0.1 + number, 1e-6 / (1 + number), 10])
    assert members_table(go.pareto_front(study).subject()).caption == said


def test_the_choice_is_first_of_the_traces_only_where_it_has_one() -> None:
    """A tracker may have lost it, or the person have asked for others."""
    front = go.pareto_front(made_study(30))
    trace = Trace(*np.full((5, 2), [1.0, 2.0]))
    number = front.select().number
    other = next(one for one in front.numbers if one != number)
    for traced, first in [((number, other), True), ((other,), False)]:
        shown = Reading(page(front.subject(traces=dict.fromkeys(traced, trace))))
        assert ("while they trained, the choice first." in shown.text) == first
        assert ("while they trained. All" in shown.text) != first


def test_the_line_of_a_pair_is_the_front_of_that_pair() -> None:
    """Each line joins the trials that no other beats in its two objectives."""
    study = made_study(40)
    shown = read(go.pareto_front(study))
    assert len(shown.data["staircases"]) == 3
    for columns, rows in shown.data["staircases"].items():
        pair = [shown.data["objectives"][int(column)] for column in columns.split("|")]
        alone = go.pareto_front(study, pair)
        assert sorted(shown.rows[row]["trial"] for row in rows) == sorted(alone.numbers)
        along = [shown.rows[row][pair[1]] for row in rows]
        assert along == sorted(along)


def test_constraints_are_told_where_there_are_any() -> None:
    """A column says who violates one; a study without has none."""
    over, within = kept(0.95, 1e-6, constraints={"size": 1.0}), kept(0.9, 1e-6)
    shown = read(go.pareto_front(study_of([over, within])))
    assert [row["feasible"] for row in shown.rows] == [False, True]
    assert [row["on_front"] for row in shown.rows] == [False, True]
    assert "feasible" not in read(go.pareto_front(study_of([within]))).rows[0]


@pytest.mark.parametrize("states", [(), (TrialState.FAIL, TrialState.PRUNED)])
def test_a_study_without_a_completed_trial_has_a_page(states: tuple[TrialState, ...]) -> None:
    """It says that there is nothing to choose from, and what was spent all the same."""
    shown = read(go.pareto_front(study_of([kept(0.5, 1e-6, state=one) for one in states])))
    shown.check_that_nothing_leads_out()
    assert "No trial is on the front" in shown.text
    assert "nothing to select from" in shown.text
    assert [row["state"] for row in shown.rows] == ["failed", "pruned"][: len(states)]
    assert ("failed trials" in shown.text) == bool(states)


def test_repeated_runs_bring_intervals_and_probabilities() -> None:
    """Ends of the intervals are columns, and the probability of each candidate."""
    front = go.pareto_front(made_study(20, repeats=True))
    shown = read(front)
    members = {row["trial"]: row for row in shown.rows if row["on_front"]}
    assert {n: row["probability"] for n, row in members.items()} == front.probabilities
    assert all(
        row["co2e_kg_low"] < row["co2e_kg"] < row["co2e_kg_high"] for row in members.values()
    )
    assert 'id="show-errors"' in page(front.subject())


def test_checkpoints_are_rows_of_their_own() -> None:
    """Each with its step, and its trial beside them as it ended."""
    front = go.pareto_front(made_study(30, checkpoints=True), checkpoints=True)
    shown = read(front)
    steps = [row for row in shown.rows if row["state"] == "checkpoint"]
    assert len(steps) == front.candidates.n_checkpoints > 0
    assert all(row["label"] == f"{row['trial']} step {row['step']}" for row in steps)
    assert sum(row["state"] == "complete" for row in shown.rows) == front.candidates.n_completed
    assert len({row["trial"] for row in shown.rows}) == 30


def test_a_large_study_is_drawn_in_part_and_listed_whole() -> None:
    """The page says how many of the dominated trials no figure shows; the table has them."""
    n = MOST_DRAWN + 500
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.random(n) + 1, rng.random(n) + 1, rng.integers(10, 99, n)])
    study = study_of([create_trial(values=[*map(float, row)]) for row in rows])
    shown = read(go.pareto_front(study))
    drawn = shown.data["drawn"]
    left_out = n - len(drawn["front"]) - MOST_DRAWN
    assert drawn["left_out"] == left_out > 0
    assert f"{left_out} of the trials are not drawn" in " ".join(shown.text.split())
    assert len(drawn["others"]) == len(set(drawn["others"])) == MOST_DRAWN
    assert not set(drawn["others"]) & set(drawn["front"])
    assert len(shown.rows) == n


def test_whole_numbers_beyond_what_a_browser_counts_keep_their_digits() -> None:
    """A seed of 64 bits is a text in the data, for a browser would round it."""
    seed = 2**63 - 1
    trial = create_trial(
        values=[0.1, 1e-6, 10.0],
        params={"seed": seed},
        distributions={"seed": CategoricalDistribution((seed, 2**53))},
    )
    (row,) = read(go.pareto_front(study_of([trial]))).rows
    assert row["param_seed"] == str(seed)


@pytest.mark.slow
def test_the_page_of_a_thousand_trials_is_small_enough_to_send() -> None:
    """With twelve hyperparameters each, under 6 MB, most of which draws the figures."""
    rng = np.random.default_rng(0)
    trials = []
    for number in range(1000):
        trial = kept(float(rng.random()), float(rng.random()) * 1e-6, int(rng.integers(10, 10**6)))
        trial.params = {f"hyperparameter_{n}": float(rng.random()) for n in range(12)}
        trial.distributions = dict.fromkeys(trial.params, FloatDistribution(0, 1))
        trial.number = number
        trials.append(trial)
    assert len(page(go.pareto_front(study_of(trials)).subject()).encode()) < 6_000_000


def strings_in(value: Any) -> list[str]:  # noqa: ANN401 - plain data
    """All texts in plain data, however deep."""
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        return [one for each in inside for one in strings_in(each)]
    return [value] if isinstance(value, str) else []


def test_no_text_of_the_data_can_end_its_element() -> None:
    """The JSON has no sign that HTML would read, and says the same."""
    hostile = "</script><!--&\u2028"
    made = study_of(trials_named(hostile, (hostile, "b"), hostile, hostile), name=hostile)
    text = page(go.pareto_front(made).subject())
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert not set("<>&\u2028") & set(data)
    assert strings_in(json.loads(data)).count(hostile) >= 5


def test_repeats_are_listed_and_say_whose_runs_they_are() -> None:
    """They are no candidates of their own, and were run and paid for."""
    again = kept(0.9, 2e-6)
    again.set_user_attr(REPEAT_OF, 0)
    shown = read(go.pareto_front(study_of([kept(0.8, 1e-6), again])))
    first, second = shown.rows
    assert (first["state"], second["state"]) == ("complete", "repeat")
    assert second["reason"] == "its runs count for trial 0"
    assert second["energy_kwh"] == pytest.approx(2e-6)
    assert second["quality"] == pytest.approx(0.9)


def test_passwords_in_addresses_are_nowhere_on_the_page() -> None:
    """A hyperparameter may be the address of a data base."""
    trial = kept(0.8, 1e-6)
    trial.params["data"] = "postgresql://someone:hunter2@db.example/data"
    trial.distributions["data"] = CategoricalDistribution([trial.params["data"]])
    text = page(go.pareto_front(study_of([trial])).subject())
    assert "db.example" in text
    assert "hunter2" not in text


def test_what_was_measured_and_came_to_nothing_was_measured() -> None:
    """Zero is a figure; of what nobody measured, there is none."""
    measured = read(go.pareto_front(study_of([kept(0.8, 0.0)])))
    assert "Nothing was measured" not in measured.text
    shown = read(go.pareto_front(study_by_hand([create_trial(values=[1.0, 2.0])], ("a", "b"))))
    assert "Not measured, and not counted: trial 0." in shown.text
    assert shown.data["hypervolume"] is None
    assert "What each gram bought" not in shown.text


def test_how_all_trials_were_measured_is_said() -> None:
    """Not of those alone that completed; and where none did."""
    pruned, failed = (kept(0.5, 1e-6, state=one) for one in (TrialState.PRUNED, TrialState.FAIL))
    some = read(go.pareto_front(study_of([kept(0.8, 1e-6), pruned, failed]))).text
    assert "3 trials by replay; guess on 'here'" in some
    none = read(go.pareto_front(study_of([failed]))).text
    assert "1 trial by replay; guess on 'here'" in none
    assert "1 trial, 0 of them completed, 0 on the front; energy partly measured" in none


def test_what_the_search_cost_is_compared_with_the_step_that_is_chosen() -> None:
    """With a training up to that step, and not with a whole one."""
    front = go.pareto_front(made_study(30, checkpoints=True), checkpoints=True)
    chosen = front.select(go.Tolerance(0.3))
    assert chosen.step is not None
    assert f" of trial {chosen.label}." in read(front, go.Tolerance(0.3)).text


def test_no_names_of_data_stand_in_sentences() -> None:
    """A rule, a reference and an error speak of quality and CO2e, and not of columns."""
    foreign = read(go.pareto_front(foreign_study(["loss", "latency"]))).text
    assert foreign.count("The rule tolerance needs quality loss and CO2e, which are not") == 2
    assert "nothing: it needs CO2e, which is not among the objectives" in foreign
    references = [
        {"name": "a", "quality": 0.9, "source": "doi:10.5/x"},
        {"name": "b", "n_params": 5, "source": "there."},
        {"name": "c", "quality": 0.9, "co2e_kg": 1e-6, "n_params": 3, "source": "doi:10.5/y"},
    ]
    ours = read(go.pareto_front(study_of([kept(0.8, 1e-6)]), references=references)).text
    assert "not comparable: CO2e or number of parameters is not known" in ours
    assert "not comparable: quality loss or CO2e is not known" in ours
    assert "No trial of 'kept' has a known error in each of quality loss and CO2e: " in ours
    assert "doi:10.5/y. CO2e as given; its carbon intensity may differ" in ours
    assert "quality_loss" not in foreign
    assert "co2e_kg" not in foreign


def test_why_no_power_is_shown_is_true_of_the_study() -> None:
    """A command that cannot help is not recommended."""
    nobody, failed, untracked = (
        foreign_study(["loss", "latency"]),
        study_of([kept(0.5, 1e-6, state=TrialState.FAIL)]),
        study_of([kept(0.5, 1e-6)]),
    )
    for study, said in (
        (nobody, "Power over time is not known: green_optuna has measured nothing in this study."),
        (failed, "Power over time is that of the front's members, and the front has none."),
        (untracked, "and those on the front were logged to none."),
    ):
        text = read(go.pareto_front(study)).text
        assert said in text
        assert "--mlflow-uri" not in text
    trial = kept(0.5, 1e-6)
    trial.user_attrs[ATTRIBUTE]["run_ids"] = {"wandb": "a"}
    text = read(go.pareto_front(study_of([trial]))).text
    assert "front.report(path, traces=...) takes it." in text
    assert "--mlflow-uri" not in text
    trial.user_attrs[ATTRIBUTE]["run_ids"]["mlflow"] = "b"
    text = read(go.pareto_front(study_of([trial]))).text
    assert "green-optuna report --mlflow-uri URI reads it from MLflow" in text


def test_trials_that_shared_the_machine_are_told_of() -> None:
    """How many did, and which: a study of which none did has no such column."""
    alone, beside, failed = kept(0.8, 1e-6), kept(0.9, 1e-6), kept(0.5, 1e-6, state=TrialState.FAIL)
    for one in (beside, failed):
        one.user_attrs[ATTRIBUTE]["shared"] = True
    some = read(go.pareto_front(study_of([alone, beside, failed])))
    assert "2 of 3 trials ran beside other trials on the same machine, and what they" in some.text
    assert {row["trial"]: row["shared"] for row in some.rows} == {0: False, 1: True, 2: True}
    every = read(go.pareto_front(study_of([beside] * 2)))
    assert "All trials ran beside other trials" in every.text
    none = read(go.pareto_front(study_of([alone])))
    assert "ran beside other" not in none.text
    assert "shared" not in none.rows[0]


def test_all_of_the_hypervolume_is_not_said_to_be_most_of_it() -> None:
    """One trial may take it from less to all, or to what rounds to it."""
    alone = " ".join(read(go.pareto_front(study_of([kept(0.8, 1e-6)]))).text.split())
    assert (
        "All of it was there after trial 0 had ended, for 300 \u00b5g (100 % of the search's CO2e)."
        in alone
    )
    for better, said in ((0.8001, "All of it was there"), (0.81, "95% of it was there")):
        study = study_of([kept(0.8, 1e-6), kept(0.1, 9e-6), kept(better, 1.0001e-6)])
        text = " ".join(read(go.pareto_front(study)).text.split())
        assert f"{said} after trial 0 had ended" in text


def test_an_interval_beyond_what_is_possible_is_explained() -> None:
    """One of few values may go below zero, with a real minus sign; others are not spoken of."""
    wide, narrow = (
        kept(0.5, sum(costs), runs=[RunRecord(loss, cost, 1.0) for loss, cost in runs])
        for runs in ([(0.2, 1e-7), (0.8, 2e-6)], [(0.5, 1e-6), (0.5001, 1.0001e-6)])
        for costs in [[cost for _, cost in runs]]
    )
    beyond = "Student's: of few values, they may reach beyond what is possible"
    shown = read(go.pareto_front(study_of([wide])))
    assert f"95% confidence intervals of the mean of 2 values ({beyond})." in shown.text
    assert re.search(r"\(\N{MINUS SIGN}[\d.]+ mg to [\d.]+ mg\)", shown.text)
    assert shown.data["confidence"] == "95%"
    assert beyond not in read(go.pareto_front(study_of([narrow]))).text
    assert read(go.pareto_front(study_of([kept(0.5, 1e-6)]))).data["confidence"] is None


def test_a_page_without_figures_speaks_of_none() -> None:
    """There is no point to click on."""
    failed = read(go.pareto_front(study_of([kept(0.5, 1e-6, state=TrialState.FAIL)])))
    assert "Each point is a trial" not in failed.text
    assert "Select a trial in the table of all trials" in failed.text
    some = read(go.pareto_front(study_of([kept(0.5, 1e-6)])))
    assert "Each point is a trial" in some.text
    assert "Select a trial in a figure or a table" in some.text


def test_no_draws_are_spoken_of_where_there_were_none() -> None:
    """A study without a feasible trial has no probabilities, and no reason why."""
    study = study_of([kept(0.8, 1e-6, constraints={"cap": 1.0})])
    assert "share of draws" not in read(go.pareto_front(study)).text


def test_the_quality_has_its_interval_on_the_page() -> None:
    """Both ends are those of its loss, turned round; a line says what intervals they are."""
    front = go.pareto_front(made_study(30, repeats=True))
    chosen = front.select()
    loss = chosen.intervals["quality_loss"]
    assert loss is not None
    shown = " ".join(read(front).text.split())
    assert f"({1 - loss.high:.4g} to {1 - loss.low:.4g})" in shown
    assert "95% confidence intervals of the mean of 3 values" in shown


def test_a_saving_of_nearly_all_is_not_all() -> None:
    """Less than all of the CO2e is over 99 % of it, and next to nothing is no card."""
    shown = read(go.pareto_front(study_of([kept(0.9, 1e-3), kept(0.895, 1e-6)])))
    assert "over 99 % less" in shown.text
    assert "100 % less" not in shown.text
    shown = read(go.pareto_front(study_of([kept(0.9, 1.001e-6), kept(0.895, 1e-6)])))
    assert "0 % less" not in shown.text


def test_hyperparameters_are_told_by_how_much_they_matter() -> None:
    """The figure begins with what the table above it does, and has those without a share last."""
    front = go.pareto_front(made_study(100))
    shown = read(front)
    decided = importances(front.subject())
    most = {
        name: max(share.share for one in decided for share in one.shares if share.name == name)
        for name in SPACE
    }
    assert shown.data["params"] == sorted(SPACE, key=lambda name: -most[name])
    assert shown.data["params"] != sorted(SPACE)
    assert {*shown.data["log_params"]} == {"width", "learning_rate"}
    choices = dict(zip(shown.data["params"], shown.data["choices"], strict=True))
    assert choices == dict.fromkeys(SPACE) | {"optimiser": ["adam", "sgd"]}


def test_hyperparameters_of_which_nothing_can_be_told_are_in_the_order_of_their_numbers() -> None:
    """As a person counts: p2 is before p10."""
    trial = kept(0.9, 1e-6)
    names = [f"p{number}" for number in range(12)] + ["p2_b10", "p2_b9", "1" * 5000]
    trial.params = dict.fromkeys(sorted(names), 1.0)
    trial.distributions = dict.fromkeys(trial.params, FloatDistribution(0, 1))
    told = read(go.pareto_front(study_of([trial]))).data["params"]
    counted = [f"p{number}" for number in range(12)]
    assert [one for one in told if one in counted] == counted
    assert told.index("p2") < told.index("p2_b9") < told.index("p2_b10") < told.index("p3")


def test_numbers_stand_below_headings_on_the_same_side() -> None:
    """To the right, those of hyperparameters too; texts and theirs to the left."""
    table = members_table(go.pareto_front(made_study(30)).subject())
    sides = {heading.text: heading.number for heading in table.headings}
    assert sides["width"]
    assert sides["learning_rate"]
    assert not sides["optimiser"]
    for column, heading in enumerate(table.headings):
        assert {row[column].number for row in table.rows if row[column].text} == {heading.number}
