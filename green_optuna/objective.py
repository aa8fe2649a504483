"""The decorator: an ordinary Optuna objective becomes one whose costs are measured."""

from __future__ import annotations

import functools
import math
import os
import types
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakKeyDictionary

import optuna

from green_optuna.budget import Budget, StopWhenFlat
from green_optuna.carbon import Grid, stated_grid
from green_optuna.deadline import shielded
from green_optuna.energy import Meter, MeterOptions
from green_optuna.errors import ObjectiveError, OptionError
from green_optuna.locks import ProcessLock
from green_optuna.options import ObjectiveOptions, checked_budgets, checked_pruners
from green_optuna.outcome import make_outcome, read_result
from green_optuna.pickling import reduce_to_name_or_value
from green_optuna.pooling import repeated_number
from green_optuna.pruning import Pruner
from green_optuna.quality import QualityBounds
from green_optuna.session import Session
from green_optuna.terms import DEFAULT_OBJECTIVES, StudyTerms, check_objectives
from green_optuna.tracking import MLflowTracker, StudyLog
from green_optuna.trial_budget import within_budgets
from green_optuna.trial_run import TrialRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.inference import InferenceOptions
    from green_optuna.outcome import NParams, Result
    from green_optuna.tracking import Tracker
    from green_optuna.trial import GreenTrial

# How many studies of one objective a process keeps the logs of, and with them their storages.
KEPT_LOGS = 16


