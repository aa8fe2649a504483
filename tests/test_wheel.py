"""The wheel: what a user installs works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import green_optuna as go

ROOT = Path(__file__).parents[1]

OBJECTIVE = """
import green_optuna as go

@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
def objective(trial):
    return trial.suggest_float("x", 0, 1), 3
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "-w", str(folder)]
    subprocess.run(pip, check=True, capture_output=True)
    (path,) = folder.glob("green_optuna-*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_runs_a_study_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """The command line finds its configuration in the package, wherever it is."""
    site, folder = tmp_path / "site", tmp_path / "work"
    with zipfile.ZipFile(wheel) as files:
        files.extractall(site)
    folder.mkdir()
    (folder / "mine.py").write_text(OBJECTIVE, encoding="utf-8")

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(site), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "from green_optuna.config import conf_folder; print(conf_folder())"
    assert Path(python("-c", where).strip()) == site / "green_optuna" / "conf"
    assert "front" in python("-m", "green_optuna", "--help")
    assert "A100 SXM4" in python("-m", "green_optuna", "estimate", "--list")
    run = ("-m", "green_optuna", "run", "objective=mine.py:objective", "study.n_trials=2")
    assert "Pareto front of 'mine'" in python(*run)
    study = go.load_study("mine", storage=f"sqlite:///{folder / 'green_optuna.db'}")
    assert len(study.trials) == 2


@pytest.mark.slow
def test_the_wheel_holds_the_package_its_configurations_and_its_types(
    wheel: Path,
) -> None:
    """All modules, their data and all of conf/ are in it, and nothing else of the checkout."""
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
    inside = {name for name in names if not name.partition("/")[0].endswith(".dist-info")}
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("green_optuna/**/*.py")}
    configurations = {
        f"green_optuna/{path.relative_to(ROOT)}" for path in ROOT.glob("conf/**/*.yaml")
    }
    assets = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("green_optuna/report/page/assets/*")
        if path.suffix in (".css", ".js", ".j2")
    }
    assert len(assets) == len([*ROOT.glob("green_optuna/report/page/assets/*")])
    data = {"green_optuna/py.typed", "green_optuna/devices.csv"}
    assert inside == modules | configurations | assets | data
