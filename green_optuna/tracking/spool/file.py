"""The file that a spool is: one JSON object a line, a record that waits or one that was sent.

``spool/<study key>.jsonl`` in the user's state folder. A record's line begins with whom it is for;
then come what that tracker is made again from, and the trial. A line ``{"sent": id}`` follows once
it was taken; when none waits any more, the file is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from green_optuna.folders import host_lock, state_folder, write_atomically
from green_optuna.tracking.spool.record import record_from_dict, record_to_dict, without_secrets
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms

VERSION = 1
"""The version of the lines."""

SUFFIX = ".jsonl"


# How a line of a record begins, which is enough to tell whether it is wanted.
_HEAD = re.compile(rb'\{"version": (\d+), "id": "(\w+)", "tracker": ("(?:[^"\\]|\\.)*"), ')
_SENT = re.compile(rb'\{"sent": "(\w+)"\}')


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that waits.

    Attributes:
        id: Tells it from any other.
        tracker: The name of the tracker that could not take it.
        line: Its line, whole: most of it is the trace, and read only when it is wanted.
        version: The version of the line.
    """

    id: str
    tracker: str
    line: bytes = field(repr=False)
    version: int = VERSION

    def read(self) -> dict[str, Any]:
        """Read the line.

        Raises:
            ValueError: It was cut as it was written.
        """
        read: dict[str, Any] = json.loads(self.line)
        return read

    @property
    def recipe(self) -> Mapping[str, Any] | None:
        """What its tracker is made again from, where it can be."""
        recipe: Mapping[str, Any] | None = self.read().get("recipe")
        return recipe

    @property
    def subject(self) -> str:
        """What the record is of, as a person reads it: ``Study 'digits'``."""
        kept = self.read()["trial"]
        kind = "Study" if kept["kind"] == "trial" else "Measurement"
        return f"{kind} {kept['study_name']!r}"

    def waits_with(self, model_folder: Path | None) -> bool:
        """Tell whether the files of a model wait with it."""
        return model_folder is not None and json.dumps(str(model_folder)).encode() in self.line

    def record(self) -> TrialRecord:
        """Give the record.

        Raises:
            KeyError: What was kept is no whole record.
            TypeError: Likewise.
            ValueError: Likewise.
        """
        return record_from_dict(self.read()["trial"])


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

        What a newer version of the library keeps is not among them, nor what is no record.

        Raises:
            OSError: The file cannot be read.
        """
        with self._locked():
            waiting, _ = self._read()
        return [entry for entry in waiting if entry.version == VERSION]

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line; one that a kill had cut before it stays a line of its own.

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
        """Remove the file if nothing waits; leave out what was sent once it is most of it.

        Raises:
            OSError: The file cannot be read or written.
        """
        with self._locked():
            waiting, n_sent = self._read()
            if not waiting:
                self.path.unlink(missing_ok=True)
            elif n_sent > len(waiting):
                text = b"".join(entry.line + b"\n" for entry in waiting)
                write_atomically(self.path, text.decode(errors="replace"))

    def _read(self) -> tuple[list[Entry], int]:
        """Give the records that wait, of newer versions too, and how many were sent.

        A line that was cut as it was written is nobody's: its process was killed then.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return [], 0
        sent = {found[1].decode() for line in lines if (found := _SENT.fullmatch(line))}
        entries = [
            Entry(head[2].decode(), json.loads(head[3]), line, version=int(head[1]))
            for line in lines
            if (head := _HEAD.match(line)) and line.endswith(b"}")
        ]
        return [entry for entry in entries if entry.id not in sent], len(sent)

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
            # These three first: the line is known by them.
            "version": VERSION,
            "id": uuid.uuid4().hex,
            "tracker": tracker_name,
            "recipe": recipe,
            "trial": without_secrets(record_to_dict(trial)),
        }
    )


def _folder() -> Path:
    return state_folder() / "spool"


def _make_private(folder: Path) -> None:
    """Make a folder that its owner alone can read, or make it so."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        # In a state folder that users share it may be another's: to keep the record goes first.
        with contextlib.suppress(PermissionError):
            folder.chmod(0o700)
