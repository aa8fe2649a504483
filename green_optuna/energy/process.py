"""CPU time of processes and their children, and the energy that an estimate makes of it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.units import kwh_from_joules

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# How often a count of children is begun again because one of them ended meanwhile.
_TRIES = 3

# Where the kernel lists a thread's children; not every one is built with it.
_CHILDREN = Path("/proc/thread-self/children")


@dataclass(frozen=True, slots=True)
class TreeTime:
    """The CPU time of a process and its descendants.

    Attributes:
        cpu_s: That of itself, of those that live, and of those that ended and were waited for,
            in s.
        apart_s: That of living descendants that were left out, with their own, in s by process.
    """

    cpu_s: float
    apart_s: dict[int, float] = field(default_factory=dict)


def process_tree_cpu_s() -> float:
    """Give the CPU time in s of this process and its descendants, also of those that ended.

    A descendant counts while it lives, and from then on where its parent waited for it, as
    :mod:`subprocess` and :mod:`multiprocessing` do.
    """
    return own_tree_time().cpu_s


def own_tree_time(
    without: Collection[int] = (), *, children: dict[str, list[str]] | None = None
) -> TreeTime:
    """Give the CPU time of this process and its descendants, also of those that ended.

    Args:
        without: Processes that are left out with their descendants, while they live.
        children: Where to put which children there are, by process: else another process, which
            remembers fewer, would see the time fall.
    """
    for _ in range(_TRIES):
        apart_s: dict[int, float] = {}
        known: dict[str, list[str]] = {}
        waited_for_s = _waited_for_s()
        own_s = time.process_time()
        living_s = _living_s(without, apart_s, known)
        # A child that ends between the two is in both or in neither.
        if _waited_for_s() == waited_for_s:
            break
    if children is not None:
        children.update(known)
    return TreeTime(own_s + waited_for_s + living_s, apart_s)


def other_tree_time(
    pid: int, without: Collection[int] = (), *, children: dict[str, list[str]] | None = None
) -> TreeTime | None:
    """Give the same of another process of this host; None where it cannot be told.

    Args:
        pid: The process.
        without: Processes that are left out with their descendants, while they live.
        children: The children of processes as far as they are known already; what has to be
            looked for is put in.
    """
    apart_s: dict[int, float] = {}
    try:
        if _CHILDREN.exists():
            known = {} if children is None else children
            own_s = _stat_s(str(pid))
            return TreeTime(own_s + _listed_s(str(pid), without, apart_s, known), apart_s)
        return TreeTime(_found_s(pid, without, apart_s), apart_s)
    except (OSError, IndexError):
        return None


def process_name(pid: int) -> str | None:
    """Name a process of this host so that none will be called the same; None if there is none."""
    try:
        # The 22nd field is when it started, in ticks since the host did.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else f"{pid}:{int(fields[19])}"
    except (OSError, IndexError):
        pass
    import psutil  # type: ignore[import-untyped]  # it comes without

    try:
        return f"{pid}:{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return None


def machine_busy_s() -> float:
    """Give the CPU time in s in which this machine was busy, all its cores together."""
    import psutil

    times = psutil.cpu_times()
    # Linux counts a guest's time in its host's, and waiting for a disk is idle.
    passive = ("idle", "iowait", "guest", "guest_nice")
    return float(sum(times) - sum(getattr(times, name, 0.0) for name in passive))


def thread_clock() -> Callable[[], float | None]:
    """Give a clock of the CPU time in s of the thread that asks for it, for all threads to read.

    It shows None where the platform does not tell, and once the thread has ended.
    """
    thread = threading.current_thread()
    if not hasattr(time, "pthread_getcpuclockid"):
        return lambda: None
    clock = time.pthread_getcpuclockid(threading.get_ident())

    def cpu_s() -> float | None:
        if not thread.is_alive():
            return None
        try:
            return time.clock_gettime(clock)
        except OSError:
            return None

    return cpu_s


class ThreadClock:
    """The CPU time of the thread that makes it, and of the living children that it started.

    Other threads may ask for it. What pools of threads do for this one is not in it.

    Attributes:
        ident: The thread.
    """

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self._own_s = thread_clock()
        self._children = Path(f"/proc/self/task/{threading.get_native_id()}/children")

    def cpu_s(self) -> float | None:
        """Give it in s; None where the platform does not tell, or the thread has ended."""
        own_s = self._own_s()
        return None if own_s is None else own_s + self._children_s()

    def _children_s(self) -> float:
        if not _has_children():
            return 0.0
        cpu_s = 0.0
        with contextlib.suppress(OSError):
            for child in self._children.read_text().split():
                with contextlib.suppress(OSError):
                    cpu_s += _stat_s(child) + _listed_s(child, (), {})
        return cpu_s


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
        self._cpu_s: float | None = None

    def take_kwh(self, cpu_s: float) -> float:
        """Give the energy since the last call in kWh, never below zero; at first, none.

        Args:
            cpu_s: The CPU time that the process has used, in s.
        """
        last_s, self._cpu_s = self._cpu_s, cpu_s
        # The sum falls when a child ends that nobody waits for.
        return 0.0 if last_s is None else kwh_from_joules(self._core_w * max(cpu_s - last_s, 0.0))


def _waited_for_s() -> float:
    if resource is not None:
        # In microseconds, where os.times() has ticks of 10 ms: more than a short program takes.
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
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


def _living_s(
    without: Collection[int], apart_s: dict[int, float], known: dict[str, list[str]]
) -> float:
    if not _has_children():
        known[str(os.getpid())] = []
        return 0.0
    if _CHILDREN.exists():
        return _listed_s(str(os.getpid()), without, apart_s, known)
    return _found_s(os.getpid(), without, apart_s, itself=False)


def _listed_s(
    pid: str,
    without: Collection[int],
    apart_s: dict[int, float],
    known: dict[str, list[str]] | None = None,
) -> float:
    """Give the CPU time in s of a process's living descendants, as Linux lists them."""
    cpu_s = 0.0
    known = {} if known is None else known
    children = known[pid] if pid in known else known.setdefault(pid, _children(pid))
    for child in children:
        # It may have ended meanwhile.
        with contextlib.suppress(OSError):
            if int(child) in without:
                apart_s[int(child)] = _stat_s(child, pid) + _listed_s(child, (), {}, known)
            else:
                cpu_s += _stat_s(child, pid) + _listed_s(child, without, apart_s, known)
    return cpu_s


