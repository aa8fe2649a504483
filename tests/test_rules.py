"""Selection rules against their definitions, in exact arithmetic and by brute force."""

from __future__ import annotations

import math
import pickle
from dataclasses import FrozenInstanceError, fields
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from green_optuna.errors import EmptyStudyError, NoModelMeetsCapsError, OptionError
from green_optuna.pareto import non_dominated
from green_optuna.rules import (
    RULES,
    BestQuality,
    Capped,
    Contribution,
    Custom,
    EpsilonConstraint,
    Knee,
    Lexicographic,
    MinCO2e,
    Rule,
    Tolerance,
    Utopia,
    WeightedSum,
    as_rule,
    rule_by_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

Row = tuple[float, ...]

NAMES = ("quality_loss", "co2e_kg", "n_params")


def cheapest(losses: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """A rule of one's own that is at home anywhere: no row is chosen that another dominates."""
    return losses["co2e_kg"]


RULES_TO_TRY = (
    Tolerance(),
    Tolerance(0.3),
    Tolerance(absolute=0.2),
    MinCO2e(),
    MinCO2e(max_quality_loss=math.inf),
    BestQuality(),
    Knee(),
    Knee(objectives=("n_params", "co2e_kg")),
    Knee(scale="rank"),
    EpsilonConstraint(minimise="n_params", caps={"co2e_kg": math.inf}),
    Capped(Utopia(), {"n_params": math.inf}),
    Lexicographic(),
    Lexicographic({"n_params": 0.5, "co2e_kg": 0.25, "quality_loss": 0}),
    WeightedSum(),
    WeightedSum(weights={"co2e_kg": 3, "n_params": 0}, scale="rank"),
    Utopia(),
    Utopia(p=1, scale="rank"),
    Utopia(p=math.inf, weights={"quality_loss": 0.1}),
    Contribution(),
    Contribution(scale="rank", reference=1.5),
    Custom(cheapest),
)


thousandths = st.integers(0, 1000).map(lambda k: k / 1000)
few = st.integers(0, 5).map(float)


@st.composite
def fronts(draw: st.DrawFn, *, infinite: bool = False, max_rows: int = 8) -> list[Row]:
    """Rows of (quality loss, CO2e, parameters) whose few values make ties likely."""
    loss = st.one_of(st.integers(0, 4).map(lambda k: k / 4), thousandths)
    columns = [loss, few, few]
    if infinite:
        columns = [st.one_of(column, st.just(math.inf)) for column in columns]
    return draw(st.lists(st.tuples(*columns), min_size=1, max_size=max_rows))


def first(
    rows: Sequence[Row],
    among: Sequence[int],
    figure: Callable[[Row], float] | None = None,
) -> int:
    """The documented order of ties: the rule's figure, the losses as named, the earlier row."""
    return min(among, key=lambda i: (figure(rows[i]) if figure else 0.0, rows[i], i))


# Tolerance


@given(fronts(), st.integers(0, 99))
def test_tolerance_takes_the_least_co2e_within_a_share_of_the_best_quality(
    rows: list[Row], percent: int
) -> None:
    """The choice is that of quality >= (1 - t) x best in exact arithmetic."""
    quality = [1 - Fraction(round(1000 * row[0]), 1000) for row in rows]
    least = (1 - Fraction(percent, 100)) * max(quality)
    expected = first(rows, [i for i, q in enumerate(quality) if q >= least], lambda row: row[1])
    assert Tolerance(percent / 100).choose(rows, NAMES) == expected


@given(fronts(), st.integers(0, 1000))
def test_tolerance_takes_the_least_co2e_within_an_amount_of_the_best_quality(
    rows: list[Row], thousandth: int
) -> None:
    """The choice is that of quality >= best - t in exact arithmetic."""
    quality = [1 - Fraction(round(1000 * row[0]), 1000) for row in rows]
    least = max(quality) - Fraction(thousandth, 1000)
    expected = first(rows, [i for i, q in enumerate(quality) if q >= least], lambda row: row[1])
    assert Tolerance(absolute=thousandth / 1000).choose(rows, NAMES) == expected


def test_tolerance_gives_up_one_per_cent_unless_told() -> None:
    """The default takes a quality of 0.99 of the best, and no less."""
    assert Tolerance() == Tolerance(0.01)
    rows = [(0.0, 3.0, 1.0), (0.01, 2.0, 1.0), (0.010001, 1.0, 1.0)]
    assert Tolerance().choose(rows, NAMES) == 1


def test_tolerance_forgives_rounding_at_its_edge() -> None:
    """A quality of 0.7 is within 0.2 of 0.9, although the floats say it is just outside."""
    best, edge = 1 - 0.9, 1 - 0.7
    assert edge > best + 0.2
    assert Tolerance(absolute=0.2).choose([(best, 2.0), (edge, 1.0)], NAMES[:2]) == 1


def test_no_share_of_a_quality_below_the_worst_is_given_up() -> None:
    """Where every quality is below 0, only the best of them is close enough."""
    rows = [(1.5, 9.0), (1.501, 1.0), (math.inf, 0.0)]
    assert Tolerance(0.5).choose(rows, NAMES[:2]) == 0


@pytest.mark.parametrize("value", [-0.1, 1.0, 1, 2.0, math.nan, math.inf, True, "0.1"])
def test_a_share_outside_zero_to_one_is_refused(value: float) -> None:
    """A share that is not a number in [0, 1) is an error that names it."""
    with pytest.raises(OptionError, match="relative is"):
        Tolerance(value)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, True, "0.1"])
