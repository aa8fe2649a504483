"""From a selection to a model that can be deployed: registered in MLflow, with its energy card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from green_optuna.errors import RegistryError
from green_optuna.tracking.mlflow import registry
from green_optuna.tracking.mlflow.activation import CurrentUri
from green_optuna.urls import shown_url

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from green_optuna.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model in MLflow's registry.

    Attributes:
        name: Its name.
        version: Its version under that name.
        alias: The alias that it was given; None for none.
        flavor: MLflow's name for its kind, such as "pytorch".
        model_id: The logged model that it is.
        run_id: The trial's run.
    """

    name: str
    version: int
    alias: str | None
    flavor: str
    model_id: str
    run_id: str

    @property
    def uri(self) -> str:
        """Where MLflow finds it: ``models:/digits@green``, or ``models:/digits/3``."""
        return f"models:/{self.name}" + (f"@{self.alias}" if self.alias else f"/{self.version}")

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for JSON."""
        return {**asdict(self), "uri": self.uri}

    def __str__(self) -> str:
        """Say what it is called, and how it is loaded."""
        return (
            f"Registered as {self.name!r}, version {self.version}: "
            f'mlflow.{self.flavor}.load_model("{self.uri}")'
        )


def register(
    selection: Selection,
    name: str,
    *,
    alias: str | None = None,
    tracking_uri: str | None = None,
) -> RegisteredModel:
    """Register the model of a selected trial in MLflow, with its energy card.

    The card is in the version's tags and description. A model that has a version under the name
    already keeps it, and gets the alias and the card as they are now.

    Args:
        selection: The selection: ``front.select()``.
        name: The registered model, made if need be.
        alias: An alias for the version, such as "green"; ``models:/name@alias`` loads it.
        tracking_uri: The store that the trial's run is in; MLflow's current one unless given.

    Raises:
        OptionError: MLflow refuses the name or the alias.
        RegistryError: The trial's model was not saved, or its run is not to be found or was
            deleted, or MLflow refuses the model.
        TrackerError: The store does not answer.
    """
    registry.check_names(name, alias)
    _check_saved(selection)
    card = selection.card()
    with registry.registry_errors(tracking_uri or ""):
        uri, client = registry.store_client(tracking_uri)
    # MLflow's registry looks the model up in the store that is current, whatever its client's is.
    with registry.registry_errors(uri), CurrentUri().set_to(uri):
        logged = registry.saved_model(client, uri, _run_of(selection, client, uri))
        version = registry.register_version(
            client,
            logged,
            name=name,
            alias=alias,
            tags=card.tags(),
            description=card.describe(),
        )
    saved = selection.saved_model
    return RegisteredModel(
        name=name,
        version=int(version.version),
        alias=alias,
        flavor=(saved and saved.flavor) or "pyfunc",
        model_id=logged.model_id,
        run_id=str(logged.source_run_id),
    )


def _check_saved(selection: Selection) -> None:
    """Hold that a trial's model was saved.

    Raises:
        RegistryError: It was not, or a step of it is selected, of which it is not the model.
    """
    if selection.step is not None:
        raise RegistryError(
            f"{_whose(selection)} is selected at step {selection.step}, and the model in its run "
            f"is that of its end: the step's own is in {selection.checkpoint!r}. Select without "
            "checkpoints, or register that file yourself, with selection.card().tags()."
        )
    saved = selection.saved_model
    if saved is None:
        raise RegistryError(
            f"{_whose(selection)} was not saved with its model: pass green_objective("
            "save_model=True), or call trial.save_model(model) in the function, and run it again: "
            f"study.enqueue_trial({selection.params!r})."
        )
    if saved.error is not None:
        raise RegistryError(f"The model of {_whose(selection)} was not saved: {saved.error}")


def _run_of(selection: Selection, client: MlflowClient, uri: str) -> str:
    """Give the MLflow run of a trial; that of one told of late is known to MLflow alone.

    Raises:
        RegistryError: It has none.
    """
    run_id = selection.mlflow_run_id
    if run_id is None and selection.study_key is not None:
        run_id = registry.late_run(client, selection.study_key, selection.number)
    if run_id is None:
        raise RegistryError(
            f"{_whose(selection)} has no run in the MLflow store {shown_url(uri)}: that of a "
            "server that was away is sent by `green-optuna sync`, on the machine that trained it; "
            "another store is named as tracking_uri=, --mlflow-uri or MLFLOW_TRACKING_URI."
        )
    return run_id


def _whose(selection: Selection) -> str:
    return f"Trial {selection.number} of study {selection.study_name!r}"
