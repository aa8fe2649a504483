"""A tracker of the user's own needs no more than one method."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field

import green_optuna as go

from .records import GRID


class Counts(go.Tracker):
    """Has :meth:`finish_trial` alone, as the shortest tracker may."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Note which trial it was."""
        self.numbers.append(trial.number)


class CountsToo(Counts):
    """A second class, beside the one it is made from."""


@dataclass
class Fields(go.Tracker):
    """A dataclass that gives itself no name."""

    numbers: list[int] = field(default_factory=list)

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Note which trial it was."""
        self.numbers.append(trial.number)


@dataclass
class Named(go.Tracker):
    """A dataclass whose name has to be given, before a field that has to be given too."""

    name: str
    path: str

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Do nothing."""


def test_a_tracker_with_one_method_is_told_of_each_trial() -> None:
    """Plain classes, their subclasses and dataclasses, side by side in one study."""
    plain, derived, fields = Counts(), CountsToo(), Fields()

    @go.green_objective(
        grid=GRID,
        meter=go.ReplayMeter(cpu_w=50.0),
        trackers=[plain, derived, fields],
        n_params=1,
    )
    def objective(trial: go.GreenTrial) -> float:
        return trial.suggest_float("x", 0.0, 1.0)

    go.create_study("s").optimize(objective, n_trials=2)
    assert [plain.numbers, derived.numbers, fields.numbers] == [[0, 1]] * 3


def test_a_tracker_without_a_name_goes_by_that_of_its_class() -> None:
    """In lower case, and in another process too."""
    trackers: list[go.Tracker] = [Counts(), CountsToo(), Fields()]
    assert [tracker.name for tracker in trackers] == ["counts", "countstoo", "fields"]
    assert pickle.loads(pickle.dumps(trackers[0])).name == "counts"


def test_a_name_that_is_given_stays() -> None:
    """As a field that has no default, or set on the tracker."""
    tracker = Counts()
    tracker.name = "mine"
    assert tracker.name == "mine"
    assert Named("ours", "here") == Named(name="ours", path="here")
    assert Named("ours", "here").name == "ours"
    assert go.MemoryTracker().name == "memory"
