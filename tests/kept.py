"""Trials as a study keeps them, made up: nothing is run for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna.energy import ComponentEnergy, Source
from green_optuna.record import REPORTS_ATTRIBUTE, TrialRecord, thin_reports
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.runs import RunRecord

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
NAMES = ("quality_loss", "co2e_kg", "n_params")


def made_measurement(
    energy_kwh: float, *, grid: go.Grid = GRID, runs: int = 1, host: str = "here"
) -> go.Measurement:
    """What a trial of so much energy cost, three quarters of it in the processor."""
    return go.Measurement(
        energy=ComponentEnergy(0.75 * energy_kwh, 0.0, 0.25 * energy_kwh),
        duration_s=60.0,
        grid=grid,
        sources={"cpu": Source("replay", measured=True), "ram": Source("guess", measured=False)},
        host=host,
        fingerprint=host,
        runs=runs,
    )


def kept(
    quality: float,
    energy_kwh: float,
    n_params: int = 10,
    *,
    state: TrialState = TrialState.COMPLETE,
    grid: go.Grid = GRID,
    objectives: Sequence[str] = NAMES,
    reports: Sequence[go.Report] = (),
    constraints: Mapping[str, float] | None = None,
    runs: Sequence[RunRecord] = (),
    inference: go.InferenceCost | None = None,
    host: str = "here",
) -> FrozenTrial:
    """A trial that ended with so much quality, energy and parameters."""
    measurement = made_measurement(energy_kwh, grid=grid, runs=max(len(runs), 1), host=host)
    values: dict[str, float] = {
        "quality_loss": 1.0 - quality,
        "co2e_kg": measurement.co2e_per_run_kg,
        "energy_kwh": measurement.energy_per_run_kwh,
        "duration_s": measurement.duration_per_run_s,
        "n_params": n_params,
    }
    if inference is not None:
        values |= inference.values
    complete = state == TrialState.COMPLETE
    record = TrialRecord(
        study_name="kept",
        terms=made_terms(objectives),
        number=0,
        started_at=0.0,
        state="complete" if complete else "pruned" if state == TrialState.PRUNED else "failed",
        measurement=measurement,
        quality=quality if complete else None,
        n_params=n_params,
        runs=tuple(runs),
        inference=inference,
    )
    attributes: dict[str, object] = {ATTRIBUTE: record.attribute()}
    if reports:
        attributes[REPORTS_ATTRIBUTE] = thin_reports(reports)
    return create_trial(
        state=state,
        values=[values[name] for name in objectives] if complete else None,
        user_attrs=attributes,
        constraints=dict(constraints or {}),
    )


def made_terms(objectives: Sequence[str] = NAMES) -> go.StudyTerms:
    """The terms of such a study."""
    return go.StudyTerms(objectives=tuple(objectives), quality_bounds=go.QualityBounds(), grid=GRID)


def study_of(
    trials: Sequence[FrozenTrial],
    *,
    objectives: Sequence[str] = NAMES,
    name: str = "kept",
    storage: str | None = None,
) -> optuna.Study:
    """A study that keeps these trials."""
    study = go.create_study(name, objectives=objectives, storage=storage)
    study.set_user_attr(ATTRIBUTE, made_terms(objectives).to_dict())
    study.add_trials(trials)
    return study
