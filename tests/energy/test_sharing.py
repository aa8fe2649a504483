"""The energy of an interval is shared out whole, and by what each trial used."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.energy import ComponentEnergy
from green_optuna.energy.sharing import Interval, Segment
from green_optuna.energy.sharing import share as share_out

ENERGY = ComponentEnergy(cpu_kwh=6.0, gpu_kwh=4.0, ram_kwh=2.0)

kwh = st.floats(0.0, 1e6)
energies = st.builds(ComponentEnergy, kwh, kwh, kwh)
seconds = st.one_of(st.just(0.0), st.floats(1e-9, 1e6))
running = st.frozensets(st.sampled_from("abcd"))
segments_of_an_interval = st.lists(
    st.builds(Segment, seconds, seconds, running), min_size=1, max_size=8
)


def share(
    energy: ComponentEnergy, segments: list[Segment[str]], *, idle_counts: bool = True
) -> dict[str, ComponentEnergy]:
    """Share energy of which the processors' follows CPU time, and the rest time."""
    cpu = ComponentEnergy(cpu_kwh=energy.cpu_kwh)
    interval = Interval(by_cpu=cpu, by_time=energy - cpu)
    return share_out(interval, segments, idle_counts=idle_counts)


def segment(duration_s: float, running: str, *, cpu_s: float = 0.0) -> Segment[str]:
    """A segment in which the trials named by the letters ran."""
    return Segment(duration_s, cpu_s, frozenset(running))


def weights(values: list[float]) -> list[float]:
    """Each value's part of their sum; equal parts where the sum is zero."""
    total = math.fsum(values)
    return [v / total if total else 1 / len(values) for v in values]


def left_over(segments: list[Segment[str]], energy: ComponentEnergy) -> tuple[float, float, float]:
    """What falls into segments without a trial, in kWh of cpu, gpu and ram."""
    by_time = weights([s.duration_s for s in segments])
    idle_s = max(
        math.fsum(s.duration_s for s in segments) - math.fsum(s.cpu_s for s in segments), 0
    )
    used_s = [s.cpu_s + idle_s * part for s, part in zip(segments, by_time, strict=True)]
    by_cpu = weights(used_s) if any(used_s) else by_time
    idle = [i for i, s in enumerate(segments) if not s.running]
    time_part = math.fsum(by_time[i] for i in idle)
    cpu_part = math.fsum(by_cpu[i] for i in idle)
    return energy.cpu_kwh * cpu_part, energy.gpu_kwh * time_part, energy.ram_kwh * time_part


@given(segments_of_an_interval, energies)
def test_no_joule_is_lost_or_given_twice(
    segments: list[Segment[str]], energy: ComponentEnergy
) -> None:
    """The shares plus what fell between trials equal the interval's energy."""
    shares = share(energy, segments).values()
    idle_cpu, idle_gpu, idle_ram = left_over(segments, energy)
    cpu = math.fsum(s.cpu_kwh for s in shares) + idle_cpu
    gpu = math.fsum(s.gpu_kwh for s in shares) + idle_gpu
    ram = math.fsum(s.ram_kwh for s in shares) + idle_ram
    assert cpu == pytest.approx(energy.cpu_kwh, rel=1e-9)
    assert gpu == pytest.approx(energy.gpu_kwh, rel=1e-9)
    assert ram == pytest.approx(energy.ram_kwh, rel=1e-9)


@given(st.lists(st.builds(Segment, seconds, st.floats(-1e6, 1e6), running), min_size=1), energies)
def test_no_share_is_negative_or_more_than_all(
    segments: list[Segment[str]], energy: ComponentEnergy
) -> None:
    """Even where a clock went backwards, nobody gains energy or gets more than there was."""
    shares = share(energy, segments)
    for one in shares.values():
        assert min(one.to_dict().values()) >= 0.0
    total_kwh = math.fsum(one.total_kwh for one in shares.values())
    assert total_kwh <= energy.total_kwh * (1 + 1e-9)


@given(segments_of_an_interval, energies, st.permutations("abcd"))
def test_names_do_not_matter(
    segments: list[Segment[str]], energy: ComponentEnergy, names: list[str]
) -> None:
    """Renaming the trials renames the shares, and changes none."""
    renamed = dict(zip("abcd", names, strict=True))
    swapped = [
        Segment(s.duration_s, s.cpu_s, frozenset(renamed[key] for key in s.running))
        for s in segments
    ]
    expected = {renamed[key]: one for key, one in share(energy, segments).items()}
    assert share(energy, swapped) == expected


@given(segments_of_an_interval, energies)
def test_only_those_that_ran_get_a_share(
    segments: list[Segment[str]], energy: ComponentEnergy
) -> None:
    """A trial gets a share just when it ran in the interval."""
    ran = {key for one in segments for key in one.running}
    assert share(energy, segments).keys() == ran


def test_one_trial_gets_all_of_its_interval() -> None:
    """A trial that runs alone throughout gets all, whatever CPU time it used."""
    assert share(ENERGY, [segment(3.0, "a", cpu_s=1.0)]) == {"a": ENERGY}
    assert share(ENERGY, [segment(3.0, "a")]) == {"a": ENERGY}


