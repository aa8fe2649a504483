"""Measuring what a model's inference costs: the same calls, run by run, in windows of their own."""

from __future__ import annotations

import contextlib
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from green_optuna.carbon import Grid, stated_grid
from green_optuna.energy import ComponentEnergy, MeterOptions, Trace, sampler_for
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
    from collections.abc import Callable, Iterator

    import torch

    from green_optuna.energy import Measurement, Meter, Sampler, Window

T = TypeVar("T")

_logger = logging.getLogger("green_optuna")

# A run lasts so many steps of the slowest counter, of which it may miss one at each end.
_STEPS_A_RUN: Final = 10

# What part of a run is tried out, to tell how many calls a run takes.
_TRIED_PART: Final = 0.25

# A run is made so much longer than it must be: of those that vary, few are then too short.
_MARGIN: Final = 1.1


class InferenceRun:
    """The measurement of one call's inference; what it has spent is known whatever happens.

    Attributes:
        window: What it is being measured in just now, if anything.
        spent: What its windows that have closed cost together; None before the first has.

    Args:
        sampler: Reads the meter.
        grid: What turns energy into CO2e.
        options: How to measure.
        warn: Is told what cannot be counted of the model.
    """

    def __init__(
        self,
        sampler: Sampler,
        grid: Grid,
        options: InferenceOptions,
        *,
        warn: Callable[[str], None] = _logger.warning,
    ) -> None:
        self.window: Window | None = None
        self.spent: Measurement | None = None
        self._sampler = sampler
        self._grid = grid
        self._options = options
        self._warn = warn
        self._devices: list[torch.device] = []

    def make(self, model: object) -> InferenceCost:
        """Get the inputs, count, warm up, and measure the runs.

        What a function of the user's that gives the inputs raises comes out as it is.

        Raises:
            ModelError: The model cannot run on the inputs, or not any more.
            OptionError: How many samples a call takes cannot be told.
            MeterError: The meter gave no reading, or saw no energy in a run.
        """
        options = self._options
        # What a training before it left to do is no part of it.
        wait_for((), current=True)
        with contextlib.ExitStack() as evaluating:
            with self._windowed():
                call = Call.of(model, options.inputs_of(model), batch_size=options.batch_size)
                self._devices = devices_of(call)
                evaluating.enter_context(call.evaluating())
                counts = count_inference(call, warn=self._warn)
                calls = self._warm_up(call) if options.runs else 0
            runs: list[Measurement] = []
            while len(runs) < options.runs:
                runs.append(self._run(call, calls))
                if runs[-1].duration_s < self._run_s:
                    # Of the same number of calls each: else a run amid other work, which has
                    # fewer, would weigh as much as the rest.
                    calls, runs = 2 * calls, []
        if not runs:
            return counts
        samples = calls * call.batch_size
        return replace(
            counts,
            energy_kwh=mean_interval([run.energy_kwh / samples for run in runs]),
            duration_s=mean_interval([run.duration_s / samples for run in runs]),
            n_samples=len(runs) * samples,
            measurement=self.spent,
        )

    @property
    def so_far(self) -> ComponentEnergy:
        """What it has spent up to the latest reading, in kWh per component; from any thread."""
        window, spent = self.window, self.spent
        energy = ComponentEnergy() if spent is None else spent.energy
        return energy if window is None else energy + self._sampler.latest(window)[0]

    def _run(self, call: Call, calls: int) -> Measurement:
        """Measure one run of so many calls."""
        with self._windowed() as closed:
            call.attempt(calls)
            self._wait(call)
        measurement = closed[0]
        if measurement.energy_kwh <= 0:
            raise MeterError(
                f"The meter saw no energy in {calls} calls of the model, which took "
                f"{format_latency(measurement.duration_s)}: its counter stands still, and no "
                "inference is free."
            )
        return measurement

    @property
    def _run_s(self) -> float:
        """How long a run lasts at least, in s."""
        counters = (one for one in self._sampler.meter.sources.values() if one.measured)
        slowest_s = max((counter.resolution_s for counter in counters), default=0.0)
        return max(self._options.run_s, _STEPS_A_RUN * slowest_s)

    def _warm_up(self, call: Call) -> int:
        """Call the model until it runs as it will; give how many calls a run takes."""
        if self._options.warm_up > 1:
            call.attempt(self._options.warm_up - 1)
        self._wait(call)
        began_s, took_s, calls = self._sampler.now_s, 0.0, 0
        while took_s < _TRIED_PART * self._run_s:
            more = max(calls, 1)
            call.attempt(more)
            self._wait(call)
            calls += more
            took_s = self._sampler.now_s - began_s
        call_s = took_s / calls
        return 1 if call_s >= self._run_s else math.ceil(_MARGIN * self._run_s / call_s)

    @contextlib.contextmanager
    def _windowed(self) -> Iterator[list[Measurement]]:
        """Measure a block; what it cost is in the list that this gives, once it has ended."""
        closed: list[Measurement] = []
        self.window = window = self._sampler.open()
        try:
            yield closed
            closed.append(self._close(window))
        except BaseException as error:
            # Ctrl-C may come amid the closing: a window that stays open would share for ever.
            if self.window is not None:
                try:
                    self._close(window)
                except Exception as trouble:
                    error.add_note(f"What it had cost by then could not be measured: {trouble}")
            raise
        finally:
            self.window = None

    def _close(self, window: Window) -> Measurement:
        measurement = self._sampler.close(window, self._grid)
        self.window = None
        self.spent = _sum_of(self.spent, measurement)
        return measurement

    def _wait(self, call: Call) -> None:
        """Wait for the accelerators; of a function, for the one it may have picked by itself."""
        wait_for(self._devices, current=call.module is None)


