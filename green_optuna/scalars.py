"""One number, whatever it comes as: of Python, numpy or torch."""

from __future__ import annotations

import math
import operator
import sys
from numbers import Complex, Real
from typing import Any, SupportsFloat, SupportsIndex

from green_optuna.errors import OptionError


def as_real(value: object) -> float | None:
    """Return a number of Python or numpy as a float, None for all else, tensors and texts too."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:  # an int beyond every float
        return math.inf


def as_float(value: object) -> float | None:
    """Return the number that a value stands for, None where it is not one real number."""
    if type(value) is float:  # to ask what else it may be takes far longer
        return value
    scalar = _python_scalar(value)
    imaginary = isinstance(scalar, Complex) and not isinstance(scalar, Real)
    if isinstance(scalar, bool | str | bytes) or imaginary:
        return None
    if not isinstance(scalar, SupportsFloat | SupportsIndex):
        return None
    try:
        return float(scalar)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError, RuntimeError):
        return None


def checked_amount(name: str, given: object) -> float:
    """Return an amount as a plain number.

    Raises:
        OptionError: It is no finite number of 0 or more.
    """
    amount = as_float(given)
    if amount is None or not 0 <= amount < math.inf:
        raise OptionError(f"{name} is {given!r}: give a finite number of 0 or more.")
    return amount


def _python_scalar(value: object) -> object:
    """Unwrap numpy scalars, arrays and tensors of one element; leave all else as it is.

    ``item()`` rather than ``float()``: it tells a truth value or a complex number from a real one,
    takes an array of shape (1,), and does not warn about a tensor that still has its gradient.
    """
    item: Any = getattr(value, "item", None)
    if not isinstance(value, SupportsFloat | SupportsIndex) or not callable(item):
        return value
    try:
        return item()
    except (TypeError, ValueError, RuntimeError):
        return None


def as_count(given: object) -> int | None:
    """Give the whole number of 0 or more that an object stands for, or None."""
    if isinstance(given, bool) or not isinstance(given, SupportsIndex):
        return None
    try:
        count = operator.index(given)
    except TypeError:  # an array or a tensor that is no whole number
        return None
    # Optuna keeps floats.
    return count if 0 <= count <= sys.float_info.max else None
