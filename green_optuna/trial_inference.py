"""The inference of a trial's model: what it costs, found out when the trial's function is done."""

from __future__ import annotations

import contextlib
import random
import sys
from typing import TYPE_CHECKING

import numpy as np

from green_optuna.energy import ComponentEnergy
from green_optuna.errors import GreenOptunaError, ModelError
from green_optuna.inference import InferenceRun
from green_optuna.record import in_one_line
from green_optuna.terms import INFERENCE_OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from green_optuna.carbon import Grid
    from green_optuna.energy import Sampler
    from green_optuna.inference import InferenceCost, InferenceOptions


class TrialInference:
    """The inference of one trial's model, in windows of its own after the trial's.

    Args:
        options: How it is measured.
        objectives: The names of the study's objectives, of which it may give some.
        sampler: Reads the meter.
        grid: What turns energy into CO2e.
        warn: Is told what cannot be told of the model.

    Attributes:
        cost: What it costs; None until it is known, and where it could not be told.
    """

    def __init__(
        self,
        options: InferenceOptions,
        objectives: Iterable[str],
        *,
        sampler: Sampler,
        grid: Grid,
        warn: Callable[[str], None],
    ) -> None:
        self.cost: InferenceCost | None = None
        self._wanted = [name for name in objectives if name in INFERENCE_OBJECTIVES]
        self._sampler = sampler
        self._warn = warn
        self._run = InferenceRun(sampler, grid, options, warn=warn)

    def spent(self) -> ComponentEnergy:
        """Give what it took so far to find out, in kWh per component, whatever came of it.

        It is no part of what the training cost.
        """
        return self._run.so_far

    def measure(self, model: object) -> None:
        """Measure a model's inference; what the user's function of its inputs raises comes out.

        Where no objective of the study is made of it, a model whose inference cannot be told
        costs no trial: it is said, and left out.

        Raises:
            ModelError: The model cannot run on the inputs.
            OptionError: How many samples a call takes cannot be told.
            MeterError: The meter gave no reading, or saw no energy in a run.
        """
        try:
            with _random_numbers_kept(self._sampler):
                self.cost = self._run.make(_checked(model))
        except Exception as error:
            if self._wanted:
                raise
            said = error if isinstance(error, GreenOptunaError) else in_one_line(error)
            self._warn(f"The inference of a trial's model was not measured: {said}")


def _checked(model: object) -> object:
    if model is None:
        raise ModelError(
            "There is no model whose inference could be measured: return it beside the quality, "
            "or call trial.watch(model)."
        )
    return model


@contextlib.contextmanager
def _random_numbers_kept(sampler: Sampler) -> Iterator[None]:
    """Leave the global random numbers as they are, so that a seeded study can be run again.

    How often a model is called hangs on how fast it is. Where trials run side by side in a
    process, the numbers hang on their turns anyhow, and to put them back would give another
    trial, which trains meanwhile, the same ones twice.
    """
    if sampler.busy:
        yield
        return
    torch = sys.modules.get("torch")
    cuda = torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized()
    plain, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's own
    tensors = None if torch is None else torch.get_rng_state()
    on_gpus = torch.cuda.get_rng_state_all() if torch is not None and cuda else []
    try:
        yield
    finally:
        if not sampler.busy:
            random.setstate(plain)
            np.random.set_state(arrays)  # noqa: NPY002 - likewise
            if torch is not None:
                torch.set_rng_state(tensors)
                if cuda:
                    torch.cuda.set_rng_state_all(on_gpus)


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
