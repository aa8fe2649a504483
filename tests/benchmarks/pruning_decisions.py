"""How long a pruner takes to decide, once a study on SQLite has a thousand finished trials.

    python tests/benchmarks/pruning_decisions.py [--trials N] [--reports N] [--optunahub PATH]

Prints a table: reading in what ended elsewhere, first of a whole study and then of one trial
more, and each pruner's decision, the first one (which learns from all trials) and later ones.
With a checkout of OptunaHub's registry (and ``optunahub`` installed), also what its
``multi_metric_pruner`` takes on such a study, halfway through a trial.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from multi_metric import MultiMetric
from optuna.trial import TrialState, create_trial
from turns import machine

import green_optuna as go
from green_optuna.record import REPORTS_ATTRIBUTE, Report, thin_reports
from green_optuna.terms import ATTRIBUTE, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="the benchmark")
OBJECTIVES = ("quality_loss", "co2e_kg", "n_params")
N_DECISIONS = 200
N_SLOW_DECISIONS = 5

PRUNERS = {
    "CapPruner": go.CapPruner(max_co2e_kg=1.0),
    "DominancePruner": go.DominancePruner(),
    "DominancePruner, project": go.DominancePruner(project=True),
    "ParetoHalvingPruner": go.ParetoHalvingPruner(),
}


def ended(rng: random.Random, n_reports: int) -> FrozenTrial:
    """A trial as the study keeps it: one of four was pruned halfway."""
    best, kwh, n_params = rng.random(), rng.uniform(1e-6, 1e-5), rng.randint(1000, 100_000)
    pruned = rng.random() < 0.25
    reports = [
        Report(step, best * step / n_reports, energy_kwh=kwh * (step + 1), t_s=step + 1.0)
        for step in range(n_reports // 2 if pruned else n_reports)
    ]
    kept = {"version": VERSION, "state": "pruned" if pruned else "complete", "n_params": n_params}
    values = [1.0 - reports[-1].quality, GRID.co2e_kg(reports[-1].energy_kwh), float(n_params)]
    return create_trial(
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        values=None if pruned else values,
        user_attrs={ATTRIBUTE: kept, REPORTS_ATTRIBUTE: thin_reports(reports)},
    )


def running(rng: random.Random, n_reports: int) -> go.Progress:
    """A trial on its way, which no pruner was asked of before."""
    n, kwh = rng.randint(1, n_reports), rng.uniform(1e-6, 1e-5)
    energies_kwh = tuple(kwh * (step + 1) for step in range(n))
    return go.Progress(
        number=-1,
        objectives=OBJECTIVES,
        curve=go.LearningCurve(
            range(n),
            [1.0 - 0.5 * rng.random() * step / n_reports for step in range(n)],
            energies_kwh,
            [step + 1.0 for step in range(n)],
        ),
        energy_kwh=energies_kwh[-1],
        co2e_kg=GRID.co2e_kg(energies_kwh[-1]),
        duration_s=float(n),
        n_params=rng.randint(1000, 100_000),
    )


def timed_ms(run: Callable[[], object]) -> float:
    """The time that something takes once, in ms."""
    began_s = time.perf_counter()
    run()
    return (time.perf_counter() - began_s) * 1e3


def print_row(name: str, times_ms: list[float]) -> None:
    """Print the median and the longest of some times."""
    ordered = sorted(times_ms)
    print(f"| {name} | {ordered[len(ordered) // 2]:.2f} | {ordered[-1]:.2f} |")


def print_multi_metric(rng: random.Random, n_trials: int, n_reports: int, registry: Path) -> None:
    """Print a row for OptunaHub's pruner, asked halfway through a trial."""
    pruner = MultiMetric(registry=registry, base=optuna.pruners.MedianPruner())

    def reported(n: int) -> dict[str, dict[str, dict[str, float]]]:
        # What its report() keeps, at once rather than report by report.
        kwh, n_params = rng.uniform(1e-6, 1e-5), float(rng.randint(1000, 100_000))
        values = [(1 - rng.random() * step / n, GRID.co2e_kg(kwh * step)) for step in range(1, n)]
        return {
            "multi_pruner:values": {
                str(step): dict(zip(OBJECTIVES, (*pair, n_params), strict=True))
                for step, pair in enumerate(values)
            }
        }

    with tempfile.TemporaryDirectory() as folder:
        study = go.create_study("s", storage=f"sqlite:///{Path(folder) / 'study.db'}")
        wrap = pruner.attach(study, OBJECTIVES)
        study.add_trials(
            [
                create_trial(state=TrialState.PRUNED, user_attrs=reported(n_reports))
                for _ in range(n_trials)
            ]
        )
        times_ms = []
        for _ in range(N_SLOW_DECISIONS):
            trial = study.ask()
            for name, value in reported(n_reports // 2).items():
                trial.set_user_attr(name, value)
            times_ms.append(timed_ms(wrap(trial).should_prune))
    print_row(f"multi_metric_pruner, at report {n_reports // 2}", times_ms)


def main() -> None:
    """Fill a study and time what a running trial asks of it."""
    parser = argparse.ArgumentParser(description="How long a pruner takes to decide.")
    parser.add_argument("--trials", type=int, default=1000, help="finished trials [1000]")
    parser.add_argument("--reports", type=int, default=100, help="reports of each [100]")
    parser.add_argument("--optunahub", type=Path, help="a checkout of OptunaHub's registry")
    args = parser.parse_args()
    n_trials, n_reports = args.trials, args.reports
    rng = random.Random(0)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print("\n".join(machine(["optuna", "moocore", "numpy"])))
    print(f"\n{n_trials} trials of {n_reports} reports on SQLite, ms:\n")
    print("| what | median | longest |\n|---|---:|---:|")
    terms = go.StudyTerms(objectives=OBJECTIVES, quality_bounds=go.QualityBounds(), grid=GRID)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'study.db'}"
        go.create_study("s", storage=url).add_trials(
            [ended(rng, n_reports) for _ in range(n_trials)]
        )
        # As a worker that joins: it has read none of them yet.
        study = go.load_study("s", storage=url)
        history = go.History(terms)
        print_row("refresh, of the whole study", [timed_ms(partial(history.refresh, study))])
        unchanged = [timed_ms(partial(history.refresh, study)) for _ in range(20)]
        print_row("refresh, nothing new", unchanged)
        refreshes = []
        for _ in range(20):
            study.add_trial(ended(rng, n_reports))
            refreshes.append(timed_ms(partial(history.refresh, study)))
        print_row("refresh, one trial more", refreshes)
        for name, pruner in PRUNERS.items():
            asked = [running(rng, n_reports) for _ in range(N_DECISIONS)]
            times = [timed_ms(partial(pruner.why_stop, one, history)) for one in asked]
            print_row(f"{name}, first decision", times[:1])
            print_row(f"{name}, later ones", times[1:])
            decisions = []
            for one in asked[:20]:
                study.add_trial(ended(rng, n_reports))
                history.refresh(study)
                decisions.append(timed_ms(partial(pruner.why_stop, one, history)))
            print_row(f"{name}, one trial more", decisions)
    if args.optunahub is not None:
        print_multi_metric(rng, n_trials, n_reports, args.optunahub)


if __name__ == "__main__":
    main()
