"""Trials that have ended, made up: no study is run for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import green_optuna as go

if TYPE_CHECKING:
    from collections.abc import Sequence

GRID = go.Grid(carbon_intensity_g_per_kwh=1000.0, source="test")
"""With 1 kg for each kWh, so that energies read as CO2e."""


def make_history(
    trials: Sequence[go.PastTrial], objectives: tuple[str, ...] = ("quality_loss", "co2e_kg")
) -> go.History:
    """What is known of a study in which these trials have ended."""
    terms = go.StudyTerms(objectives=objectives, quality_bounds=go.QualityBounds(), grid=GRID)
    history = go.History(terms)
    history.trials.extend(trials)
    return history


def past(
    number: int,
    losses: Sequence[float],
    *,
    steps: Sequence[int] | None = None,
    kwh_a_step: float = 1.0,
    loss: float | None = None,
    values: Sequence[float] | None = None,
    n_params: int | None = None,
    pruned: bool = False,
    feasible: bool = True,
) -> go.PastTrial:
    """A trial that has ended, of a study whose objectives are the loss and CO2e unless given.

    Its report at step s comes after s + 1 steps' energy, a step taking a second; it ends with its
    last report's loss and cost, unless they are given.
    """
    at = np.arange(len(losses)) if steps is None else np.array(steps, dtype=np.int64)
    times = np.asarray(at + 1, dtype=np.float64)
    energies = np.asarray(times * kwh_a_step, dtype=np.float64)
    final = losses[-1] if loss is None else loss
    ends = [final, float(energies[-1])] if values is None else list(values)
    return go.PastTrial(
        number=number,
        values=None if pruned else np.array(ends, dtype=np.float64),
        feasible=feasible,
        steps=at,
        losses=np.array(losses, dtype=np.float64),
        energies_kwh=energies,
        times_s=times,
        loss=None if pruned else final,
        energy_kwh=float(energies[-1]),
        duration_s=float(at[-1] + 1),
        n_params=n_params,
    )


def running(
    losses: Sequence[float],
    *,
    steps: Sequence[int] | None = None,
    kwh_a_step: float = 1.0,
    objectives: tuple[str, ...] = ("quality_loss", "co2e_kg"),
    n_params: int | None = None,
    asked_step: int | None = None,
    number: int = 999,
) -> go.Progress:
    """A trial that has reported so far, and is asked about at once; costs as of :func:`past`."""
    at = tuple(range(len(losses))) if steps is None else tuple(steps)
    energies = tuple((step + 1.0) * kwh_a_step for step in at)
    return go.Progress(
        number=number,
        objectives=objectives,
        curve=go.LearningCurve(at, losses, energies, [step + 1.0 for step in at]),
        energy_kwh=max(energies, default=0.0),
        co2e_kg=GRID.co2e_kg(max(energies, default=0.0)),
        duration_s=max(at, default=-1) + 1.0,
        n_params=n_params,
        asked_step=asked_step,
    )
