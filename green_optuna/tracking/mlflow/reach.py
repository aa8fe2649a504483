"""Whether an MLflow store is there, asked before MLflow is.

MLflow tries again for minutes where a server, a database or a file cannot be reached, and a
trial would wait for it. One look of our own says at once what is wrong.
"""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.errors import TrackerError
from green_optuna.urls import secrets_of, shown_text, shown_url

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_TIMEOUT_S = 3.0

# A server under load may be slow to answer, and is not away.
ANSWER_TIMEOUT_S = 15.0

DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def check_server(uri: str, host_creds: Callable[[], Any]) -> None:
    """Hold that an MLflow server answers.

    Args:
        uri: Its address.
        host_creds: Gives what MLflow knows of it: credentials and certificates.

    Raises:
        TrackerError: It does not, or a gateway says that it is away.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(  # type: ignore[no-untyped-call]
            host_creds(),
            "/health",
            "GET",
            max_retries=0,
            timeout=(CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S),
            raise_on_status=False,
        )
    except MlflowException as error:
        raise away("server", uri, error) from error
    # Not every server has this address, but those that answer at all are there.
    if answer.status_code >= 500:
        raise away("server", uri, f"HTTP status {answer.status_code}")


def check_database(uri: str) -> None:
    """Hold that a database takes connections, and can be written to if it is a file.

    Raises:
        TrackerError: It does not, or the URI cannot be read.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise TrackerError(
            f"The MLflow database {shown_url(uri)!r} is no URL of a database: write it as in "
            "sqlite:///mlflow.db or postgresql://user:password@host/name, and the characters "
            "/?#@: of a password in percent-encoding."
        ) from None
    dialect = url.get_backend_name()
    if dialect == "sqlite":
        name = url.database or ":memory:"
        if name != ":memory:" and not name.startswith("file:"):
            _check_file(uri, Path(name))
    elif url.host is not None and dialect in DATABASE_PORTS:
        try:
            address = (url.host, url.port or DATABASE_PORTS[dialect])
            socket.create_connection(address, timeout=CONNECT_TIMEOUT_S).close()
        except OSError as error:
            raise away("database", uri, error) from error


def _check_file(uri: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path, timeout=0.0)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
    except (OSError, sqlite3.Error) as error:
        # Another process that writes at this moment shows that it can be written to.
        if "locked" not in str(error):
            raise TrackerError(
                f"The MLflow database {shown_url(uri)} cannot be written to ({error}). Pass "
                "MLflowTracker(uri=...) with a file that can."
            ) from error


def away(what: str, uri: str, reason: object) -> TrackerError:
    """Give the error that says that a store does not answer, without its password."""
    return TrackerError(
        f"The MLflow {what} at {shown_url(uri)} does not answer "
        f"({shown_text(str(reason), secrets_of(uri))}). Start it, or pass MLflowTracker(uri=...) "
        "with the address of one that runs."
    )
