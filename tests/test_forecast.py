"""What a trial will cost, against curves whose end is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.forecast import ENOUGH, expected_sum, expected_total, rest_error, steps_expected
from green_optuna.intervals import student_t

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
TERMS = go.StudyTerms(
    objectives=("quality_loss", "co2e_kg", "n_params"),
    quality_bounds=go.QualityBounds(),
    grid=GRID,
    key="0123456789abcdef",
)
# Of time, in s, and of energy, in kWh.
STEP_S, STEP_KWH = 2.0, 0.5
NONE = np.array([], dtype=np.float64)


def costs_of(
    n_steps: int, *, start_up: float = 0.0, step: float = 1.0, drift: float = 0.0
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Give the cost by each step: the first step has the start-up, and steps become dearer."""
    each = step * (1 + drift * np.arange(n_steps) / n_steps)
    return np.asarray(start_up + np.cumsum(each), dtype=np.float64)


def running(
    steps: list[int], costs: list[float] | None = None, *, losses: list[float] | None = None
) -> go.Progress:
    """Give a trial that has reported some steps, and spent nothing since; costs are in steps."""
    known = [float(step + 1) for step in steps] if costs is None else costs
    energies_kwh = [cost * STEP_KWH for cost in known]
    times_s = [cost * STEP_S for cost in known]
    return go.Progress(
        number=99,
        objectives=TERMS.objectives,
        curve=go.LearningCurve(steps, losses or [0.5] * len(steps), energies_kwh, times_s),
        energy_kwh=max(energies_kwh, default=0.0),
        co2e_kg=GRID.co2e_kg(max(energies_kwh, default=0.0)),
        duration_s=max(times_s, default=0.0),
    )


def finished(number: int, costs: list[float], *, tail: float = 0.0) -> go.PastTrial:
    """Give a trial that reported each step and completed; costs are in steps."""
    curve = np.array(costs, dtype=np.float64)
    return go.PastTrial(
        number=number,
        values=np.array([0.5, 1.0, 10.0]),
        feasible=True,
        steps=np.arange(len(costs), dtype=np.int64),
        losses=np.full(len(costs), 0.5),
        energies_kwh=curve * STEP_KWH,
        times_s=curve * STEP_S,
        loss=0.5,
        energy_kwh=(costs[-1] + tail) * STEP_KWH,
        duration_s=(costs[-1] + tail) * STEP_S,
        n_params=10,
    )


def history_of(*trials: go.PastTrial) -> go.History:
    """Give a study's history of some trials."""
    history = go.History(TERMS)
    history.trials.extend(trials)
    return history


def forecast(
    progress: go.Progress, *past: go.PastTrial, total_steps: int | None = None
) -> go.Forecast:
    """Forecast a trial of which there is enough to tell."""
    made = go.forecast_trial(replace(progress, total_steps=total_steps), history_of(*past))
    assert made is not None
    return made


@given(
    n_steps=st.integers(6, 500),
    n_known=st.integers(3, 6),
    start_up=st.floats(0.0, 100.0),
    step=st.floats(1e-3, 1e3),
)
def test_costs_that_grow_evenly_give_the_exact_total(
    n_steps: int, n_known: int, start_up: float, step: float
) -> None:
    """Whatever the start-up took, and with no width: nothing speaks for another total."""
    costs = costs_of(n_steps, start_up=start_up, step=step)
    made = forecast(
        running(list(range(n_known)), costs[:n_known].tolist()), total_steps=n_steps
    ).energy_kwh
    total = costs[-1] * STEP_KWH
    assert made.mid == pytest.approx(total)
    assert made.low == pytest.approx(total, rel=1e-6)
    assert made.high == pytest.approx(total, rel=1e-6)


def test_energy_co2e_and_time_are_told_each_in_its_unit() -> None:
    """Ten steps of 0.5 kWh and 2 s, at 250 g/kWh and a PUE of 1.2."""
    made = forecast(running([0, 1, 2, 3]), total_steps=10)
    assert made.energy_kwh.mid == pytest.approx(5.0)
    assert made.co2e_kg.mid == pytest.approx(1.5)
    assert made.duration_s.mid == pytest.approx(20.0)
    assert (made.step, made.steps_left, made.basis_of_steps) == (3, 6, "given")


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([0, 1, 2], 97),
        ([1, 2, 3], 97),
        ([0, 10, 20], 79),
        ([9, 19, 29], 70),
        ([10, 20, 30], 70),
        ([98, 99, 100], 0),
    ],
)
def test_steps_are_counted_as_the_trial_counts_them(steps: list[int], left: int) -> None:
    """Of a hundred: from 0 or from 1, each or every ten."""
    assert forecast(running(steps), total_steps=100).steps_left == left


