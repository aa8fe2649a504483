"""How the energy of one host is shared among the processes that measure trials on it.

A counter such as RAPL or a GPU's counts for the whole machine, whoever reads it. Processes that
measure side by side therefore keep one account of the host together: whichever of them reads the
counters settles for all, and the interval since the last reading is shared out as follows.

- *Dynamic energy* of the processors, what they draw above idle, goes by CPU time: to each
  process by that of itself and its children, to all that is not measured here by the rest of the
  machine's busy time. Nobody here pays for that rest.
- *Standing energy* goes evenly to the trials that run, at each moment: the processors' power at
  idle, the memory's, that of an accelerator among those that see it. While no trial runs, it
  goes to the processes that are between two trials.

The idle power is the least that the host was seen to draw over 50 ms to a minute since it booted:
an upper bound, which falls as the host is seen at rest.

Sums are exact: what is shared out of an interval is what the counter counted in it, less what
is the rest of the machine's (Scaphandre, https://github.com/hubblo-org/scaphandre, and Kepler,
https://github.com/sustainable-computing-io/kepler, attribute dynamic power the same way).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from green_optuna.energy.member import CPU, DRAM, RAM, Channel, Member, Pool
from green_optuna.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


# The idle power is learned from intervals of at least this length: counters step every ms.
# In much longer ones, while a notebook rests, a counter may have begun anew unseen.
IDLE_SPAN_S = 0.05
MAX_IDLE_SPAN_S = 60.0

# The rest of the machine's load is known from its ticks of 10 ms, so from spans this long.
LOAD_SPAN_S = 1.0
MIN_LOAD_SPAN_S = 0.5

# No hardware draws nothing: a counter that has not moved for so long stands still.
STILL_S = 1.0

# To look which children the members have takes a while, with many threads; so it is done once
# for all members, and for so long, in s.
CHILDREN_S = 1.0


@dataclass(slots=True)
class Host:
    """The account that the processes of one host keep together.

    Attributes:
        at_s: Up to when time is accounted for, in s on the host's clock.
        members: Who measures here, by a name of the process.
        pools: What is shared out, by name.
        idle_w: The least power of the processors that was seen, in W.
        members_cpu_s: CPU time of all members, summed up as they were settled, in s.
        loads: Two states of the machine's busy time, its members' part and the clock, at least
            a second apart.
        outside_j: What the rest of the machine was charged, in J.
        children: The children of the members and of their descendants, by process.
        children_at_s: When they began to be looked for, in s on the host's clock.
    """

    at_s: float
    members: dict[str, Member] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    idle_w: float | None = None
    members_cpu_s: float = 0.0
    loads: list[list[float]] = field(default_factory=list)
    outside_j: float = 0.0
    children: dict[str, list[str]] = field(default_factory=dict)
    children_at_s: float = 0.0

    def join(self, name: str, now_s: float, *, pools: Iterable[str], ram_w: float) -> None:
        """Take up a process that begins to measure; harmless when repeated."""
        self.advance(now_s)
        if not self.members:
            # Nobody has looked at the counters meanwhile: whatever they did is nobody's here.
            self.pools, self.loads = {}, []
        if name not in self.members:
            self.members[name] = Member([*pools, RAM], ram_w, idle_since_s=now_s)
            # It may be another member's child, which then pays for itself from now on.
            self.children = {}

    def recent_children(self) -> dict[str, list[str]]:
        """Give what is known of the members' children, to be filled in by who looks for them."""
        if self.at_s - self.children_at_s > CHILDREN_S:
            self.children, self.children_at_s = {}, self.at_s
        return self.children

    def leave(self, names: Iterable[str]) -> None:
        """Let processes go that have ended; what they have not collected goes with them."""
        for name in names:
            self.members.pop(name, None)

    def set_running(self, name: str, now_s: float, running: int) -> None:
        """Note how many trials of a process run from now on."""
        self.advance(now_s)
        member = self.members[name]
        if running == 0 and member.running:
            member.idle_since_s = now_s
        member.running = running

    def advance(self, now_s: float) -> None:
        """Account for the time up to now, in which the same trials ran."""
        began_s, self.at_s = self.at_s, max(now_s, self.at_s)
        span_s = self.at_s - began_s
        if span_s <= 0:
            return
        by_pool: dict[str, list[Member]] = {}
        for member in self.members.values():
            for pool in member.pools:
                by_pool.setdefault(pool, []).append(member)
        for pool, members in by_pool.items():
            running = sum(member.running for member in members)
            pauses_s = [one.pause_s(began_s, self.at_s) for one in members]
            pausing = sum(pause_s > 0 for pause_s in pauses_s)
            for member, pause_s in zip(members, pauses_s, strict=True):
                weight = member.weights.setdefault(pool, [0.0, 0.0])
                if running:
                    weight[0] += span_s * member.running / running
                elif pause_s > 0:
                    weight[1] += pause_s / pausing
            if pool == RAM:
                self._note_company(members, running, span_s)

    def settle(
        self, now_s: float, channels: Sequence[Channel], cpu_s: Mapping[str, float], busy_s: float
    ) -> None:
        """Share out what the machine used up to now.

        Args:
            now_s: The time on the host's clock, in s.
            channels: What was read now.
            cpu_s: CPU time of each member with its children, in s, since it began.
            busy_s: CPU time in which the machine was busy, in s.

        Raises:
            MeterError: A counter of the processors or of an accelerator stands still, or cannot
                be read any more. Its energy is settled once it can.
        """
        self.advance(now_s)
        self._settle_memory(now_s)
        by_pool: dict[str, list[Channel]] = {}
        for channel in channels:
            by_pool.setdefault(channel.pool, []).append(channel)
        troubles = []
        for name, parts in by_pool.items():
            try:
                joules, span_s = self._counted(name, parts, now_s)
            except MeterError as error:
                troubles.append(error)
                continue
            if span_s <= 0:
                continue
            if name == CPU:
                self._settle_processors(joules, span_s, cpu_s, busy_s)
            else:
                self._share_standing(name, joules, span_s, component=2 if name == DRAM else 1)
        if troubles:
            raise troubles[0]

    def _note_company(self, members: Iterable[Member], running: int, span_s: float) -> None:
        for member in members:
            if 0 < member.running < running:
                member.beside_s += span_s

    def _counted(self, name: str, parts: Sequence[Channel], now_s: float) -> tuple[float, float]:
        """Give the energy of a pool since it was settled in J, and how long that is in s.

        The length is 0 where nothing can be settled yet.
        """
        pool = self.pools.get(name)
        states = {part.key: part.joules for part in parts if part.joules is not None}
        if pool is None or not pool.joules.keys() >= states.keys():
            # Seen for the first time.
            self.pools[name] = Pool(now_s, states)
            self._drop_weights(name)
            return 0.0, 0.0
        missing = sorted(pool.joules.keys() - states.keys())
        if missing:
            raise MeterError(
                f"The energy counter {missing[0]} could be read before and cannot be read now: "
                "what the machine uses is not known. Look at its permissions, and start again."
            )
        span_s = now_s - pool.at_s
        joules = sum(part.power_w * span_s for part in parts if part.joules is None)
        try:
            joules += sum(_since(pool.joules[one.key], one) for one in parts if one.key in states)
        except MeterError:
            self.pools[name] = Pool(now_s, states)
            self._drop_weights(name)
            raise
        if joules <= 0 and states and span_s > 0:
            if span_s > max(STILL_S, 10 * max(part.resolution_s for part in parts)):
                raise _stands_still(pool, span_s)
            return 0.0, 0.0
        pool.at_s, pool.joules = now_s, states
        return joules, span_s

    def _settle_memory(self, now_s: float) -> None:
        pool = self.pools.setdefault(RAM, Pool(now_s))
        active = [one for one in self.members.values() if any(one.weights.get(RAM, ()))]
        # Each estimates the same machine's memory: the sum would count it several times.
        power_w = max((member.ram_w for member in active), default=0.0)
        span_s, pool.at_s = now_s - pool.at_s, now_s
        self._share_standing(RAM, power_w * span_s, span_s, component=2)

    def _settle_processors(
        self, joules: float, span_s: float, cpu_s: Mapping[str, float], busy_s: float
    ) -> None:
        """Share out the processors' energy of an interval, in J."""
        if IDLE_SPAN_S <= span_s <= MAX_IDLE_SPAN_S:
            power_w = joules / span_s
            self.idle_w = power_w if self.idle_w is None else min(self.idle_w, power_w)
        idle_j = min((self.idle_w or 0.0) * span_s, joules)
        used = dict(self._used(cpu_s))
        outside_cpu_s = self._outside_cores(busy_s) * span_s
        all_cpu_s = sum(used.values()) + outside_cpu_s
        if all_cpu_s > 0:
            dynamic_j = joules - idle_j
            for name, used_s in used.items():
                self.members[name].charged[0] += dynamic_j * used_s / all_cpu_s
            self.outside_j += dynamic_j * outside_cpu_s / all_cpu_s
        else:
            idle_j = joules
        self._share_standing(CPU, idle_j, span_s, component=0)

    def _used(self, cpu_s: Mapping[str, float]) -> Iterator[tuple[str, float]]:
        """Give the CPU time in s that each member of the processors' pool has used since."""
        for name, member in self.members.items():
            if CPU in member.pools and name in cpu_s:
                # The sum falls when a child ends that nobody waits for.
                used_s = 0.0 if member.cpu_s is None else max(cpu_s[name] - member.cpu_s, 0.0)
                member.cpu_s = cpu_s[name]
                self.members_cpu_s += used_s
                yield name, used_s

    def _outside_cores(self, busy_s: float) -> float:
        """Give how many cores the rest of the machine keeps busy, as of the last second or two."""
        state = [self.at_s, busy_s, self.members_cpu_s]
        if not self.loads or busy_s < self.loads[-1][1]:
            self.loads = [state]
        span_s, busy, members = (a - b for a, b in zip(state, self.loads[0], strict=True))
        if self.at_s - self.loads[-1][0] >= LOAD_SPAN_S:
            self.loads = [self.loads[-1], state]
        return max(busy - members, 0.0) / span_s if span_s >= MIN_LOAD_SPAN_S else 0.0

    def _share_standing(self, name: str, joules: float, span_s: float, *, component: int) -> None:
        """Share energy in J out among those that were there, by their part of the time.

        What is left fell into a time when nobody here was in a study.
        """
        for member in self.members.values():
            running_s, pausing_s = member.weights.pop(name, (0.0, 0.0))
            if span_s > 0:
                member.charged[1 + component] += joules * running_s / span_s
                member.charged[4 + component] += joules * pausing_s / span_s

    def _drop_weights(self, name: str) -> None:
        for member in self.members.values():
            member.weights.pop(name, None)

    def to_dict(self) -> dict[str, Any]:
        """Give the account as JSON keeps it."""
        # dataclasses.asdict takes longer than all else that is done for a reading.
        kept: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        for group in ("members", "pools"):
            kept[group] = {
                name: {field: getattr(one, field) for field in one.__slots__}
                for name, one in kept[group].items()
            }
        return kept

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Host:
        """Undo :meth:`to_dict`."""
        members = {name: Member(**member) for name, member in kept["members"].items()}
        pools = {name: Pool(**pool) for name, pool in kept["pools"].items()}
        return cls(**{**kept, "members": members, "pools": pools})


def _since(before_j: float, now: Channel) -> float:
    """Give how many J a counter has counted since a state, over its turn."""
    state_j = now.joules or 0.0
    if state_j >= before_j:
        return state_j - before_j
    if now.wraps_at_j > before_j:
        return state_j + now.wraps_at_j - before_j
    raise MeterError(
        f"The energy counter {now.key} fell from {before_j:.6g} to {state_j:.6g} J, and not where "
        "it begins anew: it was reset (a driver was loaded again, say), and what was used "
        "meanwhile is not known. The next trial can be measured."
    )


def _stands_still(pool: Pool, span_s: float) -> MeterError:
    return MeterError(
        f"The energy counter {min(pool.joules)} has stood still for {span_s:.3g} s, and no "
        "hardware draws nothing: what the machine uses is not known. "
        'MeterOptions(tracking_mode="process") estimates the processor instead.'
    )
