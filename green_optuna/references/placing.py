"""Where results from elsewhere stand beside the front of a study."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import compress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from green_optuna import pareto
from green_optuna.errors import OptionError, QualityError
from green_optuna.units import format_co2e, format_energy, whole_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from green_optuna.carbon import Grid
    from green_optuna.quality import QualityBounds
    from green_optuna.references.point import ReferencePoint

# So many trials, and so many references, are named in a status.
_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedReference:
    """A result from elsewhere, on a study's terms, beside the study's front. It is no trial.

    Attributes:
        point: The result as it was given.
        objectives: The objectives that the front is drawn over.
        values: All that is known of it on the study's terms, by quantity: as given, with the
            loss of a quality, and CO2e at the study's carbon intensity where energy is given.
        dominated_by: The numbers of the front's trials that dominate it; of a checkpoint, a text
            such as "12 step 7".
        dominates: Those that it dominates, likewise.
        dominated_by_references: The names of the other references that dominate it.
        notes: What to know of its figures, a sentence each.
    """

    point: ReferencePoint
    objectives: tuple[str, ...]
    values: Mapping[str, float]
    dominated_by: tuple[int | str, ...] = ()
    dominates: tuple[int | str, ...] = ()
    dominated_by_references: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return self.point.name

    @property
    def basis(self) -> str:
        """What it rests on: "published" or "estimated"."""
        return self.point.basis

    @property
    def source(self) -> str:
        """Where it is from; empty where nobody says."""
        return self.point.source

    @property
    def losses(self) -> dict[str, float | None]:
        """Its objectives by name; None where one is not known."""
        return {name: self.values.get(name) for name in self.objectives}

    @property
    def missing(self) -> tuple[str, ...]:
        """The objectives that are not known of it."""
        return tuple(name for name in self.objectives if name not in self.values)

    @property
    def status(self) -> str:
        """Say where it stands: on the joint front, dominated, or not comparable."""
        if self.missing:
            return f"not comparable: no {', '.join(self.missing)}"
        dominating = [_trials(self.dominated_by)] if self.dominated_by else []
        if self.dominated_by_references:
            dominating.append(_first(map(repr, self.dominated_by_references)))
        said = f"dominated by {' and '.join(dominating)}" if dominating else "on the joint front"
        return f"{said}; dominates {_trials(self.dominates)}" if self.dominates else said

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for JSON; None for an objective that is not known."""
        return {
            "name": self.name,
            "basis": self.basis,
            "source": self.source,
            **self.losses,
            **self.values,
            "status": self.status,
            "dominated_by": list(self.dominated_by),
            "dominates": list(self.dominates),
            "dominated_by_references": list(self.dominated_by_references),
            "notes": list(self.notes),
        }


def place(
    points: Sequence[ReferencePoint],
    objectives: tuple[str, ...],
    *,
    front: npt.NDArray[np.float64],
    numbers: Sequence[int | str],
    quality_bounds: QualityBounds | None,
    grid: Grid | None,
    repriced: bool = False,
) -> tuple[PlacedReference, ...]:
    """Find where results from elsewhere stand beside a front, over its objectives.

    A result dominates, and is dominated, as a trial is (Douwes et al. 2021, section 2.4), if all
    objectives are known of it; else it is not compared.

    Args:
        points: The results.
        objectives: The names of the front's objectives.
        front: The losses of the front's trials, an ndarray in the shape of (n, n_objectives).
        numbers: The numbers of the front's trials, or texts that tell of which checkpoints.
        quality_bounds: How the study turns a quality into a loss; None where it does not say.
        grid: How the front turns energy into CO2e; None where nothing says.
        repriced: Whether that is another grid than the study's own.

    Returns:
        The results in their order.

    Raises:
        OptionError: A quality lies outside the study's bounds.
    """
    placed = []
    for point in points:
        values, notes = _on_terms(point, objectives, quality_bounds, grid, repriced=repriced)
        placed.append(
            PlacedReference(point=point, objectives=objectives, values=values, notes=notes)
        )
    compared = [row for row, one in enumerate(placed) if not one.missing]
    losses = np.array(
        [[placed[row].values[name] for name in objectives] for row in compared], dtype=np.float64
    ).reshape(len(compared), len(objectives))
    above, below = pareto.dominance(front, losses), pareto.dominance(losses, front)
    among = pareto.dominance(losses, losses)
    names = [placed[row].name for row in compared]
    for at, row in enumerate(compared):
        placed[row] = replace(
            placed[row],
            dominated_by=tuple(compress(numbers, above[:, at])),
            dominates=tuple(compress(numbers, below[at])),
            dominated_by_references=tuple(compress(names, among[:, at])),
        )
    return tuple(placed)


