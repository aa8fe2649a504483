"""Carbon intensity and PUE of the electricity that a machine uses: from energy to CO2e.

Source of the method: Douwes, Esling and Briot, "A multi-objective approach for sustainable
generative audio models" (2021), https://hal.science/hal-03296897, equations 4 and 6.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from green_optuna.catalogue import folded
from green_optuna.errors import GridError
from green_optuna.intensities import OWN_FIGURE, Intensity, country_code, look_up, look_up_name
from green_optuna.scalars import as_real

if TYPE_CHECKING:
    from collections.abc import Mapping

_COUNTRY_VARIABLE: Final = "GREEN_OPTUNA_COUNTRY"
_INTENSITY_VARIABLE: Final = "GREEN_OPTUNA_CARBON_INTENSITY_G_PER_KWH"
_NOWHERE: Final = (
    f'No place and no carbon intensity: pass country="FRA" (ISO 3166 alpha-3) or {OWN_FIGURE}, '
    f"or set the environment variable {_COUNTRY_VARIABLE} or {_INTENSITY_VARIABLE}."
)


@dataclass(frozen=True, slots=True)
class Pue:
    """A power usage effectiveness, with where it is from.

    Attributes:
        value: Energy that a building draws for each unit that the machines in it use, from 1 up.
        source: Where the figure is from.
    """

    value: float
    source: str


_PUES: Final = MappingProxyType(
    {
        "world-2018": Pue(
            1.58,
            "global mean of data centres, 2018: Strubell, Ganesh and McCallum 2019, "
            "doi:10.18653/v1/P19-1355",
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Grid:
    """The electricity grid that feeds a machine, and the overhead of the building around it.

    Whatever it is made from, a grid is complete: without an intensity of your own, it is looked
    up when the object is made. A given intensity wins; country and region are then labels.

    Attributes:
        country: ISO 3166 alpha-3 code in capitals, or None.
        region: State or province, or bidding zone; or None. Looked up for CAN, CHN, FIN, NOR, SWE
            and USA, where it becomes CodeCarbon's name for it ("CA" is "california").
        carbon_intensity_g_per_kwh: Carbon intensity of the electricity in g CO2e per kWh.
        source: Where that figure is from, such as "CodeCarbon 3.3.2: France, 2023"; "given" for
            one of your own unless you say.
        pue: Power usage effectiveness: energy that the building draws for each unit that the
            machine uses, 1.0 where nothing is known.

    Raises:
        GridError: Nothing is given, the place is not known, or a value is impossible.
        MissingPackageError: A figure is to be looked up, and CodeCarbon is not installed.
    """

    country: str | None
    region: str | None
    carbon_intensity_g_per_kwh: float
    source: str
    pue: float

    # Written out, for what may be given (None) differs in type from what is then there (a float).
    def __init__(
        self,
        *,
        country: str | None = None,
        region: str | None = None,
        carbon_intensity_g_per_kwh: float | None = None,
        source: str | None = None,
        pue: float = 1.0,
    ) -> None:
        """Check what is given and look up what is not."""
        country, region, source = (
            _text(name, value)
            for name, value in (("country", country), ("region", region), ("source", source))
        )
        country = None if country is None else country_code(country)
        if carbon_intensity_g_per_kwh is not None:
            intensity = _number("carbon_intensity_g_per_kwh", carbon_intensity_g_per_kwh, least=0.0)
            figure = Intensity(region, intensity, source or "given")
        elif source is not None:
            raise GridError(
                f"source={source!r} says where a carbon intensity is from, but there is none; "
                f"pass carbon_intensity_g_per_kwh= as well, or leave source out."
            )
        elif country is not None:
            figure = look_up(country, region)
        elif region is not None:
            raise GridError(f'region={region!r} needs its country, such as country="USA".')
        else:
            raise GridError(_NOWHERE)
        object.__setattr__(self, "country", country)
        object.__setattr__(self, "region", figure.region)
        object.__setattr__(self, "carbon_intensity_g_per_kwh", figure.g_per_kwh)
        object.__setattr__(self, "source", figure.source)
        object.__setattr__(self, "pue", _number("pue", pue, least=1.0))

    @classmethod
    def named(cls, name: str, *, pue: float = 1.0) -> Self:
        """Make a grid of no place in particular, for a comparison with published figures.

        Args:
            name: "world-2018" for the yearly mean of 2018 that the paper takes, 437 g/kWh (section
                3.2); or "world" for CodeCarbon's mean of the world.
            pue: Power usage effectiveness.

        Raises:
            GridError: There is none of that name, or the PUE is impossible.
            MissingPackageError: CodeCarbon is to be asked, and is not installed.
        """
        figure = look_up_name(_text("name", name) or "")
        return cls(carbon_intensity_g_per_kwh=figure.g_per_kwh, source=figure.source, pue=pue)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Make a grid of GREEN_OPTUNA_COUNTRY or GREEN_OPTUNA_CARBON_INTENSITY_G_PER_KWH.

        With both, the intensity counts and the country is its label. A blank one is as if unset.

        Args:
            environ: The variables, ``os.environ`` unless given.

        Raises:
            GridError: Neither is set, or a value cannot be used.
        """
        variables = os.environ if environ is None else environ
        country = variables.get(_COUNTRY_VARIABLE, "").strip() or None
        intensity = variables.get(_INTENSITY_VARIABLE, "").strip() or None
        if country is None and intensity is None:
            raise GridError(_NOWHERE)
        if intensity is None:
            try:
                return cls(country=country)
            except GridError as error:
                raise GridError(f"environment variable {_COUNTRY_VARIABLE}: {error}") from None
        try:
            g_per_kwh = _number(_INTENSITY_VARIABLE, float(intensity), least=0.0)
        except ValueError:
            raise GridError(
                f"environment variable {_INTENSITY_VARIABLE}={intensity!r} is no carbon "
                f"intensity; set it to grams of CO2e per kWh, such as 56.0, or unset it."
            ) from None
        source = f"environment variable {_INTENSITY_VARIABLE}"
        return cls(country=country, carbon_intensity_g_per_kwh=g_per_kwh, source=source)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the grid that `to_dict` wrote, without looking anything up.

        Raises:
            GridError: A key is missing or unknown, or a value cannot be used.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names or values["carbon_intensity_g_per_kwh"] is None:
            raise GridError(
                f"A stored grid has the keys {sorted(values)}, but wants {sorted(names)} and an "
                f"intensity that is not null; was it written by Grid.to_dict()?"
            )
        return cls(**values)

    def to_dict(self) -> dict[str, str | float | None]:
        """Return the attributes by name, ready for JSON."""
        return asdict(self)

    @property
    def co2e_kg_per_kwh(self) -> float:
        """CO2e in kg for each kWh that the machine uses: intensity / 1000 x PUE (eq. 4 and 6)."""
        return self.carbon_intensity_g_per_kwh / 1000.0 * self.pue

    def co2e_kg(self, energy_kwh: float) -> float:
        """Return the CO2e in kg of an energy in kWh.

        The energy is what the machine itself used. PUE enters here and only here, so it is in no
        energy that this library shows.
        """
        return energy_kwh * self.co2e_kg_per_kwh


