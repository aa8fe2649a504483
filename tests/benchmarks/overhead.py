"""What a trial costs beside its own work: ``python tests/benchmarks/overhead.py [--trials 40]``.

Each variant runs no-op trials in a study of three objectives on a SQLite file of its own, in a
temporary folder. The variants take turns, one trial each a round, so that whatever else the
machine does hits all alike; the first rounds, which import and probe, are not counted. It
prints medians as a Markdown table and claims nothing.

- *Optuna alone* is what the others are compared with.
- *hand-made* is what one writes without this library: a CodeCarbon tracker a trial, with its
  CSV, and ``MLflowCallback`` of ``optuna-integration``, if that is installed.
- *green_optuna, no tracker* measures with CodeCarbon's sources of this machine. A trial on a
  counter also waits for the counter's step, where it ends before that: 1 ms for RAPL, up to
  0.1 s for a GPU's. On the *replay meter*, whose readings cost nothing, is what the library
  itself adds: Optuna's storage keeps two attributes more a trial, of its start and its end.

What trackers take is in ``trackers.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import logging
import os
import statistics
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from turns import Variant, machine, measure

import green_optuna as go

if TYPE_CHECKING:
    from collections.abc import Iterator


GRID = go.Grid(carbon_intensity_g_per_kwh=50.0)

BARE = "Optuna alone"
GREEN = "green_optuna, no tracker"
REPLAY = "green_optuna, no tracker, replay meter"


def new_study(folder: Path, name: str) -> optuna.Study:
    """Make a study of three objectives on a SQLite file of its own.

    Its sampler draws at random: any other takes longer the more trials there are.
    """
    storage = f"sqlite:///{folder / name}.db"
    return go.create_study(name, storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))


def bare(folder: Path) -> Variant:
    """Optuna with nothing beside it."""
    study = new_study(folder, "bare")

    def objective(trial: optuna.Trial) -> tuple[float, float, float]:
        return trial.suggest_float("x", 0.0, 1.0), 1.0, 1000.0

    def run() -> None:
        study.optimize(objective, n_trials=1)

    return Variant(BARE, run)


def hand_made(folder: Path) -> Variant:
    """A CodeCarbon tracker a trial, and MLflow told by Optuna's own callback."""
    from codecarbon import OfflineEmissionsTracker

    study = new_study(folder, "hand-made")
    # By its name, for a type checker finds no types there, or nothing at all.
    callback = importlib.import_module("optuna_integration").MLflowCallback(
        tracking_uri=f"sqlite:///{folder / 'hand-made-mlflow.db'}",
        metric_name=["quality_loss", "co2e_kg", "n_params"],
    )

    def objective(trial: optuna.Trial) -> tuple[float, float, float]:
        tracker = OfflineEmissionsTracker(
            country_iso_code="FRA", log_level="critical", output_dir=str(folder)
        )
        tracker.start()
        x = trial.suggest_float("x", 0.0, 1.0)
        return x, tracker.stop() or 0.0, 1000.0

    def run() -> None:
        study.optimize(objective, n_trials=1, callbacks=[callback])

    return Variant("hand-made: CodeCarbon + MLflowCallback", run)


def green(folder: Path, name: str, meter: go.Meter | go.MeterOptions) -> Variant:
    """This library without a tracker."""
    study = new_study(folder, name)

    @go.green_objective(grid=GRID, meter=meter, trackers=[], n_params=1000)
    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", 0.0, 1.0)

    def run() -> None:
        study.optimize(objective, n_trials=1)

    return Variant(name, run)


def table(times: dict[str, list[float]]) -> Iterator[str]:
    """Give the lines of the table: medians."""
    bare_ms = statistics.median(times[BARE])
    yield "| no-op trial | ms | by Optuna alone |"
    yield "|---|---:|---:|"
    for name, each_ms in times.items():
        median_ms = statistics.median(each_ms)
        yield f"| {name} | {median_ms:.1f} | {median_ms / bare_ms:.1f} |"


def report(times: dict[str, list[float]]) -> Iterator[str]:
    """Give all that is printed."""
    yield from machine(("green_optuna", "optuna", "codecarbon", "mlflow"))
    yield f"medians of {len(times[BARE])} trials each"
    yield ""
    yield from table(times)
    yield ""
    green_ms, bare_ms = (statistics.median(times[name]) for name in (GREEN, BARE))
    yield f"Measuring adds {green_ms - bare_ms:.1f} ms (target: 10)."


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=40, help="trials of each variant")
    trials = parser.parse_args().trials
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    os.environ |= {"MLFLOW_LOGGING_LEVEL": "ERROR", "CODECARBON_LOG_LEVEL": "critical"}
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        os.environ["GREEN_OPTUNA_STATE_FOLDER"] = str(folder / "state")
        variants = [
            bare(folder),
            green(folder, GREEN, go.MeterOptions()),
            green(folder, REPLAY, go.ReplayMeter(cpu_w=50.0)),
        ]
        if importlib.util.find_spec("optuna_integration"):
            variants.insert(1, hand_made(folder))
        else:
            print("optuna-integration is not installed: no hand-made variant.\n")
        print("\n".join(report(measure(variants, trials))))


if __name__ == "__main__":
    main()
