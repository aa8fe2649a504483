"""What logging a trial takes, beside what the trackers' own clients take.

    PYTHONPATH=tests python tests/benchmarks/trackers.py [--rounds 20]

A ready-made record of a trial of ten minutes, 600 points of its trace among it, is logged by each
of our trackers, and by its client alone as one would write it by hand: the same points,
parameters and tags, in as few calls as the client has for them. The two take turns, one trial
each a round. MLflow is on an SQLite file, then behind a server of this machine; Weights & Biases
is offline, if it is installed. Trackers and clients all write the trace at its full rate as a file,
too.

It prints medians as a Markdown table and claims nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import logging
import os
import platform
import statistics
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from servers import mlflow_server
from turns import Variant, machine, measure

import green_optuna as go
from green_optuna.tracking import series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

TRACE_POINTS = 600
GRID = go.Grid(carbon_intensity_g_per_kwh=50.0)
TERMS = go.StudyTerms(
    objectives=("quality_loss", "co2e_kg", "n_params"),
    quality_bounds=go.QualityBounds(),
    grid=GRID,
)


def ready_made_record(number: int) -> go.TrialRecord:
    """The record of a trial of ten minutes at 50 W, a reading a second, and ten parameters."""
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
    return go.TrialRecord(
        study_name="tracked",
        terms=TERMS,
        number=number,
        started_at=time.time() - TRACE_POINTS,
        state="complete",
        params={f"x{i}": 0.5 for i in range(10)},
        measurement=measurement,
        quality=0.5,
        n_params=1000,
        objectives={"quality_loss": 0.5, "co2e_kg": measurement.co2e_kg, "n_params": 1000.0},
    )


def trace_file() -> str:
    """The trace of the record at its full rate."""
    measurement = ready_made_record(0).measurement
    assert measurement is not None
    return series.trace_csv(measurement)


TRACE = trace_file()


class Logs:
    """Logs one trial more at each call, through a tracker."""

    def __init__(self, tracker: go.Tracker) -> None:
        self._tracker = tracker
        self._number = 0

    def __call__(self) -> str:
        """Log one; give its run."""
        record = ready_made_record(self._number)
        self._number += 1
        started = replace(record, state="running", params={}, measurement=None, objectives={})
        run_id = self._tracker.start_trial(started) or ""
        self._tracker.finish_trial(replace(record, run_ids={self._tracker.name: run_id}))
        return run_id


def on_mlflow(uri: str, where: str) -> Iterator[Variant]:
    """Our MLflow tracker, and MLflow's client with what the tracker wrote."""
    from mlflow import MlflowClient

    logs = Logs(go.MLflowTracker(uri, "tracker"))
    client = MlflowClient(uri)
    run = client.get_run(logs())
    points = points_of(client, run)
    experiment_id = client.create_experiment("client")
    yield Variant(f"MLflowTracker, {where}", logs)
    yield Variant(
        f"MLflow's client, {where}", lambda: write_run(client, experiment_id, run, points)
    )


def points_of(client: MlflowClient, run: Run) -> list[Metric]:
    """Read all points of all metrics of a run."""
    return [
        point
        for key in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, key)
    ]


def write_run(client: MlflowClient, experiment_id: str, like: Run, points: list[Metric]) -> None:
    """Write a run like another in four calls."""
    from mlflow.entities import Param, RunTag

    made = client.create_run(experiment_id, run_name=like.info.run_name)
    # It prints two lines a run on a server.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        client.log_batch(
            made.info.run_id,
            metrics=points,
            params=[Param(key, value) for key, value in like.data.params.items()],
            tags=[RunTag(key, value) for key, value in like.data.tags.items()],
        )
        client.log_text(made.info.run_id, TRACE, series.TRACE_FILE)
        client.set_terminated(made.info.run_id)


def on_wandb(folder: Path) -> Iterator[Variant]:
    """Our W&B tracker, and W&B's client with what the tracker wrote, a row a second."""
    from green_optuna.tracking.wandb import schema
    from green_optuna.tracking.wandb.place import Place
    from green_optuna.tracking.wandb.service import open_run

    record = ready_made_record(0)
    rows = list(schema.trace_rows(record, after=-1))
    summary, config = schema.summary(record), schema.config(record)
    place = Place("client", "offline", folder / "client")
    place.make_folder()

    def write() -> None:
        said = {"id": os.urandom(8).hex(), "name": "trial", "group": "tracked", "job_type": "trial"}
        # With the same settings: what W&B does by itself is not at issue.
        run = open_run(place, None, **said, config={})
        for row in rows:
            run.log(row)
        run.config.update(config)
        run.summary.update(summary)
        file = Path(run.dir) / series.TRACE_FILE
        file.parent.mkdir()
        file.write_text(TRACE, encoding="utf-8")
        run.save(str(file), base_path=run.dir, policy="now")
        run.finish()

    tracker = go.WandbTracker("tracker", mode="offline", folder=folder / "tracker")
    yield Variant("WandbTracker, offline", Logs(tracker))
    yield Variant("W&B's client, offline", write)


def report(times: dict[str, list[float]]) -> Iterator[str]:
    """Give the lines of the table: medians, and each tracker's by its client's."""
    yield f"| a trial with a trace of {TRACE_POINTS} points | ms | by the client alone |"
    yield "|---|---:|---:|"
    medians = {name: statistics.median(each_ms) for name, each_ms in times.items()}
    names = list(medians)
    for ours, theirs in zip(names[::2], names[1::2], strict=True):
        yield f"| {ours} | {medians[ours]:.0f} | {medians[ours] / medians[theirs]:.2f} |"
        yield f"| {theirs} | {medians[theirs]:.0f} | 1 |"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="trials of each variant")
    rounds = parser.parse_args().rounds
    logging.getLogger("alembic").setLevel(logging.ERROR)
    os.environ |= {"MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_DISABLE_TELEMETRY": "true"}
    warnings.simplefilter("ignore")
    packages = ["green_optuna", "mlflow"]
    with (
        tempfile.TemporaryDirectory() as name,
        contextlib.chdir(name),
        mlflow_server(f"sqlite:///{name}/server.db", Path(name)) as server,
    ):
        folder = Path(name)
        os.environ["GREEN_OPTUNA_STATE_FOLDER"] = str(folder / "state")
        variants = [
            *on_mlflow(f"sqlite:///{folder / 'mlflow.db'}", "SQLite"),
            *on_mlflow(server.uri, "a server"),
        ]
        if importlib.util.find_spec("wandb"):
            variants += on_wandb(folder)
            packages.append("wandb")
        times = measure(variants, rounds)
    print("\n".join(machine(packages)))
    print(f"medians of {rounds} trials each\n")
    print("\n".join(report(times)))


if __name__ == "__main__":
    main()
