"""How sure a front is: what its trials' intervals tell, and nothing where they tell nothing."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.trial import create_trial

import green_optuna as go
from green_optuna import doubt
from green_optuna.intervals import join_intervals, mean_interval, standard_error
from green_optuna.record import EACH_RUN
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)
NAMES = ("quality_loss", "co2e_kg", "n_params")

# The loss and the energy in kWh of each run, and the parameters of each trial.
RUNS = (
    ([(0.10, 4e-3), (0.12, 4.2e-3), (0.11, 3.9e-3)], 100),
    ([(0.11, 2e-3), (0.13, 2.1e-3), (0.15, 2.2e-3)], 100),
    ([(0.12, 2.2e-3), (0.14, 2.0e-3), (0.16, 2.1e-3)], 100),
    ([(0.60, 9e-3), (0.61, 9e-3), (0.62, 9e-3)], 100),
)


def add_trial(
    study: optuna.Study,
    runs: Sequence[tuple[float, float]],
    n_params: int,
    **options: Any,  # noqa: ANN401 - of create_trial
) -> None:
    """Add a trial as green_optuna keeps one whose function ran so often."""
    losses, energies_kwh = zip(*runs, strict=True)
    kept = {
        "version": 1,
        "quality": 1 - float(np.mean(losses)),
        "energy_kwh": {"cpu": sum(energies_kwh), "gpu": 0.0, "ram": 0.0},
        "duration_s": float(len(runs)),
        "co2e_kg": GRID.co2e_kg(sum(energies_kwh)),
        "grid": GRID.to_dict(),
        "basis": "measured",
        "sources": {},
        "host": "here",
        "shared": False,
        "runs": len(runs),
    }
    if len(runs) > 1:
        kept[EACH_RUN] = [[loss, energy_kwh, 1.0] for loss, energy_kwh in runs]
    values = {
        "quality_loss": float(np.mean(losses)),
        "co2e_kg": GRID.co2e_kg(float(np.mean(energies_kwh))),
        "n_params": float(n_params),
        "energy_kwh": float(np.mean(energies_kwh)),
    }
    study.add_trial(
        create_trial(
            values=[values[name] for name in study.metric_names or ()],
            user_attrs={ATTRIBUTE: kept},
            **options,
        )
    )


def repeated(
    objectives: Sequence[str] = NAMES, storage: str | None = None, *, once: Sequence[int] = ()
) -> optuna.Study:
    """Make a study of the trials above, some of which ran once only."""
    study = go.create_study("doubtful", storage=storage, objectives=objectives)
    for number, (runs, n_params) in enumerate(RUNS):
        add_trial(study, runs[:1] if number in once else runs, n_params)
    return study


# Probabilities


def test_members_have_the_probabilities_that_their_intervals_tell(sqlite_url: str) -> None:
    """Means, standard errors and degrees of freedom of the runs; the parameters are exact."""
    front = go.pareto_front(repeated(storage=sqlite_url))
    runs = np.array([runs for runs, _ in RUNS])
    losses = np.column_stack([runs[..., 0].mean(1), runs[..., 1].mean(1) * 0.25, [100.0] * 4])
    scales = runs.std(axis=1, ddof=1) / math.sqrt(3) * [1.0, 0.25]
    expected = doubt.probabilities(
        losses, np.column_stack([scales, np.zeros(4)]), np.full((4, 3), 2)
    )
    assert front.probabilities is not None
    assert front.numbers == (0, 1)
    assert front.probabilities == {
        number: pytest.approx(expected[number], abs=0.02) for number in front.numbers
    }
    assert front.probabilities == go.pareto_front(repeated()).probabilities
    assert front.uncertainty.reason is None
    assert 0.05 < front.uncertainty.probabilities[2] < 0.95  # type: ignore[index]  # known


def test_nothing_is_drawn_unless_asked() -> None:
    """A front and a selection leave the errors alone."""
    front = go.pareto_front(repeated())
    front.select()
    assert {"probabilities", "_scales_and_degrees"}.isdisjoint(vars(front.uncertainty))
    assert front.probabilities
    assert "probabilities" in vars(front.uncertainty)


def test_a_table_has_the_probability_of_each_trial(tmp_path: Path) -> None:
    """Beside on_front, dominated trials too; in CSV and JSON likewise."""
    front = go.pareto_front(repeated())
    table = front.to_dataframe(dominated=True)
    assert list(table.columns[:4]) == ["trial", "on_front", "probability", "quality_loss"]
    assert dict(zip(table["trial"][:2], table["probability"][:2], strict=True)) == (
        front.probabilities
    )
    assert table["probability"][3] < 0.2
    assert front.save(tmp_path / "front.csv").read_text().startswith("trial,on_front,probability,")
    plain = json.loads(front.save(tmp_path / "front.json").read_text())
    assert [row["probability"] for row in plain["trials"]] == list(front.probabilities.values())
    assert plain["uncertainty"] is None


def test_a_trial_that_violates_a_constraint_is_drawn_into_no_front() -> None:
    """It ousts nobody, and has no probability."""
    study = repeated()
    before = go.pareto_front(study).probabilities
    add_trial(study, [(0.01, 1e-6), (0.02, 2e-6)], 1, constraints={"size": 1.0})
    front = go.pareto_front(study)
    assert front.probabilities == before
    assert front.uncertainty.of(4) is None
    assert math.isnan(front.to_dataframe(dominated=True)["probability"][4])


def test_of_energy_and_its_co2e_one_follows_the_other() -> None:
    """They are drawn together, so that they are on the front as by one of them alone."""
    both = go.pareto_front(repeated(("quality_loss", "co2e_kg", "energy_kwh"))).probabilities
    one = go.pareto_front(repeated(("quality_loss", "energy_kwh"))).probabilities
    assert both == one


def test_a_quality_that_came_with_an_interval_has_its_error() -> None:
    """The ratings tell of the quality's error, where the costs compared are exact."""
    study = go.create_study()

    @go.green_objective(grid=GRID, meter=METER, trackers=[])
    def rated(trial: go.GreenTrial) -> tuple[go.RelativeScore, int]:
        ratings = [[3, 4, 3, 4], [2, 4, 3, 4]][trial.number]
        return go.relative_score(ratings, [5, 4, 5], scale=(1, 5)), [10, 10][trial.number]

    study.optimize(rated, n_trials=2)
    known = go.pareto_front(study, ("quality_loss", "n_params")).probabilities
    assert known is not None
    assert list(known) == [0]
    assert 0.5 < known[0] < 1
    whole = go.pareto_front(study)
    assert whole.probabilities is None
    assert "No trial" in str(whole.uncertainty.reason)


