"""The keys of the configuration that say which trial is selected."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from green_optuna.config.given import check_taken, given_options
from green_optuna.config.loading import load_function
from green_optuna.rules import Capped, Custom, rule_by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from green_optuna.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConfig:
    """The rule that selects one trial of the front, and its options.

    Attributes:
        name: One of :data:`green_optuna.rules.RULES`, or ``path/to/file.py:function`` for a
            figure of one's own; None to select none.
        relative: Tolerance: the share of the best quality that may be given up.
        absolute: Tolerance: what may be given up on the scale from 0 to 1, instead.
        minimise: Tolerance and epsilon-constraint: the objective that is made least.
        caps: Any rule: the most allowed of some objectives, by name.
        max_co2e_kg: Best quality: the greatest CO2e allowed, in kg.
        max_quality_loss: Least CO2e: the greatest quality loss allowed, from 0 to 1.
        max_n_params: Best quality and least CO2e: the most parameters allowed.
        order: Lexicographic: objectives with their tolerances, the most important first.
        weights: Weighted sum and utopia: weights by objective.
        scale: Those, knee and contribution: linear, log or rank.
        p: Utopia: 1, 2 or infinity.
        objectives: Knee: the names of its two objectives.
        reference: Contribution: where the reference point lies on each axis.
    """

    name: str | None = "tolerance"
    relative: float | None = None
    absolute: float | None = None
    minimise: str | None = None
    caps: dict[str, float] | None = None
    max_co2e_kg: float | None = None
    max_quality_loss: float | None = None
    max_n_params: float | None = None
    order: dict[str, float] | None = None
    weights: dict[str, float] | None = None
    scale: str | None = None
    p: float | None = None
    objectives: list[str] | None = None
    reference: float | None = None

    def make(self, spell: Callable[[str], str] = "rule.{}".format) -> Rule | None:
        """Make the rule.

        Args:
            spell: How the user writes an option, for the message that refuses one.

        Raises:
            OptionError: The rule is unknown, or does not take an option that is given.
        """
        if self.name is None:
            return None
        if ":" in self.name:
            function: Any = load_function(self.name, spell("name"))
            make: Callable[..., Rule] = partial(Custom, function)
            taken: list[str] = []
        else:
            default: Any = rule_by_name(self.name)
            make, taken = type(default), [option.name for option in fields(default)]
        given = given_options(self, without="name")
        # Any rule takes caps; few have them as an option of their own.
        caps = None if "caps" in taken else given.pop("caps", None)
        check_taken(given, taken, f"the rule {self.name!r}", spell)
        rule: Rule = make(**given)
        return Capped(rule, caps) if caps else rule
