"""A measurement's figures follow from its energy, and it says what they rest on."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.carbon import Grid
from green_optuna.energy import (
    COMPONENTS,
    ComponentEnergy,
    Measurement,
    Source,
    Trace,
    Window,
    basis_of,
)
from green_optuna.units import kwh_from_joules

COUNTER = Source("RAPL", measured=True)
MODEL = Source("memory estimate", measured=False)
POINTS = [(1.0, 10.0, 20.0, 5.0, 1e-5), (2.5, 11.0, 0.0, 5.0, 1.7e-5)]

kwh = st.floats(0.0, 1e3)
energies = st.builds(ComponentEnergy, kwh, kwh, kwh)


def measurement(energy: ComponentEnergy, grid: Grid, *, points: int = 0) -> Measurement:
    """A measurement of ten seconds."""
    return Measurement(
        energy=energy,
        duration_s=10.0,
        grid=grid,
        sources={"cpu": COUNTER, "ram": MODEL},
        host="a-host",
        trace=Trace.from_points(list(POINTS[:points])),
    )


@given(energies, st.floats(0.0, 2000.0), st.floats(1.0, 3.0))
def test_co2e_is_energy_times_pue_times_intensity(
    energy: ComponentEnergy, g_per_kwh: float, pue: float
) -> None:
    """Douwes et al. 2021, equations 4 and 6, with grams made kilograms."""
    grid = Grid(carbon_intensity_g_per_kwh=g_per_kwh, pue=pue)
    expected_kg = (energy.cpu_kwh + energy.gpu_kwh + energy.ram_kwh) * pue * g_per_kwh / 1000
    assert measurement(energy, grid).co2e_kg == pytest.approx(expected_kg, rel=1e-12)


def test_two_kilowatt_hours_in_a_known_grid() -> None:
    """2 kWh at 50 g/kWh and a PUE of 1.5 are 0.15 kg."""
    grid = Grid(carbon_intensity_g_per_kwh=50.0, pue=1.5)
    assert measurement(ComponentEnergy(1.0, 0.75, 0.25), grid).co2e_kg == pytest.approx(0.15)


def test_pue_is_in_the_co2e_and_not_in_the_energy() -> None:
    """The energy is what the machine used, so that it can be priced again for another grid."""
    grid = Grid(carbon_intensity_g_per_kwh=50.0, pue=2.0)
    assert measurement(ComponentEnergy(1.0, 2.0, 3.0), grid).energy_kwh == 6.0


def test_mean_power_is_energy_by_time() -> None:
    """500 J in 10 s are 50 W."""
    energy = ComponentEnergy(cpu_kwh=kwh_from_joules(300.0), ram_kwh=kwh_from_joules(200.0))
    assert measurement(energy, Grid(carbon_intensity_g_per_kwh=0.0)).mean_power_w == pytest.approx(
        50.0
    )


@pytest.mark.parametrize(
    ("sources", "basis"),
    [
        ({"cpu": COUNTER}, "measured"),
        ({"cpu": COUNTER, "gpu": COUNTER, "ram": COUNTER}, "measured"),
        ({"cpu": COUNTER, "ram": MODEL}, "mixed"),
        ({"cpu": MODEL, "gpu": COUNTER, "ram": MODEL}, "mixed"),
        ({"cpu": MODEL}, "estimated"),
        ({"cpu": MODEL, "ram": MODEL}, "estimated"),
        ({}, "estimated"),
    ],
)
def test_the_basis_is_the_weakest_that_can_be_claimed(
    sources: dict[str, Source], basis: str
) -> None:
    """Only counters throughout make it measured; nothing known is an estimate."""
    assert basis_of(sources) == basis


@given(energies, energies)
def test_energies_add_and_subtract_by_component(a: ComponentEnergy, b: ComponentEnergy) -> None:
    """Each component is reckoned for itself."""
    total, rest = (a + b).to_dict(), (a - b).to_dict()
    for name in COMPONENTS:
        assert total[name] == a.to_dict()[name] + b.to_dict()[name]
        assert rest[name] == a.to_dict()[name] - b.to_dict()[name]


@given(energies)
def test_energies_survive_as_a_dict(energy: ComponentEnergy) -> None:
    """What is stored by component is read back the same."""
    assert ComponentEnergy.from_dict(energy.to_dict()) == energy


def test_a_trace_gives_its_points_back() -> None:
    """Columns and rows are two views of the same points."""
    trace = Trace.from_points(list(POINTS))
    assert len(trace) == 2
    assert list(trace.rows()) == POINTS
    assert trace.t_s.tolist() == [1.0, 2.5]
    assert trace.energy_kwh.tolist() == [1e-5, 1.7e-5]
    assert len(Trace.from_points([])) == 0
    assert list(Trace.from_points([]).rows()) == []


def test_measurements_compare_by_value_with_their_traces() -> None:
    """Two measurements are equal when all figures and all points are, also after pickling."""
    grid = Grid(carbon_intensity_g_per_kwh=50.0)
    energy = ComponentEnergy(1.0, 2.0, 3.0)
    for points in (0, 1, 2):
        one = measurement(energy, grid, points=points)
        assert one == measurement(energy, grid, points=points)
        assert pickle.loads(pickle.dumps(one)) == one
    assert measurement(energy, grid, points=1) != measurement(energy, grid, points=2)
    assert Trace.from_points(list(POINTS)) != "a trace"


def test_a_windows_result_does_not_change_when_the_window_does() -> None:
    """What has been handed out stays as it was while the trial goes on."""
    window = Window(started_at_s=0.0, started_at=0.0)
    window.credit(ComponentEnergy(1.0, 0.0, 0.0))
    window.chart(1.0)
    sources = {"cpu": COUNTER}
    handed_out = window.measurement(1.0, grid=Grid(carbon_intensity_g_per_kwh=1.0), sources=sources)
    window.credit(ComponentEnergy(1.0, 0.0, 0.0))
    window.chart(2.0)
    sources["ram"] = MODEL
    assert handed_out.energy_kwh == 1.0
    assert np.array_equal(handed_out.trace.t_s, [1.0])
    assert handed_out.basis == "measured"


spans_and_powers = st.lists(
    st.tuples(st.floats(1e-3, 1e3), st.floats(0.0, 500.0), st.floats(0.0, 500.0)), min_size=1
)


def make_trace(rows: list[tuple[float, float, float]]) -> Trace:
    """A trace with these spans in s, and powers of the processors and accelerators in W."""
    spans_s, cpu_w, gpu_w = np.array(rows).T
    ram_w = np.full(len(rows), 10.0)
    energy_kwh = np.cumsum(kwh_from_joules(1.0) * (cpu_w + gpu_w + ram_w) * spans_s)
    return Trace(np.cumsum(spans_s), cpu_w, gpu_w, ram_w, energy_kwh)


def joules(trace: Trace) -> list[float]:
    """The energy of each component in J: power times time, summed."""
    spans_s = np.diff(trace.t_s, prepend=0.0)
    return [float(power_w @ spans_s) for power_w in (trace.cpu_w, trace.gpu_w, trace.ram_w)]


@given(spans_and_powers, st.integers(1, 20))
def test_a_thinned_trace_has_the_energy_of_the_whole(
    rows: list[tuple[float, float, float]], max_points: int
) -> None:
    """Of each component; its points are some of the whole's, the last among them."""
    whole = make_trace(rows)
    thin = whole.thinned(max_points)
    assert len(thin) <= max_points
    assert joules(thin) == pytest.approx(joules(whole), rel=1e-9, abs=1e-9)
    points = dict(zip(whole.t_s.tolist(), whole.energy_kwh.tolist(), strict=True))
    assert all(points[t_s] == energy_kwh for t_s, *_, energy_kwh in thin.rows())
    assert thin.t_s[-1] == whole.t_s[-1]


def test_a_thinned_trace_is_even_over_its_time() -> None:
    """Nine of ten points lie in its first second, and leave room for the nine that follow."""
    whole = make_trace([(0.011, 50.0, 0.0)] * 90 + [(1.0, 100.0, 0.0)] * 9)
    thin = whole.thinned(10)
    assert len(thin) == 10
    assert np.diff(thin.t_s) == pytest.approx(np.ones(9), abs=0.02)
    assert thin.cpu_w == pytest.approx([50.0, *[100.0] * 9])


def test_a_trace_that_is_short_enough_stays_as_it_is() -> None:
    """To the last digit, one without points too."""
    short = Trace.from_points(list(POINTS))
    assert short.thinned(2) is short
    assert len(Trace.from_points([]).thinned(2)) == 0
