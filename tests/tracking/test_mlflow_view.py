"""A study's view in MLflow, the marks of its front, and how a person is led to them."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import optuna
import pytest
import sqlalchemy

import green_optuna as go
from green_optuna.markup import in_markdown
from green_optuna.terms import ATTRIBUTE, read_links, read_terms
from green_optuna.tracking.mlflow import view
from green_optuna.tracking.mlflow.place import study_link

from .records import GRID, TERMS, logged, make_measurement, make_record, studies_and_trials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlflow import MlflowClient


NAMES = TERMS.objectives


def make_study(objectives: Sequence[str] = NAMES) -> optuna.Study:
    """Give a study as an objective of ours leaves it."""
    study = go.create_study("s", objectives=objectives)
    terms = {**TERMS.to_dict(), "objectives": list(objectives)}
    study.set_user_attr(ATTRIBUTE, terms)
    return study


def add_trial(
    study: optuna.Study,
    losses: Sequence[float],
    *,
    tracker: go.MLflowTracker | None = None,
    params: dict[str, float] | None = None,
) -> None:
    """Add a completed trial, with a run in MLflow where there is a tracker."""
    number = len(study.trials)
    objectives = dict(zip(NAMES, losses, strict=False))
    record = make_record(
        number=number,
        state="complete",
        params=params or {},
        objectives=objectives,
        measurement=make_measurement([1.0], cpu_w=[50.0]),
    )
    if tracker is not None:
        record = make_record(number=number)
        run_ids = {tracker.name: tracker.start_trial(record)}
        record = make_record(number=number, state="complete", run_ids=run_ids)
        tracker.finish_trial(record)
    study.add_trial(
        optuna.create_trial(
            values=list(losses),
            params=params or {},
            distributions={
                name: optuna.distributions.FloatDistribution(0, 1) for name in params or {}
            },
            user_attrs={ATTRIBUTE: record.attribute()},
        )
    )


def saved(value: str | None) -> dict[str, Any]:
    """Read a view as MLflow's pages do."""
    assert value is not None
    tag = json.loads(value)
    assert isinstance(tag["name"], str)
    assert isinstance(tag["createdAt"], int)
    header, _, packed = tag["state"].partition(";")
    assert header == "deflate"
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return {**tag, "state": state}


# The view


def test_the_view_shows_the_trials_of_one_study_with_its_columns_and_charts() -> None:
    """Objectives come first; failed parameters of some trials are columns, and not in charts."""
    study = make_study()
    add_trial(study, [0.1, 2e-6, 9], params={"x": 0.5, "y": 0.5})
    add_trial(study, [0.2, 1e-6, 9], params={"x": 0.5})
    front = go.pareto_front(study)
    tag = saved(view.tag_value(front, TERMS.key, at_s=2.0))
    state = tag["state"]
    assert (tag["name"], tag["createdAt"], tag["updatedAt"]) == ("s", 2000, 2000)
    assert f"= '{TERMS.key}'" in state["searchFilter"]
    assert state["selectedColumns"] == [
        "metrics.`objective/quality_loss`",
        "metrics.`objective/co2e_kg`",
        "metrics.`objective/n_params`",
        "metrics.`quality`",
        "params.`x`",
        "params.`y`",
        "tags.`green_optuna.state`",
        "tags.`green_optuna.on_front`",
        "tags.`green_optuna.chosen`",
    ]
    assert set(state["columnWidths"]) == set(state["columnOrder"]) > set(state["selectedColumns"])
    charts = {chart["uuid"]: chart for chart in state["compareRunCharts"]}
    for cost in ("co2e_kg", "n_params"):
        assert charts[f"SCATTER {cost}"]["xaxis"]["key"] == f"objective/{cost}"
        assert charts[f"SCATTER {cost}"]["yaxis"]["key"] == "objective/quality_loss"
    assert charts["PARALLEL"]["selectedParams"] == ["x"]
    assert {"energy/cpu_w", "energy/cumulative_kwh", "report/quality"} < set(charts)
    assert "energy/gpu_w" not in charts, "no trial used one"
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in charts.values()} < sections


