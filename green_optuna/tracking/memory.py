"""A tracker that keeps all it is told in lists: for tests, notebooks and small scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.tracking.traces import MAX_POINTS, MAX_TRACES, traced_trials
from green_optuna.tracking.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.energy import Trace
    from green_optuna.front import ParetoFront
    from green_optuna.record import TrialRecord


@dataclass(eq=False, kw_only=True)
class MemoryTracker(Tracker):
    """Keeps all it is told; safe with threads, and empty again in another process.

    Attributes:
        name: Its name in ``TrialRecord.run_ids``.
        flush_interval_s: How often it is told of a running trial, in s.
        started: The trials that started, as they were then.
        progress: What it was told of running trials.
        finished: The trials that ended.
        fronts: The fronts of their studies, latest last.
    """

    name: str = "memory"
    flush_interval_s: float = 30.0
    started: list[TrialRecord] = field(default_factory=list, repr=False)
    progress: list[TrialRecord] = field(default_factory=list, repr=False)
    finished: list[TrialRecord] = field(default_factory=list, repr=False)
    fronts: list[ParetoFront] = field(default_factory=list, repr=False)

    def __getstate__(self) -> dict[str, object]:
        """Pickle the options alone: what another process is told stays there."""
        return {**vars(self), "started": [], "progress": [], "finished": [], "fronts": []}

    def start_trial(self, trial: TrialRecord) -> str:
        """Keep the trial and name a run after its number."""
        self.started.append(trial)
        return f"{trial.terms.key}/{trial.number}"

    def log_progress(self, trial: TrialRecord) -> None:
        """Keep the trial as it is now."""
        self.progress.append(trial)

    def finish_trial(self, trial: TrialRecord) -> None:
        """Keep the trial as it ended."""
        self.finished.append(trial)

    def log_front(self, front: ParetoFront) -> None:
        """Keep the front."""
        self.fronts.append(front)

    def read_traces(
        self, front: ParetoFront, *, first: Sequence[int] = (), limit: int = MAX_TRACES
    ) -> dict[int, Trace]:
        """Give energy traces of a front's trials that have ended in this process.

        Raises:
            OptionError: A trial that is asked for is none that has ended.
        """
        known = {
            record.number: record.measurement.trace.thinned(MAX_POINTS)
            for record in self.finished
            if record.terms.key == front.candidates.study_key and record.measurement is not None
        }
        numbers = [trial.number for trial in traced_trials(front, first, limit)]
        return {number: known[number] for number in numbers if len(known.get(number, ()))}
