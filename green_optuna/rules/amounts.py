"""Options that are amounts, one or one an objective: checked, and kept so that they compare."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping

from green_optuna.errors import OptionError

Amounts = Mapping[str, float] | Iterable[tuple[str, float]]
"""An amount for each of some objectives, by name: a mapping, or pairs."""


def check_amount(option: str, value: object) -> None:
    """Check an amount: a number that is at least 0, infinity included.

    Raises:
        OptionError: It is not; the message names the option and its value.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise OptionError(f"{option} is {value!r} ({type(value).__name__}): give a number")
    if math.isnan(value) or value < 0:
        raise OptionError(f"{option} is {value!r}: give a number that is at least 0")


def as_pairs(option: str, given: Amounts) -> tuple[tuple[str, float], ...]:
    """Give amounts as pairs of a name and an amount, in the order given: hashable, unlike a dict.

    Raises:
        OptionError: They are no mapping from names to amounts.
    """
    try:
        pairs = tuple((name, value) for name, value in dict(given).items())
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"{option} is {given!r}: give a number for each of some objectives, such as "
            "{'co2e_kg': 1.0}"
        ) from error
    for name, value in pairs:
        if not isinstance(name, str):
            raise OptionError(f"{option} is {given!r}: {name!r} is not the name of an objective")
        check_amount(f"{option}[{name!r}]", value)
    return pairs
