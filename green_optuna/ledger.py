"""What a study spent, by how its trials ended, and on what lay between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from green_optuna.forecast import Expected
from green_optuna.units import format_co2e, format_count, format_energy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from green_optuna.carbon import Grid
    from green_optuna.energy import Measurement

End = Literal["complete", "pruned", "failed", "killed"]
Account = Literal["complete", "pruned", "failed", "killed", "overhead"]

ACCOUNTS: tuple[Account, ...] = ("complete", "pruned", "failed", "killed", "overhead")
"""What energy is spent on: trials by their end, and what passes between trials."""

# A study that ran for long without us would otherwise fill the screen.
MAX_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one trial that has ended adds to the ledger of its study.

    Attributes:
        number: The trial's number.
        end: How it ended.
        energy_kwh: Its energy in kWh; None where it was not measured.
        overhead_kwh: What its process used between trials before its end, in kWh.
        saved_kwh: What it would have used beyond that, by forecast, had it not been pruned, in kWh;
            None where that is not known.
    """

    number: int
    end: End
    energy_kwh: float | None
    overhead_kwh: float = 0.0
    saved_kwh: Expected | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """What went into one account.

    Attributes:
        account: How the trials ended, or "overhead".
        n_trials: How many trials it is the energy of; 0 for the overhead.
        energy_kwh: Their energy, in kWh.
        co2e_kg: Their CO2e in kg.
    """

    account: Account
    n_trials: int
    energy_kwh: float
    co2e_kg: float

    def to_dict(self) -> dict[str, Any]:
        """Give the row as plain data, without its name."""
        return {
            "n_trials": self.n_trials,
            "energy_kwh": self.energy_kwh,
            "co2e_kg": self.co2e_kg,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What pruning saved, by forecast, against running the pruned trials to their end.

    Nobody has measured it, and it is no part of what was spent.

    Attributes:
        n_trials: Of how many pruned trials the forecast is known; the others' is in no amount.
        energy_kwh: What they would have used beyond what they did, in kWh. Each end of the
            interval is the sum of the trials' ends, as though all forecasts were off the same way.
        co2e_kg: The same in kg of CO2e.
        repriced: Whether the CO2e is that of another grid than the search ran on.
    """

    n_trials: int
    energy_kwh: Expected
    co2e_kg: Expected
    repriced: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, amounts_kwh: Sequence[Expected], grid: Grid) -> Self:
        """Add up what each trial would have used, in kWh; at least one."""
        energy_kwh = Expected(
            low=math.fsum(one.low for one in amounts_kwh),
            mid=math.fsum(one.mid for one in amounts_kwh),
            high=math.fsum(one.high for one in amounts_kwh),
        )
        return cls(
            n_trials=len(amounts_kwh),
            energy_kwh=energy_kwh,
            co2e_kg=energy_kwh.map(grid.co2e_kg),
        )

    def __str__(self) -> str:
        """Say it in a sentence: ``Pruning saved about 9 mg of CO2e (8 mg to 11 mg), ...``."""
        mid, high = format_co2e(self.co2e_kg.mid), format_co2e(self.co2e_kg.high)
        # A zero has the unit of what stands beside it.
        low = format_co2e(self.co2e_kg.low) if self.co2e_kg.low else "0"
        one = self.n_trials == 1
        trials = "1 pruned trial" if one else f"{self.n_trials} pruned trials"
        off = "the forecast is off" if one else "all forecasts are off the same way"
        return (
            f"Pruning {'would have saved' if self.repriced else 'saved'} about {mid} of CO2e "
            f"({low} to {high} if {off}), by forecast of {trials}, against running to the end."
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, in kWh and kg."""
        return {
            "n_trials": self.n_trials,
            "energy_kwh": self.energy_kwh.to_dict(),
            "co2e_kg": self.co2e_kg.to_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What a study has spent so far.

    Attributes:
        rows: One row an account, in the order of ``ACCOUNTS``, empty ones too.
        not_measured: The numbers of the trials that ended without a measurement: those that
            ran without green_optuna, that a meter failed, or that were killed before the first
            sample. Whatever they used is in no row.
        saved: What pruning saved, by forecast; None where no pruned trial's forecast is known.
        repriced: Whether the CO2e is that of another grid than the search ran on.
    """

    rows: tuple[LedgerRow, ...]
    not_measured: tuple[int, ...] = ()
    saved: Saved | None = None
    repriced: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, entries: Iterable[Entry], grid: Grid | None) -> Self:
        """Add up.

        Args:
            entries: One a trial that has ended.
            grid: The study's intensity and PUE, which turn energy into CO2e; None where no
                green_optuna objective has run, so that nothing was measured either.
        """
        entries = tuple(entries)
        amounts: dict[Account, list[float]] = {account: [] for account in ACCOUNTS}
        for entry in entries:
            if entry.energy_kwh is not None:
                amounts[entry.end].append(entry.energy_kwh)
        saved_kwh = [entry.saved_kwh for entry in entries if entry.saved_kwh is not None]
        overhead_kwh = math.fsum(entry.overhead_kwh for entry in entries)

        def row(account: Account) -> LedgerRow:
            energy_kwh = overhead_kwh if account == "overhead" else math.fsum(amounts[account])
            return LedgerRow(
                account=account,
                n_trials=len(amounts[account]),
                energy_kwh=energy_kwh,
                co2e_kg=grid.co2e_kg(energy_kwh) if grid else 0.0,
            )

        return cls(
            rows=tuple(row(account) for account in ACCOUNTS),
            not_measured=tuple(entry.number for entry in entries if entry.energy_kwh is None),
            saved=Saved.of(saved_kwh, grid) if saved_kwh and grid else None,
        )

    def at(self, grid: Grid) -> Self:
        """Give the ledger with the CO2e that its energy comes to on another grid."""
        rows = (replace(row, co2e_kg=grid.co2e_kg(row.energy_kwh)) for row in self.rows)
        saved = self.saved
        if saved is not None:
            saved = replace(saved, co2e_kg=saved.energy_kwh.map(grid.co2e_kg), repriced=True)
        return replace(self, rows=tuple(rows), saved=saved, repriced=True)

    @property
    def n_trials(self) -> int:
        """How many trials were measured."""
        return sum(row.n_trials for row in self.rows)

    @property
    def energy_kwh(self) -> float:
        """What the search cost, in kWh: all trials, however they ended, and the overhead."""
        return math.fsum(row.energy_kwh for row in self.rows)

    @property
    def co2e_kg(self) -> float:
        """What the search cost, in kg of CO2e: energy times PUE times carbon intensity."""
        return math.fsum(row.co2e_kg for row in self.rows)

    def __getitem__(self, account: Account) -> LedgerRow:
        """Give the row of an account: ``ledger["failed"]``."""
        return self.rows[ACCOUNTS.index(account)]

    def share(self, row: LedgerRow) -> float:
        """Give the share of an account in the energy of all, from 0 to 1."""
        total_kwh = self.energy_kwh
        return row.energy_kwh / total_kwh if total_kwh > 0 else 0.0

    def against(self, measurement: Measurement | None) -> float | None:
        """Tell how many trainings of one model the search cost.

        Args:
            measurement: What the model's trial cost: ``front.select().measurement``.

        Returns:
            The search's energy over that of one run of the trial; None where that is not known.
        """
        if measurement is None or measurement.energy_kwh <= 0:
            return None
        return self.energy_kwh / measurement.energy_per_run_kwh

    @property
    def cost_in_words(self) -> str:
        """How to say that the search cost its CO2e: on another grid, it would have."""
        return "would have cost" if self.repriced else "cost"

    def to_dict(self) -> dict[str, Any]:
        """Give the ledger as plain data, ready for JSON, in kWh and kg."""
        return {
            **{row.account: row.to_dict() for row in self.rows},
            "total": {
                "n_trials": self.n_trials,
                "energy_kwh": self.energy_kwh,
                "co2e_kg": self.co2e_kg,
            },
            "not_measured": list(self.not_measured),
            "saved": None if self.saved is None else self.saved.to_dict(),
        }

    def __str__(self) -> str:
        """Say it in a line: ``The search cost 5.38 mg of CO2e (96.1 mWh): ...``."""
        return self.summary()

    def summary(
        self, trial: int | str | None = None, measurement: Measurement | None = None
    ) -> str:
        """Say what the search cost, on what, and against one training of the chosen model.

        Args:
            trial: The number of the chosen model's trial; of a checkpoint, its label.
            measurement: What that trial cost.
        """
        parts = [
            f"{name_row(row)} {self.share(row):.1%}" for row in self.rows if row.energy_kwh > 0
        ]
        energy = format_energy(self.energy_kwh)
        cost = f"The search {self.cost_in_words} {format_co2e(self.co2e_kg)} of CO2e ({energy})"
        said = [f"{cost}: {', '.join(parts)}." if parts else f"{cost}."]
        trainings = self.against(measurement)
        if trainings is not None:
            said.append(f"That is {show_trainings(trainings)} of trial {trial}.")
        if self.saved is not None:
            said.append(str(self.saved))
        if self.not_measured:
            said.append(self.note())
        return " ".join(said)

    def note(self) -> str:
        """Name the trials that were not measured, in a sentence; empty where all were."""
        if not self.not_measured:
            return ""
        shown = ", ".join(str(number) for number in self.not_measured[:MAX_NAMED])
        more = len(self.not_measured) - MAX_NAMED
        shown += f" and {more} more" if more > 0 else ""
        kind = "trial" if len(self.not_measured) == 1 else "trials"
        return f"Not measured, and not counted: {kind} {shown}."


def name_row(row: LedgerRow) -> str:
    """Name a row for a person: ``12 pruned``, ``overhead``."""
    return row.account if row.account == "overhead" else f"{row.n_trials} {row.account}"


def show_trainings(trainings: float) -> str:
    """Show a number of trainings to a person, with three digits: ``12.6 trainings``."""
    shown = format_count(float(f"{trainings:.3g}"))
    return "1 training" if shown == "1" else f"{shown} trainings"
