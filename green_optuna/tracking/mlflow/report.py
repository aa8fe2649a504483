"""A study's report in MLflow: a page among the files of the study's run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.folders import host_lock
from green_optuna.tracking.front_note import REPORT_FILE
from green_optuna.tracking.mlflow import schema
from green_optuna.tracking.mlflow.front import n_reported, note_of, run_ids_of
from green_optuna.tracking.mlflow.traces import read_traces
from green_optuna.tracking.traces import MAX_TRACES, traced_trials
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from green_optuna.front import ParetoFront
    from green_optuna.tracking.mlflow.store import Store


class PageNotMadeError(Exception):
    """A report could not be made, which is no fault of the store's: that is there."""


def log_report(
    store: Store, front: ParetoFront, study_key: str, tracker_name: str, *, anew: bool
) -> None:
    """Write the report of a study on the study's run, with traces of the front's members.

    Args:
        store: Where the runs are.
        front: The front.
        study_key: The study's key.
        tracker_name: Under which name the trials keep their runs.
        anew: Also where the report that is there is of as many trials.

    Raises:
        PageNotMadeError: The page could not be made.
    """
    run_id = store.study_run(front.study_name, study_key)
    n_ended = len(front.candidates.ended)
    # The workers of one host often end together. One makes the page, and the others see it.
    with host_lock(f"{store.uri} {study_key} report"):
        reported = n_reported(store, run_id)
        if not anew and reported is not None and reported >= n_ended:
            return
        run_ids = run_ids_of(store, front.trials, study_key, tracker_name)
        traced = traced_trials(front, (), MAX_TRACES)
        traces = read_traces(
            store, {one.number: run_ids[one.number] for one in traced if one.number in run_ids}
        )
        with tempfile.TemporaryDirectory(prefix="green_optuna-") as folder:
            try:
                path = front.report(Path(folder) / REPORT_FILE, traces=traces)
            except Exception as error:
                raise PageNotMadeError(
                    f"The report of the study {front.study_name!r} could not be made "
                    f"({shown_text(repr(error))})."
                ) from error
            store.client.log_artifact(run_id, str(path))
        note = note_of(store, front, study_key, run_ids, reported=n_ended)
        store.log(run_id, (), tags={schema.REPORT_TAG: str(n_ended), **note})
