"""The replay meter's energy is the exact integral of the powers that it was given."""

from __future__ import annotations

import itertools
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.energy import ComponentEnergy, ReplayMeter, basis_of
from green_optuna.errors import OptionError
from green_optuna.units import kwh_from_joules

from .clock import FakeClock

watts = st.floats(0.0, 1000.0)


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Steps of power from zero seconds on."""
    later = draw(st.lists(st.floats(0.01, 100.0), max_size=5, unique=True))
    return [(start_s, draw(watts)) for start_s in [0.0, *sorted(later)]]


def test_a_constant_power_gives_power_times_time() -> None:
    """10 W for 6 s are 60 J, whatever the clock showed at the start."""
    clock = FakeClock()
    meter = ReplayMeter(cpu_w=10.0, gpu_w=20.0, ram_w=1, clock=clock)
    meter.start()
    clock.now_s += 6.0
    expected = [kwh_from_joules(joules) for joules in (60.0, 120.0, 6.0)]
    assert list(meter.read().to_dict().values()) == pytest.approx(expected)


def test_steps_add_up() -> None:
    """50 W for 10 s and 100 W for 10 s are 1500 J; before the start there is nothing."""
    meter = ReplayMeter(cpu_w=[(0.0, 50.0), (10.0, 100.0)])
    assert meter.joules_at(20.0) == {"cpu": 1500.0, "gpu": 0.0, "ram": 0.0}
    assert meter.joules_at(0.0)["cpu"] == 0.0


@given(steps(), st.floats(0.0, 200.0))
def test_the_integral_is_that_of_a_fine_sum(power: list[tuple[float, float]], t_s: float) -> None:
    """The energy equals the power at the middle of each piece, summed between all steps."""
    edges = sorted({0.0, t_s, *(start for start, _ in power if start < t_s)})
    expected = math.fsum(
        next(w for start, w in reversed(power) if start <= (a + b) / 2) * (b - a)
        for a, b in itertools.pairwise(edges)
    )
    joules = ReplayMeter(gpu_w=power).joules_at(t_s)["gpu"]
    assert joules == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(steps(), st.lists(st.floats(0.0, 50.0), min_size=2))
def test_readings_never_decrease(power: list[tuple[float, float]], pauses: list[float]) -> None:
    """A later reading is at least the one before."""
    clock = FakeClock()
    meter = ReplayMeter(cpu_w=power, clock=clock)
    meter.start()
    readings = []
    for pause_s in pauses:
        clock.now_s += pause_s
        readings.append(meter.read().cpu_kwh)
    assert readings == sorted(readings)


def test_a_reading_too_soon_repeats_the_one_before() -> None:
    """Within the minimum interval nothing new is seen; after it, all is."""
    clock = FakeClock()
    meter = ReplayMeter(cpu_w=100.0, min_interval_s=0.5, clock=clock)
    meter.start()
    clock.now_s += 1.0
    first = meter.read()
    clock.now_s += 0.25
    assert meter.read() == first
    clock.now_s += 0.25
    assert meter.read().cpu_kwh == pytest.approx(kwh_from_joules(150.0))


def test_a_second_start_begins_at_zero() -> None:
    """Started again, the meter forgets what it has counted."""
    clock = FakeClock()
    meter = ReplayMeter(cpu_w=100.0, min_interval_s=60.0, clock=clock)
    clock.now_s += 5.0
    assert meter.read() == ComponentEnergy()  # the first reading starts it
    clock.now_s += 5.0
    meter.start()
    assert meter.read() == ComponentEnergy()


def test_a_replay_is_an_estimate() -> None:
    """No hardware was read, so no result on a replay may be called measured."""
    assert basis_of(ReplayMeter(cpu_w=1.0).sources) == "estimated"


def test_a_pickled_meter_replays_the_same_powers() -> None:
    """A meter in an objective's options travels to another process."""
    meter = ReplayMeter(cpu_w=[(0.0, 5.0), (2.0, 7.0)], min_interval_s=0.1)
    assert pickle.loads(pickle.dumps(meter)) == meter


@pytest.mark.parametrize(
    ("power", "message"),
    [
        (-1.0, "power of -1.0 W"),
        (math.nan, "power of nan W"),
        (math.inf, "power of inf W"),
        ([(0.0, 5.0), (1.0, -2.0)], "power of -2.0 W"),
        ([(1.0, 5.0)], "begin at 0"),
        ([(0.0, 5.0), (3.0, 1.0), (2.0, 1.0)], "begin at 0 and go upwards"),
        ([(0.0, 5.0), (math.nan, 1.0)], "begin at 0 and go upwards"),
        ([], "begin at 0"),
    ],
)
def test_an_impossible_power_is_refused(
    power: float | list[tuple[float, float]], message: str
) -> None:
    """A power below zero or not finite, or steps out of order, are named in the error."""
    with pytest.raises(OptionError, match=message):
        ReplayMeter(ram_w=power)
