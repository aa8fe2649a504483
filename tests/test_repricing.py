"""Another grid: what a study would have cost there, from the energy that its trials keep."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import GRID, kept, made_measurement, study_of
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna.cli import main
from green_optuna.cli.render import front_table
from green_optuna.record import measurement_of
from green_optuna.runs import RunRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

POLAND = go.Grid(carbon_intensity_g_per_kwh=660.0, source="another grid")
FACTOR = 660.0 / (250.0 * 1.2)

pytestmark = pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")

energies_kwh = st.sampled_from([1e-9, 2e-9, 3e-6, 0.1, 1 / 3, 7.0])
made_trials = st.lists(
    st.builds(
        kept,
        st.sampled_from([0.1, 0.5, 0.9]),
        energies_kwh,
        st.sampled_from([10, 20, 1000]),
        state=st.sampled_from([TrialState.COMPLETE] * 3 + [TrialState.PRUNED, TrialState.FAIL]),
        constraints=st.sampled_from([{}, {"size": 1.0}, {"size": -1.0}]),
    ),
    max_size=12,
)
grids = st.builds(
    go.Grid,
    carbon_intensity_g_per_kwh=st.sampled_from([0.5, 44.0, 250.0, 999.0]),
    pue=st.sampled_from([1.0, 1.2, 2.0]),
)


@given(made_trials, grids)
def test_one_factor_changes_no_dominance(trials: list[FrozenTrial], grid: go.Grid) -> None:
    """The members stay; each trial's CO2e is its energy times intensity and PUE."""
    study = study_of(trials)
    front, there = go.pareto_front(study), go.pareto_front(study, grid=grid)
    assert there.numbers == front.numbers
    measured = [measurement_of(trial) for trial in front.candidates.trials]
    expected = [
        one.energy_kwh * grid.carbon_intensity_g_per_kwh / 1000 * grid.pue
        for one in measured
        if one is not None
    ]
    assert there.candidates.losses[:, 1] == pytest.approx(expected, rel=1e-12)
    assert (
        there.candidates.losses[:, [0, 2]].tolist() == front.candidates.losses[:, [0, 2]].tolist()
    )
    assert [trial.values for trial in there.candidates.trials] == there.candidates.losses.tolist()


@given(made_trials)
def test_at_its_own_grid_nothing_changes(trials: list[FrozenTrial]) -> None:
    """Not by a rounding; and the study itself is never changed."""
    study = study_of(trials)
    before = study.trials
    front, again = go.pareto_front(study), go.pareto_front(study, grid=GRID)
    assert again.candidates.losses.tolist() == front.candidates.losses.tolist()
    assert again.numbers == front.numbers
    assert again.ledger == front.ledger
    # It cost what it cost: nothing "would have".
    assert (again.note, str(again.ledger)) == (front.note, str(front.ledger))
    go.pareto_front(study, grid=POLAND)
    assert study.trials == before


@given(
    st.lists(
        st.builds(kept, st.sampled_from([0.1, 0.5, 0.9]), energies_kwh, grid=grids), min_size=1
    )
)
def test_trials_of_several_intensities_are_compared_by_their_energy(
    trials: list[FrozenTrial],
) -> None:
    """At one intensity for all, the front is the one that their energies draw."""
    energies = [sum(trial.user_attrs["green_optuna"]["energy_kwh"].values()) for trial in trials]
    rows = [(trial.values[0], energy) for trial, energy in zip(trials, energies, strict=True)]
    expected = [
        number
        for number, row in enumerate(rows)
        if not any(o != row and o[0] <= row[0] and o[1] <= row[1] for o in rows)
    ]
    front = go.pareto_front(study_of(trials), ("quality_loss", "co2e_kg"), grid=POLAND)
    assert list(front.numbers) == expected
    assert front.candidates.repricing is not None
    factors = {
        round(math.log(trial.values[1] / e), 9) for trial, e in zip(trials, energies, strict=True)
    }
    assert front.candidates.repricing.changes_dominance == (len(factors) > 1)
    assert ("different intensities" in str(front.note)) == (len(factors) > 1)


def test_a_repriced_front_says_so() -> None:
    """The note, plain data, the table's caption and the plot name the grid and its source."""
    front = go.pareto_front(study_of([kept(0.9, 0.1), kept(0.5, 0.01)]), grid=POLAND)
    assert front.note == (
        "CO2e is repriced from energy for 660 g/kWh (another grid); it was 250 g/kWh and PUE 1.2 "
        "(test)."
    )
    plain = json.loads(json.dumps(front.to_dict()))
    assert plain["repricing"]["grid"] == POLAND.to_dict()
    assert plain["repricing"]["before"] == [GRID.to_dict()]
    assert plain["note"] == front.note
    assert front_table(front).caption == front.note
    assert "660 g/kWh (another grid)" in front.plot().layout.title.text
    chosen = front.select()
    assert chosen.repriced_for == POLAND
    assert chosen.to_dict()["repriced_for"] == POLAND.to_dict()
    assert str(chosen).endswith("CO2e is repriced for 660 g/kWh (another grid).")
    plain_front = go.pareto_front(study_of([kept(0.9, 0.1)]))
    assert plain_front.note is None
    assert plain_front.select().repriced_for is None
    assert "repriced_for" not in plain_front.select().to_dict()


