"""A tracker's connection to its store in this process: made when it is needed, and made anew."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from green_optuna.locks import ProcessLock
from green_optuna.tracking.mlflow.place import absolute_uri, current_experiment
from green_optuna.tracking.mlflow.store import Store
from green_optuna.tracking.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator


class Connection:
    """One process's way to a store; safe with threads, and another one in a forked child.

    Args:
        uri: A tracking URI; MLflow's current one unless given.
        experiment: The name of an experiment; what the environment says unless given.
        experiment_id: The number of an experiment, where the store had it as its current one.
    """

    def __init__(
        self, uri: str | None, experiment: str | None, *, experiment_id: str | None = None
    ) -> None:
        self._given_uri = uri
        self._experiment = experiment
        self._experiment_id = experiment_id
        self._lock = ProcessLock()
        self._uri: str | None = None
        self._store: Store | None = None
        self._pid = os.getpid()
        self._patience = Patience()

    def place(self) -> tuple[str, str | None]:
        """Give the store's URI, and the number of MLflow's current experiment there, if any.

        Found once: no change of folder, or of MLflow's current store, moves a study.
        """
        if self._uri is None:
            import mlflow

            uri = absolute_uri(self._given_uri or mlflow.get_tracking_uri())
            if self._experiment_id is None:
                self._experiment_id = current_experiment(uri)
            self._uri = uri
        return self._uri, self._experiment_id

    def store(self) -> Store:
        """Give the store, whether it still answers or not.

        Raises:
            TrackerError: It could not be reached in the first place.
        """
        with self._lock:
            forked = self._pid != os.getpid()
            if forked or self._store is None:
                # Others may have waited for the one who found out that it is away.
                self._patience.check()
                uri, current_id = self.place()
                with self._patience.watching():
                    self._store = Store.connect(
                        uri, self._experiment, current_id=current_id, forked=forked
                    )
                self._pid = os.getpid()
            return self._store

    @contextlib.contextmanager
    def opened(self) -> Iterator[Store]:
        """Give the store, once it is known to be there.

        Raises:
            TrackerError: It is not, or is away by now.
        """
        self._patience.check()
        try:
            store = self.store()
            with self._patience.watching():
                store.check()
                yield store
        except Exception:
            # Look everything up again the next time: it may have been set up anew.
            with self._lock:
                self._store = None
            raise
