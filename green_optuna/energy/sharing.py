"""How the energy between two readings is shared among the trials that ran meanwhile.

Between two readings the set of running trials may change. Each change cuts the interval into
segments, and each segment gets a part of the interval's energy:

- of the processors' energy by the CPU time that this process and its children used in it,
  since that is what drives a processor's power; and, unless the energy is an estimate in
  proportion to it, by the time in which they left a processor idle, since that takes power too;
- of the accelerators' and the memory's energy by its length.

Within a segment the trials that run share evenly: threads of one process cannot be told apart,
for most of their work is done in pools of threads that belong to none of them. What falls into
a segment without a trial belongs to none. All shares add up to the interval's energy: a joule
is neither lost nor given twice.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from green_optuna.energy.measurement import ComponentEnergy

if TYPE_CHECKING:
    from collections.abc import Sequence

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Segment(Generic[K]):
    """A part of an interval during which the same trials ran.

    Attributes:
        duration_s: Its length in s.
        cpu_s: CPU time that this process and its children used in it, in s.
        running: The keys of the trials that ran in it.
    """

    duration_s: float
    cpu_s: float
    running: frozenset[K]


def share(
    energy: ComponentEnergy, segments: Sequence[Segment[K]], *, idle_counts: bool = True
) -> dict[K, ComponentEnergy]:
    """Share the energy of one interval among the trials that ran in it.

    Args:
        energy: What the machine used between the two readings, in kWh per component.
        segments: The interval, cut where a trial began or ended.
        idle_counts: Whether the processors' energy holds more than is in proportion to the CPU
            time. The part of the interval in which not even one processor was busy then weighs
            as much as CPU time: else the few ms that a reading takes would outweigh a trial that
            waits for a GPU.

    Returns:
        The energy of each trial. What is missing from the sum fell between trials.
    """
    by_time = _fractions([segment.duration_s for segment in segments])
    if by_time is None:
        by_time = [1 / len(segments)] * len(segments)
    cpu_s = [max(segment.cpu_s, 0.0) for segment in segments]
    if idle_counts:
        length_s = sum(max(segment.duration_s, 0.0) for segment in segments)
        idle_s = max(length_s - sum(cpu_s), 0.0)
        cpu_s = [used_s + idle_s * part for used_s, part in zip(cpu_s, by_time, strict=True)]
    by_cpu = _fractions(cpu_s)
    shares: dict[K, ComponentEnergy] = {}
    for segment, time_part, cpu_part in zip(segments, by_time, by_cpu or by_time, strict=True):
        for key in segment.running:
            part = 1 / len(segment.running)
            shares[key] = shares.get(key, ComponentEnergy()) + ComponentEnergy(
                energy.cpu_kwh * cpu_part * part,
                energy.gpu_kwh * time_part * part,
                energy.ram_kwh * time_part * part,
            )
    return shares


def _fractions(weights: list[float]) -> list[float] | None:
    """Scale weights to a sum of one; None where none of them is above zero.

    A clock that went backwards weighs nothing, rather than take from the others.
    """
    kept = [max(weight, 0.0) for weight in weights]
    total = sum(kept)
    return [weight / total for weight in kept] if total > 0 else None
