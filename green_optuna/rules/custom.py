"""A rule of the user's own: a function that gives each row a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from green_optuna.errors import OptionError
from green_optuna.rules.ranking import Ranking
from green_optuna.rules.rule import Rule

if TYPE_CHECKING:
    from green_optuna.rules.rows import Rows

Figure = Callable[[Mapping[str, npt.NDArray[np.float64]]], npt.ArrayLike]
"""A function from the losses by objective, arrays of shape (n,), to a figure for each row."""


@dataclass(frozen=True, slots=True)
class Custom(Rule):
    """The least of a figure of the user's own.

    ``front.select(function)`` is short for ``front.select(Custom(function))``. ::

        Custom(lambda losses: losses["co2e_kg"] * losses["n_params"], label="CO2e x parameters")

    Args:
        function: Takes the losses of the rows by objective, read-only arrays in the shape of
            (n,), and gives one figure a row, the lower the better; +inf for a row that is only
            to be chosen when all are.
        label: What the figure is called; the function's name unless given.

    Raises:
        OptionError: The function cannot be called; when it chooses, that it asks for an
            objective that is not there, or does not give one number a row.
    """

    name: ClassVar[str] = "custom"

    function: Figure
    label: str | None = None

    def __post_init__(self) -> None:
        """Check the function."""
        if not callable(self.function):
            raise OptionError(f"function is {self.function!r}: give a function of the losses")

    @property
    def objectives(self) -> tuple[str, ...]:
        """None in particular: the function takes what it wants."""
        return ()

    def describe(self) -> str:
        """Say in one short clause what the rule chooses."""
        return f"least {self._called}"

    def judge(self, rows: Rows) -> Ranking:
        """Rank by the function's figure."""
        columns = {}
        for name in rows.names:
            columns[name] = rows.column(name).view()
            columns[name].flags.writeable = False
        try:
            given = self.function(MappingProxyType(columns))
        except KeyError as error:
            if error.args and error.args[0] in columns:
                raise
            raise OptionError(
                f"the rule {self._called!r} asks for {error}, but the objectives are "
                f"{list(rows.names)}"
            ) from error
        return Ranking(rows, self._called, self._checked(given, len(rows)))

    def to_dict(self) -> dict[str, Any]:
        """Give the rule's name, and how its function and its figure are called."""
        where = getattr(self.function, "__module__", None), self._function_name
        arguments = {"function": ":".join(filter(None, where)), "label": self.label}
        return {"name": self.name, "arguments": arguments}

    def _checked(self, given: npt.ArrayLike, n: int) -> npt.NDArray[np.float64]:
        try:
            figure = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise OptionError(f"the rule {self._called!r} gave {given!r}: {error}") from error
        if figure.shape != (n,) or not (figure > -np.inf).all():
            raise OptionError(
                f"the rule {self._called!r} gave {given!r}: give one number a row, {n} in all, the "
                "lower the better, or inf"
            )
        return figure

    @property
    def _called(self) -> str:
        return self.label or self._function_name

    @property
    def _function_name(self) -> str:
        return getattr(self.function, "__qualname__", type(self.function).__qualname__)
