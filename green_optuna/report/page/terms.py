"""On what terms a study measured, and how far to trust it, as names and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.provenance import provenance_of
from green_optuna.record import measurement_of
from green_optuna.report.page.words import objectives_words
from green_optuna.repricing import describe_grid
from green_optuna.units import quantity_heading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.carbon import Grid
    from green_optuna.report.subject import Subject
    from green_optuna.terms import StudyTerms

_LOSS = "1 - quality stands for how far a quality is from the best: 0 there, and 1 at the worst"
_PROBABILITY = (
    "The probability of being on the front is the share of draws from the trials' errors in which "
    "a trial is there."
)


def terms_of(subject: Subject) -> list[tuple[str, str]]:
    """Say on what terms the study measured, and how sure it is."""
    candidates = subject.candidates
    terms, grid = candidates.terms, candidates.grid
    if terms is None or grid is None:
        return [("Energy", "green_optuna has measured nothing in this study.")]
    repricing, ended = candidates.repricing, [trial for _, trial in candidates.ended]
    return [
        ("Objectives", _objectives(subject, terms)),
        *_agreed(terms, grid),
        *([] if repricing is None else [("Repriced", str(repricing))]),
        *(("Measured", str(group)) for group in provenance_of(ended)),
        *_shared(ended),
        *_how_sure(subject),
        ("Not counted", "Emissions of making the hardware, and what other programs used."),
    ]


def _shared(ended: Sequence[FrozenTrial]) -> list[tuple[str, str]]:
    """Say how many trials had others beside them; nothing where none had."""
    measured = [one for one in map(measurement_of, ended) if one is not None]
    n = sum(one.shared for one in measured)
    if not n:
        return []
    if len(measured) == 1:
        which = "The trial"
    else:
        which = "All trials" if n == len(measured) else f"{n} of {len(measured)} trials"
    said = (
        f"{which} ran beside other trials on the same machine, and what they used together is "
        "shared out among them."
    )
    return [("Shared", said)]


def _how_sure(subject: Subject) -> list[tuple[str, str]]:
    uncertainty = subject.uncertainty
    if uncertainty.reason is not None:
        return [("How sure", uncertainty.reason)]
    return [] if uncertainty.probabilities is None else [("How sure", _PROBABILITY)]


def _objectives(subject: Subject, terms: StudyTerms) -> str:
    """Say what the search minimised, and what of it the front compares, if not all."""
    others = objectives_words(subject)
    if others is not None:
        return others
    said = ", ".join(map(quantity_heading, terms.objectives))
    return f"{said}: {'all ' if len(terms.objectives) > 1 else ''}minimised"


def _agreed(terms: StudyTerms, grid: Grid) -> list[tuple[str, str]]:
    """Say what all trials of the study have in common."""
    bounds = terms.quality_bounds
    pue = "1: what the building adds is not known, and not counted"
    return [
        ("Quality", f"{bounds.worst:g} is the worst, {bounds.best:g} the best; {_LOSS}"),
        ("Carbon intensity", f"{describe_grid(grid)}: one figure for the whole study"),
        ("PUE", pue if grid.pue == 1 else f"{grid.pue:g}"),
    ]
