"""MLflow's loggers, kept from telling what nobody asked."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class _FromThread(logging.Filter):
    """Keeps what one thread tells below a level."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is passed on."""
        return record.levelno >= self._level or threading.get_ident() != self._thread


@contextlib.contextmanager
def quiet_loggers(names: Iterable[str], level: int = logging.WARNING) -> Iterator[None]:
    """Let loggers tell, of what this thread does in a block, what is as grave as a level.

    Args:
        names: Their names.
        level: The level.
    """
    loggers = [logging.getLogger(name) for name in names]
    kept = _FromThread(level)
    for logger in loggers:
        logger.addFilter(kept)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(kept)
