"""The window of one trial on a meter's readings: what it has used so far, and its trace."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.energy.fingerprint import hardware_fingerprint
from green_optuna.energy.measurement import ComponentEnergy, Measurement, Trace
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.carbon import Grid
    from green_optuna.energy.measurement import Source
    from green_optuna.energy.process import ThreadClock


@dataclass(eq=False, slots=True)
class Window:
    """The account of one trial; a :class:`~green_optuna.energy.Sampler` opens and credits it.

    Attributes:
        started_at_s: When it opened, in s on the sampler's clock.
        started_at: When it opened, in s since the epoch.
        shared: Whether it ever ran beside another window.
        energy: What it has been credited with so far, in kWh per component.
        thread: The CPU time of the thread that opened it, where that is asked for.
        ours_in: That thread, where it was about work of this library's, which goes on once the
            window ends.
    """

    started_at_s: float
    started_at: float
    shared: bool = False
    energy: ComponentEnergy = field(default_factory=ComponentEnergy)
    thread: ThreadClock | None = None
    ours_in: int | None = None
    _uncharted: ComponentEnergy = field(default_factory=ComponentEnergy)
    _points: list[tuple[float, ...]] = field(default_factory=list)

    def credit(self, energy: ComponentEnergy) -> None:
        """Add this window's share of an interval's energy."""
        self.energy += energy
        self._uncharted += energy

    def chart(self, now_s: float, *, min_span_s: float = 0.0) -> None:
        """Add a point to the trace at ``now_s`` on the sampler's clock.

        Nothing is added within ``min_span_s`` of the last point: the boundaries of other
        windows cut intervals short, and the mean power over a few ms says little. What was
        credited meanwhile goes into the next point.
        """
        t_s = now_s - self.started_at_s
        span_s = t_s - (self._points[-1][0] if self._points else 0.0)
        if span_s <= 0 or span_s < min_span_s:
            return
        spent, self._uncharted = self._uncharted, ComponentEnergy()
        powers_w = [
            joules_from_kwh(kwh) / span_s for kwh in (spent.cpu_kwh, spent.gpu_kwh, spent.ram_kwh)
        ]
        self._points.append((t_s, *powers_w, self.energy.total_kwh))

    def measurement(
        self, duration_s: float, *, grid: Grid, sources: Mapping[str, Source]
    ) -> Measurement:
        """Give the account up to now as a frozen result.

        Args:
            duration_s: How long the trial has taken, in s.
            grid: What turns the energy into CO2e.
            sources: Where each component's energy comes from.
        """
        return Measurement(
            energy=self.energy,
            duration_s=duration_s,
            grid=grid,
            sources=dict(sources),
            host=platform.node(),
            fingerprint=hardware_fingerprint(),
            shared=self.shared,
            trace=Trace.from_points(list(self._points)),
        )
