"""The inference of a trial's model as an objective and as a column, with its own energy."""

from __future__ import annotations

import functools
import io
import json
import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState
from torch import nn

import green_optuna as go
from green_optuna.cli.render import Format, front_table, selection_table, selection_text
from green_optuna.record import inference_of, measurement_of
from green_optuna.terms import ATTRIBUTE
from green_optuna.tracking.mlflow.schema import tags as mlflow_tags
from green_optuna.tracking.series import result_points
from green_optuna.tracking.spool.record import record_from_dict, record_to_dict
from green_optuna.tracking.wandb.schema import config as wandb_config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.inference import InferenceCost

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
COUNTS = ("quality_loss", "flops", "peak_memory_bytes")
SOON_S = 0.02
ROOT = str(Path(__file__).parents[1])


def net(width: int) -> nn.Sequential:
    """Give a network of one hidden layer: 2 x 9 x width operations a sample."""
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 1))


def train(trial: go.GreenTrial) -> tuple[float, nn.Module]:
    """Train nothing, and return a network that grows with the trial's number."""
    return 0.5 + 0.1 * trial.number, net(16 * (trial.number + 1))


def options(**changed: Any) -> go.InferenceOptions:  # noqa: ANN401 - what the test is about
    """Give options for short runs on four samples."""
    given: dict[str, Any] = {"inputs": torch.zeros(4, 8), "runs": 2, "run_s": SOON_S}
    return go.InferenceOptions(**given | changed)


def search(
    function: Callable[[go.GreenTrial], object] = train,
    *,
    objectives: Sequence[str] = COUNTS,
    n_trials: int = 1,
    storage: str | None = None,
    trackers: Sequence[go.Tracker] = (),
    **changed: Any,  # noqa: ANN401 - what the test is about
) -> optuna.Study:
    """Run a study whose models' inference is measured."""
    given: dict[str, Any] = {"inference": options(), "grid": GRID, "meter": METER}
    decorated = go.green_objective(objectives=objectives, trackers=trackers, **given | changed)
    study = go.create_study("inferred", storage=storage, objectives=objectives)
    study.optimize(decorated(function), n_trials=n_trials, catch=go.GreenOptunaError)
    return study


def cost_of(trial: optuna.trial.FrozenTrial) -> InferenceCost:
    """Give what is kept of the inference of a trial's model."""
    cost = inference_of(trial)
    assert cost is not None
    return cost


def test_operations_and_memory_are_objectives(sqlite_url: str) -> None:
    """Of a network of two layers, by hand: 2 x (8 + 1) x width a sample, and its tensors' bytes."""
    study = search(n_trials=2, storage=sqlite_url)
    for trial, width in zip(study.trials, (16, 32), strict=True):
        loss, flops, memory_bytes = trial.values
        assert loss == pytest.approx(0.5 - 0.1 * trial.number)
        assert flops == 2 * 9 * width
        parameters = 8 * width + width + width + 1
        # The inputs, what the first layer gives, and what the activation makes of it.
        assert memory_bytes == 4 * (parameters + 4 * 8 + 2 * 4 * width)
        assert cost_of(trial).batch_size == 4


def test_measured_inference_is_an_objective_with_an_interval() -> None:
    """Energy of a sample: the meter's 60 W times its time, and Student's interval of two runs."""
    # So long that what a reading takes on a busy machine is little beside it.
    study = search(objectives=("quality_loss", "inference_kwh"), inference=options(run_s=1.2))
    chosen = go.pareto_front(study).select("best-quality")
    cost = chosen.inference
    assert cost is not None
    assert cost.energy_kwh is not None
    assert cost.duration_s is not None
    assert chosen.objectives["inference_kwh"] == cost.energy_kwh.mean
    assert chosen.intervals["inference_kwh"] == cost.energy_kwh
    assert cost.energy_kwh.n == 2
    watts = cost.energy_kwh.mean * 3.6e6 / cost.duration_s.mean
    assert watts == pytest.approx(60.0, rel=0.1)
    frame = go.pareto_front(study).to_dataframe()
    assert frame["inference_kwh_low"][0] == cost.energy_kwh.low


def test_its_energy_is_spent_and_is_not_the_training_s() -> None:
    """It counts in the ledger as overhead, whole, and leaves the trial's own energy alone."""
    memory = go.MemoryTracker()
    study = search(trackers=[memory], inference=options(run_s=0.2))
    trial, ledger = study.trials[0], go.pareto_front(study).ledger
    measured = cost_of(trial).measurement
    assert measured is not None
    assert measured.duration_s > 0.4
    trained = measurement_of(trial)
    assert trained is not None
    assert trained.duration_s < 0.4
    overhead = next(row for row in ledger.rows if row.account == "overhead")
    assert overhead.energy_kwh >= measured.energy_kwh
    assert memory.finished[0].overhead.total_kwh >= measured.energy_kwh


