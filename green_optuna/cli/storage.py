"""Optuna's storages and studies, as a command line names them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import optuna

from green_optuna.errors import OptionError, StudyError
from green_optuna.study import load_study, shared_storage
from green_optuna.urls import hide_secrets, secrets_of, shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optuna.storages import BaseStorage

T = TypeVar("T")

DEFAULT_STORAGE = "sqlite:///green_optuna.db"
"""Where ``green-optuna run`` stores a study unless told."""

JOURNAL = "journal:"

# More names than these do not help to find the one that was meant.
MOST_NAMES = 10


def open_storage(url: str | None, *, must_exist: bool = False) -> BaseStorage:
    """Open a storage of Optuna.

    Args:
        url: An SQLAlchemy URL; or ``journal:study.log``, relative to the working folder, or
            ``journal:///home/me/study.log``, absolute, for a journal file.
        must_exist: Whether to refuse a storage without studies, rather than make its tables.

    Raises:
        OptionError: There is no URL, it cannot be read, its driver is not installed, or it
            leads to no storage that exists.
        StudyError: The storage cannot be reached.
    """
    if not url:
        raise OptionError(
            "There is no storage: pass --storage with a URL, such as --storage "
            "sqlite:///digits.db, or set the environment variable GREEN_OPTUNA_STORAGE. "
            f"{DEFAULT_STORAGE}, where green-optuna run stores unless told, is not in "
            f"{str(Path.cwd())!r}."
        )
    path = _file_of(url)
    if must_exist and path is not None and not path.is_file():
        raise OptionError(
            f"The storage {shown_url(url)!r} is a file that does not exist: {str(path)!r}."
        )
    if url.startswith(JOURNAL):
        return _tried(url, lambda: _journal(Path(_journal_path(url))))
    if not must_exist:
        return _tried(url, lambda: shared_storage(url))
    if not _tried(url, lambda: _has_studies(url)):
        raise OptionError(f"{shown_url(url)!r} is no storage of Optuna: it has no studies.")
    return _tried(url, lambda: optuna.storages.get_storage(url))


def find_study(name: str | None, url: str | None) -> optuna.Study:
    """Load a study from a storage that exists.

    Args:
        name: Its name; None for the only one there is.
        url: The URL of the storage, as :func:`open_storage` takes it; None for the default
            one, if it exists.

    Raises:
        OptionError: There is no storage, no study of that name, or no name and not just one
            study.
        StudyError: The storage cannot be reached.
    """
    if url is None and _exists(DEFAULT_STORAGE):
        url = DEFAULT_STORAGE
    storage = open_storage(url, must_exist=True)
    names = optuna.study.get_all_study_names(storage)
    place = f"The storage {shown_url(url or '')!r}"
    if not names:
        raise OptionError(f"{place} has no study: run one in it, or pass another --storage.")
    if name is None and len(names) > 1:
        raise OptionError(f"{place} has {len(names)} studies: name one of {_listed(names)}.")
    if name is not None and name not in names:
        near = difflib.get_close_matches(name, names, n=MOST_NAMES) or names
        raise OptionError(f"{place} has no study {name!r}: name one of {_listed(near)}.")
    return load_study(name or names[0], storage=storage)


def all_studies(url: str | None) -> list[optuna.Study]:
    """Load all studies of a storage.

    Args:
        url: The URL of the storage, as :func:`open_storage` takes it; None for the default one,
            of which there are none where it does not exist.

    Raises:
        OptionError: There is no storage there.
        StudyError: The storage cannot be reached.
    """
    if url is None:
        url = DEFAULT_STORAGE
        if not _exists(url) or not _tried(url, lambda: _has_studies(DEFAULT_STORAGE)):
            return []
    storage = open_storage(url, must_exist=True)
    names = optuna.study.get_all_study_names(storage)
    return [load_study(name, storage=storage) for name in names]


def _tried(url: str, step: Callable[[], T]) -> T:
    """Turn what a database or its driver raises into one line without the URL's password."""
    from sqlalchemy.exc import ArgumentError

    try:
        return step()
    except Exception as error:
        # Of a driver's lines, the first says what is wrong.
        said = hide_secrets(str(error).partition("\n")[0], secrets_of(url))
        # A missing driver, or a URL that is none.
        usage = isinstance(error, ImportError | ValueError | ArgumentError)
        kind = OptionError if usage else StudyError
        raise kind(f"The storage {shown_url(url)!r} cannot be opened: {said}") from error


def _journal(path: Path) -> BaseStorage:
    from optuna.storages.journal import JournalFileBackend

    return optuna.storages.JournalStorage(JournalFileBackend(str(path)))


def _journal_path(url: str) -> str:
    """Give the path of a journal file.

    Raises:
        OptionError: The URL names a host, which a file has not.
    """
    rest = url.removeprefix(JOURNAL)
    path = rest.removeprefix("//")
    if not path or (rest.startswith("//") and not path.startswith("/")):
        raise OptionError(
            f"The storage is {url!r}: write journal:study.log, or journal:///home/me/study.log."
        )
    return path


def _file_of(url: str) -> Path | None:
    """Give the file that a URL leads to, or None where it leads to none or cannot be read."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if url.startswith(JOURNAL):
        return Path(_journal_path(url))
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        return None
    name = parts.database
    is_file = parts.get_backend_name() == "sqlite" and name and name != ":memory:"
    return Path(name) if is_file and name and not name.startswith("file:") else None


def _exists(url: str) -> bool:
    path = _file_of(url)
    return path is not None and path.is_file()


def _has_studies(url: str) -> bool:
    """Tell whether a database has Optuna's tables, which opening it would make."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)
    try:
        return sqlalchemy.inspect(engine).has_table("studies")
    finally:
        engine.dispose()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown}, ..."
