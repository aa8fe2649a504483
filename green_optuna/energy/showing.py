"""How a measurement is shown to a person, from plain values: in words, and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.markup import in_words
from green_optuna.sketch import Area, Axis, stacked_areas
from green_optuna.units import (
    format_co2e,
    format_duration,
    format_energy,
    format_power,
    joules_from_kwh,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Of Okabe and Ito's palette, and how the line on top is broken; the lowest first.
_LOOKS = {"ram": ("#E69F00", "1 3"), "gpu": ("#D55E00", "6 3"), "cpu": ("#0072B2", "")}


def costs_in_words(energy_kwh: float, co2e_kg: float, duration_s: float) -> dict[str, str]:
    """Give what something took as a person reads it, by what it is called."""
    power_w = joules_from_kwh(energy_kwh) / duration_s if duration_s > 0 else None
    return {
        "energy": in_words(energy_kwh, format_energy(energy_kwh)),
        "CO2e": in_words(co2e_kg, format_co2e(co2e_kg)),
        "duration": in_words(duration_s, format_duration(duration_s)),
        "mean power": in_words(power_w, format_power(power_w or 0.0)),
    }


def power_picture(ends_s: Sequence[float], power_w: Mapping[str, Sequence[float]]) -> str:
    """Draw power over time, the components on one another.

    Args:
        ends_s: Where each reading ends, in s since the begin, increasing.
        power_w: The mean power during each, in W, by component: "cpu", "gpu", "ram". One that
            draws nothing at all is left out.

    Returns:
        An ``<svg>``; nothing where there are no readings.
    """
    drawing = [name for name in _LOOKS if any(power_w.get(name, ()))]
    return stacked_areas(
        ends_s,
        [
            Area(label=name, colour=_LOOKS[name][0], dashes=_LOOKS[name][1], values=power_w[name])
            for name in drawing
        ],
        x=Axis(label="time", show=format_duration, is_clock=True),
        y=Axis(label="power", show=format_power),
        label=f"Power over time of {', '.join(drawing)}, on one another.",
    )
