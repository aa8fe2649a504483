"""Measuring what a model's inference costs: the same calls, run by run, in windows of their own."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from green_optuna.carbon import Grid, stated_grid
from green_optuna.energy import MeterOptions, Trace, sampler_for
from green_optuna.errors import MeterError, ModelError
from green_optuna.inference.cost import InferenceCost
from green_optuna.inference.devices import describe_devices, devices_of, wait_for
from green_optuna.inference.options import InferenceOptions
from green_optuna.intervals import mean_interval
from green_optuna.models import count_parameters
from green_optuna.models.calls import Call
from green_optuna.models.flops import flops_of
from green_optuna.models.memory import peak_memory_of
from green_optuna.units import format_latency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from green_optuna.energy import Measurement, Meter, Sampler, Window

# A run lasts so many steps of the slowest counter, of which it may miss one at each end.
_STEPS_A_RUN: Final = 10

# What part of a run is tried out, to tell how many calls a run takes.
_TRIED_PART: Final = 0.25


class InferenceRun:
    """The measurement of one call's inference; what it has spent is known whatever happens.

    Attributes:
        window: What it is being measured in just now, if anything.
        spent: What its windows that have closed cost together; None before the first has.

    Args:
        sampler: Reads the meter.
        grid: What turns energy into CO2e.
        call: The model on its inputs.
        options: How to measure.
    """

    def __init__(self, sampler: Sampler, grid: Grid, call: Call, options: InferenceOptions) -> None:
        self.window: Window | None = None
        self.spent: Measurement | None = None
        self._sampler = sampler
        self._grid = grid
        self._call = call
        self._devices = devices_of(call)
        self._options = options

    def make(self) -> InferenceCost:
        """Warm up, count, and measure the runs.

        Raises:
            ModelError: The model cannot run on the inputs, or not any more.
            MeterError: The meter gave no reading, or saw no energy in a run.
        """
        if self._options.runs == 0:
            return count_inference(self._call)
        if any(device.type == "meta" for device in self._devices):
            raise ModelError(
                "The model is on the device 'meta', where nothing is computed: move it to a real "
                "one, or count without measuring, with runs=0."
            )
        self._sampler.start()
        with self._call.evaluating():
            with self._windowed():
                counts = count_inference(self._call)
                call_s = self._warm_up()
            runs = [self._run(call_s) for _ in range(self._options.runs)]
        samples = [calls * self._call.batch_size for calls, _ in runs]
        measured = [(one, n) for (_, one), n in zip(runs, samples, strict=True)]
        return replace(
            counts,
            energy_kwh=mean_interval([one.energy_kwh / n for one, n in measured]),
            duration_s=mean_interval([one.duration_s / n for one, n in measured]),
            n_samples=sum(samples),
            measurement=self.spent,
        )

    def _run(self, call_s: float) -> tuple[int, Measurement]:
        """Measure one run; give how many calls it made, and what it cost."""
        with self._windowed() as closed:
            calls = self._call_for(self._run_s, call_s)
        measurement = closed[0]
        if measurement.energy_kwh <= 0:
            raise MeterError(
                f"The meter saw no energy in {calls} calls of the model, which took "
                f"{format_latency(measurement.duration_s)}: its counter stands still, and no "
                "inference is free."
            )
        return calls, measurement

    @property
    def _run_s(self) -> float:
        """How long a run lasts at least, in s."""
        counters = (one for one in self._sampler.meter.sources.values() if one.measured)
        slowest_s = max((counter.resolution_s for counter in counters), default=0.0)
        return max(self._options.run_s, _STEPS_A_RUN * slowest_s)

    def _warm_up(self) -> float:
        """Call the model until it runs as it will; give how long a call takes, in s."""
        if self._options.warm_up > 1:
            self._call.attempt(self._options.warm_up - 1)
        wait_for(self._devices)
        began_s = self._sampler.now_s
        calls = self._call_for(self._run_s * _TRIED_PART, math.inf)
        return (self._sampler.now_s - began_s) / calls

    def _call_for(self, s: float, call_s: float) -> int:
        """Call the model for a time in s at least, all work done; give how often it was called.

        Args:
            s: How long.
            call_s: How long a call takes, as far as is known, in s.
        """
        began_s, calls = self._sampler.now_s, 0
        wanted = max(math.ceil(s / call_s), 1) if call_s > 0 else 1
        while True:
            self._call.attempt(wanted)
            wait_for(self._devices)
            calls += wanted
            took_s = self._sampler.now_s - began_s
            if took_s >= s:
                return calls
            # As many as are still missing; twice as many in all where the clock hardly moved.
            missing = (s - took_s) * calls / took_s if took_s > 0 else math.inf
            wanted = math.ceil(min(missing, calls))

    @contextlib.contextmanager
    def _windowed(self) -> Iterator[list[Measurement]]:
        """Measure a block; what it cost is in the list that this gives, once it has ended."""
        closed: list[Measurement] = []
        wait_for(self._devices)
        self.window = self._sampler.open()
        try:
            yield closed
        except BaseException as error:
            try:
                self._close(self.window)
            except Exception as trouble:
                error.add_note(f"What it had cost by then could not be measured: {trouble}")
            raise
        closed.append(self._close(self.window))

    def _close(self, window: Window) -> Measurement:
        self.window = None
        measurement = self._sampler.close(window, self._grid)
        before = self.spent
        self.spent = replace(measurement, trace=Trace.from_points([]))
        if before is not None:
            self.spent = replace(
                self.spent,
                energy=before.energy + measurement.energy,
                duration_s=before.duration_s + measurement.duration_s,
                shared=before.shared or measurement.shared,
            )
        return measurement


def run_inference(
    sampler: Sampler, grid: Grid, call: Call, options: InferenceOptions
) -> InferenceCost:
    """Measure the inference of one call with a sampler that there is.

    Where it raises, what had been spent by then is not told: see :class:`InferenceRun`.

    Raises:
        ModelError: The model cannot run on the inputs, or not any more.
        MeterError: The meter gave no reading, or saw no energy in a run.
    """
    return InferenceRun(sampler, grid, call, options).make()


def count_inference(call: Call) -> InferenceCost:
    """Count what a call takes, and measure nothing.

    Raises:
        ModelError: The model cannot run on the inputs.
    """
    with call.evaluating():
        # Of any function, and first: a lazy layer has no parameters before.
        call.attempt()
        is_module = call.module is not None
        return InferenceCost(
            energy_kwh=None,
            duration_s=None,
            batch_size=call.batch_size,
            n_samples=0,
            device=describe_devices(call),
            measurement=None,
            flops=flops_of(call) if is_module else None,
            peak_memory_bytes=peak_memory_of(call) if is_module else None,
            n_params=count_parameters(call.module).total if is_module else None,
        )


def measure_inference(
    model: object,
    inputs: object,
    *,
    batch_size: int | None = None,
    runs: int = 5,
    run_s: float = 0.2,
    warm_up: int = 3,
    country: str | None = None,
    grid: Grid | None = None,
    meter: MeterOptions | Meter | None = None,
) -> InferenceCost:
    """Measure what it costs to run a model on one sample: energy, time, and what can be counted.

    The model is called as for inference: in evaluation mode and without gradients; its modes are
    restored. After a warm-up it is called again and again, in several runs, each in a window of
    its own that begins and ends with the accelerator idle. The energy of a run by its samples is
    one value; the result is their mean, with Student's 95 % interval.

    That takes ``runs * run_s`` seconds and half a run more, or, of a model of which one call
    takes longer than a run, ``warm_up + runs`` calls and some three to count.

    Random numbers that the model draws move the generators on. Measurements of one process that
    overlap share what it uses, so do not measure inside an objective, or a ``measure`` block.

    Args:
        model: A torch module, a method of one (``model.generate``), or any other function
            (``classifier.predict``), of which operations, memory and parameters are not known.
        inputs: Positional arguments as a tuple, keyword arguments as a mapping, or else the one
            argument; or a function that is given the model and gives them. Tensors are copied to
            the module's device, once.
        batch_size: How many samples one call takes; unless given, the length of the first
            dimension of the first tensor or array among the inputs.
        runs: How often the cost is measured, 2 or more; 0 only counts.
        run_s: The least length of a run, in s. A run is lengthened to ten steps of the slowest
            counter: 10 ms for RAPL, 1 s for a GPU's.
        warm_up: Calls before the first run, 1 or more.
        country: Where the electricity comes from, as an ISO 3166 code: short for
            ``grid=Grid(country=...)``. Without either, the environment says, as for ``measure``.
        grid: The carbon intensity in g/kWh, with its source, and the PUE.
        meter: How CodeCarbon measures, or a meter of your own.

    Raises:
        OptionError: An option cannot be used, or another meter counts the same energy now.
        GridError: The place is unknown, or nobody said where the electricity comes from.
        ModelError: The model cannot run on the inputs.
        MeterError: This host cannot be measured, or the meter saw no energy in a run.

    Example:
        ::

            cost = measure_inference(model, images[:32], country="FRA")
            print(cost.inference_kwh, cost.flops.per_sample, cost.peak_memory_bytes)
    """
    options = InferenceOptions(
        inputs=inputs, batch_size=batch_size, runs=runs, run_s=run_s, warm_up=warm_up
    )
    stated = stated_grid(country=country, grid=grid)
    call = Call.of(model, options.inputs_of(model), batch_size=options.batch_size)
    if options.runs == 0:
        return count_inference(call)
    sampler = sampler_for(MeterOptions() if meter is None else meter)
    return run_inference(sampler, stated or Grid.from_environment(), call, options)
