"""The chosen model in MLflow's registry: with its card, under an alias, or why it is not."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
import torch
from elsewhere import ROWS, predict_elsewhere
from mlflow import MlflowClient
from servers import free_port
from torch import nn

import green_optuna as go
from green_optuna.cli import main

if TYPE_CHECKING:
    from servers import Server

STORAGE = "sqlite:///studies.db"
METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)


class Net(nn.Module):
    """A network of this file, which no other process can import."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give two numbers a row."""
        return torch.as_tensor(self.layers(x))


def make_study(uri: str | None, *, save_model: bool = True) -> tuple[optuna.Study, list[Net]]:
    """Run three trials, of which a wider network is better; give their networks too."""
    nets: list[Net] = []

    @go.green_objective(
        grid=go.Grid(country="FRA", carbon_intensity_g_per_kwh=100.0, source="the test", pue=1.5),
        meter=METER,
        trackers=[go.MLflowTracker(uri)] if uri else [],
        save_model=save_model,
    )
    def objective(trial: optuna.Trial) -> tuple[float, nn.Module]:
        width = trial.suggest_int("width", 1, 9)
        nets.append(Net(width))
        return width / 10, nets[-1]

    study = go.create_study("digits", storage=STORAGE)
    for width in (2, 8, 5):
        study.enqueue_trial({"width": width})
    study.optimize(objective, n_trials=3)
    return study, nets


def best_of(study: optuna.Study) -> go.Selection:
    """The trial of the widest network."""
    return go.pareto_front(study).select("best-quality")


@pytest.mark.slow
def test_the_chosen_model_is_loaded_by_its_alias_in_another_process(
    mlflow_uri: str, tmp_path: Path
) -> None:
    """`models:/name@alias` gives the model back, whose class is known nowhere else."""
    study, nets = make_study(mlflow_uri)
    made = go.register(best_of(study), "digits", alias="green", tracking_uri=mlflow_uri)
    assert (made.uri, made.version) == ("models:/digits@green", 1)
    assert str(made) == (
        "Registered as 'digits', version 1: mlflow.pytorch.load_model(\"models:/digits@green\")"
    )
    (found,) = predict_elsewhere(
        [("pytorch", made.uri)], tmp_path / "elsewhere", tracking_uri=mlflow_uri
    )
    with torch.no_grad():
        np.testing.assert_allclose(found, nets[1](torch.tensor(ROWS)), rtol=1e-6)


def test_the_version_has_the_card_in_tags_and_description(mlflow_uri: str) -> None:
    """What a person or a script asks of it in the registry is what was measured."""
    study, _ = make_study(mlflow_uri)
    selection = best_of(study)
    go.register(selection, "digits", alias="green", tracking_uri=mlflow_uri)
    client = MlflowClient(mlflow_uri)
    version = client.get_model_version_by_alias("digits", "green")
    tags = version.tags
    measurement = selection.measurement
    assert measurement is not None
    assert float(tags["green_optuna.energy_kwh"]) == measurement.energy_kwh
    assert float(tags["green_optuna.co2e_kg"]) == pytest.approx(
        measurement.energy_kwh * 100 / 1000 * 1.5
    )
    said = {
        "study": "digits",
        "trial": "1",
        "rule": "best-quality",
        "rule_description": selection.rule.describe(),
        "quality": "0.8",
        "n_params": str(4 * 8 + 8 + 8 * 2 + 2),
        "params": json.dumps({"width": 8}),
        "carbon_intensity_g_per_kwh": "100.0",
        "carbon_intensity_source": "the test",
        "pue": "1.5",
        "location": "FRA",
        "basis": "estimated",
        "mlflow_run": selection.mlflow_run_id,
        "version.torch": torch.__version__,
    }
    assert {name: tags[f"green_optuna.{name}"] for name in said} == said
    assert float(tags["green_optuna.search_co2e_kg"]) > float(tags["green_optuna.co2e_kg"])
    assert version.run_id == selection.mlflow_run_id
    assert "The whole search cost" in str(version.description)
    assert "Chosen from the Pareto front of the study digits" in str(version.description)


def test_to_register_the_same_model_again_makes_no_second_version(mlflow_uri: str) -> None:
    """A script that runs each night adds a version only where another model is chosen."""
    study, _ = make_study(mlflow_uri)
    first = go.register(best_of(study), "o'brien's", alias="green", tracking_uri=mlflow_uri)
    client = MlflowClient(mlflow_uri)
    client.set_model_version_tag("o'brien's", "1", "green_optuna.stale", "of another card")
    client.set_model_version_tag("o'brien's", "1", "team", "vision")
    again = go.register(best_of(study), "o'brien's", alias="best", tracking_uri=mlflow_uri)
    assert (first.version, again.version) == (1, 1)
    tags = client.get_model_version("o'brien's", "1").tags
    assert "green_optuna.stale" not in tags
    assert tags["team"] == "vision"
    small = go.pareto_front(study).select(go.MinCO2e(max_n_params=20))
    other = go.register(small, "o'brien's", alias="green", tracking_uri=mlflow_uri)
    assert other.version == 2
    aliases = client.get_registered_model("o'brien's").aliases
    assert {alias: int(version) for alias, version in aliases.items()} == {"green": 2, "best": 1}


