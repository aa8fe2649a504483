"""Inference is charged what the machine used for it, sample by sample, and nothing is free."""

from __future__ import annotations

import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import green_optuna as go
from green_optuna.energy import ReplayClock, Sampler, basis_of
from green_optuna.inference import InferenceRun
from green_optuna.intervals import student_t
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
POWER_W = 50.0


@dataclass(slots=True, kw_only=True)
class CountedMeter(go.ReplayMeter):
    """A machine with a counter that is said to be real, and slow; it can be broken."""

    resolution_s: float = 0.0
    broken: bool = False

    @property
    def sources(self) -> Mapping[str, go.Source]:
        """One counter."""
        return {"gpu": go.Source("counter", measured=True, resolution_s=self.resolution_s)}

    def read(self) -> go.ComponentEnergy:
        """Fail where that is wanted."""
        if self.broken:
            raise OSError("no such counter")
        return go.ReplayMeter.read(self)


@dataclass
class Machine:
    """A machine of 50 W whose time passes only where a model takes it."""

    clock: ReplayClock = field(default_factory=ReplayClock)
    resolution_s: float = 0.0
    power_w: float = POWER_W

    def __post_init__(self) -> None:
        """Give it a meter and a sampler."""
        self.meter = CountedMeter(
            gpu_w=self.power_w, clock=self.clock, resolution_s=self.resolution_s
        )
        self.sampler = Sampler(self.meter, clock=self.clock)

    def model_of(self, *calls_s: float) -> Callable[[object], None]:
        """Give a model whose calls take so long, in s, one after the other, the last for ever."""
        times_s = [*calls_s]

        def model(_: object) -> None:
            self.clock.advance(times_s.pop(0) if len(times_s) > 1 else times_s[0])

        return model

    def measured(
        self,
        model: object,
        *,
        batch_size: int = 1,
        runs: int = 2,
        run_s: float = 1.0,
        warm_up: int = 3,
    ) -> go.InferenceCost:
        """Measure a model on this machine."""
        options = go.InferenceOptions(
            inputs=0, batch_size=batch_size, runs=runs, run_s=run_s, warm_up=warm_up
        )
        return InferenceRun(self.sampler, GRID, options).make(model)


class Watchful(nn.Module):
    """A network with dropout and a frozen part, which notes how it is run."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.dropout = nn.Dropout()
        self.frozen = nn.BatchNorm1d(3)
        self.frozen.eval()
        self.seen: set[tuple[bool, bool, bool]] = set()
        self.fails = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Note the modes, and run."""
        self.seen.add((self.training, self.dropout.training, torch.is_grad_enabled()))
        if self.fails:
            raise ValueError("no more")
        scores: torch.Tensor = self.frozen(self.dropout(self.layer(x)))
        return scores

    def generate(self, x: torch.Tensor, *, times: int) -> list[torch.Tensor]:
        """Run several times."""
        return [self(x) for _ in range(times)]

    @property
    def modes(self) -> tuple[bool, bool, bool]:
        """Whether each part is in training mode."""
        return self.training, self.dropout.training, self.frozen.training


# What a sample costs


@given(
    call_s=st.floats(1e-3, 10.0),
    batch_size=st.integers(1, 64),
    runs=st.integers(2, 4),
    warm_up=st.integers(1, 4),
)
def test_a_sample_costs_its_part_of_a_call_times_the_power(
    call_s: float, batch_size: int, runs: int, warm_up: int
) -> None:
    """On 50 W, a call of t seconds with b samples takes t / b s and 50 t / b J for each."""
    machine = Machine()
    cost = machine.measured(
        machine.model_of(call_s), batch_size=batch_size, runs=runs, run_s=0.05, warm_up=warm_up
    )
    assert cost.energy_kwh is not None
    assert cost.duration_s is not None
    assert cost.duration_s.mean == pytest.approx(call_s / batch_size, rel=1e-9)
    assert joules_from_kwh(cost.energy_kwh.mean) == pytest.approx(
        POWER_W * call_s / batch_size, rel=1e-9
    )
    assert cost.energy_kwh.n == cost.duration_s.n == runs
    assert cost.inference_kwh == cost.energy_kwh.mean
    assert cost.co2e_kg == pytest.approx(cost.energy_kwh.mean * 0.25 * 1.2)
    assert (cost.basis, cost.shared, cost.batch_size) == ("measured", False, batch_size)


