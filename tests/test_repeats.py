"""A function that runs several times in a trial, and a trial whose time is up."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.cli.render import Format, selection_table, selection_text
from green_optuna.energy import Sampler, sampler_for
from green_optuna.outcome import Result
from green_optuna.record import EACH_RUN, measurement_of, trial_intervals
from green_optuna.repeats import Repeats
from green_optuna.runs import Boundary, cut_runs
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import joules_from_kwh, kwh_from_joules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
NAMES = ("quality_loss", "co2e_kg", "n_params")
QUALITIES = (0.25, 0.5, 0.9)
SOON_S = 0.25


def decorate(
    function: Callable[[go.GreenTrial], object],
    *,
    trackers: Sequence[go.Tracker] = (),
    **options: Any,  # noqa: ANN401 - what the test is about
) -> go.GreenObjective:
    """Decorate a function, with the test's meter."""
    return go.green_objective(grid=GRID, meter=METER, trackers=trackers, **options)(function)


def run_once(
    function: Callable[[go.GreenTrial], object],
    **options: Any,  # noqa: ANN401 - what the test is about
) -> optuna.trial.FrozenTrial:
    """Run one trial in a study of its own."""
    study = go.create_study(objectives=options.get("objectives", NAMES))
    study.optimize(decorate(function, **options), n_trials=1, catch=OwnError)
    return study.trials[0]


class OwnError(Exception):
    """An exception of the user's."""


def by_run(trial: go.GreenTrial) -> tuple[float, int]:
    """Return a quality that differs between runs."""
    return QUALITIES[trial.run], 7


def kept_measurement(trial: optuna.trial.FrozenTrial) -> go.Measurement:
    """Give what a trial cost."""
    measurement = measurement_of(trial)
    assert measurement is not None
    return measurement


# Means


def test_the_objectives_are_the_means_over_the_runs() -> None:
    """Of the losses, and of what all runs together cost; the number of parameters is theirs."""
    names = ("quality_loss", "co2e_kg", "n_params", "energy_kwh", "duration_s")
    trial = run_once(by_run, repeats=3, objectives=names)
    measurement = kept_measurement(trial)
    assert measurement.runs == 3
    values = dict(zip(names, trial.values, strict=True))
    assert values["quality_loss"] == pytest.approx(1 - sum(QUALITIES) / 3, rel=1e-15)
    assert values["n_params"] == 7
    assert values["co2e_kg"] == measurement.co2e_per_run_kg == measurement.co2e_kg / 3
    assert values["energy_kwh"] == measurement.energy_per_run_kwh == measurement.energy_kwh / 3
    assert values["duration_s"] == measurement.duration_per_run_s == measurement.duration_s / 3
    assert trial.user_attrs[ATTRIBUTE]["quality"] == pytest.approx(sum(QUALITIES) / 3)


def test_the_study_has_spent_what_all_runs_did() -> None:
    """The mean is what a model costs; the energy of each run was spent."""
    study = go.create_study()
    study.optimize(decorate(by_run, repeats=3), n_trials=2)
    complete = go.pareto_front(study).ledger["complete"]
    spent = [kept_measurement(trial).energy_kwh for trial in study.trials]
    assert complete.energy_kwh == pytest.approx(sum(spent))
    assert complete.co2e_kg == pytest.approx(3 * sum(t.values[1] for t in study.trials))


def test_each_run_is_kept_with_its_loss_and_its_cost() -> None:
    """Their sums are the trial's, and a tracker has the same."""
    tracker = go.MemoryTracker()
    trial = run_once(by_run, repeats=3, trackers=[tracker])
    kept = json.loads(json.dumps(trial.user_attrs[ATTRIBUTE]))
    record = tracker.finished[0]
    assert record.runs == tuple(go.RunRecord(*row) for row in kept[EACH_RUN])
    assert [run.quality_loss for run in record.runs] == [1 - quality for quality in QUALITIES]
    assert all(run.energy_kwh > 0 < run.duration_s for run in record.runs)
    measurement = kept_measurement(trial)
    assert sum(run.energy_kwh for run in record.runs) == pytest.approx(measurement.energy_kwh)
    assert sum(run.duration_s for run in record.runs) == pytest.approx(measurement.duration_s)
    assert record.attribute() == trial.user_attrs[ATTRIBUTE]