def test_an_amount_below_zero_is_refused(value: float) -> None:
    """An amount that is not a finite number from 0 on is an error that names it."""
    with pytest.raises(OptionError, match="absolute is"):
        Tolerance(absolute=value)


def test_a_share_and_an_amount_together_are_refused() -> None:
    """Two tolerances at once are an error that gives both, even at the default's value."""
    with pytest.raises(OptionError, match=r"relative=0\.01 and absolute=0\.02"):
        Tolerance(0.01, absolute=0.02)


# Caps

caps = st.one_of(st.none(), few)


@given(fronts(infinite=True), st.one_of(st.none(), thousandths), caps)
def test_min_co2e_is_the_least_co2e_under_its_caps(
    rows: list[Row], max_loss: float | None, max_params: float | None
) -> None:
    """The choice, or the lack of one, is that of trying every row."""
    rule = MinCO2e(max_quality_loss=max_loss, max_n_params=max_params)
    among = [
        i
        for i, (loss, _, params) in enumerate(rows)
        if (max_loss is None or loss <= max_loss) and (max_params is None or params <= max_params)
    ]
    if among:
        assert rule.choose(rows, NAMES) == first(rows, among, lambda row: row[1])
    else:
        with pytest.raises(NoModelMeetsCapsError):
            rule.choose(rows, NAMES)


@given(fronts(infinite=True), caps, caps)
def test_best_quality_is_the_least_quality_loss_under_its_caps(
    rows: list[Row], max_co2e: float | None, max_params: float | None
) -> None:
    """The choice, or the lack of one, is that of trying every row."""
    rule = BestQuality(max_co2e_kg=max_co2e, max_n_params=max_params)
    among = [
        i
        for i, (_, co2e, params) in enumerate(rows)
        if (max_co2e is None or co2e <= max_co2e) and (max_params is None or params <= max_params)
    ]
    if among:
        assert rule.choose(rows, NAMES) == first(rows, among, lambda row: row[0])
    else:
        with pytest.raises(NoModelMeetsCapsError):
            rule.choose(rows, NAMES)


def test_caps_are_met_at_equality_whatever_the_rounding() -> None:
    """A quality of 0.7 meets a cap of 0.3 on its loss, and 0.1 + 0.2 kg one of 0.3 kg."""
    assert 1 - 0.7 > 0.3
    assert MinCO2e(max_quality_loss=0.3).choose([(1 - 0.7, 1.0)], NAMES[:2]) == 0
    assert 0.1 + 0.2 > 0.3
    assert BestQuality(max_co2e_kg=0.3).choose([(0.5, 0.1 + 0.2)], NAMES[:2]) == 0


