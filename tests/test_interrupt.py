"""Ctrl-C while a study runs: where it ends a trial, and where it only ends the search."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.cli import interrupt
from green_optuna.cli.interrupt import Interrupt
from green_optuna.cli.run import _optimise
from green_optuna.config import StudyConfig
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from green_optuna.objective import GreenObjective

STEPS = ("create_new_trial", "set_trial_param", "set_trial_user_attr", "set_trial_state_values")


@pytest.fixture(autouse=True)
def _as_it_was(_interruptible: None) -> Iterator[None]:
    """Hold after each test that neither a handler nor a thread is left behind."""
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert "green_optuna-interrupt" not in [thread.name for thread in threading.enumerate()]


def press() -> None:
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


def pressed_in(
    step: str, *, times: int = 1, pause_s: float = 0.0, then: Callable[[], None] = lambda: None
) -> tuple[optuna.storages.InMemoryStorage, list[str]]:
    """Make a storage during whose first step of a kind Ctrl-C is pressed, and list its ends."""
    ended: list[str] = []
    original = getattr(optuna.storages.InMemoryStorage, step)

    def pressed(*args: object, **kwargs: object) -> object:
        if not ended:
            for _ in range(times):
                press()
                time.sleep(pause_s)
            then()
        returned: object = original(*args, **kwargs)
        ended.append(step)
        return returned

    pressed_storage: Any = type("Pressed", (optuna.storages.InMemoryStorage,), {step: pressed})
    return pressed_storage(), ended


def green(function: Callable[[optuna.Trial], object]) -> GreenObjective:
    """Decorate a function."""
    meter = go.ReplayMeter(cpu_w=5.0)
    return go.green_objective(country="FRA", meter=meter, trackers=[])(function)


@green
def quick(trial: optuna.Trial) -> tuple[float, int]:
    """Use the storage in the ways there are."""
    trial.set_user_attr("seen", True)
    return 0.5, trial.suggest_int("width", 1, 10)


@green
def endless(_: optuna.Trial) -> tuple[float, int]:
    """Do something that takes long."""
    time.sleep(60)
    return 0.5, 1


def states(study: optuna.Study) -> list[TrialState]:
    """Give how each trial ended."""
    return [trial.state for trial in study.trials]


@pytest.mark.parametrize("step", STEPS)
def test_no_step_of_the_storage_is_cut_short(step: str) -> None:
    """It is completed, the trial ends, and no further one begins."""
    storage, ended = pressed_in(step)
    study = go.create_study(storage=storage)
    assert _optimise(study, quick, StudyConfig(n_trials=20)) is True
    assert ended
    assert len(study.trials) == 1
    assert study.trials[0].state.is_finished()


@pytest.mark.parametrize("step", ["create_new_trial", "set_trial_param"])
def test_the_users_function_is_ended_once_the_storage_is_done(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial that would take a minute ends at once, where it has just begun as well."""
    monkeypatch.setattr(interrupt, "PATIENCE_S", 1e6)

    @green
    def slow(trial: optuna.Trial) -> object:
        trial.suggest_int("width", 1, 10)
        return endless.function(trial)

    study = go.create_study(storage=pressed_in(step)[0])
    assert _optimise(study, slow, StudyConfig(n_trials=20)) is True
    assert states(study) == [TrialState.FAIL]


def test_the_users_own_code_is_ended_at_once() -> None:
    """Not one more line of it runs, and its trial is kept with what it spent."""
    reached = []

    @green
    def own(_: optuna.Trial) -> object:
        press()
        reached.append(True)
        return 0.5, 1

    study = go.create_study()
    assert _optimise(study, own, StudyConfig(n_trials=20)) is True
    assert (reached, states(study)) == ([], [TrialState.FAIL])
    kept = study.trials[0].user_attrs[ATTRIBUTE]
    assert kept["state"] == "failed"
    assert kept["co2e_kg"] > 0


