"""Figures for print: real files, of the size asked for, in which names are only names."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from kept import kept, study_of
from made import made_study
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from optuna.trial import TrialState, create_trial
from PIL import Image

import green_optuna as go
from green_optuna.drawing import KINDS, PRINT, drawn, text_in_figure
from green_optuna.energy import Trace
from green_optuna.report.importance import importances
from green_optuna.report.printed.costs import _thinned, ledger_figures, trace_figures
from green_optuna.report.printed.files import print_figures, save_figures
from green_optuna.report.printed.front import MANY_POINTS, front_figures
from green_optuna.report.printed.plane import Plane
from green_optuna.report.printed.search import hypervolume_figures, importance_figures
from green_optuna.runs import RunRecord
from green_optuna.terms import ATTRIBUTE
from report.print_studies import HOSTILE, hostile_front, made_trace, named_study, plain_study

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from optuna.trial import FrozenTrial

    from green_optuna.drawing import PrintFigure

SVG = "{http://www.w3.org/2000/svg}"
PAIRS = ("quality_loss-co2e_kg", "quality_loss-n_params", "co2e_kg-n_params")


def drawing_of(figure: PrintFigure, width_in: float = 3.4) -> Figure:
    """The figure as Matplotlib has it, laid out."""
    found: list[Figure] = []

    def draw(empty: Figure) -> None:
        figure.draw(empty)
        found.append(empty)

    size = (width_in, figure.height_in(width_in))
    drawn(draw, "png", size_in=size, dpi=100, style=PRINT)
    return found[0]


def written_in(figure: Figure) -> list[Text]:
    """The texts that are in a figure, ticks too."""
    found = figure.findobj(Text)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def texts_of(figure: Figure) -> list[str]:
    """All that is written in a figure."""
    return [text.get_text() for text in written_in(figure)]


def widths_in(axes: Axes) -> list[float]:
    """How long the bars of a panel are."""
    return [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]


def legend_of(figure: Figure) -> list[str]:
    """What the legend says."""
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


# Files


def test_all_figures_and_tables_are_written(tmp_path: Path) -> None:
    """One figure a pair of objectives and of the others; each table in both forms."""
    front = go.pareto_front(plain_study())
    written = front.save_figures(tmp_path / "new" / "figures", traces={0: made_trace(30)})
    names = [*(f"front-{pair}" for pair in PAIRS), "traces", "ledger", "hypervolume"]
    expected = [f"{name}.{kind}" for name in names for kind in ("svg", "png")]
    expected += [
        f"{name}.{kind}" for name in ("front", "ledger", "rules") for kind in ("md", "tex")
    ]
    assert [path.name for path in written] == expected
    assert sorted(written) == sorted((tmp_path / "new" / "figures").iterdir())
    assert all(path.stat().st_size > 0 for path in written)


@pytest.mark.parametrize("width_in", [3.4, 7.0])
def test_a_png_has_the_width_asked_for(width_in: float, tmp_path: Path) -> None:
    """At 300 dots an inch, to the dot; 86 mm for one column."""
    front = go.pareto_front(plain_study())
    paths = front.save_figures(tmp_path, formats=["png"], width_in=width_in)
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width == round(300 * width_in)
                assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_the_same_figure_is_the_same_file(tmp_path: Path) -> None:
    """With no date in it, and whatever the user's own settings of Matplotlib are."""
    import matplotlib as mpl

    front = go.pareto_front(plain_study(), ("quality_loss", "co2e_kg"))
    subject = front.subject(traces={0: made_trace(30)})
    first = save_figures(subject, tmp_path / "first", KINDS)
    with mpl.rc_context({"font.size": 30, "text.usetex": True, "svg.fonttype": "none"}):
        second = save_figures(subject, tmp_path / "second", KINDS)
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_text_is_outlines_in_an_svg_and_truetype_in_a_pdf() -> None:
    """Nothing depends on the fonts of who reads it, and no publisher refuses a Type 3 font."""
    figure = next(front_figures(go.pareto_front(plain_study()).subject()))
    assert f"{SVG}text" not in {one.tag for one in ET.fromstring(figure.to_bytes("svg")).iter()}
    pdf = figure.to_bytes("pdf")
    assert pdf.startswith(b"%PDF-")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"/CreationDate" not in pdf


