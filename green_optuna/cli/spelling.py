"""How the command line spells what Python calls otherwise: keys of ``run``, flags of ``select``."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from green_optuna.errors import GridError, NoModelMeetsCapsError, OptionError
from green_optuna.intensities import OWN_FIGURE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_RULE_OPTION = re.compile(
    r"(?<![\w.\-])(?:relative|absolute|minimise|caps|max_co2e_kg|max_quality_loss|max_n_params"
    r"|order|weights|scale|p|objectives|reference|min_probability)(?= is |=)"
)
_AMOUNT_OF = re.compile(r"(?<![\w.\-])(caps|weights|order)\['([^']*)'\](?= is )")
_RULE_FLAGS = {"name": "rule", "relative": "tolerance", "caps": "max", "weights": "weight"}
_GRID_OPTION = re.compile(
    r"(?<![\w.\-])(?:country|region|carbon_intensity_g_per_kwh|source|pue)(?==)"
)
_ESTIMATE_OPTION = re.compile(r"(?<![\w.\-])(?:hardware|count|hours|utilisation|power_w)(?==)")


def flag(option: str) -> str:
    """Give the flag of ``select`` for an option of a rule."""
    return f"--{_RULE_FLAGS.get(option, option).replace('_', '-')}"


def amounts(
    option: str, texts: Sequence[str] | None, *, default: float | None = None
) -> dict[str, float] | None:
    """Read amounts by name, as ``co2e_kg=2``; None where none are given.

    Args:
        option: The flag that they are given with, for the messages.
        texts: What is given.
        default: The amount of a name alone, where there is one.

    Raises:
        OptionError: One is no name with a number, or a name comes twice.
    """
    if not texts:
        return None
    read: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        try:
            amount = float(number) if equals or default is None else default
        except ValueError as error:
            raise OptionError(
                f"{option} is {text!r}: write NAME=NUMBER, such as co2e_kg=0.5"
            ) from error
        if name in read:
            raise OptionError(f"{option} names {name!r} twice: give it once")
        read[name] = amount
    return read


def names_in(text: str | None) -> list[str] | None:
    """Give the names in a flag's value, which commas part; None where it is not given."""
    return None if text is None else [name.strip() for name in text.split(",")]


def key(option: str) -> str | None:
    """Give the key of ``run`` for a flag that a person may try in its place, if there is one."""
    from green_optuna.config.schema import key_paths

    name = option.lstrip("-").replace("-", "_")
    keys = [path for path, has_keys in key_paths().items() if not has_keys]
    # The study's and the rule's own keys are their names.
    meant = [path for path in keys if path in (name, f"{name}.name")]
    return next(iter(meant or [path for path in keys if path.endswith(f".{name}")]), None)


@contextlib.contextmanager
def rule_options(spell: Callable[[str], str] = "rule.{}".format) -> Iterator[None]:
    """Name the options of a rule in its errors as the user writes them, as keys unless given."""
    try:
        yield
    except (OptionError, NoModelMeetsCapsError) as error:
        said = _AMOUNT_OF.sub(lambda found: _amount_of(spell(found[1]), found[2]), str(error))
        said = _RULE_OPTION.sub(lambda found: spell(found[0]), said)
        raise type(error)(said) from error


def _amount_of(option: str, name: str) -> str:
    """Name the amount that an option has for one objective: ``--max co2e_kg``."""
    return f"{option}{' ' if option.startswith('--') else '.'}{name}"


@contextlib.contextmanager
def grid_keys() -> Iterator[None]:
    """Name the options of a grid in its errors as keys."""
    try:
        yield
    except GridError as error:
        said = str(error).replace(OWN_FIGURE, "carbon_intensity_g_per_kwh=NUMBER")
        raise GridError(_GRID_OPTION.sub(r"grid.\g<0>", said)) from error


@contextlib.contextmanager
def grid_flags() -> Iterator[None]:
    """Name the options of a grid in its errors as the flags of ``measure``."""
    try:
        yield
    except GridError as error:
        said = str(error).replace(OWN_FIGURE, "--carbon-intensity NUMBER")
        raise GridError(_GRID_OPTION.sub(_grid_flag, said)) from error


def _grid_flag(found: re.Match[str]) -> str:
    name = "carbon-intensity" if found[0] == "carbon_intensity_g_per_kwh" else found[0]
    return f"--{name}"


@contextlib.contextmanager
def estimate_flags() -> Iterator[None]:
    """Name the options of an estimate and of its grid in their errors as the flags."""
    try:
        with grid_flags():
            yield
    except OptionError as error:
        said = _ESTIMATE_OPTION.sub(lambda found: flag(found[0]), str(error))
        raise type(error)(said) from error
