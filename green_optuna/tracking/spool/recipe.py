"""What a tracker is made again from, in a process that never saw the user's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from green_optuna.errors import OptionError, TrackerError
from green_optuna.tracking.mlflow import MLflowTracker
from green_optuna.tracking.wandb import WandbTracker
from green_optuna.urls import MASK, shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from green_optuna.tracking.spool.file import Entry
    from green_optuna.tracking.tracker import Tracker


def recipe_of(tracker: Tracker) -> dict[str, Any] | None:
    """Give what a tracker is made again from, as JSON keeps it and without its secrets.

    Returns:
        None for a tracker of the user's own: the next trial of its study has it at hand.
    """
    if isinstance(tracker, MLflowTracker):
        return {"kind": "mlflow", **tracker.spooled_options()}
    if isinstance(tracker, WandbTracker):
        return {"kind": "wandb", **tracker.spooled_options()}
    return None


class MakeAgain:
    """Makes the trackers of records that wait, each once.

    Args:
        mlflow_uri: MLflow's store, instead of the one that a record names.
        experiment: Likewise its experiment.
    """

    def __init__(self, *, mlflow_uri: str | None = None, experiment: str | None = None) -> None:
        self._mlflow_uri = mlflow_uri
        self._experiment = experiment
        self._made: dict[str, Tracker | None] = {}

    @property
    def made(self) -> list[Tracker]:
        """The trackers that it has made."""
        return [tracker for tracker in self._made.values() if tracker is not None]

    def __call__(self, entry: Entry) -> Tracker | None:
        """Give the tracker of a record; None where it cannot be made here.

        Raises:
            TrackerError: It needs a password, which is not kept on disk.
            OptionError: What was kept of it cannot be used.
        """
        recipe = entry.recipe or {}
        key = repr((entry.tracker, recipe))
        if key not in self._made:
            self._made[key] = self._make(entry.tracker, recipe)
        return self._made[key]

    def _make(self, name: str, recipe: Mapping[str, Any]) -> Tracker | None:
        makers: dict[object, Callable[[str, Mapping[str, Any]], Tracker]] = {
            "mlflow": self._mlflow,
            "wandb": _wandb,
        }
        make = makers.get(recipe.get("kind"))
        if make is None:
            return None
        try:
            return make(name, recipe)
        except (TypeError, KeyError) as error:
            raise OptionError(f"The tracker {name!r} cannot be made: {error}.") from error

    def _mlflow(self, name: str, recipe: Mapping[str, Any]) -> MLflowTracker:
        return MLflowTracker.from_spooled(
            {
                "uri": self._mlflow_uri or _with_password(recipe["uri"]),
                "experiment": self._experiment or recipe["experiment"],
                # Another store's experiments have other numbers.
                "experiment_id": None
                if self._mlflow_uri or self._experiment
                else recipe["experiment_id"],
            },
            name=name,
        )


def _wandb(name: str, recipe: Mapping[str, Any]) -> WandbTracker:
    """Make a tracker for W&B.

    Raises:
        TrackerError: The runs were to go to another server than this process's.
    """
    options = {key: recipe[key] for key in ("project", "entity", "mode", "folder")}
    tracker = WandbTracker(**options, name=name)
    server = tracker.server()
    if server != recipe["server"]:
        raise TrackerError(
            f"The runs were to go to W&B at {recipe['server']}, and here it is at {server}: set "
            "WANDB_BASE_URL to that address."
        )
    return tracker


def _with_password(uri: str) -> str:
    """Give an address whole: its password, if it has one, is in the environment or nowhere.

    Raises:
        TrackerError: It is nowhere.
    """
    if MASK not in uri:
        return uri
    current = os.environ.get("MLFLOW_TRACKING_URI", "")
    if shown_url(current) == uri:
        return current
    raise TrackerError(
        f"The MLflow store {uri} needs its password, which is not kept on disk: pass --mlflow-uri, "
        "or set MLFLOW_TRACKING_URI, with the whole address."
    )
