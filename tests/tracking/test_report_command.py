"""The command ``report`` reads energy over time back from where trials were logged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from report.reading import Reading

import green_optuna as go
from green_optuna.cli import main

if TYPE_CHECKING:
    import optuna

STORAGE = "sqlite:///study.db"


@pytest.fixture
def logged(mlflow_uri: str) -> str:
    """Give the store to which a study of three trials was logged."""

    @go.green_objective(
        country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[go.MLflowTracker(mlflow_uri)]
    )
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return trial.suggest_float("x", 0, 1), 10

    go.create_study("digits", storage=STORAGE).optimize(objective, n_trials=3)
    return mlflow_uri


def traced_in(path: str) -> list[str]:
    """The trials whose energy over time a page shows."""
    shown = Reading(Path(path).read_text(encoding="utf-8"))
    return [one["label"] for one in shown.data["traces"]]


def test_energy_over_time_comes_from_the_store_that_is_named(logged: str) -> None:
    """The choice's comes first; figures for a paper show it too."""
    options = ["--storage", STORAGE, "--mlflow-uri", logged, "--figures", "figures"]
    assert main(["report", "digits", *options]) == 0
    front = go.pareto_front(go.load_study("digits", storage=STORAGE))
    assert traced_in("report.html")[0] == front.select().label
    assert {path.name for path in Path("figures").glob("traces.*")} == {"traces.svg", "traces.png"}


def test_a_store_in_the_folder_is_read_unasked_and_none_is_made(
    logged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As MLflow itself would look for it; without one, the page says where to look."""
    there = Path(logged.removeprefix("sqlite:///"))
    assert there.samefile("mlflow.db")
    there.rename("elsewhere.db")
    assert main(["report", "digits", "--storage", STORAGE, "-o", "without.html"]) == 0
    assert traced_in("without.html") == []
    assert "--mlflow-uri" in Path("without.html").read_text(encoding="utf-8")
    assert not Path("mlflow.db").exists()
    Path("elsewhere.db").rename(there)
    assert main(["report", "digits", "--storage", STORAGE, "-o", "with.html"]) == 0
    assert traced_in("with.html")
    assert capsys.readouterr().err == ""


def test_a_store_that_is_away_fails_only_where_it_was_named(
    logged: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named on the command line it is an error; from the environment, the page goes without."""
    assert logged
    away = "http://someone:secret@127.0.0.1:9"
    named = ["report", "digits", "--storage", STORAGE, "--mlflow-uri", away, "-o", "none.html"]
    assert main(named) == 1
    assert not Path("none.html").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", away)
    assert main(["report", "digits", "--storage", STORAGE]) == 0
    said = capsys.readouterr().err
    assert "the report is without energy over time" in said
    assert "secret" not in said
    assert traced_in("report.html") == []