def test_a_function_that_runs_once_is_as_ever() -> None:
    """Nothing more is kept, and no interval is made up."""
    trial = run_once(lambda _: (0.5, 1), repeats=1)
    assert EACH_RUN not in trial.user_attrs[ATTRIBUTE]
    assert kept_measurement(trial).runs == 1
    assert trial_intervals(trial, NAMES) == dict.fromkeys(NAMES)


def repeats_by_hand(
    ram_w: Sequence[tuple[float, float]], durations_s: Sequence[float]
) -> tuple[tuple[go.RunRecord, ...], go.Measurement]:
    """Run a function that takes so long each time, on a clock that it moves itself."""
    now_s = [1000.0]
    meter = go.ReplayMeter(ram_w=ram_w, clock=lambda: now_s[0], sample_interval_s=1e6)
    sampler = Sampler(meter, clock=lambda: now_s[0], cpu_clock=lambda: 0.0)
    trial = go.GreenTrial(
        go.create_study().ask(), bounds=go.QualityBounds(), spent=lambda: (0.0, 0.0)
    )
    repeats = Repeats(
        trial,
        repeats=len(durations_s),
        timeout_s=None,
        read=lambda returned: Result(float(str(returned)), 0.5, 1, None),
    )

    def function(trial: go.GreenTrial) -> float:
        now_s[0] += durations_s[trial.run]
        return 0.5

    sampler.start()
    window = sampler.open()
    repeats.finish(repeats.make(function, sampler, window))
    measurement = sampler.close(window, GRID)
    return repeats.records(measurement), measurement


def test_a_run_has_what_was_used_while_it_ran() -> None:
    """Cut by readings at the boundaries: 10 W for 2 s, then 100 W for 3 s, then 20 W for 1 s."""
    steps = [(0.0, 10.0), (2.0, 100.0), (5.0, 20.0)]
    runs, measurement = repeats_by_hand(steps, [2.0, 3.0, 1.0])
    joules = [joules_from_kwh(run.energy_kwh) for run in runs]
    assert joules == pytest.approx([20.0, 300.0, 20.0])
    assert [run.duration_s for run in runs] == pytest.approx([2.0, 3.0, 1.0])
    assert joules_from_kwh(measurement.energy_kwh) == pytest.approx(340.0)


def test_runs_too_short_for_a_reading_share_by_time() -> None:
    """A meter that gives nothing new so soon leaves no run without its energy."""
    runs = cut_runs(
        [0.1, 0.2, 0.3],
        # The first boundary had no reading but that of the beginning.
        [Boundary(1.0, 0.0, 0.0), Boundary(3.0, 2.0, kwh_from_joules(40.0))],
        go.Measurement(
            energy=go.ComponentEnergy(kwh_from_joules(100.0)),
            duration_s=4.0,
            grid=GRID,
            sources={},
            host="here",
        ),
    )
    joules = [joules_from_kwh(run.energy_kwh) for run in runs]
    assert joules == pytest.approx([20.0, 50.0, 30.0])


@given(
    st.lists(
        st.tuples(st.floats(1e-3, 1e3), st.floats(0, 1), st.floats(0, 1e6)), min_size=1, max_size=9
    ),
    st.data(),
)
def test_no_joule_is_lost_between_the_runs(
    rows: list[tuple[float, float, float]], data: st.DataObject
) -> None:
    """Whenever the meter was read, the runs' energies are 0 or more and sum to the trial's."""
    ends_s = np.cumsum([duration_s for duration_s, _, _ in rows])
    read_s = [end_s - row[0] * row[1] for end_s, row in zip(ends_s, rows, strict=True)]
    joules = np.cumsum([row[2] for row in rows])
    boundaries = [
        Boundary(float(end_s), float(at_s), kwh_from_joules(float(j)))
        for end_s, at_s, j in zip(ends_s[:-1], read_s[:-1], joules[:-1], strict=True)
    ]
    measurement = go.Measurement(
        energy=go.ComponentEnergy(kwh_from_joules(float(joules[-1]))),
        duration_s=float(ends_s[-1]),
        grid=GRID,
        sources={},
        host="here",
    )
    losses = [0.5] * data.draw(st.integers(0, len(rows)))
    runs = cut_runs(losses, boundaries, measurement)
    assert [run.quality_loss for run in runs] == losses + [None] * (len(rows) - len(losses))
    assert sum(run.energy_kwh for run in runs) == pytest.approx(measurement.energy_kwh)
    assert sum(run.duration_s for run in runs) == pytest.approx(measurement.duration_s)
    assert min(run.energy_kwh for run in runs) >= -1e-12 * measurement.energy_kwh


