"""The grid that the command line's options mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.carbon import Grid
from green_optuna.catalogue import folded
from green_optuna.cli.spelling import estimate_flags, grid_flags
from green_optuna.errors import GridError, OptionError
from green_optuna.intensities import OWN_FIGURE
from green_optuna.terms import read_terms

if TYPE_CHECKING:
    import optuna


def make_grid(
    *, country: str | None, region: str | None, intensity: float | None, pue: float | None
) -> Grid:
    """Make the grid of what was given on the command line, else of what the environment says.

    Args:
        country: An ISO 3166 code.
        region: A state, province or bidding zone.
        intensity: The carbon intensity in g/kWh.
        pue: The building's overhead.

    Raises:
        GridError: Nobody says where the electricity comes from, or a value cannot be used.
    """
    with grid_flags():
        if country is None and region is None and intensity is None:
            grid = Grid.from_environment()
            return grid if pue is None else Grid.from_dict({**grid.to_dict(), "pue": pue})
        return Grid(
            country=country,
            region=region,
            carbon_intensity_g_per_kwh=intensity,
            pue=1.0 if pue is None else pue,
        )


def choose_grid(
    *, name: str | None, country: str | None, region: str | None, intensity: float | None
) -> Grid:
    """Make the grid of the flags: one of those that have a name, a place, or a figure.

    Args:
        name: "world" or "world-2018".
        country: An ISO 3166 code.
        region: A state, province or bidding zone.
        intensity: The carbon intensity in g/kWh.

    Raises:
        OptionError: A name and a place are both given.
        GridError: Nobody says where the electricity comes from, or a value cannot be used.
    """
    if name is None:
        return make_grid(country=country, region=region, intensity=intensity, pue=None)
    given = {"--country": country, "--region": region, "--carbon-intensity": intensity}
    for flag, value in given.items():
        if value is not None:
            raise OptionError(f"--grid-name={name!r} and {flag}={value!r}: give one of them.")
    with estimate_flags():
        return Grid.named(name)


def pue_of(study: optuna.Study) -> float:
    """Give the PUE that a study measures with: that of another grid it is compared on, too."""
    terms = read_terms(study)
    return 1.0 if terms is None else terms.grid.pue


def grid_of_text(text: str, *, pue: float) -> Grid:
    """Make the grid that a flag names in one word.

    Args:
        text: An ISO 3166 code (FRA), with a region behind a slash (USA/california); a name
            (world, world-2018); or a carbon intensity in g/kWh (56).
        pue: The building's overhead.

    Raises:
        GridError: The place or the name is not known, or the figure cannot be used.
    """
    intensity = as_number(text)
    country, _, region = text.partition("/")
    try:
        if intensity is not None:
            return Grid(carbon_intensity_g_per_kwh=intensity, pue=pue)
        if folded(text).startswith("world"):
            return Grid.named(text, pue=pue)
        return Grid(country=country, region=region or None, pue=pue)
    except GridError as error:
        said = str(error).replace(OWN_FIGURE, "its carbon intensity in g/kWh")
        raise GridError(f"--grid {text!r}: {said}") from error


def as_number(text: str) -> float | None:
    """Read a number; None where a text is none."""
    try:
        return float(text)
    except ValueError:
        return None
