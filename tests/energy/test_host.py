"""Processes that share a host share its energy: each its part, and no joule twice."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.energy.charge import Charge
from green_optuna.energy.host import STILL_S, Host
from green_optuna.energy.member import CPU, MAX_PAUSE_S, Channel
from green_optuna.energy.process import TreeTime
from green_optuna.errors import MeterError
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import Sequence

IDLE_W = 20.0
RAM_W = 8.0
GPU_W = 100.0
WRAP_J = 5000.0


@dataclass
class Machine:
    """A host in slow motion, whose true account is kept beside the one under test.

    Attributes:
        core_w: Power of a busy core above idle, in W.
        outside: How many cores the rest of the machine keeps busy.
        cores: How many cores each process keeps busy.
        gpus: Which processes see the machine's GPU.
    """

    core_w: float = 30.0
    outside: float = 0.0
    cores: dict[str, float] = field(default_factory=dict)
    gpus: Sequence[str] = ()
    now_s: float = 100.0
    joules: float = 123.0
    gpu_joules: float = 55.0
    cpu_s: dict[str, float] = field(default_factory=dict)
    busy_s: float = 1e6
    running: dict[str, int] = field(default_factory=dict)
    fair_j: dict[str, dict[str, float]] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.host = Host(self.now_s)
        # Seen at rest, so that it is known what it draws then, and that nobody else is busy.
        outside, self.outside = self.outside, 0.0
        for name in self.cores:
            pools = [CPU, "gpu:0"] if name in self.gpus else [CPU]
            self.host.join(name, self.now_s, pools=pools, ram_w=RAM_W)
            self.cpu_s[name], self.running[name] = 0.0, 0
            self.charges[name] = Charge()
        self.read()
        cores, self.cores = self.cores, dict.fromkeys(self.cores, 0.0)
        self.wait(2.0)
        self.cores, self.outside = cores, outside
        self.fair_j = {name: dict.fromkeys(("cpu", "gpu", "ram"), 0.0) for name in cores}
        self.charges = {name: Charge() for name in cores}

    def wait(self, s: float) -> None:
        """Let time pass, with a reading at each full second and at the end."""
        while s > 1e-12:
            step_s = min(s, 1.0)
            self._pass(step_s)
            self.read()
            s -= step_s

    def read(self) -> None:
        """Settle the account, by a process that sees the GPU if any does."""
        channels = [Channel("package", CPU, self.joules % WRAP_J, WRAP_J, resolution_s=0.001)]
        if self.gpus:
            channels.append(Channel("gpu:0", "gpu:0", self.gpu_joules, resolution_s=0.1))
        self.host.settle(self.now_s, channels, self.cpu_s, self.busy_s)
        for name, member in self.host.members.items():
            self.charges[name] += member.collect()

    def run(self, name: str, count: int) -> None:
        """Let so many trials of a process run from now on."""
        self.read()
        self.running[name] = count
        self.host.set_running(name, self.now_s, count)

    def _pass(self, s: float) -> None:
        self.now_s += s
        busy = sum(self.cores.values()) + self.outside
        self.joules += (IDLE_W + self.core_w * busy) * s
        self.gpu_joules += GPU_W * s
        self.busy_s += busy * s
        trials = sum(self.running.values())
        gpu_trials = sum(self.running[name] for name in self.gpus)
        for name, cores in self.cores.items():
            self.cpu_s[name] += cores * s
            fair_j = self.fair_j.get(name)
            if fair_j is None:
                continue
            fair_j["cpu"] += self.core_w * cores * s
            if trials:
                fair_j["cpu"] += IDLE_W * s * self.running[name] / trials
                fair_j["ram"] += RAM_W * s * self.running[name] / trials
            if gpu_trials and name in self.gpus:
                fair_j["gpu"] += GPU_W * s * self.running[name] / gpu_trials

    def charged_j(self, name: str) -> dict[str, float]:
        """What a process was charged, without its pauses, in J by component."""
        charge = self.charges[name]
        total = charge.dynamic + charge.standing
        return {one: joules_from_kwh(kwh) for one, kwh in total.to_dict().items()}


def test_one_busy_process_pays_for_all_of_a_quiet_machine() -> None:
    """Alone, a trial pays for idle, its cores and the memory: the whole counter."""
    machine = Machine(cores={"1": 2.0})
    before_j = machine.joules
    machine.run("1", 1)
    machine.wait(5.0)
    machine.run("1", 0)
    charged_j = machine.charged_j("1")
    assert charged_j["cpu"] == pytest.approx(machine.joules - before_j)
    assert charged_j["ram"] == pytest.approx(RAM_W * 5.0)
    assert machine.host.idle_w == pytest.approx(IDLE_W)


def test_two_processes_share_by_cpu_time_and_idle_evenly() -> None:
    """Of 3 and 1 busy cores, each pays for its own, and for half of what stands by."""
    machine = Machine(cores={"1": 3.0, "2": 1.0})
    machine.run("1", 1)
    machine.run("2", 1)
    machine.wait(4.0)
    for name, cores in (("1", 3.0), ("2", 1.0)):
        charged_j = machine.charged_j(name)
        assert charged_j["cpu"] == pytest.approx((30.0 * cores + IDLE_W / 2) * 4.0)
        assert charged_j["ram"] == pytest.approx(RAM_W / 2 * 4.0)
        assert machine.charges[name].beside_s == pytest.approx(4.0)


def test_what_others_do_on_the_machine_is_not_charged() -> None:
    """Two of three busy cores are somebody else's: once that is known, theirs is not ours."""
    machine = Machine(cores={"1": 1.0}, outside=2.0)
    machine.wait(3.0)
    machine.charges["1"], before_j = Charge(), machine.host.outside_j
    machine.run("1", 1)
    machine.wait(4.0)
    assert machine.charged_j("1")["cpu"] == pytest.approx((30.0 + IDLE_W) * 4.0)
    assert machine.host.outside_j - before_j == pytest.approx(60.0 * 4.0)