def test_the_front_saves_itself_over_its_first_two_objectives(tmp_path: Path) -> None:
    """The same picture as that of the folder, for each kind."""
    front = go.pareto_front(plain_study(), ("quality_loss", "co2e_kg"))
    front.save_figures(tmp_path, formats=KINDS)
    for kind in KINDS:
        path = front.save(tmp_path / f"own.{kind}")
        assert path.read_bytes() == (tmp_path / f"front-{PAIRS[0]}.{kind}").read_bytes()


def test_wrong_options_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The error names what was given, and what there is."""
    front = go.pareto_front(plain_study())
    with pytest.raises(go.OptionError, match=r"\['jpg'\].*png, svg, pdf"):
        front.save_figures(tmp_path / "new", formats=["png", "jpg"])
    for width in (0, float("nan"), 1000, "wide"):
        with pytest.raises(go.OptionError, match="width_in is"):
            front.save_figures(tmp_path / "new", width_in=width)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_one_format_may_be_a_text_and_none_gives_the_tables(tmp_path: Path) -> None:
    """``formats="pdf"`` is not three letters."""
    subject = go.pareto_front(plain_study()).subject()
    assert {path.suffix for path in save_figures(subject, tmp_path, "pdf")} == {
        ".pdf",
        ".md",
        ".tex",
    }
    assert {path.suffix for path in save_figures(subject, tmp_path, ())} == {".md", ".tex"}


def test_without_matplotlib_the_line_that_installs_it_is_said(tmp_path: Path) -> None:
    """The tables need none of it, and nor does the import."""
    code = (
        "import sys\nsys.modules['matplotlib'] = None\nimport optuna, green_optuna as go\n"
        "study = go.create_study('s')\n"
        "study.add_trial(optuna.trial.create_trial(values=[0.5, 1.0, 1.0]))\n"
        "front = go.pareto_front(study)\nprint(front.save('front.tex'))\n"
        "try:\n    front.save('front.png')\n"
        "except go.MissingPackageError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "pip install 'green_optuna[figures]'" in done.stdout, done.stderr
    assert [path.name for path in tmp_path.glob("front.*")] == ["front.tex"]


# What a front's figure shows


def test_every_trial_is_drawn_once_where_it_is() -> None:
    """In the unit of the axis: the kg of the data times what its label says."""
    front = go.pareto_front(plain_study())
    axes = drawing_of(next(front_figures(front.subject()))).axes[0]
    assert axes.get_xlabel() == "CO₂e (mg)"
    assert axes.get_ylabel() == "1 \N{MINUS SIGN} quality"
    points = {one.get_label(): np.asarray(one.get_offsets()) for one in axes.collections}
    losses = front.candidates.losses
    members = losses[list(front.rows)]
    others = np.delete(losses, list(front.rows), axis=0)
    for label, rows in (("Pareto front", members), ("other trials", others)):
        expected = np.column_stack([1e6 * rows[:, 1], rows[:, 0]])
        np.testing.assert_allclose(np.sort(points[label], axis=0), np.sort(expected, axis=0))
    chosen = front.select()
    (star,) = points[f"chosen: trial {chosen.number}"]
    np.testing.assert_allclose(
        star, [1e6 * chosen.objectives["co2e_kg"], chosen.objectives["quality_loss"]]
    )


def test_the_line_is_the_front_of_the_pair_alone() -> None:
    """Over all feasible trials, by counting: no other is as low in both, and lower in one."""
    rng = np.random.default_rng(0)
    losses = rng.integers(1, 20, size=(60, 3)).astype(float)
    subject = go.pareto_front(named_study(losses.tolist(), ("a", "b", "c"))).subject()
    for pair, columns in ((("a", "b"), (1, 0)), (("b", "c"), (2, 1))):
        points = losses[:, columns]
        free = {
            tuple(one)
            for one in points.tolist()
            if not any((other <= one).all() and (other < one).any() for other in points)
        }
        found = Plane.of(subject, *pair).staircase()
        assert {tuple(one) for one in found.tolist()} == free
        assert (np.diff(found[:, 0]) > 0).all()
        assert (np.diff(found[:, 1]) < 0).all()


def test_a_trial_that_violates_a_constraint_bounds_no_line() -> None:
    """It is drawn with the others, and is on no front."""
    study = go.create_study("s", objectives=("quality_loss", "co2e_kg"))
    study.add_trials(
        [
            create_trial(values=[0.5, 1.0]),
            create_trial(values=[0.1, 0.1], constraints={"size": 1.0}),
        ]
    )
    plane = Plane.of(go.pareto_front(study).subject(), "quality_loss", "co2e_kg")
    assert plane.staircase().tolist() == [[1.0, 0.5]]
    assert plane.drawn.tolist() == [True, True]


def test_an_axis_is_logarithmic_where_the_plot_for_the_screen_has_it_so() -> None:
    """The decision is one: values far apart, all above 0, and what is infinite does not count."""
    for values, logarithmic in (
        ([1.0, 2.0], False),
        ([1.0, 30.0], True),
        ([0.0, 30.0], False),
        ([1.0, 2.0, float("inf")], False),
    ):
        losses = [(value, 10.0 - value) for value in values if value != float("inf")]
        losses += [(value, 0.0) for value in values if value == float("inf")]
        front = go.pareto_front(named_study(losses, ("first", "second")))
        axes = drawing_of(next(front_figures(front.subject()))).axes[0]
        assert (axes.get_yscale() == "log") is logarithmic, values
        assert (front.plot().layout.yaxis.type == "log") is logarithmic, values


def test_errors_are_drawn_where_they_are_known() -> None:
    """Bars from one end of Student's interval to the other, of the members of the front."""
    runs = [
        RunRecord(quality_loss=loss, energy_kwh=1e-6, duration_s=60.0) for loss in (0.1, 0.2, 0.3)
    ]
    front = go.pareto_front(
        study_of([kept(0.8, 3e-6, runs=runs), kept(0.5, 3e-7)]), ("quality_loss", "co2e_kg")
    )
    axes = drawing_of(next(front_figures(front.subject()))).axes[0]
    lines = [one for one in axes.collections if isinstance(one, LineCollection)]
    segments = [np.asarray(one) for each in lines for one in each.get_segments()]
    (bar,) = (one for one in segments if one[0, 0] == one[1, 0] and np.ptp(one[:, 1]) > 0)
    # 4.303 of Student's t with two degrees of freedom, times 0.1 over the root of three.
    np.testing.assert_allclose(bar[:, 1], [0.2 - 0.2484, 0.2 + 0.2484], atol=1e-4)


