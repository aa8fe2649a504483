"""When a tracker fails: the user is told once, and what it could not take is sent again."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from green_optuna.errors import OptionError
from green_optuna.tracking import spool
from green_optuna.urls import hide_secrets, shown_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms
    from green_optuna.tracking.tracker import Tracker

_logger = logging.getLogger("green_optuna")


class Trouble:
    """The trouble that one process has with the trackers of a study; it never costs a trial.

    Args:
        terms: The study's terms.
    """

    def __init__(self, terms: StudyTerms) -> None:
        self._terms = terms
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._refused: set[str] = set()

    @contextlib.contextmanager
    def tolerated(self, tracker: Tracker) -> Iterator[None]:
        """Let a tracker fail: whatever it raises, the trial goes on."""
        try:
            yield
        except Exception as error:
            self._tell_once(tracker, error)

    def keep(self, tracker: Tracker, trial: TrialRecord, error: Exception) -> None:
        """Keep on disk what a tracker could not take.

        Args:
            tracker: The tracker.
            trial: The record.
            error: What it raised.
        """
        self._tell_once(tracker, error)
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
        if not trackers:
            return
        by_name = {tracker.name: tracker for tracker in trackers}
        try:
            waiting = spool.Spool(spool.path(self._terms))
            if not waiting.path.exists():
                return
            done = spool.replay(
                waiting,
                lambda entry: by_name.get(entry.tracker),
                patience_s=patience_s,
                without=self._refused,
            )
        except Exception as error:
            # They are on disk still, and the next trial tries again.
            self._warn_once("", "Records that wait were not sent: %s", shown_text(repr(error)))
            return
        # What a tracker refuses is not offered to it after each trial; sync does, and says why.
        self._refused |= done.refused
        for name, n_records in done.sent.items():
            _logger.info("%r took %d records that it could not take before.", name, n_records)

    def _tell_once(self, tracker: Tracker, error: Exception) -> None:
        said = f"{tracker!r} failed and will not be mentioned again ({type(error).__name__})"
        self._warn_once(
            tracker.name,
            "%s: %s The work goes on. %s",
            shown_of(tracker, said),
            shown_of(tracker, _sentence(str(error))),
            self._where_kept(),
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


def _sentence(said: str) -> str:
    return said if said.endswith((".", "!", "?")) else f"{said}."
