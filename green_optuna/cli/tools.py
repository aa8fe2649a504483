"""More commands: ``repeat``, ``measure``, ``estimate``, ``paper``, ``doctor`` and ``sync``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from green_optuna.cli.options import (
    AllowMixedOption,
    AssumeExactOption,
    CarbonIntensityOption,
    ConfigDirOption,
    ConfigNameOption,
    CountryOption,
    FormatOption,
    RegionOption,
    StorageOption,
    StudyArgument,
)
from green_optuna.cli.render import Format
from green_optuna.errors import OptionError


def repeat(
    *,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY] KEY=VALUE...",
            help="The study, which may be left out where there is only one; then what run was "
            "given, such as objective=train.py:objective grid.country=FRA.",
        ),
    ] = None,
    trial: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="A trial to run again, by its number; may be repeated."),
    ] = None,
    auto: Annotated[
        bool,
        typer.Option(
            "--auto",
            help="Run again the trial that the rule (rule.name=...) selects, and the one that it "
            "would most likely select instead.",
        ),
    ] = False,
    times: Annotated[
        int, typer.Option(metavar="K", min=1, help="How often to run each again.")
    ] = 1,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The study's storage; study.storage=URL, as for run, unless given."
        ),
    ] = None,
    config_name: ConfigNameOption = "config",
    config_dir: ConfigDirOption = None,
    allow_mixed: AllowMixedOption = False,
    assume_exact: AssumeExactOption = False,
    output: FormatOption = Format.table,
) -> None:
    """Run trials again, measured and with the same hyperparameters, to be surer of a choice."""
    from green_optuna.cli.repeat import find_and_repeat
    from green_optuna.config import load_config

    if bool(trial) == auto:
        raise OptionError("Give either --trial N, once or several times, or --auto.")
    given = arguments or []
    named = bool(given) and "=" not in given[0]
    config = load_config(given[named:], config_name=config_name, config_dir=config_dir)
    code = find_and_repeat(
        config,
        given[0] if named else None,
        storage,
        trial or None,
        times=times,
        allow_mixed=allow_mixed,
        assume_exact=assume_exact,
        output=output,
    )
    raise typer.Exit(code)


def measure(
    *,
    command: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND", help="The program and its arguments, after -- or not."),
    ],
    country: CountryOption = None,
    region: RegionOption = None,
    carbon_intensity: CarbonIntensityOption = None,
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
    from green_optuna.cli.grid import make_grid
    from green_optuna.cli.measure import measure_program
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


def estimate(
    *,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILTER]", help="--list: some words of the hardware's name."),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(metavar="NAME", help='What it runs on, such as "A100 SXM4"; see --list.'),
    ] = None,
    hours: Annotated[float | None, typer.Option(help="For how long, in hours.")] = None,
    count: Annotated[int, typer.Option(help="On how many of them.")] = 1,
    utilisation: Annotated[
        float, typer.Option(help="Share of the power that they draw on average, up to 1.")
    ] = 1.0,
    power_w: Annotated[
        float | None,
        typer.Option(metavar="W", help="The power of one, for hardware that is not known."),
    ] = None,
    country: CountryOption = None,
    region: RegionOption = None,
    carbon_intensity: CarbonIntensityOption = None,
    grid_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Or no place: world-2018 (437 g/kWh, as Douwes, Esling and Briot 2021), or world "
            "(CodeCarbon's).",
        ),
    ] = None,
    pue: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="The building's power usage effectiveness, or world-2018 (1.58); none unless "
            "given.",
        ),
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="Show the known hardware and its rated power instead.")
    ] = False,
    output: FormatOption = Format.table,
) -> None:
    """Estimate what a run costs that cannot be measured: rated power x time."""
    from green_optuna.cli.estimate import show_devices, show_estimate
    from green_optuna.cli.grid import choose_grid

    if listing:
        show_devices(" ".join(words) if words else None, output=output)
        return
    if words:
        raise OptionError(f"{' '.join(words)!r} goes with --list; name hardware by --hardware.")
    if hardware is None or hours is None:
        raise OptionError("Give both --hardware and --hours; --list shows the known hardware.")
    show_estimate(
        hardware,
        hours=hours,
        count=count,
        utilisation=utilisation,
        power_w=power_w,
        grid=choose_grid(
            name=grid_name, country=country, region=region, intensity=carbon_intensity
        ),
        pue=pue,
        output=output,
    )


def doctor(
    *,
    country: CountryOption = None,
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


def paper(
    *,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also draw both fronts, as .html, or as .png or .svg with Matplotlib.",
        ),
    ] = None,
    output: Annotated[
        Format, typer.Option("--format", help="table or json; json is for scripts.")
    ] = Format.table,
) -> None:
    """Compute the tables and fronts of Douwes, Esling and Briot (2021) beside what they printed."""
    from green_optuna.cli.paper import show_paper

    show_paper(figure, output=output)
