"""What the page says of the members of the front that it shows over time, and of those it does not.

Each claim is held against the study itself: which trials are on its front, and what they reported.
"""

from __future__ import annotations

import re

import pytest
from kept import kept, study_of
from made import made_study

import green_optuna as go
from green_optuna.record import REPEAT_OF, REPORTS_ATTRIBUTE
from green_optuna.report.page.html import page
from green_optuna.report.page.over_time import MOST_CURVES

from .print_studies import made_trace
from .reading import Reading


def read(front: go.ParetoFront, seconds: dict[int, int]) -> Reading:
    """Read the page of a front with traces of so many seconds, by the trial's number."""
    traces = {number: made_trace(n) for number, n in seconds.items()}
    return Reading(page(front.subject(traces=traces)))


def said(shown: Reading) -> str:
    """Give the words of a page on single spaces."""
    return " ".join(shown.text.split())


def trials_on(front: go.ParetoFront) -> list[int]:
    """Give the trials of a front, each once."""
    return [*dict.fromkeys(front.numbers)]


def test_a_trace_is_titled_with_its_own_energy_and_length() -> None:
    """Of all runs of its trial, as it is drawn, and not the mean that stands elsewhere."""
    front = go.pareto_front(made_study(30, repeats=True))
    chosen = front.select().number
    shown = read(front, {chosen: 20})
    (trace,) = shown.data["traces"]
    joules = sum(cpu + ram for cpu, ram in zip(trace["cpu_w"], trace["ram_w"], strict=True))
    assert f"{joules / 3.6:.0f} mWh" == "197 mWh"
    assert trace["title"] == f"Trial {chosen} (the choice): 197 mWh in 20.0 s, all 3 runs"
    assert "A figure shows all runs of its trial" in said(shown)


def test_a_trace_of_one_run_is_titled_without_more() -> None:
    """There is nothing to be told apart."""
    front = go.pareto_front(made_study(30))
    chosen = front.select().number
    shown = read(front, {chosen: 20})
    assert shown.data["traces"][0]["title"] == f"Trial {chosen} (the choice): 197 mWh in 20.0 s"
    assert "A figure shows" not in said(shown)
    assert "repeat others" not in said(shown)


def test_a_trace_is_of_the_whole_training_of_a_step_on_the_front() -> None:
    """Its title says so, and which of its steps is the choice, or how many are on the front."""
    front = go.pareto_front(made_study(30, checkpoints=True), checkpoints=True)
    choice = front.select("knee")
    assert choice.step is not None
    traces = {number: made_trace(20) for number in trials_on(front)}
    shown = Reading(page(front.subject("knee", traces=traces)))
    titles = {int(one["label"]): one["title"] for one in shown.data["traces"]}
    whole = "197 mWh in 20.0 s, the whole training"
    chosen = f"Trial {choice.number}: {whole}; step {choice.step} is the choice"
    assert titles.pop(choice.number) == chosen
    for number, title in titles.items():
        steps = [
            row["step"]
            for row in shown.rows
            if row["on_front"] and row["trial"] == number and row["state"] == "checkpoint"
        ]
        expected = {
            0: f"Trial {number}: 197 mWh in 20.0 s",
            1: f"Trial {number}: {whole}; step {steps[0] if steps else ''} is on the front",
        }.get(len(steps), f"Trial {number}: {whole}; {len(steps)} of its steps are on the front")
        assert title == expected
    assert any("of its steps" in title for title in titles.values())
    assert "A figure shows the whole training" in said(shown)


def test_trials_that_repeat_a_traced_one_are_spoken_of() -> None:
    """Its energy is a mean with theirs elsewhere, and its trace its own."""
    again = kept(0.9, 2e-6)
    again.set_user_attr(REPEAT_OF, 0)
    shown = read(go.pareto_front(study_of([kept(0.8, 1e-6), again])), {0: 20})
    assert shown.data["traces"][0]["title"] == "Trial 0 (the choice): 197 mWh in 20.0 s"
    assert "Trials that repeat others are not in the figures" in said(shown)


def not_shown(shown: Reading) -> list[str]:
    """Give what a page says of trials that are not shown: first of traces, then of curves."""
    return re.findall(r"(\d+ more trials? of the front (?:is|are)) not shown", said(shown))


