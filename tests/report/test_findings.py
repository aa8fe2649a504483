"""What was found, in sentences: exact texts, and numbers that are those of the study."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import GRID, NAMES, kept, study_of
from optuna.trial import TrialState, create_trial

import green_optuna as go
from green_optuna.report.findings import findings
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

KILOGRAMS = {"ng": 1e-12, "ug": 1e-9, "mg": 1e-6, "g": 1e-3, "kg": 1.0}
KILOWATT_HOURS = {"nWh": 1e-12, "uWh": 1e-9, "mWh": 1e-6, "Wh": 1e-3, "kWh": 1.0}


def found_in(
    trials: Sequence[FrozenTrial],
    objectives: Sequence[str] | None = None,
    *,
    grid: go.Grid | None = None,
    rule: go.Rule | str | None = None,
) -> tuple[str, ...]:
    """What is said of a study of these trials."""
    return findings(go.pareto_front(study_of(trials), objectives, grid=grid).subject(rule))


SMALL = (
    kept(0.985, 4e-5, 2000),
    kept(0.98, 1e-5, 1500),
    kept(0.9, 5e-6, 3000),
    kept(0.6, 5e-5, 4000),
    kept(0.99, 1e-7, 10, constraints={"cap": 1.0}),
    kept(0.5, 3e-6, state=TrialState.PRUNED),
    kept(0.5, 1e-6, state=TrialState.PRUNED),
    kept(0.5, 2e-6, state=TrialState.FAIL),
)


def test_three_sentences_say_what_was_found() -> None:
    """The choice and what it gives up, the front in words, the search and what came to nothing."""
    choice, front, search = found_in(SMALL)
    assert choice == (
        "Trial 1 is the choice (least CO2e within 1 % of the best quality): one training takes "
        "3.00 mg of CO2e, 75 % less than trial 0, and its quality is 0.98, where trial 0 has the "
        "best, 0.985."
    )
    assert front == (
        "Of 4 completed trials within their constraints (1 other is not), 3 are on the Pareto "
        "front: no other is better than one of these in quality, CO2e or number of parameters "
        "without being worse in another; quality lies between 0.9 and 0.985, CO2e between 1.50 mg "
        "and 12.0 mg and number of parameters between 1.50 k and 3.00 k."
    )
    assert search == (
        "The search cost 33.3 mg of CO2e (111 mWh), as much as 11.1 trainings of trial 1; "
        "2 pruned and 1 failed trials took 5 % of that."
    )


def test_on_another_grid_it_says_what_it_would_have_cost() -> None:
    """All CO2e is that of the grid; energies, and how many trainings that is, stay."""
    there = go.Grid(carbon_intensity_g_per_kwh=25.0, source="test", pue=1.2)
    choice, _, search = found_in(SMALL, grid=there)
    assert "one training would take 300 ug of CO2e, 75 % less" in choice
    assert search.startswith(
        "The search would have cost 3.33 mg of CO2e (111 mWh), as much as 11.1 trainings"
    )


def test_over_one_objective_there_is_a_best_trial() -> None:
    """Or several that are equal; and no rule that weighs two."""
    assert found_in(SMALL, ("co2e_kg",))[0] == (
        "Of 4 completed trials within their constraints (1 other is not), trial 2 has the least "
        "CO2e, 1.50 mg."
    )
    choice, best, _ = found_in(
        [kept(0.9, 1e-6), kept(0.9, 2e-6)], ("quality_loss",), rule="best-quality"
    )
    assert choice.startswith("Trial 0 is the choice (")
    assert choice.endswith("one training takes 300 ug of CO2e, and its quality, 0.9, is the best.")
    assert best == "Of 2 completed trials, 2 have the best quality, 0.9."


def test_one_that_is_no_worse_than_any_is_said_to_be_so() -> None:
    """A front of one, and a study of one."""
    front = found_in([kept(0.5, 2e-6, 20), kept(0.9, 1e-6, 10)])[1]
    assert front == (
        "Of 2 completed trials, trial 1 is no worse than any in quality, CO2e and number of "
        "parameters: quality 0.9, CO2e 300 ug and number of parameters 10."
    )
    assert found_in([kept(0.5, 1e-6)])[1:] == (
        "Only trial 0 has completed: quality 0.5, CO2e 300 ug and number of parameters 10.",
        "The search cost 300 ug of CO2e (1.00 mWh).",
    )


def test_nothing_is_said_where_there_is_nothing() -> None:
    """No trials; and of trials that failed, what they cost."""
    assert found_in([]) == ()
    assert found_in([kept(0.5, 1e-6, state=TrialState.FAIL)]) == (
        "The search cost 300 ug of CO2e (1.00 mWh); 1 failed trial took all of that.",
    )


@pytest.mark.parametrize(
    ("energy_kwh", "words"),
    [(4e-6, "1.20 mg of CO2e, 300 % more than trial 0"), (1.003e-6, "about as much as trial 0")],
)
def test_a_rule_may_choose_what_costs_more_or_as_much(energy_kwh: float, words: str) -> None:
    """The words follow the sign, and a difference of no percent is not called less."""
    choice, *_ = found_in(
        [kept(0.9, 1e-6, 20), kept(0.8, energy_kwh, 10)],
        rule=go.Tolerance(0.5, minimise="n_params"),
    )
    assert words in choice


def test_a_quality_of_which_less_is_better_is_in_its_own_unit() -> None:
    """An error from 0 to 50, say: no share of it, and no points."""
    terms = go.StudyTerms(
        objectives=NAMES, quality_bounds=go.QualityBounds(worst=50.0, best=0.0), grid=GRID
    )
    study = study_of([_error(3.0, 4e-6), _error(3.2, 1e-6), _error(9.0, 5e-7)])
    study.set_user_attr(ATTRIBUTE, terms.to_dict())
    choice, front, _ = findings(go.pareto_front(study).subject())
    assert choice == (
        "Trial 1 is the choice (least CO2e within 1 % of the best quality): one training takes "
        "300 ug of CO2e, 75 % less than trial 0, and its quality is 3.2, where trial 0 has the "
        "best, 3."
    )
    assert "quality lies between 9 and 3, CO2e" in front


def test_a_difference_too_small_to_show_is_said_to_be_one() -> None:
    """Two qualities that look the same are not said to be the best and another."""
    choice, *_ = found_in([kept(0.900001, 4e-6), kept(0.9, 1e-6)])
    assert choice.endswith("and its quality, 0.9, is as good as the best to four digits.")


def test_checkpoints_are_named_with_their_steps() -> None:
    """And counted beside the trials."""
    reports = [go.Report(2, 0.9, 1e-6, 30.0, checkpoint="two.pt")]
    study = study_of([kept(0.9, 4e-6, reports=reports), kept(0.2, 9e-6)])
    choice, front, _ = findings(go.pareto_front(study, checkpoints=True).subject())
    assert choice == (
        "Trial 0 step 2 is the choice (least CO2e within 1 % of the best quality): one training up "
        "to that step takes 300 ug of CO2e, and its quality, 0.9, is the best."
    )
    assert front.startswith("Of 2 completed trials and 1 checkpoint, trial 0 step 2 is no worse")


def test_a_study_of_ones_own_is_told_in_its_own_words() -> None:
    """Objectives under names that we do not know, of trials that nobody measured."""
    study = optuna.create_study(study_name="own", directions=["minimize"] * 2)
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(["loss", "latency"])
    study.add_trials([create_trial(values=[0.5, 2.0]), create_trial(values=[0.4, 3.0])])
    (front,) = findings(go.pareto_front(study).subject())
    assert front == (
        "Of 2 completed trials, all are on the Pareto front: no other is better than one of these "
        "in loss or latency without being worse in another; loss lies between 0.4 and 0.5 and "
        "latency between 2 and 3."
    )


def test_an_infinite_loss_does_not_stretch_what_is_said() -> None:
    """A trial that diverged is on the front for its cost alone, and has no quality to show."""
    front = found_in([kept(-math.inf, 1e-6, 10), kept(0.9, 2e-6, 10)])[1]
    assert front.endswith(
        "quality lies at 0.9, CO2e between 300 ug and 600 ug and number of parameters at 10."
    )


def _error(error: float, energy_kwh: float) -> FrozenTrial:
    trial = kept(1.0 - error / 50.0, energy_kwh)
    trial.user_attrs[ATTRIBUTE]["quality"] = error
    return trial


@st.composite
def made_studies(draw: st.DrawFn) -> list[FrozenTrial]:
    """Trials of any state, quality and energy, some of which nobody measured."""
    states = [TrialState.COMPLETE] * 3 + [TrialState.PRUNED, TrialState.FAIL]
    trials = []
    for _ in range(draw(st.integers(0, 8))):
        trial = kept(
            draw(st.sampled_from([0.0, 0.3, 0.31, 0.95, 1.0, -math.inf])),
            draw(st.sampled_from([1e-9, 3e-6, 5e-6, 0.7])),
            draw(st.integers(1, 3000)),
            state=draw(st.sampled_from(states)),
            constraints={"cap": draw(st.sampled_from([-1.0, -1.0, 1.0]))},
        )
        if draw(st.integers(0, 6)) == 0:
            del trial.user_attrs[ATTRIBUTE]["energy_kwh"]
        trials.append(trial)
    return trials


@given(
    made_studies(),
    st.sampled_from([None, ("quality_loss",), ("co2e_kg",), ("n_params", "co2e_kg")]),
    st.sampled_from([None, "knee", "best-quality", "min-co2e", "utopia"]),
)
def test_whatever_the_study_each_number_is_one_of_it(
    trials: list[FrozenTrial], objectives: tuple[str, ...] | None, rule: str | None
) -> None:
    """At most three sentences; each amount in them can be worked out from the trials."""
    front = go.pareto_front(study_of(trials), objectives)
    try:
        subject = front.subject(rule)
    except go.OptionError:
        return  # the rule wants an objective that is left out
    said = findings(subject)
    assert len(said) <= 3
    assert all(sentence.endswith(".") and "nan" not in sentence for sentence in said)
    text = " ".join(sentence.partition("): ")[2] or sentence for sentence in said)
    energies = [sum(trial.user_attrs[ATTRIBUTE].get("energy_kwh", {}).values()) for trial in trials]
    co2e = [GRID.co2e_kg(one) for one in energies]
    co2e += [trial.values[1] for trial in trials if trial.values]
    _all_among(text, KILOGRAMS, [*co2e, GRID.co2e_kg(math.fsum(energies))])
    _all_among(text, KILOWATT_HOURS, [math.fsum(energies)])
    lost = [
        energy
        for trial, energy in zip(trials, energies, strict=True)
        if trial.state != TrialState.COMPLETE
    ]
    shares = [math.fsum(lost) / math.fsum(energies)] if math.fsum(energies) else []
    shares += [abs(1 - one / other) for one in co2e for other in co2e if other > 0]
    for percents in re.findall(r"(\d+) %", text):
        assert any(abs(int(percents) - 100 * share) <= 1 for share in shares)
    for number in re.findall(r"[Tt]rial (\d+)", text):
        assert trials[int(number)].state == TrialState.COMPLETE
    for shown in re.findall(r"quality (?:is |lies at |lies between )?(\d[\d.]*\d|\d)", text):
        assert float(shown) in {0.0, 0.3, 0.31, 0.95, 1.0}
    if subject.rows:
        assert f"Of {sum(_counts(one) for one in trials)} completed" in text or "Only" in text


def _counts(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and trial.constraints["cap"] <= 0


def _all_among(text: str, units: dict[str, float], values: Sequence[float]) -> None:
    """Hold that each amount in a text is one of some values, as far as three digits tell."""
    for number, unit in re.findall(r"([\d.]+) (\w+)\b", text):
        if unit in units:
            amount = float(number) * units[unit]
            assert any(math.isclose(amount, value, rel_tol=5.1e-3) for value in values), text