def _children(pid: str) -> list[str]:
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            children += (task / "children").read_text().split()
    return children


def _stat_s(pid: str, parent: str | None = None) -> float:
    """Give the CPU time in s of a process, and of the children that it waited for.

    Raises:
        OSError: There is no such process, or it is no child of the parent that is given: the
            number of one that has ended was given again.
    """
    # The name, in brackets, may hold spaces and brackets of its own.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    if parent is not None and int(fields[1]) != int(parent):
        raise ProcessLookupError(pid)
    ticks = os.sysconf("SC_CLK_TCK")
    try:
        # The kernel's clock of a process (clock_getcpuclockid) is finer than its ticks of 10 ms.
        own_s = time.clock_gettime((~int(pid) << 3) | 2)
    except OSError:
        own_s = sum(map(int, fields[11:13])) / ticks
    return own_s + sum(map(int, fields[13:15])) / ticks


def _found_s(
    pid: int, without: Collection[int], apart_s: dict[int, float], *, itself: bool = True
) -> float:
    """Give the same where nobody lists them: psutil goes through all processes of the host.

    Raises:
        OSError: There is no such process.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        children = process.children()
        cpu_s = _times_s(process) if itself else 0.0
    except psutil.Error as error:
        raise ProcessLookupError(pid) from error
    for child in children:
        with contextlib.suppress(OSError):
            if child.pid in without:
                apart_s[child.pid] = _found_s(child.pid, (), {})
            else:
                cpu_s += _found_s(child.pid, without, apart_s)
    return cpu_s


def _times_s(process: Any) -> float:  # noqa: ANN401 - psutil's, which has no types
    times = process.cpu_times()
    # Those that it waited for; not every platform tells.
    waited_for_s = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + waited_for_s)
