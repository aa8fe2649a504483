"""The table of all trials of a study's page: sorted, filtered, in pages, and taken away."""

from __future__ import annotations

import csv
import io
import json
import operator
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from made import made_study
from playwright.sync_api import expect
from report.hostile import trials_named

import green_optuna as go

from .pages import visiting
from .reports import expect_selected, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

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


def asked(page: Page, text: str) -> list[int]:
    """Give the trials that a filter leaves."""
    page.locator("#trials-filter").fill(text)
    return [int(label) for label in listed(page)]


def test_a_column_and_a_value_are_compared_whole(looking: Looking) -> None:
    """Not as parts of texts: 3 is neither 13 nor 30, and a number may be written otherwise."""
    with looking("normal") as page:
        rows = sorted(rows_of(page), key=lambda row: row["trial"])

        def those(name: str, holds: Callable[[Any], bool]) -> list[int]:
            return [row["trial"] for row in rows if row[name] is not None and holds(row[name])]

        threes = those("param_epochs", lambda epochs: epochs == 3)
        assert 0 < len(threes) < len(those("param_epochs", lambda epochs: "3" in str(epochs)))
        for text in ("epochs=3", "Epochs = 3.0", "param_epochs=3", "EPOCHS=3e0"):
            assert asked(page, text) == threes
        assert asked(page, "trial=3") == [3]
        assert asked(page, "optimiser=sg") == []
        others = those("param_optimiser", lambda one: one != "sgd")
        assert asked(page, "optimiser!=sgd") == others
        completed = those("state", lambda state: state == "complete")
        assert asked(page, "ended=complete") == asked(page, "state=complete") == completed


BY_SIZE: tuple[tuple[str, str, Callable[[float, float], bool], float], ...] = (
    ("learning_rate<0.01", "param_learning_rate", operator.lt, 0.01),
    ("epochs>=24", "param_epochs", operator.ge, 24),
    ("epochs <= 3", "param_epochs", operator.le, 3),
    ("CO2e<100 \u00b5g", "co2e_kg", operator.lt, 1e-7),
    ("co2e<100ug", "co2e_kg", operator.lt, 1e-7),
    ("co2e_kg<1e-7", "co2e_kg", operator.lt, 1e-7),
    ("energy>1 mWh", "energy_kwh", operator.gt, 1e-6),
    ("parameters>10k", "n_params", operator.gt, 10_000),
    ("1 - quality<0.1", "quality_loss", operator.lt, 0.1),
    ("duration>=1 min", "duration_s", operator.ge, 60),
)


def test_numbers_are_compared_by_size(looking: Looking) -> None:
    """With a unit of those in which a column is shown, or in the unit of the data."""
    with looking("normal") as page:
        rows = sorted(rows_of(page), key=lambda row: row["trial"])
        for text, name, holds, than in BY_SIZE:
            known = [row for row in rows if row[name] is not None]
            expected = [row["trial"] for row in known if holds(row[name], than)]
            assert expected
            assert asked(page, text) == expected, text


def test_a_shown_value_finds_its_rows(looking: Looking) -> None:
    """Copied from the table, with its unit; and to the last digit, from a file."""
    with looking("normal") as page:
        place, row = next((n, one) for n, one in enumerate(rows_of(page)) if one["on_front"])
        shown = page.locator(f'#trials-table tr:has([data-row="{place}"]) td')
        names = page.locator("#trials-table thead th").evaluate_all(
            "all => all.map((one) => one.dataset.name)"
        )
        headings = page.locator("#trials-table thead th").all_inner_texts()
        cells = shown.all_inner_texts()
        for name, heading, said in zip(names[1:], headings[1:], cells, strict=True):
            if said:
                assert row["trial"] in asked(page, f"{heading}={said}"), heading
                if name != "on_front":
                    assert row["trial"] in asked(page, f"{name}={row[name]}"), name


def test_terms_between_commas_all_hold(looking: Looking) -> None:
    """Texts and comparisons, in any order; one that is not ended yet takes no row away."""
    with looking("normal") as page:
        rows = sorted(rows_of(page), key=lambda row: row["trial"])
        both = [
            row["trial"]
            for row in rows
            if row["state"] == "complete" and row["param_epochs"] > 20 and row["on_front"]
        ]
        assert both
        assert asked(page, "on the front=yes, epochs>20 , COMPLETE") == both
        assert asked(page, " complete,, epochs>20, epochs<,on_front=true") == both
        assert asked(page, "epochs\u226521, on_front==yes, ended=complete") == both
        assert asked(page, "epochs=>21, on_front!=no, complete") == both
        every = [row["trial"] for row in rows]
        assert {row["duration_s"] for row in rows} == {60.0}
        assert asked(page, "duration>=1 min 00 s, duration<0 h 2 min")[:50] == every[:50]
        assert asked(page, "duration<1 min 00 s") == []
        off = [row["trial"] for row in rows if not row["on_front"]]
        assert asked(page, "on_front=no") == off
        page.locator("#trials-filter").fill("")
        expect(page.locator("#trials-count")).to_contain_text("of 60 rows")


