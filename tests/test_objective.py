"""The decorator: what it returns, what it accepts, what it refuses, and where it can go."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import cloudpickle
import numpy as np
import optuna
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.record import measurement_of
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
# One for all tests: a meter has one sampler, with one thread, for as long as the process lives.
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
FIVE = torch.nn.Linear(4, 1)  # four weights and a bias


def run_once(
    objective: go.GreenObjective, names: tuple[str, ...] = ("quality_loss", "co2e_kg", "n_params")
) -> optuna.trial.FrozenTrial:
    """Run one trial in a study of its own and give it back as Optuna keeps it."""
    study = go.create_study(objectives=names)
    study.optimize(objective, n_trials=1)
    return study.trials[0]


def fail_once(objective: go.GreenObjective) -> tuple[Exception, optuna.trial.FrozenTrial]:
    """Run one trial that must fail; give what was raised, and the trial as Optuna keeps it."""
    study = go.create_study()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the caller looks at what it was
        study.optimize(objective, n_trials=1)
    return raised.value, study.trials[0]


# The values


def test_the_values_are_those_of_the_measurement_to_the_digit() -> None:
    """Optuna gets 1 - quality, energy x PUE x intensity, and the count."""

    @go.green_objective(grid=GRID, meter=METER, trackers=[])
    def objective(trial: optuna.Trial) -> tuple[float, torch.nn.Module]:
        return trial.suggest_float("quality", 0.25, 1.0), FIVE

    trial = run_once(objective)
    kept = trial.user_attrs[ATTRIBUTE]
    energy_kwh = sum(kept["energy_kwh"].values())
    assert energy_kwh > 0
    assert trial.values == [1 - trial.params["quality"], energy_kwh * (250.0 / 1000 * 1.2), 5.0]
    assert kept["co2e_kg"] == trial.values[1]


@given(st.floats(0.0, 1.0))
def test_the_quality_is_kept_as_it_was_returned(quality: float) -> None:
    """Neither the loss nor what is kept of the quality is rounded on the way."""

    @go.green_objective(grid=GRID, meter=METER, trackers=[])
    def objective(_: optuna.Trial) -> tuple[float, int]:
        return quality, 1

    trial = run_once(objective)
    assert trial.values[0] == 1 - quality
    assert trial.user_attrs[ATTRIBUTE]["quality"] == quality


@pytest.mark.parametrize(
    "quality", [np.float32(0.75), np.array([0.75]), torch.tensor(0.75, requires_grad=True), 3 / 4]
)
def test_a_quality_may_be_a_scalar_of_numpy_or_torch(quality: float) -> None:
    """What is kept is a plain number, which JSON can hold."""
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[])(lambda _: (quality, 1))
    trial = run_once(objective)
    assert trial.values[0] == 0.25
    assert json.loads(json.dumps(trial.user_attrs))[ATTRIBUTE]["quality"] == 0.75


def _watching(trial: go.GreenTrial) -> float:
    trial.watch(FIVE)
    return 0.9


@pytest.mark.parametrize(
    "function",
    [
        lambda _: (0.9, FIVE),
        lambda _: [0.9, FIVE],
        lambda _: (0.9, 5),
        lambda _: (0.9, np.int64(5)),
        lambda _: (0.9, torch.tensor(5)),
        _watching,
    ],
    ids=["model", "list", "count", "numpy count", "tensor count", "watch"],
)
def test_each_way_to_give_the_parameters_counts_the_same(
    function: Callable[[go.GreenTrial], object],
) -> None:
    """A model, a number beside the quality, or a watched model: five parameters."""
    trial = run_once(go.green_objective(grid=GRID, meter=METER, trackers=[])(function))
    assert trial.values[2] == 5
    assert trial.user_attrs[ATTRIBUTE]["n_params"] == 5


@pytest.mark.parametrize("n_params", [5, np.int64(5), lambda trial: trial.params["width"]])
def test_the_parameters_may_be_said_in_the_decorator(n_params: int) -> None:
    """A number, or a function of the trial, stands in for a model."""

    @go.green_objective(grid=GRID, meter=METER, trackers=[], n_params=n_params)
    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_int("width", 5, 5) / 10

    assert run_once(objective).values[2] == 5


def test_the_count_of_the_decorator_wins_over_a_returned_model() -> None:
    """What n_params= says is not overruled by what stands beside the quality."""
    decorate = go.green_objective(grid=GRID, meter=METER, trackers=[], n_params=7)
    assert run_once(decorate(lambda _: (0.9, FIVE))).values[2] == 7


def test_trainable_counts_what_learns_and_total_counts_all() -> None:
    """A frozen bias is in the total and not among the trainable parameters."""
    model = torch.nn.Linear(4, 1)
    model.bias.requires_grad = False
    counts = {}
    whiches: tuple[Literal["trainable", "total"], ...] = ("trainable", "total")
    for which in whiches:
        decorate = go.green_objective(grid=GRID, meter=METER, trackers=[], n_params=which)
        trial = run_once(decorate(lambda _: (0.9, model)))
        counts[which] = trial.values[2]
        assert trial.user_attrs[ATTRIBUTE]["n_total_params"] == 5
        assert trial.user_attrs[ATTRIBUTE]["n_trainable_params"] == 4
    assert counts == {"trainable": 4, "total": 5}


@pytest.mark.parametrize(
    "names",
    [
        ("quality_loss",),
        ("quality_loss", "co2e_kg"),
        ("n_params", "quality_loss"),
        ("energy_kwh", "duration_s", "quality_loss", "co2e_kg", "n_params"),
    ],
)
def test_the_objectives_are_returned_in_the_order_asked_for(names: tuple[str, ...]) -> None:
    """Any of the five quantities, in any order, each equal to what was kept of it."""
    decorate = go.green_objective(grid=GRID, meter=METER, trackers=[], objectives=names)
    trial = run_once(decorate(lambda _: (0.75, 5)), names)
    kept = trial.user_attrs[ATTRIBUTE]
    quantities = {
        "quality_loss": 0.25,
        "co2e_kg": kept["co2e_kg"],
        "n_params": 5,
        "energy_kwh": sum(kept["energy_kwh"].values()),
        "duration_s": kept["duration_s"],
    }
    assert trial.values == [quantities[name] for name in names]


@pytest.mark.parametrize("model", [None, object(), torch.nn.LazyLinear(2)], ids=type)
def test_no_model_is_wanted_where_parameters_are_no_objective(model: object) -> None:
    """A trial is not lost over a model that cannot be counted when nobody asked for its size."""
    names = ("quality_loss", "co2e_kg")
    decorate = go.green_objective(grid=GRID, meter=METER, trackers=[], objectives=names)
    trial = run_once(decorate(lambda _: (0.75, model)), names)
    assert trial.values[0] == 0.25
    assert "n_params" not in trial.user_attrs[ATTRIBUTE]


@pytest.mark.parametrize(
    ("bounds", "quality", "loss"),
    [((2.5, 0.5), 1.0, 0.25), ((0.0, 5.0), 4.0, 0.2), (go.QualityBounds(1.0, 0.0), 0.25, 0.25)],
)
def test_bounds_scale_a_quality_of_which_less_may_be_better(
    bounds: tuple[float, float], quality: float, loss: float
) -> None:
    """The loss is (best - q) / (best - worst), whichever bound is the greater."""
    decorate = go.green_objective(grid=GRID, meter=METER, trackers=[], quality_bounds=bounds)
    trial = run_once(decorate(lambda _: (quality, 1)))
    assert trial.values[0] == pytest.approx(loss, rel=1e-15)
    assert trial.user_attrs[ATTRIBUTE]["quality"] == quality


# Where the electricity comes from


@pytest.mark.parametrize(
    ("variable", "value"),
    [("GREEN_OPTUNA_CARBON_INTENSITY_G_PER_KWH", "56.5"), ("GREEN_OPTUNA_COUNTRY", "FRA")],
)
def test_the_bare_decorator_takes_the_place_from_the_environment(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the default meter too: CodeCarbon's figures come out as CO2e at that intensity."""
    # The default tracker is away, which costs a warning and spares the making of a database.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    @go.green_objective
    def objective(_: optuna.Trial) -> tuple[float, int]:
        return 0.75, 1

    monkeypatch.setenv(variable, value)
    trial = run_once(objective)
    measurement = measurement_of(trial)
    assert measurement is not None
    assert measurement.energy_kwh > 0
    intensity = 56.5 if value == "56.5" else go.Grid(country="FRA").carbon_intensity_g_per_kwh
    assert trial.values[1] == pytest.approx(measurement.energy_kwh * intensity / 1000, rel=1e-12)


