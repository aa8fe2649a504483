"""What running trials have spent so far, on disk: a process that is killed loses no energy.

While trials of a study run in a process, each of their samples goes to a file of that process and
study, which :mod:`green_optuna.journal.file` describes; with the last trial's end it is removed.
:mod:`green_optuna.journal.folding` reads what was left behind.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import optuna

from green_optuna.energy import ComponentEnergy
from green_optuna.energy.fingerprint import hardware_fingerprint
from green_optuna.energy.stored import sources_to_dict
from green_optuna.journal.file import VERSION, JournalFile
from green_optuna.locks import ProcessLock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.energy import Sampler, Window

_logger = logging.getLogger("green_optuna")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A trial whose samples are kept.

    Attributes:
        window: Its window.
        runs: Gives how many runs of its function have begun.
        duration_s: How long it took, in s, once its window has closed; None while it is open.
        after: Gives what has been spent for it since, in kWh per component.
    """

    window: Window
    runs: Callable[[], int]
    duration_s: float | None = None
    after: Callable[[], ComponentEnergy] = ComponentEnergy


class Journal:
    """What the trials of one study that run in this process have spent so far.

    Safe with threads; a child that is forked leaves it alone. Trouble with the disk costs no
    trial: it is logged once, and nothing further is written.

    Args:
        study: The study. One in memory is gone with its process, and nothing is kept of it.
        study_key: Its key.
        sampler: Measures the trials; each timed sample is kept.
    """

    def __init__(self, study: optuna.Study, study_key: str, sampler: Sampler) -> None:
        self._study_key = study_key
        self._study_name = study.study_name
        self._sampler = sampler
        self._pid = os.getpid()
        self._lock = ProcessLock()
        self._file: JournalFile | None = None
        self._running: dict[int, _Watched | None] = {}
        self._given_up = isinstance(study._storage, optuna.storages.InMemoryStorage)
        if not self._given_up:
            _listen(self, sampler)

    def begin(self, number: int, *, started_at: float, run_ids: Mapping[str, str]) -> None:
        """Keep that a trial starts.

        Args:
            number: The trial's number.
            started_at: When, in s since the epoch.
            run_ids: The run that each tracker opened for it.
        """
        start = {
            "trial": number,
            "started_at": started_at,
            "run_ids": dict(run_ids),
            "sources": sources_to_dict(self._sampler.meter.sources),
            "fingerprint": hardware_fingerprint(),
        }
        with self._lock:
            if not self._is_kept():
                return
            self._running[number] = None
            self._tried(lambda: self._opened().append([start]))

    def watch(self, number: int, window: Window, *, runs: Callable[[], int]) -> None:
        """Keep, from now on, each sample of a trial that has started.

        Args:
            number: The trial's number.
            window: Its window.
            runs: Gives how many runs of its function have begun.
        """
        with self._lock:
            if number in self._running:
                self._running[number] = _Watched(window, runs)

    def watch_after(
        self, number: int, *, duration_s: float, spent: Callable[[], ComponentEnergy]
    ) -> None:
        """Keep, from now on, what is spent for a trial whose window has closed.

        Args:
            number: The trial's number.
            duration_s: How long the trial took, in s.
            spent: Gives what has been spent for it since, in kWh per component.
        """
        with self._lock:
            watched = self._running.get(number)
            if watched is not None:
                self._running[number] = replace(watched, duration_s=duration_s, after=spent)

    def sample(self) -> None:
        """Keep what the running trials have spent by now; for the sampler's thread."""
        if not self._running or not self._is_kept():
            return
        with self._sampler.excluded(), self._lock:
            self._tried(self._sample)

    def end(self, number: int) -> None:
        """Keep that a trial has ended; with the last one the file goes. Harmless if repeated."""
        if self._pid != os.getpid():
            return
        with self._lock:
            file = self._file
            if self._running.pop(number, self) is self or file is None:
                return
            if not self._running:
                self._file = None
                self._tried(file.remove)
            elif not self._given_up:
                self._tried(lambda: file.append([{"trial": number, "ended": True}]))

    def _is_kept(self) -> bool:
        return not self._given_up and self._pid == os.getpid()

    def _sample(self) -> None:
        lines = []
        for number, watched in self._running.items():
            if watched is None:
                continue
            window = watched.window
            energy, t_s = self._sampler.latest(window)
            if watched.duration_s is not None:
                t_s = watched.duration_s
            if t_s > 0:
                lines.append(
                    {
                        "trial": number,
                        "at": window.started_at + t_s,
                        "t_s": t_s,
                        "energy_kwh": energy.to_dict(),
                        "after_kwh": watched.after().to_dict(),
                        "shared": window.shared,
                        "runs": watched.runs(),
                    }
                )
        if lines and self._file is not None:
            self._file.append(lines)

    def _opened(self) -> JournalFile:
        if self._file is None:
            header = {
                "version": VERSION,
                "host": platform.node(),
                "pid": self._pid,
                "study": self._study_name,
                "sample_interval_s": self._sampler.meter.sample_interval_s,
            }
            self._file = JournalFile(self._study_key, header)
        return self._file

    def _tried(self, step: Callable[[], None]) -> None:
        """Do something with the file; whatever happens, the trial goes on."""
        try:
            step()
        except Exception as error:
            self._given_up = True
            mine = (self._pid, self._study_key)
            if mine not in _warned:
                _warned.add(mine)
                _logger.warning(
                    "What running trials spend cannot be kept on disk (%s): the trials go on, "
                    "and the energy of one whose process is killed will be lost.",
                    error,
                )


# A sampler knows no journals, and would keep for ever what it calls: one listener each passes
# its samples on to the journals that there are.
_listeners: weakref.WeakKeyDictionary[Sampler, weakref.WeakSet[Journal]]
_listeners = weakref.WeakKeyDictionary()
_listeners_lock = ProcessLock()

# Of which studies' journals a process has said that they cannot be kept.
_warned: set[tuple[int, str]] = set()


def _listen(journal: Journal, sampler: Sampler) -> None:
    with _listeners_lock:
        journals = _listeners.get(sampler)
        if journals is None:
            journals = _listeners[sampler] = weakref.WeakSet()
            sampler.after_each_sample(functools.partial(_pass_on, journals))
        journals.add(journal)


def _pass_on(journals: weakref.WeakSet[Journal]) -> None:
    with _listeners_lock:
        listening = list(journals)
    for journal in listening:
        journal.sample()
