"""What is kept of a study and its trials, and how it comes back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna.candidates import read_candidates
from green_optuna.energy.stored import measurement_from_dict, measurement_to_dict
from green_optuna.record import (
    MAX_STORED_REPORTS,
    REPORTS_ATTRIBUTE,
    measurement_of,
    thin_reports,
)
from green_optuna.terms import (
    ATTRIBUTE,
    DEFAULT_OBJECTIVES,
    OBJECTIVES,
    check_directions,
    check_metric_names,
    check_objectives,
    read_terms,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)

finite = st.floats(allow_nan=False, allow_infinity=False)
amounts = st.floats(0.0, 1e6)
grids = st.builds(
    go.Grid,
    carbon_intensity_g_per_kwh=st.floats(0.0, 2000.0),
    pue=st.floats(1.0, 3.0),
    source=st.sampled_from(["test", "a meter of ours"]),
    country=st.sampled_from([None, "FRA"]),
)
bounds = st.tuples(st.floats(-10.0, 10.0), st.floats(-10.0, 10.0)).filter(lambda b: b[0] != b[1])
terms = st.builds(
    go.StudyTerms,
    objectives=st.permutations(OBJECTIVES).map(lambda names: tuple(names[:3])),
    quality_bounds=bounds.map(lambda pair: go.QualityBounds(*pair)),
    grid=grids,
    host=st.text(),
    fingerprint=st.text(),
    sources=st.dictionaries(st.sampled_from(["cpu", "gpu", "ram"]), st.text()),
)
# Few values, so that two terms are often equal.
coarse_terms = st.builds(
    go.StudyTerms,
    objectives=st.sampled_from([("quality_loss", "co2e_kg"), ("co2e_kg", "quality_loss")]),
    quality_bounds=st.sampled_from([go.QualityBounds(0, 1), go.QualityBounds(1, 0)]),
    grid=st.builds(
        go.Grid,
        carbon_intensity_g_per_kwh=st.sampled_from([56.0, 56.1]),
        pue=st.sampled_from([1.0, 1.2]),
        source=st.sampled_from(["one", "another"]),
    ),
)
measurements = st.builds(
    go.Measurement,
    energy=st.builds(go.ComponentEnergy, amounts, amounts, amounts),
    duration_s=st.floats(1e-6, 1e6),
    grid=grids,
    sources=st.dictionaries(
        st.sampled_from(["cpu", "gpu", "ram"]), st.builds(go.Source, st.text(), st.booleans())
    ),
    host=st.text(),
    fingerprint=st.text(),
    shared=st.booleans(),
)


def through_json(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Take data where a storage takes them, which knows no NaN."""
    again: dict[str, Any] = json.loads(json.dumps(kept, allow_nan=False))
    return again


def objective(trial: go.GreenTrial) -> tuple[float, int]:
    """Complete, prune and fail in turn."""
    trial.report(0.5, 0)
    if trial.number % 3 == 1:
        raise optuna.TrialPruned
    if trial.number % 3 == 2:
        raise ZeroDivisionError
    return trial.suggest_float("quality", 0, 1), 3


def run(n_trials: int, trackers: list[go.Tracker] | None = None) -> optuna.Study:
    """Run some trials, of which every third completes."""
    study = go.create_study()
    decorated = go.green_objective(grid=GRID, meter=METER, trackers=trackers or [])(objective)
    study.optimize(decorated, n_trials=n_trials, catch=ZeroDivisionError)
    return study


# Terms


@given(terms)
def test_terms_come_back_from_a_storage_as_they_were(terms: go.StudyTerms) -> None:
    """Nothing is lost, the key neither."""
    again = go.StudyTerms.from_dict(through_json(terms.to_dict()))
    assert again == terms
    for name in ("key", "host", "fingerprint", "sources"):
        assert getattr(again, name) == getattr(terms, name), name


def test_terms_of_before_fingerprints_were_kept_can_be_read() -> None:
    """A study that an earlier version began goes on; its hardware is not known."""
    terms = go.StudyTerms(
        objectives=DEFAULT_OBJECTIVES, quality_bounds=go.QualityBounds(0, 1), grid=GRID
    )
    kept = terms.to_dict()
    del kept["fingerprint"]
    again = go.StudyTerms.from_dict(kept)
    assert (again, again.fingerprint) == (terms, "")


