"""Making and resuming studies, and the terms that all workers of a study agree on."""

from __future__ import annotations

import multiprocessing
import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import optuna
import pytest
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.study import StudyDirection

import green_optuna as go
from green_optuna.terms import ATTRIBUTE, read_terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
Direction: TypeAlias = Literal["minimize", "maximize"]
NAMES = ["quality_loss", "co2e_kg", "n_params"]

decorate = go.green_objective(grid=GRID, meter=METER, trackers=[])


def constant(_: optuna.Trial) -> tuple[float, int]:
    """Return the same each time."""
    return 0.75, 1


# create_study and load_study


def test_a_study_is_optunas_own() -> None:
    """No class of ours: what takes an optuna.Study takes it, dashboards and all."""
    study = go.create_study("digits")
    assert type(study) is optuna.Study
    assert study.study_name == "digits"
    assert study.directions == [StudyDirection.MINIMIZE] * 3
    assert study.metric_names == NAMES
    assert isinstance(study.sampler, optuna.samplers.TPESampler)


def test_the_study_has_as_many_directions_as_objectives() -> None:
    """Any choice of objectives, in any order, is named and minimised."""
    study = go.create_study(objectives=("energy_kwh", "quality_loss"))
    assert study.directions == [StudyDirection.MINIMIZE] * 2
    assert study.metric_names == ["energy_kwh", "quality_loss"]


def test_unknown_objectives_are_refused() -> None:
    """The error shows what was asked for, and what there is."""
    with pytest.raises(go.OptionError, match=r"'carbon'.*'co2e_kg'"):
        go.create_study(objectives=("quality_loss", "carbon"))


def test_making_a_study_warns_of_nothing_and_leaves_the_filters_alone() -> None:
    """Naming the objectives is experimental in Optuna; the user need not hear it each time."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        go.create_study()
        assert warnings.filters == before


class NewStorage(optuna.storages.InMemoryStorage):
    """A storage that is experimental itself."""

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:  # noqa: ANN401 - Optuna's signature
        """Warn, when the names of the objectives are set."""
        warnings.warn("NewStorage is experimental", ExperimentalWarning, stacklevel=2)
        super().set_study_system_attr(study_id, key, value)


def test_other_experimental_warnings_are_still_heard() -> None:
    """Only the one warning is silenced, even while it is."""
    with pytest.warns(ExperimentalWarning, match="NewStorage is experimental"):
        go.create_study(storage=NewStorage())


def test_a_study_is_resumed_by_its_name(sqlite_url: str) -> None:
    """A second call finds the trials of the first, and changes nothing."""
    go.create_study("digits", storage=sqlite_url).optimize(decorate(constant), n_trials=2)
    resumed = go.create_study("digits", storage=sqlite_url)
    resumed.optimize(decorate(constant), n_trials=1)
    assert [trial.number for trial in resumed.trials] == [0, 1, 2]
    assert resumed.metric_names == NAMES
    assert go.load_study("digits", storage=sqlite_url).trials == resumed.trials
    assert go.load_study(None, storage=sqlite_url).study_name == "digits"


def test_a_study_is_not_resumed_against_the_users_will(
    memory_storage: optuna.storages.BaseStorage,
) -> None:
    """load_if_exists=False raises Optuna's own error."""
    go.create_study("digits", storage=memory_storage)
    with pytest.raises(DuplicatedStudyError):
        go.create_study("digits", storage=memory_storage, load_if_exists=False)


def test_a_missing_study_is_a_key_error(memory_storage: optuna.storages.BaseStorage) -> None:
    """As with optuna.load_study."""
    with pytest.raises(KeyError):
        go.load_study("digits", storage=memory_storage)


@pytest.mark.parametrize("directions", [["minimize"], ["maximize", "minimize", "minimize"]])
def test_a_study_of_other_directions_is_not_resumed(
    directions: list[Direction], memory_storage: optuna.storages.BaseStorage
) -> None:
    """It is refused when it is opened, and left as it is."""
    theirs = optuna.create_study(study_name="digits", storage=memory_storage, directions=directions)
    with pytest.raises(go.DirectionsError, match=f"'digits'.*{directions[0]}"):
        go.create_study("digits", storage=memory_storage)
    assert theirs.metric_names is None


