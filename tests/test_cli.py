"""The command line: what it shows where, and with which exit code it ends."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest

import green_optuna as go
from green_optuna.candidates import entry_of, read_candidates
from green_optuna.cli import main
from green_optuna.cli.run import _optimise
from green_optuna.cli.storage import DEFAULT_STORAGE
from green_optuna.config import StudyConfig
from green_optuna.forecast import expected_sum
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import format_co2e, format_energy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.storages import BaseStorage

pytestmark = pytest.mark.usefixtures("_own_imports")

TRAIN = """
import time

import green_optuna as go

METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)

@go.green_objective(country="FRA", meter=METER, trackers=[])
def objective(trial):
    width = trial.suggest_int("width", 1, 1000, log=True)
    return 1 - 1 / (1 + width), width

@go.green_objective(country="FRA", meter=METER, trackers=[])
def endless(trial):
    time.sleep(0.1)
    return objective.function(trial)

@go.green_objective(country="FRA", meter=METER, trackers=[])
def broken(trial):
    raise RuntimeError("a bug of mine, at postgresql://me:s3cret@host/db")

@go.green_objective(country="FRA", meter=METER, trackers=[])
def outside(trial):
    return 1.5, 3

@go.green_objective(country="FRA", meter=METER, trackers=[])
def pruned(trial):
    import optuna

    raise optuna.TrialPruned

@go.green_objective(country="FRA", meter=go.ReplayMeter(), trackers=[])
def unmeasured(trial):
    return 0.5, 3

def plain(trial):
    return objective.function(trial)
"""

# Loss, CO2e in kg, parameters; the last is dominated by the first.
LOSSES = ((0.1, 1e-6, 1000), (0.105, 1e-7, 500), (0.5, 1e-8, 10), (0.6, 1e-5, 2000))


@pytest.fixture(autouse=True)
def _train(tmp_path: Path) -> None:
    """Write a file with objectives into the working folder."""
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")


def add_study(storage: str | BaseStorage, name: str = "known") -> optuna.Study:
    """Make a study whose front and selections are plain to see."""
    study = go.create_study(name, storage=storage)
    for loss, co2e_kg, n_params in LOSSES:
        study.add_trial(
            optuna.trial.create_trial(
                values=[loss, co2e_kg, n_params],
                params={"width": n_params},
                distributions={"width": optuna.distributions.IntDistribution(1, 10_000)},
                user_attrs={ATTRIBUTE: {"version": 1, "quality": 1 - loss}},
            )
        )
    return study


@pytest.fixture
def known(sqlite_url: str) -> str:
    """Give the URL of a storage that has one study, of four trials, three on the front."""
    add_study(sqlite_url)
    return sqlite_url


class Ended:
    """How a command ended, and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was written
        """Give standard output as JSON, of which NaN and infinities are no part."""

        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        return json.loads(self.out, parse_constant=refuse)

    @property
    def rows(self) -> list[dict[str, str]]:
        """Give standard output as the rows of a CSV file."""
        return list(csv.DictReader(io.StringIO(self.out)))


class Command:
    """Calls the command line in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        """Call it with some arguments."""
        self._capsys.readouterr()
        code = main(arguments)
        written = self._capsys.readouterr()
        return Ended(code, written.out, written.err)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give the command line, to call with its arguments."""
    return Command(capsys)


# green-optuna front


def test_front_shows_the_trials_that_no_other_dominates(command: Command, known: str) -> None:
    """The table has them with scaled units, best quality first, and nothing on stderr."""
    shown = command("front", "known", "--storage", known)
    assert (shown.code, shown.err) == (0, "")
    assert "3 of 4 completed trials" in shown.out
    rows = [line for line in shown.out.splitlines() if "width=" in line]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert [row[0:4] for row in cells] == [
        ["0", "0.9", "1.00 mg", "1.00 k"],
        ["1", "0.895", "100 ug", "500"],
        ["2", "0.5", "10.0 ug", "10"],
    ]


def test_front_in_json_is_the_front_in_python(command: Command, known: str) -> None:
    """The same numbers, in the units of the data, and nothing else on stdout."""
    shown = command("front", "known", "--storage", known, "--format", "json")
    front = go.pareto_front(go.load_study("known", storage=known))
    assert (shown.code, shown.err, shown.json) == (0, "", front.to_dict())
    assert [row["co2e_kg"] for row in shown.json["trials"]] == [1e-6, 1e-7, 1e-8]