def test_the_interval_is_students_over_the_runs() -> None:
    """Runs of 1, 2 and 3 s have a mean of 2 s, plus or minus t(2) / sqrt(3)."""
    machine = Machine()
    tried_s = [9.0] * 4  # to see whether it runs, twice to warm up, and to tell how long it takes
    model = machine.model_of(*tried_s, 1.0, 2.0, 3.0, math.nan)
    cost = machine.measured(model, runs=3, run_s=0.5, warm_up=3)
    half_s = student_t(2, 0.95) / math.sqrt(3)
    assert cost.duration_s is not None
    assert cost.energy_kwh is not None
    for interval, unit in ((cost.duration_s, 1.0), (cost.energy_kwh, POWER_W / 3.6e6)):
        assert interval.mean == pytest.approx(2.0 * unit)
        assert interval.low == pytest.approx((2.0 - half_s) * unit)
        assert interval.high == pytest.approx((2.0 + half_s) * unit)
    assert cost.n_samples == 3


@pytest.mark.parametrize(
    ("call_s", "run_s", "resolution_s", "calls"),
    [
        (0.25, 1.0, 0.0, 5),  # a tenth longer than it must be
        (0.25, 10.0, 0.0, 44),
        (0.25, 1.0, 1.0, 44),  # ten steps of the counter are 10 s
        (0.25, 10.0, 0.5, 44),
        (4.0, 1.0, 0.125, 1),
    ],
)
def test_a_run_has_the_calls_that_fill_its_time(
    call_s: float, run_s: float, resolution_s: float, calls: int
) -> None:
    """It lasts as long as asked for, and ten steps of the counter, or else one call."""
    machine = Machine(resolution_s=resolution_s)
    cost = machine.measured(machine.model_of(call_s), batch_size=3, runs=2, run_s=run_s, warm_up=1)
    assert cost.n_samples == 2 * 3 * calls


def test_all_runs_last_their_time_where_calls_get_faster() -> None:
    """Of calls that were slow at first, more are made, in all runs the same number."""
    machine = Machine()
    cost = machine.measured(machine.model_of(*[1.0] * 5, 0.125), runs=2, run_s=2.0, warm_up=3)
    # 3 calls seemed enough, of which the first took 1 s; 6 and 12 of 0.125 s are too few.
    assert cost.n_samples == 2 * 24
    assert cost.duration_s is not None
    assert cost.duration_s.low == cost.duration_s.high == pytest.approx(0.125)
    assert cost.measurement is not None
    assert cost.measurement.duration_s == pytest.approx(4 + 1.25 + (6 + 12 + 2 * 24) / 8)


def test_nothing_spent_is_forgotten() -> None:
    """What it cost in all and what no window has are what the counter counted."""
    machine = Machine()
    cost = machine.measured(machine.model_of(9.0, 1.0), runs=2, run_s=2.0, warm_up=3)
    assert cost.measurement is not None
    runs_s = 2 * 3.0
    assert cost.measurement.duration_s == pytest.approx(9.0 + 3 * 1.0 + runs_s)
    spent = cost.measurement.energy + machine.sampler.take_overhead()
    assert spent.total_kwh == pytest.approx(machine.meter.read().total_kwh)
    assert len(cost.measurement.trace) == 0


