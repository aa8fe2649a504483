"""Selection rules: from the members of a Pareto front to the one that is chosen.

A rule is a frozen object: made with its options, compared, recorded, and applied to any front.
Every objective is minimised; the names that the rules know are ``quality_loss`` (from 0, the
best, to 1), ``co2e_kg``, ``n_params``, ``energy_kwh`` and ``duration_s``. A loss may be +inf (a
trial that diverged).

Ties are settled alike by every rule, in this order:

1. the rule's own figure, the lower the better (each rule says what it is);
2. the lower losses, objective by objective, in the order of ``names``;
3. the earlier row.

Where rounding could turn a comparison (a loss against its limit, a sum of two scaled losses),
``ROUNDING`` is allowed for.
"""

from __future__ import annotations

import abc
import difflib
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from green_optuna.errors import EmptyStudyError, NoModelMeetsCapsError, OptionError
from green_optuna.pareto import as_losses
from green_optuna.units import format_co2e

ROUNDING = 1e-12
"""What rounding may cost: on the scale of a quality loss, or as a share of another limit."""


class Rule(abc.ABC):
    """What every selection rule offers: a name, what it needs, and a choice."""

    __slots__ = ()

    name: ClassVar[str]
    """What the rule is called on a command line and in a record."""

    @property
    @abc.abstractmethod
    def objectives(self) -> tuple[str, ...]:
        """The names of the objectives that the rule looks at."""

    @abc.abstractmethod
    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""

    @abc.abstractmethod
    def choose(self, losses: npt.ArrayLike, names: Sequence[str]) -> int:
        """Choose one row.

        Args:
            losses: Losses of the members of a front in the shape of (n, m), in the order of
                their trials, all minimised.
            names: The m names of the objectives, in the order of the columns.

        Returns:
            The index of the chosen row, from 0 to n - 1.

        Raises:
            EmptyStudyError: There is no row to choose from.
            NoModelMeetsCapsError: No row meets the rule's caps.
            OptionError: An objective that the rule needs is missing, the names do not fit the
                columns, or a loss is neither a number nor +inf.
        """


@dataclass(frozen=True, slots=True)
class Tolerance(Rule):
    """Least CO2e among the rows whose quality is close to the best one; the default rule.

    The quality is 1 - ``quality_loss``, on the study's own scale from 0 (worst) to 1 (best). It
    is close enough when it is at least (1 - relative) x best, or best - absolute. The rule's own
    figure is ``co2e_kg``.

    Args:
        relative: The share of the best quality that may be given up, at least 0 and below 1;
            0.01 (1 %) when neither option is given, None when the other is.
        absolute: What may be given up on the scale from 0 to 1, at least 0, instead of a share.

    Raises:
        OptionError: Both are given, or one of them is outside its range.
    """

    name: ClassVar[str] = "tolerance"

    relative: float | None = None
    _: KW_ONLY
    absolute: float | None = None

    def __post_init__(self) -> None:
        """Check the options, and fill in the default share."""
        if self.absolute is not None and self.relative is not None:
            raise OptionError(
                f"Tolerance has relative={self.relative!r} and absolute={self.absolute!r}: give "
                "one of them"
            )
        if self.absolute is None and self.relative is None:
            object.__setattr__(self, "relative", 0.01)
        for option, value in (("relative", self.relative), ("absolute", self.absolute)):
            if value is not None:
                _check_amount(option, value)
        if self.relative is not None and self.relative >= 1:
            raise OptionError(
                f"relative is {self.relative!r}: give a share below 1, such as 0.01 for 1 %"
            )
        if self.absolute == math.inf:
            raise OptionError("absolute is inf: give a finite number, such as 0.01")

    @property
    def objectives(self) -> tuple[str, ...]:
        """The quality and the CO2e."""
        return ("quality_loss", "co2e_kg")

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        share, amount = self._given_up()
        within = f"{100 * share:.6g} %" if self.absolute is None else f"{amount:.6g}"
        return f"least CO2e within {within} of the best quality"

    def choose(self, losses: npt.ArrayLike, names: Sequence[str]) -> int:
        """Choose the row of least CO2e whose quality is close to the best (see ``Rule``)."""
        front = _Front.of(losses, names, self)
        loss = front.column("quality_loss")
        best = float(loss.min())
        share, amount = self._given_up()
        # quality >= (1 - share) x best, in losses; beyond the worst loss, 1, no share is left
        limit = best + share * max(0.0, 1.0 - best) + amount + ROUNDING
        return front.least(front.column("co2e_kg"), loss <= limit)

    def _given_up(self) -> tuple[float, float]:
        return self.relative or 0.0, self.absolute or 0.0