@pytest.mark.parametrize("steps", [[], [3], [3, 2, 1]])
def test_one_report_tells_nothing(steps: list[int]) -> None:
    """Nor do reports of steps before it."""
    past = [finished(number, costs_of(9).tolist()) for number in range(3)]
    assert go.forecast_trial(replace(running(steps), total_steps=9), history_of(*past)) is None


def test_two_reports_want_finished_trials_to_compare_with() -> None:
    """One cost per step has no spread; two trials that ended are the least that has one."""
    past = [finished(number, costs_of(9).tolist()) for number in range(2)]
    two = running([0, 1])
    assert go.forecast_trial(replace(two, total_steps=9), history_of()) is None
    assert go.forecast_trial(replace(two, total_steps=9), history_of(past[0])) is None
    made = forecast(two, *past, total_steps=9)
    assert made.n_past == 2
    assert made.energy_kwh.mid == pytest.approx(4.5)


def test_costs_that_cannot_be_seen_are_not_taken_for_none() -> None:
    """A counter that has not moved between the reports tells of no cost."""
    still = running([0, 1, 2], [1.0, 1.0, 1.0])
    assert go.forecast_trial(replace(still, total_steps=9), history_of()) is None


def test_a_report_of_nan_costs_like_another() -> None:
    """Its quality is not finite; what it took is known."""
    nan = running([0, 1, 2, 3], losses=[0.5, math.nan, 0.5, math.nan])
    assert forecast(nan, total_steps=10) == forecast(running([0, 1, 2, 3]), total_steps=10)


def test_without_a_number_of_steps_finished_trials_tell() -> None:
    """Their median, the least and the greatest, of those that came as far as this one."""
    past = [finished(n, costs_of(n_steps).tolist()) for n, n_steps in enumerate((3, 10, 20, 40))]
    made = forecast(running([0, 1, 2, 3, 4]), *past)
    assert (made.steps_left, made.basis_of_steps) == (15, "finished trials")
    ends = made.energy_kwh
    assert ends.mid == pytest.approx(10.0)
    assert ends.low == pytest.approx(5.0)
    assert ends.high == pytest.approx(20.0)


def test_steps_that_nobody_knows_are_not_guessed() -> None:
    """No trial has ended, or one, or none came as far; pruned trials do not tell."""
    nine = [finished(number, costs_of(9).tolist()) for number in range(3)]
    pruned = [replace(trial, values=None) for trial in nine]
    for past in ([], nine[:1], pruned):
        assert go.forecast_trial(running([0, 1, 2]), history_of(*past)) is None
    assert go.forecast_trial(running([7, 8, 9]), history_of(*nine)) is None


def test_the_last_step_of_a_trial_counts_though_its_quality_was_nan() -> None:
    """It came as far as that."""
    past = [replace(finished(n, costs_of(5).tolist()), last_step=9) for n in range(2)]
    assert forecast(running([0, 1, 2]), *past).steps_left == 7


def test_what_comes_after_the_last_step_is_learned() -> None:
    """Finished trials that evaluated for four steps' time at the end make it be expected."""
    past = [finished(n, costs_of(10, step=1.0 + n).tolist(), tail=4 * (1.0 + n)) for n in range(3)]
    for known in (3, 5, 10):
        made = forecast(running(list(range(known))), *past, total_steps=10)
        assert made.energy_kwh.mid == pytest.approx(14 * STEP_KWH)
        assert made.energy_kwh.high == pytest.approx(14 * STEP_KWH)


def test_costs_that_always_fall_are_learned() -> None:
    """All trials' steps become cheaper alike, however dear each is: the forecast is exact."""
    curves = [costs_of(50, step=1.0 + n, drift=-0.4, start_up=7.0) for n in range(4)]
    past = [finished(n, curve.tolist()) for n, curve in enumerate(curves[:3])]
    known = curves[3][:8].tolist()
    made = forecast(running(list(range(8)), known), *past, total_steps=50).energy_kwh
    total_kwh = curves[3][-1] * STEP_KWH
    assert made.mid == pytest.approx(total_kwh)
    alone = forecast(running(list(range(8)), known), total_steps=50).energy_kwh
    assert alone.mid > 1.1 * total_kwh
    assert alone.low == pytest.approx(total_kwh)


