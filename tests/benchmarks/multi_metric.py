"""OptunaHub's ``multi_metric_pruner``, to compare with: nothing of it is part of this package."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import optuna

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    import green_optuna as go

PACKAGE = "pruners/multi_metric_pruner"


class Reporting(Protocol):
    """A trial that the pruner is told and asked of."""

    def report(self, values: dict[str, float], step: int) -> None:
        """Keep what the objectives are after a step."""

    def should_prune(self) -> bool:
        """Ask the pruner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiMetric:
    """The pruner, which ranks trials by fronts so that one of Optuna's own can compare them.

    It keeps reports in user attributes, and makes a new study of all trials at each question.

    Attributes:
        registry: The root of a checkout of OptunaHub's registry.
        base: The pruner that decides. One that keeps something with trials, as Optuna's
            ``SuccessiveHalvingPruner`` does, raises ``KeyError``: in the new study, the trial that
            it is asked of is missing.
        asked_at: The epochs at which it is told and asked; None for all.
    """

    registry: Path
    base: optuna.pruners.BasePruner
    asked_at: tuple[int, ...] | None = None

    def load(self) -> ModuleType:
        """Import it from the checkout.

        Raises:
            ModuleNotFoundError: The package ``optunahub`` is not installed.
        """
        # Not among the development dependencies, and so not imported by name.
        hub = importlib.import_module("optunahub")
        root = str(self.registry / "package")
        module: ModuleType = hub.load_local_module(PACKAGE, registry_root=root)
        return module

    def attach(
        self, study: optuna.Study, objectives: Sequence[str]
    ) -> Callable[[optuna.Trial], Reporting]:
        """Make it the study's pruner, and give what wraps each of its trials."""
        module = self.load()
        directions = dict.fromkeys(objectives, "minimize")
        study.pruner = module.MultiMetricPruner(self.base, metric_directions=directions, joint=True)
        wrapper: Callable[[optuna.Trial], Reporting] = module.MultiMetricPrunerTrial
        return wrapper

    def stops(self, trial: Reporting, progress: go.Progress) -> bool:
        """Tell it of a trial's latest report, and ask it."""
        step = progress.curve.steps[-1]
        if self.asked_at is not None and step not in self.asked_at:
            return False
        values = {
            name: progress.curve.losses[-1] if name == "quality_loss" else progress.least(name)
            for name in progress.objectives
        }
        trial.report(values, step)
        return bool(trial.should_prune())
