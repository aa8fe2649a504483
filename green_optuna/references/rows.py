"""Results from elsewhere as the rows of a table, alone and beside trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from green_optuna.references.point import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.references.placing import PlacedReference

Table = tuple[list[str], list[dict[str, Any]]]


def reference_rows(references: Sequence[PlacedReference], objectives: Sequence[str]) -> Table:
    """Give the columns of a table of references, and a row for each.

    Args:
        references: The references.
        objectives: The front's objectives, which have a column each.
    """
    columns = ["name", "basis", *objectives, *_others(references, objectives)]
    return [*columns, "status", "source", "notes"], [_row(one) for one in references]


def joint_rows(
    columns: Sequence[str], trials: Sequence[dict[str, Any]], references: Sequence[PlacedReference]
) -> Table:
    """Give the rows of a table of trials, then those of references, told apart by `kind`.

    Args:
        columns: The columns of the trials.
        trials: A row for each trial.
        references: The references, which have neither a trial's number nor hyperparameters.
    """
    joint = ["kind", "name", *columns, *_others(references, columns), "status", "source", "notes"]
    rows = [{"kind": "trial", **row} for row in trials]
    rows += [{"kind": one.basis, **_row(one)} for one in references]
    return joint, rows


def _others(references: Sequence[PlacedReference], columns: Sequence[str]) -> list[str]:
    """Give the quantities that are known of a reference and are in no column yet."""
    known = {name for one in references for name in one.values}
    return [name for name in QUANTITIES if name in known and name not in columns]


def _row(one: PlacedReference) -> dict[str, Any]:
    return {
        "name": one.name,
        "basis": one.basis,
        **one.values,
        "status": one.status,
        "source": one.source,
        "notes": " ".join(one.notes),
    }
