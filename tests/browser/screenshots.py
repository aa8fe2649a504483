"""Draw the README's picture of a study's view in MLflow: a search, then what Chromium shows of it.

PYTHONPATH=tests python -m browser.screenshots
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from servers import mlflow_server

from green_optuna.study import load_study
from green_optuna.terms import read_links

from .pages import find_chromium, opened_chromium, visiting

if TYPE_CHECKING:
    import optuna
    from playwright.sync_api import FloatRect

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 1400, 1560
# MLflow's own menu is left out.
CLIP: FloatRect = {"x": 200, "y": 0, "width": WIDTH - 200, "height": HEIGHT}


def main() -> None:
    """Run the example in a folder of its own, and draw the view of its study."""
    parser = argparse.ArgumentParser(description="Draw the README's picture of MLflow.")
    parser.add_argument("--n-trials", type=int, default=60, help="trials of the study [60]")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "examples" / "images" / "mlflow_view.png", help="the file"
    )
    args = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        parser.error("there is no chromium on the PATH: apt-get install chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = run_example(folder, args.n_trials)
        page = read_links(study)["mlflow"].partition("/#/")[2]
        with mlflow_server(f"sqlite:///{folder / 'mlflow.db'}", folder) as server:
            draw(chromium, f"{server.uri}/#/{page}", args.to)


def run_example(folder: Path, n_trials: int) -> optuna.Study:
    """Run the example in a folder, and give its study."""
    example = [sys.executable, str(ROOT / "examples" / "digits.py"), "--n-trials", str(n_trials)]
    state = {"GREEN_OPTUNA_STATE_FOLDER": str(folder / "state")}
    subprocess.run(example, cwd=folder, env=os.environ | state, check=True)
    return load_study("digits", storage=f"sqlite:///{folder / 'digits.db'}")


def draw(chromium: str, url: str, path: Path) -> None:
    """Draw what a page shows once its charts stand."""
    with (
        opened_chromium(chromium) as browser,
        visiting(browser, width=WIDTH, height=HEIGHT) as visit,
    ):
        page = visit.page
        page.goto(url)
        # The bar that says that the view is shared.
        page.get_by_text("You're viewing a shared view").locator("..").wait_for(timeout=60_000)
        page.locator(".scatterlayer .point").first.wait_for(timeout=60_000)
        # A chart is drawn when it is in sight; of a trial under a second, a line is one point.
        for title in ("energy/cpu_w", "energy/cumulative_kwh", "energy/cumulative_co2e_kg"):
            card = page.get_by_test_id("experiment-view-compare-runs-card").filter(has_text=title)
            line = card.locator(".scatterlayer path.js-line").first
            line.wait_for(state="attached", timeout=60_000)
        page.wait_for_timeout(1000)  # the charts fade in
        page.screenshot(path=path, clip=CLIP)
    shrink(path)


def shrink(path: Path) -> None:
    """Give a picture a palette, which halves its file."""
    from PIL import Image  # MLflow brings it

    with Image.open(path) as picture:
        picture.convert("RGB").quantize(colors=192).save(path, optimize=True)


if __name__ == "__main__":
    main()