def test_what_a_filter_asks_for_in_vain_is_told(looking: Looking) -> None:
    """The term that no row meets, and what would be understood."""
    with looking("normal") as page:
        count = page.locator("#trials-count")
        for text, why in (
            ("complete, (", "none has \u201c(\u201d."),
            ("epochs=31", "none has \u201cepochs=31\u201d."),
            ("epochs<few", "\u201cfew\u201d is no number of epochs."),
            (
                "CO2e<1 lb",
                "\u201c1 lb\u201d is no number of CO2e (units: ng, \u00b5g, mg, g, kg, t).",
            ),
            ("layers=3", "no column is called \u201clayers\u201d."),
            ("epochs", "\u201cepochs\u201d is a column: say what it is to be, as in epochs=1."),
            ("epochs<2, epochs>29", "take a filter away."),
            ("epochs>1,000", "\u201c1,000\u201d has a comma: write 1000 or 0.5."),
            ('"epochs>1"', 'none has \u201c"epochs>1"\u201d.'),
        ):
            assert asked(page, text) == []
            expect(count).to_have_text(f"No row is left of 60: {why}")
        example = page.locator("#trials-filter").get_attribute("placeholder")
        assert example
        assert example.startswith("epochs>=") or ">=" in example
        assert asked(page, example)
        described = page.locator("#trials-filter").get_attribute("aria-describedby")
        expect(page.locator(f"#{described}")).to_contain_text("must all hold")


def test_names_that_differ_in_capitals_alone_are_told_apart(
    chromium: Browser, folder: Path
) -> None:
    """As they are typed; in letters that are neither's, both are meant."""
    study = go.create_study("capitals")
    for number in range(6):
        trial = study.ask()
        trial.suggest_int("width", number, number)
        trial.suggest_int("Width", 5 - number, 5 - number)
        study.tell(trial, [0.1, 1e-6, 10])
    url = go.pareto_front(study).report(folder / "capitals.html").as_uri()
    with visiting(chromium, alone=url) as visit:
        visit.page.goto(url)
        assert asked(visit.page, "width=1") == [1]
        assert asked(visit.page, "Width=1") == [4]
        assert asked(visit.page, "WIDTH=1") == [1, 4]
        assert visit.errors == []


def test_columns_and_values_of_any_name_can_be_asked_for(looking: Looking) -> None:
    """Signs and commas within them are theirs; a quoted comma divides nothing."""
    with looking("choices") as page:
        assert asked(page, "p2=$x^2$") == [2, 5, 8, 11]
        assert asked(page, "p1=None") == [0, 4, 8]
        assert asked(page, "p1>=1") == [1, 5, 9]
        assert asked(page, f"p4={2**60 + 1}") == [2, 5, 8, 11]
        assert asked(page, "p4>1e18") == [2, 5, 8, 11]
        assert asked(page, "<b>b</b>") == [1, 4, 7, 10]
        assert asked(page, "<img src=x>") == []
        count = page.locator("#trials-count")
        expect(count).to_have_text("No row is left of 12: none has \u201c<img src=x>\u201d.")
        assert count.locator("*").count() == 0


def test_a_quoted_column_may_have_a_comma(looking: Looking) -> None:
    """As those of intervals do."""
    with looking("repeats") as page:
        rows = sorted(rows_of(page), key=lambda row: row["trial"])
        heading = page.locator('#trials-table th[data-name="co2e_kg_low"]').inner_text()
        known = [row for row in rows if row["co2e_kg_low"] is not None]
        low = [row["trial"] for row in known if row["co2e_kg_low"] < 1e-7]
        assert 0 < len(low) < len(known)
        assert "," in heading
        for column in (f'"{heading}"', "co2e_kg_low"):
            assert asked(page, f"{column} < 100 ug") == low


def test_quotation_marks_keep_a_comma(chromium: Browser, folder: Path) -> None:
    """Of a text, and of a value; without them, it divides two terms."""
    study = made_study(0)
    study.add_trials(trials_named("a", ("left, up", "up, right"), "host", "-"))
    url = go.pareto_front(study).report(folder / "commas.html").as_uri()
    with visiting(chromium, alone=url) as visit:
        visit.page.goto(url)
        for text, trials in (
            ('0a="0left, up"', []),
            ('0a="left, up"', [0, 2]),
            ('"left, up"', [0, 2]),
            ("left, up", [0, 2]),
            ("up, left", [0, 2]),
            ('"up, left"', []),
        ):
            assert asked(visit.page, text) == trials, text
        assert (visit.outside, visit.errors) == ([], [])


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


def test_a_row_that_is_selected_says_so_where_it_is(looking: Looking) -> None:
    """What is known of it stands far above: a line on the screen leads there, and back."""
    with looking("normal", height=700) as page:
        said = page.locator("#trials-selected")
        expect(said).to_be_hidden()
        page.locator("#trials-table .pick").nth(2).click()
        expect(said).to_be_in_viewport(ratio=1)
        expect(page.locator("#details")).not_to_be_in_viewport()
        expect(said).to_contain_text("Trial 2 is selected.")
        page.locator("#trials-table .pick").nth(3).click(modifiers=["Shift"])
        expect(said).to_contain_text("2 rows are selected.")
        page.evaluate("() => document.activeElement.blur()")
        page.keyboard.press("n")
        expect(said).to_contain_text(re.compile(r"^Trial \d+ is selected\."))
        page.locator("#trials-details").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#details thead th")).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.activeElement.id") == "details"
        page.locator("#details button", has_text="Show them").click()
        expect(said).to_be_in_viewport(ratio=1)
        page.keyboard.press("Escape")
        expect(said).to_be_hidden()
