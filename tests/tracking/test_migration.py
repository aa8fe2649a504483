"""The page for those who come from Optuna's callbacks: its code runs, and its tables hold."""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import optuna
import pytest
from mlflow.tracking import fluent
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from .wandb_runs import runs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import Run

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "examples" / "from_optuna_callbacks.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS: dict[str, str] = dict(
    re.findall(
        r"^<!-- block: ([^\n]+) -->\n```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL
    )
)
TABLES: dict[str, str] = dict(
    re.findall(r"^<!-- table: (.+) -->\n((?:\|.*\n)+)", TEXT, flags=re.MULTILINE)
)
NOT_THERE = "not there"
# Optuna seeds the sampler anew for threads, so that any trial may be one that fails.
TWO_THREADS = "n_jobs=2, catch=MemoryError"

# What was logged of a trial, or of the run that it is in: by kind and key, as in the tables.
Logged = dict[tuple[str, str], Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: where something was, where it is, and what becomes of its value."""

    before: tuple[str, str]
    now: tuple[str, str] | None
    value: str


def rows(table: str) -> list[Row]:
    """Read a table of the page."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert lines[0] == ["before", "now", "value"]
    return [
        Row(cell_of(before), None if now == NOT_THERE else cell_of(now), value)
        for before, now, value in lines[2:]
    ]


def cell_of(text: str) -> tuple[str, str]:
    """Read ``metric `accuracy```: a kind and a key."""
    found = re.fullmatch(r"(\w[\w ]*) `([^`]+)`", text)
    assert found is not None, f"{text!r} names no kind and key"
    return found[1], found[2]


def same(before: object, now: object) -> bool:
    """Tell whether two values are one, as far as their trackers keep them."""
    if isinstance(before, float) and isinstance(now, float | int):
        return math.isclose(before, now, rel_tol=1e-9)
    return before == now


def is_state(before: object, now: object) -> bool:
    """Tell whether a state is Optuna's, in our words."""
    return {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}[str(before)] == now


def is_of_the_run(trial: FrozenTrial, now: object) -> bool:
    """Tell whether a time in ms lies within the trial, as Optuna has it."""
    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    assert isinstance(now, int)
    began_ms, ended_ms = (
        int(at.timestamp() * 1000) for at in (trial.datetime_start, trial.datetime_complete)
    )
    return began_ms <= now <= ended_ms


# What the words of the column "value" mean: (value before, value now, trial now) to whether the
# row holds, or None where it says nothing of that trial.
VALUES: dict[str, Callable[[Any, Any, FrozenTrial], bool | None]] = {
    "the same": lambda before, now, _: same(before, now),
    "1 - value": lambda before, now, _: same(1 - before, now),
    "the study's name": lambda _, now, __: now is True,
    "`complete`, `pruned` or `failed`": lambda before, now, _: is_state(before, now),
    "the run's own time": lambda _, now, trial: is_of_the_run(trial, now),
    "of a trial that completed": lambda _, now, trial: (
        now is True if trial.state == TrialState.COMPLETE else None
    ),
    "of a trial that was pruned": lambda _, now, trial: (
        now is True if trial.state == TrialState.PRUNED else None
    ),
    "of a trial that failed": lambda _, now, trial: (
        now is True if trial.state == TrialState.FAIL else None
    ),
}


def check(
    row: Row, before: Mapping[int, Logged], now: Mapping[int, Logged], trials: list[FrozenTrial]
) -> None:
    """Hold a row against what was logged before and now of each trial.

    Raises:
        AssertionError: It does not hold, or says nothing of any trial.
    """
    concerned = [number for number, logged in before.items() if row.before in logged]
    assert concerned, f"{row.before} was never logged"
    if row.now is None:
        assert not [number for number in now if row.before in now[number]]
        return
    held = [
        VALUES[row.value](before[number][row.before], now[number].get(row.now), trials[number])
        for number in concerned
    ]
    assert False not in held, f"{row} does not hold of each trial: {held}"
    assert True in held, f"{row} says nothing of any trial"


def run_code(code: str, uri: str = "", **more: object) -> optuna.Study:
    """Run code of the page behind what all its blocks share; give its study.

    The callbacks' deprecation is expected of code that uses them, and of no other.
    """
    names: dict[str, Any] = {"__name__": "page"}
    exec(BLOCKS["shared"], names)
    names |= {"uri": uri, **more}
    callback = re.search(r"(MLflowCallback|WeightsAndBiasesCallback)\(", code)
    with contextlib.ExitStack() as expected:
        if callback is not None:
            said = rf"{callback[1]} has been deprecated in v4\.9\.0.* removed in v6\.0\.0"
            expected.enter_context(pytest.warns(FutureWarning, match=said))
        if "@mlflc.track" in code or "@wandbc.track" in code:
            expected.enter_context(pytest.warns(ExperimentalWarning, match=r"\.track_in_"))
        exec(code, names)
    study: optuna.Study = names["study"]
    return study


def changed(block: str, *changes: tuple[str, str]) -> str:
    """Give a block's code with some of it replaced; each change must change something."""
    code: str = BLOCKS[block]
    for before, now in changes:
        assert before in code
        code = code.replace(before, now)
    return code


@contextlib.contextmanager
def mlflow_set_back(uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give a block MLflow as a new process has it, with the store in the environment."""
    monkeypatch.setattr(fluent, "_active_experiment_id", None)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    yield
    # None unsets it, which the annotation of MLflow's function leaves out.
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    monkeypatch.setattr(fluent, "_active_experiment_id", None)


def mlflow_logged(client: MlflowClient, numbered_by: str) -> dict[int, Logged]:
    """Give what MLflow has of each trial, of the runs with a tag that has the trial's number."""
    experiments = {one.experiment_id: one.name for one in client.search_experiments()}
    runs = {run.info.run_id: run for run in client.search_runs([*experiments])}
    logged = {}
    for run in runs.values():
        if numbered_by in run.data.tags:
            number = int(run.data.tags[numbered_by])
            assert number not in logged, "a trial has two runs"
            logged[number] = of_a_run(client, run)
            logged[number]["experiment", experiments[run.info.experiment_id]] = True
            parent = runs.get(run.data.tags.get("mlflow.parentRunId", ""))
            if parent is not None:
                logged[number]["parent run", parent.info.run_name] = True
    return logged


def of_a_run(client: MlflowClient, run: Run) -> Logged:
    """Give what MLflow has in one run."""
    logged: Logged = {("run name", run.info.run_name): True, ("status", run.info.status): True}
    logged["run", "start_time"], logged["run", "end_time"] = run.info.start_time, run.info.end_time
    logged |= {("param", key): value for key, value in run.data.params.items()}
    logged |= {("metric", key): value for key, value in run.data.metrics.items()}
    logged |= {("tag", key): value for key, value in run.data.tags.items()}
    if "loss" in run.data.metrics:
        (point,) = client.get_metric_history(run.info.run_id, "loss")
        logged["step", "loss"] = point.step
    return logged


@pytest.mark.parametrize("section", [name for name in TABLES if "wandb" not in name])
def test_what_the_mlflow_callback_logged_is_where_the_page_says(
    section: str, client: MlflowClient, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both blocks run on one store; each row of the table is looked up in it, trial by trial."""
    with mlflow_set_back(mlflow_uri, monkeypatch):
        run_code(BLOCKS[f"{section}, before"], mlflow_uri)
    with mlflow_set_back(mlflow_uri, monkeypatch):
        study = run_code(BLOCKS[f"{section}, now"], mlflow_uri)
    before = mlflow_logged(client, "number")
    now = mlflow_logged(client, "green_optuna.trial")
    assert set(before) == set(now) == {trial.number for trial in study.trials}
    for row in rows(TABLES[section]):
        check(row, before, now, study.trials)


@pytest.fixture
def _wandb_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let W&B reach for no server, and say nothing."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    import wandb

    # It reads them once a process.
    wandb.teardown()


def wandb_logged_by(code: str, folder: Path) -> tuple[dict[int, Logged], optuna.Study]:
    """Run code with W&B in a new folder; give what W&B has of each trial, and the code's study."""
    import wandb

    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_DIR", str(folder))
        study = run_code(code)
        # The run of a whole study is still open; all has been written when the service has ended.
        wandb.finish()
        wandb.teardown()
    logged: dict[int, Logged] = {}
    for run in runs_in(folder):
        name = run.meta.display_name
        of_run: Logged = {("project", run.meta.project): True, ("group", run.meta.run_group): True}
        of_run |= {("tag", tag): True for tag in run.meta.tags}
        of_run |= {("config", key): value for key, value in run.config.items()}
        named = re.search(r"trial[-/](\d+)", name)
        lines = [*run.rows, *([run.summary] if named else [])]
        for line in lines:
            # In the one run of a study, the step is the trial's number.
            number = int(named[1]) if named else int(line["_step"])
            logged.setdefault(number, {**of_run, ("run name", name): True})
            logged[number] |= {("metric", key): value for key, value in line.items()}
    return logged, study


@pytest.mark.usefixtures("_wandb_offline")
@pytest.mark.parametrize("section", [name for name in TABLES if "wandb" in name])
def test_what_the_wandb_callback_logged_is_where_the_page_says(
    section: str, tmp_path: Path
) -> None:
    """Both blocks run offline; each row of the table is looked up in W&B's files."""
    before, _ = wandb_logged_by(BLOCKS[f"{section}, before"], tmp_path / "before")
    now, study = wandb_logged_by(BLOCKS[f"{section}, now"], tmp_path / "now")
    assert set(before) == set(now) == {trial.number for trial in study.trials}
    for row in rows(TABLES[section]):
        check(row, before, now, study.trials)


@pytest.mark.usefixtures("_wandb_offline")
def test_the_wandb_callback_logs_what_the_page_says(tmp_path: Path) -> None:
    """What its tables have before is in its files, whichever trackers there are now."""
    for section in [name for name in TABLES if "wandb" in name]:
        before, _ = wandb_logged_by(BLOCKS[f"{section}, before"], tmp_path / section)
        assert set(before) == {0, 1, 2}
        for row in rows(TABLES[section]):
            assert [number for number in before if row.before in before[number]], row


@pytest.mark.slow
@pytest.mark.usefixtures("_wandb_offline")
def test_the_wandb_callback_loses_what_the_page_says(tmp_path: Path) -> None:
    """With a run a trial, as many trials as there were calls of wandb.log; in one run, all."""
    block, log = "wandb inside, before", '    wandb.log({"loss": 1 - accuracy})\n'
    cases = (
        (BLOCKS[block], [0]),
        (changed(block, (log, log * 2)), [0, 1]),
        (changed(block, (", as_multirun=True", "")), [0, 1, 2]),
    )
    for case, (code, without) in enumerate(cases):
        logged, _ = wandb_logged_by(code, tmp_path / str(case))
        assert set(logged) >= {0, 1, 2}
        assert [n for n in range(3) if ("metric", "accuracy") not in logged[n]] == without


def test_a_trial_that_ends_the_study_is_logged_now(
    client: MlflowClient, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `catch=`, the callback leaves out the trial that failed."""
    for when, tag, has_it in (("before", "number", False), ("now", "green_optuna.trial", True)):
        code = changed(f"mlflow, {when}", (", catch=MemoryError", ""))
        with mlflow_set_back(mlflow_uri, monkeypatch), pytest.raises(MemoryError):
            run_code(code, mlflow_uri)
        logged = mlflow_logged(client, tag)
        assert set(logged) == ({0, 1, 2, 3, 4} if has_it else {0, 1, 2, 3})


def test_trials_of_threads_have_a_parent_now(
    client: MlflowClient, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `nested` and `n_jobs`, none had; now all have, whatever run is open around them."""
    threads = ("n_trials=3", f"n_trials=3, {TWO_THREADS}")
    with mlflow_set_back(mlflow_uri, monkeypatch):
        run_code(changed("parent, before", threads), mlflow_uri)
    around = ("study.optimize", 'with mlflow.start_run(run_name="own"):\n    study.optimize')
    with mlflow_set_back(mlflow_uri, monkeypatch):
        run_code(changed("parent, now", threads, around), mlflow_uri)
    before, now = mlflow_logged(client, "number"), mlflow_logged(client, "green_optuna.trial")
    assert set(before) == set(now) == {0, 1, 2}
    for number in range(3):
        assert not [key for kind, key in before[number] if kind == "parent run"]
        assert ("parent run", "study: digits") in now[number]


def test_a_loss_stays_itself_and_a_model_need_not_be(
    client: MlflowClient, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `quality_bounds=(10.0, 0.0)`, and with two objectives, as the page has them."""
    bounds, two = "quality_bounds=(10.0, 0.0)", 'objectives=("quality_loss", "co2e_kg")'
    assert f"`{bounds}`" in TEXT
    assert f"`{two}`" in TEXT
    code = changed(
        "several, now",
        ('country="FRA"', f'country="FRA", {bounds}, {two}'),
        ("return accuracy, model", "return 10 * (1 - accuracy)"),
        ('"digits"', f'"digits", {two}'),
    )
    with mlflow_set_back(mlflow_uri, monkeypatch):
        study = run_code(code, mlflow_uri)
    for trial in study.trials:
        logged = mlflow_logged(client, "green_optuna.trial")[trial.number]
        loss = 10 * (trial.params["rate"] - 0.5) ** 2
        assert logged["metric", "quality"] == pytest.approx(loss)
        assert logged["metric", "objective/quality_loss"] == pytest.approx(loss / 10)
        assert ("metric", "objective/n_params") not in logged


def meets_another(block: str, uri: str) -> bool:
    """Run a block with two threads; tell whether two trials were ever inside at once."""
    meeting = threading.Barrier(2, timeout=1.0)
    met = []

    def wait(trial: optuna.Trial) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait()
            met.append(trial.number)

    first = "    accuracy, model = train(trial)\n"
    code = changed(
        block, (first, f"    wait(trial)\n{first}"), ("n_trials=3", f"n_trials=2, {TWO_THREADS}")
    )
    run_code(code, uri, wait=wait)
    return met != []


def test_trials_run_side_by_side_now(mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `track_in_mlflow`, two never meet inside the objective; now they do."""
    with mlflow_set_back(mlflow_uri, monkeypatch):
        assert not meets_another("inside, before", mlflow_uri)
    with mlflow_set_back(mlflow_uri, monkeypatch):
        assert meets_another("inside, now", mlflow_uri)


def test_the_options_in_the_pages_table_are_those_of_its_blocks() -> None:
    """What stands in code on the left is in a block before, and on the right in a block now."""
    table = TEXT.partition("| option before | now |\n|---|---|\n")[2].partition("\n\n")[0]
    code = {
        when: "".join(block for name, block in BLOCKS.items() if name.endswith(f", {when}"))
        for when in ("before", "now")
    }
    for line in table.splitlines():
        before, now = line.strip("| ").split(" | ")
        (option, *_) = re.findall(r"`([^`]+)`", before)
        assert option in code["before"] or "default" in before, line
        if now.startswith("`"):
            assert now.strip("`") in code["now"], line
    assert len(table.splitlines()) == 13