@pytest.mark.parametrize(
    ("objectives", "axes"),
    [
        (("n_params", "quality_loss"), ("objective/n_params", "objective/quality_loss")),
        (("energy_kwh", "co2e_kg"), ("objective/co2e_kg", "objective/energy_kwh")),
        (("co2e_kg",), None),
    ],
)
def test_the_view_fits_other_objectives(
    objectives: tuple[str, ...], axes: tuple[str, str] | None
) -> None:
    """The quality goes up, else the first of them, and one alone is against nothing."""
    study = make_study(objectives)
    add_trial(study, [0.1, 0.2][: len(objectives)])
    state = saved(view.tag_value(go.pareto_front(study), TERMS.key, at_s=0.0))["state"]
    scatters = [one for one in state["compareRunCharts"] if one["type"] == "SCATTER"]
    assert [(one["xaxis"]["key"], one["yaxis"]["key"]) for one in scatters] == (
        [axes] if axes else []
    )
    assert state["orderByKey"] == f"metrics.`objective/{objectives[0]}`"


def test_the_view_stays_below_the_limit_of_older_servers() -> None:
    """Of hundreds of hyperparameters, the first are shown."""
    study = make_study()
    names = [f"{number:x}" * 40 for number in range(1000, 1400)]
    add_trial(study, [0.1, 1e-6, 9], params=dict.fromkeys(names, 0.5))
    value = view.tag_value(go.pareto_front(study), TERMS.key, at_s=0.0)
    assert value is not None
    assert len(value) <= view.MAX_VALUE
    columns = [one for one in saved(value)["state"]["selectedColumns"] if one.startswith("params")]
    assert columns == [f"params.`{name}`" for name in names[: len(columns)]]
    assert len(columns) > 10


def test_a_view_is_written_when_it_changes_and_never_over_a_persons() -> None:
    """The same front changes nothing; a view saved in MLflow's pages lacks our mark and stays."""
    study = make_study()
    add_trial(study, [0.1, 1e-6, 9], params={"x": 0.5})
    front = go.pareto_front(study)
    first = view.tag_value(front, TERMS.key, at_s=1.0)
    assert view.tag_value(front, TERMS.key, kept=first, at_s=2.0) is None
    add_trial(study, [0.2, 1e-7, 9], params={"z": 0.5})
    second = saved(view.tag_value(go.pareto_front(study), TERMS.key, kept=first, at_s=2.0))
    assert (second["createdAt"], second["updatedAt"]) == (1000, 2000)
    theirs = json.dumps({"name": "mine", "createdAt": 1, "updatedAt": 3, "state": "{}"})
    for kept in (theirs, "no JSON", "[]"):
        assert view.tag_value(front, TERMS.key, kept=kept, at_s=4.0) is None