def test_a_small_amount_of_co2e_over_its_cap_is_not_rounding() -> None:
    """What rounding may cost is a share of a cap in kg, so that milligrams are told apart."""
    with pytest.raises(NoModelMeetsCapsError):
        BestQuality(max_co2e_kg=1e-12).choose([(0.5, 1.001e-12)], NAMES[:2])
    with pytest.raises(NoModelMeetsCapsError):
        BestQuality(max_co2e_kg=0).choose([(0.5, 1e-15)], NAMES[:2])


def test_a_cap_that_nobody_meets_names_the_nearest_miss() -> None:
    """The error gives the cap, the least value there is, and the difference."""
    rows = [(0.1, 0.5, 700.0), (0.2, 0.375, 900.0)]
    with pytest.raises(
        NoModelMeetsCapsError, match=r"max_co2e_kg is 0\.25 and the least is 0\.375, 0\.125 over"
    ):
        BestQuality(max_co2e_kg=0.25).choose(rows, NAMES)


def test_caps_that_nobody_meets_together_name_each_nearest_miss() -> None:
    """Each cap's nearest miss is the least among the rows that meet the other caps."""
    rows = [(0.25, 1.0, 100.0), (0.5, 1.0, 50.0), (0.75, 1.0, 10.0)]
    with pytest.raises(NoModelMeetsCapsError) as caught:
        MinCO2e(max_quality_loss=0.3, max_n_params=60).choose(rows, NAMES)
    message = str(caught.value)
    others = "and the least among those that meet the other caps is"
    assert f"max_quality_loss is 0.3 {others} 0.5, 0.2 over" in message
    assert f"max_n_params is 60 {others} 100, 40 over" in message


def test_caps_of_which_one_alone_is_out_of_reach_say_which() -> None:
    """A cap that rows meet is told from the one that none meets."""
    rows = [(0.25, 1.0, 100.0), (0.5, 1.0, 50.0)]
    with pytest.raises(NoModelMeetsCapsError) as caught:
        MinCO2e(max_quality_loss=0.3, max_n_params=20).choose(rows, NAMES)
    message = str(caught.value)
    assert "max_quality_loss is 0.3 and the least is 0.25, which meets it" in message
    assert "is 20 and the least among those that meet the other caps is 100, 80 over" in message


@pytest.mark.parametrize("value", [-1, -1e-300, math.nan, -math.inf, "7", True, 1j, [1]])
@pytest.mark.parametrize("option", ["max_quality_loss", "max_n_params"])
def test_a_cap_that_is_no_amount_is_refused(option: str, value: float) -> None:
    """A cap that is negative, NaN or no number is an error that names it."""
    with pytest.raises(OptionError, match=f"{option} is"):
        MinCO2e(**{option: value})


def test_numpy_numbers_are_caps_and_tolerances_too() -> None:
    """Options that come out of an array are numbers as any other."""
    rows = [(0.1, 2.0, 9.0), (0.3, 1.0, 4.0)]
    assert MinCO2e(max_n_params=np.int64(5).item()).choose(rows, NAMES) == 1
    assert BestQuality(max_co2e_kg=np.float64(1.0)).choose(rows, NAMES) == 1
    assert Tolerance(np.float64(0.25)).choose(rows, NAMES) == 1


# Knee


def below_the_line(rows: Sequence[Row], i: int, a: Row, b: Row) -> Fraction:
    """Twice the area of the triangle from the extremes a and b to row i: above 0 below the line.

    The area is the distance from the line times half the length between the extremes, on axes
    scaled to [0, 1] over the rows.
    """
    low = [Fraction(min(column)) for column in zip(*rows, strict=True)]
    high = [Fraction(max(column)) for column in zip(*rows, strict=True)]

    def scaled(row: Row) -> list[Fraction]:
        return [
            (Fraction(x) - lo) / (hi - lo) if hi > lo else Fraction(0)
            for x, lo, hi in zip(row, low, high, strict=True)
        ]

    (ax, ay), (bx, by), (x, y) = scaled(a), scaled(b), scaled(rows[i])
    return (bx - ax) * (ay - y) - (ay - by) * (x - ax)


