"""The keys of a configuration, their types and their defaults; ``conf/config.yaml`` shows them.

None stands for what the decorator of the objective says, or for its default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from green_optuna.config.loading import load_function
from green_optuna.errors import OptionError
from green_optuna.pruning import CapPruner, DominancePruner, ParetoHalvingPruner, Pruner
from green_optuna.rules import Capped, Custom, rule_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import optuna
    from _typeshed import DataclassInstance

    from green_optuna.rules import Rule

MISSING = "???"
"""How OmegaConf writes a value that has to be given."""

SAMPLERS = ("tpe", "nsga2", "random")

PRUNERS: Mapping[str, type[DominancePruner | ParetoHalvingPruner]] = {
    "dominance": DominancePruner,
    "halving": ParetoHalvingPruner,
}


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
class PrunerConfig:
    """What stops trials early: one of :data:`PRUNERS` with its options, and caps.

    Attributes:
        name: "dominance" or "halving", "none" for neither; None for what the decorator says.
        best_reachable: Dominance: the best quality that a trial can reach; None to learn it.
        min_completed: Dominance: how many completed trials it takes to learn from.
        project: Dominance: whether what a trial is still to spend counts.
        eta: Halving: one of so many trials goes on at each rung.
        min_step: Halving: the first rung.
        max_co2e_kg: The most CO2e that a trial may cost, in kg.
        max_n_params: The most parameters that its model may have.
        max_duration_s: The longest that it may take, in s.
    """

    name: str | None = None
    best_reachable: float | None = None
    min_completed: int | None = None
    project: bool | None = None
    eta: int | None = None
    min_step: int | None = None
    max_co2e_kg: float | None = None
    max_n_params: float | None = None
    max_duration_s: float | None = None

    def make(self, given: tuple[Pruner, ...]) -> tuple[Pruner, ...]:
        """Give the pruners, with those of the decorator that stay.

        Args:
            given: Those of the decorator. Its caps stay but for those that are set here; what
                else there is stays unless a name is given.

        Raises:
            OptionError: The name is unknown, or an option is not one of what it names.
        """
        options = _given(self, without="name")
        caps = {name: options.pop(name) for name in list(options) if name.startswith("max_")}
        capping = [one for one in given if isinstance(one, CapPruner)]
        others = [one for one in given if not isinstance(one, CapPruner)]
        if caps:
            capping = [replace(one, **caps) for one in capping] or [CapPruner(**caps)]
        if self.name is not None:
            if self.name not in (*PRUNERS, "none"):
                raise OptionError(
                    f"pruner.name is {self.name!r}: give {', '.join(PRUNERS)} or none."
                )
            kind = PRUNERS.get(self.name)
            taken = [] if kind is None else [option.name for option in fields(kind)]
            _check_taken(options, taken, f"the pruner {self.name!r}", "pruner.{}".format)
            others = [] if kind is None else [kind(**options)]
        elif options:
            raise OptionError(
                f"pruner.{next(iter(options))} is an option of one pruner: give pruner.name too."
            )
        return (*capping, *others)


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
    """

    enabled: bool | None = None
    uri: str | None = None
    experiment: str | None = None
    activate: bool | None = None


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
class RuleConfig:
    """The rule that selects one trial of the front, and its options.

    Attributes:
        name: One of :data:`green_optuna.rules.RULES`, or ``path/to/file.py:function`` for a
            figure of one's own; None to select none.
        relative: Tolerance: the share of the best quality that may be given up.
        absolute: Tolerance: what may be given up on the scale from 0 to 1, instead.
        minimise: Tolerance and epsilon-constraint: the objective that is made least.
        caps: Any rule: the most allowed of some objectives, by name.
        max_co2e_kg: Best quality: the greatest CO2e allowed, in kg.
        max_quality_loss: Least CO2e: the greatest quality loss allowed, from 0 to 1.
        max_n_params: Best quality and least CO2e: the most parameters allowed.
        order: Lexicographic: objectives with their tolerances, the most important first.
        weights: Weighted sum and utopia: weights by objective.
        scale: Those, knee and contribution: linear, log or rank.
        p: Utopia: 1, 2 or infinity.
        objectives: Knee: the names of its two objectives.
        reference: Contribution: where the reference point lies on each axis.
    """

    name: str | None = "tolerance"
    relative: float | None = None
    absolute: float | None = None
    minimise: str | None = None
    caps: dict[str, float] | None = None
    max_co2e_kg: float | None = None
    max_quality_loss: float | None = None
    max_n_params: float | None = None
    order: dict[str, float] | None = None
    weights: dict[str, float] | None = None
    scale: str | None = None
    p: float | None = None
    objectives: list[str] | None = None
    reference: float | None = None

    def make(self, spell: Callable[[str], str] = "rule.{}".format) -> Rule | None:
        """Make the rule.

        Args:
            spell: How the user writes an option, for the message that refuses one.

        Raises:
            OptionError: The rule is unknown, or does not take an option that is given.
        """
        if self.name is None:
            return None
        if ":" in self.name:
            function: Any = load_function(self.name, spell("name"))
            make: Callable[..., Rule] = partial(Custom, function)
            taken: list[str] = []
        else:
            default: Any = rule_by_name(self.name)
            make, taken = type(default), [option.name for option in fields(default)]
        given = _given(self, without="name")
        # Any rule takes caps; few have them as an option of their own.
        caps = None if "caps" in taken else given.pop("caps", None)
        _check_taken(given, taken, f"the rule {self.name!r}", spell)
        rule: Rule = make(**given)
        return Capped(rule, caps) if caps else rule


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


def given_options(
    section: GridConfig | MeterConfig | InferenceConfig | BudgetConfig | MLflowConfig | WandbConfig,
) -> dict[str, Any]:
    """Give those options of a section that are not left to the decorator."""
    return _given(section)


def key_paths() -> Mapping[str, bool]:
    """Give each key with its dots, as ``study.n_trials``, and whether it holds further keys."""
    return dict(_key_paths(RunConfig()))


def _key_paths(section: DataclassInstance, prefix: str = "") -> Iterator[tuple[str, bool]]:
    for item in fields(section):
        value = getattr(section, item.name)
        yield f"{prefix}{item.name}", is_dataclass(value)
        if is_dataclass(value) and not isinstance(value, type):
            yield from _key_paths(value, f"{prefix}{item.name}.")


def _check_taken(
    given: Mapping[str, Any], taken: Sequence[str], whose: str, spell: Callable[[str], str]
) -> None:
    """Refuse options that are given to something that does not take them."""
    for name in given:
        if name not in taken:
            takes = " and ".join(spell(option) for option in taken) or "none"
            raise OptionError(f"{spell(name)} is no option of {whose}, which takes {takes}.")


def _given(section: DataclassInstance, *, without: str = "") -> dict[str, Any]:
    options = {item.name: getattr(section, item.name) for item in fields(section)}
    return {k: value for k, value in options.items() if value is not None and k != without}
