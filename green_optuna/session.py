"""What one process keeps for the trials of one study: its sampler, terms, log and journal."""

from __future__ import annotations

import logging
import platform
from dataclasses import replace
from typing import TYPE_CHECKING

import optuna

from green_optuna.budget import SpendingReader
from green_optuna.energy import basis_of, sampler_for
from green_optuna.energy.fingerprint import hardware_fingerprint
from green_optuna.history import History
from green_optuna.joining import settle_terms, warn_of_ignored_pruner, warn_of_other_measuring
from green_optuna.journal import Journal, fold_killed_quietly
from green_optuna.provenance import describe_estimate
from green_optuna.terms import StudyTerms, check_directions, check_metric_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from green_optuna.energy import Meter, MeterOptions
    from green_optuna.tracking import StudyLog

_logger = logging.getLogger("green_optuna")


class Session:
    """What one process keeps for the trials of one study.

    Args:
        study: The study.
        terms: The terms on which this process would measure.
        meter: How it measures.
        log_for: Gives what passes on what happens, for the terms that the study keeps.

    Raises:
        DirectionsError: The study's directions do not fit the objectives.
        TermsError: The study was made on other terms, or for other objectives.
        MeterError: The meter cannot be started or read.
    """

    def __init__(
        self,
        study: optuna.Study,
        *,
        terms: StudyTerms,
        meter: MeterOptions | Meter,
        log_for: Callable[[StudyTerms], StudyLog],
    ) -> None:
        check_directions(study, terms.objectives)
        check_metric_names(study, terms.objectives)
        warn_of_ignored_pruner(study)
        self.study_name = study.study_name
        self.sampler = sampler_for(meter)
        # Before the first window, for the meter knows its sources only then.
        self.sampler.start()
        sources = self.sampler.meter.sources
        here = replace(
            terms,
            host=platform.node(),
            fingerprint=hardware_fingerprint(),
            sources={name: source.name for name, source in sources.items()},
        )
        self.terms = settle_terms(study, here)
        # The study's first worker says it, and no later one.
        if self.terms.key == here.key and basis_of(sources) == "estimated":
            _logger.warning("Study %r: %s", self.study_name, describe_estimate(sources))
        warn_of_other_measuring(study, here, self.terms)
        self.log = log_for(self.terms)
        self.history = History(self.terms)
        self.spending = SpendingReader(self.terms.grid)
        self.journal = Journal(study, self.terms.key, self.sampler)
        self._warned: dict[str, object] = {}
        with self.sampler.excluded():
            self.fold_killed(study)

    def fold_killed(self, study: optuna.Study) -> None:
        """Count what trials had spent whose process was killed on this host."""
        fold_killed_quietly(study, self.terms, self.log.finish)

    def warn_once(self, text: str, *, of: str | None = None) -> None:
        """Warn of something that may be so in each trial: once a study and process.

        Args:
            text: A sentence.
            of: What it is about, where the sentence is not the same each time.
        """
        mine = object()
        # In one step, for threads.
        if self._warned.setdefault(text if of is None else of, mine) is mine:
            _logger.warning("Study %r: %s", self.study_name, text)