# What a run sees


def test_the_runs_have_the_same_parameters_and_a_number_each() -> None:
    """From 0 upwards, to seed with."""
    seen = []

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        seen.append((trial.run, trial.suggest_float("x", 0, 1), trial.suggest_int("n", 1, 99)))
        return 0.5, 1

    trial = run_once(function, repeats=3)
    assert seen == [(run, trial.params["x"], trial.params["n"]) for run in range(3)]


def test_only_the_first_run_reports() -> None:
    """The others may report as they like, and are told to go on."""
    tracker = go.MemoryTracker()
    told = []

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        for step in range(2):
            trial.report(0.1 * (trial.run + 1), step)
        told.append(trial.should_prune())
        return 0.5, 1

    run_once(function, repeats=3, trackers=[tracker])
    assert [(one.step, one.quality) for one in tracker.finished[0].reports] == [(0, 0.1), (1, 0.1)]
    assert told == [False] * 3


def test_what_the_last_run_attaches_stays() -> None:
    """Attributes are overwritten; a constraint, which Optuna takes once, is the first run's."""

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        trial.set_user_attr("run", trial.run)
        trial.set_constraint("size", trial.run - 5.0)
        return 0.5, 1

    trial = run_once(function, repeats=3)
    assert trial.user_attrs["run"] == 2
    assert trial.constraints == {"size": -5.0}


class Model:
    """Something large."""


@pytest.mark.parametrize("watched", [False, True], ids=["returned", "watched"])
def test_a_model_is_let_go_before_the_next_run(watched: bool) -> None:
    """Two of them may not fit into the memory of a GPU."""
    models: list[weakref.ref[Model]] = []
    alive = []

    def function(trial: go.GreenTrial) -> object:
        alive.append(sum(one() is not None for one in models))
        model = Model()
        models.append(weakref.ref(model))
        if watched:
            trial.watch(model)
            return 0.5
        return 0.5, model

    run_once(function, repeats=3, n_params=1)
    assert alive == [0, 0, 0]


def test_runs_with_models_of_different_sizes_are_refused() -> None:
    """The mean of two counts is no model's; the error shows them."""
    study = go.create_study()
    with pytest.raises(go.ModelError, match=r"\[1, 2\] parameters"):
        study.optimize(decorate(lambda trial: (0.5, trial.run + 1), repeats=2), n_trials=1)
    assert kept_measurement(study.trials[0]).runs == 2
    trial = run_once(lambda trial: (0.5, trial.run + 1), repeats=2, objectives=NAMES[:2])
    assert trial.values[0] == 0.5, "nobody asked for their size"


# How a run ends


@pytest.mark.parametrize(
    ("error", "state"), [(OwnError("mine"), "failed"), (optuna.TrialPruned(), "pruned")], ids=str
)
def test_a_run_that_ends_early_ends_the_trial(error: Exception, state: str) -> None:
    """With that state, and with the energy of all the runs that there were."""
    tracker = go.MemoryTracker()

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        if trial.run == 1:
            raise error
        return 0.75, 1

    trial = run_once(function, repeats=5, trackers=[tracker])
    record = tracker.finished[0]
    assert record.state == trial.user_attrs[ATTRIBUTE]["state"] == state
    assert [run.quality_loss for run in record.runs] == [0.25, None]
    measurement = kept_measurement(trial)
    assert measurement.runs == 2
    assert sum(run.energy_kwh for run in record.runs) == pytest.approx(measurement.energy_kwh)
    assert record.intervals == {}


