"""The page of a study, opened from a file: what a person sees, chooses and takes away."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from kept import kept
from made import REFERENCES, made_study
from optuna.distributions import CategoricalDistribution
from playwright.sync_api import expect
from report.hostile import HOSTILE, foreign_study, trials_named

import green_optuna as go
from green_optuna.energy import Trace
from green_optuna.report import page as page_module
from green_optuna.report.page.html import visible, with_real_signs
from green_optuna.units import show_quantity

from .pages import visiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, Locator, Page

    Looking = Callable[..., contextlib.AbstractContextManager[Page]]

pytestmark = pytest.mark.slow

FIVE = ("quality_loss", "co2e_kg", "n_params", "energy_kwh", "duration_s")

# Within this time, Plotly takes two clicks for one double click.
DOUBLE_CLICK_MS = 400

# Plots that a person has scrolled to: drawn, and not in three dimensions.
FLAT = "#pairs figure:not(.space) .plot"

BREACHES = """
window.breaches = [];
document.addEventListener("securitypolicyviolation", (one) => breaches.push(one.violatedDirective));
"""


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    """Wait for a page as long as a busy machine may need."""
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def fronts(folder: Path) -> dict[str, go.ParetoFront]:  # noqa: ARG001 - settings are left out
    """Give the fronts of studies of every kind, by their kinds."""
    hostile = "".join(HOSTILE)
    named = trials_named(hostile, (hostile, f"b{hostile}"), hostile, hostile)
    made = made_study(0, name=hostile)
    made.add_trials(named)
    references = [{**REFERENCES[0], "name": "".join(filter(str.isprintable, HOSTILE[:9]))}]
    failed = [one for one in made_study(60).get_trials() if one.state.name == "FAIL"]
    only_failed = made_study(0)
    only_failed.add_trials(failed)
    return {
        "normal": go.pareto_front(made_study(60), references=REFERENCES),
        "repeats": go.pareto_front(made_study(60, repeats=True)),
        "checkpoints": go.pareto_front(made_study(60, checkpoints=True), checkpoints=True),
        "one": go.pareto_front(made_study(1, all_complete=True)),
        "failed": go.pareto_front(only_failed),
        "none": go.pareto_front(made_study(0)),
        "thousand": go.pareto_front(made_study(1000)),
        "one objective": go.pareto_front(made_study(30), ("co2e_kg",)),
        "two objectives": go.pareto_front(made_study(30), ("quality_loss", "co2e_kg")),
        "five objectives": go.pareto_front(made_study(30, objectives=FIVE)),
        "hostile": go.pareto_front(made, references=references),
        "hostile metrics": go.pareto_front(foreign_study([*HOSTILE[:2], "constructor"])),
        "choices": go.pareto_front(study_of_choices()),
        "foreign": go.pareto_front(foreign_study(["loss", "toString"])),
    }


@pytest.fixture(scope="module")
def reports(fronts: dict[str, go.ParetoFront], folder: Path) -> Callable[[str], Path]:
    """Give the path of a study's page, by its kind."""

    def find(kind: str) -> Path:
        path = folder / f"{kind.replace(' ', '_')}.html"
        front = fronts[kind]
        traces = {number: made_trace(number) for number in front.numbers[:3]}
        return path if path.exists() else front.report(path, traces=traces)

    return find


def made_trace(number: int) -> Trace:
    """Power of a trial over twenty seconds."""
    import numpy as np

    t_s = np.arange(1.0, 21.0)
    cpu_w, ram_w = 40 + 10 * np.sin(t_s + number), np.full(20, 10.0)
    return Trace(t_s, cpu_w, np.zeros(20), ram_w, np.cumsum(cpu_w + ram_w) / 3.6e6)


@pytest.fixture
def looking(chromium: Browser, reports: Callable[[str], Path]) -> Looking:
    """Open a study's page from its file; it asks for nothing, and nothing in it breaks."""

    @contextlib.contextmanager
    def look(kind: str, **options: Any) -> Iterator[Page]:  # noqa: ANN401 - those of `visiting`
        url = reports(kind).as_uri()
        with visiting(chromium, alone=url, **{"height": 1000, **options}) as visit:
            scripts = options.get("scripts", True)
            visit.page.add_init_script(BREACHES)
            visit.page.goto(url)
            yield visit.page
            assert visit.outside == []
            assert visit.dialogs == []
            assert visit.errors == []
            assert not scripts or visit.page.evaluate("window.breaches") == []

    return look


