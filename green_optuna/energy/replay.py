"""A meter whose truth is known: it replays given powers, for tests and for teaching."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.energy.curves import Power, as_curve
from green_optuna.energy.measurement import COMPONENTS, ComponentEnergy, Source
from green_optuna.units import kwh_from_joules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from green_optuna.energy.curves import Curve


@dataclass(slots=True, kw_only=True)
class ReplayMeter:
    """A machine with a given power over time; its energy is exact at every moment.

    A power is constant, in W; or a sequence of ``(from_s, watts)`` steps: from ``from_s`` seconds
    after the start on, the power is ``watts``, until the next step; or one of the curves of
    :mod:`green_optuna.energy.curves`.

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

    cpu_w: Power = 0.0
    gpu_w: Power = 0.0
    ram_w: Power = 0.0
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
            self._curve(component)

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
        return {component: self._curve(component).joules_until(t_s) for component in COMPONENTS}

    def _curve(self, component: str) -> Curve:
        return as_curve(getattr(self, f"{component}_w"), f"{component}_w")