def test_front_in_csv_has_one_row_a_trial(command: Command, known: str) -> None:
    """Dominated trials come on request, and are told apart."""
    shown = command("front", "--storage", known, "--format", "csv", "--dominated")
    assert [(row["trial"], row["on_front"]) for row in shown.rows] == [
        ("0", "True"),
        ("1", "True"),
        ("2", "True"),
        ("3", "False"),
    ]
    assert [float(row["co2e_kg"]) for row in shown.rows] == [row[1] for row in LOSSES]
    without = command("front", "--storage", known, "--format", "csv")
    assert without.rows == shown.rows[:3]


def test_front_is_drawn_over_some_objectives(command: Command, known: str) -> None:
    """Those that are named, in their order."""
    options = ("--storage", known, "--format", "json")
    shown = command("front", "--objectives", "co2e_kg, n_params", *options)
    assert shown.json["objectives"] == ["co2e_kg", "n_params"]
    assert [row["trial"] for row in shown.json["trials"]] == [2]
    refused = command("front", "--objectives", "co2e", *options)
    assert (refused.code, refused.out) == (2, "")
    assert "co2e_kg" in refused.err


def test_a_loss_that_is_infinite_is_null_in_json(command: Command, sqlite_url: str) -> None:
    """JSON has no infinities, and a script's parser may refuse them."""
    study = go.create_study("diverged", storage=sqlite_url)
    study.add_trial(optuna.trial.create_trial(values=[float("inf"), 1.0, 1.0]))
    for name in ("front", "select"):
        options = ("--storage", sqlite_url, "--format", "json")
        assert "quality_loss" in str(command(name, *options).json)


def test_a_study_without_a_completed_trial_has_an_empty_front(
    command: Command, sqlite_url: str
) -> None:
    """An empty front is no failure; selecting from it is."""
    go.create_study("empty", storage=sqlite_url)
    shown = command("front", "--storage", sqlite_url, "--format", "json")
    assert (shown.code, shown.json["trials"]) == (0, [])
    assert command("front", "--storage", sqlite_url).code == 0
    selected = command("select", "--storage", sqlite_url)
    assert (selected.code, selected.out) == (1, "")
    assert "'empty'" in selected.err


REFERENCES = """name,quality,co2e_kg,n_params,basis,source
published one,0.95,2e-7,800,published,doi:10.5/x
:+1: [red]b[/red],0.85,,5,estimated,
"""


def test_front_shows_references_apart(command: Command, tmp_path: Path, known: str) -> None:
    """A table of their own says what each is, and the trials are as they were."""
    (tmp_path / "published.csv").write_text(REFERENCES, encoding="utf-8")
    options = ("front", "known", "--storage", known)
    alone = command(*options).out
    shown = command(*options, "--references", "published.csv")
    assert (shown.code, shown.err) == (0, "")
    trials, apart, references = shown.out.partition("References (published or estimated elsewhere")
    assert apart
    assert trials.splitlines() == alone.partition("What the search cost")[0].splitlines()
    said = re.sub(r"[\s\u2500-\u257f]+", " ", references)
    assert "published one" in said
    assert "no trials)" in said
    assert ":+1: [red]b" in said
    assert "(doi:10.5/x)" in said
    other = command("front", "known", "--storage", known, "--format", "json")
    assert "references" not in other.json


def test_front_writes_references_for_scripts(command: Command, tmp_path: Path, known: str) -> None:
    """In JSON under a name of their own, in CSV as rows of another kind."""
    (tmp_path / "published.csv").write_text(REFERENCES, encoding="utf-8")
    options = ("front", "known", "--storage", known, "--references", "published.csv", "--format")
    written = command(*options, "json").json
    front = go.pareto_front(
        go.load_study("known", storage=known), references=tmp_path / "published.csv"
    )
    assert written == front.to_dict()
    assert [one["name"] for one in written["references"]] == ["published one", ":+1: [red]b[/red]"]
    assert [row["trial"] for row in written["trials"]] == [0, 1, 2]
    rows = command(*options, "csv").rows
    assert [(row["kind"], row["trial"]) for row in rows] == [
        *(("trial", number) for number in "012"),
        ("published", ""),
        ("estimated", ""),
    ]
    assert rows[3]["name"] == "published one"


def test_references_that_cannot_be_used_end_with_2(
    command: Command, tmp_path: Path, known: str
) -> None:
    """In one line, which a control character in the file cannot leave."""
    (tmp_path / "bad.csv").write_text("name,co2e_kg\na\x1b[2Jb,1\n", encoding="utf-8")
    for name, said in (("bad.csv", r"'bad.csv', line 2: name is 'a\x1b[2Jb'"), ("gone", "'gone'")):
        shown = command("front", "known", "--storage", known, "--references", name)
        assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1)
        assert said in shown.err
        assert shown.err.strip().isprintable()


