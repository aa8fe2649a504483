"""What is known of a running trial when a pruner is asked whether to stop it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A running trial so far. Its costs only grow, and its parameters stay as many as they are.

    Attributes:
        number: The trial's number in its study.
        objectives: The names of the study's objectives, in order.
        steps: The steps that were reported, in the order of reporting.
        losses: The loss of the quality at each of them, 0 the best; NaN where it was not finite.
        energies_kwh: What the trial had used at each of them, in kWh.
        times_s: How long it had run at each of them, in s.
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
    steps: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()
    energies_kwh: tuple[float, ...] = ()
    times_s: tuple[float, ...] = ()
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
