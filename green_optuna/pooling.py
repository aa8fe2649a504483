"""Trials that repeat another one: the runs of all of them are one sample of that trial.

A repeat is a trial of its own in its study, with the same hyperparameters and an attribute that
says which trial it repeats. What is made of the study's completed trials sees the repeated trial
with the runs of all, as if its function had run so often in it, and the repeats no more.
"""

from __future__ import annotations

import copy
import math
import statistics
from typing import TYPE_CHECKING, Any

from green_optuna.energy import ComponentEnergy
from green_optuna.energy.stored import measurement_from_dict
from green_optuna.intervals import Interval, join_intervals
from green_optuna.record import EACH_RUN, INFERENCE, LOSS_INTERVAL, REPEAT_OF
from green_optuna.runs import RunRecord, runs_from_lists, runs_to_lists
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import optuna
    from optuna.trial import FrozenTrial


def repeated_number(trial: FrozenTrial | optuna.Trial) -> int | None:
    """Give the number of the trial that a trial repeats; None where it repeats none."""
    number = trial.user_attrs.get(REPEAT_OF)
    return number if isinstance(number, int) else None


def first_run(trial: optuna.Trial, runs_each: int) -> int:
    """Give the number that the first run of a repeat has, after the runs of all before it.

    Args:
        trial: The repeat.
        runs_each: How often the function runs in a trial of which nothing is kept.
    """
    root = repeated_number(trial)
    earlier = trial.study.get_trials(deepcopy=False)[: trial.number]
    return sum(
        int(one.user_attrs.get(ATTRIBUTE, {}).get("runs", runs_each))
        for one in earlier
        if one.number == root or repeated_number(one) == root
    )


def pool_repeats(
    trials: tuple[FrozenTrial, ...], objectives: Sequence[str]
) -> tuple[tuple[FrozenTrial, ...], dict[int, tuple[FrozenTrial, ...]]]:
    """Pool the trials that repeat others into these.

    A trial counts as a repeat where the one that it names has completed, both were measured, and
    their hyperparameters are the same; otherwise it stays what it is, a trial.

    Args:
        trials: The completed trials of a study.
        objectives: The names of the study's objectives.

    Returns:
        The trials without repeats, a repeated one being a copy that has the means over all runs,
        and those runs; and the repeats by the number of the trial that they are pooled into.
    """
    named = [trial for trial in trials if REPEAT_OF in trial.user_attrs]
    if not named:
        return trials, {}
    by_number = {trial.number: trial for trial in trials}
    groups: dict[int, tuple[FrozenTrial, ...]] = {}
    for trial in named:
        root = _root(trial, by_number)
        if root is not None:
            groups[root.number] = (*groups.get(root.number, ()), trial)
    pooled = {number for group in groups.values() for number in (one.number for one in group)}
    return tuple(
        _pooled(trial, groups[trial.number], objectives) if trial.number in groups else trial
        for trial in trials
        if trial.number not in pooled
    ), groups


def _root(trial: FrozenTrial, completed: Mapping[int, FrozenTrial]) -> FrozenTrial | None:
    """Give the trial that a repeat is to be pooled into; None where there is none such."""
    root = completed.get(trial.user_attrs[REPEAT_OF])
    # What is named may be a repeat itself; an earlier one, so that the search ends.
    while root is not None and REPEAT_OF in root.user_attrs:
        named = root.user_attrs[REPEAT_OF]
        root = completed.get(named) if isinstance(named, int) and named < root.number else None
    if root is None or root.number >= trial.number or root.params != trial.params:
        return None
    return root if _is_measured(root) and _is_measured(trial) else None


def _is_measured(trial: FrozenTrial) -> bool:
    return "energy_kwh" in trial.user_attrs.get(ATTRIBUTE, {})


def _pooled(
    trial: FrozenTrial, repeats: tuple[FrozenTrial, ...], objectives: Sequence[str]
) -> FrozenTrial:
    """Give a copy of a trial that has the runs of its repeats, too."""
    group = (trial, *repeats)
    kept = _pooled_attribute(group, objectives)
    measurement = measurement_from_dict(kept)
    energy_kwh = None if INFERENCE not in kept else kept[INFERENCE]["energy_kwh"]
    means = {
        "quality_loss": _mean_loss(kept),
        "co2e_kg": measurement.co2e_per_run_kg,
        "energy_kwh": measurement.energy_per_run_kwh,
        "duration_s": measurement.duration_per_run_s,
        "inference_kwh": None if energy_kwh is None else energy_kwh["mean"],
    }
    pooled = copy.copy(trial)
    pooled.user_attrs = {**trial.user_attrs, ATTRIBUTE: kept}
    columns = zip(*(one.values for one in group), strict=True)
    pooled.values = [
        # Exact, so that the mean of equal counts is that count.
        statistics.mean(column) if mean is None else mean
        for column, mean in zip(columns, map(means.get, objectives), strict=True)
    ]
    return pooled


def _pooled_attribute(group: Sequence[FrozenTrial], objectives: Sequence[str]) -> dict[str, Any]:
    """Give what a trial would keep that had all the runs of a group of trials in it.

    Where it was measured is said as the first says it.
    """
    each = [trial.user_attrs[ATTRIBUTE] for trial in group]
    runs = [run for trial in group for run in _runs_of(trial, objectives)]
    energy = sum((ComponentEnergy.from_dict(one["energy_kwh"]) for one in each), ComponentEnergy())
    kept = {
        **each[0],
        "energy_kwh": energy.to_dict(),
        "duration_s": math.fsum(one["duration_s"] for one in each),
        "co2e_kg": math.fsum(one["co2e_kg"] for one in each),
        "shared": any(one["shared"] for one in each),
        "runs": len(runs),
        EACH_RUN: runs_to_lists(runs),
    }
    if all("quality" in one for one in each):
        weighted = (one["quality"] * one.get("runs", 1) for one in each)
        kept["quality"] = math.fsum(weighted) / len(runs)
    # As in a trial: of runs that differ, the runs tell.
    if len({run.quality_loss for run in runs}) > 1:
        kept.pop(LOSS_INTERVAL, None)
    inferences = [one[INFERENCE] for one in each if INFERENCE in one]
    if INFERENCE in kept:
        kept[INFERENCE] = {
            **kept[INFERENCE],
            "energy_kwh": _joined([one["energy_kwh"] for one in inferences]),
            "duration_s": _joined([one["duration_s"] for one in inferences]),
            "n_samples": sum(one["n_samples"] for one in inferences),
        }
    return kept


def _runs_of(trial: FrozenTrial, objectives: Sequence[str]) -> tuple[RunRecord, ...]:
    kept = trial.user_attrs[ATTRIBUTE]
    if EACH_RUN in kept:
        return runs_from_lists(kept[EACH_RUN])
    values = dict(zip(objectives, trial.values, strict=True))
    energy_kwh = ComponentEnergy.from_dict(kept["energy_kwh"]).total_kwh
    return (RunRecord(values.get("quality_loss"), energy_kwh, kept["duration_s"]),)


def _mean_loss(kept: Mapping[str, Any]) -> float | None:
    losses = [loss for loss, _, _ in kept[EACH_RUN] if loss is not None]
    return statistics.mean(losses) if losses else None


def _joined(intervals: Sequence[Mapping[str, Any] | None]) -> dict[str, float] | None:
    known = [Interval(**one) for one in intervals if one is not None]
    return join_intervals(known).to_dict() if known else None
