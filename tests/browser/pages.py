"""A browser that reaches this machine alone, and servers for it to look at."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, Dialog, Page, Route

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

# A server that imports all of MLflow on a busy machine.
STARTS_WITHIN_S = 120.0


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
        outside: The addresses that are not on this machine and that it asked for, in vain.
        dialogs: What it said in dialogs: scripts that should not have run.
    """

    page: Page
    outside: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@contextlib.contextmanager
def visiting(browser: Browser, *, width: int = 1500, height: int = 1500) -> Iterator[Visit]:
    """Open a page, and windows that it opens, which reach this machine alone."""
    context = browser.new_context(viewport={"width": width, "height": height})
    visit = Visit(context.new_page())

    def pass_on(route: Route) -> None:
        url = route.request.url
        if url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            route.continue_()
        else:
            visit.outside.append(url)
            route.abort()

    def note(dialog: Dialog) -> None:
        visit.dialogs.append(dialog.message)
        dialog.dismiss()

    def watch(page: Page) -> None:
        page.on("dialog", note)

    context.route("**/*", pass_on)
    context.add_init_script(NO_ASSISTANT)
    watch(visit.page)
    context.on("page", watch)
    try:
        yield visit
    finally:
        context.close()


def free_port() -> int:
    """Give a port of this machine on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def serving(command: Sequence[str], folder: Path, *, health: str) -> Iterator[str]:
    """Run a server until it is no longer looked at; give its address.

    Args:
        command: The server and its arguments; ``--host`` and ``--port`` are added.
        folder: Where it works, and writes its log.
        health: What follows the address of a page that says that the server is there.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    arguments = [*command, "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    try:
        _wait_for(f"{address}{health}", process, log)
        yield address
    finally:
        if process.poll() is None:
            # Its workers are in its session, of which it is the leader.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def serving_mlflow(folder: Path) -> contextlib.AbstractContextManager[str]:
    """Run an MLflow server whose runs and files are in a folder; give its address."""
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    return serving(command, folder, health="/health")


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    pause_s = 0.2
    for _ in range(int(STARTS_WITHIN_S / pause_s)):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url).close()
            return
        threading.Event().wait(pause_s)
    raise RuntimeError(f"No server came up at {url}:\n{log.read_text(errors='replace')}")
