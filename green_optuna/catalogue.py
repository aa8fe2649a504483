"""What look-ups by name share: CodeCarbon's data files, and which names are near a wrong one.

The files are those of the installed CodeCarbon, found without importing it.
"""

from __future__ import annotations

import unicodedata
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.errors import MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache
def codecarbon() -> str:
    """Return the name and version of the installed CodeCarbon."""
    return f"CodeCarbon {version('codecarbon')}"


def codecarbon_data(folder: str, *, wanted: str) -> Path:
    """Return a folder of CodeCarbon's data files.

    Args:
        folder: Its name, such as ``"hardware"``.
        wanted: What is looked for in it, for the error.

    Raises:
        MissingPackageError: CodeCarbon is not installed.
    """
    spec = find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(f"{wanted} need CodeCarbon: pip install codecarbon")
    return Path(spec.submodule_search_locations[0], "data", folder)


def folded(name: str) -> str:
    """Return a name without accents, capitals and surplus spaces."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return " ".join(plain.casefold().split())


def nearest(name: str, meanings: Mapping[str, str]) -> str:
    """Ask, where there are near ones, which of the names (folded, with their meanings) is meant."""
    sought = folded(name)
    near = [sought] if sought in meanings else get_close_matches(sought, meanings, n=9, cutoff=0.66)
    options = list(dict.fromkeys(meanings[alias] for alias in near))[:3]
    return f" Did you mean {' or '.join(options)}?" if options else ""
