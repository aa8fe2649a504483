"""Trainings that are recorded once and replayed: what searches are compared on."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
import torch
from digits import make_model, train_one_epoch

import green_optuna as go
from green_optuna import pareto
from green_optuna.terms import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt
    from torch import nn

DATA = Path(__file__).parent / "data"
# One intensity for all trainings of a task; EC-NAS was trained in Denmark.
ECNAS_GRID = go.Grid(country="DNK")
DIGITS_GRID = go.Grid(country="FRA")
EPOCHS = 40


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Training:
    """One recorded training, at the epochs at which it could end.

    Attributes:
        n_params: The network's parameters.
        epochs: The epochs, increasing, an ndarray in the shape of (n,).
        losses: 1 - the validation accuracy after each, in the shape of (n,).
        energies_kwh: The energy up to each, in kWh, in the shape of (n,).
    """

    n_params: int
    epochs: npt.NDArray[np.int64]
    losses: npt.NDArray[np.float64]
    energies_kwh: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Task:
    """Something to search over, of which every training is known.

    Attributes:
        name: Its name in the tables.
        grid: What turns energy into CO2e.
        choices: How many values each hyperparameter has, in their natural order, by its name.
        trainings: A training for each combination of them.
        one_run: Whether the epochs of a training are checkpoints of one run, so that it can be
            stopped at them. If not, each is a run of its own from the start.
        shorter: Whether a training for fewer epochs is a result like any other.
        budget: What a search may spend, in mean full trainings.
    """

    name: str
    grid: go.Grid
    choices: Mapping[str, int]
    trainings: Mapping[tuple[int, ...], Training]
    one_run: bool
    shorter: bool
    budget: int

    @property
    def full_kwh(self) -> float:
        """What a full training takes in the mean, in kWh."""
        return float(np.mean([one.energies_kwh[-1] for one in self.trainings.values()]))

    def result(
        self, training: Training, row: int, objectives: Sequence[str] = DEFAULT_OBJECTIVES
    ) -> list[float]:
        """Give the objectives of a training that ends after a row."""
        values = {
            "quality_loss": float(training.losses[row]),
            "co2e_kg": self.grid.co2e_kg(float(training.energies_kwh[row])),
            "n_params": float(training.n_params),
        }
        return [values[name] for name in objectives]

    def ends(
        self, *, full: bool, objectives: Sequence[str] = DEFAULT_OBJECTIVES
    ) -> npt.NDArray[np.float64]:
        """Give every result there is, an ndarray in the shape of (n_results, n_objectives).

        Args:
            full: Those of full trainings alone.
            objectives: Which, in order.
        """
        return np.array(
            [
                self.result(training, row, objectives)
                for training in self.trainings.values()
                for row in range(len(training.epochs))
                if not full or row == len(training.epochs) - 1
            ]
        )


class Yardstick:
    """How good what a search has found is, on logarithmic axes that the task's results span.

    Args:
        task: The task.
        full: Whether only full trainings are results; those that the task allows unless given.
        objectives: What is compared.
    """

    def __init__(
        self,
        task: Task,
        *,
        full: bool | None = None,
        objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    ) -> None:
        # No loss is 0 for long: 1 in 1,000 is the least that counts.
        self._floors = [1e-3 if name == "quality_loss" else 0.0 for name in objectives]
        ends = task.ends(full=not task.shorter if full is None else full, objectives=objectives)
        logs = self._log(ends)
        self._low, self._span = logs.min(axis=0), np.ptp(logs, axis=0)
        fully = task.ends(full=True, objectives=objectives)
        self._front = fully[pareto.non_dominated(fully)]
        self._most = 1.0
        self._most = self.hypervolume(ends)

    def hypervolume(self, found: npt.NDArray[np.float64]) -> float:
        """Give the share of the hypervolume of all that the task can give."""
        # The worst there is counts for a little, so that the axes' ends are not lost.
        scaled = (self._log(found) - self._low) / self._span
        return pareto.hypervolume(scaled, [1.01] * len(self._floors)) / self._most

    def recall(self, found: npt.NDArray[np.float64]) -> float:
        """Give the share of the front of full trainings that is found, or bettered."""
        reached = np.all(found[None, :, :] <= self._front[:, None, :], axis=2)
        return float(np.mean(np.any(reached, axis=1)))

    def _log(self, losses: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.log10(np.maximum(losses, self._floors))


def read_ecnas(repeat: int) -> Task:
    """Give one repeat of EC-NAS's trainings of 4 epochs, with a checkpoint after the first."""
    trainings = [
        Training(
            n_params=int(row["n_params"]),
            epochs=np.array([1, 4]),
            losses=1 - np.array([float(row["val_acc_e1"]), float(row["val_acc_e4"])]),
            energies_kwh=np.array([float(row["energy_e1_kwh"]), float(row["energy_e4_kwh"])]),
        )
        for row in _rows("ecnas_4_epochs.csv")
        if int(row["repeat"]) == repeat
    ]
    return _ecnas("EC-NAS, 4 epochs", trainings, one_run=True, budget=40)


