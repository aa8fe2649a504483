"""Reported steps whose model was saved, as candidates of their own."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import GRID, kept, made_measurement, study_of
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna.checkpoints import checkpoint_of
from green_optuna.cli import main
from green_optuna.cli.render import front_table, selection_table
from green_optuna.pareto import hypervolume
from green_optuna.record import (
    MAX_STORED_REPORTS,
    REPORTS_ATTRIBUTE,
    reports_from_rows,
    reports_to_rows,
    thin_reports,
)
from green_optuna.runs import RunRecord
from green_optuna.terms import CAP_CONSTRAINT
from green_optuna.tracking.spool.record import record_from_dict, record_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

PAIR = ("quality_loss", "co2e_kg")

pytestmark = pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")


def saved(step: int, quality: float, energy_kwh: float, path: str | None = "") -> go.Report:
    """A report whose model was saved under the step's name, unless it says otherwise."""
    where = f"{step}.pt" if path == "" else path
    return go.Report(step, quality, energy_kwh=energy_kwh, t_s=float(step), checkpoint=where)


def study_of_one() -> optuna.Study:
    """A study of one trial whose second step is good for half the energy."""
    reports = (saved(0, 0.5, 0.02), saved(5, 0.88, 0.1), saved(9, 0.9, 0.2))
    return study_of([kept(0.9, 0.25, reports=reports)])


# In a study that runs


def train(trial: go.GreenTrial) -> tuple[float, int]:
    """Three steps, of which the even ones are saved; every third trial is pruned, or fails."""
    for step in range(3):
        path = Path(f"runs/{trial.number}/{step}.pt") if step % 2 == 0 else None
        trial.report(0.3 * step, step, checkpoint=path)
        if trial.number == 1 and step == 1:
            raise optuna.TrialPruned
        if trial.number == 2 and step == 1:
            raise RuntimeError
    return 0.65, 7


def run_study(
    tracker: go.Tracker | None = None,
    function: Callable[[go.GreenTrial], object] = train,
    **options: Any,  # noqa: ANN401 - what the test is about
) -> optuna.Study:
    """Run the function above in a study of its own."""
    objective = go.green_objective(
        grid=GRID,
        meter=go.ReplayMeter(cpu_w=50.0, ram_w=10.0),
        trackers=[tracker or go.MemoryTracker()],
        **options,
    )(function)
    study = go.create_study("run")
    study.optimize(objective, n_trials=3, catch=RuntimeError)
    return study


def test_saved_steps_are_candidates_of_completed_and_pruned_trials() -> None:
    """A pruned trial's step was trained and measured; a failed one's was not to be trusted."""
    front = go.pareto_front(run_study(n_params=7), checkpoints=True)
    labels = [(trial.number, *step_of(trial)) for trial in front.candidates.trials]
    assert labels == [
        (0, 0, "runs/0/0.pt"),
        (0, 2, "runs/0/2.pt"),
        (0, None, None),
        (1, 0, "runs/1/0.pt"),
    ]
    assert front.candidates.n_completed == 1
    assert front.note is None


def test_steps_whose_parameters_nobody_told_of_are_left_out_of_a_front_over_them() -> None:
    """A pruned trial returns no model: it is in a front without the parameters, or is watched."""
    front = go.pareto_front(run_study(), checkpoints=True)
    assert front.candidates.left_out == {"no n_params known": 1}
    assert "no n_params known (1)" in str(front.note)
    front = go.pareto_front(run_study(), PAIR, checkpoints=True)
    assert front.candidates.trials[-1].number == 1
    assert front.note is None

    def watched(trial: go.GreenTrial) -> tuple[float, int]:
        trial.watch(12)
        return train(trial)

    front = go.pareto_front(run_study(function=watched), checkpoints=True)
    assert front.candidates.losses[-1, 2] == 12
    assert front.note is None


def step_of(trial: FrozenTrial) -> tuple[int | None, str | None]:
    """Give the step and the path of a candidate."""
    checkpoint = checkpoint_of(trial)
    return (None, None) if checkpoint is None else (checkpoint.step, checkpoint.path)


def test_steps_of_a_repeat_are_no_candidates_and_have_no_probability() -> None:
    """A repeat is pooled, its steps too; and nothing tells how sure a step is."""

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        trial.watch(7)
        return train_to_the_end(trial)

    objective = go.green_objective(
        grid=GRID, meter=go.ReplayMeter(cpu_w=50.0, ram_w=10.0), trackers=[go.MemoryTracker()]
    )(function)
    study = go.create_study("again")
    study.optimize(objective, n_trials=1)
    go.repeat_trials(study, objective, [0], times=2)
    front = go.pareto_front(study, checkpoints=True, assume_exact=True)
    assert {trial.number for trial in front.candidates.trials} == {0}
    assert front.probabilities is None
    assert "A step of a training is measured once" in str(front.uncertainty.reason)
    with pytest.raises(go.OptionError, match="cannot be run again by itself"):
        front.worth_repeating()
    chosen = front.select()
    assert chosen.why_not(1) == "it repeats trial 0, whose runs it is pooled with"


