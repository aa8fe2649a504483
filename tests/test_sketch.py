"""Small pictures: where points lie, what is left out and said, and what stands in the SVG."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parsed import Parsed

from green_optuna.sketch import Area, Axis, Points, scatter, stacked_areas
from green_optuna.sketch.areas import MAX_STEPS
from green_optuna.sketch.axes import BOTTOM, LARGEST, LEFT, RIGHT, TOP
from green_optuna.sketch.points import MAX_POINTS
from green_optuna.units import format_co2e, format_duration, format_power

if TYPE_CHECKING:
    from collections.abc import Sequence

X = Axis(label="CO2e", show=format_co2e)
Y = Axis(label="1 - quality", show="{:.4g}".format)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def circles(x: Sequence[float], y: Sequence[float], **how: object) -> Points:
    """Points of the front, as most tests need them."""
    options = {"label": "front", "colour": "#009E73", "shape": "circle", "title": "no. {}".format}
    return Points(x=x, y=y, **(options | how))  # type: ignore[arg-type]  # of Points


def places(svg: str) -> list[tuple[float, float]]:
    """Where the circles with a title are, in the order they are drawn."""
    found = re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)" r="4.5"><title>', svg)
    return [(float(x), float(y)) for x, y in found]


def ticks(svg: str, anchor: str) -> list[str]:
    """What stands at the ticks of an axis: "middle" for the lower one, "end" for the left one."""
    return re.findall(rf'text-anchor="{anchor}">([^<]*)<', svg)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12))
def test_any_numbers_can_be_drawn(points: list[tuple[float, float]]) -> None:
    """Whatever the values are, a picture is well-formed, and its points lie inside the axes."""
    svg = scatter([circles([x for x, _ in points], [y for _, y in points])], x=X, y=Y, label="any")
    drawable = [p for p in points if all(math.isfinite(v) and abs(v) <= LARGEST for v in p)]
    if not drawable:
        assert svg == ""
        return
    Parsed(svg)
    ET.fromstring(svg)
    assert not re.search(r"\b(nan|inf)\b", svg)
    found = places(svg)
    assert len(found) == len(drawable)
    assert all(LEFT - 0.1 <= x <= RIGHT + 0.1 for x, _ in found)
    assert all(TOP - 0.1 <= y <= BOTTOM + 0.1 for _, y in found)


@given(st.lists(st.tuples(st.floats(1e-9, 1e9), st.floats(0, 1)), min_size=2, max_size=12))
def test_a_picture_keeps_the_order_of_values(points: list[tuple[float, float]]) -> None:
    """More lies further to the right, and further up, be the axes logarithmic or not."""
    svg = scatter([circles([x for x, _ in points], [y for _, y in points])], x=X, y=Y, label="any")
    found = places(svg)
    for (x1, y1), (px1, py1) in zip(points, found, strict=True):
        for (x2, y2), (px2, py2) in zip(points, found, strict=True):
            assert x1 > x2 or px1 <= px2 + 0.1
            assert y1 > y2 or py1 >= py2 - 0.1


def test_a_linear_axis_is_linear_and_a_logarithmic_one_logarithmic() -> None:
    """The middle of 1, 2 and 3 lies in the middle, and so does that of 1, 100 and 10,000."""
    svg = scatter([circles([1, 100, 10_000], [1, 2, 3])], x=X, y=Y, label="any")
    (x1, y1), (x2, y2), (x3, y3) = places(svg)
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y2 - y1 == pytest.approx(y3 - y2, abs=0.2)
    assert "CO2e (log scale)" in svg
    assert "1 - quality (log scale)" not in svg


def test_ticks_are_round_and_in_units_for_people() -> None:
    """Kilograms are shown as what a person reads, without zeros that say nothing."""
    svg = scatter([circles([2e-8, 1e-7], [0.1, 0.2])], x=X, y=Y, label="any")
    assert ticks(svg, "middle")[:5] == ["20 ug", "40 ug", "60 ug", "80 ug", "100 ug"]
    assert ticks(svg, "end") == ["0.1", "0.12", "0.14", "0.16", "0.18", "0.2"]
    wide = scatter([circles([1e-9, 1e-3], [0.1, 0.2])], x=X, y=Y, label="any")
    assert ticks(wide, "middle") == ["1 ug", "100 ug", "10 mg", "1 g"]


def test_a_clock_goes_in_steps_of_minutes() -> None:
    """Twenty minutes are divided into fives, not into thousands of seconds."""
    svg = stacked_areas(
        [1200.0],
        [Area(label="cpu", colour="#0072B2", dashes="", values=[5.0])],
        x=Axis(label="time", show=format_duration, is_clock=True),
        y=Axis(label="power", show=format_power),
        label="any",
    )
    assert ticks(svg, "middle")[:4] == ["0", "5 min 00 s", "10 min 00 s", "15 min 00 s"]


def test_what_is_no_finite_number_is_left_out_and_said() -> None:
    """NaN and infinity have no place, least of all at zero; the picture says how many."""
    svg = scatter(
        [circles([1.0, math.nan, 2.0, math.inf], [1.0, 1.0, 2.0, 2.0])], x=X, y=Y, label="any"
    )
    assert len(places(svg)) == 2
    assert "2 not drawn: no value that can be" in Parsed(svg).text("text")


def test_of_very_many_points_some_are_drawn_and_the_picture_says_so() -> None:
    """Of 10,000 points 500 are drawn, the first and the last among them, and the ringed one."""
    n = 10_000
    svg = scatter([circles(range(1, n + 1), range(n), ringed=7)], x=X, y=Y, label="any")
    titles = re.findall(r"<title>no. (\d+)</title>", svg)
    assert MAX_POINTS <= len(titles) <= MAX_POINTS + 1
    assert {"0", "7", str(n - 1)} <= set(titles)
    assert f"{MAX_POINTS} of {n} drawn (front)" in Parsed(svg).text("text")
    assert len(svg) < 100_000


def test_a_staircase_goes_through_the_points_of_a_front() -> None:
    """From each point it goes level to below the next, and down to it: the front's own corners."""
    svg = scatter([circles([3.0, 1.0, 2.0], [1.0, 3.0, 2.0], stairs=True)], x=X, y=Y, label="any")
    (x3, y1), (x1, y3), (x2, y2) = places(svg)
    assert f"M{x1:.1f} {y3:.1f}H{x2:.1f}V{y2:.1f}H{x3:.1f}V{y1:.1f}" in svg