# green-optuna select


@pytest.mark.parametrize(
    ("options", "trial"),
    [
        ([], 1),
        (["--tolerance", "0"], 0),
        (["--tolerance", "0.5"], 2),
        (["--absolute", "0.001"], 0),
        (["--rule", "tolerance", "--absolute", "0.4"], 2),
        (["--rule", "min-co2e"], 2),
        (["--rule", "min-co2e", "--max-quality-loss", "0.2"], 1),
        (["--rule", "best-quality"], 0),
        (["--rule", "best-quality", "--max-co2e-kg", "5e-7"], 1),
        (["--rule", "best-quality", "--max-n-params", "100"], 2),
        (["--rule", "knee"], 1),
        (["--rule", "knee", "--objectives", "co2e_kg,n_params"], 2),
        (["--tolerance", "0.5", "--minimise", "n_params"], 2),
        (["--tolerance", "0.5", "--max", "quality_loss=0.2"], 1),
        (
            ["--rule", "epsilon-constraint", "--minimise", "quality_loss", "--max", "co2e_kg=5e-7"],
            1,
        ),
        (["--rule", "best-quality", "--max", "n_params=100", "--max", "co2e_kg=1"], 2),
        (["--rule", "lexicographic", "--order", "n_params=0.99,quality_loss"], 2),
        (["--rule", "lexicographic", "--order", "quality_loss,co2e_kg"], 0),
        (["--rule", "weighted-sum", "--weight", "quality_loss=1000"], 0),
        (["--rule", "utopia", "--scale", "log", "--p", "inf", "--weight", "co2e_kg=9"], 2),
        (["--rule", "utopia", "--scale", "rank", "--max", "co2e_kg=5e-8"], 2),
        (["--rule", "contribution", "--scale", "log", "--reference", "1.5"], 2),
    ],
)
def test_select_applies_a_rule_with_its_options(
    command: Command, known: str, options: list[str], trial: int
) -> None:
    """Every option changes the choice as its rule says."""
    shown = command("select", "known", "--storage", known, "--format", "json", *options)
    assert (shown.code, shown.err, shown.json["trial"]) == (0, "", trial)


def test_select_writes_the_same_in_each_format(command: Command, known: str) -> None:
    """Names and values agree with Selection.to_dict."""
    selection = go.pareto_front(go.load_study("known", storage=known)).select()
    plain = selection.to_dict()
    assert command("select", "--storage", known, "--format", "json").json == plain
    (row,) = command("select", "--storage", known, "--format", "csv").rows
    assert (int(row["trial"]), float(row["co2e_kg"])) == (selection.number, 1e-7)
    assert (row["rule"], row["param_width"]) == ("tolerance", "500")
    assert (row["rule_relative"], row["figure_name"]) == ("0.01", "co2e_kg")
    assert float(row["saving_share"]) == plain["saving"]["share"] > 0
    table = command("select", "--storage", known).out
    for shown in (selection.rule.describe(), "100 ug", "500", "0.895"):
        assert shown in table


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rule", "knee", "--tolerance", "0.1"], "--tolerance is no option of the rule 'knee'"),
        (["--max-co2e-kg", "1"], "--max-co2e-kg is no option of the rule 'tolerance'"),
        (["--rule", "min-co2e", "--objectives", "a,b"], "--max-quality-loss"),
        (["--rule", "tolernce"], "did you mean 'tolerance'"),
        (["--tolerance", "0.1", "--absolute", "0.1"], "give one of them"),
        (["--tolerance", "2"], "below 1"),
        (["--tolerance", "much"], "--tolerance"),
        (["--tolerance", "2"], "--tolerance is"),
        (["--rule", "best-quality", "--max-n-params", "-1"], "--max-n-params is -1.0: give"),
        (["--rule", "best-quality", "--max-n-params", "-1"], "at least 0"),
        (["--rule", "knee", "--objectives", "a"], "--objectives is"),
        (["--max", "co2e_kg"], "--max is 'co2e_kg': write NAME=NUMBER"),
        (["--max", "co2e_kg=1", "--max", "co2e_kg=2"], "--max names 'co2e_kg' twice"),
        (["--max", "co2e_kg=-1"], "--max co2e_kg is -1.0"),
        (["--max", "wit=1"], "needs ['wit']"),
        (["--rule", "utopia", "--weight", "wit=1"], "needs ['wit']"),
        (["--rule", "utopia", "--weight", "co2e_kg=-1"], "--weight co2e_kg is -1.0"),
        (["--rule", "utopia", "--scale", "cubic"], "--scale is 'cubic'"),
        (["--rule", "utopia", "--p", "3"], "--p is 3.0"),
        (["--rule", "tolerance", "--scale", "log"], "--scale is no option of the rule"),
        (["--rule", "lexicographic", "--order", "co2e_kg=0.1"], "--order co2e_kg is 0.1"),
        (["--rule", "mine.py:mine"], "--rule is 'mine.py:mine': there is no file"),
        (["--why", "--format", "csv"], "--why goes with"),
        (["--unknown"], "--unknown"),
        (["--format", "xml"], "xml"),
    ],
)
def test_wrong_usage_ends_with_2(
    command: Command, known: str, options: list[str], said: str
) -> None:
    """Nothing is ignored, and stdout stays empty."""
    shown = command("select", "--storage", known, *options)
    assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert said in shown.err


