"""The MLflow tracker: one run a trial, under one run for its study; one run a measurement.

Only MLflow's client is used, with explicit run ids: its fluent functions keep a stack of runs
a thread, and mix up trials that run side by side.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from typing import TYPE_CHECKING, Self, TypeVar

from green_optuna.errors import TrackerError
from green_optuna.locks import ProcessLock
from green_optuna.tracking import series
from green_optuna.tracking.mlflow import schema, view
from green_optuna.tracking.mlflow.activation import CurrentUri, active_run
from green_optuna.tracking.mlflow.connection import Connection
from green_optuna.tracking.mlflow.front import log_front, run_ids_of
from green_optuna.tracking.mlflow.models import log_saved_model
from green_optuna.tracking.mlflow.open_run import OpenRun
from green_optuna.tracking.mlflow.place import default_experiment, study_link
from green_optuna.tracking.mlflow.report import PageNotMadeError, log_report
from green_optuna.tracking.mlflow.traces import read_traces
from green_optuna.tracking.service import ServiceTracker
from green_optuna.tracking.traces import MAX_TRACES, traced_trials
from green_optuna.urls import secrets_of, shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mlflow.entities import Run

    from green_optuna.energy import Trace
    from green_optuna.front import ParetoFront
    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms
    from green_optuna.tracking.mlflow.store import Store

T = TypeVar("T")


class MLflowTracker(ServiceTracker):
    """Logs each trial to MLflow: parameters, objectives, costs, reports and energy trace.

    Args:
        uri: A tracking URI, as ``mlflow.set_tracking_uri`` takes it. MLflow's current one
            unless given: that of ``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``.
        experiment: The name of an experiment, made if need be. Unless given, that of
            ``mlflow.set_experiment`` or ``MLFLOW_EXPERIMENT_ID`` where ``uri`` is MLflow's
            current one, else that of ``MLFLOW_EXPERIMENT_NAME``, else ``green_optuna``.
        activate: Whether ``mlflow.log_metric`` and autologging inside the user's function land
            in the trial's run. While a trial runs, MLflow's tracking URI is then ``uri``, where
            given, for the whole process. With threads (``n_jobs``), MLflow's autologging leaves
            out a fit that begins while another one runs. Switch it off to open runs of your own
            in the function.
        flush_interval_s: How often to log a trial that is still running, in s; ``math.inf`` for
            never. What that takes is part of the trial's measurement.
        name: Names the tracker in ``TrialRecord.run_ids``; a second one in a study wants
            another name.
        report: Whether the study's run gets the study's report, a page of some 5 MB, as a process
            ends that ran trials, and with :func:`log_front`. It takes seconds where there are
            thousands of trials.

    Raises:
        OptionError: ``flush_interval_s`` is not above 0.
    """

    keeps_models = True
    _of_a_process = frozenset({"_lock", "_connected", "_open_runs", "_current_uri"})

    def __init__(
        self,
        uri: str | None = None,
        experiment: str | None = None,
        *,
        activate: bool = True,
        flush_interval_s: float = 30.0,
        name: str = "mlflow",
        report: bool = True,
    ) -> None:
        self.uri = uri
        self.experiment = experiment
        self.report = report
        self._activates = activate
        super().__init__(name=name, flush_interval_s=flush_interval_s)

    def _start_afresh(self) -> None:
        """Set up what belongs to a process: it connects when it is first used."""
        self._lock = ProcessLock()
        self._connected: Connection | None = None
        self._open_runs: dict[str, OpenRun] = {}
        self._current_uri = CurrentUri()

    @property
    def _connection(self) -> Connection:
        with self._lock:
            if self._connected is None:
                self._connected = Connection(self.uri, self.experiment)
            return self._connected

    def __repr__(self) -> str:
        """Show the options, the URI without its password."""
        uri = None if self.uri is None else shown_url(self.uri)
        return f"MLflowTracker(uri={uri!r}, experiment={self.experiment!r})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown of the tracking URI."""
        uri = self.uri or os.environ.get("MLFLOW_TRACKING_URI")
        return secrets_of(uri) if uri else ()

    def spooled_options(self) -> dict[str, str | None]:
        """Give what :meth:`from_spooled` makes the tracker from: where it logs, no password."""
        uri, experiment_id = self._connection.place()
        experiment = self.experiment
        if experiment is None and experiment_id is None:
            experiment = default_experiment()
        return {"uri": shown_url(uri), "experiment": experiment, "experiment_id": experiment_id}

    @classmethod
    def from_spooled(cls, options: Mapping[str, str | None], *, name: str = "mlflow") -> Self:
        """Undo :meth:`spooled_options`; the password, if there is one, has been put back.

        Raises:
            KeyError: An option is missing.
        """
        tracker = cls(options["uri"], options["experiment"], activate=False, name=name)
        tracker._connected = Connection(
            tracker.uri, tracker.experiment, experiment_id=options["experiment_id"]
        )
        return tracker

    def start_trial(self, trial: TrialRecord) -> str:
        """Open the trial's run, under its study's run; a measurement's stands alone.

        Raises:
            TrackerError: The store is not there, or the experiment was deleted.
        """
        return self._tried(lambda first: self._open_run(trial, may_be_there=not first))

    @contextlib.contextmanager
    def activate(self, run_id: str) -> Iterator[None]:
        """Make the run MLflow's active one in this thread."""
        open_run = self._open_runs.get(run_id)
        if not self._activates or open_run is None:
            yield
            return
        with self._current_uri.set_to(open_run.uri), active_run(open_run.run):
            yield

    def log_progress(self, trial: TrialRecord) -> None:
        """Log what has been added to the trace, the reports and the parameters."""
        open_run = self._open_runs.get(trial.run_ids.get(self.name, ""))
        if open_run is not None:
            with self._connection.opened() as store:
                open_run.log(store, trial)

    def finish_trial(self, trial: TrialRecord) -> None:
        """Log the rest and end the run; opens it first if that has failed before.

        What another call or process has logged of the trial already is not logged again.

        Raises:
            TrackerError: The store is not there.
        """
        run_id = trial.run_ids.get(self.name)
        try:
            with self._connection.opened() as store:
                if run_id is None or run_id not in self._open_runs:
                    run_id = self._take_up(store, trial)
                open_run = self._open_runs[run_id]
                open_run.log(store, trial)
                if open_run.doubtful:
                    store.keep_one(run_id, schema.identity_tags(trial, self.name))
                if self.name not in trial.run_ids:
                    # Optuna does not know it: the front finds it by this.
                    store.client.set_tag(run_id, schema.LATE_TAG, "true")
                ended_at = time.time()
                try:
                    if trial.measurement is not None:
                        ended_at = trial.started_at + trial.measurement.duration_s
                        trace = series.trace_csv(trial.measurement)
                        store.client.log_text(run_id, trace, series.TRACE_FILE)
                    if trial.model is not None and trial.model.error is None:
                        fault = log_saved_model(store, run_id, trial.model)
                        if fault is not None:
                            store.client.set_tag(run_id, schema.MODEL_TAG, fault)
                finally:
                    # Files go to a place of their own, which may be away while the runs' is not.
                    store.end_run(run_id, schema.STATUS[trial.state], ended_at=ended_at)
        finally:
            if run_id is not None:
                self._open_runs.pop(run_id, None)

    def log_front(self, front: ParetoFront) -> None:
        """Log the front: a note, a table, JSON and a plot on the study's run, tags, and a view.

        Raises:
            TrackerError: The study has no run, or the store is not there.
        """
        self._of_study(front, log_front)

    def log_report(self, front: ParetoFront, *, anew: bool = True) -> None:
        """Write the study's report, with energy traces, among the files of the study's run.

        A tracker that was made with ``report=False`` writes none.

        Raises:
            TrackerError: The study has no run, the page could not be made, or the store is not
                there.
        """
        if not self.report:
            return
        try:
            self._of_study(front, functools.partial(log_report, anew=anew))
        except PageNotMadeError as error:
            raise TrackerError(str(error)) from error.__cause__

    def read_traces(
        self, front: ParetoFront, *, first: Sequence[int] = (), limit: int = MAX_TRACES
    ) -> dict[int, Trace]:
        """Read energy traces of a front's trials back from ``energy/trace.csv`` of their runs.

        Raises:
            OptionError: A trial that is asked for is none that has ended.
            TrackerError: The store is not there.
        """
        trials, study_key = traced_trials(front, first, limit), front.candidates.study_key
        if study_key is None or not trials:
            return {}
        with self._connection.opened() as store:
            return read_traces(store, run_ids_of(store, trials, study_key, self.name))

    def end_study(self, study_name: str, terms: StudyTerms) -> None:
        """End the study's run: this process has done its part."""
        self._tried(lambda _: self._end_study(study_name, terms))

    def _tried(self, step: Callable[[bool], T]) -> T:
        """Do something, and once more where MLflow refuses it; tell the step which time it is.

        What we know of the store may be out of date: the experiment or the study's run was
        deleted, or the server set up anew. To look again mends it, or says what is wrong.
        """
        from mlflow.exceptions import MlflowException

        try:
            return step(True)
        except MlflowException:
            return step(False)

    def _of_study(
        self, front: ParetoFront, log: Callable[[Store, ParetoFront, str, str], None]
    ) -> None:
        """Log something of a front to its study's run.

        Raises:
            TrackerError: There is no such run, or the store is not there.
        """
        study_key = front.candidates.study_key
        if study_key is None:
            raise TrackerError(
                f"The study {front.study_name!r} has no run in MLflow: no green_optuna "
                "objective has run in it."
            )

        def step(_: bool) -> None:
            with self._connection.opened() as store:
                log(store, front, study_key, self.name)

        self._tried(step)

    def study_link(self, study_name: str, terms: StudyTerms) -> str | None:  # noqa: ARG002
        """Say how to open the study's view in MLflow's pages; no password is shown."""
        store = self._connection.store()
        return study_link(store.uri, view.page(store.experiment_id, terms.key))

    def _end_study(self, study_name: str, terms: StudyTerms) -> None:
        with self._connection.opened() as store:
            run_id = store.study_run(study_name, terms.key)
            store.end_run(run_id, "FINISHED", ended_at=time.time())

    def _open_run(self, trial: TrialRecord, *, may_be_there: bool) -> str:
        with self._connection.opened() as store:
            if may_be_there:
                return self._take_up(store, trial)
            run = self._new_run(store, trial)
        run_id = str(run.info.run_id)
        self._open_runs[run_id] = OpenRun(run, store.uri)
        return run_id

    def _new_run(self, store: Store, trial: TrialRecord) -> Run:
        tags = schema.start_tags(trial, self.name)
        if trial.kind == "trial":
            tags[schema.PARENT_TAG] = store.study_run(trial.study_name, trial.terms.key)
        return store.create_run(series.run_name(trial), tags, started_at=trial.started_at)

    def _take_up(self, store: Store, trial: TrialRecord) -> str:
        """Give the run of a trial that may have one, opened by whom it may; else a new one.

        A server may have made it, and its answer been lost; or its process was killed.
        """
        known = trial.run_ids.get(self.name)
        run: Run | None = None
        if known is not None and trial.state == "killed":
            # It can only be ended where it was begun; this may be another store.
            run = store.client.get_run(known)
        elif known is not None:
            run = store.active_run(known)
        tags = schema.identity_tags(trial, self.name)
        run = run or store.find_run(tags) or self._new_run(store, trial)
        run_id = str(run.info.run_id)
        self._open_runs[run_id] = OpenRun.found(store, run)
        return run_id
