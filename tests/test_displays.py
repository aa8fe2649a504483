"""What a notebook shows of fronts, selections and measurements, and what print says of them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import GRID, NAMES, kept, made_terms, study_of
from optuna.trial import TrialState, create_trial
from parsed import Parsed

import green_optuna as go
from green_optuna.displays.front import MAX_MEMBERS
from green_optuna.energy import ComponentEnergy, Source, Trace
from green_optuna.markup import MAX_CELL, in_html
from green_optuna.runs import RunRecord
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import format_co2e, format_energy, show_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

OURS = {
    *("div", "p", "table", "thead", "tbody", "tr", "th", "td"),
    *("svg", "g", "path", "circle", "rect", "text", "title"),
}

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</title></svg></td></table><b onclick=x>",
    "&lt;b&gt; & \x00\x1b[31m\u202e\ud800\n]]>",
    "<!--",
    "x" * 10_000,
)

# The naming of objectives is experimental in Optuna.
pytestmark = pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")


def looked_at(shown: go.ParetoFront | go.Selection | go.Measurement) -> Parsed:
    """What it shows in a notebook, of which every element is one of ours and nothing runs."""
    html = shown._repr_html_()
    page = Parsed(html)
    assert page.tags <= OURS
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert not attributes.keys() & {"id", "href", "src"}
        assert "url(" not in attributes.get("style", "")
    # Nothing is shown as a number that is none.
    assert not re.search(r"\b(nan|inf|None)\b", page.text())
    html.encode()
    return page


def with_params(trial: FrozenTrial, params: Mapping[str, object]) -> FrozenTrial:
    """A trial with hyperparameters."""
    trial.distributions = {
        name: optuna.distributions.CategoricalDistribution([value])  # type: ignore[list-item]
        for name, value in params.items()
    }
    trial.params = dict(params)
    return trial


def many(n: int) -> list[FrozenTrial]:
    """Trials of which each gives up some quality for less CO2e: all are on the front."""
    return [kept(0.9 - 0.01 * k, 1e-6 * (n - k), 100) for k in range(n)]


# Fronts


def test_a_front_shows_its_members_and_what_the_search_spent() -> None:
    """Each member has a row and a mark with its exact values; the sum is the ledger's."""
    trials = [kept(0.9, 2e-6, 100), kept(0.8, 1e-6, 50), kept(0.7, 3e-6, 100)]
    trials[0] = with_params(trials[0], {"width": 7})
    front = go.pareto_front(study_of([*trials, kept(0.1, 1e-6, state=TrialState.FAIL)]))
    page = looked_at(front)
    text = page.text()
    assert "2 of 3 completed trials of 'kept' are on the Pareto front" in text
    assert {"0", "1"} == set(page.text("th").split()) & {"0", "1", "2"}
    assert format_co2e(trials[0].values[1]) in page.text("td")
    assert "width 7" in text
    assert str(front.ledger) in text
    titles = page.text("title")
    assert (
        f"trial 0: 1 - quality 0.1, CO2e (kg) {trials[0].values[1]:.10g}, parameters 100" in titles
    )
    assert "trial 2" in titles
    assert len(page.of("svg")) == 1


def test_a_long_front_names_some_and_says_how_many_more() -> None:
    """Of 33 members the 20 of the best quality stand in the table, and "13 more" are said."""
    page = looked_at(go.pareto_front(study_of(many(33))))
    rows = [attributes for attributes in page.of("th") if attributes.get("scope") == "row"]
    assert len(rows) == MAX_MEMBERS
    assert "and 13 more" in page.text("p")
    assert page.text("title").count("trial ") == 33


