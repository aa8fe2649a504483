"""A study spends its budget, on all its workers, and starts no trial beyond it."""

from __future__ import annotations

import logging
import math
import os
import pickle
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.budget import SpendingReader
from green_optuna.candidates import read_candidates
from green_optuna.ledger import Entry, Ledger
from green_optuna.record import KILLED_ATTRIBUTE, measurement_of, why_not_started
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = str(Path(__file__).parents[1])
GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
# Energy of 1 kWh emits this many kg: 250 g, times the PUE.
KG_A_KWH = 0.3


class Clock:
    """A clock that goes on when it is told to; a machine of 3.6 MW uses 1 kWh a second.

    How much of that is a trial's and how much overhead goes by the true time that readings take:
    only the sum of both is exact.
    """

    def __init__(self) -> None:
        self.t_s = 0.0

    def __call__(self) -> float:
        """Give the time in s."""
        return self.t_s


def a_kwh_a_second() -> tuple[Clock, go.ReplayMeter]:
    """Give a meter, and the clock by which it runs."""
    clock = Clock()
    return clock, go.ReplayMeter(cpu_w=3.6e6, clock=clock)


def decorate(
    function: Callable[[go.GreenTrial], object],
    budget: Any,  # noqa: ANN401 - what the test is about
    meter: go.Meter,
    **options: Any,  # noqa: ANN401
) -> go.GreenObjective:
    """Decorate an objective with a budget."""
    given: dict[str, Any] = {"grid": GRID, "trackers": [], "n_params": 1} | options
    return go.green_objective(budget=budget, meter=meter, **given)(function)


def stepping(meter: go.ReplayMeter, clock: Clock, kwh: float = 1.0) -> Callable[..., float]:
    """Give an objective that uses so many kWh; the meter must be read with this clock."""
    assert meter.clock is clock

    def function(_: go.GreenTrial) -> float:
        clock.t_s += kwh
        return 0.5

    return function


