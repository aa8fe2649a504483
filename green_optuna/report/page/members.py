"""The members of the front as a table on the page: the choice first."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from green_optuna.checkpoints import label_of
from green_optuna.record import trial_intervals
from green_optuna.report.interval_notes import interval_notes
from green_optuna.report.page.grids import Cell, Table, quantity_cell, text_cell
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import quantity_heading, show_param, show_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from green_optuna.intervals import Interval
    from green_optuna.report.subject import Subject

    Column = tuple[Cell, list[Cell]]

# So many members stand on the page itself; the table of all trials has the others.
MOST_MEMBERS = 15

# So many hyperparameters have a column each.
MOST_PARAMS = 6

_PROBABLE = "How probable it is that the trial is on the front"


def members_table(subject: Subject) -> Table:
    """Give the members of the front: objectives, how probable each is there, hyperparameters."""
    every = subject.members_first()
    rows = every[:MOST_MEMBERS]
    differing, same = subject.params()
    params = differing or [*same]
    labels = [Cell(label_of(subject.candidates.trials[row]), row=row) for row in rows]
    columns: list[Column] = [
        (Cell("trial"), labels),
        *_objective_columns(subject, rows),
        *_probability_column(subject, rows),
        *(_param_column(subject, rows, name) for name in params[:MOST_PARAMS]),
    ]
    trials = subject.candidates.trials
    notes = interval_notes([trial_intervals(trials[row], subject.objectives) for row in rows])
    if len(every) > len(rows):
        left = len(every) - len(rows)
        more = "1 more is" if left == 1 else f"{left} more are"
        notes.append(f"{more} in the table of all trials.")
    if len(differing) > MOST_PARAMS:
        left = len(differing) - MOST_PARAMS
        differ = "hyperparameter differs" if left == 1 else "hyperparameters differ"
        notes.append(f"{left} more {differ}.")
    return Table(
        title="The trial on the front" if len(every) == 1 else "The trials on the front",
        headings=[heading for heading, _ in columns],
        rows=[*zip(*(cells for _, cells in columns), strict=True)],
        caption=" ".join(notes),
    )


def _objective_columns(subject: Subject, rows: Sequence[int]) -> list[Column]:
    """Give the objectives, the quality rather than its loss where all keep one."""
    candidates = subject.candidates
    trials = [candidates.trials[row] for row in rows]
    qualities = [trial.user_attrs.get(ATTRIBUTE, {}).get("quality") for trial in trials]
    values = [candidates.values(row) for row in rows]
    intervals = [trial_intervals(trial, subject.objectives) for trial in trials]
    columns: list[Column] = []
    for name in subject.objectives:
        if name == "quality_loss" and None not in qualities:
            ends = [_of_quality(subject, each) for each in intervals]
            cells = [
                _with_interval(quantity_cell("quality", quality), "quality", one)
                for quality, one in zip(qualities, ends, strict=True)
            ]
            columns.append((Cell(quantity_heading("quality"), number=True), cells))
            continue
        cells = [
            _with_interval(quantity_cell(name, one[name]), name, _ends(each[name]))
            for one, each in zip(values, intervals, strict=True)
        ]
        columns.append((Cell(quantity_heading(name), number=True), cells))
    return columns


def _ends(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)


def _of_quality(
    subject: Subject, intervals: Mapping[str, Interval | None]
) -> tuple[float, float] | None:
    """Give the ends of the quality's interval, from those of its loss."""
    interval, terms = intervals["quality_loss"], subject.candidates.terms
    if interval is None or terms is None:
        return None
    low, high = sorted(map(terms.quality_bounds.quality, (interval.low, interval.high)))
    return low, high


def _with_interval(cell: Cell, name: str, ends: tuple[float, float] | None) -> Cell:
    if ends is None:
        return cell
    # A hyphen before a number would read as a dash between two.
    low, high = (re.sub("^-", "\N{MINUS SIGN}", show_quantity(name, end)) for end in ends)
    said = f"{low} to {high}"
    return Cell(f"{cell.text} ({said})", full=cell.full, number=True)


def _probability_column(subject: Subject, rows: Sequence[int]) -> list[Column]:
    known = subject.uncertainty.probabilities
    if known is None:
        return []
    shares = [float(known[row]) for row in rows]
    cells = [
        Cell(show_quantity("probability", share), full=repr(share), number=True, share=share)
        for share in shares
    ]
    return [(Cell("probability", full=_PROBABLE, number=True), cells)]


def _param_column(subject: Subject, rows: Sequence[int], name: str) -> Column:
    params = [subject.candidates.trials[row].params for row in rows]
    cells = [_param_cell(one[name]) if name in one else Cell("") for one in params]
    heading = replace(text_cell(name), number=any(cell.number for cell in cells))
    return heading, cells


def _param_cell(value: object) -> Cell:
    if isinstance(value, float):
        return Cell(show_param(value), full=repr(value), number=True)
    cell = text_cell(show_param(value))
    return Cell(cell.text, full=cell.full, number=type(value) is int)
