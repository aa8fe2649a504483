"""A study in MLflow's own pages, as a person meets it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient
from playwright.sync_api import expect
from servers import mlflow_server

import green_optuna as go
from green_optuna.terms import ATTRIBUTE
from green_optuna.tracking.mlflow.view import page as view_page

from .studies import NAMES, log_study

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from green_optuna.record import State

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_patience")]

COMPLETE: tuple[State, ...] = ("complete",)
STATES: tuple[State, ...] = (*COMPLETE, "pruned", *COMPLETE * 4, "failed", *COMPLETE * 5)
# A legend has lines of its own.
LINES = ".scatterlayer path.js-line"
POINTS = ".scatterlayer .point"

HOSTILE = "<script>alert(1)</script> a|b `c` [d](javascript:alert(2)) **e**"
HOSTILE_NAMES = ("<img src=x onerror=alert(3)>", "a|b", "<b>c</b>")


@dataclass(frozen=True, slots=True)
class Shown:
    """A study that a server shows.

    Attributes:
        front: Its front.
        key: Its key.
        runs: The address of its experiment's runs.
        server: The server's address.
        study_run: The id of its own run.
    """

    front: go.ParetoFront
    key: str
    runs: str
    server: str
    study_run: str

    def run_id(self, number: int) -> str:
        """Give the run of a trial on the front."""
        (trial,) = [trial for trial in self.front.trials if trial.number == number]
        return str(trial.user_attrs[ATTRIBUTE]["run_ids"]["mlflow"])

    @property
    def view(self) -> str:
        """The address of its view."""
        return f"{self.server}/{view_page(self.runs.split('/')[-2], self.key)}"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """Give the address of an MLflow server."""
    with mlflow_server(f"sqlite:///{folder / 'mlflow.db'}", folder) as running:
        yield running.uri


def show(
    name: str,
    server: str,
    folder: Path,
    *,
    states: tuple[State, ...] = STATES,
    names: tuple[str, ...] = NAMES,
) -> Shown:
    """Log a study to a server."""
    study, terms = log_study(
        name,
        storage=f"sqlite:///{folder / 'studies.db'}",
        tracker=go.MLflowTracker(server),
        states=states,
        names=names,
    )
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("green_optuna")
    assert experiment is not None
    (run,) = client.search_runs(
        [experiment.experiment_id],
        f"tags.`green_optuna.study_key` = '{terms.key}' AND tags.`green_optuna.role` = 'study'",
    )
    runs = f"{server}/#/experiments/{experiment.experiment_id}/runs"
    return Shown(go.pareto_front(study), terms.key, runs, server, run.info.run_id)


@pytest.fixture(scope="module")
def digits(server: str, folder: Path) -> Shown:
    """Give a study of twelve trials, one of them pruned and one failed."""
    return show("digits", server, folder)


@pytest.fixture(scope="module")
def hostile(server: str, folder: Path, digits: Shown) -> Shown:  # noqa: ARG001 - the first is alone
    """Give a study whose names are written to break a page."""
    return show(HOSTILE, server, folder, states=STATES[2:5], names=HOSTILE_NAMES)


def card(page: Page, title: str) -> Locator:
    """Find a chart by its title."""
    cards = page.get_by_test_id("experiment-view-compare-runs-card")
    return cards.filter(has=page.get_by_text(title, exact=True))


def expect_lines(chart: Locator, count: int) -> None:
    """Hold that a chart draws so many lines; of each, MLflow draws a smoothed one over it."""
    expect(chart.locator(LINES).nth(count - 1)).to_be_attached()
    assert chart.locator(LINES).count() in (count, 2 * count)


def run_names(page: Page) -> list[str]:
    """Give the runs that the table lists, from the top."""
    return page.locator("a", has_text=re.compile(r"^(trial-\d+|study: )")).all_inner_texts()


def test_the_view_opens_with_the_studys_charts(page: Page, digits: Shown) -> None:
    """By its name: quality against costs, parallel coordinates, and traces with a line a trial."""
    page.goto(digits.view)
    expect(page.get_by_test_id("saved-views-trigger")).to_have_text("digits")
    expect(page.get_by_text(f"{len(STATES)} matching runs")).to_be_visible()
    for cost in ("co2e_kg", "n_params"):
        scatter = card(page, f"objective/{cost} vs. objective/quality_loss")
        expect(scatter.locator(POINTS)).to_have_count(STATES.count("complete"))
    parallel = card(page, "Parallel Coordinates")
    expect(parallel.get_by_text("learning_rate")).to_be_visible()
    for title in ("energy/cpu_w", "energy/cumulative_kwh", "energy/cumulative_co2e_kg"):
        chart = card(page, title)
        chart.scroll_into_view_if_needed()
        expect_lines(chart, len(STATES))
        expect(chart.get_by_text("Step", exact=True)).to_be_visible()
    expect(page.get_by_text("Energy over seconds (W, kWh, kg CO2e)")).to_be_visible()
    assert sorted(run_names(page)) == [f"trial-{n:04d}" for n in range(len(STATES))]


def test_the_view_lists_the_trials_with_its_columns(page: Page, digits: Shown) -> None:
    """Objectives first, then quality, hyperparameters, state and marks; the best on top."""
    page.set_viewport_size({"width": 2600, "height": 1000})
    page.goto(digits.view.partition("&compareRunsMode")[0])
    expect(page.get_by_text("green_optuna.chosen")).to_be_visible()
    # In the document, columns that were moved stand where they were.
    headings = page.locator(".ag-header-cell").evaluate_all(
        "cells => cells.sort((a, b) => a.getBoundingClientRect().x - b.getBoundingClientRect().x)"
        ".map(cell => cell.innerText.trim()).filter(text => text)"
    )
    assert headings[-10:] == [
        "objective/quality_loss",
        "objective/co2e_kg",
        "objective/n_params",
        "quality",
        "learning_rate",
        "width",
        "optimiser",
        "green_optuna.state",
        "green_optuna.on_front",
        "green_optuna.chosen",
    ]
    best = digits.front.select("best-quality")
    assert run_names(page)[0] == f"trial-{best.number:04d}"
    words = page.get_by_text(digits.front.select().rule.describe(), exact=True)
    expect(words).to_have_count(1)


def test_the_front_can_be_filtered(page: Page, digits: Shown) -> None:
    """Its tag, added to the view's filter, leaves its members."""
    page.goto(digits.view.partition("&compareRunsMode")[0])
    expect(page.get_by_text(f"{len(STATES)} matching runs")).to_be_visible()
    box = page.get_by_test_id("search-box")
    box.fill(f"{box.input_value()} AND tags.\"green_optuna.on_front\" = 'true'")
    box.press("Enter")
    expect(page.get_by_text(f"{len(digits.front)} matching runs")).to_be_visible()
    assert sorted(run_names(page)) == [f"trial-{n:04d}" for n in digits.front.numbers]
    assert len(digits.front) < STATES.count("complete")


