"""MLflow's client for a server, whose patience is a trial's and not a script's.

Where a request fails amid a restart, MLflow asks again for minutes, and a trial would wait for it.
Here it asks once more, and what it could not send is sent again later.
"""

from __future__ import annotations

import json
import mimetypes
import posixpath
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.tracking.mlflow.reach import CONNECT_TIMEOUT_S, away

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A thousand points take a busy server a second or two.
REQUEST_TIMEOUT_S = 30.0

RETRIES = 1

CHUNK_BYTES = 2**18


def impatient_client(uri: str) -> MlflowClient:
    """Give a client of an MLflow server that gives up soon, with a TrackerError.

    Args:
        uri: The server's address.
    """
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    client._tracking_client = _tracking_client_class()(uri)
    return client


def _asked(
    uri: str,
    host_creds: Any,  # noqa: ANN401 - MLflow's classes have no types
    endpoint: str,
    method: str,
    *,
    retries: int,
    **content: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Give a server's answer, whatever it is.

    Raises:
        TrackerError: There is none, or a gateway says that the server is away.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.utils.rest_utils import http_request

    try:
        return http_request(  # type: ignore[no-untyped-call]
            host_creds,
            endpoint,
            method,
            max_retries=retries,
            backoff_factor=1,
            # It may say that it is to be asked again in an hour.
            respect_retry_after_header=False,
            timeout=(CONNECT_TIMEOUT_S, REQUEST_TIMEOUT_S),
            **content,
        )
    except MlflowException as error:
        raise away("server", uri, error) from error


def _put(uri: str, repository: Any, path: Path, folder: str) -> None:  # noqa: ANN401
    """Send a file to a server that keeps files, once.

    Args:
        uri: The server's address, for messages.
        repository: MLflow's, of the place for the files.
        path: The file.
        folder: What it is to be below, in that place.
    """
    from mlflow.utils.request_utils import augmented_raise_for_status

    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    with path.open("rb") as file:
        answer = _asked(
            uri,
            repository._host_creds,
            posixpath.normpath(posixpath.join("/", folder, path.name)),
            "PUT",
            retries=0,
            data=file,
            extra_headers={"Content-Type": kind},
        )
    augmented_raise_for_status(answer)  # type: ignore[no-untyped-call]


def _put_all(uri: str, repository: Any, top: Path, folder: str) -> None:  # noqa: ANN401
    """Send all files below a folder, as :func:`_put` sends one."""
    for path in sorted(top.rglob("*")):
        if path.is_file():
            below = path.parent.relative_to(top).as_posix()
            _put(uri, repository, path, posixpath.join(folder, below))


def list_files(client: MlflowClient, run_id: str, folder: str) -> dict[str, int]:
    """Ask a server what files a run has in a folder, at most twice.

    Args:
        client: From :func:`impatient_client`.
        run_id: The run.
        folder: The folder, below that of all of the run's files.

    Returns:
        How many bytes each has, by its path.
    """
    from mlflow.protos.service_pb2 import ListArtifacts

    asked = json.dumps({"run_id": run_id, "path": folder})
    answer = client._tracking_client.store._call_endpoint(ListArtifacts, asked)
    return {one.path: one.file_size for one in answer.files}


def get_file(uri: str, repository: Any, path: str, to: Path, *, most_bytes: int) -> None:  # noqa: ANN401
    """Copy a file from a server that keeps files, asked for once.

    Args:
        uri: The server's address, for messages.
        repository: MLflow's, of the place of the file.
        path: The file, below that place.
        to: Where the copy goes.
        most_bytes: Of a longer file, this much and a little more is copied.

    Raises:
        TrackerError: The server does not answer.
    """
    from mlflow.utils.request_utils import augmented_raise_for_status

    endpoint = posixpath.join("/", path)
    with _asked(uri, repository._host_creds, endpoint, "GET", retries=0, stream=True) as answer:
        augmented_raise_for_status(answer)  # type: ignore[no-untyped-call]
        with to.open("wb") as file:
            for chunk in answer.iter_content(chunk_size=CHUNK_BYTES):
                file.write(chunk)
                if file.tell() > most_bytes:
                    return


@cache
def _tracking_client_class() -> Any:  # noqa: ANN401 - MLflow's classes have no types
    """Make the class when MLflow is used first, for its import takes seconds."""
    from mlflow.protos.service_pb2 import CreateRun
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
    from mlflow.store.tracking.rest_store import RestStore
    from mlflow.tracking._tracking_service.client import TrackingServiceClient
    from mlflow.tracking._tracking_service.utils import _get_store
    from mlflow.utils.proto_json_utils import parse_dict
    from mlflow.utils.rest_utils import verify_rest_response

    class ImpatientStore(RestStore):
        """Asks a server at most twice, and for a new run once: else there might be two of it."""

        def __init__(self, uri: str) -> None:
            super().__init__(_get_store(uri).get_host_creds)  # type: ignore[no-untyped-call]
            self._uri = uri

        def _call_endpoint(
            self,
            api: Any,  # noqa: ANN401
            json_body: str | None = None,
            *others: Any,  # noqa: ANN401
            **named: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            if others or named or api not in self._METHOD_TO_INFO or api in self._V3_APIS:
                # Nothing that a trial waits for.
                return super()._call_endpoint(  # type: ignore[no-untyped-call]
                    api, json_body, *others, **named
                )
            path, method = self._METHOD_TO_INFO[api]
            said = None if json_body is None else json.loads(json_body)
            content = {"params" if method == "GET" else "json": said}
            retries = 0 if api is CreateRun else RETRIES
            creds = self.get_host_creds()
            answer = _asked(self._uri, creds, path, method, retries=retries, **content)
            verify_rest_response(answer, path)
            response = api.Response()
            parse_dict(js_dict=answer.json(), message=response)  # type: ignore[no-untyped-call]
            return response

    class ImpatientClient(TrackingServiceClient):
        """MLflow's own, on a store of this client's alone: MLflow's stores are one a process."""

        def __init__(self, uri: str) -> None:
            self._impatient = ImpatientStore(uri)
            super().__init__(uri)  # type: ignore[no-untyped-call]

        @property
        def store(self) -> Any:  # noqa: ANN401
            return self._impatient

        def log_artifact(
            self, run_id: str, local_path: str, artifact_path: str | None = None
        ) -> None:
            repository = self._get_artifact_repo(run_id)
            if not isinstance(repository, HttpArtifactRepository):
                super().log_artifact(  # type: ignore[no-untyped-call]
                    run_id, local_path, artifact_path
                )
                return
            _put(self.tracking_uri, repository, Path(local_path), artifact_path or "")

        def log_model_artifacts(
            self, model_id: str, local_dir: str, artifact_path: str | None = None
        ) -> None:
            repository = self._get_artifact_repo(model_id, resource="logged_model")
            if not isinstance(repository, HttpArtifactRepository):
                super().log_model_artifacts(model_id, local_dir, artifact_path)
                return
            _put_all(self.tracking_uri, repository, Path(local_dir), artifact_path or "")

    return ImpatientClient