def test_nothing_is_given_back() -> None:
    """The forecast is never below what has been spent, however costs fall."""
    falling = running([0, 1, 2, 3, 4], [10.0, 14.0, 17.0, 19.0, 20.0])
    spent = replace(falling, energy_kwh=12.0, duration_s=50.0)
    made = forecast(spent, total_steps=100)
    assert (made.energy_kwh.low, made.duration_s.low) == (12.0, 50.0)


def test_steps_that_were_reported_again_or_late_are_left_out() -> None:
    """What they cost lies in the next step that goes on."""
    late = running([0, 1, 5, 3, 6], [1.0, 2.0, 6.0, 6.5, 7.0])
    assert forecast(late, total_steps=10).energy_kwh.mid == pytest.approx(5.0)


def test_only_the_latest_trials_are_compared_with() -> None:
    """A long study's forecasts stay cheap."""
    past = [finished(number, costs_of(5).tolist()) for number in range(300)]
    assert forecast(running([0, 1, 2]), *past).n_past == 200


@pytest.mark.parametrize(
    ("n_known", "drift", "noise", "n_past"),
    [
        (4, 0.0, 0.03, 0),
        (10, 0.0, 0.1, 0),
        (10, -0.3, 0.03, 0),
        (10, 0.5, 0.01, 0),
        (25, -0.5, 0.03, 0),
        (2, -0.3, 0.03, 30),
        (5, -0.3, 0.03, 4),
        (10, -0.5, 0.1, 40),
    ],
)
def test_intervals_hold_what_comes_as_often_as_they_say(
    n_known: int, drift: float, noise: float, n_past: int
) -> None:
    """On 400 curves of 50 noisy steps, even or drifting, each of its own scale: 90 % or more."""
    rng = np.random.default_rng(20211)
    n_steps = 50

    def curve() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        each = (1 + drift * np.arange(n_steps) / n_steps) * rng.lognormal(0.0, noise, n_steps)
        return np.asarray(rng.lognormal() * (5.0 + np.cumsum(each)))

    steps = np.arange(n_steps)
    left = go.Expected(low=n_steps - n_known, mid=n_steps - n_known, high=n_steps - n_known)
    held = 0
    for _ in range(400):
        errors = [
            rest_error(
                steps,
                past,
                share=(n_known - 1) / (n_steps - 1),
                last=n_steps - 1,
                total=float(past[-1]),
            )
            for past in (curve() for _ in range(n_past))
        ]
        costs = curve()
        made = expected_total(
            steps[:n_known],
            costs[:n_known],
            left=left,
            errors=np.array(errors, dtype=np.float64),
            spent=0.0,
        )
        assert made is not None
        held += made.low <= costs[-1] <= made.high
    # Three standard errors of a share of 0.9 below it.
    assert held / 400 >= 0.855


def test_enough_errors_are_taken_as_they_are() -> None:
    """Nineteen of them make the interval from the least to the greatest, whatever their shape."""
    steps, costs = np.array([0, 1]), np.array([1.0, 2.0])
    left = go.Expected(low=8, mid=8, high=8)
    errors = np.linspace(-0.1, 0.8, ENOUGH) ** 3
    made = expected_total(steps, costs, left=left, errors=errors, spent=0.0)
    assert made is not None
    assert made.low == pytest.approx(2 + 8 + 9 * errors.min())
    assert made.mid == pytest.approx(2 + 8 + 9 * np.median(errors))
    assert made.high == pytest.approx(2 + 8 + 9 * errors.max())


def test_many_steps_left_are_told_by_their_quantiles() -> None:
    """Of 39 finished trials, the second least and the second greatest."""
    made = steps_expected(np.arange(39))
    assert (made.low, made.mid, made.high) == (1.0, 19.0, 37.0)


def test_a_sum_to_come_has_students_prediction_interval() -> None:
    """Of 1, 2, 3 and seven more: 20, give or take t s sqrt(7 + 49 / 3)."""
    made = expected_sum([1.0, 2.0, 3.0], 7)
    half = student_t(2, 0.9) * math.sqrt(7 + 49 / 3)
    assert made.mid == pytest.approx(20.0)
    assert made.high == pytest.approx(20.0 + half)
    assert made.low == pytest.approx(max(20.0 - half, 6.0))