def see_all(page: Page) -> None:
    """Scroll through the page, so that all its figures are drawn."""
    plots = page.locator(".plot")
    for number in range(plots.count()):
        plots.nth(number).scroll_into_view_if_needed()
        expect(plots.nth(number).locator(".main-svg").first).to_be_attached()


def selected_in(figure: Locator) -> list[int]:
    """Give the rows that a figure rings."""
    rows: list[int] = figure.evaluate("one => (one.layout.shapes ?? []).map((ring) => +ring.name)")
    assert figure.locator(".shapelayer path").count() == len(rows)
    return rows


def expect_selected(page: Page, rows: Sequence[int]) -> None:
    """Hold that figures, details and table all show these rows as selected, and no others."""
    figures = page.locator(FLAT)
    for number in range(figures.count()):
        if figures.nth(number).locator(".main-svg").count():
            assert selected_in(figures.nth(number)) == [*rows]
    titles = page.locator("#details thead th")
    expect(titles).to_have_count(min(len(rows), 4))
    labels = page.evaluate(
        "rows => JSON.parse(document.getElementById('data').textContent).table.columns.label"
        ".filter((_, row) => rows.includes(row))",
        [*rows],
    )
    shown = [title.partition(",")[0].removeprefix("Trial ") for title in titles.all_inner_texts()]
    assert set(shown) <= set(labels)
    pressed = page.locator('#trials-table .pick[aria-pressed="true"]').all_inner_texts()
    assert {one.strip() for one in pressed} <= set(labels)
    assert page.locator("#trials-table tr.selected").count() == len(pressed)


# Each colour of the page, as it is computed.
COLOURS = """
() => {
  const probe = document.body.appendChild(document.createElement("i"));
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  const names = rules.flatMap((rule) => [...(rule.style ?? [])]);
  return names.filter((name) => name.startsWith("--")).map((name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  });
}
"""


PLACES = """
(plot) => {
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return plot.data.flatMap((trace) => (trace.customdata ?? []).map((row, at) => ({
    row,
    x: box.left + xaxis._offset + xaxis.d2p(trace.x[at]),
    y: box.top + yaxis._offset + yaxis.d2p(trace.y[at]),
  })));
}
"""


def places_in(figure: Locator) -> dict[int, tuple[float, float]]:
    """Give where the points of a figure are in the window, by their rows."""
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".scatterlayer .point").first).to_be_attached()
    return {one["row"]: (one["x"], one["y"]) for one in figure.evaluate(PLACES)}


def lone_rows(places: dict[int, tuple[float, float]], count: int) -> list[int]:
    """Give the rows whose points are farthest from all others."""

    def room(row: int) -> float:
        x, y = places[row]
        return min(abs(x - a) + abs(y - b) for one, (a, b) in places.items() if one != row)

    return sorted(places, key=room, reverse=True)[:count]


def along(front: go.ParetoFront) -> list[int]:
    """Give the members as a reader goes along them: by the second objective, or by the only one."""
    candidates = front.candidates
    column = min(1, len(front.objectives) - 1)
    return sorted(front.rows, key=lambda row: candidates.losses[row][column])


