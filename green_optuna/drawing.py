"""Figures drawn with Matplotlib: the same bytes each time, whatever the user's settings are."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from green_optuna.errors import MissingPackageError, OptionError
from green_optuna.markup import one_line, shortened
from green_optuna.scalars import as_real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

KINDS: Final = ("png", "svg", "pdf")
"""What a figure can be written as."""

COLUMN_IN: Final = 3.4
"""The width of one of two columns, in inches (86 mm)."""

# Narrower, nothing can be read; wider, no page is.
_WIDTHS_IN: Final = (2.0, 40.0)

_FONT: Final = "DejaVu Sans"  # comes with Matplotlib, so that it is there everywhere

PRINT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.labelsize": 8,
        "axes.linewidth": 0.6,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 8,
        "font.size": 8,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.4,
        "hatch.linewidth": 0.4,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "lines.linewidth": 1.0,
        "xtick.labelsize": 7,
        "xtick.major.width": 0.6,
        "ytick.labelsize": 7,
        "ytick.major.width": 0.6,
        # Glyphs as outlines, so that none is missing elsewhere; in a PDF, TrueType, which
        # publishers take.
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
    }
)
"""Settings of a figure for print: 8 pt and less, thin lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintFigure:
    """A figure for print, to be drawn at any width.

    Attributes:
        name: Of its file, without the ending.
        title: What it shows, in a sentence. It stands in the file's metadata and not in the
            figure, for which a paper has a caption.
        draw: Draws it. How wide it becomes is ``figure.get_figwidth()``, in inches.
        height_in: How high it becomes, in inches, for a width in inches.
    """

    name: str
    title: str
    draw: Callable[[Figure], None]
    height_in: Callable[[float], float]

    def to_bytes(self, kind: str, width_in: float = COLUMN_IN) -> bytes:
        """Draw it.

        Args:
            kind: One of ``KINDS``. A PNG has 300 dots an inch.
            width_in: Its width in inches.

        Raises:
            OptionError: The width is none that could be read.
            MissingPackageError: Matplotlib is not installed.
        """
        width = check_width(width_in)
        return drawn(
            self.draw,
            kind,
            size_in=(width, self.height_in(width)),
            dpi=300,
            style=PRINT,
            title=self.title,
        )


def check_width(width_in: object) -> float:
    """Hold that a width in inches is one.

    Raises:
        OptionError: It is no number, or none that could be read or printed.
    """
    width = as_real(width_in)
    low, high = _WIDTHS_IN
    if width is None or not math.isfinite(width) or not low <= width <= high:
        raise OptionError(
            f"width_in is {width_in!r}: give a width in inches from {low:g} to {high:g}, such as "
            f"{COLUMN_IN:g} for one column or 7 for two."
        )
    return width


def drawn(
    draw: Callable[[Figure], None],
    kind: str,
    *,
    size_in: tuple[float, float],
    dpi: int,
    style: Mapping[str, Any],
    title: str | None = None,
) -> bytes:
    """Draw a figure of its own, with Matplotlib's own settings and some beside them.

    The same figure is the same bytes, of one version of Matplotlib: nothing of the user's settings
    and no date goes in. No window is opened, and pyplot's state is left alone. A ``$`` is a ``$``,
    for texts are no formulas.

    Args:
        draw: Draws into the figure.
        kind: One of ``KINDS``.
        size_in: Width and height in inches.
        dpi: Dots an inch, of a PNG and of what is drawn as dots in another file.
        style: Settings of Matplotlib.
        title: What the file's metadata say that it is.

    Raises:
        MissingPackageError: Matplotlib is not installed.
    """
    try:
        import matplotlib.style
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            "PNG, SVG and PDF need Matplotlib: pip install 'green_optuna[figures]'. The figure as "
            ".html does without."
        ) from error
    own = {"font.sans-serif": [_FONT], "svg.hashsalt": "green_optuna", "text.parse_math": False}
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    # Matplotlib's order: the later ones count.
    with matplotlib.style.context(["default", {**own, **style}]):
        figure = Figure(figsize=size_in, layout="constrained")
        draw(figure)
        file = io.BytesIO()
        titled = {} if title is None else {"Title": one_line(title)}
        figure.savefig(file, format=kind, dpi=dpi, metadata={**undated, **titled})
    return file.getvalue()


def text_in_figure(text: str, limit: int) -> str:
    """Give a text of others as a figure can show it: in one line, and not too much of it.

    A character that the font lacks is a question mark in a diamond, or Matplotlib would warn of it
    and draw a box.

    Args:
        text: The text.
        limit: How many characters it may have.
    """
    from matplotlib.font_manager import findfont, get_font

    line = shortened(one_line(text), limit)
    if line.isascii():
        return line
    known = get_font(findfont(_FONT)).get_charmap()
    return "".join(c if ord(c) in known else "\N{REPLACEMENT CHARACTER}" for c in line)
