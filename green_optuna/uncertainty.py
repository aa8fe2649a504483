"""How sure a front and a choice from it are, as far as the errors of its trials tell.

An objective of a trial has an error where an interval is known of it: of the runs of its function
(``repeats=``, and trials that repeat it), of a quality that came with one, of an inference. What is
counted is exact. Where nothing tells, no error is made up.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from green_optuna import doubt, pareto
from green_optuna.errors import NoModelMeetsCapsError, OptionError
from green_optuna.intervals import standard_error
from green_optuna.record import EACH_RUN, INFERENCE, LOSS_INTERVAL, trial_intervals
from green_optuna.rules.words import in_words, listed
from green_optuna.scalars import as_float
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from optuna.trial import FrozenTrial

    from green_optuna.candidates import Candidates
    from green_optuna.rules import Rule

EXACT: Final = frozenset({"n_params", "flops", "peak_memory_bytes"})
"""Objectives that are counted, and come out the same each time."""

# What is kept of each run of a trial's function, in this order.
_EACH_RUN_HAS = ("quality_loss", "energy_kwh", "duration_s")

# How many trials a sentence names.
MAX_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthRepeating:
    """Which trials are worth running again to settle what a rule chooses.

    Attributes:
        trials: Their numbers: the chosen one and its rival; the chosen one alone where it has no
            rival but may miss the rule's caps; none where the choice is settled.
        chosen: The number of the trial that the rule chooses.
        rival: The number of the trial that it would most often choose instead, if there is one.
        chosen_share: The share of the draws in which the rule chooses it; None where no
            probability can be told.
        rival_share: Likewise of the rival.
        reason: What was compared, in a sentence.
    """

    trials: tuple[int, ...]
    chosen: int
    rival: int | None
    chosen_share: float | None
    rival_share: float | None
    reason: str

    def __str__(self) -> str:
        """Say it in a sentence or two."""
        return self.reason


class Uncertainty:
    """What the errors of a study's trials tell of its front; worked out when it is asked for.

    Args:
        candidates: The completed trials of a study.
        assume_exact: Whether trials of which no error is known are taken as exact.
    """

    def __init__(self, candidates: Candidates, *, assume_exact: bool = False) -> None:
        self._candidates = candidates
        self._assume_exact = assume_exact
        self._rows = np.flatnonzero(candidates.feasible)
        columns = [name for name in candidates.objectives if name not in EXACT]
        self._uncertain = {name: candidates.objectives.index(name) for name in columns}

    @functools.cached_property
    def reason(self) -> str | None:
        """Why no probability can be told, in a sentence; None where one can."""
        if self._candidates.left_out is not None:
            return (
                "A step of a training is measured once, and nothing tells of its error: without "
                "checkpoints, errors of the trials may be known."
            )
        lacking = self._lacking
        if not lacking.size or (self._assume_exact and lacking.size < self._rows.size):
            return None
        name = repr(self._candidates.study_name)
        if lacking.size == self._rows.size:
            each = "each of " if len(self._uncertain) > 1 else ""
            of_what = listed(map(in_words, self._uncertain))
            said = f"No trial of {name} has a known error in {each}{of_what}"
            if self._candidates.terms is None:
                return f"{said}: none is known of what green_optuna has not measured."
            return (
                f"{said}: none is known where a function ran once. Ask for repeats=, or run trials "
                "again with green-optuna repeat."
            )
        numbers = [str(self._candidates.trials[row].number) for row in lacking[:MAX_NAMED]]
        more = f" and {lacking.size - MAX_NAMED} more" if lacking.size > MAX_NAMED else ""
        return (
            f"Of {lacking.size} of the {self._rows.size} trials of {name} no error is known "
            f"({', '.join(numbers)}{more}), and each probability hangs on all of them. Run them "
            "again with green-optuna repeat, or pass assume_exact=True (--assume-exact on the "
            "command line) to take them as exact."
        )

    @property
    def partly_known(self) -> bool:
        """Whether the errors of some trials are known, and of others not."""
        return 0 < self._lacking.size < self._rows.size

    @functools.cached_property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """Each trial's probability of being on the front, in the shape of (n_trials,).

        None where it cannot be told; NaN for those that violate a constraint.
        """
        if self.reason is not None or not self._rows.size:
            return None
        known = np.full(len(self._candidates.trials), np.nan)
        known[self._rows] = doubt.probabilities(
            *self._errors, like=self._like, non_negative=self._non_negative
        )
        return known

    def of(self, row: int) -> float | None:
        """Give a trial's probability of being on the front; None where it cannot be told."""
        known = self.probabilities
        return None if known is None or np.isnan(known[row]) else float(known[row])

    def probable(self, rows: Sequence[int], least: float) -> tuple[int, ...]:
        """Keep the rows that are on the front with at least this probability.

        Raises:
            OptionError: It is no probability, or none can be told.
            NoModelMeetsCapsError: No row is so probable; the message says how probable one is.
        """
        number = as_float(least)
        if number is None or not 0 < number <= 1:
            raise OptionError(
                f"min_probability is {least!r}: give a number above 0, and 1 at most."
            )
        if self.probabilities is None:
            raise OptionError(f"min_probability is {least!r}, and none can be told. {self.reason}")
        known = self.probabilities[list(rows)]
        kept = tuple(row for row, one in zip(rows, known, strict=True) if one >= number)
        if not kept:
            best = int(known.argmax())
            raise NoModelMeetsCapsError(
                f"No trial is on the front with a probability of {number:g} or more: the greatest "
                f"is {known[best]:.3g}, of trial {self._candidates.trials[rows[best]].number}. "
                "Ask for less, or run trials again with green-optuna repeat."
            )
        return kept

    def worth_repeating(self, rule: Rule, chosen: int) -> WorthRepeating:
        """Say which two trials are worth running again to settle a rule's choice.

        Where probabilities can be told, the rule is applied to the front of each draw. The rival
        is the trial that it chooses most often when it does not choose the one that it chooses
        from the front as it is; of equal ones, the first. Where none can be told, no error is made
        up: the rival is the trial that the rule would choose if the chosen one were not there.

        Args:
            rule: The rule.
            chosen: The row that it chooses from the front.

        Raises:
            OptionError: There are checkpoints among the candidates.
        """
        numbers = [trial.number for trial in self._candidates.trials]
        if self._candidates.left_out is not None:
            raise OptionError(
                "A step of a training cannot be run again by itself: ask a front without "
                "checkpoints which trials are worth repeating."
            )
        if self.reason is not None:
            return self._without_errors(rule, chosen)
        wins = self._wins(rule)
        others = np.where(np.arange(len(wins)) == chosen, 0.0, wins)
        rival = int(others.argmax()) if others.any() else None
        nobody = max(0.0, 1.0 - float(wins.sum()))
        says = f"{rule.describe()}: trial {numbers[chosen]} in {wins[chosen]:.1%} of the draws"
        trials: tuple[int, ...] = (numbers[chosen],)
        if rival is not None:
            trials = (numbers[chosen], numbers[rival])
            says += f", trial {numbers[rival]} in {wins[rival]:.1%}"
        if nobody > 1e-9:
            says += f", none in {nobody:.1%}"
        elif rival is None:
            trials = ()
            says += "; nothing is left to settle"
        return WorthRepeating(
            trials=trials,
            chosen=numbers[chosen],
            rival=None if rival is None else numbers[rival],
            chosen_share=float(wins[chosen]),
            rival_share=None if rival is None else float(wins[rival]),
            reason=f"{says}.{self._if_runs_are_equal(chosen, rival)}",
        )

    def _if_runs_are_equal(self, *rows: int | None) -> str:
        """Say which trials had the same quality in each run, which may be no certainty."""
        if "quality_loss" not in self._uncertain:
            return ""
        column = self._candidates.objectives.index("quality_loss")
        scales = dict(zip(self._rows.tolist(), self._scales_and_degrees[0][:, column], strict=True))
        equal = [
            self._candidates.trials[row].number
            for row in rows
            if row in scales and scales[row] == 0
        ]
        if not equal:
            return ""
        return (
            f" All runs of trial {' and of trial '.join(map(str, equal))} gave the same quality: "
            "if they had the same seed, that says nothing of how far trainings differ."
        )

    def _without_errors(self, rule: Rule, chosen: int) -> WorthRepeating:
        candidates = self._candidates
        others = self._rows[self._rows != chosen]
        front = others[pareto.non_dominated(candidates.losses[others])]
        place = _choice(rule, candidates.losses[front], candidates.objectives)
        number = candidates.trials[chosen].number
        rival = None if place is None else candidates.trials[front[place]].number
        then = "no other" if rival is None else f"trial {rival}"
        return WorthRepeating(
            trials=(number,) if rival is None else (number, rival),
            chosen=number,
            rival=rival,
            chosen_share=None,
            rival_share=None,
            reason=f"{rule.describe()}: trial {number}, and {then} if it were not there. How sure "
            f"that is cannot be told. {self.reason}",
        )

    def _wins(self, rule: Rule) -> npt.NDArray[np.float64]:
        """Give the share of the draws in which a rule chooses each trial, (n_trials,)."""
        names = self._candidates.objectives
        wins = np.zeros(len(self._candidates.trials))
        wins[self._rows] = doubt.winning_shares(
            *self._errors,
            choose=lambda losses: _choice(rule, losses, names),
            like=self._like,
            non_negative=self._non_negative,
        )
        return wins

    @functools.cached_property
    def _lacking(self) -> npt.NDArray[np.intp]:
        """The feasible rows of which an error is not known, in the shape of (n_lacking,)."""
        scales = self._scales_and_degrees[0]
        return self._rows[np.isnan(scales).any(axis=1)]

    @functools.cached_property
    def _scales_and_degrees(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The errors of the feasible rows, (n_feasible, m) each; NaN where none is known."""
        candidates = self._candidates
        scales = np.zeros((self._rows.size, len(candidates.objectives)))
        degrees = np.ones_like(scales)
        scales[:, list(self._uncertain.values())] = np.nan
        for place, row in enumerate(self._rows):
            trial = candidates.trials[row]
            for name, (mean, error, n) in _errors_of(trial, tuple(self._uncertain)).items():
                column = self._uncertain[name]
                # CO2e errs by the same share as energy, at any carbon intensity.
                rescaled = name == "co2e_kg" and mean > 0
                unit = candidates.losses[row, column] / mean if rescaled else 1.0
                scales[place, column], degrees[place, column] = error * unit, n - 1
        return scales, degrees

    @functools.cached_property
    def _errors(
        self,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Losses, scales and degrees of the feasible rows, those without an error as exact."""
        scales, degrees = self._scales_and_degrees
        return self._candidates.losses[self._rows], np.nan_to_num(scales, nan=0.0), degrees

    @property
    def _non_negative(self) -> bool:
        """Whether all objectives are losses and costs: a study by hand may have others."""
        return bool((self._candidates.losses[self._rows] >= 0).all())

    @property
    def _like(self) -> list[int]:
        """Which columns share errors: CO2e is a multiple of the energy of the same runs."""
        names = self._candidates.objectives
        like = list(range(len(names)))
        if "co2e_kg" in names and "energy_kwh" in names:
            like[names.index("co2e_kg")] = names.index("energy_kwh")
        return like


def _errors_of(trial: FrozenTrial, names: tuple[str, ...]) -> dict[str, tuple[float, float, int]]:
    """Give the mean, its standard error and the number of values, of each objective that has one.

    It is what the trial's intervals tell. Of runs alone it is worked out without the intervals,
    which takes a tenth of the time.
    """
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    if LOSS_INTERVAL in kept or (INFERENCE in kept and "inference_kwh" in names):
        intervals = trial_intervals(trial, names)
        known = {name: one for name, one in intervals.items() if one is not None and one.n > 1}
        return {name: (one.mean, standard_error(one) or 0.0, one.n) for name, one in known.items()}
    runs = np.array(kept.get(EACH_RUN, ()), dtype=np.float64)
    if len(runs) < 2:
        return {}
    # Equal values have no spread, whatever rounding makes of it.
    spreads = np.where(np.ptp(runs, axis=0) == 0, 0.0, runs.std(axis=0, ddof=1))
    means, errors = runs.mean(axis=0).tolist(), (spreads / math.sqrt(len(runs))).tolist()
    found = {}
    for name in names:
        own = "energy_kwh" if name == "co2e_kg" else name
        if own in _EACH_RUN_HAS:
            column = _EACH_RUN_HAS.index(own)
            found[name] = (means[column], errors[column], len(runs))
    return found


def _choice(rule: Rule, losses: npt.NDArray[np.float64], names: Sequence[str]) -> int | None:
    """Give the row that a rule chooses; None where no row meets its caps, or there is none."""
    if not len(losses):
        return None
    try:
        return rule.choose(losses, names)
    except NoModelMeetsCapsError:
        return None
