"""What pruning saves: ``PYTHONPATH=examples python tests/benchmarks/pruners.py [--quick]``.

Searches run on trainings that were recorded, so that hundreds of them take minutes:

- *Digits*: networks are trained now, on this machine, each with its accuracy after every epoch;
  their energy is measured. As the learning rate is constant, a training for fewer epochs is the
  beginning of one for more.
- *EC-NAS, 4 epochs*: measured trainings of 91 networks for CIFAR-10 (``data/README.md``) with one
  checkpoint, after the first epoch. Each of their three repeats serves a third of the seeds.
- *EC-NAS, up to 108 epochs*: the same networks, trained for 4, 12, 36 and 108 epochs. Each of
  these is a training of its own and nothing can be stopped on the way, so that there are no
  pruners here, only the number of epochs as a hyperparameter.

The first tables are of searches with Optuna's samplers, alone and with each pruner, that spend the
same CO2e. The budget counts what pruned and unfinished trials took, and not the sampler's own
computing. What is found is what completed trials came to; a pruned trial's checkpoints count for
nothing. With 95 % intervals over the seeds:

- *hypervolume*: of (1 - accuracy, CO2e, parameters) on logarithmic axes, as a share of that of all
  that was recorded, after a quarter of the budget and after all of it;
- *front*: the share of the Pareto front of full trainings that was found, or bettered in all three;
- *saved*: how much less CO2e than the whole budget it takes until the mean hypervolume is what the
  sampler alone reached with the whole, bootstrapped over the seeds; "none" where it never is. What
  stands beside the sampler alone is for how long it found nothing new in the end.

The second tables are of full trainings of all networks in random order, the same with each pruner:
the CO2e that it saved, the share of their front that completed, in how many runs that was all of
it, the share of the hypervolume, how many trials were stopped, and how many of those in all runs
would have ended with a better quality than the bound that was learned for them.

A pruner that caps costs is not compared: it changes what is searched for. OptunaHub's
``multi_metric_pruner`` is compared where ``--optunahub`` names a checkout of
https://github.com/optuna/optunahub-registry and ``optunahub`` is installed; since a question takes
it long, it is told and asked at epochs 1, 3, 9 and 27 only, which is when a
``ParetoHalvingPruner`` decides.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
from curves import read_ecnas, read_ecnas_budgets, record_digits
from fronts import replay_all
from multi_metric import MultiMetric
from replay import Method
from searches import N_LOOKS, search
from turns import machine

import green_optuna as go
from green_optuna.intervals import mean_interval
from green_optuna.terms import DEFAULT_OBJECTIVES
from green_optuna.units import format_co2e

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from curves import Task
    from fronts import Kept
    from searches import Search

SAMPLERS = ("TPE", "NSGA-II")
N_REPEATS = 3
N_RESAMPLES = 2000
ALONE = Method(name="alone")
EPOCHS = Method(name="epochs as a hyperparameter", epochs=True)
PRUNERS = {
    "`DominancePruner()`": go.DominancePruner(),
    "`DominancePruner(project=True)`": go.DominancePruner(project=True),
    "`ParetoHalvingPruner()`": go.ParetoHalvingPruner(),
}
HEADER = (
    "| search | trials (pruned) | hypervolume, a quarter | all | front | saved |\n"
    "|---|---:|---:|---:|---:|---:|"
)
OBJECTIVES = (DEFAULT_OBJECTIVES, ("quality_loss", "co2e_kg"))
KEPT_HEADER = (
    "| objectives, pruner | stopped | CO2e saved | front kept | whole | hypervolume kept "
    "| bound wrong |\n|---|---:|---:|---:|---:|---:|---:|"
)
RUNGS = (1, 3, 9, 27)


def multi_metric(registry: Path | None) -> list[Method]:
    """Give OptunaHub's pruner with some of Optuna's as its base, if there is a checkout."""
    if registry is None:
        return []
    bases = {
        "MedianPruner()": optuna.pruners.MedianPruner(),
        "PercentilePruner(33)": optuna.pruners.PercentilePruner(33.0),
    }
    return [
        Method(
            name=f"`MultiMetricPruner({name})`",
            pruner=MultiMetric(registry=registry, base=base, asked_at=RUNGS),
        )
        for name, base in bases.items()
    ]


def methods_for(task: Task, others: Sequence[Method]) -> list[Method]:
    """Give the ways to search that a task allows, besides those of others."""
    methods = [ALONE]
    if task.one_run:
        methods += [Method(name=name, pruner=pruner) for name, pruner in PRUNERS.items()]
        methods += others
    if task.shorter:
        methods.append(EPOCHS)
    if task.one_run and task.shorter:
        methods += [
            Method(name=f"epochs, {name}", pruner=pruner, epochs=True)
            for name, pruner in PRUNERS.items()
        ]
    return methods


def run(job: tuple[Task, Method, str, int]) -> Search:
    """Make one search, in a process of its own."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return search(*job)


def compare(
    pool: ProcessPoolExecutor, tasks: Sequence[Task], others: Sequence[Method], seeds: int
) -> dict[tuple[str, str], list[Search]]:
    """Make all searches of a task, by sampler and method.

    Args:
        pool: The processes.
        tasks: The task, once for each of its repeats, which the seeds take in turns.
        others: Methods besides ours.
        seeds: How many searches of each kind.
    """
    methods = methods_for(tasks[0], others)
    kinds = [(sampler, method) for sampler in SAMPLERS for method in methods]
    jobs = [
        (tasks[seed % len(tasks)], method, sampler, seed)
        for sampler, method in kinds
        for seed in range(seeds)
    ]
    found = iter(pool.map(run, jobs))
    return {
        (sampler, method.name): [next(found) for _ in range(seeds)] for sampler, method in kinds
    }