def started(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Give the trials that were started."""
    return [trial for trial in study.trials if why_not_started(trial) is None]


def test_no_trial_starts_beyond_the_budget() -> None:
    """At 2.5 kWh, three trials of 1 kWh run: the third begins at 2, a fourth would at 3."""
    clock, meter = a_kwh_a_second()
    budget = go.CarbonBudget(energy_kwh=2.5)
    study = go.create_study()
    study.optimize(decorate(stepping(meter, clock), budget, meter), n_trials=9)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3 + [
        TrialState.PRUNED
    ]
    assert clock.t_s == 3.0
    assert read_candidates(study).spent_kwh == pytest.approx(3.0)


def test_co2e_counts_with_the_pue() -> None:
    """Each kWh emits 0.3 kg here: a budget of 0.7 kg holds three trials, 0.5 kg two."""
    for cap_kg, n in ((0.7, 3), (0.5, 2)):
        clock, meter = a_kwh_a_second()
        study = go.create_study()
        budget = go.CarbonBudget(co2e_kg=cap_kg, energy_kwh=99.0)
        study.optimize(decorate(stepping(meter, clock), budget, meter), n_trials=9)
        assert len(started(study)) == n


def test_a_trial_that_is_not_started_leaves_a_reason_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No tracker hears of it, it is in no ledger, and the log says it once."""
    clock, meter = a_kwh_a_second()
    memory = go.MemoryTracker()
    budget = go.CarbonBudget(energy_kwh=1.5)
    objective = decorate(stepping(meter, clock), budget, meter, trackers=[memory])
    study = go.create_study("s")
    with caplog.at_level(logging.WARNING, logger="green_optuna"):
        study.optimize(objective, n_trials=9)
        study.optimize(objective, n_trials=9)
    reason = "the budget of 1.50 kWh is spent (2.00 kWh)"
    assert [why_not_started(trial) for trial in study.trials] == [None, None, reason, reason]
    assert study.trials[2].user_attrs[ATTRIBUTE]["state"] == "pruned"
    assert measurement_of(study.trials[2]) is None
    assert [record.number for record in memory.started] == [0, 1]
    assert [record.number for record in memory.finished] == [0, 1]
    ledger = go.pareto_front(study).ledger
    assert (ledger.n_trials, ledger.not_measured, ledger["pruned"].n_trials) == (2, (), 0)
    said = [record.getMessage() for record in caplog.records if "budget" in record.getMessage()]
    assert said == [f"Study 's': {reason}: no further trial is started."]


def test_failed_and_pruned_trials_count() -> None:
    """They have spent as much as those that complete."""
    clock, meter = a_kwh_a_second()
    raised: list[Exception | None] = [ValueError("mine"), optuna.TrialPruned(), None, None]

    def function(trial: go.GreenTrial) -> float:
        clock.t_s += 1.0
        error = raised[trial.number]
        if error is not None:
            raise error
        return 0.5

    study = go.create_study()
    objective = decorate(function, go.CarbonBudget(energy_kwh=2.5), meter)
    study.optimize(objective, n_trials=4, catch=ValueError)
    assert [trial.state for trial in started(study)] == [
        TrialState.FAIL,
        TrialState.PRUNED,
        TrialState.COMPLETE,
    ]


def test_what_passes_between_trials_counts() -> None:
    """A pause of the machine's is spent as well, as soon as a trial has ended."""
    clock, meter = a_kwh_a_second()

    def pause(_: optuna.Study, __: optuna.trial.FrozenTrial) -> None:
        clock.t_s += 2.0

    study = go.create_study()
    objective = decorate(stepping(meter, clock), go.CarbonBudget(energy_kwh=3.5), meter)
    study.optimize(objective, n_trials=9, callbacks=[pause])
    assert len(started(study)) == 2
    ledger = read_candidates(study).ledger
    assert ledger["overhead"].energy_kwh >= 2.0
    assert ledger.energy_kwh == pytest.approx(4.0)


def test_several_runs_of_a_trial_count_as_one_trial() -> None:
    """All that its function used, not the mean."""
    clock, meter = a_kwh_a_second()
    study = go.create_study()
    objective = decorate(stepping(meter, clock), go.CarbonBudget(energy_kwh=5.0), meter, repeats=3)
    study.optimize(objective, n_trials=9)
    assert len(started(study)) == 2


def test_a_study_over_its_budget_starts_nothing(sqlite_url: str) -> None:
    """A later worker with the same budget has nothing left; one with a larger budget goes on."""
    for cap_kwh, n in ((1.5, 2), (1.5, 2), (3.5, 4)):
        clock, meter = a_kwh_a_second()
        study = go.create_study("s", storage=sqlite_url)
        objective = decorate(stepping(meter, clock), go.CarbonBudget(energy_kwh=cap_kwh), meter)
        study.optimize(objective, n_trials=9)
        assert len(started(study)) == n
    assert go.pareto_front(study).numbers


def test_asking_for_trials_and_telling_their_values() -> None:
    """There is no loop to stop: the trial says that the budget is reached, and may be told."""
    clock, meter = a_kwh_a_second()
    objective = decorate(stepping(meter, clock), go.CarbonBudget(energy_kwh=1.5), meter)
    study = go.create_study()
    for _ in range(2):
        trial = study.ask()
        study.tell(trial, objective(trial))
    study.enqueue_trial({"x": 1.0})
    trial = study.ask()
    with pytest.raises(go.BudgetReached, match=r"1\.50 kWh is spent"):
        objective(trial)
    study.tell(trial, state=TrialState.PRUNED)
    assert clock.t_s == 2.0
    assert isinstance(go.BudgetReached("x"), optuna.TrialPruned)


def test_nothing_is_started_on_a_budget_of_nothing() -> None:
    """A budget of 0 is spent from the first."""
    clock, meter = a_kwh_a_second()
    study = go.create_study()
    study.optimize(decorate(stepping(meter, clock), go.CarbonBudget(co2e_kg=0.0), meter), 3)
    assert why_not_started(study.trials[0]) == "the budget of 0 kg CO2e is spent (0 kg CO2e)"


def test_a_trial_that_cannot_fit_is_not_started() -> None:
    """From five completed trials on, what is left must be as much as the cheapest of them cost."""
    trials = [simulated(n, (0.5, 1.0), kwh) for n, kwh in enumerate([3.0, 1.0, 2.0, 1.5, 2.0])]
    dearer = simulated(5, None, 0.25)
    assert verdict(go.CarbonBudget(energy_kwh=10.75), [*trials, dearer]) is None
    assert verdict(go.CarbonBudget(energy_kwh=10.74), [*trials, dearer]) == (
        "what is left of the budget of 10.7 kWh (990 Wh) is less than 1.00 kWh, which the "
        "cheapest completed trial cost"
    )
    assert verdict(go.CarbonBudget(co2e_kg=10.76 * KG_A_KWH), [*trials, dearer]) is None
    said = verdict(go.CarbonBudget(co2e_kg=10.74 * KG_A_KWH), [*trials, dearer])
    assert said is not None
    assert said.endswith(
        "(297 g CO2e) is less than 300 g CO2e, which the cheapest completed trial cost"
    )


def test_four_completed_trials_tell_nothing_of_the_next() -> None:
    """Too few: a trial is started on what is left, however little; failed ones do not help."""
    trials = [simulated(n, (0.5, 1.0) if n < 4 else None) for n in range(9)]
    assert verdict(go.CarbonBudget(energy_kwh=9.01), trials) is None
    assert verdict(go.CarbonBudget(energy_kwh=9.0), trials) is not None


def test_a_forecast_keeps_a_trial_from_starting() -> None:
    """It ends the study as a budget does that is spent."""
    clock, meter = a_kwh_a_second()
    study = go.create_study()
    study.add_trials([simulated(n, (0.5, 1.0, 1.0)) for n in range(5)])
    study.optimize(decorate(stepping(meter, clock), go.CarbonBudget(energy_kwh=5.5), meter), 9)
    assert (len(started(study)), clock.t_s) == (5, 0.0)


def test_threads_count_what_runs_beside_them() -> None:
    """Two trials run at once and have used 9 kWh so far: a third has no room in 3.5 kWh."""
    clock, meter = a_kwh_a_second()
    inside, leave = threading.Barrier(2), threading.Event()

    def function(trial: go.GreenTrial) -> float:
        inside.wait()
        if trial.number == 0:
            clock.t_s += 9.0
            trial.report(0.5, 0)  # which reads the meter
            third = study.ask()
            try:
                objective(third)
            except go.BudgetReached as reached:
                reasons.append(str(reached))
            leave.set()
        leave.wait()
        return 0.5

    reasons: list[str] = []
    objective = decorate(function, go.CarbonBudget(energy_kwh=3.5), meter)
    study = go.create_study()
    study.optimize(objective, n_trials=2, n_jobs=2)
    assert [reason.partition(" (")[0] for reason in reasons] == ["the budget of 3.50 kWh is spent"]
    assert [trial.state for trial in study.trials[:2]] == [TrialState.COMPLETE] * 2


def test_threads_leave_room_for_what_runs_beside_them() -> None:
    """With 2.5 kWh left and trials of 1 kWh, four threads start two trials more, not four."""
    clock, meter = a_kwh_a_second()
    refused = threading.Event()

    def function(_: go.GreenTrial) -> float:
        assert refused.wait(timeout=60)
        return 0.5

    def see(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if why_not_started(trial) is not None:
            refused.set()

    study = go.create_study()
    study.add_trials([simulated(n, (0.5, 1.0, 1.0)) for n in range(5)])
    objective = decorate(function, go.CarbonBudget(energy_kwh=7.5), meter)
    study.optimize(objective, n_trials=4, n_jobs=4, callbacks=[see])
    assert clock.t_s == 0.0
    assert len(started(study)) == 7
    # Which of the threads comes third is chance.
    reasons = {reason for reason in map(why_not_started, study.trials) if reason is not None}
    (reason,) = reasons
    assert reason == (
        "what is left of the budget of 7.50 kWh (2.50 kWh) is less than 3.00 kWh, which a trial "
        "beside 2 that run needs, as cheap as the cheapest so far"
    )


def test_a_budget_of_ones_own_is_asked_like_any_other() -> None:
    """Beside others, and told all that has been spent."""
    seen: list[go.Spending] = []

    class TwoTrials(go.Budget):
        def why_stop(self, spending: go.Spending) -> str | None:
            seen.append(spending)
            return "two are enough" if len(spending.trials) >= 2 else None

    clock, meter = a_kwh_a_second()
    study = go.create_study()
    budget = [go.CarbonBudget(energy_kwh=99.0), TwoTrials()]
    study.optimize(decorate(stepping(meter, clock), budget, meter), n_trials=9)
    assert why_not_started(study.trials[2]) == "two are enough"
    assert seen[-1].ledger == read_candidates(study).ledger


def test_what_a_killed_trial_had_spent_counts_once_it_is_known(sqlite_url: str) -> None:
    """Folded into the study after the trial was failed by others, or into the trial itself."""
    clock, meter = a_kwh_a_second()
    study = go.create_study("s", storage=sqlite_url)
    objective = decorate(stepping(meter, clock), None, meter)
    study.optimize(objective, n_trials=1)
    reader = SpendingReader(GRID)
    by_heartbeat, by_us = study.ask(), study.ask()
    study.tell(by_heartbeat, state=TrialState.FAIL)
    assert reader.read(study).energy_kwh == pytest.approx(1.0)
    kept = dict(study.trials[0].user_attrs[ATTRIBUTE]) | {"state": "killed"}
    study.set_user_attr(f"{KILLED_ATTRIBUTE}{by_heartbeat.number}", kept)
    assert reader.read(study).energy_kwh == pytest.approx(2.0)
    by_us.set_user_attr(ATTRIBUTE, kept)
    study.tell(by_us, state=TrialState.FAIL)
    spending = reader.read(study)
    assert spending.ledger["killed"].n_trials == 2
    assert spending.ledger == read_candidates(study).ledger


def test_a_trial_that_is_kept_and_not_yet_told_counts_once(sqlite_url: str) -> None:
    """Its energy is in the storage before Optuna knows of its end."""
    clock, meter = a_kwh_a_second()
    study = go.create_study("s", storage=sqlite_url)
    objective = decorate(stepping(meter, clock), None, meter)
    reader = SpendingReader(GRID)
    trial = study.ask()
    values = objective(trial)
    assert reader.read(study).energy_kwh == pytest.approx(1.0)
    study.tell(trial, values)
    assert reader.read(study).energy_kwh == pytest.approx(1.0)
    assert [one.losses for one in reader.read(study).trials] == [values]


def test_only_what_is_new_is_read(sqlite_url: str) -> None:
    """After a thousand trials, reading again gives the same objects for those known before."""
    study = go.create_study("s", storage=sqlite_url)
    study.add_trials([simulated(n, (0.5, 1.0, 1.0)) for n in range(30)])
    reader = SpendingReader(GRID)
    first = reader.read(study).trials
    study.add_trial(simulated(30, (0.5, 1.0, 1.0)))
    again = reader.read(study).trials
    assert len(again) == 31
    assert all(one is other for one, other in zip(first, again, strict=False))


# A worker that waits for the others before each trial, so that they are in flight together.
WORKER = """
import sys, time
from pathlib import Path
import optuna
import green_optuna as go
optuna.logging.set_verbosity(optuna.logging.ERROR)
grid = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)
here, folder = sys.argv[2], Path(sys.argv[3])

class Clock:
    t_s = 0.0
    def __call__(self):
        return self.t_s

clock = Clock()

@go.green_objective(grid=grid, meter=go.ReplayMeter(cpu_w=3.6e6, clock=clock), trackers=[],
                    n_params=1, budget=go.CarbonBudget(energy_kwh=10.0))
def objective(trial):
    clock.t_s += 1.0
    time.sleep(0.02)
    return 0.5

(folder / here).touch()
while len(list(folder.iterdir())) < 3:
    time.sleep(0.005)
go.load_study("s", storage=sys.argv[1]).optimize(objective, n_trials=30)
"""


@pytest.mark.slow
def test_processes_go_over_by_what_was_in_flight_at_most(sqlite_url: str, tmp_path: Path) -> None:
    """Three workers share one budget: at most two trials were beside the one that reached it."""
    study = go.create_study("s", storage=sqlite_url)
    folder = tmp_path / "ready"
    folder.mkdir()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, sqlite_url, str(number), str(folder)],
            env=os.environ | {"PYTHONPATH": ROOT},
        )
        for number in range(3)
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0]
    trials = study.trials
    assert sum(why_not_started(trial) is not None for trial in trials) == 3
    assert 10 <= len(started(study)) <= 12
    assert 10.0 <= read_candidates(study).spent_kwh <= 12.0 + 1e-9