@pytest.mark.parametrize("checkpoints", [False, True])
def test_the_trials_without_a_trace_are_counted(*, checkpoints: bool) -> None:
    """Each once, however many of its steps are on the front, and however few traces are known."""
    study = made_study(60, checkpoints=checkpoints)
    front = go.pareto_front(study, checkpoints=checkpoints)
    trials = trials_on(front)
    assert len(trials) > MOST_CURVES + 1
    for n_known in (1, 3, len(trials)):
        shown = read(front, dict.fromkeys(trials[:n_known], 20))
        left = len(trials) - min(n_known, MOST_CURVES)
        assert len(shown.data["traces"]) == min(n_known, MOST_CURVES)
        assert not_shown(shown)[0] == f"{left} more trials of the front are"


def test_one_trial_that_is_not_shown_is_one() -> None:
    """Where all others are, nothing is said."""
    study = study_of([kept(0.9 - 0.01 * n, 1e-6 / (1 + n)) for n in range(MOST_CURVES + 1)])
    front = go.pareto_front(study)
    shown = read(front, dict.fromkeys(front.numbers, 20))
    assert not_shown(shown) == ["1 more trial of the front is"]
    front = go.pareto_front(study_of([kept(0.9, 1e-6)]))
    assert not_shown(read(front, {0: 20})) == []


@pytest.mark.parametrize("n_known", [0, 3, 100])
def test_curves_are_of_the_trials_whose_power_is_shown(n_known: int) -> None:
    """And of others, where few traces are known; the chosen trial comes first."""
    front = go.pareto_front(made_study(60))
    shown = read(front, dict.fromkeys(front.numbers[:n_known], 20))
    curves, traces = ([one["label"] for one in shown.data[kind]] for kind in ("curves", "traces"))
    assert len(curves) == len({*curves}) == MOST_CURVES
    assert {*traces} <= {*curves}
    assert curves[0] == str(front.select().number)
    left = len(front) - MOST_CURVES
    assert not_shown(shown)[-1] == f"{left} more trials of the front are"


def test_curves_are_spread_along_the_front() -> None:
    """From its best quality to its least CO2e, rather than the best in quality alone."""
    study = study_of(
        [
            kept(0.9 - 0.01 * n, 1e-6 / (1 + n), reports=[go.Report(1, 0.5, 1e-9, 1.0)])
            for n in range(40)
        ]
    )
    front = go.pareto_front(study)
    drawn = [int(one["label"]) for one in read(front, {}).data["curves"]]
    assert drawn[0] == front.select().number
    assert drawn[1:] == sorted(drawn[1:])
    assert {0, 39} <= {*drawn}
    assert max(b - a for a, b in zip(sorted(drawn), sorted(drawn)[1:], strict=False)) < 40 / 5


def test_trials_without_reports_are_spoken_of() -> None:
    """They have no curve, which says nothing of how they learned."""
    reports = [go.Report(1, 0.5, 1e-9, 1.0), go.Report(2, 0.6, 1e-8, 2.0)]
    trials = [kept(0.9, 1e-6, reports=reports), kept(0.8, 1e-7), kept(0.7, 1e-8)]
    assert REPORTS_ATTRIBUTE not in trials[1].user_attrs
    words = said(read(go.pareto_front(study_of(trials)), {}))
    assert "2 trials of the front reported nothing on the way." in words


def test_steps_without_a_place_on_a_logarithmic_axis_are_spoken_of() -> None:
    """Before the first reading of energy, nothing seems to be spent."""
    first = [go.Report(1, 0.5, 0.0, 1.0), go.Report(2, 0.6, 1e-8, 2.0)]
    for energy_kwh, logarithmic in ((1e-8, True), (0.9e-6, False)):
        trials = [kept(0.9, 1e-6, reports=first), kept(0.8, energy_kwh, reports=first[1:])]
        shown = read(go.pareto_front(study_of(trials)), {})
        assert shown.data["logarithmic"]["co2e_kg"] == logarithmic
        assert ("Steps before the first reading" in said(shown)) == logarithmic


@pytest.mark.parametrize("repeats", [False, True])
def test_the_table_says_what_is_a_mean_of_runs(*, repeats: bool) -> None:
    """Where trials ran several times, their rows have the mean, and the ledger has all."""
    front = go.pareto_front(made_study(20, repeats=repeats))
    shown = read(front, {})
    spent_kwh = sum(row["energy_kwh"] for row in shown.rows)
    assert front.candidates.spent_kwh == pytest.approx(spent_kwh * (3 if repeats else 1))
    assert ("are means over the runs; what the search cost" in said(shown)) == repeats