def train_to_the_end(trial: go.GreenTrial) -> tuple[float, int]:
    """Report two steps, both saved."""
    for step in range(2):
        time.sleep(0.06)
        trial.report(0.5 + 0.1 * step, step, checkpoint=f"runs/{step}.pt")
    time.sleep(0.06)
    return 0.5, 7


def test_a_checkpoint_has_the_costs_by_its_step() -> None:
    """Those that the trial reported, as one run's, with the trial's own parameters."""
    study = run_study()
    reports = reports_from_rows(study.trials[0].user_attrs[REPORTS_ATTRIBUTE])
    front = go.pareto_front(study, checkpoints=True)
    for row, report in ((0, reports[0]), (1, reports[2])):
        chosen = replace(front, rows=(row,)).select()
        assert chosen.quality == report.quality
        assert chosen.objectives["quality_loss"] == 1.0 - report.quality
        assert chosen.objectives["co2e_kg"] == pytest.approx(GRID.co2e_kg(report.energy_kwh))
        assert chosen.objectives["n_params"] == 7
        assert chosen.measurement is not None
        assert chosen.measurement.energy_kwh == pytest.approx(report.energy_kwh)
        assert chosen.measurement.co2e_kg == pytest.approx(chosen.objectives["co2e_kg"])
        assert chosen.measurement.duration_s == report.t_s
        assert chosen.objectives["co2e_kg"] < front.candidates.losses[2, 1]


def test_of_repeated_runs_the_first_ones_steps_count() -> None:
    """The later runs' reports are ignored; a step has no interval, and costs what it did."""
    study = run_study(repeats=3)
    front = go.pareto_front(study, checkpoints=True)
    assert [step_of(trial)[0] for trial in front.candidates.trials] == [0, 2, None]
    assert front.candidates.losses[1, 1] < front.candidates.losses[2, 1] * 3
    runs = (RunRecord(0.1, 1.0, 2.0), RunRecord(0.2, 3.0, 4.0))
    reports = (saved(1, 0.8, 0.5),)
    chosen = go.pareto_front(
        study_of([kept(0.85, 4.0, runs=runs, reports=reports)]), checkpoints=True
    )
    step, whole = chosen.candidates.trials
    assert step.values[1] == pytest.approx(GRID.co2e_kg(0.5))
    assert whole.values[1] == pytest.approx(GRID.co2e_kg(2.0))
    selection = chosen.select(go.MinCO2e())
    assert selection.step == 1
    assert selection.measurement is not None
    assert selection.measurement.runs == 1
    assert set(selection.intervals.values()) == {None}


def test_trackers_are_told_where_a_step_was_saved() -> None:
    """The record has it, whole, and after a time in the spool."""
    tracker = go.MemoryTracker()
    run_study(tracker)
    record = tracker.finished[0]
    expected = ["runs/0/0.pt", None, "runs/0/2.pt"]
    assert [report.checkpoint for report in record.reports] == expected
    again = record_from_dict(json.loads(json.dumps(record_to_dict(record))))
    assert again.reports == record.reports


@pytest.mark.parametrize(("given", "error"), [(7, TypeError), (b"a", TypeError), (" ", ValueError)])
def test_a_checkpoint_is_a_path(given: object, error: type[Exception]) -> None:
    """A number, bytes or nothing at all is refused, and fails the trial with its name."""

    @go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=1.0), trackers=[], n_params=1)
    def objective(trial: go.GreenTrial) -> float:
        with pytest.raises(error, match="checkpoint"):
            trial.report(0.5, 0, checkpoint=given)  # type: ignore[arg-type]
        return 0.5

    study = go.create_study()
    study.optimize(objective, n_trials=1)
    assert REPORTS_ATTRIBUTE not in study.trials[0].user_attrs


# Reports as they are kept


