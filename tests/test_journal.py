"""What running trials have spent is on disk while they run, and no longer."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.journal.file import (
    JournalFile,
    folder,
    hold,
    left_by_others,
    lock_path,
    own_prefix,
    read_lines,
)
from green_optuna.journal.reader import read_journal

if TYPE_CHECKING:
    import optuna

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")

# Holds a lock until it is killed.
HOLDER = """
import sys, time
from pathlib import Path
if sys.argv[2] == "filelock":
    import filelock
    sys.modules["fcntl"] = None
from green_optuna.journal.file import hold
held = hold(Path(sys.argv[1]))
print(held is not None, flush=True)
time.sleep(600)
"""


def meter() -> go.ReplayMeter:
    """Give a meter that is read often."""
    return go.ReplayMeter(cpu_w=50.0, sample_interval_s=0.01)


def journals(state: Path) -> list[Path]:
    """Give all journals, whichever study's."""
    return sorted(state.glob("journal/*/*.jsonl"))


def wait_for_samples(state: Path, trials: set[int]) -> list[dict[str, Any]]:
    """Wait until the one journal has a sample of each of some trials; give its lines."""
    for _ in range(4000):
        for path in journals(state):
            lines = read_lines(path)
            if trials <= {line["trial"] for line in lines if "t_s" in line}:
                return lines
        time.sleep(0.005)
    pytest.fail("no sample was kept")


def test_a_running_trial_is_on_disk_and_gone_when_it_has_ended(
    sqlite_url: str, tmp_path: Path
) -> None:
    """A header, the trial's start, its samples; for the user's own eyes, without the storage."""
    seen: list[dict[str, Any]] = []
    modes: list[int] = []

    @go.green_objective(grid=GRID, meter=meter(), trackers=[go.MemoryTracker()])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        seen.extend(wait_for_samples(tmp_path / "state", {trial.number}))
        (path,) = journals(tmp_path / "state")
        modes.extend(stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent))
        assert sqlite_url not in path.read_text()
        return 0.5, 1

    study = go.create_study("s", storage=sqlite_url)
    study.optimize(objective, n_trials=1)
    header, start, sample = seen[:3]
    assert (header["host"], header["pid"], header["study"]) == (platform.node(), os.getpid(), "s")
    assert start["run_ids"].keys() == {"memory"}
    assert start["sources"]["cpu"][0] == "replay"
    joules = sample["energy_kwh"]["cpu"] * 3.6e6
    # The meter is read a moment after the clock.
    assert 0 < joules <= 50.0 * (sample["t_s"] + 0.5)
    assert sample["at"] == pytest.approx(start["started_at"] + sample["t_s"], abs=60)
    if os.name == "posix":
        assert modes == [0o600, 0o700]
    assert [*(tmp_path / "state").glob("journal/*/*")] == []


def test_trials_side_by_side_share_a_file(sqlite_url: str, tmp_path: Path) -> None:
    """One that has ended is marked so while the other runs on."""
    state = tmp_path / "state"
    ended = []

    @go.green_objective(grid=GRID, meter=meter(), trackers=[])
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        wait_for_samples(state, {0, 1})
        if trial.number == 1:
            for _ in range(4000):
                (path,) = journals(state)
                if [one.number for one in read_journal(path)] == [1]:
                    ended.append(path)
                    break
                time.sleep(0.005)
        return 0.5, 1

    go.create_study("s", storage=sqlite_url).optimize(objective, n_trials=2, n_jobs=2)
    assert len(ended) == 1
    assert journals(state) == []


def test_a_sample_says_how_many_runs_it_is_of(sqlite_url: str, tmp_path: Path) -> None:
    """A process may be killed in the middle of a later run: its energy is that of several."""
    state, seen = tmp_path / "state", []

    @go.green_objective(grid=GRID, meter=meter(), trackers=[], repeats=2)
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        for _ in range(4000):
            (left,) = (one for path in journals(state) for one in read_journal(path))
            measurement = left.measurement(GRID)
            if measurement is not None and measurement.runs > trial.run:
                seen.append(measurement.runs)
                break
            time.sleep(0.005)
        return 0.5, 1

    go.create_study("s", storage=sqlite_url).optimize(objective, n_trials=1)
    assert seen == [1, 2]


def test_a_study_in_memory_leaves_nothing_on_disk(tmp_path: Path) -> None:
    """It is gone with its process: there is nothing to fold into."""

    @go.green_objective(grid=GRID, meter=meter(), trackers=[])
    def objective(_: optuna.Trial) -> tuple[float, int]:
        assert not (tmp_path / "state" / "journal").exists()
        return 0.5, 1

    go.create_study().optimize(objective, n_trials=1)


