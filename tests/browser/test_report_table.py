"""The table of all trials of a study's page: sorted, filtered, in pages, and taken away."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made import made_study
from playwright.sync_api import expect
from report.hostile import trials_named

import green_optuna as go

from .pages import visiting
from .reports import expect_selected, rows_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from .reports import Looking, Reports

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_patience")]


def test_the_focus_is_never_lost(looking: Looking) -> None:
    """What had it goes away or is disabled, and something near has it."""
    focus = "document.activeElement.id || document.activeElement.className"
    with looking("normal") as page:
        page.locator("#trials-after").focus()
        page.keyboard.press("Enter")
        assert page.evaluate(focus) == "trials-before"
        page.keyboard.press("Enter")
        assert page.evaluate(focus) == "trials-after"
        page.locator("#trials-filter").fill("59")
        page.locator("#trials-state").select_option("complete")
        page.locator("h1").click()
        page.keyboard.press("n")
        page.locator("#details button", has_text="Show them").focus()
        page.keyboard.press("Enter")
        assert page.evaluate(focus) == "scroll"
        expect(page.locator("#trials-table tbody tr")).to_have_count(1)
        page.locator("#trials-table .pick").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#trials-table tbody tr")).to_have_count(0)
        assert page.evaluate(focus) == "scroll"
        page.locator("h1").click()
        page.keyboard.press("n")
        page.locator("#details button", has_text="Clear").focus()
        page.keyboard.press("Enter")
        assert page.evaluate(focus) == "details"
        expect_selected(page, [])


def listed(page: Page) -> list[str]:
    """Give the labels that the table lists, on all its pages."""
    found: list[str] = []
    while True:
        rows = page.locator("#trials-table tbody .pick").all_inner_texts()
        found += [one.strip() for one in rows]
        if page.locator("#trials-after").is_disabled():
            return found
        page.locator("#trials-after").click()


def test_the_table_is_sorted_by_any_column(looking: Looking) -> None:
    """Up, then down, as Python sorts; what is not known comes last, and headings say the order."""
    with looking("normal") as page:
        rows = sorted(rows_of(page), key=lambda row: row["trial"])
        for name in ("co2e_kg", "quality", "param_optimiser"):
            heading = page.locator(f'#trials-table th[data-name="{name}"]')
            expect(heading).to_have_attribute("aria-sort", "none")
            known = [row for row in rows if row[name] is not None]
            unknown = [row["label"] for row in rows if row[name] is None]
            for down, said in ((False, "ascending"), (True, "descending")):
                heading.locator("button").click()
                expect(heading).to_have_attribute("aria-sort", said)
                # Rows alike stay in their order, whichever way it goes.
                ordered = sorted(known, key=lambda row: row[name], reverse=down)
                assert listed(page) == [row["label"] for row in ordered] + unknown
                expect(heading.locator("button")).to_be_visible()


def test_filters_leave_what_was_asked_for(looking: Looking) -> None:
    """By text, by how a trial ended, by the front and by selection, one within another."""
    with looking("normal") as page:
        rows = sorted(rows_of(page), key=lambda row: row["trial"])
        page.locator("#trials-filter").fill("optimiser=SGD")
        sgd = [row for row in rows if row["param_optimiser"] == "sgd"]
        assert listed(page) == [row["label"] for row in sgd]
        page.locator("#trials-only").select_option("front")
        assert listed(page) == [row["label"] for row in sgd if row["on_front"]]
        page.locator("#trials-filter").fill("")
        page.locator("#trials-only").select_option("")
        for state in ("pruned", "failed", "complete"):
            page.locator("#trials-state").select_option(state)
            assert listed(page) == [row["label"] for row in rows if row["state"] == state]
        page.locator("#trials-state").select_option("")
        page.locator("h1").click()
        page.keyboard.press("n")
        page.locator("#trials-only").select_option("selected")
        expect(page.locator("#trials-table tbody tr")).to_have_count(1)
        page.locator("#trials-filter").fill("no such trial")
        expect(page.locator("#trials-count")).to_contain_text("No row is left of 60")


def test_the_table_comes_in_pages(looking: Looking) -> None:
    """Of fifty rows each, and all rows are on one of them."""
    with looking("thousand") as page:
        expect(page.locator("#trials-table tbody tr")).to_have_count(50)
        expect(page.locator("#trials-before")).to_be_disabled()
        expect(page.locator("#trials-count")).to_have_text("1 to 50 of 1000 rows")
        assert listed(page) == [str(number) for number in range(1000)]
        page.locator("#trials-before").click()
        expect(page.locator("#trials-count")).to_have_text("901 to 950 of 1000 rows")


def downloaded(page: Page, button: str, *, stem: str = "digits-trials") -> str:
    """Press a button, and give what the file says that it brings."""
    with page.expect_download() as download:
        page.locator(button).click()
    assert download.value.suggested_filename.startswith(f"{stem}.")
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_downloads_have_the_studys_values(looking: Looking, reports: Reports) -> None:
    """Of the rows that are listed, to the last digit, as CSV and as JSON."""
    frame = reports.front("repeats").to_dataframe(dominated=True).set_index("trial")
    with looking("repeats") as page:
        page.locator("#trials-state").select_option("complete")
        page.locator("#trials-only").select_option("front")
        numbers = [int(label) for label in listed(page)]
        assert numbers == [*reports.front("repeats").numbers]
        written = json.loads(downloaded(page, "#trials-json"))
        rows = [*csv.DictReader(io.StringIO(downloaded(page, "#trials-csv")))]
    objectives = [*reports.front("repeats").objectives]
    assert (written["study"], written["objectives"]) == ("digits", objectives)
    assert [one["trial"] for one in written["trials"]] == numbers
    assert [int(row["trial"]) for row in rows] == numbers
    for record, row in zip(written["trials"], rows, strict=True):
        for name, value in frame.loc[record["trial"]].items():
            assert record[name] == value, name
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            assert (float(row[name]) if is_number else row[name]) == (
                value if is_number else str(value)
            ), name


def test_a_text_that_looks_like_a_formula_is_marked_in_csv(chromium: Browser, folder: Path) -> None:
    """A spreadsheet would run it; JSON has it as it is."""
    formula = '=HYPERLINK("http://x")'
    study = made_study(0)
    study.add_trials(trials_named("a", (formula, 'b,\n"c"'), "+1", "-1"))
    url = go.pareto_front(study).report(folder / "formula.html").as_uri()
    with visiting(chromium, alone=url) as visit:
        visit.page.goto(url)
        rows = [*csv.DictReader(io.StringIO(downloaded(visit.page, "#trials-csv"), newline=""))]
        plain = json.loads(downloaded(visit.page, "#trials-json"))["trials"]
        assert (visit.outside, visit.errors) == ([], [])
    assert [row["param_0a"] for row in rows] == [f"'{formula}", 'b,\n"c"', f"'{formula}"]
    assert [row["host"] for row in rows] == ["'+1"] * 3
    assert [row["reason"] for row in rows] == ["", "", "'-1"]
    assert [row["param_0a"] for row in plain] == [formula, 'b,\n"c"', formula]


def test_a_download_says_that_its_co2e_is_of_another_grid(chromium: Browser, folder: Path) -> None:
    """In its name, in each row of CSV, and once in JSON; the page's own figures are those."""
    grid = go.Grid(carbon_intensity_g_per_kwh=25.0, source="elsewhere, 2024", pue=1.5)
    front = go.pareto_front(made_study(12), grid=grid)
    url = front.report(folder / "repriced.html").as_uri()
    with visiting(chromium, alone=url) as visit:
        visit.page.goto(url)
        rows = [
            *csv.DictReader(
                io.StringIO(downloaded(visit.page, "#trials-csv", stem="digits-trials-repriced"))
            )
        ]
        written = json.loads(downloaded(visit.page, "#trials-json", stem="digits-trials-repriced"))
        assert (visit.outside, visit.errors) == ([], [])
    assert {row["repriced_for"] for row in rows} == {"25 g/kWh and PUE 1.5 (elsewhere, 2024)"}
    assert written["repriced_for"] == grid.to_dict()
    for row, one in zip(rows, written["trials"], strict=True):
        assert float(row["co2e_kg"]) == one["co2e_kg"]
        assert one["co2e_kg"] == pytest.approx(grid.co2e_kg(one["energy_kwh"]))


def test_the_table_can_be_used_with_keys_alone(looking: Looking) -> None:
    """Tab reaches its buttons, which can be seen to have it; Enter presses them."""
    with looking("normal") as page:
        page.locator("#trials-json").focus()
        page.keyboard.press("Tab")  # the place that scrolls
        page.keyboard.press("Tab")
        focused = "document.activeElement.closest('th')?.dataset.name"
        assert page.evaluate(focused) == "label"
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("Enter")
        heading = page.locator('#trials-table th[data-name="label"]')
        expect(heading).to_have_attribute("aria-sort", "descending")
        assert page.evaluate(focused) == "label"
        n_columns = page.locator("#trials-table thead th").count()
        for _ in range(n_columns):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent.trim()") == "59"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("Enter")
        expect(page.locator("#details thead th")).to_have_text("Trial 59")
        assert page.evaluate("document.activeElement.textContent.trim()") == "59"
        expect(page.locator("#trials-table tr.selected")).to_have_count(1)
