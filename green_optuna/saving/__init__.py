"""A trial's trained model: copied as it is, written as MLflow's files, and what is kept of it."""

from green_optuna.saving.saved import SavedModel, discard, models_folder
from green_optuna.saving.snapshot import Snapshot
from green_optuna.saving.writing import write_model

__all__ = ["SavedModel", "Snapshot", "discard", "models_folder", "write_model"]
