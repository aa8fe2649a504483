"""Studies made up in one go, with all that a report of one tells: nothing is run for them."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING

import optuna
from kept import NAMES, kept, study_of
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from green_optuna.record import Report
from green_optuna.runs import RunRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

SPACE: dict[str, BaseDistribution] = {
    "width": IntDistribution(8, 512, log=True),
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "epochs": IntDistribution(1, 30),
    "optimiser": CategoricalDistribution(("adam", "sgd")),
}

REFERENCES = [
    {
        "name": "a published one",
        "quality": 0.97,
        "co2e_kg": 2e-7,
        "n_params": 800,
        "basis": "published",
        "source": "doi:10.5/x",
    },
    {"name": "a model of ours", "quality": 0.9, "co2e_kg": 4e-8, "basis": "estimated"},
]


def made_study(
    n: int,
    *,
    seed: int = 0,
    repeats: bool = False,
    all_complete: bool = False,
    checkpoints: bool = False,
    objectives: Sequence[str] = NAMES,
    name: str = "digits",
    storage: str | None = None,
) -> optuna.Study:
    """A search of small networks: a few trials pruned and failed, the same each time.

    Args:
        n: How many trials.
        seed: Another one makes another search.
        repeats: Whether each trial ran three times, so that it has intervals.
        all_complete: Whether no trial was pruned or failed.
        checkpoints: Whether every fifth step of a training was saved.
        objectives: What it minimised.
        name: The study's name.
        storage: Where it is kept; in memory unless given.
    """
    draw = random.Random(seed)
    trials = [
        _trial(
            number,
            draw,
            repeats=repeats,
            all_complete=all_complete,
            checkpoints=checkpoints,
            objectives=objectives,
        )
        for number in range(n)
    ]
    return study_of(trials, objectives=objectives, name=name, storage=storage)


def _trial(
    number: int,
    draw: random.Random,
    *,
    repeats: bool,
    all_complete: bool,
    checkpoints: bool,
    objectives: Sequence[str],
) -> FrozenTrial:
    width, rate = int(2 ** draw.uniform(3, 9)), 10 ** draw.uniform(-4, -1)
    epochs, optimiser = draw.randint(1, 30), draw.choice(["adam", "sgd"])
    behind = 0.5 / epochs + 0.6 * abs(rate - 0.003) ** 0.5 + 2 / width
    quality = max(0.05, min(0.985, 0.985 - behind + draw.gauss(0, 0.01)))
    energy_kwh = 1e-8 * epochs * (5 + width**0.7) * draw.uniform(0.9, 1.1)
    fate = draw.random()
    state = TrialState.PRUNED if fate < 0.08 else TrialState.FAIL if fate < 0.11 else None
    reports = [
        Report(
            step,
            quality * (1 - 0.6 / step),
            energy_kwh * step / epochs,
            2.0 * step,
            f"runs/{number}/{step}.pt" if checkpoints and step % 5 == 0 else None,
        )
        for step in range(1, epochs + 1)
    ]
    runs = [
        RunRecord(1 - quality + 0.01 * part, energy_kwh * (1 + 0.02 * part), 60.0)
        for part in (-1, 0, 1)
    ]
    trial = kept(
        quality,
        energy_kwh * (3 if repeats else 1),
        74 * width + 100,
        state=TrialState.COMPLETE if all_complete or state is None else state,
        reports=reports,
        runs=runs if repeats else (),
        objectives=objectives,
    )
    values = (width, rate, epochs, optimiser)
    trial.params, trial.distributions = dict(zip(SPACE, values, strict=True)), dict(SPACE)
    trial.datetime_start = dt.datetime(2026, 11, 1) + dt.timedelta(minutes=number)  # noqa: DTZ001
    trial.datetime_complete = trial.datetime_start + dt.timedelta(minutes=1)
    return trial
