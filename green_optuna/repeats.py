"""A trial's function, run as often as was asked for, until the trial's time is up."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING

import optuna

from green_optuna.deadline import Deadline
from green_optuna.errors import OptionError, TrialTimeoutError
from green_optuna.runs import Boundary, cut_runs
from green_optuna.scalars import as_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from green_optuna.energy import Measurement, Window
    from green_optuna.energy.sampler import Sampler
    from green_optuna.outcome import Result
    from green_optuna.runs import RunRecord
    from green_optuna.trial import GreenTrial


class Repeats:
    """The runs of one trial's function, in the one window of the trial.

    Args:
        trial: What the function gets.
        repeats: How often it runs.
        timeout_s: The time that all runs have together, in s; None for as long as they take.
        read: Reads what the function returned.

    Attributes:
        results: What each run came to that has been read.
    """

    def __init__(
        self,
        trial: GreenTrial,
        *,
        repeats: int,
        timeout_s: float | None,
        read: Callable[[object], Result],
    ) -> None:
        self.trial = trial
        self.repeats = repeats
        self.timeout_s = timeout_s
        self.results: list[Result] = []
        self._late = False
        self._begun = 0
        self._read = read
        self._boundaries: list[Boundary] = []

    def make(
        self, function: Callable[[GreenTrial], object], sampler: Sampler, window: Window
    ) -> object:
        """Run the function; give what the last run returned, for :meth:`finish` to read.

        Whatever the function raises comes out as it is.
        """
        with Deadline(self.timeout_s) as deadline:
            try:
                for run in range(self.repeats - 1):
                    self._read_within(self._call(function, run, deadline), sampler)
                    self._boundaries.append(_boundary(sampler, window))
                return self._call(function, self.repeats - 1, deadline)
            except BaseException:
                # The time may be that of another trial, in whose function this one runs.
                self._late = deadline.passed
                raise

    def timed_out(self, error: BaseException) -> bool:
        """Tell whether the exception that ended the trial is that of its time, or came of it.

        What the function, or the user, says on purpose stands: that the trial is pruned, or that
        its process shall end.
        """
        if not self._late or isinstance(error, optuna.TrialPruned):
            return False
        if not isinstance(error, Exception):
            return isinstance(error, TrialTimeoutError)
        return any(isinstance(cause, TrialTimeoutError) for cause in _causes(error))

    def finish(self, returned: object) -> None:
        """Read what the last run returned; outside the window, as what follows a trial is."""
        self.results.append(self._read(returned))

    @property
    def made(self) -> int:
        """How many runs have begun."""
        return max(self._begun, 1)

    def records(self, measurement: Measurement) -> tuple[RunRecord, ...]:
        """Give what each run came to and what it cost; nothing where one run is all there is.

        Args:
            measurement: What the whole trial cost.
        """
        if self.repeats == 1:
            return ()
        # The time may have been up before the next run began.
        boundaries = self._boundaries[: self.made - 1]
        return cut_runs([result.loss for result in self.results], boundaries, measurement)

    def _call(
        self, function: Callable[[GreenTrial], object], run: int, deadline: Deadline
    ) -> object:
        self.trial.begin_run(run)

        def begin() -> object:
            self._begun = run + 1
            return function(self.trial)

        return deadline.call(begin)

    def _read_within(self, returned: object, sampler: Sampler) -> None:
        """Read what a run returned and let go of its model, whose memory the next one may need."""
        with sampler.excluded():
            self.results.append(self._read(returned))


def checked_repeats(given: object) -> int:
    """Give a number of runs, if it is one.

    Raises:
        OptionError: It is no whole number, or below 1.
    """
    count = as_count(given)
    if not count:
        raise OptionError(f"repeats is {given!r}: give a whole number of 1 or more.")
    return count


def checked_timeout(given: object) -> float | None:
    """Give a time in s, or None for as long as it takes, which infinity says too.

    Raises:
        OptionError: It is no number, or not above 0.
    """
    if given is None:
        return None
    # Written so that NaN is refused.
    if isinstance(given, bool) or not isinstance(given, Real) or not float(given) > 0:
        raise OptionError(f"timeout_s is {given!r}: give seconds, more than 0, or None.")
    return float(given) if float(given) < math.inf else None


def _boundary(sampler: Sampler, window: Window) -> Boundary:
    """Read the meter, where it can be read so soon, as one run ends and the next one begins."""
    _, t_s = sampler.spent(window)
    energy, reading_t_s = sampler.latest(window)
    return Boundary(t_s, reading_t_s, energy.total_kwh)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Go through what an exception came of, each time once."""
    seen: set[int] = set()
    cause = error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
