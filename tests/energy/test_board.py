"""The processes of a host keep one account, in a file that they take turns at."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from green_optuna.carbon import Grid
from green_optuna.energy import CodeCarbonMeter, MeterOptions, Sampler
from green_optuna.energy.board import Board, board_path
from green_optuna.errors import MeterError
from green_optuna.units import joules_from_kwh

from .bracketed import Bracketed

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
GRID = Grid(carbon_intensity_g_per_kwh=50.0)
OPTIONS = MeterOptions(
    tracking_mode="process", cpu_power_w=100.0, ram_power_w=10.0, sample_interval_s=0.1
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of an account."""
    return tmp_path / "host.json"


def join(board: Board, name: str) -> list[str]:
    """Take part in an account; give who else does."""
    with board.turn() as (host, now_s):
        host.join(name, now_s, pools=[], ram_w=1.0)
        return sorted(host.members)


def test_what_one_writes_the_other_reads(path: Path) -> None:
    """Two workers with boards of their own meet in the file."""
    assert join(Board(path), "1") == ["1"]
    assert join(Board(path), "2") == ["1", "2"]


def test_a_change_is_kept_though_something_is_raised_meanwhile(path: Path) -> None:
    """What could be settled stays settled."""
    board = Board(path)
    with contextlib.suppress(MeterError), board.turn() as (host, now_s):
        host.join("1", now_s, pools=[], ram_w=1.0)
        raise MeterError("a counter stands still")
    assert join(board, "2") == ["1", "2"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", '{"version": 1}', '{"version": 99, "host": {}}', "\x00"]
)
def test_a_file_that_nobody_can_have_written_is_a_new_account(path: Path, text: str) -> None:
    """An account that is torn, or another version's, is begun anew."""
    path.write_text(text)
    assert join(Board(path), "1") == ["1"]
    assert join(Board(path), "2") == ["1", "2"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at_s", "now"),
        ("at_s", math.nan),
        ("idle_w", -5.0),
        ("idle_w", "10"),
        ("members_cpu_s", None),
        ("outside_j", math.inf),
        ("loads", [[1.0]]),
        ("pools", {"cpu": {"at_s": 1.0, "joules": {"package": "1"}}}),
        ("members", {"abc": {"pools": [], "ram_w": 1.0}}),
        ("members", {f"{10**30}:1": {"pools": [], "ram_w": 1.0}}),
        ("members", {"7:1": {"pools": [], "ram_w": math.nan}}),
        ("members", {"7:1": {"pools": [], "ram_w": 1.0, "running": "1"}}),
        ("members", {"7:1": {"pools": [], "ram_w": 1.0, "charged": [1.0]}}),
        ("members", {"7:1": {"pools": [], "ram_w": 1.0, "charged": [-1.0] * 7}}),
        ("members", {"7:1": {"pools": [], "ram_w": 1.0, "weights": {"ram": [1.0]}}}),
        ("members", {"7:1": {"pools": [], "ram_w": 1.0, "apart_s": [1.0]}}),
        ("children", {"7": ["../8"]}),
    ],
)
def test_an_account_with_impossible_numbers_is_a_new_one(
    path: Path, field: str, value: object
) -> None:
    """What cannot be is neither an error of the trial nor a joule: the account is begun anew."""
    join(Board(path), "1")
    kept = json.loads(path.read_text())
    kept["host"][field] = value
    path.write_text(json.dumps(kept))
    assert join(Board(path), "2") == ["2"]


def test_an_account_too_deep_to_read_is_a_new_one(path: Path) -> None:
    """Brackets without an end are no account."""
    path.write_text("[" * 200_000)
    assert join(Board(path), "1") == ["1"]


def test_an_account_from_before_the_host_was_started_is_a_new_one(path: Path) -> None:
    """Its clock begins at zero with the host: a later time is an older one."""
    board = Board(path)
    join(board, "1")
    kept = json.loads(path.read_text())
    kept["host"]["at_s"] = time.monotonic() + 1e6
    path.write_text(json.dumps(kept))
    assert join(board, "2") == ["2"]


def test_a_shorter_account_leaves_nothing_of_a_longer_one(path: Path) -> None:
    """The file always holds just one account."""
    board = Board(path)
    for number in range(20):
        join(board, str(number))
    with board.turn() as (host, _):
        host.leave([str(number) for number in range(19)])
    assert list(json.loads(path.read_text())["host"]["members"]) == ["19"]


def test_who_clears_the_folder_breaks_nothing(path: Path) -> None:
    """A file that was removed under an open board is made anew, where the others look."""
    board = Board(path)
    join(board, "1")
    path.unlink()
    assert join(board, "2") == ["2"]
    assert join(Board(path), "3") == ["2", "3"]


