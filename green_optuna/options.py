"""What the decorator of an objective can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.energy import Meter, MeterOptions
from green_optuna.errors import OptionError
from green_optuna.outcome import as_count
from green_optuna.quality import QualityBounds
from green_optuna.repeats import checked_repeats, checked_timeout
from green_optuna.terms import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    from green_optuna.carbon import Grid
    from green_optuna.outcome import NParams
    from green_optuna.tracking import Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveOptions:
    """What :func:`~green_optuna.objective.green_objective` was asked for.

    Attributes:
        grid: Where the electricity comes from; None for what the environment says at the
            first trial.
        meter: How energy is measured.
        trackers: Who is told of each trial.
        objectives: What the objective returns, in order.
        quality_bounds: How a quality becomes a loss.
        n_params: A count, a function that gives one, or which of the model's parameters count.
        repeats: How often the function runs in each trial.
        timeout_s: How long a trial may take, all its runs together, in s; None for as long as
            it takes.
    """

    grid: Grid | None = None
    meter: MeterOptions | Meter = field(default_factory=MeterOptions)
    trackers: tuple[Tracker, ...] = ()
    objectives: tuple[str, ...] = DEFAULT_OBJECTIVES
    quality_bounds: QualityBounds = field(default_factory=QualityBounds)
    n_params: NParams = "total"
    repeats: int = 1
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers, which no other object checks.

        Raises:
            OptionError: ``n_params``, ``repeats`` or ``timeout_s`` is none of what it can be.
        """
        object.__setattr__(self, "repeats", checked_repeats(self.repeats))
        object.__setattr__(self, "timeout_s", checked_timeout(self.timeout_s))
        given: object = self.n_params
        count = as_count(given)
        if count is not None:
            object.__setattr__(self, "n_params", count)
        elif not (callable(given) or (isinstance(given, str) and given in ("total", "trainable"))):
            raise OptionError(
                f"n_params is {given!r}: give a count, a function of the trial that returns "
                'one, "total" or "trainable".'
            )
