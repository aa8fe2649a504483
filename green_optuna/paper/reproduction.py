"""The paper's tables and fronts, computed anew from its inputs and held against what it printed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from green_optuna.carbon import Grid, named_pue
from green_optuna.estimate import Estimate, estimate
from green_optuna.paper import published
from green_optuna.pareto import non_dominated
from green_optuna.references import ReferencePoint
from green_optuna.scores import relative_score
from green_optuna.units import quantity_heading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.paper.published import Listening, Training
    from green_optuna.scores import RelativeScore


SOURCE: Final = "https://hal.science/hal-03296897"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: what the paper printed, and what follows from the rest of its row.

    Attributes:
        printed: The cell, as printed.
        computed: What follows, unrounded.
    """

    printed: str
    computed: float

    @property
    def rounded(self) -> str:
        """What follows, to as many digits as were printed."""
        decimals = len(self.printed.partition(".")[2])
        return f"{self.computed:.{decimals}f}"

    @property
    def follows(self) -> bool:
        """Whether the cell is what follows from its row."""
        return self.rounded == self.printed

    def to_dict(self) -> dict[str, Any]:
        """Give the cell as plain data, ready for JSON."""
        return {
            "printed": float(self.printed),
            "computed": self.computed,
            "follows": self.follows,
        }


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A row of table 1, computed anew.

    Attributes:
        inputs: The row as printed.
        estimate: The estimate of equation 6.
        co2e_with_pue_kg: What its CO2e would be with the PUE that the paper defines (eq. 4) and
            does not apply, in kg.
    """

    inputs: Training
    estimate: Estimate
    co2e_with_pue_kg: float

    @property
    def cells(self) -> dict[str, Cell]:
        """The cells that follow from others, by quantity: power in W, kWh, kg of CO2e."""
        power_w = self.estimate.count * self.estimate.device.rated_power_w
        return {
            "power_w": Cell(self.inputs.total_power_w, power_w),
            "energy_kwh": Cell(self.inputs.energy_kwh, self.estimate.energy_kwh),
            "co2e_kg": Cell(self.inputs.co2e_kg, self.estimate.co2e_kg),
        }

    def to_dict(self) -> dict[str, Any]:
        """Give the row as plain data, ready for JSON."""
        return {
            "model": self.inputs.model,
            "count": self.inputs.count,
            "printed_device": self.inputs.printed_device,
            "device": self.estimate.device.name,
            "hours": self.inputs.hours,
            **{name: cell.to_dict() for name, cell in self.cells.items()},
            "co2e_with_pue_kg": self.co2e_with_pue_kg,
        }


@dataclass(frozen=True, slots=True)
class ListeningRow:
    """A row of table 2, computed anew.

    Attributes:
        inputs: The row as printed.
        score: %MOS (eq. 8).
    """

    inputs: Listening
    score: RelativeScore

    @property
    def loss(self) -> Cell:
        """1 - %MOS."""
        return Cell(self.inputs.loss, self.score.loss)

    def to_dict(self) -> dict[str, Any]:
        """Give the row as plain data, ready for JSON."""
        return {
            "model": self.inputs.model,
            "mos": self.inputs.mos,
            "mos_spread": self.inputs.mos_spread,
            "reference_mos": self.inputs.reference_mos,
            "reference_spread": self.inputs.reference_spread,
            "loss": self.loss.to_dict(),
            "n_params": self.inputs.n_params,
        }


@dataclass(frozen=True, slots=True)
class Front:
    """One of the two fronts of figure 3.

    Attributes:
        name: "training" or "inference".
        cost: The quantity that stands against 1 - %MOS: "co2e_kg" or "n_params".
        points: 1 - %MOS and the cost of each model, by its name, computed.
        printed_points: The same, of the cells as they were printed.
        printed: The models on the front, as the paper says.
    """

    name: Literal["training", "inference"]
    cost: Literal["co2e_kg", "n_params"]
    points: Mapping[str, tuple[float, float]]
    printed_points: Mapping[str, tuple[float, float]]
    printed: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """The models that no other one dominates, the best first."""
        return _non_dominated(self.points)

    @property
    def agrees(self) -> bool:
        """Whether the computed front, and that of the printed cells, is the one the paper draws."""
        printed = set(self.printed)
        return set(self.members) == printed == set(_non_dominated(self.printed_points))

    def to_dict(self) -> dict[str, Any]:
        """Give the front as plain data, ready for JSON."""
        return {
            "cost": self.cost,
            "points": {
                name: {"quality_loss": loss, self.cost: cost}
                for name, (loss, cost) in self.points.items()
            },
            "members": list(self.members),
            "printed": list(self.printed),
            "agrees": self.agrees,
        }


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The paper, computed anew.

    Attributes:
        trainings: Table 1.
        listenings: The rows of table 2 that have mean opinion scores.
        fronts: The two fronts of figure 3: training, inference.
        grid: The carbon intensity that the paper took.
        pue: The PUE that it defines and does not apply.
        notes: What does not follow, what depends on what, and what could not be checked.
    """

    trainings: tuple[TrainingRow, ...]
    listenings: tuple[ListeningRow, ...]
    fronts: tuple[Front, Front]
    grid: Grid
    pue: float
    notes: tuple[str, ...]

    @property
    def references(self) -> tuple[ReferencePoint, ...]:
        """The five models as points to compare a study's front with, as far as they are known."""
        scores = {row.inputs.model: row for row in self.listenings}
        sizes = {row.inputs.model: row.inputs.n_params for row in self.listenings}
        sizes |= dict(published.WITHOUT_MOS)
        return tuple(_reference(row, scores.get(row.inputs.model), sizes) for row in self.trainings)

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as plain data, ready for JSON."""
        return {
            "source": SOURCE,
            "grid": self.grid.to_dict(),
            "pue": self.pue,
            "table_1": [row.to_dict() for row in self.trainings],
            "table_2": [row.to_dict() for row in self.listenings],
            "without_mos": dict(published.WITHOUT_MOS),
            "fronts": {front.name: front.to_dict() for front in self.fronts},
            "notes": list(self.notes),
        }


def reproduce() -> Reproduction:
    """Compute the paper's two tables and two fronts from its inputs."""
    grid = Grid.named("world-2018")
    with_pue = Grid.named("world-2018", pue=named_pue("world-2018").value)
    trainings = tuple(_training(row, grid, with_pue) for row in published.TRAININGS)
    listenings = tuple(
        ListeningRow(row, relative_score(row.mos, row.reference_mos))
        for row in published.LISTENINGS
    )
    fronts = _fronts(trainings, listenings)
    return Reproduction(
        trainings=trainings,
        listenings=listenings,
        fronts=fronts,
        grid=grid,
        pue=with_pue.pue,
        notes=(*_slips(trainings, listenings), *_sensitivity(listenings, fronts), *_UNCHECKED),
    )


