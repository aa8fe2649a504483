"""Which hyperparameters decided each objective, as Optuna's own evaluator tells it.

The evaluator is PED-ANOVA (Watanabe, Bansal and Hutter 2023, https://arxiv.org/abs/2304.10255), the
default of Optuna 5. It compares the values that a hyperparameter has in the best tenth of the
trials with those that it has in all of them: the further the two distributions lie apart, the more
it matters for being among the best. Trials that lack a conditional hyperparameter are weighed as
their own group (Conditional PED-ANOVA, https://arxiv.org/abs/2601.20800).
"""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import optuna

from green_optuna.checkpoints import checkpoint_of
from green_optuna.rules.words import in_words

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    import numpy.typing as npt
    from optuna.distributions import BaseDistribution
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, TrialState

    from green_optuna.report.subject import Subject

WHAT_IT_MEASURES: Final = (
    "How far the values of a hyperparameter in the best tenth of the trials lie from its values in "
    "all of them, as a share of the sum over all hyperparameters: what it takes to be among the "
    "best, within what was tried."
)
"""What a share is, in a sentence for people."""

BEST_SHARE: Final = 0.1
"""The share of the trials that counts as the best: the evaluator's own default."""

# Of 100 made studies in which one of five hyperparameters decides all but a little noise, it came
# first in 10 with 10 trials, in 45 with 20, in 79 with 30 and in 95 with 50: below 30 it is little
# better than a guess.
MIN_TRIALS: Final = 30

