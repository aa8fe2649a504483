"""Axes, legend and note, as all figures for print have them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from green_optuna.drawing import text_in_figure
from green_optuna.report.printed.typeset import sentence_in_print

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from green_optuna.report.printed.plane import Quantity

# Of a name beside an axis.
MAX_LABEL: Final = 40

# Below this ratio of the largest to the smallest value, a logarithmic axis has more ticks than
# powers of ten.
FEW_DECADES: Final = 1000

# So many of its letters a note has in an inch.
_LETTERS_IN_NOTE: Final = 21

# The height of a line of a note, of 6 pt.
_LINE_IN: Final = 0.11


def lay_out_axis(axis: Axis, quantity: Quantity, *, most_ticks: int | None = None) -> None:
    """Name an axis, and give it ticks in plain numbers: their unit is in the name."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axis.set_label_text(text_in_figure(quantity.label, MAX_LABEL))
    if not quantity.logarithmic:
        axis.set_major_locator(MaxNLocator(most_ticks or "auto", steps=[1, 2, 5, 10]))
        return
    if axis is axis.axes.xaxis:
        axis.axes.set_xscale("log")
    else:
        axis.axes.set_yscale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if quantity.ratio < FEW_DECADES else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def add_legend(figure: Figure) -> None:
    """Explain the marks above the axes, where no point is hidden, in as few lines as they need."""
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    entries = {label: handle for each in found for handle, label in zip(*each, strict=True)}
    for columns in range(len(entries), 0, -1):
        legend = figure.legend(
            [*entries.values()],
            [*entries],
            loc="outside upper left",
            ncols=columns,
            borderpad=0.1,
            columnspacing=1.0,
            handlelength=1.4,
            handletextpad=0.4,
            labelspacing=0.3,
        )
        if columns == 1 or legend.get_window_extent().width < 0.97 * figure.bbox.width:
            break
        legend.remove()


def add_note(figure: Figure, note: str) -> None:
    """Write below a figure what is to be known of it; nothing where there is nothing."""
    if note:
        width = int(_LETTERS_IN_NOTE * figure.get_figwidth())
        text = text_in_figure(sentence_in_print(note, 8 * width), 8 * width)
        figure.supxlabel(textwrap.fill(text, width), fontsize=6, color="#444444")


def note_height_in(note: str, width_in: float) -> float:
    """Say how high a note becomes, in inches, below a figure of such a width."""
    return _LINE_IN * len(textwrap.wrap(note, int(_LETTERS_IN_NOTE * width_in)))