def test_who_clears_the_folders_as_well_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The folder is made anew like the file, and the others are met again."""
    board = Board()
    join(board, "1")
    shutil.rmtree(board_path().parent)
    assert join(board, "2") == ["2"]
    assert join(Board(), "3") == ["2", "3"]
    assert not caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files there")
def test_a_full_disk_ends_no_trial(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be written is kept in the process, and it is said once."""
    import resource

    board = Board(path)
    join(board, "1")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # A file may not grow: the system refuses it as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, limits[1]))
    try:
        assert join(board, "2") == ["1", "2"]
        assert join(board, "3") == ["1", "2", "3"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert caplog.text.count("is not shared among them") == 1


HOLDER = """
import sys, time
from pathlib import Path
from green_optuna.energy.board import Board
board = Board(Path(sys.argv[1]))
with board.turn() as (host, now_s):
    host.join("1", now_s, pools=[], ram_w=1.0)
    print("holds", flush=True)
    input()
    print(board.is_current(), flush=True)
with board.turn() as (host, now_s):
    print(sorted(host.members), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no locks to hold")
def test_nobody_waits_for_ever_for_a_worker_that_was_stopped_in_its_turn(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others go on with a new account, where it joins them; what it was at is void."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        assert join(Board(path, patience_s=0.2), "2") == ["2"]
        told, _ = holder.communicate("\n")
    assert told.split("\n")[:2] == ["False", "['2']"]
    assert caplog.text.count("the others go on without it") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_child_does_not_hold_its_parents_lock(path: Path) -> None:
    """A worker that is killed in its turn leaves the account free, whatever it has forked."""
    fcntl = pytest.importorskip("fcntl")
    board = Board(path)
    ours, theirs = os.pipe()
    with board.turn():
        child = os.fork()
        if child == 0:
            os.write(theirs, b"up")
            signal.pause()
        try:
            os.read(ours, 1)
            # As if it were killed now: its files are closed, and nothing is unlocked.
            board.close()
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(ours)
            os.close(theirs)


def test_without_a_file_the_account_is_this_processs_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no file can be kept, measuring goes on, and it is said once that nobody shares."""
    board = Board(tmp_path / "missing" / "host.json")
    assert join(board, "1") == ["1"]
    assert join(board, "2") == ["1", "2"]
    assert caplog.text.count("is not shared among them") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no symbolic links to be had")
def test_a_link_in_the_files_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    """Another user might have put it there; what it leads to is not written to."""
    target = tmp_path / "target"
    target.write_text("precious")
    path.symlink_to(target)
    assert join(Board(path), "1") == ["1"]
    assert target.read_text() == "precious"


def test_the_account_is_in_the_state_folder_if_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else with the temporary files, in a folder of the user's own; two hosts have two."""
    assert board_path().parent == tmp_path / "state" / "hosts"
    assert board_path() == board_path()
    monkeypatch.delenv("GREEN_OPTUNA_STATE_FOLDER")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = board_path().parent
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o077 == 0


WORKER = """
import sys, time
from green_optuna.carbon import Grid
from green_optuna.energy import CodeCarbonMeter, MeterOptions, Sampler
from green_optuna.units import joules_from_kwh
sampler = Sampler(CodeCarbonMeter(MeterOptions(
    tracking_mode="process", cpu_power_w=100.0, ram_power_w=10.0, sample_interval_s=0.1)))
sampler.start()
print("ready", flush=True)
input()
window = sampler.open()
opened_at_s = time.monotonic()
print("open", flush=True)
input()
least_s = time.monotonic() - opened_at_s
measurement = sampler.close(window, Grid(carbon_intensity_g_per_kwh=50.0))
print(joules_from_kwh(measurement.energy.ram_kwh), least_s, measurement.shared)
"""


class Worker:
    """A process that measures one trial, told when to begin it and when to end it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def hear(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        """Tell it to take the next step."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self) -> tuple[float, float, bool]:
        """The memory's energy in J, how long it ran at least in s, and whether it was shared."""
        joules, least_s, shared = self.hear().split()
        return float(joules), float(least_s), shared == "True"


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    """Three processes, ready to begin; ended with the test."""
    made = [Worker() for _ in range(3)]
    yield made
    for worker in made:
        worker.process.kill()
        worker.process.communicate()


@pytest.mark.slow
def test_the_memory_counts_once_for_all_processes_that_measure_side_by_side(
    workers: list[Worker],
) -> None:
    """Three trials in three processes: their sum is 10 W over the time in which any ran."""
    for worker in workers:
        assert worker.hear() == "ready"
    began_s = time.monotonic()
    for worker in workers:
        worker.go_on()
        assert worker.hear() == "open"
        time.sleep(0.2)
    results = []
    for worker in workers:
        worker.go_on()
        results.append(worker.result())
    ended_s = time.monotonic()
    assert all(shared for _, _, shared in results)
    whole_j = sum(joules for joules, _, _ in results)
    assert 10.0 * max(least_s for _, least_s, _ in results) <= whole_j
    assert whole_j <= 10.0 * (ended_s - began_s)
    assert all(joules > 0 for joules, _, _ in results)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_worker_takes_no_part_any_more(workers: list[Worker]) -> None:
    """After kill -9 of the two others, a trial pays for all of the memory again."""
    for worker in workers:
        assert worker.hear() == "ready"
    for worker in workers[1:]:
        worker.go_on()
        assert worker.hear() == "open"
        worker.process.send_signal(signal.SIGKILL)
        worker.process.wait()
    meter = CodeCarbonMeter(OPTIONS)
    bracketed = Bracketed(Sampler(meter))
    time.sleep(0.5)
    measurement = bracketed.close(GRID)
    meter.stop()
    bracketed.check(joules_from_kwh(measurement.energy.ram_kwh), watts=10.0)
    assert not measurement.shared
