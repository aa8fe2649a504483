"""When to stop a trial of a study with several objectives, and what that rests on."""

from green_optuna.pruning.caps import CapPruner
from green_optuna.pruning.dominance import DominancePruner
from green_optuna.pruning.halving import ParetoHalvingPruner
from green_optuna.pruning.pruner import Pruner

__all__ = [
    "CapPruner",
    "DominancePruner",
    "ParetoHalvingPruner",
    "Pruner",
]
