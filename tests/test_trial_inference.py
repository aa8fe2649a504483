"""The inference of a trial's model as an objective and as a column, with its own energy."""

from __future__ import annotations

import io
import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import optuna
import pytest
import torch
from optuna.trial import TrialState
from torch import nn

import green_optuna as go
from green_optuna.cli.render import Format, front_table, selection_table, selection_text
from green_optuna.record import inference_of, measurement_of
from green_optuna.terms import ATTRIBUTE
from green_optuna.tracking.series import result_points
from green_optuna.tracking.spool.record import record_from_dict, record_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.inference import InferenceCost

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
COUNTS = ("quality_loss", "flops", "peak_memory_bytes")
SOON_S = 0.02


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
    study = search(objectives=("quality_loss", "inference_kwh"), inference=options(run_s=0.3))
    chosen = go.pareto_front(study).select("best-quality")
    cost = chosen.inference
    assert cost is not None
    assert cost.energy_kwh is not None
    assert cost.duration_s is not None
    assert chosen.objectives["inference_kwh"] == cost.energy_kwh.mean
    assert chosen.intervals["inference_kwh"] == cost.energy_kwh
    assert cost.energy_kwh.n == 2
    watts = cost.energy_kwh.mean * 3.6e6 / cost.duration_s.mean
    assert watts == pytest.approx(60.0, rel=0.02)
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
