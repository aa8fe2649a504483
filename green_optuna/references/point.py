"""One result from elsewhere, as it was given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from green_optuna.errors import OptionError
from green_optuna.scalars import as_real

if TYPE_CHECKING:
    from collections.abc import Iterable

QUANTITIES: Final = (
    "quality",
    "quality_loss",
    "co2e_kg",
    "energy_kwh",
    "n_params",
    "duration_s",
    "inference_kwh",
    "inference_s",
    "flops",
    "peak_memory_bytes",
)
"""What may be given of a result, by the names that a study's columns have."""

BASES: Final = ("published", "estimated")
"""What a result may rest on: somebody's word, or a calculation instead of a run."""

# What a spreadsheet takes for the beginning of a formula: labels come up in CSV files.
_FORMULA: Final = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePoint:
    """A result that is not of a study's own trials, as it was given.

    Attributes:
        name: What it is called, in one line.
        basis: "published" for what somebody else states, measured or not; "estimated" for what
            was computed without a run, as by `estimate`.
        source: Where it is from, such as a DOI; empty where nobody says.
        values: What is given of it, by the names in `QUANTITIES`, in the units that they carry.
            `quality` is on the scale of the study's `quality_bounds`, `quality_loss` is scaled
            already (0 the best, 1 the worst); both may be there, if they agree on a study's
            terms. A text that is a number counts as one.

    Raises:
        OptionError: There is no name or no value, a value is impossible, a text cannot be shown
            in one line, or the basis is unknown.
    """

    name: str
    basis: str = "published"
    source: str = ""
    values: Mapping[str, float] = field(hash=False)

    def __post_init__(self) -> None:
        """Check what is given, and keep it as plain texts and numbers."""
        name = _label("name", self.name)
        if not name:
            raise OptionError("name is empty: give each reference a name of its own.")
        if self.basis not in BASES:
            raise OptionError(f"basis is {self.basis!r}: give one of {', '.join(BASES)}.")
        given: object = self.values
        if not isinstance(given, Mapping):
            raise OptionError(f"{name!r} has values={given!r}: give a dict, by quantity.")
        if not self.values:
            raise OptionError(f"{name!r} has no value: give one at least of {listed(QUANTITIES)}.")
        values = {quantity: _number(quantity, given) for quantity, given in self.values.items()}
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "source", _label("source", self.source))
        object.__setattr__(self, "values", values)


def listed(names: Iterable[str]) -> str:
    """List names in words."""
    return ", ".join(names)


def meant(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that a wrong one is clearly near to, or None."""
    plain = "_".join("".join(c if c.isalnum() else " " for c in name.casefold()).split())
    return next(iter(get_close_matches(plain, known, n=1, cutoff=0.75)), None)


def _label(what: str, text: object) -> str:
    """Give a text as one line, if nothing in it can steer a terminal or a spreadsheet."""
    if not isinstance(text, str):
        raise OptionError(f"{what} is {text!r} (of type {type(text).__name__}): give a text.")
    line = " ".join(text.split())
    if not line.isprintable():
        raise OptionError(
            f"{what} is {text!r}, which has characters that cannot be shown: leave them out."
        )
    if line.startswith(_FORMULA):
        raise OptionError(
            f"{what} is {line!r}, which a spreadsheet would take for a formula: begin it "
            f"otherwise than with one of {' '.join(_FORMULA)}, or leave it empty."
        )
    return line


def _number(quantity: str, given: object) -> float:
    """Give a quantity as a finite float."""
    if quantity not in QUANTITIES:
        near = meant(str(quantity), QUANTITIES)
        hint = f"did you mean {near!r}? T" if near else "t"
        raise OptionError(f"{quantity!r} is no quantity: {hint}here are {listed(QUANTITIES)}.")
    number = _as_float(given)
    if number is None:
        raise OptionError(
            f"{quantity} is {given!r}, which is no number: write it as plain digits, such as 0.74 "
            "or 6.4e7, without unit or separators, or leave it out where it is not known."
        )
    if not math.isfinite(number):
        raise OptionError(
            f"{quantity} is {given!r}, which is not finite: leave it out where it is not known."
        )
    if quantity != "quality" and number < 0:
        raise OptionError(f"{quantity} is {given!r}: give a number that is not below 0.")
    if quantity == "quality_loss" and number > 1:
        raise OptionError(
            f"quality_loss is {given!r}: give a loss from 0 to 1, or the quality itself as quality."
        )
    return number + 0.0  # the sum takes the sign off a zero


def _as_float(given: object) -> float | None:
    """Give the number that a value is, or that a text stands for; None where it is none."""
    if not isinstance(given, str):
        return as_real(given)
    try:
        return float(given)
    except ValueError:
        return None
