"""The keys of a configuration, their types and their defaults; ``conf/config.yaml`` shows them.

None stands for what the decorator of the objective says, or for its default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from green_optuna.config.pruner import PrunerConfig
from green_optuna.config.rule import RuleConfig
from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna
    from _typeshed import DataclassInstance


MISSING = "???"
"""How OmegaConf writes a value that has to be given."""

SAMPLERS = ("tpe", "nsga2", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """The study, and how much of it this run does.

    Attributes:
        name: Its name; None for the name of the objective's file or module.
        storage: The URL of its storage; None for ``GREEN_OPTUNA_STORAGE``, else
            ``sqlite:///green_optuna.db`` in the working folder.
        n_trials: How many trials this run adds; None for no limit.
        timeout_s: When to start no further trial, in s from the start; None for never.
        n_jobs: How many trials run side by side, in threads; -1 for one a processor.
        sampler: One of ``SAMPLERS``.
        seed: The sampler's seed; None for another one each time.
    """

    name: str | None = None
    storage: str | None = None
    n_trials: int | None = 20
    timeout_s: float | None = None
    n_jobs: int = 1
    sampler: str = "tpe"
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers and the sampler.

        Raises:
            OptionError: One cannot be used.
        """
        if self.n_trials is not None and self.n_trials < 1:
            raise OptionError(f"study.n_trials is {self.n_trials}: give 1 or more, or null.")
        # Written so that NaN is refused.
        if self.timeout_s is not None and not 0 < self.timeout_s < math.inf:
            raise OptionError(f"study.timeout_s is {self.timeout_s}: give seconds, or null.")
        if self.n_jobs < 1 and self.n_jobs != -1:
            raise OptionError(
                f"study.n_jobs is {self.n_jobs}: give 1 or more, or -1 for one a processor."
            )
        if self.seed is not None and not 0 <= self.seed < 2**32:
            raise OptionError(f"study.seed is {self.seed}: give 0 to {2**32 - 1}, or null.")
        if self.sampler not in SAMPLERS:
            raise OptionError(
                f"study.sampler is {self.sampler!r}: give one of {', '.join(SAMPLERS)}."
            )

    def make_sampler(self) -> optuna.samplers.BaseSampler:
        """Make the sampler, with its seed."""
        from optuna import samplers

        if self.sampler == "random":
            return samplers.RandomSampler(seed=self.seed)
        if self.sampler == "nsga2":
            return samplers.NSGAIISampler(seed=self.seed)
        return samplers.TPESampler(seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridConfig:
    """Where the electricity comes from: the options of :class:`green_optuna.Grid`.

    Country, region, intensity and source go together: where one of them is given, none of the
    four is taken from the decorator. The PUE stands for itself.
    """

    country: str | None = None
    region: str | None = None
    carbon_intensity_g_per_kwh: float | None = None
    source: str | None = None
    pue: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterConfig:
    """How CodeCarbon measures: the options of :class:`green_optuna.MeterOptions`."""

    sample_interval_s: float | None = None
    tracking_mode: str | None = None
    cpu_power_w: float | None = None
    ram_power_w: float | None = None
    gpu_ids: list[int | str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConfig:
    """How each trial's model is run: the options of :class:`green_optuna.InferenceOptions`.

    Attributes:
        inputs: A function of the model that gives example inputs, named as the objective is.
        batch_size: How many samples one call takes.
        runs: How often the cost is measured; 0 only counts.
        run_s: The least length of a run, in s.
        warm_up: Calls before the first run.
    """

    inputs: str | None = None
    batch_size: int | None = None
    runs: int | None = None
    run_s: float | None = None
    warm_up: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """What the study may spend in all: the options of :class:`green_optuna.CarbonBudget`."""

    co2e_kg: float | None = None
    energy_kwh: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MLflowConfig:
    """Whether and where MLflow is told: the options of :class:`green_optuna.MLflowTracker`.

    Attributes:
        enabled: False for no MLflow, True for MLflow though the decorator has it not.
        uri: The tracking URI.
        experiment: The name of the experiment.
        activate: Whether ``mlflow.log_metric`` in the objective lands in the trial's run.
        report: Whether the study's run gets the study's report as the process ends.
    """

    enabled: bool | None = None
    uri: str | None = None
    experiment: str | None = None
    activate: bool | None = None
    report: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbConfig:
    """Whether and where W&B is told: the options of :class:`green_optuna.WandbTracker`.

    Attributes:
        enabled: False for no W&B, True for W&B though the decorator has it not.
        project: The project.
        entity: The user or team whose project it is.
        mode: "online" or "offline".
        folder: Where W&B makes its own folder.
    """

    enabled: bool | None = None
    project: str | None = None
    entity: str | None = None
    mode: str | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackersConfig:
    """Who is told of each trial."""

    mlflow: MLflowConfig = field(default_factory=MLflowConfig)
    wandb: WandbConfig = field(default_factory=WandbConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """All that ``green-optuna run`` is told.

    Attributes:
        objective: ``path/to/file.py:function`` or ``package.module:function``.
        study: The study.
        grid: Where the electricity comes from.
        meter: How energy is measured.
        trackers: Who is told of each trial.
        objectives: What the objective returns, in order.
        quality_bounds: The worst and the best quality there can be.
        n_params: A count, or which of the model's parameters count: "total" or "trainable".
        repeats: How often the objective's function runs in each trial.
        timeout_s: How long a trial may take, in s; infinity for as long as it takes.
        save_model: Whether each completed trial's model is saved with its MLflow run.
        inference: How the inference of each trial's model is measured.
        total_steps: How many steps a trial makes, or the hyperparameter that says so.
        pruner: What stops trials early.
        budget: What the study may spend in all.
        rule: Which trial of the front is selected in the end.
    """

    objective: str = MISSING
    study: StudyConfig = field(default_factory=StudyConfig)
    grid: GridConfig = field(default_factory=GridConfig)
    meter: MeterConfig = field(default_factory=MeterConfig)
    trackers: TrackersConfig = field(default_factory=TrackersConfig)
    objectives: list[str] | None = None
    quality_bounds: list[float] | None = None
    n_params: int | str | None = None
    repeats: int | None = None
    timeout_s: float | None = None
    save_model: bool | None = None
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    total_steps: int | str | None = None
    pruner: PrunerConfig = field(default_factory=PrunerConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    rule: RuleConfig = field(default_factory=RuleConfig)

    @property
    def study_name(self) -> str:
        """The study's name: that of the objective's file or module where none is given."""
        if self.study.name is not None:
            return self.study.name
        place = self.objective.rpartition(":")[0]
        return PurePath(place).stem if place.endswith(".py") else place.rpartition(".")[2]


def key_paths() -> Mapping[str, bool]:
    """Give each key with its dots, as ``study.n_trials``, and whether it holds further keys."""
    return dict(_key_paths(RunConfig()))


def _key_paths(section: DataclassInstance, prefix: str = "") -> Iterator[tuple[str, bool]]:
    for item in fields(section):
        value = getattr(section, item.name)
        yield f"{prefix}{item.name}", is_dataclass(value)
        if is_dataclass(value) and not isinstance(value, type):
            yield from _key_paths(value, f"{prefix}{item.name}.")
