"""Draw the README's pictures of a study's report, light and dark: a search, then what is on top.

PYTHONPATH=tests python -m browser.report_pictures
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import green_optuna as go

from .pages import find_chromium, opened_chromium, visiting
from .screenshots import ROOT, run_example, shrink

if TYPE_CHECKING:
    from typing import Literal

    from playwright.sync_api import Browser

WIDTH = 1280

# A README is read over slow lines too.
MOST_BYTES = 200_000


def main() -> None:
    """Run the example in a folder of its own, and draw the report of its study."""
    parser = argparse.ArgumentParser(description="Draw the README's pictures of the report.")
    parser.add_argument("--n-trials", type=int, default=100, help="trials of the study [100]")
    parser.add_argument("--page", type=Path, help="a report that is there, instead of the example")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "examples" / "images", help="the folder of the pictures"
    )
    args = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        parser.error("there is no chromium on the PATH: apt-get install chromium")
    with tempfile.TemporaryDirectory() as name:
        page = args.page
        if page is None:
            front = go.pareto_front(run_example(Path(name), args.n_trials))
            page = front.report(Path(name) / "report.html")
        with opened_chromium(chromium) as browser:
            draw_top(browser, page, args.to / "report.png", "light")
            draw_top(browser, page, args.to / "report_dark.png", "dark")


def draw_top(browser: Browser, page: Path, path: Path, colours: Literal["light", "dark"]) -> None:
    """Draw what stands on top of a report, down to the figures of the front."""
    url = page.resolve().as_uri()
    with visiting(browser, width=WIDTH, height=2000, alone=url, colours=colours) as visit:
        visit.page.goto(url)
        figures = visit.page.locator("#pairs .plot")
        for number in range(figures.count()):
            figures.nth(number).locator(".main-svg").first.wait_for()
        visit.page.wait_for_timeout(2000)  # what is drawn in three dimensions has no such sign
        box = visit.page.locator("#pairs").bounding_box()
        assert box is not None
        bottom = box["y"] + box["height"] + 16
        visit.page.screenshot(path=path, clip={"x": 0, "y": 0, "width": WIDTH, "height": bottom})
    shrink(path)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, over {MOST_BYTES}.")


if __name__ == "__main__":
    main()
