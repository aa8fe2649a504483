"""What holds of every ranking: the runner-up, the margin and the reasons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.errors import OptionError
from green_optuna.rules import (
    RULES,
    Capped,
    EpsilonConstraint,
    Knee,
    Rule,
    Tolerance,
    Utopia,
)
from rules.brute import NAMES, Row, fronts

RANKED: tuple[Rule, ...] = (
    *(rule() for rule in RULES.values()),
    Tolerance(0.5, minimise="n_params"),
    EpsilonConstraint(minimise="quality_loss", caps={"co2e_kg": 5.0, "n_params": 5.0}),
    Capped(Utopia(scale="rank"), {"n_params": 5.0}),
    Knee(scale="rank"),
)


@given(fronts(), st.sampled_from(RANKED))
def test_the_runner_up_is_second_and_every_other_row_has_a_reason(
    rows: list[Row], rule: Rule
) -> None:
    """Of the rows within the limits, the two come first by figure and ties; none is left out."""
    ranking = rule.rank(rows, NAMES)
    among, figure = ranking.among.nonzero()[0].tolist(), ranking.figure.tolist()
    # Figures that rounding alone tells apart are equal.
    order = sorted(among, key=lambda i: (round(figure[i], 9), rows[i], i))
    assert ranking.chosen == order[0]
    assert ranking.runner_up == (order[1] if len(order) > 1 else None)
    if ranking.runner_up is None:
        assert ranking.margin is None
    else:
        assert ranking.margin is not None
        assert ranking.margin > -1e-9
    for row in range(len(rows)):
        if row != ranking.chosen:
            said = ranking.why_not(row)
            assert ("is over" in said) == (row not in among)


def test_reasons_tell_a_limit_a_figure_and_a_tie_apart() -> None:
    """Each names the quantity and by how much, in units for a person."""
    rows = [
        (0.1, 2e-6, 30.0),
        (0.1, 2e-6, 40.0),
        (0.1, 2e-6, 30.0),
        (0.105, 2.5e-6, 10.0),
        (0.5, 1e-6, 5.0),
    ]
    ranking = Tolerance().rank(rows, NAMES)
    assert [ranking.why_not(row) for row in range(1, 5)] == [
        "equal in CO2e; parameters 40 is more than 30",
        "equal in CO2e; equal in every objective, and the earlier trial is taken",
        "CO2e 2.50 mg is 500 ug more",
        "1 - quality 0.5 is over 0.109, 1 % from the best quality",
    ]


def test_least_co2e_is_least_energy_where_there_is_no_co2e() -> None:
    """A study has one carbon intensity, so that the one follows the other."""
    rows, names = [(0.1, 5.0), (0.105, 3.0), (0.5, 1.0)], ("quality_loss", "energy_kwh")
    assert Tolerance().choose(rows, names) == 1
    fitted = Tolerance().fitted(names)
    assert fitted == Tolerance(minimise="energy_kwh")
    assert fitted.describe() == "least energy within 1 % of the best quality"
    assert Tolerance().fitted(NAMES) == Tolerance().fitted((*NAMES, "energy_kwh")) == Tolerance()
    assert Capped(Tolerance(), {"energy_kwh": 2.0}).choose(rows, names) == 2


def test_without_co2e_or_energy_the_default_says_what_to_give() -> None:
    """It does not guess that parameters stand for what they cost."""
    with pytest.raises(OptionError, match="such as minimise='n_params', choose another rule"):
        Tolerance().choose([(0.1, 5.0)], ("quality_loss", "n_params"))
    with pytest.raises(OptionError, match="choose another rule, or make a study with them"):
        Tolerance().choose([(0.1, 5.0)], ("energy_kwh", "n_params"))


def test_the_tolerance_cannot_be_on_what_is_made_least() -> None:
    """The quality has the tolerance; something else is to be least."""
    with pytest.raises(OptionError, match="minimise is 'quality_loss'"):
        Tolerance(minimise="quality_loss")
