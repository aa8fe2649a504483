"""``green-optuna repeat``, and how sure the other commands are."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

import green_optuna as go
from green_optuna.cli import main
from green_optuna.pooling import repeated_number

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("_own_imports")

TRAIN = """
import random

import optuna

import green_optuna as go


@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    noise = random.Random(f"{x} {trial.run}").gauss(0, 0.02)
    return 0.2 + 0.6 * x + noise, 100


@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
def broken(trial):
    trial.suggest_float("x", 0, 1)
    raise RuntimeError("a bug of mine")


@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
def pruned(trial):
    raise optuna.TrialPruned


@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
def steady(trial):
    return trial.suggest_float("x", 0, 1), 100


@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
def other(trial):
    return objective.function(trial)[0], trial.suggest_int("depth", 100, 101)
"""
OBJECTIVE = "objective=train.py:objective"


@pytest.fixture
def searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> go.ParetoFront:
    """Search with the command line, in the storage that it uses unless told."""
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    assert main(["run", OBJECTIVE, "study.n_trials=5", "study.seed=1"]) == 0
    capsys.readouterr()
    return read_front()


def read_front(*, assume_exact: bool = False) -> go.ParetoFront:
    """Read the front of the study."""
    study = go.load_study("train", storage="sqlite:///green_optuna.db")
    return go.pareto_front(study, allow_mixed=True, assume_exact=assume_exact)


def repeated() -> list[int | None]:
    """Give which trial each trial of the study repeats."""
    study = go.load_study("train", storage="sqlite:///green_optuna.db")
    return [repeated_number(trial) for trial in study.trials]


def as_json(text: str) -> Any:  # noqa: ANN401 - whatever was written
    """Read JSON, of which NaN and infinities are no part."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_repeat_runs_the_named_trials_again(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same study, each as often as asked; what they come to is shown with all runs."""
    code = main(["repeat", "train", "--trial", "3", "--trial", "0", "--times", "2", OBJECTIVE])
    shown = capsys.readouterr()
    assert (code, repeated()) == (0, [None] * 5 + [3, 0, 3, 0])
    assert "Trial 5 repeats trial 3: 1 - quality" in shown.err
    assert "which counts in what the study has spent" in shown.err
    assert "with all their runs" in shown.out
    assert [line.split("│")[1:3] for line in shown.out.splitlines() if "│" in line] == [
        ["     3 ", "    3 "],
        ["     0 ", "    3 "],
    ]
    assert read_front().candidates.spent_kwh > searched.candidates.spent_kwh


