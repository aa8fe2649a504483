"""A study that may spend so much, and no more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from green_optuna.budget.base import Budget
from green_optuna.errors import OptionError
from green_optuna.scalars import checked_amount
from green_optuna.units import format_co2e, format_energy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.budget.spending import Spending

# So many completed trials tell what the cheapest costs.
MIN_COMPLETED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonBudget(Budget):
    """What a study may spend in all, on all its workers: no trial is started beyond it.

    Before each trial, the study's ledger is added up: complete, pruned, failed and killed trials,
    and what lay between them, whoever ran them; and what the trials have used that run beside it
    in the same process. What runs in other processes is not known before it ends: a study goes
    over its budget by what was in flight when it was reached, and by no more. What a killed
    process of the same host had spent counts before the next trial of any worker there; one of
    another host, once a worker of the study starts on that, or ``green-optuna sync`` runs there.

    A trial that cannot fit is not started either. After 5 completed trials, that is one for which
    less is left than the cheapest of them cost, all runs of its function together; each trial that
    runs in the same process is then taken to need as much, too. It is assumed that no trial would
    be cheaper than the cheapest so far; one that is pruned would have been.

    The budget is that of the worker that has it: another worker may have another one, or none.

    Attributes:
        co2e_kg: The most CO2e that the study may emit, in kg; None for no cap.
        energy_kwh: The most energy that it may use, in kWh, without PUE.

    Raises:
        OptionError: There is no cap, or one is no finite number of 0 or more.
    """

    co2e_kg: float | None = None
    energy_kwh: float | None = None

    def __post_init__(self) -> None:
        """Check the caps, and keep them as plain numbers."""
        for name in ("co2e_kg", "energy_kwh"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, checked_amount(f"The budget's {name}", given))
        if not self.caps:
            raise OptionError(
                "A CarbonBudget without a cap stops nothing: give co2e_kg= or energy_kwh=."
            )

    @property
    def caps(self) -> Mapping[str, float]:
        """The caps by what they cap."""
        caps = {"co2e_kg": self.co2e_kg, "energy_kwh": self.energy_kwh}
        return {name: cap for name, cap in caps.items() if cap is not None}

    def left(self, spending: Spending) -> Mapping[str, float]:
        """Give what is left under each cap, in its unit; below 0 where there was too much."""
        spent = {"co2e_kg": spending.co2e_kg, "energy_kwh": spending.energy_kwh}
        return {name: cap - spent[name] for name, cap in self.caps.items()}

    def why_stop(self, spending: Spending) -> str | None:
        """Say which cap is reached, or leaves no room for a trial."""
        for name, left in self.left(spending).items():
            cap = self.caps[name]
            if left <= 0:
                return f"the budget of {show(name, cap)} is spent ({show(name, cap - left)})"
            least = _least(name, spending)
            if least is not None and left < least:
                return (
                    f"what is left of the budget of {show(name, cap)} ({show(name, left)}) is "
                    f"less than {show(name, least)}, {_needs(spending)}"
                )
        return None


def show(name: str, amount: float) -> str:
    """Show an amount of what can be capped: ``1.00 g CO2e``, ``2.00 Wh``."""
    return f"{format_co2e(amount)} CO2e" if name == "co2e_kg" else format_energy(amount)


def _least(name: str, spending: Spending) -> float | None:
    """Give what must be left for one trial more; None as long as nobody can tell."""
    completed_kwh = spending.completed_kwh
    if len(completed_kwh) < MIN_COMPLETED:
        return None
    one_kwh = min(completed_kwh)
    to_come_kwh = math.fsum(max(one_kwh - used, 0.0) for used in spending.in_flight_kwh)
    least_kwh = one_kwh + to_come_kwh
    return spending.grid.co2e_kg(least_kwh) if name == "co2e_kg" else least_kwh


def _needs(spending: Spending) -> str:
    """Say what would need the least amount."""
    n = len(spending.in_flight_kwh)
    if not n:
        return "which the cheapest completed trial cost"
    beside = "one that runs" if n == 1 else f"{n} that run"
    return f"which a trial beside {beside} needs, as cheap as the cheapest so far"
