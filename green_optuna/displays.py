"""What a notebook shows of a front and of a selection: HTML with tables and a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from green_optuna.checkpoints import label_of
from green_optuna.figures import FRONT_COLOUR, OTHERS_COLOUR, REFERENCE_COLOURS
from green_optuna.markup import (
    NOT_KNOWN,
    html_beside,
    html_heading,
    html_output,
    html_paragraph,
    html_table,
    in_words,
)
from green_optuna.record import inference_of, measurement_of
from green_optuna.repricing import describe_grid, repriced_for
from green_optuna.sketch import Axis, Points, scatter
from green_optuna.terms import ATTRIBUTE
from green_optuna.trial_rows import trial_rows
from green_optuna.units import quantity_heading, quantity_label, show_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    from optuna.trial import FrozenTrial

    from green_optuna.candidates import Candidates
    from green_optuna.intervals import Interval
    from green_optuna.references import PlacedReference

MAX_MEMBERS: Final = 20
"""So many members of a front stand in its table."""

MAX_PARAMS: Final = 20
"""So many hyperparameters of a trial are shown."""

MAX_REFERENCES: Final = 10
"""So many references stand in their table."""


def describe_front(candidates: Candidates, rows: Sequence[int]) -> str:
    """Say in a sentence how many of how many trials are on a front, and over what."""
    names = [quantity_heading(name) for name in candidates.objectives]
    over = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    of = _counted(candidates.n_completed, "completed trial")
    if candidates.n_checkpoints:
        of += f" and {_counted(candidates.n_checkpoints, 'checkpoint')}"
    verb = "is" if len(rows) == 1 else "are"
    return f"{len(rows)} of {of} of {candidates.study_name!r} {verb} on the Pareto front of {over}."


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def describe_spending(candidates: Candidates) -> str:
    """Say in a sentence or two what the search spent, or that nobody knows."""
    ledger = candidates.ledger
    if ledger.n_trials == 0 and not ledger.energy_kwh:
        return f"What the search spent is {NOT_KNOWN}: no trial was measured."
    return str(ledger)


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


def selection_html(
    candidates: Candidates,
    front: Sequence[int],
    row: int,
    *,
    said: Sequence[str],
    intervals: Mapping[str, Interval | None],
) -> str:
    """Show a selected trial: what it is, why it was selected, and where it lies on the front.

    Args:
        candidates: The completed trials of a study.
        front: The front's rows of them.
        row: The selected one's.
        said: Why it was selected and what it saves, in clauses.
        intervals: The interval of each objective, by name.
    """
    trial = candidates.trials[row]
    figures = [
        *_scores(candidates, row, intervals),
        *_costs(trial, candidates.objectives),
        *_params(trial),
    ]
    return html_output(
        html_heading(f"Trial {label_of(trial)} of {candidates.study_name!r}"),
        html_paragraph(" ".join(f"{clause[:1].upper()}{clause[1:]}." for clause in said)),
        html_beside(
            html_table(figures),
            front_picture(candidates, front, chosen=row),
        ),
    )


def front_picture(
    candidates: Candidates,
    rows: Sequence[int],
    *,
    chosen: int | None = None,
    references: Sequence[PlacedReference] = (),
) -> str:
    """Draw the trials over the first two objectives, those of the front marked.

    Args:
        candidates: The completed trials of a study.
        rows: The front's rows of them.
        chosen: The row of the selected one, which is named.
        references: Results from elsewhere; those are drawn of which both objectives are known.

    Returns:
        An ``<svg>``; nothing where there is nothing to draw.
    """
    objectives = candidates.objectives
    upwards = objectives[0]
    # Of one objective alone, the trials are in their order.
    rightwards = objectives[1] if len(objectives) > 1 else None
    on_front = set(rows)
    others = [row for row in range(len(candidates.trials)) if row not in on_front]

    def points(label: str, part: Sequence[int], **how: Any) -> Points:  # noqa: ANN401 - of Points
        losses = candidates.losses[list(part)]
        order = [float(candidates.trials[row].number) for row in part]
        return Points(
            label=label,
            x=order if rightwards is None else losses[:, 1].tolist(),
            y=losses[:, 0].tolist(),
            title=lambda index: _exact(candidates, part[index]),
            **how,
        )

    members = list(rows)
    groups = [
        points("other trials", others, colour=OTHERS_COLOUR, shape="square"),
        points(
            "Pareto front",
            members,
            colour=FRONT_COLOUR,
            shape="circle",
            # Over three objectives the members of a front lie on no line.
            stairs=len(objectives) == 2,
            ringed=members.index(chosen) if chosen in members else None,
            name=lambda index: (
                f"trial {label_of(candidates.trials[members[index]])}"
                if members[index] == chosen
                else ""
            ),
        ),
        *_reference_points(references, upwards, rightwards),
    ]
    return scatter(
        groups,
        x=_axis(rightwards) if rightwards else Axis(label="trial", show="{:.0f}".format),
        y=_axis(upwards),
        label=f"{describe_front(candidates, rows)} {quantity_heading(upwards)} goes upwards, "
        f"{quantity_heading(rightwards or 'trial')} to the right.",
    )


def _axis(name: str) -> Axis:
    return Axis(
        label=quantity_heading(name),
        show=lambda value: show_quantity(name, value),
        is_clock=name == "duration_s",
    )


def _reference_points(
    references: Sequence[PlacedReference], upwards: str, rightwards: str | None
) -> Iterator[Points]:
    for basis, colour in REFERENCE_COLOURS.items():
        part = [
            one
            for one in references
            if one.basis == basis and upwards in one.values and rightwards in one.values
        ]
        if part and rightwards is not None:
            yield Points(
                label=basis,
                colour=colour,
                shape="diamond",
                filled=False,
                x=[one.values[rightwards] for one in part],
                y=[one.values[upwards] for one in part],
                title=lambda index, part=part: f"{part[index].name}: {part[index].status}",  # type: ignore[misc]  # of this basis
                name=lambda index, part=part: part[index].name,  # type: ignore[misc]
            )


def _exact(candidates: Candidates, row: int) -> str:
    """Say what a point is, with the values that the study keeps, in the units of data."""
    values = (
        f"{quantity_label(name)} {in_words(value, f'{value:.10g}')}"
        for name, value in candidates.values(row).items()
    )
    return f"trial {label_of(candidates.trials[row])}: {', '.join(values)}"


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
            *(_shown(name, record.get(name)) for name in figures),
            ", ".join(f"{name} {value}" for name, value in _params(candidates.trials[row])),
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
        [one.name, one.basis, *(_shown(name, one.losses[name]) for name in objectives), one.status]
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


def _scores(
    candidates: Candidates, row: int, intervals: Mapping[str, Interval | None]
) -> Iterator[tuple[str, str]]:
    """Give what a trial scores, with intervals where they are known."""
    quality = candidates.trials[row].user_attrs.get(ATTRIBUTE, {}).get("quality")
    if quality is not None:
        yield "quality", _shown("quality", quality)
    for name, value in candidates.values(row).items():
        one = intervals.get(name)
        ends = ""
        if one is not None:
            low, high = (show_quantity(name, end) for end in (one.low, one.high))
            ends = f" ({low} to {high}, {one.confidence:.0%} interval)"
        yield quantity_heading(name), _shown(name, value) + ends


def _costs(trial: FrozenTrial, objectives: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give what else is known of what a trial cost, and how it is known."""
    measurement, inference = measurement_of(trial), inference_of(trial)
    known: dict[str, float] = {}
    if measurement is None:
        yield "energy", NOT_KNOWN
    else:
        known |= {
            "energy_kwh": measurement.energy_per_run_kwh,
            "duration_s": measurement.duration_per_run_s,
        }
    if inference is not None:
        known |= inference.values
    for name, value in known.items():
        if name not in objectives:
            yield quantity_heading(name), _shown(name, value)
    if measurement is not None:
        sources = "; ".join(f"{name}: {one.name}" for name, one in measurement.sources.items())
        yield f"energy is {measurement.basis}", sources
    grid = repriced_for(trial)
    if grid is not None:
        yield "CO2e is repriced for", describe_grid(grid)


def _params(trial: FrozenTrial) -> list[tuple[str, str]]:
    """Give a trial's hyperparameters as a person reads them, and how many more there are."""
    shown = [
        (name, f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in list(trial.params.items())[:MAX_PARAMS]
    ]
    more = len(trial.params) - len(shown)
    return [*shown, ("and", f"{more} more")] if more else shown


def _shown(name: str, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return in_words(value, "")
    return show_quantity(name, value)
