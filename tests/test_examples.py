"""The examples, run as a reader runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import green_optuna as go
from green_optuna.candidates import read_candidates
from green_optuna.config import load_config
from green_optuna.units import format_co2e, format_count

EXAMPLES = Path(__file__).parents[1] / "examples"
DIGITS = EXAMPLES / "digits.py"


def run(*arguments: str, script: Path = DIGITS) -> subprocess.CompletedProcess[str]:
    """Run an example in the working folder."""
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent), "PYTHONIOENCODING": "utf-8"},
    )


@pytest.mark.slow
def test_the_digits_example_prints_what_its_study_holds(tmp_path: Path) -> None:
    """Its front, its selection, what it saves and what was spent are those of the storage."""
    import mlflow

    done = run("--n-trials", "5", "--storage", "sqlite:///few.db", "--study", "few")
    assert done.returncode == 0, done.stderr
    study = go.load_study("few", storage="sqlite:///few.db")
    assert len(study.trials) == 5
    front = go.pareto_front(study)
    rows = re.findall(r"^ +(\d+) +([\d.]+)%  (\S+ \S+) ", done.stdout, flags=re.MULTILINE)
    assert {(int(number), co2e) for number, _, co2e in rows} == {
        (trial.number, format_co2e(trial.values[1])) for trial in front.trials
    }
    chosen = front.select()
    assert str(chosen) in done.stdout
    assert f"cost {format_co2e(read_candidates(study).spent_co2e_kg)} of CO2e" in done.stdout
    assert chosen.measurement is not None
    said_how = f"Energy is {chosen.measurement.basis}" in done.stdout
    assert said_how == (chosen.measurement.basis != "measured")

    uri = done.stdout.partition("--backend-store-uri ")[2].partition(",")[0]
    assert Path(uri.removeprefix("sqlite:///")) == tmp_path / "mlflow.db"
    tracked = mlflow.MlflowClient(uri).get_run(str(chosen.mlflow_run_id))
    assert tracked.data.params["epochs"] == str(chosen.params["epochs"])


@pytest.mark.slow
def test_the_digits_configuration_is_the_digits_example() -> None:
    """`green-optuna run --config-name digits` does what the script does without options."""
    said = " ".join(run("--help").stdout.split())
    config = load_config(config_name="digits")
    assert f"trials to add [{config.study.n_trials}]" in said
    source = DIGITS.read_text(encoding="utf-8")
    assert f'default="{config.study.storage}"' in source
    assert f'"--study", default="{config.study_name}"' in source
    assert f"TPESampler(seed={config.study.seed})" in source
    assert config.study.sampler == "tpe"


@pytest.mark.slow
def test_the_inference_example_tells_parameters_from_what_running_takes() -> None:
    """The network with fewer parameters does more operations, and the choices are said."""
    done = run(script=EXAMPLES / "inference.py")
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(\w+(?: \w+)*) {2,}(\S+ k) +(\S+) M ", done.stdout, flags=re.MULTILINE)
    (recurrent, n_recurrent, flops_recurrent), (decoder, n_decoder, flops_decoder) = rows
    width = 64  # three embeddings, a cell of three gates, a layer of scores
    expected = (128 + 16 + 256) * width + 3 * (2 * width * width + 2 * width) + 256 * (width + 1)
    assert (recurrent, n_recurrent) == ("sample by sample", format_count(expected))
    assert decoder == "one pass"
    assert float(n_recurrent.split()[0]) < float(n_decoder.split()[0])
    assert float(flops_recurrent) > float(flops_decoder)
    assert "The number of parameters chooses 'sample by sample'. Measured, a note" in done.stdout
