"""A table for print, as Markdown and as LaTeX, with its figures scaled for people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from green_optuna.latex import in_latex
from green_optuna.markup import in_markdown, markdown_table
from green_optuna.report.printed.typeset import (
    label_in_print,
    name_in_print,
    sentence_in_print,
    unit_in_print,
)
from green_optuna.units import fitting_unit, show_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from green_optuna.intervals import Interval

# Of a clause, in a column of text that may take several lines, and of a note.
_MAX_CLAUSE: Final = 200
_MAX_NOTE: Final = 600

# Of the digits of a value whose error is far smaller still.
_MOST_DIGITS: Final = 6


# What a table for LaTeX begins with, for whoever opens the file.
LATEX_NEEDS = (
    r"% Needs \usepackage{booktabs,graphicx}.",
    "% Where it comes out too small in one of two columns, make it a table*.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        heading: What stands on top of it.
        cells: One text a row.
        right: Whether it stands to the right, as figures do.
        wraps: Whether its texts may take several lines.
    """

    heading: str
    cells: tuple[str, ...]
    right: bool = False
    wraps: bool = False

    @property
    def letter(self) -> str:
        """How LaTeX sets it."""
        if self.wraps:
            return "p{16em}"
        return "r" if self.right else "l"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintTable:
    """A table for print.

    Attributes:
        name: Of its file, without the ending.
        caption: What it shows, in a sentence or two.
        columns: Its columns, each of as many cells.
        notes: What is to be known of it, a sentence or two each.
        has_total: Whether the last row is the sum of the others.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    has_total: bool = False

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Its rows, without the headings."""
        return [*zip(*(column.cells for column in self.columns), strict=True)]

    def to_markdown(self) -> str:
        """Write it in Markdown: the caption, the table, and each note in a paragraph."""
        table = markdown_table(
            [column.heading for column in self.columns],
            self.rows,
            right=[column.right for column in self.columns],
        )
        caption, *notes = map(in_markdown, (self.caption, *self.notes))
        return "\n\n".join([caption, table, *notes]) + "\n"

    def to_latex(self) -> str:
        r"""Write it in LaTeX: a ``table`` with caption, label and notes, for ``\input``.

        What is wider than the column is made smaller to fit: across both columns of a page, as a
        ``table*``, it stays legible. It needs the packages booktabs and graphicx, and LaTeX of
        2020 or later.
        """
        letters = "".join(column.letter for column in self.columns)
        rows = [_latex_row(row) for row in self.rows]
        if self.has_total:
            rows.insert(len(rows) - 1, r"\midrule")
        notes = [rf"\par\smallskip{{\footnotesize {in_latex(note)}\par}}" for note in self.notes]
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{in_latex(self.caption)}}}",
            rf"\label{{tab:{self.name}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{letters}}}",
            r"\toprule",
            _latex_row([column.heading for column in self.columns]),
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
            *notes,
            r"\end{table}",
        ]
        return "\n".join([*LATEX_NEEDS, *lines]) + "\n"


def text_column(
    heading: str, texts: Iterable[str], *, right: bool = False, wraps: bool = False
) -> Column:
    """Make a column of texts, which may be the user's and of any length.

    Args:
        heading: What stands on top.
        texts: One a row.
        right: Whether they stand to the right.
        wraps: Whether they are sentences of ours, which may take several lines.
    """
    return Column(
        heading=name_in_print(heading),
        cells=tuple(
            sentence_in_print(text, _MAX_CLAUSE) if wraps else name_in_print(text) for text in texts
        ),
        right=right,
        wraps=wraps,
    )


def note_in_print(text: str) -> str:
    """Give a note, in which there may be names of any length."""
    return sentence_in_print(text, _MAX_NOTE)


def quantity_column(
    name: str, values: Sequence[float], intervals: Sequence[Interval | None] | None = None
) -> Column:
    """Make a column of a quantity, scaled for people.

    Where all cells share one unit, it stands in the heading, else in each cell. An interval is
    ``value ± half its width`` where it lies evenly about the value, else ``value (low to high)``,
    with two digits of its half width.

    Args:
        name: The quantity's name in data, such as ``"co2e_kg"``.
        values: One a row, in the unit that the name carries.
        intervals: One a row, or None where none is known of it; likewise.
    """
    shown = [
        _shown(name, value, interval)
        for value, interval in zip(values, intervals or [None] * len(values), strict=True)
    ]
    # Nothing is nothing in any unit.
    units = {unit for number, unit in shown if number != "0"}
    shared = next(iter(units)) if len(units) == 1 else None
    cells = [
        number if shared is not None or not unit else f"{number} {unit_in_print(unit)}"
        for number, unit in shown
    ]
    if not units:
        cells = ["0"] * len(shown)
    return Column(heading=label_in_print(name, shared or ""), cells=tuple(cells), right=True)


def _shown(name: str, value: float, interval: Interval | None) -> tuple[str, str]:
    """Show a value, with its interval if there is one, as a number and its unit."""
    if interval is not None:
        unit = fitting_unit(name, value)
        ends = (interval.low * unit.factor, interval.high * unit.factor)
        return _with_interval(value * unit.factor, *ends), unit.symbol
    number, _, symbol = show_quantity(name, value).partition(" ")
    # Of "2 min 05 s", no part is a unit of the whole.
    return (f"{number} {symbol}", "") if " " in symbol else (number, symbol)


def _with_interval(value: float, low: float, high: float) -> str:
    """Show a value and its interval, with two digits of half the width, all in one unit."""
    half = (high - low) / 2
    if half == 0:
        return f"{value:.4g} ± 0"
    digits = 1 - _power_of_ten(half)
    if value:
        digits = min(digits, _MOST_DIGITS - 1 - _power_of_ten(value))
    digits = max(digits, 0)
    if math.isclose(high - value, half, rel_tol=1e-6):
        error = f"{half:.{digits}f}"
        return f"{value:.{digits}f} ± {error if float(error) else f'{half:.1g}'}"
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _power_of_ten(value: float) -> int:
    """Give the place of the first of a value's two digits, once it is rounded to them."""
    return int(f"{value:.1e}".partition("e")[2])


def _latex_row(cells: Sequence[str]) -> str:
    written = " & ".join(map(in_latex, cells))
    # What follows the end of a row in brackets, or a star, would belong to that end.
    return ("{}" if written.startswith(("*", "[")) else "") + written + r" \\"
