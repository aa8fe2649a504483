"""Carbon intensities by place, from the data files of the installed CodeCarbon.

They are found and read without importing it. They are yearly averages, and differ in kind. Those
of countries count the whole life cycle of the power plants. Those of American states and of
Canadian and Chinese provinces count what burning fuel emits, the Chinese ones CO2 alone. Those of
the Nordic bidding zones count generation of unknown kind as zero. Give a figure of your own where
that matters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

from green_optuna.catalogue import codecarbon, codecarbon_data, folded, nearest
from green_optuna.errors import GridError

OWN_FIGURE: Final = "grid=Grid(carbon_intensity_g_per_kwh=...)"
"""What to pass where the place is not known."""

_G_PER_KWH_OF_LB_PER_MWH: Final = 0.45359237
# CodeCarbon's emission factors of the Canadian mixes, in g/kWh, from
# https://github.com/responsibleproblemsolving/energy-usage#conversion-to-co2
_FUELS_G_PER_KWH: Final = (
    ("coal", 995.725971),
    ("petroleum", 816.6885263),
    ("naturalGas", 743.8415916),
)


@dataclass(frozen=True, slots=True)
class Intensity:
    """A carbon intensity, with what it holds for.

    Attributes:
        region: CodeCarbon's own name of the region it holds for; None for a whole country.
        g_per_kwh: Carbon intensity in g CO2e per kWh.
        source: Where the figure is from.
    """

    region: str | None
    g_per_kwh: float
    source: str


# The figure that Douwes, Esling and Briot (2021) turned all energies into CO2e with.
_OF_THE_PAPER: Final = Intensity(
    None,
    437.0,
    "world, 2018: carbonfootprint.com, after Douwes, Esling and Briot 2021, section 3.2",
)


def look_up_name(name: str) -> Intensity:
    """Return an intensity that holds for no place in particular, by its name.

    Args:
        name: "world-2018" for the yearly mean of 2018 that the paper takes, 437 g/kWh; or "world"
            for CodeCarbon's mean of the world, which it takes where a country is not known.

    Raises:
        GridError: There is none of that name; the message names those that there are.
        MissingPackageError: CodeCarbon is to be asked, and is not installed.
    """
    if folded(name) == "world-2018":
        return _OF_THE_PAPER
    if folded(name) == "world":
        row = _read("carbon_intensity_per_source.json")[0]
        source = f"{codecarbon()}: world, {row['world_average_source']}"
        return Intensity(None, float(row["world_average"]), source)
    known = ("world", "world-2018")
    near = nearest(name, dict(zip(known, known, strict=True)))
    raise GridError(
        f"No carbon intensity has the name {name!r}.{near} The names are {' and '.join(known)}; "
        f"for any other place, pass its country, or {OWN_FIGURE}."
    )


def look_up(country: str, region: str | None) -> Intensity:
    """Return CodeCarbon's figure for a region, or for a country where no region is given.

    Args:
        country: ISO 3166 alpha-3 code, in capitals.
        region: State or province, or bidding zone, by any of its names.

    Raises:
        GridError: The place is not known; the message names the nearest ones.
        MissingPackageError: CodeCarbon is not installed.
    """
    if country not in _countries():
        raise _unknown_country(country)
    if region is None:
        row = _countries()[country]
        source = f"{codecarbon()}: {row['country_name']}, {row['year']}"
        return Intensity(None, float(row["carbon_intensity"]), source)
    if country not in _REGIONAL:
        raise GridError(
            f"region={region!r}: {codecarbon()} has regional figures for {', '.join(_REGIONAL)}, "
            f"but none for {country}; leave the region out, or pass {OWN_FIGURE}."
        )
    regions = _regions(country)
    if folded(region) not in regions:
        near = nearest(region, {name: str(figure.region) for name, figure in regions.items()})
        known = ", ".join(dict.fromkeys(str(figure.region) for figure in regions.values()))
        raise GridError(
            f"region={region!r} of {country} is unknown to {codecarbon()}."
            f"{near or f' It knows {known}.'} Leave the region out, or pass {OWN_FIGURE}."
        )
    return regions[folded(region)]


@lru_cache
def _countries() -> dict[str, dict[str, Any]]:
    """Return CodeCarbon's rows of the countries that have an intensity, by alpha-3 code."""
    rows = _read("global_energy_mix.json")[0]
    return {code: row for code, row in rows.items() if row.get("carbon_intensity") is not None}


