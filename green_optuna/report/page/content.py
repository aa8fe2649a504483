"""A study as plain data for the page: one record a row, in columns, with what the figures need."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from green_optuna import pareto
from green_optuna.figures import is_logarithmic
from green_optuna.plain import finite_or_none
from green_optuna.record import INFERENCE, LOSS_INTERVAL, trial_intervals
from green_optuna.report.importance import by_importance
from green_optuna.report.page.over_time import curves_of, traces_of
from green_optuna.report.page.trials import PARAM, all_trials, plain_cell
from green_optuna.repricing import describe_grid
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from green_optuna.report.hypervolume import HypervolumeCurve
    from green_optuna.report.importance import Importance
    from green_optuna.report.subject import Subject

# Of each kind of trial, so many are drawn: a browser keeps each point as a shape of its own.
MOST_DRAWN = 2_000

# How probable a trial that is not on the front has to be there to be marked.
MAY_BE_FROM = 0.05


def content_of(
    subject: Subject, curve: HypervolumeCurve, decided: Sequence[Importance]
) -> dict[str, Any]:
    """Give all that the page's figures and its table show, ready for JSON.

    What JSON does not know, infinities and values of other kinds, is left in: see
    :func:`green_optuna.plain.finite_or_none`.

    Args:
        subject: What the report is about.
        curve: How its front grew with what the search spent.
        decided: Which hyperparameters decided its objectives.
    """
    losses = subject.candidates.losses
    traces = traces_of(subject)
    return {
        "study": subject.candidates.study_name,
        "repriced_for": _repriced_for(subject),
        "objectives": list(subject.objectives),
        "logarithmic": {
            name: is_logarithmic(losses[np.isfinite(losses[:, column]), column].tolist())
            for column, name in enumerate(subject.objectives)
        },
        "table": all_trials(subject),
        "confidence": _confidence(subject),
        "drawn": _drawn(subject),
        "chosen": subject.chosen_row,
        "staircases": _staircases(subject),
        "references": [
            {"name": one.name, "basis": one.basis, "values": _finite(one.losses)}
            for one in subject.references
        ],
        "curves": curves_of(subject, traces),
        "traces": traces,
        "hypervolume": _hypervolume(curve),
        **_params(subject, decided),
    }


def _repriced_for(subject: Subject) -> dict[str, Any] | None:
    """Give the grid that all CO2e is that of, and how it is said; None where trials ran on it."""
    repricing = subject.candidates.repricing
    if repricing is None:
        return None
    return {"grid": repricing.grid.to_dict(), "words": describe_grid(repricing.grid)}


def _confidence(subject: Subject) -> str | None:
    """Say of which confidence the intervals are; None where they are of several, or there is none.

    A quality may come with an interval of another confidence, and inference with its own.
    """
    own: list[FrozenTrial] = []
    others: list[FrozenTrial] = []
    for trial in subject.candidates.trials:
        kept = trial.user_attrs.get(ATTRIBUTE, {})
        (own if LOSS_INTERVAL in kept or INFERENCE in kept else others).append(trial)

    def of(trial: FrozenTrial) -> set[float]:
        intervals = trial_intervals(trial, subject.objectives).values()
        return {one.confidence for one in intervals if one is not None}

    # What is made of runs is all of one confidence: the first that there is tells of all.
    known = next(filter(None, map(of, others)), set()).union(*map(of, own))
    return f"{known.pop():.0%}" if len(known) == 1 else None


def _hypervolume(curve: HypervolumeCurve) -> dict[str, list[float]] | None:
    """Give the curve's points, from where nothing was spent on; None where nothing ever was."""
    if not curve.points or curve.points[-1].spent_co2e_kg <= 0:
        return None
    return {
        "co2e_kg": [0.0, *(point.spent_co2e_kg for point in curve.points)],
        "share": [0.0, *(point.share for point in curve.points)],
    }


def _params(subject: Subject, decided: Sequence[Importance]) -> dict[str, list[Any]]:
    """Name the hyperparameters of the candidates, those whose range is logarithmic, and choices.

    Those that matter most come first, as in the table of how much each does.
    ``choices`` has for each hyperparameter the choices that were seen, in the distribution's order
    and as in the table; None where it is a number.
    """
    ranges = {
        name: distribution
        for trial in subject.candidates.trials
        for name, distribution in trial.distributions.items()
    }
    logarithmic = [name for name, one in ranges.items() if getattr(one, "log", False)]
    names = [*by_importance(decided, ranges)]
    choices = [_seen_choices(subject, name, ranges[name]) for name in names]
    return {"params": names, "log_params": logarithmic, "choices": choices}


def _seen_choices(subject: Subject, name: str, distribution: BaseDistribution) -> list[Any] | None:
    choices = getattr(distribution, "choices", None)
    if choices is None:
        return None
    trials = subject.candidates.trials
    # By what they look like: 1 equals True, NaN equals nothing, and a list has no hash.
    seen = {repr(trial.params[name]) for trial in trials if name in trial.params}
    return [plain_cell(f"{PARAM}{name}", one) for one in choices if repr(one) in seen]


def _drawn(subject: Subject) -> dict[str, Any]:
    """Say which rows the figures draw, and how many they leave out."""
    candidates = subject.candidates
    every = np.arange(len(candidates.trials))
    members = np.isin(every, subject.rows)
    known = subject.uncertainty.probabilities
    may_be = np.zeros(every.size, dtype=np.bool_)
    if known is not None:
        may_be = ~members & (np.nan_to_num(known, nan=0.0) >= MAY_BE_FROM)
    groups = {
        "front": every[members],
        "may_be": every[may_be],
        "others": every[~members & ~may_be],
    }
    drawn = {name: _evenly(rows, MOST_DRAWN).tolist() for name, rows in groups.items()}
    left_out = every.size - sum(map(len, drawn.values()))
    return {**drawn, "left_out": left_out}


def _evenly(rows: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """Keep at most so many rows, evenly over the study's time, and the same each time."""
    if rows.size <= most:
        return rows
    return rows[np.linspace(0, rows.size - 1, most).round().astype(np.intp)]


def _staircases(subject: Subject) -> dict[str, list[int]]:
    """Give the rows on the front of each pair of columns alone, by increasing second one."""
    losses = subject.candidates.losses
    usable = np.flatnonzero(subject.candidates.feasible & np.isfinite(losses).all(axis=1))
    found = {}
    for i, j in itertools.combinations(range(losses.shape[1]), 2):
        pair = losses[usable][:, [i, j]]
        rows = usable[pareto.non_dominated(pair)] if usable.size else usable
        order = np.lexsort((losses[rows, i], losses[rows, j]))
        found[f"{i}|{j}"] = rows[order].tolist()
    return found


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: finite_or_none(value) for name, value in values.items()}
