"""When to start no further trial of a study, and what that rests on."""

from green_optuna.budget.base import Budget, BudgetReached
from green_optuna.budget.carbon import CarbonBudget
from green_optuna.budget.flat import StopWhenFlat
from green_optuna.budget.spending import EndedTrial, Spending, SpendingReader

__all__ = [
    "Budget",
    "BudgetReached",
    "CarbonBudget",
    "EndedTrial",
    "Spending",
    "SpendingReader",
    "StopWhenFlat",
]
