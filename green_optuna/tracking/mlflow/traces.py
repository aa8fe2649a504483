"""Energy traces of trials, read back from the files of their runs in MLflow."""

from __future__ import annotations

import logging
import posixpath
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.errors import TrackerError
from green_optuna.tracking import series
from green_optuna.tracking.mlflow.place import is_server
from green_optuna.tracking.mlflow.rest import get_file, list_files
from green_optuna.tracking.traces import MAX_POINTS
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.energy import Trace
    from green_optuna.tracking.mlflow.store import Store

_logger = logging.getLogger("green_optuna")

# A week at one point a second takes 45 to 70.
MAX_BYTES = 128 * 2**20

# A server that takes longer is asked for no more of them.
PATIENCE_S = 20.0


def read_traces(store: Store, run_ids: Mapping[int, str]) -> dict[int, Trace]:
    """Read the traces of trials, as far as they are there.

    What cannot be read is left out, and the log says why; what was never there is left out too.

    Args:
        store: Where the runs are.
        run_ids: The runs, by the numbers of their trials.
    """
    from mlflow.exceptions import MlflowException

    until_s = time.monotonic() + PATIENCE_S
    traces: dict[int, Trace] = {}
    for number, run_id in run_ids.items():
        if time.monotonic() > until_s:
            left_out = ", ".join(str(one) for one in run_ids if one not in traces)
            _logger.warning(
                "MLflow is slow: the energy traces of trials %s were not read.", left_out
            )
            break
        try:
            trace = _read(store, run_id)
        except (MlflowException, OSError, TrackerError) as error:
            trace = shown_text(str(error))
        if isinstance(trace, str):
            _logger.warning("The energy trace of trial %d was not read: %s", number, trace)
        elif trace is not None and len(trace):
            traces[number] = trace.thinned(MAX_POINTS)
    return traces


def _read(store: Store, run_id: str) -> Trace | str | None:
    """Give a run's trace, why what is there is none, or None where nothing is there."""
    with tempfile.TemporaryDirectory(prefix="green_optuna-") as folder:
        copy = Path(folder) / "trace.csv"
        if not _fetch(store, run_id, series.TRACE_FILE, copy):
            return None
        with copy.open(encoding="utf-8") as file:
            found = series.trace_from_csv(file)
    return f"in {series.TRACE_FILE}, {found}" if isinstance(found, str) else found


def _fetch(store: Store, run_id: str, path: str, to: Path) -> bool:
    """Copy a file of a run to this machine; tell whether the run is there and has one.

    MLflow's own way to do it starts threads, which Python allows no more as a process ends, and
    asks a server for minutes.

    Raises:
        TrackerError: The file is too large, or the server is away.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

    folder = posixpath.dirname(path)
    try:
        repository = store.client._tracking_client._get_artifact_repo(run_id)
        # Other places for files, such as a bucket, this process reaches without the server.
        served = is_server(store.uri) and isinstance(repository, HttpArtifactRepository)
        if served:
            sizes = list_files(store.client, run_id, folder)
        else:
            sizes = {one.path: one.file_size or 0 for one in repository.list_artifacts(folder)}
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    if path not in sizes:
        return False
    size = sizes[path]
    if size <= MAX_BYTES:
        if served:
            get_file(store.uri, repository, path, to, most_bytes=MAX_BYTES)
        else:
            repository._download_file(path, str(to))  # type: ignore[no-untyped-call]
        size = to.stat().st_size
    if size > MAX_BYTES:
        raise TrackerError(f"{path} has more than {MAX_BYTES // 2**20} MB.")
    return True