def test_a_sum_to_come_holds_the_sum_as_often_as_it_says() -> None:
    """Over 2,000 studies of 20 trials, from the first five: 90 %."""
    rng = np.random.default_rng(4)
    held = 0
    for values in rng.normal(10.0, 2.0, (2000, 20)):
        made = expected_sum(values[:5].tolist(), 15)
        held += made.low <= values.sum() <= made.high
    assert held / 2000 == pytest.approx(0.9, abs=0.02)


def test_a_sum_with_nothing_to_come_is_what_it_is() -> None:
    """And one value alone says nothing of the next."""
    assert expected_sum([1.0, 2.0], 0) == go.Expected(low=3.0, mid=3.0, high=3.0)
    with pytest.raises(go.OptionError, match="2 or more"):
        expected_sum([1.0], 3)


@pytest.mark.parametrize("ends", [(1, 0, 2), (0, 3, 2), (0, 1, math.inf), (math.nan, 1, 2)])
def test_an_expectation_is_in_order_and_finite(ends: tuple[float, float, float]) -> None:
    """What is not is refused."""
    low, mid, high = ends
    with pytest.raises(go.OptionError, match="in this order"):
        go.Expected(low=low, mid=mid, high=high)


def test_a_forecast_survives_json() -> None:
    """It comes back as it was."""
    made = replace(forecast(running([0, 1, 2, 3], [1.0, 2.1, 3.0, 4.2]), total_steps=10), runs=3)
    assert go.Forecast.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_what_stopping_saves_is_all_runs_less_what_was_spent() -> None:
    """Three runs of 5 kWh, of which 2 kWh were spent; never less than nothing."""
    made = replace(forecast(running([0, 1, 2, 3]), total_steps=10), runs=3)
    assert made.saved_kwh(2.0).mid == pytest.approx(13.0)
    assert made.saved_kwh(99.0) == go.Expected(low=0.0, mid=0.0, high=0.0)


def test_a_trial_beyond_its_steps_is_told_by_finished_ones() -> None:
    """That it goes on shows that what was said was wrong."""
    past = [finished(number, costs_of(20).tolist()) for number in range(20)]
    made = forecast(running(list(range(15))), *past, total_steps=10)
    assert made.basis_of_steps == "finished trials"
    assert made.energy_kwh.mid > 15 * STEP_KWH


@pytest.mark.parametrize(("n_past", "confidence"), [(2, 1 / 3), (9, 0.8), (19, 0.9), (40, 0.9)])
def test_few_finished_trials_are_no_reason_for_confidence(n_past: int, confidence: float) -> None:
    """The next of n + 1 alike lies between the least and the greatest of n so often."""
    past = [finished(number, costs_of(20 + number).tolist()) for number in range(n_past)]
    assert forecast(running([0, 1, 2]), *past).confidence == pytest.approx(confidence)


def test_with_enough_errors_known_the_interval_is_theirs() -> None:
    """On 400 curves that always fall, with 60 known: it holds 90 %, and is not much too wide."""
    rng = np.random.default_rng(8)
    steps = np.arange(50)

    def curve() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        each = (0.2 + np.exp(-steps / 8)) * rng.lognormal(0.0, 0.03, 50)
        return np.asarray(rng.lognormal() * np.cumsum(each))

    left = go.Expected(low=25, mid=25, high=25)
    held, widths, misses = 0, [], []
    for _ in range(400):
        errors = [
            rest_error(steps, past, share=24 / 49, last=49, total=float(past[-1]))
            for past in (curve() for _ in range(60))
        ]
        costs = curve()
        made = expected_total(
            steps[:25], costs[:25], left=left, errors=np.array(errors, dtype=np.float64), spent=0.0
        )
        assert made is not None
        held += made.low <= costs[-1] <= made.high
        widths.append((made.high - made.low) / costs[-1])
        misses.append(made.mid / costs[-1] - 1)
    ideal = float(np.diff(np.quantile(misses, [0.05, 0.95]))[0])
    assert 0.855 <= held / 400 <= 0.945
    assert np.median(widths) < 1.3 * ideal
