"""What a study has spent so far, as budgets look at it: read once a trial."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from green_optuna.candidates import entry_of
from green_optuna.ledger import Ledger
from green_optuna.locks import ProcessLock
from green_optuna.pooling import repeated_number
from green_optuna.record import KILLED_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import optuna
    from optuna.trial import FrozenTrial

    from green_optuna.carbon import Grid
    from green_optuna.ledger import Entry

_BEGUN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTrial:
    """A trial that has ended, whoever ran it.

    Attributes:
        entry: What it adds to the study's ledger.
        ended_at: When it ended, in s since the epoch by the clock of its host; infinity while
            Optuna takes it for running.
        losses: Its objectives, where it completed and meets its constraints.
        is_repeat: Whether it repeats another trial, and is no part of the search.
    """

    entry: Entry
    ended_at: float
    losses: tuple[float, ...] | None
    is_repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a study has spent at one moment, as far as one worker knows.

    Attributes:
        study_name: The study's name.
        grid: What turns its energy into CO2e.
        ledger: What the trials that have ended cost, and what lay between them: that of
            :func:`~green_optuna.front.pareto_front`.
        in_flight_kwh: What each of this process's own running trials has used so far, in kWh.
            What runs in other processes is not known before it ends.
        trials: Those that have ended, in the order of their ends, then of their numbers.
    """

    study_name: str
    grid: Grid
    ledger: Ledger
    in_flight_kwh: tuple[float, ...] = ()
    trials: tuple[EndedTrial, ...] = ()

    @property
    def energy_kwh(self) -> float:
        """All of it in kWh: trials that have ended, overhead, and this process's running ones."""
        return self.ledger.energy_kwh + math.fsum(self.in_flight_kwh)

    @property
    def co2e_kg(self) -> float:
        """The same in kg of CO2e."""
        return self.ledger.co2e_kg + self.grid.co2e_kg(math.fsum(self.in_flight_kwh))

    @property
    def completed_kwh(self) -> tuple[float, ...]:
        """What each completed trial used in all, in kWh, where it was measured."""
        return tuple(
            trial.entry.energy_kwh
            for trial in self.trials
            if trial.entry.end == "complete" and trial.entry.energy_kwh is not None
        )


class SpendingReader:
    """Keeps up with what one study spends, for one process.

    Reading costs a query or two of the storage and the new trials, not all of them; safe with
    threads.

    Args:
        grid: The study's.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._lock = ProcessLock()
        self._ended: dict[int, EndedTrial] = {}
        # Failed without a measurement: what a killed one had spent may yet be found.
        self._unmeasured: dict[int, FrozenTrial] = {}
        self._known: set[int] = set()
        self._in_flight: dict[int, Callable[[], float]] = {}

    def read(self, study: optuna.Study) -> Spending:
        """Give what the study has spent by now."""
        with self._lock:
            return self._read(study)

    @contextlib.contextmanager
    def entered(
        self,
        study: optuna.Study,
        number: int,
        used_kwh: Callable[[], float],
        admit: Callable[[Spending], None],
    ) -> Iterator[None]:
        """Let a trial in, which counts as one in flight meanwhile.

        Args:
            study: The study.
            number: The trial's number.
            used_kwh: Gives what it has used so far, in kWh.
            admit: Is asked first, with one trial at a time; raises where there is no room.
        """
        with self._lock:
            admit(self._read(study))
            self._in_flight[number] = used_kwh
        try:
            yield
        finally:
            with self._lock:
                del self._in_flight[number]

    def _read(self, study: optuna.Study) -> Spending:
        found = study._storage.get_all_trials(study._study_id, deepcopy=False, states=_BEGUN)
        half_ended: dict[int, EndedTrial] = {}
        for trial in found:
            if trial.number in self._known:
                continue
            ended = _ended(trial, entry_of(trial))
            if not trial.state.is_finished():
                # Kept, and not yet told: what it ends as may still change.
                if ended is not None:
                    half_ended[trial.number] = ended
                continue
            self._known.add(trial.number)
            if ended is not None:
                self._ended[trial.number] = ended
                if ended.entry.energy_kwh is None and trial.state == TrialState.FAIL:
                    self._unmeasured[trial.number] = trial
        if self._unmeasured:
            self._look_for_killed(study)
        ended_now = self._ended | half_ended
        return Spending(
            study_name=study.study_name,
            grid=self._grid,
            ledger=Ledger.of((trial.entry for trial in ended_now.values()), self._grid),
            in_flight_kwh=tuple(
                used_kwh()
                for number, used_kwh in self._in_flight.items()
                if number not in ended_now
            ),
            trials=tuple(
                sorted(ended_now.values(), key=lambda one: (one.ended_at, one.entry.number))
            ),
        )

    def _look_for_killed(self, study: optuna.Study) -> None:
        """Count what was folded into the study of trials that take no attribute any more."""
        attributes = study._storage.get_study_user_attrs(study._study_id)
        for number, trial in list(self._unmeasured.items()):
            killed = attributes.get(f"{KILLED_ATTRIBUTE}{number}")
            ended = None if killed is None else _ended(trial, entry_of(trial, killed))
            if ended is not None:
                self._ended[number] = ended
                del self._unmeasured[number]


def _ended(trial: FrozenTrial, entry: Entry | None) -> EndedTrial | None:
    if entry is None:
        return None
    losses = None
    if trial.state == TrialState.COMPLETE and all(v <= 0 for v in trial.constraints.values()):
        losses = tuple(float(value) for value in trial.values)
    at = trial.datetime_complete
    return EndedTrial(
        entry=entry,
        ended_at=math.inf if at is None else at.timestamp(),
        losses=losses,
        is_repeat=repeated_number(trial) is not None,
    )
