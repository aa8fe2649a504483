"""The configuration: what composes, what is refused, and what it makes of an objective."""

from __future__ import annotations

import math
import pickle
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf

from green_optuna import (
    BestQuality,
    Capped,
    CapPruner,
    CarbonBudget,
    Contribution,
    DominancePruner,
    EpsilonConstraint,
    GreenObjective,
    Grid,
    GridError,
    Knee,
    Lexicographic,
    MemoryTracker,
    MeterOptions,
    MinCO2e,
    MLflowTracker,
    OptionError,
    ParetoHalvingPruner,
    Pruner,
    QualityBounds,
    ReplayMeter,
    StopWhenFlat,
    Tolerance,
    Tracker,
    Utopia,
    WandbTracker,
    green_objective,
)
from green_optuna.config import (
    BudgetConfig,
    GridConfig,
    InferenceConfig,
    MeterConfig,
    MLflowConfig,
    PrunerConfig,
    RuleConfig,
    RunConfig,
    StudyConfig,
    TrackersConfig,
    WandbConfig,
    conf_folder,
    load_config,
    load_function,
    make_objective,
)
from green_optuna.config.schema import key_paths
from green_optuna.rules import RULES

pytestmark = pytest.mark.usefixtures("_own_imports")

OBJECTIVE = "objective=train.py:objective"

TRAIN = """
import green_optuna as go

TRACKER = go.MLflowTracker(
    "sqlite:///own.db", "own", activate=False, flush_interval_s=7.0, report=False
)

def plain(trial):
    return trial.suggest_float("x", 0, 1), 3

@go.green_objective(
    grid=go.Grid(country="USA", region="california", pue=1.2),
    meter=go.MeterOptions(sample_interval_s=2.0, cpu_power_w=30.0),
    trackers=[TRACKER, go.MemoryTracker()],
    objectives=("quality_loss", "co2e_kg"),
    quality_bounds=(2.0, 0.0),
    n_params="trainable",
)
def decorated(trial):
    return plain(trial)

@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
def replayed(trial):
    return plain(trial)

@go.green_objective(
    country="FRA", budget=[go.StopWhenFlat(1.0), go.CarbonBudget(co2e_kg=2.0, energy_kwh=3.0)]
)
def budgeted(trial):
    return 0.5, 3

@go.green_objective(country="FRA", inference=go.InferenceOptions(inputs=(1,), runs=7))
def inferring(trial):
    return plain(trial)

def inputs(model):
    return (model,)

number = 3

class Model:
    pass
"""


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Write a file with objectives into the working folder."""
    path = tmp_path / "train.py"
    path.write_text(TRAIN, encoding="utf-8")
    return path


def write(path: Path, text: str) -> Path:
    """Write a file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give the innermost keys with their dots."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        found |= flat(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return found


def leaves() -> list[str]:
    """Give the keys that hold no further ones."""
    return [key for key, holds_keys in key_paths().items() if not holds_keys]


# What is shipped.


def test_the_shipped_configuration_shows_every_key() -> None:
    """conf/config.yaml has the keys that there are, and no others."""
    shipped = OmegaConf.to_container(OmegaConf.load(conf_folder() / "config.yaml"))
    assert isinstance(shipped, dict)
    assert sorted(flat(shipped)) == sorted(leaves())  # type: ignore[arg-type]  # its keys are text


def test_the_shipped_configuration_shows_the_defaults() -> None:
    """Composed from conf/config.yaml, all is as if no file said anything."""
    assert load_config([OBJECTIVE]) == RunConfig(objective="train.py:objective")


def test_the_digits_configuration_names_the_example() -> None:
    """conf/digits.yaml runs a function that examples/digits.py defines."""
    config = load_config(config_name="digits")
    file, _, function = config.objective.partition(":")
    example = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
    assert f"def {function}(trial" in example
    assert (config.study_name, config.study.storage) == ("digits", "sqlite:///digits.db")


def test_the_sections_have_the_options_of_what_they_make() -> None:
    """No option of a grid, a meter or a rule is missing from the configuration."""
    assert {item.name for item in fields(GridConfig)} == {item.name for item in fields(Grid)}
    assert {item.name for item in fields(MeterConfig)} == {
        item.name for item in fields(MeterOptions)
    }
    assert {item.name for item in fields(BudgetConfig)} == {
        item.name for item in fields(CarbonBudget)
    }
    options: set[str] = set()
    for rule in RULES.values():
        options |= {item.name for item in fields(rule)}  # type: ignore[arg-type]  # all are dataclasses
    assert {item.name for item in fields(RuleConfig)} == options | {"name"}


