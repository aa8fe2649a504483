"""Reported steps whose model was saved, as candidates of their own beside the trials.

Every saved step is a real model with a measured cost: the loss at the step, and what the trial had
used by then, as of a reading at that moment, or at most 0.1 s before it where a counter gives none
so soon. It may be a better choice than what the training ended with.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from green_optuna.carbon import Grid
from green_optuna.energy import ComponentEnergy
from green_optuna.errors import OptionError
from green_optuna.record import (
    EACH_RUN,
    FORECAST,
    INFERENCE,
    LOSS_INTERVAL,
    REPORTS_ATTRIBUTE,
    reports_from_rows,
)
from green_optuna.terms import ATTRIBUTE, CAP_CONSTRAINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.record import Report
    from green_optuna.terms import StudyTerms

# What a network has from its first step on: it changes with the architecture, not with training.
UNCHANGING = ("n_params", "flops", "peak_memory_bytes")

# Under this name stands which step it is, in the dict that is kept of a trial.
CHECKPOINT = "checkpoint"

# What is kept of a whole trial and says nothing of one of its steps.
_OF_THE_WHOLE = (EACH_RUN, FORECAST, INFERENCE, LOSS_INTERVAL, "overhead_kwh")

NO_QUALITY = "no quality at the step"
NO_ENERGY = "no energy seen by the step"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A reported step whose model was saved.

    Attributes:
        step: The step, such as an epoch.
        path: Where the user's function saved the model, as it says.
    """

    step: int
    path: str


def checkpoint_of(trial: FrozenTrial) -> Checkpoint | None:
    """Give which checkpoint of a trial a candidate is; None where it is the trial as it ended."""
    kept = trial.user_attrs.get(ATTRIBUTE, {}).get(CHECKPOINT)
    return None if kept is None else Checkpoint(**kept)


def name_of(trial: FrozenTrial) -> int | str:
    """Name a candidate so that no other one is meant: 12, or ``"12 step 7"`` of a checkpoint."""
    checkpoint = checkpoint_of(trial)
    return trial.number if checkpoint is None else f"{trial.number} step {checkpoint.step}"


def label_of(trial: FrozenTrial) -> str:
    """Name a candidate in words: ``"12"``, or ``"12 step 7"`` of a checkpoint."""
    return str(name_of(trial))


def checkpoints_of(
    trials: Iterable[FrozenTrial], terms: StudyTerms
) -> tuple[list[FrozenTrial], list[bool], Counter[str]]:
    """Make a candidate of each saved step of the trials that completed or were pruned.

    A pruned trial's checkpoints count: they were trained and measured like any other, and only
    the training beyond them was given up. A failed trial's do not: nobody knows what went wrong.

    Args:
        trials: The trials of one study, in the order of their numbers.
        terms: The study's terms.

    Returns:
        Copies of the trials, one a checkpoint and in the order of the steps, with the
        objectives, quality, energy and duration at the step, NaN where an objective is not known;
        whether each meets its trial's constraints; and how many saved steps are no candidates, by
        why.
    """
    found: list[FrozenTrial] = []
    feasible: list[bool] = []
    left_out: Counter[str] = Counter()
    for trial in trials:
        rows = trial.user_attrs.get(REPORTS_ATTRIBUTE, ())
        if trial.state not in (TrialState.COMPLETE, TrialState.PRUNED) or not rows:
            continue
        saved = [one for one in reports_from_rows(rows) if one.checkpoint is not None]
        whys = [_why_not(trial, report) for report in saved]
        left_out.update(why for why in whys if why is not None)
        usable = [report for report, why in zip(saved, whys, strict=True) if why is None]
        for candidate in _candidates(trial, usable, terms) if usable else ():
            found.append(candidate)
            feasible.append(_is_feasible(trial, candidate))
    return found, feasible, left_out


