"""What trackers of a service have in common: options that travel, and a connection a process."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from green_optuna.errors import OptionError
from green_optuna.tracking.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class ServiceTracker(Tracker):
    """A tracker that is pickled as its options alone: another process makes its own connection.

    Args:
        name: Names the tracker in ``TrialRecord.run_ids``.
        flush_interval_s: How often to log a trial that is still running, in s; ``math.inf`` for
            never.

    Raises:
        OptionError: ``flush_interval_s`` is not above 0.
    """

    _of_a_process: ClassVar[AbstractSet[str]]
    """The attributes that stay in the process."""

    def __init__(self, *, name: str, flush_interval_s: float) -> None:
        if not flush_interval_s > 0:
            raise OptionError(
                f"flush_interval_s is {flush_interval_s!r}: give seconds above 0, or math.inf "
                "for never."
            )
        self.name = name
        self.flush_interval_s = flush_interval_s
        self._start_afresh()

    @abstractmethod
    def _start_afresh(self) -> None:
        """Set up what belongs to a process: it connects when it is first used."""

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the options alone."""
        return {name: value for name, value in vars(self).items() if name not in self._of_a_process}

    def __setstate__(self, options: dict[str, Any]) -> None:
        """Undo :meth:`__getstate__`."""
        vars(self).update(options)
        self._start_afresh()