def named_pue(name: str) -> Pue:
    """Return a published power usage effectiveness by its name.

    Args:
        name: "world-2018" for the global mean of data centres of that year, 1.58, which the paper
            quotes (section 2.3, equation 4).

    Raises:
        GridError: There is none of that name.
    """
    pue = _PUES.get(folded(name))
    if pue is None:
        raise GridError(
            f"No PUE has the name {name!r}; pass a number from 1 up, or a name: {', '.join(_PUES)}."
        )
    return pue


def stated_grid(*, country: str | None, grid: Grid | None) -> Grid | None:
    """Return the grid that the options mean, or None: the environment is asked when it is needed.

    Args:
        country: ISO 3166 alpha-3 code; the short form of ``grid=Grid(country=...)``.
        grid: The grid itself.

    Raises:
        GridError: Both are given, or a value cannot be used.
    """
    if country is None and grid is None:
        return None
    return resolve_grid(country=country, grid=grid)


def resolve_grid(*, country: str | None, grid: Grid | None) -> Grid:
    """Return the grid that the options mean, or else the environment.

    Args:
        country: ISO 3166 alpha-3 code; the short form of ``grid=Grid(country=...)``.
        grid: The grid itself.

    Raises:
        GridError: Both are given, or neither and the environment says nothing, or a value cannot
            be used.
    """
    if grid is None:
        return Grid.from_environment() if country is None else Grid(country=country)
    if not isinstance(grid, Grid):
        raise GridError(
            f"grid={grid!r} is of type {type(grid).__qualname__}; pass a Grid, such as "
            f'grid=Grid(country="FRA"), or the short form country="FRA".'
        )
    if country is not None:
        raise GridError(
            f"country={country!r} and grid={grid!r} are both given; pass one of them: a grid "
            f"takes its country itself, as Grid(country=...)."
        )
    return grid


def _text(name: str, value: object) -> str | None:
    """Return a text without the spaces around it, None as it is."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise GridError(f"{name}={value!r} is not a name; pass a text, or leave {name} out.")
    return value.strip()


def _number(name: str, value: object, *, least: float) -> float:
    """Return a finite number that is at least so much, as a float."""
    number = as_real(value)
    if number is None or not least <= number < math.inf:
        raise GridError(f"{name}={value!r} is impossible; pass a finite number from {least:g} up.")
    return number
