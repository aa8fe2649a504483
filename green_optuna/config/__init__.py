"""``conf/`` to typed objects: composed by Hydra, checked, and made into what a run needs."""

from green_optuna.config.compose import conf_folder, load_config
from green_optuna.config.loading import load_function
from green_optuna.config.objective import make_objective
from green_optuna.config.pruner import PrunerConfig
from green_optuna.config.rule import RuleConfig
from green_optuna.config.schema import (
    BudgetConfig,
    GridConfig,
    InferenceConfig,
    MeterConfig,
    MLflowConfig,
    RunConfig,
    StudyConfig,
    TrackersConfig,
    WandbConfig,
)

__all__ = [
    "BudgetConfig",
    "GridConfig",
    "InferenceConfig",
    "MLflowConfig",
    "MeterConfig",
    "PrunerConfig",
    "RuleConfig",
    "RunConfig",
    "StudyConfig",
    "TrackersConfig",
    "WandbConfig",
    "conf_folder",
    "load_config",
    "load_function",
    "make_objective",
]
