"""From a machine whose truth is known to each trial: every share is the integral's.

The whole way is taken: windows, the accounts of each process, and the account that the processes
of the host keep together. Only the hardware is replayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.energy import ComponentEnergy, Sampler, Source
from green_optuna.energy.charge import Charge
from green_optuna.energy.curves import Bursts, Constant, Curve, Ramp, Steps
from green_optuna.energy.host import Host
from green_optuna.energy.machine import ReplayClock, ReplayMachine, TrialSpan
from green_optuna.energy.member import CPU, Channel
from green_optuna.energy.readings import Readings
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from green_optuna.energy import Window

RAM_W, GPU_W, IDLE_W = 6.0, 40.0, 25.0
WRAPS_AT_J = 3000.0
NAMES = ("a", "b", "c")


@dataclass
class HostMeter:
    """The meter of one process on a replayed machine, whose host's account all of them keep.

    Attributes:
        machine: The machine.
        host: The account.
        name: The process.
    """

    machine: ReplayMachine
    host: Host
    name: str
    sample_interval_s: float = 1.0
    min_interval_s: float = 0.0
    sources: dict[str, Source] = field(default_factory=dict)
    charge: Charge = field(default_factory=Charge)

    def start(self) -> None:
        """Take part."""
        self.host.join(self.name, self.machine.clock(), pools=[CPU, "gpu:0"], ram_w=RAM_W)

    def set_running(self, running: int) -> None:
        """Pass it on."""
        self.host.set_running(self.name, self.machine.clock(), running)

    def read_charge(self) -> Charge:
        """Read the counters, and settle for all."""
        joules = self.machine.joules_until(self.machine.now_s)
        channels = [
            Channel("0", CPU, joules["cpu"] % WRAPS_AT_J, WRAPS_AT_J),
            Channel("gpu:0", "gpu:0", 1.0 + joules["gpu"]),
        ]
        cpu_s = {name: self.machine.cpu_s(name) for name in NAMES}
        self.host.settle(self.machine.clock(), channels, cpu_s, self.machine.busy_cpu_s())
        self.charge += self.host.members[self.name].collect()
        return self.charge

    def read(self) -> ComponentEnergy:
        """Give this process's part."""
        return self.read_charge().total

    def stop(self) -> None:
        """Do nothing."""


cores = st.one_of(
    st.builds(Constant, st.floats(0.0, 4.0)),
    st.builds(
        Ramp,
        from_w=st.floats(0.0, 4.0),
        to_w=st.floats(0.0, 4.0),
        end_s=st.floats(0.5, 20.0),
    ),
    st.builds(
        Bursts,
        period_s=st.floats(0.1, 3.0),
        duty=st.floats(0.0, 1.0),
        high_w=st.floats(1.0, 4.0),
        low_w=st.floats(0.0, 1.0),
    ),
    st.builds(lambda a, b: Steps([(0.0, a), (4.0, b)]), st.floats(0, 4), st.floats(0, 4)),
)
# When to go on, whose turn it is, and whether a trial of its begins or its oldest one ends.
steps = st.lists(
    st.tuples(st.floats(0.01, 2.5), st.sampled_from(NAMES), st.booleans()), min_size=2, max_size=14
)


