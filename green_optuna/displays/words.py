"""Trials, fronts and values in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from green_optuna.markup import NOT_KNOWN, in_words, shortened
from green_optuna.units import quantity_heading, show_param, show_quantity
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.candidates import Candidates

MAX_PARAMS: Final = 20
"""So many hyperparameters of a trial are shown."""

MAX_NAME: Final = 60
"""So many characters of a study's name are shown."""


def describe_front(candidates: Candidates, rows: Sequence[int]) -> str:
    """Say in a sentence how many of how many trials are on a front, and over what."""
    names = [quantity_heading(name) for name in candidates.objectives]
    over = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    of = _counted(candidates.n_completed, "completed trial")
    if candidates.n_checkpoints:
        of += f" and {_counted(candidates.n_checkpoints, 'checkpoint')}"
    verb = "is" if len(rows) == 1 else "are"
    return (
        f"{len(rows)} of {of} of {named(candidates.study_name)} {verb} on the Pareto front of "
        f"{over}."
    )


def named(study_name: str) -> str:
    """Give a study's name in quotes, without passwords of addresses, and not too much of it."""
    return repr(shortened(shown_text(study_name), MAX_NAME))


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def describe_spending(candidates: Candidates) -> str:
    """Say in a sentence or two what the search spent, or that nobody knows."""
    ledger = candidates.ledger
    if ledger.n_trials == 0 and not ledger.energy_kwh:
        return f"What the search spent is {NOT_KNOWN}: no trial was measured."
    return str(ledger)


def shown_params(trial: FrozenTrial) -> list[tuple[str, str]]:
    """Give a trial's hyperparameters as a person reads them, and how many more there are."""
    shown = [(name, show_param(value)) for name, value in list(trial.params.items())[:MAX_PARAMS]]
    more = len(trial.params) - len(shown)
    return [*shown, ("and", f"{more} more")] if more else shown


def shown_value(name: str, value: float | None) -> str:
    """Give a value as a person reads it, or words where it is no finite number."""
    if value is None or not math.isfinite(value):
        return in_words(value, "")
    return show_quantity(name, value)
