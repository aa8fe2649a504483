"""When Weights & Biases is missing, cannot be reached, or is set up wrongly."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from servers import free_port

import green_optuna as go
from green_optuna.errors import OptionError, TrackerError
from green_optuna.terms import read_terms
from green_optuna.tracking import spool

from .records import GRID, logged, make_record

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "0123456789abcdef0123" * 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"project": "a/b"}, r"project is 'a/b'.*it has /.*1 to 128 characters"),
        ({"project": "p" * 129}, "it has 129 characters"),
        ({"project": " "}, "project is ' '"),
        ({"mode": "disabled"}, 'mode is \'disabled\': give "online", "offline"'),
        ({"flush_interval_s": 0}, "flush_interval_s is 0"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_at_once(
    options: dict[str, Any], said: str
) -> None:
    """The error names the value, and what can be given."""
    with pytest.raises(OptionError, match=said):
        go.WandbTracker(**options)


def test_wandbs_own_rule_for_projects_is_ours() -> None:
    """Each character that W&B refuses is refused, and no other."""
    import wandb

    for character in map(chr, range(33, 127)):
        ours = theirs = True
        try:
            go.WandbTracker(f"a{character}b")
        except OptionError:
            ours = False
        try:
            wandb.Settings(project=f"a{character}b")
        except wandb.errors.UsageError:
            theirs = False
        assert ours == theirs, character


@pytest.mark.parametrize(
    ("variable", "value"), [("WANDB_PROJECT", "a:b"), ("WANDB_MODE", "shared")]
)
def test_an_environment_that_cannot_be_used_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes with the first trial, and says which variable it is."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(TrackerError, match=variable):
        go.WandbTracker().start_trial(make_record())


def test_wandb_switched_off_by_its_own_variable_is_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WANDB_MODE=disabled makes no run and no trouble."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    tracker = go.WandbTracker()
    assert tracker.start_trial(make_record()) is None
    tracker.finish_trial(make_record(state="complete"))
    assert not [*tmp_path.rglob("*.wandb")]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """W&B would go to the temporary files instead."""
    (tmp_path / "file").write_text("")
    tracker = go.WandbTracker(mode="offline", folder=tmp_path / "file" / "x")
    with pytest.raises(TrackerError, match=r"cannot write to .*WandbTracker\(folder=\.\.\.\)"):
        tracker.start_trial(make_record())


def test_without_wandb_the_line_that_installs_it_is_said(tmp_path: Path) -> None:
    """At construction, though a folder of W&B's runs looks like a package; the rest works."""
    (tmp_path / "wandb").mkdir()
    code = (
        "import importlib.machinery, sys\n"
        "import green_optuna as go\n"
        "sys.path = [p for p in sys.path if 'packages' not in p]\n"
        "sys.path.insert(0, '')\n"
        "try:\n    go.WandbTracker(mode='offline')\n"
        "except go.MissingPackageError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert 'pip install "green_optuna[wandb]"' in done.stdout


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Give the address of a server that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def run_in_python(
    code: str, tmp_path: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of its own, for W&B reads its environment once; nobody can type into it."""
    head = "import optuna, green_optuna as go\noptuna.logging.set_verbosity(optuna.logging.ERROR)\n"
    return subprocess.run(
        [sys.executable, "-c", head + code],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        env=os.environ | environment,
        timeout=60,
    )


STUDY = """
@go.green_objective(
    grid=go.Grid(carbon_intensity_g_per_kwh=100.0, source="the test"),
    meter=go.ReplayMeter(cpu_w=50.0),
    trackers=[go.WandbTracker(mode="online")],
)
def objective(trial):
    return trial.suggest_float("x", 0.0, 1.0), 10

study = go.create_study("s")
study.optimize(objective, n_trials=3)
print([trial.state.name for trial in study.trials])
"""


def test_who_is_not_logged_in_is_told_and_not_asked(tmp_path: Path) -> None:
    """No trial waits for it or fails, and the way out is said once."""
    done = run_in_python(STUDY, tmp_path)
    assert "['COMPLETE', 'COMPLETE', 'COMPLETE']" in done.stdout
    assert done.stderr.count("has no API key") == 1
    assert '`wandb login`, set WANDB_API_KEY, or pass WandbTracker(mode="offline")' in done.stderr


def test_a_server_that_is_away_costs_no_trial(tmp_path: Path) -> None:
    """It is said once, without the key, and the records are kept on disk."""
    url = f"http://127.0.0.1:{free_port()}"
    done = run_in_python(STUDY, tmp_path, WANDB_BASE_URL=url, WANDB_API_KEY=KEY)
    assert "['COMPLETE', 'COMPLETE', 'COMPLETE']" in done.stdout
    assert done.stderr.count(f"W&B at {url} does not take runs") == 1
    assert KEY not in done.stdout + done.stderr
    (kept,) = (tmp_path / "state" / "spool").glob("*.jsonl")
    text = kept.read_text(encoding="utf-8")
    assert text.count("\n") == 3
    assert KEY not in text


@pytest.mark.slow
def test_a_server_that_says_nothing_is_not_asked_at_each_trial(
    tmp_path: Path, silent_server: str
) -> None:
    """The first trial finds out, and the next ones do not wait again."""
    code = STUDY + "print(objective.options.trackers[0]._own.patience._again_at_s > 0)"
    done = run_in_python(code, tmp_path, WANDB_BASE_URL=silent_server, WANDB_API_KEY=KEY)
    assert "['COMPLETE', 'COMPLETE', 'COMPLETE']\nTrue" in done.stdout
    assert done.stderr.count("timed out") == 1


def test_a_trial_that_wandb_does_not_take_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The values are in Optuna, the record is on disk, and the user is told once."""
    (tmp_path / "file").write_text("")
    tracker = go.WandbTracker(mode="offline", folder=tmp_path / "file")

    @go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[tracker])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return trial.suggest_float("x", 0.0, 1.0), 10

    study = go.create_study("s")
    study.optimize(objective, n_trials=2)
    assert all(trial.state.name == "COMPLETE" for trial in study.trials)
    (warning,) = logged(caplog)
    assert "cannot write to" in warning.getMessage()
    terms = read_terms(study)
    assert terms is not None
    assert len(spool.path(terms).read_text(encoding="utf-8").splitlines()) == 2
