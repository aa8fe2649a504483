"""How wrong a trial's energy is: ``python tests/benchmarks/accuracy.py [--repeats 5]``.

The truth is a replayed counter. CodeCarbon's own code reads RAPL's files; here, the one function
with which it reads a file gives the state of a counter whose power is known in closed form
instead: bursts of 80 W, 30 % of each 0.7 s, on an idle 20 W, in steps of a millisecond as real
counters have them. The rest of the way is CodeCarbon's and this library's own, and the counter is
the machine's: all processes and threads read the same one.

Trials burn CPU time for a given time, side by side in threads or in processes. Each is measured
twice, one way after the other:

- *green_optuna*: windows of one sampler a process. Charged is the sum over the trials, with what
  no trial pays: what the rest of this machine was charged for its CPU time, and what the
  processes used beside their trials, such as for the readings.
- *CodeCarbon*: a tracker a trial, started and stopped round the same work, as one writes it
  without this library.

The error is how far the sum over all trials is from the counter's energy over their union, in
per cent of that. Where n trackers each count the machine, the sum is n times too high.

Zeus and Carbontracker read counters from files of fixed names, or GPUs, and know no estimate:
they measure nothing on a machine that has neither, and are left out.

Then: how much CPU time the sampler takes at 1 Hz while a trial sleeps. It prints Markdown tables
and claims nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import multiprocessing
import os
import platform
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import green_optuna as go
from green_optuna.energy import CodeCarbonMeter
from green_optuna.energy.board import Board
from green_optuna.energy.curves import Bursts, Constant
from green_optuna.energy.sampler import Sampler
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.synchronize import Barrier

GRID = go.Grid(carbon_intensity_g_per_kwh=50.0)
POWER = Constant(20.0) + Bursts(period_s=0.7, duty=0.3, high_w=80.0)
# CodeCarbon compares two readings of equal counters; a real one has counted for long.
OFFSET_J = 5000.0
DURATIONS_S = (0.05, 0.2, 1.0, 5.0)
SIDE_BY_SIDE = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial as it was measured.

    Attributes:
        began_s: When its window opened, in s on the host's clock.
        ended_s: When it closed.
        joules: What it was charged of the processors' energy, in J.
        outside_j: What the rest of the machine had been charged by its beginning and by its end,
            in J.
        beside_j: What its process was charged beside its trials, in J.
    """

    began_s: float
    ended_s: float
    joules: float
    outside_j: tuple[float, float] = (0.0, 0.0)
    beside_j: float = 0.0


def counted_j(at_s: float) -> float:
    """The counter's state at a time on the host's clock, in J, in steps of a millisecond."""
    return OFFSET_J + POWER.joules_until(math.floor(at_s * 1000) / 1000)


def replay_rapl() -> None:
    """Have CodeCarbon find one package, whose counter is the replayed one."""
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    from codecarbon.core import cpu, rapl
    from codecarbon.core.units import Energy

    def value(_: object) -> Any:  # noqa: ANN401 - CodeCarbon's energy
        return Energy.from_ujoules(counted_j(time.monotonic()) * 1e6)

    def fetch(interface: Any) -> None:  # noqa: ANN401 - CodeCarbon's interface to RAPL
        name = "Processor Energy Delta_0(kWh)"
        interface._rapl_files.append(rapl.RAPLFile(name=name, path="replayed", max_path=os.devnull))

    for owner, name, replayed in (
        (rapl.RAPLFile, "_get_value", value),
        (cpu.IntelRAPL, "_setup_rapl", fetch),
        (cpu, "is_rapl_available", lambda *_: True),
    ):
        setattr(owner, name, replayed)


def burn(duration_s: float) -> None:
    """Use CPU time for as long as a trial takes."""
    until_s = time.monotonic() + duration_s
    while time.monotonic() < until_s:
        sum(range(200))


def green(sampler: Sampler, duration_s: float) -> Trial:
    """Measure a trial with a window of this library."""
    window = sampler.open()
    before_j = outside_j()
    # What was used before is none of the trials'.
    sampler.take_overhead()
    burn(duration_s)
    measurement = sampler.close(window, GRID)
    rest_j = (before_j, outside_j())
    beside_j = joules_from_kwh(sampler.take_overhead().cpu_kwh)
    # The sampler's clock, perf_counter, need not be the host's.
    offset_s = time.monotonic() - time.perf_counter()
    began_s = window.started_at_s + offset_s
    joules = joules_from_kwh(measurement.energy.cpu_kwh)
    return Trial(began_s, began_s + measurement.duration_s, joules, rest_j, beside_j)


def naive(duration_s: float) -> Trial:
    """Measure a trial with a tracker of CodeCarbon's."""
    from codecarbon import OfflineEmissionsTracker

    with tempfile.TemporaryDirectory() as folder:
        tracker = OfflineEmissionsTracker(
            country_iso_code="FRA",
            output_dir=folder,
            output_methods=[],
            measure_power_secs=1,
            allow_multiple_runs=True,
            log_level="critical",
        )
        began_s = time.monotonic()
        tracker.start()
        burn(duration_s)
        tracker.stop()
        ended_s = time.monotonic()
    return Trial(began_s, ended_s, joules_from_kwh(tracker.final_emissions_data.cpu_energy))