def test_counts_alone_are_certain() -> None:
    """A front over what is counted has no error."""
    assert go.pareto_front(repeated(once=range(4)), "n_params").probabilities == dict.fromkeys(
        range(4), 1.0
    )


# Where errors are not known


def test_without_errors_it_says_so_and_invents_none() -> None:
    """Neither does taking trials as exact, where no trial has an error."""
    for assume_exact in (False, True):
        front = go.pareto_front(repeated(once=range(4)), assume_exact=assume_exact)
        assert front.probabilities is None
        assert "probability" not in front.to_dataframe()
        assert str(front.uncertainty.reason).startswith("No trial of 'doubtful' has a known error")
        assert front.to_dict()["uncertainty"] == front.uncertainty.reason
        with pytest.raises(go.OptionError, match=r"min_probability is 0.5, and none can be told"):
            front.select(min_probability=0.5)


def test_where_some_trials_have_none_it_names_them() -> None:
    """Unless they are to be taken as exact, which the user has to say."""
    study = repeated(once=(1, 3))
    front = go.pareto_front(study)
    assert front.probabilities is None
    assert front.uncertainty.partly_known
    assert "Of 2 of the 4 trials" in str(front.uncertainty.reason)
    assert "(1, 3)" in str(front.uncertainty.reason)
    exact = go.pareto_front(study, assume_exact=True)
    assert exact.uncertainty.reason is None
    assert exact.probabilities is not None
    assert list(exact.probabilities) == [1]
    assert 0.5 < exact.probabilities[1] < 1


@pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")
def test_a_study_of_somebody_elses_has_no_errors() -> None:
    """Its objectives come without intervals."""
    study = optuna.create_study(directions=["minimize"] * 2)
    study.set_metric_names(["loss", "delay"])
    assert go.pareto_front(study).probabilities is None
    study.add_trials([create_trial(values=[1.0, math.inf]), create_trial(values=[2.0, 1.0])])
    assert "each of loss and delay: none is known of what green_optuna has not measured" in str(
        go.pareto_front(study).uncertainty.reason
    )


def test_an_empty_study_has_no_probabilities() -> None:
    """And no rows to be sure of."""
    front = go.pareto_front(go.create_study())
    assert front.probabilities is None
    with pytest.raises(go.EmptyStudyError):
        front.worth_repeating()


# Choosing


def test_a_selection_can_be_asked_to_be_probable() -> None:
    """The rule chooses among the members that are; the choice says how probable it is."""
    front = go.pareto_front(repeated())
    assert front.probabilities is not None
    assert front.select("best-quality").number == 0
    assert front.select("best-quality").probability is None
    between = (front.probabilities[0] + front.probabilities[1]) / 2
    likelier = max(front.probabilities, key=front.probabilities.__getitem__)
    for rule in ("best-quality", "min-co2e"):
        chosen = front.select(rule, min_probability=between)
        assert (chosen.number, chosen.probability) == (likelier, front.probabilities[likelier])
        assert chosen.to_dict()["probability"] == chosen.probability


def test_an_error_names_the_greatest_probability() -> None:
    """Where no member is so probable; and no number that is none is taken for one."""
    front = go.pareto_front(repeated())
    assert front.probabilities is not None
    greatest = max(front.probabilities.values())
    with pytest.raises(go.NoModelMeetsCapsError, match=rf"greatest is {greatest:.3g}, of trial \d"):
        front.select(min_probability=1)
    for wrong in (0, 1.5, math.nan, "much"):
        with pytest.raises(go.OptionError, match="above 0, and 1 at most"):
            front.select(min_probability=wrong)  # type: ignore[arg-type]  # what the test is about


def test_the_two_trials_that_win_most_are_worth_repeating() -> None:
    """The chosen one, and the one that the rule takes most often where it does not take that."""
    worth = go.pareto_front(repeated()).worth_repeating("min-co2e")
    assert (worth.trials, worth.chosen, worth.rival) == ((1, 2), 1, 2)
    assert worth.chosen_share is not None
    assert worth.rival_share is not None
    assert worth.chosen_share > 0.5 > worth.rival_share > 0
    assert str(worth).startswith(f"least CO2e: trial 1 in {worth.chosen_share:.1%} of the draws")


def test_a_settled_choice_wants_no_repeats() -> None:
    """A trial that wins every draw has no rival."""
    study = go.create_study("settled")
    add_trial(study, [(0.1, 1e-3), (0.1, 1e-3), (0.1, 1e-3)], 10)
    add_trial(study, [(0.5, 1e-2), (0.5, 1e-2), (0.5, 1e-2)], 10)
    worth = go.pareto_front(study).worth_repeating()
    assert (worth.trials, worth.rival, worth.chosen_share) == ((), None, 1.0)
    assert "nothing is left to settle. All runs of trial 0 gave the same quality" in str(worth)


@pytest.mark.parametrize(
    "rule",
    [
        go.Utopia(scale="log"),
        go.WeightedSum(scale="log"),
        go.Knee(scale="log"),
        go.Contribution(scale="log"),
        go.Custom(lambda losses: losses["co2e_kg"] ** 0.5),
    ],
)
def test_costs_are_never_drawn_below_nothing(rule: go.Rule) -> None:
    """So that a logarithm or a root of them can be taken in every draw."""
    study = go.create_study("wide")
    add_trial(study, [(0.1, 1e-3), (0.3, 9e-3)], 10)
    add_trial(study, [(0.4, 1e-4), (0.5, 2e-3)], 20)
    add_trial(study, [(0.6, 1e-4), (0.7, 9e-4)], 5)
    worth = go.pareto_front(study).worth_repeating(rule)
    assert worth.chosen_share is not None
    assert worth.rival_share is not None
    assert "none in" not in worth.reason