@pytest.mark.parametrize("obstacle", ["file", "link"])
def test_a_journal_that_cannot_be_kept_costs_no_trial(
    obstacle: str, sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once in all; and a link that someone put there is not followed."""
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state.mkdir()
    elsewhere.mkdir()
    if obstacle == "file":
        (state / "journal").write_text("in the way")
    else:
        (state / "journal").symlink_to(elsewhere, target_is_directory=True)
    decorate = go.green_objective(grid=GRID, meter=meter(), trackers=[])
    study = go.create_study("s", storage=sqlite_url)
    for _ in range(2):
        study.optimize(decorate(lambda _: (0.5, 1)), n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4
    assert caplog.text.count("cannot be kept on disk") == 1
    assert list(elsewhere.iterdir()) == []


def test_a_journal_does_not_grow_with_its_trials() -> None:
    """Samples are thinned evenly, the last one stays; what has ended goes."""
    file = JournalFile("study", {"version": 1, "host": "here", "pid": 1}, max_bytes=20_000)
    for number in range(2):
        file.append([start_line(number)])
    file.append([sample_line(0, 1.0), {"trial": 0, "ended": True}])
    for second in range(1, 2001):
        file.append([sample_line(1, float(second))])
    (path,) = folder("study").glob("*.jsonl")
    assert path.stat().st_size <= 40_000
    (left,) = read_journal(path)
    ages_s = [t_s for t_s, _ in left.samples]
    assert (left.number, ages_s[-1]) == (1, 2000.0)
    assert 50 < len(ages_s) < 500
    assert ages_s[0] < 50
    assert max(np.diff(ages_s)) < 100
    file.remove()
    assert list(folder("study").iterdir()) == []


def start_line(number: int) -> dict[str, Any]:
    """Give the line with which a trial starts."""
    sources = {"cpu": ["replay", False, False, 0.0]}
    return {
        "trial": number,
        "started_at": 1e9,
        "run_ids": {},
        "sources": sources,
        "fingerprint": "f",
    }


def sample_line(number: int, t_s: float) -> dict[str, Any]:
    """Give a sample of a trial of 3.6 kW."""
    energy_kwh = {"cpu": t_s / 1000, "gpu": 0.0, "ram": 0.0}
    at = 1e9 + t_s
    return {"trial": number, "at": at, "t_s": t_s, "energy_kwh": energy_kwh, "shared": False}


def journal_text(*lines: dict[str, Any]) -> str:
    """Give the text of a journal, from its header on."""
    header = {"version": 1, "host": "here", "pid": 1, "study": "s", "sample_interval_s": 1.0}
    return "".join(json.dumps(line) + "\n" for line in (header, *lines))


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_last_line_costs_that_line(tmp_path: Path, cut: int) -> None:
    """What stood before it is read."""
    text = journal_text(start_line(3), sample_line(3, 1.0), sample_line(3, 2.0))
    path = tmp_path / "torn.jsonl"
    path.write_text(text[:-cut])
    (left,) = read_journal(path)
    # Without its line break alone, it is whole.
    assert [t_s for t_s, _ in left.samples] == ([1.0, 2.0] if cut == 1 else [1.0])


def test_what_is_no_line_of_a_journal_is_passed_over(tmp_path: Path) -> None:
    """Whoever wrote it there: of the trial, what is sound is read, and no joule is invented."""
    bad: list[dict[str, Any]] = [
        sample_line(3, -1.0),
        sample_line(3, 0.5),
        sample_line(8, 1.0),
        sample_line(3, 9.0) | {"energy_kwh": {"cpu": "much", "gpu": 0, "ram": 0}},
        sample_line(3, 9.0) | {"energy_kwh": {"cpu": -1.0, "gpu": 0, "ram": 0}},
        sample_line(3, 9.0) | {"energy_kwh": None},
        {"trial": [], "ended": True},
        {"trial": 4},
        start_line(5) | {"sources": 3},
    ]
    text = journal_text(start_line(3), sample_line(3, 1.0), *bad, sample_line(3, 2.0))
    path = tmp_path / "foreign.jsonl"
    path.write_bytes(b"\xff\xfe\x00\n[1]\n" + text.encode() + b'{"trial": NaN}\n\n')
    (left,) = read_journal(path)
    assert [(t_s, energy.total_kwh) for t_s, energy in left.samples] == [(1.0, 1e-3), (2.0, 2e-3)]
    measurement = left.measurement(GRID)
    assert measurement is not None
    assert measurement.trace.cpu_w.tolist() == pytest.approx([3600.0, 3600.0])
    assert measurement.mean_power_w == pytest.approx(3600.0)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
keys = ["version", "trial", "host", "pid", "t_s", "at", "energy_kwh", "shared", "ended", "sources"]


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.sampled_from([*keys, "run_ids", "started_at"]), anything)))
def test_no_content_of_a_journal_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any]]
) -> None:
    """A file that somebody else wrote cannot stop a worker."""
    path = tmp_path_factory.mktemp("any") / "any.jsonl"
    text = journal_text(start_line(3), *lines, sample_line(3, 1.0))
    path.write_text(text, encoding="utf-8", errors="replace")
    for left in read_journal(path):
        left.measurement(GRID)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
@pytest.mark.parametrize("lock", ["fcntl", "filelock"])
def test_a_lock_is_free_once_its_process_is_killed(
    lock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before; by the system's own locks, and where there are none, by filelock's."""
    path = tmp_path / "one.lock"
    root = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), lock],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "True\n"
            if lock == "filelock":
                monkeypatch.setitem(sys.modules, "fcntl", None)
            assert hold(path) is None
        finally:
            holder.send_signal(signal.SIGKILL)
    release = hold(path)
    assert release is not None
    release()


def end_in_child(run: Any, queue: Any) -> None:  # noqa: ANN401 - a trial's journal, a queue
    """Do in a forked child what it inherited the means for."""
    run.begin(1, started_at=0.0, run_ids={})
    run.sample()
    run.end(0)
    queue.put(own_prefix())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_leaves_the_journal_to_its_parent(sqlite_url: str, tmp_path: Path) -> None:
    """It neither writes to it nor removes it, nor lets go of it."""
    from green_optuna.energy import sampler_for
    from green_optuna.journal import Journal

    study = go.create_study("s", storage=sqlite_url)
    sampler = sampler_for(meter())
    sampler.start()
    journal = Journal(study, "study", sampler)
    journal.begin(0, started_at=0.0, run_ids={})
    (path,) = journals(tmp_path / "state")
    before = path.read_text()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=end_in_child, args=(journal, queue))
    child.start()
    prefix = queue.get(timeout=120)
    child.join()
    assert path.read_text() == before
    assert lock_path(path).exists()
    assert prefix != own_prefix()
    assert left_by_others("study") == []
    journal.end(0)
    assert journals(tmp_path / "state") == []
