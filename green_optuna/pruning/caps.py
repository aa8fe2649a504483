"""Stopping a trial that has gone beyond what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from green_optuna.errors import OptionError
from green_optuna.pruning.pruner import Pruner
from green_optuna.scalars import checked_amount
from green_optuna.units import describe_quantity, show_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.history import History
    from green_optuna.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class CapPruner(Pruner):
    """Stops a trial that exceeds a cap. It assumes nothing: what is over a cap stays over it.

    Parameters are checked before the training, at ``trial.watch(model)`` (freeze layers before,
    where trainable ones count), or at the start where their number is given; those that a function
    given as ``n_params`` counts are known at the end only. CO2e and time are checked whenever the
    trial asks ``should_prune()``. Where the function runs several times, caps are on the mean run,
    for which the first one, the only one that is stopped, is taken.

    Each cap is a constraint of the study, ``green_optuna.cap.<name>``, set when the trial ends
    however it ends, so that trials over it are on no front, and that samplers learn it: of pruned
    trials, Optuna's TPE does, and its GPSampler, which looks at completed trials alone, does not.

    Attributes:
        max_co2e_kg: The most CO2e that a trial may cost, in kg; None for no cap.
        max_n_params: The most parameters that its model may have.
        max_duration_s: The longest that it may take, in s.

    Raises:
        OptionError: There is no cap, or one is no finite number of 0 or more.
    """

    max_co2e_kg: float | None = None
    max_n_params: float | None = None
    max_duration_s: float | None = None

    def __post_init__(self) -> None:
        """Check the caps, and keep them as plain numbers."""
        for name in ("max_co2e_kg", "max_n_params", "max_duration_s"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, checked_amount(name, given))
        if not self.caps:
            raise OptionError(
                "A CapPruner without a cap stops nothing: give max_co2e_kg=, max_n_params= or "
                "max_duration_s=."
            )

    @property
    def caps(self) -> Mapping[str, float]:
        """The caps by what they cap."""
        caps = {
            "co2e_kg": self.max_co2e_kg,
            "n_params": self.max_n_params,
            "duration_s": self.max_duration_s,
        }
        return {name: cap for name, cap in caps.items() if cap is not None}

    def why_stop(self, progress: Progress, history: History) -> str | None:  # noqa: ARG002
        """Say which cap is exceeded."""
        for name, cap in self.caps.items():
            value = progress.least(name)
            if value > cap:
                return f"{describe_quantity(name, value)}, and {show_quantity(name, cap)} allowed"
        return None