# The evaluator's documentation asks for five trials among the best.
ENOUGH_BEST: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much one hyperparameter matters for one objective.

    Attributes:
        name: The hyperparameter.
        share: Its share of the sum over all that are compared, from 0 to 1.
        n_trials: How many of the trials have it: a conditional one is not in all.
    """

    name: str
    share: float
    n_trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared:
    """A hyperparameter of which nothing can be told.

    Attributes:
        name: The hyperparameter.
        why: Why not, in a clause.
    """

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """What decided one objective.

    Attributes:
        objective: The objective.
        n_trials: On how many completed trials it rests: those whose value is finite.
        n_best: How many of them count as the best; more than a tenth where values are equal.
        shares: The hyperparameters, the one that matters most first; empty where ``reason`` says
            why nothing can be told.
        not_compared: The hyperparameters that were left out.
        reason: Why nothing can be told, in a sentence; None where it can.
    """

    objective: str
    n_trials: int
    n_best: int = 0
    shares: tuple[Share, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    reason: str | None = None

    @property
    def rough(self) -> bool:
        """Whether it rests on fewer of the best trials than would settle it."""
        return self.reason is None and self.n_best < ENOUGH_BEST

    @property
    def note(self) -> str:
        """Say on what it rests, or why there is nothing, and what was left out."""
        said = [self.reason or f"The best {self.n_best} of {self.n_trials} trials against all."]
        if self.rough:
            said.append("So few tell it roughly: the order may change with more trials.")
        partly = [one for one in self.shares if one.n_trials < self.n_trials]
        if partly:
            named = ", ".join(f"{one.name} ({one.n_trials})" for one in partly)
            said.append(f"Not in all trials: {named}.")
        if self.not_compared:
            named = "; ".join(f"{one.name} ({one.why})" for one in self.not_compared)
            said.append(f"Not compared: {named}.")
        return " ".join(said)


def importances(subject: Subject) -> tuple[Importance, ...]:
    """Tell which hyperparameters decided each objective.

    Completed trials count, those over a cap too, with the values that the subject has of them
    (repriced, pooled). Repeats and checkpoints do not: they would count one choice of
    hyperparameters several times.

    Returns:
        One importance an objective, in the objectives' order.
    """
    candidates = subject.candidates
    rows = [
        row for row, trial in enumerate(candidates.trials) if checkpoint_of(trial) is None
    ]  # one a trial, so that no number stands twice
    known: dict[bytes, _Hyperparameters] = {}
    found = []
    for name, column in zip(candidates.objectives, candidates.losses[rows].T, strict=True):
        finite = np.isfinite(column)
        trials = [candidates.trials[rows[place]] for place in np.flatnonzero(finite)]
        # Mostly the trials are the same for each objective, and what varies is told once.
        key = finite.tobytes()
        if key not in known:
            known[key] = _Hyperparameters.of(trials)
        found.append(_importance(name, trials, column[finite], known[key]))
    return tuple(found)


def by_importance(decided: Iterable[Importance], others: Iterable[str] = ()) -> dict[str, float]:
    """Give hyperparameters with the most that each matters for any objective, the first one most.

    Args:
        decided: What decided each objective.
        others: Hyperparameters of which nothing may be told: they follow, as having no share.
            Numbers in names that are alike count as numbers: ``p2`` is before ``p10``.
    """
    most = dict.fromkeys(others, 0.0)
    for share in (share for one in decided for share in one.shares):
        most[share.name] = max(most.get(share.name, 0.0), share.share)
    return dict(sorted(most.items(), key=lambda item: (-item[1], _natural(item[0]))))


def _natural(name: str) -> list[tuple[str, int]]:
    pieces = re.findall(r"(\D*)(\d{0,18})", name)
    return [(text, int(digits or -1)) for text, digits in pieces]


def _importance(
    objective: str,
    trials: Sequence[FrozenTrial],
    losses: npt.NDArray[np.float64],
    hyperparameters: _Hyperparameters,
) -> Importance:
    from optuna.importance import PedAnovaImportanceEvaluator

    n_best = _count_best(losses)
    reason = _why_not(objective, losses, n_best, hyperparameters)
    compared, not_compared = hyperparameters.compared, hyperparameters.not_compared
    shares: dict[str, float] = {}
    if reason is None:
        with warnings.catch_warnings():
            # That some trials had a range of their own; what is left of it is in n_trials.
            warnings.filterwarnings("ignore", "Some regimes for parameter", UserWarning)
            evaluator = PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
            shares = evaluator.evaluate(_OneObjective(trials, losses), list(compared))
        if sum(shares.values()) == 0:
            reason = "No hyperparameter has other values in the best trials than in all."
    if reason is not None:
        return Importance(
            objective=objective,
            n_trials=len(trials),
            n_best=n_best,
            not_compared=not_compared if len(trials) >= MIN_TRIALS else (),
            reason=reason,
        )
    total = sum(shares.values())
    return Importance(
        objective=objective,
        n_trials=len(trials),
        n_best=n_best,
        shares=tuple(
            Share(name=name, share=value / total, n_trials=compared[name])
            for name, value in shares.items()
        ),
        not_compared=not_compared,
    )


def _count_best(losses: npt.NDArray[np.float64]) -> int:
    """Count the best tenth, and those that are equal to the last of it, as the evaluator does."""
    if not losses.size:
        return 0
    last = math.ceil(BEST_SHARE * losses.size) - 1
    return int((losses <= np.partition(losses, last)[last]).sum())


def _why_not(
    objective: str,
    losses: npt.NDArray[np.float64],
    n_best: int,
    hyperparameters: _Hyperparameters,
) -> str | None:
    n = losses.size
    if not hyperparameters.compared and not hyperparameters.not_compared and n:
        return "The trials have no hyperparameters."
    if n < MIN_TRIALS:
        trials = "1 trial" if n == 1 else f"{n or 'No'} trials"
        return (
            f"{trials} completed with a finite {in_words(objective)}, and which hyperparameters "
            f"decide it cannot be told of fewer than {MIN_TRIALS}."
        )
    if losses.min() == losses.max():
        return f"All {n} trials have the same {in_words(objective)}."
    if n_best == n:
        return (
            f"So many of the {n} trials have one and the same {in_words(objective)}, the worst, "
            "that no best tenth stands out."
        )
    if not hyperparameters.compared:
        return "There is no hyperparameter that can be compared."
    return None


@dataclass(frozen=True, slots=True)
class _Hyperparameters:
    """The hyperparameters of some trials.

    Attributes:
        compared: How many trials have each of those that can be compared, by name.
        not_compared: The others.
    """

    compared: dict[str, int]
    not_compared: tuple[NotCompared, ...]

    @classmethod
    def of(cls, trials: Sequence[FrozenTrial]) -> _Hyperparameters:
        """Sort the hyperparameters of trials by whether they can be compared, each by its name."""
        having: dict[str, list[FrozenTrial]] = {}
        for trial in trials:
            for name in trial.distributions:
                having.setdefault(name, []).append(trial)
        whys = {name: _why_not_compared(name, having[name]) for name in sorted(having)}
        return cls(
            {name: len(having[name]) for name, why in whys.items() if why is None},
            tuple(NotCompared(name=name, why=why) for name, why in whys.items() if why is not None),
        )


def _why_not_compared(name: str, trials: Sequence[FrozenTrial]) -> str | None:
    """Say why a hyperparameter of the trials that have it cannot be compared; None where it can.

    The evaluator compares trials that had one range, two of them at least.
    """
    ranges = [trial.distributions[name] for trial in trials]
    try:
        counts = Counter(map(_key, ranges))
    except TypeError:
        return "its choices are lists or other objects that cannot be told apart"
    if any(map(_is_beyond_floats, ranges)):
        return "its range is too wide or too narrow for floating-point numbers"
    first = trials[0].params[name]
    if all(trial.params[name] == first for trial in trials):
        return "it has one value in all trials that have it"
    if not any(counts[_key(one)] > 1 and not one.single() for one in ranges):
        return "its range is another in each trial"
    return None


def _key(distribution: BaseDistribution) -> tuple[Any, ...]:
    """Give what tells a range from others; to hash it raises a TypeError where it cannot be."""
    return (type(distribution), *vars(distribution).values())


def _is_beyond_floats(distribution: BaseDistribution) -> bool:
    """Tell whether a range cannot be cut into steps with floating-point numbers."""
    ends: dict[str, Any] = vars(distribution)
    low, high, step = (ends.get(name) or 0 for name in ("low", "high", "step"))
    if max(abs(low), abs(high)) >= 2**63 and isinstance(high, int):
        return True
    width = float(high) - float(low)
    narrow = high > low and width / 100 == 0
    return narrow or not math.isfinite(width) or (step > 0 and not math.isfinite(width / step))


class _OneObjective(optuna.Study):
    """What an evaluator asks of a study, of given trials and one objective.

    A study in a storage of its own would tell all the world in Optuna's log that it was created,
    and of each trial it would make a deep copy.
    """

    def __init__(self, trials: Sequence[FrozenTrial], losses: npt.NDArray[np.float64]) -> None:
        self._trials = [copy.copy(trial) for trial in trials]
        for trial, loss in zip(self._trials, losses.tolist(), strict=True):
            trial.values = [loss]

    @property
    def directions(self) -> list[StudyDirection]:
        return [optuna.study.StudyDirection.MINIMIZE]

    def get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        trials = copy.deepcopy(self._trials) if deepcopy else self._trials
        return [one for one in trials if states is None or one.state in states]
