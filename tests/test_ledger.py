"""What a study spent, by account: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.candidates import entry_of
from green_optuna.cli.render import ledger_table
from green_optuna.ledger import ACCOUNTS, MAX_NAMED, Entry, Ledger
from green_optuna.record import KILLED_ATTRIBUTE, measurement_of
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from green_optuna.ledger import End

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test", pue=1.2)

amounts = st.floats(0.0, 1e3)
entries = st.lists(
    st.builds(
        Entry,
        number=st.integers(0, 99),
        end=st.sampled_from(["complete", "pruned", "failed", "killed"]),
        energy_kwh=st.none() | amounts,
        overhead_kwh=amounts,
    ),
    max_size=30,
)


def measured(energy_kwh: float, *, runs: int = 1) -> go.Measurement:
    """Give what a trial of so many runs cost."""
    return go.Measurement(
        energy=go.ComponentEnergy(cpu_kwh=energy_kwh),
        duration_s=1.0,
        grid=GRID,
        sources={},
        host="here",
        runs=runs,
    )


@given(entries)
def test_each_kwh_is_in_one_account(entries: list[Entry]) -> None:
    """An account has the trials that ended so; the total is all that was measured."""
    ledger = Ledger.of(entries, GRID)
    assert [row.account for row in ledger.rows] == list(ACCOUNTS)
    for row in ledger.rows[:-1]:
        energies_kwh = [one.energy_kwh for one in entries if one.end == row.account]
        known_kwh = [kwh for kwh in energies_kwh if kwh is not None]
        assert row.n_trials == len(known_kwh)
        assert row.energy_kwh == math.fsum(known_kwh)
    overhead_kwh = math.fsum(one.overhead_kwh for one in entries)
    assert ledger["overhead"].energy_kwh == overhead_kwh
    trials_kwh = math.fsum(one.energy_kwh or 0.0 for one in entries)
    assert ledger.energy_kwh == pytest.approx(trials_kwh + overhead_kwh)
    assert ledger.n_trials + len(ledger.not_measured) == len(entries)


@given(entries)
def test_co2e_is_energy_by_the_grid_of_the_study(entries: list[Entry]) -> None:
    """Energy x PUE x intensity / 1000, row by row and in all (eq. 4 and 6)."""
    ledger = Ledger.of(entries, GRID)
    for row in ledger.rows:
        assert row.co2e_kg == pytest.approx(row.energy_kwh * 1.2 * 250.0 / 1000)
    assert ledger.co2e_kg == pytest.approx(ledger.energy_kwh * 0.3)


@given(entries)
def test_the_ledger_is_plain_data(entries: list[Entry]) -> None:
    """JSON takes it, and it holds the rows and the totals."""
    ledger = Ledger.of(entries, GRID)
    plain = json.loads(json.dumps(ledger.to_dict(), allow_nan=False))
    assert list(plain) == [*ACCOUNTS, "total", "not_measured", "saved"]
    assert plain["total"]["energy_kwh"] == ledger.energy_kwh
    assert plain["total"]["n_trials"] == sum(plain[name]["n_trials"] for name in ACCOUNTS)
    assert plain["not_measured"] == list(ledger.not_measured)


def test_what_pruning_saved_is_said_apart_from_what_was_spent() -> None:
    """In words, in the table and as plain data; trials whose forecast is not known are left out."""
    saved = [go.Expected(low=1.0, mid=2.0, high=4.0), go.Expected(low=0.0, mid=1.0, high=1.5), None]
    entries = [
        Entry(number=number, end="pruned", energy_kwh=0.5, saved_kwh=one)
        for number, one in enumerate(saved)
    ]
    ledger, plain = Ledger.of(entries, GRID), Ledger.of(entries[2:], GRID)
    assert ledger.energy_kwh == 1.5
    assert ledger.saved is not None
    assert ledger.saved.energy_kwh == go.Expected(low=1.0, mid=3.0, high=5.5)
    assert ledger.saved.co2e_kg.mid == pytest.approx(0.9)
    said = (
        "Pruning saved about 900 g of CO2e (300 g to 1.65 kg if all forecasts are off the same "
        "way), by forecast of 2 pruned trials, against running to the end."
    )
    assert said in str(ledger)
    assert ledger_table(ledger).caption == said
    assert json.loads(json.dumps(ledger.to_dict()))["saved"]["energy_kwh"]["high"] == 5.5
    assert (plain.saved, plain.to_dict()["saved"]) == (None, None)
    assert "saved" not in str(plain)
    one = Ledger.of([replace(entries[0], saved_kwh=saved[1])], GRID)
    assert "about 300 g of CO2e (0 to 450 g if the forecast is off), by forecast of 1" in str(one)


def test_the_search_is_compared_with_one_training() -> None:
    """A trial of three runs cost three trainings; without a measurement there is no telling."""
    ledger = Ledger.of([Entry(number=0, end="complete", energy_kwh=6.0)], GRID)
    assert ledger.against(measured(2.0)) == 3.0
    assert ledger.against(measured(6.0, runs=3)) == 3.0
    assert ledger.against(None) is None
    assert ledger.against(measured(0.0)) is None


def test_the_ledger_is_said_in_a_line() -> None:
    """What was spent and on what, what that is in trainings, and which trials nobody measured."""
    spent: list[tuple[End, float | None]] = [
        ("complete", 3e-6),
        ("complete", 3e-6),
        ("failed", 2e-6),
        ("killed", None),
    ]
    ledger = Ledger.of(
        [Entry(number=n, end=end, energy_kwh=kwh) for n, (end, kwh) in enumerate(spent)], GRID
    )
    said = "The search cost 2.40 mg of CO2e (8.00 mWh): 2 complete 75.0%, 1 failed 25.0%."
    last = "Not measured, and not counted: trial 3."
    assert str(ledger) == f"{said} {last}"
    trainings = "That is 4 trainings of trial 7."
    assert ledger.summary(7, measured(2e-6)) == f"{said} {trainings} {last}"
    assert "That is 2.67 trainings of trial 7." in ledger.summary(7, measured(3e-6))
    assert str(Ledger.of([], None)) == "The search cost 0 kg of CO2e (0 kWh)."


def test_what_was_not_spent_is_not_said_to_have_been() -> None:
    """On another grid the search would have cost its CO2e, and pruning would have saved some."""
    saved = go.Expected(low=1.0, mid=2.0, high=4.0)
    ledger = Ledger.of([Entry(number=0, end="pruned", energy_kwh=0.5, saved_kwh=saved)], GRID)
    there = ledger.at(go.Grid(carbon_intensity_g_per_kwh=25.0, source="test"))
    assert str(there).startswith("The search would have cost 12.5 g of CO2e (500 Wh): 1 pruned")
    assert " Pruning would have saved about 50.0 g of CO2e (25.0 g to 100 g if " in str(there)
    assert there.to_dict().keys() == ledger.to_dict().keys()
    assert there.to_dict()["saved"].keys() == ledger.to_dict()["saved"].keys()


def test_many_trials_that_were_not_measured_are_not_all_named() -> None:
    """Their number is said, so that a line stays a line."""
    foreign = [Entry(number=n, end="complete", energy_kwh=None) for n in range(MAX_NAMED + 2)]
    assert (
        Ledger.of(foreign, None).note().endswith("trials 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more.")
    )


class NotingMeter(go.ReplayMeter):
    """A meter that knows what it has read."""

    def __init__(self) -> None:
        super().__init__(cpu_w=50.0, ram_w=10.0)
        self.totals_kwh: list[float] = []

    def read(self) -> go.ComponentEnergy:
        """Note the total."""
        reading = super().read()
        self.totals_kwh.append(reading.total_kwh)
        return reading


def test_a_study_spends_what_its_meter_counts_from_the_start_to_the_last_trial() -> None:
    """All trials, however they ended, and what lay between them: no joule less, and none twice."""
    meter = NotingMeter()

    @go.green_objective(grid=GRID, meter=meter, trackers=[])
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        if trial.number % 3 == 1:
            raise optuna.TrialPruned
        if trial.number % 3 == 2:
            raise ZeroDivisionError
        return 0.5, 1

    study = go.create_study()
    study.optimize(objective, n_trials=7, catch=ZeroDivisionError)
    study.add_trial(optuna.create_trial(values=[0.5, 0.1, 1.0]))
    front = go.pareto_front(study)
    ledger = front.ledger
    assert ledger.energy_kwh == pytest.approx(meter.totals_kwh[-1] - meter.totals_kwh[0])
    assert [row.n_trials for row in ledger.rows] == [3, 2, 2, 0, 0]
    assert ledger["overhead"].energy_kwh > 0
    assert ledger.not_measured == (7,)
    pruned = [measurement_of(trial) for trial in study.trials if trial.number in (1, 4)]
    assert ledger["pruned"].energy_kwh == pytest.approx(
        sum(one.energy_kwh for one in pruned if one)
    )
    assert front.candidates.spent_kwh == ledger.energy_kwh
    assert front.candidates.spent_co2e_kg == ledger.co2e_kg
    assert front.to_dict()["ledger"] == ledger.to_dict()


KEPT = {"state": "killed", "energy_kwh": {"cpu": 1.0, "gpu": 2.0, "ram": 3.0}}


@pytest.mark.parametrize(
    ("state", "ours", "entry"),
    [
        ("COMPLETE", KEPT | {"state": "complete"}, ("complete", 6.0)),
        ("FAIL", KEPT | {"state": "failed"}, ("failed", 6.0)),
        ("FAIL", KEPT, ("killed", 6.0)),
        # Optuna refused what the objective returned.
        ("FAIL", KEPT | {"state": "complete"}, ("failed", 6.0)),
        # SystemExit left it so.
        ("RUNNING", KEPT | {"state": "failed"}, ("failed", 6.0)),
        ("RUNNING", {"state": "running"}, None),
        # Enqueued again, with the attributes of the trial that was killed.
        ("WAITING", KEPT, None),
        ("RUNNING", KEPT, None),
        ("FAIL", {}, ("failed", None)),
        ("FAIL", {"state": "running"}, ("failed", None)),
    ],
)
def test_a_trial_is_in_the_account_of_its_end(
    state: str, ours: dict[str, object], entry: tuple[str, float] | None
) -> None:
    """That which Optuna keeps, unless its process was killed; while it runs, in none."""
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState[state],
        values=[0.0] if state == "COMPLETE" else None,
        user_attrs={ATTRIBUTE: ours} if ours else {},
    )
    found = entry_of(trial)
    assert (found and (found.end, found.energy_kwh)) == entry


def test_what_the_study_keeps_of_a_killed_trial_counts_once() -> None:
    """Only where the trial itself could not keep it."""
    study = go.create_study()
    for ours in ({"state": "running"}, KEPT):
        fail = optuna.trial.TrialState.FAIL
        study.add_trial(optuna.create_trial(state=fail, user_attrs={ATTRIBUTE: ours}))
    for number in range(2):
        study.set_user_attr(f"{KILLED_ATTRIBUTE}{number}", KEPT)
    ledger = go.pareto_front(study).ledger
    assert (ledger["killed"].n_trials, ledger.energy_kwh) == (2, 12.0)
