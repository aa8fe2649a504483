"""Studies whose trials were not all measured alike: what is refused, and what says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import create_trial

import green_optuna as go
from green_optuna.cli import main
from green_optuna.cli.render import front_table
from green_optuna.cli.storage import open_storage
from green_optuna.energy.stored import measurement_to_dict
from green_optuna.provenance import describe_estimate, provenance_of
from green_optuna.terms import ATTRIBUTE
from green_optuna.tracking.front_note import front_note

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

GRID = go.Grid(carbon_intensity_g_per_kwh=250.0, source="test")

COUNTER = {"cpu": go.Source("RAPL", measured=True), "ram": go.Source("guess", measured=False)}
ESTIMATE = {
    "cpu": go.Source("CPU time x 8 W", measured=False, follows_cpu_time=True),
    "ram": go.Source("guess", measured=False),
}


def trial(
    *,
    sources: dict[str, go.Source] = COUNTER,
    fingerprint: str = "f00d",
    host: str = "a",
    loss: float = 0.1,
) -> FrozenTrial:
    """Make a completed trial that was measured somehow."""
    measurement = go.Measurement(
        energy=go.ComponentEnergy(cpu_kwh=1e-6 / loss),
        duration_s=1.0,
        grid=GRID,
        sources=sources,
        host=host,
        fingerprint=fingerprint,
    )
    kept = {"version": 1, "state": "complete", "run_ids": {}, "quality": 1 - loss}
    return create_trial(
        values=[loss, measurement.co2e_kg, 10.0],
        user_attrs={ATTRIBUTE: kept | measurement_to_dict(measurement)},
    )


def unmeasured() -> FrozenTrial:
    """Make a completed trial of somebody else's."""
    return create_trial(values=[0.2, 1e-9, 10.0])


def study_of(*trials: FrozenTrial, storage: str | None = None) -> optuna.Study:
    """Make a study of trials."""
    study = go.create_study("s", storage=None if storage is None else open_storage(storage))
    study.add_trials(trials)
    return study


# A file in the working folder, and sooner made than a database.
STORAGE = "journal:studies.log"

MIXED = (trial(loss=0.1), trial(loss=0.2), trial(loss=0.3, sources=ESTIMATE, host="b"))


# What is alike


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [unmeasured()],
        [trial(), trial(), unmeasured()],
        [trial(host="node1"), trial(host="node2")],
        [trial(fingerprint=""), trial(fingerprint="")],
        [trial(fingerprint=""), trial(), trial(host="b")],
    ],
    ids=["none", "not measured", "one machine", "nodes alike", "hardware not kept", "kept later"],
)
def test_trials_that_were_measured_alike_make_a_front(trials: list[FrozenTrial]) -> None:
    """One source a component and one kind of hardware; what was not measured does not count."""
    front = go.pareto_front(study_of(*trials))
    assert not front.mixed
    assert front.note is None
    assert "host" not in front.to_dataframe().columns
    plain = front.to_dict()
    assert (plain["mixed"], plain["note"]) == (False, None)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (trial(sources=ESTIMATE), "1 trial by CPU time x 8 W; guess on 'a' (hardware f00d)"),
        (trial(fingerprint="beef"), "1 trial by RAPL; guess on 'a' (hardware beef)"),
        (trial(fingerprint="", host="b"), "1 trial by RAPL; guess on 'b' (hardware not kept)"),
        (trial(sources={}), "1 trial by no source on 'a' (hardware f00d)"),
    ],
    ids=["sources", "hardware", "unknown hardware", "no sources"],
)
def test_trials_that_were_not_measured_alike_are_refused(other: FrozenTrial, said: str) -> None:
    """The error names each group with its number of trials, and what lets it pass."""
    study = study_of(trial(), trial(host="c"), other, unmeasured())
    with pytest.raises(go.MixedStudyError) as refused:
        go.pareto_front(study)
    for part in ("'s'", "2 trials by RAPL; guess on 'a', 'c' (hardware f00d)", said):
        assert part in str(refused.value)
    assert "allow_mixed=True" in str(refused.value)
    assert "--allow-mixed" in str(refused.value)
    assert go.pareto_front(study, allow_mixed=True).mixed


def test_a_front_that_compares_no_energy_is_never_mixed() -> None:
    """Quality and parameters are what they are on any machine; a duration is not."""
    study = study_of(*MIXED)
    assert not go.pareto_front(study, ("quality_loss", "n_params")).mixed
    with pytest.raises(go.MixedStudyError):
        go.pareto_front(study, ("co2e_kg",))
    timed = go.create_study(objectives=("quality_loss", "duration_s"))
    for one in MIXED:
        timed.add_trial(create_trial(values=[0.1, 1.0], user_attrs=one.user_attrs))
    with pytest.raises(go.MixedStudyError):
        go.pareto_front(timed)


