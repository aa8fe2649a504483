"""A study's front in MLflow: on the study's run, on the trials' runs, and as a saved view."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from green_optuna.terms import ATTRIBUTE
from green_optuna.tracking import series
from green_optuna.tracking.front_note import REPORT_FILE, front_note
from green_optuna.tracking.mlflow import schema, view
from green_optuna.tracking.mlflow.marks import mark_front

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.front import ParetoFront
    from green_optuna.tracking.mlflow.store import Store


def log_front(store: Store, front: ParetoFront, study_key: str, tracker_name: str) -> None:
    """Log a front: files, figures and a note on the study's run, marks on the trials', a view.

    Args:
        store: Where the runs are.
        front: The front.
        study_key: The study's key.
        tracker_name: Under which name the trials keep their runs.
    """
    run_id = store.study_run(front.study_name, study_key)
    run_ids = run_ids_of(store, front.trials, study_key, tracker_name)
    for path, text in schema.front_artifacts(front).items():
        store.client.log_text(run_id, text, path)
    note = note_of(store, front, study_key, run_ids, reported=n_reported(store, run_id))
    store.log(run_id, series.study_points(front, at_s=time.time()), tags=note)
    mark_front(store, front, study_key, run_ids)
    view.save(store.client, store.experiment_id, front, study_key)


def note_of(
    store: Store,
    front: ParetoFront,
    study_key: str,
    run_ids: Mapping[int, str],
    *,
    reported: int | None,
) -> dict[str, str]:
    """Give the note on the study's run, as a tag.

    Args:
        store: Where the runs are.
        front: The front.
        study_key: The study's key.
        run_ids: The runs of the front's trials, by their numbers.
        reported: How many trials had ended as of the study's report; None where there is none.
    """
    page = f"#/experiments/{store.experiment_id}/runs"
    study_run_id = store.study_run(front.study_name, study_key)
    note = front_note(
        front,
        limit=schema.MAX_TAG,
        view=view.page(store.experiment_id, study_key),
        pages={number: f"{page}/{run_id}" for number, run_id in run_ids.items()},
        report=None
        if reported is None
        else (f"{page}/{study_run_id}/artifacts/{REPORT_FILE}", reported),
    )
    return {"mlflow.note.content": note}


def n_reported(store: Store, study_run_id: str) -> int | None:
    """Give how many trials had ended as of the report on a study's run; None without one."""
    said = store.client.get_run(study_run_id).data.tags.get(schema.REPORT_TAG, "")
    return int(said) if said.isdecimal() else None


def run_ids_of(
    store: Store, trials: Sequence[FrozenTrial], study_key: str, tracker_name: str
) -> dict[int, str]:
    """Give the runs of trials, by their numbers, as far as they have one.

    A trial that began while the store was away keeps none in Optuna; it may have one by now.
    """
    run_ids: dict[int, str] = {}
    for trial in trials:
        kept = trial.user_attrs.get(ATTRIBUTE, {}).get("run_ids", {})
        if tracker_name in kept:
            run_ids[trial.number] = kept[tracker_name]
    numbers = {trial.number for trial in trials}
    if not numbers <= run_ids.keys():
        late = schema.origin_tags(study_key, "trial", tracker_name) | {schema.LATE_TAG: "true"}
        for run in store.runs_with(late):
            number = int(run.data.tags[schema.number_tag("trial")])
            if number in numbers:
                run_ids.setdefault(number, str(run.info.run_id))
    return run_ids
