"""Tables for print: the front's members, what the search spent, what each rule chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from green_optuna.checkpoints import label_of
from green_optuna.provenance import describe_mixture
from green_optuna.record import trial_intervals
from green_optuna.report.interval_notes import interval_notes
from green_optuna.report.printed.table import (
    Column,
    PrintTable,
    note_in_print,
    quantity_column,
    text_column,
)
from green_optuna.report.printed.typeset import name_in_print
from green_optuna.units import show_param

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from green_optuna.report.subject import Subject

MAX_PARAMS: Final = 6
"""So many hyperparameters are columns."""

# Marks what was chosen; a note says so.
_CHOSEN: Final = "*"

# So many hyperparameters that are no columns are named.
_MAX_NAMED: Final = 5


def front_table(subject: Subject) -> PrintTable:
    """Give the front's members, the best in the first objective on top.

    With objectives and their intervals, how probable it is that each is on the front where that is
    known, and up to six of the hyperparameters that differ among them.
    """
    candidates, choice = subject.candidates, subject.choice
    rows = sorted(subject.rows, key=lambda row: tuple(candidates.losses[row]))
    trials = [candidates.trials[row] for row in rows]
    labels = [label_of(trial) for trial in trials]
    if choice is not None:
        labels = [f"{one}{_CHOSEN}" if one == choice.label else one for one in labels]
    intervals = [trial_intervals(trial, candidates.objectives) for trial in trials]
    columns = [text_column("trial", labels, right=True)]
    for name, losses in zip(candidates.objectives, candidates.losses[rows].T, strict=True):
        columns.append(quantity_column(name, losses.tolist(), [one[name] for one in intervals]))
    known = subject.uncertainty.probabilities
    if known is not None:
        columns.append(quantity_column("probability", known[rows].tolist()))
    params, left_out = _param_columns(subject, rows)
    of_what = f"{candidates.n_completed} completed trials"
    if candidates.left_out is not None:
        of_what += f" and {candidates.n_checkpoints} checkpoints"
    return PrintTable(
        name="front",
        caption=(
            f"Study {name_in_print(candidates.study_name)}: the Pareto front, {len(rows)} of "
            f"{of_what}."
        ),
        columns=(*columns, *params),
        notes=(*_front_notes(subject), *map(note_in_print, interval_notes(intervals)), *left_out),
    )


def ledger_table(subject: Subject) -> PrintTable | None:
    """Give what the search spent, an account a row, and their sum; None where nobody measured."""
    ledger = subject.candidates.ledger
    if not ledger.n_trials and ledger.energy_kwh <= 0:
        return None
    counts = ["" if row.account == "overhead" else str(row.n_trials) for row in ledger.rows]
    shares = [f"{ledger.share(row):.1%}" for row in ledger.rows]
    energies_kwh = [*(row.energy_kwh for row in ledger.rows), ledger.energy_kwh]
    co2e_kg = [*(row.co2e_kg for row in ledger.rows), ledger.co2e_kg]
    notes = [_repriced(subject), "" if ledger.saved is None else str(ledger.saved), ledger.note()]
    return PrintTable(
        name="ledger",
        caption=f"Study {name_in_print(subject.candidates.study_name)}: what the search spent.",
        columns=(
            text_column("spent on", [*(row.account for row in ledger.rows), "total"]),
            text_column("trials", [*counts, str(ledger.n_trials)], right=True),
            quantity_column("energy_kwh", energies_kwh),
            quantity_column("co2e_kg", co2e_kg),
            text_column("share", [*shares, ""], right=True),
        ),
        notes=tuple(note_in_print(note) for note in notes if note),
        has_total=True,
    )


def rules_table(subject: Subject) -> PrintTable:
    """Give what each rule chooses from the front, the choice on top.

    Rules that cannot choose are in the notes, with the reason.
    """
    choice = subject.choice
    found = {} if choice is None else {f"{choice.rule.name}{_CHOSEN}": choice}
    notes = [] if choice is None else [f"{_CHOSEN} The choice."]
    if choice is None and subject.no_choice:
        notes.append(f"No choice: {subject.no_choice}")
    notes += filter(None, [_repriced(subject)])
    for name, other in subject.others.items() if subject.rows else ():
        if isinstance(other, str):
            notes.append(f"{name}: {other}")
        else:
            found[name] = other
    chosen = [*found.values()]
    return PrintTable(
        name="rules",
        caption=f"Study {name_in_print(subject.candidates.study_name)}: what each rule chooses.",
        columns=(
            text_column("rule", found),
            text_column("chooses", [one.rule.describe() for one in chosen], wraps=True),
            text_column("trial", [one.label for one in chosen], right=True),
            *(
                quantity_column(name, [one.objectives[name] for one in chosen])
                for name in subject.objectives
            ),
        ),
        notes=tuple(map(note_in_print, notes)),
    )


def _repriced(subject: Subject) -> str:
    """Say that CO2e is that of another grid; empty where it is not."""
    repricing = subject.candidates.repricing
    return "" if repricing is None else str(repricing)


def _front_notes(subject: Subject) -> list[str]:
    """Say which member is chosen, and what to know of the front."""
    choice = subject.choice
    said = [] if choice is None else [f"{_CHOSEN} Chosen: {choice.rule.describe()}."]
    if subject.mixed:
        said.append(describe_mixture(subject.provenance))
    return [note_in_print(note) for note in (*said, *subject.candidates.notes)]


def _param_columns(subject: Subject, rows: Sequence[int]) -> tuple[list[Column], list[str]]:
    """Give a column for each of some hyperparameters, and a note of those that have none."""
    params = [subject.candidates.trials[row].params for row in rows]
    differing, same = subject.params()
    columns = [
        text_column(
            name, [_shown_param(one, name) for one in params], right=_is_numeric(params, name)
        )
        for name in differing[:MAX_PARAMS]
    ]
    notes = []
    if same:
        notes.append(f"The same in all: {_listed([f'{one}={same[one]}' for one in same])}.")
    if differing[MAX_PARAMS:]:
        notes.append(f"Left out, though they differ: {_listed(differing[MAX_PARAMS:])}.")
    return columns, [note_in_print(note) for note in notes]


def _shown_param(params: Mapping[str, Any], name: str) -> str:
    """Show a hyperparameter; nothing where a trial has it not."""
    return show_param(params[name]) if name in params else ""


def _is_numeric(params: Sequence[Mapping[str, Any]], name: str) -> bool:
    return all(isinstance(one[name], int | float) for one in params if name in one)


def _listed(names: Sequence[str]) -> str:
    """List the first of many names, each in as many characters as a cell has."""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(map(name_in_print, names[:_MAX_NAMED])) + more