@given(st.lists(st.booleans(), max_size=700))
def test_saved_reports_survive_thinning_first(are_saved: list[bool]) -> None:
    """Up to 199 of them all do, whatever else is dropped; the last report always does."""
    reports = [
        saved(step, 0.5, step / 7, "a.pt" if is_saved else None)
        for step, is_saved in enumerate(are_saved)
    ]
    kept_reports = reports_from_rows(json.loads(json.dumps(thin_reports(reports))))
    steps = [report.step for report in kept_reports]
    assert steps == sorted(set(steps))
    assert len(steps) <= MAX_STORED_REPORTS
    assert set(kept_reports) <= set(reports)
    if reports:
        assert steps[-1] == len(reports) - 1
    if sum(are_saved) < MAX_STORED_REPORTS:
        assert {one for one in reports if one.checkpoint} <= set(kept_reports)
    assert len(steps) >= min(len(reports), MAX_STORED_REPORTS) / 2


def test_reports_of_before_there_were_checkpoints_can_be_read() -> None:
    """Rows of four come back without one; and a report without one is kept as a row of four."""
    rows: list[list[Any]] = [[0, 0.5, 1e-9, 0.1], [1, None, 2e-9, 0.2, "b.pt"]]
    first, second = reports_from_rows(rows)
    assert first == go.Report(0, 0.5, energy_kwh=1e-9, t_s=0.1)
    assert first.checkpoint is None
    assert (second.step, second.checkpoint) == (1, "b.pt")
    assert reports_to_rows([first, second]) == rows


# The front


def test_a_checkpoint_can_be_the_choice() -> None:
    """Within 5 % of the best quality, for less than half the energy; the trial stays one too."""
    front = go.pareto_front(study_of_one(), checkpoints=True)
    assert front.labels == ("0 step 0", "0 step 5", "0 step 9")
    assert front.numbers == (0, 0, 0)
    chosen = front.select(go.Tolerance(0.05))
    assert (chosen.number, chosen.step, chosen.checkpoint) == (0, 5, "5.pt")
    assert str(chosen).startswith("Trial 0 step 5 of 'kept'")
    assert chosen.to_dict()["checkpoint"] == "5.pt"
    assert chosen.energy_kwh == pytest.approx(0.1)
    without = go.pareto_front(study_of_one()).select()
    assert (without.label, without.step, without.checkpoint) == ("0", None, None)
    assert "step" not in without.to_dict()


qualities = st.sampled_from([0.1, 0.5, 0.8, 0.9, math.nan])
steps = st.lists(
    st.tuples(qualities, st.sampled_from([0.0, 0.01, 0.02, 0.05]), st.booleans()), max_size=5
)


@st.composite
def trained(draw: st.DrawFn) -> FrozenTrial:
    """A trial with reports, some of them saved."""
    reports = [
        saved(step, quality, kwh, "a.pt" if is_saved else None)
        for step, (quality, kwh, is_saved) in enumerate(draw(steps))
    ]
    return kept(
        draw(st.sampled_from([0.2, 0.6, 0.85])),
        draw(st.sampled_from([0.05, 0.1])),
        draw(st.sampled_from([5, 20])),
        state=draw(st.sampled_from([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])),
        reports=reports,
        constraints=draw(st.sampled_from([{}, {"size": 1.0}])),
    )


@given(st.lists(trained(), max_size=6))
def test_the_hypervolume_is_never_less_with_checkpoints(trials: list[FrozenTrial]) -> None:
    """Nothing is taken away; and labels tell all candidates apart."""
    study = study_of(trials)
    before = study.trials
    plain, front = go.pareto_front(study), go.pareto_front(study, checkpoints=True)
    corner = [1.0, GRID.co2e_kg(1.0), 100.0]
    volumes = [
        hypervolume(one.candidates.losses[list(one.rows)].reshape(-1, 3), corner)
        for one in (plain, front)
    ]
    assert volumes[0] <= volumes[1] * (1 + 1e-12)
    labels = [str((trial.number, *step_of(trial))) for trial in front.candidates.trials]
    assert len(set(labels)) == len(labels)
    assert len(set(front.labels)) == len(front)
    assert front.candidates.n_completed == len(plain.candidates.trials)
    assert front.ledger == plain.ledger
    assert study.trials == before


@given(st.lists(trained(), max_size=6))
def test_the_candidates_are_those_of_the_definition(trials: list[FrozenTrial]) -> None:
    """Saved, of a finite quality and some energy, of a trial that completed or was pruned."""
    expected = [
        (number, row[0])
        for number, trial in enumerate(trials)
        if trial.state != TrialState.FAIL
        for row in trial.user_attrs.get(REPORTS_ATTRIBUTE, ())
        if len(row) == 5 and row[1] is not None and row[2] > 0
    ]
    front = go.pareto_front(study_of(trials), checkpoints=True)
    found = [(trial.number, step_of(trial)[0]) for trial in front.candidates.trials]
    assert [one for one in found if one[1] is not None] == expected
    saved_steps = sum(
        len(row) == 5
        for trial in trials
        if trial.state != TrialState.FAIL
        for row in trial.user_attrs.get(REPORTS_ATTRIBUTE, ())
    )
    assert sum((front.candidates.left_out or {}).values()) == saved_steps - len(expected)
    json.dumps(front.to_dict(), allow_nan=False)
    assert len(front.plot().data[0].x) == len(front.candidates.trials) - len(front)