def _on_terms(
    point: ReferencePoint,
    objectives: Sequence[str],
    quality_bounds: QualityBounds | None,
    grid: Grid | None,
    *,
    repriced: bool,
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Give all that is known of a result on a study's terms, and what to know of it."""
    values, notes = dict(point.values), []
    if "quality" in values and quality_bounds is not None:
        try:
            loss = quality_bounds.loss(values["quality"])
        except QualityError:
            raise OptionError(
                f"The reference {point.name!r} has the quality {values['quality']!r}, outside the "
                f"study's bounds, worst {quality_bounds.worst!r} and best {quality_bounds.best!r}: "
                "give it on the study's scale, or as quality_loss."
            ) from None
        given = values.setdefault("quality_loss", loss)
        if not math.isclose(given, loss, rel_tol=1e-6, abs_tol=1e-9):
            raise OptionError(
                f"The reference {point.name!r} has the quality {values['quality']!r}, whose loss "
                f"is {loss!r} on the study's terms, and the quality_loss {given!r}: give one."
            )
        values["quality_loss"] = loss
    elif "quality" in values and "quality_loss" not in values and "quality_loss" in objectives:
        notes.append(
            "Its quality is not compared, for the study does not say how a quality becomes a loss: "
            "give quality_loss."
        )
    elif "quality_loss" in values and quality_bounds is not None:
        values["quality"] = quality_bounds.quality(values["quality_loss"])
        # By the same way as a trial's: what is equal must not differ by a rounding.
        values["quality_loss"] = quality_bounds.loss(values["quality"])
    if "co2e_kg" in objectives:
        notes += _reprice(values, grid, whose="the front's" if repriced else "the study's")
    return whole_counts(values), tuple(notes)


def _reprice(values: dict[str, float], grid: Grid | None, *, whose: str) -> list[str]:
    """Put a result's CO2e at the front's carbon intensity where its energy is known."""
    given_kg, energy_kwh = values.get("co2e_kg"), values.get("energy_kwh")
    if energy_kwh is None or grid is None:
        if given_kg is not None:
            at = whose if grid is None else f"{whose} {_terms_of(grid)}"
            return [f"CO2e as given; its carbon intensity may differ from {at}."]
        if energy_kwh is not None:
            energy = format_energy(energy_kwh)
            return [f"No CO2e: the study has no carbon intensity to turn {energy} into it."]
        return []
    values["co2e_kg"] = grid.co2e_kg(energy_kwh)
    given = "" if given_kg is None else f"; {format_co2e(given_kg)} was given"
    return [f"CO2e from {format_energy(energy_kwh)} at {whose} {_terms_of(grid)}{given}."]


def _terms_of(grid: Grid) -> str:
    building = "" if grid.pue == 1 else f" and PUE {grid.pue:g}"
    return f"{grid.carbon_intensity_g_per_kwh:.4g} g/kWh{building}"


def _trials(numbers: Sequence[int | str]) -> str:
    """Name trials in words: ``"trials 12, 14"``."""
    return f"{'trial' if len(numbers) == 1 else 'trials'} {_first(map(str, numbers))}"


def _first(names: Iterable[str]) -> str:
    """List the first of many names, and say how many more there are."""
    every = list(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more