@lru_cache
def _regions(country: str) -> dict[str, Intensity]:
    """Return the figures of a country's regions by every name they go by, folded."""
    place = _countries()[country]["country_name"]
    regions = {}
    for names, g_per_kwh, year in _REGIONAL[country]():
        figure = Intensity(
            names[0], float(g_per_kwh), f"{codecarbon()}: {names[0]}, {place}, {year}"
        )
        regions.update(dict.fromkeys(map(folded, names), figure))
    return regions


# Of each region: the names it goes by (its own first), g/kWh, year.
_Rows = Iterator[tuple[Sequence[str], float, object]]


def _states_of_usa() -> _Rows:
    data, year = _read("*/usa_emissions.json")
    for name, row in data.items():
        code = row.get("regionCode", "")
        if len(code) == 2:  # the other rows explain the file, or are the whole country
            yield (name, code), row["emissions"] * _G_PER_KWH_OF_LB_PER_MWH, year


def _provinces_of_canada() -> _Rows:
    mixes, year = _read("*/canada_energy_mix.json")
    for name, mix in mixes.items():
        emitted = sum(mix[fuel] * g_per_kwh for fuel, g_per_kwh in _FUELS_G_PER_KWH)
        yield (name,), emitted / mix["total"], year


def _provinces_of_china() -> _Rows:
    titles = ("", " province", " sheng", " municipality", " shi", " autonomous region", " zizhiqu")
    for row in _read("*/china_provincial_emissions.json")[0]["data"].values():
        names = [name + title for name in row["names"] for title in titles]
        yield names, row["emission_factor"], row["year"]


def _nordic_zones(prefix: str) -> _Rows:
    for zone, row in _read("nordic_emissions.json")[0]["data"].items():
        if zone.startswith(prefix):
            yield (zone,), row["emission_factor"], row["year"]


_REGIONAL: Final[Mapping[str, Callable[[], _Rows]]] = MappingProxyType(
    {
        "CAN": _provinces_of_canada,
        "CHN": _provinces_of_china,
        "FIN": partial(_nordic_zones, "FI"),
        "NOR": partial(_nordic_zones, "NO"),
        "SWE": partial(_nordic_zones, "SE"),
        "USA": _states_of_usa,
    }
)


@lru_cache
def _read(pattern: str) -> tuple[dict[str, Any], str]:
    """Read the newest data file of CodeCarbon that matches; with it, the folder (a year)."""
    folder = codecarbon_data("private_infra", wanted="Carbon intensities")
    found = sorted(folder.glob(pattern))
    if not found:
        raise GridError(
            f"{codecarbon()} has no file {folder / pattern}; pip install --upgrade codecarbon, "
            f"or pass {OWN_FIGURE}."
        )
    return json.loads(found[-1].read_text(encoding="utf-8")), found[-1].parent.name


def country_code(country: str) -> str:
    """Return a country's code in capitals; any code of three letters will do as a label.

    Raises:
        GridError: It is no such code; the message names the nearest ones.
    """
    if len(country) != 3 or not (country.isascii() and country.isalpha()):
        raise _unknown_country(country)
    return country.upper()


def _unknown_country(country: str) -> GridError:
    """Return the error that names the nearest countries by code and by name."""
    names = {}
    for code, row in _countries().items():
        for name in (code, row["country_name"]):
            names[folded(name)] = f"{code} ({row['country_name']})"
    return GridError(
        f"country={country!r} is unknown to {codecarbon()}.{nearest(country, names)} "
        f'Pass an ISO 3166 alpha-3 code such as "FRA", or {OWN_FIGURE}.'
    )
