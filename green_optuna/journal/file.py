"""The file that a journal is: where it lies, whose it is, how it is written and read.

``journal/<study>/<host>-<pid>-<start>-<n>.jsonl`` in the user's state folder begins with a header.
Then comes a line for each trial that starts, a line for each of its samples, and a line where it
ended while others ran on. The lock beside it is the operating system's: it is free once the
process is dead, however it died.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import math
import os
import platform
import re
import secrets
from typing import TYPE_CHECKING, Any

from green_optuna.folders import own_folder, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

VERSION = 1
"""The version of the files."""

SUFFIX = ".jsonl"

# Beyond this size the samples of trials that still run are thinned: two hours of one a second.
MAX_BYTES = 1_000_000

# Not there on Windows, where making a link takes rights that few have.
_NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)


class JournalFile:
    """A journal's file, held by this process until it is removed.

    Args:
        study_key: The key of the study whose trials it is about.
        header: Its first line.
        max_bytes: The size from which it is thinned.

    Raises:
        OptionError: The folder cannot be used.
        OSError: The file cannot be made.
    """

    def __init__(
        self, study_key: str, header: Mapping[str, Any], *, max_bytes: int = MAX_BYTES
    ) -> None:
        self._path = folder(study_key) / f"{own_prefix()}{secrets.token_hex(4)}{SUFFIX}"
        self._size = 0
        self._max_size = max_bytes
        # The lock before the file: whoever sees the file finds it locked.
        self._release = hold(lock_path(self._path))
        try:
            self._fd = self._open(os.O_CREAT | os.O_EXCL)
            try:
                self.append([header])
            except BaseException:
                os.close(self._fd)
                raise
        except BaseException:
            self._let_go()
            raise

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Add lines, in one step that a kill does not cut.

        Raises:
            OSError: They cannot be written.
        """
        self._size += _write(self._fd, lines)
        if self._size > self._max_size:
            self._thin()

    def remove(self) -> None:
        """Remove the file, and let go of it."""
        os.close(self._fd)
        self._let_go()

    def _thin(self) -> None:
        """Leave out every other sample, and all of the trials that have ended."""
        part = part_path(self._path)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o600)
        try:
            self._size = _write(fd, thinned(read_lines(self._path)))
        finally:
            os.close(fd)
        # Windows replaces no file that is open.
        os.close(self._fd)
        try:
            part.replace(self._path)
        finally:
            self._fd = self._open(0)
        self._max_size = max(self._max_size, 2 * self._size)

    def _open(self, flags: int) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | _NO_LINK | flags, 0o600)

    def _let_go(self) -> None:
        self._path.unlink(missing_ok=True)
        if self._release is not None:
            self._release()
        lock_path(self._path).unlink(missing_ok=True)


def folder(study_key: str) -> Path:
    """Give the folder of a study's journals, for its user alone; it is made if need be.

    Raises:
        OptionError: It cannot be used.
    """
    return own_folder(own_folder(state_folder() / "journal") / _name(study_key))


def left_by_others(study_key: str) -> list[Path]:
    """Give the journals of a study that are not this process's, whether their owners live or not.

    Raises:
        OptionError: The folder cannot be used.
    """
    if not (state_folder() / "journal" / _name(study_key)).exists():
        return []
    own = own_prefix()
    paths = folder(study_key).glob(f"*{SUFFIX}")
    return sorted(path for path in paths if not path.name.startswith(own))


def own_prefix() -> str:
    """Give what the names of this process's journals begin with."""
    return f"{_name(platform.node())}-{os.getpid()}-{_began_ms(os.getpid())}-"


@functools.cache
def _began_ms(pid: int) -> int:
    """Give when a process began, in ms: a container's has the number of the one before it.

    Asked once, for a clock that is set moves it.
    """
    import psutil  # type: ignore[import-untyped]  # it comes without

    began_at: float = psutil.Process(pid).create_time()
    return round(began_at * 1000)


def lock_path(path: Path) -> Path:
    """Give the lock of a journal."""
    return path.with_suffix(".lock")


def part_path(path: Path) -> Path:
    """Give where a journal is written anew."""
    return path.with_suffix(".part")


def hold(path: Path) -> Callable[[], None] | None:
    """Take the lock of a process, which is free again when the process is dead.

    Args:
        path: The file of the lock, made if need be. No process may take its own lock twice.

    Returns:
        What lets go of it; None where another process has it.

    Raises:
        OSError: There is no lock to be had here.
    """
    try:
        import fcntl
    except ImportError:
        from filelock import FileLock, Timeout

        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock.release
    fd = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
    try:
        # Not flock: a child that outlives this process would keep that one locked.
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return None
        raise
    return functools.partial(os.close, fd)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a journal, but for a torn one and what is no line of a journal.

    Raises:
        OSError: The file cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | _NO_LINK)
    with os.fdopen(fd, encoding="utf-8", errors="replace") as file:
        text = file.read()
    lines = []
    for line in text.split("\n"):
        with contextlib.suppress(ValueError, RecursionError):
            read = json.loads(line)
            if isinstance(read, dict):
                lines.append(read)
    return lines


def thinned(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out all of the trials that have ended, and half of the samples, evenly over time.

    The last sample of each trial stays.
    """
    lines = list(lines)
    ended = [line["trial"] for line in lines if "ended" in line]
    running = [line for line in lines if line.get("trial") not in ended]
    samples: dict[object, list[float]] = {}
    for line in running:
        if "t_s" in line:
            samples.setdefault(line["trial"], []).append(line["t_s"])
    kept: list[dict[str, Any]] = []
    spans: set[tuple[object, int]] = set()
    for line in reversed(running):
        if "t_s" in line:
            ages_s = samples[line["trial"]]
            # Of each span of time, the last one.
            span = line["trial"], math.ceil(line["t_s"] / ages_s[-1] * (len(ages_s) // 2))
            if span in spans:
                continue
            spans.add(span)
        kept.append(line)
    return kept[::-1]


def _write(fd: int, lines: Iterable[Mapping[str, Any]]) -> int:
    """Write lines; give how many bytes they take."""
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    if os.write(fd, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return len(data)


def _name(text: str) -> str:
    """Make a text a part of a file's name: a host may be called whatever its owner likes."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text)[:64] or "_"