def test_checkpoints_are_squares_and_said_so() -> None:
    """Marks differ in shape, not by colour alone."""
    reports = [
        go.Report(step=step, quality=0.1 * step, energy_kwh=1e-7 * step, t_s=step, checkpoint="m")
        for step in range(1, 9)
    ]
    study = study_of([kept(0.85, 1e-6, reports=reports), kept(0.2, 9e-7)])
    front = go.pareto_front(study, ("quality_loss", "co2e_kg"), checkpoints=True)
    figure = drawing_of(next(front_figures(front.subject("best-quality"))))
    assert legend_of(figure) == [
        "other trials",
        "Pareto front",
        "Pareto front, checkpoints",
        "chosen: trial 0",
    ]
    corners = {
        one.get_label(): np.asarray(one.get_paths()[0].vertices).shape[0]
        for one in figure.axes[0].collections
    }
    assert corners["Pareto front, checkpoints"] == 5
    assert corners["Pareto front"] > 8


def test_references_are_named_and_those_that_cannot_be_drawn_too() -> None:
    """A diamond and a name where both values are known; else a note says what is missing."""
    references = [
        {"name": "theirs", "quality_loss": 0.3, "co2e_kg": 4e-7},
        {"name": "unknown cost", "quality_loss": 0.3},
    ]
    front = go.pareto_front(plain_study(), references=references)
    figure = drawing_of(next(front_figures(front.subject())))
    texts = texts_of(figure)
    assert "theirs" in texts
    assert "unknown cost" not in texts
    assert "published" in legend_of(figure)
    assert "Not drawn: unknown cost (published; no CO₂e)." in " ".join(texts).replace("\n", " ")


