"""A front in a notebook: its members, where they lie, and what the search spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from green_optuna.checkpoints import label_of
from green_optuna.displays.picture import front_picture
from green_optuna.displays.words import describe_front, describe_spending, shown_params, shown_value
from green_optuna.markup import html_heading, html_output, html_paragraph, html_table
from green_optuna.trial_rows import trial_rows
from green_optuna.units import quantity_heading

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from green_optuna.candidates import Candidates
    from green_optuna.references import PlacedReference

MAX_MEMBERS: Final = 20
"""So many members of a front stand in its table."""

MAX_REFERENCES: Final = 10
"""So many references stand in their table."""


def front_html(
    candidates: Candidates,
    rows: Sequence[int],
    *,
    note: str | None = None,
    references: Sequence[PlacedReference] = (),
    probabilities: npt.NDArray[np.float64] | None = None,
) -> str:
    """Show a front: its members, where they lie, and what the search spent.

    Args:
        candidates: The completed trials of a study, and what is known of the study.
        rows: The front's rows of them.
        note: What to know of the front, in sentences.
        references: Results from elsewhere that it is compared with.
        probabilities: How probable it is that each candidate is on the front; None where that
            cannot be told.
    """
    return html_output(
        html_heading(describe_front(candidates, rows)),
        html_paragraph(note or ""),
        front_picture(candidates, rows, references=references),
        _members(candidates, rows, probabilities),
        _references(references, candidates.objectives),
        html_paragraph(describe_spending(candidates)),
    )


def _members(
    candidates: Candidates, rows: Sequence[int], probabilities: npt.NDArray[np.float64] | None
) -> str:
    """Write the table of a front's members, those of the best first objective first."""
    order = sorted(rows, key=lambda row: tuple(candidates.losses[row].tolist()))
    shown = order[:MAX_MEMBERS]
    columns, records = trial_rows(candidates, shown, on_front=set(shown), hosts=False)
    if probabilities is not None:
        columns.insert(1, "probability")
        for record, row in zip(records, shown, strict=True):
            record["probability"] = float(probabilities[row])
    left_out = {"trial", "step", "checkpoint", "on_front", "basis", "host"}
    figures = [
        name
        for name in columns
        if name not in left_out
        and not name.startswith("param_")
        and not name.endswith(("_low", "_high"))
        and any(record.get(name) is not None for record in records)
    ]
    lines = [
        [
            label_of(candidates.trials[row]),
            *(shown_value(name, record.get(name)) for name in figures),
            ", ".join(f"{name} {value}" for name, value in shown_params(candidates.trials[row])),
        ]
        for row, record in zip(shown, records, strict=True)
    ]
    table = html_table(
        lines,
        head=["trial", *map(quantity_heading, figures), "hyperparameters"],
        right=range(1, len(figures) + 1),
        most=200,
    )
    more = len(order) - len(shown)
    return table + html_paragraph(f"and {more} more" if more else "")


def _references(references: Sequence[PlacedReference], objectives: Sequence[str]) -> str:
    lines = [
        [
            one.name,
            one.basis,
            *(shown_value(name, one.losses[name]) for name in objectives),
            one.status,
        ]
        for one in references[:MAX_REFERENCES]
    ]
    if not lines:
        return ""
    head = ["reference", "basis", *map(quantity_heading, objectives), "status"]
    more = len(references) - len(lines)
    return (
        html_paragraph("Results from elsewhere, which are no trials:")
        + html_table(lines, head=head, right=range(2, len(objectives) + 2))
        + html_paragraph(f"and {more} more" if more else "")
    )