def test_a_trial_that_waits_pays_for_the_idle_machine() -> None:
    """Asleep for 5 s on an idle machine, a trial costs what the machine draws at idle."""
    machine = Machine(cores={"1": 0.0})
    machine.run("1", 1)
    machine.wait(5.0)
    assert machine.charged_j("1")["cpu"] == pytest.approx(IDLE_W * 5.0)


def test_a_gpu_is_shared_by_those_that_see_it() -> None:
    """Two workers see the GPU and one does not: they pay half each, it pays none."""
    machine = Machine(cores={"1": 1.0, "2": 1.0, "3": 1.0}, gpus=("1", "2"))
    for name in machine.cores:
        machine.run(name, 1)
    machine.wait(3.0)
    shares = [machine.charged_j(name)["gpu"] for name in machine.cores]
    assert shares == pytest.approx([GPU_W / 2 * 3.0, GPU_W / 2 * 3.0, 0.0])


def test_between_trials_the_idle_machine_is_the_studys_for_a_minute() -> None:
    """With no trial on the host, what stands by is the pause of those between two, at most 60 s."""
    machine = Machine(cores={"1": 0.0, "2": 0.0})
    machine.run("1", 1)
    machine.run("1", 0)
    machine.wait(10.0)
    pauses_kwh = [machine.charges[name].pause.cpu_kwh for name in ("1", "2")]
    assert [joules_from_kwh(kwh) for kwh in pauses_kwh] == pytest.approx([IDLE_W * 5.0] * 2)
    machine.wait(1000.0)
    whole_kwh = sum(machine.charges[name].pause.cpu_kwh for name in ("1", "2"))
    # The second has been idle for 2 s when the first one's trial ends.
    assert joules_from_kwh(whole_kwh) == pytest.approx(IDLE_W * MAX_PAUSE_S)
    assert machine.charged_j("1")["cpu"] == machine.charged_j("2")["cpu"] == 0.0


