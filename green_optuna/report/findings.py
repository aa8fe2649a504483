"""What was found, in three sentences for a person who has never heard of a Pareto front."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.checkpoints import checkpoint_of, name_of
from green_optuna.ledger import name_row, show_trainings
from green_optuna.rules import BestQuality
from green_optuna.rules.words import in_words, least_in_words, listed
from green_optuna.selection import percent
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import format_co2e, format_energy, show_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.candidates import Candidates
    from green_optuna.report.subject import Subject
    from green_optuna.selection import Selection

# Of how many objectives a sentence gives the values.
_MOST_NAMED = 3

# Fewer trainings than this are no comparison: the search was hardly more than the choice.
_FEW_TRAININGS = 1.5


def findings(subject: Subject) -> tuple[str, ...]:
    """Say what was found: what is chosen, what the best trials are like, what the search cost.

    Qualities are in the unit of the study. Numbers are those of the subject: repriced where it is.

    Returns:
        Three sentences; fewer where there is no choice, no front, or nothing was measured.
    """
    said = (_choice(subject), _front(subject), _search(subject))
    return tuple(one for one in said if one is not None)


def _choice(subject: Subject) -> str | None:
    """Say what is chosen, what a training of it takes, and what that saves for which quality."""
    choice = subject.choice
    if choice is None:
        return None
    said = f"Trial {choice.label} is the choice ({choice.describe_rule()}): "
    parts = [part for part in (_cost(choice), _quality(choice)) if part is not None]
    if not parts:
        values = choice.objectives.items()
        parts = [f"its {in_words(name)} is {show_quantity(name, value)}" for name, value in values]
    return f"{said}{', and '.join(parts)}."


def _cost(choice: Selection) -> str | None:
    co2e_kg, saving = choice.co2e_kg, choice.saving
    if co2e_kg is None:
        return None
    training = "one training" if choice.step is None else "one training up to that step"
    takes = "takes" if choice.repriced_for is None else "would take"
    said = f"{training} {takes} {format_co2e(co2e_kg)} of CO2e"
    if saving is None or saving.share is None or str(saving.against) == choice.label:
        return said
    share = percent(abs(saving.share))
    if share == "0 %":
        return f"{said}, about as much as trial {saving.against}"
    return f"{said}, {share} {'less' if saving.share > 0 else 'more'} than trial {saving.against}"


def _quality(choice: Selection) -> str | None:
    candidates, front = choice.candidates, list(choice.front)
    if "quality_loss" not in candidates.objectives:
        return None
    row = choice.row
    best = front[BestQuality().choose(candidates.losses[front], candidates.objectives)]
    losses = candidates.losses[:, candidates.objectives.index("quality_loss")]
    word, shown = _word(candidates, "quality_loss"), _show(candidates, row, "quality_loss")
    if losses[row] <= losses[best]:
        return f"its {word}, {shown}, is the best"
    better, name = _show(candidates, best, "quality_loss"), name_of(candidates.trials[best])
    if better == shown:
        return f"its {word}, {shown}, is as good as the best to four digits"
    return f"its {word} is {shown}, where trial {name} has the best, {better}"


def _word(candidates: Candidates, name: str) -> str:
    """Name what :func:`_show` shows of an objective."""
    return "quality" if name == "quality_loss" and candidates.terms else in_words(name)


def _show(candidates: Candidates, row: int, name: str) -> str:
    """Show an objective of a candidate: a quality as it was returned, if its bounds are known."""
    value = float(candidates.losses[row, candidates.objectives.index(name)])
    if name != "quality_loss" or candidates.terms is None or not math.isfinite(value):
        return show_quantity(name, value)
    kept = candidates.trials[row].user_attrs.get(ATTRIBUTE, {}).get("quality")
    quality = candidates.terms.quality_bounds.quality(value) if kept is None else kept
    return show_quantity("quality", quality)


def _front(subject: Subject) -> str | None:
    """Say how many trials are on the front, what that means, and how far they reach."""
    candidates, rows = subject.candidates, subject.rows
    if not rows:
        return None
    names = candidates.objectives
    first, words = name_of(candidates.trials[rows[0]]), [_word(candidates, one) for one in names]
    values = listed(
        f"{word} {_show(candidates, rows[0], name)}"
        for word, name in zip(words[:_MOST_NAMED], names, strict=False)
    )
    if len(candidates.trials) == candidates.n_completed == 1:
        return f"Only trial {first} has completed: {values}."
    of, n = _compared(candidates), len(rows)
    if len(names) == 1:
        have = f"trial {first} has" if n == 1 else f"{n} have"
        value = _show(candidates, rows[0], names[0])
        return f"Of {of}, {have} the {least_in_words(names[0])}, {value}."
    if n == 1:
        return f"Of {of}, trial {first} is no worse than any in {listed(words)}: {values}."
    ranges = listed(
        f"{word}{'' if place else ' lies'} {_range(candidates, rows, name)}"
        for place, (word, name) in enumerate(zip(words[:_MOST_NAMED], names, strict=False))
    )
    members = "all" if n == len(candidates.trials) else n
    return (
        f"Of {of}, {members} are on the Pareto front: no other is better than one of these in "
        f"{listed(words, link='or')} without being worse in another; {ranges}."
    )


def _compared(candidates: Candidates) -> str:
    """Say of how many candidates a front is drawn."""
    steps = np.array([checkpoint_of(one) is not None for one in candidates.trials], dtype=np.bool_)
    feasible = candidates.feasible
    n, n_steps = int((feasible & ~steps).sum()), int((feasible & steps).sum())
    said = f"{n} completed {'trial' if n == 1 else 'trials'}"
    if n_steps:
        said += f" and {n_steps} {'checkpoint' if n_steps == 1 else 'checkpoints'}"
    n_over = int((~feasible).sum())
    others = "1 other is" if n_over == 1 else f"{n_over} others are"
    return f"{said} within their constraints ({others} not)" if n_over else said


def _range(candidates: Candidates, rows: Sequence[int], name: str) -> str:
    """Say between which values the members of a front lie, as far as these are finite."""
    losses = candidates.losses[:, candidates.objectives.index(name)].tolist()
    finite = [row for row in rows if math.isfinite(losses[row])] or rows
    ends = [min(finite, key=losses.__getitem__), max(finite, key=losses.__getitem__)]
    if _word(candidates, name) == "quality":
        ends.reverse()  # from the worst to the best: the greatest loss is the worst quality
    first, last = (_show(candidates, row, name) for row in ends)
    return f"at {first}" if first == last else f"between {first} and {last}"


def _search(subject: Subject) -> str | None:
    """Say what the search cost, against the choice, and how much of it went into no result."""
    candidates, choice = subject.candidates, subject.choice
    ledger = candidates.ledger
    if not ledger.energy_kwh > 0:
        return None
    said = (
        f"The search {ledger.cost_in_words} {format_co2e(ledger.co2e_kg)} of CO2e "
        f"({format_energy(ledger.energy_kwh)})"
    )
    trainings = ledger.against(choice.measurement) if choice is not None else None
    if trainings is not None and trainings >= _FEW_TRAININGS and choice is not None:
        said += f", as much as {show_trainings(trainings)} of trial {choice.label}"
    given_up = [ledger[account] for account in ("pruned", "failed", "killed")]
    given_up = [row for row in given_up if row.n_trials]
    if not given_up:
        return f"{said}."
    share = percent(math.fsum(row.energy_kwh for row in given_up) / ledger.energy_kwh)
    trials = "trial" if [row.n_trials for row in given_up] == [1] else "trials"
    part = "all" if share == "100 %" else share
    took = "would have taken" if ledger.repriced else "took"
    return f"{said}; {listed(map(name_row, given_up))} {trials} {took} {part} of that."
