"""What a report is about: a study's front, what rules choose from it, and what is known besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.checkpoints import checkpoint_of
from green_optuna.provenance import is_mixed
from green_optuna.record import measurement_of
from green_optuna.units import show_param

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from green_optuna.candidates import Candidates
    from green_optuna.energy import Trace
    from green_optuna.provenance import Provenance
    from green_optuna.references import PlacedReference
    from green_optuna.selection import Selection
    from green_optuna.uncertainty import Uncertainty


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A study's front, and all that is told of it.

    Attributes:
        candidates: All completed trials of the study, checkpoints if asked for, and what ended.
        rows: The front's rows of ``candidates``, in the order of the trials' numbers.
        provenance: How the completed trials were measured.
        references: Results from elsewhere that it is compared with.
        uncertainty: What the trials' errors tell of the front.
        choice: What the rule selects; None where there is nothing that it could.
        no_choice: Why the rule selects nothing; empty where it does.
        others: What each other rule selects, by its name; why not, in a sentence, where it cannot.
        traces: Power over time, as far as it is known, by the trial's number.
    """

    candidates: Candidates
    rows: tuple[int, ...]
    provenance: tuple[Provenance, ...]
    references: tuple[PlacedReference, ...]
    uncertainty: Uncertainty
    choice: Selection | None
    no_choice: str = ""
    others: Mapping[str, Selection | str] = field(default_factory=dict)
    traces: Mapping[int, Trace] = field(default_factory=dict)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives that the front is drawn over."""
        return self.candidates.objectives

    @property
    def chosen_row(self) -> int | None:
        """The row of ``candidates`` that the rule selects; None where it selects nothing."""
        return None if self.choice is None else self.choice.row

    def members_first(self) -> list[int]:
        """Give the front's rows: the chosen one, then the others by their first objective."""
        chosen, losses = self.chosen_row, self.candidates.losses
        rest = sorted((row for row in self.rows if row != chosen), key=lambda row: losses[row, 0])
        return rest if chosen is None else [chosen, *rest]

    def first_rows(self) -> dict[int, int]:
        """Give the front's trials by number, in the order of :meth:`members_first`.

        Each comes with its first row there: a trial with several checkpoints on the front is one.
        """
        found: dict[int, int] = {}
        for row in self.members_first():
            found.setdefault(self.candidates.trials[row].number, row)
        return found

    def steps_on_front(self, number: int) -> list[int]:
        """Give the saved steps of a trial that are on the front, as models of their own."""
        trials = [self.candidates.trials[row] for row in self.rows]
        saved = [checkpoint_of(trial) for trial in trials if trial.number == number]
        return [one.step for one in saved if one is not None]

    def runs_of(self, number: int) -> int:
        """Count the runs of a trial itself, and not of others that repeat it."""
        trial = next(one for _, one in self.candidates.ended if one.number == number)
        measurement = measurement_of(trial)
        return 1 if measurement is None else measurement.runs

    def spread_along_front(
        self, known: Iterable[int], most: int, *, first: Sequence[int] = ()
    ) -> list[int]:
        """Pick some of the front's trials: the chosen one, then others from all along it.

        Args:
            known: The numbers of the trials that may be picked, on the front or not.
            most: How many are picked at most.
            first: The numbers of those that are picked before the others.

        Returns:
            The numbers of the trials.
        """
        may_be = {*known}
        along = self.first_rows()
        chosen = [] if self.choice is None else [self.choice.number]
        wanted = [one for one in dict.fromkeys([*chosen, *first]) if one in may_be and one in along]
        others = [one for one in along if one in may_be and one not in wanted]
        n_others = min(max(most - len(wanted), 0), len(others))
        places = np.linspace(0, len(others) - 1, n_others).round().astype(np.intp).tolist()
        return [*wanted[:most], *(others[place] for place in places)]

    def params(self) -> tuple[list[str], dict[str, str]]:
        """Name the hyperparameters of the front's members.

        Returns:
            Those that differ among them, as they are shown; and the others, with the one value.
        """
        members = [self.candidates.trials[row].params for row in self.rows]
        values: dict[str, set[str]] = {}
        for name in dict.fromkeys(name for one in members for name in one):
            values[name] = {show_param(one[name]) if name in one else "" for one in members}
        same = {name: next(iter(shown)) for name, shown in values.items() if len(shown) == 1}
        return [name for name in values if name not in same], same

    @property
    def mixed(self) -> bool:
        """Whether it compares energies that were not all measured alike."""
        return is_mixed(self.provenance, self.objectives)