def test_a_worker_between_two_trials_takes_nothing_from_anothers_trial() -> None:
    """While a trial runs on the host, what stands by is its own alone."""
    machine = Machine(cores={"1": 1.0, "2": 0.0})
    machine.run("1", 1)
    machine.wait(7.0)
    assert machine.charged_j("1")["cpu"] == pytest.approx((30.0 + IDLE_W) * 7.0)
    assert machine.charges["2"].pause.total_kwh == 0.0


events = st.lists(
    st.tuples(
        st.floats(0.001, 3.0),
        st.sampled_from("123"),
        st.integers(0, 3),
        st.floats(0.0, 4.0),
    ),
    min_size=1,
    max_size=12,
)


@given(events, st.floats(1.0, 90.0), st.booleans())
def test_for_any_overlap_each_pays_its_part_and_the_sum_is_the_machines(
    events: list[tuple[float, str, int, float]], core_w: float, gpu: bool
) -> None:
    """Trials begin and end in any order, with any load: every share is the closed form's."""
    machine = Machine(
        core_w=core_w, cores=dict.fromkeys("123", 0.0), gpus=("1", "2") if gpu else ()
    )
    before_j, before_gpu_j = machine.joules, machine.gpu_joules
    for wait_s, name, count, cores in events:
        machine.wait(wait_s)
        machine.run(name, count)
        machine.cores[name] = cores
    machine.wait(0.5)
    for name in "123":
        charged_j = machine.charged_j(name)
        for component, fair_j in machine.fair_j[name].items():
            assert charged_j[component] == pytest.approx(fair_j, rel=1e-6, abs=1e-6)
    total = sum((machine.charges[name].total for name in "123"), start=Charge().total)
    assert joules_from_kwh(total.cpu_kwh) == pytest.approx(machine.joules - before_j)
    if gpu:
        assert joules_from_kwh(total.gpu_kwh) == pytest.approx(machine.gpu_joules - before_gpu_j)


@given(st.lists(st.tuples(st.floats(0.05, 2.0), st.floats(0.0, 8.0), st.floats(0.0, 200.0))))
def test_no_load_of_the_rest_makes_a_share_more_than_all(
    steps: list[tuple[float, float, float]],
) -> None:
    """Whatever the rest of the machine does, charges and its part sum to the counter."""
    machine = Machine(cores={"1": 1.0, "2": 0.5})
    machine.run("1", 1)
    before_j = machine.joules - machine.host.outside_j
    for wait_s, outside, core_w in steps:
        machine.outside, machine.core_w = outside, core_w
        machine.wait(wait_s)
    total = machine.charges["1"].total + machine.charges["2"].total
    charged_j = joules_from_kwh(total.cpu_kwh)
    assert charged_j == pytest.approx(machine.joules - machine.host.outside_j - before_j)
    assert machine.host.outside_j >= 0.0


def test_a_counter_that_turns_over_loses_nothing() -> None:
    """The counter begins anew at 5,000 J, which is every 36 s here."""
    machine = Machine(cores={"1": 4.0})
    machine.run("1", 1)
    machine.wait(100.0)
    assert machine.charged_j("1")["cpu"] == pytest.approx((120.0 + IDLE_W) * 100.0)


def channel(joules: float | None, key: str = "package", **fields: float) -> Channel:
    """A counter of the processors."""
    return Channel(key, CPU, joules, **fields)


def two_packages(host: Host, now_s: float, first: float | None, second: float | None) -> None:
    """Settle with two packages, of which one may not be readable."""
    parts = [channel(first, "0", wraps_at_j=WRAP_J), channel(second, "1", wraps_at_j=WRAP_J)]
    readable = [part for part in parts if part.joules is not None]
    host.settle(now_s, readable, {"1": now_s}, now_s)


def joined() -> Host:
    """A host with one process and one trial."""
    host = Host(0.0)
    host.join("1", 0.0, pools=[CPU], ram_w=0.0)
    host.set_running("1", 0.0, 1)
    return host