def test_of_very_many_trials_the_dominated_are_thinned_and_it_is_said() -> None:
    """10,000 points would make megabytes; the front stays whole."""
    dominated = [kept(0.5, 1e-5, 1000) for _ in range(2000)]
    page = looked_at(go.pareto_front(study_of([*many(5), *dominated])))
    assert "500 of 2000 drawn (other trials)" in page.text("text")
    titles = page.text("title")
    assert all(f"trial {number}:" in titles for number in range(5))


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [kept(0.1, 1e-6, state=TrialState.FAIL), kept(0.1, 1e-6, state=TrialState.PRUNED)],
        [create_trial(state=TrialState.FAIL)],
        [create_trial(state=TrialState.RUNNING), create_trial(state=TrialState.WAITING)],
        [kept(0.9, 1e-6, constraints={"size": 1.0})],
        [create_trial(values=[0.1, math.inf, 5]), create_trial(values=[math.inf, 1.0, 5])],
        [create_trial(values=[0.1, 0.0, 0])],
    ],
)
def test_a_front_of_any_state_is_shown(trials: Sequence[FrozenTrial]) -> None:
    """Without trials, with failed or infeasible ones, or unbounded ones, nothing raises."""
    front = go.pareto_front(study_of(trials))
    assert "on the Pareto front" in looked_at(front).text()
    assert "on the Pareto front" in str(front)


def test_what_was_not_measured_is_not_shown_as_nothing() -> None:
    """Of trials that ran without us, energy and spending are not known, rather than 0."""
    front = go.pareto_front(study_of([create_trial(values=[0.1, 1.0, 5])]))
    for said in (looked_at(front).text(), str(front)):
        assert "What the search spent is not known: no trial was measured." in said
        assert not re.search(r"\b0 (kWh|kg|W|s)\b", said)
    page = looked_at(front.select())
    assert "not known" in page.text("td")
    assert not re.search(r"\b0 (kWh|kg|W|s)\b", page.text())


def test_a_front_says_what_to_know_of_it() -> None:
    """That it is mixed, repriced, or holds checkpoints is in the HTML and in print."""
    mixed = study_of([kept(0.9, 2e-6, host="a"), kept(0.8, 1e-6, host="b")])
    grid = go.Grid(carbon_intensity_g_per_kwh=25.0, source="a windy hour")
    reports = [
        go.Report(step=step, quality=0.7, t_s=1.0, checkpoint="epoch.pt", energy_kwh=energy_kwh)
        for step, energy_kwh in ((2, 0.0), (3, 5e-7))
    ]
    steps = study_of([kept(0.9, 2e-6, reports=reports)])
    fronts = [
        go.pareto_front(mixed, allow_mixed=True),
        go.pareto_front(study_of([kept(0.9, 2e-6)]), grid=grid),
        go.pareto_front(steps, checkpoints=True),
    ]
    for front in fronts:
        assert front.note is not None
        assert front.note in looked_at(front).text("p")
        assert front.note in str(front)
        looked_at(front.select())
    assert "a windy hour" in looked_at(fronts[1].select()).text("td")
    assert "0 step 3" in looked_at(fronts[2]).text("th")
    assert "of 1 completed trial and 1 checkpoint of 'kept'" in str(fronts[2])


def test_a_front_of_one_objective_is_drawn_over_the_trials() -> None:
    """There is nothing else to go to the right."""
    page = looked_at(go.pareto_front(study_of(many(3)), ("co2e_kg",)))
    assert "trial" in page.text("text").split()
    assert len(page.of("circle")) == 2  # the key's, and that of the member


def test_references_are_shown_and_are_no_trials() -> None:
    """They have a table, with words for what is not known of them, and diamonds of their own."""
    references = [
        {"name": "SVC", "quality": 0.95, "co2e_kg": 5e-7, "n_params": 50, "source": "a paper"},
        {"name": HOSTILE[0], "quality": 0.97},
    ]
    page = looked_at(go.pareto_front(study_of(many(3)), references=references))
    assert "SVC" in page.text("th")
    assert "not known" in page.text("td")
    assert "published" in page.text("text")
    assert "SVC" in page.text("text")