def each_once(candidates: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Leave out all checkpoints of a trial but one, or all, where it is there as it ended too."""
    ended = [trial for trial in candidates if checkpoint_of(trial) is None]
    if len(ended) == len(candidates):
        return ended
    numbers = {trial.number for trial in ended}
    pruned = {trial.number: trial for trial in candidates if trial.number not in numbers}
    return [*ended, *pruned.values()]


def check_known_at_steps(objectives: Sequence[str], study_name: str) -> None:
    """Hold that objectives can be told of a step in the middle of a training.

    Raises:
        OptionError: One is measured at the end of a trial only.
    """
    if "inference_kwh" in objectives:
        others = tuple(name for name in objectives if name != "inference_kwh")
        raise OptionError(
            f"checkpoints=True with the objective 'inference_kwh' of the study {study_name!r}: the "
            "energy of inference is measured of the model that a trial ends with, and of no "
            f"checkpoint. Draw the front without it, over objectives={others!r}, say."
        )


def describe_checkpoints(n_checkpoints: int, left_out: Mapping[str, int]) -> str | None:
    """Say in a sentence which saved steps are no candidates; None where all are."""
    if left_out:
        whys = ", ".join(f"{why} ({count})" for why, count in left_out.items())
        total = sum(left_out.values())
        are = "checkpoint is no candidate" if total == 1 else "checkpoints are no candidates"
        return f"{total} {are}: {whys}."
    if not n_checkpoints:
        return (
            "No report says where its model was saved, so there is no checkpoint to choose: "
            "trial.report(quality, step, checkpoint=path)."
        )
    return None


def _why_not(trial: FrozenTrial, report: Report) -> str | None:
    """Say why a saved step is no candidate; None where it is one."""
    if math.isnan(report.quality):
        return NO_QUALITY
    energy_kwh = trial.user_attrs.get(ATTRIBUTE, {}).get("energy_kwh")
    # No work is free: a step that ends before the meter's first reading would be on every front.
    if energy_kwh is None or sum(energy_kwh.values()) <= 0 or report.energy_kwh <= 0:
        return NO_ENERGY
    return None


def _candidates(
    trial: FrozenTrial, reports: Sequence[Report], terms: StudyTerms
) -> Iterator[FrozenTrial]:
    """Give a copy of a trial as it was at each of some steps."""
    kept: Mapping[str, Any] = trial.user_attrs[ATTRIBUTE]
    of_each_step = {name: value for name, value in kept.items() if name not in _OF_THE_WHOLE}
    unchanging, grid = _unchanging(trial, terms.objectives), Grid.from_dict(kept["grid"])
    whole = ComponentEnergy.from_dict(kept["energy_kwh"])
    for report in sorted(reports, key=lambda one: one.step):
        # Reports keep the sum: its components are in the proportions of the whole trial.
        energy = whole.scaled(report.energy_kwh / whole.total_kwh)
        costs = {
            "co2e_kg": grid.co2e_kg(energy.total_kwh),
            "energy_kwh": energy.total_kwh,
            "duration_s": report.t_s,
        }
        loss = terms.quality_bounds.loss(report.quality)
        known = {"quality_loss": loss, **costs, **unchanging}
        candidate = copy.copy(trial)
        candidate.values = [known.get(name, math.nan) for name in terms.objectives]
        candidate.user_attrs = {
            **trial.user_attrs,
            ATTRIBUTE: {
                **of_each_step,
                **costs,
                "energy_kwh": energy.to_dict(),
                "quality": report.quality,
                "runs": 1,  # only the first run reports
                CHECKPOINT: {"step": report.step, "path": report.checkpoint},
            },
        }
        yield candidate


def _unchanging(trial: FrozenTrial, objectives: Sequence[str]) -> dict[str, float]:
    """Give what is the same at each step of a trial, as far as it is known."""
    if trial.state == TrialState.COMPLETE:
        values = zip(objectives, trial.values, strict=True)
        return {name: value for name, value in values if name in UNCHANGING}
    n_params = trial.user_attrs[ATTRIBUTE].get("n_params")
    return {} if n_params is None else {"n_params": n_params}


def _is_feasible(trial: FrozenTrial, candidate: FrozenTrial) -> bool:
    """Tell whether a checkpoint meets its trial's constraints.

    A cap on CO2e or time was exceeded by the whole trial, and perhaps not yet by the step.
    """
    constraints = trial.constraints
    if not constraints:
        return True
    whole, part = (one.user_attrs[ATTRIBUTE] for one in (trial, candidate))
    for name in ("co2e_kg", "duration_s"):
        key = f"{CAP_CONSTRAINT}{name}"
        if key in constraints:
            constraints[key] -= whole[name] / whole.get("runs", 1) - part[name]
    return all(excess <= 0 for excess in constraints.values())
