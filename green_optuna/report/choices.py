"""What each rule selects from a front, the one that was asked for and all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from green_optuna import pareto
from green_optuna.errors import EmptyStudyError, NoModelMeetsCapsError, OptionError
from green_optuna.rules import RULES, Contribution, as_rule, rule_by_name
from green_optuna.rules.words import in_words, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def choices_of(
    select: Select, rule: Rule | str | Figure | None, *, n: int, names: Sequence[str]
) -> Choices:
    """Ask all rules what they select.

    Args:
        select: Selects from the front by a rule.
        rule: The rule that was asked for; the default where it is None.
        n: How many members the front has.
        names: The names of the objectives that it is drawn over.

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
        # That the default does not fit is no fault of anybody's.
        lacking = _lacking(chosen_by, names)
        choice = str(error)
        if lacking:
            choice = f"The rule {chosen_by.name} {lacking}: ask for another rule."
    others = {
        name: _other_choice(select, rule_by_name(name), n=n, names=names)
        for name in RULES
        if name != chosen_by.name
    }
    if isinstance(choice, str):
        return Choices(choice=None, no_choice=choice, others=others)
    return Choices(choice=choice, no_choice="", others=others)


def _lacking(rule: Rule, names: Sequence[str]) -> str:
    """Say in a clause which objectives a rule needs that are not there; empty where it has all.

    The error's own message names them as one types them.
    """
    missing = rule.fitted(names).missing(names)
    if not missing:
        return ""
    which = "which is" if len(missing) == 1 else "which are"
    return f"needs {listed(map(in_words, missing))}, {which} not among the objectives"


def _other_choice(select: Select, rule: Rule, *, n: int, names: Sequence[str]) -> Selection | str:
    """Give what a rule selects that nobody has asked for, or why it selects nothing."""
    m = len(names)
    takes_s = pareto.hypervolume_takes_s(n, m, contributions=True)
    if rule.name == Contribution.name and takes_s > MOST_S:
        return (
            f"of {n} members in {m} objectives it would take long; green-optuna select --rule "
            f"{rule.name} works it out"
        )
    try:
        return _select_or_why_not(select, rule)
    except OptionError as error:
        lacking = _lacking(rule, names)
        return f"it {lacking}" if lacking else str(error)


def _select_or_why_not(select: Select, rule: Rule) -> Selection | str:
    try:
        return select(rule)
    except (EmptyStudyError, NoModelMeetsCapsError) as error:
        return str(error)
