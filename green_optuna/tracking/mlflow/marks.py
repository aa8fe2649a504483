"""Tags that say which trials are on a study's front, and which one the default rule selects.

They are kept right by what MLflow has, not by what this process remembers: several processes pass
on the fronts of one study. Only what has changed is sent.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from green_optuna.folders import host_lock
from green_optuna.tracking.front_note import default_selection
from green_optuna.tracking.mlflow import schema
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import Run

    from green_optuna.front import ParetoFront
    from green_optuna.tracking.mlflow.store import Store

_logger = logging.getLogger("green_optuna")

# On the study's run: from how many completed trials the front was drawn that is marked.
DRAWN_FROM_TAG = "green_optuna.front_drawn_from"

# What MLflow says of a run that was deleted, or that is in another store.
_GONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE")

Tags = dict[str, str | None]
"""Tags to be set; those of None are to be removed."""


def mark_front(
    store: Store, front: ParetoFront, study_key: str, run_ids: Mapping[int, str]
) -> None:
    """Mark the runs of a front's trials in MLflow, and those that have left it.

    A front that is older than what is marked, from a process that was slower to pass it on,
    changes nothing.

    Args:
        store: Where the runs are.
        front: The front.
        study_key: The study's key.
        run_ids: The runs of the front's trials, by their numbers.
    """
    study_run_id = store.study_run(front.study_name, study_key)
    drawn_from = len(front.candidates.trials)
    with host_lock(f"{store.uri} {study_key} front"):
        marked = store.client.get_run(study_run_id).data.tags.get(DRAWN_FROM_TAG, "")
        if marked.isdecimal() and int(marked) > drawn_from:
            return
        marks = {schema.STUDY_KEY_TAG: study_key, schema.FRONT_TAG: "true"}
        present = {run.info.run_id: run for run in store.runs_with(marks)}
        for run_id, tags in _changes(present, _wanted(front, run_ids)):
            if run_id not in store.gone and not _tag(store.client, run_id, tags):
                store.gone.add(run_id)
        if marked != str(drawn_from):
            store.client.set_tag(study_run_id, DRAWN_FROM_TAG, drawn_from)


def _wanted(front: ParetoFront, run_ids: Mapping[int, str]) -> dict[str, Tags]:
    """Give the tags that the runs of the front's trials shall have."""
    selection = default_selection(front)
    wanted: dict[str, Tags] = {}
    for number, run_id in run_ids.items():
        chosen = selection is not None and number == selection.number
        words = selection.rule.describe() if selection is not None and chosen else None
        wanted[run_id] = {schema.FRONT_TAG: "true", schema.CHOSEN_TAG: words}
    return wanted


def _changes(present: Mapping[str, Run], wanted: Mapping[str, Tags]) -> Iterator[tuple[str, Tags]]:
    """Give what is to be changed, what ends before what begins."""
    left: Tags = {schema.CHOSEN_TAG: None, schema.FRONT_TAG: "false"}
    for run_id, run in present.items():
        tags = {
            key: value
            for key, value in wanted.get(run_id, left).items()
            if run.data.tags.get(key) != value
        }
        if tags:
            yield run_id, tags
    for run_id, tags in wanted.items():
        if run_id not in present:
            # It carries no choice: whatever is chosen is on the front, and this was not.
            yield run_id, {key: value for key, value in tags.items() if value is not None}


def _tag(client: MlflowClient, run_id: str, tags: Tags) -> bool:
    """Change the tags of a run; tell whether the run is there."""
    from mlflow.entities import RunTag
    from mlflow.exceptions import MlflowException

    try:
        for key, value in tags.items():
            if value is None:
                client.delete_tag(run_id, key)
        kept = [RunTag(key, value) for key, value in tags.items() if value is not None]
        if kept:
            client.log_batch(run_id, tags=kept)
    except MlflowException as error:
        if error.error_code not in _GONE:
            raise
        _logger.info("A trial's run in MLflow was not marked: %s", shown_text(str(error)))
        return False
    return True
