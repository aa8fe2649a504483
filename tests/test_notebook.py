"""A study shown in a notebook while it runs, and the quickstart notebook that is kept."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import nbformat
import optuna
import pytest
from kept import GRID, kept, study_of
from nbformat.v4 import new_code_cell, new_notebook
from notebooks import code_cells, html_of, own_environment, read_quickstart, run_notebook
from parsed import Parsed

import green_optuna as go
from green_optuna.notebook import MAX_SHARE, due_at_s
from green_optuna.units import format_co2e

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

pytestmark = pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """Give IPython as a notebook has it, but that what it would show is kept in a list."""
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.display_pub = CapturingDisplayPublisher(parent=shell)
    yield shell
    InteractiveShell.clear_instance()


def shown(shell: InteractiveShell) -> list[dict[str, Any]]:
    """What was shown, in order: each with its HTML, and whether it replaced what was there."""
    outputs: list[dict[str, Any]] = shell.display_pub.outputs  # type: ignore[attr-defined]
    return outputs


def search(
    display: go.StudyDisplay, n_trials: int = 5, *, n_jobs: int = 1, budget_kg: float = 1.0
) -> optuna.Study:
    """Run a small study that a display is told of."""
    study = go.create_study("small", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective_of(budget_kg), n_trials=n_trials, n_jobs=n_jobs, callbacks=[display])
    return study


def objective_of(budget_kg: float = 1.0) -> go.GreenObjective:
    """An objective that takes a thousandth of a second."""
    meter = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
    budget = go.CarbonBudget(co2e_kg=budget_kg)

    @go.green_objective(grid=GRID, meter=meter, trackers=[], budget=budget)
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        if trial.number == 2:
            raise optuna.TrialPruned
        return trial.suggest_float("quality", 0, 1), trial.suggest_int("width", 1, 9)

    return objective


# The display


def test_it_shows_the_study_in_one_place(shell: InteractiveShell) -> None:
    """One output, then only its updates: states, what is spent, the choice, the front."""
    study = search(go.StudyDisplay(interval_s=0))
    outputs = shown(shell)
    shell.run_cell("pass")
    assert [output["update"] for output in outputs] == [False, *[True] * (len(outputs) - 1)]
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    latest = outputs[-1]["data"]
    page = Parsed(latest["text/html"])
    front = go.pareto_front(study)
    for said in (page.text(), latest["text/plain"]):
        assert "Study 'small': 4 complete, 1 pruned" in said
        assert f"The search cost {format_co2e(front.ledger.co2e_kg)} of CO2e" in said
        assert f"Chosen now: {front.select()}" in said
    assert len(page.of("svg")) == 1
    assert f"trial {front.select().label}" in page.text("text")


def test_it_draws_seldom_and_again_when_the_cell_ends(shell: InteractiveShell) -> None:
    """Of a hundred quick trials the first is drawn, and the last state when the cell has ended."""
    shell.user_ns |= {"search": search, "display": go.StudyDisplay(interval_s=3600.0)}
    shell.run_cell("search(display, 100)").raise_error()
    texts = [output["data"]["text/plain"] for output in shown(shell)]
    assert len(texts) == 2
    assert texts[0].startswith("Study 'small': 1 complete.")
    assert texts[1].startswith("Study 'small': 99 complete, 1 pruned.")


def test_the_last_state_is_drawn_when_the_cell_fails(shell: InteractiveShell) -> None:
    """Whatever ends the cell, what was spent until then is shown."""
    shell.user_ns |= {"search": search, "display": go.StudyDisplay(interval_s=3600.0)}
    shell.run_cell("search(display, 10); raise SystemExit")
    assert shown(shell)[-1]["data"]["text/plain"].startswith("Study 'small': 9 complete, 1 pruned.")


def test_the_next_cell_has_an_output_of_its_own(shell: InteractiveShell) -> None:
    """A display that is used again does not write into the cell above."""
    shell.user_ns |= {"search": search, "display": go.StudyDisplay(interval_s=0)}
    for _ in range(2):
        shell.run_cell("search(display, 3)").raise_error()
    outputs = shown(shell)
    assert [output["update"] for output in outputs].count(False) == 2
    assert len({output["transient"]["display_id"] for output in outputs}) == 2


def test_drawing_takes_a_small_share_of_the_time() -> None:
    """A drawing of 2 s is followed by none within 40 s, a quick one by none within the interval."""
    assert due_at_s(100.0, 102.0, 1.0) == 100.0 + 2.0 / MAX_SHARE == 140.0
    assert due_at_s(100.0, 100.001, 1.0) == 101.0


def test_what_is_left_of_a_budget_is_shown(shell: InteractiveShell) -> None:
    """It is the cap less what the ledger says, and why the study stopped is said, too."""
    objective = objective_of(1.0)
    study = go.create_study("small", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=3, callbacks=[go.StudyDisplay(objective, interval_s=0)])
    left_kg = 1.0 - go.pareto_front(study).ledger.co2e_kg
    said = shown(shell)[-1]["data"]["text/plain"]
    assert f"Of the budget of 1.00 kg CO2e, {format_co2e(left_kg)} CO2e is left." in said
    spent = objective_of(1e-12)
    study.optimize(spent, n_trials=3, callbacks=[go.StudyDisplay(spent, interval_s=0)])
    said = shown(shell)[-1]["data"]["text/plain"]
    assert "Stopped by the study's budget: the budget of 1.00 ng CO2e is spent" in said
    assert "0 kg CO2e is left" in said


def test_a_study_without_a_choice_is_shown(shell: InteractiveShell) -> None:
    """Where no trial meets a rule's caps, the display says so and goes on."""
    search(go.StudyDisplay(rule=go.MinCO2e(max_quality_loss=1e-9), interval_s=0), 1)
    said = shown(shell)[-1]["data"]["text/plain"]
    assert "Nothing is selected so far: " in said


