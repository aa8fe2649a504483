"""The trial that a rule selected from a front, and what is known of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from green_optuna.cards import ModelCard
from green_optuna.checkpoints import checkpoint_of, label_of
from green_optuna.record import inference_of, measurement_of, saved_model_of, trial_intervals
from green_optuna.repricing import describe_grid, repriced_for
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import describe_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import FrozenTrial

    from green_optuna.carbon import Grid
    from green_optuna.energy import Measurement
    from green_optuna.inference import InferenceCost
    from green_optuna.intervals import Interval
    from green_optuna.ledger import Ledger
    from green_optuna.rules import Rule
    from green_optuna.saving import SavedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The trial that a rule selected, and what is known of it.

    Attributes:
        trial: The selected trial.
        rule: The rule that selected it.
        objectives: Its objective values by name, in the study's units.
        study_name: The study it belongs to.
        probability: How probable it is that the trial is on the front, where it was selected with
            ``min_probability=``.
        ledger: What the whole study has spent; None where that is not known.
        study_key: The study's key in the trackers; None where green_optuna has not run in it.
    """

    trial: FrozenTrial
    rule: Rule
    objectives: Mapping[str, float]
    study_name: str
    probability: float | None = None
    ledger: Ledger | None = None
    study_key: str | None = None

    @property
    def number(self) -> int:
        """The trial's number in its study."""
        return self.trial.number

    @property
    def label(self) -> str:
        """What tells it from any other candidate: ``"12"``, or ``"12 step 7"`` of a checkpoint."""
        return label_of(self.trial)

    @property
    def step(self) -> int | None:
        """The step of the trial that was selected; None for the trial as it ended."""
        checkpoint = checkpoint_of(self.trial)
        return None if checkpoint is None else checkpoint.step

    @property
    def checkpoint(self) -> str | None:
        """Where the model of that step was saved, as the user's function said; None likewise."""
        checkpoint = checkpoint_of(self.trial)
        return None if checkpoint is None else checkpoint.path

    @property
    def params(self) -> dict[str, Any]:
        """The trial's hyperparameters."""
        return dict(self.trial.params)

    @property
    def quality(self) -> float | None:
        """The quality that the user's function returned, or None where it was not kept."""
        kept = self.trial.user_attrs.get(ATTRIBUTE, {}).get("quality")
        return None if kept is None else float(kept)

    @property
    def measurement(self) -> Measurement | None:
        """What the trial cost, without its trace, or None where it was not measured.

        Of a checkpoint, what it had cost by then: its components are in the whole's proportions.
        """
        return measurement_of(self.trial)

    @property
    def repriced_for(self) -> Grid | None:
        """The grid that its CO2e was repriced for; None where it is as it was measured."""
        return repriced_for(self.trial)

    @property
    def energy_kwh(self) -> float | None:
        """Energy in kWh, the mean over the trial's runs, or None where it was not measured."""
        measurement = self.measurement
        return None if measurement is None else measurement.energy_per_run_kwh

    @property
    def inference(self) -> InferenceCost | None:
        """What the inference of its model costs, or None where that was not asked for."""
        return inference_of(self.trial)

    @property
    def saved_model(self) -> SavedModel | None:
        """What became of its model, or None where it was not to be saved."""
        return saved_model_of(self.trial)

    @property
    def intervals(self) -> dict[str, Interval | None]:
        """The confidence interval of each objective, by name: of 95 % unless it says otherwise.

        Of the trial's runs, where its function ran several times, or of the quality that it
        returned, where that came with one; of an inference, its own runs'. None for all else.
        """
        return trial_intervals(self.trial, tuple(self.objectives))

    @property
    def run_ids(self) -> dict[str, str]:
        """The trial's run in each tracker, by the tracker's name ("mlflow")."""
        return dict(self.trial.user_attrs.get(ATTRIBUTE, {}).get("run_ids", {}))

    @property
    def mlflow_run_id(self) -> str | None:
        """The trial's MLflow run, or None where MLflow did not track it."""
        return self.run_ids.get("mlflow")

    def card(self, *, training_type: str | None = None) -> ModelCard:
        """Give the energy card of its model: what it is, what it cost, and why it was chosen.

        Args:
            training_type: What Hugging Face's metadata has under that name: "pre-training" or
                "fine-tuning"; left out unless given.
        """
        return ModelCard(
            study_name=self.study_name,
            number=self.number,
            rule=self.rule.name,
            rule_description=self.rule.describe(),
            objectives=self.objectives,
            intervals=self.intervals,
            quality=self.quality,
            params=self.params,
            measurement=self.measurement,
            inference=self.inference,
            ledger=self.ledger,
            run_ids=self.run_ids,
            model=self.saved_model,
            training_type=training_type,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the selection as plain data, ready for JSON; None where no number is finite."""
        measurement, inference = self.measurement, self.inference
        plain: dict[str, Any] = {
            "study": self.study_name,
            "trial": self.number,
            **({} if self.step is None else {"step": self.step, "checkpoint": self.checkpoint}),
            "rule": self.rule.name,
            "rule_description": self.rule.describe(),
            "objectives": dict(self.objectives),
            "intervals": {
                name: None if one is None else one.to_dict() for name, one in self.intervals.items()
            },
            "quality": self.quality,
            "energy_kwh": self.energy_kwh,
            "basis": None if measurement is None else measurement.basis,
            "params": self.params,
            "run_ids": self.run_ids,
        }
        if inference is not None:
            plain["inference"] = inference.to_dict()
        if self.repriced_for is not None:
            plain["repriced_for"] = self.repriced_for.to_dict()
        if self.probability is not None:
            plain["probability"] = self.probability
        return {name: finite_or_none(value) for name, value in plain.items()}

    def __str__(self) -> str:
        """Say which trial was selected, by which rule, and what it scores."""
        scores = ", ".join(
            describe_quantity(name, value) for name, value in self.objectives.items()
        )
        said = f"Trial {self.label} of {self.study_name!r} ({self.rule.describe()}): {scores}."
        grid = self.repriced_for
        return said if grid is None else f"{said} CO2e is repriced for {describe_grid(grid)}."


def finite_or_none(value: Any) -> Any:  # noqa: ANN401 - whatever a hyperparameter may be
    """Put what JSON knows for what it does not, however deep it lies.

    None stands for an infinity or NaN, and its text for what is no plain value, such as an enum.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {name: finite_or_none(inside) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_none(inside) for inside in value]
    if isinstance(value, float):
        # Of a subclass of float, the number itself.
        return float(value) if math.isfinite(value) else None
    return value if value is None or type(value) in (bool, int, str) else str(value)
