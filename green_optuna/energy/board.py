"""Where the processes of a host keep their common account: a file that they take turns at."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import platform
import tempfile
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.energy.host import Host
from green_optuna.energy.soundness import check_sound
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

# A turn takes milliseconds, and the first one of a process seconds, for what it imports. Who has
# held the account for so long, in s, without writing to it, was stopped in its turn (Ctrl-Z, a
# debugger): the others go on without it.
PATIENCE_S = 30.0
_LOOK_AGAIN_S = 0.002

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
        patience_s: How long to wait for somebody who holds it and does not write to it, in s.
    """

    def __init__(self, path: Path | None = None, *, patience_s: float = PATIENCE_S) -> None:
        self._path = path
        self._patience_s = patience_s
        self._file: int | None = None
        self._alone = None if _CAN_LOCK else Host(time.monotonic())
        _boards.add(self)

    @contextlib.contextmanager
    def turn(self) -> Iterator[tuple[Host, float]]:
        """Hold the account, and change it; give it with the time on the host's clock in s.

        What is raised meanwhile goes on, and the changes are kept all the same.
        """
        # Around all of it, for Ctrl-C may come right after the lock was taken.
        try:
            host, now_s = self._begin_turn()
            try:
                yield host, now_s
            finally:
                self._end_turn(host)
        finally:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def is_current(self) -> bool:
        """Tell whether the account of this turn still is the one at which the others meet."""
        return self._file is None or os.fstat(self._file).st_nlink > 0

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _begin_turn(self) -> tuple[Host, float]:
        if self._alone is None:
            try:
                file = self._locked()
            except (OSError, OptionError) as error:
                self._alone = Host(time.monotonic())
                _warn_of_no_file(error)
            else:
                # After the lock: two readings must come in the order of their times.
                now_s = time.monotonic()
                return _read(file, now_s), now_s
        return self._alone, time.monotonic()

    def _end_turn(self, host: Host) -> None:
        if self._file is None:
            return
        try:
            _write(self._file, host)
        except OSError as error:
            # A full disk, say. The others are in this account as they were.
            self._alone = host
            self.close()
            _warn_of_no_file(error)

    def _locked(self) -> int:
        """Give the file, locked.

        Raises:
            OSError: It cannot be opened or locked.
            OptionError: There is no folder for it.
        """
        written_ns, since_s = -1, time.monotonic()
        while True:
            if self._file is None:
                # Asked for each time: who clears the folders takes this one's away as well.
                path = self._path or board_path()
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(path, flags, 0o600)
            locked = _try_to_lock(self._file)
            state = os.fstat(self._file)
            if not state.st_nlink:
                # Somebody has cleared the folder: the others will meet at another file.
                self.close()
            elif locked:
                return self._file
            elif state.st_mtime_ns != written_ns:
                written_ns, since_s = state.st_mtime_ns, time.monotonic()
            elif time.monotonic() - since_s > self._patience_s:
                self._abandon(state)
            else:
                time.sleep(_LOOK_AGAIN_S)

    def _abandon(self, state: os.stat_result) -> None:
        """Take a file away whose lock is not given back: all go on with a new one."""
        path = self._path or board_path()
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), state):
                path.unlink()
                _logger.warning(
                    "A process that measures has stopped while it held the account of this host, "
                    "and the others go on without it: what was used in the last %g s is in no "
                    "trial.",
                    self._patience_s,
                )
        self.close()


# A forked child would hold its parent's lock with the file, also once the parent was killed.
_boards: weakref.WeakSet[Board] = weakref.WeakSet()


def _close_all() -> None:
    for board in _boards:
        board.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)


def _try_to_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _warn_of_no_file(error: Exception) -> None:
    _logger.warning(
        "What the processes of this host measure is not shared among them, since no file can be "
        "kept for it: %s",
        error,
    )


def _read(file: int, now_s: float) -> Host:
    """Read an account; one that is not there, or that nobody can have written, is a new one."""
    try:
        kept = json.loads(os.pread(file, os.fstat(file).st_size, 0) or "null")
        host = Host.from_dict(kept["host"]) if kept["version"] == VERSION else None
        if host is not None:
            check_sound(host)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        host = None
    # A later time is from before the host was started anew.
    return Host(now_s) if host is None or host.at_s > now_s else host


def _write(file: int, host: Host) -> None:
    """Write an account over the one that was there.

    In one call, which no signal cuts short; a reader that finds it torn all the same begins anew.

    Raises:
        OSError: There is no room for it.
    """
    text = json.dumps({"version": VERSION, "host": host.to_dict()}).encode()
    if os.pwrite(file, text, 0) < len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(file, len(text))


def _identity(path: Path) -> str:
    try:
        return str(path.readlink() if path.is_symlink() else path.read_text("utf-8").strip())
    except OSError:
        return ""
