"""The inference of a trial's model: what it costs, found out when the trial's function is done."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from green_optuna.energy import ComponentEnergy
from green_optuna.errors import GreenOptunaError, ModelError
from green_optuna.inference import InferenceRun
from green_optuna.models.calls import Call
from green_optuna.terms import INFERENCE_OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from green_optuna.carbon import Grid
    from green_optuna.energy import Sampler
    from green_optuna.inference import InferenceCost, InferenceOptions

_logger = logging.getLogger("green_optuna")


class TrialInference:
    """The inference of one trial's model, in windows of its own after the trial's.

    Args:
        options: How it is measured.
        objectives: The names of the study's objectives, of which it may give some.

    Attributes:
        cost: What it costs; None until it is known, and where it could not be told.
        spent: What it took to find out, in kWh per component, whatever came of it. It is no part
            of what the training cost.
    """

    def __init__(self, options: InferenceOptions, objectives: Iterable[str]) -> None:
        self.cost: InferenceCost | None = None
        self.spent = ComponentEnergy()
        self._options = options
        self._wanted = [name for name in objectives if name in INFERENCE_OBJECTIVES]

    def measure(self, model: object, sampler: Sampler, grid: Grid) -> None:
        """Measure a model's inference; what the user's function of its inputs raises comes out.

        Where no objective of the study is made of it, one that cannot be told costs no trial: it
        is said, and left out.

        Raises:
            ModelError: The model cannot run on the inputs.
            OptionError: How many samples a call takes cannot be told.
            MeterError: The meter gave no reading, or saw no energy in a run.
        """
        try:
            self._measure(model, sampler, grid)
        except GreenOptunaError as error:
            if self._wanted:
                raise
            _logger.warning("The inference of a trial's model was not measured: %s", error)

    def _measure(self, model: object, sampler: Sampler, grid: Grid) -> None:
        options = self._options
        if model is None:
            raise ModelError(
                "There is no model whose inference could be measured: return it beside the "
                "quality, or call trial.watch(model)."
            )
        call = Call.of(model, options.inputs_of(model), batch_size=options.batch_size)
        run = InferenceRun(sampler, grid, call, options)
        try:
            self.cost = run.make()
        finally:
            if run.spent is not None:
                self.spent = run.spent.energy


def inference_values(cost: InferenceCost | None, names: Iterable[str]) -> dict[str, float]:
    """Make objectives of what a model's inference costs.

    Args:
        cost: What it costs.
        names: Which of ``inference_kwh``, ``flops`` (both of a sample) and ``peak_memory_bytes``
            (of a call) are wanted; other names are left out.

    Raises:
        ModelError: One cannot be told of this model.
    """
    wanted = [name for name in names if name in INFERENCE_OBJECTIVES]
    known = {} if cost is None else cost.values
    if cost is not None and cost.flops is not None and "flops" in wanted:
        known["flops"] = cost.flops.per_sample_or_error()
    for name in wanted:
        if name not in known:
            raise ModelError(
                f"The objective {name!r} cannot be told of this model: operations and memory are "
                "counted of torch modules, and energy is measured in runs=2 or more."
            )
    return {name: known[name] for name in wanted}