def test_probabilities_stand_beside_the_members() -> None:
    """Where errors are known, the table says how probable each member is."""
    runs = [
        RunRecord(quality_loss=1 - q, energy_kwh=1e-6, duration_s=1.0) for q in (0.90, 0.91, 0.92)
    ]
    trials = [kept(0.91, 3e-6, runs=runs), kept(0.81, 3e-6, runs=runs)]
    front = go.pareto_front(study_of(trials))
    assert front.probabilities is not None
    page = looked_at(front)
    assert "on the front" in page.text("th")
    assert show_quantity("probability", front.probabilities[0]) in page.text("td")
    assert "95% interval" in looked_at(front.select()).text("td")


# Selections


def test_a_selection_shows_what_why_and_where() -> None:
    """The rule, the saving, the objectives and hyperparameters, and a ring at its place."""
    study = study_of(
        [kept(0.9, 2e-6), with_params(kept(0.895, 1e-6), {"width": 7, "lr": 0.1234567})]
    )
    chosen = go.pareto_front(study).select()
    page = looked_at(chosen)
    assert chosen.number == 1
    said = page.text("p")
    assert "Least CO2e within 1 % of the best quality." in said
    assert chosen.saving is not None
    assert str(chosen.saving) in said
    assert chosen.describe_runner_up() in said
    assert {"width", "lr", "energy"} <= set(page.text("th").split())
    assert "0.1235" in page.text("td")
    assert "trial 1" in page.text("text")
    rings = [one for one in page.of("circle") if one.get("stroke") == "currentColor"]
    members = [one for one in page.of("circle") if one.get("r") == "4.5"]
    assert len(rings) == 1
    assert (rings[0]["cx"], rings[0]["cy"]) in [(one["cx"], one["cy"]) for one in members]


def test_a_trial_of_very_many_hyperparameters_names_some() -> None:
    """Of 50, 20 are shown, and "30 more" are said."""
    many_params = {f"p{k}": k for k in range(50)}
    chosen = go.pareto_front(study_of([with_params(kept(0.9, 2e-6), many_params)])).select()
    assert "30 more" in looked_at(chosen).text("td")


# Measurements


def measured(**how: object) -> go.Measurement:
    """A measurement of 2 s with a trace of its components."""
    points: list[tuple[float, ...]] = [
        (1.0, 10.0, 0.0, 5.0, 15 / 3.6e6),
        (2.0, 20.0, 0.0, 5.0, 40 / 3.6e6),
    ]
    options: dict[str, object] = {
        "energy": ComponentEnergy(30 / 3.6e6, 0.0, 10 / 3.6e6),
        "duration_s": 2.0,
        "grid": GRID,
        "sources": {"cpu": Source("RAPL", measured=True), "ram": Source("a guess", measured=False)},
        "host": "secret-host",
        "trace": Trace.from_points(points),
    }
    return go.Measurement(**(options | how))  # type: ignore[arg-type]


def test_a_measurement_shows_costs_sources_and_power_over_time() -> None:
    """Energy, CO2e, duration, mean power, basis, each source, and the trace as a picture."""
    one = measured()
    page = looked_at(one)
    cells = page.text("td")
    for shown in (format_energy(one.energy_kwh), format_co2e(one.co2e_kg), "2.0 s", "20.0 W"):
        assert shown in cells
    assert {"mixed", "(RAPL)"} <= set(cells.split())
    assert "(a guess)" in cells
    assert "1.0 s to 2.0 s, ram 5, cpu 20" in page.text("title")
    # What draws nothing and has no source is in no row and in no key.
    assert "gpu" not in page.text()


def test_a_measurement_does_not_tell_the_hosts_name() -> None:
    """A notebook is passed on to others."""
    one = measured()
    assert "secret-host" not in one._repr_html_()
    assert "secret-host" not in str(one)


