"""The end of a trial's time: raised in the user's function, again and again, and nowhere else."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from green_optuna.deadline import Deadline, shielded
from green_optuna.errors import TrialTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Time enough to begin, on a machine that is busy.
SOON_S = 0.1
NEVER_S = 3600.0


def work_for(s: float) -> int:
    """Keep Python busy for a time, in many small steps, each of which could be cut short."""
    steps = 0
    until_s = time.monotonic() + s
    while time.monotonic() < until_s:
        steps += 1
    return steps


def work_until(happened: Callable[[], bool], *, more: int) -> None:
    """Work until something has happened, and for so many steps more."""
    while not happened():
        pass
    for _ in range(more):
        pass


def work_on() -> None:
    """Work until something is raised."""
    while True:
        work_for(0.001)


def test_a_function_that_ends_in_time_gives_what_it_returns() -> None:
    """With a deadline far away, and with none."""
    for timeout_s in (NEVER_S, None, 1e12):
        with Deadline(timeout_s) as deadline:
            assert deadline.call(lambda: "done") == "done"
            assert not deadline.passed


def test_a_function_without_end_is_ended() -> None:
    """The exception comes in it, and out of the call; the time is up by then."""
    with Deadline(SOON_S) as deadline:
        with pytest.raises(TrialTimeoutError, match="timeout_s"):
            deadline.call(work_on)
        assert deadline.passed


def test_what_waits_in_c_ends_when_it_comes_back_to_python() -> None:
    """Nothing can be raised while a thread sleeps; right after it is."""
    after = []

    def sleep() -> None:
        time.sleep(0.1)
        after.append("woken")
        work_on()

    with Deadline(SOON_S) as deadline, pytest.raises(TrialTimeoutError):
        deadline.call(sleep)
    assert len(after) <= 1


def test_it_is_no_exception_that_a_loop_forgives() -> None:
    """Like KeyboardInterrupt, it goes through `except Exception`."""

    def forgiving() -> None:
        while True:
            try:
                work_for(0.001)
            except Exception:
                continue

    with Deadline(SOON_S) as deadline, pytest.raises(TrialTimeoutError):
        deadline.call(forgiving)


def test_it_is_raised_again_until_the_function_ends() -> None:
    """Even one that catches everything meets it as often as it takes."""
    met: list[BaseException] = []

    def stubborn() -> str:
        while len(met) < 3:
            try:
                work_on()
            except BaseException as error:  # what a user's loop should not do
                met.append(error)
        return "gave in"

    with Deadline(SOON_S, retry_s=0.01) as deadline:
        assert deadline.call(stubborn) == "gave in"
    assert [type(error) for error in met] == [TrialTimeoutError] * 3


def test_the_functions_own_error_comes_out_as_it_is() -> None:
    """What it raises is not taken for the end of its time."""
    error = ValueError("mine")

    def raising() -> None:
        raise error

    with Deadline(NEVER_S) as deadline, pytest.raises(ValueError, match="mine") as raised:
        deadline.call(raising)
    assert raised.value is error


class LateDeadline(Deadline):
    """A deadline whose watcher is held up just before it raises, until the function has ended."""

    def __init__(self) -> None:
        super().__init__(SOON_S, retry_s=1e-4)
        self.thread = threading.current_thread()
        self.looking, self.returning = threading.Event(), threading.Event()

    @property
    def passed(self) -> bool:
        """Tell the watcher that the time is up, at the worst of moments."""
        if threading.current_thread() is self.thread:
            return False
        self.looking.set()
        self.returning.wait()
        time.sleep(0.01)
        return True


def test_an_exception_on_its_way_does_not_arrive_after_the_function() -> None:
    """Sent while the function returns, it counts for nothing: the function has its result."""
    with LateDeadline() as deadline:

        def function() -> str:
            deadline.looking.wait()
            deadline.returning.set()
            return "done"

        assert deadline.call(function) == "done"
        work_for(0.05)


def test_an_exception_on_its_way_does_not_replace_the_functions_own() -> None:
    """What the function raises while one is being sent is what comes out."""
    with LateDeadline() as deadline:

        def function() -> None:
            deadline.looking.wait()
            deadline.returning.set()
            raise ValueError("mine")

        with pytest.raises(ValueError, match="mine"):
            deadline.call(function)
        work_for(0.05)


def test_an_exception_on_its_way_does_not_arrive_behind_a_shield() -> None:
    """It is raised before the shielded step begins, or after it."""
    halves = []
    with LateDeadline() as deadline:

        def function() -> None:
            deadline.looking.wait()
            deadline.returning.set()
            with shielded():
                halves.append("first")
                work_for(0.05)
                halves.append("second")
            work_on()

        with pytest.raises(TrialTimeoutError):
            deadline.call(function)
    assert halves in ([], ["first", "second"])


@pytest.fixture
def _switching_often() -> Iterator[None]:
    """Have Python change threads at almost every step, so that rare orders are common ones."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval_s)