def test_caps_that_no_model_meets_end_with_3(command: Command, known: str) -> None:
    """A script can tell this from a failure; the nearest miss is said in one line."""
    caps = ("--rule", "best-quality", "--max-co2e-kg", "1e-9")
    shown = command("select", "--storage", known, *caps)
    assert (shown.code, shown.out, shown.err.count("\n")) == (3, "", 1)
    assert "--max-co2e-kg is 1e-09 and the least is 1e-08" in shown.err
    named = command("select", "--storage", known, "--rule", "utopia", "--max", "co2e_kg=1e-9")
    assert (named.code, named.out, named.err.count("\n")) == (3, "", 1)
    assert "--max co2e_kg is 1e-09 and the least is 1e-08, 9e-09 over" in named.err


def test_why_says_of_each_other_trial_why_it_was_not_selected(command: Command, known: str) -> None:
    """In JSON by their numbers, and in a table below the selection."""
    front = go.pareto_front(go.load_study("known", storage=known))
    reasons = {str(number): said for number, said in front.select().why_not_others().items()}
    assert len(reasons) == len(front) - 1 > 0
    assert command("select", "--storage", known, "--why", "--format", "json").json == (
        front.select().to_dict() | {"why_not": reasons}
    )
    table = command("select", "--storage", known, "--why").out
    assert all(said in table for said in reasons.values())


def test_a_figure_of_ones_own_comes_from_a_file(
    command: Command, known: str, tmp_path: Path
) -> None:
    """It is named as an objective is, and takes caps as any rule does."""
    mine = tmp_path / "own_figure.py"
    mine.write_text("def smallest(losses):\n    return losses['n_params']\n", encoding="utf-8")
    options = ("--storage", known, "--rule", f"{mine}:smallest", "--format", "json")
    chosen = command("select", *options).json
    assert (chosen["trial"], chosen["rule_description"]) == (2, "least smallest")
    assert command("select", *options, "--max", "quality_loss=0.2").json["trial"] == 1


# Storages and studies


@pytest.mark.parametrize("name", ["front", "select"])
def test_a_study_is_found_by_name(command: Command, known: str, name: str) -> None:
    """With one study it may be left out; with two it must be named, and near names are offered."""
    assert command(name, "--storage", known).code == 0
    add_study(known, "other")
    for arguments in (("knwon",), ()):
        refused = command(name, *arguments, "--storage", known)
        assert (refused.code, refused.out) == (2, "")
        assert "'known'" in refused.err


def test_the_storage_may_come_from_the_environment(
    command: Command, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it and without --storage, the error says how to give one."""
    refused = command("front")
    assert refused.code == 2
    for said in ("--storage", "GREEN_OPTUNA_STORAGE", "sqlite:///green_optuna.db"):
        assert said in refused.err
    monkeypatch.setenv("GREEN_OPTUNA_STORAGE", known)
    assert command("front").code == 0


@pytest.mark.parametrize("name", ["front", "select"])
def test_without_a_storage_it_is_the_one_that_run_stores_in(
    command: Command, known: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `run` has just made is there to be shown; a storage that is named comes first."""
    add_study(DEFAULT_STORAGE, "default")
    assert "'default'" in command(name).out
    assert command(name, "known").code == 2
    assert "'known'" in command(name, "--storage", known).out
    monkeypatch.setenv("GREEN_OPTUNA_STORAGE", known)
    assert "'known'" in command(name).out


def test_a_mistyped_path_makes_no_database(command: Command, tmp_path: Path) -> None:
    """Reading a storage that does not exist is refused, and leaves the folder as it was."""
    before = sorted(tmp_path.iterdir())
    for url in ("sqlite:///typo.db", "journal:typo.log", f"journal://{tmp_path}/typo.log"):
        refused = command("front", "--storage", url)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "typo" in refused.err
    assert sorted(tmp_path.iterdir()) == before


def test_another_programs_database_is_left_alone(command: Command, tmp_path: Path) -> None:
    """Optuna's tables are not made in it."""
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x INTEGER)")
    connection.close()
    before = path.read_bytes()
    assert command("front", "--storage", f"sqlite:///{path}").code == 2
    assert path.read_bytes() == before