# --- StopWhenFlat ---

START = datetime(2026, 1, 1)  # noqa: DTZ001 - as Optuna keeps it


def simulated(
    minute: int, losses: Sequence[float] | None, kwh: float = 1.0
) -> optuna.trial.FrozenTrial:
    """Give a trial that ended in such a minute; pruned where it has no losses."""
    trial = optuna.trial.create_trial(
        state=TrialState.PRUNED if losses is None else TrialState.COMPLETE,
        values=losses,
        user_attrs={
            ATTRIBUTE: {
                "state": "pruned" if losses is None else "complete",
                "energy_kwh": {"cpu": kwh, "gpu": 0.0, "ram": 0.0},
            }
        },
    )
    trial.datetime_start = START
    trial.datetime_complete = START + timedelta(minutes=minute)
    return trial


def verdict(budget: go.Budget, trials: Iterable[optuna.trial.FrozenTrial]) -> str | None:
    """Ask a budget about a study of such trials, in such an order of numbers."""
    study = optuna.create_study(directions=["minimize"] * 2)
    study.add_trials(trials)
    return budget.why_stop(SpendingReader(GRID).read(study))


# Of the box up to (1, 10), the first two dominate 0.5 x 0.5 + 0.25 x 0.25 - what both do.
FIRST = [(0.5, 5.0), (0.75, 2.5)]
BEFORE = 0.5 * 0.5 + 0.25 * 0.75 - 0.25 * 0.5


