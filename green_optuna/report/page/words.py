"""Sentences that stand above the figures and tables of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.record import run_ids_of
from green_optuna.rules.words import listed
from green_optuna.selection import percent
from green_optuna.units import format_co2e, quantity_heading, show_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.report.hypervolume import HypervolumeCurve
    from green_optuna.report.importance import Importance
    from green_optuna.report.subject import Subject

# From this share of the final hypervolume on, what follows is little.
MOST_OF_IT = 0.95

# From this share on, it is all, as a share of 0.1 % is shown.
ALL_OF_IT = 0.9995

HYPERVOLUME_WORDS = (
    "How good the front was for what the study had spent by then, as its hypervolume: the share of "
    "the space of objectives that it covers, of what it covered in the end."
)


def objectives_words(subject: Subject) -> str | None:
    """Say that the search had other objectives than the front compares; None where it had not."""
    terms, names = subject.candidates.terms, subject.objectives
    if terms is None or {*terms.objectives} == {*names}:
        return None
    searched, compared = (listed(map(quantity_heading, one)) for one in (terms.objectives, names))
    return f"The search minimised {searched}; this front compares {compared} alone."


def choice_words(subject: Subject) -> list[str]:
    """Say what is chosen, why, and how settled that is; or why nothing is."""
    choice = subject.choice
    if choice is None:
        why_not = subject.no_choice
        return [f"{why_not[:1].upper()}{why_not[1:].rstrip('.')}."] if why_not else []
    said = [str(choice)]
    if choice.probability is None and subject.uncertainty.probabilities is not None:
        worth = subject.uncertainty.worth_repeating(choice.rule, choice.row)
        said.append(f"How settled it is: {worth}")
    return said


def traces_words(subject: Subject) -> str:
    """Say why no power over time is shown, and what would show it; to be said where none is."""
    candidates = subject.candidates
    if not subject.rows:
        return "Power over time is that of the front's members, and the front has none."
    if candidates.terms is None:
        return "Power over time is not known: green_optuna has measured nothing in this study."
    tracked = {name for row in subject.rows for name in run_ids_of(candidates.trials[row])}
    if not tracked:
        return (
            "Power over time is not in the study but with the trackers that trials are logged to, "
            "and those on the front were logged to none."
        )
    said = "Power over time is not in the study but with what the trials were logged to: "
    if "mlflow" in tracked:
        said += "green-optuna report --mlflow-uri URI reads it from MLflow, and "
    return f"{said}front.report(path, traces=...) takes it."


def importance_notes(decided: Sequence[Importance]) -> list[str]:
    """Say on what the importances rest, each thing once."""
    by_note: dict[str, list[str]] = {}
    for one in decided:
        by_note.setdefault(one.note, []).append(quantity_heading(one.objective))
    if len(by_note) == 1:
        return list(by_note)
    return [f"{', '.join(headings)}: {note}" for note, headings in by_note.items()]


def ledger_words(subject: Subject) -> list[str]:
    """Say what the search cost, against a training of the choice."""
    ledger, choice = subject.candidates.ledger, subject.choice
    if not ledger.n_trials and ledger.energy_kwh <= 0:
        return [ledger.note() or "Nothing was measured in this study."]
    if choice is None:
        return [ledger.summary()]
    return [ledger.summary(choice.label, choice.measurement)]


def hypervolume_words(curve: HypervolumeCurve) -> list[str]:
    """Say how fast the front grew, and on what axes; or why that cannot be told."""
    if not curve.points:
        return [curve.reason] if curve.reason else []
    last = curve.points[-1]
    if last.spent_co2e_kg <= 0:
        return []
    said = [HYPERVOLUME_WORDS]
    most = next(point for point in curve.points if point.share >= MOST_OF_IT)
    part = percent(most.spent_co2e_kg / last.spent_co2e_kg)
    # One trial may take it from less to all.
    part_of_it = "All" if most.share >= ALL_OF_IT else f"{MOST_OF_IT:.0%}"
    said.append(
        f"{part_of_it} of it was there after trial {most.trial} had ended, for "
        f"{format_co2e(most.spent_co2e_kg)} ({part} of the search's CO2e)."
    )
    axes = ", ".join(
        f"{quantity_heading(axis.objective)} from {show_quantity(axis.objective, axis.best)} to "
        f"{show_quantity(axis.objective, axis.worst)}{' (logarithmic)' if axis.logarithmic else ''}"
        for axis in curve.axes
    )
    said.append(f"The space: {axes}, and a tenth beyond.")
    if curve.n_not_measured:
        n = curve.n_not_measured
        trials = (
            "1 trial was not measured, and adds"
            if n == 1
            else f"{n} trials were not measured, and add"
        )
        said.append(f"{trials} nothing here.")
    if curve.thinned:
        said.append("Of so many trials, not each has a point of its own.")
    return said