def test_trials_of_one_segment_share_evenly() -> None:
    """Where nothing is known of the trials' own CPU time, each gets the same."""
    shares = share(ENERGY, [segment(3.0, "abcd", cpu_s=1.0)])
    quarter = ComponentEnergy(1.5, 1.0, 0.5)
    assert shares == {"a": quarter, "b": quarter, "c": quarter, "d": quarter}


@pytest.mark.parametrize("idle_counts", [True, False])
def test_cpu_energy_follows_cpu_time_and_the_rest_wall_time(idle_counts: bool) -> None:
    """With 4 of 6 CPU seconds in 1 of 4 wall seconds, a trial gets 2/3 and 1/4."""
    segments = [segment(1.0, "a", cpu_s=4.0), segment(3.0, "b", cpu_s=2.0)]
    shares = share(ENERGY, segments, idle_counts=idle_counts)
    assert list(shares["a"].to_dict().values()) == pytest.approx([4.0, 1.0, 0.5])
    assert list(shares["b"].to_dict().values()) == pytest.approx([2.0, 3.0, 1.5])


def test_idle_time_weighs_like_cpu_time_where_a_processor_takes_power_at_idle() -> None:
    """Of 4 s, 3 were idle: a trial that waits for all of them gets those beside its own."""
    segments = [segment(4.0, "a", cpu_s=0.5), segment(0.0, "", cpu_s=0.5)]
    assert share(ENERGY, segments)["a"].cpu_kwh == pytest.approx(6.0 * 3.5 / 4)
    assert share(ENERGY, segments, idle_counts=False)["a"].cpu_kwh == pytest.approx(6.0 / 2)


def test_without_cpu_time_the_wall_clock_shares_out_all() -> None:
    """Where the process used no CPU time, the processors' energy goes by time as well."""
    shares = share(ENERGY, [segment(1.0, "a"), segment(3.0, "")])
    assert shares == {"a": ComponentEnergy(1.5, 1.0, 0.5)}


def test_a_trial_sums_over_its_segments() -> None:
    """A trial that another joins for a while gets all, then half, then all."""
    shares = share(ENERGY, [segment(1.0, "a"), segment(2.0, "ab"), segment(1.0, "a")])
    assert shares["a"].gpu_kwh == pytest.approx(4.0 * (0.25 + 0.25 + 0.25))
    assert shares["b"].gpu_kwh == pytest.approx(4.0 * 0.25)


def test_an_interval_without_length_is_split_evenly() -> None:
    """Energy read where no time passed is not lost: its segments count alike."""
    assert share(ENERGY, [segment(0.0, "a"), segment(0.0, "")]) == {
        "a": ComponentEnergy(3.0, 2.0, 1.0)
    }


def test_a_trials_own_cpu_time_is_charged_to_it_and_the_rest_evenly() -> None:
    """Of 8 CPU seconds, 4 were of a's thread, 1 of b's, and 3 of a pool: 5.5 to 2.5."""
    own_s = {"a": 4.0, "b": 1.0}
    shares = share(ENERGY, [Segment(5.0, 8.0, frozenset("ab"), own_s)], idle_counts=False)
    assert shares["a"].cpu_kwh == pytest.approx(6.0 * 5.5 / 8)
    assert shares["b"].cpu_kwh == pytest.approx(6.0 * 2.5 / 8)
    assert shares["a"].gpu_kwh == shares["b"].gpu_kwh == pytest.approx(2.0)


@given(
    st.lists(seconds, min_size=1, max_size=4),
    seconds,
    st.dictionaries(st.sampled_from("abcd"), st.floats(-1e3, 1e6)),
)
def test_parts_of_a_segment_sum_to_one(
    trials: list[float], cpu_s: float, own_s: dict[str, float]
) -> None:
    """Whatever the clocks of threads say, also more than that of their process."""
    running = frozenset("abcd"[: len(trials)])
    own_s = {key: value for key, value in own_s.items() if key in running}
    parts = Segment(1.0, cpu_s, running, own_s).parts_by_cpu()
    assert parts.keys() == running
    assert math.fsum(parts.values()) == pytest.approx(1.0)
    assert min(parts.values()) >= 0.0


def test_what_follows_running_time_leaves_the_time_between_trials_out() -> None:
    """Charged for 1 s with one trial and 1 s with two: the first has 2/3, the other 1/3."""
    segments = [segment(1.0, "a"), segment(7.0, ""), segment(1.0, "ab")]
    shares = share_out(Interval(while_running=ENERGY), segments)
    assert shares["a"].gpu_kwh == pytest.approx(4.0 * 2 / 3)
    assert shares["b"].gpu_kwh == pytest.approx(4.0 * 1 / 3)


@pytest.mark.parametrize("running", ["a", ""])
def test_an_instant_that_was_charged_is_not_lost_where_a_trial_ran(running: str) -> None:
    """Too short a segment for the clock gets its energy all the same."""
    shares = share_out(Interval(while_running=ENERGY), [segment(0.0, running)])
    assert shares == ({"a": ENERGY} if running else {})
