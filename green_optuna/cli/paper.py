"""``green-optuna paper``: the tables and fronts of the paper, beside what it printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from green_optuna.cli import render
from green_optuna.cli.render import Format
from green_optuna.errors import OptionError
from green_optuna.paper import reproduce
from green_optuna.paper.figure import save_figure
from green_optuna.paper.published import WITHOUT_MOS
from green_optuna.units import format_count, quantity_heading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.table import Table
    from rich.text import Text

    from green_optuna.paper import Reproduction
    from green_optuna.paper.reproduction import Cell


def show_paper(figure: Path | None, *, output: Format) -> None:
    """Show the paper's tables and fronts, computed anew.

    Args:
        figure: A file to draw the fronts into, too.
        output: How to write them, as tables or as JSON.

    Raises:
        OptionError: An option cannot be used.
        MissingPackageError: Matplotlib is not installed, and the figure wants it.
    """
    if output is Format.csv:
        raise OptionError("--format is 'csv', which holds no two tables: give table or json.")
    reproduction = reproduce()
    if figure is not None:
        save_figure(reproduction, figure)
        render.say(f"The figure is in {figure}.")
    if output is Format.json:
        typer.echo(json.dumps(reproduction.to_dict(), indent=2))
        return
    render.show(_trainings(reproduction))
    render.show(_listenings(reproduction))
    for line in _lines(reproduction):
        typer.echo(line)


def _trainings(reproduction: Reproduction) -> Table:
    from rich.table import Table

    table = Table(
        title="Table 1: CO2e of training, estimated (eq. 6)",
        title_justify="left",
        caption=f"As printed (computed); * does not follow from its own row. The last column: kg "
        f"CO2e with that PUE, which the paper defines and does not apply. "
        f"{reproduction.grid.co2e_kg(1):g} kg/kWh ({reproduction.grid.source}).",
        caption_justify="left",
    )
    table.add_column("model", no_wrap=True)
    table.add_column("hardware", min_width=7)
    for heading in ("W", "h", "kWh", "kg CO2e", f"PUE {reproduction.pue:g}"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in reproduction.trainings:
        power, energy, co2e = row.cells.values()
        table.add_row(
            row.inputs.model,
            f"{row.inputs.count} x {row.inputs.printed_device}",
            _both(power) if not power.follows else power.printed,
            f"{row.inputs.hours:g}",
            _both(energy),
            _both(co2e),
            f"{row.co2e_with_pue_kg:.1f}",
        )
    return table


def _listenings(reproduction: Reproduction) -> Table:
    from rich.table import Table

    table = Table(title="Table 2: quality (eq. 7, 8) and parameters", title_justify="left")
    table.add_column("model")
    for heading in ("MOS", "of the ground truth", "1 - %MOS", "parameters"):
        table.add_column(heading, justify="right")
    for row in reproduction.listenings:
        given = row.inputs
        table.add_row(
            given.model,
            f"{given.mos:g} ± {given.mos_spread:g}",
            f"{given.reference_mos:g} ± {given.reference_spread:g}",
            _both(row.loss),
            format_count(given.n_params),
        )
    for model, n_params in WITHOUT_MOS:
        table.add_row(model, "-", "-", "-", format_count(n_params))
    return table


def _both(cell: Cell) -> Text:
    """Show a cell as it was printed, and what follows from its row; marked where they differ."""
    from rich.text import Text

    mark, style = ("", "") if cell.follows else (" *", "bold red")
    return Text(f"{cell.printed}{mark} ({cell.rounded})", style=style)


def _lines(reproduction: Reproduction) -> Iterator[str]:
    yield "Figure 3: Pareto fronts over 1 - %MOS and ..."
    for front in reproduction.fronts:
        cost = quantity_heading(front.cost)
        agrees = "as the paper has it" if front.agrees else f"printed: {', '.join(front.printed)}"
        yield f"  {cost} ({front.name}): {', '.join(front.members)}; {agrees}."
        dominated = [name for name in front.points if name not in front.members]
        if dominated:
            yield f"    Dominated: {', '.join(dominated)}."
    for note in reproduction.notes:
        yield f"\n{note}"
