"""What the decorator of an objective can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from green_optuna.budget import Budget
from green_optuna.energy import Meter, MeterOptions
from green_optuna.errors import OptionError
from green_optuna.inference import InferenceOptions
from green_optuna.pruning import Pruner
from green_optuna.quality import QualityBounds
from green_optuna.repeats import checked_repeats, checked_timeout
from green_optuna.scalars import as_count
from green_optuna.terms import DEFAULT_OBJECTIVES, INFERENCE_OBJECTIVES

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
        inference: How the inference of each trial's model is measured; None for not at all.
        pruners: What says when to stop a trial.
        budgets: What says when to start no further trial.
        total_steps: How many steps a trial makes, or the name of the hyperparameter that says
            so; None where it is not known.
        save_model: Whether each completed trial's model is saved with it.
    """

    grid: Grid | None = None
    meter: MeterOptions | Meter = field(default_factory=MeterOptions)
    trackers: tuple[Tracker, ...] = ()
    objectives: tuple[str, ...] = DEFAULT_OBJECTIVES
    quality_bounds: QualityBounds = field(default_factory=QualityBounds)
    n_params: NParams = "total"
    repeats: int = 1
    timeout_s: float | None = None
    inference: InferenceOptions | None = None
    pruners: tuple[Pruner, ...] = ()
    budgets: tuple[Budget, ...] = ()
    total_steps: int | str | None = None
    save_model: bool = False

    def __post_init__(self) -> None:
        """Check what no other object checks.

        Raises:
            OptionError: ``n_params``, ``repeats``, ``timeout_s``, ``total_steps``, ``save_model``
                or ``inference`` is none of what it can be, or an objective is made of inference
                that is not measured.
        """
        check_inference(self.inference, self.objectives)
        for pruner in self.pruners:
            pruner.check(self.objectives, self.quality_bounds)
        for budget in self.budgets:
            budget.check(self.objectives)
        given_save: object = self.save_model
        if not isinstance(given_save, bool):
            raise OptionError(
                f"save_model is {given_save!r}: give True or False, or call "
                "trial.save_model(model) in the function."
            )
        object.__setattr__(self, "repeats", checked_repeats(self.repeats))
        object.__setattr__(self, "timeout_s", checked_timeout(self.timeout_s))
        object.__setattr__(self, "total_steps", checked_total_steps(self.total_steps))
        given: object = self.n_params
        count = as_count(given)
        if count is not None:
            object.__setattr__(self, "n_params", count)
        elif not (callable(given) or (isinstance(given, str) and given in ("total", "trainable"))):
            raise OptionError(
                f"n_params is {given!r}: give a count, a function of the trial that returns "
                'one, "total" or "trainable".'
            )


def check_inference(inference: object, objectives: Sequence[str]) -> None:
    """Hold that the objectives that are made of inference can be.

    Raises:
        OptionError: It is not measured, or not what is wanted of it.
    """
    if inference is not None and not isinstance(inference, InferenceOptions):
        raise OptionError(
            f"inference is {inference!r}: give InferenceOptions(inputs=...), with example inputs "
            "of the model or a function of the model that gives them."
        )
    wanted = [name for name in objectives if name in INFERENCE_OBJECTIVES]
    if wanted and inference is None:
        raise OptionError(
            f"The objective {wanted[0]!r} wants example inputs of the model: pass "
            "inference=InferenceOptions(inputs=...), or inference.inputs=train.py:inputs to "
            "green-optuna run."
        )
    if "inference_kwh" in wanted and isinstance(inference, InferenceOptions) and not inference.runs:
        raise OptionError(
            "inference.runs is 0, which only counts, and the objective 'inference_kwh' is to be "
            "measured: give 2 or more."
        )


def checked_pruners(given: object) -> tuple[Pruner, ...]:
    """Give the pruners of an option that takes none, one or several.

    Raises:
        OptionError: One of them is none: Optuna's own work with one objective only.
    """
    pruners: list[Pruner] = []
    for one in _several(given):
        if not isinstance(one, Pruner):
            raise OptionError(
                f"pruner is {one!r}: give one for several objectives, such as "
                "CapPruner(max_co2e_kg=1e-3), a list of some, or None."
            )
        pruners.append(one)
    return tuple(pruners)


def checked_budgets(given: object) -> tuple[Budget, ...]:
    """Give the budgets of an option that takes none, one or several.

    Raises:
        OptionError: One of them is none.
    """
    budgets: list[Budget] = []
    for one in _several(given):
        if not isinstance(one, Budget):
            raise OptionError(
                f"budget is {one!r}: give CarbonBudget(co2e_kg=1e-3), say, StopWhenFlat(...), a "
                "list of both, or None."
            )
        budgets.append(one)
    return tuple(budgets)


def _several(given: object) -> Sequence[object]:
    if given is None:
        return ()
    return given if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def checked_total_steps(given: object) -> int | str | None:
    """Give a number of steps, or the name of a hyperparameter, if it is one.

    Raises:
        OptionError: It is neither.
    """
    count = as_count(given)
    if count:
        return count
    if given is None or (isinstance(given, str) and given):
        return given
    raise OptionError(
        f"total_steps is {given!r}: give a whole number of 1 or more, or the name of the "
        'hyperparameter that says it, such as "epochs".'
    )