def test_a_trials_page_draws_its_trace(page: Page, digits: Shown) -> None:
    """Power and energy over steps are lines, each under its unit."""
    number = digits.front.numbers[0]
    page.goto(f"{digits.runs}/{digits.run_id(number)}/model-metrics")
    for title in ("cpu_w", "cumulative_kwh", "cumulative_co2e_kg"):
        chart = card(page, title)
        chart.scroll_into_view_if_needed()
        expect_lines(chart, 1)


def test_the_studys_note_leads_to_its_trials_and_its_view(page: Page, digits: Shown) -> None:
    """Each number in the front's table opens the trial's run; a link opens the view."""
    page.goto(f"{digits.runs}/{digits.study_run}")
    note = page.get_by_test_id("note-editor-preview-content")
    expect(note.locator("tbody tr")).to_have_count(len(digits.front))
    assert note.locator("thead").inner_text().split() == [
        "trial",
        *("1", "-", "quality"),
        "CO2e",
        "parameters",
    ]
    page.get_by_test_id("show-comment-toggle").click()
    for number in (digits.front.numbers[0], digits.front.numbers[-1]):
        with page.context.expect_page() as opened:
            note.get_by_role("link", name=str(number), exact=True).click()
        heading = opened.value.get_by_role("heading", name=f"trial-{number:04d}")
        expect(heading).to_be_visible()
        opened.value.close()
    with page.context.expect_page() as opened:
        note.get_by_role("link", name="See its trials").click()
    expect(opened.value.get_by_test_id("saved-views-trigger")).to_have_text("digits")


def test_the_plot_of_the_front_opens(page: Page, digits: Shown) -> None:
    """The page among the study's artifacts is drawn in place."""
    page.goto(f"{digits.runs}/{digits.study_run}/artifacts/front/pareto.html")
    frame = page.frame_locator("iframe.mlflow-html-iframe")
    expect(frame.locator(POINTS).first).to_be_visible()
    assert frame.locator(POINTS).count() >= len(digits.front)


def test_names_that_would_break_a_page_are_shown_as_they_are(page: Page, hostile: Shown) -> None:
    """No script in them runs, in the note, in the view or in the plot."""
    page.goto(f"{hostile.runs}/{hostile.study_run}")
    note = page.get_by_test_id("note-editor-preview-content")
    expect(note).to_contain_text(f"of study {HOSTILE}: ")
    assert note.locator("script, img, b, code").count() == 0
    links = note.locator("a").evaluate_all("links => links.map(one => one.getAttribute('href'))")
    assert all(link.startswith("#/experiments/") for link in links)
    page.goto(hostile.view)
    expect(page.get_by_text("3 matching runs")).to_be_visible()
    expect_lines(card(page, "energy/cpu_w"), 3)
    page.goto(f"{hostile.runs}/{hostile.study_run}/artifacts/front/pareto.html")
    frame = page.frame_locator("iframe.mlflow-html-iframe")
    expect(frame.locator(POINTS).first).to_be_visible()
