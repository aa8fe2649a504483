"""What a notebook shows of a front and of a selection: HTML with tables and a picture."""

from green_optuna.displays.front import front_html
from green_optuna.displays.picture import front_picture
from green_optuna.displays.selection import selection_html
from green_optuna.displays.words import describe_front, describe_spending, named

__all__ = [
    "describe_front",
    "describe_spending",
    "front_html",
    "front_picture",
    "named",
    "selection_html",
]