def test_a_country_is_short_for_its_grid() -> None:
    """The code and the grid mean the same place."""
    assert go.green_objective(country="FRA")(len).options.grid == go.Grid(country="FRA")


def test_no_place_at_all_is_an_error_that_says_what_to_pass() -> None:
    """Nothing is guessed: the first trial fails and names the option and the variables."""
    error, trial = fail_once(go.green_objective(meter=METER, trackers=[])(lambda _: (0.5, 1)))
    assert isinstance(error, go.GridError)
    assert "country=" in str(error)
    assert "GREEN_OPTUNA_COUNTRY" in str(error)
    assert trial.state == optuna.trial.TrialState.FAIL


def test_a_country_and_a_grid_together_are_refused() -> None:
    """Two places for one study is one too many; the message names both."""
    with pytest.raises(go.GridError, match=r"country='FRA' and grid=Grid\(.* both given"):
        go.green_objective(country="FRA", grid=GRID)


def test_an_unknown_country_is_refused_when_the_objective_is_decorated() -> None:
    """The mistake shows at the import of the script, not hours later."""
    with pytest.raises(go.GridError, match="XYZ"):
        go.green_objective(country="XYZ")


# Options that cannot be used


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objectives": ("quality_loss", "carbon")}, "carbon"),
        ({"objectives": ()}, "at least one"),
        ({"objectives": ("co2e_kg", "co2e_kg")}, "at most once"),
        ({"quality_bounds": (0.5, 0.5)}, "0.5"),
        ({"quality_bounds": 3}, "quality_bounds is 3"),
        ({"quality_bounds": (0, float("nan"))}, "nan"),
        ({"n_params": -1}, "n_params is -1"),
        ({"n_params": "all"}, "n_params is 'all'"),
        ({"n_params": True}, "n_params is True"),
        ({"n_params": 2.5}, "n_params is 2.5"),
        ({"n_params": np.array([1, 2])}, "n_params is array"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_its_value(
    options: dict[str, object], said: str
) -> None:
    """The error stands where the mistake is, at the decorator."""
    with pytest.raises(go.OptionError, match=said.replace("(", r"\(")):
        go.green_objective(grid=GRID, **options)  # type: ignore[call-overload]  # wrong on purpose


def test_options_by_position_are_refused() -> None:
    """A country in the function's place is told how options are passed."""
    with pytest.raises(go.OptionError, match=r'not \'FRA\'.*country="FRA"'):
        go.green_objective("FRA")  # type: ignore[call-overload]  # wrong on purpose


# What the function returns that cannot be used


@pytest.mark.parametrize(
    ("returned", "kind", "said"),
    [
        ((float("nan"), 1), go.QualityError, "nan"),
        ((float("inf"), 1), go.QualityError, "inf"),
        ((None, 1), go.QualityError, "None"),
        (None, go.QualityError, "None"),
        (("0.9", 1), go.QualityError, "'0.9'"),
        ((1.5, 1), go.QualityError, "1.5 lies outside.*quality_bounds"),
        ((-0.1, 1), go.QualityError, "-0.1 lies outside.*quality_bounds"),
        ((0.9, 1, 2), go.ObjectiveError, "returned 3 values"),
        ((0.9,), go.ObjectiveError, "returned 1 values"),
        (0.9, go.ModelError, r"trial.watch\(model\)"),
        ((0.9, "model"), go.ModelError, "builtins.str"),
        ((0.9, 1000.0), go.ModelError, "float"),
        ((0.9, -1), go.ModelError, "gave -1"),
        ((0.9, True), go.ModelError, "gave True"),
        ((0.9, np.array([1, 2])), go.ModelError, r"gave array\(\[1, 2\]\)"),
        ((0.9, torch.tensor(1.5)), go.ModelError, r"gave tensor\(1.5"),
        ((0.9, torch.nn.Linear), go.ModelError, "class Linear itself"),
        ((0.9, torch.nn.LazyLinear(2)), go.ModelError, "no shape yet"),
    ],
    ids=str,
)
def test_what_cannot_be_made_into_objectives_fails_the_trial_and_costs_its_energy(
    returned: object, kind: type[Exception], said: str
) -> None:
    """The error names the value and the remedy; the trial fails, and what it spent is kept."""
    decorate = go.green_objective(grid=GRID, meter=METER, trackers=[])
    error, trial = fail_once(decorate(lambda _: returned))
    assert isinstance(error, kind)
    assert isinstance(error, go.ObjectiveError)
    with pytest.raises(kind, match=said):
        raise error
    assert trial.state == optuna.trial.TrialState.FAIL
    assert trial.values is None
    kept = trial.user_attrs[ATTRIBUTE]
    assert kept["state"] == "failed"
    assert sum(kept["energy_kwh"].values()) > 0


@pytest.mark.parametrize("count", [-3, 2.5, None, "five"])
def test_a_function_that_gives_no_count_is_named(count: object) -> None:
    """The error shows what n_params gave."""
    decorate = go.green_objective(
        grid=GRID,
        meter=METER,
        trackers=[],
        n_params=lambda _: count,  # type: ignore[arg-type, return-value]  # wrong on purpose
    )
    error, trial = fail_once(decorate(lambda _: 0.9))
    assert isinstance(error, go.ModelError)
    assert f"n_params gave {count!r}" in str(error)
    assert measurement_of(trial) is not None


def test_a_fixed_trial_is_refused_with_what_to_do_instead() -> None:
    """Without a study there is no place to keep what a trial cost."""
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[])(lambda _: (0.9, 1))
    with pytest.raises(go.ObjectiveError, match=r"\['FixedTrial'\].*enqueue_trial"):
        objective(optuna.trial.FixedTrial({"x": 1}))


