"""How fast a large study opens in MLflow's pages.

    PYTHONPATH=tests python tests/benchmarks/mlflow_ui.py [--trials 2000] [--visits 7]

The same trials with ready-made measurements are logged to two stores in a temporary folder: by
``MLflowTracker``, and by hand with MLflow's client, as runs below a run for the study, with the
same hyperparameters, objectives and points of the trace, and nothing more. A server of one worker
shows each. Chromium opens the pages in turn, with an empty cache each time; the first round, in
which the servers import what they need, is not counted. Printed, as a Markdown table, are medians
of the time from the opening until a run is listed, and of how long the server took to list the
runs; it claims nothing.

- *runs page*: what MLflow shows of an experiment first, with the trials folded below their study.
- *trials, by quality*: the first hundred trials, sorted by an objective.
- *saved view*: the same by the view that ``MLflowTracker`` saves, as a table.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import optuna
from browser.pages import find_chromium, opened_chromium, visiting
from browser.studies import log_study
from servers import Server, mlflow_server

import green_optuna as go
from green_optuna.tracking import series
from green_optuna.tracking.mlflow.view import page as view_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient
    from playwright.sync_api import Browser, Request

    from green_optuna.record import State

SORTED = f"?orderByKey={quote('metrics.`objective/quality_loss`')}&orderByAsc=true"


def mlflow_of(folder: Path) -> Server:
    """Give a server of the store in a folder."""
    return mlflow_server(f"sqlite:///{folder / 'mlflow.db'}", folder)


class ByHand(go.Tracker):
    """Logs what a person would log with MLflow's client: parameters, objectives and trace."""

    name = "by hand"

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        self._experiment = client.create_experiment("green_optuna")
        self._parent = self._create("study")

    def _create(self, name: str, tags: dict[str, str] | None = None) -> str:
        run = self._client.create_run(self._experiment, run_name=name, tags=tags)
        return str(run.info.run_id)

    def start_trial(self, trial: go.TrialRecord) -> str:
        """Open a run below the study's."""
        return self._create(f"trial-{trial.number:04d}", {"mlflow.parentRunId": self._parent})

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Log all in one request, and end the run."""
        from mlflow.entities import Metric, Param

        run_id = trial.run_ids[self.name]
        now_ms = int(time.time() * 1000)
        metrics = [
            Metric(f"objective/{name}", value, now_ms, 0)
            for name, value in trial.objectives.items()
        ]
        metrics += [
            Metric(point.key, point.value, point.timestamp_ms, point.step)
            for point in series.trace_points(trial, after=-1)
        ]
        params = [Param(name, str(value)) for name, value in trial.params.items()]
        self._client.log_batch(run_id, metrics=metrics, params=params)
        self._client.set_terminated(run_id)


@dataclass(slots=True)
class Timings:
    """What the visits of one page took.

    Attributes:
        name: The page, and who logged it.
        url: Its address.
        shown_s: From the opening until a run was listed, in s, a visit each.
        listed_s: How long the request for the runs took, in s, a visit each.
    """

    name: str
    url: str
    shown_s: list[float] = field(default_factory=list)
    listed_s: list[float] = field(default_factory=list)

    def row(self) -> str:
        """Give a row of the table."""
        shown_s, listed_s = (statistics.median(part) for part in (self.shown_s, self.listed_s))
        return f"| {self.name} | {shown_s:.2f} | {listed_s * 1000:.0f} |"


def visit_page(browser: Browser, timings: Timings, *, counted: bool) -> None:
    """Open a page with an empty cache, and wait until it lists a run."""
    listed: list[float] = []

    def note(request: Request) -> None:
        if request.url.endswith("/runs/search") and request.method == "POST":
            timing = request.timing
            listed.append((timing["responseEnd"] - timing["requestStart"]) / 1000)

    with visiting(browser) as visit:
        visit.page.on("requestfinished", note)
        began_s = time.perf_counter()
        visit.page.goto(timings.url)
        visit.page.locator(".ag-row a").first.wait_for(timeout=300_000)
        shown_s = time.perf_counter() - began_s
        visit.page.wait_for_timeout(200)  # the event of a request may come after its effect
    if counted:
        timings.shown_s.append(shown_s)
        timings.listed_s.append(max(listed))


def log_both(folder: Path, n_trials: int) -> tuple[Path, Path, str]:
    """Log the same study twice; give the folders of the stores, and the key of the study."""
    from mlflow import MlflowClient

    ours, by_hand = folder / "ours", folder / "by_hand"
    complete: State = "complete"
    key = ""
    for store in (by_hand, ours):
        store.mkdir()
        uri = f"sqlite:///{store / 'mlflow.db'}"
        with contextlib.chdir(store):
            tracker = go.MLflowTracker(uri) if store == ours else ByHand(MlflowClient(uri))
            _, terms = log_study(
                "large", storage=None, tracker=tracker, states=(complete,) * n_trials
            )
        key = terms.key
    return by_hand, ours, key


def measure(browser: Browser, pages: Sequence[Timings], visits: int) -> None:
    """Visit the pages in turn; the first round is not counted."""
    for visit in range(visits + 1):
        for timings in pages:
            visit_page(browser, timings, counted=visit > 0)


def main() -> None:
    """Log, serve, visit and print."""
    parser = argparse.ArgumentParser(description="Time how a large study opens in MLflow.")
    parser.add_argument("--trials", type=int, default=2000, help="trials of the study [2000]")
    parser.add_argument("--visits", type=int, default=7, help="counted visits of each page [7]")
    args = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        parser.error("there is no chromium on the PATH: apt-get install chromium")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        os.environ["GREEN_OPTUNA_STATE_FOLDER"] = f"{name}/state"
        by_hand, ours, key = log_both(Path(name), args.trials)
        theirs = stack.enter_context(mlflow_of(by_hand)).uri
        green = stack.enter_context(mlflow_of(ours)).uri
        # Compared in the form of a table: charts of our own have no counterpart by hand.
        view = view_page("1", key).partition("&compareRunsMode")[0]
        pages = [
            Timings("runs page, by hand", f"{theirs}/#/experiments/1/runs"),
            Timings("runs page, green_optuna", f"{green}/#/experiments/1/runs"),
            Timings("trials, by quality, by hand", f"{theirs}/#/experiments/1/runs{SORTED}"),
            Timings("trials, by quality, green_optuna", f"{green}/#/experiments/1/runs{SORTED}"),
            Timings("saved view, green_optuna", f"{green}/{view}"),
        ]
        measure(stack.enter_context(opened_chromium(chromium)), pages, args.visits)
    versions = ", ".join(f"{name} {version(name)}" for name in ("mlflow", "optuna", "playwright"))
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}, {versions}\n")
    print(f"| {args.trials} trials, medians of {args.visits} | listed after, s | request, ms |")
    print("|---|---:|---:|")
    for timings in pages:
        print(timings.row())


if __name__ == "__main__":
    main()
