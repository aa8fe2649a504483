"""Arguments and options that several commands have."""

from __future__ import annotations

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
FormatOption = Annotated[Format, typer.Option("--format", help="json and csv are for scripts.")]
