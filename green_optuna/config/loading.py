"""Functions that a configuration or a command line names: imported from a file or a module."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def load_function(name: str, key: str = "objective") -> Callable[..., object]:
    """Import a function.

    Args:
        name: ``path/to/file.py:function``, the path being relative to the working folder, or
            ``package.module:function``. The file's folder, or the working folder, is put
            where Python looks for modules, as ``python file.py`` and ``python -m`` do.
        key: The key of the configuration that names it, for the messages.

    Raises:
        OptionError: The file, the module or the function does not exist, or importing it
            raised an exception, which the message shows.
    """
    place, _, function = name.rpartition(":")
    if not place or not function:
        raise OptionError(
            f"{key} is {name!r}: write path/to/file.py:function or package.module:function."
        )
    is_file = place.endswith(".py") or "/" in place or "\\" in place
    module = _import_file(Path(place), name, key) if is_file else _import_module(place, name, key)
    if not hasattr(module, function):
        raise OptionError(f"{key} is {name!r}: {place} has no {function!r}. {_offer(module)}")
    found: object = getattr(module, function)
    if not callable(found) or isinstance(found, type):
        raise OptionError(
            f"{key} is {name!r}, which is of type {type(found).__name__}: name a function."
        )
    return found


def _import_file(path: Path, name: str, key: str) -> ModuleType:
    if not path.is_file():
        raise OptionError(
            f"{key} is {name!r}: there is no file {str(path)!r} in {str(Path.cwd())!r}. "
            f"{_neighbours(path)}"
        )
    loaded = _loaded_from(path.resolve())
    if loaded is not None:
        # The objective's own file, say, which the function of its inputs is in too.
        return loaded
    # A name that a loaded module has already must stay that module's.
    module_name = path.stem if path.stem not in sys.modules else f"{path.stem}_objective"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise OptionError(f"{key} is {name!r}: {str(path)!r} must end in .py.")
    _put_on_path(path.resolve().parent)
    module = importlib.util.module_from_spec(spec)
    # Pickling and dataclasses look the module up by its name.
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise _import_failed(name, key, error, path.resolve()) from error
    return module


def _loaded_from(path: Path) -> ModuleType | None:
    """Give the module of a file where it has been loaded, whatever its name."""
    for name in (path.stem, f"{path.stem}_objective"):
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if file is not None and Path(file).resolve() == path:
            return module
    return None


def _import_module(place: str, name: str, key: str) -> ModuleType:
    _put_on_path(Path.cwd())
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and f"{place}.".startswith(f"{error.name}."):
            raise OptionError(
                f"{key} is {name!r}: there is no module {error.name!r} in "
                f"{str(Path.cwd())!r} or among the installed packages."
            ) from error
        raise _import_failed(name, key, error, None) from error
    except Exception as error:
        raise _import_failed(name, key, error, None) from error


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _import_failed(name: str, key: str, error: Exception, path: Path | None) -> OptionError:
    """Make the error that shows the user's own, with the place in the user's file."""
    frames = traceback.extract_tb(error.__traceback__)
    in_file = [frame for frame in frames if path is not None and frame.filename == str(path)]
    where = f" (line {in_file[-1].lineno} of {in_file[-1].filename})" if in_file else ""
    return OptionError(
        f"{key} is {name!r}, and importing it raised {type(error).__name__}: {error}{where}"
    )


def _offer(module: ModuleType) -> str:
    """Name the functions that a module defines."""
    own = [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    return f"It has {', '.join(own)}." if own else "It defines no function."


def _neighbours(path: Path) -> str:
    """Name the file that may have been meant."""
    names = (
        {other.name: other for other in path.parent.glob("*.py")} if path.parent.is_dir() else {}
    )
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean {str(names[near[0]])!r}?" if near else "Check the path."
