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
- *MLflowTracker* logs a ready-made record with a trace of 60 points, as a trial of one minute
  has, in ``start_trial`` and ``finish_trial``; no trial has to last a minute for that.
- *MLflow's client* writes the same metrics, parameters and tags in three calls: one
  ``create_run``, one ``log_batch``, one ``set_terminated``. It writes no artifact; the tracker
  also writes the trace as a CSV file.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import logging
import os
import platform
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna

import green_optuna as go

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

WARM_UP_ROUNDS = 3
TRACE_POINTS = 60
GRID = go.Grid(carbon_intensity_g_per_kwh=50.0)

BARE = "Optuna alone"
GREEN = "green_optuna, no tracker"
REPLAY = "green_optuna, no tracker, replay meter"
TRACKER = f"MLflowTracker, {TRACE_POINTS}-point trace"
CLIENT = "MLflow's client, the same points"


@dataclass(frozen=True, slots=True)
class Variant:
    """Something to time.

    Attributes:
        name: Its name in the table.
        run: Runs one trial.
    """

    name: str
    run: Callable[[], object]


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


def ready_made_record() -> go.TrialRecord:
    """The record of a trial of one minute at 50 W, a reading a second."""
    t_s = np.arange(1.0, TRACE_POINTS + 1.0)
    watts = np.full(TRACE_POINTS, 25.0)
    nothing = np.zeros(TRACE_POINTS)
    kwh = t_s * 50.0 / 3.6e6
    measurement = go.Measurement(
        energy=go.ComponentEnergy(cpu_kwh=kwh[-1] / 2, ram_kwh=kwh[-1] / 2),
        duration_s=float(TRACE_POINTS),
        grid=GRID,
        sources={"cpu": go.Source("replay", measured=False)},
        host=platform.node(),
        trace=go.Trace(t_s, watts, nothing, watts, kwh),
    )
    terms = go.StudyTerms(
        objectives=("quality_loss", "co2e_kg", "n_params"),
        quality_bounds=go.QualityBounds(),
        grid=GRID,
    )
    return go.TrialRecord(
        study_name="tracked",
        terms=terms,
        number=0,
        started_at=time.time() - TRACE_POINTS,
        state="complete",
        params={"x": 0.5},
        measurement=measurement,
        quality=0.5,
        n_params=1000,
        objectives={"quality_loss": 0.5, "co2e_kg": measurement.co2e_kg, "n_params": 1000.0},
    )


def track(tracker: go.MLflowTracker, record: go.TrialRecord) -> str:
    """Log one trial through the tracker; give its run."""
    started = replace(record, state="running", params={}, measurement=None, objectives={})
    run_id = tracker.start_trial(started)
    tracker.finish_trial(replace(record, run_ids={tracker.name: run_id}))
    return run_id


def tracked(folder: Path) -> Iterator[Variant]:
    """The MLflow tracker, and MLflow's client with the points that the tracker wrote."""
    from mlflow import MlflowClient

    record = ready_made_record()
    tracker = go.MLflowTracker(f"sqlite:///{folder / 'tracker-mlflow.db'}", "overhead")
    run_id = track(tracker, record)
    reader = MlflowClient(f"sqlite:///{folder / 'tracker-mlflow.db'}")
    run = reader.get_run(run_id)
    points = points_of(reader, run)

    client = MlflowClient(f"sqlite:///{folder / 'client-mlflow.db'}")
    experiment_id = client.create_experiment("overhead")

    yield Variant(TRACKER, lambda: track(tracker, record))
    yield Variant(CLIENT, lambda: write(client, experiment_id, run, points))


def points_of(client: MlflowClient, run: Run) -> list[Metric]:
    """Read all points of all metrics of a run."""
    return [
        point
        for key in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, key)
    ]


def write(client: MlflowClient, experiment_id: str, like: Run, points: list[Metric]) -> None:
    """Write a run like another in three calls."""
    from mlflow.entities import Param, RunTag

    made = client.create_run(experiment_id, run_name=like.info.run_name)
    client.log_batch(
        made.info.run_id,
        metrics=points,
        params=[Param(key, value) for key, value in like.data.params.items()],
        tags=[RunTag(key, value) for key, value in like.data.tags.items()],
    )
    client.set_terminated(made.info.run_id)


def measure(variants: list[Variant], trials: int) -> dict[str, list[float]]:
    """Time the variants in turns: for each, the time of every trial in ms."""
    times: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for number in range(-WARM_UP_ROUNDS, trials):
        for variant in variants:
            began_s = time.perf_counter()
            variant.run()
            took_s = time.perf_counter() - began_s
            if number >= 0:
                times[variant.name].append(1000 * took_s)
    return times


def table(times: dict[str, list[float]]) -> Iterator[str]:
    """Give the lines of the table: medians."""
    bare_ms = statistics.median(times[BARE])
    yield "| no-op trial | ms | by Optuna alone |"
    yield "|---|---:|---:|"
    for name, each_ms in times.items():
        median_ms = statistics.median(each_ms)
        yield f"| {name} | {median_ms:.1f} | {median_ms / bare_ms:.1f} |"


def machine() -> Iterator[str]:
    """Say on what it ran."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    yield f"{platform.platform()}, {os.cpu_count()} cores{load}"
    packages = ("green_optuna", "optuna", "codecarbon", "mlflow")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    yield f"Python {platform.python_version()}, {versions}"


def report(times: dict[str, list[float]]) -> Iterator[str]:
    """Give all that is printed."""
    yield from machine()
    yield f"medians of {len(times[BARE])} trials each"
    yield ""
    yield from table(times)
    yield ""
    green_ms, bare_ms = (statistics.median(times[name]) for name in (GREEN, BARE))
    yield f"Measuring adds {green_ms - bare_ms:.1f} ms (target: 10)."
    tracker_ms, client_ms = (statistics.median(times[name]) for name in (TRACKER, CLIENT))
    yield f"The tracker takes {tracker_ms / client_ms:.2f} x MLflow's own client (target: 1.33)."


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
            *tracked(folder),
        ]
        if importlib.util.find_spec("optuna_integration"):
            variants.insert(1, hand_made(folder))
        else:
            print("optuna-integration is not installed: no hand-made variant.\n")
        print("\n".join(report(measure(variants, trials))))


if __name__ == "__main__":
    main()
