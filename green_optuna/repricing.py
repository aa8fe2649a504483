"""What trials would have cost on another grid, from the energy that each of them keeps.

CO2e is energy times PUE times carbon intensity (Douwes et al. 2021, eq. 4 and 6), and energy is
what was measured, so that nothing has to run again.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from green_optuna.carbon import Grid
from green_optuna.ledger import MAX_NAMED
from green_optuna.record import INFERENCE
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optuna.trial import FrozenTrial

# This says, in the dict that is kept of a trial, that a copy of it was repriced.
REPRICED = "repriced"

# Intensities that differ by less are one, read back from different storages.
SAME_SHARE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Repricing:
    """That CO2e is that of another grid than the trials were measured with.

    Attributes:
        grid: The grid that CO2e is repriced for, its PUE included.
        before: The grids that the trials were kept with, each different product of intensity and
            PUE once.
    """

    grid: Grid
    before: tuple[Grid, ...]

    @property
    def changes_dominance(self) -> bool:
        """Whether a trial may dominate others that it did not.

        One factor for all trials leaves their order as it is. Only trials that were kept with
        different intensities change places.
        """
        return len(self.before) > 1

    def __str__(self) -> str:
        """Say it in a sentence or two."""
        before = ", and ".join(map(describe_grid, self.before)) or "no grid that is kept"
        said = f"CO2e is repriced from energy for {describe_grid(self.grid)}; it was {before}."
        if self.changes_dominance:
            return f"{said} The trials had different intensities, so the front may be another."
        return said

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for JSON."""
        return {
            "grid": self.grid.to_dict(),
            "before": [grid.to_dict() for grid in self.before],
            "changes_dominance": self.changes_dominance,
        }


def describe_grid(grid: Grid) -> str:
    """Say what turns energy into CO2e: ``56.04 g/kWh (CodeCarbon 3.3.2: France, 2023)``."""
    building = "" if grid.pue == 1 else f" and PUE {grid.pue:g}"
    return f"{grid.carbon_intensity_g_per_kwh:.4g} g/kWh{building} ({grid.source})"


def is_same_grid(one: Grid, other: Grid) -> bool:
    """Say whether two grids make the same CO2e of energy, wherever their figures are from."""
    pairs = (
        (one.carbon_intensity_g_per_kwh, other.carbon_intensity_g_per_kwh),
        (one.pue, other.pue),
    )
    return all(math.isclose(mine, theirs, rel_tol=SAME_SHARE) for mine, theirs in pairs)


def repriced_for(trial: FrozenTrial) -> Grid | None:
    """Give the grid that a candidate's CO2e was repriced for; None where it was not."""
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    return Grid.from_dict(kept["grid"]) if REPRICED in kept else None


def cannot_be_repriced(study_name: str, numbers: Sequence[int]) -> str:
    """Say which trials keep no energy, and what to do."""
    named = ", ".join(map(str, numbers[:MAX_NAMED]))
    more = f" and {len(numbers) - MAX_NAMED} more" if len(numbers) > MAX_NAMED else ""
    trials = "trial" if len(numbers) == 1 else "trials"
    return (
        f"The study {study_name!r} cannot be repriced for another grid: {trials} {named}{more} "
        "keep no energy, so nothing tells what their CO2e would be there. Draw the front over "
        "objectives without co2e_kg, or as it was measured."
    )


def grids_of(trials: Iterable[FrozenTrial]) -> tuple[Grid, ...]:
    """Give the grids that trials were kept with, each different factor once, as they come."""
    found: list[Grid] = []
    seen: set[tuple[Any, ...]] = set()
    for trial in trials:
        kept = trial.user_attrs.get(ATTRIBUTE, {}).get("grid")
        if kept is None:
            continue
        key = kept["carbon_intensity_g_per_kwh"], kept["pue"]
        if key in seen:  # few differ, and a grid takes its time to be made
            continue
        seen.add(key)
        grid = Grid.from_dict(kept)
        factor = grid.co2e_kg_per_kwh
        if not any(math.isclose(factor, one.co2e_kg_per_kwh, rel_tol=SAME_SHARE) for one in found):
            found.append(grid)
    return tuple(found)


def reprice_trial(trial: FrozenTrial, grid: Grid, objectives: Sequence[str]) -> FrozenTrial:
    """Give a copy of a completed trial whose CO2e is that of another grid.

    Args:
        trial: The trial, which is left as it is.
        grid: The grid.
        objectives: The names of the study's objectives, in order.

    Returns:
        The copy, all of what it costs at the grid: its runs and the inference of its model too.
        Its ``co2e_kg`` is NaN where the trial keeps no energy, for nothing tells of it then. Its
        constraints stay as the study judged them.
    """
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    repriced = copy.copy(trial)
    co2e_kg = math.nan
    if "energy_kwh" in kept:
        energy_kwh = sum(kept["energy_kwh"].values())
        co2e_kg = grid.co2e_kg(energy_kwh) / kept.get("runs", 1)
        repriced.user_attrs = {**trial.user_attrs, ATTRIBUTE: _at(kept, grid, energy_kwh)}
    if "co2e_kg" in objectives:
        values = list(trial.values)
        values[objectives.index("co2e_kg")] = co2e_kg
        repriced.values = values
    return repriced


def _at(kept: Mapping[str, Any], grid: Grid, energy_kwh: float) -> dict[str, Any]:
    """Give what is kept of a trial at another grid."""
    terms = {"grid": grid.to_dict(), "co2e_kg": grid.co2e_kg(energy_kwh), REPRICED: True}
    inference = kept.get(INFERENCE)
    if inference is None or inference["measurement"] is None:
        return {**kept, **terms}
    measured = inference["measurement"]
    own = {**terms, "co2e_kg": grid.co2e_kg(sum(measured["energy_kwh"].values()))}
    return {**kept, **terms, INFERENCE: {**inference, "measurement": {**measured, **own}}}