@pytest.mark.parametrize("width_in", [3.4, 7.0])
def test_nothing_written_overlaps_or_is_cut(width_in: float) -> None:
    """Names of references, labels, ticks, legend and note: no two share a dot, all are inside."""
    references = [
        {"name": f"reference {at}", "quality_loss": 0.2 + 0.04 * at, "co2e_kg": 4e-7 * 2**at}
        for at in range(6)
    ]
    references.append({"name": "not known " * 9, "quality_loss": 0.3})
    front = go.pareto_front(plain_study(), references=references)
    figure = drawing_of(next(front_figures(front.subject())), width_in)
    boxes = {one.get_text(): one.get_window_extent() for one in written_in(figure)}
    # Ticks beyond the ends of an axis have a text, and are not drawn.
    axes = figure.axes[0].bbox
    shown = {
        text: box
        for text, box in boxes.items()
        if not re.fullmatch(r"[\d.]+", text)
        or (axes.x0 - 40 < box.x0 and box.x1 < axes.x1 + 20 and axes.y0 - 20 < box.y0 < axes.y1)
    }
    assert sum(text.startswith("reference") for text in shown) == 6
    for text, box in shown.items():
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1, text
        for other, its_box in shown.items():
            assert text == other or not box.overlaps(its_box), (text, other)
    (legend,) = figure.legends
    assert not legend.get_window_extent().overlaps(axes)


def test_a_name_without_room_is_left_out_and_a_note_says_so() -> None:
    """Of many references at one point, the first are named."""
    references = [
        {"name": f"reference {at}", "quality_loss": 0.3, "co2e_kg": 1e-6} for at in range(60)
    ]
    front = go.pareto_front(plain_study(), references=references)
    texts = texts_of(drawing_of(next(front_figures(front.subject()))))
    named = [text for text in texts if text.startswith("reference ")]
    assert 0 < len(named) < 60
    assert "Names without room are left out." in texts


def test_many_points_behind_the_front_are_one_picture() -> None:
    """The file of 10,000 trials stays small, and the front stays sharp."""
    rng = np.random.default_rng(0)
    losses = 1 + rng.random((10_000, 2))
    sizes = {}
    for n in (MANY_POINTS // 2, 10_000):
        front = go.pareto_front(named_study(losses[:n].tolist(), ("a", "b")))
        svg = next(front_figures(front.subject())).to_bytes("svg")
        tree = ET.fromstring(svg)
        images = [one for one in tree.iter() if one.tag == f"{SVG}image"]
        assert len(images) == (1 if n > MANY_POINTS else 0)
        sizes[n] = len(svg)
    assert sizes[10_000] < 1_000_000


# Names of others


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    """Each SVG is well-formed and has no script and no address."""
    for path in hostile_front().save_figures(tmp_path, formats=["svg"]):
        assert path.parent == tmp_path
        assert re.fullmatch(r"[\w-]+\.(svg|md|tex)", path.name)
        if path.suffix == ".svg":
            tree = ET.fromstring(path.read_bytes())
            assert not [one for one in tree.iter() if one.tag.rpartition("}")[2] == "script"]
            for one in tree.iter():
                for name, value in one.attrib.items():
                    if name.rpartition("}")[2] == "href":
                        assert value.startswith(("#", "data:image/png;base64,"))


def test_hostile_names_are_drawn_as_they_are_and_shortened() -> None:
    """A dollar is a dollar; what cannot be seen is written out; the rest is cut."""
    texts = texts_of(drawing_of(next(front_figures(hostile_front().subject())), 7.0))
    assert HOSTILE[0] in texts
    assert HOSTILE[1] in texts
    assert "x" * 37 + "..." in texts
    assert max(map(len, texts)) < 600


@pytest.mark.parametrize("text", ["$x$", r"\alpha $", "日本語 \U0001f600", "a\x00\ud800b", "é ü"])
def test_any_text_can_be_drawn_without_a_warning(text: str) -> None:
    """What the font lacks is a mark that says so, and not a box."""

    def draw(figure: Figure) -> None:
        figure.text(0, 0, text_in_figure(text, 40))

    for kind in KINDS:
        assert drawn(draw, kind, size_in=(2, 1), dpi=72, style=PRINT, title=text)


def test_names_of_objectives_make_no_path_and_no_two_one_file(tmp_path: Path) -> None:
    """Whatever an objective is called, its file lies in the folder, and is its own."""
    names = ("../../up", ".. .. up", "/etc/passwd", "n" * 10_000)
    study = named_study([(1.0, 2.0, 3.0, 4.0), (4.0, 3.0, 2.0, 1.0)], names)
    folder = tmp_path / "figures"
    written = go.pareto_front(study).save_figures(folder, formats=["svg"])
    fronts = [path for path in written if path.name.startswith("front-")]
    assert len({*fronts}) == 6
    assert sorted(written) == sorted(folder.iterdir())
    assert max(len(path.name) for path in written) < 120


# Studies with little in them, or much


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [create_trial(state=TrialState.FAIL), create_trial(state=TrialState.PRUNED)],
        [create_trial(values=[0.5, 1.0, 1.0], constraints={"size": 1.0})],
    ],
    ids=["empty", "only failed", "only infeasible"],
)
def test_a_front_without_a_member_has_tables_and_no_figure(
    trials: list[FrozenTrial], tmp_path: Path
) -> None:
    """To save it as a figure is an error that says why and what to do."""
    study = go.create_study("little")
    study.add_trials(trials)
    front = go.pareto_front(study)
    written = front.save_figures(tmp_path / "figures")
    assert {path.suffix for path in written} == {".md", ".tex"}
    for kind in KINDS:
        with pytest.raises(
            go.EmptyStudyError,
            match=r"'little' cannot be drawn: it has no completed trial.*Run more",
        ):
            front.save(tmp_path / f"front.{kind}")
        assert not (tmp_path / f"front.{kind}").exists()
    for ending in ("md", "tex"):
        assert "0 of" in front.save(tmp_path / f"front.{ending}").read_text(encoding="utf-8")