def test_measurements_side_by_side_share_the_machine() -> None:
    """Two at the same time say so, and sum to no more than the machine used."""
    meter = go.ReplayMeter(gpu_w=POWER_W)
    both = threading.Barrier(2, timeout=60)
    met = threading.local()

    def model(_: object) -> None:
        if not hasattr(met, "once"):
            met.once = both.wait()
        time.sleep(0.002)

    def measured(_: int) -> go.InferenceCost:
        return go.measure_inference(
            model, 0, batch_size=1, runs=3, run_s=0.02, grid=GRID, meter=meter
        )

    with ThreadPoolExecutor(2) as pool:
        costs = list(pool.map(measured, range(2)))
    assert all(cost.shared for cost in costs)
    spent_kwh = [cost.measurement.energy_kwh for cost in costs if cost.measurement is not None]
    assert len(spent_kwh) == 2
    assert min(spent_kwh) > 0
    assert sum(spent_kwh) <= meter.read().total_kwh


def test_networks_are_measured_side_by_side() -> None:
    """Four threads, each with a network of its own, all come to the same counts."""
    meter = go.ReplayMeter(gpu_w=POWER_W)

    def measured(_: int) -> go.InferenceCost:
        return go.measure_inference(
            nn.Linear(64, 32), torch.zeros(2, 64), runs=2, run_s=0.01, grid=GRID, meter=meter
        )

    with ThreadPoolExecutor(4) as pool:
        costs = list(pool.map(measured, range(4)))
    assert len({(cost.n_params, str(cost.flops), cost.peak_memory_bytes) for cost in costs}) == 1
    assert all(cost.inference_kwh for cost in costs)


@pytest.mark.slow
def test_this_host_measures_a_network() -> None:
    """With CodeCarbon on this host, all figures are there, and say what they rest on."""
    cost = go.measure_inference(Watchful(), torch.zeros(8, 4), runs=3, run_s=0.05, grid=GRID)
    assert cost.measurement is not None
    assert cost.inference_kwh is not None
    # What the runs took together, which the warm-up and the counting are added to.
    assert 0 < cost.inference_kwh * cost.n_samples < cost.measurement.energy_kwh
    assert cost.n_samples % 8 == 0
    assert cost.basis == basis_of(cost.measurement.sources)
    assert f"Energy is {cost.basis}" in str(cost)


# Models of all kinds


def test_a_network_runs_as_for_inference_and_is_left_as_it_was() -> None:
    """Evaluation mode and no gradients inside; outside, each part in the mode that it had."""
    model = Watchful()
    before = model.modes
    cost = go.measure_inference(
        model, torch.zeros(8, 4), runs=2, run_s=0.001, grid=GRID, meter=go.ReplayMeter(ram_w=1.0)
    )
    assert model.seen == {(False, False, False)}
    assert model.modes == before == (True, True, False)
    assert cost.batch_size == 8
    assert cost.n_params == 4 * 3 + 3 + 2 * 3
    assert cost.flops is not None
    assert cost.flops.per_sample == 2 * 4 * 3
    assert cost.peak_memory_bytes is not None
    assert cost.peak_memory_bytes >= 4 * (cost.n_params + 8 * 4)
    assert cost.device.startswith("cpu (")


def test_a_method_of_a_network_is_measured_as_that_network() -> None:
    """Its module's parameters count, and keyword arguments arrive."""
    model = Watchful()
    cost = go.measure_inference(model.generate, {"x": torch.zeros(2, 4), "times": 3}, runs=0)
    assert (cost.n_params, cost.batch_size) == (21, 2)
    assert cost.flops is not None
    assert cost.flops.total == 3 * 2 * (2 * 4 * 3)
    assert model.seen == {(False, False, False)}


def test_any_function_is_measured_and_only_torch_modules_are_counted() -> None:
    """Of a function of an array, time and energy are known, and the rest is not."""
    cost = go.measure_inference(
        np.linalg.inv,
        np.tile(np.eye(4), (6, 1, 1)),
        runs=2,
        run_s=0.001,
        grid=GRID,
        meter=go.ReplayMeter(ram_w=1.0),
    )
    assert cost.batch_size == 6
    assert cost.inference_kwh is not None
    assert cost.inference_kwh > 0
    assert (cost.flops, cost.peak_memory_bytes, cost.n_params) == (None, None, None)
    assert cost.device.startswith("host (")