def test_without_an_alias_the_version_names_the_model(mlflow_uri: str) -> None:
    """The URI is that of the version."""
    study, _ = make_study(mlflow_uri)
    made = go.register(best_of(study), "digits", tracking_uri=mlflow_uri)
    assert made.uri == "models:/digits/1"
    assert made.to_dict()["uri"] == made.uri


@pytest.mark.parametrize(
    ("name", "alias", "said"),
    [
        ("a/b", None, "MLflow takes no model named 'a/b'"),
        ("a:b", None, "MLflow takes no model named 'a:b'"),
        ("", "green", "MLflow takes no model named ''"),
        ("digits", "a b", "MLflow takes no alias 'a b'"),
        ("digits", "latest", "MLflow takes no alias 'latest'"),
        ("digits", "v2", "MLflow takes no alias 'v2'"),
        ("digits", "", "MLflow takes no alias ''"),
        ("m@green?x", "blue", "would name another model"),
        ("a?b", None, "would name another model"),
        ("a\tb", None, "would name another model"),
        (" digits", None, "would name another model"),
    ],
)
def test_names_that_mlflow_refuses_are_refused_before_anything_is_made(
    name: str, alias: str | None, said: str, mlflow_uri: str
) -> None:
    """Neither a model nor a version is left behind."""
    study, _ = make_study(mlflow_uri)
    with pytest.raises(go.OptionError, match=said):
        go.register(best_of(study), name, alias=alias, tracking_uri=mlflow_uri)
    assert len(MlflowClient(mlflow_uri).search_registered_models()) == 0


def test_a_trial_whose_model_was_not_saved_says_how_it_would_be(mlflow_uri: str) -> None:
    """The message has the lines that mend it."""
    study, _ = make_study(mlflow_uri, save_model=False)
    with pytest.raises(go.RegistryError) as raised:
        go.register(best_of(study), "digits", tracking_uri=mlflow_uri)
    said = str(raised.value)
    assert "Trial 1 of study 'digits' was not saved with its model" in said
    assert "green_objective(save_model=True)" in said
    assert "study.enqueue_trial({'width': 8})" in said


def test_a_step_is_not_registered_as_the_model_of_the_end(mlflow_uri: str) -> None:
    """What was saved with the run is another model; the step's card names the step."""

    @go.green_objective(
        country="FRA", meter=METER, trackers=[go.MLflowTracker(mlflow_uri)], save_model=True
    )
    def objective(trial: go.GreenTrial) -> tuple[float, Net]:
        model = Net(3)
        trial.watch(model)
        time.sleep(0.05)
        trial.report(0.9, 0, checkpoint="/models/0")
        time.sleep(0.05)
        return 0.5, model

    study = go.create_study()
    study.optimize(objective, n_trials=1)
    chosen = go.pareto_front(study, checkpoints=True).select()
    with pytest.raises(go.RegistryError, match=r"at step 0, .* is in '/models/0'"):
        go.register(chosen, "nets")
    assert chosen.card().tags()["green_optuna.trial"] == "0 step 0"


def test_what_was_emitted_is_not_told_of_another_grid(mlflow_uri: str) -> None:
    """A card is of the run, wherever it may be chosen for."""
    study, _ = make_study(mlflow_uri)
    chosen = go.pareto_front(study, grid=go.Grid(country="POL")).select()
    with pytest.raises(go.OptionError, match="where it did not run"):
        chosen.card()
    with pytest.raises(go.OptionError, match="without grid="):
        go.register(chosen, "nets")


def test_a_run_that_was_deleted_says_how_to_restore_it(mlflow_uri: str) -> None:
    """Restored, it is registered."""
    study, _ = make_study(mlflow_uri)
    selection = best_of(study)
    run_id = str(selection.mlflow_run_id)
    client = MlflowClient(mlflow_uri)
    client.delete_run(run_id)
    with pytest.raises(go.RegistryError, match=f"mlflow runs restore --run-id {run_id}"):
        go.register(selection, "digits", tracking_uri=mlflow_uri)
    client.restore_run(run_id)
    assert go.register(selection, "digits", tracking_uri=mlflow_uri).run_id == run_id


