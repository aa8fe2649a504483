"""What a pruner is: something that says why a running trial should stop, or that it should not."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from green_optuna.history import History
    from green_optuna.progress import Progress
    from green_optuna.quality import QualityBounds


class Pruner(abc.ABC):
    """Stops trials of a study with several objectives; subclass it for one of your own.

    It is asked when the function calls ``trial.should_prune()`` or ``trial.watch(model)``, and
    must be quick: the time is the trial's. It is pickled with the objective, and keeps nothing of a
    study: what has ended so far comes as a :class:`History`.
    """

    @property
    def caps(self) -> Mapping[str, float]:
        """The greatest values allowed, by objective or cost, each a constraint of the study."""
        return {}

    # Most pruners can be used with any study.
    def check(self, objectives: Sequence[str], bounds: QualityBounds) -> None:  # noqa: B027
        """Hold that it can be used with an objective's options; when it is decorated.

        Args:
            objectives: The names of the study's objectives, in order.
            bounds: Between which its qualities lie.

        Raises:
            OptionError: It cannot.
        """

    @abc.abstractmethod
    def why_stop(self, progress: Progress, history: History) -> str | None:
        """Say in a few words why a trial should stop; None where it should go on.

        Args:
            progress: The trial so far.
            history: The study's trials that have ended; only read it.
        """
