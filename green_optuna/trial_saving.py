"""Saving the model of one trial, after its measured window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from green_optuna.errors import ModelError
from green_optuna.outcome import model_of
from green_optuna.record import in_one_line
from green_optuna.saving import SavedModel, Snapshot, discard, models_folder, write_model
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from green_optuna.record import TrialRecord
    from green_optuna.session import Session
    from green_optuna.trial import GreenTrial


class TrialSaving:
    """Writes the model of one trial for the trackers that keep models; it costs no trial.

    Args:
        session: Of the trial's study.
        always: Whether to save the model that the function returns or names, where it did not
            call ``trial.save_model``.
    """

    def __init__(self, session: Session, *, always: bool) -> None:
        self._session = session
        self._always = always
        self._model: object = None
        self._snapshot: Snapshot | None = None

    def end(self, trial: GreenTrial, returned: object) -> None:
        """Note what the function has left to be saved; nothing is copied yet."""
        self._snapshot = trial.snapshot
        if self._always and self._snapshot is None:
            self._model = model_of(returned, trial)

    def save(self, record: TrialRecord) -> TrialRecord:
        """Write the model of a completed trial; give the record that says so."""
        if self._snapshot is None and not self._always:
            return record
        with self._session.sampler.excluded():
            snapshot, self._snapshot = self._snapshot or Snapshot.of(self._model), None
            self._model = None
            saved = self._written(snapshot, record)
        overhead = record.overhead + self._session.sampler.take_overhead()
        return replace(record, model=saved, overhead=overhead)

    def save_ended(self, trial: GreenTrial, record: TrialRecord) -> TrialRecord:
        """Write the model of a pruned trial where the function asked for that, and no other one."""
        # One that was complete but for the storage, which refused it, has been written.
        discard(record.model)
        record = replace(record, model=None)
        snapshot = trial.snapshot
        if record.state != "pruned" or snapshot is None or not snapshot.keep_pruned:
            return record
        self._snapshot = snapshot
        return self.save(record)

    def _written(self, snapshot: Snapshot, record: TrialRecord) -> SavedModel:
        try:
            self._check_kept()
            folder = models_folder(record.terms.key, record.number)
            return write_model(snapshot, folder)
        except Exception as error:
            # Whatever it is, a full disk too: the trial's result counts, and is kept.
            said = str(error) if isinstance(error, ModelError) else in_one_line(error)
            said = shown_text(said)
            self._session.warn_once(
                f"The model of trial {record.number} was not saved, and others may not be: {said}",
                of="save_model",
            )
            return SavedModel(error=said)

    def _check_kept(self) -> None:
        if not self._session.log.keeps_models:
            raise ModelError("None of the trackers keeps models: add MLflowTracker() to trackers=.")
