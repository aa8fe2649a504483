"""Figures and tables of a study for a paper, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_optuna.drawing import COLUMN_IN, KINDS, check_width
from green_optuna.errors import EmptyStudyError, OptionError
from green_optuna.folders import write_atomically
from green_optuna.report.printed.costs import ledger_figures, trace_figures
from green_optuna.report.printed.front import front_figures
from green_optuna.report.printed.search import hypervolume_figures, importance_figures
from green_optuna.report.printed.tables import front_table, ledger_table, rules_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from green_optuna.drawing import PrintFigure
    from green_optuna.report.printed.table import PrintTable
    from green_optuna.report.subject import Subject

FIGURES: Final[tuple[Callable[[Subject], Iterable[PrintFigure]], ...]] = (
    front_figures,
    trace_figures,
    ledger_figures,
    hypervolume_figures,
    importance_figures,
)
"""What makes the figures: each gives those for which a subject has something to show."""

TABLES: Final[tuple[Callable[[Subject], PrintTable | None], ...]] = (
    front_table,
    ledger_table,
    rules_table,
)
"""What makes the tables: each None where a subject has nothing for it."""

FRONT_ENDINGS: Final = (*(f".{kind}" for kind in KINDS), ".md", ".tex")
"""How the name of a file may end that :func:`front_file` gives."""


def print_figures(subject: Subject) -> Iterator[PrintFigure]:
    """Give all figures for print that a subject has something for."""
    for made in FIGURES:
        yield from made(subject)


def front_file(subject: Subject, ending: str) -> str | bytes:
    """Give the front as a figure over its first two objectives, or as a table.

    Args:
        subject: The front.
        ending: One of ``FRONT_ENDINGS``.

    Raises:
        EmptyStudyError: There is no member of the front to draw.
        MissingPackageError: Matplotlib is not installed, and a figure needs it.
    """
    if ending in (".md", ".tex"):
        return _written(front_table(subject), ending)
    figure = next(iter(front_figures(subject)), None)
    if figure is None:
        why = (
            "no member of its front has finite values in both objectives"
            if subject.rows
            else "it has no completed trial that meets its constraints"
        )
        raise EmptyStudyError(
            f"The front of the study {subject.candidates.study_name!r} cannot be drawn: {why}. "
            "Run more trials, or save it as .json or .csv."
        )
    return figure.to_bytes(ending.removeprefix("."))


def save_figures(
    subject: Subject,
    folder: str | Path,
    formats: Iterable[str] = ("svg", "png"),
    *,
    width_in: float = COLUMN_IN,
) -> list[Path]:
    """Write all figures and tables for print into a folder, each file at once or not at all.

    Figures are the front over each pair of objectives (``front-quality_loss-co2e_kg.svg``), the
    power of its members over time (``traces.svg``), what the search spent (``ledger.svg``) and
    bought (``hypervolume.svg``), and which hyperparameters decided what (``importance.svg``), as
    far as there is something to show. Tables (``front``, ``ledger``, ``rules``) are written as
    ``.md`` and ``.tex``.

    Args:
        subject: What they are of.
        folder: Where they go; it is made if need be, and files of these names are replaced.
        formats: Of the figures: some of "png", "svg" and "pdf", or none for the tables alone.
        width_in: How wide the figures are, in inches: 3.4 for one column, 7 for two, say.

    Returns:
        The paths of the files.

    Raises:
        OptionError: A format is unknown, or the width none that could be read.
        MissingPackageError: Matplotlib is not installed, and a figure needs it.
    """
    kinds = (formats,) if isinstance(formats, str) else tuple(dict.fromkeys(formats))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise OptionError(f"formats has {unknown!r}: give some of {', '.join(KINDS)}.")
    width = check_width(width_in)
    target = Path(folder)
    written = []
    for name, content in _files(subject, kinds, width):
        target.mkdir(parents=True, exist_ok=True)
        write_atomically(target / name, content)
        written.append(target / name)
    return written


def _files(
    subject: Subject, kinds: tuple[str, ...], width_in: float
) -> Iterator[tuple[str, str | bytes]]:
    """Give the name and the content of each file."""
    if kinds:
        for figure in print_figures(subject):
            for kind in kinds:
                yield f"{figure.name}.{kind}", figure.to_bytes(kind, width_in)
    for made in TABLES:
        table = made(subject)
        if table is not None:
            for ending in (".md", ".tex"):
                yield f"{table.name}{ending}", _written(table, ending)


def _written(table: PrintTable, ending: str) -> str:
    return table.to_markdown() if ending == ".md" else table.to_latex()
