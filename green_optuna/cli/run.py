"""``green-optuna run``: a study from a configuration, its progress and its result."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import optuna

from green_optuna.budget import CarbonBudget, SpendingReader
from green_optuna.budget.carbon import show
from green_optuna.carbon import Grid
from green_optuna.cli import render
from green_optuna.cli.expect import first_trials, show_estimate
from green_optuna.cli.interrupt import Interrupt, ended_by_interrupt
from green_optuna.cli.spelling import grid_keys, rule_options
from green_optuna.cli.storage import DEFAULT_STORAGE, open_storage
from green_optuna.config import make_objective
from green_optuna.errors import OptionError
from green_optuna.front import pareto_front
from green_optuna.record import why_not_started
from green_optuna.study import create_study
from green_optuna.terms import StudyTerms, read_terms
from green_optuna.units import format_co2e
from green_optuna.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from optuna.trial import FrozenTrial
    from rich.progress import Progress

    from green_optuna.config import RunConfig, StudyConfig
    from green_optuna.objective import GreenObjective
    from green_optuna.options import ObjectiveOptions
    from green_optuna.rules import Rule

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


def run_study(config: RunConfig, *, estimate: int | None = None) -> int:
    """Run a study and show its front and selection, or what it will cost.

    Args:
        config: What to run. All of it is checked before the first trial.
        estimate: Run so many trials only, and say what all would cost; None to run them all.

    Returns:
        The exit code: 0, also where a budget ended the run, or 130 where Ctrl-C did, after what
        there is was shown.

    Raises:
        GreenOptunaError: The configuration cannot be used, a trial cannot be measured, or there
            is nothing to select.
    """
    with rule_options():
        rule = config.rule.make()
    with grid_keys():
        objective = make_objective(config)
    with rule_options():
        check_rule(rule, objective.options.objectives)
    settings = config.study if estimate is None else first_trials(config.study, estimate)
    url = config.study.storage or os.environ.get("GREEN_OPTUNA_STORAGE") or DEFAULT_STORAGE
    storage = open_storage(url)
    with quiet_optuna():
        study = create_study(
            config.study_name,
            storage=storage,
            sampler=config.study.make_sampler(),
            objectives=objective.options.objectives,
        )
        check_terms(study, objective.options)
        ended: list[FrozenTrial] = []
        interrupted = _optimise(study, objective, settings, lambda _, trial: ended.append(trial))
    reason = next(filter(None, map(why_not_started, ended)), None)
    if reason is not None:
        render.say(f"Stopped by the study's budget: {reason}.")
    if interrupted:
        render.say("Stopped with Ctrl-C; this is what there is:")
    if estimate is None:
        with rule_options():
            _show_result(study, rule)
    else:
        show_estimate(study, ended, config.study)
    render.say_links(study)
    render.say(f"Kept in {shown_url(url)}, study {study.study_name!r}.")
    return INTERRUPTED if interrupted else 0


def check_rule(rule: Rule | None, objectives: Sequence[str]) -> None:
    """Refuse before the search what would be refused after it.

    Raises:
        OptionError: The rule needs an objective that the study will not have.
    """
    rule = rule and rule.fitted(objectives)
    missing = [name for name in (rule.objectives if rule else ()) if name not in objectives]
    if rule is not None and missing:
        raise OptionError(
            f"rule.name is {rule.name!r}, which needs {missing[0]!r}, and the objectives are "
            f"{', '.join(objectives)}: {rule.remedy(objectives)}, or give rule.name=null for none."
        )


def check_terms(study: optuna.Study, options: ObjectiveOptions) -> None:
    """Refuse before a trial what would fail one.

    Raises:
        TermsError: The study was made with other objectives, or for another grid.
    """
    stored = read_terms(study)
    if stored is not None and options.grid is not None:
        terms = StudyTerms(
            objectives=options.objectives, quality_bounds=options.quality_bounds, grid=options.grid
        )
        terms.agree(stored, study.study_name)


def _optimise(
    study: optuna.Study,
    objective: GreenObjective,
    config: StudyConfig,
    *callbacks: Callable[[optuna.Study, FrozenTrial], None],
) -> bool:
    """Run the trials, showing their progress; tell whether Ctrl-C ended them.

    Args:
        study: The study.
        objective: Its objective.
        config: How much of it is done.
        callbacks: Who else is told of each trial that has ended.
    """
    interrupt = Interrupt(in_threads=config.n_jobs != 1)
    with interrupt, _progress() as progress:
        tally = _Tally(study, objective.options, progress, config.n_trials, interrupt)
        ended = ended_by_interrupt(
            lambda: study.optimize(
                objective,
                n_trials=config.n_trials,
                timeout=config.timeout_s,
                n_jobs=config.n_jobs,
                callbacks=[tally, *callbacks],
            )
        )
    return ended or interrupt.asked


class _Tally:
    """Counts the trials, and what the study has spent and has left, for the progress bar."""

    def __init__(
        self,
        study: optuna.Study,
        options: ObjectiveOptions,
        progress: Progress,
        n_trials: int | None,
        interrupt: Interrupt,
    ) -> None:
        self._spending = SpendingReader(options.grid or Grid.from_environment())
        self._budgets = [one for one in options.budgets if isinstance(one, CarbonBudget)]
        self._progress = progress
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._task = progress.add_task(study.study_name, total=n_trials, spent=self._spent(study))

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        advance = 1 if why_not_started(trial) is None else 0
        with self._lock:
            self._progress.update(self._task, advance=advance, spent=self._spent(study))
        if self._interrupt.asked:
            study.stop()

    def _spent(self, study: optuna.Study) -> str:
        """Say what all workers of the study have spent, and what is left of its budgets."""
        spending = self._spending.read(study)
        left = [
            f"{show(name, max(amount, 0.0))} left"
            for budget in self._budgets
            for name, amount in budget.left(spending).items()
        ]
        return ", ".join([f"{format_co2e(spending.co2e_kg)} CO2e", *left])


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("trials, {task.fields[spent]},"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's log: the bar tells the progress, and a failure ends the run."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _show_result(study: optuna.Study, rule: Rule | None) -> None:
    # A search that has been paid for is shown, whatever is to be said of it.
    front = pareto_front(study, allow_mixed=True)
    if not front.candidates.trials:
        render.say(f"No trial was completed. {front.ledger}")
        return
    if front.note is not None:
        render.say(f"warning: {front.note}")
    render.show(render.front_table(front))
    if rule is None:
        render.show(render.ledger_table(front.ledger))
        return
    selection = front.select(rule)
    render.show(render.selection_table(selection))
    render.show(render.ledger_table(front.ledger, selection))