# The manners of a wrapper


def test_the_decorated_function_keeps_its_name_its_doc_and_its_signature() -> None:
    """Tools that look at a function see the user's own, as with functools.wraps."""

    def objective(data: list[int], trial: optuna.Trial, *, epochs: int = 3) -> tuple[float, int]:
        """Train."""
        return sum(data) / epochs + trial.number, 1

    objective.author = "me"  # type: ignore[attr-defined]  # functions take attributes
    decorated = go.green_objective(grid=GRID, meter=METER, trackers=[])(objective)
    assert decorated.__name__ == "objective"  # type: ignore[attr-defined]  # of functools.wraps
    assert decorated.__qualname__ == objective.__qualname__  # type: ignore[attr-defined]  # the same
    assert decorated.__doc__ == "Train."
    assert decorated.__module__ == __name__
    assert decorated.__wrapped__ is objective  # type: ignore[attr-defined]  # the same
    assert decorated.author == "me"  # type: ignore[attr-defined]  # the same
    assert inspect.signature(decorated) == inspect.signature(objective)
    assert decorated.function is objective
    assert "objective" in repr(decorated)


# Where a decorated objective can be called from


def test_ask_and_tell_works_as_with_any_objective() -> None:
    """Called by hand with an asked trial, it returns what study.tell takes."""

    @go.green_objective(grid=GRID, meter=METER, trackers=[])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return trial.suggest_float("quality", 0, 1), 3

    study = go.create_study()
    for _ in range(3):
        trial = study.ask()
        values = objective(trial)
        assert values[0] == 1 - trial.params["quality"]
        study.tell(trial, values)
    assert [len(trial.values) for trial in study.trials] == [3, 3, 3]
    assert len(study.best_trials) > 0


