"""What a budget is: something that says why no further trial of a study should be started."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

import optuna

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.budget.spending import Spending


class BudgetReached(optuna.TrialPruned):
    """A trial was not started, since a budget of its study is reached; it spent nothing.

    ``study.optimize`` takes it as it does any ``optuna.TrialPruned``, and stops. Who asks for
    trials and tells their values catches it, tells ``state=TrialState.PRUNED``, and asks for no
    more.
    """


class Budget(abc.ABC):
    """Says when a study has had enough; subclass it for one of your own.

    It is asked before each trial, by each worker for itself, and must be quick. It is pickled
    with the objective, and keeps nothing of a study: what has been spent comes as a
    :class:`Spending`.
    """

    # Most budgets can be used with any study.
    def check(self, objectives: Sequence[str]) -> None:  # noqa: B027
        """Hold that it can be used with a study's objectives; when the objective is decorated.

        Raises:
            OptionError: It cannot.
        """

    @abc.abstractmethod
    def why_stop(self, spending: Spending) -> str | None:
        """Say in a few words why no further trial should start; None where one may.

        An exception fails the trial, as one in its function does.

        Args:
            spending: What the study has spent so far, and on what.
        """
