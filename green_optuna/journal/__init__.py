"""What running trials have spent so far, on disk, so that a killed process loses none of it."""

from green_optuna.journal.folding import fold_killed, fold_killed_quietly
from green_optuna.journal.writer import Journal

__all__ = ["Journal", "fold_killed", "fold_killed_quietly"]
