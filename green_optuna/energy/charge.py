"""What a process is charged of a machine that it shares, in the parts that decide who pays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from green_optuna.energy.measurement import ComponentEnergy


@dataclass(frozen=True, slots=True)
class Charge:
    """A process's part of the energy that the trials of a host use, cumulative.

    Attributes:
        dynamic: What follows the CPU time that the process and its children use, in kWh.
        standing: What the machine draws whatever runs on it, and its accelerators: this
            process's part for its trials, in kWh.
        pause: The same while no trial ran on the host: this process's part as one of those that
            are between two trials, in kWh.
        beside_s: For how long trials of other processes ran beside this one's, in s.
    """

    dynamic: ComponentEnergy = field(default_factory=ComponentEnergy)
    standing: ComponentEnergy = field(default_factory=ComponentEnergy)
    pause: ComponentEnergy = field(default_factory=ComponentEnergy)
    beside_s: float = 0.0

    @property
    def total(self) -> ComponentEnergy:
        """All of it, in kWh per component."""
        return self.dynamic + self.standing + self.pause

    def __add__(self, other: Charge) -> Self:
        """Add part by part."""
        return type(self)(
            self.dynamic + other.dynamic,
            self.standing + other.standing,
            self.pause + other.pause,
            self.beside_s + other.beside_s,
        )

    def __sub__(self, other: Charge) -> Self:
        """Subtract part by part."""
        return type(self)(
            self.dynamic - other.dynamic,
            self.standing - other.standing,
            self.pause - other.pause,
            self.beside_s - other.beside_s,
        )
