"""The command ``front``: a study's Pareto front, on its own grid and on others."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from green_optuna.cli.options import (
    AllowMixedOption,
    AssumeExactOption,
    CheckpointsOption,
    FormatOption,
    ObjectivesOption,
    StorageOption,
    StudyArgument,
)
from green_optuna.cli.render import Format
from green_optuna.cli.spelling import flag, names_in, rule_options
from green_optuna.errors import OptionError


def front(
    *,
    study: StudyArgument = None,
    storage: StorageOption = None,
    objectives: ObjectivesOption = None,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Results from elsewhere to compare with, published or estimated: a CSV file with "
            "the columns name and some of quality, co2e_kg, energy_kwh, n_params.",
        ),
    ] = None,
    dominated: Annotated[
        bool, typer.Option("--dominated", help="Also the trials that are not on the front.")
    ] = False,
    checkpoints: CheckpointsOption = False,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GRID",
            help="Show instead what the rule chooses, and what that, the front and the study cost, "
            "on this grid too (repeat it for several): FRA, USA/california, world, or g/kWh.",
        ),
    ] = None,
    rule: Annotated[
        str | None, typer.Option(help="--grid: the rule, as for select; tolerance unless given.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="--grid: the rule's share of the best quality to give up."),
    ] = None,
    max_co2e_kg: Annotated[
        float | None, typer.Option(help="--grid: the rule's cap on CO2e, in kg.")
    ] = None,
    max_quality_loss: Annotated[
        float | None, typer.Option(help="--grid: the rule's cap on the quality loss, from 0 to 1.")
    ] = None,
    max_n_params: Annotated[
        float | None, typer.Option(help="--grid: the rule's cap on the number of parameters.")
    ] = None,
    allow_mixed: AllowMixedOption = False,
    assume_exact: AssumeExactOption = False,
    output: FormatOption = Format.table,
) -> None:
    """Show the Pareto front of a study, or what other grids change of the choice from it."""
    from green_optuna.cli.grids import show_grids
    from green_optuna.cli.show import show_front
    from green_optuna.config import RuleConfig

    chosen_by = RuleConfig(
        name=rule,
        relative=tolerance,
        max_co2e_kg=max_co2e_kg,
        max_quality_loss=max_quality_loss,
        max_n_params=max_n_params,
    )
    if grid:
        if references or dominated:
            raise OptionError(
                f"{'--references' if references else '--dominated'} does not go with --grid, which "
                "shows what is chosen: leave one of them out."
            )
        with rule_options(flag):
            show_grids(
                study,
                storage,
                names_in(objectives),
                grids=grid,
                rule=replace(chosen_by, name=rule or "tolerance").make(spell=flag),
                checkpoints=checkpoints,
                allow_mixed=allow_mixed,
                output=output,
            )
        return
    for name, value in asdict(chosen_by).items():
        if value is not None:
            raise OptionError(
                f"{flag(name if name != 'name' else 'rule')} goes with --grid; to choose a trial "
                "otherwise, there is green-optuna select."
            )
    show_front(
        study,
        storage,
        names_in(objectives),
        references=references,
        dominated=dominated,
        checkpoints=checkpoints,
        allow_mixed=allow_mixed,
        assume_exact=assume_exact,
        output=output,
    )