def test_an_exception_ends_no_study_and_is_told_once(
    shell: InteractiveShell, caplog: pytest.LogCaptureFixture
) -> None:
    """A study that nothing can be read from runs to its end, with one warning that says why."""
    study = optuna.create_study(directions=["minimize", "minimize"])
    caplog.set_level(logging.WARNING, "green_optuna")
    display = go.StudyDisplay(interval_s=0)
    study.optimize(lambda trial: (trial.number, 1.0), n_trials=4, callbacks=[display])
    assert len(study.trials) == 4
    assert shown(shell) == []
    (told,) = caplog.messages
    assert "could not be drawn" in told
    assert "does not say what its 2 objectives are" in told


def test_threads_may_share_a_display(shell: InteractiveShell) -> None:
    """With eight threads that end trials at once, there is one output, and the last is whole."""
    study = study_of([kept(0.9 - 0.01 * k, 1e-6 * (20 - k)) for k in range(20)])
    display = go.StudyDisplay(interval_s=0)
    barrier = threading.Barrier(8)

    def tell() -> None:
        barrier.wait()
        for trial in study.trials:
            display(study, trial)

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shell.run_cell("pass")
    outputs = shown(shell)
    assert [output["update"] for output in outputs].count(False) == 1
    assert "20 complete" in outputs[-1]["data"]["text/plain"]


def test_outside_a_notebook_it_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A notebook that became a script runs, and Optuna's log says what there is to say."""
    study = search(go.StudyDisplay())
    assert len(study.trials) == 5
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_terminal_gets_nothing_either(shell: InteractiveShell) -> None:
    """IPython in a terminal shows text alone, and could not replace it."""
    assert shell.display_formatter is not None
    shell.display_formatter.active_types = ["text/plain"]
    search(go.StudyDisplay(interval_s=0))
    assert shown(shell) == []


@pytest.mark.parametrize("options", [{"objective": print}, {"rule": "best"}, {"interval_s": -1.0}])
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any]) -> None:
    """Before a trial has run, not after each."""
    with pytest.raises(go.OptionError):
        go.StudyDisplay(**options)


def test_a_method_that_was_decorated_is_an_objective(shell: InteractiveShell) -> None:
    """What study.optimize takes, the display takes."""

    class Search:
        @go.green_objective(
            grid=GRID,
            meter=go.ReplayMeter(cpu_w=50.0),
            trackers=[],
            budget=go.CarbonBudget(co2e_kg=1.0),
        )
        def objective(self, trial: go.GreenTrial) -> tuple[float, int]:
            return trial.suggest_float("quality", 0, 1), 5

    objective = Search().objective
    study = go.create_study("methods")
    study.optimize(objective, n_trials=1, callbacks=[go.StudyDisplay(objective)])
    assert "Of the budget of 1.00 kg CO2e" in shown(shell)[-1]["data"]["text/plain"]