def test_a_quality_that_cannot_be_used_ends_the_trial_at_once() -> None:
    """No energy is spent on further runs of it."""
    seen = []

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        seen.append(trial.run)
        return 1.5, 1

    with pytest.raises(go.QualityError, match=r"1\.5"):
        go.create_study().optimize(decorate(function, repeats=3), n_trials=1)
    assert seen == [0]


# Intervals


def repeated_study() -> optuna.Study:
    """Run two trials of three runs, and one of a single run."""
    study = go.create_study("repeated")
    study.optimize(decorate(by_run, repeats=3), n_trials=2)
    study.optimize(decorate(lambda _: (0.1, 3)), n_trials=1)
    return study


def test_a_selection_has_the_interval_of_each_objective() -> None:
    """Of the losses and of the CO2e of the runs; the runs agree in the number of parameters."""
    study = repeated_study()
    chosen = go.pareto_front(study).select("best-quality")
    rows = chosen.trial.user_attrs[ATTRIBUTE][EACH_RUN]
    loss, co2e_kg = chosen.intervals["quality_loss"], chosen.intervals["co2e_kg"]
    t = 0.95 * math.sqrt(2 / (1 - 0.95**2))  # for two degrees of freedom
    assert loss is not None
    assert co2e_kg is not None
    assert (loss.n, loss.confidence) == (3, 0.95)
    assert loss.mean == chosen.objectives["quality_loss"]
    assert loss.high - loss.mean == pytest.approx(
        t * np.std([row[0] for row in rows], ddof=1) / math.sqrt(3)
    )
    assert co2e_kg.mean == pytest.approx(chosen.objectives["co2e_kg"])
    assert co2e_kg.low == pytest.approx(
        co2e_kg.mean - t * np.std([row[1] * 0.25 for row in rows], ddof=1) / math.sqrt(3)
    )
    assert chosen.intervals["n_params"] is None
    assert chosen.energy_kwh == pytest.approx(np.mean([row[1] for row in rows]))
    plain = json.loads(json.dumps(chosen.to_dict(), allow_nan=False))
    assert plain["intervals"] == {
        "quality_loss": loss.to_dict(),
        "co2e_kg": co2e_kg.to_dict(),
        "n_params": None,
    }


def test_the_table_of_a_front_has_the_ends_of_the_intervals() -> None:
    """Where any trial has one; energy and duration beside them are those of a run."""
    study = repeated_study()
    front = go.pareto_front(study)
    table = front.to_dataframe(dominated=True)
    assert [name for name in table.columns if name.endswith(("_low", "_high"))] == [
        *("quality_loss_low", "quality_loss_high"),
        *("co2e_kg_low", "co2e_kg_high"),
    ]
    assert (table["quality_loss_low"] < table["quality_loss"]).tolist() == [True, True, False]
    assert math.isnan(table["co2e_kg_high"][2])
    for row, trial in zip(table.to_dict("records"), study.trials, strict=True):
        measurement = kept_measurement(trial)
        assert row["energy_kwh"] == measurement.energy_per_run_kwh
        assert row["duration_s"] == measurement.duration_per_run_s
    assert json.loads(json.dumps(front.to_dict(), allow_nan=False))["trials"]
    once = go.create_study()
    once.optimize(decorate(lambda _: (0.1, 3)), n_trials=1)
    assert "co2e_kg_low" not in go.pareto_front(once).to_dataframe()


def test_the_command_line_shows_the_intervals() -> None:
    """A person sees them beside the objective, a script has them in columns of their own."""
    from rich.console import Console

    chosen = go.pareto_front(repeated_study()).select("best-quality")
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(selection_table(chosen))
    assert "(95% interval, n = 3: " in console.export_text()
    header, row = selection_text(chosen, Format.csv).splitlines()
    written = dict(zip(header.split(","), row.split(","), strict=False))
    assert chosen.intervals["quality_loss"] is not None
    assert float(written["quality_loss_low"]) == chosen.intervals["quality_loss"].low
    assert "n_params_low" not in written


# A quality that comes with an interval


