"""Where the processes of a host keep their common account: a file that they take turns at."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.energy.host import Host
from green_optuna.errors import OptionError
from green_optuna.folders import STATE_FOLDER_VARIABLE, own_folder, state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import fcntl

    _CAN_LOCK = True
except ImportError:  # on Windows
    _CAN_LOCK = False

_logger = logging.getLogger("green_optuna")

# The layout of the file, which processes with another version of this library read as empty.
VERSION = 1

# Names the process that measures this one and its children as a whole. Such a program and what
# it measures itself are two accounts of the same energy, and share none of it with one another.
MEASURED_BY_VARIABLE = "GREEN_OPTUNA_MEASURED_BY"

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_SPACE = Path("/proc/self/ns/pid")


def board_path() -> Path:
    """Give the file of this host, for processes of this user that can see one another.

    It lies with the temporary files: on a local disk, where a home folder may be shared by a
    cluster. ``GREEN_OPTUNA_STATE_FOLDER`` moves it.

    Raises:
        OptionError: There is no folder of the user's own to keep it in.
    """
    if os.environ.get(STATE_FOLDER_VARIABLE):
        folder = state_folder() / "hosts"
        folder.mkdir(exist_ok=True)
    else:
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
        folder = own_folder(Path(tempfile.gettempdir()) / f"green_optuna-{user}-hosts")
    # Two containers may share the folder: they number their processes each for itself.
    parts = [platform.node(), *map(_identity, (_BOOT_ID, _PID_SPACE)), str(VERSION)]
    parts.append(os.environ.get(MEASURED_BY_VARIABLE, ""))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return folder / f"{digest}.json"


class Board:
    """The account of this host, in a file; in this process alone where there can be none.

    There can be none on Windows, which has no :mod:`fcntl`.

    Args:
        path: The file; :func:`board_path` unless given.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file: int | None = None
        self._alone = None if _CAN_LOCK else Host(time.monotonic())

    @contextlib.contextmanager
    def turn(self) -> Iterator[tuple[Host, float]]:
        """Hold the account, and change it; give it with the time on the host's clock in s.

        What is raised meanwhile goes on, and the changes are kept all the same.
        """
        if self._alone is None:
            try:
                file = self._locked()
            except (OSError, OptionError) as error:
                self._alone = Host(time.monotonic())
                _logger.warning(
                    "What the processes of this host measure is not shared among them, since no "
                    "file can be kept for it: %s",
                    error,
                )
            else:
                with _unlocking(file):
                    # After the lock: two readings must come in the order of their times.
                    now_s = time.monotonic()
                    host = _read(file, now_s)
                    try:
                        yield host, now_s
                    finally:
                        _write(file, host)
                return
        yield self._alone, time.monotonic()

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _locked(self) -> int:
        """Give the file, locked.

        Raises:
            OSError: It cannot be opened or locked.
            OptionError: There is no folder for it.
        """
        while True:
            if self._file is None:
                path = self._path = self._path or board_path()
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(path, flags, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if os.fstat(self._file).st_nlink:
                return self._file
            # Somebody has cleared the folder: the others will meet at another file.
            self.close()


@contextlib.contextmanager
def _unlocking(file: int) -> Iterator[None]:
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _read(file: int, now_s: float) -> Host:
    """Read an account; one that is not there, or that nobody can have written, is a new one."""
    try:
        kept = json.loads(os.pread(file, os.fstat(file).st_size, 0) or "null")
        host = Host.from_dict(kept["host"]) if kept["version"] == VERSION else None
    except (ValueError, TypeError, KeyError, AttributeError):
        host = None
    # A later time is from before the host was started anew.
    return Host(now_s) if host is None or host.at_s > now_s else host


def _write(file: int, host: Host) -> None:
    """Write an account over the one that was there.

    In one call, which no signal cuts short; a reader that finds it torn all the same begins anew.
    """
    text = json.dumps({"version": VERSION, "host": host.to_dict()}).encode()
    os.pwrite(file, text, 0)
    os.ftruncate(file, len(text))


def _identity(path: Path) -> str:
    try:
        return str(path.readlink() if path.is_symlink() else path.read_text("utf-8").strip())
    except OSError:
        return ""
