"""A browser that reaches this machine alone."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Route

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# MLflow opens its assistant beside the first page that somebody visits.
NO_ASSISTANT = """
try { localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true") } catch {}
"""


def find_chromium() -> str | None:
    """Give the path of Chromium, or None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def opened_chromium(path: str) -> Iterator[Browser]:
    """Start Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass(slots=True)
class Visit:
    """A page, and what it did that no page should.

    Attributes:
        page: The page.
        outside: The addresses that it may not ask for and that it asked for, in vain.
        dialogs: What it said in dialogs: scripts that should not have run.
        errors: What it said of errors, whether in the console or by a script that broke.
    """

    page: Page
    outside: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextlib.contextmanager
def visiting(
    browser: Browser,
    *,
    width: int = 1500,
    height: int = 1500,
    alone: str | None = None,
    scripts: bool = True,
    colours: Literal["light", "dark"] = "light",
) -> Iterator[Visit]:
    """Open a page, and windows that it opens, which reach this machine alone.

    Args:
        browser: The browser.
        width: Of the window, in pixels.
        height: Of the window, in pixels.
        alone: The address of a file that may ask for nothing but itself; servers of this machine
            may be asked unless it is given.
        scripts: Whether pages may run scripts.
        colours: What the person prefers.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height},
        java_script_enabled=scripts,
        color_scheme=colours,
    )
    visit = Visit(context.new_page())

    def pass_on(route: Route) -> None:
        url = route.request.url
        own = url == alone if alone else url.startswith("http://127.0.0.1:")
        if own or url.startswith(("data:", "blob:")):
            route.continue_()
        else:
            visit.outside.append(url)
            route.abort()

    def note(dialog: Dialog) -> None:
        visit.dialogs.append(dialog.message)
        dialog.dismiss()

    def listen(said: ConsoleMessage) -> None:
        if said.type == "error":
            visit.errors.append(said.text)

    def watch(page: Page) -> None:
        page.on("dialog", note)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on("console", listen)

    context.route("**/*", pass_on)
    context.add_init_script(NO_ASSISTANT)
    watch(visit.page)
    context.on("page", watch)
    try:
        yield visit
    finally:
        context.close()