def test_a_model_that_was_deleted_is_said_to_be(mlflow_uri: str) -> None:
    """The run is there, and its model is not."""
    study, _ = make_study(mlflow_uri)
    selection = best_of(study)
    client = MlflowClient(mlflow_uri)
    outputs = client.get_run(str(selection.mlflow_run_id)).outputs
    assert outputs is not None
    client.delete_logged_model(outputs.model_outputs[0].model_id)
    with pytest.raises(go.RegistryError, match="has no model: it was deleted, or waits"):
        go.register(selection, "digits", tracking_uri=mlflow_uri)


def test_another_store_has_no_such_run(mlflow_uri: str, tmp_path: Path) -> None:
    """The message names the store, and how to name another."""
    empty = tmp_path / "empty.db"
    shutil.copyfile(mlflow_uri.removeprefix("sqlite:///"), empty)
    study, _ = make_study(mlflow_uri)
    with pytest.raises(go.RegistryError, match=r"empty\.db has no run .* --mlflow-uri"):
        go.register(best_of(study), "digits", tracking_uri=f"sqlite:///{empty}")


@pytest.mark.parametrize("uri", [None, "sqlite:///mistyped.db"])
def test_where_there_is_no_store_none_is_made(
    uri: str | None, mlflow_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command in the wrong folder, or with a wrong name, leaves no empty database there."""
    study, _ = make_study(mlflow_uri)
    selection = best_of(study)
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    monkeypatch.chdir(nowhere)
    with pytest.raises(go.RegistryError, match=r"There is no MLflow store sqlite:///.*nowhere"):
        go.register(selection, "digits", tracking_uri=uri)
    assert list(nowhere.iterdir()) == []


def test_a_store_that_mlflow_does_not_know_shows_no_password(mlflow_uri: str) -> None:
    """Its URI is in MLflow's own message."""
    study, _ = make_study(mlflow_uri)
    with pytest.raises(go.RegistryError) as refused:
        go.register(best_of(study), "nets", tracking_uri="foo://u:SECRETPW@h/?token=SECRET2")
    assert "SECRET" not in str(refused.value)


def test_a_server_that_is_away_shows_no_password(mlflow_uri: str) -> None:
    """The message names the server without its secrets."""
    study, _ = make_study(mlflow_uri)
    away = f"http://me:s3cret@127.0.0.1:{free_port()}"
    with pytest.raises(go.TrackerError) as raised:
        go.register(best_of(study), "digits", tracking_uri=away)
    assert "does not answer" in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.slow
def test_a_model_is_saved_and_registered_through_a_server(server: Server, tmp_path: Path) -> None:
    """Files go through the server, too."""
    study, nets = make_study(server.uri)
    made = go.register(best_of(study), "digits", alias="green", tracking_uri=server.uri)
    (found,) = predict_elsewhere(
        [("pytorch", made.uri)], tmp_path / "elsewhere", tracking_uri=server.uri
    )
    with torch.no_grad():
        np.testing.assert_allclose(found, nets[1](torch.tensor(ROWS)), rtol=1e-6)


def select(*arguments: str) -> int:
    """Run the command."""
    return main(["select", "digits", "--storage", STORAGE, *arguments])


def test_one_command_selects_registers_and_writes_the_card(
    mlflow_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a script reads is on standard output, and what was done on standard error."""
    make_study(mlflow_uri)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    code = select(
        *("--rule", "best-quality", "--format", "json", "--mlflow-uri", mlflow_uri),
        *("--register", "digits", "--alias", "green", "--card", "README.md"),
    )
    shown = capsys.readouterr()
    assert code == 0
    assert json.loads(shown.out)["trial"] == 1
    assert "Its card is in README.md." in shown.err
    assert 'mlflow.pytorch.load_model("models:/digits@green")' in shown.err
    assert Path("README.md").read_text().startswith("---\nco2_eq_emissions:\n  emissions: ")
    version = MlflowClient(mlflow_uri).get_model_version_by_alias("digits", "green").version
    assert int(version) == 1


def test_where_no_model_meets_the_caps_none_is_registered(
    mlflow_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 3, by which a script knows."""
    make_study(mlflow_uri)
    code = select(
        *("--rule", "min-co2e", "--max-quality-loss", "0.01", "--mlflow-uri", mlflow_uri),
        *("--register", "digits", "--card", "README.md"),
    )
    assert code == 3
    assert len(MlflowClient(mlflow_uri).search_registered_models()) == 0
    assert not Path("README.md").exists()
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--alias", "green"), 2, "--alias and --mlflow-uri go with --register"),
        (("--card", "card.txt"), 2, "its name must end in .md"),
        (("--card", "no/such/folder/card.md"), 2, "Cannot write the card"),
        (("--register", "a/b"), 2, "MLflow takes no model named 'a/b'"),
        (("--register", "digits"), 1, "was not saved with its model"),
    ],
)
def test_what_cannot_be_done_ends_with_an_error_in_one_line(
    arguments: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage is 2, and a model that is not there 1."""
    make_study(None, save_model=False)
    capsys.readouterr()
    assert select(*arguments) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert said in last
