"""What a tracker must do to be told of each trial."""

# ruff: noqa: ARG002 - what a method does not use here, a subclass does

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol, cast

from green_optuna.tracking.traces import MAX_TRACES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from green_optuna.energy import Trace
    from green_optuna.front import ParetoFront
    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms


class _ClassName:
    """A tracker's name unless it is given one: that of its class, in lower case."""

    def __get__(self, tracker: object, owner: type) -> str:
        if tracker is None:
            # A dataclass would otherwise take it for the default of a field of that name.
            raise AttributeError(f"type object {owner.__name__!r} has no attribute 'name'")
        return owner.__name__.lower()


class Tracker(Protocol):
    """Someone who is told of each trial: MLflow, say, or a class of the user's own.

    Subclass it and write :meth:`finish_trial`; the other methods do nothing unless written.
    ``examples/tensorboard_tracker.py`` is one for TensorBoard in some 15 lines.

    ===================== ===================================================================
    what is called        with what, and when
    ===================== ===================================================================
    :meth:`start_trial`   the record with its number and terms alone, before the trial starts;
                          its answer is in ``trial.run_ids`` from then on
    :meth:`activate`      that answer, if there was one; its context lasts as long as the
                          user's function, in the same thread
    :meth:`log_progress`  the record so far (parameters, reports, trace), every
                          ``flush_interval_s`` while the function runs
    :meth:`finish_trial`  the whole record, whether the trial completed, was pruned, failed, or
                          was killed in a process that is gone; later, if it raised, and perhaps
                          again, if the process was killed while it was called
    :meth:`log_front`     the Pareto front, after a trial that changed it, at most every 30 s,
                          and as the process ends
    :meth:`log_report`    the front, for the study's report, as the process ends
    :meth:`study_link`    the study's name and terms, once the first trial's run is open
    :meth:`end_study`     the study's name and terms, as the process ends
    ===================== ===================================================================

    :func:`trial_points` turns a record into the points of charts, the trace at one a second.
    ``trial.measurement.trace`` is the trace at its full rate, as arrays.

    All are called outside the measured window but :meth:`log_progress`. They may be called from
    several threads at once, each time for another trial. What they raise never costs a trial:
    the user is warned once, and the record is kept on disk and sent again later (the next trial
    does it, or :func:`resend`). A tracker travels to other processes
    by pickle, so make what cannot travel (a connection, an open file) when it is first needed.

    Attributes:
        name: Names the tracker in ``TrialRecord.run_ids`` and in warnings; each of a study's
            trackers has its own. That of the class in lower case unless given.
        flush_interval_s: How often :meth:`log_progress` is called while a trial runs, in s;
            the shortest among a study's trackers counts for all, and ``math.inf`` is never.
        keeps_models: Whether :meth:`finish_trial` takes the files in ``trial.model.folder``, where
            the trial's model was to be saved; they are removed once all that keep models have
            them.
    """

    # To a type checker it is what it gives.
    name: str = cast("str", _ClassName())
    flush_interval_s: float = 30.0
    keeps_models: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown when the tracker fails, such as a password in its address."""
        return ()

    # A bare return tells a type checker that a subclass need not write the method.

    def start_trial(self, trial: TrialRecord) -> str | None:
        """Open a run for a trial that is about to start; give its id.

        Args:
            trial: The trial, without parameters, measurement or reports yet.
        """
        return None

    def activate(self, run_id: str) -> AbstractContextManager[None]:
        """Make the trial's run the current one for the user's function, in its thread."""
        return contextlib.nullcontext()

    def log_progress(self, trial: TrialRecord) -> None:
        """Take what is known of a trial that runs; called from a thread of its own."""
        return

    def finish_trial(self, trial: TrialRecord) -> None:
        """Take all there is to know of a trial that has ended, however it did.

        ``trial.run_ids`` lacks this tracker's run if :meth:`start_trial` failed.
        """

    def log_front(self, front: ParetoFront) -> None:
        """Take the study's front, which has changed."""
        return

    def log_report(self, front: ParetoFront, *, anew: bool = True) -> None:
        """Keep the study's report, such as the page that ``front.report(path)`` writes.

        It has some 5 MB, so that a process does it once, as it ends; :func:`log_front` does too.

        Args:
            front: The study's front.
            anew: Whether to do it though another process has, when as many trials had ended:
                False as the process ends.
        """
        return

    def read_traces(
        self, front: ParetoFront, *, first: Sequence[int] = (), limit: int = MAX_TRACES
    ) -> dict[int, Trace]:
        """Give the energy traces of a front's trials, as far as this tracker can read them back.

        A study keeps none: ``front.report(path, traces=tracker.read_traces(front))``.

        Args:
            front: The study's front.
            first: The numbers of trials that come before others, on the front or not. Then comes
                the trial that the default rule selects, and then others from all along the front.
            limit: The most trials.

        Returns:
            The traces by the numbers of their trials, at most 500 points each, with the energy of
            the whole trace. Trials whose trace is not there are left out.
        """
        return {}

    def study_link(self, study_name: str, terms: StudyTerms) -> str | None:
        """Say how a person opens the study in what this tracker logs to, without passwords.

        It is asked once a process, when the first trial's run is open, and kept in the study.

        Returns:
            An address, or a command and an address, as they are to be shown; None where there is
            nothing to open.
        """
        return None

    def end_study(self, study_name: str, terms: StudyTerms) -> None:
        """Learn that this process has done its part in a study: it exits."""
        return
