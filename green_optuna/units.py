"""Units of energy, and how quantities are shown to a person.

Data keeps one unit a quantity (kg of CO2e, kWh, W, s, plain counts); only what a person reads is
scaled. Scaled figures carry three significant digits and a prefix in steps of a thousand, written
in ASCII (``ug`` is a microgram) so that any terminal can show them. NaN and infinities are shown
as they are, in the unit of the data.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from green_optuna.urls import shown_data

JOULES_PER_KWH: Final = 3_600_000.0
"""Joules in one kilowatt-hour: 1000 W for 3600 s."""

# Units by the power of ten of the data's unit that one of them is worth.
_GRAMS: Final = MappingProxyType({-12: "ng", -9: "ug", -6: "mg", -3: "g", 0: "kg", 3: "t"})
_WATT_HOURS: Final = MappingProxyType(
    {-12: "nWh", -9: "uWh", -6: "mWh", -3: "Wh", 0: "kWh", 3: "MWh"}
)
_WATTS: Final = MappingProxyType({-6: "uW", -3: "mW", 0: "W", 3: "kW", 6: "MW"})
_SECONDS: Final = MappingProxyType({-9: "ns", -6: "us", -3: "ms", 0: "s"})
_BYTES: Final = MappingProxyType({0: "B", 3: "kB", 6: "MB", 9: "GB", 12: "TB"})
_COUNTS: Final = MappingProxyType({3: "k", 6: "M", 9: "G", 12: "T"})
_ALL_COUNTS: Final = MappingProxyType({0: "", **_COUNTS})


def kwh_from_joules(joules: float) -> float:
    """Convert an energy in J to kWh."""
    return joules / JOULES_PER_KWH


def joules_from_kwh(kwh: float) -> float:
    """Convert an energy in kWh to J."""
    return kwh * JOULES_PER_KWH


def format_co2e(kg: float) -> str:
    """Show a mass of CO2e, given in kg.

    >>> format_co2e(1.23e-5)
    '12.3 mg'
    """
    return _scaled(kg, _GRAMS, "kg")


def format_energy(kwh: float) -> str:
    """Show an energy, given in kWh.

    >>> format_energy(4.1e-6)
    '4.10 mWh'
    """
    return _scaled(kwh, _WATT_HOURS, "kWh")


def format_power(w: float) -> str:
    """Show a power, given in W.

    >>> format_power(57.04)
    '57.0 W'
    """
    return _scaled(w, _WATTS, "W")


def format_duration(s: float) -> str:
    """Show a duration, given in s, in the units that a clock has.

    >>> [format_duration(s) for s in (0.012, 3.4, 125, 3720)]
    ['12 ms', '3.4 s', '2 min 05 s', '1 h 02 min']
    """
    if s == 0 or not math.isfinite(s):
        return f"{s + 0.0:g} s"  # the sum takes the sign off a zero
    return f"-{_clock(-s)}" if s < 0 else _clock(s)


def format_latency(s: float) -> str:
    """Show the time that a small step takes, given in s, with three significant digits.

    >>> format_latency(1.42e-5)
    '14.2 us'
    """
    return _scaled(s, _SECONDS, "s")


def format_bytes(n: float) -> str:
    """Show an amount of memory, given in bytes, in steps of a thousand.

    >>> format_bytes(3_470_000)
    '3.47 MB'
    """
    return _scaled(n, _BYTES, "B")


def format_count(n: float) -> str:
    """Show a count: as it is below 1000, with three significant digits from there on.

    >>> [format_count(n) for n in (999, 10_260, 3_470_000)]
    ['999', '10.3 k', '3.47 M']
    """
    if math.isfinite(n) and abs(n) >= 1000:
        return _scaled(n, _COUNTS, "")
    return f"{n + 0:g}"


def _scaled(value: float, units: Mapping[int, str], base: str) -> str:
    """Show a value in the largest of the units that it fills, with three significant digits."""
    if value == 0 or not math.isfinite(value):
        return f"{value + 0.0:g} {base}"  # the sum takes the sign off a zero
    mantissa, power, unit = _in_powers(value, units)
    shift = power - unit
    # Beyond the units there are, a row of zeros would say less than an exponent does.
    number = f"{float(f'{mantissa}e{shift}'):.{max(0, 2 - shift)}f}"
    return f"{number if -3 <= shift <= 5 else f'{mantissa}e{shift:+03d}'} {units[unit]}"


def _in_powers(value: float, units: Mapping[int, str]) -> tuple[str, int, int]:
    """Give a value as three digits and a power of ten, and the power of the unit that it fills."""
    # Rounding comes before the choice of the unit: 999.6 g is 1.00 kg and not 1000 g.
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    power = int(exponent)
    return mantissa, power, max((u for u in units if u <= power), default=min(units))


def _clock(s: float) -> str:
    """Show a positive, finite duration in s; the unit is chosen after rounding."""
    if round(s * 1e6) < 1:
        return "<1 us"
    if round(s * 1e6) < 1000:
        return f"{round(s * 1e6)} us"
    if round(s * 1e3) < 1000:
        return f"{round(s * 1e3)} ms"
    if round(s, 1) < 60:
        return f"{s:.1f} s"
    if round(s) < 3600:
        minutes, seconds = divmod(round(s), 60)
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(round(s / 60), 60)
    return f"{hours} h {minutes:02d} min"


def _show_probability(p: float) -> str:
    """Show a probability: 0% and 100% are what is certain."""
    if 0.995 <= p < 1:
        return "over 99%"
    return "under 1%" if 0 < p < 0.005 else f"{p:.0%}"


# How the quantities of a study are shown: what they are called, and their own unit.
_QUANTITIES: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "quality_loss": ("1 - quality", "{:.4g}".format),
    "quality": ("quality", "{:.4g}".format),
    "probability": ("on the front", _show_probability),
    "co2e_kg": ("CO2e (kg)", format_co2e),
    "n_params": ("parameters", format_count),
    "energy_kwh": ("energy (kWh)", format_energy),
    "duration_s": ("duration (s)", format_duration),
    "inference_kwh": ("inference energy (kWh a sample)", format_energy),
    "inference_s": ("inference time (s a sample)", format_latency),
    "flops": ("FLOPs", format_count),
    "peak_memory_bytes": ("peak memory (bytes)", format_bytes),
    "power_w": ("power (W)", format_power),
    "time_s": ("time (s)", format_duration),
}

# The units of those that are shown in several, by the power of ten of the data's unit.
_UNITS_OF: Mapping[str, Mapping[int, str]] = {
    "co2e_kg": _GRAMS,
    "n_params": _ALL_COUNTS,
    "energy_kwh": _WATT_HOURS,
    "duration_s": _SECONDS,
    "time_s": _SECONDS,
    "inference_kwh": _WATT_HOURS,
    "inference_s": _SECONDS,
    "flops": _ALL_COUNTS,
    "peak_memory_bytes": _BYTES,
    "power_w": _WATTS,
}

# Quantities that are counts: whole numbers, though arrays and storages keep them as floats.
_COUNTED: Final = frozenset({"n_params", "flops", "peak_memory_bytes"})


def whole_counts(values: Mapping[str, float]) -> dict[str, float]:
    """Give quantities by name, counts as whole numbers where they are.

    Args:
        values: Values by the names of their quantities, finite or not.
    """
    return {
        name: int(value) if name in _COUNTED and float(value).is_integer() else value
        for name, value in values.items()
    }


def with_micro_signs(text: str) -> str:
    """Write ``48.6 ug`` in a text with the sign that a terminal may not have.

    >>> with_micro_signs("48.6 ug of CO2e")
    '48.6 \N{MICRO SIGN}g of CO2e'
    """
    return re.sub(r"(?<=\d )u(?=(?:g|W|Wh|s)\b)", "\N{MICRO SIGN}", text)


def quantity_label(name: str) -> str:
    """Name a quantity of a study for a person, with its unit in data: ``"CO2e (kg)"``.

    Args:
        name: The quantity's name in data, such as ``"co2e_kg"``; an unknown one is kept.
    """
    return _QUANTITIES[name][0] if name in _QUANTITIES else name


def show_quantity(name: str, value: float) -> str:
    """Show the value of a quantity, scaled for a person: ``"12.3 mg"``.

    Args:
        name: The quantity's name in data, such as ``"co2e_kg"``.
        value: Its value, in the unit that the name carries.
    """
    return _QUANTITIES[name][1](value) if name in _QUANTITIES else f"{value:.4g}"


def quantity_heading(name: str) -> str:
    """Name a quantity without the unit of its data, since each value shows its own.

    Args:
        name: The quantity's name in data, such as ``"co2e_kg"``.
    """
    return quantity_label(name).partition(" (")[0]


def describe_quantity(name: str, value: float) -> str:
    """Name a quantity of a study and show its value, for a sentence: ``"CO2e 12.3 mg"``.

    Args:
        name: The quantity's name in data, such as ``"co2e_kg"``.
        value: Its value, in the unit that the name carries.
    """
    return f"{quantity_heading(name)} {show_quantity(name, value)}"


def show_param(value: object) -> str:
    """Show the value of a hyperparameter: a fraction with four significant digits.

    Passwords of addresses in it are hidden.
    """
    return f"{value:.4g}" if isinstance(value, float) else shown_data(str(value))


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit in which several values of one quantity are shown, as on an axis.

    Attributes:
        symbol: What it is called, in ASCII: ``"mg"``; empty of a plain number.
        factor: What a value in the data's unit is multiplied by.
    """

    symbol: str
    factor: float


