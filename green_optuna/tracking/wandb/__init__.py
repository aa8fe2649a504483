"""Weights & Biases: one run a trial, grouped by study; online, or kept here to be sent later."""

from green_optuna.tracking.wandb.tracker import WandbTracker

__all__ = ["WandbTracker"]