def test_one_trial_is_a_figure() -> None:
    """It is the front, and the choice."""
    front = go.pareto_front(study_of([kept(0.9, 1e-6)]))
    figures = [*print_figures(front.subject())]
    assert [one.name for one in figures] == [*(f"front-{pair}" for pair in PAIRS), "ledger"]
    assert legend_of(drawing_of(figures[0])) == ["Pareto front", "chosen: trial 0"]


def test_one_objective_is_drawn_over_the_trials(tmp_path: Path) -> None:
    """The line is the best so far, references are levels."""
    references = [{"name": "theirs", "quality_loss": 0.2}, {"name": "no loss", "n_params": 3}]
    front = go.pareto_front(plain_study(), ("quality_loss",), references=references)
    subject = front.subject()
    steps = Plane.of(subject, "quality_loss", None).staircase()
    best = np.minimum.accumulate(front.candidates.losses[:, 0])
    firsts = np.flatnonzero(np.diff(best, prepend=np.inf) < 0)
    np.testing.assert_allclose(steps, np.column_stack([firsts, best[firsts]]))
    texts = texts_of(drawing_of(next(front_figures(subject))))
    assert {"trial", "best so far", "theirs (published)"} <= {*texts}
    assert "no loss" in " ".join(texts)
    assert front.save(tmp_path / "front.svg").exists()
    names = [path.name for path in front.save_figures(tmp_path / "all", formats=["svg"])]
    assert names[0] == "front-quality_loss.svg"


def test_six_objectives_have_a_figure_a_pair() -> None:
    """Fifteen, each under its own name."""
    rows = np.random.default_rng(0).random((20, 6))
    front = go.pareto_front(named_study(rows.tolist(), tuple("abcdef")))
    names = [one.name for one in front_figures(front.subject())]
    assert names[0] == "front-a-b"
    assert names[-1] == "front-e-f"
    assert len({*names}) == 15


def test_what_is_infinite_is_not_drawn_and_said() -> None:
    """Neither on the figure nor in its axes; where no member is finite, there is no figure."""
    inf = float("inf")
    study = named_study([(inf, 1.0), (0.5, 2.0), (0.2, 3.0), (0.3, inf)], ("a", "b"))
    figure = drawing_of(next(front_figures(go.pareto_front(study).subject())))
    assert "Not drawn: 2 trials of infinite value." in texts_of(figure)
    assert np.isfinite(figure.axes[0].dataLim.get_points()).all()
    study = named_study([(inf, 1.0), (0.5, inf)], ("a", "b"))
    front = go.pareto_front(study)
    assert [*front_figures(front.subject())] == []
    with pytest.raises(go.EmptyStudyError, match="finite values in both"):
        front.save("front.png")


# Power over time


