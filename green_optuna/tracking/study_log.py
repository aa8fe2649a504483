"""All that trackers are told of one study in this process, and what happens when one fails."""

from __future__ import annotations

import atexit
import contextlib
import logging
import math
import multiprocessing.util
import os
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from green_optuna.errors import OptionError, StudyError
from green_optuna.front import pareto_front
from green_optuna.references import read_references
from green_optuna.saving.saved import discard
from green_optuna.terms import LINKS_ATTRIBUTE, read_links, read_terms
from green_optuna.tracking.trouble import Trouble, without_secrets_of
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    import optuna

    from green_optuna.front import ParetoFront
    from green_optuna.record import TrialRecord
    from green_optuna.references import ReferencePoint, ReferenceTable
    from green_optuna.terms import StudyTerms
    from green_optuna.tracking.tracker import Tracker

_logger = logging.getLogger("green_optuna")

# What this process has passed a study's front on with, by the study's key: later ones come with
# it too.
_references: dict[str, tuple[ReferencePoint, ...]] = {}

FRONT_INTERVAL_S = 30.0

# A trial does not wait longer than this for those before it to be sent again, nor a process that
# ends; what is left has its turn after the next one.
REPLAY_PATIENCE_S = 2.0
LAST_REPLAY_PATIENCE_S = 30.0


class StudyLog:
    """Passes on to the trackers what happens in a study; their trouble never costs a trial.

    The study's front is passed on after a trial that changed it, at most every 30 s, and when
    the process ends.

    Attributes:
        ended: Whether it has passed on its last.

    Args:
        study: The study; None for measurements without one, which have no front and no end.
        terms: Its terms.
        trackers: Who is told.
        front_interval_s: The least time between two fronts, in s.

    Raises:
        OptionError: Two trackers have the same name.
    """

    def __init__(
        self,
        study: optuna.Study | None,
        terms: StudyTerms,
        trackers: Sequence[Tracker],
        *,
        front_interval_s: float = FRONT_INTERVAL_S,
    ) -> None:
        names = [tracker.name for tracker in trackers]
        if len(set(names)) < len(names):
            raise OptionError(
                f"The trackers are named {names}: give each a name of its own, as in "
                'MLflowTracker(name="team").'
            )
        self.ended = False
        self._terms = terms
        self._trackers = tuple(trackers)
        self._study: optuna.Study | None = None
        if study is not None:
            self.follow(study)
        self._trouble = Trouble(terms)
        self._linked: set[str] = set()
        self._lock = threading.Lock()
        self._front_interval_s = front_interval_s
        self._front_at_s = time.monotonic()
        self._front: tuple[int, ...] = ()
        self._any_trial = False
        self._pid = os.getpid()
        if study is not None and self._trackers:
            atexit.register(self.end)
            # A process of multiprocessing's that was forked leaves without atexit.
            self._finalizer = multiprocessing.util.Finalize(None, self.end, exitpriority=0)

    def follow(self, study: optuna.Study) -> None:
        """Take another object of the same study for it from now on.

        It is kept until the end, for its last front; where nobody is told, it is not.
        """
        if self._trackers:
            self._study = study

    @property
    def flush_interval_s(self) -> float | None:
        """How often a running trial shall be passed on, in s; None for never."""
        least_s = min((one.flush_interval_s for one in self._trackers), default=math.inf)
        return least_s if math.isfinite(least_s) else None

    @property
    def keeps_models(self) -> bool:
        """Whether anybody who is told keeps the models of trials."""
        return any(_keeps_models(tracker) for tracker in self._trackers)

    def start(self, trial: TrialRecord) -> dict[str, str]:
        """Tell that a trial starts; give the run that each tracker opened for it."""
        runs = {}
        for tracker in self._trackers:
            with self._trouble.tolerated(tracker):
                run_id = tracker.start_trial(trial)
                if run_id is not None:
                    runs[tracker.name] = run_id
        if runs:
            if self._study is not None and not self._linked:
                # What a tracker connects to at its first run, W&B's service, ends with the
                # process too: our own last word comes before that.
                atexit.unregister(self.end)
                atexit.register(self.end)
            self._keep_links(runs)
        return runs

    def _keep_links(self, runs: Iterable[str]) -> None:
        """Keep in the study how it is opened in the trackers, once a process.

        Args:
            runs: The names of the trackers that have a run open.
        """
        with self._lock:
            trackers = [one for one in self._trackers if one.name in {*runs} - self._linked]
            self._linked.update(runs)
        if self._study is None or not trackers:
            return
        links = {}
        for tracker in trackers:
            with self._trouble.tolerated(tracker, of_trials=False):
                link = tracker.study_link(self._study.study_name, self._terms)
                if link is not None:
                    links[tracker.name] = without_secrets_of(tracker, link)
        try:
            kept = read_links(self._study)
            if not links.items() <= kept.items():
                self._study.set_user_attr(LINKS_ATTRIBUTE, kept | links)
        except Exception as error:
            # It is a convenience, and a storage that is away will be told of by the trial.
            _logger.info("The links to the study were not kept: %s", shown_text(repr(error)))

    @contextlib.contextmanager
    def activated(self, trial: TrialRecord) -> Iterator[None]:
        """Make the trial's runs the current ones in this thread."""
        entered: list[tuple[Tracker, AbstractContextManager[None]]] = []
        for tracker in self._trackers:
            run_id = trial.run_ids.get(tracker.name)
            if run_id is not None:
                with self._trouble.tolerated(tracker):
                    context = tracker.activate(run_id)
                    context.__enter__()
                    entered.append((tracker, context))
        try:
            yield
        finally:
            # Each learns of the function's exception, and none can swallow or replace it.
            raised = sys.exc_info()
            for tracker, context in reversed(entered):
                with self._trouble.tolerated(tracker):
                    _leave(context, raised)

    def progress(self, trial: TrialRecord) -> None:
        """Tell what is known of a trial that runs."""
        for tracker in self._trackers:
            with self._trouble.tolerated(tracker):
                tracker.log_progress(trial)

    def finish(self, trial: TrialRecord) -> None:
        """Tell how a trial ended; what a tracker cannot take is kept on disk.

        A tracker that takes it is also told of those that it could not take before.
        """
        if not self._any_trial:
            _prepare_for_the_end()
        self._any_trial = True
        there: list[Tracker] = []
        without_files = trial
        if trial.model is not None:
            without_files = replace(trial, model=replace(trial.model, folder=None))
        model_waits = False
        for tracker in self._trackers:
            keeps_models = _keeps_models(tracker)
            told = trial if keeps_models else without_files
            try:
                tracker.finish_trial(told)
            except Exception as error:
                self._trouble.keep(tracker, told, error)
                model_waits |= keeps_models
            else:
                there.append(tracker)
        if not model_waits:
            discard(trial.model)
        self._trouble.send_again(there, patience_s=REPLAY_PATIENCE_S)

    def completed(self) -> None:
        """Pass on the front if a trial has changed it and the last time is 30 s ago.

        The trial that has just ended is not in the storage yet: it counts the next time.
        """
        if not self._trackers:
            return
        with self._lock:
            if time.monotonic() - self._front_at_s < self._front_interval_s:
                return
            self._front_at_s = time.monotonic()
        self._pass_on_front()

    def _pass_on_front(self, *, changed_only: bool = True) -> list[tuple[Tracker, ParetoFront]]:
        """Tell the trackers of the front; give those that took it, with the front."""
        if self._study is None:
            return []
        try:
            references = _references.get(self._terms.key, ())
            front = pareto_front(self._study, references=references, allow_mixed=True)
        except Exception as error:
            # The storage may be gone (a temporary folder, a server): nothing depends on it.
            _logger.warning("The Pareto front was not passed on: %s", shown_text(repr(error)))
            return []
        if changed_only and front.numbers == self._front:
            return []
        self._front = front.numbers
        there = []
        for tracker in self._trackers:
            with self._trouble.tolerated(tracker, of_trials=False):
                tracker.log_front(front)
                there.append((tracker, front))
        return there

    def end(self) -> None:
        """Pass on the last front, and a report: the process ends, or is at other studies."""
        if os.getpid() != self._pid or self.ended:
            return
        self.ended = True
        if self._any_trial:
            self._trouble.send_again(self._trackers, patience_s=LAST_REPLAY_PATIENCE_S)
            # The front may be as it was, and what the study has spent is not.
            # Who did not take the front is away: a process that ends waits for it once.
            for tracker, front in self._pass_on_front(changed_only=False):
                with self._trouble.tolerated(tracker, of_trials=False):
                    _log_report(tracker, front, anew=False)
        study, self._study = self._study, None
        if study is None:
            return
        for tracker in self._trackers:
            with self._trouble.tolerated(tracker, of_trials=False):
                tracker.end_study(study.study_name, self._terms)
        atexit.unregister(self.end)
        self._finalizer.cancel()


