"""Members of the front over time, on a study's page: their power, and quality for CO2e."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from green_optuna.report import page as page_module
from green_optuna.report.page.html import with_real_signs
from green_optuna.units import show_quantity

from .pages import visiting
from .reports import FLAT, places_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

    from .reports import Looking

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_patience")]

# What is under the lines of a figure of power, in J, and where they end, in s.
AREA = """
(plot) => {
  const since = (x, at) => x[at] - (x[at - 1] ?? 0);
  const steps = plot.data.flatMap(({ x, y }) => y.map((power, at) => power * since(x, at)));
  return [steps.reduce((sum, one) => sum + one, 0), plot.data[0].x.at(-1)];
}
"""

AXES = "(plot) => [plot.layout.xaxis.type, plot.layout.xaxis.title.text]"


def drawn(plot: Locator) -> Locator:
    """Give a figure once its lines are there."""
    plot.scroll_into_view_if_needed()
    expect(plot.locator(".scatterlayer path.js-line").first).to_be_attached()
    return plot


@pytest.mark.parametrize("kind", ["normal", "repeats", "checkpoints"])
def test_the_area_of_power_is_the_energy_in_its_title(looking: Looking, kind: str) -> None:
    """To the last digit that is shown, and so is the time: of one run, of several, of a step."""
    with looking(kind) as page:
        for figure in page.locator("#traces figure").all():
            plot = drawn(figure.locator(".plot"))
            joules, until_s = plot.evaluate(AREA)
            energy = with_real_signs(show_quantity("energy_kwh", joules / 3.6e6))
            title = figure.locator("figcaption").inner_text()
            assert f": {energy} in {show_quantity('duration_s', until_s)}" in title
            assert (", all 3 runs" in title) == (kind == "repeats")
            assert plot.get_attribute("aria-label") == title


@pytest.mark.parametrize("kind", ["normal", "two objectives"])
def test_curves_have_the_axis_of_the_front(looking: Looking, kind: str) -> None:
    """Logarithmic where that is, and in its unit: what was spent in the end is in both."""
    with looking(kind) as page:
        pair = page.locator(FLAT).first
        places_in(pair)
        curves = drawn(page.locator("#curves"))
        of_front, of_curves = (plot.evaluate(AXES) for plot in (pair, curves))
        assert of_front[0] == "log"
        assert of_curves[0] == of_front[0]
        unit = of_front[1].partition("(")[2]
        assert of_curves[1] == f"CO2e spent by then ({unit}"


def test_a_linear_axis_has_the_unit_of_its_largest_value(chromium: Browser) -> None:
    """Few large values among many small ones are no thousands of a small unit."""
    values = [*[5e-9] * 99, 2e-5]
    script = (Path(page_module.__file__).parent / "assets" / "format.js").read_text("utf-8")
    with visiting(chromium, alone="about:blank") as visit:
        linear, of_most = visit.page.evaluate(
            "([script, values]) => {"
            " const axisUnit = new Function(`${script}; return axisUnit;`)();"
            " return [1, 0.75].map((share) => axisUnit('co2e_kg', values, share)); }",
            [script, values],
        )
    assert linear == {"factor": 1e6, "unit": "mg"}
    assert of_most == {"factor": 1e9, "unit": "\u00b5g"}