def test_what_it_cost_counts_where_it_fails_too() -> None:
    """The model breaks on a later call; the trial fails, and nothing that was spent is lost."""

    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls = nn.Linear(8, 1), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 20:
                raise RuntimeError("out of luck")
            return self.layer(x)  # type: ignore[no-any-return]  # nn.Module's call is untyped

    memory = go.MemoryTracker()
    study = search(
        lambda _: (0.5, Breaks()),
        objectives=("quality_loss", "inference_kwh"),
        trackers=[memory],
        inference=options(run_s=5.0),
    )
    assert study.trials[0].state == TrialState.FAIL
    record = memory.finished[0]
    assert record.error is not None
    assert "out of luck" in record.error
    assert record.inference is None
    assert record.overhead.total_kwh > 0


def test_what_is_no_objective_costs_no_trial(caplog: pytest.LogCaptureFixture) -> None:
    """A model that cannot run on the inputs is said and left out."""
    with caplog.at_level(logging.WARNING, "green_optuna"):
        study = search(
            objectives=("quality_loss", "co2e_kg"), inference=options(inputs=torch.zeros(4, 9))
        )
    assert study.trials[0].state == TrialState.COMPLETE
    assert inference_of(study.trials[0]) is None
    assert "cannot run on the inputs given" in caplog.text


@pytest.mark.parametrize(
    ("function", "objectives", "said"),
    [
        (lambda _: 0.5, ("flops",), "There is no model"),
        (lambda _: (0.5, 300), ("inference_kwh",), "There is no model"),
        (lambda _: (0.5, object()), ("flops",), "cannot be called"),
        (lambda _: (0.5, sum), ("flops",), "cannot"),
        (lambda _: (0.5, nn.ReLU()), ("flops",), "relu"),
    ],
)
def test_an_objective_that_cannot_be_told_fails_its_trial(
    function: Callable[[go.GreenTrial], object], objectives: tuple[str, ...], said: str
) -> None:
    """Never a silent zero: the error says what is missing."""
    memory = go.MemoryTracker()
    study = search(function, objectives=("quality_loss", *objectives), trackers=[memory])
    assert study.trials[0].state == TrialState.FAIL
    assert said in str(memory.finished[0].error)


def test_the_inputs_may_depend_on_the_model() -> None:
    """A function of the model gives them: its own width is what it takes."""
    study = search(
        lambda trial: (0.5, nn.Linear(3 + trial.number, 2)),
        n_trials=2,
        inference=options(inputs=lambda model: torch.zeros(5, model.in_features)),
    )
    assert [trial.values[1] for trial in study.trials] == [2 * 3 * 2, 2 * 4 * 2]


def test_a_watched_model_is_measured_too() -> None:
    """As its parameters are counted."""

    def watched(trial: go.GreenTrial) -> float:
        trial.watch(net(4))
        return 0.5

    assert search(watched).trials[0].values[1] == 2 * 9 * 4


def test_of_several_runs_the_last_model_is_measured_once() -> None:
    """The runs build models of one size; what inference costs is asked once a trial."""
    study = search(lambda trial: (0.1 + 0.1 * trial.run, net(4)), repeats=3)
    assert study.trials[0].values[1] == 2 * 9 * 4