def test_inputs_may_be_made_for_the_model() -> None:
    """A function is given the model, and gives what it shall be called on."""
    model = nn.Linear(5, 1)
    cost = go.measure_inference(model, lambda one: torch.zeros(7, one.in_features), runs=0)
    assert cost.batch_size == 7


def test_counting_alone_needs_no_meter_and_no_place() -> None:
    """With runs=0 there are counts, nothing is measured, and nobody has to say where."""
    cost = go.measure_inference(nn.Linear(4, 2), torch.zeros(3, 4), runs=0)
    assert (cost.energy_kwh, cost.duration_s, cost.measurement) == (None, None, None)
    assert (cost.inference_kwh, cost.co2e_kg, cost.basis) == (None, None, None)
    assert (cost.n_samples, cost.n_params, cost.shared) == (0, 10, False)
    assert "not measured" in str(cost)
    assert "10 parameters" in str(cost)


@pytest.mark.parametrize("runs", [0, 2])
def test_a_cost_can_be_kept_and_read_back(runs: int) -> None:
    """As JSON it comes back equal, and takes little room in a study's storage."""
    cost = go.measure_inference(
        nn.Linear(4, 2),
        torch.zeros(3, 4),
        runs=runs,
        run_s=0.001,
        grid=GRID,
        meter=go.ReplayMeter(ram_w=1.0),
    )
    kept = json.dumps(cost.to_dict(), allow_nan=False)
    again = go.InferenceCost.from_dict(json.loads(kept))
    assert again == cost
    assert str(again) == str(cost)
    assert len(kept) < 2000


def test_a_cost_says_what_a_sample_takes() -> None:
    """It is told in one line, with scaled units, the batch size and the device."""
    machine = Machine()
    cost = machine.measured(machine.model_of(0.25), batch_size=100, runs=2, run_s=0.5)
    assert str(cost) == (
        f"A sample, 100 in a call on {cost.device}: 34.7 uWh (95% interval 34.7 uWh to 34.7 uWh), "
        "CO2e 10.4 ug, 2.50 ms. Energy is measured."
    )


# What goes wrong


def test_a_model_that_cannot_run_on_the_inputs_is_named() -> None:
    """The error says what the inputs were, and the network is left as it was."""
    model = Watchful()
    with pytest.raises(go.ModelError, match=r"Watchful .*Tensor of shape \(8, 5\)"):
        go.measure_inference(model, torch.zeros(8, 5), grid=GRID, meter=go.ReplayMeter(ram_w=1.0))
    assert model.modes == (True, True, False)


def test_a_model_that_fails_later_has_spent_what_it_spent() -> None:
    """An error amid the runs closes the window, and what was used up to then is known."""
    machine = Machine()
    model = Watchful()

    def failing(x: torch.Tensor) -> None:
        model.fails = machine.clock.now_s >= 20.0
        machine.clock.advance(1.0)
        model(x)

    options = go.InferenceOptions(inputs=torch.zeros(2, 4), runs=9, run_s=4.0)
    run = InferenceRun(machine.sampler, GRID, options)
    with pytest.raises(go.ModelError, match="no more") as caught:
        run.make(failing)
    assert isinstance(caught.value.__cause__, ValueError)
    assert run.spent is not None
    assert joules_from_kwh(run.spent.energy_kwh) == pytest.approx(POWER_W * 21.0)
    assert run.spent.duration_s == pytest.approx(21.0)
    assert run.window is None
    assert not machine.sampler.busy


def test_an_interrupt_passes_through_and_leaves_no_window_open() -> None:
    """Ctrl-C amid a call ends the measurement, and what was used up to then is known."""
    machine = Machine()

    def interrupted(_: object) -> None:
        machine.clock.advance(1.0)
        if machine.clock.now_s >= 8.0:
            raise KeyboardInterrupt

    options = go.InferenceOptions(inputs=0, batch_size=1, run_s=1.0, warm_up=3)
    run = InferenceRun(machine.sampler, GRID, options)
    with pytest.raises(KeyboardInterrupt):
        run.make(interrupted)
    assert run.spent is not None
    assert joules_from_kwh(run.spent.energy_kwh) == pytest.approx(POWER_W * 8.0)
    assert not machine.sampler.busy