def _sum_of(before: Measurement | None, measurement: Measurement) -> Measurement:
    """Add what was measured one after the other on one machine, without traces."""
    alone = replace(measurement, trace=Trace.from_points([]))
    if before is None:
        return alone
    return replace(
        alone,
        energy=before.energy + measurement.energy,
        duration_s=before.duration_s + measurement.duration_s,
        shared=before.shared or measurement.shared,
    )


def count_inference(call: Call, *, warn: Callable[[str], None] = _logger.warning) -> InferenceCost:
    """Count what a call takes, and measure nothing.

    Args:
        call: The model on its inputs.
        warn: Is told what cannot be counted.

    Raises:
        ModelError: The model cannot run on the inputs.
    """
    with call.evaluating():
        # Of any function, and first: a lazy layer has no parameters before.
        call.attempt()
        return InferenceCost(
            energy_kwh=None,
            duration_s=None,
            batch_size=call.batch_size,
            n_samples=0,
            device=describe_devices(call),
            measurement=None,
            flops=_counted("operations", flops_of, call, warn),
            peak_memory_bytes=_counted("memory", peak_memory_of, call, warn),
            n_params=None if call.module is None else count_parameters(call.module).total,
        )


def _counted(
    what: str, count: Callable[[Call], T], call: Call, warn: Callable[[str], None]
) -> T | None:
    """Count something of a torch module, where it can be: the model itself does run."""
    if call.module is None:
        return None
    try:
        return count(call)
    except ModelError as error:
        warn(f"Not counted: the {what} of an inference. {error}")
        return None


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
    restored. After a warm-up it is called again and again, in several runs of as many calls each,
    each in a window of its own that begins and ends with the accelerator idle. The energy of a
    run by its samples is one value; the result is their mean, with Student's 95 % interval.

    That takes some ``runs * run_s`` seconds, or, of a model of which one call takes longer than a
    run, ``warm_up + runs`` calls; and some four calls to count. A run in which the calls turn out
    too fast is made again with more of them, and so are those before it.

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
    if options.runs == 0:
        return count_inference(Call.of(model, options.inputs_of(model), batch_size=batch_size))
    sampler = sampler_for(MeterOptions() if meter is None else meter)
    return InferenceRun(sampler, stated or Grid.from_environment(), options).make(model)