@given(fronts(), st.permutations(range(3)))
def test_the_knee_is_farthest_below_the_line_through_the_extremes(
    rows: list[Row], axes: list[int]
) -> None:
    """The choice is that of the largest triangle below the line, in exact arithmetic."""
    pairs = [(row[axes[0]], row[axes[1]]) for row in rows]
    a, b = min(pairs), min(pairs, key=lambda pair: pair[::-1])
    if a == b:
        among = [i for i, pair in enumerate(pairs) if pair == a]
    else:
        depth = [below_the_line(pairs, i, a, b) for i in range(len(rows))]
        among = [i for i in range(len(rows)) if depth[i] == max(depth)]
    rule = Knee(objectives=(NAMES[axes[0]], NAMES[axes[1]]))
    assert rule.choose(rows, NAMES) == first(rows, among)


def test_the_knee_of_a_bent_front_is_its_corner() -> None:
    """The row nearest to the corner is chosen, on whatever scale each axis is."""
    rows = [(0.0, 7e-6), (0.125, 6e-6), (0.1875, 1e-6), (0.5, 0.5e-6), (1.0, 0.0)]
    assert Knee().choose(rows, NAMES[:2]) == 2


@pytest.mark.parametrize(
    "rows",
    [
        [(0.0, 1.0), (1.0, 0.0)],
        [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)][::-1],
        [(0.8, 0.7), (0.0, 1.0), (1.0, 0.0)],
    ],
)
def test_without_a_row_below_the_line_the_extreme_of_the_first_name_is_the_knee(
    rows: list[Row],
) -> None:
    """Two rows, rows on the line, rows above it: the order of ties takes the better quality."""
    assert Knee().choose(rows, ("quality_loss", "co2e_kg")) == rows.index((0.0, 1.0))
    swapped = [(co2e, loss) for loss, co2e in rows]
    assert Knee().choose(swapped, ("co2e_kg", "quality_loss")) == rows.index((1.0, 0.0))


def test_a_row_that_rounding_puts_below_the_line_is_no_knee() -> None:
    """A row on the line is not chosen for the last bit of a quotient."""
    rows = [(0.3, 1.2), (0.0, 1.5), (1.5, 0.0)]
    assert 0.3 / 1.5 + 1.2 / 1.5 < 1
    assert Knee(objectives=("co2e_kg", "n_params")).choose(rows, ("co2e_kg", "n_params")) == 1


def test_a_row_best_on_both_axes_is_the_knee() -> None:
    """Where one axis is the same for all, the best row on the other is chosen."""
    assert Knee().choose([(0.5, 3.0), (0.5, 1.0), (0.5, 2.0)], NAMES[:2]) == 1
    assert Knee().choose([(0.5, 1.0), (0.25, 1.0)], NAMES[:2]) == 1


def test_an_infinite_loss_leaves_the_knee_of_the_others_alone() -> None:
    """A row that diverged does not move the scale, and is not chosen."""
    rows = [(math.inf, 0.0), (0.0, 1.0), (0.25, 0.25), (1.0, 0.125), (0.0, math.inf)]
    assert Knee().choose(rows, NAMES[:2]) == 2
    assert Knee().choose([rows[0], rows[4]], NAMES[:2]) == 1


def test_the_knee_is_found_on_the_widest_and_the_narrowest_scales() -> None:
    """Neither overflow nor underflow of a difference hides the corner."""
    for unit in (8e307, 5e-320):
        rows = [(-unit, 2 * unit), (-0.75 * unit, -0.75 * unit), (2 * unit, -unit)]
        assert Knee().choose(rows, NAMES[:2]) == 1
    assert Knee().choose([(1e300, 0.5), (0.0, 1.0), (1e-300, 0.0)], NAMES[:2]) == 1