def test_a_front_that_does_not_grow_stops_the_study() -> None:
    """What is dominated adds nothing, and less than anything is too little."""
    trials = [simulated(n, losses) for n, losses in enumerate([*FIRST, (0.9, 9.0), (0.5, 5.0)])]
    budget = go.StopWhenFlat(1e-9, window=2, reference=(1.0, 10.0))
    assert verdict(budget, trials) == (
        "the last 2 trials added 0 to the front's hypervolume for 600 g CO2e: 0 a kg, less than "
        "1e-09"
    )


def test_the_growth_per_kg_is_that_of_the_hypervolume() -> None:
    """By hand: a trial at (0.25, 7.5) adds 0.0625 of the box; two of 1 kWh emit 0.6 kg."""
    after = BEFORE + 0.25 * 0.25
    least = (after - BEFORE) / (2 * KG_A_KWH)
    trials = [simulated(n, losses) for n, losses in enumerate([*FIRST, (0.25, 7.5), (0.9, 9.0)])]
    at = {"window": 2, "reference": (1.0, 10.0)}
    assert verdict(go.StopWhenFlat(least * 0.999, **at), trials) is None  # type: ignore[arg-type]
    assert verdict(go.StopWhenFlat(least * 1.001, **at), trials) is not None  # type: ignore[arg-type]


