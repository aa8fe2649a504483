"""CO2e of a run that is not measured: a published one, one still to come, hardware out of reach.

The method is that of Douwes, Esling and Briot, "A multi-objective approach for sustainable
generative audio models" (2021), https://hal.science/hal-03296897: rated power times devices times
hours times carbon intensity (equation 6), and the power usage effectiveness of equation 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from green_optuna.carbon import Grid, Pue, named_pue, resolve_grid
from green_optuna.devices import Device, find_devices
from green_optuna.errors import GridError, OptionError
from green_optuna.scalars import as_real
from green_optuna.units import format_co2e, format_energy

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run is estimated to cost, and all that is assumed for it.

    Attributes:
        device: The hardware, with the power it is rated for and where that figure is from.
        count: How many of them.
        hours: For how long, in h.
        utilisation: The share of the rated power that they draw on average, above 0 and up to 1.
        grid: What turns energy into CO2e, with its source; the PUE.
        assumptions: Everything that the figures rest on, a sentence each.
    """

    device: Device
    count: int
    hours: float
    utilisation: float
    grid: Grid
    assumptions: tuple[str, ...]

    @property
    def basis(self) -> Literal["estimated"]:
        """Say that nothing was measured, as `Measurement.basis` does where that is so."""
        return "estimated"

    @property
    def energy_kwh(self) -> float:
        """Energy of the hardware alone in kWh: n x p x t of equation 6, without the PUE."""
        return self.count * self.device.rated_power_w * self.utilisation * self.hours / 1000.0

    @property
    def co2e_kg(self) -> float:
        """CO2e in kg: energy x carbon intensity x PUE (equations 4 and 6)."""
        return self.grid.co2e_kg(self.energy_kwh)

    def to_dict(self) -> dict[str, Any]:
        """Give the estimate as plain data, ready for JSON."""
        return {
            "hardware": self.device.name,
            "kind": self.device.kind,
            "rated_power_w": self.device.rated_power_w,
            "rated_power_source": self.device.source,
            "count": self.count,
            "hours": self.hours,
            "utilisation": self.utilisation,
            "energy_kwh": self.energy_kwh,
            "co2e_kg": self.co2e_kg,
            "basis": self.basis,
            "grid": self.grid.to_dict(),
            "assumptions": list(self.assumptions),
        }

    def __str__(self) -> str:
        cost = f"{format_energy(self.energy_kwh)}, {format_co2e(self.co2e_kg)} CO2e"
        return f"{self.count} x {self.device.name} for {self.hours:g} h: {cost} ({self.basis})"


def estimate(
    hardware: str,
    *,
    count: int = 1,
    hours: float,
    country: str | None = None,
    grid: Grid | None = None,
    pue: float | str | None = None,
    utilisation: float = 1.0,
    power_w: float | None = None,
) -> Estimate:
    """Estimate the energy and the CO2e of a run from its hardware and its duration.

    The worst case unless you say otherwise: all devices draw their rated power all the time, and
    a name that may mean several devices is taken for the one of most power. Whatever is assumed is
    said in `Estimate.assumptions`.

    Args:
        hardware: An accelerator or a processor by its name, such as "V100 SXM2", "A100" or "AMD
            EPYC 7763"; with ``power_w``, any name.
        count: How many of them.
        hours: How long they run, in h.
        country: Where, as an ISO 3166 code ("FRA"). Without it and ``grid``, the environment
            variables say, as for ``green_objective``.
        grid: The carbon intensity in g/kWh, with its source; `Grid.named` has published ones.
        pue: Power usage effectiveness of the building, or the name of a published one,
            "world-2018" for 1.58. It is in the CO2e and not in the energy.
        utilisation: The share of the power that is drawn on average, above 0 and up to 1.
        power_w: The power of one device in W, instead of the rated power that is known.

    Raises:
        OptionError: The hardware is unknown, or a value is impossible.
        GridError: Nobody says where, the place is unknown, or the PUE is impossible or given twice.
        MissingPackageError: A figure is to be taken from CodeCarbon, and it is not installed.
    """
    hours = _number("hours", hours)
    utilisation = _number("utilisation", utilisation, most=1.0)
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
        raise OptionError(f"count={count!r} is no number of devices; pass a whole one from 1 up.")
    devices = _devices(hardware, power_w)
    if not math.isfinite(int(count) * devices[0].rated_power_w * hours):
        raise OptionError(
            f"count={count!r} times {devices[0].rated_power_w:g} W for {hours:g} h is beyond all "
            "numbers; look at the units."
        )
    grid, building = _housed(resolve_grid(country=country, grid=grid), pue)
    return Estimate(
        device=devices[0],
        count=int(count),
        hours=hours,
        utilisation=utilisation,
        grid=grid,
        assumptions=(
            *_about_power(hardware, devices, utilisation),
            _about_grid(grid),
            _about_building(building),
            _about_the_rest(devices[0]),
            "Emissions of making the hardware (embodied emissions) are not counted.",
        ),
    )