def test_what_is_no_candidate_is_said() -> None:
    """How many saved steps are none, by why; and that none was saved at all."""
    reports = (saved(0, 0.5, 0.0), saved(1, math.nan, 0.01), saved(2, 0.5, 0.02))
    front = go.pareto_front(study_of([kept(0.9, 0.1, reports=reports)]), checkpoints=True)
    assert front.note == (
        "2 checkpoints are no candidates: no energy seen by the step (1), no quality at the step "
        "(1)."
    )
    none = go.pareto_front(study_of([kept(0.9, 0.1)]), checkpoints=True)
    assert "No report says where its model was saved" in str(none.note)
    assert none.to_dict()["n_checkpoints"] == 0


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
def test_a_cap_that_a_trial_exceeded_in_the_end_its_early_steps_may_meet(
    state: TrialState,
) -> None:
    """A cap on CO2e or time is looked at by the step; any other constraint is the trial's."""
    reports = (saved(10, 0.5, 0.02), saved(50, 0.8, 0.2))
    over = {f"{CAP_CONSTRAINT}co2e_kg": GRID.co2e_kg(0.25) - GRID.co2e_kg(0.1)}
    late = {f"{CAP_CONSTRAINT}duration_s": 60.0 - 30.0}
    for caps in (over, late, over | late):
        trial = kept(0.9, 0.25, reports=reports, constraints=caps, state=state)
        front = go.pareto_front(study_of([trial]), checkpoints=True)
        assert front.labels == ("0 step 10",)
    other = kept(0.9, 0.25, reports=reports, constraints={**over, "size": 1.0}, state=state)
    assert len(go.pareto_front(study_of([other]), checkpoints=True)) == 0


def inference() -> go.InferenceCost:
    """What the inference of a model costs."""
    return go.InferenceCost(
        energy_kwh=go.Interval(mean=1e-6, low=9e-7, high=2e-6, confidence=0.95, n=5),
        duration_s=go.Interval(mean=1.0, low=0.9, high=1.1, confidence=0.95, n=5),
        batch_size=4,
        n_samples=20,
        device="cpu",
        measurement=made_measurement(0.5),
        flops=go.FlopCount(
            total=800, batch_size=4, by_operation={"mm": 800}, uncounted={}, elementwise={}
        ),
        peak_memory_bytes=4096,
        n_params=10,
    )


def test_what_training_does_not_change_is_the_trials_own() -> None:
    """Operations and memory of a call; a pruned trial's are not known, and its steps left out."""
    objectives = ("quality_loss", "flops", "peak_memory_bytes")
    reports = (saved(3, 0.8, 0.02),)
    trials = [
        kept(0.7, 0.1, objectives=objectives, reports=reports, inference=inference()),
        kept(0.7, 0.1, objectives=objectives, reports=reports, state=TrialState.PRUNED),
    ]
    front = go.pareto_front(study_of(trials, objectives=objectives), checkpoints=True)
    assert front.labels == ("0 step 3",)
    assert front.candidates.values(0) == {
        "quality_loss": pytest.approx(0.2),
        "flops": 200,
        "peak_memory_bytes": 4096,
    }
    assert front.candidates.left_out == {"no flops known": 1}
    assert front.select(go.Knee(objectives=("quality_loss", "flops"))).inference is None
    assert not front.mixed


def test_what_is_measured_at_the_end_alone_is_refused() -> None:
    """The energy of inference, unless the front is drawn without it."""
    objectives = ("quality_loss", "co2e_kg", "inference_kwh")
    trial = kept(
        0.7, 0.1, objectives=objectives, reports=(saved(3, 0.8, 0.02),), inference=inference()
    )
    study = study_of([trial], objectives=objectives)
    with pytest.raises(go.OptionError, match=r"'inference_kwh' .* of no checkpoint"):
        go.pareto_front(study, checkpoints=True)
    assert go.pareto_front(study, PAIR, checkpoints=True).labels == ("0 step 3",)


