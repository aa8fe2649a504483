"""MLflow's client for a server, whose patience is a trial's and not a script's.

Where a request fails amid a restart, MLflow asks again for two minutes, and a trial would wait
for it. Here it asks once more, and what it could not send is sent again later.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from green_optuna.tracking.mlflow.reach import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A thousand points take a busy server a second or two.
REQUEST_TIMEOUT_S = 30.0

RETRIES = 1


def impatient_client(uri: str) -> MlflowClient:
    """Give a client of an MLflow server that gives up soon.

    Args:
        uri: The server's address.
    """
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    client._tracking_client = _tracking_client_class()(uri)
    return client


@cache
def _tracking_client_class() -> Any:  # noqa: ANN401 - MLflow's classes have no types
    """Make the class when MLflow is used first, for its import takes seconds."""
    from mlflow.protos.service_pb2 import CreateRun
    from mlflow.store.tracking.rest_store import RestStore
    from mlflow.tracking._tracking_service.client import TrackingServiceClient
    from mlflow.tracking._tracking_service.utils import _get_store
    from mlflow.utils.proto_json_utils import parse_dict
    from mlflow.utils.rest_utils import http_request, verify_rest_response

    class ImpatientStore(RestStore):
        """Asks a server at most twice, and for a new run once: else there might be two of it."""

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
            answer = http_request(  # type: ignore[no-untyped-call]
                self.get_host_creds(),
                path,
                method,
                max_retries=0 if api is CreateRun else RETRIES,
                backoff_factor=1,
                timeout=(CONNECT_TIMEOUT_S, REQUEST_TIMEOUT_S),
                **{"params" if method == "GET" else "json": said},
            )
            verify_rest_response(answer, path)
            response = api.Response()
            parse_dict(js_dict=answer.json(), message=response)  # type: ignore[no-untyped-call]
            return response

    class ImpatientClient(TrackingServiceClient):
        """MLflow's own, on a store of this client's alone."""

        def __init__(self, uri: str) -> None:
            # MLflow's stores are one a process, the user's own calls among their users.
            self._impatient = ImpatientStore(_get_store(uri).get_host_creds)  # type: ignore[no-untyped-call]
            super().__init__(uri)  # type: ignore[no-untyped-call]

        @property
        def store(self) -> Any:  # noqa: ANN401
            return self._impatient

    return ImpatientClient