def _devices(hardware: object, power_w: float | None) -> tuple[Device, ...]:
    """Return what the hardware may be, the device to be taken first.

    Raises:
        OptionError: The name is none or unknown, or the power is impossible.
    """
    # A label comes up on terminals and in spreadsheets: nothing in it may steer one.
    if not (
        isinstance(hardware, str) and hardware.strip()[:1].isalnum() and hardware.isprintable()
    ):
        raise OptionError(
            f"hardware={hardware!r} is no name; pass a printable one that begins with a letter or "
            f'a digit, such as "A100 SXM4".'
        )
    if power_w is None:
        return find_devices(hardware)
    return (Device(hardware.strip(), "other", _number("power_w", power_w), "given"),)


def _housed(grid: Grid, pue: float | str | None) -> tuple[Grid, Pue | None]:
    """Return a grid with the PUE that is given, and where that is from; None where there is none.

    Raises:
        GridError: The grid has a PUE already, or the one given is impossible or has no such name.
    """
    if pue is None:
        return grid, None if grid.pue == 1 else Pue(grid.pue, "given with the grid")
    building = named_pue(pue) if isinstance(pue, str) else Pue(pue, "given")
    if grid.pue != 1:
        raise GridError(
            f"pue={pue!r} is given, and the grid has a PUE of {grid.pue:g} already; pass one of "
            f"them: leave out pue, or make the grid without one."
        )
    return replace(grid, pue=building.value), building


def _about_power(hardware: str, devices: tuple[Device, ...], utilisation: float) -> Iterator[str]:
    """Say which device was taken, and what it is assumed to draw."""
    device, *others = devices
    if others:
        rest = ", ".join(f"{other.name} ({other.rated_power_w:g} W)" for other in others)
        yield (
            f"{hardware!r} may mean several devices; the one of most power is taken, "
            f"{device.name} ({device.rated_power_w:g} W), and not {rest}."
        )
    rated = "power" if device.kind == "other" else "rated power"
    drawn = f"its {rated} of {device.rated_power_w:g} W all the time"
    if utilisation != 1:
        drawn = f"{utilisation:g} times its {rated} of {device.rated_power_w:g} W on average"
    yield f"Each {device.name} draws {drawn} ({device.source})."


def _about_grid(grid: Grid) -> str:
    intensity = f"{grid.carbon_intensity_g_per_kwh:g} g/kWh"
    return f"Carbon intensity is {intensity} all the time ({grid.source})."


def _about_building(pue: Pue | None) -> str:
    if pue is None:
        return "No PUE is assumed: cooling and power supply of the building are not counted."
    return f"The building draws {pue.value:g} times what the hardware does (PUE; {pue.source})."


def _about_the_rest(device: Device) -> str:
    rest = "accelerators" if device.kind == "cpu" else "host processors"
    return f"The rest of the system ({rest}, memory, storage, network) is not counted."


def _number(name: str, value: object, *, most: float = math.inf) -> float:
    """Return a number that is above 0 and no more than so much, as a finite float."""
    number = as_real(value)
    if number is None or not 0 < number <= most or math.isinf(number):
        limit = "" if math.isinf(most) else f" and up to {most:g}"
        raise OptionError(f"{name}={value!r} is impossible; pass a finite number above 0{limit}.")
    return number
