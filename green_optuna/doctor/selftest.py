"""How noisy a meter is on this host: the same work, measured again and again."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from green_optuna.carbon import Grid
from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.energy import Measurement, Sampler

# How long the pieces of work take, in s, with their part of the time there is; the rest is idle.
_PIECES: Final = ((0.1, 0.3), (1.0, 0.6))
_IDLE_PART: Final = 0.1

# Fewer repetitions than this say nothing of a spread.
_LEAST_RUNS: Final = 3

# Only energies are looked at.
_NO_GRID: Final = Grid(carbon_intensity_g_per_kwh=0.0, source="not used")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How the energy of one piece of work came out, time after time.

    Attributes:
        nominal_s: How long the piece takes where nothing else runs, in s, about.
        runs: How often it was measured.
        mean_energy_kwh: The mean of the energies, in kWh.
        energy_cv: The coefficient of variation of the energies: their sample standard deviation
            by their mean; None where the mean is zero.
        duration_cv: The coefficient of variation of the durations, for comparison.
    """

    nominal_s: float
    runs: int
    mean_energy_kwh: float
    energy_cv: float | None
    duration_cv: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What a self-test found.

    Attributes:
        idle_power_w: Mean power of all components while this process only waits, in W.
        spreads: One for each piece of work for which there was time.
    """

    idle_power_w: float
    spreads: tuple[Spread, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for JSON."""
        return asdict(self)


def check_seconds(seconds: object) -> float:
    """Give the time for a self-test in s, if it can be used.

    Raises:
        OptionError: It is negative or not finite.
    """
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        given = float(seconds)
        if 0 <= given < math.inf:
            return given
    raise OptionError(
        f"seconds is {seconds!r}: give the time for the self-test in s, or 0 for none."
    )


def self_test(sampler: Sampler, seconds: float) -> SelfTest | None:
    """Measure waiting, and the same work again and again.

    Args:
        sampler: Of the meter.
        seconds: How long that may take, in s, about. Below some 5 s the longer piece of work is
            left out, and below some 1 s the shorter one too. With 0 there is no test.

    Returns:
        What was found, or None where there was no time for it.

    Raises:
        MeterError: The meter gave no reading.
    """
    if seconds <= 0:
        return None
    idle = _measured(sampler, lambda: time.sleep(seconds * _IDLE_PART))
    rounds_per_s = _calibrated()
    spreads = []
    for nominal_s, part in _PIECES:
        if round(seconds * part / nominal_s) >= _LEAST_RUNS:
            work = functools.partial(_work, round(nominal_s * rounds_per_s))
            spreads.append(spread_of(nominal_s, _repeated(sampler, work, seconds * part)))
    return SelfTest(idle_power_w=idle.mean_power_w, spreads=tuple(spreads))


def _work(rounds: int) -> int:
    """Keep one core busy with what takes the same steps each time."""
    state = 1
    for _ in range(rounds):
        state = (state * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return state


def _calibrated() -> float:
    """Give how many rounds of work a second holds, from the CPU time of some 50 ms of it.

    CPU time rather than time, so that what else runs does not change the piece of work.
    """
    rounds = 10_000
    while True:
        began_s = time.thread_time()
        _work(rounds)
        took_s = time.thread_time() - began_s
        if took_s >= 0.05:
            return rounds / took_s
        rounds *= 2


def _measured(sampler: Sampler, function: Callable[[], object]) -> Measurement:
    window = sampler.open()
    try:
        function()
    finally:
        measurement = sampler.close(window, _NO_GRID)
    return measurement


def _repeated(
    sampler: Sampler, function: Callable[[], object], seconds: float
) -> list[Measurement]:
    """Measure a function until the time in s is over, and three times where all is slow."""
    ends_at_s = time.perf_counter() + seconds
    measured: list[Measurement] = []
    while len(measured) < _LEAST_RUNS or time.perf_counter() < ends_at_s:
        measured.append(_measured(sampler, function))
    return measured


def spread_of(nominal_s: float, measured: Sequence[Measurement]) -> Spread:
    """Give how far measurements of the same work lie apart.

    Args:
        nominal_s: How long the work takes, in s, about.
        measured: Two measurements or more.
    """
    energies_kwh = [one.energy_kwh for one in measured]
    return Spread(
        nominal_s=nominal_s,
        runs=len(measured),
        mean_energy_kwh=float(np.mean(energies_kwh)),
        energy_cv=_variation(energies_kwh) if any(energies_kwh) else None,
        duration_cv=_variation([one.duration_s for one in measured]),
    )


def _variation(values: list[float]) -> float:
    return float(np.std(values, ddof=1) / np.mean(values))
