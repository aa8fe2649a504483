"""What each rule selects from a front, the one that was asked for and all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from green_optuna import pareto
from green_optuna.errors import EmptyStudyError, NoModelMeetsCapsError, OptionError
from green_optuna.rules import RULES, Contribution, as_rule, rule_by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from green_optuna.rules import Figure, Rule
    from green_optuna.selection import Selection

    Select = Callable[[Rule], Selection]

# What a rule that nobody has asked for may take, by estimate, which is a few times off.
MOST_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What rules select from a front.

    Attributes:
        choice: What the rule that was asked for selects; None where there is nothing it could.
        no_choice: Why it selects nothing; empty where it does.
        others: What each other rule selects, by its name; why not, in a sentence, where it cannot.
    """

    choice: Selection | None
    no_choice: str
    others: Mapping[str, Selection | str]


def choices_of(select: Select, rule: Rule | str | Figure | None, *, n: int, m: int) -> Choices:
    """Ask all rules what they select.

    Args:
        select: Selects from the front by a rule.
        rule: The rule that was asked for; the default where it is None.
        n: How many members the front has.
        m: Over how many objectives it is drawn.

    Raises:
        OptionError: The rule that was asked for is unknown, or wants an objective that the front
            has not.
    """
    chosen_by = as_rule(rule)
    try:
        choice = _select_or_why_not(select, chosen_by)
    except OptionError as error:
        if rule is not None:
            raise
        choice = str(error)  # that the default does not fit is no fault of anybody's
    others = {
        name: _other_choice(select, rule_by_name(name), n=n, m=m)
        for name in RULES
        if name != chosen_by.name
    }
    if isinstance(choice, str):
        return Choices(choice=None, no_choice=choice, others=others)
    return Choices(choice=choice, no_choice="", others=others)


def _other_choice(select: Select, rule: Rule, *, n: int, m: int) -> Selection | str:
    """Give what a rule selects that nobody has asked for, or why it selects nothing."""
    takes_s = pareto.hypervolume_takes_s(n, m, contributions=True)
    if rule.name == Contribution.name and takes_s > MOST_S:
        return (
            f"of {n} members in {m} objectives it would take long; green-optuna select --rule "
            f"{rule.name} works it out"
        )
    try:
        return _select_or_why_not(select, rule)
    except OptionError as error:
        return str(error)


def _select_or_why_not(select: Select, rule: Rule) -> Selection | str:
    try:
        return select(rule)
    except (EmptyStudyError, NoModelMeetsCapsError) as error:
        return str(error)