def read_ecnas_budgets() -> Task:
    """Give EC-NAS's trainings of 4, 12, 36 and 108 epochs, which are runs of their own."""
    by_arch: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows("ecnas_budgets.csv"):
        by_arch[row["arch"]].append(row)
    trainings = [
        Training(
            n_params=int(rows[0]["n_params"]),
            epochs=np.array([int(row["epochs"]) for row in rows]),
            losses=1 - np.array([float(row["val_acc"]) for row in rows]),
            energies_kwh=np.array([float(row["energy_kwh"]) for row in rows]),
        )
        for rows in by_arch.values()
    ]
    return _ecnas("EC-NAS, up to 108 epochs", trainings, one_run=False, budget=20)


def record_digits(*, quick: bool) -> Task:
    """Train networks for handwritten digits, measured, with the accuracy after each epoch.

    Args:
        quick: Train an eighth as many.
    """
    widths = (8, 32, 128, 512) if quick else (8, 16, 32, 64, 128, 256, 512)
    depths = (1, 2) if quick else (1, 2, 3)
    rates = (1e-4, 1e-3, 1e-2) if quick else (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    batch_sizes = (256,) if quick else (64, 256)
    choices = [range(len(values)) for values in (widths, depths, rates, batch_sizes)]
    points = [*product(*choices)]
    memory = go.MemoryTracker()

    @go.green_objective(grid=DIGITS_GRID, trackers=[memory])
    def objective(trial: optuna.Trial) -> tuple[float, nn.Module]:
        width, depth, rate, batch_size = points[trial.number]
        torch.manual_seed(0)
        model = make_model(widths[width], depths[depth])
        optimiser = torch.optim.Adam(model.parameters(), lr=rates[rate])
        for epoch in range(1, EPOCHS + 1):
            accuracy = train_one_epoch(model, optimiser, batch_sizes[batch_size])
            trial.report(accuracy, epoch)
        return accuracy, model

    go.create_study().optimize(objective, n_trials=len(points))
    trainings = {}
    for point, record in zip(points, memory.finished, strict=True):
        if record.n_params is None or record.measurement is None:
            raise RuntimeError(f"Trial {record.number} did not complete: {record.error}")
        # The meter reads several times a second, and an epoch takes a few ms: what the run used
        # goes to its epochs by their time.
        times_s = np.array([report.t_s for report in record.reports])
        trainings[point] = Training(
            n_params=record.n_params,
            epochs=np.array([report.step for report in record.reports]),
            losses=1 - np.array([report.quality for report in record.reports]),
            energies_kwh=record.measurement.energy_kwh * times_s / times_s[-1],
        )
    names = ("width", "depth", "learning_rate", "batch_size")
    return Task(
        name=f"Digits, up to {EPOCHS} epochs",
        grid=DIGITS_GRID,
        choices={name: len(values) for name, values in zip(names, choices, strict=True)},
        trainings=trainings,
        one_run=True,
        shorter=True,
        budget=40,
    )


def _ecnas(name: str, trainings: Iterable[Training], *, one_run: bool, budget: int) -> Task:
    # The tables say nothing of a network but its size: its place by size is what is searched.
    by_size = sorted(trainings, key=lambda training: training.n_params)
    return Task(
        name=name,
        grid=ECNAS_GRID,
        choices={"network": len(by_size)},
        trainings={(place,): training for place, training in enumerate(by_size)},
        one_run=one_run,
        shorter=not one_run,
        budget=budget,
    )


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return [*csv.DictReader(file)]
