"""Names and units as print has them, for figures and tables alike."""

from __future__ import annotations

from typing import Final

from green_optuna.figures import MAX_NAME
from green_optuna.markup import one_line, shortened
from green_optuna.units import label_in, with_micro_signs
from green_optuna.urls import shown_text

_MICRO: Final = "\N{MICRO SIGN}"


def name_in_print(text: str, limit: int = MAX_NAME) -> str:
    """Give a text of others for print: in one line, no secret of a URL in it, and shortened.

    Args:
        text: A name, or the value of a hyperparameter, of any length.
        limit: How many characters it may have.
    """
    return shortened(one_line(shown_text(text)), limit)


def unit_in_print(symbol: str) -> str:
    """Give a unit as print has it, from how a terminal shows it: with a micro sign for its u."""
    return f"{_MICRO}{symbol[1:]}" if symbol.startswith("u") else symbol


def label_in_print(name: str, symbol: str = "") -> str:
    """Name a quantity for print, with the unit of its values.

    Args:
        name: The quantity's name in data, such as ``"co2e_kg"``; an unknown one is the user's.
        symbol: The unit, as a terminal shows it; empty of a plain number.
    """
    label = label_in(name, unit_in_print(symbol))
    if label == name:
        return name_in_print(name)
    return _typeset(label)


def sentence_in_print(text: str, limit: int) -> str:
    """Give a sentence of ours for print, in which there may be texts of others.

    Args:
        text: The sentence, as a terminal shows it.
        limit: How many characters it may have.
    """
    return _typeset(name_in_print(with_micro_signs(text), limit))


def _typeset(text: str) -> str:
    return text.replace("CO2e", "CO\N{SUBSCRIPT TWO}e").replace(" - ", " \N{MINUS SIGN} ")
