"""A study as plain data for the page: one record a row, in columns, with what the figures need."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from green_optuna import pareto
from green_optuna.checkpoints import checkpoint_of, label_of
from green_optuna.figures import is_logarithmic
from green_optuna.plain import finite_or_none
from green_optuna.record import REPORTS_ATTRIBUTE, measurement_of, reports_from_rows
from green_optuna.terms import ATTRIBUTE
from green_optuna.trial_rows import trial_rows
from green_optuna.units import quantity_heading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.energy import Trace
    from green_optuna.ledger import Entry
    from green_optuna.report.hypervolume import HypervolumeCurve
    from green_optuna.report.subject import Subject

# Beyond so many, dominated trials are drawn in part: a browser keeps each as a shape of its own.
MOST_DRAWN = 2_000

# How probable a trial that is not on the front has to be there to be marked.
MAY_BE_FROM = 0.05

# So many curves, and so many traces, can be told from one another.
MOST_CURVES = 8

# What is told of a trial by columns of their own; all others are hyperparameters.
_OWN_COLUMNS = ("trial", "step", "state", "on_front", "probability")

PARAM = "param_"


def content_of(subject: Subject, curve: HypervolumeCurve) -> dict[str, Any]:
    """Give all that the page's figures and its table show, ready for JSON.

    What JSON does not know, infinities and values of other kinds, is left in: see
    :func:`green_optuna.plain.finite_or_none`.

    Args:
        subject: What the report is about.
        curve: How its front grew with what the search spent.
    """
    table = _table(subject)
    losses = subject.candidates.losses
    return {
        "study": subject.candidates.study_name,
        "objectives": list(subject.objectives),
        "labels": {name: quantity_heading(name) for name in subject.objectives},
        "logarithmic": {
            name: is_logarithmic(losses[np.isfinite(losses[:, column]), column].tolist())
            for column, name in enumerate(subject.objectives)
        },
        "table": table,
        "drawn": _drawn(subject),
        "chosen": _chosen_row(subject),
        "staircases": _staircases(subject),
        "references": [
            {"name": one.name, "basis": one.basis, "values": _finite(one.losses)}
            for one in subject.references
        ],
        "curves": _curves(subject),
        "traces": _traces(subject),
        "hypervolume": _hypervolume(curve),
        **_params(subject),
    }


def _hypervolume(curve: HypervolumeCurve) -> dict[str, list[float]] | None:
    """Give the curve's points, from where nothing was spent on; None where it has none."""
    if not curve.points:
        return None
    return {
        "co2e_kg": [0.0, *(point.spent_co2e_kg for point in curve.points)],
        "share": [0.0, *(point.share for point in curve.points)],
    }


def _params(subject: Subject) -> dict[str, list[str]]:
    """Name the hyperparameters of the candidates, and those whose range is logarithmic."""
    ranges = {
        name: distribution
        for trial in subject.candidates.trials
        for name, distribution in trial.distributions.items()
    }
    logarithmic = [name for name, one in ranges.items() if getattr(one, "log", False)]
    return {"params": sorted(ranges), "log_params": logarithmic}


def _table(subject: Subject) -> dict[str, Any]:
    """Give the rows of the table: candidates, in their order, then what else has ended."""
    candidates = subject.candidates
    members = set(subject.rows)
    columns, records = trial_rows(
        candidates, range(len(candidates.trials)), on_front=members, hosts=True
    )
    known = subject.uncertainty.probabilities
    for row, (record, trial) in enumerate(zip(records, candidates.trials, strict=True)):
        record |= {
            "label": label_of(trial),
            "state": "complete" if checkpoint_of(trial) is None else "checkpoint",
            "feasible": bool(candidates.feasible[row]),
            "probability": None if known is None else float(known[row]),
        }
    listed = {trial.number for trial in candidates.measured if checkpoint_of(trial) is None}
    others = [
        _ended_record(subject, entry, trial)
        for entry, trial in candidates.ended
        if trial.number not in listed
    ]
    records += others
    extra = sorted({name for one in others for name in one if name.startswith(PARAM)} - {*columns})
    first = ["label", *_OWN_COLUMNS, "feasible"]
    names = [*first, *(name for name in [*columns, *extra] if name not in first)]
    if any("reason" in record for record in records):
        names.append("reason")
    return {
        "n_candidates": len(candidates.trials),
        "names": [name for name in names if _tells(name, records)],
        "columns": {
            name: [_as_a_browser_counts(record.get(name)) for record in records]
            for name in names
            if _tells(name, records)
        },
    }


def _as_a_browser_counts(value: Any) -> Any:  # noqa: ANN401 - whatever a hyperparameter may be
    """Give a value, or the digits of a whole number that JavaScript would round, such as a seed."""
    if type(value) is not int or abs(value) <= 2**53:
        return value
    return value if value.bit_length() < 1024 and int(float(value)) == value else str(value)


