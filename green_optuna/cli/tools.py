"""The commands beside studies: ``measure``, ``doctor`` and ``sync``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from green_optuna.cli.options import StorageOption, StudyArgument
from green_optuna.cli.render import Format
from green_optuna.errors import OptionError


def measure(
    *,
    command: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND", help="The program and its arguments, after -- or not."),
    ],
    country: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Where the electricity comes from, such as FRA; what GREEN_OPTUNA_COUNTRY or "
            "GREEN_OPTUNA_CARBON_INTENSITY_G_PER_KWH says unless given.",
        ),
    ] = None,
    region: Annotated[str | None, typer.Option(help="A state, province or bidding zone.")] = None,
    carbon_intensity: Annotated[
        float | None, typer.Option(metavar="G_PER_KWH", help="Or its carbon intensity, in g/kWh.")
    ] = None,
    pue: Annotated[
        float | None, typer.Option(help="The building's power usage effectiveness; 1 unless given.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write all of it as .json, or the trace as .csv."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call it; as the program unless given.")
    ] = None,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Also log it to MLflow.")] = False,
    tracking_uri: Annotated[
        str | None, typer.Option(metavar="URI", help="--mlflow: MLflow's store.")
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="--mlflow: the experiment.")] = None,
) -> None:
    """Run any program and say on standard error what it cost.

    Children that the program waits for count with it.
    """
    from green_optuna.cli.measure import make_grid, measure_program
    from green_optuna.tracking import MLflowTracker

    if not mlflow and (tracking_uri or experiment):
        raise OptionError("--tracking-uri and --experiment go with --mlflow: give that as well.")
    # The program logs to MLflow on its own, where it does.
    tracker = MLflowTracker(tracking_uri, experiment, activate=False)
    grid = make_grid(country=country, region=region, intensity=carbon_intensity, pue=pue)
    code = measure_program(
        command, grid=grid, output=output, name=name, trackers=(tracker,) if mlflow else ()
    )
    raise typer.Exit(code)


def doctor(
    *,
    country: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Where the electricity comes from, as an ISO 3166 code such as FRA; what the "
            "environment says unless given.",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="How long to test the noise, in s; 0 leaves it out.")
    ] = 10.0,
    output: Annotated[
        Format, typer.Option("--format", help="table or json; json is for scripts.")
    ] = Format.table,
) -> None:
    """Show what can be measured on this host, what is estimated and why, and how noisy it is."""
    from green_optuna.cli.doctor import show_diagnosis

    raise typer.Exit(show_diagnosis(country, seconds, output=output))


def sync(
    *,
    study: StudyArgument = None,
    storage: StorageOption = None,
    mlflow_uri: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="MLflow's store. Unless given, records go where they were to go, and runs of "
            "killed trials are in $MLFLOW_TRACKING_URI, else in sqlite:///mlflow.db.",
        ),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Likewise the experiment; else green_optuna.")
    ] = None,
) -> None:
    """Send what trackers could not take, and count what killed trials had spent on this machine.

    Without STUDY, all studies of the storage, and all records that wait on this machine.
    """
    from green_optuna.cli.sync import sync_all

    code = sync_all(study, storage, mlflow_uri=mlflow_uri, experiment=experiment)
    raise typer.Exit(code)