def test_a_journal_file_is_a_storage(command: Command, tmp_path: Path) -> None:
    """Relative or absolute, and a run makes it."""
    ran = command("run", "objective=train.py:objective", "study.storage=journal:s.log", *SHORT)
    assert ran.code == 0
    assert (tmp_path / "s.log").is_file()
    relative = command("front", "--storage", "journal:s.log", "--format", "json")
    absolute = command("front", "--storage", f"journal://{tmp_path}/s.log", "--format", "json")
    assert relative.json == absolute.json
    assert relative.json["n_completed"] == 3
    refused = command("front", "--storage", "journal://s.log")
    assert refused.code == 2
    assert "journal:study.log" in refused.err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:1/db",
        "postgresql+nodriver://me:s3cret@127.0.0.1:1/db?sslmode=require",
        "nothing://me:s3cret@host/db",
        "mysql://me:p%40s3cret@host/db",
        "redis://:s3cret@127.0.0.1:1",
        "postgresql://me:s3cret@host:no-port/db",
        "postgresql:/me:s3cret@127.0.0.1:1/db",
        "postgresql//me:s3cret@127.0.0.1:1/db",
        "me:s3cret@127.0.0.1:1/db",
        "mysql+nodriver://me:p@ss/s3cret@127.0.0.1:1/db",
        "sqlite:////no/such/folder/x.db?token=s3cret&uri=true",
    ],
)
@pytest.mark.filterwarnings("ignore:Query string argument")
def test_no_password_is_ever_shown(
    command: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, from either command, given either way."""
    ended = [
        command("front", "--storage", url),
        command("front", "study", url),
        command("run", "objective=train.py:objective", f"study.storage={url}"),
        command("run", "objective=train.py:objective", f"study.storage={url}", "study.x=1"),
    ]
    monkeypatch.setenv("GREEN_OPTUNA_STORAGE", url)
    ended += [command("front"), command("run", "objective=train.py:objective")]
    for shown in ended:
        assert shown.code in (1, 2)
        assert "s3cret" not in shown.out + shown.err
        assert shown.err.startswith("error: ")
        assert shown.err.count("\n") == 1


# green-optuna run

SHORT = ("study.n_trials=3", "study.sampler=random", "study.seed=0")


def run(command: Command, objective: str, *overrides: str) -> Ended:
    """Run an objective of train.py for three trials, unless an override says more."""
    return command("run", f"objective=train.py:{objective}", *SHORT, *overrides)


def load() -> optuna.Study:
    """Load the study that a run without further options makes."""
    return go.load_study("train", storage="sqlite:///green_optuna.db")


def test_run_runs_a_study_and_shows_its_front(command: Command) -> None:
    """The table is that of `front`, the progress is on stderr with what the study spent."""
    ran = run(command, "objective")
    study = load()
    assert ran.code == 0
    assert len(study.trials) == 3
    front = command("front", "--storage", "sqlite:///green_optuna.db").out
    selected = command("select", "--storage", "sqlite:///green_optuna.db").out
    heading = "What the search cost"
    assert ran.out.partition(heading)[0] == front.partition(heading)[0] + selected
    table = ran.out.partition(heading)[2]
    assert table.startswith(front.partition(heading)[2].rstrip())
    assert re.search(r"That is [\d.]+ (k )?trainings of trial \d\.", " ".join(table.split()))
    assert "3/3 trials" in ran.err
    assert f"{format_co2e(read_candidates(study).spent_co2e_kg)} CO2e" in ran.err


def test_run_resumes_a_study_and_counts_all_it_spent(command: Command) -> None:
    """The second run adds its trials; the bar starts from what had been spent."""
    run(command, "objective")
    again = run(command, "objective", "study.n_jobs=2", "study.seed=1")
    study = load()
    assert len(study.trials) == 6
    assert "3/3 trials" in again.err
    assert f"{format_co2e(read_candidates(study).spent_co2e_kg)} CO2e" in again.err


def test_run_ends_with_its_budget(command: Command) -> None:
    """The bar says what is left, the end says why, the front is shown, and all is well."""
    ran = run(command, "endless", "study.n_trials=50", "budget.energy_kwh=1e-5")
    n = len(load().trials) - 1
    assert ran.code == 0
    assert 1 <= n < 20
    assert read_candidates(load()).spent_kwh > 0.5e-5
    assert f"{n}/50 trials" in ran.err
    assert re.search(r"CO2e, [\d.]+ \w+ left", ran.err)
    assert "Stopped by the study's budget: " in " ".join((ran.out + ran.err).split())
    assert "completed trials" in ran.out
    again = run(command, "endless", "budget.energy_kwh=1e-5")
    assert (again.code, len(load().trials)) == (0, n + 2)


def test_run_refuses_a_budget_that_is_none(command: Command) -> None:
    """Before the first trial."""
    ran = run(command, "objective", "budget.co2e_kg=-1")
    assert ran.code == 2
    assert "co2e_kg is -1.0" in ran.err


def test_run_says_what_a_study_will_cost_before_it_runs(command: Command) -> None:
    """From its first trials, which stay in it; the cost is on stdout, and no front is."""
    ran = run(command, "objective", "study.n_trials=50", "--estimate", "4")
    study = load()
    assert (ran.code, len(study.trials)) == (0, 4)
    spent = [one for one in map(entry_of, study.trials) if one and one.energy_kwh]
    usual_kwh = sum(one.overhead_kwh for one in spent[1:]) / 3
    start_up_kwh = max(spent[0].overhead_kwh - usual_kwh, 0.0)
    spent_kwh = [(one.energy_kwh or 0.0) + one.overhead_kwh for one in spent]
    spent_kwh[0] -= start_up_kwh
    expected_kwh = expected_sum(spent_kwh, 46).map(lambda kwh: kwh + start_up_kwh)
    assert "What these 50 trials will probably cost" in ran.out
    assert "From 4 trials, which are in it" in " ".join(ran.out.split())
    row = next(line for line in ran.out.splitlines() if "energy" in line)
    assert format_energy(expected_kwh.mid) in row
    ends = f"{format_energy(expected_kwh.low)} to {format_energy(expected_kwh.high)}"
    assert ends in row
    assert format_co2e(go.Grid(country="FRA").co2e_kg(expected_kwh.mid)) in ran.out
    assert "Pareto front" not in ran.out
    assert "4/4 trials" in ran.err
    assert "study.n_trials=46" in ran.err
    run(command, "objective", "study.n_trials=2")
    assert len(load().trials) == 6


def test_pruned_trials_are_in_what_a_study_will_cost(command: Command) -> None:
    """They cost what they cost; a study that is over costs what it did."""
    ran = run(command, "pruned", "--estimate", "3")
    spent_kwh = read_candidates(load()).spent_kwh
    row = next(line for line in ran.out.splitlines() if "energy" in line)
    ends = [format_energy(spent_kwh)] * 2
    assert " to ".join(ends) in row
    assert "study.n_trials=" not in ran.err


def test_an_estimate_does_not_go_beyond_a_budget(command: Command) -> None:
    """The trial that was refused is none of the study's, and going on leads nowhere."""
    ran = run(command, "endless", "study.n_trials=50", "budget.energy_kwh=1e-5", "--estimate", "40")
    n_started = len(load().trials) - 1
    assert f"From {n_started} trials" in ran.out
    assert "Stopped by the study's budget: " in " ".join((ran.out + ran.err).split())
    assert "Its budget ends it before the others" in " ".join(ran.err.split())
    assert "study.n_trials=" not in ran.err


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("--estimate", "1"), "--estimate"),
        (("--estimate", "4"), "--estimate is 4, and study.n_trials is 3"),
        (("--estimate", "2", "study.n_trials=null"), "study.n_trials is null"),
    ],
)
def test_an_estimate_that_cannot_be_made_starts_no_trial(
    command: Command, overrides: tuple[str, ...], said: str
) -> None:
    """One trial has no spread, and a study without an end no cost."""
    ran = run(command, "objective", *overrides)
    assert ran.code == 2
    assert said in ran.err
    assert not Path("green_optuna.db").exists()


