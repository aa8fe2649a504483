"""What the page says in words and tables; the template only puts it in its place."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from green_optuna.checkpoints import checkpoint_of
from green_optuna.record import measurement_of
from green_optuna.report.cautions import Caution, cautions
from green_optuna.report.findings import findings
from green_optuna.report.importance import WHAT_IT_MEASURES, importances
from green_optuna.report.page import grids
from green_optuna.report.page.content import MOST_CURVES
from green_optuna.report.page.marks import Mark, marks_of
from green_optuna.report.page.trials import PARAM
from green_optuna.repricing import describe_grid
from green_optuna.units import format_co2e, format_duration, quantity_heading, show_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.report.hypervolume import HypervolumeCurve
    from green_optuna.report.importance import Importance
    from green_optuna.report.page.grids import Table
    from green_optuna.report.subject import Subject


_PARTLY = "partly measured, partly estimated"


# From this share of the final hypervolume on, what follows is little.
MOST_OF_IT = 0.95

HYPERVOLUME_WORDS = (
    "How good the front was for what the study had spent by then, as its hypervolume: the share of "
    "the space of objectives that it covers, of what it covered in the end."
)


@dataclass(frozen=True, slots=True)
class Card:
    """A figure that stands large at the top.

    Attributes:
        figure: The figure, scaled for a person.
        words: What it is.
        exact: The same unrounded; empty where it is.
    """

    figure: str
    words: str
    exact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All words and tables of the page, in the template's order."""

    name: str
    subtitle: str
    cautions: Sequence[Caution]
    findings: Sequence[str]
    cards: Sequence[Card]
    objectives: Sequence[str]
    left_out: int
    front_note: str
    marks: Sequence[Mark]
    has_intervals: bool
    members: Table
    references: Table | None
    choice: Sequence[str]
    rules: Table
    has_traces: bool
    traces_left_out: int
    traces_hint: str
    has_curves: bool
    importance: Table
    importance_words: str
    importance_notes: Sequence[str]
    params: Sequence[str]
    objective_options: Sequence[str]
    ledger_words: Sequence[str]
    ledger_label: str
    ledger_parts: Sequence[dict[str, Any]]
    ledger: Table
    hypervolume_words: Sequence[str]
    has_hypervolume: bool
    terms: Sequence[tuple[str, str]]
    made: str


def shown_of(subject: Subject, content: dict[str, Any], curve: HypervolumeCurve) -> Shown:
    """Give all that the page says.

    Args:
        subject: What the report is about.
        content: What its figures show.
        curve: How its front grew with what the search spent.
    """
    candidates = subject.candidates
    names = content["table"]["names"]
    n_traced = len(content["traces"])
    decided = importances(subject)
    return Shown(
        name=candidates.study_name,
        subtitle=_subtitle(subject),
        cautions=cautions(subject),
        findings=findings(subject),
        cards=_cards(subject),
        objectives=[quantity_heading(name) for name in subject.objectives],
        left_out=content["drawn"]["left_out"],
        front_note=" ".join(candidates.notes),
        marks=marks_of(subject, content),
        has_intervals=any(name.endswith("_high") for name in names if not name.startswith(PARAM)),
        members=grids.members_table(subject),
        references=grids.references_grid(subject) if subject.references else None,
        choice=_choice(subject),
        rules=grids.rules_table(subject),
        has_traces=bool(n_traced),
        traces_left_out=max(len(subject.rows) - MOST_CURVES, 0) if n_traced == MOST_CURVES else 0,
        traces_hint=_traces_hint(),
        has_curves=bool(content["curves"]),
        importance=grids.importance_table(decided),
        importance_words=WHAT_IT_MEASURES,
        importance_notes=_notes_on_importance(decided),
        params=content["params"],
        objective_options=[quantity_heading(name) for name in subject.objectives],
        ledger_words=_ledger_words(subject),
        ledger_label=str(candidates.ledger),
        ledger_parts=_ledger_parts(subject),
        ledger=grids.ledger_table(subject),
        hypervolume_words=_hypervolume_words(curve),
        has_hypervolume=bool(curve.points),
        terms=_terms(subject),
        made=_made(),
    )


def _subtitle(subject: Subject) -> str:
    candidates = subject.candidates
    ended = len(candidates.ended)
    trials = f"{ended} trials" if ended != 1 else "1 trial"
    completed = (
        "" if ended == candidates.n_completed else f", {candidates.n_completed} of them completed"
    )
    basis = f"; energy {_basis(subject)}" if _basis(subject) else ""
    saved = sum(checkpoint_of(candidates.trials[row]) is not None for row in subject.rows)
    steps = f" ({saved} of them saved steps)" if saved else ""
    return f"{trials}{completed}, {len(subject.rows)} on the front{steps}{basis}"


def _basis(subject: Subject) -> str:
    """Say what the energies of completed trials rest on; empty where none was measured."""
    measured = (measurement_of(trial) for trial in subject.candidates.measured)
    found = {one.basis for one in measured if one is not None}
    if not found:
        return ""
    return found.pop() if found in ({"measured"}, {"estimated"}) else _PARTLY


