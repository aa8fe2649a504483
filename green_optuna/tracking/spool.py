"""Records that a tracker could not take, kept on disk: one JSON object a line."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from green_optuna.folders import host_lock, state_folder
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms


def path(terms: StudyTerms) -> Path:
    """Give the file that keeps the records of a study, in the user's state folder.

    Raises:
        OptionError: The state folder cannot be used.
    """
    return state_folder() / "spool" / f"{terms.key}.jsonl"


def keep(tracker_name: str, trial: TrialRecord, *, secrets: Iterable[str] = ()) -> None:
    """Append a trial's record, its whole trace included, to the spool of its study.

    The spool is for its user alone to read, and passwords of URLs in the record's texts are
    masked: an error may hold the address of a database.

    Args:
        tracker_name: Who could not take it.
        trial: The record.
        secrets: Further strings that must not be kept of an error, which another library may
            have worded. In the user's own values they may stand by chance.

    Raises:
        OSError: The file cannot be written to.
        OptionError: The state folder cannot be used.
        TypeError: The user's attributes have keys that JSON cannot keep.
    """
    file_path = path(trial.terms)
    _make_private(file_path.parent)
    if trial.error is not None:
        trial = replace(trial, error=shown_text(trial.error, secrets))
    kept = {"tracker": tracker_name, "trial": _without_secrets(record_to_dict(trial))}
    line = json.dumps(kept, default=lambda value: shown_text(str(value)))
    with host_lock(str(file_path)), file_path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def record_to_dict(trial: TrialRecord) -> dict[str, Any]:
    """Give all of a record as JSON keeps it: what Optuna's storage keeps, and the trace."""
    kept: dict[str, Any] = {
        "kind": trial.kind,
        "study_name": trial.study_name,
        "terms": trial.terms.to_dict(),
        "number": trial.number,
        "started_at": trial.started_at,
        "params": dict(trial.params),
        "user_attrs": dict(trial.user_attrs),
        "objectives": dict(trial.objectives),
        "reports": [
            [
                report.step,
                None if math.isnan(report.quality) else report.quality,
                report.energy_kwh,
                report.t_s,
            ]
            for report in trial.reports
        ],
        "error": trial.error,
        "live_flushes": trial.live_flushes,
        **trial.attribute(),
    }
    if trial.measurement is not None:
        kept["trace"] = [list(row) for row in trial.measurement.trace.rows()]
    return kept


def _make_private(folder: Path) -> None:
    """Make a folder that its owner alone can read, or make it so."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        # In a state folder that users share it may be another's: to keep the record goes first.
        with contextlib.suppress(PermissionError):
            folder.chmod(0o700)


def _without_secrets(value: object) -> object:
    """Mask the passwords of URLs in all texts of a record, however deep they are."""
    if isinstance(value, str):
        return shown_text(value)
    if isinstance(value, dict):
        return {key: _without_secrets(within) for key, within in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(within) for within in value]
    return value
