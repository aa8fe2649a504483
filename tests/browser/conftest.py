"""A browser for the tests here, and the servers that it looks at, one of each a module."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import optuna
import pytest

from .pages import find_chromium, opened_chromium, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page


# Of a module, for its fixtures make studies too. A report carries what they log, and pytest's
# processes pass on no halves of characters, which hostile names have.
@pytest.fixture(scope="module", autouse=True)
def _quiet_optuna_in_fixtures() -> Iterator[None]:
    """Leave Optuna's log out of what the fixtures of a module write."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(verbosity)


# Of one module: while Playwright runs, no other test could use asyncio.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give Debian's Chromium; where there is none, tests are skipped, but not in a build."""
    path = find_chromium()
    if path is None:
        said = "there is no chromium on the PATH"
        if os.environ.get("CI"):
            pytest.fail(f"{said}: apt-get install chromium")
        pytest.skip(said)
    with opened_chromium(path) as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Give a page; it asks for nothing outside this machine, and opens no dialog."""
    with visiting(chromium) as visit:
        yield visit.page
        assert visit.outside == []
        assert visit.dialogs == []


@pytest.fixture
def _patience() -> Iterator[None]:
    """Wait for a page as long as a busy machine may need."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder for what a module's servers keep, the library's own state included."""
    path = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("GREEN_OPTUNA_", "MLFLOW_")):
                patch.delenv(name)
        patch.setenv("GREEN_OPTUNA_STATE_FOLDER", str(path / "state"))
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("HOME", str(path))
        yield path
