"""The CodeCarbon meter: its counters and estimates, shared with the other workers of the host.

CodeCarbon finds the hardware, reads its counters and estimates where there are none. Its
trackers are not used beyond that: each counts the whole machine anew, their tasks can neither
overlap nor give a trace, and they answer at most every 50 ms. Here the states of the counters
are read, and all the processes of the host that do so share out what they say
(:mod:`green_optuna.energy.host`). Every argument is passed, so that no configuration file and no
``CODECARBON_*`` variable changes a figure; no file of CodeCarbon's is written, none of its
threads runs, and nothing is sent.

Where a process is tracked rather than the machine, CodeCarbon's law (rated power x CPU time /
processors) is followed with a cumulative clock
(:class:`~green_optuna.energy.process.CpuTimeEstimate`): CodeCarbon's own goes through all
processes of the host at each reading, and misses what is shorter than a tick of 10 ms.
"""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Any

from green_optuna.energy.board import Board
from green_optuna.energy.channels import memory_w, package_files, read_channels
from green_optuna.energy.charge import Charge
from green_optuna.energy.dram import RESOLUTION_S, dram_channels, dram_counters
from green_optuna.energy.hardware import (
    check_gpus_found,
    cpu_time_estimate,
    gpus_to_count,
    sources_of,
)
from green_optuna.energy.host import IDLE_SPAN_S, Host
from green_optuna.energy.measurement import ComponentEnergy, Source
from green_optuna.energy.member import CPU
from green_optuna.energy.options import MeterOptions
from green_optuna.energy.process import (
    machine_busy_s,
    other_tree_time,
    own_tree_time,
    process_name,
)
from green_optuna.energy.silent import find_hardware, silenced
from green_optuna.errors import GreenOptunaError, MeterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.energy.options import TrackingMode
    from green_optuna.energy.process import CpuTimeEstimate

# A counter that takes longer to step is read when it is due, and not waited for.
_MAX_INTERVAL_S = 0.1