def test_all_that_is_shown_of_a_repriced_trial_is_of_that_grid() -> None:
    """Its measurement, its runs' intervals, its model's inference, and the study's ledger."""
    runs = (RunRecord(0.1, 1.0, 2.0), RunRecord(0.2, 3.0, 4.0))
    inference = go.InferenceCost(
        energy_kwh=go.Interval(mean=1e-6, low=9e-7, high=2e-6, confidence=0.95, n=5),
        duration_s=go.Interval(mean=1.0, low=0.9, high=1.1, confidence=0.95, n=5),
        batch_size=4,
        n_samples=20,
        device="cpu",
        measurement=made_measurement(0.5),
        flops=None,
        peak_memory_bytes=None,
        n_params=None,
    )
    trials = [
        kept(0.85, 4.0, runs=runs, inference=inference),
        kept(0.1, 0.5, state=TrialState.PRUNED),
    ]
    study = study_of(trials)
    here, there = (go.pareto_front(study, grid=grid).select() for grid in (None, POLAND))
    assert there.objectives["co2e_kg"] == pytest.approx(4.0 / 2 * 0.66)
    assert there.measurement is not None
    assert there.measurement.co2e_per_run_kg == there.objectives["co2e_kg"]
    assert there.measurement.grid == POLAND
    assert there.energy_kwh == here.energy_kwh
    of_here, of_there = here.intervals["co2e_kg"], there.intervals["co2e_kg"]
    assert of_here is not None
    assert of_there is not None
    assert of_there.low == pytest.approx(of_here.low * FACTOR)
    assert of_there.high == pytest.approx(of_here.high * FACTOR)
    assert there.inference is not None
    assert there.inference.co2e_kg == pytest.approx(1e-6 * 0.66)
    ledger = go.pareto_front(study, grid=POLAND).ledger
    assert ledger["pruned"].co2e_kg == pytest.approx(0.5 * 0.66)
    assert ledger.co2e_kg == pytest.approx(4.5 * 0.66)
    assert ledger.energy_kwh == pytest.approx(4.5)


def test_a_choice_took_nothing_on_a_grid_where_it_did_not_run() -> None:
    """What it saved there is what it would have."""
    study = study_of([kept(0.9, 4e-6), kept(0.895, 1e-6)])
    there = go.Grid(carbon_intensity_g_per_kwh=25.0, source="elsewhere", pue=1.2)
    assert "It took 900 ug of CO2e (75 %) less than" in str(go.pareto_front(study).select())
    chosen = str(go.pareto_front(study, grid=there).select())
    assert "It would have taken 90.0 ug of CO2e (75 %) less than trial 0" in chosen


def test_references_are_repriced_with_the_front() -> None:
    """One with energy is at the front's grid; one with CO2e alone is as given, and says so."""
    table = [
        {"name": "with energy", "quality": 0.99, "energy_kwh": 0.2, "n_params": 1},
        {"name": "without", "quality": 0.99, "co2e_kg": 0.2, "n_params": 1},
    ]
    front = go.pareto_front(study_of([kept(0.9, 0.1)]), grid=POLAND, references=table)
    with_energy, without = front.references
    assert with_energy.values["co2e_kg"] == pytest.approx(0.2 * 0.66)
    assert with_energy.notes == ("CO2e from 200 Wh at the front's 660 g/kWh.",)
    assert without.values["co2e_kg"] == 0.2
    assert "differ from the front's 660 g/kWh" in without.notes[0]


def test_a_trial_without_energy_is_never_guessed_at() -> None:
    """It is refused by its number, unless CO2e is no objective of the front."""
    study = study_of([kept(0.9, 0.1), create_trial(values=[0.2, 1.0, 3.0])])
    with pytest.raises(go.StudyError, match=r"cannot be repriced .* trial 1 keep no energy"):
        go.pareto_front(study, grid=POLAND)
    front = go.pareto_front(study, ("quality_loss", "n_params"), grid=POLAND)
    assert front.numbers == (0, 1)
    assert front.ledger.not_measured == (1,)
    assert front.ledger.co2e_kg == pytest.approx(0.1 * 0.66)


def test_studies_with_nothing_to_reprice() -> None:
    """An empty study and one with failed trials alone; and one of somebody else's is refused."""
    for trials in ([], [kept(0.5, 0.1, state=TrialState.FAIL)]):
        front = go.pareto_front(study_of(trials), grid=POLAND)
        assert len(front) == 0
        assert front.candidates.repricing is not None
        with pytest.raises(go.EmptyStudyError):
            front.select()
    study = optuna.create_study(directions=["minimize"] * 2)
    study.set_metric_names(["quality_loss", "co2e_kg"])
    study.add_trial(create_trial(values=[0.1, 0.2]))
    with pytest.raises(go.StudyError, match="keep no energy"):
        go.pareto_front(study, grid=POLAND)