def fitting_unit(name: str, value: float) -> Unit:
    """Give the unit in which a value of a quantity reads best, for others beside it too.

    It is that of :func:`show_quantity`, but for times of a minute or more, of which an axis has
    whole minutes or hours.

    >>> fitting_unit("co2e_kg", 4.86e-5)
    Unit(symbol='mg', factor=1000000.0)

    Args:
        name: The quantity's name in data, such as ``"co2e_kg"``; an unknown one has no unit.
        value: The largest of the values, say, or the middle one of a logarithmic axis, in the
            unit that the name carries.
    """
    if name not in _UNITS_OF:
        return Unit("", 1.0)
    units = _UNITS_OF[name]
    if value == 0 or not math.isfinite(value):
        return Unit(units[0], 1.0)
    if name in ("duration_s", "time_s") and abs(value) >= 120:
        return Unit("h", 1 / 3600) if abs(value) >= 7200 else Unit("min", 1 / 60)
    _, _, power = _in_powers(value, units)
    return Unit(units[power], 10.0**-power)


def label_in(name: str, symbol: str) -> str:
    """Name a quantity with the unit of its values: ``"CO2e (mg)"``.

    Args:
        name: The quantity's name in data, such as ``"co2e_kg"``; an unknown one is kept.
        symbol: The unit, as of :func:`fitting_unit`; empty of a plain number.
    """
    if name not in _QUANTITIES:
        return name
    heading, _, unit = quantity_label(name).removesuffix(")").partition(" (")
    # "kWh a sample": of a sample it stays.
    per = unit.partition(" ")[2]
    shown = " ".join(part for part in (symbol, per) if part)
    return f"{heading} ({shown})" if shown else heading
