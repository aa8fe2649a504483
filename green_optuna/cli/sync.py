"""``green-optuna sync``: what was left behind on this machine goes where it belongs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.cli import render
from green_optuna.cli.storage import all_studies, find_study
from green_optuna.errors import StudyError
from green_optuna.front import pareto_front
from green_optuna.journal import fold_killed
from green_optuna.terms import read_terms
from green_optuna.tracking import MLflowTracker, StudyLog, WandbTracker, spool
from green_optuna.tracking.trouble import sentence
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    import optuna

    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms
    from green_optuna.tracking import Tracker


def sync_all(
    study_name: str | None, storage: str | None, *, mlflow_uri: str | None, experiment: str | None
) -> int:
    """Fold killed trials into their studies, and send records that wait to their trackers.

    Args:
        study_name: The study; None for all of the storage, and for all that waits here.
        storage: The URL of its storage; None for the default one, if it exists.
        mlflow_uri: MLflow's store; None for the one that the runs are in, or were to go to.
        experiment: Likewise their experiment.

    Returns:
        The exit code: 0, or 1 where a tracker did not take what it was sent.

    Raises:
        OptionError: There is no such study or storage.
        StudyError: No green_optuna objective has run in the study.
    """
    if study_name is None:
        studies = [(study, terms) for study in all_studies(storage) if (terms := read_terms(study))]
    else:
        studies = [_of_ours(find_study(study_name, storage))]
    tracker = MLflowTracker(mlflow_uri, experiment)
    folded = [_fold(study, terms, tracker) for study, terms in studies]
    spools = (
        spool.Spool.all()
        if study_name is None
        else [spool.Spool(spool.path(terms)) for _, terms in studies]
    )
    by_key = {terms.key: (study, terms) for study, terms in studies}
    sending = [
        _Sending(one, spool.MakeAgain(mlflow_uri=mlflow_uri, experiment=experiment))
        for one in spools
    ]
    for one in sending:
        one.send(by_key.get(one.spool.path.stem))
    if not any(folded) and not any(one.found for one in sending):
        only = f"No trial of study {studies[0][0].study_name!r}" if len(studies) == 1 else "Nothing"
        render.say(f"{only} was left behind here.")
    return 1 if any(one.failed for one in sending) else 0


def _of_ours(study: optuna.Study) -> tuple[optuna.Study, StudyTerms]:
    terms = read_terms(study)
    if terms is None:
        raise StudyError(
            f"No green_optuna objective has run in the study {study.study_name!r}: nothing of it "
            "can have been left behind."
        )
    return study, terms


def _fold(study: optuna.Study, terms: StudyTerms, tracker: MLflowTracker) -> bool:
    """Count what killed trials had spent, and close their runs; tell whether there were any."""
    telling = _Telling(study, terms, tracker)
    try:
        numbers = fold_killed(study, terms, telling, wait=True)
    finally:
        telling.end()
    if numbers:
        named = ", ".join(str(number) for number in numbers)
        render.say(f"Trials of study {study.study_name!r} that were killed, now counted: {named}.")
    return bool(numbers)


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
                self._leave(name, trial)
            elif self._log is None and not self._may_be_here():
                self._leave(name, trial)
                render.say("Its MLflow is not here: pass --mlflow-uri to end its run there.")
            else:
                if self._log is None:
                    self._log = StudyLog(self._study, self._terms, [self._tracker])
                self._log.finish(trial)

    def _leave(self, name: str, trial: TrialRecord) -> None:
        """Keep it for the study's next worker, which has the tracker at hand."""
        spool.keep(name, trial)
        render.say(f"The run of trial {trial.number} in {name!r} is left as it is for now.")

    def _may_be_here(self) -> bool:
        """Tell whether there is a store to look into, rather than one to be made."""
        named = self._tracker.uri or os.environ.get("MLFLOW_TRACKING_URI")
        return bool(named) or Path("mlflow.db").exists()

    def end(self) -> None:
        """Pass on the front, which says what the study has spent."""
        if self._log is not None:
            self._log.end()


class _Sending:
    """Sends the records of one spool, and says what came of it.

    Attributes:
        spool: The records.
        found: Whether there were any.
        failed: Whether a tracker did not take one.
    """

    def __init__(self, waiting: spool.Spool, make: spool.MakeAgain) -> None:
        self.spool = waiting
        self.found = False
        self.failed = False
        self._make = make

    def send(self, known: tuple[optuna.Study, StudyTerms] | None) -> None:
        """Send them.

        Args:
            known: Their study with its terms, where its storage is at hand: its front goes along.
        """
        entries = self.spool.entries()
        if not entries:
            self.spool.tidy()
            return
        self.found = True
        whose = entries[0].subject
        done = spool.replay(self.spool, self._make, wait=True)
        for name, n_records in done.sent.items():
            render.say(f"{whose}: {_records(n_records)} sent to {name!r}.")
        for name, n_records in done.left.items():
            self._say_left(whose, name, n_records, done.errors.get(name))
        for tracker in self._make.made if done.sent else ():
            if known is not None:
                self._pass_on_front(tracker, *known)
            elif isinstance(tracker, WandbTracker) and tracker.sync_command:
                render.say(f"They are on this machine; to send them to W&B: {tracker.sync_command}")

    def _say_left(self, whose: str, name: str, n_records: int, error: Exception | None) -> None:
        if error is None:
            render.say(
                f"{whose}: {_records(n_records)} kept for {name!r}: the study's next trial with "
                "that tracker sends them, or green_optuna.resend([the_tracker])."
            )
            return
        self.failed = True
        render.say(
            f"{whose}: {_records(n_records)} not taken by {name!r}: {self._shown(error)} They are "
            f"kept in {self.spool.path}."
        )

    def _pass_on_front(self, tracker: Tracker, study: optuna.Study, terms: StudyTerms) -> None:
        try:
            tracker.log_front(pareto_front(study, allow_mixed=True))
            tracker.end_study(study.study_name, terms)
        except Exception as error:
            # The records are there; whatever it is, it is said.
            self.failed = True
            render.say(f"The front was not passed on to {tracker.name!r}: {self._shown(error)}")

    def _shown(self, error: Exception) -> str:
        """Give what an error says, without the secrets of the trackers here."""
        secrets = [secret for tracker in self._make.made for secret in tracker.secrets]
        said = shown_text(str(error) or type(error).__name__, secrets)
        return sentence(" ".join(said.split()))


def _records(n_records: int) -> str:
    return "1 record" if n_records == 1 else f"{n_records} records"
