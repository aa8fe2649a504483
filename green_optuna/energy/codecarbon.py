"""The CodeCarbon meter: its counters and estimates, read cumulatively and without side effects.

CodeCarbon's tasks can neither overlap nor give a trace, and a tracker a trial counts a joule
as often as there are trackers. So one tracker runs as long as the process does; each
``flush()`` hands its cumulative totals to an output handler, and a trial is a difference
between two of them. Every argument is passed, so that no configuration file and no
``CODECARBON_*`` variable changes a figure; no file is written and nothing is sent.

Where a process is tracked rather than the machine, CodeCarbon's laws are kept and its way of
asking is not. At each reading it goes through all processes of the host, twice: several
milliseconds, and up to a second where the user's threads hold Python's lock. Its law of CPU
time is followed with a cumulative clock instead
(:class:`~green_optuna.energy.process.CpuTimeEstimate`), and the memory's power is asked for
once, at the start.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from green_optuna.energy.hardware import (
    COUNTERS,
    check_gpus_found,
    cpu_time_estimate,
    gpus_to_count,
    sources_of,
)
from green_optuna.energy.measurement import ComponentEnergy
from green_optuna.energy.options import FLUSH_GUARD_S, MeterOptions
from green_optuna.energy.silent import make_tracker, silenced
from green_optuna.errors import GreenOptunaError, MeterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codecarbon.output_methods.emissions_data import EmissionsData

    from green_optuna.energy.measurement import Source
    from green_optuna.energy.options import TrackingMode
    from green_optuna.energy.process import CpuTimeEstimate


class CodeCarbonMeter:
    """A meter that reads one CodeCarbon tracker.

    Args:
        options: How to measure.
    """

    min_interval_s = FLUSH_GUARD_S

    def __init__(self, options: MeterOptions | None = None) -> None:
        self.options = options or MeterOptions()
        self._tracker: Any = None
        self._received: EmissionsData | None = None
        self._sources: Mapping[str, Source] = {}
        self._total = ComponentEnergy()
        # The estimate from CPU time, and what it gave since the last reading.
        self._cpu_estimate: CpuTimeEstimate | None = None
        self._estimated_cpu_kwh = 0.0
        # CodeCarbon's own totals at the last reading, when it was asked for and when the
        # measurement ended.
        self._flushed = ComponentEnergy()
        self._asked_at_s = self._ended_at_s = 0.0

    @property
    def sample_interval_s(self) -> float:
        """How often to read while a trial runs, in s."""
        return self.options.sample_interval_s

    @property
    def sources(self) -> Mapping[str, Source]:
        """Where each component's energy comes from; empty before :meth:`start`."""
        return self._sources

    def start(self) -> None:
        """Probe the hardware (1 to 3 s, the first time in a process) and begin to count.

        Raises:
            MeterError: CodeCarbon found nothing that it can measure or estimate.
            OptionError: CodeCarbon does not find the GPUs that were asked for.
        """
        self.stop()
        self._total = self._flushed = ComponentEnergy()
        self._estimated_cpu_kwh = 0.0
        with silenced():
            self._tracker, mode = make_tracker(self.options, self._gpu_ids(), self._receive)
            self._tracker.start()
        try:
            self._inspect(getattr(self._tracker, "_hardware", None), mode)
            self._asked_at_s = self._ended_at_s = self._measured_at_s()
            # The first flush bears CodeCarbon's lazy imports. After a pause, the next reading
            # is a measurement, and leaves nothing of all this for a trial.
            self.read()
            time.sleep(FLUSH_GUARD_S)
        except GreenOptunaError:
            self.stop()
            raise

    def read(self) -> ComponentEnergy:
        """Give the energy since :meth:`start`, in kWh per component.

        Raises:
            MeterError: CodeCarbon, which swallows its own exceptions, handed over nothing.
        """
        asked_at_s = time.perf_counter()
        if self._cpu_estimate is not None:
            self._estimated_cpu_kwh += self._cpu_estimate.take_kwh()
        totals, counted_until_s = self._flush()
        ended_at_s = self._measured_at_s()
        # Else it was too soon after the last one, and nothing was measured.
        if ended_at_s > self._ended_at_s:
            counted_s = counted_until_s - self._ended_at_s
            self._add(totals, (asked_at_s - self._asked_at_s) / counted_s if counted_s > 0 else 1.0)
            self._asked_at_s, self._ended_at_s = asked_at_s, ended_at_s
        return self._total

    def stop(self) -> None:
        """End the tracker; harmless when repeated."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            tracker.stop()

    def _inspect(self, hardware: Any, mode: TrackingMode) -> None:  # noqa: ANN401 - CodeCarbon's own
        """Find out what CodeCarbon measures, and how.

        Raises:
            MeterError: It cannot be told.
            OptionError: GPUs that were asked for are not there.
        """
        sources = sources_of(hardware, mode)
        check_gpus_found(self.options.gpu_ids, hardware)
        if self._gpu_ids() == []:
            # Any tracker but the first of a process takes an empty list for all GPUs.
            sources.pop("gpu", None)
        self._sources = sources
        self._cpu_estimate = cpu_time_estimate(hardware) if mode == "process" else None

    def _gpu_ids(self) -> list[int | str] | None:
        return gpus_to_count(self.options.gpu_ids, os.environ.get("CUDA_VISIBLE_DEVICES"))

    def _flush(self) -> tuple[EmissionsData, float]:
        """Give CodeCarbon's totals, and when it was asked for them in s.

        Raises:
            MeterError: It handed over nothing.
        """
        self._received = None
        flushed_at_s = time.perf_counter()
        if self._tracker is not None:
            self._tracker.flush()
            # Every second it notes the load, and each flush takes the mean of all since the
            # start: 17 ms after a week. Nobody reads it here.
            getattr(self._tracker, "_clear_utilization_history", lambda: None)()
        if self._received is None:
            raise MeterError(
                "CodeCarbon gave no reading: its tracker was never started, has stopped, or "
                "failed silently. Start this process again, with "
                'logging.getLogger("codecarbon").setLevel("DEBUG") once the meter has started '
                "to see what CodeCarbon says."
            )
        return self._received, flushed_at_s

    def _measured_at_s(self) -> float:
        """Give when CodeCarbon's latest measurement ended, in s."""
        # Our own clock, for want of theirs, is late by what follows a measurement: 0.2 ms.
        return float(getattr(self._tracker, "_last_measured_time", time.perf_counter()))

    def _add(self, totals: EmissionsData, stretch: float) -> None:
        """Add the interval that ends with CodeCarbon's new totals.

        What is neither a counter nor ours is a mean power times the time since CodeCarbon's
        last measurement *ended*. A measurement takes from half a millisecond to a tenth of a
        second, where the user's threads hold Python's lock: up to a tenth of the energy would
        be lost. Counters, which run on meanwhile, lose nothing.

        Args:
            totals: CodeCarbon's totals.
            stretch: The whole interval's length by that which CodeCarbon counted.
        """
        gpu_kwh = totals.gpu_energy if "gpu" in self._sources else 0.0
        flushed = ComponentEnergy(totals.cpu_energy, gpu_kwh, totals.ram_energy)
        energy, self._flushed = (flushed - self._flushed).to_dict(), flushed
        for component, source in self._sources.items():
            if source.name not in COUNTERS:
                energy[component] *= stretch
        if self._cpu_estimate is not None:
            energy["cpu"], self._estimated_cpu_kwh = self._estimated_cpu_kwh, 0.0
        self._total += ComponentEnergy.from_dict(energy)

    def _receive(self, totals: EmissionsData) -> None:
        self._received = totals
