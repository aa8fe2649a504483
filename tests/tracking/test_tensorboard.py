"""The example of a tracker of one's own: read back with TensorBoard's own reader."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

import green_optuna as go
from green_optuna.record import measurement_of

from .records import GRID, make_measurement, make_record

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "tensorboard_tracker.py"

# TensorBoard keeps single precision.
SINGLE = 1e-6


def events_of(folder: Path) -> EventAccumulator:
    """Read all that a trial's folder holds."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    return events.Reload()


def scalars(events: EventAccumulator, key: str) -> dict[int, float]:
    """Give what was written of a metric, by its step."""
    written = {event.step: event.value for event in events.Scalars(key)}
    assert len(written) == len(events.Scalars(key)), f"a step of {key} was written twice"
    return written


def hyperparameters(events: EventAccumulator) -> dict[str, object]:
    """Give what TensorBoard's table of hyperparameters shows."""
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    session = metadata.parse_session_start_info_plugin_data(content)
    return {
        name: getattr(value, value.WhichOneof("kind")) for name, value in session.hparams.items()
    }


def state(events: EventAccumulator) -> str:
    """Give the text that says how a trial ended."""
    (event,) = events.Tensors("state/text_summary")
    return str(event.tensor_proto.string_val[0].decode())


def reports_of(trial: optuna.trial.FrozenTrial) -> Mapping[int, list[Any]]:
    """Give the qualities and energies that Optuna's storage keeps of a trial, by step."""
    return {step: rest for step, *rest in trial.user_attrs["green_optuna_reports"]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the example in a folder of its own, as a reader does; give the folder."""
    folder = tmp_path_factory.mktemp("example")
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "HOME": str(folder), "GREEN_OPTUNA_STATE_FOLDER": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr
    logdir = done.stdout.rpartition("tensorboard --logdir ")[2].strip()
    assert (folder / logdir / "wave").is_dir(), "it says where to look"
    return folder


def written_trials(folder: Path) -> list[tuple[optuna.trial.FrozenTrial, EventAccumulator]]:
    """Give each trial of Optuna's storage beside what TensorBoard has of it."""
    study = go.load_study("wave", storage=f"sqlite:///{folder / 'wave.db'}")
    return [
        (trial, events_of(folder / "runs" / "wave" / f"trial-{trial.number:04d}"))
        for trial in study.trials
    ]


@pytest.mark.slow
def test_tensorboard_has_of_each_trial_what_optuna_has(finished: Path) -> None:
    """Hyperparameters, objectives and state are the same, of pruned trials too."""
    written = written_trials(finished)
    assert {trial.state.name for trial, _ in written} == {"COMPLETE", "PRUNED"}
    for trial, events in written:
        assert hyperparameters(events) == trial.params
        assert state(events) == trial.state.name.lower()
        objectives = dict(
            zip(("quality_loss", "co2e_kg", "n_params"), trial.values or (), strict=False)
        )
        tags = events.Tags()["scalars"]
        assert {tag for tag in tags if tag.startswith("objective/")} == {
            f"objective/{name}" for name in objectives
        }
        for name, value in objectives.items():
            for key in (name, f"objective/{name}"):
                assert scalars(events, key) == {0: pytest.approx(value, rel=SINGLE)}


@pytest.mark.slow
def test_tensorboard_has_the_reports_at_their_steps(finished: Path) -> None:
    """The quality and what it had cost, step by step."""
    for trial, events in written_trials(finished):
        reports = reports_of(trial)
        assert len(reports) > 1
        for key, column in (("report/quality", 0), ("report/energy_kwh", 1)):
            kept = {step: report[column] for step, report in reports.items()}
            assert scalars(events, key) == pytest.approx(kept, rel=SINGLE)


@pytest.mark.slow
def test_tensorboard_has_a_trace_that_comes_to_what_the_trial_cost(finished: Path) -> None:
    """Its seconds rise to the last one, and its energy to that in Optuna's storage."""
    for trial, events in written_trials(finished):
        measurement = measurement_of(trial)
        assert measurement is not None
        points = events.Scalars("energy/cumulative_kwh")
        assert [point.step for point in points] == sorted({point.step for point in points})
        assert points[-1].step == round(measurement.duration_s)
        assert points[-1].value == pytest.approx(measurement.energy_kwh, rel=SINGLE)
        assert all(before.value < after.value for before, after in pairwise(points))
        (co2e_kg, *_) = reversed(scalars(events, "energy/cumulative_co2e_kg").values())
        assert co2e_kg == pytest.approx(measurement.co2e_kg, rel=SINGLE)


def tracker_of(folder: Path) -> go.Tracker:
    """Make the example's tracker, without the study below it."""
    spec = importlib.util.spec_from_file_location("tensorboard_tracker", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tracker: go.Tracker = module.TensorBoardTracker(str(folder))
    return tracker


@pytest.mark.parametrize("state", ["complete", "pruned", "failed"])
def test_each_second_of_a_trace_is_written(tmp_path: Path, state: str) -> None:
    """A processor at 50 W, then 100 W, gives these means and sums, whatever the meter's rate."""
    half_seconds = np.arange(1, 13) / 2  # the point at n + 0.5 s counts to the even second
    powers_w = np.where(half_seconds <= 3.0, 50.0, 100.0)
    measurement = make_measurement(half_seconds.tolist(), cpu_w=powers_w.tolist())
    tracker_of(tmp_path).finish_trial(make_record(state=state, measurement=measurement))
    events = events_of(tmp_path / "s" / "trial-0007")
    cumulative_j = {0: 30.0, 1: 60.0, 2: 150.0, 3: 180.0, 4: 345.0, 5: 400.0, 6: 510.0}
    assert scalars(events, "energy/cumulative_kwh") == pytest.approx(
        {step: joules / 3.6e6 for step, joules in cumulative_j.items()}, rel=SINGLE
    )
    assert scalars(events, "energy/cumulative_co2e_kg") == pytest.approx(
        {step: GRID.co2e_kg(joules / 3.6e6) for step, joules in cumulative_j.items()}, rel=SINGLE
    )
    means_w = {0: 50.0, 1: 50.0, 2: 50.0, 3: 50.0, 4: 100.0, 5: 100.0, 6: 100.0}
    assert scalars(events, "energy/cpu_w") == pytest.approx(means_w, rel=SINGLE)
    at_s = [event.wall_time for event in events.Scalars("energy/cpu_w")]
    assert at_s == pytest.approx([1e6 + t_s for t_s in (0.5, 1.0, 2.5, 3.0, 4.5, 5.0, 6.0)])


def test_a_trial_that_failed_says_so_and_not_why(tmp_path: Path) -> None:
    """An error may hold the password of a database's address, which no file shall have."""
    error = "OperationalError: postgresql://me:s3cret@host/db is away"
    tracker_of(tmp_path).finish_trial(make_record(state="failed", error=error))
    folder = tmp_path / "s" / "trial-0007"
    assert state(events_of(folder)) == "failed"
    assert not [path for path in folder.iterdir() if b"s3cret" in path.read_bytes()]


def test_the_readme_shows_the_examples_class() -> None:
    """What a reader copies from there is what runs here."""
    _, _, passage = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Any tracker")
    block = passage.partition("```python\n")[2].partition("```")[0]
    assert "class TensorBoardTracker(go.Tracker):" in block
    assert block in EXAMPLE.read_text(encoding="utf-8")
