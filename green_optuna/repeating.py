"""Run trials of a study again, with the same hyperparameters and measured, in the same study."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import optuna
from optuna.trial import TrialState, create_trial

from green_optuna.errors import OptionError
from green_optuna.pooling import repeated_number
from green_optuna.record import REPEAT_OF
from green_optuna.scalars import as_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


def repeat_trials(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], Sequence[float]],
    numbers: Iterable[int],
    *,
    times: int = 1,
    catch: Iterable[type[Exception]] | type[Exception] = (),
    callbacks: Sequence[Callable[[optuna.Study, FrozenTrial], None]] = (),
) -> None:
    """Run trials of a study again: all of them once, then all once more.

    Each repeat is a trial of its own in the study, with the hyperparameters of the one that it
    repeats, and that one's number in its attribute ``green_optuna.repeat_of``. What it spends
    counts in the study; :func:`~green_optuna.front.pareto_front` pools its runs with those of the
    trial. In it, ``trial.run`` goes on from the earlier runs', to seed with, no pruner is asked,
    and a budget of the objective ends the repeats too. The study's sampler has no part in it.

    Who would rather queue repeats for the study's workers can do so with
    ``study.enqueue_trial(trial.params, user_attrs={"green_optuna.repeat_of": trial.number})``.

    Args:
        study: The study.
        objective: Its objective, as :func:`~green_optuna.objective.green_objective` decorates it.
        numbers: The numbers of completed trials; each counts once.
        times: How often each is run again.
        catch: What the objective may raise without ending the repeats, as in ``study.optimize``.
        callbacks: Who is told of each repeat that has ended, likewise.

    Raises:
        OptionError: There is no such trial, it has not completed, or it is a repeat itself; or
            ``times`` is no whole number of 1 or more.
        Exception: What the objective raised, unless it is caught. Its trial has failed.
    """
    count = as_count(times)
    if not count:
        raise OptionError(f"times is {times!r}: give a whole number of 1 or more.")
    trials = [_completed(study, number) for number in dict.fromkeys(numbers)]
    if trials:
        _Repeating(study, trials * count).optimize(
            objective, n_trials=len(trials) * count, catch=catch, callbacks=[*callbacks]
        )


class _Repeating(optuna.Study):
    """A study in which the trials that it is asked for repeat given ones.

    It is another view of the study in its storage. The study's own sampler would take the repeats
    for trials of its search (NSGA-II for members of a generation), so that this one has another.
    What waits in the study's queue is left alone.
    """

    def __init__(self, study: optuna.Study, trials: Iterable[FrozenTrial]) -> None:
        super().__init__(study.study_name, study._storage, sampler=optuna.samplers.RandomSampler())
        self._to_repeat = deque(trials)

    def ask(self, fixed_distributions: dict[str, BaseDistribution] | None = None) -> optuna.Trial:
        """Begin the next repeat; nobody else can have taken it."""
        assert not fixed_distributions
        trial = self._to_repeat.popleft()
        template = create_trial(
            state=TrialState.RUNNING,
            user_attrs={REPEAT_OF: trial.number},
            # As study.enqueue_trial keeps what is to be suggested.
            system_attrs={"fixed_params": trial.params},
        )
        return optuna.Trial(self, self._storage.create_new_trial(self._study_id, template))


def _completed(study: optuna.Study, number: object) -> FrozenTrial:
    """Give a trial that can be repeated, by its number.

    Raises:
        OptionError: There is no such trial, it has not completed, or it is a repeat itself.
    """
    trials = study.get_trials(deepcopy=False)
    name = repr(study.study_name)
    index = as_count(number)
    if index is None or index >= len(trials):
        there = f"0 to {len(trials) - 1}" if trials else "none"
        raise OptionError(f"There is no trial {number!r} in {name}: there is {there}.")
    trial = trials[index]
    original = repeated_number(trial)
    if original is not None:
        raise OptionError(
            f"Trial {index} of {name} repeats trial {original}: repeat that one instead."
        )
    if trial.state != TrialState.COMPLETE:
        raise OptionError(
            f"Trial {index} of {name} is {trial.state.name.lower()}, and only a completed one can "
            "be repeated: to run its hyperparameters as a new trial, use "
            f"study.enqueue_trial(study.trials[{index}].params)."
        )
    return trial
