"""A machine whose truth is known, with the processes that run on it: who should pay for what.

A counter such as RAPL counts for the whole machine. How its energy is to be divided among the
trials that run on it can only be checked on a machine of which more is known than a counter
tells: what each process draws at each moment. This is one. It is driven by a clock that a test
moves, and nothing in it is drawn at random.

The rule that it stands for is the project's own: a trial pays for what its process makes the
processors draw above idle, and, with the other trials that run at that moment, evenly for what
the machine draws whatever runs on it. What falls where no trial runs, and what processes without
a trial make the processors draw, is no trial's.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from green_optuna.energy.curves import Constant, Sum, as_curve
from green_optuna.energy.measurement import COMPONENTS, ComponentEnergy, Source
from green_optuna.errors import OptionError
from green_optuna.units import kwh_from_joules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from green_optuna.energy.curves import Curve, Power

_NOTHING_J: Mapping[str, float] = dict.fromkeys(COMPONENTS, 0.0)


@dataclass(slots=True)
class ReplayClock:
    """A clock that stands still until it is moved; call it to read it.

    Attributes:
        now_s: What it shows, in s.
    """

    now_s: float = 0.0

    def __call__(self) -> float:
        """Read the clock, in s."""
        return self.now_s

    def advance(self, s: float) -> None:
        """Move it forward by a time in s."""
        self.now_s += s


@dataclass(frozen=True, slots=True)
class TrialSpan:
    """A trial, as the machine sees it.

    Attributes:
        process: The name of the process that runs it.
        began_s: When it begins, in s since the machine did.
        ended_s: When it ends.
    """

    process: str
    began_s: float
    ended_s: float


class ReplayMachine:
    """A machine with given powers, and processes that keep its cores busy as given.

    A power is constant, in W, a sequence of ``(from_s, watts)`` steps, or one of the curves of
    :mod:`green_optuna.energy.curves`; a number of busy cores likewise. All of them begin with
    the machine, which is when it is made.

    Args:
        processes: How many cores each process keeps busy over time, by its name. One that never
            has a trial is the rest of the machine's load.
        core_w: What a busy core draws above idle, in W: the energy in J of a second of CPU time,
            alike for all processes.
        idle_w: What the processors draw with no core busy, in W.
        gpu_w: Power of the accelerators in W.
        ram_w: Power of the memory in W.
        clock: Gives the time in s; one that stands still unless given. For a machine that is
            seen from several real processes, pickle one with ``time.monotonic``.

    Raises:
        OptionError: A curve is impossible, such as one that is negative.

    Example:
        Two processes on a machine of 20 W, the first of which has a trial for ten seconds:

        >>> clock = ReplayClock()
        >>> cores = {"worker": 1.0, "other": 3.0}
        >>> machine = ReplayMachine(processes=cores, core_w=10.0, idle_w=20.0, clock=clock)
        >>> clock.advance(10.0)
        >>> machine.joules_until(machine.now_s)["cpu"]
        600.0
        >>> machine.charged_j([TrialSpan("worker", 0.0, 10.0)])[0]["cpu"]
        300.0
    """

    def __init__(
        self,
        *,
        processes: Mapping[str, Power],
        core_w: Power = 10.0,
        idle_w: Power = 0.0,
        gpu_w: Power = 0.0,
        ram_w: Power = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.clock = clock or ReplayClock()
        self._cores = {
            name: as_curve(cores, f"processes[{name!r}]") for name, cores in processes.items()
        }
        self._all_cores = Sum(tuple(self._cores.values()))
        self._core_w = as_curve(core_w, "core_w")
        # What is drawn whatever runs, by component.
        self._standing = {
            "cpu": as_curve(idle_w, "idle_w"),
            "gpu": as_curve(gpu_w, "gpu_w"),
            "ram": as_curve(ram_w, "ram_w"),
        }
        self._began_at_s = self.clock()

    @property
    def now_s(self) -> float:
        """How old the machine is, in s."""
        return self.clock() - self._began_at_s

    def joules_until(self, t_s: float) -> dict[str, float]:
        """Give what the machine has used in its first ``t_s`` seconds, in J per component."""
        joules = {name: curve.joules_until(t_s) for name, curve in self._standing.items()}
        joules["cpu"] += integral_of_product(self._core_w, self._all_cores, 0.0, max(t_s, 0.0))
        return joules

    def cpu_s(self, process: str) -> float:
        """Give the CPU time that a process has used up to now, in s.

        Raises:
            OptionError: There is no such process.
        """
        return self._cores[self._checked(process)].joules_until(self.now_s)

    def busy_cpu_s(self) -> float:
        """Give the CPU time that all processes have used up to now, in s."""
        return self._all_cores.joules_until(self.now_s)

    def cpu_clock(self, process: str) -> Callable[[], float]:
        """Give a clock of a process's CPU time, in s, as a sampler wants one.

        Raises:
            OptionError: There is no such process.
        """
        return functools.partial(self.cpu_s, self._checked(process))

    def meter(
        self, process: str, *, sample_interval_s: float = 1.0, min_interval_s: float = 0.0
    ) -> MachineMeter:
        """Give a meter for a process, which counts for the whole machine as real ones do.

        Args:
            process: Who reads it.
            sample_interval_s: Time between two points of a trace, in s.
            min_interval_s: Readings closer together than this, in s, repeat the one before.

        Raises:
            OptionError: There is no such process.
        """
        return MachineMeter(
            self,
            self._checked(process),
            sample_interval_s=sample_interval_s,
            min_interval_s=min_interval_s,
        )

    def charged_j(self, trials: Sequence[TrialSpan]) -> list[dict[str, float]]:
        """Give what each of some trials should be charged, in J per component.

        Its process's energy above idle at each moment, which the trials of one process share
        evenly; and an even part, among all trials that run at that moment, of what the machine
        draws at idle, of the memory's energy and of the accelerators'.

        Args:
            trials: All trials that ever run on the machine.

        Raises:
            OptionError: A trial's process is not there.
        """
        charged: list[dict[str, float]] = [{**_NOTHING_J} for _ in trials]
        moments = {at_s for trial in trials for at_s in (trial.began_s, trial.ended_s)}
        for from_s, until_s in itertools.pairwise(sorted(moments)):
            running = [
                index
                for index, trial in enumerate(trials)
                if trial.began_s <= from_s and until_s <= trial.ended_s
            ]
            for index in running:
                process = self._checked(trials[index].process)
                beside = sum(trials[one].process == process for one in running)
                for component, curve in self._standing.items():
                    joules = curve.joules_until(until_s) - curve.joules_until(from_s)
                    charged[index][component] += joules / len(running)
                dynamic = integral_of_product(self._core_w, self._cores[process], from_s, until_s)
                charged[index]["cpu"] += dynamic / beside
        return charged

    def _checked(self, process: str) -> str:
        if process not in self._cores:
            raise OptionError(f"The machine has no process {process!r}, only {[*self._cores]}.")
        return process


class MachineMeter:
    """A meter of a :class:`ReplayMachine`, made by :meth:`ReplayMachine.meter`.

    Args:
        machine: The machine.
        process: Who reads it.
        sample_interval_s: Time between two points of a trace, in s.
        min_interval_s: Readings closer together than this, in s, repeat the one before.
    """

    def __init__(
        self,
        machine: ReplayMachine,
        process: str,
        *,
        sample_interval_s: float,
        min_interval_s: float,
    ) -> None:
        self.machine = machine
        self.process = process
        self.sample_interval_s = sample_interval_s
        self.min_interval_s = min_interval_s
        self._started: Mapping[str, float] = _NOTHING_J
        self._reading = ComponentEnergy()
        self._read_at_s: float | None = None

    @property
    def sources(self) -> Mapping[str, Source]:
        """All components are replayed, which counts as estimated: no hardware was read."""
        return {component: Source("replay", measured=False) for component in COMPONENTS}

    def start(self) -> None:
        """Count from now on."""
        self._started = self.machine.joules_until(self.machine.now_s)
        self._reading, self._read_at_s = ComponentEnergy(), None

    def read(self) -> ComponentEnergy:
        """Give what the machine used since :meth:`start`, in kWh per component."""
        now_s = self.machine.now_s
        if self._read_at_s is None or now_s >= self._read_at_s + self.min_interval_s:
            total, last = self.machine.joules_until(now_s), self._reading.to_dict()
            self._reading = ComponentEnergy.from_dict(
                {
                    # Where two curves are multiplied, a rounding may take off the last digit.
                    name: max(kwh_from_joules(total[name] - self._started[name]), last[name])
                    for name in COMPONENTS
                }
            )
            self._read_at_s = now_s
        return self._reading

    def stop(self) -> None:
        """Do nothing: there is nothing to release."""


def integral_of_product(first: Curve, second: Curve, from_s: float, until_s: float) -> float:
    """Integrate the product of two curves, such as W per busy core and busy cores.

    Exact: between two corners the product is a parabola, of which two points tell the integral
    (Gauss-Legendre, exact up to the third power), and neither lies on a jump.

    Args:
        first: A curve.
        second: Another.
        from_s: Where to begin, in s.
        until_s: Where to end, in s; not before ``from_s``.
    """
    if isinstance(first, Constant):
        return first.watts * (second.joules_until(until_s) - second.joules_until(from_s))
    corners = {*first.corners(from_s, until_s), *second.corners(from_s, until_s)}
    total = 0.0
    for begin_s, end_s in itertools.pairwise(sorted({from_s, until_s, *corners})):
        middle_s, half_s = (begin_s + end_s) / 2, (end_s - begin_s) / 2
        for t_s in (middle_s - half_s / math.sqrt(3), middle_s + half_s / math.sqrt(3)):
            total += half_s * first.watts_at(t_s) * second.watts_at(t_s)
    return total
