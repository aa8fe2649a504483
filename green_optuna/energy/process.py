"""CPU time of this process and its children, and the energy that an estimate makes of it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from green_optuna.units import kwh_from_joules

# How often a count of children is begun again because one of them ended meanwhile.
_TRIES = 3

# Where the kernel lists a thread's children; not every one is built with it.
_CHILDREN = Path("/proc/thread-self/children")


def process_tree_cpu_s() -> float:
    """Give the CPU time in s of this process and its descendants, also of those that ended.

    A descendant counts while it lives, and from then on where its parent waited for it, as
    :mod:`subprocess` and :mod:`multiprocessing` do.
    """
    for _ in range(_TRIES):
        waited_for_s = _waited_for_s()
        own_s = time.process_time()
        living_s = _living_s()
        # A child that ends between the two is in both or in neither.
        if _waited_for_s() == waited_for_s:
            break
    return own_s + waited_for_s + living_s


class CpuTimeEstimate:
    """The processor's energy by CodeCarbon's law for a process: power x CPU time / processors.

    CodeCarbon itself stamps a sample of CPU times before it has gone through all processes of
    the host, which takes a while where the user's threads hold Python's lock, and samples from
    two threads at once: the power between two samples can come out several times too high, and
    intervals under 10 ms are lost in the system's ticks. The law is linear in the CPU time, so
    a cumulative clock gives what it means.

    Args:
        power_w: The power of the processor with all its cores busy, in W.
        processors: How many cores that is.
    """

    def __init__(self, *, power_w: float, processors: int) -> None:
        self._core_w = power_w / processors
        self._cpu_s = process_tree_cpu_s()

    def take_kwh(self) -> float:
        """Give the energy since the last call in kWh, never below zero."""
        last_s, self._cpu_s = self._cpu_s, process_tree_cpu_s()
        # The sum falls when a child ends that nobody waits for.
        return kwh_from_joules(self._core_w * max(self._cpu_s - last_s, 0.0))


def _waited_for_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _has_children() -> bool:
    """Tell whether there is any child, at the price of one system call."""
    if not hasattr(os, "waitid"):
        return True
    try:
        # WNOWAIT leaves a child that has ended to whoever waits for it.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _living_s() -> float:
    if not _has_children():
        return 0.0
    return _listed_s("self") if _CHILDREN.exists() else _found_s()


def _listed_s(pid: str) -> float:
    """Give the CPU time in s of a process's living descendants, as Linux lists them."""
    cpu_s = 0.0
    for child in _children(pid):
        # It may have ended meanwhile.
        with contextlib.suppress(OSError):
            cpu_s += _stat_s(child) + _listed_s(child)
    return cpu_s


def _children(pid: str) -> list[str]:
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            children += (task / "children").read_text().split()
    return children


def _stat_s(pid: str) -> float:
    """Give the CPU time in s of a process, and of the children that it waited for."""
    # The name, in brackets, may hold spaces and brackets of its own.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _found_s() -> float:
    """Give the same where nobody lists them: psutil goes through all processes of the host."""
    # CodeCarbon needs psutil, so it is there where this is called.
    import psutil  # type: ignore[import-untyped]  # it comes without

    cpu_s = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        cpu_s += times.user + times.system
        # Those that the child waited for; not every platform tells.
        cpu_s += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return cpu_s