@pytest.mark.parametrize(
    ("host", "fingerprint", "source", "said"),
    [
        ("a", "f00d", "RAPL", None),
        ("b", "f00d", "RAPL", None),
        ("a", "beef", "RAPL", "runs on 'a' (hardware beef), and the first trial ran on 'a'"),
        ("b", "", "RAPL", "runs on 'b' (hardware not kept), and the first trial ran on 'a'"),
        ("a", "", "RAPL", None),
        ("b", "beef", "guess", "comes from other sources (guess) than the first trial's (RAPL)"),
    ],
)
def test_hardware_and_sources_decide_whether_measuring_differs(
    host: str, fingerprint: str, source: str, said: str | None
) -> None:
    """Sources come first; the host's name counts only where its hardware was not kept."""
    first = go.StudyTerms(
        objectives=DEFAULT_OBJECTIVES,
        quality_bounds=go.QualityBounds(0, 1),
        grid=GRID,
        host="a",
        fingerprint="f00d",
        sources={"cpu": "RAPL"},
    )
    here = replace(first, host=host, fingerprint=fingerprint, sources={"cpu": source})
    difference = here.otherwise_measured(first)
    if said is None:
        assert difference is None
    else:
        assert said in str(difference)


@given(terms)
def test_equal_terms_agree_on_the_stored_key(terms: go.StudyTerms) -> None:
    """A worker with the same terms takes the study's key for its own."""
    ours = go.StudyTerms(
        objectives=terms.objectives, quality_bounds=terms.quality_bounds, grid=terms.grid
    )
    assert ours.key != terms.key
    assert ours.agree(terms, "digits") is terms


@given(coarse_terms, coarse_terms)
def test_terms_agree_just_when_their_trials_can_be_compared(
    ours: go.StudyTerms, theirs: go.StudyTerms
) -> None:
    """Objectives, bounds, intensity and PUE decide; where a figure is from does not."""
    same = (
        ours.objectives == theirs.objectives
        and ours.quality_bounds == theirs.quality_bounds
        and ours.grid.carbon_intensity_g_per_kwh == theirs.grid.carbon_intensity_g_per_kwh
        and ours.grid.pue == theirs.grid.pue
    )
    if same:
        assert ours.agree(theirs, "digits") is theirs
    else:
        with pytest.raises(go.TermsError, match="'digits' was made with"):
            ours.agree(theirs, "digits")


def test_rounding_in_a_storage_does_not_part_the_workers_of_a_study() -> None:
    """Intensities that differ in the seventh decimal are the same."""
    ours, theirs = (
        go.StudyTerms(
            objectives=("co2e_kg",),
            quality_bounds=go.QualityBounds(),
            grid=go.Grid(carbon_intensity_g_per_kwh=intensity),
        )
        for intensity in (56.1, 56.1 + 1e-8)
    )
    assert ours.agree(theirs, "digits") is theirs


# Objectives, directions and names


def test_objectives_may_be_a_list_or_one_name() -> None:
    """They come out as a tuple in the order given."""
    assert check_objectives(["n_params", "co2e_kg"]) == ("n_params", "co2e_kg")
    assert check_objectives("co2e_kg") == ("co2e_kg",)


@pytest.mark.parametrize("names", [(), ("carbon",), ("co2e_kg", "co2e_kg"), "carbon"])
def test_objectives_that_there_are_not_are_refused(names: tuple[str, ...]) -> None:
    """The error shows what was given and what there is."""
    with pytest.raises(go.OptionError, match=r"objectives is .*'quality_loss'"):
        check_objectives(names)


@pytest.mark.parametrize(
    ("directions", "fits"),
    [
        (["minimize"] * 2, True),
        (["minimize"], False),
        (["minimize", "maximize"], False),
        (["minimize"] * 3, False),
    ],
)
def test_directions_fit_when_all_are_minimised_and_as_many(
    directions: list[Literal["minimize", "maximize"]],
    fits: bool,
) -> None:
    """Two objectives want two directions, both to minimise."""
    study = optuna.create_study(directions=directions)
    if fits:
        check_directions(study, ("quality_loss", "co2e_kg"))
    else:
        with pytest.raises(go.DirectionsError, match="co2e_kg"):
            check_directions(study, ("quality_loss", "co2e_kg"))


