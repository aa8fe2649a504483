"""A meter whose truth is known: it replays given powers, for tests and for teaching."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.energy.measurement import COMPONENTS, ComponentEnergy, Source
from green_optuna.errors import OptionError
from green_optuna.units import kwh_from_joules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(slots=True, kw_only=True)
class ReplayMeter:
    """A machine with a given power over time; its energy is exact at every moment.

    A power is either constant, in W, or a sequence of ``(from_s, watts)`` steps: from
    ``from_s`` seconds after the start on, the power is ``watts``, until the next step.

    Attributes:
        cpu_w: Power of the processors in W.
        gpu_w: Power of the accelerators in W.
        ram_w: Power of the memory in W.
        sample_interval_s: Time between two points of a trace, in s.
        min_interval_s: Readings closer together than this, in s, repeat the one before.
        clock: Gives the time in s; the process's own unless given.

    Example:
        A machine of 50 W that draws 100 W from the tenth second on:

        >>> meter = ReplayMeter(cpu_w=[(0.0, 50.0), (10.0, 100.0)])
        >>> meter.joules_at(20.0)["cpu"]
        1500.0
    """

    cpu_w: float | Sequence[tuple[float, float]] = 0.0
    gpu_w: float | Sequence[tuple[float, float]] = 0.0
    ram_w: float | Sequence[tuple[float, float]] = 0.0
    sample_interval_s: float = 1.0
    min_interval_s: float = 0.0
    clock: Callable[[], float] = time.perf_counter
    _started_at: float | None = field(default=None, init=False, repr=False)
    _reading: ComponentEnergy | None = field(default=None, init=False, repr=False)
    _reading_at: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the powers.

        Raises:
            OptionError: A power is negative or not finite, or its steps are out of order.
        """
        for component in COMPONENTS:
            steps = self._steps(component)
            starts = [start for start, _ in steps]
            ordered = all(a <= b for a, b in itertools.pairwise(starts))
            if not ordered or starts[:1] != [0.0]:
                raise OptionError(
                    f"{component}_w starts its steps at {starts}: begin at 0 and go upwards."
                )
            for _, watts in steps:
                if not (math.isfinite(watts) and watts >= 0):
                    raise OptionError(f"{component}_w has a power of {watts!r} W: give 0 or more.")

    @property
    def sources(self) -> Mapping[str, Source]:
        """All components are replayed, which counts as estimated: no hardware was read."""
        return {component: Source("replay", measured=False) for component in COMPONENTS}

    def start(self) -> None:
        """Set the clock to zero."""
        self._started_at = self.clock()
        self._reading = None

    def read(self) -> ComponentEnergy:
        """Give the exact energy since :meth:`start`, in kWh per component.

        Within ``min_interval_s`` of a reading, that one is given again.
        """
        now = self.clock()
        if self._started_at is None:
            self._started_at = now
        if self._reading is None or now >= self._reading_at + self.min_interval_s:
            joules = self.joules_at(now - self._started_at)
            self._reading = ComponentEnergy.from_dict(
                {component: kwh_from_joules(j) for component, j in joules.items()}
            )
            self._reading_at = now
        return self._reading

    def stop(self) -> None:
        """Do nothing: there is nothing to release."""

    def joules_at(self, t_s: float) -> dict[str, float]:
        """Integrate each component's power from zero to ``t_s`` seconds, in J."""
        return {component: self._integral(component, t_s) for component in COMPONENTS}

    def _steps(self, component: str) -> list[tuple[float, float]]:
        power = getattr(self, f"{component}_w")
        return [(0.0, float(power))] if isinstance(power, int | float) else list(power)

    def _integral(self, component: str, t_s: float) -> float:
        steps = self._steps(component)
        ends = [start for start, _ in steps[1:]] + [math.inf]
        return sum(
            watts * (min(end, t_s) - start)
            for (start, watts), end in zip(steps, ends, strict=True)
            if start < t_s
        )