def test_several_packages_add_up() -> None:
    """Each turns over for itself; their sum is the processors' energy."""
    host = joined()
    two_packages(host, 0.0, 10.0, WRAP_J - 10.0)
    two_packages(host, 1.0, 40.0, 15.0)
    charge = host.members["1"].collect()
    assert joules_from_kwh(charge.total.cpu_kwh) == pytest.approx(30.0 + 25.0)


def test_a_night_without_readings_says_nothing_of_the_idle_power() -> None:
    """A counter has begun anew unseen meanwhile: 10 J in eight hours are no power."""
    host = joined()
    two_packages(host, 0.0, 10.0, 10.0)
    two_packages(host, 1.0, 20.0, 20.0)
    two_packages(host, 28_801.0, 25.0, 25.0)
    assert host.idle_w == pytest.approx(20.0)


def test_children_are_looked_for_now_and_then_and_when_somebody_joins() -> None:
    """What is known of them serves all for a second; a new member may be one of them."""
    host = joined()
    host.recent_children()["1"] = ["2"]
    host.advance(0.5)
    assert host.recent_children() == {"1": ["2"]}
    host.join("2", 0.6, pools=[CPU], ram_w=0.0)
    assert host.recent_children() == {}
    host.recent_children()["1"] = ["2"]
    host.advance(3.0)
    assert host.recent_children() == {}


def test_a_package_that_disappears_is_an_error_and_back_again_it_has_lost_nothing() -> None:
    """What the machine uses is not known meanwhile; the counter has gone on."""
    host = joined()
    two_packages(host, 0.0, 10.0, 10.0)
    two_packages(host, 1.0, 20.0, 20.0)
    with pytest.raises(MeterError, match="energy counter 1 could be read before and cannot"):
        two_packages(host, 2.0, 30.0, None)
    two_packages(host, 3.0, 40.0, 40.0)
    charge = host.members["1"].collect()
    assert joules_from_kwh(charge.total.cpu_kwh) == pytest.approx(60.0)


def test_a_counter_that_stands_still_is_an_error_and_not_free() -> None:
    """No processor draws nothing for more than a second."""
    host = joined()
    host.settle(0.0, [channel(10.0)], {"1": 0.0}, 0.0)
    host.settle(STILL_S / 2, [channel(10.0)], {"1": 0.1}, 0.1)
    with pytest.raises(MeterError, match=r"package has stood still for 1\.5 s"):
        host.settle(1.5, [channel(10.0)], {"1": 0.2}, 0.2)
    # Were it to move again, all of it would be the trial's.
    host.settle(2.0, [channel(50.0)], {"1": 0.3}, 0.3)
    charge = host.members["1"].collect()
    assert joules_from_kwh(charge.total.cpu_kwh) == pytest.approx(40.0)


def test_a_counter_that_was_reset_is_an_error_once() -> None:
    """A driver that is loaded again begins at zero: what was used meanwhile is not known."""
    host = joined()
    host.settle(0.0, [channel(500.0)], {"1": 0.0}, 0.0)
    with pytest.raises(MeterError, match="package fell from 500 to 3 J"):
        host.settle(1.0, [channel(3.0)], {"1": 1.0}, 1.0)
    host.settle(2.0, [channel(13.0)], {"1": 2.0}, 2.0)
    charge = host.members["1"].collect()
    assert joules_from_kwh(charge.total.cpu_kwh) == pytest.approx(10.0)


def test_one_trouble_does_not_keep_the_rest_from_being_settled() -> None:
    """The GPU's counter stands still; the processors' energy is shared out all the same."""
    host = Host(0.0)
    host.join("1", 0.0, pools=[CPU, "gpu:0"], ram_w=5.0)
    host.set_running("1", 0.0, 1)
    for now_s in (0.0, 2.0):
        parts = [channel(10.0 * now_s + 1), Channel("gpu:0", "gpu:0", 7.0, resolution_s=0.1)]
        if now_s:
            with pytest.raises(MeterError, match="gpu:0 has stood still"):
                host.settle(now_s, parts, {"1": now_s}, now_s)
        else:
            host.settle(now_s, parts, {"1": now_s}, now_s)
    charge = host.members["1"].collect()
    assert joules_from_kwh(charge.total.cpu_kwh) == pytest.approx(20.0)
    assert joules_from_kwh(charge.total.ram_kwh) == pytest.approx(10.0)


