"""MLflow stores for the tests: one set of tables is made a session, and copied for each test."""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING

import mlflow
import pytest
from mlflow import MlflowClient
from servers import Server, mlflow_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _at_exit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what trackers are told as the process ends out of the user's folder and the output."""
    os.environ["GREEN_OPTUNA_STATE_FOLDER"] = str(tmp_path_factory.mktemp("state"))
    yield
    logging.getLogger("green_optuna").setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def _mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make MLflow's tables once: that takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "template.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def mlflow_uri(_mlflow_template: Path, tmp_path: Path) -> str:
    """Give the URI of an empty MLflow store of the test's own."""
    path = tmp_path / "mlflow.db"
    shutil.copyfile(_mlflow_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def client(mlflow_uri: str) -> MlflowClient:
    """Give a client of the test's own store, to read back what was logged."""
    return MlflowClient(mlflow_uri)


@pytest.fixture
def server(mlflow_uri: str, tmp_path: Path) -> Iterator[Server]:
    """Give an MLflow server on the test's own store."""
    with mlflow_server(mlflow_uri, tmp_path) as one:
        yield one


@pytest.fixture
def _fluent(mlflow_uri: str) -> Iterator[None]:
    """Make the test's store the one of MLflow's fluent functions, and undo what they keep."""
    mlflow.set_tracking_uri(mlflow_uri)
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()
    # None unsets it, which the annotation of MLflow's function leaves out.
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