def test_a_quality_keeps_the_interval_that_it_comes_with(sqlite_url: str) -> None:
    """%MOS as a quality: its loss has the interval of the ratings, turned round."""
    score = go.relative_score([2, 3, 4, 3], [4, 5, 4, 5], scale=(1, 5))
    study = go.create_study(storage=sqlite_url)
    memory = go.MemoryTracker()
    study.optimize(decorate(lambda _: (score, 3), trackers=[memory]), n_trials=1)
    chosen = go.pareto_front(study).select()
    loss = chosen.intervals["quality_loss"]
    assert score.interval is not None
    assert loss is not None
    assert (chosen.quality, chosen.objectives["quality_loss"]) == (score.ratio, 1 - score.ratio)
    assert loss.mean == pytest.approx(1 - score.ratio)
    assert (loss.low, loss.high) == pytest.approx((1 - score.interval.high, 1 - score.interval.low))
    assert (loss.n, loss.confidence) == (4, 0.95)
    assert chosen.intervals["co2e_kg"] is None
    assert memory.finished[0].intervals == chosen.intervals
    row = go.pareto_front(study).to_dataframe().iloc[0]
    assert (row["quality_loss_low"], row["quality_loss_high"]) == (loss.low, loss.high)


def test_a_mean_opinion_score_is_a_quality_between_its_bounds() -> None:
    """On the scale from 1 to 5 its loss is the share of the scale that is missing."""
    mos = go.mean_opinion_score([3, 4, 5, 4])
    trial = run_once(lambda _: (mos, 3), quality_bounds=(1, 5))
    loss = trial_intervals(trial, NAMES)["quality_loss"]
    assert trial.values[0] == 0.25
    assert loss is not None
    assert (loss.low, loss.high) == pytest.approx(((5 - mos.high) / 4, (5 - mos.low) / 4))


def test_a_score_above_its_reference_costs_no_trial() -> None:
    """It counts as the ceiling; its interval holds that, and is cut off nowhere else."""
    score = go.relative_score([5, 4.9, 5], [4, 4, 4])
    trial = run_once(lambda _: (score, 3))
    loss = trial_intervals(trial, NAMES)["quality_loss"]
    assert trial.values[0] == 0.0
    assert score.interval is not None
    assert score.interval.low > 1
    assert loss is not None
    assert (loss.mean, loss.high) == (0.0, 0.0)
    assert loss.low == pytest.approx(1 - score.interval.high)


def test_of_several_runs_the_runs_tell_the_interval() -> None:
    """Each came with an interval of its own; what is known of the mean is how the runs spread."""
    scores = [go.relative_score([2 + run, 3], [4, 5]) for run in (0, 1)]
    trial = run_once(lambda green: (scores[green.run], 3), repeats=2)
    loss = trial_intervals(trial, NAMES)["quality_loss"]
    assert loss is not None
    assert loss.n == 2
    assert loss.mean == pytest.approx(np.mean([score.loss for score in scores]))


def test_equal_runs_are_no_certainty_where_the_quality_has_an_interval() -> None:
    """The same ratings each time say no more than once."""
    score = go.relative_score([2, 3, 4], [4, 5, 4])
    once, twice = (
        trial_intervals(run_once(lambda _: (score, 3), repeats=runs), NAMES)["quality_loss"]
        for runs in (1, 2)
    )
    assert once is not None
    assert once == twice


# A trial whose time is up


def work_on() -> None:
    """Work until something is raised, forgiving what a loop may forgive."""
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            continue


def endless_at(number: int) -> Callable[[go.GreenTrial], tuple[float, int]]:
    """Make a function that ends at once in all trials but one."""

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        trial.suggest_float("x", 0, 1)
        if trial.number == number:
            work_on()
        return 0.5, 1

    return function