@given(fronts(), st.sampled_from([2.0**-20, 0.5, 1024.0]), st.integers(0, 2))
def test_the_unit_of_an_axis_does_not_move_the_knee(
    rows: list[Row], factor: float, column: int
) -> None:
    """Kilograms or milligrams, parameters or millions of them: the same row is chosen."""
    table = np.array(rows)
    table[:, column] *= factor
    assert Knee().choose(table, NAMES) == Knee().choose(rows, NAMES)


@pytest.mark.parametrize(
    "objectives",
    [(), ("co2e_kg",), ("co2e_kg", "co2e_kg"), NAMES, "ab", ("co2e_kg", 1), ([], {}), None],
)
def test_a_knee_wants_two_different_objectives(objectives: tuple[str, str]) -> None:
    """Anything but two different names is an error that gives an example."""
    with pytest.raises(OptionError, match="two different objectives, such as"):
        Knee(objectives=objectives)


def test_a_knee_takes_its_objectives_from_a_list() -> None:
    """A list, as a configuration file has it, is the same as a pair."""
    names = ["n_params", "co2e_kg"]
    assert Knee(objectives=names) == Knee(objectives=("n_params", "co2e_kg"))  # type: ignore[arg-type]


# What holds for every rule


@given(fronts(infinite=True))
def test_the_choice_is_on_the_front(rows: list[Row]) -> None:
    """No rule chooses a row that another dominates, whatever rows it is given."""
    for rule in RULES_TO_TRY:
        assert non_dominated(rows)[rule.choose(rows, NAMES)], rule


@given(fronts(infinite=True), st.data())
def test_the_order_of_rows_changes_nothing_but_the_index(
    rows: list[Row], data: st.DataObject
) -> None:
    """The same losses are chosen from shuffled rows."""
    shuffled = data.draw(st.permutations(rows))
    for rule in RULES_TO_TRY:
        assert shuffled[rule.choose(shuffled, NAMES)] == rows[rule.choose(rows, NAMES)], rule


@given(fronts(infinite=True))
def test_of_equal_rows_the_earlier_is_chosen(rows: list[Row]) -> None:
    """Rows given twice are chosen in their first appearance."""
    for rule in RULES_TO_TRY:
        chosen = rule.choose(rows + rows, NAMES)
        assert chosen == rule.choose(rows, NAMES) == rows.index(rows[chosen]), rule


@given(fronts(infinite=True), st.integers(0, 3))
def test_a_column_that_is_the_same_for_all_changes_no_choice(rows: list[Row], column: int) -> None:
    """Columns are found by their names, wherever they stand."""
    wider = [(*row[:column], 7.0, *row[column:]) for row in rows]
    names = (*NAMES[:column], "duration_s", *NAMES[column:])
    for rule in RULES_TO_TRY:
        assert rule.choose(wider, names) == rule.choose(rows, NAMES), rule


@pytest.mark.parametrize("rule", RULES_TO_TRY)
@pytest.mark.parametrize("row", [(0.5, 1e-6, 100.0), (math.inf, math.inf, math.inf)])
def test_a_single_row_is_chosen(rule: Rule, row: Row) -> None:
    """Where there is one row, it is the choice, as a plain int."""
    chosen = rule.choose([row], NAMES)
    assert (chosen, type(chosen)) == (0, int)


@pytest.mark.parametrize("rule", RULES_TO_TRY)
def test_nothing_given_is_written_to(rule: Rule) -> None:
    """A read-only array is taken as a list of the same rows is."""
    rows = [(0.0, 4.0, 2.0), (0.25, 1.0, 3.0), (0.5, 0.5, 1.0), (math.inf, 0.25, 0.0)]
    table = np.array(rows)
    table.flags.writeable = False
    assert rule.choose(table, list(NAMES)) == rule.choose(rows, NAMES)


@given(fronts(), st.permutations(range(3)))
def test_ties_on_the_rules_figure_go_by_the_order_of_names(
    rows: list[Row], order: list[int]
) -> None:
    """Among rows of the same CO2e, the losses decide in the order in which they are named."""
    assume(len(rows) > 1)
    table = [tuple((row[0], 1.0, row[2])[i] for i in order) for row in rows]
    names = [NAMES[i] for i in order]
    assert MinCO2e().choose(table, names) == first(table, range(len(table)))


