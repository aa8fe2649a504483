"""What the page says in words and tables; the template only puts it in its place."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from green_optuna.checkpoints import checkpoint_of
from green_optuna.record import measurement_of
from green_optuna.report.cautions import Caution, cautions
from green_optuna.report.findings import findings
from green_optuna.report.importance import WHAT_IT_MEASURES
from green_optuna.report.page import grids
from green_optuna.report.page.cards import Card, cards_of
from green_optuna.report.page.marks import Mark, marks_of
from green_optuna.report.page.members import members_table
from green_optuna.report.page.over_time import curves_note, runs_note, traces_note
from green_optuna.report.page.terms import terms_of
from green_optuna.report.page.trials import PARAM
from green_optuna.report.page.words import (
    choice_words,
    hypervolume_words,
    importance_notes,
    ledger_words,
    objectives_words,
    traces_words,
)
from green_optuna.units import quantity_heading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from green_optuna.report.hypervolume import HypervolumeCurve
    from green_optuna.report.importance import Importance
    from green_optuna.report.page.grids import Table
    from green_optuna.report.subject import Subject


_PARTLY = "partly measured, partly estimated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All words and tables of the page, in the template's order."""

    name: str
    subtitle: str
    cautions: Sequence[Caution]
    findings: Sequence[str]
    cards: Sequence[Card]
    objectives: Sequence[str]
    has_figures: bool
    left_out: int
    front_note: str
    marks: Sequence[Mark]
    has_intervals: bool
    members: Table
    references: Table
    choice: Sequence[str]
    rules: Table
    has_traces: bool
    choice_traced: bool
    traces_note: str
    traces_words: str
    has_curves: bool
    curves_note: str
    importance: Table
    importance_words: str
    importance_notes: Sequence[str]
    params: Sequence[str]
    ledger_words: Sequence[str]
    ledger_label: str
    ledger_parts: Sequence[dict[str, Any]]
    ledger: Table
    hypervolume_words: Sequence[str]
    has_hypervolume: bool
    terms: Sequence[tuple[str, str]]
    runs_note: str
    made: str


def shown_of(
    subject: Subject,
    content: dict[str, Any],
    curve: HypervolumeCurve,
    decided: Sequence[Importance],
) -> Shown:
    """Give all that the page says.

    Args:
        subject: What the report is about.
        content: What its figures show.
        curve: How its front grew with what the search spent.
        decided: Which hyperparameters decided its objectives.
    """
    candidates = subject.candidates
    names = content["table"]["names"]
    return Shown(
        name=candidates.study_name,
        subtitle=_subtitle(subject),
        cautions=cautions(subject),
        findings=findings(subject),
        cards=cards_of(subject),
        objectives=[quantity_heading(name) for name in subject.objectives],
        has_figures=bool(candidates.trials),
        left_out=content["drawn"]["left_out"],
        front_note=" ".join(filter(None, [objectives_words(subject), *candidates.notes])),
        marks=marks_of(subject, content),
        has_intervals=any(name.endswith("_high") for name in names if not name.startswith(PARAM)),
        members=members_table(subject),
        references=grids.references_grid(subject, content["logarithmic"]),
        choice=choice_words(subject),
        rules=grids.rules_table(subject),
        has_traces=bool(content["traces"]),
        choice_traced=_choice_traced(subject, content["traces"]),
        traces_note=traces_note(subject, content["traces"]),
        traces_words=traces_words(subject),
        has_curves=bool(content["curves"]),
        curves_note=curves_note(subject, content),
        importance=grids.importance_table(decided),
        importance_words=WHAT_IT_MEASURES,
        importance_notes=importance_notes(decided),
        params=content["params"],
        ledger_words=ledger_words(subject),
        ledger_label=str(candidates.ledger),
        ledger_parts=_ledger_parts(subject),
        ledger=grids.ledger_table(subject),
        hypervolume_words=hypervolume_words(curve),
        has_hypervolume=content["hypervolume"] is not None,
        terms=terms_of(subject),
        runs_note=runs_note(subject),
        made=_made(),
    )


def _choice_traced(subject: Subject, traces: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the first of the traces is that of the choice."""
    choice = subject.choice
    return bool(traces) and choice is not None and traces[0]["label"] == str(choice.number)


def _subtitle(subject: Subject) -> str:
    candidates = subject.candidates
    ended = len(candidates.ended)
    trials = f"{ended} trials" if ended != 1 else "1 trial"
    completed = (
        "" if ended == candidates.n_completed else f", {candidates.n_completed} of them completed"
    )
    basis = _basis(subject)
    energy = f"; energy {basis}" if basis else ""
    saved = sum(checkpoint_of(candidates.trials[row]) is not None for row in subject.rows)
    steps = f" ({saved} of them saved steps)" if saved else ""
    return f"{trials}{completed}, {len(subject.rows)} on the front{steps}{energy}"


def _basis(subject: Subject) -> str:
    """Say what the energies of the trials rest on; empty where none was measured."""
    measured = (measurement_of(trial) for _, trial in subject.candidates.ended)
    found = {one.basis for one in measured if one is not None}
    if not found:
        return ""
    return found.pop() if found in ({"measured"}, {"estimated"}) else _PARTLY


def _ledger_parts(subject: Subject) -> list[dict[str, Any]]:
    ledger = subject.candidates.ledger
    return [
        {
            "account": row.account,
            "percent": f"{100 * ledger.share(row):.3f}",
            "words": f"{row.account}: {ledger.share(row):.1%}",
        }
        for row in ledger.rows
        if row.energy_kwh > 0
    ]


def _made() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        by = f"green_optuna {version('green_optuna')}"
    except PackageNotFoundError:
        by = "green_optuna"
    now = dt.datetime.now(dt.UTC)
    return f"Made by {by} on {now:%Y-%m-%d at %H:%M} UTC. This page asks for nothing from anywhere."
