"""The trial's run as MLflow's active one, while the user's function runs."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities import Run


@contextlib.contextmanager
def active_run(run: Run) -> Iterator[None]:
    """Make a run MLflow's active one in this thread, without asking the store for it.

    ``mlflow.start_run`` would query the run twice and refuse another experiment's.
    """
    import mlflow
    from mlflow.tracking import fluent

    stack = fluent._active_run_stack.get()  # type: ignore[no-untyped-call]
    active = mlflow.ActiveRun(run)  # type: ignore[no-untyped-call]
    stack.append(active)
    try:
        yield
    except Exception as error:
        if "is already active" in str(error) and str(error).startswith("Run with UUID"):
            error.add_note(
                "green_optuna made the trial's MLflow run the active one. Log into it, "
                "open yours with nested=True, or pass MLflowTracker(activate=False)."
            )
        raise
    finally:
        if active in stack:
            stack.remove(active)


class CurrentUri:
    """MLflow's tracking URI while trials run: set by the first, put back after the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._changed = False
        self._before: str | None = None

    @contextlib.contextmanager
    def set_to(self, uri: str) -> Iterator[None]:
        """Make a store MLflow's current one while a block runs, among others in other threads."""
        import mlflow

        with self._lock:
            self._users += 1
            if mlflow.get_tracking_uri() != uri:
                if not self._changed:
                    is_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
                    self._before = mlflow.get_tracking_uri() if is_set else None
                    self._changed = True
                mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0 and self._changed:
                    self._changed = False
                    # None unsets it, which the annotation of MLflow's function leaves out.
                    mlflow.set_tracking_uri(self._before)  # type: ignore[arg-type]