def test_the_units_of_an_objective_do_not_matter() -> None:
    """In g or in kg, the share of the box is the same; without a reference too."""
    rows = [*FIRST, (0.25, 7.5), (0.9, 9.0)]
    for scale in (1.0, 1e-9, 1e6):
        trials = [simulated(n, (loss, cost * scale)) for n, (loss, cost) in enumerate(rows)]
        given = verdict(go.StopWhenFlat(1.0, window=2, reference=(1.0, 10.0 * scale)), trials)
        found = verdict(go.StopWhenFlat(1.0, window=2), trials)
        # The reference that is found is 1.1 x (0.75, 5): what is at 7.5 is outside.
        for said, gain in ((given, "0.0625"), (found, "0")):
            assert said is not None
            assert said.startswith(f"the last 2 trials added {gain} to the front's hypervolume")


def test_a_loss_that_all_trials_share_makes_no_front_flat() -> None:
    """Such as a given number of parameters, or a perfect quality: the other objective counts."""
    for shared in (7.0, 0.0):
        rows = [(shared, 5.0), (shared, 4.0), (shared, 2.0), (shared, 3.0)]
        trials = [simulated(n, losses) for n, losses in enumerate(rows)]
        assert verdict(go.StopWhenFlat(0.01, window=2), trials) is None
        flat = [*trials, simulated(4, (shared, 2.0)), simulated(5, (shared, 3.0))]
        assert verdict(go.StopWhenFlat(0.01, window=2), flat) is not None