def test_a_study_of_one_objective_is_enough_where_one_is_asked_for() -> None:
    """A single objective returns a tuple of one, which Optuna takes."""
    decorate = go.green_objective(grid=GRID, meter=METER, trackers=[], objectives=["co2e_kg"])
    study = optuna.create_study()
    study.optimize(decorate(lambda _: (0.9, 1)), n_trials=2)
    assert study.best_value == min(trial.values[0] for trial in study.trials)


def test_a_count_that_optuna_cannot_keep_is_an_error() -> None:
    """Optuna keeps floats, and would end the study with an assertion of its own."""
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[])(lambda _: (0.9, 10**400))
    with pytest.raises(go.ModelError, match="number of parameters"):
        go.create_study().optimize(objective, n_trials=1)


def test_four_threads_share_what_the_machine_used() -> None:
    """With n_jobs=4 each trial has its own energy, and the sum is never more than the machine's."""
    meter = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
    tracker = go.MemoryTracker()

    @go.green_objective(grid=GRID, meter=meter, trackers=[tracker])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return trial.suggest_float("quality", 0, 1) + sum(range(200_000)) * 0, trial.number

    study = go.create_study()
    study.optimize(objective, n_trials=24, n_jobs=4)
    machine_kwh = meter.read().total_kwh
    energies_kwh = [trial.measurement.energy_kwh for trial in tracker.finished if trial.measurement]
    assert len(energies_kwh) == 24
    assert all(energy > 0 for energy in energies_kwh)
    assert sum(energies_kwh) <= machine_kwh * (1 + 1e-9)
    for trial in study.trials:
        assert trial.values[2] == trial.number
        assert trial.values[0] == 1 - trial.params["quality"]


