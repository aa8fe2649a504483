"""How the front grew with what the search spent, against a plain loop over the trials."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import GRID, NAMES, kept, study_of
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna import pareto
from green_optuna.record import REPEAT_OF
from green_optuna.report.hypervolume import (
    MAX_POINTS,
    Axis,
    HypervolumeCurve,
    hypervolume_over_co2e,
)
from green_optuna.report.subject import Subject
from green_optuna.terms import ATTRIBUTE, OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.candidates import Candidates

START = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - as Optuna keeps it


def at(second: float, trial: FrozenTrial) -> FrozenTrial:
    """The trial as if it had ended so many seconds after the study began."""
    trial.datetime_complete = START + dt.timedelta(seconds=second)
    return trial


def curve_of(
    trials: Sequence[FrozenTrial],
    objectives: Sequence[str] = NAMES,
    *,
    grid: go.Grid | None = None,
    checkpoints: bool = False,
) -> tuple[HypervolumeCurve, Candidates]:
    """The curve of a study of these trials, and its candidates."""
    study = study_of(trials, objectives=objectives)
    subject = go.pareto_front(study, grid=grid, checkpoints=checkpoints).subject()
    return hypervolume_over_co2e(subject), subject.candidates


def on_axis(value: float, column: Sequence[float]) -> float:
    """The place of a value between the least and the greatest, by logarithms where far apart."""
    least, most = min(column), max(column)
    if least == most:
        return 0.0
    if 0 < least <= most / 20:
        return math.log(value / least) / math.log(most / least)
    return (value - least) / (most - least)


@st.composite
def made_studies(draw: st.DrawFn) -> list[FrozenTrial]:
    """Trials that ended in any way and order, some over a cap, some with an infinite loss."""
    trials = []
    for _ in range(draw(st.integers(0, 12))):
        state = draw(st.sampled_from([TrialState.COMPLETE] * 4 + [TrialState.PRUNED]))
        trial = kept(
            draw(st.sampled_from([0.1, 0.5, 0.9, 0.95, -math.inf])),
            draw(st.sampled_from([1e-6, 2e-6, 1e-5, 1e-4])),
            draw(st.integers(1, 5)),
            state=state,
            constraints={"cap": draw(st.sampled_from([-1.0, -1.0, 1.0]))},
        )
        if draw(st.booleans()):
            trial.user_attrs[ATTRIBUTE]["overhead_kwh"] = {"cpu": 1e-6, "gpu": 0.0, "ram": 0.0}
        if draw(st.integers(0, 5)) == 0:
            del trial.user_attrs[ATTRIBUTE]["energy_kwh"]
        trials.append(at(draw(st.integers(0, 9)), trial))
    return trials


@given(made_studies())
def test_the_curve_is_that_of_a_plain_loop_and_never_falls(trials: list[FrozenTrial]) -> None:
    """After each end, the volume of all that completed by then, and the sum of what they used."""
    curve, candidates = curve_of(trials)
    assert curve.n_ended == len(trials)
    assert curve.n_not_measured == len(candidates.ledger.not_measured)
    numbered = enumerate(trials)
    order = sorted(numbered, key=lambda one: (one[1].datetime_complete, one[0]))
    counted = {
        number: trial.values
        for number, trial in order
        if trial.state == TrialState.COMPLETE
        and trial.constraints["cap"] <= 0
        and np.isfinite(trial.values).all()
    }
    if not counted:
        assert not curve.points
        assert curve.reason is not None
        return
    columns = list(zip(*counted.values(), strict=True))
    assert curve.reason is None
    assert [(axis.best, axis.worst) for axis in curve.axes] == [(min(c), max(c)) for c in columns]
    assert [point.trial for point in curve.points] == [number for number, _ in order]
    box = {
        number: [on_axis(value, column) for value, column in zip(values, columns, strict=True)]
        for number, values in counted.items()
    }
    whole = pareto.hypervolume(list(box.values()), [1.1] * 3)
    spent_kwh, by_then = 0.0, []
    for point, (number, trial) in zip(curve.points, order, strict=True):
        attribute = trial.user_attrs[ATTRIBUTE]
        spent_kwh += sum(attribute.get("energy_kwh", {}).values())
        spent_kwh += sum(attribute.get("overhead_kwh", {}).values())
        by_then += [box[number]] if number in box else []
        volume = pareto.hypervolume(by_then, [1.1] * 3) if by_then else 0.0
        assert point.share == pytest.approx(volume / whole)
        assert point.spent_kwh == pytest.approx(spent_kwh)
        assert point.spent_co2e_kg == pytest.approx(GRID.co2e_kg(spent_kwh))
    shares = [point.share for point in curve.points]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert curve.points[-1].spent_co2e_kg == pytest.approx(candidates.ledger.co2e_kg)
    assert not curve.thinned


def test_two_trials_in_numbers() -> None:
    """Best in one objective and worst in the other: each has a tenth of a side, and the corner.

    Of a box from 0 to 1.1, the first has 1.1 x 0.1, the second as much, and they share 0.1 x 0.1.
    """
    two = NAMES[:2]
    trials = [at(2, kept(0.5, 1e-6, objectives=two)), at(1, kept(0.9, 4e-6, objectives=two))]
    curve, _ = curve_of(trials, objectives=two)
    assert [point.trial for point in curve.points] == [1, 0]
    assert [point.share for point in curve.points] == pytest.approx([0.11 / 0.21, 1.0])
    quality, co2e = curve.axes
    assert (quality.objective, quality.logarithmic) == ("quality_loss", False)
    assert (co2e.best, co2e.worst) == pytest.approx((GRID.co2e_kg(1e-6), GRID.co2e_kg(4e-6)))


def test_an_axis_is_logarithmic_where_the_figures_are() -> None:
    """From 20 times apart on, and not where there is a zero."""
    far = [kept(1.0, 1e-6, 1), kept(0.5, 1e-5, 20)]
    curve, _ = curve_of(far)
    assert [axis.logarithmic for axis in curve.axes] == [False, False, True]
    near, _ = curve_of([kept(1.0, 1e-6, 1), kept(0.5, 1e-5, 19)])
    assert not any(axis.logarithmic for axis in near.axes)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_without_a_completed_trial_there_is_a_reason(n: int) -> None:
    """None ended, or all were pruned; the count says which."""
    curve, _ = curve_of([kept(0.5, 1e-6, state=TrialState.PRUNED) for _ in range(n)])
    assert curve == HypervolumeCurve(
        n_ended=n,
        reason="No trial with finite objectives has completed that meets its constraints.",
    )


def test_one_trial_has_the_whole_volume() -> None:
    """All axes are of one value, and the volume up to the reference is there at once."""
    curve, candidates = curve_of([kept(0.5, 1e-6)])
    (point,) = curve.points
    assert (point.trial, point.share) == (0, 1.0)
    assert point.spent_co2e_kg == candidates.ledger.co2e_kg
    assert curve.axes[0] == Axis(objective="quality_loss", best=0.5, worst=0.5, logarithmic=False)


@pytest.mark.parametrize("n_objectives", [1, 2, 5])
def test_any_number_of_objectives_has_a_curve(n_objectives: int) -> None:
    """One objective is a line, and five are still quick for a front of this size."""
    names = (*NAMES, "energy_kwh", "duration_s")[:n_objectives]
    rng = np.random.default_rng(4)
    trials = [
        kept(quality, 1e-6 * (1.0 + cost), round(100 * size), objectives=names)
        for quality, cost, size in rng.random((60, 3)).tolist()
    ]
    curve, _ = curve_of(trials, objectives=names)
    assert curve.reason is None
    assert len(curve.points) == 60
    assert curve.points[-1].share == 1.0


def test_a_front_that_is_too_large_in_its_objectives_is_given_up_with_a_reason() -> None:
    """In all objectives that there are, a volume of 200 takes longer than anybody waits."""
    study = go.create_study("wide", objectives=OBJECTIVES)
    rows = np.random.default_rng(5).random((200, len(OBJECTIVES)))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    study.add_trials([create_trial(values=row) for row in rows.tolist()])
    front = go.pareto_front(study)
    # Made by hand: what each rule would choose takes as long, of those that go by the volume.
    subject = Subject(
        candidates=front.candidates,
        rows=front.rows,
        provenance=(),
        references=(),
        uncertainty=front.uncertainty,
        choice=None,
    )
    curve = hypervolume_over_co2e(subject)
    assert not curve.points
    assert curve.reason == (
        "The hypervolume of a front of 200 trials in 8 objectives takes too long to work out again "
        "and again: draw the front over fewer objectives."
    )
    assert hypervolume_over_co2e(go.pareto_front(study, OBJECTIVES[:3]).subject()).points


def test_a_long_study_is_thinned_evenly_over_what_it_spent() -> None:
    """Each trial is better than the last, and no more points are left than a page can show."""
    n = 2000
    trials = [at(k, kept(k / n, 1e-6 * (1 + k % 3), 10)) for k in range(n)]
    curve, candidates = curve_of(trials, objectives=NAMES)
    assert curve.thinned
    assert len(curve.points) <= MAX_POINTS
    assert curve.points[-1].trial == n - 1
    assert curve.points[-1].spent_kwh == pytest.approx(candidates.spent_kwh)
    gaps = np.diff([point.spent_kwh for point in curve.points])
    assert gaps.max() < 2 * candidates.spent_kwh / MAX_POINTS
    whole, _ = curve_of(trials[:MAX_POINTS])
    assert not whole.thinned


def test_of_a_long_study_those_that_changed_nothing_have_no_point() -> None:
    """The steps are all there: what lies between them is flat."""
    trials = [at(k, kept(0.9 if k == 700 else 0.5, 1e-6, 10)) for k in range(1000)]
    curve, _ = curve_of(trials)
    assert [point.trial for point in curve.points] == [0, 700, 999]
    assert not curve.thinned


def test_repeats_are_spent_for_and_count_as_one_trial() -> None:
    """The first run has the mean of all from its own end on."""
    repeat = kept(0.7, 3e-6)
    repeat.set_user_attr(REPEAT_OF, 0)
    curve, candidates = curve_of([at(1, kept(0.5, 1e-6)), at(2, repeat), at(3, kept(0.7, 4e-6))])
    assert len(candidates.trials) == 2
    assert [point.trial for point in curve.points] == [0, 1, 2]
    assert curve.points[0].share == curve.points[1].share
    assert curve.points[1].spent_kwh == pytest.approx(4e-6)
    assert curve.axes[1].best == pytest.approx(GRID.co2e_kg(2e-6))


def test_checkpoints_count_from_the_end_of_their_trial_on() -> None:
    """A pruned trial's too; what it spent is spent once."""
    reports = [go.Report(1, 0.6, 2e-7, 1.0, checkpoint="one.pt")]
    trials = [
        at(1, kept(0.5, 1e-6, state=TrialState.PRUNED, reports=reports)),
        at(2, kept(0.7, 1e-6, reports=reports)),
    ]
    curve, candidates = curve_of(trials, checkpoints=True)
    assert len(candidates.trials) == 3
    assert [point.trial for point in curve.points] == [0, 1]
    assert 0 < curve.points[0].share < 1
    assert curve.points[1].spent_kwh == pytest.approx(2e-6)