def test_the_names_of_a_study_are_compared_when_they_are_ours() -> None:
    """The order counts too; a study without names takes any objectives."""
    study = go.create_study(objectives=("quality_loss", "co2e_kg"))
    check_metric_names(study, ("quality_loss", "co2e_kg"))
    check_metric_names(optuna.create_study(), ("co2e_kg",))
    for other in (("co2e_kg", "quality_loss"), ("quality_loss", "energy_kwh")):
        with pytest.raises(go.TermsError, match="another study name"):
            check_metric_names(study, other)


# Measurements


@given(measurements)
def test_a_measurement_comes_back_from_a_storage_as_it_was(measurement: go.Measurement) -> None:
    """All but its trace, which the trackers keep."""
    again = measurement_from_dict(through_json(measurement_to_dict(measurement)))
    names = ("energy", "duration_s", "grid", "sources", "host", "fingerprint", "shared", "basis")
    for name in names:
        assert getattr(again, name) == getattr(measurement, name), name
    assert again.co2e_kg == measurement.co2e_kg
    assert len(again.trace) == 0


@given(measurements)
def test_what_is_kept_says_the_co2e_for_those_who_read_it_without_us(
    measurement: go.Measurement,
) -> None:
    """Energy x PUE x intensity / 1000 (eq. 4 and 6), in closed form, beside what it is made of."""
    kept = measurement_to_dict(measurement)
    energy_kwh = math.fsum(kept["energy_kwh"].values())
    factor = kept["grid"]["pue"] * kept["grid"]["carbon_intensity_g_per_kwh"] / 1000
    assert kept["co2e_kg"] == pytest.approx(energy_kwh * factor, rel=1e-12)


# Reports


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=1500))
def test_thinned_reports_are_some_of_the_reports(qualities: list[float]) -> None:
    """At most 200, in their order, evenly spread, the last among them; all if they are few."""
    reports = [
        go.Report(step, quality, energy_kwh=step / 7, t_s=step / 8)
        for step, quality in enumerate(qualities)
    ]
    kept = thin_reports(reports)
    steps = [row[0] for row in kept]
    assert len(kept) <= MAX_STORED_REPORTS
    assert len(set(np.diff(np.array(steps, dtype=float)))) <= 1
    if reports:
        assert steps[-1] == len(reports) - 1
        assert len(kept) > min(len(reports), MAX_STORED_REPORTS) / 2
    if len(reports) <= MAX_STORED_REPORTS:
        assert len(kept) == len(reports)
    for step, quality, energy_kwh, _ in json.loads(json.dumps(kept, allow_nan=False)):
        report = reports[step]
        assert quality == (None if math.isnan(report.quality) else report.quality)
        assert energy_kwh == report.energy_kwh


# What Optuna's storage holds


def test_a_trial_has_one_dict_of_ours_beside_its_reports() -> None:
    """Twenty attributes would cost a storage twenty times as much as one."""
    study = run(3)
    assert set(study.user_attrs) == {ATTRIBUTE}
    for trial in study.trials:
        assert set(trial.user_attrs) == {ATTRIBUTE, REPORTS_ATTRIBUTE}
        assert through_json(trial.user_attrs) == trial.user_attrs


def test_what_is_kept_says_how_the_trial_ended_and_what_it_cost() -> None:
    """However it ended; the quality and the count only where there are any."""
    complete, pruned, failed = run(3).trials
    for trial, state in ((complete, "complete"), (pruned, "pruned"), (failed, "failed")):
        kept = trial.user_attrs[ATTRIBUTE]
        assert kept["state"] == state
        assert kept["version"] == 1
        assert kept["run_ids"] == {}
        assert kept["basis"] == "estimated"
        measurement = measurement_of(trial)
        assert measurement is not None
        assert measurement.energy_kwh > 0
        assert ("quality" in kept, "n_params" in kept) == (state == "complete",) * 2
    assert complete.user_attrs[ATTRIBUTE]["quality"] == complete.params["quality"]
    assert complete.user_attrs[ATTRIBUTE]["n_params"] == 3