class Experiment:
    """Objectives as a class has them."""

    def __init__(self, quality: float) -> None:
        self.quality = quality

    def plain(self, _: optuna.Trial) -> tuple[float, int]:
        """Give the object's own quality."""
        return self.quality, 1

    @go.green_objective(grid=GRID, meter=METER, trackers=[])
    def decorated(self, _: optuna.Trial) -> tuple[float, int]:
        """Give the object's own quality."""
        return self.quality, 1

    def __call__(self, _: optuna.Trial) -> tuple[float, int]:
        """Give the object's own quality."""
        return self.quality, 1


def _with_data(data: float, trial: optuna.Trial) -> tuple[float, int]:
    return data, trial.number + 1


def _by_name(*, data: float = 0.75, trial: optuna.Trial) -> tuple[float, int]:
    return data, trial.number + 1


decorate = go.green_objective(grid=GRID, meter=METER, trackers=[])


@pytest.mark.parametrize(
    "objective",
    [
        decorate(Experiment(0.75).plain),
        Experiment(0.75).decorated,
        decorate(Experiment(0.75)),
        decorate(functools.partial(_with_data, 0.75)),
        functools.partial(decorate(_with_data), 0.75),
        lambda trial: decorate(_by_name)(trial=trial),
    ],
    ids=["bound method", "decorated method", "callable", "partial", "of partial", "by name"],
)
def test_any_callable_can_be_decorated(objective: Callable[[optuna.Trial], object]) -> None:
    """Bound methods, decorated methods, callable objects and partials are measured alike."""
    study = go.create_study()
    study.optimize(objective, n_trials=2)  # type: ignore[arg-type]  # Optuna's type wants floats
    assert [trial.values[0] for trial in study.trials] == [0.25, 0.25]
    assert all(measurement_of(trial) for trial in study.trials)


def test_a_callable_object_may_have_attributes_of_any_name() -> None:
    """Copying a function's attributes does not overwrite what the wrapper itself keeps."""

    class Own(Experiment):
        def __init__(self) -> None:
            super().__init__(0.75)
            self.options = self.function = self._sessions = self._lock = "the user's own"

    assert run_once(decorate(Own())).values[0] == 0.25


def test_one_objective_serves_several_studies_with_their_own_terms() -> None:
    """Each study keeps terms of its own, also one made anew under the name of a deleted one."""
    storage = optuna.storages.InMemoryStorage()
    objective = decorate(lambda _: (0.75, 1))
    keys = []
    for name in ("first", "second", "second"):
        if name in optuna.get_all_study_names(storage):
            optuna.delete_study(study_name=name, storage=storage)
        study = go.create_study(name, storage=storage)
        study.optimize(objective, n_trials=1)
        keys.append(study.user_attrs[ATTRIBUTE]["key"])
    assert len(set(keys)) == 3


# Pickling


# What a user has in a module, with what another process calls to run it.
MODULE = """
import os
import optuna
import green_optuna as go

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")

green = go.green_objective(
    grid=GRID,
    meter=go.ReplayMeter(cpu_w=50.0),
    trackers=[go.MemoryTracker()],
)


@green
def objective(trial):
    # Mentions itself, as what keeps count of its calls does.
    assert objective.__name__ == "objective"
    trial.set_user_attr("pid", os.getpid())
    return trial.suggest_float("quality", 0, 1), 5


def count(trial):
    return 6


@go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[], n_params=count)
def counted(trial):
    trial.set_user_attr("pid", os.getpid())
    return trial.suggest_float("quality", 0, 1)


def make(size):
    @green
    def closure(trial):
        trial.set_user_attr("pid", os.getpid())
        return trial.suggest_float("quality", 0, 1), size

    return closure


def run(objective, url):
    optuna.load_study(study_name="shared", storage=url).optimize(objective, n_trials=2)
"""