def test_a_measurement_prints_as_a_sentence() -> None:
    """What it took, and how that is known; not all fields."""
    assert str(measured()) == (
        "11.1 mWh and 3.33 mg of CO2e in 2.0 s, 20.0 W in the mean; energy is mixed (cpu: RAPL; "
        "ram: a guess)."
    )
    beside = measured(shared=True, runs=2)
    assert "in 2.0 s over 2 runs" in str(beside)
    assert "Other trials ran beside it" in str(beside)
    page = looked_at(beside)
    assert "each of 2 runs" in page.text("th")
    assert "Other trials ran beside it" in page.text("p")


def test_a_measurement_without_numbers_says_so_in_words() -> None:
    """NaN, an infinity and the power over no time are words; without a trace, no picture."""
    one = measured(
        energy=ComponentEnergy(math.nan, 0.0, math.inf),
        duration_s=0.0,
        sources={},
        trace=Trace.from_points([]),
    )
    page = looked_at(one)
    assert page.of("svg") == []
    shown = page.text("td")
    assert "not known" in shown
    assert "infinite" in shown
    assert not re.search(r"\b0 (kWh|kg|W)\b", page.text())
    assert "not known in the mean" in str(one)


# Names of others


@given(st.text(max_size=40))
def test_any_text_is_shown_as_it_is_in_one_line(text: str) -> None:
    """What can be shown comes out of the HTML as it went in; what cannot becomes U+FFFD."""
    page = Parsed(f"<td>{in_html(text, most=1000)}</td>")
    assert page.tags == {"td"}
    shown = "".join(data for _, data in page.texts)
    expected = " ".join(text.split())
    assert shown == "".join(c if c.isprintable() else "\ufffd" for c in expected)


def test_secrets_of_a_url_are_hidden_before_it_is_cut() -> None:
    """A password is not shown by cutting off the host that tells it from other text."""
    assert "hunter2" not in in_html("postgresql://me:hunter2@db.example.org/x", most=24)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_and_do_nothing(name: str) -> None:
    """In study names, hyperparameters, objectives, hosts and sources; shortened where long."""
    study = optuna.create_study(study_name=name, directions=["minimize"] * 3)
    study.set_metric_names(list(NAMES))
    study.set_user_attr(ATTRIBUTE, made_terms().to_dict())
    trial = with_params(kept(0.9, 2e-6, host=name), {name.replace("\ud800", "?"): name[:5000]})
    trial.user_attrs[ATTRIBUTE]["sources"] = {"cpu": [name, True]}
    trial.user_attrs[ATTRIBUTE]["grid"]["source"] = name
    study.add_trial(trial)
    in_print = "".join(c for c in name[:200] if c.isprintable())
    front = go.pareto_front(study, references=[{"name": in_print, "quality": 0.5}])
    one = measured(host=name, sources={"cpu": Source(name, measured=True)})
    assert "on the Pareto front of 1 - quality" in looked_at(front).text("div")
    for page in (looked_at(front), looked_at(front.select()), looked_at(one)):
        assert max(len(data) for _, data in page.texts) <= 700
        for _, data in page.texts:
            assert all(c.isprintable() for c in data)
    assert len(looked_at(one).text("td")) < 20 * MAX_CELL


@pytest.mark.parametrize("name", HOSTILE)
def test_objectives_of_hostile_names_are_shown(name: str) -> None:
    """A study of somebody else's may call its objectives anything."""
    study = optuna.create_study(directions=["minimize", "minimize"])
    study.set_metric_names([name, f"other {name}"])
    study.add_trial(create_trial(values=[1.0, 2.0]))
    looked_at(go.pareto_front(study))


def test_what_a_notebook_keeps_as_text_has_no_password_either() -> None:
    """It is saved beside the HTML, and passed on with it."""
    study = study_of([kept(0.9, 1e-6)], name="digits postgresql://someone:hunter2@db.example/d")
    front = go.pareto_front(study)
    for shown in (str(front), str(front.select())):
        assert "db.example" in shown
        assert "hunter2" not in shown
