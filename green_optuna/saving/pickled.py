"""Pickles that load in another process: what is not installed travels with its code.

cloudpickle stores classes and functions of ``__main__`` with their code, and all others by the
name of their module. A module that is a file of the user's own, such as ``train.py``, is found in
no other folder, so that its classes are stored with their code too.
"""

from __future__ import annotations

import contextlib
import io
import sys
import types
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from green_optuna.errors import ModelError
from green_optuna.locks import ProcessLock
from green_optuna.models.calls import shown_error
from green_optuna.models.inputs import is_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_INSTALLED = {"site-packages", "dist-packages"}

# cloudpickle's list of what is stored with its code is one for the process.
_lock = ProcessLock()


class _Probe(cloudpickle.CloudPickler):  # type: ignore[misc]  # cloudpickle has no types
    """Pickles to nowhere, and notes the modules of all that it meets; numbers are left out."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())
        self.modules: set[str] = set()

    def persistent_id(self, thing: Any) -> str | None:  # noqa: ANN401 - whatever is in a model
        """Note the module of a thing; give a name in place of numbers, which may be many."""
        if is_tensor(thing) or (isinstance(thing, np.ndarray) and thing.dtype != object):
            return "numbers"
        if isinstance(thing, types.ModuleType):
            self.modules.add(thing.__name__)
        elif isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType):
            self.modules.add(thing.__module__ or "builtins")
        return None


@contextlib.contextmanager
def with_own_code(model: object) -> Iterator[AbstractSet[str]]:
    """Store, within the block, the code of a model's modules that are not installed.

    Gives the packages that are, of which the pickle keeps the names alone.

    Raises:
        ModelError: The model cannot be pickled that way.
    """
    own: set[str] = set()
    with _lock, contextlib.ExitStack() as registered:
        while True:
            probe = _Probe()
            try:
                probe.dump(model)
            except Exception as error:
                raise ModelError(
                    f"The model cannot be pickled ({shown_error(error)}). Keep what its class "
                    "refers to free of locks, files and connections; or pass example inputs, as in "
                    "trial.save_model(model, inputs=images[:2]), to store its graph instead."
                ) from error
            found = {name for name in probe.modules if _is_own(name)} - own
            if not found:
                break
            # With their code, these lead to others.
            for name in found:
                registered.enter_context(_by_value(sys.modules[name]))
            own |= found
        tops = {name.partition(".")[0] for name in probe.modules - own}
        yield {top for top in tops if top not in sys.stdlib_module_names and top != "__main__"}


@contextlib.contextmanager
def _by_value(module: types.ModuleType) -> Iterator[None]:
    if module.__name__ in cloudpickle.list_registry_pickle_by_value():
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _is_own(name: str) -> bool:
    """Tell whether a module is a file of the user's own, which no other machine has."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("__main__", "green_optuna"):
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and _INSTALLED.isdisjoint(PurePath(file).parts)
