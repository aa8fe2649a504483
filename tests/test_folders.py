"""State is kept in one folder of the user's, and its locks hold between processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from green_optuna.errors import OptionError
from green_optuna.folders import host_lock, own_folder, state_folder

# Adds one to the number in a file, slowly: two that do so at once lose a count.
COUNT = """
import sys, time
from pathlib import Path
from green_optuna.folders import host_lock
path = Path(sys.argv[1])
for _ in range(5):
    with host_lock("the count"):
        number = int(path.read_text())
        time.sleep(0.01)
        path.write_text(str(number + 1))
"""


def test_the_state_folder_is_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment variable names it, and it is made with its parents."""
    named = tmp_path / "a" / "b"
    monkeypatch.setenv("GREEN_OPTUNA_STATE_FOLDER", str(named))
    assert state_folder() == named
    assert named.is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="where state is kept depends on the platform")
def test_the_state_folder_is_in_the_home_unless_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the variable, it is where Linux keeps a user's state."""
    monkeypatch.delenv("GREEN_OPTUNA_STATE_FOLDER")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local" / "state" / "green_optuna"
    assert state_folder().is_dir()


def test_a_named_folder_that_cannot_be_made_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error holds the variable, its value and the remedy."""
    blocked = tmp_path / "file" / "state"
    blocked.parent.write_text("")
    monkeypatch.setenv("GREEN_OPTUNA_STATE_FOLDER", str(blocked))
    with pytest.raises(OptionError, match=r"GREEN_OPTUNA_STATE_FOLDER is '.*state'.*name another"):
        state_folder()


@pytest.mark.skipif(sys.platform != "linux", reason="where state is kept depends on the platform")
def test_a_user_without_a_home_has_a_state_folder_beside_the_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container whose user owns no home can run a study."""
    (tmp_path / "no_home").write_text("")
    monkeypatch.delenv("GREEN_OPTUNA_STATE_FOLDER")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "no_home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = state_folder()
    assert folder.parent == tmp_path
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0, "for nobody else"
    assert state_folder() == folder, "and it is taken again"
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(OptionError, match=rf"'{folder}'.*GREEN_OPTUNA_STATE_FOLDER"):
        state_folder()


@pytest.mark.parametrize("there", ["a file", "a link", "a link to nothing", "nothing above"])
def test_what_is_no_folder_of_ones_own_is_not_taken(tmp_path: Path, there: str) -> None:
    """Anyone can put a file or a link among the temporary files; the error says what to do."""
    folder = tmp_path / "above" / "green_optuna-me"
    if there != "nothing above":
        folder.parent.mkdir()
    if there == "a file":
        folder.write_text("")
    elif there.startswith("a link"):
        target = tmp_path / "target"
        if there == "a link":
            target.mkdir()
        folder.symlink_to(target)
    with pytest.raises(OptionError, match=rf"'{folder}'.*GREEN_OPTUNA_STATE_FOLDER"):
        own_folder(folder)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away"
)
def test_a_folder_of_another_user_is_not_taken(tmp_path: Path) -> None:
    """Even where it can be written to: its owner can put links in it, or read what is there."""
    folder = tmp_path / "green_optuna-me"
    assert own_folder(folder) == folder
    folder.chmod(0o777)
    os.chown(folder, 12345, -1)
    with pytest.raises(OptionError, match="a folder of your own"):
        own_folder(folder)


def test_a_lock_holds_between_processes(tmp_path: Path) -> None:
    """Three processes that count in one file lose nothing."""
    count = tmp_path / "count"
    count.write_text("0")
    command = [sys.executable, "-c", COUNT, str(count)]
    workers = [subprocess.Popen(command) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert count.read_text() == "15"


def test_locks_of_different_subjects_do_not_wait_for_each_other() -> None:
    """One can be taken while the other is held."""
    with host_lock("one"), host_lock("another").acquire(timeout=0):
        pass


def test_a_lock_does_not_write_down_its_subject() -> None:
    """The subject may be a URL with a password."""
    with host_lock("http://me:s3cret@host"):
        pass
    names = [path.name for path in state_folder().rglob("*")]
    assert names
    assert not any("s3cret" in name for name in names)