def test_run_measures_a_plain_function(command: Command) -> None:
    """It is decorated with the options of the configuration."""
    options = ("grid.country=POL", "trackers.mlflow.enabled=false", "study.n_trials=1")
    ran = run(command, "plain", *options)
    assert ran.code == 0
    kept = load().trials[0].user_attrs[ATTRIBUTE]
    assert kept["grid"]["country"] == "POL"
    assert kept["co2e_kg"] == load().trials[0].values[1] > 0


def test_the_front_says_what_the_search_cost(command: Command) -> None:
    """As a table below the front, in JSON, and not in CSV, which is one row a trial."""
    run(command, "objective")
    ledger = go.pareto_front(load()).ledger
    table = command("front").out
    assert "What the search cost" in table
    assert format_energy(ledger["complete"].energy_kwh) in table
    assert format_co2e(ledger.co2e_kg) in table
    assert json.loads(command("front", "--format", "json").out)["ledger"] == ledger.to_dict()
    assert "overhead" not in command("front", "--format", "csv").out


def test_run_without_a_rule_selects_nothing(command: Command) -> None:
    """rule.name=null leaves the choice for later."""
    ran = run(command, "objective", "rule.name=null")
    assert ran.code == 0
    assert "Pareto front" in ran.out
    assert "Selected" not in ran.out


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["study.n_trails=3"], "study.n_trials"),
        (["rule.name=knee", "rule.relative=0.1"], "rule.relative"),
        (["rule.name=nothing"], "'nothing'"),
        (["objectives=[quality_loss,n_params]"], "rule.name=null"),
        (["objectives=[loss]"], "loss"),
        (["rule.name=best-quality", "rule.max_n_params=-1"], "rule.max_n_params is -1"),
        (["grid.country=XYZ"], "grid.country='XYZ'"),
        (["grid.country=XYZ"], "grid.carbon_intensity_g_per_kwh=NUMBER"),
        (["meter.cpu_power_w=3"], "meter.cpu_power_w"),
        (["quality_bounds=[1]"], "quality_bounds"),
        (["objective=train.py:nothing"], "nothing"),
    ],
)
def test_a_run_that_cannot_work_starts_no_trial(
    command: Command, tmp_path: Path, overrides: list[str], said: str
) -> None:
    """All of the configuration is checked before a study is made."""
    refused = run(command, "objective", *overrides)
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert said in refused.err
    assert not (tmp_path / "green_optuna.db").exists()


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("--storage", "study.storage"),
        ("--storage=sqlite:///x.db", "study.storage"),
        ("--study", "study.name"),
        ("--n-trials", "study.n_trials"),
        ("--n_jobs", "study.n_jobs"),
        ("--country", "grid.country"),
        ("--objective", "objective"),
        ("--rule", "rule.name"),
    ],
)
def test_an_option_that_run_has_as_a_key_is_pointed_to_it(
    command: Command, option: str, key: str
) -> None:
    """Whoever tries the options of `front` reads how `run` is told the same."""
    refused = command("run", "objective=train.py:objective", option, "3")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert f"write {key}=" in refused.err
    assert "write" not in command("run", "--unknown").err
    assert "write" not in command("front", option, "3").err