def test_on_another_grid_all_of_it_is_repriced() -> None:
    """The search costs what its energy costs there, as the ledger says."""
    clean = go.Grid(carbon_intensity_g_per_kwh=25.0, source="test")
    trials = [kept(0.5, 1e-6), kept(0.7, 2e-6)]
    (there, candidates), (here, _) = curve_of(trials, grid=clean), curve_of(trials)
    assert there.points[-1].spent_co2e_kg == pytest.approx(candidates.ledger.co2e_kg)
    assert there.points[-1].spent_co2e_kg == pytest.approx(clean.co2e_kg(3e-6))
    assert [one.share for one in there.points] == pytest.approx([one.share for one in here.points])


def test_a_study_that_was_not_measured_has_a_curve_of_no_cost() -> None:
    """Trials of the user's own: none adds anything, and all are counted as not measured."""
    study = go.create_study("own", objectives=NAMES[:2])
    study.add_trials([create_trial(values=[0.5, place]) for place in (2.0, 1.0)])
    curve = hypervolume_over_co2e(go.pareto_front(study).subject())
    assert curve.n_not_measured == curve.n_ended == 2
    assert [(point.spent_kwh, point.spent_co2e_kg) for point in curve.points] == [(0, 0), (0, 0)]
    assert curve.points[1].share == 1.0


def test_thousands_that_were_not_measured_are_thinned_by_their_order() -> None:
    """There is no cost to spread them over."""
    study = go.create_study("own", objectives=NAMES[:2])
    study.add_trials([create_trial(values=[1.0, 1000.0 - place]) for place in range(1000)])
    curve = hypervolume_over_co2e(go.pareto_front(study).subject())
    assert curve.thinned
    numbers = [point.trial for point in curve.points]
    assert (numbers[0], numbers[-1], len(numbers)) == (0, 999, MAX_POINTS)
    assert np.diff(numbers).max() <= 4
