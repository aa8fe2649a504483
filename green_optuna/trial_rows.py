"""Completed trials as the rows of a table: objectives, quality, costs, hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from green_optuna.checkpoints import checkpoint_of
from green_optuna.errors import StudyError
from green_optuna.record import inference_of, measurement_of, trial_intervals
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from green_optuna.candidates import Candidates

# What tables of trials tell in columns of their own; and those of trials and references.
_RESERVED = frozenset(
    (
        *("trial", "step", "checkpoint", "label", "state", "on_front", "probability"),
        *("feasible", "basis", "host", "shared", "reason"),
    )
)
_RESERVED_BESIDE_REFERENCES = frozenset(("kind", "name", "status", "source", "notes"))

# What a trial costs and is worth, where it is no objective; the latter only where it is known.
_MEASURED = ("quality", "energy_kwh", "duration_s", "basis")
_INFERENCE = ("inference_kwh", "inference_s", "flops", "peak_memory_bytes")


def check_columns(candidates: Candidates, *, references: bool) -> None:
    """Hold that each objective can have a column of its own in tables of the trials.

    Args:
        candidates: The completed trials of a study.
        references: Whether results from elsewhere stand in the tables, too.

    Raises:
        StudyError: Two objectives have the same name, or one has that of another column.
    """
    names = candidates.objectives
    reserved = _RESERVED | (_RESERVED_BESIDE_REFERENCES if references else set())
    reserved |= {f"{name}_{end}" for name in names for end in ("low", "high")}
    faulty = sorted(
        name
        for name in {*names}
        if names.count(name) > 1 or name in reserved or name.startswith("param_")
    )
    if faulty:
        raise StudyError(
            f"The study {candidates.study_name!r} names its objectives {names!r}, and the tables "
            f"of its trials need {' and '.join(map(repr, faulty))} for another column: name them "
            "otherwise with study.set_metric_names(...)."
        )


def trial_rows(
    candidates: Candidates, rows: Iterable[int], *, on_front: Collection[int], hosts: bool
) -> tuple[list[str], list[dict[str, Any]]]:
    """Give the columns of a table of trials, and a record for each, which lacks what it has not.

    Args:
        candidates: The completed trials of a study, and their checkpoints.
        rows: Which of them, in order.
        on_front: Those that are on the front.
        hosts: Whether to say where each was measured.
    """
    objectives = candidates.objectives
    records = [_record(candidates, row, on_front=row in on_front) for row in rows]
    known = {name for record in records for name in record}
    measured = [*_MEASURED, *(["host"] if hosts else []), *(n for n in _INFERENCE if n in known)]
    ends = [f"{name}_{end}" for name in objectives for end in ("low", "high")]
    at_steps = ["step", "checkpoint"] if candidates.left_out is not None else []
    return [
        *("trial", *at_steps, "on_front", *objectives),
        *(name for name in measured if name not in objectives),
        *(name for name in ends if name in known),
        *sorted(name for name in known if name.startswith("param_")),
    ], records


def _record(candidates: Candidates, row: int, *, on_front: bool) -> dict[str, Any]:
    trial = candidates.trials[row]
    measurement, inference = measurement_of(trial), inference_of(trial)
    checkpoint = checkpoint_of(trial)
    record: dict[str, Any] = {
        "trial": trial.number,
        "on_front": on_front,
        "quality": trial.user_attrs.get(ATTRIBUTE, {}).get("quality"),
    }
    if checkpoint is not None:
        record |= {"step": checkpoint.step, "checkpoint": checkpoint.path}
    if measurement is not None:
        record["energy_kwh"] = measurement.energy_per_run_kwh
        record["duration_s"] = measurement.duration_per_run_s
        record["basis"] = measurement.basis
        record["host"] = measurement.host
        record["shared"] = measurement.shared
    if inference is not None:
        record |= inference.values
    record |= candidates.values(row)
    for name, interval in trial_intervals(trial, candidates.objectives).items():
        if interval is not None:
            record |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return record | {f"param_{name}": value for name, value in trial.params.items()}