def test_a_run_on_other_terms_leaves_the_study_as_it_was(command: Command) -> None:
    """Another grid is refused before a trial, not by a failed one."""
    run(command, "objective")
    refused = run(command, "objective", "grid.country=POL")
    assert (refused.code, refused.out) == (1, "")
    assert "carbon_intensity_g_per_kwh" in refused.err
    assert len(load().trials) == 3


def test_the_users_exception_is_shown_with_its_place(command: Command) -> None:
    """Its traceback starts in the user's file, and hides the password in its message."""
    ran = run(command, "broken")
    assert (ran.code, ran.out) == (1, "")
    lines = ran.err[ran.err.index("Traceback") :].splitlines()
    assert "train.py" in lines[1]
    assert "in broken" in lines[1]
    assert lines[-1] == "RuntimeError: a bug of mine, at postgresql://me:***@host/db"
    assert "s3cret" not in ran.err


@pytest.mark.parametrize(("objective", "code"), [("outside", 1), ("unmeasured", 4)])
def test_an_error_of_the_library_is_one_line(command: Command, objective: str, code: int) -> None:
    """A quality outside its bounds is a failure; a host that cannot measure is another."""
    ran = run(command, objective)
    assert (ran.code, ran.out) == (code, "")
    assert "Traceback" not in ran.err
    assert ran.err.splitlines()[-1].startswith("error: ")


def test_a_run_of_pruned_trials_says_so(command: Command) -> None:
    """There is no front to show, and what they spent is counted all the same."""
    ran = run(command, "pruned")
    assert (ran.code, ran.out) == (0, "")
    assert "No trial was completed." in ran.err
    spent = read_candidates(load()).spent_co2e_kg
    assert f"{format_co2e(spent)} CO2e" in ran.err
    assert spent > 0