def test_traces_show_the_chosen_trial_first_and_six_at_most() -> None:
    """The others are spread over the front; trials without a trace are left out."""
    front = go.pareto_front(plain_study(30))
    traces = {number: made_trace(20 + number) for number in front.numbers}
    chosen = front.select().number
    (figure,) = trace_figures(front.subject(traces=traces))
    titles = [axes.get_title(loc="left") for axes in drawing_of(figure).axes]
    assert len(titles) == 6
    assert titles[0].startswith(f"trial {chosen} (chosen), ")
    assert sum("chosen" in title for title in titles) == 1
    assert len({*titles}) == 6
    del traces[chosen]
    (figure,) = trace_figures(front.subject(traces=traces))
    assert not any("chosen" in axes.get_title(loc="left") for axes in drawing_of(figure).axes)


def test_without_a_trace_there_is_no_figure_of_them() -> None:
    """Nor of one without a point, nor of a trial that is not on the front."""
    front = go.pareto_front(plain_study())
    other = next(number for number in range(12) if number not in front.numbers)
    for traces in ({}, {0: Trace.from_points([])}, {other: made_trace(5)}):
        assert [*trace_figures(front.subject(traces=traces))] == []


def test_a_stack_ends_at_the_power_of_all_components() -> None:
    """Power in W over s, each step where its mean is; a GPU that draws nothing is left out."""
    front = go.pareto_front(plain_study())
    trace = made_trace(30)
    (figure,) = trace_figures(front.subject(traces={0: trace}))
    drawing = drawing_of(figure)
    assert legend_of(drawing) == ["processor", "memory"]
    *_, top = drawing.axes[0].patches
    values, edges, base = top.get_data()  # type: ignore[attr-defined]
    np.testing.assert_allclose(values, trace.cpu_w + trace.ram_w)
    np.testing.assert_allclose(base, trace.cpu_w)
    np.testing.assert_allclose(edges, np.arange(31))
    assert {"power (W)", "time (s)"} <= {*texts_of(drawing)}
    (figure,) = trace_figures(front.subject(traces={0: made_trace(30, gpu_w=90.0)}))
    assert legend_of(drawing_of(figure)) == ["processor", "GPU", "memory"]


def test_the_shared_axis_of_power_has_room_for_all_traces() -> None:
    """Whichever comes first, and each steps' mean."""
    front = go.pareto_front(plain_study())
    traces = {
        number: made_trace(5 + place, gpu_w=40.0 * place)
        for place, number in enumerate(front.numbers[:4])
    }
    (figure,) = trace_figures(front.subject(traces=traces))
    drawing = drawing_of(figure)
    most_w = max(float((one.cpu_w + one.gpu_w + one.ram_w).max()) for one in traces.values())
    for axes in drawing.axes:
        bottom, top = axes.get_ylim()
        assert bottom == 0
        assert most_w < top < 1.1 * most_w


def test_trials_whose_power_is_not_drawn_are_named() -> None:
    """Those without a trace, those for which there is no room, and each once."""
    front = go.pareto_front(plain_study(30))
    numbers = [*front.numbers]
    (figure,) = trace_figures(front.subject(traces=dict.fromkeys(numbers, made_trace(20))))
    drawing = drawing_of(figure)
    titles = [axes.get_title(loc="left") for axes in drawing.axes]
    drawn = [int(one.split()[1].rstrip(",")) for one in titles]
    hidden = [number for number in numbers if number not in drawn]
    assert len(hidden) == len(numbers) - 6 > 12
    named = f"trials {', '.join(map(str, hidden[:12]))} and {len(hidden) - 12} more"
    assert f"Not drawn: {named}." in note_of(drawing)
    (figure,) = trace_figures(front.subject(traces=dict.fromkeys(numbers[:2], made_trace(20))))
    assert "Not drawn: trials " in note_of(drawing_of(figure))
    front = go.pareto_front(plain_study(3))
    *known, last = front.numbers
    (figure,) = trace_figures(front.subject(traces=dict.fromkeys(known, made_trace(20))))
    assert note_of(drawing_of(figure)) == f"Not drawn: trial {last}."
    (figure,) = trace_figures(front.subject(traces=dict.fromkeys(front.numbers, made_trace(20))))
    assert note_of(drawing_of(figure)) == ""