def test_a_study_without_reports_of_ours_has_no_checkpoints() -> None:
    """One of somebody else's is refused; empty ones are empty."""
    study = optuna.create_study(directions=["minimize"] * 2)
    study.set_metric_names(["loss", "cost"])
    study.add_trial(create_trial(values=[0.1, 0.2]))
    with pytest.raises(go.StudyError, match="no checkpoints"):
        go.pareto_front(study, checkpoints=True)
    empty = go.pareto_front(study_of([]), checkpoints=True)
    assert len(empty) == 0
    with pytest.raises(go.EmptyStudyError):
        empty.select()


def test_pruned_trials_on_another_machine_make_a_front_mixed() -> None:
    """Their checkpoints are compared, so how they were measured counts, each trial once."""
    reports = (saved(3, 0.8, 0.02), saved(4, 0.85, 0.03))
    trials = [
        kept(0.9, 0.1, reports=reports),
        kept(0.9, 0.1, reports=reports, state=TrialState.PRUNED, host="there"),
    ]
    study = study_of(trials)
    assert not go.pareto_front(study).mixed
    with pytest.raises(go.MixedStudyError, match="allow_mixed"):
        go.pareto_front(study, checkpoints=True)
    front = go.pareto_front(study, checkpoints=True, allow_mixed=True)
    assert [group.n_trials for group in front.provenance] == [1, 1]


def test_checkpoints_are_repriced_too() -> None:
    """From their own energy, at the grid that is asked for."""
    there = go.Grid(carbon_intensity_g_per_kwh=660.0)
    front = go.pareto_front(study_of_one(), checkpoints=True, grid=there)
    assert front.labels == go.pareto_front(study_of_one(), checkpoints=True).labels
    co2e_kg = front.candidates.losses[:, 1]
    assert co2e_kg == pytest.approx(np.array([0.02, 0.1, 0.2, 0.25]) * 0.66)
    chosen = front.select(go.Tolerance(0.05))
    assert chosen.label == "0 step 5"
    assert chosen.measurement is not None
    assert chosen.measurement.grid == there


def test_references_name_checkpoints() -> None:
    """A step, not its trial, is what dominates."""
    reference = {"name": "elsewhere", "quality": 0.7, "energy_kwh": 0.15, "n_params": 20}
    front = go.pareto_front(study_of_one(), checkpoints=True, references=[reference])
    assert front.references[0].dominated_by == ("0 step 5",)
    assert front.references[0].status == "dominated by trial 0 step 5"


# What is shown


def test_tables_say_the_step_and_where_it_was_saved() -> None:
    """Whole numbers as steps, empty for the trial as it ended."""
    front = go.pareto_front(study_of_one(), checkpoints=True)
    frame = front.to_dataframe(dominated=True)
    assert list(frame.columns[:4]) == ["trial", "step", "checkpoint", "on_front"]
    text = frame[["trial", "step", "checkpoint"]].to_csv(index=False)
    assert text.splitlines()[1:] == ["0,0,0.pt", "0,5,5.pt", "0,9,9.pt", "0,,"]
    assert front.to_dict()["trials"][1]["step"] == 5
    table = front_table(front, dominated=True)
    assert set(table.columns[0].cells) == {"0 step 0", "0 step 5", "0 step 9", "0"}
    assert "1 completed trials and 3 checkpoints" in str(table.title)
    hovers = [text.partition("<br>")[0] for text in front.plot().data[1].text]
    assert hovers == ["<b>trial 0 step 0</b>", "<b>trial 0 step 5</b>", "<b>trial 0 step 9</b>"]
    assert front.plot().data[0].text[0].startswith("<b>trial 0</b>")
    shown = selection_table(front.select(go.Tolerance(0.05)))
    assert list(shown.columns[1].cells)[:2] == ["0 step 5", "5.pt"]
    assert "step" not in go.pareto_front(study_of_one()).to_dataframe().columns


def test_the_command_line_chooses_among_checkpoints(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`front --checkpoints`, with grids too, and `select --checkpoints`."""
    reports = (saved(5, 0.898, 0.1), saved(9, 0.9, 0.2))
    study_of([kept(0.9, 0.25, reports=reports)], storage=sqlite_url)
    storage = ["--storage", sqlite_url, "--checkpoints", "--format"]
    assert main(["select", *storage, "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["trial"], row["step"], row["checkpoint"]) == ("0", "5", "5.pt")
    assert main(["front", *storage, "json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert [one["step"] for one in plain["trials"]] == [5, 9]
    assert main(["front", *storage, "json", "--grid", "10"]) == 0
    grids = json.loads(capsys.readouterr().out)["grids"]
    assert [one["chosen"] for one in grids] == ["0 step 5", "0 step 5"]
    assert main(["front", *storage, "table"]) == 0
    assert "0 step 9" in capsys.readouterr().out
