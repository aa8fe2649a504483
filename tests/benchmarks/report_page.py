"""How long the page of a study takes: to be written, to be opened, and to answer.

    PYTHONPATH=tests python tests/benchmarks/report_page.py [--trials 100 1000 10000] [--visits 5]

Studies of made-up trials, with four hyperparameters and up to thirty reports each, are read from
memory and written as one page. Chromium opens it from the file, in a new context each time; the
first visit of each page is not counted. Printed, as a Markdown table, are medians; it claims
nothing.

- *front*: ``go.pareto_front(study)``, s.
- *written*: ``front.report(path)``, s, once that has been called before.
- *points*: from the opening until the first figure has its points, s.
- *click*: from a click on a member until the details, the table and the first figure show it, ms.
- *filter*: from a letter in the filter of the table until the rows that have it are listed, ms.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from browser.pages import find_chromium, opened_chromium, visiting
from made import made_study

import green_optuna as go

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The time that the page itself sees, without the way of the commands that drive it.
CLICK = """
() => new Promise((resolve) => {
  const button = document.querySelector("#front button[data-select]");
  const began = performance.now();
  button.click();
  requestAnimationFrame(() => setTimeout(() => {
    const plot = document.querySelector("#pairs .plot");
    const told = document.querySelectorAll("#details thead th").length;
    if (told !== 1 || plot.layout.shapes.length !== 1) throw new Error("no answer");
    resolve(performance.now() - began);
  }));
})
"""
FILTER = """
() => new Promise((resolve) => {
  const field = document.getElementById("trials-filter");
  const began = performance.now();
  field.value = "optimiser=sgd";
  field.dispatchEvent(new Event("input"));
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
})
"""


@dataclass(slots=True)
class Timings:
    """What the page of one study took.

    Attributes:
        n_trials: How many trials the study has.
        front_s: Reading the study, in s.
        written_s: Writing the page, in s.
        size_mb: The page, in MB.
        points_s: Until the first figure had its points, in s, a visit each.
        click_ms: Until a click was answered, in ms, a visit each.
        filter_ms: Until the table was filtered, in ms, a visit each.
    """

    n_trials: int
    front_s: float
    written_s: float
    size_mb: float
    points_s: list[float] = field(default_factory=list)
    click_ms: list[float] = field(default_factory=list)
    filter_ms: list[float] = field(default_factory=list)

    def row(self) -> str:
        """Give a row of the table."""
        points, click, filtering = (
            statistics.median(part) for part in (self.points_s, self.click_ms, self.filter_ms)
        )
        return (
            f"| {self.n_trials} | {self.front_s:.2f} | {self.written_s:.2f} | {self.size_mb:.1f} | "
            f"{points:.2f} | {click:.0f} | {filtering:.0f} |"
        )


def write_page(path: Path, n_trials: int) -> Timings:
    """Make a study and write its page."""
    study = made_study(n_trials)
    began_s = time.perf_counter()
    front = go.pareto_front(study)
    read_s = time.perf_counter()
    front.report(path)
    written_s = time.perf_counter()
    return Timings(n_trials, read_s - began_s, written_s - read_s, path.stat().st_size / 1e6)


def visit_page(browser: Browser, path: Path, timings: Timings, *, counted: bool) -> None:
    """Open a page, select a trial and filter its table."""
    with visiting(browser, alone=path.as_uri()) as visit:
        began_s = time.perf_counter()
        visit.page.goto(path.as_uri(), wait_until="commit")
        visit.page.locator("#pairs .scatterlayer .point").first.wait_for(timeout=300_000)
        shown_s = time.perf_counter() - began_s
        visit.page.wait_for_timeout(2_000)  # the other figures near the screen are drawn by then
        click_ms, filter_ms = (visit.page.evaluate(script) for script in (CLICK, FILTER))
    if counted:
        timings.points_s.append(shown_s)
        timings.click_ms.append(click_ms)
        timings.filter_ms.append(filter_ms)


def main() -> None:
    """Write, visit and print."""
    parser = argparse.ArgumentParser(description="Time the report of a study.")
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000], metavar="N")
    parser.add_argument("--visits", type=int, default=5, help="counted visits of each page [5]")
    args = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        parser.error("there is no chromium on the PATH: apt-get install chromium")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name, opened_chromium(chromium) as browser:
        write_page(Path(name) / "first.html", 10)  # the first one imports what it needs
        measured = []
        for n_trials in args.trials:
            path = Path(name) / f"{n_trials}.html"
            measured.append(write_page(path, n_trials))
            for visit in range(args.visits + 1):
                visit_page(browser, path, measured[-1], counted=visit > 0)
        chromium_version = browser.version
    versions = ", ".join(f"{name} {version(name)}" for name in ("optuna", "plotly", "playwright"))
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}, {versions}, Chromium {chromium_version}\n")
    print(
        "| trials | front, s | written, s | size, MB | points after, s | click, ms | filter, ms |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for timings in measured:
        print(timings.row())


if __name__ == "__main__":
    main()
