"""Whether an account that was read from a file can be one: what is not is begun anew."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from green_optuna.energy.host import Host
    from green_optuna.energy.member import Member

# What a member was charged: dynamic, then standing and pause by component.
_CHARGES = 7


def check_sound(host: Host) -> None:
    """Hold that all numbers of an account are finite and not negative, and each where it belongs.

    Raises:
        ValueError: One is not.
        TypeError: There is something else in a number's place.
    """
    for number in _numbers(host):
        if not 0 <= number < math.inf:
            raise ValueError(number)


def _numbers(host: Host) -> Iterator[float]:
    yield from (host.at_s, host.idle_w or 0.0, host.members_cpu_s, host.outside_j)
    for at_s, busy_s, members_s in host.loads:
        yield from (at_s, busy_s, members_s)
    for pool in host.pools.values():
        yield pool.at_s
        yield from pool.joules.values()
    yield host.children_at_s
    for pid, children in host.children.items():
        yield from map(int, (pid, *children))
    for name, member in host.members.items():
        # The number of a process, which systems keep in 32 bits.
        if int(name.partition(":")[0]) >= 1 << 32:
            raise ValueError(name)
        yield int(name.partition(":")[0])
        yield from _numbers_of(member)


def _numbers_of(member: Member) -> Iterator[float]:
    yield from (member.ram_w, member.running, member.idle_since_s, member.cpu_s or 0.0)
    yield from (member.beside_s, member.ended_s)
    for running_s, pausing_s in member.weights.values():
        yield from (running_s, pausing_s)
    if len(member.charged) != _CHARGES or not all(isinstance(one, str) for one in member.pools):
        raise ValueError(member)
    yield from member.charged
    yield from member.apart_s.values()
