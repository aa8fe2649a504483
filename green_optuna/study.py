"""Make and load studies whose objectives green_optuna measures: plain ``optuna.Study`` objects."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import ExperimentalWarning

from green_optuna.folders import host_lock
from green_optuna.terms import (
    DEFAULT_OBJECTIVES,
    check_directions,
    check_metric_names,
    check_objectives,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def create_study(
    study_name: str | None = None,
    *,
    storage: str | optuna.storages.BaseStorage | None = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    load_if_exists: bool = True,
) -> optuna.Study:
    """Make a study with its directions and metric names set, or resume the one of that name.

    Args:
        study_name: Its name; Optuna makes one up unless given.
        storage: An Optuna storage or its URL; in memory unless given.
        sampler: Optuna's default for several objectives (TPE) unless given.
        objectives: What is minimised, in order; must be what the decorated objective returns.
        load_if_exists: Resume the study of this name in the storage, rather than raise.

    Returns:
        A plain :class:`optuna.Study`, all of whose objectives are minimised.

    Raises:
        OptionError: An objective is unknown, or the state folder cannot be used.
        DirectionsError: The study exists with other directions.
        TermsError: The study exists, and was made for other objectives.
        optuna.exceptions.DuplicatedStudyError: The study exists and may not be resumed.
    """
    names = check_objectives(objectives)
    study = optuna.create_study(
        study_name=study_name,
        storage=shared_storage(storage) if isinstance(storage, str) else storage,
        sampler=sampler,
        directions=["minimize"] * len(names),
        load_if_exists=load_if_exists,
    )
    check_directions(study, names)
    check_metric_names(study, names)
    if study.metric_names is None:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*set_metric_names", category=ExperimentalWarning
            )
            study.set_metric_names(list(names))
    return study


def shared_storage(storage: str) -> optuna.storages.BaseStorage:
    """Open a storage, whose tables the processes of this host make one after the other.

    Optuna has each make those that it does not find, and one fails where another was faster.

    Args:
        storage: The storage's URL.

    Raises:
        OptionError: The state folder cannot be used.
    """
    with host_lock(f"storage {storage}"):
        return optuna.storages.get_storage(storage)


def load_study(
    study_name: str | None,
    *,
    storage: str | optuna.storages.BaseStorage,
    sampler: optuna.samplers.BaseSampler | None = None,
) -> optuna.Study:
    """Load a study from a storage.

    Args:
        study_name: Its name; None takes the only study that the storage has.
        storage: An Optuna storage or its URL.
        sampler: Optuna's default for several objectives (TPE) unless given.

    Raises:
        KeyError: The storage has no study of that name.
    """
    return optuna.load_study(study_name=study_name, storage=storage, sampler=sampler)
