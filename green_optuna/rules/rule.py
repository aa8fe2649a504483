"""What every selection rule is: a frozen object with a name, and a choice from rows of losses."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from green_optuna.errors import OptionError
from green_optuna.rules.rows import Rows

if TYPE_CHECKING:
    import numpy.typing as npt

    from green_optuna.rules.caps import Cap
    from green_optuna.rules.ranking import Ranking


class Rule(abc.ABC):
    """What every selection rule offers: a name, what it needs, and a choice."""

    __slots__ = ()

    name: ClassVar[str]
    """What the rule is called on a command line and in a record."""

    @property
    @abc.abstractmethod
    def objectives(self) -> tuple[str, ...]:
        """The names of the objectives that must be there."""

    @abc.abstractmethod
    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""

    @abc.abstractmethod
    def judge(self, rows: Rows) -> Ranking:
        """Rank rows that have all the objectives that the rule needs.

        Raises:
            NoModelMeetsCapsError: No row meets the rule's caps.
            OptionError: The rule cannot be used on these losses.
        """

    def own_caps(self) -> tuple[Cap, ...]:
        """Give the caps that a row must meet to be chosen, where the rule has some."""
        return ()

    def fitted(self, names: Sequence[str]) -> Self:  # noqa: ARG002 - for rules that leave something open
        """Fill in what the rule leaves open until the objectives are known.

        Args:
            names: The names of the objectives.
        """
        return self

    def missing(self, names: Sequence[str]) -> list[str]:
        """Give the objectives that must be there and are not, given the names of those that are."""
        return [name for name in dict.fromkeys(self.objectives) if name not in names]

    def rank(self, losses: npt.ArrayLike, names: Sequence[str]) -> Ranking:
        """Rank rows: which is chosen, by how much, and why not another.

        Args:
            losses: Losses of the members of a front in the shape of (n, m), in the order of
                their trials, all minimised.
            names: The m names of the objectives, in the order of the columns.

        Raises:
            EmptyStudyError: There is no row to choose from.
            NoModelMeetsCapsError: No row meets the rule's caps.
            OptionError: An objective that the rule needs is missing, the names do not fit the
                columns, or a loss is neither a number nor +inf.
        """
        rows = Rows.of(losses, names)
        rule = self.fitted(rows.names)
        missing = rule.missing(rows.names)
        if missing:
            raise OptionError(
                f"rule {rule.name!r} needs {missing}, but the objectives are {list(rows.names)}: "
                f"{rule.remedy(rows.names)}"
            )
        return rule.judge(rows)

    def choose(self, losses: npt.ArrayLike, names: Sequence[str]) -> int:
        """Choose one row; arguments and errors are those of :meth:`rank`.

        Returns:
            The index of the chosen row, from 0 to n - 1.
        """
        return self.rank(losses, names).chosen

    def remedy(self, names: Sequence[str]) -> str:  # noqa: ARG002 - for rules that know better
        """Say what to do where an objective is missing, given those that there are."""
        return "choose another rule, or make a study with them"

    def to_dict(self) -> dict[str, Any]:
        """Give the rule's name and its arguments as plain data."""
        rule: Any = self
        options = fields(rule) if is_dataclass(rule) else ()
        return {
            "name": self.name,
            "arguments": {one.name: _plain(getattr(rule, one.name)) for one in options},
        }


def _plain(value: object) -> Any:  # noqa: ANN401 - whatever an option may be
    """Give pairs as a dict, other tuples as lists, and infinity, which JSON has not, as "inf"."""
    if isinstance(value, tuple):
        pairs = all(isinstance(one, tuple) for one in value)
        return {name: _plain(one) for name, one in value} if pairs else list(value)
    return "inf" if value == math.inf else value
