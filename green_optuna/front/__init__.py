"""The Pareto front of a study: who is on it, what a rule selects from it, and how it is written."""

from green_optuna.front.front import ParetoFront
from green_optuna.front.reading import pareto_front

__all__ = ["ParetoFront", "pareto_front"]
