"""Draw the README's picture of a notebook: cells of the quickstart as they are kept.

PYTHONPATH=tests python -m browser.notebook_picture
"""

from __future__ import annotations

import argparse
import html
from pathlib import Path

from notebooks import ROOT, code_cells, html_of, read_quickstart

from .pages import find_chromium, opened_chromium, visiting
from .screenshots import shrink

WIDTH = 1000
CELLS = ("search", "choice", "measure")
STYLE = """
body { font: 14px sans-serif; margin: 16px; }
pre { background: #f5f5f5; border: 1px solid #ddd; padding: 8px; margin: 12px 0 8px; }
"""


def page_of_cells() -> str:
    """Give a page of some cells, each its code and what it shows."""
    cells = {cell.id: cell for cell in code_cells(read_quickstart())}
    shown = "".join(
        f"<pre>{html.escape(cells[name].source)}</pre>{html_of(cells[name])}" for name in CELLS
    )
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><body>{shown}</body>"


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description="Draw the README's picture of a notebook.")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "examples" / "images" / "notebook.png", help="the file"
    )
    args = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        parser.error("there is no chromium on the PATH: apt-get install chromium")
    with opened_chromium(chromium) as browser, visiting(browser, width=WIDTH, height=600) as visit:
        visit.page.set_content(page_of_cells())
        visit.page.screenshot(path=args.to, full_page=True)
    shrink(args.to)


if __name__ == "__main__":
    main()
