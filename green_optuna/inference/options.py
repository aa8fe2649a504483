"""What can be asked of a measurement of inference."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from green_optuna.errors import OptionError
from green_optuna.scalars import as_count, as_real


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InferenceOptions:
    """How a model's inference is measured.

    The model is called ``warm_up`` times, then for ``run_s`` seconds in each of the runs; one of
    which a call takes longer is called once a run. So it takes some ``runs * run_s`` seconds, or
    ``warm_up + runs`` calls; and some four calls to count.

    Attributes:
        inputs: Example inputs: positional arguments as a tuple, keyword arguments as a mapping,
            or else the one argument; or a function that is given the model and gives them.
        batch_size: How many samples one call takes; unless given, the length of the first
            dimension of the first tensor or array among the inputs.
        runs: How often the cost is measured, 2 or more for an interval; 0 only counts:
            floating-point operations, memory and parameters.
        run_s: The least length of a run, in s. A run is lengthened to ten steps of the slowest
            counter.
        warm_up: Calls before the first run, 1 or more: a first call allocates memory, and what
            picks its algorithm by trial (cuDNN) takes a few.
    """

    inputs: object = field(repr=False)
    batch_size: int | None = None
    runs: int = 5
    run_s: float = 0.2
    warm_up: int = 3

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            OptionError: One is out of its range.
        """
        if self.inputs is None:
            raise OptionError(
                "inputs is None: give example inputs, such as a batch of the validation data, or "
                "a function of the model that gives them; an empty tuple where it takes none."
            )
        if self.batch_size is not None:
            self._keep_count("batch_size", least=1)
        self._keep_count("warm_up", least=1)
        self._keep_count("runs", least=0)
        if self.runs == 1:
            raise OptionError(
                "runs is 1: give 2 or more, since one run says nothing of how far the next one "
                "would be from it, or 0 to count without measuring."
            )
        seconds = as_real(self.run_s)
        if seconds is None or not 0 < seconds < math.inf:
            raise OptionError(f"run_s is {self.run_s!r}: give a time in s, more than 0.")

    def _keep_count(self, name: str, *, least: int) -> None:
        """Check a count, and keep it as a plain one."""
        count = as_count(getattr(self, name))
        if count is None or count < least:
            given = getattr(self, name)
            raise OptionError(f"{name} is {given!r}: give a whole number of {least} or more.")
        object.__setattr__(self, name, count)

    def inputs_of(self, model: object) -> object:
        """Give the example inputs for a model; what a function of the user's raises comes out."""
        return self.inputs(model) if callable(self.inputs) else self.inputs
