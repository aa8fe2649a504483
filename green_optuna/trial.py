"""The trial that a decorated objective receives: Optuna's own, with reports that work."""

from __future__ import annotations

import os
import time
import warnings
from typing import TYPE_CHECKING, Any

import optuna
from optuna.study import StudyDirection

from green_optuna.deadline import shielded
from green_optuna.record import REPORTS_ATTRIBUTE, Report, thin_reports
from green_optuna.saving import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optuna.distributions import BaseDistribution

    from green_optuna.quality import QualityBounds

# How often the reports of a running trial are written to Optuna's storage.
STORE_REPORTS_S = 30.0

MAX_STEP = 2**63 - 1


class GreenTrial(optuna.Trial):
    """An ``optuna.Trial`` in a study of several objectives whose ``report`` works.

    It shares the state of the trial that Optuna made: whatever one of them suggests or sets,
    the other has. ``trial.study`` is a view of the study whose ``direction`` is that of the
    reported quality, since pruning callbacks of other libraries ask for it.

    Args:
        trial: The trial that Optuna made.
        bounds: Between which qualities lie, and which end is the better.
        spent: Gives the energy in kWh and the time in s since the trial began.
        spent_by_now: Gives the same from a reading taken at once, where the meter can give one, for
            a step whose model was saved; ``spent`` unless given.
        should_stop: Tells from the reports whether to stop it; None where nothing does.
        on_watch: Is told of the model that the trial is told of, and of its reports; None for
            nobody.
        first_run: The number of the function's first run in it; above 0 where it repeats a trial.
    """

    # Attributes of its own live in slots, so that the shared __dict__ holds Optuna's alone.
    __slots__ = (
        *("_bounds", "_first_run", "_on_watch", "_plain", "_reports", "_run", "_should_stop"),
        *("_snapshot", "_spent", "_spent_by_now", "_stored_at_s", "_view", "_watched"),
    )

    def __init__(
        self,
        trial: optuna.Trial,
        *,
        bounds: QualityBounds,
        spent: Callable[[], tuple[float, float]],
        spent_by_now: Callable[[], tuple[float, float]] | None = None,
        should_stop: Callable[[Sequence[Report]], bool] | None = None,
        on_watch: Callable[[object, Sequence[Report]], None] | None = None,
        first_run: int = 0,
    ) -> None:
        # Trial.__init__ would run the sampler a second time.
        self.__dict__ = trial.__dict__
        self._plain = trial
        self._bounds = bounds
        self._spent = spent
        self._spent_by_now = spent_by_now or spent
        self._should_stop = should_stop
        self._on_watch = on_watch
        self._view = _StudyView(trial.study, bounds)
        self._reports: dict[int, Report] = {}
        self._stored_at_s = time.monotonic()
        self._watched: object = None
        self._snapshot: Snapshot | None = None
        self._run = 0
        self._first_run = first_run

    @property
    def run(self) -> int:
        """Which run of the function this is, from 0: a number to seed with.

        It is below ``repeats``, but in a repeat of a trial: there the numbers go on from those of
        the trial's runs and of its earlier repeats, so that no run is the same again.
        """
        return self._first_run + self._run

    @property
    def is_first_run(self) -> bool:
        """Whether this is the first run of the function in this trial."""
        return self._run == 0

    def begin_run(self, run: int) -> None:
        """Begin a run of the function: a model of the run before is let go."""
        self._run, self._watched, self._snapshot = run, None, None

    @property
    def study(self) -> optuna.Study:  # type: ignore[override]  # Optuna's is an attribute
        """The study, with the direction of the quality as its ``direction``."""
        return self._view

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:  # noqa: ANN401 - Optuna's
        """Suggest with the study itself: the view would turn a single-objective sampler round."""
        # The trial's time may be up at any moment, but not amid the storage's work.
        with shielded():
            return self._plain._suggest(name, distribution)

    def set_user_attr(self, key: str, value: Any) -> None:  # noqa: ANN401 - Optuna's
        """Attach something to the trial, as ``optuna.Trial.set_user_attr`` does."""
        with shielded():
            super().set_user_attr(key, value)

    def set_constraint(self, key: str, value: float) -> None:
        """Set a constraint, as ``optuna.Trial.set_constraint`` does; the first run's stays."""
        with shielded():
            if self._run == 0:
                super().set_constraint(key, value)

    @property
    def watched(self) -> object:
        """The model given to :meth:`watch`, or None."""
        return self._watched

    @property
    def snapshot(self) -> Snapshot | None:
        """The model given to :meth:`save_model`, as it was then; or None."""
        return self._snapshot

    @property
    def reports(self) -> tuple[Report, ...]:
        """What has been reported, in the order of reporting."""
        return tuple(self._reports.values())

    def watch(self, model: object) -> None:
        """Name the model whose parameters count, where the function returns a quality alone.

        Args:
            model: A ``torch.nn.Module``; its parameters are counted when the trial ends, and at
                once where there is a pruner.

        Raises:
            optuna.TrialPruned: The pruner says that it should not be trained.
        """
        self._watched = model
        if self._on_watch is not None and self._run == 0:
            with shielded():
                self._on_watch(model, self.reports)

    def save_model(
        self, model: object, *, inputs: object = None, keep_pruned: bool = False
    ) -> None:
        """Save a model with the trial's MLflow run, as it is now.

        Of several calls, the last counts. The model is copied to the processor's memory, in
        evaluation mode, and may be trained on. The copy is written when the trial's window has
        closed, and only if the trial completes. A model that cannot be saved costs no trial: it is
        said once, and kept with the trial.

        Args:
            model: A ``torch.nn.Module``, or an estimator of scikit-learn or LightGBM. It is stored
                as a pickle, with the code of what is not installed.
            inputs: Example inputs of one call of a torch module, two samples or more: a tensor or
                array, or a tuple of them. With them its graph is stored, without any code, as
                ``torch.export`` traces it.
            keep_pruned: Whether to save it where the trial is pruned, too.
        """
        with shielded():
            self._snapshot = Snapshot.of(model, inputs=inputs, keep_pruned=keep_pruned)

    def report(
        self, value: float, step: int, *, checkpoint: str | os.PathLike[str] | None = None
    ) -> None:
        """Report the quality at a step, as ``optuna.Trial.report`` does.

        The energy spent so far is kept beside it. A step that has been reported before is
        ignored with a warning. A NaN or an infinity counts as no quality at this step. Where
        the function runs several times, only the first run's reports count.

        Args:
            value: The quality, within the objective's ``quality_bounds``.
            step: The step, such as an epoch; 0 or more.
            checkpoint: Where the function has saved the model as it is at this step, a path or
                URI, for ``pareto_front(study, checkpoints=True)``; kept as it is given.

        Raises:
            TypeError: The value cannot be cast to a float, or the step to an int, or the
                checkpoint is no path.
            ValueError: The step is negative, or more than storages can hold, or the checkpoint is
                empty.
            QualityError: The value is finite and outside the bounds.
        """
        with shielded():
            if self._run == 0:
                self._report(value, step, _checked_checkpoint(checkpoint))

    def _report(self, value: float, step: int, checkpoint: str | None) -> None:
        quality = self._bounds.reported(value)
        try:
            step = int(step)
        except (TypeError, ValueError):
            raise TypeError(
                f"The `step` argument is of type '{type(step)}' but supposed to be an int."
            ) from None
        if step < 0:
            raise ValueError(f"`{step=}` must be non-negative.")
        if step > MAX_STEP:
            raise ValueError(f"`{step=}` is more than storages can hold, {MAX_STEP}.")
        if step in self._reports:
            warnings.warn(
                f"The reported value is ignored because this `{step=}` is already reported.",
                stacklevel=3,
            )
            return
        # What a model cost by its step is compared with what others cost in the end.
        energy_kwh, t_s = self._spent() if checkpoint is None else self._spent_by_now()
        self._reports[step] = Report(
            step, quality, energy_kwh=energy_kwh, t_s=t_s, checkpoint=checkpoint
        )
        if time.monotonic() - self._stored_at_s >= STORE_REPORTS_S:
            self.store_reports()

    def should_prune(self) -> bool:
        """Tell whether to stop the trial, as the objective's pruner says; False without one.

        Only the first run of a function that runs several times is ever stopped.
        """
        with shielded():
            if self._should_stop is None or self._run > 0:
                return False
            return self._should_stop(self.reports)

    def store_reports(self) -> None:
        """Write the reports, thinned, to Optuna's storage."""
        if self._reports:
            self._stored_at_s = time.monotonic()
            self.set_user_attr(REPORTS_ATTRIBUTE, thin_reports(self.reports))


def _checked_checkpoint(given: object) -> str | None:
    """Give the path or URI of a checkpoint as a text."""
    if given is None:
        return None
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(path, str):
        raise TypeError(
            f"The `checkpoint` argument is {given!r}: give the path or URI where the model was "
            "saved, or leave it out."
        )
    if not path.strip():
        raise ValueError(f"`checkpoint={given!r}` says nothing: give a path or URI, or leave it.")
    return path


class _StudyView(optuna.Study):
    """A study of several objectives that has the one direction of the reported quality.

    It shares the study's state, so that ``trial.study.stop()`` stops the study. It is for
    callbacks: the samplers are given the study itself.
    """

    __slots__ = ("_bounds",)

    def __init__(self, study: optuna.Study, bounds: QualityBounds) -> None:
        self.__dict__ = study.__dict__
        self._bounds = bounds

    @property
    def direction(self) -> StudyDirection:
        return StudyDirection.MAXIMIZE if self._bounds.maximise else StudyDirection.MINIMIZE
