"""Units convert exactly, and quantities read well."""

import math
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from green_optuna.units import (
    JOULES_PER_KWH,
    Unit,
    fitting_unit,
    format_bytes,
    format_co2e,
    format_count,
    format_duration,
    format_energy,
    format_latency,
    format_power,
    joules_from_kwh,
    kwh_from_joules,
    label_in,
    show_param,
    show_quantity,
)

# What one of each shown unit is worth in the unit of the data.
WORTH = {
    format_co2e: {"ng": 1e-12, "ug": 1e-9, "mg": 1e-6, "g": 1e-3, "kg": 1.0, "t": 1e3},
    format_energy: {
        "nWh": 1e-12,
        "uWh": 1e-9,
        "mWh": 1e-6,
        "Wh": 1e-3,
        "kWh": 1.0,
        "MWh": 1e3,
    },
    format_latency: {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0},
    format_bytes: {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12},
    format_power: {"uW": 1e-6, "mW": 1e-3, "W": 1.0, "kW": 1e3, "MW": 1e6},
    format_count: {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
}
SCALED = pytest.mark.parametrize("show", list(WORTH), ids=lambda show: show.__name__)
CLOCK = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def read_clock(text: str) -> float:
    """Return the seconds that a shown duration stands for."""
    words = text.split()
    return sum(float(n) * CLOCK[u] for n, u in zip(words[::2], words[1::2], strict=True))


def test_a_kilowatt_hour_is_a_kilowatt_for_an_hour() -> None:
    """1 kWh is 1000 W for 3600 s."""
    assert JOULES_PER_KWH == 1000 * 3600
    assert kwh_from_joules(1000 * 3600) == 1.0
    assert joules_from_kwh(0.5) == 1_800_000.0


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_joules_and_kilowatt_hours_convert_back(joules: float) -> None:
    """Converting to kWh and back changes nothing but the last bits."""
    assert joules_from_kwh(kwh_from_joules(joules)) == pytest.approx(joules, rel=1e-15)


@pytest.mark.parametrize(
    ("show", "value", "text"),
    [
        (format_co2e, 3.21e-9, "3.21 ug"),
        (format_co2e, 1.23e-5, "12.3 mg"),
        (format_co2e, 0.5, "500 g"),
        (format_co2e, 1.0, "1.00 kg"),
        (format_co2e, 35_700.0, "35.7 t"),
        (format_co2e, 3.21e-12, "3.21 ng"),
        (format_energy, 2.8e-13, "0.280 nWh"),
        (format_energy, 4.1e-9, "4.10 uWh"),
        (format_energy, 4.1e-6, "4.10 mWh"),
        (format_energy, 1.23e-3, "1.23 Wh"),
        (format_energy, 81.6, "81.6 kWh"),
        (format_energy, 2400.0, "2.40 MWh"),
        (format_power, 2.5e-3, "2.50 mW"),
        (format_power, 57.04, "57.0 W"),
        (format_power, 1.58e3, "1.58 kW"),
        (format_latency, 1.42e-5, "14.2 us"),
        (format_latency, 75.0, "75.0 s"),
        (format_bytes, 999, "999 B"),
        (format_bytes, 3_470_000, "3.47 MB"),
        (format_count, 10_260, "10.3 k"),
        (format_count, 3_470_000, "3.47 M"),
        (format_count, 175_000_000_000, "175 G"),
    ],
)
def test_three_digits_and_a_prefix(show: Callable[[float], str], value: float, text: str) -> None:
    """A quantity is shown with three significant digits in the largest unit that it fills."""
    assert show(value) == text


@pytest.mark.parametrize(
    ("show", "value", "text"),
    [
        (format_co2e, 0.9996, "1.00 kg"),
        (format_co2e, 0.9994, "999 g"),
        (format_energy, 9.996e-6, "10.0 mWh"),
        (format_count, 999_600, "1.00 M"),
        (format_duration, 0.9996, "1.0 s"),
        (format_duration, 59.96, "1 min 00 s"),
        (format_duration, 119.7, "2 min 00 s"),
        (format_duration, 3599.6, "1 h 00 min"),
        (format_duration, 7199.0, "2 h 00 min"),
    ],
)
def test_rounding_comes_before_the_unit(
    show: Callable[[float], str], value: float, text: str
) -> None:
    """A value that rounds up to the next unit is shown in that unit, never as 1000 or 60."""
    assert show(value) == text


@SCALED
@given(value=st.floats(min_value=1e-9, max_value=999e12))
def test_what_is_shown_is_what_was_given(show: Callable[[float], str], value: float) -> None:
    """Read back, a shown quantity differs by half a unit of its third digit at most."""
    number, _, unit = show(value).partition(" ")
    worth = WORTH[show].get(unit, 1.0)
    assert float(number) * worth == pytest.approx(value, rel=5.001e-3)


@SCALED
@given(exponent=st.integers(min_value=-6, max_value=14), value=st.floats(1.0, 10.0))
def test_no_number_is_longer_than_three_digits(
    show: Callable[[float], str], exponent: int, value: float
) -> None:
    """Wherever a unit fits, the number before it has three digits, from 1.00 to 999."""
    worth = WORTH[show]
    value *= 10.0**exponent
    assume(min(worth.values()) <= value < 999.4 * max(worth.values()))
    number = show(value).split()[0]
    assert len(number.replace(".", "")) == 3
    assert 1.0 <= float(number) <= 999.0


@SCALED
@given(value=st.floats(min_value=1e-9, max_value=1e15))
def test_a_negative_quantity_is_its_opposite_with_a_sign(
    show: Callable[[float], str], value: float
) -> None:
    """A difference below zero reads as a minus sign before its size."""
    assert show(-value) == f"-{show(value)}"


@pytest.mark.parametrize(
    ("show", "zero", "infinite"),
    [
        (format_co2e, "0 kg", "inf kg"),
        (format_energy, "0 kWh", "inf kWh"),
        (format_power, "0 W", "inf W"),
        (format_duration, "0 s", "inf s"),
        (format_latency, "0 s", "inf s"),
        (format_bytes, "0 B", "inf B"),
        (format_count, "0", "inf"),
    ],
)
def test_zero_and_non_finite_values_have_no_prefix(
    show: Callable[[float], str], zero: str, infinite: str
) -> None:
    """Zero, NaN and the infinities are shown in the unit of the data."""
    assert show(0) == show(0.0) == show(-0.0) == zero
    assert show(math.inf) == infinite
    assert show(-math.inf) == f"-{infinite}"
    assert show(math.nan) == infinite.replace("inf", "nan")


def test_beyond_the_units_there_is_an_exponent() -> None:
    """A figure far beyond the units is shown with an exponent, not with a row of zeros."""
    assert format_co2e(1e-18) == "1.00e-06 ng"
    assert format_co2e(2.5e20) == "2.50e+17 t"
    assert format_energy(1.5e-15) == "0.00150 nWh"
    assert format_energy(1.234e7) == "12300 MWh"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1e-9, "<1 us"),
        (1.2e-4, "120 us"),
        (0.012, "12 ms"),
        (3.4, "3.4 s"),
        (125, "2 min 05 s"),
        (3720, "1 h 02 min"),
        (360_000, "100 h 00 min"),
        (-3.4, "-3.4 s"),
    ],
)
def test_a_duration_reads_as_on_a_clock(seconds: float, text: str) -> None:
    """A duration is shown in the two units that matter at its size."""
    assert format_duration(seconds) == text


