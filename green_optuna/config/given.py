"""Which options of a section of the configuration are given, and whether they are taken."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed import DataclassInstance


def given_options(section: DataclassInstance, *, without: str = "") -> dict[str, Any]:
    """Give those options of a section that are not left to the decorator.

    Args:
        section: The section.
        without: An option to leave out.
    """
    options = {item.name: getattr(section, item.name) for item in fields(section)}
    return {k: value for k, value in options.items() if value is not None and k != without}


def check_taken(
    given: Iterable[str], taken: Sequence[str], whose: str, spell: Callable[[str], str]
) -> None:
    """Refuse options that are given to something that does not take them.

    Args:
        given: The names of the options that are given.
        taken: Those that it takes.
        whose: What it is called.
        spell: How the user writes an option.

    Raises:
        OptionError: One is not taken.
    """
    for name in given:
        if name not in taken:
            takes = " and ".join(spell(option) for option in taken) or "none"
            raise OptionError(f"{spell(name)} is no option of {whose}, which takes {takes}.")
