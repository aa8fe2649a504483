"""One measurement without a study on its way: opened in the trackers, measured, told of."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
import platform
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from green_optuna.carbon import Grid
from green_optuna.energy import Measurement, Meter, MeterOptions, sampler_for
from green_optuna.errors import MeterError
from green_optuna.quality import QualityBounds
from green_optuna.record import TrialRecord, in_one_line
from green_optuna.terms import StudyTerms
from green_optuna.tracking import StudyLog
from green_optuna.tracking.live import called_every

if TYPE_CHECKING:
    from collections.abc import Iterator

    from green_optuna.energy import Window
    from green_optuna.tracking import Tracker

_logger = logging.getLogger("green_optuna")

# Measurements of one name are numbered in a process, whoever asks for them: by process and
# name, the key that the trackers are given for them, and what counts them.
_series: dict[tuple[int, str], tuple[str, Iterator[int]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """What :func:`~green_optuna.measure.measure` was asked for.

    Attributes:
        grid: Where the electricity comes from; None for what the environment says when a
            measurement begins.
        meter: How energy is measured.
        trackers: Who is told.
        name: What it is called in the trackers; None for "measurement".
    """

    grid: Grid | None = None
    meter: MeterOptions | Meter = field(default_factory=MeterOptions)
    trackers: tuple[Tracker, ...] = ()
    name: str | None = None


class MeasuredRun:
    """One measurement, while it runs and when it has ended.

    Made by :func:`~green_optuna.measure.measure`, which begins and ends it.

    Attributes:
        name: What it is called in the trackers.

    Args:
        options: How to measure.
        logs: What passes on to the trackers in each process, made by its first measurement.

    Raises:
        GridError: Nobody said where the electricity comes from.
        MeterError: This host cannot be measured.
        OptionError: Two trackers have one name.
    """

    def __init__(self, options: MeasureOptions, logs: dict[int, StudyLog]) -> None:
        grid = options.grid or Grid.from_environment()
        self.name = options.name or "measurement"
        self._grid = grid
        self._sampler = sampler_for(options.meter)
        # Before the window, for the meter knows its sources only then.
        self._sampler.start()
        pid = os.getpid()
        key, numbers = _series.setdefault((pid, self.name), (uuid.uuid4().hex, itertools.count()))
        terms = StudyTerms(
            key=key,
            objectives=("co2e_kg",),
            quality_bounds=QualityBounds(),
            grid=grid,
            host=platform.node(),
            sources={name: source.name for name, source in self._sampler.meter.sources.items()},
        )
        self._log = logs.setdefault(pid, StudyLog(None, terms, options.trackers))
        self._record = TrialRecord(
            kind="measurement",
            study_name=self.name,
            terms=terms,
            number=next(numbers),
            started_at=time.time(),
        )
        self._window: Window | None = None
        self._ended = False
        self._trouble: Exception | None = None
        self._flushes = 0

    def __repr__(self) -> str:
        """Name it."""
        return f"<measured run {self._record.number} of {self.name!r}>"

    @property
    def ended(self) -> bool:
        """Whether it has ended, with a result or without."""
        return self._ended

    @property
    def result(self) -> Measurement:
        """What it cost.

        Raises:
            MeterError: It has not ended, or the meter gave no reading at its end or saw no
                energy at all.
        """
        measurement, fault = self._record.measurement, self._fault()
        if fault is not None or measurement is None:
            raise fault or MeterError(f"{self!r} has not ended: up to now, it has its so_far.")
        return measurement

    @property
    def so_far(self) -> Measurement:
        """What it has cost up to now; the same as its result once it has ended.

        Raises:
            MeterError: The meter gave no reading.
        """
        window = self._window
        if self._ended or window is None:
            return self.result
        return self._sampler.so_far(window, self._grid)

    @contextlib.contextmanager
    def measuring(self) -> Iterator[Self]:
        """Measure a block; whatever it raises comes out as it is."""
        try:
            # The network first: it is not what is measured.
            with self._sampler.excluded():
                run_ids = self._log.start(self._record)
            self._record = replace(self._record, run_ids=run_ids)
            with self._log.activated(self._record):
                window = self._window = self._sampler.open()
                flush = functools.partial(self._flush, window)
                with called_every(self._log.flush_interval_s, flush):
                    try:
                        yield self
                    finally:
                        self._close(window)
        except BaseException as error:
            self._tell(error)
            raise
        self._tell(None)

    def _close(self, window: Window) -> None:
        try:
            measurement = self._sampler.close(window, self._grid)
        except Exception as error:
            # What the block has done or raised is not to be lost for it: the result says so.
            self._trouble = error
        else:
            self._record = replace(
                self._record, measurement=measurement, started_at=window.started_at
            )
        self._ended = True

    def _fault(self) -> MeterError | None:
        """Give why there is no result, though it has ended."""
        if self._trouble is not None:
            fault = MeterError(f"{self!r} could not be measured: {in_one_line(self._trouble)}")
            fault.__cause__ = self._trouble
            return fault
        measurement = self._record.measurement
        if measurement is None or measurement.energy_kwh > 0:
            return None
        return MeterError(
            f"The meter saw no energy in the {measurement.duration_s:.3g} s of {self!r}: its "
            "counter stands still, and no work is free."
        )

    def _tell(self, error: BaseException | None) -> None:
        """Tell the trackers how it ended, and the user what the result will say."""
        # A script that is done may say so with sys.exit().
        raised = None if isinstance(error, SystemExit) and not error.code else error
        fault = self._fault()
        if fault is not None:
            _logger.warning("%s", fault)
        reason = raised or fault
        record = replace(
            self._record,
            state="complete" if reason is None else "failed",
            error=None if reason is None else in_one_line(reason),
            live_flushes=self._flushes,
        )
        with self._sampler.excluded():
            self._log.finish(record)

    def _flush(self, window: Window) -> None:
        """Pass on what there is while it runs."""
        try:
            so_far = self._sampler.so_far(window, self._grid)
        except Exception:
            # No reading now: the next time.
            return
        self._flushes += 1
        self._log.progress(
            replace(
                self._record,
                measurement=so_far,
                started_at=window.started_at,
                live_flushes=self._flushes,
            )
        )
