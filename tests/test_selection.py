"""What a selection says: the runner-up, the margin, what it saves, and why not another trial."""

from __future__ import annotations

import json
import math
import pickle

import optuna
import pytest
from optuna.trial import TrialState, create_trial

import green_optuna as go

# Of each trial: quality loss, CO2e in kg, parameters. 4 is dominated by 1, 5 is infeasible, 6
# failed, and 7 is trial 1 again.
VALUES = [
    (0.10, 4e-6, 900.0),
    (0.105, 1e-6, 800.0),
    (0.30, 0.5e-6, 100.0),
    (0.108, 3e-6, 50.0),
    (0.20, 2e-6, 900.0),
]


def study() -> optuna.Study:
    """A study whose selections are worked out by hand."""
    made = go.create_study("by hand")
    made.add_trials([create_trial(values=row) for row in VALUES])
    made.add_trial(create_trial(values=(0.0, 0.0, 0.0), constraints={"size": 1.0}))
    made.add_trial(create_trial(state=TrialState.FAIL))
    made.add_trial(create_trial(values=VALUES[1]))
    return made


def test_a_selection_says_in_sentences_what_a_paper_needs() -> None:
    """Trial, rule, scores, what it saves against which, and who is next by how much."""
    front = go.pareto_front(study())
    assert front.numbers == (0, 1, 2, 3, 7)
    assert str(front.select(go.Tolerance(0.01))) == (
        "Trial 1 of 'by hand' (least CO2e within 1 % of the best quality): 1 - quality 0.105, "
        "CO2e 1.00 mg, parameters 800. It took 3.00 mg of CO2e (75 %) less than trial 0, which "
        "has the best quality. Of 5 on the front, trial 7 is next: equal in CO2e; equal in every "
        "objective, and the earlier trial is taken."
    )
    assert str(front.select("best-quality")) == (
        "Trial 0 of 'by hand' (best quality): 1 - quality 0.1, CO2e 4.00 mg, parameters 900. It "
        "has the best quality. Of 5 on the front, trial 1 is next: 1 - quality 0.105 is 0.005 more."
    )
    assert str(front.select(go.Tolerance(0))).endswith("no other is within the rule's limits.")


def test_the_saving_is_against_the_best_quality() -> None:
    """In kg and as a share; the best trial saves nothing against itself."""
    front = go.pareto_front(study())
    assert front.select().saving == go.Saving(0, 4e-6 - 1e-6, (4e-6 - 1e-6) / 4e-6)
    assert front.select("best-quality").saving == go.Saving(0, 0.0, 0.0)
    dearer = go.create_study()
    dearer.add_trials([create_trial(values=row) for row in [(0.1, 2e-6, 9.0), (0.2, 3e-6, 1.0)]])
    chosen = go.pareto_front(dearer).select(go.EpsilonConstraint(minimise="n_params"))
    assert "It took 1.00 mg of CO2e (50 %) more than trial 0" in str(chosen)


@pytest.mark.parametrize("values", [[(0.1, 0.0, 9.0), (0.2, 0.0, 1.0)]])
def test_a_saving_against_nothing_has_no_share(values: list[tuple[float, ...]]) -> None:
    """Where the best trial cost nothing, there is nothing to take a share of."""
    made = go.create_study()
    made.add_trials([create_trial(values=row) for row in values])
    chosen = go.pareto_front(made).select(go.EpsilonConstraint(minimise="n_params"))
    assert chosen.saving == go.Saving(0, 0.0, None)
    assert "It took 0 kg of CO2e less than trial 0" in str(chosen)


def test_where_nobody_knows_the_cost_there_is_no_saving() -> None:
    """An infinite CO2e, none at all, or no quality to be best in."""
    diverged = go.create_study()
    diverged.add_trials(
        [create_trial(values=row) for row in [(0.1, math.inf, 1.0), (0.2, 1e-6, 1.0)]]
    )
    assert go.pareto_front(diverged).select("min-co2e").saving is None
    front = go.pareto_front(study(), ("quality_loss", "n_params"))
    assert front.select(go.Tolerance(minimise="n_params")).saving is None
    assert go.pareto_front(study(), ("co2e_kg", "n_params")).select("utopia").saving is None


def test_the_saving_of_a_front_without_co2e_comes_from_what_was_measured() -> None:
    """A front over quality and parameters saves what the trials' own energy came to."""

    @go.green_objective(
        grid=go.Grid(carbon_intensity_g_per_kwh=100, source="made up"),
        meter=go.ReplayMeter(cpu_w=100.0),
        trackers=[],
    )
    def objective(trial: go.GreenTrial) -> tuple[float, int]:
        return trial.suggest_float("quality", 0, 1), trial.suggest_int("n", 1, 9)

    made = go.create_study("measured")
    for quality, n in ((0.9, 9), (0.895, 1)):
        made.enqueue_trial({"quality": quality, "n": n})
    made.optimize(objective, n_trials=2)
    chosen = go.pareto_front(made, ("quality_loss", "n_params")).select(
        go.Tolerance(minimise="n_params")
    )
    costs = [trial.values[1] for trial in made.trials]
    assert chosen.number == 1
    assert chosen.saving is not None
    assert chosen.saving.co2e_kg == pytest.approx(costs[0] - costs[1])