def test_a_meter_that_fails_at_the_end_of_a_run_is_an_error() -> None:
    """The meter's own exception comes out, and no window stays open."""
    machine = Machine()

    def model(_: object) -> None:
        machine.clock.advance(1.0)
        machine.meter.broken = machine.clock.now_s >= 8.0

    with pytest.raises(OSError, match="no such counter"):
        machine.measured(model, runs=5)
    assert not machine.sampler.busy


def test_the_model_stays_to_blame_where_the_meter_fails_too() -> None:
    """The model's error comes out, with a note on the meter's."""
    machine = Machine()

    def model(_: object) -> None:
        machine.meter.broken = True
        machine.clock.advance(1.0)
        raise ValueError("mine")

    with pytest.raises(go.ModelError, match="mine") as caught:
        machine.measured(model)
    assert "no such counter" in " ".join(caught.value.__notes__)
    assert not machine.sampler.busy


@pytest.mark.parametrize("steps", [[(0.0, 0.0)], [(0.0, POWER_W), (6.0, 0.0)]])
def test_no_inference_is_free(steps: list[tuple[float, float]]) -> None:
    """A counter that stands still in a run, from the start or later, is an error."""
    clock = ReplayClock()
    sampler = Sampler(go.ReplayMeter(gpu_w=steps, clock=clock), clock=clock)
    run = InferenceRun(sampler, GRID, go.InferenceOptions(inputs=1.0, batch_size=1, run_s=2.0))
    with pytest.raises(go.MeterError, match=r"no energy in 3 calls .* 3\.00 s.*stands still"):
        run.make(clock.advance)


def test_a_model_that_computes_nothing_is_refused() -> None:
    """On the device "meta" there are shapes only: they can be counted, not measured."""
    model = nn.Linear(4, 2, device="meta")
    with pytest.raises(go.ModelError, match="'meta'"):
        go.measure_inference(model, torch.zeros(3, 4), grid=GRID, meter=go.ReplayMeter(ram_w=1.0))


def generating(x: int) -> Iterator[int]:
    """Begin only."""
    yield x


async def awaited(x: int) -> int:
    """Begin only."""
    return x


async def generating_later(x: int) -> AsyncIterator[int]:
    """Begin only."""
    yield x


@pytest.mark.parametrize("model", [generating, awaited, generating_later, lambda x: map(abs, [x])])
def test_a_call_that_only_begins_its_work_is_refused(model: object) -> None:
    """Generators and coroutines would seem to cost nothing."""
    with pytest.raises(go.ModelError, match="only begins its work"):
        go.measure_inference(model, 1, batch_size=1, runs=0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"runs": 1}, "runs is 1"),
        ({"runs": -1}, "runs is -1"),
        ({"runs": 2.0}, r"runs is 2\.0"),
        ({"runs": True}, "runs is True"),
        ({"run_s": 0}, "run_s is 0"),
        ({"run_s": math.nan}, "run_s is nan"),
        ({"run_s": math.inf}, "run_s is inf"),
        ({"run_s": "1"}, "run_s is '1'"),
        ({"warm_up": 0}, "warm_up is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"inputs": None}, "inputs is None"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options: dict[str, Any], said: str) -> None:
    """Each with its value and what to give instead."""
    with pytest.raises(go.OptionError, match=said):
        go.InferenceOptions(**{"inputs": 0} | options)


def test_a_place_is_never_guessed() -> None:
    """Where nobody says where the electricity comes from, nothing is measured."""
    with pytest.raises(go.GridError, match="No place"):
        go.measure_inference(nn.Linear(4, 2), torch.zeros(3, 4), meter=go.ReplayMeter(ram_w=1.0))
