"""A study's front in words and as a table, in Markdown, for the run of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.markup import in_markdown
from green_optuna.rules import Tolerance
from green_optuna.tracking.series import shorten
from green_optuna.units import describe_quantity, quantity_heading, show_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.front import ParetoFront
    from green_optuna.selection import Selection

FRONT_FILE = "front/pareto.json"
REPORT_FILE = "report.html"

# Of a study's name, which is the user's and may be of any length.
MAX_NAME = 250


def default_selection(front: ParetoFront) -> Selection | None:
    """Give what the default rule selects, or None where it does not fit the front."""
    needed = Tolerance().fitted(front.objectives).objectives
    fits = len(front) and set(needed) <= set(front.objectives)
    return front.select() if fits else None


def front_note(
    front: ParetoFront,
    *,
    limit: int,
    view: str | None = None,
    pages: Mapping[int, str] | None = None,
    report: tuple[str, int] | None = None,
) -> str:
    """Write the front as a Markdown table, for the description of the study's run.

    Args:
        front: The front.
        limit: How many characters it may have.
        view: Where a view of the study opens.
        pages: Where the trials' runs open, by the trials' numbers.
        report: Where the study's report opens, and how many trials had ended as of it.
    """
    note = _front_summary(front, view=view, pages=pages or {}, report=report)
    names = front.objectives
    note += "\n| trial | " + " | ".join(map(quantity_heading, names)) + " |\n"
    note += "|---:|" + "---:|" * len(names) + "\n"
    references = _references_note(front, limit=limit // 3)
    limit -= len(references)
    losses = front.candidates.losses[list(front.rows)].tolist()
    for row, (trial, values) in enumerate(zip(front.trials, losses, strict=True)):
        shown = [show_quantity(name, value) for name, value in zip(names, values, strict=True)]
        number = _linked(str(trial.number), (pages or {}).get(trial.number))
        line = f"| {number} | " + " | ".join(shown) + " |\n"
        left_out = f"\n{len(front) - row} more are in `{FRONT_FILE}`."
        if len(note) + len(line) + len(left_out) > limit:
            return shorten(note, limit - len(left_out)) + left_out + references
        note += line
    return shorten(note, limit) + references


def _references_note(front: ParetoFront, *, limit: int) -> str:
    """Write the references of a front as a Markdown table; nothing where there are none."""
    if not front.references:
        return ""
    names = front.objectives
    note = "\n**References**, published or estimated elsewhere; no trials:\n\n| name | basis | "
    note += " | ".join(map(quantity_heading, names)) + " | status |\n"
    note += "|---|---|" + "---:|" * len(names) + "---|\n"
    if len(note) + len(f"\n{len(front.references)} more are in `{FRONT_FILE}`.\n") > limit:
        return ""
    for row, one in enumerate(front.references):
        shown = ["" if v is None else show_quantity(k, v) for k, v in one.losses.items()]
        name, status = (in_markdown(shorten(text, MAX_NAME)) for text in (one.name, one.status))
        line = "| " + " | ".join([name, one.basis, *shown, status]) + " |\n"
        left_out = f"\n{len(front.references) - row} more are in `{FRONT_FILE}`.\n"
        if len(note) + len(line) + len(left_out) > limit:
            return note + left_out
        note += line
    return note


def _front_summary(
    front: ParetoFront,
    *,
    view: str | None,
    pages: Mapping[int, str],
    report: tuple[str, int] | None,
) -> str:
    """Say in Markdown how large the front is, what is selected, and what the search cost."""
    study_name = in_markdown(shorten(front.study_name, MAX_NAME))
    note = (
        f"**Pareto front** of study {study_name}: {len(front)} of "
        f"{len(front.candidates.trials)} completed trials.\n"
    )
    if view is not None:
        note += f"\n{_linked('See its trials, charts and energy traces', view)}.\n"
    if report is not None:
        page, n_ended = report
        trials = "trial that had" if n_ended == 1 else "trials that had"
        note += f"\n{_linked('Read the report', page)}, of the {n_ended} {trials} ended by then.\n"
    if front.note is not None:
        note += f"\n{in_markdown(front.note)}\n"
    selection = default_selection(front)
    if selection is None:
        return note + f"\n{in_markdown(str(front.ledger))}\n"
    # The name is said once, and may be long.
    number = _linked(f"trial {selection.number}", pages.get(selection.number))
    note += f"\nSelected by default: {number}, {in_markdown(selection.rule.describe())}"
    scores = (describe_quantity(name, value) for name, value in selection.objectives.items())
    note += f": {in_markdown(', '.join(scores))}.\n"
    cost = front.ledger.summary(selection.label, selection.measurement)
    return note + f"\n{in_markdown(cost)}\n"


def _linked(text: str, page: str | None) -> str:
    return text if page is None else f"[{text}]({page})"
