"""``green-optuna doctor``: what can be measured on this host, and what would mend the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from green_optuna.carbon import Grid
from green_optuna.cli import render
from green_optuna.cli.render import Format
from green_optuna.doctor import diagnose
from green_optuna.doctor.selftest import check_seconds
from green_optuna.errors import OptionError
from green_optuna.units import format_duration, format_energy, format_power

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from green_optuna.doctor import ComponentDiagnosis, Diagnosis
    from green_optuna.doctor.selftest import SelfTest

CANNOT_MEASURE = 4
"""The exit code where neither the processor's energy nor a GPU's is measured."""

_NAMES = {"cpu": "processor", "gpu": "GPU", "ram": "memory"}


def show_diagnosis(country: str | None, seconds: float, *, output: Format) -> int:
    """Show what can be measured on this host.

    Args:
        country: Where the electricity comes from; None for what the environment says.
        seconds: How long the self-test may take, in s; 0 for none.
        output: How to write it, as a table or as JSON.

    Returns:
        The exit code: 0 where hardware measures the processor or a GPU, else 4.

    Raises:
        OptionError: An option cannot be used.
        GridError: The country is unknown.
    """
    if output is Format.csv:
        raise OptionError("--format is 'csv', which holds no diagnosis: give table or json.")
    check_seconds(seconds)
    grid = None if country is None else Grid(country=country)
    if output is Format.table and seconds > 0:
        render.say(f"Measuring the same work again and again, for some {seconds:g} s ...")
    diagnosis = diagnose(grid=grid, seconds=seconds)
    if output is Format.json:
        typer.echo(json.dumps(diagnosis.to_dict(), indent=2))
    else:
        render.show(_table(diagnosis))
        for line in _lines(diagnosis):
            typer.echo(line)
    return 0 if diagnosis.measured else CANNOT_MEASURE


def _table(diagnosis: Diagnosis) -> Table:
    from rich.table import Table

    table = Table(
        title=f"Energy on {diagnosis.host!r}, hardware {diagnosis.fingerprint}: "
        f"{diagnosis.basis or 'not to be had'}",
        title_justify="left",
        caption=f"The hardware: {', '.join(diagnosis.hardware)}.",
        caption_justify="left",
    )
    for heading in ("component", "how", "source", "a new figure every"):
        table.add_column(heading, overflow="fold")
    for one in diagnosis.components:
        every = _every(one.resolution_s)
        source = one.source.name if one.source else ""
        table.add_row(_NAMES[one.component], _how(one), source, every)
    return table


def _every(resolution_s: float | None) -> str:
    """Say how often there is a new figure; an estimate has one at any moment."""
    if resolution_s is None:
        return ""
    return format_duration(resolution_s) if resolution_s > 0 else "at any moment"


def _how(one: ComponentDiagnosis) -> str:
    if one.source is None:
        return "not counted" if one.reasons else "none found"
    return "measured" if one.measured else "estimated"


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Say the rest, the commands on lines of their own that a terminal does not break."""
    if diagnosis.fault is not None:
        yield f"\nThe meter gives nothing: {diagnosis.fault}"
    for one in diagnosis.components:
        for reason in one.reasons:
            yield f"\n{_NAMES[one.component]}: {reason.why}\n  {reason.remedy}"
            yield from (f"    {command}" for command in reason.commands)
    grid = diagnosis.grid
    if grid is None:
        yield f"\ncarbon intensity: {diagnosis.grid_fault}"
    else:
        yield (
            f"\ncarbon intensity: {grid.carbon_intensity_g_per_kwh:g} g/kWh ({grid.source}), "
            f"PUE {grid.pue:g}"
        )
    if diagnosis.self_test is not None:
        yield from _noise(diagnosis.self_test)


def _noise(test: SelfTest) -> Iterator[str]:
    yield f"\nidle: {format_power(test.idle_power_w)} while this process only waits"
    if not test.spreads:
        yield "noise: there was no time to measure it; give more --seconds."
    for spread in test.spreads:
        if spread.energy_cv is None:
            yield "noise: work was done and no energy seen: the meter's counter stands still."
            continue
        yield (
            f"noise: identical work of {format_duration(spread.nominal_s)}, {spread.runs} times, "
            f"{format_energy(spread.mean_energy_kwh)} each: its energy varies by "
            f"{spread.energy_cv:.1%}, its duration by {spread.duration_cv:.1%}"
        )
    if test.spreads:
        yield (
            "       (coefficient of variation: standard deviation by mean). Smaller differences "
            "between two trials mean little; what else runs on this host adds to it."
        )