def _cards(subject: Subject) -> list[Card]:
    candidates, choice, cards = subject.candidates, subject.choice, []
    if choice is not None:
        name = "quality" if choice.quality is not None else subject.objectives[0]
        best = choice.quality if choice.quality is not None else choice.objectives[name]
        cards.append(
            Card(
                show_quantity(name, best),
                f"{quantity_heading(name)} of trial {choice.label}, the choice",
                repr(best),
            )
        )
        measurement = choice.measurement
        if measurement is not None:
            kg = measurement.co2e_per_run_kg
            lasting = format_duration(measurement.duration_per_run_s)
            training = f"of CO2e for one training of it, in {lasting}"
            cards.append(Card(format_co2e(kg), training, f"{kg!r} kg"))
        saving = choice.saving
        if saving is not None and saving.share is not None and saving.co2e_kg > 0:
            cards.append(
                Card(
                    f"{100 * saving.share:.0f} % less",
                    f"CO2e than trial {saving.against}, which has the best quality",
                    f"{saving.co2e_kg!r} kg",
                )
            )
    if candidates.ledger.energy_kwh > 0:
        kg = candidates.spent_co2e_kg
        cards.append(Card(format_co2e(kg), "of CO2e for the search as a whole", f"{kg!r} kg"))
    return cards


def _choice(subject: Subject) -> list[str]:
    choice = subject.choice
    if choice is None:
        why_not = subject.no_choice
        return [f"{why_not[:1].upper()}{why_not[1:].rstrip('.')}."] if why_not else []
    said = [str(choice)]
    if choice.probability is None and subject.uncertainty.probabilities is not None:
        row = choice.rows[choice.ranking.chosen]
        said.append(f"How settled it is: {subject.uncertainty.worth_repeating(choice.rule, row)}")
    return said


def _traces_hint() -> str:
    return (
        "green-optuna report --mlflow-uri URI reads it from there, and "
        "front.report(path, traces=...) takes it."
    )


def _notes_on_importance(decided: Sequence[Importance]) -> list[str]:
    """Say on what the importances rest, each thing once."""
    by_note: dict[str, list[str]] = {}
    for one in decided:
        by_note.setdefault(one.note, []).append(quantity_heading(one.objective))
    if len(by_note) == 1:
        return list(by_note)
    return [f"{', '.join(headings)}: {note}" for note, headings in by_note.items()]


def _ledger_words(subject: Subject) -> list[str]:
    ledger, choice = subject.candidates.ledger, subject.choice
    if ledger.energy_kwh <= 0:
        return [ledger.note() or "Nothing was measured in this study."]
    if choice is None:
        return [ledger.summary()]
    return [ledger.summary(choice.number, choice.measurement)]


def _ledger_parts(subject: Subject) -> list[dict[str, Any]]:
    ledger = subject.candidates.ledger
    return [
        {
            "account": row.account,
            "percent": f"{100 * row.energy_kwh / ledger.energy_kwh:.3f}",
            "words": f"{row.account}: {row.energy_kwh / ledger.energy_kwh:.1%}",
        }
        for row in ledger.rows
        if row.energy_kwh > 0
    ]


def _hypervolume_words(curve: HypervolumeCurve) -> list[str]:
    """Say how fast the front grew, and on what axes; or why that cannot be told."""
    if not curve.points:
        return [curve.reason] if curve.reason else []
    last = curve.points[-1]
    said = [HYPERVOLUME_WORDS]
    most = next(point for point in curve.points if point.share >= MOST_OF_IT)
    if last.spent_co2e_kg > 0:
        part = most.spent_co2e_kg / last.spent_co2e_kg
        said.append(
            f"{MOST_OF_IT:.0%} of it was there after trial {most.trial} had ended, for "
            f"{format_co2e(most.spent_co2e_kg)} ({part:.0%} of all that was spent)."
        )
    axes = ", ".join(
        f"{quantity_heading(axis.objective)} from {show_quantity(axis.objective, axis.best)} to "
        f"{show_quantity(axis.objective, axis.worst)}{' (logarithmic)' if axis.logarithmic else ''}"
        for axis in curve.axes
    )
    said.append(f"The space: {axes}, and a tenth beyond.")
    if curve.n_not_measured:
        said.append(f"{curve.n_not_measured} trials were not measured, and add nothing here.")
    if curve.thinned:
        said.append("Of so many trials, not each has a point of its own.")
    return said


def _terms(subject: Subject) -> list[tuple[str, str]]:
    """Say on what terms the study measured, and how sure it is."""
    candidates = subject.candidates
    terms, grid = candidates.terms, candidates.grid
    if terms is None or grid is None:
        return [("Energy", "green_optuna has measured nothing in this study.")]
    said = [
        (
            "Objectives",
            ", ".join(quantity_heading(name) for name in terms.objectives) + ": all minimised",
        ),
        (
            "Quality",
            f"{terms.quality_bounds.worst:g} is the worst, {terms.quality_bounds.best:g} the best",
        ),
        ("Carbon intensity", f"{describe_grid(grid)}: one figure for the whole study"),
        (
            "PUE",
            f"{grid.pue:g}"
            if grid.pue != 1
            else "1: what the building adds is not known, and not counted",
        ),
    ]
    if candidates.repricing is not None:
        said.append(("Repriced", str(candidates.repricing)))
    said += [("Measured", str(group)) for group in subject.provenance]
    sure = subject.uncertainty.reason
    said.append(
        (
            "How sure",
            sure
            or "The probability of being on the front is the share of draws from the trials' "
            "errors in which a trial is there.",
        )
    )
    said.append(("Not counted", "Emissions of making the hardware, and what other programs used."))
    return said


def _made() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        by = f"green_optuna {version('green_optuna')}"
    except PackageNotFoundError:
        by = "green_optuna"
    now = dt.datetime.now(dt.UTC)
    return f"Made by {by} on {now:%Y-%m-%d at %H:%M} UTC. This page asks for nothing from anywhere."
