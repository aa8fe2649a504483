"""Weights & Biases with several processes, and what a process leaves behind: real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .wandb_runs import runs_in

if TYPE_CHECKING:
    from pathlib import Path

# Whoever asks for an address from Python, or for a connection to one, is seen.
MODULE = """
import os, sys, multiprocessing, optuna, green_optuna as go

def see(event, arguments):
    if event == "socket.getaddrinfo" or (
        event == "socket.connect" and not isinstance(arguments[1], (str, bytes))
    ):
        print("network:", event, arguments[1:], file=sys.stderr)

sys.addaudithook(see)

optuna.logging.set_verbosity(optuna.logging.ERROR)

@go.green_objective(
    grid=go.Grid(carbon_intensity_g_per_kwh=100.0, source="the test"),
    meter=go.ReplayMeter(cpu_w=50.0),
    trackers=[go.WandbTracker("tests", mode="offline", folder="runs")],
)
def objective(trial):
    x = trial.suggest_float("x", 0.0, 1.0)
    trial.report(x, 0)
    if trial.user_attrs.get("killed"):
        os._exit(1)
    return x, 10

def storage():
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    return JournalStorage(JournalFileBackend("study.log"))

def work(n_trials):
    go.load_study("s", storage=storage()).optimize(objective, n_trials=n_trials)

def work_in(method, n_processes):
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=work, args=(2,)) for _ in range(n_processes)]
    for process in processes:
        process.start()
    return processes

if __name__ == "__main__":
    go.create_study("s", storage=storage())
    work(1)
    exec(sys.argv[1])
"""

# A worker whose process ends amid a trial, and the next one, which counts and ends it.
KILLED = """
child = os.fork()
if child == 0:
    study = go.load_study("s", storage=storage())
    study.enqueue_trial({}, user_attrs={"killed": True})
    study.optimize(objective, n_trials=1)
os.waitpid(child, 0)
go.load_study("s", storage=storage()).optimize(objective, n_trials=1)
next_worker = os.fork()
if next_worker == 0:
    work(1)
    sys.exit()
os.waitpid(next_worker, 0)
"""


def run(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run the module's end with a study that has one trial of this process already."""
    (tmp_path / "mine.py").write_text(MODULE, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "mine.py", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )


def check_all_are_there(tmp_path: Path, n_trials: int, n_processes: int) -> None:
    """Hold that each trial has one whole run, and each process one for its fronts."""
    runs = runs_in(tmp_path / "runs")
    trials = [one for one in runs if one.meta.job_type == "trial"]
    assert sorted(one.config["green_optuna"]["trial"] for one in trials) == [*range(n_trials)]
    assert all(one.column("report/quality") == [one.config["x"]] for one in trials)
    studies = [one for one in runs if one.meta.job_type == "study"]
    assert len({one.meta.run_id for one in studies}) == n_processes
    assert all("**Pareto front**" in one.meta.notes for one in studies)
    assert all(one.exit_code == 0 for one in runs)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_log_to_one_group_without_losing_a_trial(method: str, tmp_path: Path) -> None:
    """Workers that begin while the parent logs too, each with W&B's service of its own."""
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    run(f"p = work_in({method!r}, 2); work(2); [one.join() for one in p]", tmp_path)
    check_all_are_there(tmp_path, n_trials=7, n_processes=3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_bare_fork_ends_quietly_and_leaves_its_parent_alone(tmp_path: Path) -> None:
    """Its exit takes nothing along that the parent needs; nobody prints, or uses the network."""
    code = "child = os.fork()\nif child == 0: sys.exit()\nos.waitpid(child, 0); work(1)"
    done = run(code, tmp_path)
    check_all_are_there(tmp_path, n_trials=2, n_processes=1)
    lines = done.stderr.splitlines()
    assert ["is estimated on this host" in lines[0], "To send them: wandb sync" in lines[1]] == [
        True,
        True,
    ]
    assert len(lines) == 2
    assert done.stdout == ""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_trial_whose_process_died_is_ended_by_the_next_worker(tmp_path: Path) -> None:
    """Its run has the same id, failed, and says what happened."""
    run(KILLED, tmp_path)
    runs = [one for one in runs_in(tmp_path / "runs") if one.meta.job_type == "trial"]
    by_number = {
        one.config["green_optuna"]["trial"]: one for one in runs if one.exit_code is not None
    }
    assert sorted(by_number) == [0, 1, 2, 3]
    killed = by_number.pop(1)
    assert killed.exit_code == 1
    assert list(killed.meta.tags) == ["killed"]
    assert "killed" in killed.summary["green_optuna/error"]
    # The run that was begun, and the one that replaces it.
    assert len([*(tmp_path / "runs").glob(f"wandb/*-{killed.meta.run_id}*")]) == 2
    assert {one.exit_code for one in by_number.values()} == {0}
