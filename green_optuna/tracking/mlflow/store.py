"""One process's connection to an MLflow store: its client, experiment, and the studies' runs."""

from __future__ import annotations

import contextlib
import getpass
import math
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from green_optuna.folders import host_lock
from green_optuna.saving.quiet import quiet_loggers
from green_optuna.tracking import series
from green_optuna.tracking.keys import MAX_KEY
from green_optuna.tracking.mlflow import schema
from green_optuna.tracking.mlflow.place import experiment_id, is_server, scheme_of
from green_optuna.tracking.mlflow.reach import DATABASE_PORTS, check_database, check_server
from green_optuna.tracking.mlflow.rest import impatient_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.store.entities import PagedList

# A server that has answered is not asked again so soon, in s, whether it is there.
FRESH_S = 2.0

# As many runs as a server gives at once.
MAX_RESULTS = 1000

_CHATTY_LOGGERS = ("mlflow.store.db.utils", "alembic.runtime.migration")


@dataclass(slots=True)
class Store:
    """What one process needs to log to one MLflow store; safe with threads.

    Attributes:
        uri: The tracking URI.
        client: MLflow's client.
        experiment_id: Where the runs go.
        gone: The runs that turned out to be missing, by their ids.
    """

    uri: str
    client: MlflowClient
    experiment_id: str
    gone: set[str] = field(default_factory=set)
    _study_runs: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answered_at_s: float = -math.inf

    @classmethod
    def connect(
        cls,
        uri: str,
        experiment: str | None,
        *,
        current_id: str | None = None,
        forked: bool = False,
    ) -> Self:
        """Connect to a store; its tables and the experiment are made if need be.

        Args:
            uri: The tracking URI.
            experiment: The name of the experiment; what the environment says unless given.
            current_id: From :func:`current_experiment`; it goes before the environment's name.
            forked: Whether this process inherited connections from the one that forked it.

        Raises:
            TrackerError: The store is not there, or the experiment was deleted.
        """
        from mlflow import MlflowClient

        if is_server(uri):
            client = impatient_client(uri)
            _check_server(uri, client)
            found = experiment_id(client, experiment, current_id)
            return cls(uri, client, found, _answered_at_s=time.monotonic())
        # Processes that make a store's tables at the same time break it.
        # How it makes or upgrades its tables, MLflow tells line by line.
        with host_lock(uri), quiet_loggers(_CHATTY_LOGGERS):
            if scheme_of(uri) in ("sqlite", *DATABASE_PORTS):
                check_database(uri)
            client = MlflowClient(uri)
            engine = getattr(client._tracking_client.store, "engine", None)
            if forked and engine is not None:
                # MLflow keeps one pool a URI, and a database connection is not to be shared.
                engine.dispose(close=False)
            return cls(uri, client, experiment_id(client, experiment, current_id))

    def check(self) -> None:
        """Hold that a server still answers, unless it has just done so.

        Raises:
            TrackerError: It does not.
        """
        if is_server(self.uri) and time.monotonic() - self._answered_at_s > FRESH_S:
            _check_server(self.uri, self.client)
            self._answered_at_s = time.monotonic()

    def create_run(self, name: str, tags: Mapping[str, str], *, started_at: float) -> Run:
        """Make a run.

        Args:
            name: Its name.
            tags: Its tags; who runs what is added.
            started_at: When it started, in s since the epoch.
        """
        return self.client.create_run(
            self.experiment_id,
            start_time=int(started_at * 1000),
            run_name=series.shorten(name, MAX_KEY),
            tags={**_origin_tags(), **tags},
        )

    def study_run(self, study_name: str, study_key: str) -> str:
        """Give the id of a study's run; whoever asks first makes it."""
        with self._lock:
            if study_key not in self._study_runs:
                # The workers of one host wait for each other; those of other hosts may make
                # another run at the same time, and all then agree on the earliest.
                with host_lock(f"{self.uri} {study_key}"):
                    self._study_runs[study_key] = self._find_study_run(
                        study_key
                    ) or self._make_study_run(study_name, study_key)
            return self._study_runs[study_key]

    def log(
        self,
        run_id: str,
        points: Iterable[series.Point],
        *,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log to a run, in one request where MLflow's limits allow it."""
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.exceptions import MlflowException

        metrics = [Metric(p.key, p.value, p.timestamp_ms, p.step) for p in points]
        run_tags = [RunTag(key, value) for key, value in (tags or {}).items()]
        run_params = [Param(key, value) for key, value in (params or {}).items()]
        try:
            self.client.log_batch(run_id, metrics=metrics, params=run_params, tags=run_tags)
        except MlflowException as error:
            if not params or error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            settled = self._beside_what_is_there(run_id, params)
            if settled == params:
                raise
            run_params = [Param(key, value) for key, value in settled.items()]
            self.client.log_batch(run_id, metrics=metrics, params=run_params, tags=run_tags)

    def steps(self, run_id: str, key: str) -> list[int]:
        """Give the steps at which a run has a metric."""
        return [int(point.step) for point in self.client.get_metric_history(run_id, key)]

    def end_run(self, run_id: str, status: str, *, ended_at: float) -> None:
        """End a run.

        Args:
            run_id: The run.
            status: How it ended, in MLflow's terms.
            ended_at: When, in s since the epoch.
        """
        from mlflow.entities import RunStatus

        # The client's set_terminated prints two lines a run on standard output where the store
        # is a server, and asks it for the run to do so.
        self.client._tracking_client.store.update_run_info(
            run_id, RunStatus.from_string(status), int(ended_at * 1000), None
        )

    def _beside_what_is_there(self, run_id: str, params: Mapping[str, str]) -> dict[str, str]:
        """Rename the parameters to which the run has given other values.

        The user's function, or autologging, may log a parameter of the same name, and MLflow
        then refuses all that comes with ours: theirs stays, and ours is logged beside it.
        """
        there = self.client.get_run(run_id).data.params
        return {
            key if there.get(key, value) == value else schema.key_for(f"optuna/{key}"): value
            for key, value in params.items()
        }

    def find_run(self, tags: Mapping[str, str]) -> Run | None:
        """Give the earliest run of the experiment that has these tags and was not deleted."""
        runs = self._page_with(tags, max_results=1)
        return runs[0] if runs else None

    def active_run(self, run_id: str) -> Run | None:
        """Give a run, or None where it was deleted, for good or not."""
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def keep_one(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Delete all other runs that have these tags."""
        for other in list(self.runs_with(tags)):
            if other.info.run_id != run_id:
                self.client.delete_run(other.info.run_id)

    def runs_with(self, tags: Mapping[str, str]) -> Iterator[Run]:
        """Go through the runs of the experiment that have these tags, the earliest first."""
        token: str | None = None
        while True:
            page = self._page_with(tags, max_results=MAX_RESULTS, page_token=token)
            yield from page
            token = page.token or None
            if token is None:
                return

    def _page_with(
        self, tags: Mapping[str, str], *, max_results: int, page_token: str | None = None
    ) -> PagedList[Run]:
        wanted = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        return self.client.search_runs(
            [self.experiment_id],
            filter_string=" AND ".join(wanted),
            order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
            max_results=max_results,
            page_token=page_token,
        )

    def _find_study_run(self, study_key: str) -> str | None:
        run = self.find_run({schema.STUDY_KEY_TAG: study_key, schema.ROLE_TAG: "study"})
        return None if run is None else str(run.info.run_id)

    def _make_study_run(self, study_name: str, study_key: str) -> str:
        tags = {schema.STUDY_KEY_TAG: study_key, schema.ROLE_TAG: "study"}
        made = self.create_run(f"study: {study_name}", tags, started_at=time.time())
        earliest = self._find_study_run(study_key)
        if earliest is not None and earliest != made.info.run_id:
            self.client.delete_run(made.info.run_id)
            return earliest
        self._move_trials_below(str(made.info.run_id), study_key)
        return str(made.info.run_id)

    def _move_trials_below(self, run_id: str, study_key: str) -> None:
        """Move a study's trials below its new run: the one they were below was deleted."""
        tags = {schema.STUDY_KEY_TAG: study_key, schema.ROLE_TAG: "trial"}
        # All of them first: what is changed meanwhile moves none to another page.
        for trial in list(self.runs_with(tags)):
            self.client.set_tag(trial.info.run_id, schema.PARENT_TAG, run_id)


def _check_server(uri: str, client: MlflowClient) -> None:
    """Hold that a store that is a server answers.

    Raises:
        TrackerError: It does not.
    """
    check_server(uri, client._tracking_client.store.get_host_creds)


def _origin_tags() -> dict[str, str]:
    """Say who runs what, as MLflow's own runs do."""
    tags = {"mlflow.source.type": "LOCAL", "mlflow.source.name": Path(sys.argv[0]).name}
    # A container may run as a user that has no name.
    with contextlib.suppress(OSError, KeyError):
        tags["mlflow.user"] = getpass.getuser()
    return tags
