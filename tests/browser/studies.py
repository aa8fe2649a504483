"""Studies with ready-made measurements, as an objective of ours would have logged them."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import optuna
from tracking.records import GRID, make_measurement

import green_optuna as go
from green_optuna.record import Report
from green_optuna.terms import ATTRIBUTE, DEFAULT_OBJECTIVES, StudyTerms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from green_optuna.record import State
    from green_optuna.tracking import Tracker

NAMES = ("learning_rate", "width", "optimiser")


def log_study(
    name: str,
    *,
    storage: str | None,
    tracker: Tracker,
    states: Sequence[State],
    names: Sequence[str] = NAMES,
    report: bool = True,
) -> tuple[optuna.Study, StudyTerms]:
    """Log a study whose trials end in these states, its front and report; the same each time.

    Args:
        name: The study's name.
        storage: Where Optuna keeps it; in memory where it is None.
        tracker: Who is told.
        states: How its trials end: "complete", "pruned" or "failed".
        names: What its three hyperparameters are named: a rate, a size and a choice.
        report: Whether it is logged with its report.
    """
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = go.create_study(name, storage=storage, sampler=sampler)
    terms = StudyTerms(objectives=DEFAULT_OBJECTIVES, quality_bounds=go.QualityBounds(), grid=GRID)
    study.set_user_attr(ATTRIBUTE, terms.to_dict())
    began_s = time.time() - 60 * len(states)
    for number, state in enumerate(states):
        _log_trial(study, terms, tracker, state, names, started_at=began_s + 60 * number)
    tracker.log_front(go.pareto_front(study))
    if report:
        tracker.log_report(go.pareto_front(study))
    tracker.end_study(name, terms)
    return study, terms


def _log_trial(
    study: optuna.Study,
    terms: StudyTerms,
    tracker: Tracker,
    state: State,
    names: Sequence[str],
    *,
    started_at: float,
) -> None:
    trial = study.ask()
    rate = trial.suggest_float(names[0], 1e-4, 1e-1, log=True)
    width = trial.suggest_int(names[1], 8, 512, log=True)
    trial.suggest_categorical(names[2], ["adam", "sgd"])
    opened = go.TrialRecord(
        study_name=study.study_name, terms=terms, number=trial.number, started_at=started_at
    )
    run_id = tracker.start_trial(opened)
    draw = random.Random(trial.number)
    seconds = range(1, draw.randint(6, 20))
    measurement = make_measurement(seconds, cpu_w=[draw.uniform(40, 60) for _ in seconds])
    quality = 0.6 + 2 * rate + len(seconds) / 100
    reports = tuple(
        Report(t, quality * t / seconds[-1], measurement.energy_kwh * t / seconds[-1], float(t))
        for t in seconds
    )
    values = {"quality_loss": 1 - quality, "co2e_kg": measurement.co2e_kg, "n_params": 64 * width}
    complete = state == "complete"
    record = go.TrialRecord(
        study_name=study.study_name,
        terms=terms,
        number=trial.number,
        started_at=started_at,
        state=state,
        params=trial.params,
        run_ids={} if run_id is None else {tracker.name: run_id},
        measurement=measurement,
        quality=quality if complete else None,
        n_params=64 * width if complete else None,
        objectives=values if complete else {},
        reports=reports,
        error="ValueError: the loss is not finite" if state == "failed" else None,
    )
    trial.set_user_attr(ATTRIBUTE, record.attribute())
    tracker.finish_trial(record)
    ends = {"pruned": optuna.trial.TrialState.PRUNED, "failed": optuna.trial.TrialState.FAIL}
    if complete:
        study.tell(trial, list(values.values()))
    else:
        study.tell(trial, state=ends[state])
