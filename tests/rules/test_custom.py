"""A rule of the user's own."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from green_optuna.errors import OptionError
from green_optuna.rules import Custom, Tolerance, as_rule

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS = [(0.1, 4.0), (0.2, 1.5), (0.8, 1.0)]
NAMES = ("quality_loss", "co2e_kg")


def per_quality(losses: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an array
    """CO2e for a unit of quality."""
    return losses["co2e_kg"] / (1 - losses["quality_loss"])


def test_the_least_of_ones_own_figure_is_chosen() -> None:
    """With a runner-up and a margin in that figure, as any rule's."""
    ranking = Custom(per_quality).rank(ROWS, NAMES)
    assert (ranking.chosen, ranking.runner_up) == (1, 0)
    assert ranking.margin == pytest.approx(4 / 0.9 - 1.5 / 0.8)
    assert ranking.why_not(2) == "per_quality 5 is 3.125 more"


def test_a_function_is_a_rule_that_travels() -> None:
    """It is called by its name or label, is a value as any rule, and goes through pickle."""
    rule = as_rule(per_quality)
    assert rule == Custom(per_quality)
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert rule.describe() == "least per_quality"
    assert Custom(per_quality, label="CO2e a unit").describe() == "least CO2e a unit"
    arguments = {"function": f"{__name__}:per_quality", "label": None}
    assert rule.to_dict() == {"name": "custom", "arguments": arguments}
    assert as_rule(None) == as_rule("tolerance") == Tolerance()


def test_an_infinite_figure_is_the_last_resort() -> None:
    """A row with one is chosen only when all have one, by the order of ties."""
    assert Custom(lambda _: [math.inf, 2.0, math.inf]).choose(ROWS, NAMES) == 1
    ranking = Custom(lambda _: [math.inf] * 3).rank(ROWS, NAMES)
    assert (ranking.chosen, ranking.runner_up, ranking.margin) == (0, 1, 0.0)


@pytest.mark.parametrize(
    "given", [1, [1.0, 2.0], [1.0, math.nan, 2.0], [-math.inf, 1, 2], "best", None, [[1.0]] * 3]
)
def test_anything_but_a_number_a_row_is_refused(given: object) -> None:
    """The error shows what the function gave."""
    with pytest.raises(OptionError, match=r"the rule 'mine' gave"):
        Custom(lambda _: given, label="mine").choose(ROWS, NAMES)  # type: ignore[arg-type,return-value]


def test_an_objective_that_is_not_there_is_named() -> None:
    """It is told from a KeyError of the function's own."""
    with pytest.raises(OptionError, match=r"asks for 'flops', but the objectives are"):
        Custom(lambda losses: losses["flops"]).choose(ROWS, NAMES)
    with pytest.raises(KeyError):
        Custom(lambda _: dict[str, float]()["co2e_kg"]).choose(ROWS, NAMES)


def test_the_losses_cannot_be_changed() -> None:
    """A function that writes to them fails, rather than spoil the front."""

    def spoil(losses: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an array
        losses["co2e_kg"][:] = 0
        return losses["co2e_kg"]

    with pytest.raises(ValueError, match="read-only"):
        Custom(spoil).choose(np.array(ROWS), NAMES)


def test_what_cannot_be_called_is_no_rule() -> None:
    """The error shows it."""
    with pytest.raises(OptionError, match="function is 7"):
        as_rule(7)  # type: ignore[arg-type]