def test_repricing_twice_is_repricing_once() -> None:
    """From the energy, not from the CO2e before."""
    front = go.pareto_front(study_of([kept(0.9, 0.1), kept(0.5, 1 / 3)]))
    twice = front.candidates.reprice(go.Grid(carbon_intensity_g_per_kwh=1e-7)).reprice(POLAND)
    once = front.candidates.reprice(POLAND)
    assert twice.losses.tolist() == once.losses.tolist()
    assert twice.repricing == once.repricing
    assert twice.ledger == once.ledger


# The command line


@pytest.fixture
def url(sqlite_url: str) -> str:
    """A study of two trials on its front, of which one is within 10 mg, and one that is not."""
    study_of(
        [kept(0.9, 3e-5), kept(0.5, 1e-5), kept(0.4, 2e-5), kept(0.1, 1e-5, state=TrialState.FAIL)],
        storage=sqlite_url,
    )
    return sqlite_url


def grid_rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """Read the CSV that was written."""
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_the_choice_is_the_same_where_nothing_weighs_co2e_in_kg(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table says so, and why the front stays."""
    assert main(["front", "--storage", url, "--grid", "44", "--grid", "660"]) == 0
    said = capsys.readouterr().out
    assert "The choice is the same on each: trial 0." in said
    assert "by one factor, so no trial dominates another that it did not" in said
    assert "The other grids are at the study's PUE, 1.2." in said


def test_the_grids_show_their_own_figures(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each grid's CO2e of the choice, the front's ends and the study; the PUE is the study's."""
    assert main(["front", "--storage", url, "--grid", "660", "--format", "csv"]) == 0
    here, there = grid_rows(capsys)
    assert (here["grid"], there["grid"]) == ("as measured", "660")
    for row, factor in ((here, 0.25 * 1.2), (there, 0.66 * 1.2)):
        assert (row["chosen"], row["least"], row["most"]) == ("0", "1", "0")
        shown = [float(row[f"{n}_co2e_kg"]) for n in ("chosen", "least", "most", "study")]
        assert shown == pytest.approx([factor * kwh for kwh in (3e-5, 1e-5, 3e-5, 7e-5)])
    assert there["pue"] == "1.2"


def test_a_cap_in_kg_chooses_another_trial_on_another_grid(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And none where none meets it; which is a failure only if none does on any grid."""
    cap = ["front", "--storage", url, "--rule", "best-quality", "--max-co2e-kg", "1e-5"]
    assert main([*cap, "--grid", "660", "--grid", "9999", "--format", "json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert [row["chosen"] for row in plain["grids"]] == ["0", "1", None]
    assert plain["same_choice"] is False
    assert plain["rule"] == "best-quality"
    assert "--max-co2e-kg is 1e-05 and the least is" in plain["grids"][2]["missed"]
    assert main([*cap, "--grid", "660"]) == 0
    said = capsys.readouterr().out
    assert "The choice differs: trial 0 as measured; trial 1 on 660." in said
    assert main([*cap[:-1], "1e-9", "--grid", "660"]) == 3
    shown = capsys.readouterr()
    assert "The choice is the same on each: none." in shown.out
    assert "no model meets the caps" in shown.err


def test_trials_of_several_intensities_are_named(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their own front is not that of one grid for all, and the command says so."""
    dirty = replace_intensity(600.0)
    study_of([kept(0.5, 2e-5), kept(0.5, 1e-5, grid=dirty)], storage=sqlite_url)
    arguments = ["front", "--storage", sqlite_url, "--grid", "100", "--format", "json"]
    assert main(arguments) == 0
    plain = json.loads(capsys.readouterr().out)
    assert [row["chosen"] for row in plain["grids"]] == ["0", "1"]
    assert plain["grids"][0]["carbon_intensity_g_per_kwh"] is None
    assert "250 g/kWh and PUE 1.2 (test); 600 g/kWh and PUE 1.2 (test)" in plain["note"]


def replace_intensity(g_per_kwh: float) -> go.Grid:
    """The grid of the tests with another intensity."""
    return go.Grid.from_dict({**GRID.to_dict(), "carbon_intensity_g_per_kwh": g_per_kwh})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--grid", "XYZ"], "--grid 'XYZ': country='XYZ' is unknown"),
        (["--grid", "-1"], "--grid '-1': carbon_intensity_g_per_kwh=-1.0 is impossible"),
        (["--grid", "world-2019"], "Did you mean world-2018"),
        (["--rule", "knee"], "--rule goes with --grid"),
        (["--max-co2e-kg", "1"], "--max-co2e-kg goes with --grid"),
        (["--grid", "1", "--dominated"], "--dominated does not go with --grid"),
        (["--grid", "1", "--objectives", "quality_loss,n_params"], "draw it over co2e_kg too"),
        (["--grid", "1", "--max-co2e-kg", "1"], "--max-co2e-kg"),
    ],
)
def test_what_cannot_be_repriced_is_said(
    url: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown grid, options that do not go together, and a front without CO2e."""
    assert main(["front", "--storage", url, *arguments]) in (1, 2)
    assert said in capsys.readouterr().err
