"""``green-optuna estimate``: what a run costs that cannot be measured, and the known hardware."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from green_optuna.carbon import Grid
from green_optuna.cli import render
from green_optuna.cli.render import Format
from green_optuna.cli.spelling import estimate_flags
from green_optuna.devices import known_devices
from green_optuna.errors import OptionError
from green_optuna.estimate import estimate
from green_optuna.units import format_co2e, format_energy, format_power

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from green_optuna.devices import Device
    from green_optuna.estimate import Estimate


def show_estimate(
    hardware: str,
    *,
    hours: float,
    count: int,
    utilisation: float,
    power_w: float | None,
    grid: Grid,
    pue: str | None,
    output: Format,
) -> None:
    """Show what a run is estimated to cost, and all that is assumed for it.

    Args:
        hardware: What it runs on, by name.
        hours: For how long, in h.
        count: On how many.
        utilisation: The share of the power that is drawn on average.
        power_w: The power of one in W; None for the rated power that is known.
        grid: What turns the energy into CO2e.
        pue: The building's overhead, as a number or by name; None for none.
        output: How to write it.

    Raises:
        OptionError: The hardware is unknown, or a value cannot be used.
    """
    with estimate_flags():
        made = estimate(
            hardware,
            count=count,
            hours=hours,
            grid=grid,
            pue=None if pue is None else _number_or_name(pue),
            utilisation=utilisation,
            power_w=power_w,
        )
    if output is Format.json:
        typer.echo(json.dumps(made.to_dict(), indent=2))
    elif output is Format.csv:
        typer.echo(render.csv_text([_row(made)]), nl=False)
    else:
        render.show(_estimate_table(made))
        typer.echo("\nAssumed:")
        for assumption in made.assumptions:
            typer.echo(f"- {assumption}")


def show_devices(containing: str | None, *, output: Format) -> None:
    """Show the hardware that can be named: all accelerators, or what has some words in its name.

    Args:
        containing: The words, with which processors are shown as well; None for no words.
        output: How to write it.

    Raises:
        OptionError: Nothing has those words in its name.
    """
    devices = known_devices(containing or "")
    if not devices:
        raise OptionError(
            f"--list {containing!r}: no hardware has these words in its name; give fewer, or none."
        )
    processors = [device for device in devices if device.kind == "cpu"]
    if containing is None:
        devices = tuple(device for device in devices if device.kind != "cpu")
    rows = [
        {
            "hardware": device.name,
            "kind": device.kind,
            "rated_power_w": device.rated_power_w,
            "source": device.source,
        }
        for device in devices
    ]
    if output is Format.json:
        typer.echo(json.dumps(rows, indent=2))
    elif output is Format.csv:
        typer.echo(render.csv_text(rows), nl=False)
    else:
        render.show(_device_table(devices))
    if containing is None:
        render.say(
            f"Also {len(processors)} processors ({processors[0].source}): give some words of the "
            f'name after --list, such as "EPYC 77".'
        )


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _estimate_table(made: Estimate) -> Table:
    from rich.table import Table

    table = Table(title="Estimated, not measured", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("hardware", f"{made.count} x {made.device.name}")
    table.add_row("rated power", f"{format_power(made.device.rated_power_w)} each")
    table.add_row("time", f"{made.hours:g} h")
    if made.utilisation != 1:
        table.add_row("utilisation", f"{made.utilisation:g}")
    table.add_row("energy", format_energy(made.energy_kwh))
    table.add_row("CO2e", format_co2e(made.co2e_kg))
    return table


def _device_table(devices: Sequence[Device]) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column("hardware")
    table.add_column("kind")
    table.add_column("rated power", justify="right")
    table.add_column("source", overflow="fold")
    for device in devices:
        table.add_row(device.name, device.kind, f"{device.rated_power_w:g} W", device.source)
    return table


def _row(made: Estimate) -> dict[str, Any]:
    """Give an estimate as one row, its grid spread out."""
    plain = made.to_dict()
    grid = plain.pop("grid")
    said = plain.pop("assumptions")
    grid["carbon_intensity_source"] = grid.pop("source")
    return {**plain, **grid, "assumptions": " ".join(said)}
