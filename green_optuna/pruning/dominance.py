"""Stopping a trial of which every possible end is dominated already."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.errors import OptionError, QualityError
from green_optuna.forecasting import forecast_trial
from green_optuna.progress import Progress
from green_optuna.pruning.gains import Gains
from green_optuna.pruning.pruner import Pruner
from green_optuna.scalars import as_count, as_float

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.history import History
    from green_optuna.quality import QualityBounds

# What rounding may cost, on the scale of a loss.
ROUNDING = 1e-12

Reachable = str | float | Callable[[Progress], float | None]
"""The best quality that can still be reached: "learned", a number, or a function that gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DominancePruner(Pruner):
    """Stops a trial of which every possible end is dominated by a completed, feasible trial.

    A trial's costs only grow and its parameters stay as many as they are, so that its end can be
    no better than the best loss that it may still reach with the costs that it has by now. Where
    a trial that has completed is nowhere worse than that, and somewhere better, no end can be on
    the front. Ties do not stop.

    What is assumed is the bound on the loss that may still be reached:

    - "learned": that no trial gains more than every one so far did from the same step on. A gain
      is the loss at the latest report up to that step, less the loss in the end (of a trial with
      more than 200 reports the study keeps some, between two of which it is taken to have been at
      the worse of both); of completed trials, those count that went on beyond that step, and as
      long as they are fewer than ``min_completed``, any loss is taken to be within reach. Where the
      number of steps is a hyperparameter, a trial that is to go on for longer than any before it
      may gain more than all of them: let one of full length be among the first
      (``study.enqueue_trial``).
    - a number: that no trial ends with a better quality than that.
    - a function: that the trial ends with no better quality than what it gives. It is asked from
      the first report on.

    Whatever is declared or learned, a trial may end as good as the best that it has reported, and
    no better than the best that there can be. A report that is NaN counts for nothing.

    Of an objective that is not known before the end (``inference_kwh``, ``flops``,
    ``peak_memory_bytes``, and ``n_params`` as long as nobody has said it) the least value there
    can be is 0, which nothing undercuts: tell the trial of its model early, with
    ``trial.watch(model)``, or give ``n_params=``; with the others among the objectives, hardly a
    trial is stopped. Of a function that runs several times, the first run stands for their mean.

    Attributes:
        best_reachable: The best quality that a trial can still reach, on the study's own scale:
            "learned" from the completed trials, a number, or a function of the
            :class:`Progress`, which gives None where it cannot say; ``progress.curve.losses`` are
            what was reported.
        min_completed: How many completed trials must have gone on beyond a step before a bound is
            learned from them.
        project: Count also what the trial is still to spend, in CO2e, energy and time: the lower
            ends of its forecast (:func:`~green_optuna.forecasting.forecast_trial`), as soon as
            there is one. It stops sooner, and assumes in addition that no trial ends below them,
            as one in twenty is meant to.

    Raises:
        OptionError: ``best_reachable`` is none of these, or ``min_completed`` no whole number of 1
            or more.
    """

    best_reachable: Reachable = "learned"
    min_completed: int = 10
    project: bool = False

    def __post_init__(self) -> None:
        """Check what was given, and keep it as plain numbers."""
        given = self.best_reachable
        if not callable(given) and given != "learned":
            number = as_float(given)
            if number is None or not math.isfinite(number):
                raise OptionError(
                    f'best_reachable is {given!r}: give "learned", the best quality that a trial '
                    "can reach, or a function that gives it for a Progress."
                )
            object.__setattr__(self, "best_reachable", number)
        count = as_count(self.min_completed)
        if not count:
            raise OptionError(
                f"min_completed is {self.min_completed!r}: give a whole number of 1 or more."
            )
        object.__setattr__(self, "min_completed", count)
        if not isinstance(self.project, bool):
            raise OptionError(f"project is {self.project!r}: give True or False.")

    def check(self, objectives: Sequence[str], bounds: QualityBounds) -> None:
        """Hold that the quality is among the objectives, and what can be reached within its bounds.

        Raises:
            OptionError: It is not.
        """
        check_has_quality(self, objectives)
        if isinstance(self.best_reachable, float):
            try:
                bounds.loss(self.best_reachable)
            except QualityError as error:
                raise OptionError(f"best_reachable: {error}") from error

    def why_stop(self, progress: Progress, history: History) -> str | None:
        """Say what the trial could reach at best, and which trial dominates that.

        Raises:
            OptionError: The function given as ``best_reachable`` gave no number.
        """
        loss = self._least_loss(progress, history)
        costs = _projected_costs(progress, history) if self.project else {}
        least = [
            loss if name == "quality_loss" else max(progress.least(name), costs.get(name, 0.0))
            for name in progress.objectives
        ]
        better = history.dominating(least)
        if better is None:
            return None
        how = "by forecast dominated" if costs else "dominated"
        return f"could reach quality loss {loss:.4g} at best, {how} by trial {better.number}"

    def _least_loss(self, progress: Progress, history: History) -> float:
        """Give the least loss that the trial may still reach."""
        curve = progress.curve
        bounds = history.terms.quality_bounds
        bound = 0.0
        if callable(self.best_reachable):
            # Before the first report, there is nothing that it could go by.
            if len(curve):
                bound = _given_loss(self.best_reachable(progress), bounds)
        elif self.best_reachable != "learned":
            bound = bounds.loss(self.best_reachable)
        elif curve.latest is not None:
            step, loss = curve.latest
            n_trials, gain = history.learned(Gains, Gains).largest_from(step)
            if n_trials >= self.min_completed:
                bound = max(_unless_rounded(loss - gain, history), 0.0)
        return min(bound, curve.least_loss)


def _unless_rounded(loss: float, history: History) -> float:
    """Give a loss as that of a member of the front, where it differs by a rounding alone."""
    column = history.terms.objectives.index("quality_loss")
    losses = history.front[:, column]
    same = losses[np.abs(losses - loss) <= ROUNDING]
    return float(same[0]) if same.size else loss


def check_has_quality(pruner: Pruner, objectives: Sequence[str]) -> None:
    """Hold that the quality is among the objectives.

    Raises:
        OptionError: It is not.
    """
    if "quality_loss" not in objectives:
        raise OptionError(
            f"A {type(pruner).__name__} compares qualities, and the objectives are "
            f"{tuple(objectives)!r}: add 'quality_loss' to them, or use a CapPruner."
        )


def _given_loss(quality: object, bounds: QualityBounds) -> float:
    """Give the loss of what a function holds to be the best quality within reach."""
    if quality is None:
        return 0.0
    number = as_float(quality)
    if number is None:
        raise OptionError(
            f"The function given as best_reachable gave {quality!r}: give a quality, or None "
            "where it cannot say."
        )
    if math.isnan(number):
        return 0.0
    # A forecast may overshoot what there can be.
    low, high = sorted((bounds.worst, bounds.best))
    return bounds.loss(min(max(number, low), high))


def _projected_costs(progress: Progress, history: History) -> dict[str, float]:
    """Give the least that the trial will have spent, by objective, where that can be forecast."""
    forecast = forecast_trial(progress, history)
    if forecast is None:
        return {}
    least = {
        "energy_kwh": forecast.energy_kwh.low,
        "co2e_kg": forecast.co2e_kg.low,
        "duration_s": forecast.duration_s.low,
    }
    # Costs that are the same are not to differ by the rounding of a sum.
    return {name: amount * (1 - 1e-9) for name, amount in least.items()}