@pytest.mark.parametrize("rule", RULES_TO_TRY)
@pytest.mark.parametrize("nothing", [[], (), np.empty((0, 3))])
def test_no_rows_leave_nothing_to_choose(rule: Rule, nothing: Sequence[Row]) -> None:
    """An empty front is an error of its own kind."""
    with pytest.raises(EmptyStudyError, match="no row to choose from"):
        rule.choose(nothing, NAMES)


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        (Tolerance(), "quality_loss"),
        (MinCO2e(max_n_params=5), "n_params"),
        (BestQuality(), "quality_loss"),
        (Knee(objectives=("duration_s", "co2e_kg")), "duration_s"),
    ],
)
def test_an_objective_that_is_missing_is_named(rule: Rule, missing: str) -> None:
    """The error gives the rule, what it needs, and what there is."""
    assert missing in rule.objectives
    with pytest.raises(
        OptionError,
        match=rf"'{rule.name}' needs \['{missing}'\], .* \['energy_kwh', 'co2e_kg'\]",
    ):
        rule.choose([(1.0, 2.0)], ("energy_kwh", "co2e_kg"))


@pytest.mark.parametrize("names", [("co2e_kg",), ("co2e_kg",) * 3, ("co2e_kg", "b", "c", "d")])
def test_names_that_do_not_fit_the_columns_are_refused(names: Sequence[str]) -> None:
    """One different name a column is wanted, and the error says how many."""
    with pytest.raises(OptionError, match="each of the 3 columns"):
        MinCO2e().choose([(0.5, 1.0, 2.0)], names)


@pytest.mark.parametrize(
    ("bad", "message"), [(math.nan, "NaN in row 1"), (-math.inf, "-inf in row 1")]
)
def test_a_loss_that_is_no_loss_is_refused(bad: float, message: str) -> None:
    """NaN and -inf are errors that name the row."""
    with pytest.raises(OptionError, match=message):
        Tolerance().choose([(0.5, 1.0), (0.5, bad)], NAMES[:2])


# The rules as objects


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Tolerance(), "least CO2e within 1 % of the best quality"),
        (Tolerance(0.07), "least CO2e within 7 % of the best quality"),
        (Tolerance(absolute=0.02), "least CO2e within 0.02 of the best quality"),
        (MinCO2e(), "least CO2e"),
        (
            MinCO2e(max_quality_loss=0.1, max_n_params=1_000_000),
            "least CO2e with quality loss at most 0.1 and at most 1000000 parameters",
        ),
        (BestQuality(), "best quality"),
        (BestQuality(max_co2e_kg=1.2e-5), "best quality with at most 12.0 mg of CO2e"),
        (Knee(), "knee of quality loss against CO2e on linear axes"),
        (
            Knee(objectives=("mine", "energy_kwh"), scale="log"),
            "knee of mine against energy on log axes",
        ),
        (
            Tolerance(minimise="n_params"),
            "least number of parameters within 1 % of the best quality",
        ),
        (
            EpsilonConstraint(minimise="energy_kwh", caps={"flops": 2e6, "co2e_kg": 1e-6}),
            "least energy with at most 1.00 mg of CO2e and number of FLOPs at most 2.00 M",
        ),
        (
            Capped(Tolerance(), {"n_params": 100}),
            "least CO2e within 1 % of the best quality, among those with at most 100 parameters",
        ),
        (Lexicographic(), "best quality within 1 %, then least CO2e"),
        (
            WeightedSum(weights={"co2e_kg": 2, "n_params": 0, "quality_loss": 1}, scale="rank"),
            "least weighted sum of 2 x CO2e and quality loss, rank axes scaled to the front",
        ),
        (
            Utopia(p=1),
            "nearest to the utopia point in all objectives, p = 1, linear axes scaled to the front",
        ),
        (
            Contribution(scale="log"),
            "largest hypervolume contribution, log axes scaled to the front, reference at 1.1",
        ),
        (Custom(cheapest, label="CO2e a parameter"), "least CO2e a parameter"),
    ],
)
def test_a_rule_describes_itself(rule: Rule, words: str) -> None:
    """The clause says what is chosen, with the rule's own options in it."""
    assert rule.describe() == words


