"""The grid that the command line's options mean."""

from __future__ import annotations

from green_optuna.carbon import Grid
from green_optuna.cli.spelling import estimate_flags, grid_flags
from green_optuna.errors import OptionError


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
