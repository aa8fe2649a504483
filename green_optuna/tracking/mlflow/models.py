"""A trial's model in MLflow: a logged model of the trial's run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.tracking.mlflow import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

    from green_optuna.saving import SavedModel
    from green_optuna.tracking.mlflow.store import Store

NAME = "model"
"""What the logged model of each trial is called."""


def log_saved_model(store: Store, run_id: str, saved: SavedModel) -> str | None:
    """Log a model's files to its trial's run, unless the run has them.

    Args:
        store: Where the run is.
        run_id: The run.
        saved: The model; its folder is there still.

    Returns:
        Why it could not be done now or ever, as its files are gone; None where the run has them.
    """
    client = store.client
    for logged in _models_of_run(client, run_id):
        if logged.status == "READY":
            return None
        # Its upload was cut: all of it is sent again.
        client.delete_logged_model(logged.model_id)
    if saved.folder is None or not (saved.folder / "MLmodel").is_file():
        return "not saved: its files were gone before MLflow could take them"
    from mlflow.entities import LoggedModelOutput

    run = client.get_run(run_id)
    logged = client.create_logged_model(
        run.info.experiment_id,
        name=NAME,
        source_run_id=run_id,
        params=dict(run.data.params),
        tags={schema.MODEL_TAG: str(saved)},
        model_type=saved.flavor,
    )
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    _say_whose(saved.folder, logged, run_id)
    client.log_model_artifacts(logged.model_id, str(saved.folder))
    client.finalize_logged_model(logged.model_id, "READY")
    return None


def model_of_run(client: MlflowClient, run_id: str) -> LoggedModel | None:
    """Give the model of a trial's run that all files are there of, or None."""
    models = _models_of_run(client, run_id)
    return next((logged for logged in models if logged.status == "READY"), None)


def _models_of_run(client: MlflowClient, run_id: str) -> Iterator[LoggedModel]:
    """Go through the models that we logged to a run; its function may have logged others."""
    from mlflow.exceptions import MlflowException

    outputs = client.get_run(run_id).outputs
    for output in () if outputs is None else outputs.model_outputs:
        try:
            logged = client.get_logged_model(output.model_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            continue  # somebody deleted it
        if schema.MODEL_TAG in (logged.tags or {}):
            yield logged


def _say_whose(folder: Path, logged: LoggedModel, run_id: str) -> None:
    """Write into a model's files which logged model they are, as MLflow's own log_model does."""
    from mlflow.models import Model

    description = Model.load(str(folder))
    description.artifact_path = logged.artifact_location
    description.model_id = description.model_uuid = logged.model_id
    description.run_id = run_id
    description.save(str(folder / "MLmodel"))
