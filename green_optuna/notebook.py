"""How a study comes along, shown in a notebook while it runs."""

from __future__ import annotations

import logging
import threading
import time
import types
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from green_optuna.budget import CarbonBudget, Spending
from green_optuna.budget.carbon import show
from green_optuna.displays import describe_spending, front_picture, named
from green_optuna.errors import (
    EmptyStudyError,
    MissingPackageError,
    NoModelMeetsCapsError,
    OptionError,
)
from green_optuna.front import pareto_front
from green_optuna.ledger import ACCOUNTS
from green_optuna.markup import html_heading, html_output, html_paragraph
from green_optuna.objective import GreenObjective
from green_optuna.record import in_one_line, why_not_started
from green_optuna.rules import as_rule
from green_optuna.scalars import checked_amount
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna
    from optuna.trial import FrozenTrial

    from green_optuna.front import ParetoFront
    from green_optuna.rules import Figure, Rule
    from green_optuna.selection import Selection

_logger = logging.getLogger("green_optuna")

MAX_SHARE: Final = 0.05
"""So much of the time goes into drawing, at most."""


class StudyDisplay:
    """Shows in a notebook how a study comes along: a callback for ``study.optimize``.

    ::

        study.optimize(objective, n_trials=50, callbacks=[go.StudyDisplay(objective)])

    One output is kept up to date in its place: how many trials have ended and how, what they and
    all between them have spent, the front so far, what the rule would choose now, and what is left
    of the objective's :class:`CarbonBudget`. It is drawn after a trial, at most once in
    ``interval_s`` and seldom enough for drawing to take no more than 5 % of the time (of a study
    of thousands, reading it takes its time), and once more when the cell ends, whatever ended it.

    What drawing takes lies between trials: it is in no trial's window, and its energy counts in
    what the study spent, as overhead. Where trials run side by side in threads (``n_jobs``), one
    that runs meanwhile pays for it as for any other thread of its process.

    An exception in it ends no study: the first one is logged, with its reason. Outside a notebook
    it prints nothing, so that a notebook can become a script as it is: Optuna's own log says there
    how each trial ended. It may be used again, in the next cell, and by several threads.

    Args:
        objective: The decorated objective; without it, nothing is said of its budgets.
        rule: What would choose now, as for :meth:`ParetoFront.select`.
        interval_s: The shortest time between two drawings, in s.

    Raises:
        MissingPackageError: IPython is not installed.
        OptionError: An option cannot be used.
    """

    def __init__(
        self,
        objective: GreenObjective | types.MethodType | None = None,
        *,
        rule: Rule | str | Figure | None = None,
        interval_s: float = 1.0,
    ) -> None:
        try:
            from IPython.core.getipython import get_ipython
        except ImportError as error:
            raise MissingPackageError(
                "StudyDisplay draws with IPython, which is not installed: pip install ipython. "
                "A script does without StudyDisplay."
            ) from error
        # A method that was decorated is bound to its instance.
        decorated = getattr(objective, "__func__", objective)
        if decorated is not None and not isinstance(decorated, GreenObjective):
            raise OptionError(
                f"The objective is {objective!r}: give the function that green_objective decorated."
            )
        self._options = None if decorated is None else decorated.options
        self._rule = as_rule(rule)
        self._interval_s = checked_amount("The display's interval_s", interval_s)
        shell: Any = get_ipython()
        # A terminal shows no HTML, and what is printed there cannot be replaced.
        shows_html = shell is not None and "text/html" in shell.display_formatter.active_types
        self._shell: Any = shell if shows_html else None
        self._lock = threading.Lock()
        self._handle: Any = None
        self._due_at_s = 0.0
        self._latest: optuna.Study | None = None
        self._stopped: str | None = None
        self._told = False

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Draw the study where it is time to; Optuna calls it after each trial."""
        if self._shell is None:
            return
        self._stopped = why_not_started(trial) or self._stopped
        self._latest = study
        # While another thread draws, this trial waits for nothing: the next drawing has it.
        if time.monotonic() >= self._due_at_s and self._lock.acquire(blocking=False):
            try:
                self._draw_tolerated()
            finally:
                self._lock.release()

    def _at_the_end(self, result: object) -> None:  # noqa: ARG002 - IPython's signature
        """Draw what has come since, when the cell has ended; the next one gets its own output."""
        with self._lock:
            if self._latest is not None:
                self._draw_tolerated()
            self._shell.events.unregister("post_run_cell", self._at_the_end)
            self._handle, self._stopped, self._due_at_s = None, None, 0.0

    def _draw_tolerated(self) -> None:
        """Draw; whatever it raises, the study goes on."""
        study, self._latest = self._latest, None
        began_s = time.monotonic()
        try:
            if study is not None:
                self._show(self._drawn(study))
        except Exception as error:
            if not self._told:
                self._told = True
                _logger.warning(
                    "The study goes on, and its display in the notebook could not be drawn: %s",
                    shown_text(in_one_line(error)),
                )
        self._due_at_s = due_at_s(began_s, time.monotonic(), self._interval_s)

    def _show(self, output: dict[str, str]) -> None:
        """Put an output in the place of the former one."""
        from IPython.display import display

        if self._handle is None:
            self._handle = display(output, raw=True, display_id=True)
            self._shell.events.register("post_run_cell", self._at_the_end)
        else:
            self._handle.update(output, raw=True)

    def _drawn(self, study: optuna.Study) -> dict[str, str]:
        """Draw a study, as HTML and as text for viewers that show none."""
        # A search that goes on is shown, whatever is to be said of it.
        front = pareto_front(study, allow_mixed=True)
        ends = Counter(entry.end for entry, _ in front.candidates.ended)
        ended = ", ".join(
            f"{ends[end]} {end}" for end in ACCOUNTS if end != "overhead" and ends[end]
        )
        heading = f"Study {named(study.study_name)}: {ended or 'no trial has ended'}"
        chosen, choice = self._choice(front)
        sentences = [
            describe_spending(front.candidates),
            *self._left(front),
            *([f"Stopped by the study's budget: {self._stopped}."] if self._stopped else []),
            choice,
            front.note or "",
        ]
        row = None if chosen is None else chosen.row
        html = html_output(
            html_heading(heading),
            *map(html_paragraph, sentences),
            front_picture(front.candidates, front.rows, chosen=row),
        )
        return {
            "text/html": html,
            "text/plain": shown_text(" ".join([f"{heading}.", *filter(None, sentences)])),
        }

    def _choice(self, front: ParetoFront) -> tuple[Selection | None, str]:
        """Select, and say what; or say why nothing is selected."""
        try:
            chosen = front.select(self._rule)
        except (EmptyStudyError, NoModelMeetsCapsError, OptionError) as error:
            return None, f"Nothing is selected so far: {error}"
        return chosen, f"Chosen now: {chosen}"

    def _left(self, front: ParetoFront) -> Iterator[str]:
        """Say what is left of each budget that is an amount."""
        candidates = front.candidates
        if self._options is None or candidates.terms is None:
            return
        spending = Spending(
            study_name=candidates.study_name, grid=candidates.terms.grid, ledger=candidates.ledger
        )
        for budget in self._options.budgets:
            if isinstance(budget, CarbonBudget):
                for name, left in budget.left(spending).items():
                    cap = show(name, budget.caps[name])
                    yield f"Of the budget of {cap}, {show(name, max(left, 0.0))} is left."


def due_at_s(began_s: float, ended_s: float, interval_s: float) -> float:
    """Give when a study may be drawn again, so that drawing takes a small share of the time.

    Args:
        began_s: When the latest drawing began, in s.
        ended_s: When it ended.
        interval_s: The shortest time between two drawings, in s.
    """
    return began_s + max(interval_s, (ended_s - began_s) / MAX_SHARE)