def _tells(name: str, records: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether a column is worth its place: what is always there, or known of some row."""
    if name == "feasible":
        return any(record.get(name) is False for record in records)
    always = name in ("label", "trial", "state", "on_front")
    return always or any(record.get(name) is not None for record in records)


def _ended_record(subject: Subject, entry: Entry, trial: FrozenTrial) -> dict[str, Any]:
    """Give the row of a trial that is no candidate: it was pruned, failed or killed."""
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    record: dict[str, Any] = {
        "label": str(trial.number),
        "trial": trial.number,
        "state": entry.end,
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
    if kept.get("n_params") is not None:
        record["n_params"] = kept["n_params"]
    if kept.get("stopped") is not None:
        record["reason"] = kept["stopped"]
    return record | {f"{PARAM}{name}": value for name, value in trial.params.items()}


def _drawn(subject: Subject) -> dict[str, Any]:
    """Say which rows the figures draw, and how many they leave out."""
    candidates = subject.candidates
    every = np.arange(len(candidates.trials))
    members = np.isin(every, subject.rows)
    known = subject.uncertainty.probabilities
    may_be = np.zeros(every.size, dtype=np.bool_)
    if known is not None:
        may_be = ~members & (np.nan_to_num(known, nan=0.0) >= MAY_BE_FROM)
    others = every[~members & ~may_be]
    left_out = max(others.size - MOST_DRAWN, 0)
    if left_out:
        # Evenly over the study's time, and the same each time.
        others = others[np.linspace(0, others.size - 1, MOST_DRAWN).round().astype(np.intp)]
    return {
        "front": list(subject.rows),
        "may_be": every[may_be].tolist(),
        "others": others.tolist(),
        "left_out": int(left_out),
    }


def _staircases(subject: Subject) -> dict[str, list[int]]:
    """Give the rows on the front of each pair of objectives alone, by increasing second one."""
    names, losses = subject.objectives, subject.candidates.losses
    usable = np.flatnonzero(subject.candidates.feasible & np.isfinite(losses).all(axis=1))
    found = {}
    for (i, first), (j, second) in itertools.combinations(enumerate(names), 2):
        pair = losses[usable][:, [i, j]]
        rows = usable[pareto.non_dominated(pair)] if usable.size else usable
        order = np.lexsort((losses[rows, i], losses[rows, j]))
        found[f"{first}|{second}"] = rows[order].tolist()
    return found


def _chosen_row(subject: Subject) -> int | None:
    choice = subject.choice
    return None if choice is None else choice.rows[choice.ranking.chosen]


def members_first(subject: Subject) -> list[int]:
    """Give the front's rows, the chosen one first, then the others by increasing first loss."""
    chosen = _chosen_row(subject)
    losses = subject.candidates.losses
    rest = sorted((row for row in subject.rows if row != chosen), key=lambda row: losses[row, 0])
    return rest if chosen is None else [chosen, *rest]


def _curves(subject: Subject) -> list[dict[str, Any]]:
    """Give what the front's members reported: quality over what they had spent by then."""
    grid, found = subject.candidates.grid, []
    seen: set[int] = set()
    for row in members_first(subject):
        trial = subject.candidates.trials[row]
        kept = trial.user_attrs.get(REPORTS_ATTRIBUTE)
        if not kept or trial.number in seen or grid is None:
            continue
        seen.add(trial.number)
        reports = reports_from_rows(kept)
        found.append(
            {
                "row": row,
                "label": str(trial.number),
                "step": [one.step for one in reports],
                "quality": [finite_or_none(one.quality) for one in reports],
                "co2e_kg": [grid.co2e_kg(one.energy_kwh) for one in reports],
                "t_s": [one.t_s for one in reports],
            }
        )
        if len(found) == MOST_CURVES:
            break
    return found


def _traces(subject: Subject) -> list[dict[str, Any]]:
    """Give the power over time of the front's members, as far as it is known."""
    found: list[dict[str, Any]] = []
    for row in members_first(subject):
        number = subject.candidates.trials[row].number
        trace = subject.traces.get(number)
        if trace is None or not len(trace) or any(one["label"] == str(number) for one in found):
            continue
        found.append({"row": row, "label": str(number), **_series(trace)})
        if len(found) == MOST_CURVES:
            break
    return found


def _series(trace: Trace) -> dict[str, list[float | None]]:
    columns = {"t_s": trace.t_s, "cpu_w": trace.cpu_w, "gpu_w": trace.gpu_w, "ram_w": trace.ram_w}
    return {name: _rounded(values.tolist()) for name, values in columns.items()}


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Give values to a millionth: a picture, of which the exact figures are elsewhere."""
    return [round(value, 6) if math.isfinite(value) else None for value in values]


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: finite_or_none(value) for name, value in values.items()}
