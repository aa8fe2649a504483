"""The trial that a rule selected from a front, and what is known of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from green_optuna.cards import ModelCard
from green_optuna.checkpoints import checkpoint_of, label_of, name_of
from green_optuna.errors import OptionError
from green_optuna.markup import pretty
from green_optuna.pareto import dominance
from green_optuna.plain import finite_or_none
from green_optuna.record import (
    inference_of,
    measurement_of,
    run_ids_of,
    saved_model_of,
    trial_intervals,
)
from green_optuna.repricing import describe_grid, repriced_for
from green_optuna.rules import BestQuality
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import describe_quantity, format_co2e
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import FrozenTrial

    from green_optuna.candidates import Candidates
    from green_optuna.carbon import Grid
    from green_optuna.energy import Measurement
    from green_optuna.inference import InferenceCost
    from green_optuna.intervals import Interval
    from green_optuna.rules import Ranking, Rule, Scale
    from green_optuna.saving import SavedModel


@dataclass(frozen=True, slots=True)
class Saving:
    """What a selected trial saves against the one of the best quality.

    Attributes:
        against: The number of the trial of the best quality on the front; of a checkpoint, its
            label.
        co2e_kg: How much less CO2e the selected one cost, in kg; below 0 where it cost more.
        share: The same as a share of what the best one cost; None where that is nothing.
    """

    against: int | str
    co2e_kg: float
    share: float | None

    def __str__(self) -> str:
        """Say it in a clause, in units for a person."""
        share = "" if self.share is None else f" ({percent(abs(self.share))})"
        more = "less" if self.co2e_kg >= 0 else "more"
        amount = f"{format_co2e(abs(self.co2e_kg))} of CO2e{share} {more}"
        return f"{amount} than trial {self.against}, which has the best quality"


def percent(share: float) -> str:
    """Show a share of less than 1 as less than 100 %."""
    return "over 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The trial that a rule selected, why, and what is known of it.

    Attributes:
        trial: The selected trial.
        rule: The rule that selected it, with all that it left open filled in.
        objectives: Its objective values by name, in the study's units.
        study_name: The study it belongs to.
        ranking: What the rule made of the front's members, in their order.
        candidates: All completed trials of the study.
        front: The front's rows of ``candidates``, in the order of the trials' numbers.
        rows: Those that it was chosen from: all of them, or those that are probable enough.
        probability: How probable it is that the trial is on the front, where it was selected with
            ``min_probability=``.
        min_probability: The least probability that was asked for.
    """

    trial: FrozenTrial
    rule: Rule
    objectives: Mapping[str, float]
    study_name: str
    ranking: Ranking = field(repr=False, compare=False)
    candidates: Candidates = field(repr=False, compare=False)
    front: tuple[int, ...] = field(repr=False, compare=False)
    rows: tuple[int, ...] = field(repr=False, compare=False)
    probability: float | None = None
    min_probability: float | None = None

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
    def co2e_kg(self) -> float | None:
        """CO2e in kg, the mean over the trial's runs, or None where nobody knows."""
        return self._co2e_kg(self.row)

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
        return run_ids_of(self.trial)

    @property
    def mlflow_run_id(self) -> str | None:
        """The trial's MLflow run, or None where MLflow did not track it."""
        return self.run_ids.get("mlflow")

    def card(self, *, training_type: str | None = None) -> ModelCard:
        """Give the energy card of its model: what it is, what it cost, and why it was chosen.

        Args:
            training_type: What Hugging Face's metadata has under that name: "pre-training" or
                "fine-tuning"; left out unless given.

        Raises:
            OptionError: Its CO2e is that of another grid: a card says what was emitted.
        """
        if self.repriced_for is not None:
            raise OptionError(
                f"The CO2e of trial {self.label} is repriced for "
                f"{describe_grid(self.repriced_for)}, where it did not run, and a card says what "
                "was emitted: select it from pareto_front(study) without grid=."
            )
        return ModelCard(
            study_name=self.study_name,
            trial=self.label,
            rule=self.rule.name,
            rule_description=self.rule.describe(),
            objectives=self.objectives,
            intervals=self.intervals,
            quality=self.quality,
            params=self.params,
            measurement=self.measurement,
            inference=self.inference,
            ledger=self.candidates.ledger,
            run_ids=self.run_ids,
            model=self.saved_model,
            training_type=training_type,
        )

    @property
    def study_key(self) -> str | None:
        """The study's key in the trackers, or None where green_optuna has not run in it."""
        return self.candidates.study_key

    @property
    def scale(self) -> Scale | None:
        """The scale of the axes ("linear", "log" or "rank") where the rule normalised them."""
        return self.ranking.scale

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """What the rule put at 0 and at 1 of each axis that it normalised, in the data's units."""
        return dict(self.ranking.bounds)

    @property
    def runner_up(self) -> int | str | None:
        """The number of the trial that comes next by the rule, under the same limits.

        Of a checkpoint, its label. None where no other trial of the front meets them.
        """
        place = self.ranking.runner_up
        return None if place is None else self._name(place)

    @property
    def margin(self) -> float | None:
        """By how much the runner-up is behind, in the rule's own figure; None without one."""
        return self.ranking.margin

    @property
    def saving(self) -> Saving | None:
        """What it saves against the front's trial of the best quality.

        None where the front has no quality, or it is not known what both cost.
        """
        best = self._best
        if best is None:
            return None
        cost, least = self._co2e_kg(best), self.co2e_kg
        if cost is None or least is None:
            return None
        saved_kg = cost - least
        name = name_of(self.candidates.trials[best])
        return Saving(name, saved_kg, saved_kg / cost if cost > 0 else None)

    @property
    def row(self) -> int:
        """Its row of the candidates."""
        return self.rows[self.ranking.chosen]

    @property
    def _best(self) -> int | None:
        """The row of the front's trial of the best quality; None where there is no quality."""
        names = self.candidates.objectives
        if "quality_loss" not in names:
            return None
        return self.front[BestQuality().choose(self.candidates.losses[list(self.front)], names)]

    def why_not(self, name: int | str) -> str:
        """Say in one clause why another trial was not selected.

        Args:
            name: The number of a completed trial of the study, on the front or not, or the label
                of a checkpoint.

        Raises:
            OptionError: It is the selected trial, or none that has completed.
        """
        label = str(name)
        if label == self.label:
            raise OptionError(f"trial {label} is the one that was selected")
        for row, trial in enumerate(self.candidates.trials):
            if label_of(trial) == label:
                return self._why_not(row)
        for number, repeats in self.candidates.repeats.items():
            if any(str(one.number) == label for one in repeats):
                return f"it repeats trial {number}, whose runs it is pooled with"
        raise OptionError(
            f"{self.study_name!r} has no trial {label} that has completed, or saved such a step"
        )

    def why_not_others(self) -> dict[int | str, str]:
        """Say of each other member of the front, by its number, why it was not selected."""
        others = (place for place in range(len(self.rows)) if place != self.ranking.chosen)
        return {self._name(place): self.ranking.why_not(place) for place in others}

    def _why_not(self, row: int) -> str:
        if row in self.rows:
            return self.ranking.why_not(self.rows.index(row))
        if not self.candidates.feasible[row]:
            return "it violates a constraint of the study"
        front = list(self.front)
        better = dominance(self.candidates.losses[front], self.candidates.losses[[row]])[:, 0]
        if better.any():
            name = name_of(self.candidates.trials[front[int(better.argmax())]])
            return f"dominated by trial {name}"
        # Only where it was chosen from a part of the front.
        return f"not on the front with a probability of {self.min_probability:g} or more"

    def _name(self, place: int) -> int | str:
        """Give the number, or a checkpoint's label, by the place among those chosen from."""
        return name_of(self.candidates.trials[self.rows[place]])

    def _co2e_kg(self, row: int) -> float | None:
        """Give what a run of a candidate cost, in kg, or None where nobody knows."""
        names = self.candidates.objectives
        if "co2e_kg" in names:
            co2e_kg = float(self.candidates.losses[row, names.index("co2e_kg")])
            return co2e_kg if math.isfinite(co2e_kg) else None
        measurement = measurement_of(self.candidates.trials[row])
        return None if measurement is None else measurement.co2e_per_run_kg

    def to_dict(self) -> dict[str, Any]:
        """Give the selection as plain data, ready for JSON; None where no number is finite."""
        measurement, inference, saving = self.measurement, self.inference, self.saving
        rule, ranking = self.rule.to_dict(), self.ranking
        plain: dict[str, Any] = {
            "study": self.study_name,
            "trial": self.number,
            **({} if self.step is None else {"step": self.step, "checkpoint": self.checkpoint}),
            "rule": rule["name"],
            "rule_arguments": rule["arguments"],
            "rule_description": self.rule.describe(),
            "scale": self.scale,
            "bounds": self.bounds,
            "figure": {
                "name": ranking.figure_name,
                "value": float(ranking.figure[ranking.chosen]),
            },
            "n_front": len(self.front),
            "runner_up": self.runner_up,
            "margin": self.margin,
            "saving": None if saving is None else asdict(saving),
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
        if self.min_probability is not None:
            plain["min_probability"] = self.min_probability
            plain["probability"] = self.probability
        return {name: finite_or_none(value) for name, value in plain.items()}

    def __str__(self) -> str:
        """Say in sentences which trial was selected, by which rule, what it scores and saves."""
        scores = ", ".join(
            describe_quantity(name, value) for name, value in self.objectives.items()
        )
        study = shown_text(self.study_name)
        said = [
            f"Trial {self.label} of {study!r} ({self.describe_rule()}): {scores}",
            *self._saving_in_words(),
            self.describe_runner_up(),
        ]
        if self.repriced_for is not None:
            said.append(f"CO2e is repriced for {describe_grid(self.repriced_for)}")
        return " ".join(f"{sentence}." for sentence in said)

    def _repr_html_(self) -> str:
        """Show it in a notebook: what it is, why it was selected, where it lies on the front."""
        said = (self.describe_rule(), *self._saving_in_words(), self.describe_runner_up())
        from green_optuna.displays import selection_html

        return selection_html(
            self.candidates, self.front, self.row, said=said, intervals=self.intervals
        )

    _repr_pretty_ = pretty

    def describe_rule(self) -> str:
        """Say in one clause what the rule chooses, and of which trials."""
        said = self.rule.describe()
        return said if self.min_probability is None else f"{said}, of those {self._where}"

    @property
    def _where(self) -> str:
        if self.min_probability is None:
            return "on the front"
        return f"on the front with a probability of {self.min_probability:g} or more"

    def describe_runner_up(self) -> str:
        """Say in one clause which trial comes next, and by how much it is behind."""
        place, n = self.ranking.runner_up, len(self.rows)
        where = self._where
        if place is not None:
            why = self.ranking.why_not(place)
            return f"Of {n} {where}, trial {self._name(place)} is next: {why}"
        if n > 1:
            return f"Of {n} {where}, no other is within the rule's limits"
        return f"It is alone {where}"

    def _saving_in_words(self) -> list[str]:
        saving = self.saving
        if saving is None:
            return []
        best, column = self._best, self.candidates.objectives.index("quality_loss")
        losses = self.candidates.losses[:, column]
        if best is not None and losses[self.row] <= losses[best]:
            return ["It has the best quality"]
        took = "took" if self.repriced_for is None else "would have taken"
        return [f"It {took} {saving}"]
