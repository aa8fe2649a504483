"""The tables that stand on the page itself: cells of text, some of which select a trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.figures import not_drawn
from green_optuna.report.importance import by_importance
from green_optuna.report.page.cards import LEAST_SAVING
from green_optuna.rules.words import in_words, listed
from green_optuna.selection import Selection, percent
from green_optuna.units import format_co2e, format_energy, quantity_heading, show_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from green_optuna.references import PlacedReference
    from green_optuna.report.importance import Importance
    from green_optuna.report.subject import Subject

# Of a text in a cell; the whole is shown on hovering.
MOST_TEXT = 60

# Of what is to be known of a reference.
MOST_REMARK = 600


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: What stands there.
        full: What is shown on hovering: the text unshortened, or the exact figure.
        number: Whether it is a number, which stands to the right.
        share: The length of a bar before it, from 0 to 1; None for none.
        row: The row of the content that a click selects; None for none.
        swatch: The account whose colour stands before it; empty for none.
    """

    text: str
    full: str = ""
    number: bool = False
    share: float | None = None
    row: int | None = None
    swatch: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its title, which a screen reader says, a cell a heading, and rows of as many."""

    title: str
    headings: Sequence[Cell] = ()
    rows: Sequence[Sequence[Cell]] = field(default_factory=list)
    caption: str = ""


def text_cell(text: str) -> Cell:
    """Give a text as a cell, shortened."""
    short = shorten(text, MOST_TEXT)
    return Cell(short, full="" if short == text else text)


def shorten(text: str, most: int) -> str:
    """Cut a text to so many characters, visibly."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def quantity_cell(name: str, value: float | None) -> Cell:
    """Give a quantity as a cell, scaled for a person; an empty one where it is not known."""
    if value is None:
        return Cell("", number=True)
    return Cell(show_quantity(name, value), full=f"{value!r}", number=True)


def rules_table(subject: Subject) -> Table:
    """Give what each rule chooses, the one that was asked for first."""
    chosen = {} if subject.choice is None else {subject.choice.rule.name: subject.choice}
    every: dict[str, Selection | str] = {**chosen, **subject.others}
    if not subject.rows or not every:
        return Table("What each rule would choose")
    headings = [
        Cell("rule"),
        Cell("chooses"),
        Cell("trial"),
        *(Cell(quantity_heading(name), number=True) for name in subject.objectives),
        Cell("CO2e against the best quality"),
    ]
    rows = []
    for name, one in every.items():
        if isinstance(one, str):
            blank = [Cell("")] * (len(subject.objectives) + 1)
            rows.append([text_cell(name), Cell("nothing: " + one), *blank, Cell("")])
            continue
        values = [quantity_cell(key, value) for key, value in one.objectives.items()]
        rows.append(
            [
                text_cell(name),
                Cell(one.describe_rule()),
                Cell(one.label, row=one.row),
                *values,
                Cell(_saving_in_words(one)),
            ]
        )
    return Table("What each rule would choose", headings, rows)


def _saving_in_words(selection: Selection) -> str:
    saving = selection.saving
    if saving is None:
        return ""
    if str(saving.against) == selection.label:
        return "has the best quality"
    if saving.co2e_kg == 0:
        return "as much"
    more = "less" if saving.co2e_kg > 0 else "more"
    told = saving.share is not None and abs(saving.share) >= LEAST_SAVING
    share = f", {percent(abs(saving.share))}" if told and saving.share is not None else ""
    return f"{format_co2e(abs(saving.co2e_kg))}{share} {more}"


def ledger_table(subject: Subject) -> Table:
    """Give what the study spent, by how its trials ended."""
    ledger = subject.candidates.ledger
    if ledger.energy_kwh <= 0:
        return Table("What the search cost")
    headings = [
        Cell("spent on"),
        *(Cell(one, number=True) for one in ("trials", "energy", "CO2e", "share")),
    ]
    rows = []
    for row in ledger.rows:
        share = ledger.share(row)
        count = "" if row.account == "overhead" else str(row.n_trials)
        rows.append(
            [
                Cell(
                    f"{row.account} trials"
                    if row.account != "overhead"
                    else "overhead between trials",
                    swatch=row.account,
                ),
                Cell(count, number=True),
                Cell(format_energy(row.energy_kwh), full=f"{row.energy_kwh!r} kWh", number=True),
                Cell(format_co2e(row.co2e_kg), full=f"{row.co2e_kg!r} kg", number=True),
                Cell(f"{share:.1%}", number=True),
            ]
        )
    rows.append(
        [
            Cell("total"),
            Cell(str(ledger.n_trials), number=True),
            Cell(format_energy(ledger.energy_kwh), full=f"{ledger.energy_kwh!r} kWh", number=True),
            Cell(format_co2e(ledger.co2e_kg), full=f"{ledger.co2e_kg!r} kg", number=True),
            Cell("100%", number=True),
        ]
    )
    return Table("What the search cost", headings, rows)


def references_grid(subject: Subject, logarithmic: Mapping[str, bool]) -> Table:
    """Give the results from elsewhere, and where each stands.

    Args:
        subject: What the report is about.
        logarithmic: Whether the axis of each objective is, by its name.
    """
    headings = [
        Cell("name"),
        Cell("basis"),
        *(Cell(quantity_heading(name), number=True) for name in subject.objectives),
        Cell("where it stands"),
        Cell("source, and what to know"),
    ]
    rows = [
        [
            text_cell(one.name),
            Cell(one.basis),
            *(quantity_cell(name, value) for name, value in one.losses.items()),
            Cell(_standing(one)),
            Cell(shorten(_remark(one), MOST_REMARK)),
        ]
        for one in subject.references
    ]
    hidden = not_drawn(subject.references, logarithmic)
    caption = f"Not in all figures: {'; '.join(hidden)}." if hidden else ""
    return Table("Results from elsewhere", headings, rows, caption=caption)


def _standing(reference: PlacedReference) -> str:
    """Say where a reference stands, its objectives by the names that a person knows."""
    if not reference.missing:
        return reference.status
    return f"not comparable: {listed(map(in_words, reference.missing), link='or')} is not known"


def _remark(reference: PlacedReference) -> str:
    """Join where a reference is from with what is to be known of it."""
    source = reference.source
    stop = "." if source and reference.notes and source[-1] not in ".!?" else ""
    return " ".join(filter(None, [f"{source}{stop}", *reference.notes]))


def importance_table(decided: Sequence[Importance]) -> Table:
    """Give how much each hyperparameter matters, a column an objective, as bars."""
    columns = {
        quantity_heading(one.objective): {share.name: share.share for share in one.shares}
        for one in decided
        if one.shares
    }
    headings = [Cell("hyperparameter"), *map(text_cell, columns)]
    rows = [
        [text_cell(name), *(_share_cell(shares.get(name)) for shares in columns.values())]
        for name in by_importance(decided)
    ]
    return Table("How much each hyperparameter matters", headings, rows)


def _share_cell(share: float | None) -> Cell:
    return Cell("") if share is None else Cell(percent(share), full=repr(share), share=share)
