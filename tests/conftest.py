"""What every test shares: a quiet environment, folders of its own, and two storages."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import hypothesis
import optuna
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# No test claims a speed, and the first example of many pays for an import.
hypothesis.settings.register_profile("green_optuna", deadline=None)
hypothesis.settings.load_profile("green_optuna")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test writes in its own folder, and the user's settings out of it."""
    for name in os.environ:
        if name.startswith(("GREEN_OPTUNA_", "MLFLOW_", "WANDB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GREEN_OPTUNA_STATE_FOLDER", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _quiet_optuna() -> Iterator[None]:
    """Leave Optuna's log out of the tests' output."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(verbosity)


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C through, here and to processes that are started from here.

    The tests may run as a job in the background of a script, where SIGINT is ignored.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def _own_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the modules that a test's own files made."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def memory_storage() -> optuna.storages.BaseStorage:
    """Give a storage that lives as long as the test."""
    return optuna.storages.InMemoryStorage()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of a storage in a file, which several processes can share."""
    return f"sqlite:///{tmp_path / 'studies.db'}"