def test_an_endless_trial_fails_and_the_study_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Its energy is recorded, its window closed, and its trackers are told why it failed."""
    tracker = go.MemoryTracker()
    study = go.create_study()
    study.optimize(decorate(endless_at(1), timeout_s=SOON_S, trackers=[tracker]), n_trials=3)
    states = [trial.state for trial in study.trials]
    assert states[1] == TrialState.FAIL
    # On a machine that stands still for a while, the short ones may be late too.
    assert [record.state for record in tracker.finished] == [
        "complete" if state == TrialState.COMPLETE else "failed" for state in states
    ]
    record = tracker.finished[1]
    assert record.error == "timed out after 0.25 s"
    assert record.measurement is not None
    assert record.measurement.duration_s >= SOON_S
    assert study.trials[1].user_attrs[ATTRIBUTE] == record.attribute()
    assert study.trials[1].values is None
    assert go.pareto_front(study).candidates.spent_kwh > record.measurement.energy_kwh > 0
    assert not sampler_for(METER).busy
    assert "Trial 1 failed: it timed out after 0.25 s." in caplog.text


def test_trials_side_by_side_end_each_at_its_own_time() -> None:
    """In the threads of n_jobs, those without end fail, and the others are left alone."""
    meeting = threading.Barrier(2)

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        if trial.number < 2:
            meeting.wait(timeout=60)
            work_on()
        return 0.5, 1

    study = go.create_study()
    study.optimize(decorate(function, timeout_s=1.0), n_trials=6, n_jobs=2)
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.FAIL] * 2 + [TrialState.COMPLETE] * 4
    assert not sampler_for(METER).busy


def test_by_ask_and_tell_the_values_make_a_failed_trial() -> None:
    """They are NaN, of which Optuna warns; nothing is raised."""
    objective = decorate(endless_at(0), timeout_s=SOON_S, objectives=NAMES[:2])
    study = go.create_study(objectives=NAMES[:2])
    trial = study.ask()
    values = objective(trial)
    assert [math.isnan(value) for value in values] == [True, True]
    with pytest.warns(UserWarning, match="nan is not acceptable"):
        study.tell(trial, values)
    assert study.trials[0].state == TrialState.FAIL


def test_the_time_is_that_of_all_runs() -> None:
    """A run that ends in time does not give the next one new time."""

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        if trial.run == 1:
            work_on()
        return 0.5, 1

    trial = run_once(function, repeats=3, timeout_s=1.0)
    assert trial.state == TrialState.FAIL
    assert kept_measurement(trial).runs == 2
    assert [row[0] for row in trial.user_attrs[ATTRIBUTE][EACH_RUN]] == [0.5, None]


def test_no_run_begins_after_the_time() -> None:
    """Even if the run before has caught the exception and returned."""
    seen = []

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        seen.append(trial.run)
        with contextlib.suppress(go.TrialTimeoutError):
            work_on()
        return 0.5, 1

    trial = run_once(function, repeats=3, timeout_s=SOON_S)
    assert trial.state == TrialState.FAIL
    assert seen == [0]
    measurement, each_run = kept_measurement(trial), trial.user_attrs[ATTRIBUTE][EACH_RUN]
    assert measurement.runs == 1
    assert [(loss, kwh) for loss, kwh, _ in each_run] == [(0.5, measurement.energy_kwh)]


def catches_and_returns() -> tuple[float, int]:
    """Make the best of the time there was."""
    with contextlib.suppress(go.TrialTimeoutError):
        work_on()
    return 0.75, 1


def catches_and_prunes() -> None:
    """Call it a pruned trial."""
    try:
        work_on()
    except go.TrialTimeoutError:
        raise optuna.TrialPruned from None


def fails_on_the_way_out() -> None:
    """Stumble over what was left half done."""
    try:
        work_on()
    finally:
        raise OSError("half a file")


@pytest.mark.parametrize(
    ("function", "state", "error"),
    [
        (catches_and_returns, TrialState.COMPLETE, None),
        (catches_and_prunes, TrialState.PRUNED, None),
        (fails_on_the_way_out, TrialState.FAIL, "timed out after 0.25 s"),
    ],
)
def test_what_the_function_makes_of_the_end_stands(
    function: Callable[[], object], state: TrialState, error: str | None
) -> None:
    """A result is a result, and an error that comes of the end is the end."""
    tracker = go.MemoryTracker()
    trial = run_once(lambda _: function(), timeout_s=SOON_S, trackers=[tracker])
    assert (trial.state, tracker.finished[0].error) == (state, error)


def test_ctrl_c_still_ends_the_study() -> None:
    """Even while a function whose time is up is on its way out."""
    tracker = go.MemoryTracker()

    def function(_: go.GreenTrial) -> None:
        try:
            work_on()
        finally:
            raise KeyboardInterrupt

    study = go.create_study()
    with pytest.raises(KeyboardInterrupt):
        study.optimize(decorate(function, timeout_s=SOON_S, trackers=[tracker]), n_trials=1)
    assert tracker.finished[0].error == "KeyboardInterrupt"


def test_an_error_of_the_functions_own_still_ends_the_study() -> None:
    """A timeout changes nothing for it."""

    def function(_: go.GreenTrial) -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        go.create_study().optimize(decorate(function, timeout_s=3600), n_trials=1)


def test_a_trial_within_a_trial_ends_alone() -> None:
    """A function may search itself; what ends the inner trial leaves the outer one alone."""
    inner = go.create_study()

    def outer(_: go.GreenTrial) -> tuple[float, int]:
        inner.optimize(decorate(endless_at(0), timeout_s=SOON_S), n_trials=1)
        return 0.5, 1

    assert run_once(outer, timeout_s=3600).state == TrialState.COMPLETE
    assert inner.trials[0].state == TrialState.FAIL
    assert not sampler_for(METER).busy


def test_a_trial_within_a_trial_ends_with_it() -> None:
    """The inner one has failed with its energy kept, and no window stays open."""
    inner, tracker = go.create_study(), go.MemoryTracker()
    objective = decorate(endless_at(0), timeout_s=3600, trackers=[tracker])

    def outer(_: go.GreenTrial) -> object:
        inner.optimize(objective, n_trials=1)
        return 0.5, 1

    assert run_once(outer, timeout_s=1.0).state == TrialState.FAIL
    assert tracker.finished[0].state == "failed"
    assert "TrialTimeoutError" in str(tracker.finished[0].error)
    assert tracker.finished[0].measurement is not None
    assert not sampler_for(METER).busy


@pytest.mark.slow
def test_the_storage_is_not_cut_short(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A function that never leaves the trial's methods ends between two of them, cleanly."""

    def function(trial: go.GreenTrial) -> object:
        step = 0
        while True:
            trial.suggest_float(f"x{step}", 0, 1)
            trial.set_user_attr("step", step)
            trial.report(0.5, step)
            step += 1

    study = go.create_study("busy", storage=sqlite_url)
    with caplog.at_level(logging.WARNING):
        study.optimize(decorate(function, timeout_s=0.1), n_trials=8)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 8
    assert {record.name for record in caplog.records} <= {"green_optuna", "optuna.study._optimize"}
    assert not any(record.exc_info for record in caplog.records)
    for trial in study.trials:
        assert trial.user_attrs[ATTRIBUTE]["state"] == "failed"
        assert len(trial.params) - trial.user_attrs.get("step", -1) in (1, 2)


# Options


@pytest.mark.parametrize("repeats", [0, -1, True, 2.0, "3", None, math.nan])
def test_a_number_of_runs_that_is_none_is_refused(repeats: object) -> None:
    """The error shows it, and what to give."""
    with pytest.raises(go.OptionError, match=f"repeats is {repeats!r}: give a whole number"):
        decorate(by_run, repeats=repeats)


@pytest.mark.parametrize("timeout_s", [0, -1.0, math.nan, -math.inf, True, "60"])
def test_a_time_that_is_none_is_refused(timeout_s: object) -> None:
    """The error shows it, and what to give."""
    with pytest.raises(go.OptionError, match=f"timeout_s is {timeout_s!r}: give seconds"):
        decorate(by_run, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("given_s", "kept_s"), [(None, None), (math.inf, None), (5, 5.0), (np.float32(0.5), 0.5)]
)
def test_no_time_and_endless_time_are_the_same(given_s: Any, kept_s: float | None) -> None:  # noqa: ANN401 - several types
    """Infinity is never, as None is."""
    options = decorate(by_run, timeout_s=given_s, repeats=np.int64(2)).options
    assert (options.timeout_s, options.repeats) == (kept_s, 2)
