"""The CPU time of a process counts its children, once each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from green_optuna.energy import process
from green_optuna.energy.process import CpuTimeEstimate, process_tree_cpu_s
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
    # The system's clock of another process ticks in hundredths of a second.
    assert living_s >= 0.27
    assert living_s - 0.03 <= ended_s <= living_s + 0.15


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
    burn(0.2)
    assert estimate.take_kwh() == pytest.approx(kwh_from_joules(4.0), rel=0.1)


def test_parts_of_an_estimate_sum_to_the_whole() -> None:
    """Taking often loses nothing, not even below the system's ticks of 10 ms."""
    often, once = (CpuTimeEstimate(power_w=80.0, processors=4) for _ in range(2))
    parts_kwh = []
    for _ in range(200):
        burn(0.001)
        parts_kwh.append(often.take_kwh())
    whole_kwh = once.take_kwh()
    assert min(parts_kwh) > 0
    assert sum(parts_kwh) == pytest.approx(whole_kwh, rel=0.02)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_that_nobody_waits_for_gives_no_negative_energy() -> None:
    """Energy never falls, though a grandchild's CPU time vanishes with it."""
    estimate = CpuTimeEstimate(power_w=80.0, processors=4)
    # The shell ends at once, and its background job then belongs to no one here.
    subprocess.run(["/bin/sh", "-c", f"{sys.executable} -c pass &"], check=True)
    assert estimate.take_kwh() >= 0
    time.sleep(0.2)
    assert estimate.take_kwh() >= 0
