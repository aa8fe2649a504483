"""Names of the user's own as keys that a tracker takes, each its own."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

MAX_KEY = 250
"""How long a key may be: MLflow's limit, and as much as is of use as the head of a column."""


def keyed(
    values: Mapping[str, T], key_for: Callable[[str], str], *, prefix: str = ""
) -> dict[str, T]:
    """Give values under keys that a tracker takes.

    Two names that become one key are told apart by a few digits of their hash.

    Args:
        values: The values, by the user's names.
        key_for: Makes a name a key that the tracker takes.
        prefix: What stands before each name.
    """
    keys = {name: key_for(prefix + name) for name in values}
    uses = Counter(keys.values())
    return {
        key if uses[key] == 1 or key == prefix + name else _hashed(key, name): values[name]
        for name, key in keys.items()
    }


def _hashed(key: str, name: str) -> str:
    digits = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{key[: MAX_KEY - 1 - len(digits)]}_{digits}"