@pytest.mark.parametrize("rule", RULES_TO_TRY)
def test_a_rule_is_a_value(rule: Rule) -> None:
    """A rule survives pickling, hashes as its equals do, and cannot be changed."""
    copy = pickle.loads(pickle.dumps(rule))
    assert copy == rule
    assert len({copy, rule}) == 1
    for option in fields(rule):  # type: ignore[arg-type]
        with pytest.raises(FrozenInstanceError):
            setattr(rule, option.name, None)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_made_by_its_name(name: str) -> None:
    """Each name gives the rule of that name with its defaults."""
    rule = rule_by_name(name)
    assert rule == RULES[name]()
    assert rule.name == name


def test_every_rule_has_a_name() -> None:
    """The rules by name are those that have defaults, and the mapping cannot be changed."""
    assert dict(RULES) == {
        "tolerance": Tolerance,
        "epsilon-constraint": EpsilonConstraint,
        "min-co2e": MinCO2e,
        "best-quality": BestQuality,
        "lexicographic": Lexicographic,
        "weighted-sum": WeightedSum,
        "utopia": Utopia,
        "knee": Knee,
        "contribution": Contribution,
    }
    with pytest.raises(TypeError):
        RULES["mine"] = Knee  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("tolerence", "tolerance"), ("min_co2e", "min-co2e"), ("quality", "best-quality"), ("", "")],
)
def test_an_unknown_rule_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    """The error gives what was asked for, the nearest name, and all there are."""
    with pytest.raises(
        OptionError, match=f"'{name}' is unknown: did you mean '{nearest}"
    ) as caught:
        rule_by_name(name)
    assert all(known in str(caught.value) for known in RULES)


def test_caps_of_two_kinds_are_told_together() -> None:
    """The nearest miss is that of the rows that meet the other caps; of two, the tighter counts."""
    losses = [[0.095, 0.09], [0.2, 0.04]]
    names = ("quality_loss", "co2e_kg")
    rule = Capped(MinCO2e(max_quality_loss=0.15), {"co2e_kg": 0.05})
    said = r"caps\['co2e_kg'\] is 0.05 and the least among those that meet the other caps is 0.09"
    with pytest.raises(NoModelMeetsCapsError, match=said):
        rule.choose(losses, names)
    twice = Capped(EpsilonConstraint(caps={"n_params": 10}), {"n_params": 100})
    assert twice.to_dict()["arguments"]["caps"] == {"n_params": 10}


def test_what_is_no_rule_is_refused() -> None:
    """A class is not one, nor is a name inside another rule."""
    with pytest.raises(OptionError, match=r"rule is the class Utopia: write Utopia\(...\)"):
        as_rule(Utopia)  # type: ignore[arg-type]  # what the test is about
    with pytest.raises(OptionError, match="rule is 'utopia': give a rule"):
        Capped("utopia", {"n_params": 1})  # type: ignore[arg-type]  # likewise


def test_roundings_decide_nothing() -> None:
    """Losses that are equal but for them tell no row apart on a scaled axis."""
    losses = [[0.1, 2.0], [0.1 + 2e-16, 1.0], [0.1 + 3e-16, 3.0]]
    assert Utopia().choose(losses, ("quality_loss", "co2e_kg")) == 1


def test_a_limit_that_looks_met_says_by_how_much_it_is_not() -> None:
    """Two amounts that are shown alike are not said to be one over the other."""
    names = ("quality_loss", "co2e_kg")
    ranking = MinCO2e(max_quality_loss=0.1).rank([[0.1, 2.0], [0.1000001, 1.0]], names)
    assert ranking.why_not(1) == "1 - quality 0.1 is over 0.1, its cap, by 1e-07"
