"""Where MLflow's runs go: the store's address, the experiment in it, and how a person opens it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.errors import TrackerError
from green_optuna.tracking.mlflow.reach import DATABASE_PORTS
from green_optuna.urls import shown_url

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

DEFAULT_EXPERIMENT = "green_optuna"

# Has MLflow's pages show runs and their charts first, not prompts and evaluations.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


def absolute_uri(uri: str) -> str:
    """Give a tracking URI that means the same file or folder from any folder.

    Args:
        uri: A tracking URI; only one of a relative SQLite file, or a relative folder, is changed.
    """
    if scheme_of(uri) == "sqlite":
        scheme, slashes, rest = uri.partition(":///")
        path, mark, query = rest.partition("?")
        if not path or path.startswith((":memory:", "file:")):
            return uri
        return f"{scheme}{slashes}{Path(path).absolute()}{mark}{query}"
    folder = uri.removeprefix("file:")
    if _is_folder(uri) and folder and not folder.startswith("/"):
        return str(Path(folder).absolute())
    return uri


def is_server(uri: str) -> bool:
    """Tell whether a store is a server, from its URI."""
    return scheme_of(uri) in ("http", "https")


def _is_folder(uri: str) -> bool:
    """Tell whether a store is a folder, as MLflow's older ones are, rather than a service."""
    return "://" not in uri and uri.partition(":")[0] not in ("databricks", "databricks-uc", "uc")


def scheme_of(uri: str) -> str:
    """Give the protocol of a URI, without a database's driver."""
    return uri.partition("://")[0].partition("+")[0].lower() if "://" in uri else ""


def study_link(uri: str, page: str) -> str | None:
    """Say how a person opens a page of MLflow; no password is shown.

    Args:
        uri: The store's tracking URI.
        page: What follows the address of MLflow's pages.

    Returns:
        An address, or the command that serves one first; None where there is none that we know
        of: for a store in memory, or a hosted service with pages of its own.
    """
    if is_server(uri):
        # Whoever opens it logs in as themselves.
        address = re.sub(r"^(https?://)[^/?#]*@", r"\1", shown_url(uri), flags=re.IGNORECASE)
        return f"{address.rstrip('/')}/{page}"
    served = _is_folder(uri) or scheme_of(uri) in ("file", "sqlite", *DATABASE_PORTS)
    if not served or ":memory:" in uri:
        return None
    command = f"mlflow ui --backend-store-uri {shlex.quote(shown_url(uri))}"
    return f"{command}, then open http://127.0.0.1:5000/{page}"


def current_experiment(uri: str) -> str | None:
    """Give the experiment that is MLflow's current one, where that is one of this store.

    ``mlflow.set_experiment`` exports ``MLFLOW_EXPERIMENT_ID``, an id of MLflow's current store:
    in any other, it is a stranger's experiment or none.

    Args:
        uri: The store's tracking URI, from :func:`absolute_uri`.
    """
    import mlflow

    if absolute_uri(mlflow.get_tracking_uri()) != uri:
        return None
    return os.environ.get("MLFLOW_EXPERIMENT_ID") or None


def default_experiment() -> str:
    """Give the name of the experiment where nobody says which."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT


def experiment_id(client: MlflowClient, name: str | None, current_id: str | None) -> str:
    """Find or make the experiment.

    Raises:
        TrackerError: It was deleted.
    """
    from mlflow.exceptions import MlflowException

    found: Experiment | None
    if name is None and current_id is not None:
        found = client.get_experiment(current_id)
    else:
        name = name or default_experiment()
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name, tags=_EXPERIMENT_TAGS))
            except MlflowException:
                # A worker on another host made it meanwhile; anything else shows below.
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
    if found.lifecycle_stage == "deleted":
        raise TrackerError(
            f"The MLflow experiment {found.name!r} was deleted: restore it with "
            f"`mlflow experiments restore -x {found.experiment_id}`, or pass "
            "MLflowTracker(experiment=...) with another name."
        )
    return str(found.experiment_id)