class GreenObjective:
    """A decorated objective: call it with a trial and it returns the measured objectives.

    Made by :func:`green_objective`. It pickles: by name where its function can be imported,
    else by value with cloudpickle. What a process keeps for it (meter, connections) stays in
    that process.

    Attributes:
        function: The user's function.
        options: What the decorator was asked for.
    """

    def __init__(self, function: Callable[..., object], options: ObjectiveOptions) -> None:
        # First, for it also copies the function's attributes, whatever they are called.
        functools.update_wrapper(self, function)
        self.function = function
        self.options = options
        # By storage, whose life ends with the user's last study in it (and with the log that
        # waits to pass on its last front), then by process and study.
        self._sessions: WeakKeyDictionary[
            optuna.storages.BaseStorage, dict[tuple[int, int], Session]
        ] = WeakKeyDictionary()
        self._logs: dict[tuple[int, str], StudyLog] = {}
        self._lock = ProcessLock()

    def __repr__(self) -> str:
        """Name the function."""
        return f"<green objective {getattr(self.function, '__qualname__', self.function)!r}>"

    def __get__(
        self, instance: object, owner: type | None = None
    ) -> GreenObjective | types.MethodType:
        """Bind to an instance, as functions do: a method can be decorated."""
        return self if instance is None else types.MethodType(self, instance)

    def __call__(self, *args: object, **kwargs: object) -> tuple[float, ...]:
        """Run the user's function, measured.

        Args:
            args: What the function takes; one of them is the ``optuna.Trial``.
            kwargs: What else the function takes.

        Returns:
            The objectives, in the order of ``options.objectives``; NaN for each of them where
            the trial's time was up, of which Optuna makes a failed trial.

        Raises:
            BudgetReached: The trial was not started, since the study's budget is reached.
            ObjectiveError: What the function returned cannot be made into objectives.
            StudyError: The study does not fit.
            GridError: Nobody said where the electricity comes from.
            MeterError: The energy could not be measured.
        """
        trial = _find_trial((*args, *kwargs.values()))

        def measured(green: GreenTrial) -> object:
            return self.function(
                *(green if argument is trial else argument for argument in args),
                **{name: green if given is trial else given for name, given in kwargs.items()},
            )

        # Where this trial runs in the function of another one, whose time may be up meanwhile.
        with shielded():
            return self._measure(trial, measured)

    def _measure(
        self, trial: optuna.Trial, measured: Callable[[GreenTrial], object]
    ) -> tuple[float, ...]:
        options, session = self.options, self._session(trial)
        run = TrialRun(session, trial, options, read=self._read)
        budgets = options.budgets
        if repeated_number(trial) is not None:
            # A repeat makes the front surer, and not larger.
            budgets = tuple(one for one in budgets if not isinstance(one, StopWhenFlat))
        with within_budgets(budgets, session, trial, lambda: run.used_kwh):
            return self._run(run, measured)

    def _run(self, run: TrialRun, measured: Callable[[GreenTrial], object]) -> tuple[float, ...]:
        options = self.options
        # All of a trial: Ctrl-C may come at any point, and no run shall stay open.
        try:
            run.begin()
            results = run.call(measured)
            outcome = make_outcome(
                results,
                measurement=run.measurement,
                inference=run.inference,
                objectives=options.objectives,
            )
            run.complete(outcome)
        except BaseException as error:
            run.end_after(error)
            if run.timed_out(error):
                # The one ending that Optuna takes for a failure and that ends no study.
                return (math.nan,) * len(options.objectives)
            raise
        return tuple(outcome.objectives.values())

    def _read(self, returned: object, trial: GreenTrial) -> Result:
        return read_result(
            returned,
            trial=trial,
            bounds=self.options.quality_bounds,
            n_params=self.options.n_params,
            wanted="n_params" in self.options.objectives,
        )

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name where that leads back here, else by value."""
        return reduce_to_name_or_value(self, self.function, self.options)

    def _session(self, trial: optuna.Trial) -> Session:
        study, options = trial.study, self.options
        # The id, since another study may bear the name of one that was deleted.
        key = (os.getpid(), study._study_id)
        with self._lock:
            sessions = self._sessions.setdefault(trial.storage, {})
            if key not in sessions or sessions[key].log.ended:
                sessions[key] = Session(
                    study,
                    terms=StudyTerms(
                        objectives=options.objectives,
                        quality_bounds=options.quality_bounds,
                        grid=options.grid or Grid.from_environment(),
                    ),
                    meter=options.meter,
                    log_for=functools.partial(self._log, study),
                )
            session = sessions[key]
            past = [self._logs.pop(one) for one in list(self._logs)[:-KEPT_LOGS]]
        for log in past:
            log.end()
        return session

    def _log(self, study: optuna.Study, terms: StudyTerms) -> StudyLog:
        """Give the one log of a study, however often the study is loaded anew."""
        key = (os.getpid(), terms.key)
        log = self._logs.pop(key, None) or StudyLog(study, terms, self.options.trackers)
        log.follow(study)
        if self.options.trackers:
            # The latest last: the first are ended when there are too many.
            self._logs[key] = log
        return log


@overload
def green_objective(function: Callable[..., object], /) -> GreenObjective: ...
@overload
def green_objective(
    *,
    country: str | None = None,
    grid: Grid | None = None,
    meter: MeterOptions | Meter | None = None,
    trackers: Sequence[Tracker] | None = None,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    quality_bounds: tuple[float, float] | QualityBounds = (0.0, 1.0),
    n_params: NParams = "total",
    repeats: int = 1,
    timeout_s: float | None = None,
    inference: InferenceOptions | None = None,
    pruner: Pruner | Sequence[Pruner] | None = None,
    budget: Budget | Sequence[Budget] | None = None,
    total_steps: int | str | None = None,
    save_model: bool = False,
) -> Callable[[Callable[..., object]], GreenObjective]: ...
def green_objective(
    function: Callable[..., object] | None = None,
    /,
    *,
    country: str | None = None,
    grid: Grid | None = None,
    meter: MeterOptions | Meter | None = None,
    trackers: Sequence[Tracker] | None = None,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    quality_bounds: tuple[float, float] | QualityBounds = (0.0, 1.0),
    n_params: NParams = "total",
    repeats: int = 1,
    timeout_s: float | None = None,
    inference: InferenceOptions | None = None,
    pruner: Pruner | Sequence[Pruner] | None = None,
    budget: Budget | Sequence[Budget] | None = None,
    total_steps: int | str | None = None,
    save_model: bool = False,
) -> GreenObjective | Callable[[Callable[..., object]], GreenObjective]:
    """Decorate an Optuna objective: it returns ``(1 - quality, CO2e in kg, parameters)``.

    The function stays as it is but for what it returns: ``(quality, model)``, or ``(quality,
    n_params)``, or the quality alone after ``trial.watch(model)`` or with ``n_params=``. A quality
    may come with its interval, as an ``Interval`` or a ``RelativeScore``, which is kept. The
    energy of each call is measured, whatever its end; ``trial.report`` and
    ``trial.should_prune`` work though the study has several objectives.

    Args:
        function: The objective, where the decorator stands bare: ``@green_objective``.
        country: Where the electricity comes from, as an ISO 3166 code ("FRA"): short for
            ``grid=Grid(country=...)``. Without either, the environment variables
            ``GREEN_OPTUNA_COUNTRY`` or ``GREEN_OPTUNA_CARBON_INTENSITY_G_PER_KWH`` say.
        grid: The carbon intensity in g/kWh, with its source, and the PUE.
        meter: How CodeCarbon measures, or a meter of your own.
        trackers: Who is told of each trial: one ``MLflowTracker()`` unless given, none for
            ``[]``.
        objectives: What is returned, in order, of "quality_loss", "co2e_kg" (kg), "n_params",
            "energy_kwh" (kWh) and "duration_s" (s); and, with ``inference=``, of "inference_kwh"
            (kWh a sample), "flops" (a sample) and "peak_memory_bytes" (of one call).
        quality_bounds: The worst and the best quality there can be; ``(0, 1)`` makes the loss
            ``1 - quality``. A worst above the best means that lower is better.
        n_params: The number of parameters, or a function of the trial that gives it; or which
            of the model's parameters count, "total" or "trainable".
        repeats: How often the function runs in each trial, with the same parameters; the
            objectives are then the means over the runs, with their intervals. The runs differ
            by nothing but the function's own randomness: with one fixed seed they are the same
            run again. ``trial.run`` says which run it is, from 0, to seed with; in a trial that
            repeats another one, it goes on from that one's. All runs' energy is counted;
            only the first one's reports do, and only it is pruned.
        timeout_s: How long a trial may take, all its runs together, in s; None or infinity for
            as long as it takes. When it is over, :class:`TrialTimeoutError` is raised in the
            function, and again each second until it ends; what waits in C (a subprocess, a GPU)
            ends first. The trial has failed then, with its energy counted, and the study goes
            on: the objectives are NaN, which ``study.optimize`` and ``study.tell`` take for a
            failure (the latter with a warning). A function that catches the error and returns
            has completed its trial.
        inference: How to measure the inference of each completed trial's model, with example
            inputs: ``InferenceOptions(inputs=images[:32])``. It is done after the training, takes
            about a second unless told otherwise, outside ``timeout_s``, and its energy counts in
            what the study spent but not in the trial's CO2e. Random numbers are as before, where
            no other trial runs beside it in the process. Where none of the objectives is made of
            it, a model that it cannot be told of costs no trial.
        pruner: What ``trial.should_prune()`` asks: a :class:`DominancePruner`, a
            :class:`ParetoHalvingPruner`, a :class:`CapPruner`, a :class:`Pruner` of your own, or
            several, any of which may stop the trial. Without one, it says no.
        budget: When to start no further trial: a :class:`CarbonBudget`, a :class:`StopWhenFlat`,
            a :class:`Budget` of your own, or several. It is asked before each trial, before its
            trackers and its window are opened. Once it is reached, the trial raises
            :class:`BudgetReached`, which prunes it with nothing spent, and ``study.optimize``
            ends. A trial that was enqueued is used up by that, and so is a point of a
            ``GridSampler``. It has no hyperparameters: ``TPESampler(multivariate=True)``, resumed
            later, samples each on its own, and ``BruteForceSampler`` cannot go on with it.
        total_steps: How many steps a trial makes, or the name of the hyperparameter that says
            so, such as "epochs". With it, or else by the last steps of finished trials, what a
            trial will cost is forecast while it runs, and what pruning saved when it is pruned.
        save_model: Whether to save each completed trial's model, the one returned or watched, with
            its MLflow run: a torch module, or an estimator of scikit-learn or LightGBM. It is
            written after the trial's window, counts as overhead, and where it fails it costs no
            trial. ``trial.save_model`` in the function saves another model, or an earlier state.

    Returns:
        The decorated objective, for ``study.optimize`` or for calls of your own.

    Raises:
        OptionError: An option cannot be used.
        GridError: The place is unknown, or the intensity or the PUE impossible.

    Example:
        ::

            @green_objective(country="FRA")
            def objective(trial):
                model = Net(width=trial.suggest_int("width", 8, 256, log=True))
                return train(model), model
    """
    options = ObjectiveOptions(
        grid=stated_grid(country=country, grid=grid),
        meter=MeterOptions() if meter is None else meter,
        trackers=(MLflowTracker(),) if trackers is None else tuple(trackers),
        objectives=check_objectives(objectives),
        quality_bounds=QualityBounds.of(quality_bounds),
        n_params=n_params,
        repeats=repeats,
        timeout_s=timeout_s,
        inference=inference,
        pruners=checked_pruners(pruner),
        budgets=checked_budgets(budget),
        total_steps=total_steps,
        save_model=save_model,
    )
    if function is None:
        return lambda decorated: _decorate(decorated, options)
    return _decorate(function, options)


def _decorate(function: Callable[..., object], options: ObjectiveOptions) -> GreenObjective:
    if not callable(function):
        raise OptionError(
            f"green_objective decorates a function, not {function!r}: pass its options by name, "
            'as in green_objective(country="FRA").'
        )
    return GreenObjective(function, options)


def _find_trial(arguments: Sequence[object]) -> optuna.Trial:
    """Find the trial among the arguments of an objective."""
    for argument in arguments:
        if isinstance(argument, optuna.Trial):
            return argument
    raise ObjectiveError(
        f"A green objective is called with an optuna.Trial, from study.optimize or study.ask, "
        f"and got {[type(argument).__name__ for argument in arguments]}. To run given parameters, "
        "use study.enqueue_trial(params)."
    )