def test_the_options_of_a_rule_are_read_from_overrides() -> None:
    """Amounts by name keep their order, and infinity is a number."""
    keys = ("weights={n_params:0,co2e_kg:2}", "scale=log", "p=inf", "caps={co2e_kg:1e-6}")
    overrides = ["objective=m:f", "rule.name=utopia", *(f"rule.{key}" for key in keys)]
    made = load_config(overrides).rule.make()
    rule = Utopia(weights={"co2e_kg": 2, "n_params": 0}, scale="log", p=math.inf)
    assert made == Capped(rule, {"co2e_kg": 1e-6})
    order = "rule.order={n_params:0.5,co2e_kg:0}"
    ordered = load_config(["objective=m:f", "rule.name=lexicographic", order]).rule.make()
    assert ordered == Lexicographic([("n_params", 0.5), ("co2e_kg", 0.0)])


# Overrides.


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("study.n_trials=50", "study.n_trials", 50),
        ("study.n_trials=null", "study.n_trials", None),
        ("+study.timeout_s=60", "study.timeout_s", 60.0),
        ("++study.seed=0", "study.seed", 0),
        ("study.name=my study", "study.name", "my study"),
        ("study.name=7", "study.name", "7"),
        ("study.storage=journal:a.log", "study.storage", "journal:a.log"),
        ("study.storage=sqlite:////tmp/a b/c.db", "study.storage", "sqlite:////tmp/a b/c.db"),
        (
            "study.storage=postgresql://me:s3c$r%40t@host:5432/db?sslmode=require&a='b'",
            "study.storage",
            "postgresql://me:s3c$r%40t@host:5432/db?sslmode=require&a='b'",
        ),
        ("objectives=[quality_loss,co2e_kg]", "objectives", ["quality_loss", "co2e_kg"]),
        ("quality_bounds=[2.5, 0]", "quality_bounds", [2.5, 0.0]),
        ("n_params=1000", "n_params", 1000),
        ("n_params=trainable", "n_params", "trainable"),
        ("repeats=3", "repeats", 3),
        ("save_model=true", "save_model", True),
        ("timeout_s=60", "timeout_s", 60.0),
        ("timeout_s=inf", "timeout_s", math.inf),
        ("meter.gpu_ids=[0,GPU-1f]", "meter.gpu_ids", [0, "GPU-1f"]),
        ("trackers.mlflow.enabled=false", "trackers.mlflow.enabled", False),
        ("budget.co2e_kg=0.001", "budget.co2e_kg", 0.001),
        ("rule.max_co2e_kg=1e-6", "rule.max_co2e_kg", 1e-6),
    ],
)
def test_a_key_is_set_on_the_command_line(override: str, path: str, value: object) -> None:
    """An override changes its key, whatever characters its value has."""
    found: Any = load_config([OBJECTIVE, override])
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("study.n_trails=5", "study.n_trials"),
        ("n_trials=5", "study.n_trials"),
        ("+seed=5", "study.seed"),
        ("mlflow.uri=x", "trackers.mlflow.uri"),
        ("grid.contry=FRA", "grid.country"),
        ("quality_bound=[0,1]", "quality_bounds"),
        ("hydra.run.dir=x", "study.n_trials"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(override: str, nearest: str) -> None:
    """A slip of the pen names the key that was meant; none is silently ignored."""
    with pytest.raises(OptionError, match=r"did you mean '") as error:
        load_config([OBJECTIVE, override])
    assert override.partition("=")[0].lstrip("+") in str(error.value)
    if not override.startswith("hydra"):
        assert nearest in str(error.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.py:objective", "objective=train.py:objective"),
        ("study=big", "holds keys: study.name"),
        ("study.n_trials=5,10", "several values"),
        ("study.n_trials=many", "study.n_trials: Value 'many'"),
        ("study.n_trials=2.5", "study.n_trials: Value '2.5'"),
        ("objectives=co2e_kg", "objectives"),
        ("quality_bounds=[a,b]", "quality_bounds"),
        ("study.n_trials=0", "study.n_trials is 0"),
        ("study.n_jobs=0", "study.n_jobs is 0"),
        ("study.timeout_s=-1", "study.timeout_s is -1"),
        ("study.timeout_s=nan", "study.timeout_s is nan"),
        ("study.seed=-1", "study.seed is -1"),
        ("repeats=2.5", "repeats: Value '2.5'"),
        ("study.sampler=gp", "tpe, nsga2, random"),
        ("~study.color", "did you mean"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(override: str, said: str) -> None:
    """The error names the key with its value, and what it takes."""
    with pytest.raises(OptionError) as error:
        load_config([OBJECTIVE, override])
    assert said in str(error.value)


@pytest.mark.parametrize("overrides", [[], ["objective=null"], ["objective=''"]])
def test_without_an_objective_the_error_says_what_to_write(overrides: list[str]) -> None:
    """There is nothing to run, and two ways to name something."""
    with pytest.raises(OptionError, match="objective") as error:
        load_config(overrides)
    assert "path/to/file.py:function" in str(error.value) or "null" in overrides[0]


def test_composing_writes_no_file(tmp_path: Path) -> None:
    """Hydra's output folders and logs are not made."""
    load_config([OBJECTIVE])
    assert list(tmp_path.iterdir()) == []


# Files of the user's own.


def test_a_file_of_ones_own_holds_only_what_differs(tmp_path: Path) -> None:
    """What it leaves out has its default, and can be overridden all the same."""
    write(tmp_path / "my conf/big.yaml", "objective: a.b:f\nstudy: {n_trials: 500}\nrule:\n")
    config = load_config(["grid.pue=1.3"], config_name="big", config_dir=tmp_path / "my conf")
    assert config == RunConfig(
        objective="a.b:f", study=StudyConfig(n_trials=500), grid=GridConfig(pue=1.3)
    )


def test_a_folder_of_ones_own_may_have_groups(tmp_path: Path) -> None:
    """Hydra's defaults and config groups work as everywhere."""
    write(tmp_path / "c/base.yaml", "objective: a.b:f\nstudy: {seed: 1}\n")
    write(tmp_path / "c/big.yaml", "defaults: [base, _self_, grid: dirty]\nstudy: {n_trials: 9}\n")
    write(tmp_path / "c/grid/clean.yaml", "country: FRA\n")
    write(tmp_path / "c/grid/dirty.yaml", "country: POL\n")
    both = load_config(config_name="big", config_dir="c")
    assert (both.study.seed, both.study.n_trials, both.grid.country) == (1, 9, "POL")
    clean = load_config(["grid=clean"], config_name="big", config_dir="c")
    assert clean.grid.country == "FRA"


def test_the_environment_can_be_read_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """${oc.env:NAME} is resolved, and an unset variable is named."""
    write(tmp_path / "c/config.yaml", "objective: a.b:f\nstudy: {storage: '${oc.env:MY_DB}'}\n")
    monkeypatch.setenv("MY_DB", "sqlite:///mine.db")
    assert load_config(config_dir="c").study.storage == "sqlite:///mine.db"
    monkeypatch.delenv("MY_DB")
    with pytest.raises(OptionError, match="MY_DB"):
        load_config(config_dir="c")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("study: {n_trails: 3}", "did you mean 'study.n_trials'"),
        ("n_trials: 3", "did you mean 'study.n_trials'"),
        ("study: 5", "holds keys: study.name"),
        ("trackers: {mlflow: yes}", "holds keys: trackers.mlflow.enabled"),
        ("study: [", "cannot be composed"),
        ("- a", "cannot be composed"),
        ("defaults: [nothing]", "nothing"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, text: str, said: str
) -> None:
    """The error names the configuration, and the key or what the parser says."""
    write(tmp_path / "c/mine.yaml", f"{text}\n")
    with pytest.raises(OptionError, match="mine") as error:
        load_config([OBJECTIVE], config_name="mine", config_dir="c")
    assert said in str(error.value)


def test_a_file_or_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The error lists the files that there are."""
    write(tmp_path / "c/one.yaml", "")
    with pytest.raises(OptionError, match=r"no configuration 'two' .* there is one\."):
        load_config([OBJECTIVE], config_name="two", config_dir="c")
    with pytest.raises(OptionError, match="no folder"):
        load_config([OBJECTIVE], config_dir="d")


# The study, its sampler and the rule.


@pytest.mark.parametrize(
    ("objective", "name"),
    [("train.py:f", "train"), ("a/b/net.py:f", "net"), ("pkg.net:f", "net"), ("net:f", "net")],
)
def test_a_study_without_a_name_has_that_of_its_objective(objective: str, name: str) -> None:
    """Running the same file again resumes its study."""
    assert RunConfig(objective=objective).study_name == name
    named = RunConfig(objective=objective, study=StudyConfig(name="given"))
    assert named.study_name == "given"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tpe", optuna.samplers.TPESampler),
        ("nsga2", optuna.samplers.NSGAIISampler),
        ("random", optuna.samplers.RandomSampler),
    ],
)
def test_a_sampler_has_its_seed(name: str, kind: type[optuna.samplers.BaseSampler]) -> None:
    """Two of the same seed suggest the same, two of different seeds do not."""

    def suggested(seed: int) -> float:
        sampler = StudyConfig(sampler=name, seed=seed).make_sampler()
        assert type(sampler) is kind
        study = optuna.create_study(sampler=sampler, directions=["minimize"] * 2)
        return study.ask().suggest_float("x", 0, 1)

    assert suggested(3) == suggested(3) != suggested(4)


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        (RuleConfig(), Tolerance(0.01)),
        (RuleConfig(relative=0.05), Tolerance(0.05)),
        (RuleConfig(absolute=0.02), Tolerance(absolute=0.02)),
        (
            RuleConfig(name="best-quality", max_co2e_kg=1.0, max_n_params=9.0),
            BestQuality(max_co2e_kg=1.0, max_n_params=9.0),
        ),
        (RuleConfig(name="min-co2e", max_quality_loss=0.1), MinCO2e(max_quality_loss=0.1)),
        (
            RuleConfig(name="knee", objectives=["quality_loss", "n_params"]),
            Knee(objectives=("quality_loss", "n_params")),
        ),
        (RuleConfig(minimise="n_params"), Tolerance(minimise="n_params")),
        (RuleConfig(caps={"n_params": 9.0}), Capped(Tolerance(), {"n_params": 9.0})),
        (
            RuleConfig(name="epsilon-constraint", minimise="flops", caps={"co2e_kg": 1.0}),
            EpsilonConstraint(minimise="flops", caps={"co2e_kg": 1.0}),
        ),
        (
            RuleConfig(name="lexicographic", order={"co2e_kg": 0.1, "n_params": 0.0}),
            Lexicographic({"co2e_kg": 0.1, "n_params": 0.0}),
        ),
        (
            RuleConfig(name="utopia", weights={"co2e_kg": 2.0}, scale="log", p=1.0),
            Utopia(weights={"co2e_kg": 2.0}, scale="log", p=1),
        ),
        (
            RuleConfig(name="contribution", scale="rank", reference=2.0),
            Contribution(scale="rank", reference=2.0),
        ),
        (RuleConfig(name=None), None),
    ],
)
def test_a_rule_is_made_with_its_options(config: RuleConfig, rule: object) -> None:
    """What is given reaches the rule; without a name there is none."""
    assert config.make() == rule


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (RuleConfig(max_co2e_kg=1.0), "rule.max_co2e_kg .* 'tolerance', .* rule.relative and"),
        (RuleConfig(name="knee", relative=0.1), "rule.relative .* 'knee'"),
        (RuleConfig(name="min-co2e", max_co2e_kg=1.0), "rule.max_co2e_kg .* 'min-co2e'"),
        (RuleConfig(name="kne"), "did you mean 'knee'"),
    ],
)
def test_an_option_that_a_rule_does_not_take_is_refused(config: RuleConfig, said: str) -> None:
    """None is accepted and then ignored."""
    with pytest.raises(OptionError, match=said):
        config.make()


# The objective.


@pytest.mark.usefixtures("train")
@pytest.mark.parametrize("name", ["train.py:plain", "./train.py:plain", "train:plain"])
def test_a_function_is_loaded_from_a_file_or_a_module(name: str) -> None:
    """A path is relative to the working folder; a module is found there, too."""
    assert load_function(name).__name__ == "plain"


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    """As with `python folder/file.py`, whatever the working folder is."""
    write(tmp_path / "deep/neighbour_of_net.py", "VALUE = 5\n")
    write(tmp_path / "deep/net.py", "from neighbour_of_net import VALUE\ndef f(): return VALUE\n")
    assert load_function("deep/net.py:f")() == 5


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    """The second is not taken for the first, and a loaded module stays what it is."""
    for folder in ("a", "b"):
        write(tmp_path / folder / "twin.py", f"def f(): return {folder!r}\n")
    write(tmp_path / "json.py", "def f(): return 'mine'\n")
    names = ("a/twin.py:f", "b/twin.py:f", "json.py:f")
    assert [load_function(name)() for name in names] == ["a", "b", "mine"]
    assert hasattr(sys.modules["json"], "dumps")


@pytest.mark.usefixtures("train")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train.py", "path/to/file.py:function"),
        ("train.py:", "path/to/file.py:function"),
        (":plain", "path/to/file.py:function"),
        ("trian.py:plain", "Did you mean 'train.py'?"),
        ("nowhere/at/all.py:plain", "nowhere/at/all.py"),
        ("train.py:plan", "It has plain, decorated, replayed, budgeted, inferring, inputs, Model."),
        ("train.py:number", "of type int"),
        ("train.py:Model", "of type type"),
        ("train.py:go", "of type module"),
        ("no_such_package.net:f", "no module 'no_such_package'"),
        ("train.net:f", "train"),
        ("conf/thing:f", "conf/thing"),
    ],
)
def test_an_objective_that_is_not_there_is_named(name: str, said: str) -> None:
    """The error repeats what was written, and offers what there is."""
    with pytest.raises(OptionError) as error:
        load_function(name)
    assert repr(name) in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import json\n\nx = 1 / 0\n", "ZeroDivisionError: division by zero (line 3 of "),
        ("def f(:\n", "SyntaxError: "),
        ("import no_such_package\n", "ModuleNotFoundError: No module named 'no_such_package'"),
    ],
)
def test_an_error_in_the_users_file_is_shown(tmp_path: Path, text: str, said: str) -> None:
    """The user's own exception is in the message, and is its cause."""
    write(tmp_path / "broken.py", text)
    for name in ("broken.py:f", "broken:f"):
        with pytest.raises(OptionError) as error:
            load_function(name)
        assert said.partition(" (")[0] in str(error.value)
        assert type(error.value.__cause__).__name__ in said
    with pytest.raises(OptionError) as error:
        load_function("broken.py:f")
    assert said in str(error.value)


def made(name: str, config: RunConfig | None = None) -> GreenObjective:
    """Make an objective of the file in the working folder."""
    given = config or RunConfig()
    return make_objective(
        RunConfig(
            objective=f"train.py:{name}",
            grid=given.grid,
            meter=given.meter,
            trackers=given.trackers,
            objectives=given.objectives,
            quality_bounds=given.quality_bounds,
            n_params=given.n_params,
            repeats=given.repeats,
            timeout_s=given.timeout_s,
            save_model=given.save_model,
            inference=given.inference,
            total_steps=given.total_steps,
            pruner=given.pruner,
            budget=given.budget,
        )
    )


@pytest.mark.usefixtures("train")
def test_a_plain_function_gets_the_decorators_defaults() -> None:
    """It is as if it had been decorated with the grid alone."""
    ours = made("plain", RunConfig(grid=GridConfig(country="FRA"))).options
    theirs = green_objective(country="FRA")(lambda _: 0.0).options
    assert [type(tracker) for tracker in ours.trackers] == [MLflowTracker]
    for option in ("grid", "meter", "objectives", "quality_bounds", "n_params"):
        assert getattr(ours, option) == getattr(theirs, option)


@pytest.mark.usefixtures("train")
def test_what_is_null_stays_as_the_decorator_says() -> None:
    """With nothing set, the decorated objective itself is run, and pickles by its name."""
    objective = made("decorated")
    assert objective is sys.modules["train"].decorated
    assert pickle.loads(pickle.dumps(objective)) is objective


@pytest.mark.usefixtures("train")
def test_what_is_set_replaces_the_decorators_option() -> None:
    """Each option by itself, the others staying."""
    before = made("decorated").options
    config = RunConfig(
        objectives=["quality_loss"],
        quality_bounds=[5.0, 1.0],
        n_params=12,
        repeats=3,
        save_model=True,
        timeout_s=60.0,
        meter=MeterConfig(cpu_power_w=45.0, gpu_ids=[0]),
    )
    after = made("decorated", config).options
    assert after.objectives == ("quality_loss",)
    assert after.quality_bounds == QualityBounds(5.0, 1.0)
    assert after.n_params == 12
    assert (after.repeats, after.timeout_s, after.save_model) == (3, 60.0, True)
    assert (before.repeats, before.timeout_s, before.save_model) == (1, None, False)
    assert after.meter == MeterOptions(sample_interval_s=2.0, cpu_power_w=45.0, gpu_ids=(0,))
    assert (after.grid, len(after.trackers)) == (before.grid, 2)


@pytest.mark.usefixtures("train")
def test_a_cap_that_is_set_joins_what_else_stops_the_study() -> None:
    """It is added where the decorator has no budget, and else replaces the same cap alone."""
    added = made("decorated", RunConfig(budget=BudgetConfig(co2e_kg=0.5))).options.budgets
    assert added == (CarbonBudget(co2e_kg=0.5),)
    flat = StopWhenFlat(1.0)
    assert made("budgeted").options.budgets == (flat, CarbonBudget(co2e_kg=2.0, energy_kwh=3.0))
    changed = made("budgeted", RunConfig(budget=BudgetConfig(co2e_kg=0.5))).options.budgets
    assert changed == (flat, CarbonBudget(co2e_kg=0.5, energy_kwh=3.0))


CAPPED = (CapPruner(max_co2e_kg=1.0, max_n_params=5), DominancePruner())


@pytest.mark.parametrize(
    ("config", "given", "pruners"),
    [
        (PrunerConfig(), CAPPED, CAPPED),
        (PrunerConfig(name="dominance"), (), (DominancePruner(),)),
        (
            PrunerConfig(name="dominance", best_reachable=0.9, min_completed=5, project=True),
            (),
            (DominancePruner(best_reachable=0.9, min_completed=5, project=True),),
        ),
        (
            PrunerConfig(name="halving", eta=4, min_step=2),
            CAPPED,
            (CAPPED[0], ParetoHalvingPruner(eta=4, min_step=2)),
        ),
        (PrunerConfig(name="none"), CAPPED, CAPPED[:1]),
        (PrunerConfig(max_duration_s=9.0), (), (CapPruner(max_duration_s=9.0),)),
        (
            PrunerConfig(max_co2e_kg=2.0),
            CAPPED,
            (CapPruner(max_co2e_kg=2.0, max_n_params=5), CAPPED[1]),
        ),
        (
            PrunerConfig(name="halving", max_n_params=7),
            (),
            (CapPruner(max_n_params=7), ParetoHalvingPruner()),
        ),
    ],
)
def test_pruners_are_made_with_their_options(
    config: PrunerConfig, given: tuple[Pruner, ...], pruners: tuple[Pruner, ...]
) -> None:
    """Caps change the decorator's own one by one; a name replaces what else it has."""
    assert config.make(given) == pruners


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (PrunerConfig(name="median"), "pruner.name is 'median': give dominance, halving or none"),
        (PrunerConfig(eta=4), r"pruner\.eta is an option of one pruner: give pruner\.name too"),
        (
            PrunerConfig(name="dominance", eta=4),
            r"pruner\.eta is no option of the pruner 'dominance'",
        ),
        (PrunerConfig(name="none", eta=4), "the pruner 'none', which takes none"),
        (PrunerConfig(name="halving", eta=1), "eta is 1"),
        (PrunerConfig(max_co2e_kg=-1.0), "max_co2e_kg is -1"),
    ],
)
def test_pruners_that_cannot_be_are_refused(config: PrunerConfig, said: str) -> None:
    """With the key and what to write."""
    with pytest.raises(OptionError, match=said):
        config.make(())


@pytest.mark.usefixtures("train")
def test_a_pruner_and_steps_that_are_set_reach_the_objective() -> None:
    """From the command line's words on."""
    config = load_config(
        ["objective=train.py:decorated", "pruner.name=halving", "pruner.eta=4", "total_steps=n"]
    )
    options = make_objective(config).options
    assert (options.pruners, options.total_steps) == ((ParetoHalvingPruner(eta=4),), "n")


@pytest.mark.usefixtures("train")
def test_a_file_that_two_keys_name_is_one_module() -> None:
    """What it makes once is made once, and its classes are the same in both functions."""
    config = RunConfig(
        objective="train.py:plain",
        grid=GridConfig(country="FRA"),
        inference=InferenceConfig(inputs="train.py:inputs"),
    )
    objective = make_objective(config)
    inference = objective.options.inference
    assert inference is not None
    assert callable(inference.inputs)
    assert inference.inputs.__globals__ is objective.function.__globals__  # type: ignore[attr-defined]


@pytest.mark.usefixtures("train")
def test_inference_is_measured_on_inputs_that_a_function_gives() -> None:
    """It is named as the objective is; the decorator's own inputs stay unless it is."""
    config = InferenceConfig(inputs="train.py:inputs", run_s=0.5)
    made_here = made("decorated", RunConfig(inference=config, objectives=["flops"])).options
    assert made_here.inference is not None
    assert made_here.inference.inputs_of("model") == ("model",)
    assert (made_here.inference.run_s, made_here.inference.runs) == (0.5, 5)
    changed = made("inferring", RunConfig(inference=InferenceConfig(batch_size=3))).options
    assert changed.inference is not None
    assert changed.inference.inputs == (1,)
    assert (changed.inference.batch_size, changed.inference.runs) == (3, 7)
    kept = made("inferring").options.inference
    assert kept is not None
    assert (kept.inputs, kept.runs, kept.batch_size) == ((1,), 7, None)


@pytest.mark.usefixtures("train")
@pytest.mark.parametrize(
    ("config", "said"),
    [
        (RunConfig(repeats=0), "repeats is 0"),
        (RunConfig(budget=BudgetConfig(co2e_kg=-1.0)), r"budget's co2e_kg is -1\.0"),
        (RunConfig(objectives=["flops"]), r"inference\.inputs=train\.py:inputs"),
        (RunConfig(inference=InferenceConfig(runs=3)), r"inference\.runs is given"),
        (
            RunConfig(inference=InferenceConfig(inputs="train.py:nothing")),
            r"inference\.inputs is 'train\.py:nothing'",
        ),
        (
            RunConfig(inference=InferenceConfig(inputs="train.py:inputs", runs=-1)),
            "runs is -1",
        ),
        (RunConfig(timeout_s=-1.0), r"timeout_s is -1\.0"),
        (RunConfig(timeout_s=math.nan), "timeout_s is nan"),
    ],
    ids=str,
)
def test_a_number_that_the_objective_cannot_use_is_refused(config: RunConfig, said: str) -> None:
    """By name and value, before there is a study."""
    with pytest.raises(OptionError, match=said):
        made("decorated", config)


@pytest.mark.usefixtures("train")
@pytest.mark.parametrize(
    ("config", "grid"),
    [
        (GridConfig(), Grid(country="USA", region="california", pue=1.2)),
        (GridConfig(pue=1.5), Grid(country="USA", region="california", pue=1.5)),
        (GridConfig(country="FRA"), Grid(country="FRA", pue=1.2)),
        (GridConfig(country="FRA", pue=1.0), Grid(country="FRA")),
        (
            GridConfig(carbon_intensity_g_per_kwh=50.0, source="mine"),
            Grid(carbon_intensity_g_per_kwh=50.0, source="mine", pue=1.2),
        ),
    ],
)
def test_a_place_replaces_the_place_and_a_pue_the_pue(config: GridConfig, grid: Grid) -> None:
    """A country never keeps another's region or intensity."""
    assert made("decorated", RunConfig(grid=config)).options.grid == grid


@pytest.mark.usefixtures("train")
def test_without_a_place_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain function has no place, and there is no default one."""
    with pytest.raises(GridError, match=r"grid\.country=FRA"):
        made("plain")
    monkeypatch.setenv("GREEN_OPTUNA_COUNTRY", "POL")
    assert made("plain", RunConfig(grid=GridConfig(pue=1.4))).options.grid == Grid(
        country="POL", pue=1.4
    )


@pytest.mark.usefixtures("train")
def test_codecarbons_options_are_refused_for_another_meter() -> None:
    """They would be accepted and then ignored."""
    with pytest.raises(OptionError, match=r"meter\.cpu_power_w .* ReplayMeter"):
        made("replayed", RunConfig(meter=MeterConfig(cpu_power_w=45.0)))
    assert isinstance(made("replayed").options.meter, ReplayMeter)


def tracker_options(objective: GreenObjective) -> list[tuple[object, ...]]:
    """Give what each MLflow tracker was made with."""
    return [
        (tracker.uri, tracker.experiment, tracker._activates, tracker.flush_interval_s)
        for tracker in mlflow_trackers(objective)
    ]


def mlflow_trackers(objective: GreenObjective) -> list[MLflowTracker]:
    """Give an objective's MLflow trackers."""
    return [one for one in objective.options.trackers if isinstance(one, MLflowTracker)]


@pytest.mark.usefixtures("train")
@pytest.mark.parametrize(
    ("config", "options"),
    [
        (MLflowConfig(), [("sqlite:///own.db", "own", False, 7.0)]),
        (MLflowConfig(enabled=True), [("sqlite:///own.db", "own", False, 7.0)]),
        (MLflowConfig(uri="sqlite:///x.db"), [("sqlite:///x.db", "own", False, 7.0)]),
        (MLflowConfig(experiment="x"), [("sqlite:///own.db", "x", False, 7.0)]),
        (MLflowConfig(activate=True), [("sqlite:///own.db", "own", True, 7.0)]),
        (MLflowConfig(enabled=False, uri="sqlite:///x.db"), []),
    ],
)
def test_mlflow_is_set_without_losing_the_rest(
    config: MLflowConfig, options: list[tuple[object, ...]]
) -> None:
    """The decorator's other options and other trackers stay."""
    objective = made("decorated", RunConfig(trackers=TrackersConfig(mlflow=config)))
    assert tracker_options(objective) == options
    assert all(not one.report for one in mlflow_trackers(objective))
    others = [t for t in objective.options.trackers if not isinstance(t, MLflowTracker)]
    assert [type(tracker) for tracker in others] == [MemoryTracker]


@pytest.mark.usefixtures("train")
def test_the_report_can_be_asked_for_or_left_out() -> None:
    """Whatever the decorator says of it."""
    for name in ("decorated", "replayed"):
        for wanted in (True, False):
            config = TrackersConfig(mlflow=MLflowConfig(enabled=True, report=wanted))
            objective = made(name, RunConfig(trackers=config))
            assert [one.report for one in mlflow_trackers(objective)] == [wanted]


@pytest.mark.usefixtures("train")
def test_mlflow_can_be_added_to_an_objective_without_it() -> None:
    """enabled, or any of its options, is enough."""
    for config in (MLflowConfig(enabled=True), MLflowConfig(experiment="x")):
        objective = made("replayed", RunConfig(trackers=TrackersConfig(mlflow=config)))
        assert tracker_options(objective) == [(None, config.experiment, True, 30.0)]


def wandb_options(trackers: tuple[Tracker, ...]) -> list[tuple[object, ...]]:
    """Give what each W&B tracker was made with."""
    return [
        (one.project, one.entity, one.mode, one.folder, one.flush_interval_s)
        for one in trackers
        if isinstance(one, WandbTracker)
    ]


@pytest.mark.usefixtures("train")
def test_wandb_is_off_unless_it_is_enabled(tmp_path: Path) -> None:
    """enabled, or any of its options, adds it beside the others."""
    assert wandb_options(made("decorated").options.trackers) == []
    for config, options in (
        (WandbConfig(enabled=True), (None, None, None, None, 30.0)),
        (WandbConfig(mode="offline"), (None, None, "offline", None, 30.0)),
        (WandbConfig(project="x", folder="y"), ("x", None, None, str(tmp_path / "y"), 30.0)),
    ):
        objective = made("decorated", RunConfig(trackers=TrackersConfig(wandb=config)))
        assert wandb_options(objective.options.trackers) == [options]
        assert len(objective.options.trackers) == 3


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (WandbConfig(), [("own", "team", "offline", None, 7.0)]),
        (WandbConfig(enabled=True), [("own", "team", "offline", None, 7.0)]),
        (WandbConfig(project="x", mode="online"), [("x", "team", "online", None, 7.0)]),
        (WandbConfig(entity="me"), [("own", "me", "offline", None, 7.0)]),
        (WandbConfig(enabled=False, project="x"), []),
    ],
)
def test_wandb_is_set_without_losing_the_rest(
    config: WandbConfig, options: list[tuple[object, ...]], train: Path
) -> None:
    """What the decorator's tracker was made with stays where nothing is set."""
    trackers = (
        "trackers=[go.WandbTracker('own', entity='team', mode='offline', flush_interval_s=7.0)]"
    )
    train.write_text(TRAIN.replace("trackers=[TRACKER, go.MemoryTracker()]", trackers))
    objective = made("decorated", RunConfig(trackers=TrackersConfig(wandb=config)))
    assert wandb_options(objective.options.trackers) == options


@pytest.mark.usefixtures("train")
def test_wandbs_options_are_checked_as_its_tracker_checks_them() -> None:
    """A project that W&B refuses is refused before the first trial."""
    with pytest.raises(OptionError, match="project is 'a/b'"):
        made("replayed", RunConfig(trackers=TrackersConfig(wandb=WandbConfig(project="a/b"))))
