"""The CPU time of a process counts its children, once each."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from green_optuna.energy import process
from green_optuna.energy.process import (
    CpuTimeEstimate,
    ThreadClock,
    machine_busy_s,
    other_tree_time,
    own_tree_time,
    process_name,
    process_tree_cpu_s,
)
from green_optuna.units import kwh_from_joules

# Uses 0.3 s of CPU time, says so, and waits to be told to end.
CHILD = """
import time
while time.process_time() < 0.3:
    pass
print("done", flush=True)
input()
"""


def burn(cpu_s: float) -> None:
    """Use some CPU time in this process."""
    end_s = time.process_time() + cpu_s
    while time.process_time() < end_s:
        pass


def burn_thread(cpu_s: float) -> None:
    """Use some CPU time in this thread."""
    end_s = time.thread_time() + cpu_s
    while time.thread_time() < end_s:
        pass


def living_and_ended_s(code: str) -> tuple[float, float]:
    """Run a child that waits once it is done; give the tree's CPU time then and at its end."""
    began_s = process_tree_cpu_s() - time.process_time()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        living_s = process_tree_cpu_s() - time.process_time() - began_s
        child.communicate("\n")
    return living_s, process_tree_cpu_s() - time.process_time() - began_s


@pytest.mark.parametrize("listed", [True, False])
def test_a_childs_cpu_time_counts_while_it_lives_and_after_and_only_once(
    listed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.3 s of a child are there while it waits, and no more are there once it has ended."""
    if not listed:
        # As on a system whose kernel does not list children.
        monkeypatch.setattr(process, "_CHILDREN", tmp_path / "children")
    living_s, ended_s = living_and_ended_s(CHILD)
    # The system's clock of another process ticks in hundredths of a second, and to go through all
    # processes takes this one some CPU time of its own, which is taken off here.
    assert living_s >= 0.2
    assert living_s - 0.03 <= ended_s <= living_s + 0.25


def test_a_grandchild_counts_too() -> None:
    """A child that waits for its own child has used what that one used."""
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"
    living_s, _ = living_and_ended_s(nested)
    assert living_s >= 0.27


# In a process of its own: this one may have children of other tests, such as multiprocessing's.
ALONE = """
import time
from green_optuna.energy.process import process_tree_cpu_s
before_s, tree_s, after_s = time.process_time(), process_tree_cpu_s(), time.process_time()
assert before_s <= tree_s <= after_s, (before_s, tree_s, after_s)
"""


def test_without_children_the_tree_is_the_process() -> None:
    """A process without children has the CPU time of its own threads, to the microsecond."""
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", ALONE], check=True, env=os.environ | {"PYTHONPATH": root})


def test_the_estimate_is_power_times_cpu_time_by_processors() -> None:
    """0.2 s of CPU time on a processor of 80 W with 4 cores are 4 J."""
    estimate = CpuTimeEstimate(power_w=80.0, processors=4)
    assert estimate.take_kwh(7.0) == 0.0
    assert estimate.take_kwh(7.2) == pytest.approx(kwh_from_joules(4.0))


def test_a_clock_that_falls_gives_no_negative_energy() -> None:
    """A grandchild's CPU time vanishes with it where nobody waits for it."""
    estimate = CpuTimeEstimate(power_w=80.0, processors=4)
    estimate.take_kwh(7.0)
    assert estimate.take_kwh(6.5) == 0.0
    assert estimate.take_kwh(6.6) == pytest.approx(kwh_from_joules(2.0))


def test_the_clock_is_finer_than_the_systems_ticks() -> None:
    """Work of a millisecond is seen, where the system's ticks are 10 ms."""
    times_s = [process_tree_cpu_s()]
    for _ in range(50):
        burn(0.001)
        times_s.append(process_tree_cpu_s())
    assert min(after - before for before, after in itertools.pairwise(times_s)) >= 0.001


@pytest.mark.parametrize("listed", [True, False])
def test_a_child_can_be_left_out_and_is_named_apart(
    listed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left out, a child's 0.3 s are not in the tree's time but beside it."""
    if not listed:
        monkeypatch.setattr(process, "_CHILDREN", tmp_path / "children")
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        apart, whole = own_tree_time({child.pid}), own_tree_time()
        seen_from_outside = other_tree_time(child.pid)
        child.communicate("\n")
    assert apart.apart_s[child.pid] >= 0.27
    assert whole.apart_s == {}
    assert whole.cpu_s - apart.cpu_s == pytest.approx(apart.apart_s[child.pid], abs=0.05)
    assert seen_from_outside is not None
    assert seen_from_outside.cpu_s == pytest.approx(apart.apart_s[child.pid], abs=0.05)
    assert other_tree_time(child.pid) is None


def test_known_children_are_not_looked_for_again_and_a_number_given_anew_is_none() -> None:
    """Who looks puts in what it finds; what is known counts, if it still is a child."""
    if not process._CHILDREN.exists():
        pytest.skip("this platform does not list children")
    me = str(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        found: dict[str, list[str]] = {}
        own_tree_time(children=found)
        whole = other_tree_time(os.getpid(), children={me: [str(child.pid)]})
        without = other_tree_time(os.getpid(), children={me: []})
        # A process that is its own grandchild: numbers were given anew.
        again = other_tree_time(child.pid, children={str(child.pid): [me], me: [str(child.pid)]})
        alone = other_tree_time(child.pid)
        child.communicate("\n")
    assert str(child.pid) in found[me]
    assert whole is not None
    assert without is not None
    assert again is not None
    assert alone is not None
    assert whole.cpu_s - without.cpu_s >= 0.2
    assert again.cpu_s - alone.cpu_s < 0.2


def test_a_process_has_a_name_of_its_own_while_it_lives() -> None:
    """The number of a process may be given again; with the time of its start, it is unique."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = process_name(child.pid)
        assert name is not None
        assert name.startswith(f"{child.pid}:")
        assert process_name(child.pid) == name
        child.kill()
    assert process_name(child.pid) is None


def test_a_threads_own_time_is_told_apart_from_anothers() -> None:
    """What one thread does is on its clock alone, whoever asks; after its end, nobody knows."""
    mine, theirs = ThreadClock(), []
    began, ended = threading.Event(), threading.Event()

    def work() -> None:
        theirs.append(ThreadClock())
        began.wait()
        burn_thread(0.1)
        ended.wait()

    thread = threading.Thread(target=work)
    thread.start()
    while not theirs:
        time.sleep(0.001)
    clock, before_s, mine_s = theirs[0], theirs[0].cpu_s(), mine.cpu_s()
    if before_s is None or mine_s is None:
        began.set()
        ended.set()
        pytest.skip("this platform does not tell the time of another thread")
    began.set()
    while (clock.cpu_s() or 0.0) < before_s + 0.1:
        time.sleep(0.01)
    assert (mine.cpu_s() or 0.0) - mine_s < 0.1
    ended.set()
    thread.join()
    assert clock.cpu_s() is None


def test_a_thread_owns_the_children_that_it_starts() -> None:
    """A thread that only waits for a program has what the program uses."""
    clock = ThreadClock()
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        before_s = time.thread_time()
        assert child.stdout.readline() == "done\n"
        used_s = clock.cpu_s()
        child.communicate("\n")
    if used_s is None or not process._CHILDREN.exists():
        pytest.skip("this platform does not tell")
    assert used_s - before_s >= 0.27


def test_the_machine_is_at_least_as_busy_as_this_process() -> None:
    """0.3 s of work here are in the machine's busy time, but for its ticks."""
    before_s = machine_busy_s()
    burn(0.3)
    assert machine_busy_s() - before_s >= 0.2


@pytest.mark.skipif(sys.platform == "win32", reason="its clock of children is a coarse one")
def test_a_child_that_takes_less_than_a_tick_counts() -> None:
    """Each of many short programs adds to the CPU time, not every tenth of them."""
    for _ in range(5):
        before_s = own_tree_time().cpu_s - time.process_time()
        subprocess.run([sys.executable, "-S", "-E", "-c", "pass"], check=True)
        assert own_tree_time().cpu_s - time.process_time() - before_s > 0.001
