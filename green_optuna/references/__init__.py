"""Results from elsewhere, published or estimated, as points to compare a study's front with."""

from green_optuna.references.placing import PlacedReference, place
from green_optuna.references.point import BASES, QUANTITIES, ReferencePoint
from green_optuna.references.rows import joint_rows, reference_rows
from green_optuna.references.table import ReferenceTable, read_references

__all__ = [
    "BASES",
    "QUANTITIES",
    "PlacedReference",
    "ReferencePoint",
    "ReferenceTable",
    "joint_rows",
    "place",
    "read_references",
    "reference_rows",
]