class Workers:
    """Three processes on one replayed machine, which has been seen at rest before.

    Args:
        curves: How many cores each keeps busy.
        core_w: Power of a busy core above idle, in W.
    """

    def __init__(self, curves: tuple[Curve, ...], core_w: float) -> None:
        self.clock = ReplayClock()
        self.machine = ReplayMachine(
            processes=dict(zip(NAMES, curves, strict=True)),
            core_w=core_w,
            idle_w=IDLE_W,
            gpu_w=GPU_W,
            ram_w=RAM_W,
            clock=self.clock,
        )
        host = Host(0.0, idle_w=IDLE_W)
        self.readings = {
            name: Readings(
                HostMeter(self.machine, host, name),
                clock=self.clock,
                cpu_clock=self.machine.cpu_clock(name),
            )
            for name in NAMES
        }
        for one in self.readings.values():
            one.start()
        self.running: dict[str, list[tuple[Window, float]]] = {name: [] for name in NAMES}
        self.ended: list[tuple[Window, TrialSpan]] = []

    def wait(self, s: float) -> None:
        """Let time pass; each process reads once a second while a trial of its runs."""
        until_s = self.clock.now_s + s
        while (next_s := min(self._wanted().values(), default=math.inf)) <= until_s:
            self.clock.now_s = max(next_s, self.clock.now_s)
            for name, at_s in self._wanted().items():
                if at_s <= self.clock.now_s:
                    assert self.readings[name].take_if_due()
        self.clock.now_s = until_s

    def begin(self, name: str) -> None:
        """Begin a trial in a process."""
        self.running[name].append((self.readings[name].open(), self.machine.now_s))

    def end(self, name: str) -> None:
        """End the oldest trial of a process."""
        window, began_s = self.running[name].pop(0)
        assert self.readings[name].settle(self.readings[name].end(window))
        self.ended.append((window, TrialSpan(name, began_s, self.machine.now_s)))

    def charged_j(self, component: str) -> float:
        """All that was charged, to trials and for what passed between them, in J."""
        trials_kwh = [window.energy.to_dict()[component] for window, _ in self.ended]
        between_kwh = [one.take_overhead().to_dict()[component] for one in self.readings.values()]
        return joules_from_kwh(math.fsum([*trials_kwh, *between_kwh]))

    def _wanted(self) -> dict[str, float]:
        wanted = {name: one.wanted_at_s for name, one in self.readings.items()}
        return {name: at_s for name, at_s in wanted.items() if at_s is not None}


@given(st.tuples(cores, cores, cores), steps, st.floats(1.0, 60.0))
def test_for_any_overlap_every_trial_is_charged_its_integral(
    curves: tuple[Curve, ...], schedule: list[tuple[float, str, bool]], core_w: float
) -> None:
    """Three processes, any number of trials each, any load: each share is the closed form's.

    And no joule counts twice: with what passed between trials, the sum is the machine's at most.
    """
    workers = Workers(curves, core_w)
    for wait_s, name, begins in schedule:
        workers.wait(wait_s)
        if begins or not workers.running[name]:
            workers.begin(name)
        else:
            workers.end(name)
    workers.wait(0.7)
    for name in NAMES:
        while workers.running[name]:
            workers.end(name)
    shares = workers.machine.charged_j([span for _, span in workers.ended])
    for (window, _), share in zip(workers.ended, shares, strict=True):
        for component, kwh in window.energy.to_dict().items():
            assert joules_from_kwh(kwh) == pytest.approx(share[component], rel=1e-6, abs=1e-6)
    total = workers.machine.joules_until(workers.machine.now_s)
    assert workers.charged_j("cpu") <= total["cpu"] * (1 + 1e-9)
    assert workers.charged_j("gpu") <= total["gpu"] * (1 + 1e-9)
    assert workers.charged_j("ram") <= total["ram"] * (1 + 1e-9)


def test_what_was_spent_can_be_read_at_once() -> None:
    """A reading younger than 50 ms is as good as new, unless one is wanted at once."""
    workers = Workers((Constant(1.0), Constant(0.0), Constant(0.0)), 10.0)
    host = Host(0.0, idle_w=IDLE_W)
    sampler = Sampler(
        HostMeter(workers.machine, host, "a"),
        clock=workers.clock,
        cpu_clock=workers.machine.cpu_clock("a"),
    )
    window = sampler.open()
    workers.clock.now_s += 1.0
    assert sampler.spent(window)[1] == pytest.approx(1.0)
    before = window.energy.total_kwh
    workers.clock.now_s += 0.02
    assert sampler.spent(window)[0] == before
    spent_kwh, t_s = sampler.spent(window, at_once=True)
    assert t_s == pytest.approx(1.02)
    assert spent_kwh == pytest.approx(before * 1.02)
    sampler.close(window, go.Grid(carbon_intensity_g_per_kwh=1.0))
