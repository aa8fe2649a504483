"""The rules by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from green_optuna.errors import OptionError
from green_optuna.rules.constraint import BestQuality, EpsilonConstraint, MinCO2e
from green_optuna.rules.contribution import Contribution
from green_optuna.rules.custom import Custom, Figure
from green_optuna.rules.knee import Knee
from green_optuna.rules.lexicographic import Lexicographic
from green_optuna.rules.rule import Rule
from green_optuna.rules.tolerance import Tolerance
from green_optuna.rules.weighted import Utopia, WeightedSum

_RULES: tuple[type[Rule], ...] = (
    Tolerance,
    EpsilonConstraint,
    MinCO2e,
    BestQuality,
    Lexicographic,
    WeightedSum,
    Utopia,
    Knee,
    Contribution,
)

RULES: Mapping[str, type[Rule]] = MappingProxyType({rule.name: rule for rule in _RULES})
"""The rules by name, of which each has defaults."""


def rule_by_name(name: str) -> Rule:
    """Make a rule with its default options.

    Args:
        name: One of the names in ``RULES``, such as "tolerance".

    Returns:
        The rule.

    Raises:
        OptionError: No rule has this name; the message gives the nearest one.
    """
    if name not in RULES:
        nearest = difflib.get_close_matches(str(name), RULES, n=1, cutoff=0.0)[0]
        raise OptionError(
            f"rule {name!r} is unknown: did you mean {nearest!r}? There is {', '.join(RULES)}"
        )
    return RULES[name]()


def as_rule(given: Rule | str | Figure | None) -> Rule:
    """Give a rule for a rule, a rule's name, a function of the user's own, or the default.

    Raises:
        OptionError: No rule has this name, or it is neither a rule nor a function.
    """
    if given is None:
        return Tolerance()
    if isinstance(given, str):
        return rule_by_name(given)
    if isinstance(given, type):
        raise OptionError(f"rule is the class {given.__name__}: write {given.__name__}(...)")
    return given if isinstance(given, Rule) else Custom(given)
