"""How rules name objectives and amounts in their own clauses."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from green_optuna.units import format_co2e, quantity_heading, show_quantity

_IN_WORDS = MappingProxyType(
    {
        "quality_loss": "quality loss",
        "n_params": "number of parameters",
        "flops": "number of FLOPs",
    }
)


def in_words(name: str) -> str:
    """Name an objective inside a clause."""
    return _IN_WORDS.get(name) or quantity_heading(name)


def least_in_words(name: str) -> str:
    """Say that an objective is made least."""
    return "best quality" if name == "quality_loss" else f"least {in_words(name)}"


def cap_in_words(name: str, most: float) -> str:
    """Say that an objective has a cap."""
    if name == "co2e_kg":
        return f"at most {format_co2e(most)} of CO2e"
    if name == "n_params":
        return f"at most {plain_number(most)} parameters"
    shown = plain_number(most) if name == "quality_loss" else show_quantity(name, most)
    return f"{in_words(name)} at most {shown}"


def plain_number(value: float) -> str:
    """Show a number as a person would type it."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.6g}"


def listed(words: Iterable[str], *, link: str = "and") -> str:
    """Join words as a sentence lists them: "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} {link} {last}" if first else last
