"""A study in optuna-dashboard: it knows nothing of us, and reads what Optuna keeps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from servers import Server

import green_optuna as go

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dashboard(folder: Path) -> Iterator[str]:
    """Give the address of a dashboard that shows a study of ours."""
    storage = f"sqlite:///{folder / 'studies.db'}"

    @go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return trial.suggest_float("x", 0, 1), 10

    go.create_study("digits", storage=storage).optimize(objective, n_trials=5)
    server = Path(sys.executable).with_name("optuna-dashboard")
    with Server([str(server), storage], folder, health="/dashboard") as running:
        yield running.uri


def test_the_dashboard_shows_the_objectives_by_their_names(page: Page, dashboard: str) -> None:
    """The study's page names quality loss, CO2e with its unit, and parameters."""
    page.goto(f"{dashboard}/dashboard/studies/1")
    expect(page.get_by_text("digits").first).to_be_visible(timeout=60_000)
    for name in ("quality_loss", "co2e_kg", "n_params"):
        expect(page.get_by_text(name).first).to_be_visible(timeout=60_000)