def test_a_store_that_refuses_the_view_is_none_the_worse(
    client: MlflowClient, mlflow_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the log speaks of it, below a warning; the next time it may be saved."""
    caplog.set_level(logging.INFO, "green_optuna")
    tracker = go.MLflowTracker(mlflow_uri)
    study = make_study()
    add_trial(study, [0.1, 1e-6, 9], tracker=tracker)
    (parent,), _ = studies_and_trials(client)
    front = go.pareto_front(study)
    view.save(client, "12345", front, TERMS.key)
    (record,) = logged(caplog)
    assert record.levelname == "INFO"
    assert "The view of study 's' was not saved in MLflow" in record.getMessage()
    view.save(client, parent.info.experiment_id, front, TERMS.key)
    assert view.TAG_PREFIX + TERMS.key in client.get_experiment(parent.info.experiment_id).tags


# The marks


def marks(client: MlflowClient) -> tuple[set[int], set[int], list[int]]:
    """Give the numbers of the trials on the front, off it again, and the chosen ones."""
    _, trials = studies_and_trials(client)
    tags = {number: run.data.tags for number, run in trials.items()}
    return (
        {number for number, one in tags.items() if one.get("green_optuna.on_front") == "true"},
        {number for number, one in tags.items() if one.get("green_optuna.on_front") == "false"},
        [number for number, one in tags.items() if "green_optuna.chosen" in one],
    )


def test_the_trials_on_the_front_and_the_chosen_one_are_marked(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Those that leave the front say so, those that never were on it say nothing."""
    tracker = go.MLflowTracker(mlflow_uri)
    study = make_study()
    for losses in ([0.1, 2e-6, 9], [0.5, 1e-6, 9], [0.9, 3e-6, 9]):
        add_trial(study, losses, tracker=tracker)
    tracker.log_front(go.pareto_front(study))
    assert marks(client) == ({0, 1}, set(), [0])
    (parent,), trials = studies_and_trials(client)
    words = go.pareto_front(study).select().rule.describe()
    assert trials[0].data.tags["green_optuna.chosen"] == words
    add_trial(study, [0.1, 1e-6, 9], tracker=tracker)
    tracker.log_front(go.pareto_front(study))
    assert marks(client) == ({3}, {0, 1}, [3])
    found = client.search_runs([parent.info.experiment_id], "tags.`green_optuna.on_front` = 'true'")
    assert [run.info.run_name for run in found] == ["trial-0003"]


def test_an_older_front_that_comes_late_changes_no_mark(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """Two processes pass on fronts of one study, and the slower one has the older."""
    mine, other = go.MLflowTracker(mlflow_uri), go.MLflowTracker(mlflow_uri)
    study = make_study()
    add_trial(study, [0.5, 2e-6, 9], tracker=mine)
    older = go.pareto_front(study)
    add_trial(study, [0.1, 1e-6, 9], tracker=other)
    other.log_front(go.pareto_front(study))
    mine.log_front(older)
    assert marks(client) == ({1}, set(), [1])


def test_what_has_not_changed_is_not_sent_again(mlflow_uri: str) -> None:
    """The second time nothing of the trials is written; of a change, what has changed."""
    tracker = go.MLflowTracker(mlflow_uri)
    study = make_study()
    for number in range(20):
        add_trial(study, [0.01 * number, 1e-6 * (20 - number), 9], tracker=tracker)
    with written_tags() as first:
        tracker.log_front(go.pareto_front(study))
    with written_tags() as second:
        tracker.log_front(go.pareto_front(study))
    add_trial(study, [0.001, 0.9e-6, 9], tracker=tracker)
    with written_tags() as third:
        tracker.log_front(go.pareto_front(study))
    assert first == {"on_front": 20, "chosen": 1}
    assert second == {}
    # All but the first leave, the new one comes, and the choice is another.
    assert third == {"on_front": 20, "chosen": 2}


@contextlib.contextmanager
def written_tags() -> Iterator[Counter[str]]:
    """Count the tags of trials that MLflow writes to its database, or removes from it."""
    counted: Counter[str] = Counter()

    def count(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        _, _, statement, parameters = arguments[:4]
        if re.match(r"\s*(INSERT INTO|UPDATE|DELETE FROM) tags\b", statement):
            # A statement may be run for several rows.
            rows = parameters if isinstance(parameters, list) else [parameters]
            counted.update(
                name
                for row in rows
                for name in ("on_front", "chosen")
                if f"green_optuna.{name}" in row
            )

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", count)
    try:
        yield counted
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "before_cursor_execute", count)


def test_runs_that_somebody_deleted_keep_no_front_from_being_marked(
    client: MlflowClient, mlflow_uri: str
) -> None:
    """They are skipped, and the rest is marked."""
    tracker = go.MLflowTracker(mlflow_uri)
    study = make_study()
    add_trial(study, [0.1, 2e-6, 9], tracker=tracker)
    add_trial(study, [0.5, 1e-6, 9], tracker=tracker)
    _, trials = studies_and_trials(client)
    client.delete_run(trials[0].info.run_id)
    tracker.log_front(go.pareto_front(study))
    assert marks(client) == ({1}, set(), [])


# The note


def test_the_note_links_each_trial_and_the_view(client: MlflowClient, mlflow_uri: str) -> None:
    """The addresses are those of MLflow's own pages."""
    tracker = go.MLflowTracker(mlflow_uri)
    study = make_study()
    add_trial(study, [0.1, 2e-6, 9], tracker=tracker)
    tracker.log_front(go.pareto_front(study))
    (parent,), trials = studies_and_trials(client)
    pages = f"#/experiments/{parent.info.experiment_id}/runs"
    note = parent.data.tags["mlflow.note.content"]
    assert f"| [0]({pages}/{trials[0].info.run_id}) |" in note
    assert f"Selected by default: [trial 0]({pages}/{trials[0].info.run_id})" in note
    assert f"]({pages}?viewStateShareKey={TERMS.key}&compareRunsMode=CHART)" in note


def test_what_a_user_named_is_shown_as_it_is() -> None:
    """No character of Markdown or HTML is left to be read as one."""
    name = "a|b <script>x</script> `c` [d](javascript:e) *f* __g__ \\h &amp; #i ~j~ !k\n\nl"
    shown = in_markdown(name)
    assert not set(shown) & set("|<>`[]*_\\~!\n")
    plain = "trial 12, 1 - quality 0.1, CO2e 3.2 mg (RAPL; it's 50 %)"
    assert in_markdown(plain) == plain


# The link

OPEN = "then open http://127.0.0.1:5000/#/p"


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("http://host:5000/", "http://host:5000/#/p"),
        ("https://me:s3cret@host/mlflow", "https://host/mlflow/#/p"),
        (
            "sqlite:////a b/m.db",
            f"mlflow ui --backend-store-uri 'sqlite:////a b/m.db', {OPEN}",
        ),
        (
            "postgresql://me:s3cret@host/db",
            f"mlflow ui --backend-store-uri 'postgresql://me:***@host/db', {OPEN}",
        ),
        (
            "/home/me/mlruns",
            f"mlflow ui --backend-store-uri /home/me/mlruns, {OPEN}",
        ),
        ("sqlite:///:memory:", None),
        ("databricks", None),
        ("databricks://profile", None),
    ],
)
def test_a_page_of_mlflow_is_opened_by_its_address_or_a_command(uri: str, link: str | None) -> None:
    """A server has an address, a database is served first, and no password is shown."""
    assert study_link(uri, "#/p") == link