KINDS = (
    "normal",
    "repeats",
    "checkpoints",
    "one",
    "failed",
    "none",
    "thousand",
    "one objective",
    "two objectives",
    "five objectives",
    "hostile",
    "hostile metrics",
    "foreign",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_works_and_asks_for_nothing(
    looking: Looking, fronts: dict[str, go.ParetoFront], kind: str
) -> None:
    """All figures are drawn, and whatever is touched, no error, request or dialog comes."""
    front = fronts[kind]
    n = len(front.objectives)
    with looking(kind) as page:
        see_all(page)
        expected = (n * (n - 1) // 2 or 1) if front.candidates.trials else 0
        expect(page.locator(FLAT)).to_have_count(expected)
        expect(page.locator("#pairs .space")).to_have_count(int(n >= 3 and expected > 0))
        expect(page.locator("#traces .plot")).to_have_count(len({*front.numbers[:3]}))
        for button in page.locator("#trials-table thead button").all():
            button.click()
        page.locator("h1").click()
        page.keyboard.press("n")
        expect_selected(page, along(front)[:1])
        for menu in page.locator("select").all():
            for number in range(min(menu.locator("option").count(), 4)):
                menu.select_option(index=number)
        # Where there is no figure, there is nothing to set of one.
        expect(page.locator("#use-keys")).to_be_visible(visible=expected > 0)
        for box in page.locator("input[type=checkbox]:visible").all():
            box.click()
        page.locator("#theme").click()
        page.keyboard.press("Escape")
        expect_selected(page, [])


def test_names_that_would_break_a_page_are_shown_as_they_are(looking: Looking) -> None:
    """As text: no element comes of them, in the page's own words or in what scripts write."""
    with looking("hostile") as page:
        see_all(page)
        shown = page.locator("h1").inner_text()
        assert shown.startswith(visible("".join(HOSTILE))[:100].replace("\t", " ")[:30])
        page.keyboard.press("n")
        for place in ("main", "#details", "#trials-table"):
            assert page.locator(f"{place} :is(img, script, iframe, i, title)").count() == 0
        cells = page.locator("#trials-table tbody td").all_inner_texts()
        assert any("<script>alert(1)</script>" in cell for cell in cells)


def test_a_click_selects_a_trial_everywhere(looking: Looking) -> None:
    """It is ringed in all figures, told of in full, and marked in the table; a second clears."""
    with looking("normal") as page:
        see_all(page)
        figure = page.locator(FLAT).first
        places = places_in(figure)
        first, second = lone_rows(places, 2)
        page.mouse.click(*places[first])
        expect(page.locator("#details thead th")).to_have_count(1)
        expect_selected(page, [first])
        page.wait_for_timeout(DOUBLE_CLICK_MS)
        page.keyboard.down("Shift")
        page.mouse.click(*places[second])
        page.keyboard.up("Shift")
        expect(page.locator("#details thead th")).to_have_count(2)
        expect_selected(page, [first, second])
        page.keyboard.press("Escape")
        expect_selected(page, [])
        page.mouse.click(*places[second])
        expect_selected(page, [second])
        page.wait_for_timeout(DOUBLE_CLICK_MS)
        page.mouse.click(*places[second])
        expect_selected(page, [])


def test_the_pointer_tells_of_a_trial(looking: Looking, fronts: dict[str, go.ParetoFront]) -> None:
    """Beside a point stand its trial, how it stands, and its objectives; of a curve, the step."""
    candidates = fronts["normal"].candidates
    with looking("normal") as page:
        figure = page.locator(FLAT).first
        places = places_in(figure)
        (row,) = lone_rows(places, 1)
        page.mouse.move(*places[row])
        tip = page.locator("#tip")
        expect(tip).to_contain_text(f"Trial {candidates.trials[row].number}: ")
        co2e = show_quantity("co2e_kg", float(candidates.losses[row][1]))
        expect(tip).to_contain_text(with_real_signs(co2e))
        page.mouse.move(5, 5)
        expect(tip).to_be_hidden()
        curve = page.locator("#curves")
        x, y = list(places_in_curve(curve))
        page.mouse.move(x, y)
        expect(tip).to_contain_text(re.compile(r"Trial \d+ at step \d+"))
        for place, told in (
            ("#traces .plot", r"until[\d.]+ s.*processor[\d.]+ W.*memory10\.0 W"),
            ("#hypervolume", r"[\d.]+% of the final hypervolumeCO2e spent by then[\d.]+ .?g"),
        ):
            plot = page.locator(place).first
            plot.scroll_into_view_if_needed()
            expect(plot.locator(".scatterlayer path.js-line").first).to_be_attached()
            plot.hover()
            expect(tip).to_have_text(re.compile(told))
            assert plot.locator('[data-title*="Select"]').count() == 0


def places_in_curve(curve: Locator) -> tuple[float, float]:
    """Give where the last point of the first curve is in the window."""
    curve.scroll_into_view_if_needed()
    expect(curve.locator(".scatterlayer path.js-line").first).to_be_attached()
    found = curve.evaluate(
        """(plot) => {
          const { xaxis, yaxis } = plot._fullLayout;
          const box = plot.getBoundingClientRect();
          const at = Math.floor(plot.data[0].x.length / 2);
          return [
            box.left + xaxis._offset + xaxis.d2p(plot.data[0].x[at]),
            box.top + yaxis._offset + yaxis.d2p(plot.data[0].y[at]),
          ];
        }"""
    )
    return found[0], found[1]


def test_dragging_selects_what_is_in_the_box(looking: Looking) -> None:
    """All points in it, and no others; Escape takes selection and box away."""
    with looking("normal") as page:
        see_all(page)
        figure = page.locator(FLAT).first
        places = places_in(figure)
        xs, ys = zip(*places.values(), strict=True)
        box = (min(xs) - 8, min(ys) - 8, sorted(xs)[len(xs) // 2] + 1.5, max(ys) + 8)
        page.mouse.move(box[0], box[1])
        page.mouse.down()
        page.mouse.move((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        page.mouse.move(box[2], box[3])
        page.mouse.up()
        inside = {row for row, (x, _) in places.items() if x < box[2]}
        expect(page.locator("#details thead th").first).to_be_visible()
        assert set(selected_in(figure)) == inside
        assert 1 < len(inside) < len(places)
        expect(figure.locator(".selectionlayer path").first).to_be_attached()
        page.keyboard.press("Escape")
        expect_selected(page, [])
        expect(figure.locator(".selectionlayer path")).to_have_count(0)
        fades = "one => [...one.querySelectorAll('.point, .textpoint text')].map(getComputedStyle)"
        assert set(figure.evaluate(f"{fades}.map((style) => style.opacity)")) == {"1"}
        # Another trial, from elsewhere, takes the frame away, and nothing else.
        page.mouse.move(box[0], box[1])
        page.mouse.down()
        page.mouse.move(box[2], box[3], steps=3)
        page.mouse.up()
        expect(figure.locator(".selectionlayer path").first).to_be_attached()
        page.locator("#front button[data-select]").first.click()
        expect(figure.locator(".selectionlayer path")).to_have_count(0)
        expect(page.locator("#details thead th")).to_have_count(1)
        assert len(selected_in(figure)) == 1


def test_keys_go_along_the_front(looking: Looking, fronts: dict[str, go.ParetoFront]) -> None:
    """N to the next member and p to the one before, round the end; not from elsewhere."""
    rows = along(fronts["normal"])
    with looking("normal") as page:
        see_all(page)
        for key, row in (("n", rows[0]), ("n", rows[1]), ("p", rows[0]), ("p", rows[-1])):
            page.keyboard.press(key)
            expect_selected(page, [row])
        page.locator("#trials-filter").press_sequentially("n")
        page.locator("#trials-filter").press("Escape")
        page.locator("#trials-json").press("n")
        expect_selected(page, [rows[-1]])
        page.locator("#use-keys").uncheck()
        page.keyboard.press("n")
        expect_selected(page, [rows[-1]])


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


def test_a_button_beside_a_rule_selects_its_trial(
    looking: Looking, fronts: dict[str, go.ParetoFront]
) -> None:
    """As do those beside the members of the front."""
    chosen = fronts["normal"].select("min-co2e")
    row = chosen.rows[chosen.ranking.chosen]
    with looking("normal") as page:
        see_all(page)
        page.locator("#choice tr", has_text="min-co2e").locator("button").click()
        expect_selected(page, [row])
        member = page.locator(f'#front button[data-select="{fronts["normal"].rows[0]}"]')
        member.click()
        expect_selected(page, [fronts["normal"].rows[0]])
        expect(member).to_have_attribute("aria-pressed", "true")


RINGS = """
(plot) => {
  const box = plot.getBoundingClientRect();
  return [...plot.querySelectorAll(".shapelayer path")].map((ring) => {
    const { left, top, width, height } = ring.getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  });
}
"""


def test_rings_are_round_their_points(looking: Looking, fronts: dict[str, go.ParetoFront]) -> None:
    """On linear and logarithmic axes, and on one of choices."""
    with looking("normal") as page:
        see_all(page)
        for name in ("epochs", "learning_rate", "optimiser"):
            page.locator("#param-name").select_option(label=name)
            page.keyboard.press("Escape")
            page.locator("h1").click()
            page.keyboard.press("n")
            row = along(fronts["normal"])[0]
            figures = page.locator(f"{FLAT}, #param-plot")
            for number in range(figures.count()):
                figure = figures.nth(number)
                place = places_in(figure)[row]
                (ring,) = figure.evaluate(RINGS)
                assert ring == pytest.approx(place, abs=1.5)


LONG = "/models/pretrained/checkpoints/residual-network-version-"
CHOICES = (
    (True, False),
    (None, 4, 0.5, "big"),
    ('<a href="https://evil.example/x">click</a>', "<b>b</b>&amp;lt;", "$x^2$"),
    (f"{LONG}3", f"{LONG}1", "never tried"),
    (float("nan"), float("inf"), 2**60 + 1),
)


def study_of_choices() -> optuna.Study:
    """A study with a hyperparameter for each row of `CHOICES`, of which it tries all but one."""
    study = made_study(0, name="choices")
    for number in range(12):
        trial = kept(0.9 - 0.01 * number, 1e-6 / (1 + number))
        spaces = {f"p{nth}": CategoricalDistribution(one) for nth, one in enumerate(CHOICES)}
        seen = {
            name: [one for one in space.choices if one != "never tried"]
            for name, space in spaces.items()
        }
        trial.params = {name: those[number % len(those)] for name, those in seen.items()}
        trial.distributions = {**spaces}
        study.add_trial(trial)
    return study


def test_each_choice_has_a_place_and_a_name_of_its_own(looking: Looking) -> None:
    """In the distribution's order, rings with their points, and what looks like a link is text."""
    expected = [
        ["True", "False"],
        ["None", "4", "0.5", "big"],
        ['<a href="https:…e/x">click</a>', "<b>b</b>&amp;lt;", "$x^2$"],
        ["/models/pretrai…work-version-3", "/models/pretrai…work-version-1"],
        ["nan", "inf", str(2**60 + 1)],
    ]
    with looking("choices") as page:
        see_all(page)
        plot = page.locator("#param-plot")
        for number, names in enumerate(expected):
            page.locator("#param-name").select_option(index=number)
            page.locator(f'#front button[data-select="{number}"]').click()
            assert plot.locator(".xtick text").all_text_contents() == names
            assert plot.locator(".xtick a[*|href], .xtick b").count() == 0
            places = places_in(plot)
            assert sorted(places) == [*range(12)]
            columns = [places[row][0] for row in range(len(names))]
            assert columns == sorted(set(columns))
            (ring,) = plot.evaluate(RINGS)
            assert ring == pytest.approx(places[number], abs=1.5)
        assert [row["param_p1"] for row in rows_of(page)][:2] == ["None", 4]
        expect(page.locator("#trials-table tbody tr").first).to_contain_text("None")


def listed(page: Page) -> list[str]:
    """Give the labels that the table lists, on all its pages."""
    found: list[str] = []
    while True:
        rows = page.locator("#trials-table tbody .pick").all_inner_texts()
        found += [one.strip() for one in rows]
        if page.locator("#trials-after").is_disabled():
            return found
        page.locator("#trials-after").click()


def rows_of(page: Page) -> list[dict[str, Any]]:
    """Give the data of the page, one record a row."""
    columns = page.evaluate("JSON.parse(document.getElementById('data').textContent).table.columns")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


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


def test_downloads_have_the_studys_values(
    looking: Looking, fronts: dict[str, go.ParetoFront]
) -> None:
    """Of the rows that are listed, to the last digit, as CSV and as JSON."""
    frame = fronts["repeats"].to_dataframe(dominated=True).set_index("trial")
    with looking("repeats") as page:
        page.locator("#trials-state").select_option("complete")
        page.locator("#trials-only").select_option("front")
        numbers = [int(label) for label in listed(page)]
        assert numbers == [*fronts["repeats"].numbers]
        written = json.loads(downloaded(page, "#trials-json"))
        rows = [*csv.DictReader(io.StringIO(downloaded(page, "#trials-csv")))]
    assert (written["study"], written["objectives"]) == ("digits", [*fronts["repeats"].objectives])
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


def test_a_figure_can_be_taken_away(looking: Looking) -> None:
    """As SVG, from its own bar of buttons."""
    with looking("normal") as page:
        figure = page.locator(FLAT).first
        places_in(figure)
        figure.hover()
        with page.expect_download() as download:
            figure.locator('[data-title*="ownload"]').click()
        assert Path(download.value.path()).read_text(encoding="utf-8").startswith("<svg")


def paper(page: Page) -> str:
    """Give the colour of the page's ground."""
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def ink_in(figure: Locator) -> str:
    """Give the colour of the text beside an axis."""
    return str(figure.locator(".xtitle").first.evaluate("one => getComputedStyle(one).fill"))


LIGHT, DARK = "rgb(255, 255, 255)", "rgb(18, 24, 22)"


@pytest.mark.parametrize("preferred", ["light", "dark"])
def test_colours_follow_the_reader(looking: Looking, preferred: str) -> None:
    """What the system prefers, until the button is pressed; figures go along."""
    with looking("normal", colours=preferred) as page:
        figure = page.locator(FLAT).first
        places_in(figure)
        before = (LIGHT, DARK)[preferred == "dark"]
        after = (DARK, LIGHT)[preferred == "dark"]
        assert paper(page) == before
        ink = ink_in(figure)
        button = page.locator("#theme")
        expect(button).to_have_text("Dark" if preferred == "light" else "Light")
        button.click()
        assert paper(page) == after
        assert ink_in(figure) != ink
        button.click()
        assert (paper(page), ink_in(figure)) == (before, ink)
        page.emulate_media(color_scheme="light" if preferred == "dark" else "dark")
        # The button was pressed: it says what is shown.
        assert paper(page) == before


def test_an_older_browser_has_light_colours(
    chromium: Browser, reports: Callable[[str], Path], tmp_path: Path
) -> None:
    """One that knows no pairs of colours, which came in 2024, shows each mark in its colour."""
    text = reports("normal").read_text(encoding="utf-8")
    style = re.compile(r"<style>.*?</style>", re.DOTALL)
    paths = [tmp_path / "new.html", tmp_path / "old.html"]
    paths[0].write_text(text, encoding="utf-8")
    older = style.sub(lambda found: found[0].replace("light-dark(", "unknown("), text, count=1)
    assert older != text
    paths[1].write_text(older, encoding="utf-8")
    seen = []
    for path in paths:
        with visiting(chromium, alone=path.as_uri(), height=1000) as visit:
            visit.page.goto(path.as_uri())
            figure = visit.page.locator(FLAT).first
            places_in(figure)
            seen.append((paper(visit.page), ink_in(figure), visit.page.evaluate(COLOURS)))
            expect(visit.page.locator("#theme")).to_be_visible(visible=path is paths[0])
            assert visit.errors == []
    assert seen[0] == seen[1]
    assert len(seen[0][2]) > 20
    assert all(seen[0][2])


def test_a_dark_page_is_printed_light(looking: Looking) -> None:
    """Every figure is there, within the paper, and no control; afterwards all is as before."""
    with looking("normal", colours="dark") as page:
        figures = page.locator(f"{FLAT}, #curves, #param-plot, #hypervolume, #traces .plot")
        places_in(figures.first)
        dark = ink_in(figures.first)
        wide = figures.first.locator(".main-svg").first.get_attribute("width")
        assert wide
        page.emulate_media(media="print", color_scheme="dark")
        expect(page.locator("html.printing")).to_be_attached()
        assert paper(page) == LIGHT
        for selector in ("nav.contents", "#theme", "#print", "#trials-filter", "#param-name"):
            expect(page.locator(selector)).to_be_hidden()
        expect(page.locator("#trials-count")).to_be_visible()
        sheet = page.locator("main").bounding_box()
        assert sheet is not None
        assert sheet["width"] < 690
        for number in range(figures.count()):
            figure = figures.nth(number)
            assert ink_in(figure) != dark
            place, drawing = figure.bounding_box(), figure.locator(".main-svg").first.bounding_box()
            assert place is not None
            assert drawing is not None
            assert abs(place["width"] - drawing["width"]) < 2
            assert drawing["x"] + drawing["width"] <= sheet["x"] + sheet["width"] + 1
        page.emulate_media(media="screen", color_scheme="dark")
        expect(page.locator("html.printing")).to_have_count(0)
        assert (paper(page), ink_in(figures.first)) == (DARK, dark)
        expect(figures.first.locator(".main-svg").first).to_have_attribute("width", wide)


def test_tables_fit_the_paper(looking: Looking) -> None:
    """All of them, in letters that can be read; columns that do not fit are counted."""
    with looking("repeats") as page:
        n_columns = page.locator("#trials-table thead th").count()
        page.emulate_media(media="print")
        expect(page.locator("html.printing")).to_be_attached()
        for place in page.locator(".scroll:visible").all():
            box, table = place.bounding_box(), place.locator("table").bounding_box()
            assert box is not None
            assert table is not None
            assert table["width"] <= box["width"] + 1
        zoom = page.locator("#trials-table").evaluate("one => +one.style.zoom")
        assert 0.75 <= zoom <= 1
        cut = n_columns - page.locator("#trials-table thead th:visible").count()
        expect(page.locator("#trials-cut")).to_contain_text(f"{cut} more columns are left out")
        assert 0 < cut < n_columns - 3
        page.emulate_media(media="screen")
        expect(page.locator("#trials-table thead th:visible")).to_have_count(n_columns)
        expect(page.locator("#trials-cut")).to_be_empty()


def test_the_page_can_be_printed(looking: Looking) -> None:
    """On several sheets, light ones, whatever the page looks like."""
    with looking("normal", colours="dark") as page:
        printed = page.pdf(format="A4")
        assert printed.startswith(b"%PDF")
        sheets = max(int(n) for n in re.findall(rb"/Count (\d+)", printed))
        assert 3 <= sheets <= 9
        assert paper(page) == DARK


def test_the_words_are_there_without_scripts(
    looking: Looking, fronts: dict[str, go.ParetoFront]
) -> None:
    """Findings, members, rules, what it cost, terms; and that the rest needs scripts."""
    front = fronts["normal"]
    with looking("normal", scripts=False) as page:
        text = page.locator("main").inner_text()
        expect(page.locator("#found .lead p").first).to_be_visible()
        expect(page.locator("#front tbody tr").first).to_be_visible()
        expect(page.locator("#choice tr", has_text="min-co2e")).to_be_visible()
        expect(page.locator("#cost tr", has_text="pruned trials")).to_be_visible()
        expect(page.locator("#trust dd").first).to_be_visible()
        expect(page.locator("#words dd").first).to_be_visible()
        assert "needs JavaScript" in text
        assert f"Trial {front.select().number}" in text
        for hidden in ("#theme", "#trials-filter", "#pairs", "#details"):
            expect(page.locator(hidden)).to_be_hidden()


def test_a_finger_scrolls_and_taps(chromium: Browser, reports: Callable[[str], Path]) -> None:
    """A swipe over a figure scrolls the page; a tap selects a point and tells of it."""
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    with contextlib.closing(context):
        page = context.new_page()
        page.goto(reports("normal").as_uri())
        expect(page.locator("#front .by-touch")).to_be_visible()
        expect(page.locator("#use-keys")).to_be_hidden()
        figure = page.locator(FLAT).first
        places = places_in(figure)
        (row,) = lone_rows(places, 1)
        page.touchscreen.tap(*places[row])
        expect(page.locator("#details thead th")).to_have_count(1)
        expect_selected(page, [row])
        expect(page.locator("#tip")).to_be_visible()
        assert page.locator(".modebar-btn").count() == 0
        swiped(page, figure)
        expect(page.locator("#tip")).to_be_hidden()
        expect_selected(page, [row])
        swiped(page, page.locator("#pairs .space .plot"))


def swiped(page: Page, figure: Locator) -> None:
    """Swipe upwards over a figure; the page moves along."""
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".main-svg").first).to_be_attached()
    box = figure.bounding_box()
    assert box is not None
    before = page.evaluate("scrollY")
    touch = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7
    touch.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    )
    for step in range(1, 11):
        at = {"x": x, "y": y - 15 * step}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function(f"scrollY > {before} + 50")


@pytest.mark.parametrize("kind", ["normal", "five objectives", "hostile"])
def test_a_small_screen_scrolls_down_alone(looking: Looking, kind: str) -> None:
    """What is wider scrolls in a place of its own."""
    with looking(kind, width=360, height=700) as page:
        see_all(page)
        page.keyboard.press("n")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360
        figure = page.locator(FLAT).first.bounding_box()
        assert figure is not None
        assert figure["x"] + figure["width"] <= 360


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


QUANTITIES = (
    "quality_loss",
    "quality",
    "co2e_kg",
    "energy_kwh",
    "n_params",
    "duration_s",
    "inference_kwh",
    "inference_s",
    "flops",
    "peak_memory_bytes",
)


def test_quantities_are_shown_in_the_same_words_as_in_python(chromium: Browser) -> None:
    """Over thirty powers of ten, with zero, negatives, and values half way between two others."""
    draw = random.Random(0)
    values: list[float] = [0, 0.5, 1, 999, 999.5, 1000, 59.95, 3599.5, 0.0005, 1e16]
    values += [10 ** draw.uniform(-15, 15) for _ in range(400)]
    values += [draw.randrange(10**6) / 8 for _ in range(200)]
    values += [draw.randrange(10, 10**4) * 10 ** draw.randrange(5) + 5.0 for _ in range(200)]
    values += [-value for value in values[1:]]
    cases = [(name, value) for name in QUANTITIES for value in values]
    cases += [("probability", draw.randrange(1001) / 1000) for _ in range(200)]
    script = (Path(page_module.__file__).parent / "assets" / "format.js").read_text("utf-8")
    with visiting(chromium, alone="about:blank") as visit:
        shown = visit.page.evaluate(
            "([script, cases]) => {"
            " const show = new Function(`${script}; return show;`)();"
            " return cases.map(([name, value]) => show(name, value)); }",
            [script, [*map(list, cases)]],
        )
    expected = [with_real_signs(show_quantity(name, value)) for name, value in cases]
    assert [
        (case, one, other)
        for case, one, other in zip(cases, shown, expected, strict=True)
        if one != other
    ] == []


def test_five_objectives_share_a_figure_of_three(looking: Looking) -> None:
    """Which three is for the reader to say."""
    with looking("five objectives") as page:
        space = page.locator("#pairs .space")
        space.scroll_into_view_if_needed()
        menus = space.locator("select")
        expect(menus).to_have_count(3)
        menus.nth(0).select_option("duration_s")
        title = space.locator(".plot").evaluate("one => one.layout.scene.zaxis.title.text")
        assert title == "duration (s)"


def test_error_bars_and_results_from_elsewhere_can_be_hidden(looking: Looking) -> None:
    """Each by its box, in every figure."""
    for kind, box, mark in (
        ("repeats", "#show-errors", ".errorbar"),
        ("normal", "#show-references", ".textpoint"),
    ):
        with looking(kind) as page:
            see_all(page)
            assert page.locator(f"{FLAT} {mark}").count() > 0
            page.locator(box).click()
            expect(page.locator(f"{FLAT} {mark}")).to_have_count(0)


def test_a_study_of_optuna_alone_is_told_of(looking: Looking) -> None:
    """Its own metrics are the axes, whatever names they have in JavaScript."""
    with looking("foreign") as page:
        figure = page.locator(FLAT).first
        places_in(figure)
        assert figure.locator(".ytitle").text_content() == "loss"
        assert figure.locator(".xtitle").text_content() == "toString"
        assert (
            optuna.trial.TrialState.COMPLETE.name.lower()
            in page.locator("#trials-table tbody tr").first.inner_text()
        )