def test_two_pictures_on_a_page_share_nothing() -> None:
    """No id to clash, nothing fetched, no script or style sheet, no background; text as around."""
    svg = scatter([circles([1.0, 2.0], [1.0, 2.0], ringed=0)], x=X, y=Y, label="any <b>")
    page = Parsed(svg)
    assert page.tags == {"div", "svg", "g", "path", "circle", "text", "title"}
    names = {name for _, attributes in page.elements for name in attributes}
    assert not names & {"id", "class", "href", "xlink:href", "src"}
    (picture,) = page.of("svg")
    assert picture["role"] == "img"
    assert picture["aria-label"] == "any <b>"
    assert picture["fill"] == "currentColor"


def test_texts_without_their_picture_take_no_room() -> None:
    """A viewer that drops SVG's tags and keeps their texts, as of an untrusted notebook."""
    svg = scatter([circles([1.0, 2.0], [1.0, 2.0])], x=X, y=Y, label="any")
    page = Parsed(re.sub(r"</?(svg|g|path|circle|text|title)\b[^>]*>", "", svg))
    assert page.elements == [("div", {"style": "font-size:0"})]
    assert "CO2e" in page.text()
    assert Parsed(svg).of("svg")[0]["font-size"] == "11"


def areas(*columns: Sequence[float]) -> list[Area]:
    """Areas of cpu and the like."""
    names = ("ram", "gpu", "cpu")
    return [
        Area(label=name, colour="#0072B2", dashes="", values=column)
        for name, column in zip(names, columns, strict=False)
    ]


def drawn(ends: Sequence[float], *columns: Sequence[float]) -> str:
    """Power over time."""
    time, power = Axis(label="time", show=str), Axis(label="power", show=str)
    return stacked_areas(ends, areas(*columns), x=time, y=power, label="any")


def height_of(path: str, base: float) -> list[float]:
    """How high the levels of a staircase are above a base, in px."""
    return [base - float(level) for level in re.findall(r"V([-\d.]+)H", path)]


def test_areas_stand_on_one_another() -> None:
    """The upper line is the sum, and the power of a reading holds since the one before."""
    svg = drawn([1.0, 3.0], [10.0, 10.0], [30.0, 10.0])
    lower, upper = re.findall(r'd="(M[^"]*)" fill="none" stroke="#0072B2"', svg)
    (low_1, low_2), (up_1, up_2) = height_of(lower, BOTTOM), height_of(upper, BOTTOM)
    assert low_1 == pytest.approx(low_2)
    assert up_1 == pytest.approx(4 * low_1, rel=0.01)
    assert up_2 == pytest.approx(2 * low_1, rel=0.01)
    widths = [float(width) for width in re.findall(r'<rect x="[^"]*" y="\d+" width="([^"]*)"', svg)]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)
    assert "<title>1.0 to 3.0, ram 10, gpu 10</title>" in svg


def test_a_step_that_is_not_known_is_a_gap_and_said() -> None:
    """NaN is not drawn as zero: the area ends before it and begins anew."""
    svg = drawn([1.0, 2.0, 3.0], [5.0, math.nan, 5.0])
    (line,) = re.findall(r'd="(M[^"]*)" fill="none" stroke="#0072B2"', svg)
    assert line.count("M") == 2
    assert "1 of 3 steps not drawn: not known" in Parsed(svg).text("text")


def test_many_steps_are_put_together_with_the_same_energy() -> None:
    """Of 1,000 readings, means over time are drawn: the area under them stays."""
    ends = [each * 1.0 for each in range(1, 1001)]
    svg = drawn(ends, [float(each % 10) for each in range(1000)])
    titles = re.findall(r"<title>([\d.]+) to ([\d.]+), ram ([\d.]+)</title>", svg)
    assert len(titles) <= MAX_STEPS
    assert sum((float(b) - float(a)) * float(v) for a, b, v in titles) == pytest.approx(4500.0)
    assert "means of 5 readings each" in Parsed(svg).text("text")


def test_without_readings_there_is_no_picture() -> None:
    """A trace without points draws nothing, rather than empty axes."""
    assert drawn([], []) == ""
    assert drawn([1.0], [math.nan]) == ""
