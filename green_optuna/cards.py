"""The energy card of a chosen model: what it is, what it cost, and why it was chosen.

The same card as tags and a description for a model registry, and as a README whose front matter
is the metadata that Hugging Face's model cards have for emissions
(https://huggingface.co/docs/hub/model-cards-co2).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.errors import OptionError
from green_optuna.folders import write_atomically
from green_optuna.ledger import show_trainings
from green_optuna.markup import in_markdown, markdown_table
from green_optuna.units import (
    format_co2e,
    format_duration,
    format_energy,
    quantity_heading,
    show_quantity,
)
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from green_optuna.energy import Measurement
    from green_optuna.inference import InferenceCost
    from green_optuna.intervals import Interval
    from green_optuna.ledger import Ledger
    from green_optuna.saving import SavedModel

# What Hugging Face's field knows, in grams.
_GRAMS_PER_KG = 1000.0

# MLflow takes 5000 characters for the description of a model's version, on most databases.
MAX_DESCRIPTION = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a chosen model is, what it cost, and why it was chosen.

    Made by ``front.select(...).card()``.

    Attributes:
        study_name: The study.
        trial: The trial's number in it, with the step of a checkpoint: "12", or "12 step 7".
        rule: The name of the rule that chose it.
        rule_description: What the rule chooses, in a clause.
        objectives: The trial's objective values by name, in the study's units.
        intervals: Their confidence intervals, None where nothing tells of one.
        quality: The quality that the user's function returned; None where it was not kept.
        params: The trial's hyperparameters.
        measurement: What one trial cost; None where it was not measured.
        inference: What the model's inference costs; None where that was not asked for.
        ledger: What the whole search cost; None where that is not known.
        run_ids: The trial's run in each tracker, by the tracker's name.
        model: What was saved of the model; None where nothing was to be.
        training_type: What Hugging Face asks for: "pre-training" or "fine-tuning"; None where
            nobody said.
    """

    study_name: str
    trial: str
    rule: str
    rule_description: str
    objectives: Mapping[str, float]
    intervals: Mapping[str, Interval | None]
    quality: float | None
    params: Mapping[str, Any]
    measurement: Measurement | None
    inference: InferenceCost | None
    ledger: Ledger | None
    run_ids: Mapping[str, str]
    model: SavedModel | None = None
    training_type: str | None = None

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions of Python and the packages that made the model, where it was saved."""
        return {} if self.model is None else self.model.versions

    @property
    def hardware(self) -> str | None:
        """What the machine is that trained it; None where that was not kept."""
        return ", ".join(self.model.hardware) if self.model and self.model.hardware else None

    @property
    def location(self) -> str | None:
        """The region and the country whose electricity it was; None for an intensity alone."""
        grid = None if self.measurement is None else self.measurement.grid
        places = () if grid is None else (grid.region, grid.country)
        return ", ".join(place for place in places if place) or None

    def tags(self) -> dict[str, str]:
        """Give the card as tags for a registry, in the units that the names carry.

        Of a trial whose function ran several times, or that was repeated, figures are means over
        the ``runs``.
        """
        known: dict[str, object] = {
            "study": self.study_name,
            "trial": self.trial,
            "rule": self.rule,
            "rule_description": self.rule_description,
            "quality": self.quality,
            **self.objectives,
            "params": json.dumps({**self.params}, default=str),
            "hardware": self.hardware,
        }
        measurement, ledger = self.measurement, self.ledger
        if measurement is not None:
            known |= {
                "energy_kwh": measurement.energy_per_run_kwh,
                "co2e_kg": measurement.co2e_per_run_kg,
                "duration_s": measurement.duration_per_run_s,
                "runs": measurement.runs,
                "basis": measurement.basis,
                "sources": "; ".join(
                    f"{name}: {source.name}" for name, source in measurement.sources.items()
                ),
                "fingerprint": measurement.fingerprint,
                "carbon_intensity_g_per_kwh": measurement.grid.carbon_intensity_g_per_kwh,
                "carbon_intensity_source": measurement.grid.source,
                "location": self.location,
                "pue": measurement.grid.pue,
            }
        if self.inference is not None:
            known |= {**self.inference.values, "inference": self.inference.called}
        if ledger is not None:
            known |= {"search_energy_kwh": ledger.energy_kwh, "search_co2e_kg": ledger.co2e_kg}
        known |= {f"{name}_run": run_id for name, run_id in self.run_ids.items()}
        known |= {f"version.{name}": version for name, version in self.versions.items()}
        return {
            f"green_optuna.{name}": shown_text(str(value))
            for name, value in known.items()
            if value is not None
        }

    def describe(self) -> str:
        """Say all of it in Markdown, for the description of a registered model."""
        return "\n\n".join(self._sections())[:MAX_DESCRIPTION]

    def metadata(self) -> dict[str, Any]:
        """Give Hugging Face's metadata: ``co2_eq_emissions`` of one training, in grams.

        Empty where the trial was not measured.
        """
        measurement = self.measurement
        if measurement is None or not math.isfinite(measurement.co2e_per_run_kg):
            return {}
        field: dict[str, object] = {
            "emissions": measurement.co2e_per_run_kg * _GRAMS_PER_KG,
            "source": self._source(measurement),
            "training_type": self.training_type,
            "geographical_location": self.location,
            "hardware_used": self.hardware,
        }
        given = {name: value for name, value in field.items() if value is not None}
        return {
            "co2_eq_emissions": {
                name: shown_text(value) if isinstance(value, str) else value
                for name, value in given.items()
            }
        }

    def to_markdown(self) -> str:
        """Write the card as a README: YAML front matter as Hugging Face reads it, then the text."""
        import yaml

        metadata = self.metadata()
        # In ASCII, for a loader takes U+0085 and its like for ends of lines.
        front = yaml.safe_dump(metadata, sort_keys=False) if metadata else ""
        title = f"# Trial {self.trial} of {_shown(self.study_name)}"
        return f"---\n{front}---\n\n" + "\n\n".join([title, *self._sections()]) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the card to a file, at once or not at all; what is there is replaced.

        Args:
            path: Ends in ``.md``.

        Returns:
            The path of the file.

        Raises:
            OptionError: It ends otherwise, or cannot be written.
        """
        target = Path(path)
        if target.suffix.lower() != ".md":
            raise OptionError(f"Cannot write the card {str(path)!r}: its name must end in .md.")
        try:
            write_atomically(target, self.to_markdown())
        except OSError as error:
            raise OptionError(f"Cannot write the card {str(path)!r}: {error}.") from error
        return target

    def _source(self, measurement: Measurement) -> str:
        version = self.versions.get("green_optuna")
        name = "green_optuna" if version is None else f"green_optuna {version}"
        meter = self.versions.get("codecarbon")
        name += "" if meter is None else f" with CodeCarbon {meter}"
        grid = measurement.grid
        return (
            f"{name}: energy {measurement.basis}, "
            f"{grid.carbon_intensity_g_per_kwh:g} g/kWh ({grid.source}), PUE {grid.pue:g}"
        )

    def _sections(self) -> Iterator[str]:
        """Write the text, a paragraph or a table at a time."""
        yield (
            f"Chosen from the Pareto front of the study {_shown(self.study_name)}: "
            f"{_shown(self.rule_description)}."
        )
        yield _table("", "", self._figures())
        if self.measurement is not None:
            yield self._how_measured(self.measurement)
        if self.ledger is not None:
            yield self._search(self.ledger)
        if self.params:
            yield _table("hyperparameter", "value", ((k, str(v)) for k, v in self.params.items()))
        if self.versions:
            made = ", ".join(f"{name} {version}" for name, version in self.versions.items())
            yield f"Made with {_shown(made)}."
        runs = ", ".join(f"{name} {run_id}" for name, run_id in self.run_ids.items())
        if runs:
            yield f"Its run, with its energy trace: {_shown(runs)}."

    def _figures(self) -> Iterator[tuple[str, str]]:
        if self.quality is not None:
            yield "quality", show_quantity("quality", self.quality)
        for name, value in self.objectives.items():
            one = self.intervals.get(name)
            ends = ""
            if one is not None:
                low, high = (show_quantity(name, end) for end in (one.low, one.high))
                ends = f" ({low} to {high})"
            yield quantity_heading(name), show_quantity(name, value) + ends
        measurement = self.measurement
        if measurement is not None:
            spent = {
                "co2e_kg": format_co2e(measurement.co2e_per_run_kg),
                "energy_kwh": format_energy(measurement.energy_per_run_kwh),
                "duration_s": format_duration(measurement.duration_per_run_s),
            }
            for name, shown in spent.items():
                if name not in self.objectives:
                    yield quantity_heading(name), shown
        if self.inference is not None:
            for name, value in self.inference.values.items():
                if name not in self.objectives:
                    yield quantity_heading(name), show_quantity(name, value)
            yield "inference", self.inference.called

    def _how_measured(self, measurement: Measurement) -> str:
        grid = measurement.grid
        sources = "; ".join(f"{name}: {one.name}" for name, one in measurement.sources.items())
        place = f" in {self.location}" if self.location else ""
        hardware = f" Trained on {self.hardware}." if self.hardware else ""
        runs = ""
        if measurement.runs > 1:
            runs = (
                f" Figures are means over {measurement.runs} runs of the training; the model is "
                "that of one of them."
            )
        return _shown(
            f"Energy of one training{place}, {measurement.basis} ({sources}). CO2e: "
            f"{grid.carbon_intensity_g_per_kwh:g} g/kWh ({grid.source}), PUE {grid.pue:g}."
            f"{hardware}{runs}"
        )

    def _search(self, ledger: Ledger) -> str:
        said = (
            f"The whole search cost {format_co2e(ledger.co2e_kg)} of CO2e "
            f"({format_energy(ledger.energy_kwh)}), over {ledger.n_trials} trials"
        )
        trainings = ledger.against(self.measurement)
        said += "." if trainings is None else f": {show_trainings(trainings)} of this model."
        return _shown(said)


def _shown(text: str) -> str:
    return in_markdown(shown_text(text))


def _table(left: str, right: str, rows: Iterator[tuple[str, str]]) -> str:
    return markdown_table((left, right), ([shown_text(cell) for cell in row] for row in rows))