def test_it_waits_for_completed_trials_and_for_as_many_more() -> None:
    """Pruned trials are no base to judge from, and count among those that are judged."""
    budget = go.StopWhenFlat(99.0, window=2)
    trials = [simulated(n, losses) for n, losses in enumerate([FIRST[0], None, FIRST[1], None])]
    assert verdict(budget, trials) is None
    assert verdict(budget, [*trials, simulated(4, None)]) is not None


@given(st.permutations(range(8)))
def test_the_order_in_which_trials_became_known_does_not_matter(order: list[int]) -> None:
    """The same trials, the same answer, in every worker: they count in the order of their ends."""
    rows = [*FIRST, (0.4, 6.0), None, (0.3, 4.0), (0.9, 1.0), None, (0.29, 4.0)]
    trials = [simulated(n, losses, kwh=1.0 + n) for n, losses in enumerate(rows)]
    budget = go.StopWhenFlat(99.0, window=3)
    said = verdict(budget, trials)
    assert said is not None
    assert verdict(budget, [trials[n] for n in order]) == said


def test_trials_over_a_cap_are_no_growth() -> None:
    """They are on no front."""
    trials = [simulated(n, losses) for n, losses in enumerate([*FIRST, (0.1, 0.1), (0.9, 9.0)])]
    budget = go.StopWhenFlat(0.1, window=2)
    assert verdict(budget, trials) is None
    over = simulated(2, (0.1, 0.1))
    over.system_attrs = {"constraints": [1.0]}
    assert over.constraints
    assert verdict(budget, [*trials[:2], over, trials[3]]) is not None


def test_trials_that_cost_nothing_known_stop_nothing() -> None:
    """Without a figure of what was spent there is no growth per kg."""
    trials = [simulated(n, losses, kwh=0.0) for n, losses in enumerate([*FIRST, *FIRST])]
    assert verdict(go.StopWhenFlat(1.0, window=2), trials) is None


def test_a_flat_study_is_stopped_as_it_runs() -> None:
    """Beside a budget in kg; the trials after the first few bring nothing."""
    clock, meter = a_kwh_a_second()
    study = go.create_study()
    budget = [go.CarbonBudget(co2e_kg=99.0), go.StopWhenFlat(0.01, window=3)]
    study.optimize(decorate(stepping(meter, clock), budget, meter), n_trials=30)
    said = why_not_started(study.trials[-1])
    assert len(started(study)) == 6
    assert said is not None
    assert said.startswith("the last 3 trials added ")


