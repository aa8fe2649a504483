"""Texts of others as Markdown and HTML show them: as they are, in one line, and not too long."""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING, Final

from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Protocol

    class Printer(Protocol):
        """What IPython gives an object to show itself with."""

        def text(self, text: str) -> None:
            """Show a text."""


MAX_CELL: Final = 80
"""So many characters of a text stand in a cell of a table."""

MAX_SENTENCE: Final = 600
"""So many characters stand in a paragraph."""

NOT_KNOWN: Final = "not known"
"""What is shown for a value that is missing or NaN: never a zero."""

# Inline, since some viewers of notebooks drop style sheets, and a page holds many outputs. No
# colour is given: those of the page, light or dark, are inherited.
_TABLE: Final = "border-collapse:collapse;margin:6px 0;font-size:90%"
_CELL: Final = "padding:2px 12px 2px 0;max-width:20em;vertical-align:top;text-align:"
_BESIDE: Final = "display:flex;flex-wrap:wrap;gap:0 28px;align-items:flex-start"


def in_markdown(text: str) -> str:
    """Write a text so that Markdown, and the HTML in it, shows it as it is, in one line.

    >>> in_markdown("a | study <b>")
    'a &#124; study &#60;b&#62;'
    """
    return re.sub(
        r"[^\w\s.,:;'()%/=+\N{PLUS-MINUS SIGN}\N{MINUS SIGN}-]|_",
        lambda found: f"&#{ord(found[0])};",
        " ".join(text.split()),
    )


def markdown_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[bool] | None = None,
) -> str:
    """Write a table in Markdown, each cell as it is; without a line break at the end.

    Args:
        headings: One a column.
        rows: As many cells in each.
        right: Which columns stand to the right; none unless given.
    """
    rules = ["---:" if one else "---" for one in right or [False] * len(headings)]
    lines = [" | ".join(map(in_markdown, row)) for row in (headings, *rows)]
    lines.insert(1, "|".join(rules))
    return "\n".join([f"| {line} |" if at != 1 else f"|{line}|" for at, line in enumerate(lines)])


def one_line(text: str) -> str:
    r"""Give a text in one line, what cannot be seen of it as Python writes it.

    >>> one_line("a\tred\x1b[31m name")
    'a red\\x1b[31m name'
    """
    line = " ".join(text.split())
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line
    )


def in_html(text: object, *, most: int = MAX_CELL) -> str:
    """Write a text so that HTML and SVG show it as it is, in one line, and not too much of it.

    Passwords and tokens of URLs are hidden, since notebooks are passed on; characters that cannot
    be shown (control characters, marks that turn the direction of writing) become U+FFFD.

    >>> in_html("<b>" + "x" * 100, most=10)
    '&lt;b&gt;xxxx...'

    Args:
        text: The text, or what has one.
        most: How many characters are kept.
    """
    shown = shortened(shown_text(" ".join(str(text).split())), most)
    return html.escape("".join(c if c.isprintable() else "\ufffd" for c in shown))


def shortened(text: str, most: int) -> str:
    """Give the beginning of a text, with dots where that is not all."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def in_words(value: float | None, shown: str) -> str:
    """Give how a value is shown, or words where it is no finite number."""
    if value is None or math.isnan(value):
        return NOT_KNOWN
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    return shown


def html_heading(text: str) -> str:
    """Write the heading of an output."""
    return f'<div style="font-weight:bold;margin:4px 0">{in_html(text, most=MAX_SENTENCE)}</div>'


def html_paragraph(text: str) -> str:
    """Write some sentences; nothing where there are none."""
    if not text:
        return ""
    return f'<p style="margin:4px 0;max-width:60em">{in_html(text, most=MAX_SENTENCE)}</p>'


def html_table(
    rows: Iterable[Sequence[object]],
    *,
    head: Sequence[str] = (),
    right: Collection[int] = (),
    most: int = MAX_CELL,
) -> str:
    """Write a table, whose first column names the rows; nothing where there are no rows.

    Args:
        rows: The texts of each row, as they are.
        head: The names of the columns; none for a table of names and values.
        right: The columns, counted from 0, that are set to the right, as numbers are.
        most: How many characters of a text are kept.
    """

    def cell(tag: str, column: int, text: object) -> str:
        align = "right" if column in right else "left"
        name, _, _ = tag.partition(" ")
        return f'<{tag} style="{_CELL}{align}">{in_html(text, most=most)}</{name}>'

    lines = []
    for row in rows:
        first, *others = row
        cells = [cell('th scope="row"', 0, first)]
        cells += [cell("td", column, text) for column, text in enumerate(others, 1)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if not lines:
        return ""
    named = "".join(cell('th scope="col"', column, text) for column, text in enumerate(head))
    top = f"<thead><tr>{named}</tr></thead>" if named else ""
    return f'<table style="{_TABLE}">{top}<tbody>{"".join(lines)}</tbody></table>'


def html_beside(*parts: str) -> str:
    """Put parts side by side where there is room, else one below the other; empty ones go."""
    return f'<div style="{_BESIDE}">{"".join(f"<div>{part}</div>" for part in parts if part)}</div>'


def html_output(*parts: str) -> str:
    """Put the parts of one output below one another."""
    return f"<div>{''.join(parts)}</div>"


def pretty(self: object, printer: Printer, cycle: bool) -> None:  # noqa: ARG001 - IPython's
    """Show an object in IPython as it prints; its ``_repr_pretty_``.

    A notebook keeps this text beside the HTML, for viewers that show none: all fields of a front
    would be megabytes.
    """
    printer.text(shown_text(str(self)))
