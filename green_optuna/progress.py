"""What is known of a running trial when a pruner is asked whether to stop it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.quality import QualityBounds
    from green_optuna.record import Report


class LearningCurve:
    """What a trial has reported so far: what a pruner looks at is kept up as reports come.

    To add one, and to read the summaries, costs the same however many there are.

    Attributes:
        steps: The steps, in the order of reporting.
        losses: The loss of the quality at each of them, 0 the best; NaN where it was not finite.
        energies_kwh: What the trial had used at each of them, in kWh.
        times_s: How long it had run at each of them, in s.
        last_step: The greatest step; None where there is none.
        latest: The greatest step whose loss is a number, and that loss; None where there is none.
        least_loss: The least of the losses; infinity where there is none.
    """

    __slots__ = (
        *("energies_kwh", "last_step", "latest", "least_loss", "losses", "steps", "times_s"),
    )

    def __init__(
        self,
        steps: Sequence[int] = (),
        losses: Sequence[float] = (),
        energies_kwh: Sequence[float] = (),
        times_s: Sequence[float] = (),
    ) -> None:
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.energies_kwh: list[float] = []
        self.times_s: list[float] = []
        self.last_step: int | None = None
        self.latest: tuple[int, float] | None = None
        self.least_loss = math.inf
        for report in zip(steps, losses, energies_kwh, times_s, strict=True):
            self.add(*report)

    def add(self, step: int, loss: float, energy_kwh: float, t_s: float) -> None:
        """Take in a report of a step that was not reported before."""
        self.steps.append(step)
        self.losses.append(loss)
        self.energies_kwh.append(energy_kwh)
        self.times_s.append(t_s)
        if self.last_step is None or step > self.last_step:
            self.last_step = step
        if not math.isnan(loss):
            self.least_loss = min(self.least_loss, loss)
            if self.latest is None or step > self.latest[0]:
                self.latest = step, loss

    def follow(self, reports: Sequence[Report], bounds: QualityBounds) -> None:
        """Take in those reports that it has not yet.

        Args:
            reports: All reports, in an order that stays the same.
            bounds: Between which their qualities lie.

        Raises:
            QualityError: One lies outside.
        """
        for report in reports[len(self) :]:
            quality = report.quality
            loss = math.nan if math.isnan(quality) else bounds.loss(quality)
            self.add(report.step, loss, report.energy_kwh, report.t_s)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.steps)

    def up_to(self, step: int) -> tuple[float, float, float] | None:
        """Give loss, energy in kWh and time in s of the latest report up to a step.

        Reports whose loss is NaN count for nothing; None where there is no other.
        """
        rows = [row for row, at in enumerate(self.steps) if at <= step]
        usable = [row for row in rows if not math.isnan(self.losses[row])]
        if not usable:
            return None
        row = max(usable, key=self.steps.__getitem__)
        return self.losses[row], self.energies_kwh[row], self.times_s[row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A running trial so far. Its costs only grow, and its parameters stay as many as they are.

    Attributes:
        number: The trial's number in its study.
        objectives: The names of the study's objectives, in order.
        curve: What it has reported; it grows with the trial, and is only to be read.
        energy_kwh: What it has used by now, in kWh.
        co2e_kg: The same in kg of CO2e.
        duration_s: How long it has run, in s.
        n_params: Its number of parameters; None where nobody has said yet.
        asked_step: The greatest step that it had reported when its pruner was asked before; None
            where there was none.
        total_steps: How many steps it is to make, where that is known.
    """

    number: int
    objectives: tuple[str, ...]
    curve: LearningCurve
    energy_kwh: float = 0.0
    co2e_kg: float = 0.0
    duration_s: float = 0.0
    n_params: int | None = None
    asked_step: int | None = None
    total_steps: int | None = None

    def least(self, name: str) -> float:
        """Give the least value that a cost can have in the end; 0 where nothing is known of it.

        Args:
            name: An objective other than ``quality_loss``.
        """
        known: dict[str, float | None] = {
            "co2e_kg": self.co2e_kg,
            "energy_kwh": self.energy_kwh,
            "duration_s": self.duration_s,
            "n_params": self.n_params,
        }
        value = known.get(name)
        return 0.0 if value is None else float(value)
