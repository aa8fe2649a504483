"""A study's report in MLflow's pages: in a frame that lets its scripts run, and little else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient
from playwright.sync_api import expect
from servers import mlflow_server

import green_optuna as go

from .studies import NAMES, log_study

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import FrameLocator, Page

    from green_optuna.record import State

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_patience")]

STATES: tuple[State, ...] = (*("complete",) * 6, "pruned", *("complete",) * 6, "failed")
HOSTILE = "<script>alert(1)</script> a|b `c` [d](javascript:alert(2)) **e**"
HOSTILE_NAMES = ("<img src=x onerror=alert(3)>", "</script>", "<b>c</b>")


@dataclass(frozen=True, slots=True)
class Shown:
    """A study whose report a server shows.

    Attributes:
        front: Its front.
        run: The address of its own run.
    """

    front: go.ParetoFront
    run: str

    def opened(self, page: Page) -> FrameLocator:
        """Open the report among the files of the study's run; give what is in its frame."""
        page.goto(f"{self.run}/artifacts/report.html")
        frame = page.frame_locator("iframe.mlflow-html-iframe")
        expect(frame.locator("#pairs .point").first).to_be_attached()
        return frame


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """Give the address of an MLflow server."""
    with mlflow_server(f"sqlite:///{folder / 'mlflow.db'}", folder) as running:
        yield running.uri


def show(name: str, server: str, *, names: tuple[str, ...] = NAMES) -> Shown:
    """Log a study and its report to a server."""
    tracker = go.MLflowTracker(server)
    study, terms = log_study(name, storage=None, tracker=tracker, states=STATES, names=names)
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("green_optuna")
    assert experiment is not None
    (run,) = client.search_runs(
        [experiment.experiment_id],
        f"tags.`green_optuna.study_key` = '{terms.key}' AND tags.`green_optuna.role` = 'study'",
    )
    address = f"{server}/#/experiments/{experiment.experiment_id}/runs/{run.info.run_id}"
    return Shown(go.pareto_front(study), address)


@pytest.fixture(scope="module")
def digits(server: str) -> Shown:
    """Give a study of 14 trials, one of them pruned and one failed."""
    return show("digits", server)


def errors_of(page: Page) -> list[str]:
    """Collect what the page's scripts raise, and what its content security policy refuses."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None,
    )
    return errors


def test_the_note_of_the_study_leads_to_its_report(page: Page, digits: Shown) -> None:
    """A link opens it, drawn in place by its own scripts, with the traces read from MLflow."""
    page.goto(digits.run)
    note = page.get_by_test_id("note-editor-preview-content")
    page.get_by_test_id("show-comment-toggle").click()
    with page.context.expect_page() as opened:
        note.get_by_role("link", name="Read the report").click()
    errors = errors_of(opened.value)
    frame = opened.value.frame_locator("iframe.mlflow-html-iframe")
    expect(frame.get_by_role("heading", name="digits", exact=True)).to_be_visible()
    expect(frame.locator("#pairs .point").first).to_be_attached()
    assert frame.locator("#pairs .point").count() >= len(digits.front)
    frame.locator("#traces").scroll_into_view_if_needed()
    n_traces = min(len(digits.front), 8)
    expect(frame.locator("#traces figure")).to_have_count(n_traces)
    expect(frame.locator("#traces .js-plotly-plot").first).to_be_visible()
    assert errors == []


def test_the_frame_lets_the_reports_scripts_work(page: Page, digits: Shown) -> None:
    """The table filters, and a choice of colours is taken."""
    errors = errors_of(page)
    frame = digits.opened(page)
    frame.locator("#trials-filter").fill("pruned")
    expect(frame.locator("#trials-table tbody tr")).to_have_count(1)
    frame.locator("#theme").click()
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    assert errors == []


def test_links_inside_the_report_lead_there(page: Page, digits: Shown) -> None:
    """Though the frame has no address of its own; what it does not allow is not offered."""
    frame = digits.opened(page)
    last = frame.locator("#words")
    expect(last).not_to_be_in_viewport()
    frame.get_by_role("link", name="Words").click()
    expect(last).to_be_in_viewport()
    expect(frame.locator("#print")).to_be_hidden()
    expect(frame.locator("#trials-csv")).to_be_hidden()
    expect(frame.get_by_text("This frame allows no downloads")).to_be_visible()


def test_the_frame_allows_scripts_and_nothing_else(page: Page, digits: Shown) -> None:
    """What the page does without rests on it: dialogs, printing, downloads, windows, a storage."""
    frame = digits.opened(page)
    iframe = page.locator("iframe.mlflow-html-iframe")
    assert iframe.get_attribute("sandbox") == "allow-scripts"
    # Addresses inside the page lead nowhere here: it is a blob of another origin's.
    assert (iframe.get_attribute("src") or "").startswith("blob:http://")
    root = frame.locator("html")
    assert root.evaluate("() => self.origin") == "null"
    assert root.evaluate("() => location.protocol") == "blob:"
    assert root.evaluate("() => { try { localStorage } catch (e) { return e.name } }") == (
        "SecurityError"
    )


def test_names_that_would_break_a_page_are_shown_as_they_are(
    page: Page,
    server: str,
    digits: Shown,  # noqa: ARG001 - the first is alone
) -> None:
    """No script in them runs, in the frame or around it."""
    errors = errors_of(page)
    frame = show(HOSTILE, server, names=HOSTILE_NAMES).opened(page)
    expect(frame.get_by_role("heading", name=HOSTILE)).to_be_visible()
    assert frame.locator("main img, main script").count() == 0
    assert errors == []
