"""What a host's account is made of: what is read, who takes part, and what is shared out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.energy.charge import Charge
from green_optuna.energy.measurement import ComponentEnergy
from green_optuna.units import kwh_from_joules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.energy.process import TreeTime

# What is shared out together: the processors, the memory as an estimate, and as counters have it.
# All else is an accelerator.
CPU = "cpu"
RAM = "ram"
DRAM = "dram"

# A process that has been between two trials for longer has left its study.
MAX_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One figure that a machine gives of the energy of a component.

    Attributes:
        key: Names it on this host, the same for each process that reads it.
        pool: What it is a part of: "cpu", "dram", or one accelerator.
        joules: The state of a counter in J, or None where it is no counter.
        wraps_at_j: At how many J the counter begins anew; 0 where that is not known.
        power_w: The mean power in W since it was last asked for, where it is no counter.
        resolution_s: How long it takes to give a new figure, in s.
    """

    key: str
    pool: str
    joules: float | None = None
    wraps_at_j: float = 0.0
    power_w: float = 0.0
    resolution_s: float = 0.0


@dataclass(slots=True)
class Member:
    """A process that measures trials on the host.

    Attributes:
        pools: What it counts of the machine.
        ram_w: The memory's power in W, as it estimates it.
        running: How many of its trials run.
        idle_since_s: Since when none does, in s on the host's clock.
        cpu_s: Its CPU time in s when the processors' energy was last settled.
        weights: By pool, its part of the time since that was settled: for its trials, and for
            its pause, in s.
        charged: What it was charged and has not collected, in J: dynamic, then standing and
            pause by component (cpu, gpu, ram each).
        beside_s: For how long others' trials ran beside its own, in s, not collected yet.
        apart_s: The CPU time of living members among its descendants, in s by process: each
            pays for itself.
        ended_s: The same of those that have ended, in s.
    """

    pools: list[str]
    ram_w: float
    running: int = 0
    idle_since_s: float = 0.0
    cpu_s: float | None = None
    weights: dict[str, list[float]] = field(default_factory=dict)
    charged: list[float] = field(default_factory=lambda: [0.0] * 7)
    beside_s: float = 0.0
    apart_s: dict[str, float] = field(default_factory=dict)
    ended_s: float = 0.0

    def counts(self, pools: Sequence[str], ram_w: float) -> bool:
        """Tell whether this is what it counts of the machine."""
        return (self.pools, self.ram_w) == ([*pools, RAM], ram_w)

    def own_cpu_s(self, time: TreeTime) -> float:
        """Give its CPU time in s, less that of members that it has started itself.

        They are left out while they live. Once they have ended, the system counts them with
        the process that waited for them, and what was last seen of them is taken off.
        """
        living_s = {str(pid): cpu_s for pid, cpu_s in time.apart_s.items()}
        self.ended_s += sum(cpu_s for pid, cpu_s in self.apart_s.items() if pid not in living_s)
        self.apart_s = living_s
        return time.cpu_s - self.ended_s

    def pause_s(self, began_s: float, ended_s: float) -> float:
        """Give how long of a span it was between two trials of its study, in s."""
        if self.running:
            return 0.0
        left_s = self.idle_since_s + MAX_PAUSE_S
        return max(min(ended_s, left_s) - max(began_s, self.idle_since_s), 0.0)

    def collect(self) -> Charge:
        """Give what it was charged since the last time."""
        kwh = [kwh_from_joules(joules) for joules in self.charged]
        charge = Charge(
            dynamic=ComponentEnergy(cpu_kwh=kwh[0]),
            standing=ComponentEnergy(*kwh[1:4]),
            pause=ComponentEnergy(*kwh[4:7]),
            beside_s=self.beside_s,
        )
        self.charged, self.beside_s = [0.0] * 7, 0.0
        return charge


@dataclass(slots=True)
class Pool:
    """What is shared out together: the counters of the processors, or of one accelerator.

    Attributes:
        at_s: Up to when its energy is settled, in s on the host's clock.
        joules: The counters' states in J at that moment, by key.
    """

    at_s: float
    joules: dict[str, float] = field(default_factory=dict)
