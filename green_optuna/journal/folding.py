"""Trials whose process was killed: what they had spent is kept, and they are ended.

Nobody writes down that a process is killed, by ``kill -9`` or for want of memory. What its trials
had spent stands in its journal (:mod:`green_optuna.journal`), up to the last sample; the next
worker of the study, or ``green-optuna sync``, folds that into the study.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import platform
import time
from typing import TYPE_CHECKING

import optuna
from optuna.storages._heartbeat import BaseHeartbeat, is_heartbeat_enabled
from optuna.trial import TrialState

from green_optuna.folders import host_lock
from green_optuna.journal import file as journal_file
from green_optuna.journal.reader import read_journal
from green_optuna.record import (
    KILLED_ATTRIBUTE,
    REPORTS_ATTRIBUTE,
    TrialRecord,
    measurement_of,
    reports_from_rows,
)
from green_optuna.terms import ATTRIBUTE
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from green_optuna.energy import Measurement
    from green_optuna.journal.reader import LeftTrial
    from green_optuna.terms import StudyTerms

_logger = logging.getLogger("green_optuna")

# Where the file system is shared, a lock may not reach as far: another host is taken for alive
# as long as its last sample is younger than this, in s, or than three samples.
STALE_S = 60.0


def fold_killed(
    study: optuna.Study,
    terms: StudyTerms,
    tell: Callable[[TrialRecord], None],
    *,
    wait: bool = False,
) -> tuple[int, ...]:
    """Fold what killed processes left behind into their study: each trial once.

    A trial that Optuna takes for running gets the attribute of a trial that ended, in the state
    "killed", and is failed, with the storage's callback for stale trials where it has one. One
    that Optuna's heartbeat has failed takes no attribute any more: the study keeps it then. The
    trials of a process that lives, on this host or another, are left alone, and so is a trial of
    which there is no journal here.

    Args:
        study: The study.
        terms: Its terms.
        tell: Passes on how a trial ended.
        wait: Whether to wait for another process that does the same now, rather than leave it
            to that one.

    Returns:
        The numbers of the trials.

    Raises:
        OptionError: The state folder cannot be used.
        OSError: A journal cannot be read or removed.
    """
    if not journal_file.left_by_others(terms.key):
        return ()
    from filelock import Timeout

    folded: list[int] = []
    try:
        with host_lock(f"journals of {terms.key}").acquire(blocking=wait):
            for path in journal_file.left_by_others(terms.key):
                with _taken(path) as trials:
                    folded += [trial.number for trial in trials if _fold(study, terms, trial, tell)]
    except Timeout:
        return ()
    return tuple(folded)


def fold_killed_quietly(
    study: optuna.Study, terms: StudyTerms, tell: Callable[[TrialRecord], None]
) -> None:
    """Fold as :func:`fold_killed` does, and log what came of it: trouble costs no trial."""
    try:
        folded = fold_killed(study, terms, tell)
    except Exception as error:
        # What a storage raises may hold its URL.
        said = shown_text(repr(error))
        _logger.warning("What killed trials had spent could not be folded in: %s", said)
        return
    for number in folded:
        _logger.warning(
            "The process of trial %d of the study %r was killed: the trial has failed, and what "
            "it had spent up to its last sample is counted.",
            number,
            study.study_name,
        )


@contextlib.contextmanager
def _taken(path: Path) -> Iterator[list[LeftTrial]]:
    """Hold a journal and give its trials, then remove it; none of a process that may live.

    If what is done with them fails, the journal stays for the next time.
    """
    try:
        release = journal_file.hold(journal_file.lock_path(path))
    except OSError:
        # There is no telling whether it lives.
        yield []
        return
    if release is None:
        yield []
        return
    gone = False
    try:
        try:
            alive = _may_live_elsewhere(path)
        except FileNotFoundError:
            # It has ended in peace meanwhile, and its lock was made anew just now.
            alive, gone = False, True
        if alive or gone:
            yield []
        else:
            yield read_journal(path)
            path.unlink(missing_ok=True)
            journal_file.part_path(path).unlink(missing_ok=True)
            gone = True
    finally:
        release()
        if gone:
            journal_file.lock_path(path).unlink(missing_ok=True)


def _may_live_elsewhere(path: Path) -> bool:
    """Tell whether a journal, whose lock could be taken here, may be that of a live process."""
    lines = journal_file.read_lines(path)
    header = next((line for line in lines if "version" in line), {})
    if header.get("version", journal_file.VERSION) != journal_file.VERSION:
        # A newer green_optuna wrote it, and knows what it means.
        return True
    if header.get("host") == platform.node():
        return False
    seen_at = [line.get("at") for line in lines]
    last_at = max([path.stat().st_mtime, *(at for at in seen_at if isinstance(at, float))])
    interval_s = header.get("sample_interval_s")
    patience_s = 3.0 * interval_s if isinstance(interval_s, float | int) else 0.0
    return time.time() - last_at <= max(STALE_S, patience_s)


def _fold(
    study: optuna.Study, terms: StudyTerms, left: LeftTrial, tell: Callable[[TrialRecord], None]
) -> bool:
    """Keep and tell that a trial was killed, unless it had ended; may be done again.

    Returns:
        Whether it was killed.
    """
    storage = study._storage
    try:
        trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, left.number)
    except KeyError:
        return False
    trial = storage.get_trial(trial_id)
    kept = trial.user_attrs.get(ATTRIBUTE, {})
    if trial.state.is_finished() and kept.get("state", "running") not in ("running", "killed"):
        return False
    # It may have been killed after its end was measured: there is no more to know then.
    record = _record(
        study, terms, trial, left, measurement_of(trial) or left.measurement(terms.grid)
    )
    if not _end(study, trial, record) and "energy_kwh" not in kept and record.measurement:
        study.set_user_attr(f"{KILLED_ATTRIBUTE}{left.number}", record.attribute())
    tell(record)
    return True


def _record(
    study: optuna.Study,
    terms: StudyTerms,
    trial: FrozenTrial,
    left: LeftTrial,
    measurement: Measurement | None,
) -> TrialRecord:
    return TrialRecord(
        study_name=study.study_name,
        terms=terms,
        number=trial.number,
        started_at=left.started_at,
        state="killed",
        params=trial.params,
        run_ids=left.run_ids,
        user_attrs={
            name: value
            for name, value in trial.user_attrs.items()
            if name not in (ATTRIBUTE, REPORTS_ATTRIBUTE)
        },
        measurement=measurement,
        overhead=left.after,
        reports=reports_from_rows(trial.user_attrs.get(REPORTS_ATTRIBUTE, [])),
        error=f"killed: process {left.pid} on {left.host} ended in the middle of the trial",
    )


def _end(study: optuna.Study, trial: FrozenTrial, record: TrialRecord) -> bool:
    """Keep what a running trial cost, and fail it; tell whether it could still be done."""
    if trial.state.is_finished():
        return False
    storage = study._storage
    try:
        storage.set_trial_user_attr(trial._trial_id, ATTRIBUTE, record.attribute())
    except optuna.exceptions.UpdateFinishedTrialError:
        # The heartbeat of another worker was faster.
        return False
    try:
        failed = study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
        return True
    if isinstance(storage, BaseHeartbeat) and is_heartbeat_enabled(storage):
        callback = storage.get_heartbeat_stale_trial_callback()
        if callback is not None:
            # As Optuna would have done after its grace period: it may enqueue the trial again. What
            # the new one begins with must not be what this one cost.
            again = copy.deepcopy(failed)
            for name in (ATTRIBUTE, REPORTS_ATTRIBUTE):
                again.user_attrs.pop(name, None)
            callback(study, again)
    return True
