"""Who is told of each trial: MLflow, W&B, or a tracker of the user's own."""

from green_optuna.tracking.memory import MemoryTracker
from green_optuna.tracking.mlflow import MLflowTracker
from green_optuna.tracking.series import Point, trial_points
from green_optuna.tracking.spool import resend
from green_optuna.tracking.study_log import StudyLog, log_front
from green_optuna.tracking.tracker import Tracker
from green_optuna.tracking.wandb import WandbTracker

__all__ = [
    "MLflowTracker",
    "MemoryTracker",
    "Point",
    "StudyLog",
    "Tracker",
    "WandbTracker",
    "log_front",
    "resend",
    "trial_points",
]