def test_without_ipython_it_says_what_to_install() -> None:
    """The line that mends it, before a trial has run."""
    code = (
        "import sys; sys.modules['IPython'] = None\n"
        "import green_optuna as go\n"
        "try:\n    go.StudyDisplay()\n"
        "except go.MissingPackageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install ipython" in done.stdout


def test_what_a_notebook_keeps_as_text_is_short(shell: InteractiveShell) -> None:
    """Beside the HTML stands what print says, not all fields of all trials."""
    front = go.pareto_front(study_of([kept(0.9, 1e-6) for _ in range(100)]))
    assert shell.display_formatter is not None
    for one in (front, front.select(), front.select().measurement):
        data, _ = shell.display_formatter.format(one)
        assert data["text/plain"] == str(one)
        assert set(data) == {"text/plain", "text/html"}


# A real kernel


def in_own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Keep what Jupyter writes, here and in the kernel, in the test's own folder."""
    environment = own_environment(tmp_path)
    for name, value in environment.items():
        if name != "PYTHONPATH":
            monkeypatch.setenv(name, value)
    return environment


@pytest.mark.slow
def test_a_kernel_shows_a_study_of_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a real kernel, threads draw into the one output of their cell."""
    in_own_folders(tmp_path, monkeypatch)
    source = """
import optuna, green_optuna as go
optuna.logging.set_verbosity(optuna.logging.ERROR)
grid = go.Grid(carbon_intensity_g_per_kwh=50.0)
@go.green_objective(grid=grid, meter=go.ReplayMeter(ram_w=10.0), trackers=[])
def objective(trial):
    return trial.suggest_float("quality", 0, 1), 5
study = go.create_study("threads")
study.optimize(
    objective, n_trials=20, n_jobs=2, callbacks=[go.StudyDisplay(objective, interval_s=0)]
)
"""
    notebook = new_notebook(cells=[new_code_cell(source)])
    (cell,) = code_cells(run_notebook(notebook, tmp_path))
    (output,) = [one for one in cell.outputs if one.output_type != "stream"]
    assert "Study 'threads': 20 complete" in output["data"]["text/plain"]
    assert len(Parsed(output["data"]["text/html"]).of("svg")) == 1


@pytest.mark.slow
def test_the_quickstart_notebook_runs_in_a_fresh_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises nothing, and shows its study, front, selection and measurement."""
    in_own_folders(tmp_path, monkeypatch)
    notebook = read_quickstart()
    before = [cell.source for cell in notebook.cells]
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    run_notebook(notebook, tmp_path)
    assert [cell.source for cell in notebook.cells] == before
    cells = {cell.id: cell for cell in code_cells(notebook)}
    for name in ("search", "front", "choice", "measure"):
        assert len(Parsed(html_of(cells[name])).of("svg")) == 1
    for name in ("front", "choice", "measure"):
        assert Parsed(html_of(cells[name])).of("table")
    assert (tmp_path / "mlflow.db").exists()


def test_the_notebook_that_is_kept_has_been_run() -> None:
    """It is valid, and its cells ran in order, without an error, and show what they should."""
    notebook = read_quickstart()
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]
    pictures = [cell.id for cell in cells if Parsed(html_of(cell)).of("svg")]
    assert pictures == ["search", "front", "choice", "measure"]
    # Each output is that of the cell above: the front's own choice, of the study that was shown.
    texts = {
        cell.id: " ".join(
            str(o.get("data", {}).get("text/plain", o.get("text", ""))) for o in cell.outputs
        )
        for cell in cells
    }
    assert texts["choice"] in texts["search"]
    cost = re.search(r"The search cost \S+ \S+ of CO2e", texts["front"])
    assert cost is not None
    assert cost[0] in texts["search"]
    assert cost[0] in texts["reprice"]


def test_the_notebook_that_is_kept_says_nothing_of_where_it_ran() -> None:
    """No path, host, user or hour of whoever ran it last."""
    text = json.dumps(read_quickstart())
    assert not re.search(r"/(home|tmp|root|mnt|opt|var|Users)\b|site-packages|\.venv", text)
    assert not re.search(r"\b\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d", text)
    assert all(cell.metadata == {} for cell in read_quickstart().cells)
