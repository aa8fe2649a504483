"""When a tracker fails: the user is told once, and what it could not take is sent again."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from green_optuna.errors import OptionError
from green_optuna.tracking import spool
from green_optuna.urls import hide_secrets, shown_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms
    from green_optuna.tracking.tracker import Tracker

_logger = logging.getLogger("green_optuna")


# How often a process looks whether others have left records for a tracker that is there.
LOOK_EVERY_S = 30.0


class Trouble:
    """The trouble that one process has with the trackers of a study; it never costs a trial.

    Args:
        terms: The study's terms.
    """

    def __init__(self, terms: StudyTerms) -> None:
        self._terms = terms
        self._lock = threading.Lock()
        self._told: set[str] = set()
        # What a tracker refuses is not offered to it after each trial (sync does, and says why),
        # nor what it has taken, though the disk was too full to note it.
        self._settled: set[str] = set()
        self._look_at_s: dict[str, float] = {}

    @contextlib.contextmanager
    def tolerated(self, tracker: Tracker, *, of_trials: bool = True) -> Iterator[None]:
        """Let a tracker fail: whatever it raises, the trial goes on.

        Args:
            tracker: The tracker.
            of_trials: Whether it is told of a trial, whose record is kept in the end, rather than
                of the study, whose front comes again.
        """
        try:
            yield
        except Exception as error:
            self._tell_once(tracker, error, of_trials=of_trials)

    def keep(self, tracker: Tracker, trial: TrialRecord, error: Exception) -> None:
        """Keep on disk what a tracker could not take.

        Args:
            tracker: The tracker.
            trial: The record.
            error: What it raised.
        """
        self._tell_once(tracker, error, of_trials=True)
        self._look_at_s[tracker.name] = 0.0
        try:
            spool.keep(tracker.name, trial, secrets=_secrets(tracker), recipe=_recipe(tracker))
        except Exception as lost:
            # Whatever it is: the user's attributes may hold what JSON does not.
            _logger.warning(
                "The record of trial %d for the tracker %r could not be kept on disk: %s",
                trial.number,
                tracker.name,
                shown_text(repr(lost)),
            )

    def send_again(self, trackers: Sequence[Tracker], *, patience_s: float) -> None:
        """Send the study's records that wait to these trackers, as long as patience lasts."""
        now_s = time.monotonic()
        by_name = {one.name: one for one in trackers if self._look_at_s.get(one.name, 0.0) <= now_s}
        if not by_name:
            return
        try:
            waiting = spool.Spool(spool.path(self._terms))
            done = spool.Replayed()
            if waiting.path.exists():
                done = spool.replay(
                    waiting, _Chosen(by_name), patience_s=patience_s, without=self._settled
                )
        except Exception as error:
            # They are on disk still, and a later trial tries again.
            self._warn_once("", "Records that wait were not sent: %s", shown_text(repr(error)))
            done = spool.Replayed()
        self._settled |= done.refused | done.taken
        # Other processes may leave some, too; to look takes time where there are many.
        later_s = 0.0 if done.late else now_s + LOOK_EVERY_S
        self._look_at_s.update(dict.fromkeys(by_name, later_s))
        for name, n_records in done.sent.items():
            _logger.info("%r took %d records that it could not take before.", name, n_records)

    def _tell_once(self, tracker: Tracker, error: Exception, *, of_trials: bool) -> None:
        if not of_trials and tracker.name in self._told:
            return
        kind = type(error).__name__
        said = f"{_named(tracker)} failed and will not be mentioned again ({kind})"
        self._warn_once(
            tracker.name if of_trials else f"study in {tracker.name}",
            "%s: %s The work goes on%s",
            shown_of(tracker, said),
            shown_of(tracker, sentence(str(error))),
            f". {self._where_kept()}" if of_trials else ", and the trials are told of as ever.",
        )

    def _warn_once(self, subject: str, message: str, *said: str) -> None:
        """Log rather than warn: where warnings are errors, this would cost the trial."""
        with self._lock:
            if subject in self._told:
                return
            self._told.add(subject)
        _logger.warning(message, *said)

    def _where_kept(self) -> str:
        try:
            path = spool.path(self._terms)
        except (OSError, OptionError) as error:
            return f"The records that it does not take cannot be kept: {error}"
        return (
            f"The records that it does not take are kept in {path}, and sent after the next trial "
            "that it takes, or by `green-optuna sync`."
        )


class _Chosen:
    """Gives the tracker of a record: of its name, and of its place where that is known."""

    def __init__(self, by_name: Mapping[str, Tracker]) -> None:
        self._by_name = by_name
        self._recipes = {name: _recipe(tracker) for name, tracker in by_name.items()}

    def __call__(self, entry: spool.Entry) -> Tracker | None:
        tracker = self._by_name.get(entry.tracker)
        ours = self._recipes.get(entry.tracker)
        if tracker is None or ours is None:
            return tracker
        theirs = entry.recipe
        # Another worker may log to another store under the same name.
        return tracker if theirs is None or theirs == ours else None


def without_secrets_of(tracker: Tracker, text: str) -> str:
    """Give a text, such as a link, without the tracker's secrets, and else as it is."""
    return hide_secrets(text, _secrets(tracker))


def shown_of(tracker: Tracker, said: str) -> str:
    """Give a text without the tracker's secrets."""
    return shown_text(said, _secrets(tracker))


def _secrets(tracker: Tracker) -> tuple[str, ...]:
    """Give what must not be shown of a tracker, where it says so."""
    return tuple(getattr(tracker, "secrets", ()))


def _recipe(tracker: Tracker) -> dict[str, Any] | None:
    try:
        return spool.recipe_of(tracker)
    except Exception as error:
        # A broken MLflow, say. The record is kept all the same, for the study's next trial.
        said = shown_of(tracker, repr(error))
        _logger.info("What the tracker %r is made from cannot be told: %s", tracker.name, said)
        return None


def _named(tracker: Tracker) -> str:
    try:
        return repr(tracker)
    except Exception:
        # The user's own __repr__ may fail as well.
        return f"<{type(tracker).__name__}>"


def sentence(said: str) -> str:
    """End what another library says as a sentence."""
    return said if said.endswith((".", "!", "?")) else f"{said}."
