"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from green_optuna.cli.render import Format

StudyArgument = Annotated[
    str | None,
    typer.Argument(metavar="STUDY", help="The study; may be left out where there is only one."),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        envvar="GREEN_OPTUNA_STORAGE",
        show_envvar=True,
        metavar="URL",
        help="Optuna's storage, such as sqlite:///digits.db or journal:digits.log; "
        "sqlite:///green_optuna.db, as for run, unless given.",
    ),
]
AllowMixedOption = Annotated[
    bool,
    typer.Option(
        "--allow-mixed", help="Compare trials all the same that were not all measured alike."
    ),
]
AssumeExactOption = Annotated[
    bool,
    typer.Option(
        "--assume-exact",
        help="Take trials of which no error is known as exact, where others have one, to tell how "
        "probable each member of the front is.",
    ),
]
ConfigNameOption = Annotated[
    str, typer.Option(help="A file of the configuration folder, without .yaml.")
]
ConfigDirOption = Annotated[Path | None, typer.Option(help="A configuration folder of your own.")]
CountryOption = Annotated[
    str | None,
    typer.Option(
        metavar="CODE",
        help="Where the electricity comes from, as an ISO 3166 code such as FRA; what "
        "GREEN_OPTUNA_COUNTRY or GREEN_OPTUNA_CARBON_INTENSITY_G_PER_KWH says unless given.",
    ),
]
RegionOption = Annotated[str | None, typer.Option(help="A state, province or bidding zone.")]
CarbonIntensityOption = Annotated[
    float | None, typer.Option(metavar="G_PER_KWH", help="Or its carbon intensity, in g/kWh.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="json and csv are for scripts.")]
CheckpointsOption = Annotated[
    bool,
    typer.Option(
        "--checkpoints",
        help="Choose among reported steps whose model was saved, too: trial.report(quality, step, "
        "checkpoint=path).",
    ),
]
ObjectivesOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Draw the front over these objectives alone, such as quality_loss,co2e_kg.",
    ),
]