# A process that has nothing but a pickle and the storage.
WORKER = """
import pickle, sys
import optuna
objective = pickle.load(open(sys.argv[1], "rb"))
optuna.load_study(study_name="shared", storage=sys.argv[2]).optimize(objective, n_trials=2)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Give a user's own module, importable here and in processes that are started from here."""
    (tmp_path / "objectives.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("objectives")
    del sys.modules["objectives"]


def assert_measured_elsewhere(url: str, n_params: int) -> None:
    """Two trials are complete and measured, and ran in one process that is not this one."""
    trials = go.load_study("shared", storage=url).trials
    assert [trial.values[2] for trial in trials] == [n_params] * 2
    assert all(trial.values[0] == 1 - trial.params["quality"] for trial in trials)
    assert all(trial.values[1] > 0 for trial in trials)
    pids = {trial.user_attrs["pid"] for trial in trials}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_a_function_of_a_module_pickles_by_name(module: ModuleType) -> None:
    """The pickle is a reference: what comes back is the object that the module has."""
    pickled = pickle.dumps(module.objective)
    assert pickle.loads(pickled) is module.objective
    assert len(pickled) < 100


def test_a_spawned_worker_runs_a_function_of_a_module(module: ModuleType, sqlite_url: str) -> None:
    """Multiprocessing takes the decorated function to a process that measures by itself."""
    go.create_study("shared", storage=sqlite_url)
    worker = multiprocessing.get_context("spawn").Process(
        target=module.run, args=(module.objective, sqlite_url)
    )
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert_measured_elsewhere(sqlite_url, 5)


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps], ids=["pickle", "cloudpickle"])
def test_a_closure_runs_in_another_process(
    dumps: Callable[[object], bytes], module: ModuleType, sqlite_url: str, tmp_path: Path
) -> None:
    """What cannot be imported by name travels by value, with what it closes over."""
    go.create_study("shared", storage=sqlite_url)
    (tmp_path / "pickled").write_bytes(dumps(module.make(7)))
    command = [sys.executable, "-W", "error", "-c", WORKER, "pickled", sqlite_url]
    subprocess.run(command, check=True)
    assert_measured_elsewhere(sqlite_url, 7)


@pytest.mark.parametrize("pickler", ["pickle", "cloudpickle"])
@pytest.mark.parametrize(("name", "n_params"), [("objective", 5), ("counted", 6)])
def test_a_function_of_a_script_runs_in_another_process(
    pickler: str, name: str, n_params: int, sqlite_url: str, tmp_path: Path
) -> None:
    """What a script or a notebook defines has no module that another process could import.

    That holds for what the function mentions, itself included, and for a function that counts.
    """
    go.create_study("shared", storage=sqlite_url)
    dump = f"\nimport {pickler}\nopen('pickled', 'wb').write({pickler}.dumps({name}))\n"
    (tmp_path / "script.py").write_text(MODULE + dump)
    subprocess.run([sys.executable, "-W", "error", "script.py"], check=True)
    (tmp_path / "script.py").unlink()
    command = [sys.executable, "-W", "error", "-c", WORKER, "pickled", sqlite_url]
    subprocess.run(command, check=True)
    assert_measured_elsewhere(sqlite_url, n_params)


class CountedMeter(go.ReplayMeter):
    """A meter that knows how often it was started."""

    starts = 0

    def start(self) -> None:
        """Count, and start."""
        self.starts += 1
        super().start()


def test_an_unpickled_objective_measures_with_a_meter_of_its_own() -> None:
    """The meter is pickled as its options: neither its readings nor its state travel."""
    meter = CountedMeter(cpu_w=50.0)

    def objective(_: optuna.Trial) -> tuple[float, int]:
        return 0.75, 1

    ours = go.green_objective(grid=GRID, meter=meter, trackers=[])(objective)
    run_once(ours)
    theirs = pickle.loads(pickle.dumps(ours))
    trial = run_once(theirs)
    assert trial.values[1] > 0
    assert (meter.starts, theirs.options.meter.starts) == (1, 2)


def test_a_bound_method_takes_its_object_along() -> None:
    """A decorated method pickles with the instance it is bound to."""
    again = pickle.loads(pickle.dumps(Experiment(0.25).decorated))
    study = go.create_study()
    study.optimize(again, n_trials=1)
    assert study.trials[0].values[0] == 0.75


def test_trackers_are_pickled_without_their_clients() -> None:
    """A tracker that has logged travels as its options: the pickle does not grow with use."""
    tracker = go.MLflowTracker(uri="sqlite:///runs.db", experiment="digits")
    fresh = pickle.dumps(tracker)
    decorated = go.green_objective(grid=GRID, meter=METER, trackers=[tracker])
    run_once(decorated(lambda _: (0.75, 1)))
    assert pickle.dumps(tracker) == fresh
    again = pickle.loads(fresh)
    assert (again.uri, again.experiment) == ("sqlite:///runs.db", "digits")
