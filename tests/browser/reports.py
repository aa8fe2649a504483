"""Pages of made-up studies of every kind, and what tests ask of a page that is open."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
from kept import kept
from made import REFERENCES, made_study
from optuna.distributions import CategoricalDistribution
from playwright.sync_api import expect
from report.hostile import HOSTILE, foreign_study, trials_named

import green_optuna as go
from green_optuna.energy import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import optuna
    from playwright.sync_api import Locator, Page

    Looking = Callable[..., contextlib.AbstractContextManager[Page]]

FIVE = ("quality_loss", "co2e_kg", "n_params", "energy_kwh", "duration_s")

# Plots that a person has scrolled to: drawn, and not in three dimensions.
FLAT = "#pairs figure:not(.space) .plot"


def made_trace(number: int) -> Trace:
    """Power of a trial over twenty seconds."""
    t_s = np.arange(1.0, 21.0)
    cpu_w, ram_w = 40 + 10 * np.sin(t_s + number), np.full(20, 10.0)
    return Trace(t_s, cpu_w, np.zeros(20), ram_w, np.cumsum(cpu_w + ram_w) / 3.6e6)


def hostile_front() -> go.ParetoFront:
    """A study in which everything has a name that would break a page."""
    hostile = "".join(HOSTILE)
    made = made_study(0, name=hostile)
    made.add_trials(trials_named(hostile, (hostile, f"b{hostile}"), hostile, hostile))
    name = "".join(filter(str.isprintable, HOSTILE[:9]))
    return go.pareto_front(made, references=[{**REFERENCES[0], "name": name}])


def long_front() -> go.ParetoFront:
    """A study of which a hyperparameter has a long name without a space."""
    study = made_study(0)
    name = LONG.replace("/", "_").replace("-", "_")
    for trial in made_study(60, all_complete=True).get_trials():
        for kept_by_name in (trial.params, trial.distributions):
            kept_by_name[name] = kept_by_name.pop("width")
        study.add_trial(trial)
    return go.pareto_front(study)


def failed_front() -> go.ParetoFront:
    """A study of which no trial completed."""
    study = made_study(0)
    study.add_trials([one for one in made_study(60).get_trials() if one.state.name == "FAIL"])
    return go.pareto_front(study)


MADE: Mapping[str, Callable[[], go.ParetoFront]] = {
    "normal": lambda: go.pareto_front(made_study(60), references=REFERENCES),
    "repeats": lambda: go.pareto_front(made_study(60, repeats=True)),
    "checkpoints": lambda: go.pareto_front(made_study(60, checkpoints=True), checkpoints=True),
    "one": lambda: go.pareto_front(made_study(1, all_complete=True)),
    "failed": failed_front,
    "none": lambda: go.pareto_front(made_study(0)),
    "thousand": lambda: go.pareto_front(made_study(1000)),
    "one objective": lambda: go.pareto_front(made_study(30), ("co2e_kg",)),
    "two objectives": lambda: go.pareto_front(made_study(30), ("quality_loss", "co2e_kg")),
    "five objectives": lambda: go.pareto_front(made_study(30, objectives=FIVE)),
    "hostile": hostile_front,
    "hostile metrics": lambda: go.pareto_front(foreign_study([*HOSTILE[:2], "constructor"])),
    "choices": lambda: go.pareto_front(study_of_choices()),
    "long names": long_front,
    "foreign": lambda: go.pareto_front(foreign_study(["loss", "toString"])),
}


class Reports:
    """Fronts of made-up studies and their pages, by kind, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fronts: dict[str, go.ParetoFront] = {}

    def front(self, kind: str) -> go.ParetoFront:
        """Give the front of a kind of study, one of `MADE`."""
        if kind not in self._fronts:
            self._fronts[kind] = MADE[kind]()
        return self._fronts[kind]

    def path(self, kind: str) -> Path:
        """Give its page, with energy traces of three of its members."""
        path = self._folder / f"{kind.replace(' ', '_')}.html"
        if path.exists():
            return path
        front = self.front(kind)
        return front.report(path, traces={one: made_trace(one) for one in front.numbers[:3]})


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


def along(front: go.ParetoFront) -> list[int]:
    """Give the members as a reader goes along them: by the second objective, or by the only one."""
    candidates = front.candidates
    column = min(1, len(front.objectives) - 1)
    return sorted(front.rows, key=lambda row: candidates.losses[row][column])


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


def rows_of(page: Page) -> list[dict[str, Any]]:
    """Give the data of the page, one record a row."""
    columns = page.evaluate("JSON.parse(document.getElementById('data').textContent).table.columns")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
