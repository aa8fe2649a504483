"""The user's state folder with its locks, and files that are written whole or not at all."""

from __future__ import annotations

import getpass
import hashlib
import os
import stat
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from filelock import BaseFileLock

STATE_FOLDER_VARIABLE = "GREEN_OPTUNA_STATE_FOLDER"


def state_folder() -> Path:
    """Give the folder where state is kept between runs; it is made if need be.

    It is what ``GREEN_OPTUNA_STATE_FOLDER`` names, else the platform's own place for state:
    ``~/.local/state/green_optuna`` on Linux. Where a user has no home that can be written to,
    as in many containers, it is a folder beside the temporary files.

    Raises:
        OptionError: The folder that the variable names, or the one beside the temporary files,
            cannot be used.
    """
    given = os.environ.get(STATE_FOLDER_VARIABLE)
    if given:
        folder = Path(given)
        if not _usable(folder):
            raise OptionError(
                f"{STATE_FOLDER_VARIABLE} is {given!r}, which cannot be made or written to: name "
                "another folder, or unset it."
            )
        return folder
    from platformdirs import user_state_path

    folder = user_state_path("green_optuna", appauthor=False)
    if not _usable(folder):
        folder = own_folder(Path(tempfile.gettempdir()) / f"green_optuna-{_user()}")
    return folder


def own_folder(folder: Path) -> Path:
    """Give a folder of the user's own in a place that everyone can write to; make it if need be.

    Args:
        folder: The folder. Another user may have put something of that name there first.

    Raises:
        OptionError: It cannot be made or written to, is a link or no folder, or is another
            user's.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        # Not stat: a link would lead wherever its maker wants.
        found = folder.lstat()
        is_own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        accepted = stat.S_ISDIR(found.st_mode) and is_own and _usable(folder)
    except OSError:
        accepted = False
    if not accepted:
        raise OptionError(
            f"State cannot be kept in {str(folder)!r}: it has to be a folder of your own, no link, "
            "that you can write to. Move away what is there, or name another folder in "
            f"{STATE_FOLDER_VARIABLE}."
        )
    return folder


def host_lock(subject: str) -> BaseFileLock:
    """Give a lock that the processes of this host share.

    Args:
        subject: What is locked. Only its hash is written, since it may hold a password.

    Raises:
        OptionError: The state folder cannot be used.
    """
    from filelock import FileLock

    locks = state_folder() / "locks"
    locks.mkdir(exist_ok=True)
    digest = hashlib.sha256(subject.encode()).hexdigest()[:24]
    return FileLock(locks / f"{digest}.lock")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file at once or not at all: nobody reads half of it.

    Args:
        path: The file; its folder exists.
        content: What it shall hold; text is written as UTF-8.

    Raises:
        OSError: It cannot be written; what was there before is still there.
    """
    # Not tempfile's: its files are for their owner alone, and this one is to be passed on.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        if isinstance(content, str):
            content = content.encode("utf-8")
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a user that has no name.
        return str(os.getuid())
