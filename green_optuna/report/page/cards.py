"""The figures that stand large at the top of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from green_optuna.selection import percent
from green_optuna.units import format_co2e, format_duration, quantity_heading, show_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from green_optuna.report.subject import Subject
    from green_optuna.selection import Selection


# A smaller share is none to speak of.
LEAST_SAVING = 0.005


@dataclass(frozen=True, slots=True)
class Card:
    """A figure that stands large at the top.

    Attributes:
        figure: The figure, scaled for a person.
        words: What it is.
        exact: The same unrounded; empty where it is.
    """

    figure: str
    words: str
    exact: str = ""


def cards_of(subject: Subject) -> list[Card]:
    """Give the choice's quality, cost and saving, and what the search cost, as far as known."""
    candidates, choice = subject.candidates, subject.choice
    cards = [] if choice is None else [*_of_choice(choice)]
    if candidates.ledger.energy_kwh > 0:
        kg = candidates.spent_co2e_kg
        words = "of CO2e for the search as a whole"
        if candidates.repricing is not None:
            words = "of CO2e that the search as a whole would have cost"
        cards.append(Card(format_co2e(kg), words, f"{kg!r} kg"))
    return cards


def _of_choice(choice: Selection) -> Iterator[Card]:
    name, value = "quality", choice.quality
    if value is None:
        name, value = next(iter(choice.objectives.items()))
    words = f"{quantity_heading(name)} of trial {choice.label}, the choice"
    yield Card(show_quantity(name, value), words, repr(value))
    measurement, saving = choice.measurement, choice.saving
    if measurement is not None:
        kg = measurement.co2e_per_run_kg
        lasting = format_duration(measurement.duration_per_run_s)
        words = f"of CO2e for one training of it, in {lasting}"
        if choice.repriced_for is not None:
            words = f"of CO2e that one training of it would take, in {lasting}"
        yield Card(format_co2e(kg), words, f"{kg!r} kg")
    if saving is not None and saving.share is not None and saving.share >= LEAST_SAVING:
        yield Card(
            f"{percent(saving.share)} less",
            f"CO2e than trial {saving.against}, which has the best quality",
            f"{saving.co2e_kg!r} kg",
        )
