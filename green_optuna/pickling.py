"""Pickling an object by its name where that leads back to it, else by value."""

from __future__ import annotations

import io
import operator
import pickle
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def reduce_to_name_or_value(
    itself: object, function: Callable[..., object], *others: object
) -> str | tuple[Any, ...]:
    """Give what ``__reduce__`` of an object that wraps a function returns.

    Args:
        itself: The object, made by ``type(itself)(function, *others)``.
        function: The function, under whose name the object may be found. It may mention it.
        others: What else it is made of.
    """
    module = sys.modules.get(function.__module__ or "")
    name = getattr(function, "__qualname__", "")
    # What a script or a notebook defines cannot be imported by another process.
    if module is not None and module.__name__ != "__main__" and "<locals>" not in name:
        try:
            if operator.attrgetter(name)(module) is itself:
                return name
        except AttributeError:
            pass
    return _rebuild, (type(itself), _dumps((function, *others), itself=itself))


def _dumps(content: object, *, itself: object) -> bytes:
    """Pickle by value what an object consists of, which may mention the object."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no annotations
        def persistent_id(self, one: object) -> str | None:
            return "itself" if one is itself else None

    file = io.BytesIO()
    Pickler(file).dump(content)
    return file.getvalue()


def _rebuild(kind: type, content: bytes) -> object:
    """Undo :func:`reduce_to_name_or_value`."""
    itself: Any = object.__new__(kind)

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, _: object) -> object:
            return itself

    # What it is made of may refer to it already.
    itself.__init__(*Unpickler(io.BytesIO(content)).load())
    return itself