def test_a_study_of_other_objectives_is_not_resumed(
    memory_storage: optuna.storages.BaseStorage,
) -> None:
    """Energy is not put under the name of CO2e: both lists are in the error."""
    go.create_study("digits", storage=memory_storage, objectives=("quality_loss", "co2e_kg"))
    with pytest.raises(go.TermsError, match=r"'digits'.*'co2e_kg'.*'energy_kwh'"):
        go.create_study("digits", storage=memory_storage, objectives=("quality_loss", "energy_kwh"))


def test_names_of_the_users_own_are_left_alone(
    memory_storage: optuna.storages.BaseStorage,
) -> None:
    """A study whose columns the user has named keeps those names, and works."""
    theirs = optuna.create_study(
        study_name="digits", storage=memory_storage, directions=["minimize"] * 3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        theirs.set_metric_names(["loss", "carbon", "size"])
    study = go.create_study("digits", storage=memory_storage)
    study.optimize(decorate(constant), n_trials=1)
    assert study.metric_names == ["loss", "carbon", "size"]
    assert go.pareto_front(study).objectives == tuple(NAMES)


# A study of Optuna's making


def test_a_study_of_optunas_making_works() -> None:
    """Three directions to minimise are all that the objective asks for."""
    study = optuna.create_study(directions=["minimize"] * 3)
    study.optimize(decorate(constant), n_trials=2)
    assert [trial.values[0] for trial in study.trials] == [0.25, 0.25]
    assert go.pareto_front(study).objectives == tuple(NAMES)


@pytest.mark.parametrize(
    "directions",
    [
        ["minimize"],
        ["maximize"],
        ["minimize", "minimize"],
        ["maximize", "minimize", "minimize"],
        ["minimize"] * 4,
    ],
)
def test_wrong_directions_are_refused_before_the_function_runs(directions: list[Direction]) -> None:
    """Nothing is trained for a study that cannot take the result; the remedy is in the error."""
    calls = []

    @decorate
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        calls.append(trial.number)
        return 0.5, 1

    study = optuna.create_study(directions=directions)
    with pytest.raises(go.DirectionsError) as raised:
        study.optimize(objective, n_trials=1)
    assert str(directions) in str(raised.value)
    assert str(raised.value).endswith(
        "Make it with green_optuna.create_study(..., objectives=('quality_loss', 'co2e_kg', "
        "'n_params')), or with optuna.create_study(directions=[\"minimize\"] * 3)."
    )
    assert calls == []
    assert study.trials[0].state == optuna.trial.TrialState.FAIL


@pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")
def test_a_study_of_other_metrics_is_not_to_be_made_by_green_optuna() -> None:
    """Its own function takes the objectives that it knows, and no others."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.set_metric_names(["accuracy", "co2e_kg"])
    with pytest.raises(go.DirectionsError) as raised:
        go.pareto_front(study)
    assert "green_optuna.create_study" not in str(raised.value)
    assert str(raised.value).endswith(
        'Make it with optuna.create_study(directions=["minimize"] * 2).'
    )


def test_a_study_made_for_other_objectives_is_refused() -> None:
    """As many objectives, but others: the names that the study bears would be wrong."""
    study = go.create_study(objectives=("quality_loss", "energy_kwh", "n_params"))
    with pytest.raises(go.TermsError, match=r"'energy_kwh'.*not for .*'co2e_kg'"):
        study.optimize(decorate(constant), n_trials=1)


def test_a_pruner_of_the_study_is_ignored_with_one_warning() -> None:
    """It cannot work with several objectives: one warning a study, however many trials."""
    study = optuna.create_study(
        directions=["minimize"] * 3, pruner=optuna.pruners.PercentilePruner(25.0)
    )
    with pytest.warns(UserWarning, match="PercentilePruner, is ignored") as caught:
        study.optimize(decorate(constant), n_trials=3)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "pruner", [None, optuna.pruners.NopPruner(), optuna.pruners.MedianPruner()]
)
def test_the_pruner_that_optuna_puts_there_is_no_reason_to_warn(
    pruner: optuna.pruners.BasePruner | None,
) -> None:
    """Who chose none need not hear of it."""
    study = optuna.create_study(directions=["minimize"] * 3, pruner=pruner)
    study.optimize(decorate(constant), n_trials=1)
    assert len(study.best_trials) == 1


# Terms


def test_the_terms_are_written_by_the_first_trial() -> None:
    """A new study has none; its first trial leaves what it measures on."""
    study = go.create_study()
    assert read_terms(study) is None
    study.optimize(decorate(constant), n_trials=1)
    terms = read_terms(study)
    assert terms is not None
    assert terms.objectives == tuple(NAMES)
    assert terms.quality_bounds == go.QualityBounds(0.0, 1.0)
    assert terms.grid == GRID


def test_the_terms_are_written_once(sqlite_url: str) -> None:
    """Later trials, other objects and other processes find them and leave them as they are."""
    study = go.create_study("digits", storage=sqlite_url)
    study.optimize(decorate(constant), n_trials=1)
    written = study.user_attrs[ATTRIBUTE]
    same_place = go.Grid(carbon_intensity_g_per_kwh=250.0, source="elsewhere", pue=1.2)
    again = go.green_objective(grid=same_place, meter=METER, trackers=[])(constant)
    go.create_study("digits", storage=sqlite_url).optimize(again, n_trials=1)
    assert study.user_attrs == {ATTRIBUTE: written}


OTHER_TERMS: dict[str, Callable[[Any], go.GreenObjective]] = {
    "objectives": go.green_objective(
        grid=GRID, meter=METER, trackers=[], objectives=("co2e_kg", "quality_loss", "n_params")
    ),
    "carbon_intensity_g_per_kwh": go.green_objective(
        grid=go.Grid(carbon_intensity_g_per_kwh=251.0, pue=1.2), meter=METER, trackers=[]
    ),
    "pue": go.green_objective(
        grid=go.Grid(carbon_intensity_g_per_kwh=250.0, pue=1.3), meter=METER, trackers=[]
    ),
    "quality_bounds": go.green_objective(
        grid=GRID, meter=METER, trackers=[], quality_bounds=(0.0, 2.0)
    ),
}


@pytest.mark.parametrize("name", OTHER_TERMS)
def test_trials_on_other_terms_are_refused(name: str) -> None:
    """They could not be compared: the error names the term and both values, the trial fails."""
    study = optuna.create_study(study_name="digits", directions=["minimize"] * 3)
    study.optimize(decorate(constant), n_trials=1)
    with pytest.raises(go.TermsError, match=f"'digits' was made with {name} = .* has ") as raised:
        study.optimize(OTHER_TERMS[name](constant), n_trials=1)
    assert "another study name" in str(raised.value)
    assert study.trials[1].state == optuna.trial.TrialState.FAIL
    study.optimize(decorate(constant), n_trials=1)
    assert study.trials[2].state == optuna.trial.TrialState.COMPLETE


def run_workers(target: Callable[[str, Barrier], None], url: str, n_workers: int) -> None:
    """Run a function in several processes at once, which get a barrier to start at."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(n_workers)
    workers = [context.Process(target=target, args=(url, start)) for _ in range(n_workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * n_workers


def create(url: str, start: Barrier) -> None:
    """Make the study as one of several workers."""
    start.wait()
    go.create_study("digits", storage=url)


def test_workers_that_start_at_the_same_moment_make_one_study(sqlite_url: str) -> None:
    """None fails because another has just made a table of the new storage, or the study."""
    run_workers(create, sqlite_url, 4)
    assert optuna.get_all_study_names(sqlite_url) == ["digits"]


def work(url: str, start: Barrier) -> None:
    """Run a trial as one of several workers, all of which start at the same moment."""
    tracker = go.MemoryTracker()
    study = go.load_study("digits", storage=url)
    objective = go.green_objective(grid=GRID, meter=METER, trackers=[tracker])(constant)
    start.wait()
    study.optimize(objective, n_trials=1)
    key = tracker.finished[0].terms.key
    study.set_user_attr(f"worker {tracker.finished[0].number}", key)


def test_workers_that_start_at_the_same_moment_agree_on_one_key(sqlite_url: str) -> None:
    """Two processes each find no terms; they end with the same, and so do their trackers."""
    study = go.create_study("digits", storage=sqlite_url)
    run_workers(work, sqlite_url, 2)
    attributes = study.user_attrs
    key = attributes[ATTRIBUTE]["key"]
    assert attributes["worker 0"] == attributes["worker 1"] == key
