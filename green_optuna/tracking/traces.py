"""Which trials' energy traces are read back from where they were logged, and how finely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from green_optuna.errors import OptionError
from green_optuna.tracking.front_note import default_selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.front import ParetoFront

# As many as can be told from one another side by side.
MAX_TRACES = 8

# More than a figure has room for: a trace of a week has half a million.
MAX_POINTS = 500


def traced_trials(front: ParetoFront, first: Sequence[int], limit: int) -> list[FrozenTrial]:
    """Say of which trials the traces are of most use, best first.

    Those that are asked for come first, then the one that the default rule selects, then others
    from all along the front. A trial with several checkpoints on the front is one.

    Args:
        front: The front.
        first: The numbers of the trials that are asked for, on the front or not.
        limit: The most trials.

    Raises:
        OptionError: A trial that is asked for is none that has ended.
    """
    ended = {trial.number: trial for _, trial in front.candidates.ended}
    unknown = [number for number in first if number not in ended]
    if unknown:
        raise OptionError(
            f"first names trials {unknown}, but no trial of the study {front.study_name!r} that "
            "has ended has such a number."
        )
    wanted = dict.fromkeys(first)
    selection = default_selection(front)
    if selection is not None:
        wanted.setdefault(selection.number)
    losses = front.candidates.losses[list(front.rows), 0]
    along = dict.fromkeys(front.numbers[at] for at in np.argsort(losses, kind="stable"))
    others = [number for number in along if number not in wanted]
    n_others = min(max(limit - len(wanted), 0), len(others))
    places = np.linspace(0, len(others) - 1, n_others).round().astype(np.intp)
    numbers = [*wanted, *(others[place] for place in places)][:limit]
    by_number = ended | {trial.number: trial for trial in front.trials}
    return [by_number[number] for number in numbers]