def test_what_is_said_of_the_probable_ones_is_not_said_of_the_front() -> None:
    """The best quality is that of the front, though another one is selected."""
    study = go.create_study("best", objectives=("quality_loss", "co2e_kg"))
    add_trial(study, [(0.10, 4e-3), (0.20, 4e-3)], 1)
    add_trial(study, [(0.155, 1e-3), (0.156, 1e-3), (0.157, 1e-3)], 1)
    front = go.pareto_front(study)
    known = front.probabilities
    assert known is not None
    assert known[0] < 0.9 < known[1]
    chosen = front.select("best-quality", min_probability=0.9)
    assert chosen.number == 1
    assert "best quality, of those on the front with a probability of 0.9 or more" in str(chosen)
    assert "less than trial 0, which has the best quality" in str(chosen)
    plain = chosen.to_dict()
    assert (plain["min_probability"], plain["n_front"]) == (0.9, 2)
    assert plain["saving"]["against"] == 0
    assert chosen.why_not(0) == "not on the front with a probability of 0.9 or more"
    with pytest.raises(go.NoModelMeetsCapsError, match="of those on the front with a probability"):
        front.select(go.EpsilonConstraint(caps={"quality_loss": 0.152}), min_probability=0.9)


def test_a_cap_that_may_be_missed_makes_the_chosen_one_worth_repeating() -> None:
    """Though no other trial could take its place."""
    study = go.create_study("capped")
    add_trial(study, [(0.1, 1e-3), (0.2, 1e-3), (0.15, 1e-3)], 10)
    worth = go.pareto_front(study).worth_repeating(go.MinCO2e(max_quality_loss=0.16))
    assert (worth.trials, worth.rival) == ((0,), None)
    assert ", none in " in str(worth)
    with pytest.raises(go.NoModelMeetsCapsError):
        go.pareto_front(study).worth_repeating(go.MinCO2e(max_quality_loss=0.01))


def test_without_errors_the_next_best_is_worth_repeating() -> None:
    """The one that the rule would choose without the chosen one; no share is made up."""
    worth = go.pareto_front(repeated(once=range(4))).worth_repeating("min-co2e")
    assert (worth.chosen, worth.chosen_share, worth.rival_share) == (1, None, None)
    assert worth.trials == (1, 2)
    assert "cannot be told. No trial of 'doubtful' has a known error" in str(worth)
    study = go.create_study()
    add_trial(study, [(0.1, 1e-3)], 10)
    assert go.pareto_front(study).worth_repeating().trials == (0,)


# Intervals


def test_an_interval_gives_its_standard_error_back() -> None:
    """Student's interval, undone; one value tells of none."""
    values = [0.1, 0.4, 0.3, 0.7]
    interval = mean_interval(values, confidence=0.9)
    assert interval is not None
    assert standard_error(interval) == pytest.approx(np.std(values, ddof=1) / 2)
    assert standard_error(go.Interval(mean=1, low=0, high=2, confidence=0.95, n=1)) is None


def test_joined_intervals_are_that_of_all_values() -> None:
    """Means and spreads of samples tell those of the sample that they make together."""
    samples = [[0.1, 0.4, 0.3], [0.5, 0.2], [0.9, 0.8, 0.7, 0.1]]
    intervals = [mean_interval(one) for one in samples]
    joined = join_intervals([one for one in intervals if one is not None])
    whole = mean_interval([value for one in samples for value in one])
    assert whole is not None
    assert joined.n == whole.n
    assert (joined.mean, joined.low, joined.high) == pytest.approx(
        (whole.mean, whole.low, whole.high)
    )
