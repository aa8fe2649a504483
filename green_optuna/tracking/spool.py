"""Records that a tracker could not take, kept on disk: one JSON object a line."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from green_optuna.folders import host_lock, state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms


def path(terms: StudyTerms) -> Path:
    """Give the file that keeps the records of a study, in the user's state folder.

    Raises:
        OptionError: The state folder cannot be used.
    """
    return state_folder() / "spool" / f"{terms.key}.jsonl"


def keep(tracker_name: str, trial: TrialRecord) -> None:
    """Append a trial's record, its whole trace included, to the spool of its study.

    Raises:
        OSError: The file cannot be written to.
        OptionError: The state folder cannot be used.
        TypeError: The user's attributes have keys that JSON cannot keep.
    """
    file_path = path(trial.terms)
    file_path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"tracker": tracker_name, "trial": record_to_dict(trial)}, default=str)
    with host_lock(str(file_path)), file_path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def record_to_dict(trial: TrialRecord) -> dict[str, Any]:
    """Give all of a record as JSON keeps it: what Optuna's storage keeps, and the trace."""
    kept: dict[str, Any] = {
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
