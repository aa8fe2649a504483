"""Records that a tracker could not take: kept on disk, and sent again, each of them once."""

from green_optuna.tracking.spool.file import Entry, Spool, keep, path
from green_optuna.tracking.spool.recipe import MakeAgain, recipe_of
from green_optuna.tracking.spool.replay import Replayed, replay, resend

__all__ = [
    "Entry",
    "MakeAgain",
    "Replayed",
    "Spool",
    "keep",
    "path",
    "recipe_of",
    "replay",
    "resend",
]