kinds = st.tuples(
    st.sampled_from([COUNTER, ESTIMATE]),
    st.sampled_from(["f00d", "beef"]),
    st.sampled_from(["a", "b"]),
)


@given(st.lists(kinds | st.none(), max_size=12))
def test_the_groups_are_those_of_sources_and_hardware(
    drawn: list[tuple[dict[str, go.Source], str, str] | None],
) -> None:
    """Each measured trial is in one, counted by hand; the first trial's group is the first."""
    trials = [
        unmeasured() if kind is None else trial(sources=kind[0], fingerprint=kind[1], host=kind[2])
        for kind in drawn
    ]
    expected: dict[tuple[bool, str], set[str]] = {}
    for kind in drawn:
        if kind is not None:
            expected.setdefault((kind[0] is COUNTER, kind[1]), set()).add(kind[2])
    groups = provenance_of(trials)
    found = [((("cpu", "RAPL") in one.sources), one.fingerprint) for one in groups]
    assert found == list(expected)
    assert [set(one.hosts) for one in groups] == list(expected.values())
    assert sum(one.n_trials for one in groups) == sum(kind is not None for kind in drawn)


# What is said of estimates


def test_an_estimate_is_said_to_follow_what_its_source_follows() -> None:
    """CPU time where a source says so, else no more than that it is a model."""
    said = describe_estimate(ESTIMATE)
    assert "(CPU time x 8 W; guess)" in said
    assert "CO2e follows CPU time and wall-clock time" in said
    replayed = describe_estimate(go.ReplayMeter().sources)
    assert "(replay)" in replayed
    assert "CPU time" not in replayed


# Who says so


def test_a_mixed_front_says_so_wherever_it_is_shown() -> None:
    """Its plain data, its table with a column of hosts, its caption and its note in MLflow."""
    front = go.pareto_front(study_of(*MIXED), allow_mixed=True)
    assert front.mixed
    assert front.numbers == (0, 1, 2)
    note = front.note or ""
    assert "2 trials by RAPL; guess" in note
    plain = json.loads(json.dumps(front.to_dict()))
    assert (plain["mixed"], plain["note"]) == (True, note)
    assert [row["host"] for row in plain["trials"]] == ["a", "a", "b"]
    assert front.to_dataframe()["host"].tolist() == ["a", "a", "b"]
    assert front_table(front).caption == note
    assert note in front_note(front, limit=8000)


def test_trackers_are_told_of_a_mixed_front_all_the_same() -> None:
    """What is passed on from within never fails over it."""
    study = go.create_study()
    tracker = go.MemoryTracker()
    objective = go.green_objective(grid=GRID, meter=go.ReplayMeter(cpu_w=50.0), trackers=[tracker])(
        lambda _: (0.5, 10)
    )
    study.optimize(objective, n_trials=1)
    study.add_trials(MIXED)
    go.log_front(study, [tracker])
    assert [front.mixed for front in tracker.fronts] == [True]


# On the command line


@pytest.mark.parametrize("name", ["front", "select"])
def test_the_command_line_wants_to_be_told_that_a_mixture_is_meant(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused with the flag to give; with it, shown, and said beside what is shown."""
    study_of(*MIXED, storage=STORAGE)
    assert main([name, "--storage", STORAGE]) == 1
    refused = capsys.readouterr()
    assert refused.out == ""
    assert "--allow-mixed" in refused.err
    assert main([name, "--storage", STORAGE, "--allow-mixed"]) == 0
    shown = capsys.readouterr()
    said = " ".join((shown.err if name == "select" else shown.out).split())
    assert "were not all measured alike" in said
    assert main([name, "--storage", STORAGE, "--allow-mixed", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["study"] == "s"


TRAIN = """
import green_optuna as go

@go.green_objective(country="FRA", meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
def objective(trial):
    return trial.suggest_float("quality", 0, 1), 10
"""


@pytest.mark.usefixtures("_own_imports")
def test_a_run_shows_a_mixed_study_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What has been paid for is shown, whatever the study held before."""
    study_of(*MIXED, storage=STORAGE)
    Path("train.py").write_text(TRAIN, encoding="utf-8")
    options = ("study.n_trials=1", "study.name=s", f"study.storage={STORAGE}")
    assert main(["run", "objective=train.py:objective", *options]) == 0
    shown = capsys.readouterr()
    assert "warning: The completed trials were not all measured alike" in shown.err
    assert "of 4 completed trials" in shown.out
