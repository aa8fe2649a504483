"""Caps: on any objective, and before any rule."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.errors import NoModelMeetsCapsError, OptionError
from green_optuna.rules import (
    RULES,
    BestQuality,
    Capped,
    EpsilonConstraint,
    MinCO2e,
    Rule,
    Tolerance,
    Utopia,
    WeightedSum,
)
from rules.brute import NAMES, Row, exact, few, first, fronts

caps_to_try = st.dictionaries(st.sampled_from(NAMES), few, max_size=3)


@given(fronts(), st.sampled_from(NAMES), caps_to_try)
def test_the_least_of_any_objective_is_taken_under_caps_on_any(
    rows: list[Row], aim: str, caps: dict[str, float]
) -> None:
    """The choice, or the lack of one, is that of trying every row."""
    rule = EpsilonConstraint(minimise=aim, caps=caps)
    among = [
        i
        for i, row in enumerate(rows)
        if all(row[NAMES.index(name)] <= most for name, most in caps.items())
    ]
    if among:
        column = NAMES.index(aim)
        assert rule.choose(rows, NAMES) == first(rows, among, lambda i: exact(rows[i][column]))
    else:
        with pytest.raises(NoModelMeetsCapsError):
            rule.choose(rows, NAMES)


@given(fronts(), few, few)
def test_the_two_common_forms_are_cases_of_the_general_one(
    rows: list[Row], loss: float, count: float
) -> None:
    """MinCO2e and BestQuality rank as EpsilonConstraint does with the same caps."""
    pairs: list[tuple[Rule, Rule]] = [
        (
            MinCO2e(max_quality_loss=loss + 1),
            EpsilonConstraint(caps={"quality_loss": loss + 1}),
        ),
        (
            BestQuality(max_n_params=count + 5),
            EpsilonConstraint(minimise="quality_loss", caps={"n_params": count + 5}),
        ),
    ]
    for short, general in pairs:
        assert short.describe() == general.describe()
        ours, theirs = short.rank(rows, NAMES), general.rank(rows, NAMES)
        assert (ours.chosen, ours.runner_up, ours.margin) == (
            theirs.chosen,
            theirs.runner_up,
            theirs.margin,
        )


@given(fronts(), few, st.sampled_from(sorted(RULES)))
def test_a_capped_rule_is_the_rule_over_the_rows_that_meet_the_caps(
    rows: list[Row], most: float, name: str
) -> None:
    """The rows that miss a cap are to the rule as if they were not there."""
    rule = RULES[name]()
    among = [i for i, row in enumerate(rows) if row[2] <= most]
    capped = Capped(rule, {"n_params": most})
    if among:
        ranking = capped.rank(rows, NAMES)
        alone = rule.rank([rows[i] for i in among], NAMES)
        assert ranking.chosen == among[alone.chosen]
        assert ranking.margin == alone.margin
        assert dict(ranking.bounds) == dict(alone.bounds)
    else:
        with pytest.raises(NoModelMeetsCapsError):
            capped.choose(rows, NAMES)


def test_a_cap_by_name_that_nobody_meets_names_the_nearest_miss() -> None:
    """The error gives the objective, the cap, the least value there is, and the difference."""
    rows = [(0.1, 0.5), (0.2, 0.375)]
    for rule in (
        EpsilonConstraint(minimise="quality_loss", caps={"energy_kwh": 0.25}),
        Capped(BestQuality(), {"energy_kwh": 0.25}),
    ):
        with pytest.raises(
            NoModelMeetsCapsError,
            match=r"caps\['energy_kwh'\] is 0\.25 and the least is 0\.375, 0\.125 over",
        ):
            rule.choose(rows, ("quality_loss", "energy_kwh"))


def test_a_row_over_a_cap_is_told_from_a_row_that_is_worse() -> None:
    """Why not: the cap that it misses, or the rule's figure."""
    rows = [(0.0, 9e-6, 9.0), (0.5, 2e-6, 5.0), (0.75, 1e-6, 1.0)]
    ranking = Capped(BestQuality(), {"co2e_kg": 3e-6}).rank(rows, NAMES)
    assert (ranking.chosen, ranking.runner_up) == (1, 2)
    assert ranking.why_not(0) == "CO2e 9.00 mg is over 3.00 mg, its cap"
    assert ranking.why_not(2) == "1 - quality 0.75 is 0.25 more"


@pytest.mark.parametrize(
    "rule",
    [
        EpsilonConstraint(caps={"wit": 1.0}),
        EpsilonConstraint(minimise="wit"),
        Capped(Tolerance(), {"wit": 1.0}),
        Capped(Tolerance(minimise="wit"), {"co2e_kg": 1.0}),
        WeightedSum(weights={"wit": 2.0}),
        Capped(Utopia(weights={"wit": 0.0}), {"co2e_kg": 1.0}),
    ],
)
def test_an_objective_that_nobody_knows_is_named(rule: Rule) -> None:
    """A cap on it, a weight for it, or a wish to minimise it: all are errors that name it."""
    with pytest.raises(OptionError, match=r"needs \['wit'\], but the objectives are"):
        rule.choose([(0.5, 1.0, 2.0)], NAMES)


@pytest.mark.parametrize("caps", [{"co2e_kg": -1.0}, {"co2e_kg": math.nan}, {"co2e_kg": "7"}])
def test_a_cap_that_is_no_amount_names_its_objective(caps: dict[str, float]) -> None:
    """The error says which of the caps it is."""
    with pytest.raises(OptionError, match=r"caps\['co2e_kg'\] is"):
        EpsilonConstraint(caps=caps)
    with pytest.raises(OptionError, match=r"caps\['co2e_kg'\] is"):
        Capped(Tolerance(), caps)


@pytest.mark.parametrize("caps", [7, "co2e_kg", [("co2e_kg",)], {1: 2.0}])
def test_caps_that_are_no_mapping_are_refused(caps: dict[str, float]) -> None:
    """The error shows what was given."""
    with pytest.raises(OptionError, match="caps is"):
        EpsilonConstraint(caps=caps)