def test_a_running_trial_says_who_runs_it() -> None:
    """So that a trial whose worker was killed can be told from one that runs."""
    seen = {}

    @go.green_objective(grid=GRID, meter=METER, trackers=[go.MemoryTracker()])
    def looking(trial: go.GreenTrial) -> tuple[float, int]:
        seen.update(trial.study.trials[0].user_attrs[ATTRIBUTE])
        return 0.5, 1

    go.create_study().optimize(looking, n_trials=1)
    assert seen["state"] == "running"
    assert set(seen) == {"version", "state", "run_ids", "host", "pid", "started_at"}
    assert set(seen["run_ids"]) == {"memory"}


def test_a_trial_that_was_not_measured_has_no_measurement() -> None:
    """Neither a trial of somebody else's nor one that still runs."""
    study = go.create_study()
    study.add_trial(create_trial(values=[0.5, 1.0, 1.0]))
    trial = study.ask()
    trial.set_user_attr(ATTRIBUTE, {"version": 1, "state": "running"})
    assert [measurement_of(trial) for trial in study.trials] == [None, None]


# Candidates


def test_the_completed_trials_come_as_arrays() -> None:
    """One row a completed trial, one column an objective; what was spent counts all trials."""
    study = run(7)
    study.ask()  # one more that runs
    study.enqueue_trial({"quality": 0.5})  # and one that waits
    candidates = read_candidates(study)
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert [trial.number for trial in candidates.trials] == [0, 3, 6]
    assert candidates.losses.tolist() == [trial.values for trial in complete]
    assert candidates.feasible.tolist() == [True, True, True]
    terms = read_terms(study)
    assert terms is not None
    assert candidates.study_key == terms.key
    spent = [measurement_of(trial) for trial in study.trials[:7]]
    trials_kwh = candidates.spent_kwh - candidates.ledger["overhead"].energy_kwh
    assert trials_kwh == pytest.approx(sum(one.energy_kwh for one in spent if one))
    assert candidates.spent_co2e_kg == pytest.approx(candidates.spent_kwh * 0.25 * 1.2)


def test_a_study_without_trials_has_empty_arrays() -> None:
    """No row, but a column an objective all the same."""
    candidates = read_candidates(go.create_study())
    assert candidates.losses.shape == (0, 3)
    assert candidates.feasible.shape == (0,)
    assert candidates.study_key is None
    assert (candidates.spent_kwh, candidates.spent_co2e_kg) == (0, 0)


def test_a_study_that_does_not_name_its_objectives_is_refused() -> None:
    """Columns without a name cannot be told apart; the error says how to name them."""
    study = optuna.create_study(study_name="theirs", directions=["minimize"] * 2)
    with pytest.raises(go.StudyError, match=r"'theirs'.* 2 .*set_metric_names"):
        read_candidates(study)


@pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")
def test_a_study_that_maximises_is_refused() -> None:
    """A front of ours minimises all."""
    study = optuna.create_study(directions=["minimize", "maximize"])
    study.set_metric_names(["quality_loss", "n_params"])
    with pytest.raises(go.DirectionsError, match="maximize"):
        read_candidates(study)


def test_a_choice_of_objectives_keeps_their_columns() -> None:
    """In the order asked for; none given keeps all."""
    candidates = read_candidates(run(4))
    chosen = candidates.restrict(("n_params", "quality_loss"))
    assert chosen.objectives == ("n_params", "quality_loss")
    assert chosen.losses.tolist() == candidates.losses[:, [2, 0]].tolist()
    assert candidates.restrict("co2e_kg").losses.tolist() == candidates.losses[:, [1]].tolist()
    assert candidates.restrict(None) is candidates


@pytest.mark.parametrize("names", [(), ("energy_kwh",), ("co2e_kg", "co2e_kg")])
def test_a_choice_that_the_study_has_not_is_refused(names: tuple[str, ...]) -> None:
    """The error shows what was asked for and what the study has."""
    candidates = read_candidates(go.create_study())
    with pytest.raises(go.OptionError, match=r"objectives is .* has \('quality_loss'"):
        candidates.restrict(names)


def test_candidates_can_be_compared() -> None:
    """They are equal to themselves alone, rather than fail over their arrays."""
    study = run(1)
    candidates = read_candidates(study)
    assert candidates == candidates  # noqa: PLR0124 - the claim
    assert candidates != read_candidates(study)
