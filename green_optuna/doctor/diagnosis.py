"""What can be measured on this host and what is estimated, and how noisy it is."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from green_optuna.carbon import resolve_grid
from green_optuna.doctor.machine import look_at_host
from green_optuna.doctor.reasons import (
    why_cpu_is_estimated,
    why_gpu_is_not_measured,
    why_ram_is_estimated,
)
from green_optuna.doctor.selftest import check_seconds, self_test
from green_optuna.energy import COMPONENTS, MeterOptions, basis_of, sampler_for
from green_optuna.energy.fingerprint import hardware, hardware_fingerprint
from green_optuna.errors import GridError, MeterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.carbon import Grid
    from green_optuna.doctor.machine import Host
    from green_optuna.doctor.reasons import Reason
    from green_optuna.doctor.selftest import SelfTest
    from green_optuna.energy import Basis, Meter, Source
    from green_optuna.energy.measurement import Component


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentDiagnosis:
    """How the energy of one component is had on this host.

    Attributes:
        component: "cpu", "gpu" or "ram".
        source: Where its energy comes from; None where it is not counted.
        resolution_s: How long it takes to get a new figure, in s; None where it is not counted.
        reasons: Why it is not measured, where it is not; none for a GPU that is not there, and
            none for a meter of the user's own.
    """

    component: Component
    source: Source | None
    resolution_s: float | None
    reasons: tuple[Reason, ...]

    @property
    def measured(self) -> bool:
        """Whether hardware measures it."""
        return self.source is not None and self.source.measured

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for JSON."""
        return {
            "component": self.component,
            "source": self.source and self.source.name,
            "measured": self.measured,
            "follows_cpu_time": self.source is not None and self.source.follows_cpu_time,
            "resolution_s": self.resolution_s,
            "reasons": [reason.to_dict() for reason in self.reasons],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What can be measured on this host, what is estimated, and how noisy it is.

    Attributes:
        host: The name of the machine.
        fingerprint: Its hardware, as a short hash; the same on two machines alike.
        hardware: What the fingerprint stands for, an item each.
        components: The processors, the GPUs and the memory.
        basis: What a trial's energy would rest on; None where nothing can be had.
        fault: Why nothing can be had, or the meter not be read; None where it can.
        grid: What would turn energy into CO2e; None where nothing says.
        grid_fault: Why there is no grid; None where there is one.
        self_test: How identical work came out; None where it was left out.
    """

    host: str
    fingerprint: str
    hardware: tuple[str, ...]
    components: tuple[ComponentDiagnosis, ...]
    basis: Basis | None
    fault: str | None
    grid: Grid | None
    grid_fault: str | None
    self_test: SelfTest | None

    @property
    def measured(self) -> bool:
        """Whether hardware measures the energy of the processors or of a GPU."""
        counted = any(one.measured and one.component != "ram" for one in self.components)
        return counted and self.fault is None

    @property
    def resolution_s(self) -> float | None:
        """How long the slowest source takes to give a new figure, in s; None where there is none.

        A trial that lasts no longer is known roughly.
        """
        known = [one.resolution_s for one in self.components if one.resolution_s is not None]
        return max(known, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Give the diagnosis as plain data, ready for JSON."""
        return {
            "host": self.host,
            "fingerprint": self.fingerprint,
            "hardware": list(self.hardware),
            "measured": self.measured,
            "basis": self.basis,
            "fault": self.fault,
            "resolution_s": self.resolution_s,
            "components": [one.to_dict() for one in self.components],
            "grid": None if self.grid is None else asdict(self.grid),
            "grid_fault": self.grid_fault,
            "self_test": None if self.self_test is None else self.self_test.to_dict(),
        }


def diagnose(
    *,
    country: str | None = None,
    grid: Grid | None = None,
    meter: MeterOptions | Meter | None = None,
    seconds: float = 10.0,
) -> Diagnosis:
    """Find out what can be measured on this host, what is estimated, and why.

    Args:
        country: Where the electricity comes from, as an ISO 3166 code ("FRA"). Without it and
            ``grid``, the environment variables say, as for ``green_objective``.
        grid: The carbon intensity in g/kWh, with its source, and the PUE.
        meter: How CodeCarbon measures, or a meter of your own.
        seconds: How long the self-test may take, in s, about: the same work is measured again
            and again. 0 leaves it out.

    Raises:
        OptionError: An option cannot be used.
        GridError: The place that was given is unknown.
    """
    check_seconds(seconds)
    found, grid_fault = _grid(country, grid)
    options = MeterOptions() if meter is None else meter
    sampler = sampler_for(options)
    tested, fault = None, None
    sources: Mapping[str, Source] = {}
    try:
        sampler.start()
        sources = sampler.meter.sources
        tested = self_test(sampler, seconds)
    except MeterError as error:
        fault = str(error)
    return Diagnosis(
        host=platform.node(),
        fingerprint=hardware_fingerprint(),
        hardware=tuple(hardware()),
        components=diagnose_components(
            sources,
            look_at_host() if isinstance(options, MeterOptions) else None,
            min_interval_s=sampler.meter.min_interval_s,
        ),
        basis=basis_of(sources) if sources else None,
        fault=fault,
        grid=found,
        grid_fault=grid_fault,
        self_test=tested,
    )


def diagnose_components(
    sources: Mapping[str, Source], host: Host | None, *, min_interval_s: float
) -> tuple[ComponentDiagnosis, ...]:
    """Say of each component how its energy is had, and why it is not measured where it is not.

    Args:
        sources: What the meter says, by component.
        host: What the host shows of itself; None where that is not why, since the meter is the
            user's own.
        min_interval_s: How long the meter takes to give a new reading, in s.
    """
    diagnoses = []
    for component in COMPONENTS:
        source = sources.get(component)
        reasons: tuple[Reason, ...] = ()
        if host is not None and (source is None or not source.measured):
            reasons = _reasons(component, host)
        resolution_s = None if source is None else max(source.resolution_s, min_interval_s)
        diagnoses.append(
            ComponentDiagnosis(
                component=component, source=source, resolution_s=resolution_s, reasons=reasons
            )
        )
    return tuple(diagnoses)


def _reasons(component: Component, host: Host) -> tuple[Reason, ...]:
    if component == "cpu":
        return why_cpu_is_estimated(host)
    return why_gpu_is_not_measured(host) if component == "gpu" else why_ram_is_estimated()


def _grid(country: str | None, grid: Grid | None) -> tuple[Grid | None, str | None]:
    """Give the grid that would be used, or why there is none.

    Raises:
        GridError: What was given cannot be used.
    """
    try:
        return resolve_grid(country=country, grid=grid), None
    except GridError as error:
        if country is not None or grid is not None:
            raise
        return None, str(error)
