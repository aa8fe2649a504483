"""The page of a study, opened from a file: what a person sees, chooses and takes away."""

from __future__ import annotations

import contextlib
import io
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from PIL import Image
from playwright.sync_api import expect
from report.hostile import HOSTILE

from green_optuna.report import page as page_module
from green_optuna.report.page.html import visible, with_real_signs
from green_optuna.units import show_quantity

from .pages import visiting
from .reports import FLAT, along, expect_selected, places_in, rows_of, see_all, selected_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from .reports import Looking, Reports

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_patience")]

# Within this time, Plotly takes two clicks for one double click.
DOUBLE_CLICK_MS = 400


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


def lone_rows(places: dict[int, tuple[float, float]], count: int) -> list[int]:
    """Give the rows whose points are farthest from all others."""

    def room(row: int) -> float:
        x, y = places[row]
        return min(abs(x - a) + abs(y - b) for one, (a, b) in places.items() if one != row)

    return sorted(places, key=room, reverse=True)[:count]


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


def test_the_first_figure_of_a_hyperparameter_is_of_what_matters_most(looking: Looking) -> None:
    """As in the table above it; each tick says its whole number, on a logarithmic axis too."""
    with looking("thousand") as page:
        menu = page.locator("#param-name")
        told = page.locator("#params tbody th").all_inner_texts()
        assert menu.locator("option").all_inner_texts() == told
        assert menu.input_value() == "0"
        plot = page.locator("#param-plot")
        for name in ("width", "learning_rate"):
            menu.select_option(label=name)
            places_in(plot)
            assert plot.evaluate("one => one.layout.xaxis.type") == "log"
            ticks = [float(one) for one in plot.locator(".xtick text").all_text_contents()]
            assert ticks == sorted({*ticks})


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_works_and_asks_for_nothing(looking: Looking, reports: Reports, kind: str) -> None:
    """All figures are drawn, and whatever is touched, no error, request or dialog comes."""
    front = reports.front(kind)
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


def test_the_pointer_tells_of_a_trial(looking: Looking, reports: Reports) -> None:
    """Beside a point stand its trial, how it stands, and its objectives; of a curve, the step."""
    candidates = reports.front("normal").candidates
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


def test_keys_go_along_the_front(looking: Looking, reports: Reports) -> None:
    """N to the next member and p to the one before, round the end; not from elsewhere."""
    rows = along(reports.front("normal"))
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


def test_a_button_beside_a_rule_selects_its_trial(looking: Looking, reports: Reports) -> None:
    """As do those beside the members of the front."""
    chosen = reports.front("normal").select("min-co2e")
    row = chosen.rows[chosen.ranking.chosen]
    with looking("normal") as page:
        see_all(page)
        page.locator("#choice tr", has_text="min-co2e").locator("button").click()
        expect_selected(page, [row])
        member = page.locator(f'#front button[data-select="{reports.front("normal").rows[0]}"]')
        member.click()
        expect_selected(page, [reports.front("normal").rows[0]])
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


def test_rings_are_round_their_points(looking: Looking, reports: Reports) -> None:
    """On linear and logarithmic axes, and on one of choices."""
    with looking("normal") as page:
        see_all(page)
        for name in ("epochs", "learning_rate", "optimiser"):
            page.locator("#param-name").select_option(label=name)
            page.keyboard.press("Escape")
            page.locator("h1").click()
            page.keyboard.press("n")
            row = along(reports.front("normal"))[0]
            figures = page.locator(f"{FLAT}, #param-plot")
            for number in range(figures.count()):
                figure = figures.nth(number)
                place = places_in(figure)[row]
                (ring,) = figure.evaluate(RINGS)
                assert ring == pytest.approx(place, abs=1.5)


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
    chromium: Browser, reports: Reports, tmp_path: Path
) -> None:
    """One that knows no pairs of colours, which came in 2024, shows each mark in its colour."""
    text = reports.path("normal").read_text(encoding="utf-8")
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
        hidden = ("nav.contents", "#theme", "#print", "#trials-filter", "#param-name", "#details")
        for selector in hidden:
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


def test_what_is_selected_is_printed(looking: Looking) -> None:
    """All that is known of it; of the table's line that leads there, nothing."""
    with looking("normal") as page:
        page.locator("h1").click()
        page.keyboard.press("n")
        page.emulate_media(media="print")
        expect(page.locator("#details thead th")).to_be_visible()
        expect(page.locator("#trials-selected")).to_be_hidden()


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


def test_the_words_are_there_without_scripts(looking: Looking, reports: Reports) -> None:
    """Findings, members, rules, what it cost, terms; and that the rest needs scripts."""
    front = reports.front("normal")
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


def test_a_finger_scrolls_and_taps(chromium: Browser, reports: Reports) -> None:
    """A swipe over a figure scrolls the page; a tap selects a point and tells of it."""
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    with contextlib.closing(context):
        page = context.new_page()
        page.goto(reports.path("normal").as_uri())
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


def test_axes_in_space_are_named_on_a_small_screen(looking: Looking) -> None:
    """No letter is cut off at the left, where that of the quality stands."""
    with looking("normal", width=390, height=800) as page:
        plot = page.locator("#pairs .space .plot")
        plot.scroll_into_view_if_needed()
        expect(plot.locator("canvas").first).to_be_visible()
        page.wait_for_function(
            "(one) => one._fullLayout?.scene?._scene?.glplot", arg=plot.element_handle()
        )
        page.wait_for_timeout(1000)
        with Image.open(io.BytesIO(plot.screenshot())) as picture:
            drawn = picture.convert("L")
        # The ink in four columns of pixels: at the edge, and where letters are.
        edge, letters = (
            min(drawn.crop((left, 0, left + 4, drawn.height)).tobytes()) for left in (0, 40)
        )
        assert edge > 250 > letters


def test_a_long_name_leaves_its_numbers_on_a_small_screen(looking: Looking) -> None:
    """It breaks into lines, however long its words are."""
    with looking("long names", width=390, height=800) as page:
        table = page.locator("#params .scroll")
        shares = table.locator("tbody tr", has_text="_models_pretrained").locator(".bar")
        table.scroll_into_view_if_needed()
        expect(shares.first).to_be_in_viewport(ratio=1)
        page.keyboard.press("n")
        value = page.locator("#details tr", has_text="_models_pretrained").locator("td")
        box = value.bounding_box()
        assert box is not None
        assert box["x"] < 390 / 2


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