def test_a_run_whose_caps_nothing_meets_ends_with_3(command: Command) -> None:
    """The front is shown, and the trials are kept."""
    ran = run(command, "objective", "rule.name=best-quality", "rule.max_co2e_kg=1e-30")
    assert ran.code == 3
    assert "rule.max_co2e_kg is 1e-30" in ran.err
    assert "Pareto front" in ran.out
    assert len(load().trials) == 3


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "green_optuna", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
    )


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT, as Ctrl-C does")
def test_ctrl_c_ends_a_run_with_what_there_is(tmp_path: Path) -> None:
    """The front of the trials so far is shown, without a traceback, and the code is 130."""
    process = start("run", "objective=train.py:endless", "study.n_trials=null")
    path = tmp_path / "green_optuna.db"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None and done_trials(path) < 2:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Pareto front" in out
    assert "Stopped with Ctrl-C" in err
    assert "Traceback" not in err
    assert done_trials(path) >= 2


class InterruptedStorage(optuna.storages.InMemoryStorage):
    """A storage during whose writing of a trial's end the user presses Ctrl-C."""

    def set_trial_state_values(
        self,
        trial_id: int,  # noqa: ARG002 - these are Optuna's arguments
        state: optuna.trial.TrialState,  # noqa: ARG002
        values: Sequence[float] | None = None,  # noqa: ARG002
    ) -> bool:
        """Be interrupted."""
        raise KeyboardInterrupt


def test_ctrl_c_while_optuna_ends_a_trial_ends_the_run_too() -> None:
    """Optuna then raises an error of its own, which is not what the user did."""
    study = go.create_study(storage=InterruptedStorage())
    objective = go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=5.0), trackers=[])(
        lambda _: (0.5, 1)
    )
    assert _optimise(study, objective, StudyConfig(n_trials=1)) is True


def done_trials(path: Path) -> int:
    """Count the completed trials in a storage that another process may just be making.

    Optuna itself would make the tables that are not there yet, in the other one's way.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            query = "SELECT COUNT(*) FROM trials WHERE state = 'COMPLETE'"
            return int(database.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.mark.slow
def test_run_says_how_to_open_mlflow(tmp_path: Path) -> None:
    """The command names the store that was used, the page the study's view; front says so too."""
    import mlflow

    overrides = ("objective=train.py:objective", "trackers.mlflow.uri=sqlite:///runs.db", *SHORT)
    process = start("run", *overrides)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    (said,) = [line for line in err.splitlines() if "mlflow ui" in line]
    assert (
        f"in mlflow: mlflow ui --backend-store-uri {uri}, then open http://127.0.0.1:5000/" in said
    )
    experiment = mlflow.MlflowClient(uri).get_experiment_by_name("green_optuna")
    assert experiment is not None
    key = said.partition("viewStateShareKey=")[2].partition("&")[0]
    assert f"#/experiments/{experiment.experiment_id}/runs?" in said
    assert f"mlflow.sharedViewState.{key}" in experiment.tags
    for output, shown in (("table", [said]), ("json", []), ("csv", [])):
        process = start("front", "train", "--format", output)
        out, err = process.communicate(timeout=300)
        assert err.splitlines() == shown
        assert "mlflow ui" not in out


# The command itself


def test_help_loads_nothing_that_only_a_run_needs() -> None:
    """--help of each command leaves MLflow, Hydra and the like alone."""
    heavy = ("codecarbon", "hydra", "mlflow", "moocore", "pandas", "plotly", "torch")
    code = f"""
import sys
from green_optuna.cli import main
for name in ([], ["run"], ["front"], ["select"], ["measure"], ["estimate"]):
    assert main([*name, "--help"]) == 0
print("loaded:", *({set(heavy)!r} & sys.modules.keys()), file=sys.stderr)
"""
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert (done.returncode, done.stderr.split()) == (0, ["loaded:"])


def test_the_version_is_shown(command: Command) -> None:
    """In one line, for a report of a bug."""
    shown = command("--version")
    assert (shown.code, shown.out.split()[0]) == (0, "green-optuna")


def test_a_name_that_is_no_command_ends_with_2(command: Command) -> None:
    """As every other wrong usage does."""
    shown = command("fornt")
    assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert "fornt" in shown.err


def test_without_a_command_the_help_is_shown(command: Command) -> None:
    """All that there is, on one page."""
    shown = command()
    assert shown.code == 2
    for name in ("run", "front", "select", "measure", "estimate"):
        assert name in shown.out
