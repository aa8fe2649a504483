"""Tags that say which trials are on a study's front, and which one the default rule selects.

They are kept right by what MLflow has, not by what this process remembers: several processes pass
on the fronts of one study. Only what has changed is sent.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from green_optuna.folders import host_lock
from green_optuna.terms import ATTRIBUTE
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

# As many as a server gives at once.
_PAGE = 1000

Tags = dict[str, str | None]
"""Tags to be set; those of None are to be removed."""


def mark_front(store: Store, front: ParetoFront, study_key: str, tracker_name: str) -> None:
    """Mark the runs of a front's trials in MLflow, and those that have left it.

    A front that is older than what is marked, from a process that was slower to pass it on,
    changes nothing.

    Args:
        store: Where the runs are.
        front: The front.
        study_key: The study's key.
        tracker_name: Under which name the trials keep their runs.
    """
    study_run_id = store.study_run(front.study_name, study_key)
    drawn_from = len(front.candidates.trials)
    with host_lock(f"{store.uri} {study_key} front"):
        marked = store.client.get_run(study_run_id).data.tags.get(DRAWN_FROM_TAG, "")
        if marked.isdecimal() and int(marked) > drawn_from:
            return
        present = {run.info.run_id: run for run in _marked_runs(store, study_key)}
        for run_id, tags in _changes(present, _wanted(front, tracker_name)):
            if run_id not in store.gone and not _tag(store.client, run_id, tags):
                store.gone.add(run_id)
        if marked != str(drawn_from):
            store.client.set_tag(study_run_id, DRAWN_FROM_TAG, drawn_from)


def _wanted(front: ParetoFront, tracker_name: str) -> dict[str, Tags]:
    """Give the tags that the runs of the front's trials shall have."""
    selection = schema.default_selection(front)
    wanted: dict[str, Tags] = {}
    for trial in front.trials:
        run_id = trial.user_attrs.get(ATTRIBUTE, {}).get("run_ids", {}).get(tracker_name)
        if run_id is not None:
            chosen = selection is not None and trial.number == selection.number
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


def _marked_runs(store: Store, study_key: str) -> Iterator[Run]:
    """Give the runs that are marked as members of the front."""
    token: str | None = None
    while True:
        page = store.client.search_runs(
            [store.experiment_id],
            filter_string=(
                f"tags.`{schema.STUDY_KEY_TAG}` = '{study_key}' "
                f"AND tags.`{schema.FRONT_TAG}` = 'true'"
            ),
            max_results=_PAGE,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


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