def test_the_accounts_of_a_reader_are_those_of_the_ledger() -> None:
    """What runs beside is added to it, in kWh and in kg."""
    ledger = Ledger.of([Entry(number=0, end="complete", energy_kwh=2.0, overhead_kwh=1.0)], GRID)
    spending = go.Spending(study_name="s", grid=GRID, ledger=ledger, in_flight_kwh=(0.5, 0.25))
    assert spending.energy_kwh == 3.75
    assert spending.co2e_kg == pytest.approx(3.75 * KG_A_KWH)
    left = go.CarbonBudget(co2e_kg=2.0, energy_kwh=3.0).left(spending)
    assert left == {"co2e_kg": pytest.approx(2.0 - 3.75 * KG_A_KWH), "energy_kwh": -0.75}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "stops nothing"),
        ({"co2e_kg": -1.0}, r"co2e_kg is -1\.0"),
        ({"energy_kwh": math.nan}, "energy_kwh is nan"),
        ({"co2e_kg": math.inf}, "co2e_kg is inf"),
        ({"energy_kwh": "5"}, "energy_kwh is '5'"),
    ],
)
def test_a_budget_that_is_none_is_refused(options: dict[str, Any], said: str) -> None:
    """When it is made."""
    with pytest.raises(go.OptionError, match=said):
        go.CarbonBudget(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_gain_per_kg": 0.0}, "min_gain_per_kg is 0"),
        ({"min_gain_per_kg": math.nan}, "min_gain_per_kg is nan"),
        ({"min_gain_per_kg": "1"}, "min_gain_per_kg is '1'"),
        ({"window": 0}, "window is 0"),
        ({"window": 2.5}, r"window is 2\.5"),
        ({"reference": ()}, "reference of StopWhenFlat is"),
        ({"reference": (1.0, 0.0)}, "reference of StopWhenFlat is"),
        ({"reference": "worst"}, "reference of StopWhenFlat is 'worst'"),
    ],
)
def test_a_rule_for_a_flat_front_that_is_none_is_refused(
    options: dict[str, Any], said: str
) -> None:
    """When it is made."""
    with pytest.raises(go.OptionError, match=said):
        go.StopWhenFlat(**{"min_gain_per_kg": 1.0, **options})


def test_a_reference_has_a_number_for_each_objective() -> None:
    """When the objective is decorated."""
    with pytest.raises(go.OptionError, match="quality_loss, co2e_kg, n_params"):
        go.green_objective(budget=go.StopWhenFlat(1.0, reference=(1.0, 2.0)))


@pytest.mark.parametrize("budget", [1e-3, "1 kg", [go.CarbonBudget(co2e_kg=1.0), 3]])
def test_what_is_no_budget_is_refused(budget: Any) -> None:  # noqa: ANN401
    """The message names one."""
    with pytest.raises(go.OptionError, match="CarbonBudget"):
        go.green_objective(budget=budget)


def test_an_objective_with_a_budget_pickles() -> None:
    """It goes to another process as it is."""
    budget = [go.CarbonBudget(co2e_kg=1), go.StopWhenFlat(2.0, reference=[1, 2, 3])]
    decorated = go.green_objective(budget=budget)(lambda _: 0.5)
    options = pickle.loads(pickle.dumps(decorated)).options
    assert options.budgets == tuple(budget)
    assert options.budgets[1].reference == (1.0, 2.0, 3.0)


def test_a_hypervolume_that_takes_too_long_is_refused() -> None:
    """Of more than five objectives, when the objective is decorated."""
    six = ("quality_loss", "co2e_kg", "n_params", "energy_kwh", "duration_s", "flops")
    with pytest.raises(go.OptionError, match="too long for 6 objectives"):
        go.StopWhenFlat(1.0).check(six)
    go.StopWhenFlat(1.0).check(six[:5])
