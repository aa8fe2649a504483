"""The command ``report``: a study as one page of HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from green_optuna.cli.options import (
    AssumeExactOption,
    CheckpointsOption,
    StorageOption,
    StudyArgument,
)
from green_optuna.cli.spelling import amounts, flag, names_in, rule_options
from green_optuna.errors import OptionError


def report(
    *,
    study: StudyArgument = None,
    storage: StorageOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")
    ] = Path("report.html"),
    rule: Annotated[
        str | None, typer.Option(help="The rule that makes the choice; tolerance unless given.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="The rule's share of the best quality to give up.")
    ] = None,
    caps: Annotated[
        list[str] | None,
        typer.Option(
            "--max",
            metavar="NAME=MOST",
            help="The most allowed of an objective, in its unit; may come several times.",
        ),
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Draw the front over these objectives alone, such as quality_loss,co2e_kg.",
        ),
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Results from elsewhere to compare with: a CSV file, as for front."
        ),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            metavar="GRID",
            help="Show all CO2e as it would be on this grid, at the study's PUE: FRA, "
            "USA/california, world, or g/kWh.",
        ),
    ] = None,
    checkpoints: CheckpointsOption = False,
    assume_exact: AssumeExactOption = False,
) -> None:
    """Write a study as one page: what was found, what it cost, and how far to trust it.

    It opens from a file, with no internet. Trials that were not all measured alike are shown, and
    the page says so first.
    """
    from green_optuna.cli.grid import grid_of_text
    from green_optuna.cli.storage import find_study
    from green_optuna.config import RuleConfig
    from green_optuna.front import pareto_front
    from green_optuna.terms import read_terms

    if output.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"--output is {str(output)!r}: the report is a page, name it .html.")
    asked = rule is not None or tolerance is not None or caps
    config = RuleConfig(name=rule or "tolerance", relative=tolerance, caps=amounts("--max", caps))
    found = find_study(study, storage)
    terms = read_terms(found)
    pue = 1.0 if terms is None else terms.grid.pue
    with rule_options(flag):
        front = pareto_front(
            found,
            names_in(objectives),
            grid=None if grid is None else grid_of_text(grid, pue=pue),
            checkpoints=checkpoints,
            references=references or (),
            allow_mixed=True,
            assume_exact=assume_exact,
        )
        made = config.make(spell=flag) if asked else None
        try:
            typer.echo(str(front.report(output, rule=made)))
        except OSError as error:
            said = error.strerror or error
            raise OptionError(f"Cannot write {str(output)!r}: {said}.") from error