_UNCHECKED = (
    (
        "Not checked against the models' own papers: the mean opinion scores, what stands behind ± "
        "(an interval or a deviation, of how many ratings), the numbers of parameters, the hours."
    ),
    (
        "Which variant of the P100 and of the V100 was used is not said: 250 W is the rated power "
        "of the P100 for PCIe, and 300 W that of the V100 for SXM2."
    ),
)


def _training(row: Training, grid: Grid, with_pue: Grid) -> TrainingRow:
    made = estimate(row.device, count=row.count, hours=row.hours, grid=grid)
    return TrainingRow(row, made, with_pue.co2e_kg(made.energy_kwh))


def _reference(
    training: TrainingRow, listening: ListeningRow | None, sizes: Mapping[str, int]
) -> ReferencePoint:
    model = training.inputs.model
    values: dict[str, float] = {
        "energy_kwh": training.estimate.energy_kwh,
        "co2e_kg": training.estimate.co2e_kg,
        "n_params": sizes[model],
    }
    if listening is not None:
        values["quality_loss"] = listening.loss.computed
    return ReferencePoint(name=model, basis="estimated", source=SOURCE, values=values)


def _fronts(
    trainings: tuple[TrainingRow, ...], listenings: tuple[ListeningRow, ...]
) -> tuple[Front, Front]:
    co2e = {row.inputs.model: row.cells["co2e_kg"] for row in trainings}
    losses = {row.inputs.model: row.loss for row in listenings}
    sizes = {row.inputs.model: float(row.inputs.n_params) for row in listenings}
    training = Front(
        name="training",
        cost="co2e_kg",
        points={name: (loss.computed, co2e[name].computed) for name, loss in losses.items()},
        printed_points={
            name: (float(loss.printed), float(co2e[name].printed)) for name, loss in losses.items()
        },
        printed=published.TRAINING_FRONT,
    )
    inference = Front(
        name="inference",
        cost="n_params",
        points={name: (loss.computed, sizes[name]) for name, loss in losses.items()},
        printed_points={name: (float(loss.printed), sizes[name]) for name, loss in losses.items()},
        printed=published.INFERENCE_FRONT,
    )
    return training, inference


def _non_dominated(points: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    kept = non_dominated(np.array(list(points.values())))
    members = [name for name, on_front in zip(points, kept, strict=True) if on_front]
    return tuple(sorted(members, key=lambda name: points[name]))


def _slips(trainings: tuple[TrainingRow, ...], listenings: tuple[ListeningRow, ...]) -> list[str]:
    """Say which cells do not follow from their own row."""
    slips = [
        f"Table 1, {row.inputs.model}: {quantity_heading(name)} is printed as {cell.printed}, and "
        f"{cell.rounded} follows from its row."
        for row in trainings
        for name, cell in row.cells.items()
        if not cell.follows
    ]
    for row in listenings:
        if row.loss.follows:
            continue
        given = row.inputs
        implied = (1.0 - float(row.loss.printed)) * given.reference_mos
        slips.append(
            f"Table 2, {given.model}: 1 - %MOS is printed as {row.loss.printed}, and "
            f"{row.loss.rounded} follows from {given.mos:g} / {given.reference_mos:g}; "
            f"{row.loss.printed} would follow from a score of about {implied:.2f}."
        )
    return slips


def _sensitivity(listenings: tuple[ListeningRow, ...], fronts: tuple[Front, Front]) -> list[str]:
    """Say from which score on SING would leave FloWaveNet on neither front."""
    rows = {row.inputs.model: row for row in listenings}
    best, cheaper = rows["FloWaveNet"], rows["SING"]
    if not all(front.points["SING"][1] < front.points["FloWaveNet"][1] for front in fronts):
        return []
    of = cheaper.inputs.reference_mos
    enough = math.ceil(best.score.ratio * of * 100) / 100
    note = (
        "The fronts hang on SING's score: it costs less than FloWaveNet in both, so that a score "
        f"of {enough:.2f} or more, of {of:g}, would leave FloWaveNet on neither."
    )
    return [note]
