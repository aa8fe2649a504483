"""What a front and a choice take, beside loading the study, Optuna, moocore and pymoo.

    PYTHONPATH=tests python tests/benchmarks/choosing.py [trials] [points] [rounds]

Prints two tables of medians, all variants taking turns: of a study on SQLite, opened anew each
time, and of bare arrays of three objectives, spread in a cube and all on one front. pymoo is
compared where it is installed.
"""

from __future__ import annotations

import functools
import random
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import moocore
import numpy as np
import optuna
from kept import NAMES, kept, study_of
from optuna.distributions import FloatDistribution, IntDistribution
from turns import Variant, machine, measure

import green_optuna as go
from green_optuna.pareto import non_dominated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from optuna.trial import FrozenTrial

ELSEWHERE = go.Grid(carbon_intensity_g_per_kwh=660.0)


def ended(rng: random.Random) -> FrozenTrial:
    """A trial with two hyperparameters, as a study keeps it."""
    trial = kept(rng.random(), rng.uniform(1e-6, 1e-5), rng.randint(1_000, 100_000))
    trial.params = {"lr": rng.random(), "width": rng.randint(8, 256)}
    trial.distributions = {"lr": FloatDistribution(0, 1), "width": IntDistribution(8, 256)}
    return trial


def of_a_study(url: str) -> list[Variant]:
    """What is done with a study that has just been opened."""

    def opened() -> optuna.Study:
        return optuna.load_study(study_name="kept", storage=url)

    return [
        Variant("`get_trials(deepcopy=False)`", lambda: opened().get_trials(deepcopy=False)),
        Variant("`pareto_front` and `select`", lambda: go.pareto_front(opened()).select()),
        Variant(
            "the same, repriced (`grid=`)",
            lambda: go.pareto_front(opened(), grid=ELSEWHERE).select(),
        ),
        Variant("Optuna's `best_trials`", lambda: opened().best_trials),
    ]


def of_an_array(losses: npt.NDArray[np.float64]) -> list[Variant]:
    """What is done with bare losses, an ndarray in the shape of (n, 3)."""
    variants = [
        Variant("moocore", functools.partial(moocore.is_nondominated, losses, keep_weakly=True)),
        Variant("`non_dominated`", functools.partial(non_dominated, losses)),
        Variant("`non_dominated` and `Tolerance`", functools.partial(choose, losses)),
    ]
    if find_spec("pymoo"):
        from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

        sort = NonDominatedSorting()
        first = functools.partial(sort.do, losses, only_non_dominated_front=True)
        variants.append(Variant("pymoo", first))
    return variants


def choose(losses: npt.NDArray[np.float64]) -> int:
    """Find the front and choose from it."""
    return go.Tolerance().choose(losses[non_dominated(losses)], NAMES)


def show(title: str, times_ms: dict[str, list[float]]) -> None:
    """Print the medians, and each as a multiple of the first."""
    print(f"\n| {title} | ms | ratio |\n|---|---:|---:|")
    medians = {name: statistics.median(times) for name, times in times_ms.items()}
    first = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"| {name} | {median:.1f} | {median / first:.2f} |")


def arrays(n: int) -> dict[str, npt.NDArray[np.float64]]:
    """Points spread in a cube, and points of which none dominates another."""
    cube = np.random.default_rng(0).random((n, 3))
    return {"in a cube": cube, "on one front": cube / np.linalg.norm(cube, axis=1, keepdims=True)}


def main(arguments: Sequence[str]) -> None:
    """Time both, and print."""
    n_trials, n_points, rounds = (
        int(given) for given in [*arguments, *["10000", "100000", "15"][len(arguments) :]]
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pymoo = ["pymoo"] if find_spec("pymoo") else []
    print("\n".join(machine(["optuna", "moocore", "numpy", *pymoo])))
    for name, losses in arrays(n_points).items():
        show(f"{n_points} points {name}", measure(of_an_array(losses), rounds))
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'study.db'}"
        study_of([ended(rng) for _ in range(n_trials)], storage=url)
        show(f"{n_trials} trials on SQLite", measure(of_a_study(url), rounds))


if __name__ == "__main__":
    main(sys.argv[1:])
