"""Asynchronous successive halving, by ranks of fronts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from green_optuna import pareto
from green_optuna.errors import OptionError
from green_optuna.pruning.dominance import check_has_quality
from green_optuna.pruning.pruner import Pruner
from green_optuna.scalars import as_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from green_optuna.history import History, PastTrial
    from green_optuna.progress import Progress
    from green_optuna.quality import QualityBounds
    from green_optuna.terms import StudyTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoHalvingPruner(Pruner):
    """Stops a trial that ranks behind at a rung: asynchronous successive halving by fronts.

    The rungs are the steps ``min_step``, ``min_step * eta``, ``min_step * eta**2`` and so on. At
    the first question at a rung or beyond, the trial is compared once with all trials that have
    ended, completed and pruned, and that reached it: each by the loss at its latest report up to
    the rung, its costs at that report, and its parameters. It is stopped where 1/eta of them or
    more, itself counted, are on better fronts of what is compared than it is (non-dominated
    sorting). As long as fewer than ``eta`` have come so far, none is stopped. A trial that passed
    several rungs since it was asked is compared at the highest of them.

    Trials of one front are equals, and go on or stop together: more than 1/eta go on where fronts
    are large, as they are with many objectives, and a trial that no other dominates at a rung is
    never stopped there, in whatever order the others came.

    It assumes that trials which rank well early rank well in the end. That is often wrong of those
    that learn slowly, so that it stops far more than a :class:`DominancePruner` does, members of
    the front among them.

    A report that is NaN counts for nothing. Objectives that are not known before the end
    (``inference_kwh``, ``flops``, ``peak_memory_bytes``) are not compared, and ``n_params`` only
    where the trial has been told of it, by ``trial.watch(model)`` or ``n_params=``. Steps are
    those of ``trial.report``: where they begin with 0, step 1 is the second; where they begin
    beyond a rung, nothing is compared there, so let ``min_step`` be no less than the first.
    Trials that still run beside it are not compared: the more workers, the fewer are stopped. Of a
    trial with more than 200 reports the study keeps every second or fewer, so that its latest one
    up to an early rung may be well before it: begin with a later ``min_step`` then.

    The scheme is that of Li et al., "A System for Massively Parallel Hyperparameter Tuning"
    (MLSys 2020, https://arxiv.org/abs/1810.05934), algorithm 2, with stopping in place of
    promotion; ranks by fronts are those of Deb et al. 2002 (https://doi.org/10.1109/4235.996017).

    Attributes:
        eta: One of so many trials goes on at each rung, a whole number of 2 or more.
        min_step: The first rung, a step of 1 or more.

    Raises:
        OptionError: ``eta`` or ``min_step`` is no such number.
    """

    eta: int = 3
    min_step: int = 1

    def __post_init__(self) -> None:
        """Check the numbers, and keep them as plain ones."""
        for name, least in (("eta", 2), ("min_step", 1)):
            given = getattr(self, name)
            count = as_count(given)
            if count is None or count < least:
                raise OptionError(f"{name} is {given!r}: give a whole number of {least} or more.")
            object.__setattr__(self, name, count)

    def check(self, objectives: Sequence[str], bounds: QualityBounds) -> None:  # noqa: ARG002
        """Hold that the quality is among the objectives.

        Raises:
            OptionError: It is not.
        """
        check_has_quality(self, objectives)

    def why_stop(self, progress: Progress, history: History) -> str | None:
        """Say how many rank better at the rung that the trial has reached since it was asked."""
        step = self._rung(progress)
        if step is None:
            return None
        rung = history.learned((Rung, step), lambda: Rung(step, history.terms))
        own = rung.row_of(progress)
        if own is None:
            return None
        rows = np.vstack([rung.rows, own])
        if progress.n_params is None:
            rows = rows[:, rung.known_always]
        ranks = pareto.ranks(rows)
        better = int(np.count_nonzero(ranks < ranks[-1]))
        if len(rows) < self.eta or better * self.eta < len(rows):
            return None
        return f"{better} of {len(rows)} trials rank better at step {step}"

    def _rung(self, progress: Progress) -> int | None:
        """Give the highest rung that the trial has reached, unless it was asked there before."""
        reached = progress.curve.last_step or 0
        if reached < self.min_step:
            return None
        rung = self.min_step
        while rung * self.eta <= reached:
            rung *= self.eta
        asked = progress.asked_step
        return rung if asked is None or asked < rung else None


class Rung:
    """The trials that reached a step, each as a row of what was known of it there.

    Args:
        step: The step.
        terms: The study's terms.
    """

    def __init__(self, step: int, terms: StudyTerms) -> None:
        self._step = step
        self._terms = terms
        known = ("quality_loss", "co2e_kg", "energy_kwh", "duration_s", "n_params")
        self._names = [name for name in terms.objectives if name in known]
        self._rows: list[list[float]] = []

    @property
    def rows(self) -> npt.NDArray[np.float64]:
        """The trials' objectives at the step, those known before the end, (n_trials, n_known)."""
        # The copy is taken at once, for another thread may be adding.
        return np.array(self._rows.copy(), dtype=np.float64).reshape(-1, len(self._names))

    @property
    def known_always(self) -> list[int]:
        """The columns that are known of a trial whose parameters are not."""
        return [column for column, name in enumerate(self._names) if name != "n_params"]

    def learn(self, trial: PastTrial) -> None:
        """Take in a trial, if it reached the step."""
        row = trial.row_at(self._step)
        if row is None or trial.steps[-1] < self._step:
            return
        self._rows.append(
            self._row(
                loss=float(trial.losses[row]),
                energy_kwh=float(trial.energies_kwh[row]),
                t_s=float(trial.times_s[row]),
                n_params=trial.n_params,
            )
        )

    def row_of(self, progress: Progress) -> list[float] | None:
        """Give the row of a running trial; None where it has no quality up to the step."""
        report = progress.curve.up_to(self._step)
        if report is None:
            return None
        loss, energy_kwh, t_s = report
        return self._row(loss=loss, energy_kwh=energy_kwh, t_s=t_s, n_params=progress.n_params)

    def _row(
        self, *, loss: float, energy_kwh: float, t_s: float, n_params: int | None
    ) -> list[float]:
        values = {
            "quality_loss": loss,
            "energy_kwh": energy_kwh,
            "co2e_kg": self._terms.grid.co2e_kg(energy_kwh),
            "duration_s": t_s,
            # A trial that may have any number of them is better than none.
            "n_params": math.inf if n_params is None else float(n_params),
        }
        return [values[name] for name in self._names]
