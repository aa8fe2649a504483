"""``green-optuna sync``: what was left behind on this machine goes where it belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.cli import render
from green_optuna.cli.storage import find_study
from green_optuna.errors import StudyError
from green_optuna.journal import fold_killed
from green_optuna.terms import read_terms
from green_optuna.tracking import MLflowTracker, StudyLog

if TYPE_CHECKING:
    import optuna

    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms


def sync_study(
    study_name: str | None, storage: str | None, *, mlflow_uri: str | None, experiment: str | None
) -> None:
    """Fold killed trials into a study, and close their runs.

    Args:
        study_name: The study; None for the only one in the storage.
        storage: The URL of its storage.
        mlflow_uri: Where its MLflow runs are; None for MLflow's current store.
        experiment: The experiment they are in; None for the default one.

    Raises:
        OptionError: There is no such study or storage.
        StudyError: No green_optuna objective has run in the study.
    """
    study = find_study(study_name, storage)
    terms = read_terms(study)
    if terms is None:
        raise StudyError(
            f"No green_optuna objective has run in the study {study.study_name!r}: nothing of it "
            "can have been left behind."
        )
    telling = _Telling(study, terms, MLflowTracker(mlflow_uri, experiment))
    try:
        numbers = fold_killed(study, terms, telling, wait=True)
    finally:
        telling.end()
    if numbers:
        named = ", ".join(str(number) for number in numbers)
        render.say(f"Trials of study {study.study_name!r} that were killed, now counted: {named}.")
    else:
        render.say(f"No trial of study {study.study_name!r} was left behind here.")


class _Telling:
    """Tells MLflow of the trials that have a run there, and connects to it for those alone."""

    def __init__(self, study: optuna.Study, terms: StudyTerms, tracker: MLflowTracker) -> None:
        self._study = study
        self._terms = terms
        self._tracker = tracker
        self._log: StudyLog | None = None

    def __call__(self, trial: TrialRecord) -> None:
        for name in trial.run_ids:
            if name != self._tracker.name:
                render.say(f"The run of trial {trial.number} in {name!r} is left as it is.")
        if self._tracker.name in trial.run_ids:
            if self._log is None:
                self._log = StudyLog(self._study, self._terms, [self._tracker])
            self._log.finish(trial)

    def end(self) -> None:
        """Pass on the front, which says what the study has spent."""
        if self._log is not None:
            self._log.end()