def rows(searches: dict[tuple[str, str], list[Search]]) -> Iterator[str]:
    """Give the rows of a task's table."""
    for (sampler, name), found in searches.items():
        curves = np.array([one.hypervolumes for one in found])
        alone = np.array([one.hypervolumes for one in searches[sampler, ALONE.name]])
        trials = np.mean([one.n_completed + one.n_pruned for one in found])
        pruned = np.mean([one.n_pruned for one in found])
        cells = [
            f"{sampler}, {name}" if name != ALONE.name else f"**{sampler} alone**",
            f"{trials:.0f} ({pruned:.0f})",
            interval(curves[:, N_LOOKS // 4 - 1]),
            interval(curves[:, -1]),
            interval([one.recall for one in found]),
            saved(curves, alone),
        ]
        yield "| " + " | ".join(cells) + " |"


def run_all(job: tuple[Task, Method, Sequence[str], int]) -> Kept:
    """Replay one sequence, in a process of its own."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return replay_all(*job)


def kept_rows(
    pool: ProcessPoolExecutor, tasks: Sequence[Task], others: Sequence[Method], seeds: int
) -> Iterator[str]:
    """Give the rows of the table of what is kept of a task's front."""
    best = 1 - min(float(task.ends(full=True)[:, 0].min()) for task in tasks)
    declared = go.DominancePruner(best_reachable=best)
    methods = [Method(name=name, pruner=pruner) for name, pruner in PRUNERS.items()]
    methods.insert(2, Method(name=f"`DominancePruner(best_reachable={best:.3f})`", pruner=declared))
    for objectives in OBJECTIVES:
        for method in [*methods, *others]:
            jobs = [(tasks[seed % len(tasks)], method, objectives, seed) for seed in range(seeds)]
            found = [*pool.map(run_all, jobs)]
            saved, front, hypervolume, stopped, wrong = zip(*map(astuple, found), strict=True)
            cells = [
                f"{len(objectives)}, {method.name}",
                interval(stopped, 1),
                f"{interval([100 * one for one in saved], 1)} %",
                interval(front),
                f"{sum(one == 1 for one in front)} of {seeds}",
                interval(hypervolume, 3),
                "-" if None in wrong else f"{sum(wrong)} of {sum(stopped)}",
            ]
            yield "| " + " | ".join(cells) + " |"


def interval(values: Sequence[float] | npt.NDArray[np.float64], digits: int = 2) -> str:
    """Show a mean with half its interval's width."""
    found = mean_interval([float(value) for value in values])
    if found is None:
        return f"{values[0]:.{digits}f}"
    return f"{found.mean:.{digits}f} ± {found.high - found.mean:.{digits}f}"


def saved(curves: npt.NDArray[np.float64], alone: npt.NDArray[np.float64]) -> str:
    """Show by how much sooner the mean of some curves reaches what that of others ends with.

    Args:
        curves: Hypervolumes over the budget of one search a row, (n_seeds, n_looks).
        alone: Those of the sampler alone, with the same seeds.
    """
    rng = np.random.default_rng(0)
    draws = rng.integers(len(curves), size=(N_RESAMPLES, len(curves)))
    found = _saved(curves.mean(axis=0), alone.mean(axis=0)[-1])
    drawn = [_saved(curves[draw].mean(axis=0), alone[draw].mean(axis=0)[-1]) for draw in draws]
    if found < 0:
        return "none"
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{found:.0%} ({'none' if low < 0 else f'{low:.0%}'} to {high:.0%})"


def _saved(curve: npt.NDArray[np.float64], target: float) -> float:
    """Give the share of the budget that is left when a curve reaches a target, or -1."""
    # But for roundings: seeds whose searches are the same end alike.
    reached = np.flatnonzero(curve >= target - 1e-9)
    return 1 - (reached[0] + 1) / N_LOOKS if reached.size else -1.0


def main() -> None:
    """Record, search and print."""
    parser = argparse.ArgumentParser(description="What pruning saves.")
    parser.add_argument("--seeds", type=int, help="searches of each kind [12; quick: 3]")
    parser.add_argument("--quick", action="store_true", help="fewer trainings and searches")
    parser.add_argument("--workers", type=int, default=2, help="processes that search [2]")
    parser.add_argument("--optunahub", type=Path, help="a checkout of OptunaHub's registry")
    args = parser.parse_args()
    others = multi_metric(args.optunahub)
    seeds = args.seeds or (3 if args.quick else 12)
    # The estimate's notice is on the study; the table says what it rests on.
    logging.getLogger("green_optuna").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    print("\n".join(machine(("optuna", "torch", "numpy"))))
    digits = record_digits(quick=args.quick)
    groups = [[digits], [read_ecnas(one + 1) for one in range(N_REPEATS)], [read_ecnas_budgets()]]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, mp_context=context) as pool:
        for tasks in groups:
            task = tasks[0]
            kg = task.grid.co2e_kg(task.budget * task.full_kwh)
            print(
                f"\n{task.name}: {len(task.trainings)} networks, {seeds} searches of each kind, "
                f"each for {task.budget} full trainings ({format_co2e(kg)})\n\n{HEADER}"
            )
            for row in rows(compare(pool, tasks, others, seeds)):
                print(row, flush=True)
            if not task.one_run:
                continue
            print(f"\n{task.name}: all networks in random order, {seeds} times\n\n{KEPT_HEADER}")
            for row in kept_rows(pool, tasks, others, seeds):
                print(row, flush=True)


if __name__ == "__main__":
    main()
