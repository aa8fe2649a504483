"""``green-optuna select --register --alias --card``: what becomes of the model that is selected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from green_optuna.cli import render
from green_optuna.errors import OptionError
from green_optuna.registry import register
from green_optuna.tracking.mlflow.registry import check_names

if TYPE_CHECKING:
    from green_optuna.selection import Selection

RegisterOption = Annotated[
    str | None,
    typer.Option(
        "--register",
        metavar="NAME",
        help="Register its model under this name in MLflow, with its energy card.",
    ),
]
AliasOption = Annotated[
    str | None,
    typer.Option(
        metavar="ALIAS", help="--register: an alias, such as green, for models:/NAME@green."
    ),
]
CardOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.md",
        help="Write its energy card, with the metadata that Hugging Face's model cards have.",
    ),
]
MlflowUriOption = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="--register: MLflow's store, where the trials' runs are; $MLFLOW_TRACKING_URI, else "
        "sqlite:///mlflow.db, unless given.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is to become of the model that is selected.

    Attributes:
        register: The name to register it under; None for none.
        alias: The alias of that version; None for none.
        card: The file that its card is written to; None for none.
        mlflow_uri: MLflow's store; None for the current one.

    Raises:
        OptionError: An option goes with ``--register``, which is missing.
    """

    register: str | None = None
    alias: str | None = None
    card: Path | None = None
    mlflow_uri: str | None = None

    def __post_init__(self) -> None:
        """Check that the options fit one another."""
        if self.register is None and (self.alias or self.mlflow_uri):
            raise OptionError("--alias and --mlflow-uri go with --register: give that as well.")

    def carry_out(self, selection: Selection) -> None:
        """Write the card, register the model, and say so on standard error.

        Raises:
            OptionError: The card cannot be written, or MLflow refuses the name or the alias.
            RegistryError: There is no model to register.
            TrackerError: MLflow's store does not answer.
        """
        if self.register is not None:
            check_names(self.register, self.alias)
        if self.card is not None:
            render.say(f"Its card is in {selection.card().save(self.card)}.")
        if self.register is not None:
            made = register(
                selection, self.register, alias=self.alias, tracking_uri=self.mlflow_uri
            )
            render.say(str(made))