class CodeCarbonMeter:
    """A meter that reads what CodeCarbon finds on this host.

    Args:
        options: How to measure.
        board: Where the workers of this host meet; in a file unless given.
    """

    def __init__(self, options: MeterOptions | None = None, *, board: Board | None = None) -> None:
        self.options = options or MeterOptions()
        self._board = board or Board()
        self._name = ""
        self._pid = 0
        self._pools: list[str] = []
        self._hardware: list[Any] = []
        self._sources: dict[str, Source] = {}
        # Whether the processors' energy is the machine's, to be shared with the others.
        self._shares_cpu = False
        self._cpu_estimate: CpuTimeEstimate | None = None
        # The memory's counters, where it has some, else its estimated power.
        self._dram: list[Any] = []
        self._ram_w = 0.0
        self._running = 0
        self._read_at_s = -math.inf
        self._charge = Charge()

    @property
    def sample_interval_s(self) -> float:
        """How often to read while a trial runs, in s."""
        return self.options.sample_interval_s

    @property
    def min_interval_s(self) -> float:
        """How long the slowest counter takes for a step, at most 0.1 s; 0 for estimates."""
        steps_s = (source.resolution_s for source in self._sources.values())
        return min(max(steps_s, default=0.0), _MAX_INTERVAL_S)

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
        self._charge, self._running, self._read_at_s = Charge(), 0, -math.inf
        with silenced():
            gpu_ids = gpus_to_count(self.options.gpu_ids, os.environ)
            hardware, mode = find_hardware(self.options, gpu_ids)
            self._inspect(hardware, mode, counts_gpus=gpu_ids != [])
            for item in self._hardware:
                item.start()
        try:
            self._join()
            # The first reading bears CodeCarbon's lazy imports. The second one sees this host
            # at rest, as far as it is.
            self.read()
            if self._shares_cpu:
                time.sleep(IDLE_SPAN_S * 1.2)
            self.read()
        except GreenOptunaError:
            self.stop()
            raise

    def set_running(self, running: int) -> None:
        """Note how many trials of this process run from now on."""
        if self._is_a_copy():
            return
        with self._board.turn() as (host, now_s):
            self._take_part(host, now_s)
            host.set_running(self._name, now_s, running)
        self._running = running

    def read(self) -> ComponentEnergy:
        """Give this process's part of the energy since :meth:`start`, in kWh per component.

        Raises:
            MeterError: The meter was never started or has stopped, or a counter does not count.
        """
        return self.read_charge().total

    def read_charge(self) -> Charge:
        """Give the same in the parts that decide which trial of this process pays.

        Raises:
            MeterError: The meter was never started or has stopped, or a counter does not count.
        """
        if not self._name:
            raise MeterError("The meter gives no reading: it was never started, or has stopped.")
        if self._is_a_copy():
            return self._charge
        with self._board.turn() as (host, now_s):
            self._take_part(host, now_s)
            channels = self._channels(now_s)
            cpu_s = self._cpu_times(host)
            busy_s = machine_busy_s() if self._shares_cpu else 0.0
            try:
                host.settle(now_s, channels, cpu_s, busy_s)
            finally:
                # What could be settled is this process's, whatever else went wrong; but if it
                # was stopped meanwhile, the others have gone on and settle the same for all.
                charge = host.members[self._name].collect()
                if self._board.is_current():
                    self._charge += charge
        if self._cpu_estimate is not None:
            estimated_kwh = self._cpu_estimate.take_kwh(cpu_s[self._name])
            self._charge += Charge(dynamic=ComponentEnergy(cpu_kwh=estimated_kwh))
        return self._charge

    def stop(self) -> None:
        """Leave the other workers of the host; harmless when repeated."""
        name, self._name = self._name, ""
        if name and not self._is_a_copy():
            with self._board.turn() as (host, now_s):
                host.advance(now_s)
                host.leave([name])
            self._board.close()

    def _is_a_copy(self) -> bool:
        """Tell whether this is a forked child, and the part its parent's, which goes on."""
        return self._pid != os.getpid()

    def _inspect(self, hardware: Any, mode: TrackingMode, *, counts_gpus: bool) -> None:  # noqa: ANN401 - CodeCarbon's own
        """Find out what CodeCarbon measures, and how.

        Raises:
            MeterError: It cannot be told.
            OptionError: GPUs that were asked for are not there.
        """
        sources = sources_of(hardware, mode)
        check_gpus_found(self.options.gpu_ids, hardware)
        if not counts_gpus:
            # CodeCarbon takes an empty list for all GPUs.
            sources.pop("gpu", None)
        self._sources = sources
        self._cpu_estimate = cpu_time_estimate(hardware) if mode == "process" else None
        self._shares_cpu = self._cpu_estimate is None
        self._dram = [] if self.options.ram_power_w else dram_counters(package_files(hardware))
        if self._dram:
            memory = Source("RAPL, memory", measured=True, resolution_s=RESOLUTION_S)
            self._sources["ram"] = memory
        # Counted or estimated, but not both.
        self._ram_w = 0.0 if self._dram else memory_w(hardware)
        left_out = set() if self._shares_cpu else {"CPU"}
        left_out |= set() if "gpu" in sources else {"GPU"}
        self._hardware = [one for one in hardware if type(one).__name__ not in left_out]

    def _join(self) -> None:
        self._pid = os.getpid()
        self._name = process_name(self._pid) or str(self._pid)
        with self._board.turn() as (host, now_s):
            self._pools = sorted({channel.pool for channel in self._channels(now_s)})
            self._take_part(host, now_s)

    def _take_part(self, host: Host, now_s: float) -> None:
        """Let go of the workers that have ended, and be among the rest."""
        host.advance(now_s)
        host.leave([name for name in host.members if not self._lives(name)])
        own = host.members.get(self._name)
        # Another meter of this process may have been here before, and count other hardware.
        if own is None or not own.counts(self._pools, self._ram_w):
            host.leave([self._name])
            host.join(self._name, now_s, pools=self._pools, ram_w=self._ram_w)
            host.set_running(self._name, now_s, self._running)

    def _lives(self, name: str) -> bool:
        return name == self._name or process_name(_pid_of(name)) == name

    def _channels(self, now_s: float) -> list[Any]:
        elapsed_s = now_s - self._read_at_s if math.isfinite(self._read_at_s) else 0.0
        self._read_at_s = now_s
        return [*read_channels(self._hardware, elapsed_s), *dram_channels(self._dram)]

    def _cpu_times(self, host: Host) -> dict[str, float]:
        """Give the CPU time in s of this process and its children, and of those it settles for."""
        members = {_pid_of(name) for name in host.members}
        own = host.members[self._name]
        children = host.recent_children()
        cpu_s = {self._name: own.own_cpu_s(own_tree_time(members, children=children))}
        for name, member in host.members.items():
            if self._shares_cpu and name != self._name and CPU in member.pools:
                time_s = other_tree_time(_pid_of(name), members, children=children)
                if time_s is not None:
                    cpu_s[name] = member.own_cpu_s(time_s)
        return cpu_s


def _pid_of(name: str) -> int:
    return int(name.partition(":")[0])