def test_a_function_that_catches_ctrl_c_ends_its_trial_in_peace() -> None:
    """It is told once; its trial completes, and is the last."""

    @green
    def catching(_: optuna.Trial) -> object:
        try:
            press()
        except KeyboardInterrupt:
            time.sleep(5 * interrupt.RETRY_S)
        return 0.5, 1

    study = go.create_study()
    assert _optimise(study, catching, StudyConfig(n_trials=20)) is True
    assert states(study) == [TrialState.COMPLETE]


@pytest.mark.parametrize("step", STEPS)
def test_a_second_ctrl_c_ends_the_run_anywhere(step: str) -> None:
    """The step of the storage is not completed then."""
    storage, ended = pressed_in(step, times=2, pause_s=2 * interrupt.TWICE_S)
    study = go.create_study(storage=storage)
    assert _optimise(study, quick, StudyConfig(n_trials=20)) is True
    # How a trial ended may be written after another step was cut short.
    assert len(ended) <= (step != "create_new_trial")
    assert len(study.trials) <= 1


def test_a_ctrl_c_that_comes_twice_at_once_is_one() -> None:
    """A shell or a launcher may pass on what the terminal has sent already."""
    storage, ended = pressed_in("create_new_trial", times=2)
    study = go.create_study(storage=storage)
    assert _optimise(study, quick, StudyConfig(n_trials=20)) is True
    assert (len(ended), len(study.trials)) == (1, 1)


def test_a_step_that_hangs_is_cut_short_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """One Ctrl-C is enough, though it takes a while."""
    monkeypatch.setattr(interrupt, "PATIENCE_S", 0.2)
    storage, ended = pressed_in("create_new_trial", then=lambda: time.sleep(60))
    assert _optimise(go.create_study(storage=storage), quick, StudyConfig(n_trials=20)) is True
    assert not ended


def test_trials_in_threads_end_as_they_would(capsys: pytest.CaptureFixture[str]) -> None:
    """The trials that run are completed, no further ones are begun, and the user is told so."""

    @green
    def pressing(trial: optuna.Trial) -> object:
        if trial.number == 0:
            press()
        time.sleep(0.1)
        return 0.5, 1

    study = go.create_study()
    assert _optimise(study, pressing, StudyConfig(n_trials=50, n_jobs=2)) is True
    assert set(states(study)) == {TrialState.COMPLETE}
    assert len(study.trials) <= 4
    assert "Stopping after the trials that run now" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT, as Ctrl-C does")
def test_a_second_ctrl_c_leaves_trials_in_threads_alone() -> None:
    """It ends the search, and Optuna then waits for them: Python cannot end a thread."""
    running = threading.Event()

    @green
    def lasting(_: optuna.Trial) -> object:
        running.set()
        time.sleep(0.5)
        return 0.5, 1

    def press_twice() -> None:
        running.wait()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(2 * interrupt.TWICE_S)

    person = threading.Thread(target=press_twice)
    person.start()
    study = go.create_study()
    assert _optimise(study, lasting, StudyConfig(n_trials=50, n_jobs=2)) is True
    person.join()
    assert set(states(study)) == {TrialState.COMPLETE}
    assert len(study.trials) <= 2


def test_after_the_context_ctrl_c_is_for_the_former_handler() -> None:
    """Within it, the former one is told nothing."""
    told = []
    former = signal.signal(signal.SIGINT, lambda *_: told.append(True))
    try:
        with Interrupt() as context:
            press()
            assert (context.asked, told) == (True, [])
        press()
        assert told == [True]
    finally:
        signal.signal(signal.SIGINT, former)


def test_where_ctrl_c_is_ignored_it_stays_so() -> None:
    """A job in the background of a script is not ended by a Ctrl-C that is meant for another."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt() as context:
            press()
        assert not context.asked
    finally:
        signal.signal(signal.SIGINT, former)


def test_outside_the_main_thread_nothing_is_done() -> None:
    """Python lets no other thread install a handler; a study runs there all the same."""
    answers = []
    study = go.create_study()
    thread = threading.Thread(
        target=lambda: answers.append(_optimise(study, quick, StudyConfig(n_trials=2)))
    )
    thread.start()
    thread.join()
    assert (answers, len(study.trials)) == ([False], 2)