def run(trackers: Sequence[go.Tracker], study: optuna.Study, *, n_trials: int = 1) -> None:
    """Run trials in a study."""

    @go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=trackers)
    def objective(trial: optuna.Trial) -> tuple[float, int]:
        return trial.suggest_float("x", 0, 1), 10

    study.optimize(objective, n_trials=n_trials)


def test_the_study_keeps_how_it_is_opened(mlflow_uri: str, client: MlflowClient) -> None:
    """From its first trial on, and the view it leads to is there with the first front."""
    study = go.create_study("s")
    assert read_links(study) == {}
    tracker = go.MLflowTracker(mlflow_uri)
    run([tracker], study)
    (parent,), _ = studies_and_trials(client)
    terms = read_terms(study)
    assert terms is not None
    experiment = client.get_experiment(parent.info.experiment_id)
    page = view.page(experiment.experiment_id, terms.key)
    assert read_links(study) == {"mlflow": study_link(mlflow_uri, page)}
    assert page in (read_links(study)["mlflow"])
    go.log_front(study, [tracker])
    experiment = client.get_experiment(parent.info.experiment_id)
    assert saved(experiment.tags[view.TAG_PREFIX + terms.key])["name"] == "s"


class Linked(go.MemoryTracker):
    """Says that it can be opened, with a password in what it says."""

    secrets = ("s3cret",)

    def study_link(self, study_name: str, terms: go.StudyTerms) -> str:  # noqa: ARG002, D102
        return f"open {study_name} with s3cret"


class CountingStorage(optuna.storages.InMemoryStorage):
    """Counts the links that it was given; takes none where it is told so."""

    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__()
        self.links: list[object] = []
        self.refuses = refuses

    def set_study_user_attr(self, study_id: int, key: str, value: object) -> None:  # noqa: D102
        if key == "green_optuna.links":
            self.links.append(value)
            if self.refuses:
                raise OSError("the disk is full")
        super().set_study_user_attr(study_id, key, value)


def test_links_are_kept_once_by_each_name_and_without_passwords() -> None:
    """Many trials, and a second process's log of the same study, write nothing more."""
    storage = CountingStorage()
    study = go.create_study("s", storage=storage)
    for _ in range(2):
        run([Linked(name="a"), Linked(name="b"), go.MemoryTracker()], study, n_trials=3)
    links = {"a": "open s with ***", "b": "open s with ***"}
    assert storage.links == [links]
    assert read_links(study) == links


def test_a_storage_that_takes_no_link_costs_no_trial(caplog: pytest.LogCaptureFixture) -> None:
    """Nor is anybody warned, and it is tried once."""
    storage = CountingStorage(refuses=True)
    study = go.create_study("s", storage=storage)
    run([Linked()], study, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
    assert len(storage.links) == 1
    assert logged(caplog) == []