def new_sampler() -> Sampler:
    """A sampler of CodeCarbon's meter, ready to open windows."""
    sampler = Sampler(CodeCarbonMeter(go.MeterOptions(gpu_ids=())))
    sampler.start()
    return sampler


def outside_j() -> float:
    """What the rest of the machine has been charged so far, in J."""
    with Board().turn() as (host, _):
        return host.outside_j


def in_threads(count: int, duration_s: float) -> tuple[list[Trial], list[Trial]]:
    """Run trials side by side in threads, twice, measured in one way and in the other."""
    replay_rapl()
    sampler = new_sampler()
    naive(0.01)
    time.sleep(1.1)
    ours = _together(count, lambda: green(sampler, duration_s))
    sampler.meter.stop()
    theirs = _together(count, lambda: naive(duration_s))
    return ours, theirs


def _together(count: int, run: Callable[[], Trial]) -> list[Trial]:
    barrier, trials = threading.Barrier(count), []

    def one() -> None:
        barrier.wait()
        trials.append(run())

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return trials


def _worker(barrier: Barrier, duration_s: float, queue: multiprocessing.queues.Queue[Any]) -> None:
    replay_rapl()
    sampler = new_sampler()
    naive(0.01)
    barrier.wait()
    # Past what the barrier takes, all begin at rest.
    time.sleep(0.2)
    ours = green(sampler, duration_s)
    # All measure until the last one has ended.
    barrier.wait()
    sampler.meter.stop()
    barrier.wait()
    queue.put((ours, naive(duration_s)))


def in_processes(count: int, duration_s: float) -> tuple[list[Trial], list[Trial]]:
    """The same in processes of their own."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(count + 1), context.Queue()
    processes = [
        context.Process(target=_worker, args=(barrier, duration_s, queue)) for _ in range(count)
    ]
    for process in processes:
        process.start()
    while barrier.n_waiting < count:
        time.sleep(0.05)
    time.sleep(1.1)
    for _ in range(3):
        barrier.wait()
    results = [queue.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    return [ours for ours, _ in results], [theirs for _, theirs in results]


def union_j(trials: Sequence[Trial]) -> float:
    """The counter's energy over the union of the trials' windows, in J."""
    joules, covered_until_s = 0.0, -math.inf
    for trial in sorted(trials, key=lambda one: one.began_s):
        began_s = max(trial.began_s, covered_until_s)
        if trial.ended_s > began_s:
            joules += POWER.joules_until(trial.ended_s) - POWER.joules_until(began_s)
            covered_until_s = trial.ended_s
    return joules


def errors(
    run: Callable[[int, float], tuple[list[Trial], list[Trial]]],
    count: int,
    duration_s: float,
    repeats: int,
) -> tuple[float, float]:
    """The median error of the two ways in per cent of the truth."""
    ours, theirs = [], []
    for _ in range(repeats):
        green_trials, naive_trials = run(count, duration_s)
        true_j = union_j(green_trials)
        befores_j, afters_j = zip(*(trial.outside_j for trial in green_trials), strict=True)
        charged_j = sum(trial.joules + trial.beside_j for trial in green_trials)
        charged_j += max(afters_j) - min(befores_j)
        ours.append(100 * (charged_j / true_j - 1))
        true_j = union_j(naive_trials)
        theirs.append(100 * (sum(trial.joules for trial in naive_trials) / true_j - 1))
    return statistics.median(ours), statistics.median(theirs)


def sampler_load_percent(s: float, *, replayed: bool) -> float:
    """How much of a core the sampler takes at 1 Hz, in a process that does nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_sampler_load_percent, (s, replayed))


def _sampler_load_percent(s: float, replayed: bool) -> float:
    if replayed:
        replay_rapl()
    sampler = new_sampler()
    window = sampler.open()
    time.sleep(1.5)
    before_s = time.process_time()
    time.sleep(s)
    used_s = time.process_time() - before_s
    sampler.close(window, GRID)
    sampler.meter.stop()
    return 100 * used_s / s


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sleep", type=float, default=30.0, help="s for the sampler's load")
    options = parser.parse_args()
    print(
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, CodeCarbon {version('codecarbon')}\n"
    )
    print("| trials | side by side in | s each | green_optuna, error % | CodeCarbon, error % |")
    print("|---:|---|---:|---:|---:|")
    for where, run in (("threads", in_threads), ("processes", in_processes)):
        for count in SIDE_BY_SIDE:
            for duration_s in DURATIONS_S:
                repeats = options.repeats if duration_s < 5 else 1
                ours, theirs = errors(run, count, duration_s, repeats)
                cells = f"{count} | {where} | {duration_s:g} | {ours:+.2f} | {theirs:+.1f}"
                print(f"| {cells} |", flush=True)
    own, replayed = (sampler_load_percent(options.sleep, replayed=one) for one in (False, True))
    print(f"\nSampler at 1 Hz: {own:.2f} % of a core with this machine's own sources, ")
    print(f"{replayed:.2f} % with the replayed counter.")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as state, contextlib.suppress(KeyboardInterrupt):
        os.environ["GREEN_OPTUNA_STATE_FOLDER"] = state
        main()