def test_traces_of_several_runs_and_of_whole_trainings_say_so() -> None:
    """Their energy is another than that of the trial, or the step, in a table."""
    front = go.pareto_front(made_study(10, repeats=True))
    (figure,) = trace_figures(front.subject(traces=dict.fromkeys(front.numbers, made_trace(20))))
    assert "All runs of a trial are drawn." in note_of(drawing_of(figure))
    front = go.pareto_front(made_study(10, checkpoints=True), checkpoints=True)
    (figure,) = trace_figures(front.subject(traces=dict.fromkeys(front.numbers, made_trace(20))))
    assert "Whole trainings are drawn" in note_of(drawing_of(figure))


def note_of(figure: Figure) -> str:
    """Give the words below a figure, in one line."""
    return " ".join(figure.get_supxlabel().split())


def test_a_thinned_trace_has_the_same_energy() -> None:
    """Of ten hours at 1 Hz a figure keeps 150 steps, and each joule."""
    trace = made_trace(36_000)
    ends_s, cpu_w = _thinned(trace.t_s, trace.cpu_w)
    assert len(ends_s) == len(cpu_w) == 150
    spans_s = np.diff(ends_s, prepend=0.0)
    assert (cpu_w * spans_s).sum() == pytest.approx(trace.cpu_w.sum())
    assert 20 <= cpu_w.min() <= cpu_w.max() <= 40


# What the search spent


def test_the_bar_is_the_ledger() -> None:
    """One part an account that spent something, together the total; each is said with its share."""
    trials = [
        kept(0.9, 6e-6),
        kept(0.8, 3e-6, state=TrialState.FAIL),
        kept(0.8, 1e-6, state=TrialState.PRUNED),
    ]
    trials[0].user_attrs[ATTRIBUTE]["overhead_kwh"] = {"cpu": 2e-6, "gpu": 0.0, "ram": 0.0}
    front = go.pareto_front(study_of(trials))
    (figure,) = ledger_figures(front.subject())
    drawing = drawing_of(figure)
    assert legend_of(drawing) == [
        "1 complete (50.0%)",
        "1 pruned (8.3%)",
        "1 failed (25.0%)",
        "overhead (16.7%)",
    ]
    axes = drawing.axes[0]
    assert axes.get_xlabel() == "CO₂e (mg)"
    widths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        widths, [1e6 * row.co2e_kg for row in front.ledger.rows if row.co2e_kg]
    )
    assert sum(widths) == pytest.approx(1e6 * front.ledger.co2e_kg)


def test_a_search_that_spent_nothing_has_no_bar() -> None:
    """As of a study that green_optuna did not measure."""
    front = go.pareto_front(named_study([(1.0, 2.0)], ("a", "b")))
    assert [*ledger_figures(front.subject())] == []


# The search


def test_the_hypervolume_ends_at_all_that_was_spent() -> None:
    """Its step line goes from nothing to the whole, over the study's CO2e in the axis's unit."""
    front = go.pareto_front(plain_study())
    (figure,) = hypervolume_figures(front.subject())
    (axes,) = drawing_of(figure).axes
    x, y = np.asarray(axes.get_lines()[0].get_xydata()).T
    assert (x[0], y[0], y[-1]) == (0.0, 0.0, pytest.approx(100.0))
    assert axes.get_xlabel() == "CO\N{SUBSCRIPT TWO}e (mg) spent by the search"
    assert x[-1] == pytest.approx(front.ledger.co2e_kg * 1e6)


def test_a_study_of_nothing_has_no_figures_of_its_search() -> None:
    """There is no front, and nothing that decided it."""
    subject = go.pareto_front(study_of([])).subject()
    assert [*hypervolume_figures(subject), *importance_figures(subject)] == []


def test_importances_are_bars_in_one_order_for_all_objectives() -> None:
    """A panel an objective, whose bars are the shares of :func:`importances`, in percent."""
    subject = go.pareto_front(made_study(60)).subject()
    (figure,) = importance_figures(subject)
    drawing = drawing_of(figure)
    names = [label.get_text() for label in drawing.axes[0].get_yticklabels()]
    for axes, one in zip(drawing.axes, importances(subject), strict=True):
        shares = {share.name: 100 * share.share for share in one.shares}
        assert widths_in(axes) == pytest.approx([shares[name] for name in names])
    tops = [max(bars) for bars in zip(*map(widths_in, drawing.axes), strict=True)]
    assert tops == sorted(tops, reverse=True)
