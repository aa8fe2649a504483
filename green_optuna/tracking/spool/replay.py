"""Records that waited are sent again: each once, by one process at a time."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.errors import TrackerError
from green_optuna.folders import host_lock
from green_optuna.saving.saved import discard
from green_optuna.tracking.spool.file import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from green_optuna.record import TrialRecord
    from green_optuna.tracking.spool.file import Entry
    from green_optuna.tracking.tracker import Tracker

# After so many records in a row that a tracker does not take, a trial waits for no more of them.
MAX_FAILURES = 3


@dataclass(slots=True)
class Replayed:
    """What came of sending records again.

    Attributes:
        sent: How many were taken, by the tracker's name.
        left: How many wait on, by the tracker's name.
        errors: Why, by the tracker's name: the first error of each.
        refused: The ids of the records that the tracker did not take though it was there.
        taken: The ids of those that were taken.
        away: The names of the trackers that are away: no record is at fault.
        late: Whether some wait on because patience was over.
    """

    sent: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    errors: dict[str, Exception] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    late: bool = False


def replay(
    spool: Spool,
    tracker_for: Callable[[Entry], Tracker | None],
    *,
    patience_s: float | None = None,
    wait: bool = False,
    without: Collection[str] = (),
) -> Replayed:
    """Send the records of a spool again, the oldest first.

    What is taken is noted at once: a process that is killed meanwhile sends at most one record
    a second time, and trackers take that for the first.

    Args:
        spool: The records that wait.
        tracker_for: Gives the tracker of a record, or None where it has to wait on. What it
            raises stands for the tracker's own trouble.
        patience_s: After so many s, the rest waits on; None for all of them now.
        wait: Whether to wait for another process that does the same now, rather than leave it
            to that one.
        without: Ids of records that are left alone.

    Raises:
        OSError: The spool cannot be read or written.
        OptionError: The state folder cannot be used.
    """
    from filelock import Timeout

    done = Replayed()
    try:
        with host_lock(f"replay of {spool.path}").acquire(blocking=wait):
            began_s = time.monotonic()
            failures: Counter[str] = Counter()
            entries = spool.entries()
            for entry in entries:
                if patience_s is not None and time.monotonic() - began_s > patience_s:
                    done.late = True
                tired = patience_s is not None and failures[entry.tracker] >= MAX_FAILURES
                if done.late or tired or entry.tracker in done.away or entry.id in without:
                    done.left[entry.tracker] += 1
                    continue
                _send(spool, entry, tracker_for, done, failures)
            if done.sent or not entries:
                spool.tidy()
    except Timeout:
        pass
    return done


def _send(
    spool: Spool,
    entry: Entry,
    tracker_for: Callable[[Entry], Tracker | None],
    done: Replayed,
    failures: Counter[str],
) -> None:
    """Send one record again, and note what came of it."""
    name = entry.tracker
    trial: TrialRecord | None = None
    try:
        tracker = tracker_for(entry)
        if tracker is not None:
            trial = entry.record()
            tracker.finish_trial(trial)
    except Exception as error:
        # Whatever it is, it is told to the user, and the record waits on.
        done.errors.setdefault(name, error)
        done.left[name] += 1
        if isinstance(error, TrackerError):
            done.away.add(name)
        else:
            failures[name] += 1
            done.refused.add(entry.id)
        return
    if tracker is None or trial is None:
        done.left[name] += 1
        return
    failures[name] = 0
    done.sent[name] += 1
    done.taken.add(entry.id)
    spool.mark_sent(entry)
    if trial.model is not None and not any(
        other.waits_with(trial.model.folder) for other in spool.entries()
    ):
        discard(trial.model)


def resend(trackers: Sequence[Tracker]) -> int:
    """Send to trackers of your own all records of this machine that wait for them.

    ``green-optuna sync`` does so for the library's trackers; yours it cannot make.

    Args:
        trackers: The trackers; records find theirs by its name.

    Returns:
        How many records were taken.

    Raises:
        Exception: What a tracker raised, once all that could be sent has been.
        OSError: The records cannot be read.
        OptionError: The state folder cannot be used.
    """
    by_name = {tracker.name: tracker for tracker in trackers}
    n_taken = 0
    trouble: Exception | None = None
    for waiting in Spool.all():
        done = replay(waiting, lambda entry: by_name.get(entry.tracker), wait=True)
        n_taken += done.sent.total()
        trouble = trouble or next(iter(done.errors.values()), None)
    if trouble is not None:
        raise trouble
    return n_taken
