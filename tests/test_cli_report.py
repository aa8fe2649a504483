"""The command ``report``: the page that it writes, and what it refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from made import made_study
from report.reading import Reading

import green_optuna as go
from green_optuna.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Report = Callable[..., "Ended"]

REFERENCES = """name,quality,co2e_kg,n_params,basis,source
published one,0.95,2e-7,800,published,doi:10.5/x
"""


class Ended:
    """How the command ended, and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def known(sqlite_url: str) -> str:
    """Give the URL of a storage that has one study."""
    made_study(25, checkpoints=True, storage=sqlite_url)
    return sqlite_url


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str], known: str) -> Report:
    """Give the command, to call with its options."""

    def call(*options: str, storage: str = known) -> Ended:
        capsys.readouterr()
        code = main(("report", "digits", "--storage", storage, *options))
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return call


def read(path: Path) -> Reading:
    """Read a page."""
    return Reading(path.read_text(encoding="utf-8"))


def chosen_in(shown: Reading) -> int:
    """Give the trial that a page says is chosen."""
    return int(shown.rows[shown.data["chosen"]]["trial"])


def test_report_writes_a_page_and_prints_its_path(
    report: Report, known: str, tmp_path: Path
) -> None:
    """Under the name that it is given, or report.html; the choice is that of the default rule."""
    shown = report("-o", "a page.html")
    assert (shown.code, shown.out, shown.err) == (0, "a page.html\n", "")
    assert report().out == "report.html\n"
    page = read(tmp_path / "a page.html")
    page.check_that_nothing_leads_out()
    front = go.pareto_front(go.load_study("digits", storage=known))
    assert chosen_in(page) == front.select().number
    assert sorted(row["trial"] for row in page.rows) == [*range(25)]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--rule", "min-co2e"], "min-co2e"),
        (["--rule", "knee"], "knee"),
        (["--tolerance", "0.5"], go.Tolerance(0.5)),
        (["--rule", "best-quality", "--max", "n_params=2000"], go.BestQuality(max_n_params=2000)),
    ],
)
def test_report_shows_what_a_rule_chooses(
    report: Report, known: str, tmp_path: Path, options: list[str], rule: go.Rule | str
) -> None:
    """The rule that was asked for makes the choice, and says so."""
    assert report(*options).code == 0
    selection = go.pareto_front(go.load_study("digits", storage=known)).select(rule)
    page = read(tmp_path / "report.html")
    assert chosen_in(page) == selection.number
    assert f"Trial {selection.number} of 'digits' (" in page.text


def test_caps_that_no_trial_meets_are_said_on_the_page(report: Report, tmp_path: Path) -> None:
    """A report is no selection: it is written, without a choice."""
    shown = report("--rule", "best-quality", "--max", "n_params=1")
    assert (shown.code, shown.err) == (0, "warning: no trial is chosen; the page says why.\n")
    page = read(tmp_path / "report.html")
    assert page.data["chosen"] is None
    assert "No model meets the caps: caps['n_params'] is 1" in page.text


def test_report_reprices_and_compares(report: Report, tmp_path: Path) -> None:
    """With another grid, results from elsewhere, some objectives, and saved steps."""
    (tmp_path / "published.csv").write_text(REFERENCES, encoding="utf-8")
    assert report().code == 0
    before = read(tmp_path / "report.html")
    options = ("--grid", "25", "--references", "published.csv", "--checkpoints")
    assert report(*options, "--objectives", "quality_loss,co2e_kg").code == 0
    after = read(tmp_path / "report.html")
    assert after.data["objectives"] == ["quality_loss", "co2e_kg"]
    assert [one["name"] for one in after.data["references"]] == ["published one"]
    assert any(row["state"] == "checkpoint" for row in after.rows)
    kg = [{row["label"]: row["co2e_kg"] for row in shown.rows}["0"] for shown in (before, after)]
    assert kg[1] == pytest.approx(kg[0] / 10)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "report.pdf"], "'report.pdf'"),
        (["-o", "report"], "'report'"),
        (["-o", "not there/report.html"], "'not there/report.html'"),
        (["--rule", "tolernce"], "did you mean 'tolerance'"),
        (["--rule", "knee", "--tolerance", "0.1"], "--tolerance"),
        (["--tolerance", "2"], "--tolerance is"),
        (["--max", "co2e_kg"], "--max is 'co2e_kg'"),
        (["--objectives", "co2e"], "co2e_kg"),
        (["--references", "gone.csv"], "'gone.csv'"),
        (["--grid", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage_ends_with_2_and_writes_nothing(
    report: Report, tmp_path: Path, options: list[str], said: str
) -> None:
    """In one line that names what was wrong."""
    shown = report(*options)
    assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert said in shown.err
    assert not [*tmp_path.rglob("*report*")]


def test_a_page_that_cannot_be_written_leaves_the_old_one(report: Report, tmp_path: Path) -> None:
    """A folder stands where the page should."""
    (tmp_path / "report.html").mkdir()
    shown = report()
    assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert [one.name for one in tmp_path.glob("*.html*")] == ["report.html"]


def test_a_password_in_a_storage_is_nowhere(report: Report, known: str, tmp_path: Path) -> None:
    """Not on the page, and not in what the command writes, where it fails either."""
    secret = known.replace("sqlite:///", "sqlite://me:s3cret@/")
    for url in (secret, f"{known}?password=s3cret", "postgresql://me:s3cret@nowhere.invalid/db"):
        shown = report(storage=url)
        assert "s3cret" not in shown.out + shown.err
        assert not any(
            "s3cret" in page.read_text(encoding="utf-8") for page in tmp_path.glob("*.html")
        )
    assert report().code == 0
    assert re.search("s3cret", (tmp_path / "report.html").read_text(encoding="utf-8")) is None


def test_a_width_that_is_none_is_refused_before_anything_is_written(
    report: Report, tmp_path: Path
) -> None:
    """And is named as the command line does."""
    ended = report("--figures", "figures", "--width", "0")
    assert ended.code == 2
    assert "--width is 0.0" in ended.err
    assert not (tmp_path / "report.html").exists()
