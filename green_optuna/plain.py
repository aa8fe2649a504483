"""Data as JSON knows it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def finite_or_none(value: Any) -> Any:  # noqa: ANN401 - whatever a hyperparameter may be
    """Put what JSON knows for what it does not, however deep it lies.

    None stands for an infinity or NaN, and its text for what is no plain value, such as an enum.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {name: finite_or_none(inside) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_none(inside) for inside in value]
    if isinstance(value, float):
        # Of a subclass of float, the number itself.
        return float(value) if math.isfinite(value) else None
    return value if value is None or type(value) in (bool, int, str) else str(value)