def test_repeat_auto_takes_those_that_are_worth_it(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the rule that is set, as front.worth_repeating says; why goes to stderr."""
    rule = "rule.name=best-quality"
    expected = searched.worth_repeating("best-quality")
    assert main(["repeat", "--auto", OBJECTIVE, rule, "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert str(expected) in shown.err
    assert repeated()[5:] == list(expected.trials)
    written = as_json(shown.out)
    assert [row["trial"] for row in written["trials"]] == list(expected.trials)
    assert [row["runs"] for row in written["trials"]] == [2, 2]
    assert written["trials"][0]["quality_loss_low"] < written["trials"][0]["quality_loss"]
    assert written["trials"][0]["probability"] is None
    assert written["uncertainty"] == read_front().uncertainty.reason


def test_repeat_in_csv_has_the_probabilities_where_the_user_takes_the_rest_as_exact(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row a trial, in the units of the data."""
    number = str(searched.select().number)
    options = ["--trial", number, "--times", "2", "--assume-exact", "--format", "csv"]
    assert main(["repeat", *options, OBJECTIVE]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    front = read_front(assume_exact=True)
    place = front.candidates.trials[int(number)]
    assert place.number == int(number)
    assert float(row["probability"]) == front.uncertainty.of(int(number))
    assert (row["runs"], row["repeats"]) == ("3", "5 6")


def test_a_settled_choice_is_not_repeated(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where runs agree in the quality, the best one is the best in each draw: nothing runs."""
    assert len(searched) > 0
    steady = ["objective=train.py:steady", "repeats=2", "study.name=steady"]
    assert main(["run", *steady, "study.n_trials=2"]) == 0
    capsys.readouterr()
    assert main(["repeat", "--auto", *steady, "rule.name=best-quality"]) == 0
    shown = capsys.readouterr()
    assert "in 100.0% of the draws; nothing is left to settle. All runs of trial" in shown.err
    assert "if they had the same seed, that says nothing of how far trainings differ" in shown.err
    assert shown.out == ""
    assert len(go.load_study("steady", storage="sqlite:///green_optuna.db").trials) == 2


def test_a_repeat_that_breaks_ends_with_its_traceback(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and the failed repeat is in no mean."""
    assert main(["repeat", "--trial", "0", "--times", "3", "objective=train.py:broken"]) == 1
    assert "RuntimeError: a bug of mine" in capsys.readouterr().err
    after = read_front()
    assert after.candidates.repeats == {}
    assert after.candidates.losses.tolist() == searched.candidates.losses.tolist()
    assert after.ledger["failed"].n_trials == 1


def test_a_repeat_that_is_pruned_or_differs_is_said_to(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in no mean; one with other hyperparameters stands for itself."""
    assert len(searched) > 0
    assert main(["repeat", "--trial", "0", "objective=train.py:pruned"]) == 0
    assert "Trial 5 repeats trial 0: pruned, so that it is in no mean." in capsys.readouterr().err
    assert main(["repeat", "--trial", "0", "objective=train.py:other"]) == 0
    assert "has other hyperparameters now" in capsys.readouterr().err
    assert [trial.number for trial in read_front().candidates.trials] == [0, 1, 2, 3, 4, 6]


def test_a_budget_ends_the_repeats(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """With code 0, and the reason on stderr."""
    assert len(searched) > 0
    arguments = ["--trial", "0", "--times", "4", OBJECTIVE, "budget.co2e_kg=1e-12"]
    assert main(["repeat", *arguments]) == 0
    assert "Trial 5 repeats trial 0: not started, " in capsys.readouterr().err
    assert repeated()[5:] == [0]


REFUSED = (
    (["--trial", "9", OBJECTIVE], 2, "There is no trial 9 in 'train': there is 0 to 4."),
    ([OBJECTIVE], 2, "Give either --trial N, once or several times, or --auto."),
    (["--auto", "--trial", "1", OBJECTIVE], 2, "Give either --trial N"),
    (["--auto"], 2, "There is no objective"),
    (["nowhere", "--auto", OBJECTIVE], 2, "no study 'nowhere'"),
    (["--auto", OBJECTIVE, "--storage", "sqlite:///other.db"], 2, "does not exist"),
    (["--auto", OBJECTIVE, "objectives=[quality_loss]"], 1, "was made"),
    (["--auto", OBJECTIVE, "rule.name=best-quality", "rule.max_co2e_kg=1e-30"], 3, "max_co2e_kg"),
    (["--trial", "0", "--times", "0", OBJECTIVE], 2, "--times"),
    (["--trial", "0", OBJECTIVE, "study.trails=4"], 2, "trails"),
)


def test_what_cannot_be_repeated_is_refused_before_anything_runs(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line that says what was wrong, with the exit code of such a fault."""
    assert len(searched) > 0
    for arguments, code, said in REFUSED:
        assert main(["repeat", *arguments]) == code
        shown = capsys.readouterr()
        assert said in shown.err
        assert shown.err.count("\n") == 1
    assert repeated() == [None] * 5


def test_select_and_front_say_how_probable_a_trial_is(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column of the front, and a floor for the selection; 3 where no trial reaches it."""
    options = ["--trial", "0", "--trial", "1", "--trial", "2", "--trial", "3", "--trial", "4"]
    assert len(searched.candidates.trials) == 5
    assert main(["select", "--min-probability", "0.5"]) == 2
    assert "error: --min-probability is 0.5, and none can be told. No trial" in (
        capsys.readouterr().err
    )
    assert main(["repeat", *options, "--times", "2", OBJECTIVE]) == 0
    front = read_front()
    assert front.probabilities is not None
    capsys.readouterr()
    assert main(["front", "--format", "json"]) == 0
    written = as_json(capsys.readouterr().out)["trials"]
    assert {row["trial"]: row["probability"] for row in written} == front.probabilities
    assert main(["front"]) == 0
    assert "on the front" in capsys.readouterr().out
    greatest = max(front.probabilities.values())
    assert main(["select", "--min-probability", str(greatest), "--format", "json"]) == 0
    assert as_json(capsys.readouterr().out)["probability"] == greatest
    if greatest < 1:
        assert main(["select", "--min-probability", "1"]) == 3
        assert f"the greatest is {greatest:.3g}" in capsys.readouterr().err
    assert main(["select", "--min-probability", "2"]) == 2


def test_front_says_where_the_errors_of_some_trials_alone_are_known(
    searched: go.ParetoFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below the table; --assume-exact gives the column instead."""
    assert main(["repeat", "--trial", str(searched.numbers[0]), OBJECTIVE]) == 0
    capsys.readouterr()
    assert main(["front"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Of 4 of the 5 trials of 'train' no error is known" in said
    assert "on the front" not in said
    assert main(["front", "--assume-exact"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "no error is known" not in said
    assert "on the front" in said
