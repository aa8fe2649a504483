"""MLflow's model registry: the logged model of a run becomes a version under a name and an alias.

Only clients with explicit ids are used, as for runs.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.errors import OptionError, RegistryError
from green_optuna.tracking.mlflow import schema
from green_optuna.tracking.mlflow.models import model_of_run
from green_optuna.tracking.mlflow.place import absolute_uri, is_server, scheme_of
from green_optuna.tracking.mlflow.reach import DATABASE_PORTS, check_database, check_server
from green_optuna.tracking.mlflow.rest import impatient_client
from green_optuna.urls import secrets_of, shown_text, shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion


def check_names(name: str, alias: str | None) -> None:
    """Hold that MLflow takes a name and an alias, before anything is made.

    Raises:
        OptionError: It does not.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.utils import validation

    try:
        validation._validate_model_name(name)
    except MlflowException as error:
        raise OptionError(
            f"MLflow takes no model named {name!r} ({error.message}): give a name without / and :, "
            'such as "digits".'
        ) from error
    # MLflow takes these, and looks for another model where a URI has them.
    if name != name.strip() or any(one in "@?" or not one.isprintable() for one in name):
        raise OptionError(
            f"models:/{name!r} would name another model: give a name without @, ?, control "
            'characters and blanks at its ends, such as "digits".'
        )
    if alias is None:
        return
    try:
        validation._validate_model_alias_name(alias)  # type: ignore[no-untyped-call]
        validation._validate_model_alias_name_reserved(alias)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        raise OptionError(
            f"MLflow takes no alias {alias!r} ({error.message}): give letters, digits, - and _, "
            'such as "green"; not "latest", and no version such as "v2".'
        ) from error


def store_client(uri: str | None) -> tuple[str, MlflowClient]:
    """Give a client of the store that runs are in, once it is known to be there, and its URI.

    Args:
        uri: Its tracking URI; MLflow's current one unless given.

    Raises:
        RegistryError: It is a file that is not there.
        TrackerError: It does not answer.
    """
    import mlflow

    found = absolute_uri(uri or mlflow.get_tracking_uri())
    # MLflow would make one, where there is none.
    file = found.partition(":///")[2].partition("?")[0] if scheme_of(found) == "sqlite" else ""
    if file and not file.startswith((":memory:", "file:")) and not Path(file).exists():
        raise RegistryError(
            f"There is no MLflow store {found}: name the one that the trials' runs are in, as "
            "tracking_uri=, --mlflow-uri or MLFLOW_TRACKING_URI."
        )
    if is_server(found):
        client = impatient_client(found)
        check_server(found, client._tracking_client.store.get_host_creds)
    else:
        if scheme_of(found) in ("sqlite", *DATABASE_PORTS):
            check_database(found)
        client = mlflow.MlflowClient(found)
    return found, client


def late_run(client: MlflowClient, study_key: str, number: int) -> str | None:
    """Find the run of a trial that MLflow was told of only after it had ended, or None.

    Args:
        client: Of the store.
        study_key: The key of its study.
        number: Its number.
    """
    tags = {
        schema.STUDY_KEY_TAG: study_key,
        schema.number_tag("trial"): str(number),
        schema.LATE_TAG: "true",
    }
    runs = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()],
        filter_string=" AND ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items()),
        max_results=1,
    )
    return str(runs[0].info.run_id) if runs else None


def saved_model(client: MlflowClient, uri: str, run_id: str) -> LoggedModel:
    """Give the model that was saved with a trial's run.

    Args:
        client: Of the store.
        uri: The store's URI, for messages.
        run_id: The run.

    Raises:
        RegistryError: There is no such run, or it has no model.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise RegistryError(
            f"The MLflow store {shown_url(uri)} has no run {run_id}: it was deleted for good, or "
            "is in another store; name that as tracking_uri=, --mlflow-uri or MLFLOW_TRACKING_URI."
        ) from error
    if run.info.lifecycle_stage != "active":
        raise RegistryError(
            f"The MLflow run {run_id} of the chosen trial was deleted: restore it with "
            f"`mlflow runs restore --run-id {run_id}`, or choose another trial."
        )
    logged = model_of_run(client, run_id)
    if logged is None:
        raise RegistryError(
            f"The MLflow run {run_id} of the chosen trial has no model: it was deleted, or waits "
            "on the machine that trained it for `green-optuna sync`."
        )
    return logged


def register_version(
    client: MlflowClient,
    logged: LoggedModel,
    *,
    name: str,
    alias: str | None,
    tags: Mapping[str, str],
    description: str,
) -> ModelVersion:
    """Make a version of a logged model, or take the one there is; tag, describe and alias it.

    Args:
        client: Of the store.
        logged: The model.
        name: The registered model, made if need be.
        alias: What the version is to be called from now on; another version loses that name.
        tags: The version's tags.
        description: The version's description.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = _version_of(client, logged, name)
    if version is None:
        version = client.create_model_version(
            name,
            source=logged.model_uri,
            run_id=logged.source_run_id,
            tags=dict(tags),
            description=description,
            model_id=logged.model_id,
        )
    else:
        for key in version.tags:
            if key.startswith("green_optuna.") and key not in tags:
                client.delete_model_version_tag(name, version.version, key)
        for key, value in tags.items():
            client.set_model_version_tag(name, version.version, key, value)
        client.update_model_version(name, version.version, description)
    if alias is not None:
        client.set_registered_model_alias(name, alias, str(version.version))
    return version


def _version_of(client: MlflowClient, logged: LoggedModel, name: str) -> ModelVersion | None:
    """Give the version that a logged model has under a name already: a script may run twice."""
    # Not by its name, in which a search takes no quotation mark.
    for version in client.search_model_versions(f"run_id = '{logged.source_run_id}'"):
        # What is found lacks the id of its logged model, but for its source.
        if version.name == name and version.source == logged.model_uri:
            return version
    return None


@contextmanager
def registry_errors(uri: str) -> Iterator[None]:
    """Say what MLflow refuses as an error of ours, without the secrets of the store's URI.

    Raises:
        RegistryError: MLflow refused something.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        said = shown_text(" ".join(str(error.message).split()), secrets_of(uri))
        raise RegistryError(
            f"MLflow at {shown_url(uri)} did not register the model: {said}"
        ) from error
