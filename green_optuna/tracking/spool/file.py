"""The file that a spool is: one JSON object a line, a record that waits or one that was sent.

``spool/<study key>.jsonl`` in the user's state folder. A record's line holds whom it is for, what
that tracker is made again from, and the trial. A line ``{"sent": id}`` follows once it was taken;
when none waits any more, the file is removed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from green_optuna.folders import host_lock, state_folder, write_atomically
from green_optuna.tracking.spool.record import record_from_dict, record_to_dict, without_secrets
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms

_logger = logging.getLogger("green_optuna")

VERSION = 1
"""The version of the lines."""

SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that waits.

    Attributes:
        id: Tells it from any other of its file.
        tracker: The name of the tracker that could not take it.
        recipe: What that tracker is made again from, where it can be.
        kept: The record as JSON keeps it.
    """

    id: str
    tracker: str
    recipe: Mapping[str, Any] | None
    kept: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """What the record is of: "trial" or "measurement"."""
        return str(self.kept.get("kind", "trial"))

    @property
    def study_name(self) -> str:
        """The name of the record's study, or of the measurement that it is of."""
        return str(self.kept.get("study_name", ""))

    def record(self) -> TrialRecord:
        """Give the record.

        Raises:
            KeyError: What was kept is no whole record.
            TypeError: Likewise.
            ValueError: Likewise.
        """
        return record_from_dict(self.kept)


class Spool:
    """The records of one study, or of a process's measurements, that wait on this machine.

    Args:
        file_path: Its file, from :func:`path`; there is none while nothing waits.
    """

    def __init__(self, file_path: Path) -> None:
        self.path = file_path

    @classmethod
    def all(cls) -> list[Spool]:
        """Give all spools of this user on this machine.

        Raises:
            OptionError: The state folder cannot be used.
        """
        return [cls(found) for found in sorted(_folder().glob(f"*{SUFFIX}"))]

    def entries(self) -> list[Entry]:
        """Give the records that wait, the oldest first.

        Raises:
            OSError: The file cannot be read.
        """
        lines = [line for line in self._lines() if line.get("version") == VERSION]
        return [_entry(line) for line in lines]

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line; one that a kill had torn before it stays a line of its own.

        Raises:
            OSError: The file cannot be written to.
            TypeError: The user's attributes have keys that JSON cannot keep.
        """
        text = json.dumps(line, default=lambda value: shown_text(str(value))) + "\n"
        _make_private(self.path.parent)
        with self._locked(), self.path.open("ab+") as file:
            if file.tell() and not self._ends_a_line():
                text = "\n" + text
            file.write(text.encode())

    def mark_sent(self, entry: Entry) -> None:
        """Note that a record was taken: it waits no more.

        Raises:
            OSError: The file cannot be written to.
        """
        self.append({"sent": entry.id})

    def tidy(self) -> None:
        """Leave out what was sent; a file in which nothing waits is removed.

        Raises:
            OSError: The file cannot be read or written.
        """
        with self._locked():
            if not self.path.exists():
                return
            waiting = self._lines()
            if waiting:
                text = "".join(json.dumps(line) + "\n" for line in waiting)
                write_atomically(self.path, text)
            else:
                self.path.unlink()

    def _lines(self) -> list[dict[str, Any]]:
        """Read the lines of the records that wait; those of a newer version too."""
        read: list[dict[str, Any]] = []
        torn = 0
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        for line in text.split("\n"):
            try:
                found = json.loads(line) if line else {}
            except (ValueError, RecursionError):
                torn += 1
                continue
            if isinstance(found, dict) and found:
                read.append(found)
        if torn:
            _logger.warning(
                "%d lines of %s cannot be read: they were cut as they were written.",
                torn,
                self.path,
            )
        sent = {line["sent"] for line in read if "sent" in line}
        return [line for line in read if "trial" in line and _id(line) not in sent]

    def _ends_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"

    def _locked(self) -> contextlib.AbstractContextManager[object]:
        return host_lock(str(self.path))


def path(terms: StudyTerms) -> Path:
    """Give the file that keeps the records of a study, in the user's state folder.

    Raises:
        OptionError: The state folder cannot be used.
    """
    return _folder() / f"{terms.key}{SUFFIX}"


def keep(
    tracker_name: str,
    trial: TrialRecord,
    *,
    secrets: Iterable[str] = (),
    recipe: Mapping[str, Any] | None = None,
) -> None:
    """Append a trial's record, its whole trace included, to the spool of its study.

    The spool is for its user alone to read, and passwords of URLs in the record's texts are
    masked: an error may hold the address of a database.

    Args:
        tracker_name: Who could not take it.
        trial: The record.
        secrets: Further strings that must not be kept of an error, which another library may
            have worded. In the user's own values they may stand by chance.
        recipe: What the tracker is made again from, without its secrets; None where it cannot.

    Raises:
        OSError: The file cannot be written to.
        OptionError: The state folder cannot be used.
        TypeError: The user's attributes have keys that JSON cannot keep.
    """
    if trial.error is not None:
        trial = replace(trial, error=shown_text(trial.error, secrets))
    Spool(path(trial.terms)).append(
        {
            "version": VERSION,
            "id": uuid.uuid4().hex,
            "tracker": tracker_name,
            "recipe": recipe,
            "trial": without_secrets(record_to_dict(trial)),
        }
    )


def _folder() -> Path:
    return state_folder() / "spool"


def _id(line: Mapping[str, Any]) -> str:
    return str(line.get("id", ""))


def _entry(line: Mapping[str, Any]) -> Entry:
    return Entry(_id(line), str(line["tracker"]), line.get("recipe"), line["trial"])


def _make_private(folder: Path) -> None:
    """Make a folder that its owner alone can read, or make it so."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        # In a state folder that users share it may be another's: to keep the record goes first.
        with contextlib.suppress(PermissionError):
            folder.chmod(0o700)
