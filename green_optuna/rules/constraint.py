"""The epsilon-constraint method: the least of one objective under caps on others."""

from __future__ import annotations

import abc
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from green_optuna.errors import OptionError
from green_optuna.rules.amounts import Amounts, as_pairs, check_amount
from green_optuna.rules.caps import Cap, caps_of, describe_caps, limits_of
from green_optuna.rules.ranking import Ranking, met_by_all
from green_optuna.rules.rule import Rule
from green_optuna.rules.words import least_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.rules.rows import Rows


class _Constraint(Rule):
    """The least of an aim under caps."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def _aim(self) -> str:
        """The objective that is made least."""

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objective that is made least, and those that have a cap."""
        return (self._aim, *(cap.objective for cap in self.own_caps()))

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        caps = describe_caps(self.own_caps())
        return least_in_words(self._aim) + (f" with {caps}" if caps else "")

    def judge(self, rows: Rows) -> Ranking:
        """Rank by what is made least the rows that meet the caps."""
        limits = limits_of(self.own_caps(), rows)
        return Ranking(rows, self._aim, rows.column(self._aim), limits=limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonConstraint(_Constraint):
    """Least of one objective among the rows that meet caps on any; a cap is met at equality.

    The epsilon-constraint method (Haimes, Lasdon and Wismer 1971,
    https://doi.org/10.1109/TSMC.1971.4308298). The rule's own figure is what it minimises.

    Args:
        minimise: The objective that is made least; ``co2e_kg`` unless given.
        caps: The most allowed of some objectives, by name, in their units; none unless given.

    Raises:
        OptionError: A cap is not a number, NaN, or negative.
    """

    name: ClassVar[str] = "epsilon-constraint"

    minimise: str = "co2e_kg"
    caps: Amounts = ()

    def __post_init__(self) -> None:
        """Check the caps."""
        object.__setattr__(self, "caps", tuple(sorted(as_pairs("caps", self.caps))))

    @property
    def _aim(self) -> str:
        return self.minimise

    def own_caps(self) -> tuple[Cap, ...]:
        """Give the caps."""
        return caps_of(as_pairs("caps", self.caps))


class _NamedCaps(_Constraint):
    """Caps of which each is a field, called ``max_`` and the name of its objective."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Check the caps."""
        for cap in self.own_caps():
            check_amount(cap.option, cap.value)

    def own_caps(self) -> tuple[Cap, ...]:
        """Give the caps that are given."""
        given: list[tuple[str, float | None]]
        given = [(one.name, getattr(self, one.name)) for one in fields(self)]  # type: ignore[arg-type]  # dataclasses below
        return tuple(
            Cap(option, option.removeprefix("max_"), value)
            for option, value in given
            if value is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MinCO2e(_NamedCaps):
    """Least CO2e among the rows that meet the caps: a common case of ``EpsilonConstraint``.

    The rule's own figure is ``co2e_kg``.

    Args:
        max_quality_loss: The greatest quality loss allowed, on the scale from 0 (best) to 1.
        max_n_params: The greatest number of parameters allowed.

    Raises:
        OptionError: A cap is not a number, NaN, or negative.
    """

    name: ClassVar[str] = "min-co2e"

    max_quality_loss: float | None = None
    max_n_params: float | None = None

    @property
    def _aim(self) -> str:
        return "co2e_kg"


@dataclass(frozen=True, slots=True, kw_only=True)
class BestQuality(_NamedCaps):
    """Best quality among the rows that meet the caps: a common case of ``EpsilonConstraint``.

    The rule's own figure is ``quality_loss``.

    Args:
        max_co2e_kg: The greatest CO2e allowed, in kg.
        max_n_params: The greatest number of parameters allowed.

    Raises:
        OptionError: A cap is not a number, NaN, or negative.
    """

    name: ClassVar[str] = "best-quality"

    max_co2e_kg: float | None = None
    max_n_params: float | None = None

    @property
    def _aim(self) -> str:
        return "quality_loss"


@dataclass(frozen=True, slots=True)
class Capped(Rule):
    """Any rule, over the rows that meet caps alone; a cap is met at equality.

    To the other rule, the rows that miss a cap are not there: neither the best quality nor the
    scale of an axis is theirs.

    Args:
        rule: The rule that chooses.
        caps: The most allowed of some objectives, by name, in their units.

    Raises:
        OptionError: A cap is not a number, NaN, or negative.
    """

    name: ClassVar[str] = "capped"

    rule: Rule
    caps: Amounts

    def __post_init__(self) -> None:
        """Check the rule and the caps."""
        if not isinstance(self.rule, Rule):
            raise OptionError(f"rule is {self.rule!r}: give a rule, such as Tolerance()")
        object.__setattr__(self, "caps", tuple(sorted(as_pairs("caps", self.caps))))

    @property
    def objectives(self) -> tuple[str, ...]:
        """What the other rule needs, and what has a cap."""
        return (*self.rule.objectives, *(name for name, _ in as_pairs("caps", self.caps)))

    def own_caps(self) -> tuple[Cap, ...]:
        """Give these caps, then the other rule's."""
        return (*caps_of(as_pairs("caps", self.caps)), *self.rule.own_caps())

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        caps = describe_caps(caps_of(as_pairs("caps", self.caps)))
        return self.rule.describe() + (f", among those with {caps}" if caps else "")

    def fitted(self, names: Sequence[str]) -> Self:
        """Fill in what the other rule leaves open."""
        return replace(self, rule=self.rule.fitted(names))

    def remedy(self, names: Sequence[str]) -> str:
        """Say what the other rule says."""
        return self.rule.remedy(names)

    def judge(self, rows: Rows) -> Ranking:
        """Rank as the other rule does the rows that meet the caps."""
        # The other rule's caps are judged beside these, so that a miss is told of all of them.
        limits = limits_of(self.own_caps(), rows)[: len(as_pairs("caps", self.caps))]
        kept = met_by_all(limits, rows)
        inner = self.rule.judge(rows.only(kept))
        figure = np.full(len(rows), np.inf)
        figure[kept] = inner.figure
        return replace(inner, rows=rows, figure=figure, limits=limits + inner.limits)

    def to_dict(self) -> dict[str, Any]:
        """Give the other rule's name, and its arguments with the caps beside them."""
        plain = self.rule.to_dict()
        caps = plain["arguments"].get("caps", {}) or {}
        for name, most in as_pairs("caps", self.caps):
            caps[name] = min(most, caps.get(name, most))
        plain["arguments"]["caps"] = caps
        return plain