@given(st.floats(min_value=1e-3, max_value=1e7))
def test_a_duration_reads_back(seconds: float) -> None:
    """Read back, a duration is within half of the smallest step shown, or 5 %."""
    shown = read_clock(format_duration(seconds))
    step = 60.0 if seconds >= 3599.5 else 1.0 if seconds >= 59.95 else 0.1
    smallest = 1e-3 if seconds < 0.9995 else step
    assert abs(shown - seconds) <= smallest / 2 * (1 + 1e-6)


@given(st.integers(min_value=-999, max_value=999))
def test_a_count_below_a_thousand_is_exact(n: int) -> None:
    """Counts that are short already are not rounded."""
    assert format_count(n) == str(n)


# One unit for an axis

SHOWN_IN_UNITS = ("co2e_kg", "energy_kwh", "n_params", "inference_s", "peak_memory_bytes")


@pytest.mark.parametrize("name", SHOWN_IN_UNITS)
@given(value=st.floats(min_value=1e-9, max_value=1e9))
def test_the_unit_that_fits_is_the_one_in_which_a_value_is_shown(name: str, value: float) -> None:
    """And times its factor, the value is the number that stands before it."""
    unit = fitting_unit(name, value)
    number, _, symbol = show_quantity(name, value).partition(" ")
    assert unit.symbol == symbol
    assert value * unit.factor == pytest.approx(float(number), rel=0.006)


def test_times_have_the_units_of_a_clock() -> None:
    """An axis has hours from two of them on."""
    shown = [(0.012, "ms"), (3.4, "s"), (119.0, "s"), (120.0, "min"), (7200.0, "h")]
    for seconds, symbol in shown:
        assert fitting_unit("duration_s", seconds).symbol == symbol
    assert 7200 * fitting_unit("duration_s", 7200).factor == pytest.approx(2)


@pytest.mark.parametrize("value", [0.0, math.inf, math.nan])
def test_what_fills_no_unit_is_in_that_of_the_data(value: float) -> None:
    """Zero is zero in any."""
    assert fitting_unit("co2e_kg", value) == Unit("kg", 1.0)


def test_a_quantity_is_named_with_its_unit() -> None:
    """Of a sample it stays; a plain number has none, and an unknown name is kept."""
    assert label_in("co2e_kg", "mg") == "CO2e (mg)"
    assert label_in("inference_kwh", "uWh") == "inference energy (uWh a sample)"
    assert label_in("n_params", "") == "parameters"
    assert label_in("quality_loss", "") == "1 - quality"
    assert label_in("loss (mine)", fitting_unit("loss (mine)", 3e9).symbol) == "loss (mine)"


def test_a_hyperparameter_is_shown_with_four_digits() -> None:
    """If it is a fraction; anything else as Python prints it."""
    assert [show_param(one) for one in (0.123456, 123456, "adam", None)] == [
        "0.1235",
        "123456",
        "adam",
        "None",
    ]