def _prepare_for_the_end() -> None:
    """Import what a report leans on, by way of joblib: Python refuses it to a process that ends."""
    import concurrent.futures.process  # noqa: F401


def _keeps_models(tracker: Tracker) -> bool:
    return bool(getattr(tracker, "keeps_models", False))  # one that is no subclass may lack it


def _log_report(tracker: Tracker, front: ParetoFront, *, anew: bool) -> None:
    if hasattr(tracker, "log_report"):  # one that is no subclass may lack it
        tracker.log_report(front, anew=anew)


def _leave(
    context: AbstractContextManager[None],
    raised: tuple[type[BaseException] | None, BaseException | None, TracebackType | None],
) -> None:
    """Leave a context whose exception goes on in any case."""
    try:
        context.__exit__(*raised)
    except BaseException as error:
        if error is not raised[1]:
            raise


def log_front(
    study: optuna.Study, trackers: Sequence[Tracker], *, references: ReferenceTable = ()
) -> None:
    """Pass a study's Pareto front on to trackers now, and its report.

    Args:
        study: A study in which a green_optuna objective has run.
        trackers: Who is told. What they raise is raised here. A run that one keeps open for the
            study, as W&B's does, ends with the process.
        references: Results from elsewhere that the front is logged with, as
            :func:`pareto_front` takes them. The fronts that this process passes on later, as the
            study's own trackers are told at its end, come with them too.

    Raises:
        OptionError: A reference cannot be used.
        StudyError: No green_optuna objective has run in the study.
    """
    terms = read_terms(study)
    if terms is None:
        raise StudyError(
            f"No green_optuna objective has run in the study {study.study_name!r}: it has no "
            "runs to log a front beside."
        )
    points = read_references(references)
    front = pareto_front(study, references=points, allow_mixed=True)
    _references[terms.key] = points
    for tracker in trackers:
        tracker.log_front(front)
    for tracker in trackers:
        _log_report(tracker, front, anew=True)