def test_a_power_without_a_counter_counts_for_its_time() -> None:
    """Where a machine tells watts alone, they count since the last reading of anybody."""
    host = joined()
    host.settle(0.0, [Channel("load", CPU, power_w=40.0)], {"1": 0.0}, 0.0)
    host.settle(2.5, [Channel("load", CPU, power_w=40.0)], {"1": 1.0}, 1.0)
    charge = host.members["1"].collect()
    assert joules_from_kwh(charge.total.cpu_kwh) == pytest.approx(100.0)


def test_a_process_pays_not_for_the_worker_that_it_started() -> None:
    """A worker's time is its own while it lives, and after its parent has waited for it."""
    host = joined()
    parent = host.members["1"]
    assert parent.own_cpu_s(TreeTime(5.0, {77: 1.0})) == 5.0
    assert parent.own_cpu_s(TreeTime(6.0, {77: 30.0})) == 6.0
    # It has ended: the system now counts its 30 s with the parent that waited for it.
    assert parent.own_cpu_s(TreeTime(37.0)) == pytest.approx(7.0)
    assert parent.own_cpu_s(TreeTime(38.0)) == pytest.approx(8.0)


def test_the_account_survives_as_json() -> None:
    """What one process writes, the next one reads the same, and goes on with."""
    machine = Machine(cores={"1": 3.0, "2": 1.0}, gpus=("1",), outside=1.0)
    machine.run("1", 2)
    machine._pass(0.3)
    machine.host.advance(machine.now_s)
    again = Host.from_dict(json.loads(json.dumps(machine.host.to_dict())))
    assert again == machine.host
    machine.host = again
    machine.wait(0.7)
    assert machine.charged_j("1")["gpu"] == pytest.approx(GPU_W)


def test_who_leaves_takes_no_more_part() -> None:
    """A worker that has ended is charged nothing, and the others pay the whole."""
    machine = Machine(cores={"1": 1.0, "2": 0.0})
    machine.run("1", 1)
    machine.run("2", 1)
    machine.wait(1.0)
    machine.host.leave(["2", "nobody"])
    machine.running["2"] = 0
    machine.wait(1.0)
    assert machine.charged_j("1")["ram"] == pytest.approx(RAM_W * 1.5)
    assert machine.charged_j("2")["ram"] == pytest.approx(RAM_W * 0.5)


def test_who_comes_to_an_empty_host_begins_afresh() -> None:
    """Nobody pays for what the counters counted while nobody looked."""
    host = Host(0.0)
    host.join("1", 0.0, pools=[CPU], ram_w=0.0)
    host.settle(0.0, [channel(10.0)], {"1": 0.0}, 0.0)
    host.leave(["1"])
    host.join("2", 50.0, pools=[CPU], ram_w=0.0)
    host.set_running("2", 50.0, 1)
    host.settle(51.0, [channel(9000.0)], {"2": 1.0}, 51.0)
    host.settle(52.0, [channel(9020.0)], {"2": 2.0}, 52.0)
    charge = host.members["2"].collect()
    assert joules_from_kwh(charge.total.cpu_kwh) == pytest.approx(20.0)


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(0, 2)), min_size=2))
def test_weights_of_time_never_exceed_the_time(steps: list[tuple[float, int]]) -> None:
    """However often the number of trials changes, all parts of the time sum to the time."""
    host = Host(0.0)
    host.join("1", 0.0, pools=[], ram_w=1.0)
    host.join("2", 0.0, pools=[], ram_w=1.0)
    now_s = 0.0
    for (wait_s, count), name in zip(steps, itertools.cycle("12"), strict=False):
        now_s += wait_s
        host.set_running(name, now_s, count)
    parts_s = [s for member in host.members.values() for s in member.weights.get("ram", ())]
    assert math.fsum(parts_s) <= now_s + 1e-9
