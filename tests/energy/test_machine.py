"""The replayed machine tells what each trial should pay, by closed forms worked out by hand."""

from __future__ import annotations

import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.carbon import Grid
from green_optuna.energy import (
    Bursts,
    Curve,
    Ramp,
    ReplayClock,
    ReplayMachine,
    Sampler,
    TrialSpan,
)
from green_optuna.errors import OptionError
from green_optuna.units import joules_from_kwh

from .test_curves import curves, seconds


def test_the_machine_draws_idle_and_for_each_busy_core() -> None:
    """20 W idle, and 10 W for each of 1 + 3 busy cores: 60 W, and 4 s of CPU time a second."""
    clock = ReplayClock(now_s=1000.0)
    machine = ReplayMachine(
        processes={"worker": 1.0, "other": 3.0}, idle_w=20.0, ram_w=5.0, clock=clock
    )
    meter = machine.meter("worker")
    clock.advance(4.0)
    meter.start()
    clock.advance(6.0)
    assert machine.joules_until(10.0) == {"cpu": 600.0, "gpu": 0.0, "ram": 50.0}
    used_j = {name: joules_from_kwh(kwh) for name, kwh in meter.read().to_dict().items()}
    assert used_j == pytest.approx({"cpu": 360.0, "gpu": 0.0, "ram": 30.0})
    assert (machine.cpu_clock("worker")(), machine.cpu_s("other"), machine.busy_cpu_s()) == (
        *(10.0, 30.0, 40.0),
    )


def test_energy_and_cpu_time_of_products_are_exact() -> None:
    """A core that costs t W, busy as t goes from 0 to 1 in 3 s: the integral of t * t/3 is 3 J."""
    machine = ReplayMachine(
        processes={"worker": Ramp(from_w=0.0, to_w=1.0, end_s=3.0)},
        core_w=Ramp(from_w=0.0, to_w=3.0, end_s=3.0),
    )
    assert machine.joules_until(3.0)["cpu"] == pytest.approx(3.0)
    assert machine.joules_until(5.0)["cpu"] == pytest.approx(9.0)
    assert machine.joules_until(-1.0)["cpu"] == 0.0


def test_a_trial_pays_for_its_own_cores_and_its_part_of_the_rest() -> None:
    """Side by side for half of the time, with a process that measures nothing beside them.

    a runs from 0 to 10 s, b from 5 to 15 s; idle and memory draw 30 W. Alone, each pays the
    30 W for 5 s; together, 15 W each for 5 s. The third process's 40 W are nobody's.
    """
    machine = ReplayMachine(
        processes={"a": 1.0, "b": 2.0, "rest": 4.0}, core_w=10.0, idle_w=20.0, ram_w=10.0
    )
    charged = machine.charged_j([TrialSpan("a", 0.0, 10.0), TrialSpan("b", 5.0, 15.0)])
    assert charged[0] == pytest.approx({"cpu": 100 + 100 + 50, "gpu": 0.0, "ram": 75.0})
    assert charged[1] == pytest.approx({"cpu": 200 + 100 + 50, "gpu": 0.0, "ram": 75.0})


def test_bursts_are_paid_for_by_who_has_them() -> None:
    """A trial of 1.5 periods that begins with a burst has two of the three bursts."""
    machine = ReplayMachine(
        processes={"bursty": Bursts(period_s=2.0, duty=0.5, high_w=4.0), "steady": 1.0},
        core_w=[(0.0, 10.0), (2.0, 20.0)],
    )
    trials = [TrialSpan("bursty", 0.0, 3.0), TrialSpan("bursty", 3.0, 5.0)]
    charged_j = [trial["cpu"] for trial in machine.charged_j(trials)]
    assert charged_j == pytest.approx([40.0 + 80.0, 80.0])


def test_trials_of_one_process_share_what_it_draws() -> None:
    """Threads cannot be told apart; of the machine's idle power each trial takes a part."""
    machine = ReplayMachine(processes={"a": 2.0, "b": 2.0}, core_w=10.0, idle_w=30.0)
    spans = [TrialSpan("a", 0.0, 1.0), TrialSpan("a", 0.0, 1.0), TrialSpan("b", 0.0, 1.0)]
    assert [trial["cpu"] for trial in machine.charged_j(spans)] == pytest.approx([20.0, 20.0, 30.0])


spans = st.builds(
    lambda process, a_s, b_s: TrialSpan(process, min(a_s, b_s), max(a_s, b_s)),
    st.sampled_from(["a", "b"]),
    seconds,
    seconds,
)