@pytest.mark.usefixtures("_switching_often")
def test_nothing_is_raised_outside_the_function() -> None:
    """However close the two ends are to each other, and however often it is raised again.

    Whatever came late would be raised in the work that follows, and fail this test.
    """
    ended = {"in time": 0, "too late": 0}
    for attempt in range(400):
        with Deadline(5e-4, retry_s=1e-5) as deadline:
            try:
                deadline.call(lambda: work_until(lambda: deadline.passed, more=attempt % 40))  # noqa: B023 - called at once
            except TrialTimeoutError:
                ended["too late"] += 1
            else:
                ended["in time"] += 1
            work_for(1e-4)
        work_for(1e-4)
    assert sum(ended.values()) == 400


def test_nothing_is_raised_between_two_calls() -> None:
    """After the time is up, our own code between two runs is left alone, and no run begins."""
    with Deadline(SOON_S, retry_s=1e-4) as deadline:
        for _ in range(3):
            with pytest.raises(TrialTimeoutError):
                deadline.call(work_on)
            work_for(0.01)


def test_what_is_shielded_is_not_cut_short() -> None:
    """Not amid it, but as soon as it has ended; and no further such step is begun."""
    done: list[str] = []

    def function() -> None:
        with shielded():
            while not deadline.passed:
                work_for(0.001)
            work_for(0.05)  # long enough for some tries
            done.append("first")
        with shielded():
            done.append("second")

    with Deadline(SOON_S, retry_s=1e-4) as deadline, pytest.raises(TrialTimeoutError):
        deadline.call(function)
    assert done == ["first"]


def test_a_shield_inside_a_shield_ends_with_the_outer_one() -> None:
    """Methods of ours call one another."""
    done: list[str] = []

    def function() -> None:
        with shielded():
            with shielded():
                work_for(2 * SOON_S)
            work_for(0.05)
            done.append("outer")
        work_on()

    with Deadline(SOON_S, retry_s=1e-4) as deadline, pytest.raises(TrialTimeoutError):
        deadline.call(function)
    assert done == ["outer"]


@pytest.mark.usefixtures("_switching_often")
def test_steps_that_are_shielded_are_whole_or_not_begun() -> None:
    """Wherever the end of the time finds the function, the two halves of each step are done."""
    for _ in range(30):
        halves = [0, 0]

        def function(halves: list[int] = halves) -> None:
            while True:
                with shielded():
                    halves[0] += len("x")
                    halves[1] += len("x")

        with Deadline(2e-3, retry_s=1e-4) as deadline, pytest.raises(TrialTimeoutError):
            deadline.call(function)
        assert halves[0] == halves[1]


def test_without_a_deadline_a_shield_does_nothing() -> None:
    """In a thread where none is watched."""
    with shielded():
        work_for(0.001)


def test_the_inner_of_two_ends_alone() -> None:
    """The function of the outer one goes on, and nothing of the inner one comes later."""
    said = []

    def outer() -> str:
        with shielded(), Deadline(SOON_S, retry_s=1e-4) as inner:
            try:
                inner.call(work_on)
            except TrialTimeoutError:
                said.append((inner.passed, outside.passed))
        work_for(0.05)
        return "went on"

    with Deadline(NEVER_S) as outside:
        assert outside.call(outer) == "went on"
    assert said == [(True, False)]


def test_the_outer_of_two_ends_the_inner_ones_function_too() -> None:
    """Inside the inner function, and not in the code between them."""
    between = []

    def outer() -> None:
        with shielded(), Deadline(NEVER_S) as inner:
            try:
                inner.call(work_on)
            finally:
                work_for(0.03)
                between.append(inner.passed)

    with Deadline(SOON_S, retry_s=1e-4) as outside, pytest.raises(TrialTimeoutError):
        outside.call(outer)
    assert between == [False]


def run_in_threads(*functions: Callable[[], None]) -> list[BaseException]:
    """Run functions side by side; give what they raised."""
    raised: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_each_thread_has_its_own() -> None:
    """Of functions side by side, those whose time is up are ended, and no other."""
    others_ended = threading.Event()

    def ends() -> None:
        with Deadline(SOON_S, retry_s=1e-3) as deadline:
            deadline.call(work_on)

    def goes_on() -> None:
        with Deadline(NEVER_S) as deadline:
            deadline.call(lambda: [work_for(0.001) for _ in iter(others_ended.is_set, True)])

    def wait_for_the_others() -> None:
        raised.extend(run_in_threads(ends, ends))
        others_ended.set()

    raised: list[BaseException] = []
    assert run_in_threads(goes_on, goes_on, wait_for_the_others) == []
    assert [type(error) for error in raised] == [TrialTimeoutError] * 2


def test_a_watch_that_cannot_begin_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """For want of threads, or by Ctrl-C: its time ends no later trial of this thread."""

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError), Deadline(1e-9):
            pass
    with Deadline(3600) as deadline:
        assert deadline.call(lambda: 1) == 1
    with shielded():
        pass


def test_no_thread_is_left_behind() -> None:
    """Each watch ends with its deadline, however far away that was."""
    for timeout_s in (SOON_S, NEVER_S):
        with Deadline(timeout_s) as deadline:
            watching = [t for t in threading.enumerate() if t.name == "green_optuna-deadline"]
            deadline.call(lambda: None)
        assert watching
        for thread in watching:
            thread.join(timeout=60)
            assert not thread.is_alive()
