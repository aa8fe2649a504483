"""How the energy between two readings is shared among the trials of a process.

Between two readings the set of running trials may change. Each change cuts the interval into
segments, and each segment gets a part of the interval's energy:

- what follows CPU time by the CPU time that this process and its children used in it; where the
  energy also holds what the processors draw at idle, the time in which not even one of them was
  busy counts as CPU time;
- what follows time by its length, or by that of the segments in which trials ran.

Within a segment, what follows CPU time is shared among the trials that run by the CPU time of
their threads and of the children that those started. The rest of it was used by pools of threads
that belong to none of them: of that, as of what follows time, each has an even part. What falls
into a segment without a trial belongs to none. All shares add up to the interval's energy: a
joule is neither lost nor given twice.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
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
        own_cpu_s: What of it is known to be a trial's own, in s, by the trial's key.
    """

    duration_s: float
    cpu_s: float
    running: frozenset[K]
    own_cpu_s: Mapping[K, float] = field(default_factory=dict)

    def parts_by_cpu(self) -> dict[K, float]:
        """Give each trial's part of what follows CPU time; they sum to one."""
        own_s = {key: max(self.own_cpu_s.get(key, 0.0), 0.0) for key in self.running}
        known_s = sum(own_s.values())
        rest_s = max(self.cpu_s - known_s, 0.0)
        total_s, count = known_s + rest_s, len(self.running)
        if total_s <= 0:
            return dict.fromkeys(self.running, 1 / count) if count else {}
        return {key: (used_s + rest_s / count) / total_s for key, used_s in own_s.items()}


@dataclass(frozen=True, slots=True)
class Interval:
    """The energy between two readings, by what decides who pays for it.

    Attributes:
        by_cpu: What follows CPU time, in kWh per component.
        by_time: What follows time, in kWh per component.
        while_running: What follows the time in which trials ran, in kWh per component.
    """

    by_cpu: ComponentEnergy = field(default_factory=ComponentEnergy)
    by_time: ComponentEnergy = field(default_factory=ComponentEnergy)
    while_running: ComponentEnergy = field(default_factory=ComponentEnergy)


def share(
    interval: Interval, segments: Sequence[Segment[K]], *, idle_counts: bool = True
) -> dict[K, ComponentEnergy]:
    """Share the energy of one interval among the trials that ran in it.

    Args:
        interval: What was used between the two readings.
        segments: The interval, cut where a trial began or ended.
        idle_counts: Whether what follows CPU time holds more than is in proportion to it. The
            part of the interval in which not even one processor was busy then weighs as much as
            CPU time: else the few ms that a reading takes would outweigh a trial that waits.

    Returns:
        The energy of each trial. What is missing from the sum fell between trials.
    """
    durations_s = [max(segment.duration_s, 0.0) for segment in segments]
    by_time = _fractions(durations_s) or [1 / len(segments)] * len(segments)
    # A clock that went backwards weighs nothing, rather than take from the others.
    cpu_s = [max(segment.cpu_s, 0.0) for segment in segments]
    if idle_counts:
        idle_s = max(sum(durations_s) - sum(cpu_s), 0.0)
        cpu_s = [used_s + idle_s * part for used_s, part in zip(cpu_s, by_time, strict=True)]
    by_cpu = _fractions(cpu_s) or by_time
    # Each trial that ran has had a part of its own.
    weights = [len(one.running) * s for one, s in zip(segments, durations_s, strict=True)]
    running = _fractions(weights) or _fractions([float(len(one.running)) for one in segments])
    shares: dict[K, ComponentEnergy] = {}
    for index, segment in enumerate(segments):
        timely = interval.by_time.scaled(by_time[index])
        if running:
            timely += interval.while_running.scaled(running[index])
        active = interval.by_cpu.scaled(by_cpu[index])
        for key, part in segment.parts_by_cpu().items():
            spent = active.scaled(part) + timely.scaled(1 / len(segment.running))
            shares[key] = shares.get(key, ComponentEnergy()) + spent
    return shares


def _fractions(weights: list[float]) -> list[float] | None:
    """Scale weights to a sum of one; None where none of them is above zero."""
    total = sum(weights)
    return [weight / total for weight in weights] if total > 0 else None
