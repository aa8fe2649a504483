"""Where a study's trials lie, and its front among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.checkpoints import label_of
from green_optuna.displays.words import describe_front
from green_optuna.figures import FRONT_COLOUR, OTHERS_COLOUR, REFERENCE_COLOURS
from green_optuna.markup import in_words
from green_optuna.sketch import Axis, Points, scatter
from green_optuna.units import quantity_heading, quantity_label, show_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from green_optuna.candidates import Candidates
    from green_optuna.references import PlacedReference


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
    groups = [
        _other_points(candidates, rows),
        _front_points(candidates, rows, chosen),
        *_reference_points(references, upwards, rightwards),
    ]
    return scatter(
        groups,
        x=_axis(rightwards) if rightwards else Axis(label="trial", show="{:.0f}".format),
        y=_axis(upwards),
        label=f"{describe_front(candidates, rows)} {quantity_heading(upwards)} goes upwards, "
        f"{quantity_heading(rightwards or 'trial')} to the right.",
    )


def _other_points(candidates: Candidates, rows: Sequence[int]) -> Points:
    on_front = set(rows)
    others = [row for row in range(len(candidates.trials)) if row not in on_front]
    x, y = _places(candidates, others)
    return Points(
        label="other trials",
        colour=OTHERS_COLOUR,
        shape="square",
        x=x,
        y=y,
        title=lambda index: _exact(candidates, others[index]),
    )


def _front_points(candidates: Candidates, rows: Sequence[int], chosen: int | None) -> Points:
    x, y = _places(candidates, rows)
    ringed = None if chosen is None else rows.index(chosen)
    name = "" if chosen is None else f"trial {label_of(candidates.trials[chosen])}"
    return Points(
        label="Pareto front",
        colour=FRONT_COLOUR,
        shape="circle",
        x=x,
        y=y,
        title=lambda index: _exact(candidates, rows[index]),
        name=lambda index: name if index == ringed else "",
        # Over three objectives the members of a front lie on no line.
        stairs=len(candidates.objectives) == 2,
        ringed=ringed,
    )


def _places(candidates: Candidates, rows: Sequence[int]) -> tuple[list[float], list[float]]:
    """Give where trials lie to the right and upwards."""
    losses = candidates.losses[list(rows)]
    if losses.shape[1] > 1:
        return losses[:, 1].tolist(), losses[:, 0].tolist()
    return [float(candidates.trials[row].number) for row in rows], losses[:, 0].tolist()


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
