"""One trial on its way: opened in the trackers, measured, kept, told of."""

from __future__ import annotations

import functools
import logging
import os
import platform
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import optuna

from green_optuna.errors import MeterError
from green_optuna.outcome import count_if_model, model_of
from green_optuna.pooling import first_run, repeated_number
from green_optuna.record import REPORTS_ATTRIBUTE, TrialRecord, in_one_line
from green_optuna.repeats import Repeats
from green_optuna.terms import ATTRIBUTE, VERSION
from green_optuna.tracking.live import called_every
from green_optuna.trial import GreenTrial
from green_optuna.trial_forecast import TrialForecast
from green_optuna.trial_inference import TrialInference
from green_optuna.trial_progress import TrialProgress
from green_optuna.trial_pruning import TrialPruning
from green_optuna.trial_saving import TrialSaving

if TYPE_CHECKING:
    from collections.abc import Callable

    from green_optuna.energy import Measurement, Window
    from green_optuna.forecast import Forecast
    from green_optuna.inference import InferenceCost, InferenceOptions
    from green_optuna.options import ObjectiveOptions
    from green_optuna.outcome import Outcome, Result
    from green_optuna.session import Session

_logger = logging.getLogger("green_optuna")


class TrialRun:
    """One trial on its way: opened in the trackers, measured, kept, told of.

    Args:
        session: Of the trial's study.
        trial: The trial that Optuna made.
        options: What the decorator was asked for.
        read: Reads what the user's function returned.
    """

    def __init__(
        self,
        session: Session,
        trial: optuna.Trial,
        options: ObjectiveOptions,
        *,
        read: Callable[[object, GreenTrial], Result],
    ) -> None:
        self._session = session
        self._trial = trial
        self._window: Window | None = None
        self._closed = False
        self._flushes = 0
        self._inference = options.inference
        self._saving = TrialSaving(session, always=options.save_model)
        self._progress = TrialProgress(session, trial, total_steps=options.total_steps)
        self._pruning: TrialPruning | None = None
        self._count = functools.partial(count_if_model, n_params=options.n_params)
        if isinstance(options.n_params, int):
            self._progress.n_params = options.n_params
        is_repeat = repeated_number(trial) is not None
        # Were a repeat stopped where it goes badly, the mean would be of those that went well.
        if options.pruners and not is_repeat:
            self._pruning = TrialPruning(
                options.pruners,
                session,
                trial.study,
                progress=self._progress,
                spent=self._spent,
                count=self._count,
            )
        self.trial = GreenTrial(
            trial,
            bounds=session.terms.quality_bounds,
            spent=self._spent,
            spent_by_now=functools.partial(self._spent, at_once=True),
            should_stop=None if self._pruning is None else self._pruning.should_stop,
            on_watch=None if self._pruning is None else self._pruning.watch,
            first_run=first_run(trial, options.repeats) if is_repeat else 0,
        )
        self._forecast = TrialForecast(
            session, trial.study, progress=self._progress, repeats=options.repeats
        )
        self._repeats = Repeats(
            self.trial,
            repeats=options.repeats,
            timeout_s=options.timeout_s,
            read=lambda it: read(it, self.trial),
        )
        self._record = TrialRecord(
            study_name=session.study_name,
            terms=session.terms,
            number=trial.number,
            started_at=time.time(),
        )

    def begin(self) -> None:
        """Open the trial in the trackers: before its window, for the network is not its own."""
        session = self._session
        with session.sampler.excluded():
            run_ids = session.log.start(self._record)
            self._record = replace(self._record, run_ids=run_ids)
            # One commit less, 3 ms on SQLite, where there is no run to be found again: who runs the
            # trial stands in the journal.
            # One that was enqueued with the attributes of another is not that other one.
            if run_ids or ATTRIBUTE in self._trial.user_attrs:
                self._trial.set_user_attr(ATTRIBUTE, self._start_attribute())
            session.journal.begin(
                self._record.number, started_at=self._record.started_at, run_ids=run_ids
            )
            if self._pruning is not None:
                self._pruning.refresh()

    @property
    def used_kwh(self) -> float:
        """What it has used so far, in kWh, up to the latest reading; 0 before its window opens."""
        return 0.0 if self._window is None else self._window.energy.total_kwh

    @property
    def inference(self) -> InferenceCost | None:
        """What the inference of its model costs, where that was asked for and can be told."""
        return self._record.inference

    @property
    def measurement(self) -> Measurement:
        """What the trial cost.

        Raises:
            MeterError: It has not been measured, or the meter saw no energy at all.
        """
        measurement = self._record.measurement
        if measurement is None:
            raise MeterError(f"Trial {self._record.number} has not been measured.")
        if measurement.energy_kwh <= 0:
            raise MeterError(
                f"The meter saw no energy in the {measurement.duration_s:.3g} s of trial "
                f"{self._record.number}: its counter stands still. No work is free, and a trial "
                "that seemed so would be on every front."
            )
        return measurement

    def timed_out(self, error: BaseException) -> bool:
        """Tell whether the exception that ended the trial is that of its time, or came of it."""
        return self._repeats.timed_out(error)

    def call(self, function: Callable[[GreenTrial], object]) -> list[Result]:
        """Run the user's function in the measured window; give what each run came to.

        Whatever the function raises comes out as it is, with the window closed.

        Raises:
            MeterError: The meter gave no reading at the end.
            ObjectiveError: What a run returned cannot be made into objectives, or its model's
                inference cannot.
        """
        with self._session.log.activated(self._record):
            window = self._window = self._session.sampler.open()
            self._session.journal.watch(
                self._record.number, window, runs=lambda: self._repeats.made
            )
            flush = functools.partial(self._flush, window)
            with called_every(self._session.log.flush_interval_s, flush):
                try:
                    if self._pruning is not None:
                        self._pruning.check_start()
                    returned = self._repeats.make(function, self._session.sampler, window)
                except BaseException:
                    self._close_anyhow(window)
                    raise
                self._close(window)
        self._repeats.finish(returned)
        self._saving.end(self.trial, returned)
        if self._inference is not None:
            self._infer(model_of(returned, self.trial), self._inference)
        return self._repeats.results

    def complete(self, outcome: Outcome) -> None:
        """Keep and tell that the trial completed, with what it came to."""
        self._record = self._saving.save(self._record)
        record = replace(
            self._current(),
            state="complete",
            quality=outcome.quality,
            n_params=outcome.n_params,
            parameters=outcome.parameters,
            objectives=outcome.objectives,
            loss_interval=outcome.loss_interval,
        )
        # Nobody is told of a result that the storage does not take: the trial fails then.
        self._keep(record)
        self._tell(record)
        with self._session.sampler.excluded():
            self._session.journal.end(record.number)
            self._session.log.completed()

    def end_after(self, error: BaseException) -> None:
        """Keep and tell that the trial ended with an exception, which stays the one to be seen."""
        try:
            self._end_after(error)
        except BaseException as interrupt:
            # Ctrl-C amid it, for which Optuna fails the trial: no run shall stay open.
            self._end_after(interrupt)
            raise

    def _end_after(self, error: BaseException) -> None:
        pruned = isinstance(error, optuna.TrialPruned)
        said = in_one_line(error)
        if self.timed_out(error):
            said = f"timed out after {self._repeats.timeout_s:g} s"
            _logger.warning("Trial %d failed: it %s.", self._record.number, said)
        # Ctrl-C may come after the window has opened, and before the user's function begins.
        if self._window is not None and not self._closed:
            self._close_anyhow(self._window)
        try:
            if pruned and self._progress.n_params is None:
                self._progress.n_params = self._count(self.trial.watched)
            record = replace(
                self._current(),
                state="pruned" if pruned else "failed",
                error=None if pruned else said,
                stopped=self._pruning.reason if pruned and self._pruning is not None else None,
                # Pruners compare later trials with it, and its checkpoints have as many.
                n_params=self._progress.n_params,
                forecast=self._forecast_from(self._record.measurement) if pruned else None,
            )
            record = self._saving.save_ended(self.trial, record)
            try:
                self._keep(record)
            finally:
                self._tell(record)
        except Exception as trouble:
            _logger.warning("Trial %d could not be kept: %r", self._record.number, trouble)
        with self._session.sampler.excluded():
            self._session.journal.end(self._record.number)

    def _keep(self, record: TrialRecord) -> None:
        self.trial.store_reports()
        self._trial.set_user_attr(ATTRIBUTE, record.attribute())
        self._set_constraints(record)

    def _set_constraints(self, record: TrialRecord) -> None:
        """Tell samplers by how much the trial is above or below each cap, however it ended."""
        if self._pruning is None:
            return
        measurement = record.measurement
        values: dict[str, float] = {}
        if measurement is not None:
            values |= {
                "co2e_kg": measurement.co2e_per_run_kg,
                "duration_s": measurement.duration_per_run_s,
            }
        n_params = self._progress.n_params if record.n_params is None else record.n_params
        if n_params is not None:
            values["n_params"] = n_params
        for key, excess in self._pruning.constraints(values).items():
            # The function's own stays, as Optuna would have it, without its warning.
            if key not in self._trial.constraints:
                self._trial.set_constraint(key, excess)

    def _tell(self, record: TrialRecord) -> None:
        with self._session.sampler.excluded():
            self._session.log.finish(record)

    def _start_attribute(self) -> dict[str, object]:
        return {
            "version": VERSION,
            "state": "running",
            "run_ids": dict(self._record.run_ids),
            "host": platform.node(),
            "pid": os.getpid(),
            "started_at": self._record.started_at,
        }

    def _close(self, window: Window) -> None:
        session = self._session
        try:
            measurement = session.sampler.close(window, session.terms.grid)
        except Exception:
            self._closed = True
            raise
        # After Ctrl-C it is closed once more: what has been used is not to be lost.
        self._closed = True
        self._record = replace(
            self._record,
            measurement=replace(measurement, runs=self._repeats.made),
            overhead=session.sampler.take_overhead(),
            started_at=window.started_at,
        )

    def _close_anyhow(self, window: Window) -> None:
        """Close the window after an exception, which stays the one to be seen."""
        try:
            self._close(window)
        except Exception as error:
            _logger.warning("Trial %d was not measured: %r", self._record.number, error)

    def _infer(self, model: object, options: InferenceOptions) -> None:
        """Measure the model's inference: after the trial's window, for it is no training."""
        session, record = self._session, self._record
        inference = TrialInference(
            options,
            session.terms.objectives,
            sampler=session.sampler,
            grid=session.terms.grid,
            warn=session.warn_once,
        )
        session.journal.watch_after(
            record.number, duration_s=self.measurement.duration_s, spent=inference.spent
        )
        try:
            inference.measure(model)
        finally:
            overhead = record.overhead + inference.spent() + session.sampler.take_overhead()
            self._record = replace(record, inference=inference.cost, overhead=overhead)

    def _forecast_from(self, measurement: Measurement | None) -> Forecast | None:
        """Forecast what the trial will cost, or would have; in the first run of its function."""
        if measurement is None or not self.trial.is_first_run:
            return None
        return self._forecast.make(self.trial.reports, measurement)

    def _spent(self, *, at_once: bool = False) -> tuple[float, float]:
        """Give the energy in kWh and the time in s since the trial began (see the sampler's)."""
        if self._window is None:
            return 0.0, 0.0
        return self._session.sampler.spent(self._window, at_once=at_once)

    def _current(self) -> TrialRecord:
        """Give the record with what the user's function has said so far."""
        attributes = self._trial.user_attrs
        measurement = self._record.measurement
        return replace(
            self._record,
            runs=() if measurement is None else self._repeats.records(measurement),
            params=self._trial.params,
            user_attrs={
                name: value
                for name, value in attributes.items()
                if name not in (ATTRIBUTE, REPORTS_ATTRIBUTE)
            },
            reports=self.trial.reports,
            live_flushes=self._flushes,
        )

    def _flush(self, window: Window) -> None:
        """Pass on what is known of the trial while it runs."""
        session = self._session
        try:
            so_far = session.sampler.so_far(window, session.terms.grid)
            current = replace(self._current(), forecast=self._forecast_from(so_far))
        except Exception:
            # No reading now, or the user's thread is adding a parameter: the next time.
            return
        self._flushes += 1
        session.log.progress(
            replace(
                current,
                measurement=replace(so_far, runs=self._repeats.made),
                started_at=window.started_at,
                live_flushes=self._flushes,
            )
        )
