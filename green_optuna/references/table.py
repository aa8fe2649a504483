"""Results from elsewhere read from a table: a CSV file, a data frame, or rows."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from green_optuna.errors import OptionError
from green_optuna.references.point import QUANTITIES, ReferencePoint, listed, meant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

ReferenceTable: TypeAlias = Union[
    str, os.PathLike[str], "pd.DataFrame", Iterable[Mapping[str, object] | ReferencePoint]
]
"""The path of a CSV file, a data frame, or one mapping or point a result."""

_LABELS = ("name", "basis", "source")

# Where a row stands, for an error; and its cells by column, or the point that it is already.
_Row: TypeAlias = tuple[str, Mapping[str, object] | ReferencePoint]


def read_references(table: ReferenceTable) -> tuple[ReferencePoint, ...]:
    """Read results from elsewhere, to compare a study's front with.

    The columns are `name`, at least one of `QUANTITIES` (``quality``, ``co2e_kg``, ``energy_kwh``,
    ``n_params`` ...), and, where they are there, ``basis`` ("published" unless it says
    "estimated") and ``source``. An empty cell, None, or NaN in a data frame means "not known".
    Other columns are ignored, except one whose name is nearly that of a column that counts: it is
    refused, since a slip would lose its figures in silence.

    Args:
        table: The path of a CSV file (UTF-8, cells parted by commas), a pandas data frame, or a
            mapping or `ReferencePoint` for each result, such as the dict of an `Estimate` with a
            name.

    Raises:
        OptionError: The file cannot be read, a column is missing or misspelt, a cell cannot be
            used, or two results have the same name.
    """
    points: dict[str, ReferencePoint] = {}
    for where, row in _rows(table):
        point = row if isinstance(row, ReferencePoint) else _point(row, where)
        if point.name in points:
            raise OptionError(
                f"{where}: the name {point.name!r} is there twice; give each reference its own."
            )
        points[point.name] = point
    return tuple(points.values())


def _rows(table: ReferenceTable) -> Iterator[_Row]:
    """Give the rows of a table, its columns checked."""
    if isinstance(table, str | os.PathLike):
        yield from _csv_rows(Path(table))
        return
    pandas = sys.modules.get("pandas")  # nobody can have made a data frame without it
    if pandas is not None and isinstance(table, pandas.DataFrame):
        columns = [str(column) for column in table.columns]
        _check_columns(columns, "references")
        plain = table.astype(object).where(table.notna(), None)
        for number, cells in enumerate(plain.itertuples(index=False, name=None)):
            yield f"references.iloc[{number}]", dict(zip(columns, cells, strict=True))
        return
    if isinstance(table, Mapping | ReferencePoint) or not isinstance(table, Iterable):
        raise OptionError(
            f"references is {table!r} (of type {type(table).__name__}): give the path of a CSV "
            "file, a pandas.DataFrame, or a list of dicts or of ReferencePoints."
        )
    for number, row in enumerate(table):
        where = f"references[{number}]"
        if isinstance(row, Mapping):
            _check_columns([str(column) for column in row], where)
        elif not isinstance(row, ReferencePoint):
            raise OptionError(
                f"{where} is {row!r} (of type {type(row).__name__}): give a dict or a "
                "ReferencePoint for each result."
            )
        yield where, row


def _csv_rows(path: Path) -> Iterator[_Row]:
    """Give the rows of a CSV file."""
    try:
        # A byte order mark, which spreadsheets write, is no part of the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next((row for row in reader if any(cell.strip() for cell in row)), [])
            columns = [column.strip() for column in header]
            _check_columns(columns, repr(str(path)), "Part the cells of a CSV file by commas.")
            any_row = False
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue  # a spreadsheet writes rows that nobody has filled in
                any_row = True
                where = f"{str(path)!r}, line {reader.line_num}"
                if len(cells) > len(columns):
                    raise OptionError(
                        f"{where}: there are {len(cells)} cells for {len(columns)} columns; put "
                        "cells that hold a comma into double quotes."
                    )
                yield where, dict(zip(columns, cells, strict=False))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OptionError(
            f"Cannot read {str(path)!r} ({reason}): give the path of a CSV file."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise OptionError(
            f"{str(path)!r} is no CSV file in UTF-8 ({error}): save the table as one."
        ) from error
    if not any_row:
        raise OptionError(f"{str(path)!r} has columns and no rows: give a row for each result.")


def _check_columns(columns: Sequence[str], where: str, hint: str = "") -> None:
    """Hold that a table has what it must have, and no column that looks like a slip."""
    known = (*_LABELS, *QUANTITIES)
    for column in columns:
        is_end = column.endswith(("_low", "_high"))  # of an interval, as a front's table has them
        near = None if column in known or is_end else meant(column, known)
        if near is not None:
            raise OptionError(
                f"{where}: the column {column!r} is unknown; did you mean {near!r}? Rename it, or "
                f"leave it out. Known are {listed(known)}."
            )
        if column in known and columns.count(column) > 1:
            raise OptionError(f"{where}: the column {column!r} is there twice; leave one out.")
    shown = listed(map(repr, columns)) or "none"
    if "name" not in columns:
        more = f" {hint}" if hint and len(columns) == 1 else ""
        raise OptionError(f"{where} has no column 'name', but {shown}: add it.{more}")
    if not set(columns) & set(QUANTITIES):
        raise OptionError(
            f"{where} has no column that could be compared, but {shown}: add one at least of "
            f"{listed(QUANTITIES)}."
        )


def _point(row: Mapping[str, Any], where: str) -> ReferencePoint:
    """Make a point of a row, whose empty cells are left out."""
    filled = {}
    for column in (*_LABELS, *QUANTITIES):
        cell = row.get(column)
        if cell is not None and not (isinstance(cell, str) and not cell.strip()):
            filled[column] = cell
    labels = {column: filled.pop(column) for column in _LABELS if column in filled}
    try:
        return ReferencePoint(**{"name": "", **labels}, values=filled)
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from None
