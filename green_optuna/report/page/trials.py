"""All trials of a study as columns: candidates first, then whatever else has ended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from green_optuna.checkpoints import checkpoint_of, label_of
from green_optuna.record import measurement_of
from green_optuna.terms import ATTRIBUTE
from green_optuna.trial_rows import trial_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.ledger import Entry
    from green_optuna.report.subject import Subject

PARAM = "param_"

# What is told of a row by columns that every study has; all others are told where they are known.
_FIRST = ("label", "trial", "step", "state", "on_front", "probability", "feasible")


def all_trials(subject: Subject) -> dict[str, Any]:
    """Give every trial that has ended, as a table.

    Its first rows are the candidates, in their order, so that a row of theirs is one of the
    table's too. Trials that repeat others, and those that were pruned, failed or killed, follow.

    Returns:
        ``n_candidates``; ``names``, the columns in order; and ``columns``, the values by the
        column's name, None where a trial has none.
    """
    candidates = subject.candidates
    columns, records = trial_rows(
        candidates, range(len(candidates.trials)), on_front=set(subject.rows), hosts=True
    )
    known = subject.uncertainty.probabilities
    for row, (record, trial) in enumerate(zip(records, candidates.trials, strict=True)):
        record |= {
            "label": label_of(trial),
            "state": "complete" if checkpoint_of(trial) is None else "checkpoint",
            "feasible": bool(candidates.feasible[row]),
            "probability": None if known is None else float(known[row]),
        }
    listed = {trial.number for trial in candidates.trials if checkpoint_of(trial) is None}
    repeated = {one.number: number for number, group in candidates.repeats.items() for one in group}
    others = [
        _ended_record(subject, entry, trial, repeats=repeated.get(trial.number))
        for entry, trial in candidates.ended
        if trial.number not in listed
    ]
    extra = sorted({name for one in others for name in one if name.startswith(PARAM)} - {*columns})
    # Before the hyperparameters, as all that was measured is.
    place = next((n for n, one in enumerate(columns) if one.startswith(PARAM)), len(columns))
    columns = [*columns[:place], "shared", *columns[place:]]
    names = [*dict.fromkeys((*_FIRST, *columns, *extra, "reason"))]
    records += others
    records = [{name: plain_cell(name, one) for name, one in record.items()} for record in records]
    told = [name for name in names if _tells(name, records)]
    return {
        "n_candidates": len(candidates.trials),
        "names": told,
        "columns": {name: [record.get(name) for record in records] for name in told},
    }


def plain_cell(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a hyperparameter may be
    """Give a value of a column as JSON can hold it, told from one that is not there.

    A hyperparameter's None, infinities and NaN become their names, and a whole number that
    JavaScript would round, such as a seed, its digits.
    """
    no_number = isinstance(value, float) and not math.isfinite(value)
    if name.startswith(PARAM) and (value is None or no_number):
        return str(value)
    if type(value) is not int or abs(value) <= 2**53:
        return value
    return value if value.bit_length() < 1024 and int(float(value)) == value else str(value)


def _tells(name: str, records: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether a column is worth its place: what is always there, or known of some row."""
    if name == "feasible":
        return any(record.get(name) is False for record in records)
    if name == "shared":
        return any(record.get(name) for record in records)
    always = name in ("label", "trial", "state", "on_front")
    return always or any(record.get(name) is not None for record in records)


def _ended_record(
    subject: Subject, entry: Entry, trial: FrozenTrial, *, repeats: int | None
) -> dict[str, Any]:
    """Give the row of a trial that is no candidate: it repeats one, or did not complete."""
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    record: dict[str, Any] = {
        "label": str(trial.number),
        "trial": trial.number,
        "state": entry.end if repeats is None else "repeat",
        "on_front": False,
    }
    measurement, grid = measurement_of(trial), subject.candidates.grid
    if entry.energy_kwh is not None:
        runs = 1 if measurement is None else measurement.runs
        record["energy_kwh"] = entry.energy_kwh / runs
        if grid is not None:
            record["co2e_kg"] = grid.co2e_kg(entry.energy_kwh) / runs
    if measurement is not None:
        record["duration_s"] = measurement.duration_per_run_s
        record["basis"] = measurement.basis
        record["host"] = measurement.host
        record["shared"] = measurement.shared
    record |= {name: kept[name] for name in ("quality", "n_params") if name in kept}
    if repeats is not None:
        record["reason"] = f"its runs count for trial {repeats}"
    elif "stopped" in kept:
        record["reason"] = kept["stopped"]
    return record | {f"{PARAM}{name}": value for name, value in trial.params.items()}
