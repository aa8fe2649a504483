"""How far the probability of being on the front can be trusted, on known truths and real repeats.

    python tests/benchmarks/doubt.py

Prints Brier scores (the mean squared difference from what came true, 0 at best): of the front of
one run each, of the front of the means, and of the probabilities.
"""

from __future__ import annotations

import csv
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.doubt import probabilities
from green_optuna.pareto import non_dominated

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

DATA = Path(__file__).parent / "data" / "ecnas_4_epochs.csv"
N_STUDIES = 40


def brier(predicted: Array | Mask, truth: Mask) -> float:
    """The mean squared difference between predictions and what came true."""
    return float(np.mean((predicted.astype(float) - truth.astype(float)) ** 2))


def scores(runs: Array, truth: Mask) -> list[float]:
    """Brier scores by runs in the shape of (n, n_runs, m): of one run, of the means, of ours."""
    n_runs = runs.shape[1]
    means, scales = runs.mean(axis=1), runs.std(axis=1, ddof=1) / np.sqrt(n_runs)
    known = probabilities(means, scales, np.full(scales.shape, n_runs - 1))
    single = np.mean([brier(non_dominated(runs[:, one]), truth) for one in range(n_runs)])
    return [float(single), brier(non_dominated(means), truth), brier(known, truth)]


def simulated(rng: np.random.Generator, n_runs: int) -> tuple[Array, Mask]:
    """Runs of 60 models, and which of them are truly on the front."""
    effort = rng.random(60)
    loss = 0.1 + 0.5 * (1 - effort) ** 2 + 0.15 * rng.random(60)
    truth = np.column_stack([loss, effort, rng.integers(1, 9, 60)])
    noise = np.column_stack([0.02 * (0.5 + rng.random(60)), 0.02 * effort, np.zeros(60)])
    runs = truth[:, None] + noise[:, None] * rng.standard_normal((60, n_runs, 3))
    return runs, non_dominated(truth)


def real() -> list[list[float]]:
    """Scores of two repeats of each EC-NAS network against the front of the third."""
    with DATA.open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["arch"], row["repeat"]))
    runs = np.array(
        [
            [1 - float(row["val_acc_e4"]), float(row["energy_e4_kwh"]), float(row["n_params"])]
            for row in rows
        ]
    ).reshape(-1, 3, 3)
    return [
        scores(np.delete(runs, third, axis=1), non_dominated(runs[:, third])) for third in range(3)
    ]


def main() -> None:
    """Print the table, and how long 10,000 trials take."""
    print("| of | one run each | the means | probabilities |")
    print("|---|---:|---:|---:|")
    for n_runs in (2, 3, 5, 10):
        rngs = map(np.random.default_rng, range(N_STUDIES))
        rows = [scores(*simulated(rng, n_runs)) for rng in rngs]
        print_row(f"known truths, {n_runs} runs each", rows)
    print_row("EC-NAS, two repeats against the third", real())
    rng = np.random.default_rng(0)
    losses = np.column_stack([*rng.random((2, 10_000)), rng.integers(1, 500, 10_000)])
    scales = losses * [0.05, 0.05, 0.0]
    times_s = []
    for _ in range(5):
        began_s = time.perf_counter()
        probabilities(losses, scales, np.full(scales.shape, 2))
        times_s.append(time.perf_counter() - began_s)
    print(f"\n10,000 trials with three objectives: {np.median(times_s):.2f} s.")


def print_row(name: str, rows: list[list[float]]) -> None:
    """Print the means over some studies as a row."""
    means = np.mean(rows, axis=0)
    print(f"| {' | '.join(itertools.chain([name], (f'{mean:.3f}' for mean in means)))} |")


if __name__ == "__main__":
    main()
