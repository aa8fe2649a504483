"""What pruning leaves of the front: the same trials in the same order, stopped or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import optuna
from curves import Yardstick
from replay import Replay

import green_optuna as go
from green_optuna import pareto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curves import Task, Training
    from replay import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is left of one sequence of trials.

    Attributes:
        saved: The share of its CO2e that was saved.
        front: The share of its front that completed.
        hypervolume: The share of its hypervolume that completed trials have.
        n_stopped: The trials that were stopped.
        n_wrong: Those of them that would have ended with a better quality than the bound said that
            was learned of them; 0 where none is learned.
    """

    saved: float
    front: float
    hypervolume: float
    n_stopped: int
    n_wrong: int | None


def replay_all(task: Task, method: Method, objectives: Sequence[str], seed: int) -> Kept:
    """Run every recorded training once, for all its epochs, in an order that the seed gives."""
    points = [*task.trainings]
    order = np.random.default_rng(seed).permutation(len(points))
    # The sampler chooses nothing: every trial is enqueued.
    replay = Replay(task, method.pruner, optuna.samplers.RandomSampler(seed=seed), objectives)
    pruner = method.pruner
    learns = isinstance(pruner, go.DominancePruner) and pruner.best_reachable == "learned"
    completed: list[int] = []
    spent_kwh, n_wrong = 0.0, 0
    for place in order:
        replay.study.enqueue_trial(dict(zip(task.choices, points[place], strict=True)))
        trial = replay.study.ask()
        training = replay.choose(trial)
        last = len(training.epochs) - 1
        stopped_at = replay.stop_at(trial, training, last)
        row = last if stopped_at is None else stopped_at
        replay.end(trial, training, row, pruned=stopped_at is not None)
        spent_kwh += float(training.energies_kwh[row])
        if stopped_at is None:
            completed.append(int(place))
        elif learns:
            known = [task.trainings[points[one]] for one in completed]
            n_wrong += bool(training.losses[-1] < _learned_bound(training, row, known))
    ends = task.ends(full=True, objectives=objectives)
    on_front = pareto.non_dominated(ends)
    return Kept(
        # Not below 0 by a rounding.
        saved=max(1 - spent_kwh / (task.full_kwh * len(points)), 0.0),
        front=float(on_front[completed].sum() / on_front.sum()),
        hypervolume=Yardstick(task, full=True, objectives=objectives).hypervolume(ends[completed]),
        n_stopped=len(points) - len(completed),
        n_wrong=n_wrong if learns else None,
    )


def _learned_bound(training: Training, row: int, completed: Sequence[Training]) -> float:
    """Give the least loss that a training should reach if it gains no more than others did.

    All trainings of a task report the same epochs, so that gains are differences of rows.
    """
    gain = max(one.losses[row] - one.losses[-1] for one in completed)
    # But for roundings, which are not a gain.
    return float(min(training.losses[: row + 1].min(), training.losses[row] - gain)) - 1e-9
