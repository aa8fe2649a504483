"""Studies to be printed, with whatever a user may name things."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from kept import kept, study_of
from optuna.distributions import CategoricalDistribution
from optuna.trial import create_trial

import green_optuna as go
from green_optuna.energy import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

HOSTILE = (
    "<script>alert(1)</script>",
    r"$\frac{1}{0}$",
    "\"quoted\" & 'so' % 50_000 # ~^ {} \\",
    "bell\x07 and \x1b[31mred\nlines\u202e",
    "x" * 10_000,
)
"""Names that would be more than names, if nobody took care."""


def with_params(trial: FrozenTrial, params: Mapping[str, Any]) -> FrozenTrial:
    """A trial with such hyperparameters."""
    return create_trial(
        state=trial.state,
        values=trial.values,
        user_attrs=trial.user_attrs,
        params=dict(params),
        distributions={name: CategoricalDistribution([value]) for name, value in params.items()},
    )


def plain_study(n: int = 12) -> optuna.Study:
    """A study in which every third trial is dominated by the one before it."""
    trials = []
    for number in range(n):
        worse = 0.9 if number % 3 == 2 else 1.0
        trials.append(
            kept(worse * (0.5 + 0.4 * number / n), 1e-6 * 1.3**number / worse, 100 * (number + 1))
        )
    return study_of(trials)


def study_by_hand(
    trials: Sequence[FrozenTrial], objectives: Sequence[str], name: str = "by hand"
) -> optuna.Study:
    """A study that somebody has without green_optuna, under any names."""
    study = optuna.create_study(study_name=name, directions=["minimize"] * len(objectives))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(list(objectives))
    study.add_trials(trials)
    return study


def named_study(losses: Sequence[Sequence[float]], objectives: Sequence[str]) -> optuna.Study:
    """The same of losses alone."""
    return study_by_hand([create_trial(values=list(row)) for row in losses], objectives)


def hostile_front() -> go.ParetoFront:
    """A front in which the study, its objectives, hyperparameters and references are hostile."""
    rows = [(1.0, 4.0, 2.0), (2.0, 3.0, 2.0), (3.0, 2.0, 1.0), (4.0, 4.0, 4.0)]
    trials = [
        with_params(
            create_trial(values=list(row)), {name: f"{name}{number}"[::-1] for name in HOSTILE}
        )
        for number, row in enumerate(rows)
    ]
    study = study_by_hand(
        trials, ("quality_loss", "co2e_kg", HOSTILE[0]), name=" ".join(HOSTILE[:4])
    )
    # What cannot be seen is no name of a reference.
    references = [
        {"name": name, "quality_loss": 0.1 * at, "co2e_kg": 5.0}
        for at, name in enumerate(HOSTILE, start=1)
        if name.isprintable()
    ]
    return go.pareto_front(study, references=references)


def made_trace(n: int, *, gpu_w: float = 0.0) -> Trace:
    """Power at 1 Hz: a processor between 20 and 40 W, memory at 5 W."""
    t_s = np.arange(1.0, n + 1)
    cpu_w = 30 + 10 * np.sin(t_s)
    total_w = cpu_w + gpu_w + 5
    return Trace(
        t_s,
        cpu_w,
        np.full(n, gpu_w),
        np.full(n, 5.0),
        np.cumsum(total_w) / 3.6e6,
    )