def test_a_saving_of_less_than_all_is_not_shown_as_all() -> None:
    """And what shares the best quality is not said to be behind it."""
    made = go.create_study()
    made.add_trials([create_trial(values=row) for row in [(0.1, 1.0, 9.0), (0.1004, 5e-4, 8.0)]])
    assert "(over 99 %) less than trial 0" in str(go.pareto_front(made).select())
    tied = go.create_study()
    tied.add_trials([create_trial(values=row) for row in [(0.1, 2e-6, 1.0), (0.1, 1e-6, 2.0)]])
    chosen = go.pareto_front(tied).select(go.EpsilonConstraint(minimise="n_params"))
    assert "It has the best quality. Of 2" in str(chosen)


def test_each_trial_has_a_reason_why_it_was_not_selected() -> None:
    """On the front or off it; what has not completed, and the selected one, are errors."""
    chosen = go.pareto_front(study()).select()
    assert chosen.why_not(0) == "CO2e 4.00 mg is 3.00 mg more"
    assert chosen.why_not(2) == "1 - quality 0.3 is over 0.109, 1 % from the best quality"
    assert chosen.why_not(4) == "dominated by trial 1"
    assert chosen.why_not(5) == "it violates a constraint of the study"
    others = chosen.why_not_others()
    assert list(others) == [0, 2, 3, 7]
    assert others == {number: chosen.why_not(number) for number in others}
    with pytest.raises(go.OptionError, match="trial 1 is the one that was selected"):
        chosen.why_not(1)
    for number in (6, 99):
        with pytest.raises(go.OptionError, match=f"has no trial {number} that has completed"):
            chosen.why_not(number)


def test_the_scale_and_its_bounds_are_recorded() -> None:
    """With the rule's arguments, all of them, as JSON; infinity as text."""
    chosen = go.pareto_front(study()).select(go.Utopia(scale="log", p=math.inf))
    bounds = {"quality_loss": (0.1, 0.3), "co2e_kg": (0.5e-6, 4e-6), "n_params": (50.0, 900.0)}
    assert (chosen.scale, chosen.bounds) == ("log", bounds)
    plain = json.loads(json.dumps(chosen.to_dict(), allow_nan=False))
    assert plain["bounds"] == {name: list(ends) for name, ends in bounds.items()}
    weights = dict.fromkeys(sorted(bounds), 1.0)
    assert plain["rule_arguments"] == {"weights": weights, "scale": "log", "p": "inf"}
    assert plain["figure"]["name"] == "distance to the utopia point"
    assert (plain["runner_up"], plain["margin"]) == (chosen.runner_up, chosen.margin)


def test_a_capped_rule_is_recorded_by_its_own_name() -> None:
    """Its caps are among its arguments."""
    chosen = go.pareto_front(study()).select(go.Capped(go.Knee(), {"n_params": 500}))
    plain = chosen.to_dict()
    assert (plain["rule"], plain["rule_arguments"]["caps"]) == ("knee", {"n_params": 500})
    assert plain["rule_arguments"]["objectives"] == ["quality_loss", "co2e_kg"]


def test_a_function_selects_and_is_recorded() -> None:
    """A front takes a function for a rule."""
    chosen = go.pareto_front(study()).select(lambda losses: losses["n_params"])
    assert chosen.number == 3
    assert chosen.to_dict()["rule"] == "custom"


def test_a_study_of_energy_is_selected_from_by_default() -> None:
    """Least energy within 1 % of the best quality, and the selection says so."""
    made = go.create_study("energy", objectives=("quality_loss", "energy_kwh"))
    made.add_trials([create_trial(values=row) for row in [(0.1, 3e-6), (0.105, 1e-6)]])
    for rule in (None, "tolerance"):
        chosen = go.pareto_front(made).select(rule)
        assert (chosen.number, chosen.rule) == (1, go.Tolerance(minimise="energy_kwh"))
    assert "least energy within 1 %" in str(chosen)


def test_selections_of_one_trial_by_one_rule_are_equal() -> None:
    """What they were selected from is no part of that; they survive pickling."""
    first, second = (go.pareto_front(study()).select() for _ in range(2))
    assert first.number == second.number
    assert first.rule == second.rule
    copy = pickle.loads(pickle.dumps(first))
    assert (copy, str(copy)) == (first, str(first))
