"""A trial and the budgets of its study: whether it is started."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from green_optuna.budget import BudgetReached
from green_optuna.record import not_started_attribute
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import optuna

    from green_optuna.budget import Budget, Spending
    from green_optuna.session import Session


@contextlib.contextmanager
def within_budgets(
    budgets: Sequence[Budget],
    session: Session,
    trial: optuna.Trial,
    used_kwh: Callable[[], float],
) -> Iterator[None]:
    """Start a trial, unless a budget is reached; what that takes is charged to no trial.

    Args:
        budgets: The budgets; without one there is nothing to ask.
        session: Of the trial's study.
        trial: The trial that Optuna made.
        used_kwh: Gives what it has used so far, in kWh.

    Raises:
        BudgetReached: It is not started: the reason is kept in the trial, and ``study.optimize``
            starts no other.
    """
    if not budgets:
        yield
        return

    def admit(spending: Spending) -> None:
        for budget in budgets:
            reason = budget.why_stop(spending)
            if reason is not None:
                raise BudgetReached(reason)

    with contextlib.ExitStack() as running:
        try:
            with session.sampler.excluded():
                session.fold_killed(trial.study)
                running.enter_context(
                    session.spending.entered(trial.study, trial.number, used_kwh, admit)
                )
        except BudgetReached as reached:
            _give_up(session, trial, str(reached))
            raise
        yield


def _give_up(session: Session, trial: optuna.Trial, reason: str) -> None:
    """Keep and say why a trial is not started, and end the study where it is being optimised."""
    trial.set_user_attr(ATTRIBUTE, not_started_attribute(reason))
    session.warn_once(f"{reason}: no further trial is started.", of="budget")
    # Who asks for each trial has no loop for it to stop.
    with contextlib.suppress(RuntimeError):
        trial.study.stop()