@dataclass(frozen=True, slots=True)
class _Capped(Rule):
    """Least of one objective among the rows that meet caps, the epsilon-constraint method.

    Each field is a cap, called ``max_`` and the name of its objective.
    """

    _aim: ClassVar[str]
    _aim_in_words: ClassVar[str]

    def __post_init__(self) -> None:
        """Check the caps."""
        for cap in self._caps():
            _check_amount(cap.option, cap.value)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objective that is made least, and those that have a cap."""
        return (self._aim, *(cap.objective for cap in self._caps()))

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        limits = " and ".join(cap.describe() for cap in self._caps())
        return f"{self._aim_in_words} with {limits}" if limits else self._aim_in_words

    def choose(self, losses: npt.ArrayLike, names: Sequence[str]) -> int:
        """Choose the least row among those that meet the caps (see ``Rule``)."""
        front = _Front.of(losses, names, self)
        caps = self._caps()
        met = np.ones((len(caps), len(front.losses)), dtype=bool)
        for row, cap in zip(met, caps, strict=True):
            row[:] = front.column(cap.objective) <= cap.limit
        together = np.logical_and.reduce(met, axis=0)
        if not together.any():
            raise NoModelMeetsCapsError(_nearest_misses(caps, met, front))
        return front.least(front.column(self._aim), together)

    def _caps(self) -> tuple[_Cap, ...]:
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return tuple(_Cap(option, value) for option, value in given if value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MinCO2e(_Capped):
    """Least CO2e among the rows that meet the caps; a cap is met at equality.

    The epsilon-constraint method (Haimes, Lasdon and Wismer 1971,
    https://doi.org/10.1109/TSMC.1971.4308298). The rule's own figure is ``co2e_kg``.

    Args:
        max_quality_loss: The greatest quality loss allowed, on the scale from 0 (best) to 1.
        max_n_params: The greatest number of parameters allowed.

    Raises:
        OptionError: A cap is not a number, NaN, or negative.
    """

    name: ClassVar[str] = "min-co2e"
    _aim: ClassVar[str] = "co2e_kg"
    _aim_in_words: ClassVar[str] = "least CO2e"

    max_quality_loss: float | None = None
    max_n_params: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BestQuality(_Capped):
    """Best quality among the rows that meet the caps; a cap is met at equality.

    The epsilon-constraint method (Haimes, Lasdon and Wismer 1971,
    https://doi.org/10.1109/TSMC.1971.4308298). The rule's own figure is ``quality_loss``.

    Args:
        max_co2e_kg: The greatest CO2e allowed, in kg.
        max_n_params: The greatest number of parameters allowed.

    Raises:
        OptionError: A cap is not a number, NaN, or negative.
    """

    name: ClassVar[str] = "best-quality"
    _aim: ClassVar[str] = "quality_loss"
    _aim_in_words: ClassVar[str] = "best quality"

    max_co2e_kg: float | None = None
    max_n_params: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee(Rule):
    """The row that lies farthest below the line through the two extremes, for two objectives.

    The knee of Das (1999, https://doi.org/10.1007/BF01195985), on axes scaled linearly to [0, 1]
    over the given rows. The extremes are the best row on each axis (among several, the best of
    them on the other axis). Any linear scale gives the same choice; a logarithmic one may not.
    The rule's own figure is the sum of the two losses, scaled so that the extremes are (0, 1) and
    (1, 0): 1 on the line, and less the farther below it.

    - Two rows, or none below the line: the extremes tie at 1, so the order of ties takes the one
      that is better on the earlier of ``names``.
    - A row that is best on both axes (a single row, or rows equal on one axis): that row.
    - A row with +inf on one of the two axes: chosen only when every row has one, by the order of
      ties alone.

    Args:
        objectives: The names of two different objectives.

    Raises:
        OptionError: The objectives are not two different names.
    """

    name: ClassVar[str] = "knee"

    objectives: tuple[str, str] = ("quality_loss", "co2e_kg")

    def __post_init__(self) -> None:
        """Check the objectives; any sequence of two is taken, since configurations hold lists."""
        given: object = self.objectives
        pair = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
        if not all(isinstance(name, str) for name in pair) or len(pair) != 2 or len(set(pair)) != 2:
            raise OptionError(
                f"objectives is {given!r}: give the names of two different objectives, such as "
                "('quality_loss', 'co2e_kg')"
            )
        object.__setattr__(self, "objectives", pair)

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        first, second = (_IN_WORDS.get(name, name) for name in self.objectives)
        return f"knee of {first} against {second}"

    def choose(self, losses: npt.ArrayLike, names: Sequence[str]) -> int:
        """Choose the row farthest below the line through the extremes (see ``Rule``)."""
        front = _Front.of(losses, names, self)
        points = np.column_stack([front.column(name) for name in self.objectives])
        finite = np.isfinite(points).all(axis=1)
        sums = np.full(len(points), math.inf)
        sums[finite] = _scaled_sums(points[finite])
        return front.least(np.zeros(len(points)), sums <= sums.min() + ROUNDING)


RULES: Mapping[str, type[Rule]] = MappingProxyType(
    {rule.name: rule for rule in (Tolerance, MinCO2e, BestQuality, Knee)}
)
"""The rules by name."""


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


_IN_WORDS = MappingProxyType(
    {
        "quality_loss": "quality loss",
        "co2e_kg": "CO2e",
        "n_params": "number of parameters",
        "energy_kwh": "energy",
        "duration_s": "duration",
    }
)
_CAPS_IN_WORDS = MappingProxyType(
    {
        "quality_loss": "quality loss at most {}",
        "co2e_kg": "at most {} of CO2e",
        "n_params": "at most {} parameters",
    }
)


@dataclass(frozen=True, slots=True)
class _Cap:
    """A cap as it was given: the option's name and its value."""

    option: str
    value: float

    @property
    def objective(self) -> str:
        return self.option.removeprefix("max_")

    @property
    def limit(self) -> float:
        scale = 1.0 if self.objective == "quality_loss" else self.value
        return self.value + ROUNDING * scale

    def describe(self) -> str:
        shown = format_co2e(self.value) if self.objective == "co2e_kg" else _shown(self.value)
        return _CAPS_IN_WORDS[self.objective].format(shown)


@dataclass(frozen=True, slots=True, eq=False)
class _Front:
    """The checked rows that a rule chooses from."""

    losses: npt.NDArray[np.float64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, losses: npt.ArrayLike, names: Sequence[str], rule: Rule) -> _Front:
        no_rows = isinstance(losses, Sequence) and not losses  # a list that shows no columns
        table = np.empty((0, 1)) if no_rows else as_losses(losses)
        if not len(table):
            raise EmptyStudyError("there is no row to choose from: complete a trial first")
        if np.isneginf(table).any():
            row = int(np.isneginf(table).any(axis=1).argmax())
            raise OptionError(f"losses has -inf in row {row}: a loss is a number or +inf")
        if len(names) != table.shape[1] or len(set(names)) != len(names):
            raise OptionError(
                f"names is {list(names)}: give a different name for each of the "
                f"{table.shape[1]} columns"
            )
        missing = [name for name in rule.objectives if name not in names]
        if missing:
            raise OptionError(
                f"rule {rule.name!r} needs {missing}, but the objectives are {list(names)}: "
                "choose another rule, or make a study with them"
            )
        return cls(table, tuple(names))

    def column(self, name: str) -> npt.NDArray[np.float64]:
        return self.losses[:, self.names.index(name)]

    def least(self, figure: npt.NDArray[np.float64], among: npt.NDArray[np.bool_]) -> int:
        """Return the row of least figure, ties settled as the module says."""
        rows = np.flatnonzero(among)
        # lexsort's first key is its last, and it is stable: equal rows stay in their order
        order = np.lexsort((*self.losses[rows].T[::-1], figure[rows]))
        return int(rows[order[0]])


def _scaled_sums(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sum of the two coordinates (n, 2), the extremes being put at (0, 1), (1, 0).

    The distance below the line through the extremes is proportional to 1 - sum.
    """
    if not len(points):
        return np.empty(0)
    points = points / 4  # so that no difference overflows
    low = points.min(axis=0)
    on_left, on_floor = points[:, 0] == low[0], points[:, 1] == low[1]
    span = np.array([points[on_floor, 0].min(), points[on_left, 1].min()]) - low
    if not span.all():  # the extremes are one row
        return np.where(on_left & on_floor, 0.0, math.inf)
    with np.errstate(over="ignore"):  # a row very far above the line
        sums: npt.NDArray[np.float64] = ((points - low) / span).sum(axis=1)
    return sums


def _nearest_misses(caps: Sequence[_Cap], met: npt.NDArray[np.bool_], front: _Front) -> str:
    """Say how far each cap (rows of met) is from being met together with the others."""
    misses = []
    for place, cap in enumerate(caps):
        others = np.logical_and.reduce(np.delete(met, place, axis=0), axis=0)
        among = " among those that meet the other caps" if 0 < others.sum() < len(others) else ""
        values = front.column(cap.objective)
        least = float(values[others].min() if others.any() else values.min())
        miss = f"{least - cap.value:.3g} over" if least > cap.limit else "which meets it"
        misses.append(
            f"{cap.option} is {_shown(cap.value)} and the least{among} is {_shown(least)}, {miss}"
        )
    return f"no model meets the caps: {'; '.join(misses)}. Raise a cap, or run more trials"


def _check_amount(option: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise OptionError(f"{option} is {value!r} ({type(value).__name__}): give a number")
    if math.isnan(value) or value < 0:
        raise OptionError(f"{option} is {value!r}: give a number that is at least 0")


def _shown(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.6g}"
