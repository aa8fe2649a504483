"""MLflow: one run a trial, under one run for its study; one run a measurement."""

from green_optuna.tracking.mlflow.tracker import MLflowTracker

__all__ = ["MLflowTracker"]
