"""How a worker joins a study: on its terms, and with a word where it differs."""

from __future__ import annotations

import time
import warnings

import optuna

from green_optuna.folders import host_lock
from green_optuna.terms import ATTRIBUTE, StudyTerms, read_terms

# How long a worker that writes a study's terms waits before it reads them back: a worker on
# another host that wrote at the same moment has then written too, and both read the same.
SETTLE_S = 0.2


def settle_terms(study: optuna.Study, terms: StudyTerms) -> StudyTerms:
    """Write the study's terms, or compare with those that its first trial wrote.

    Raises:
        TermsError: They differ.
    """
    stored = read_terms(study)
    if stored is None:
        with host_lock(f"terms of {study.study_name}"):
            stored = read_terms(study)
            if stored is None:
                study.set_user_attr(ATTRIBUTE, terms.to_dict())
                if not isinstance(study._storage, optuna.storages.InMemoryStorage):
                    time.sleep(SETTLE_S)
                stored = read_terms(study) or terms
    return terms.agree(stored, study.study_name)


def warn_of_other_measuring(study: optuna.Study, here: StudyTerms, stored: StudyTerms) -> None:
    """Say that this worker measures otherwise than the study's first trial was measured."""
    difference = here.otherwise_measured(stored)
    if difference is not None:
        warnings.warn(
            f"This worker of the study {study.study_name!r} measures otherwise: {difference}. "
            "Its trials say so, and their CO2e may not compare with the others'.",
            stacklevel=2,
        )


def warn_of_ignored_pruner(study: optuna.Study) -> None:
    """Say that a study's own pruner is not asked, unless it is the one that Optuna puts there."""
    pruner = study.pruner
    default = optuna.pruners.MedianPruner()
    if isinstance(pruner, optuna.pruners.NopPruner):
        return
    if type(pruner) is type(default) and vars(pruner) == vars(default):
        return
    warnings.warn(
        f"The pruner of the study, {type(pruner).__name__}, is ignored: Optuna's pruners do "
        "not work with several objectives. Give one that does as green_objective(pruner=...).",
        stacklevel=2,
    )
