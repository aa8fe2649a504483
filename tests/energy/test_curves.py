"""A curve's energy is the integral of its power, and never falls."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.energy import Bursts, Constant, Curve, Ramp, ReplayMeter, Steps
from green_optuna.energy.curves import as_curve
from green_optuna.energy.machine import integral_of_product
from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

# Whole numbers of milliwatts and milliseconds: wide enough, and no curve is all rounding.
watts = st.integers(0, 1_000_000).map(lambda mw: mw / 1000)
seconds = st.integers(0, 100_000).map(lambda ms: ms / 1000)
lengths = st.integers(1, 100_000).map(lambda ms: ms / 1000)


@st.composite
def ramps(draw: st.DrawFn) -> Ramp:
    """Ramps up, down and level."""
    start_s = draw(seconds)
    return Ramp(
        from_w=draw(watts), to_w=draw(watts), start_s=start_s, end_s=start_s + draw(lengths)
    )


@st.composite
def steps(draw: st.DrawFn) -> Steps:
    """Steps of power from zero seconds on, some of them at the same moment."""
    later = sorted(draw(st.lists(seconds, max_size=5)))
    return Steps([(start_s, draw(watts)) for start_s in [0.0, *later]])


@st.composite
def bursts(draw: st.DrawFn) -> Bursts:
    """Bursts of at least a tenth of a second, and up to all of the time."""
    low_w, high_w = sorted([draw(watts), draw(watts)])
    period_s = draw(st.integers(100, 100_000)) / 1000
    duty = draw(st.integers(0, 100)) / 100
    return Bursts(period_s=period_s, duty=duty, high_w=high_w, low_w=low_w)


simple = st.builds(Constant, watts) | ramps() | steps() | bursts()
curves = simple | st.builds(lambda a, b: a + b, simple, simple)


def quadrature_j(curve: Curve, from_s: float, until_s: float, times: Curve | None = None) -> float:
    """Integrate numerically, without the curve's own integral: Simpson's rule between corners.

    The ends of a piece are looked at from inside, where a jump cannot be seen.
    """
    corners = {*curve.corners(from_s, until_s), *(times or curve).corners(from_s, until_s)}
    total_j = 0.0
    for begin_s, end_s in itertools.pairwise(sorted({from_s, until_s, *corners})):
        inside_s = np.linspace(begin_s, end_s, 9)
        inside_s[0] += 1e-9 * (end_s - begin_s)
        inside_s[-1] -= 1e-9 * (end_s - begin_s)
        values = [curve.watts_at(t_s) * (times.watts_at(t_s) if times else 1) for t_s in inside_s]
        weights = np.array([1, 4, 2, 4, 2, 4, 2, 4, 1]) / 24
        total_j += float(weights @ values) * (end_s - begin_s)
    return total_j


@given(curves, seconds)
def test_the_energy_is_the_integral_of_the_power(curve: Curve, t_s: float) -> None:
    """The closed form equals numerical quadrature of the power itself."""
    expected_j = quadrature_j(curve, 0.0, t_s)
    assert curve.joules_until(t_s) == pytest.approx(expected_j, rel=1e-6, abs=1e-6)


@given(simple, simple, seconds)
def test_energies_of_a_sum_add_up(first: Curve, second: Curve, t_s: float) -> None:
    """Two curves at once use what each of them does, and draw so too."""
    both = first + second
    assert both.joules_until(t_s) == first.joules_until(t_s) + second.joules_until(t_s)
    assert both.watts_at(t_s) == first.watts_at(t_s) + second.watts_at(t_s)


@given(curves, st.lists(st.floats(0.0, 200.0), min_size=2), st.integers(0, 2000))
def test_a_counter_never_falls(curve: Curve, moments: list[float], first: int) -> None:
    """Not even by a rounding: close to each corner the energy grows with the time."""
    corners = curve.corners(0.0, 200.0)[first : first + 20]
    near = [
        t_s
        for corner in corners
        for t_s in (math.nextafter(corner, 0), math.nextafter(corner, 1e9))
    ]
    energies = [curve.joules_until(t_s) for t_s in sorted([*moments, *corners, *near])]
    assert energies == sorted(energies)


@given(curves, seconds, seconds)
def test_between_its_corners_a_curve_is_straight(curve: Curve, a_s: float, b_s: float) -> None:
    """No corner is left out: half-way between two of them, the power is half-way too."""
    edges = sorted({a_s, b_s, *curve.corners(min(a_s, b_s), max(a_s, b_s))})
    # A corner is known to the last digit of its moment: what lies between two of those is none.
    pieces = [(a, b) for a, b in itertools.pairwise(edges) if b - a > 1e-6]
    for begin_s, end_s in pieces:
        quarter, half, three = (
            curve.watts_at(begin_s + part * (end_s - begin_s)) for part in (0.25, 0.5, 0.75)
        )
        assert half == pytest.approx((quarter + three) / 2, abs=1e-6)


@given(simple, simple, seconds, lengths)
def test_a_product_is_integrated_exactly(
    first: Curve, second: Curve, from_s: float, length_s: float
) -> None:
    """Watts per core times busy cores, by two points a piece or by many."""
    until_s = from_s + length_s
    expected = quadrature_j(first, from_s, until_s, times=second)
    product = integral_of_product(first, second, from_s, until_s)
    assert product == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_ramps_are_trapezia() -> None:
    """From 10 W to 30 W in 4 s after 2 s: 20 J, 80 J and then 30 W; downwards as well."""
    up = Ramp(from_w=10.0, to_w=30.0, start_s=2.0, end_s=6.0)
    assert [up.joules_until(t_s) for t_s in (-1.0, 2.0, 4.0, 6.0, 7.0)] == [0, 20, 50, 100, 130]
    assert [up.watts_at(t_s) for t_s in (-1.0, 0.0, 4.0, 9.0)] == [0, 10, 20, 30]
    down = Ramp(from_w=30.0, to_w=10.0, start_s=2.0, end_s=6.0)
    assert [down.joules_until(t_s) for t_s in (1.0, 2.0, 4.0, 6.0, 7.0)] == [30, 60, 110, 140, 150]


def test_bursts_come_back_each_period() -> None:
    """100 W for a quarter of each 2 s, 20 W for the rest: 80 J a period, which are 40 W."""
    curve = Bursts(period_s=2.0, duty=0.25, high_w=100.0, low_w=20.0)
    assert [curve.watts_at(t_s) for t_s in (-1.0, 0.0, 0.49, 0.5, 1.9, 2.0)] == [
        *(0, 100, 100, 20, 20, 100)
    ]
    assert [curve.joules_until(t_s) for t_s in (0.5, 2.0, 2.25, 4e6)] == [50, 80, 105, 1.6e8]
    assert curve.corners(0.5, 4.5) == [2.0, 2.5, 4.0]


def test_a_meter_replays_a_curve() -> None:
    """The meter gives a curve's energy, as it does that of a number or of steps."""
    curve = Ramp(from_w=0.0, to_w=10.0, end_s=10.0)
    meter = ReplayMeter(cpu_w=Constant(5.0) + curve, gpu_w=5.0, ram_w=[(0.0, 5.0)])
    assert meter.joules_at(10.0) == {"cpu": 100.0, "gpu": 50.0, "ram": 50.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-1.0), "Constant has a power of -1.0 W"),
        (lambda: Constant(math.nan), "power of nan W"),
        (lambda: Ramp(from_w=1.0, to_w=math.inf, end_s=1.0), "Ramp has a power of inf W"),
        (lambda: Ramp(from_w=1.0, to_w=2.0, end_s=0.0), "from 0.0 s to 0.0 s"),
        (lambda: Ramp(from_w=1.0, to_w=2.0, start_s=-1.0, end_s=1.0), "from -1.0 s"),
        (lambda: Ramp(from_w=1.0, to_w=2.0, end_s=math.nan), "to nan s"),
        (lambda: Steps([(1.0, 2.0)]), "begin at 0 and go upwards"),
        (lambda: Steps([(0.0, -2.0)]), "Steps has a power of -2.0 W"),
        (lambda: Bursts(period_s=0.0, duty=0.5, high_w=1.0), "period_s 0.0"),
        (lambda: Bursts(period_s=math.inf, duty=0.5, high_w=1.0), "period_s inf"),
        (lambda: Bursts(period_s=1.0, duty=1.5, high_w=1.0), "duty 1.5"),
        (lambda: Bursts(period_s=1.0, duty=math.nan, high_w=1.0), "duty nan"),
        (lambda: Bursts(period_s=1.0, duty=0.5, high_w=1.0, low_w=2.0), "low_w 2.0 above high_w"),
        (lambda: as_curve(-3.0, "idle_w"), "idle_w: Constant has a power of -3.0 W"),
    ],
)
def test_impossible_curves_are_refused(make: Callable[[], Curve], message: str) -> None:
    """The error names the curve, what is wrong and its value."""
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize("power", ["5", True, None])
def test_what_is_no_power_is_refused(power: object) -> None:
    """A power is a number, steps or a curve."""
    with pytest.raises(OptionError, match="cpu_w: Constant has a power of"):
        ReplayMeter(cpu_w=power)  # type: ignore[arg-type]  # that is the point