def test_counting_alone_measures_no_energy() -> None:
    """With runs=0 nothing is spent on runs, and there is no energy to tell."""
    study = search(inference=options(runs=0))
    cost = cost_of(study.trials[0])
    assert (cost.energy_kwh, cost.duration_s, cost.measurement) == (None, None, None)
    assert set(cost.values) == {"flops", "peak_memory_bytes"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"inference": None}, "wants example inputs"),
        ({"inference": torch.zeros(4, 8)}, "give InferenceOptions"),
        (
            {"inference": go.InferenceOptions(inputs=0, runs=0), "objectives": ["inference_kwh"]},
            "runs is 0",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused_at_once(given: dict[str, Any], said: str) -> None:
    """Before the first trial, where it costs nothing."""
    with pytest.raises(go.OptionError, match=said):
        search(**given)


def test_it_is_a_column_everywhere() -> None:
    """In tables, in JSON, on the command line and in what trackers chart."""
    memory = go.MemoryTracker()
    study = search(objectives=("quality_loss", "co2e_kg"), trackers=[memory])
    front = go.pareto_front(study)
    chosen = front.select()
    names = ["inference_kwh", "inference_s", "flops", "peak_memory_bytes"]
    values = cost_of(study.trials[0]).values
    assert list(values) == names
    frame = front.to_dataframe()
    assert {name: frame[name][0] for name in names} == values
    plain = json.loads(json.dumps(front.to_dict(), allow_nan=False))
    assert {name: plain["trials"][0][name] for name in names} == values
    plain = json.loads(json.dumps(chosen.to_dict(), allow_nan=False))
    assert plain["inference"] == cost_of(study.trials[0]).to_dict()
    points = {point.key: point.value for point in result_points(memory.finished[0])}
    assert {name: points[f"cost/{name}"] for name in names} == values
    called = cost_of(study.trials[0]).called
    assert called.startswith("4 in a call on cpu")
    assert mlflow_tags(memory.finished[0])["green_optuna.inference"] == called
    kept: Any = wandb_config(memory.finished[0])["green_optuna"]
    assert kept["inference"] == called
    header, row = selection_text(chosen, Format.csv).splitlines()
    written = dict(zip(header.split(","), row.split(","), strict=False))
    assert {name: float(written[name]) for name in names} == values


def test_a_person_sees_it_on_the_command_line() -> None:
    """The front has a column for each, the selection a row, both with units."""
    from rich.console import Console

    study = search(objectives=("quality_loss", "inference_kwh", "flops"))
    front = go.pareto_front(study)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(front_table(front), selection_table(front.select("best-quality")))
    shown = console.export_text()
    for expected in ("inference energy", "FLOPs", "288", "peak memory", "inference time"):
        assert expected in shown


def test_a_record_keeps_it_on_its_way_to_a_tracker_that_was_away() -> None:
    """As JSON and back."""
    memory = go.MemoryTracker()
    search(trackers=[memory])
    record = memory.finished[0]
    kept = json.loads(json.dumps(record_to_dict(record)))
    back = record_from_dict(kept)
    assert back.inference is not None
    assert record.inference is not None
    assert back.inference.to_dict() == record.inference.to_dict()
    assert back.intervals == record.intervals


def test_what_a_study_keeps_of_it_is_small() -> None:
    """A storage takes some kB a trial, whatever the model."""
    layers = [layer for width in range(1, 60) for layer in (nn.Linear(8, 8), nn.GELU())]
    study = search(lambda _: (0.5, nn.Sequential(*layers)))
    assert len(json.dumps(study.trials[0].user_attrs[ATTRIBUTE]["inference"])) < 3000


def test_an_objective_with_inputs_goes_to_another_process() -> None:
    """Example inputs are pickled with it."""
    decorated = go.green_objective(inference=options(), objectives=COUNTS, grid=GRID, meter=METER)(
        lambda trial: (0.5, net(trial.number + 4))
    )
    copy = pickle.loads(pickle.dumps(decorated))
    study = go.create_study(objectives=COUNTS)
    study.optimize(copy, n_trials=1)
    assert study.trials[0].values[1] == 2 * 9 * 4


# What inference must not touch


def draws(_: go.GreenTrial, seen: list[tuple[float, ...]]) -> tuple[float, nn.Module]:
    """Note the next random numbers, and return a model that draws some at each call."""

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            noise = torch.rand(()) + random.random() + np.random.rand()  # noqa: NPY002
            return self.layer(x) + noise  # type: ignore[no-any-return]  # nn.Module is untyped

    seen.append((float(torch.rand(())), random.random(), np.random.rand()))  # noqa: NPY002
    return 0.5, Noisy()


def test_a_seeded_study_can_be_run_again() -> None:
    """However often a model that draws random numbers was called, the next trial's are the same."""

    def run(**changed: Any) -> list[tuple[float, ...]]:  # noqa: ANN401 - what the test is about
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002 - as users do
        seen: list[tuple[float, ...]] = []
        search(functools.partial(draws, seen=seen), n_trials=3, **changed)
        return seen

    plain = run(objectives=("quality_loss",), inference=None)
    assert run() == plain
    assert run(inference=options(runs=0)) == plain


def test_two_trials_at_a_time_never_draw_the_same_numbers() -> None:
    """Beside another trial of the process, the generators are left to run on."""
    drawn: list[float] = []
    training, measured = threading.Event(), threading.Event()

    def function(trial: go.GreenTrial) -> tuple[float, nn.Module]:
        if trial.number == 0:
            assert training.wait(30)
            return 0.5, net(4)
        training.set()
        while not measured.wait(0.001):
            drawn.append(float(torch.rand(())))
        return 0.5, net(4)

    class Done(go.MemoryTracker):
        def finish_trial(self, trial: go.TrialRecord) -> None:
            if trial.number == 0:
                measured.set()

    decorated = go.green_objective(
        objectives=COUNTS, grid=GRID, meter=METER, trackers=[Done()], inference=options()
    )
    study = go.create_study(objectives=COUNTS)
    study.optimize(decorated(function), n_trials=2, n_jobs=2)
    assert len(drawn) == len(set(drawn)) > 1


# What was spent


WORKER = """
import os, sys, time
import torch
import green_optuna as go
meter = go.ReplayMeter(cpu_w=50.0, ram_w=10.0, sample_interval_s=0.05)

def slow(x):
    print("called", flush=True)
    time.sleep(0.5)

@go.green_objective(
    country="FRA", meter=meter, trackers=[], n_params=1, objectives=("co2e_kg", "inference_kwh"),
    inference=go.InferenceOptions(inputs=torch.zeros(1), run_s=600.0),
)
def objective(trial):
    time.sleep(0.5)
    trial.watch(slow)
    return 0.5

go.load_study("inferred", storage=sys.argv[1]).optimize(objective, n_trials=1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
@pytest.mark.slow
def test_a_process_that_is_killed_amid_an_inference_loses_no_energy(sqlite_url: str) -> None:
    """The training stays what it was, and what the inference took by then is overhead."""
    names = ("co2e_kg", "inference_kwh")
    study = go.create_study("inferred", storage=sqlite_url, objectives=names)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, sqlite_url],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": ROOT},
    )
    assert worker.stdout is not None
    with worker.stdout as calls:
        for _ in range(4):
            calls.readline()
        time.sleep(0.2)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    search_on = go.green_objective(
        country="FRA", meter=METER, trackers=[], n_params=1, objectives=names, inference=options()
    )(lambda _: (0.5, net(2)))
    study.optimize(search_on, n_trials=1)
    killed = study.get_trials()[0].user_attrs[ATTRIBUTE]
    assert killed["state"] == "killed"
    trained_kwh = sum(killed["energy_kwh"].values())
    assert trained_kwh * 3.6e6 / killed["duration_s"] == pytest.approx(60.0, rel=0.1)
    assert 0.5 <= killed["duration_s"] < 1.0
    # Three calls of half a second had ended.
    assert sum(killed["overhead_kwh"].values()) * 3.6e6 > 60.0 * 1.0


def test_what_the_inputs_take_is_spent_though_no_trial_follows() -> None:
    """The user's function of the inputs is within what is measured, and so is counting alone."""

    def inputs(_: nn.Module) -> torch.Tensor:
        time.sleep(0.3)
        return torch.zeros(2, 8)

    for runs in (0, 2):
        memory = go.MemoryTracker()
        search(trackers=[memory], inference=options(inputs=inputs, runs=runs))
        assert memory.finished[0].overhead.total_kwh * 3.6e6 > 60.0 * 0.3


# What counts as a model


def test_a_method_of_a_model_is_a_model() -> None:
    """Its module's parameters count, and its inference is that of the method."""

    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 1, bias=False)

        def generate(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(self.layer(x).expand(-1, 8))  # type: ignore[no-any-return]

    study = search(lambda _: (0.5, Generator().generate), objectives=("n_params", "flops"))
    assert study.trials[0].values == [8, 32]

    def watched(trial: go.GreenTrial) -> tuple[float, object]:
        model = Generator()
        trial.watch(model)
        return 0.5, lambda x: [model.generate(x)]

    study = search(watched, objectives=("n_params", "inference_kwh"))
    assert study.trials[0].values[0] == 8


def test_a_watched_model_is_measured_beside_a_given_count() -> None:
    """The number that the function returns counts as parameters, the model's inference as such."""

    def function(trial: go.GreenTrial) -> tuple[float, int]:
        trial.watch(net(4))
        return 0.5, 300

    study = search(function, objectives=("n_params", "flops"))
    assert study.trials[0].values == [300, 72]


def test_what_the_user_s_own_inputs_raise_costs_no_trial_that_wants_nothing_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Any exception of it is said once a study, and the trials go on."""
    broken = options(inputs=lambda _: 1 / 0)
    with caplog.at_level(logging.WARNING, "green_optuna"):
        study = search(objectives=("quality_loss", "co2e_kg"), inference=broken, n_trials=3)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
    assert caplog.text.count("ZeroDivisionError") == 1


# What compares


def test_inference_at_another_batch_size_does_not_compare() -> None:
    """Unless it is allowed, or no objective hangs on it; the message names both sizes."""
    names = ("quality_loss", "inference_kwh", "flops")
    study = search(objectives=names)
    wider = go.green_objective(
        objectives=names,
        grid=GRID,
        meter=METER,
        trackers=[],
        inference=options(inputs=torch.zeros(2, 8)),
    )
    study.optimize(wider(train), n_trials=1)
    with pytest.raises(go.MixedStudyError, match=r"4 in a call on cpu.*2 in a call on cpu"):
        go.pareto_front(study)
    assert go.pareto_front(study, allow_mixed=True).mixed
    assert not go.pareto_front(study, ("quality_loss", "flops")).mixed
