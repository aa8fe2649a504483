"""A selected trial in a notebook: what it is, why it was selected, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.checkpoints import label_of
from green_optuna.displays.picture import front_picture
from green_optuna.displays.words import named, shown_params, shown_value
from green_optuna.markup import (
    NOT_KNOWN,
    html_beside,
    html_heading,
    html_output,
    html_paragraph,
    html_table,
)
from green_optuna.record import inference_of, measurement_of
from green_optuna.repricing import describe_grid, repriced_for
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import quantity_heading, show_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.candidates import Candidates
    from green_optuna.intervals import Interval


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
        *shown_params(trial),
    ]
    return html_output(
        html_heading(f"Trial {label_of(trial)} of {named(candidates.study_name)}"),
        html_paragraph(" ".join(f"{clause[:1].upper()}{clause[1:]}." for clause in said)),
        html_beside(
            html_table(figures),
            front_picture(candidates, front, chosen=row),
        ),
    )


def _scores(
    candidates: Candidates, row: int, intervals: Mapping[str, Interval | None]
) -> Iterator[tuple[str, str]]:
    """Give what a trial scores, with intervals where they are known."""
    quality = candidates.trials[row].user_attrs.get(ATTRIBUTE, {}).get("quality")
    if quality is not None:
        yield "quality", shown_value("quality", quality)
    for name, value in candidates.values(row).items():
        one = intervals.get(name)
        ends = ""
        if one is not None:
            low, high = (show_quantity(name, end) for end in (one.low, one.high))
            ends = f" ({low} to {high}, {one.confidence:.0%} interval)"
        yield quantity_heading(name), shown_value(name, value) + ends


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
            yield quantity_heading(name), shown_value(name, value)
    if measurement is not None:
        sources = "; ".join(f"{name}: {one.name}" for name, one in measurement.sources.items())
        yield f"energy is {measurement.basis}", sources
    grid = repriced_for(trial)
    if grid is not None:
        yield "CO2e is repriced for", describe_grid(grid)
