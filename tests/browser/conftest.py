"""A browser for the tests here, and the servers that it looks at, one of each a module."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import optuna
import pytest

from .pages import find_chromium, opened_chromium, visiting
from .reports import Reports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from .reports import Looking

BREACHES = """
window.breaches = [];
document.addEventListener("securitypolicyviolation", (one) => breaches.push(one.violatedDirective));
"""


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


@pytest.fixture(scope="module")
def reports(folder: Path) -> Reports:
    """Give reports of made-up studies; a module makes those alone that it looks at."""
    return Reports(folder)


@pytest.fixture
def looking(chromium: Browser, reports: Reports) -> Looking:
    """Open a study's page from its file; it asks for nothing, and nothing in it breaks."""

    @contextlib.contextmanager
    def look(kind: str, **options: Any) -> Iterator[Page]:  # noqa: ANN401 - those of `visiting`
        url = reports.path(kind).as_uri()
        with visiting(chromium, alone=url, **{"height": 1000, **options}) as visit:
            scripts = options.get("scripts", True)
            visit.page.add_init_script(BREACHES)
            visit.page.goto(url)
            yield visit.page
            assert visit.outside == []
            assert visit.dialogs == []
            assert visit.errors == []
            assert not scripts or visit.page.evaluate("window.breaches") == []

    return look