@given(curves, curves, curves, curves, st.lists(spans, max_size=5))
def test_no_trials_pay_for_more_than_the_machine_used(
    a: Curve, b: Curve, core_w: Curve, idle_w: Curve, trials: list[TrialSpan]
) -> None:
    """The charges add up to at most the machine's energy, and to all of it where none is left."""
    machine = ReplayMachine(
        processes={"a": a, "b": b}, core_w=core_w, idle_w=idle_w, gpu_w=b, ram_w=a
    )
    everywhere = [TrialSpan("a", 0.0, 100.0), TrialSpan("b", 0.0, 100.0)]
    total_j = machine.joules_until(100.0)
    for some, whole in ((trials, False), ([*trials, *everywhere], True)):
        charged = machine.charged_j(some)
        for component, joules in total_j.items():
            sum_j = sum(trial[component] for trial in charged)
            assert sum_j <= joules * (1 + 1e-6) + 1e-6
            if whole:
                assert sum_j == pytest.approx(joules, rel=1e-6, abs=1e-6)


@given(curves, curves, st.lists(st.floats(0.0, 50.0), min_size=2, max_size=10))
def test_a_meter_of_the_machine_never_falls(
    cores: Curve, core_w: Curve, pauses_s: list[float]
) -> None:
    """Readings grow, however the clock moves on."""
    clock = ReplayClock()
    meter = ReplayMachine(processes={"a": cores}, core_w=core_w, clock=clock).meter("a")
    meter.start()
    readings = []
    for pause_s in pauses_s:
        clock.advance(pause_s)
        readings.append(meter.read().cpu_kwh)
    assert readings == sorted(readings)


def test_a_reading_too_soon_repeats_the_one_before() -> None:
    """As with the meters of real machines; started again, it counts from zero."""
    clock = ReplayClock()
    machine = ReplayMachine(processes={"a": 1.0}, clock=clock)
    meter = machine.meter("a", min_interval_s=0.5, sample_interval_s=2.0)
    meter.start()
    readings_j = []
    for _ in range(4):
        clock.advance(0.25)
        readings_j.append(joules_from_kwh(meter.read().cpu_kwh))
    assert readings_j == pytest.approx([2.5, 2.5, 7.5, 7.5])
    meter.start()
    assert meter.read().total_kwh == 0.0
    meter.stop()


def test_a_trial_alone_on_the_machine_is_charged_as_the_sampler_charges_it() -> None:
    """With one process and nothing beside it, the sampler's accounts and the machine's agree."""
    clock = ReplayClock()
    machine = ReplayMachine(
        processes={"a": Ramp(from_w=0.0, to_w=2.0, end_s=5.0)}, idle_w=7.0, ram_w=3.0, clock=clock
    )
    sampler = Sampler(machine.meter("a"), clock=clock, cpu_clock=machine.cpu_clock("a"))
    clock.advance(1.0)
    window = sampler.open()
    clock.advance(6.0)
    measurement = sampler.close(window, Grid(carbon_intensity_g_per_kwh=50.0))
    [expected] = machine.charged_j([TrialSpan("a", 1.0, 7.0)])
    used_j = {name: joules_from_kwh(kwh) for name, kwh in measurement.energy.to_dict().items()}
    # What the sampler's own readings take, if any, is no trial's.
    assert used_j == pytest.approx(expected, rel=1e-2)


def test_a_pickled_machine_goes_on_by_the_same_clock() -> None:
    """Real processes can read one machine, each from a copy of its own."""
    machine = ReplayMachine(processes={"a": 1.0}, clock=time.monotonic)
    copy = pickle.loads(pickle.dumps(machine))
    before_s = machine.busy_cpu_s()
    assert before_s <= copy.busy_cpu_s() <= machine.busy_cpu_s()


def test_what_the_machine_cannot_be_is_refused() -> None:
    """The error names the process or the power."""
    with pytest.raises(OptionError, match=r"processes\['a'\]: Constant has a power of -1.0 W"):
        ReplayMachine(processes={"a": -1.0})
    with pytest.raises(OptionError, match="core_w: Steps has its steps"):
        ReplayMachine(processes={}, core_w=[(1.0, 1.0)])
    machine = ReplayMachine(processes={"a": 1.0})
    with pytest.raises(OptionError, match=r"no process 'b', only \['a'\]"):
        machine.meter("b")
    with pytest.raises(OptionError, match="no process 'b'"):
        machine.charged_j([TrialSpan("b", 0.0, 1.0)])
