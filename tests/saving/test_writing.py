"""A model is copied as it is, and written so that another process can load it."""

from __future__ import annotations

import functools
import importlib
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest
import torch
from elsewhere import ROWS, predict_elsewhere
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from green_optuna.errors import ModelError
from green_optuna.saving import SavedModel, Snapshot, write_model
from green_optuna.saving.writing import requirements

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("_own_imports")

SCALING = """
import torch

FACTOR = 3.0

def scaled(x: torch.Tensor) -> torch.Tensor:
    return x * FACTOR
"""

NETS = """
import torch
from torch import nn

import my_scaling

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return my_scaling.scaled(self.dropout(self.layer(x)))
"""

SCRIPT = """
import sys
from pathlib import Path

import torch
from torch import nn

from green_optuna.saving import Snapshot, write_model

HALF = 0.5

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        return HALF * self.layer(x)

torch.manual_seed(0)
net = Net()
write_model(Snapshot.of(net), Path(sys.argv[1]))
print(net(torch.tensor(eval(sys.argv[2]))).tolist())
"""


class Net(nn.Module):
    """A module of this file, which is no installed package."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give two numbers a row."""
        return torch.as_tensor(self.dropout(self.layer(x)))


class TwoInputs(nn.Module):
    """A module of two inputs."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Add them."""
        return x + 2 * y


class Branching(nn.Module):
    """A module whose graph hangs on its numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Do one thing or another."""
        return x + 1 if x.sum() > 0 else x - 1


def said_by(model: nn.Module) -> list[list[float]]:
    """What a module says of ROWS, in evaluation mode."""
    with torch.no_grad():
        said: list[list[float]] = model.eval()(torch.tensor(ROWS)).tolist()
    return said


def copied(model: object) -> nn.Module:
    """The copy that a snapshot makes."""
    snapshot = Snapshot.of(model)
    assert snapshot.error is None
    assert isinstance(snapshot.model, nn.Module)
    return snapshot.model


@pytest.mark.slow
def test_models_of_files_and_of_installed_packages_load_in_another_process(tmp_path: Path) -> None:
    """What is not installed travels with its code, files that it imports too; all predict alike."""
    (tmp_path / "my_scaling.py").write_text(SCALING)
    (tmp_path / "my_nets.py").write_text(NETS)
    sys.path.insert(0, str(tmp_path))
    own = importlib.import_module("my_nets").Net()
    rows, labels = np.array(ROWS, dtype=np.float32), np.array([0, 1, 1])
    logistic = make_pipeline(FunctionTransformer(lambda x: x * 2), LogisticRegression()).fit(
        rows, labels
    )
    forest = lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=1, verbose=-1)
    forest.fit(rows, labels)
    plain, graph = nn.Sequential(nn.Linear(4, 2), nn.ReLU()), Net()
    snapshots = {
        "own": Snapshot.of(own),
        "plain": Snapshot.of(plain),
        "graph": Snapshot.of(graph, inputs=torch.zeros(2, 4)),
        "logistic": Snapshot.of(logistic),
        "forest": Snapshot.of(forest),
    }
    saved = {name: write_model(one, tmp_path / name) for name, one in snapshots.items()}
    assert {name: (one.flavor, one.form) for name, one in saved.items()} == {
        "own": ("pytorch", "pickle"),
        "plain": ("pytorch", "pickle"),
        "graph": ("pytorch", "pt2"),
        "logistic": ("sklearn", "pickle"),
        "forest": ("lightgbm", "pickle"),
    }
    found = predict_elsewhere(
        [(str(one.flavor), str(one.folder)) for one in saved.values()], tmp_path / "elsewhere"
    )
    expected: list[Any] = [said_by(own), said_by(plain), said_by(graph)]
    expected += [logistic.predict(rows), forest.predict(rows)]
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.slow
def test_a_model_of_a_script_loads_in_another_process(tmp_path: Path) -> None:
    """A class that the script itself defines, in `__main__`, is stored with its code."""
    script, folder = tmp_path / "train.py", tmp_path / "model"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(folder), repr(ROWS)],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    (found,) = predict_elsewhere([("pytorch", str(folder))], tmp_path / "elsewhere")
    np.testing.assert_allclose(found, eval(done.stdout), rtol=1e-6)


def test_a_copy_keeps_the_state_that_training_goes_on_from() -> None:
    """What is trained after the copy changes only the model, which stays in its own mode."""
    model = Net().train()
    before = said_by(model)
    model.train()
    copy = copied(model)
    assert model.training
    assert not copy.training
    with torch.no_grad():
        model.layer.weight.add_(1.0)
    assert said_by(copy) == before
    assert said_by(model) != before


def test_layers_that_share_a_weight_share_it_in_the_copy() -> None:
    """A tie between layers is part of the model: it takes no second place in memory or on disk."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    copy = copied(model)
    assert isinstance(copy, nn.Sequential)
    assert copy[1].weight is copy[0].weight
    assert copy[0].weight is not model[0].weight
    assert copy[0].weight.requires_grad


def holding(net: Any) -> nn.Module:  # noqa: ANN401 - what torch.compile gives
    """A module that holds another."""
    return nn.Sequential(net)


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        functools.partial(torch.compile, backend="eager"),
        lambda net: torch.compile(nn.DataParallel(net), backend="eager"),
        lambda net: holding(torch.compile(net, backend="eager")),
    ],
    ids=["DataParallel", "compiled", "both", "compiled inside"],
)
def test_what_spreads_or_compiles_a_model_is_left_out(
    wrap: Callable[[nn.Module], nn.Module],
) -> None:
    """The copy is of the module inside, and says the same."""
    net = Net()
    copy = copied(wrap(net))
    kinds = {type(part).__name__ for part in copy.modules()}
    assert kinds <= {"Net", "Linear", "Dropout", "Sequential"}
    assert said_by(copy) == said_by(net)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")
def test_a_module_of_torchscript_is_refused() -> None:
    """It is no pickle; what it was made of is."""
    snapshot = Snapshot.of(torch.jit.script(nn.Linear(4, 2)))
    assert "pass the module that it was made of" in str(snapshot.error)


def test_a_method_of_a_module_stands_for_the_module() -> None:
    """What can be measured as `model.forward` can be saved as it."""
    net = Net()
    assert said_by(copied(functools.partial(net.forward))) == said_by(net)


def test_a_graph_takes_any_number_of_samples_and_several_inputs(tmp_path: Path) -> None:
    """What was traced on two samples is run on five; no class is stored."""
    import mlflow.pytorch

    inputs = (torch.zeros(2, 3), np.ones((2, 3), dtype=np.float32))
    saved = write_model(Snapshot.of(TwoInputs(), inputs=inputs), tmp_path / "model")
    assert saved.form == "pt2"
    loaded = mlflow.pytorch.load_model(str(tmp_path / "model"))
    x, y = torch.rand(5, 3), torch.rand(5, 3)
    torch.testing.assert_close(loaded(x, y), x + 2 * y)
    assert not [*(tmp_path / "model").rglob("*.pth")]


def test_what_a_model_requires_is_named_at_its_version(tmp_path: Path) -> None:
    """The packages that the pickle names are there, without a build's label, and pip takes it."""
    write_model(Snapshot.of(nn.Linear(4, 2)), tmp_path / "model")
    lines = (tmp_path / "model" / "requirements.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in lines} == {"mlflow", "cloudpickle", "torch"}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    (numpy,) = requirements((), ["numpy"])
    assert numpy == f"numpy=={np.__version__}"


def test_what_cloudpickle_was_told_is_as_before(tmp_path: Path) -> None:
    """The modules that are stored with their code are so for the model alone."""
    import cloudpickle

    before = cloudpickle.list_registry_pickle_by_value()
    write_model(Snapshot.of(Net()), tmp_path / "model")
    assert cloudpickle.list_registry_pickle_by_value() == before


def holding_a_lock() -> nn.Module:
    """A module that no pickle can hold."""
    net = Net()
    net.lock = threading.Lock()  # type: ignore[assignment]
    return net


class Locked(Net):
    """A module whose class refers to what no pickle can hold."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take the lock."""
        with LOCK:
            return super().forward(x)


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("make", "inputs", "said"),
    [
        (lambda: None, None, "There is no model to be saved: return it beside the quality"),
        (lambda: 12, None, "A model of type int cannot be saved: pass a torch.nn.Module"),
        (holding_a_lock, None, r"cannot pickle '_thread.lock' object"),
        (Locked, None, r"cannot be pickled \(TypeError: .*lock.*pass example inputs"),
        (lambda: nn.LazyLinear(3), None, "'weight' has no shape yet .* run one forward pass"),
        (Net, torch.zeros(1, 4), r"inputs= is \(1, 4\): give the tensors or arrays .* two samples"),
        (Net, (), "inputs= is nothing"),
        (Net, {"x": 3}, "inputs= is "),
        (
            Branching,
            torch.zeros(2, 4),
            "graph of the model could not be stored .*Leave inputs= out",
        ),
        (LogisticRegression, torch.zeros(2, 4), "inputs= is for torch modules, .* one of sklearn"),
    ],
)
def test_what_cannot_be_saved_says_why_and_what_to_do(
    make: Callable[[], object], inputs: object, said: str, tmp_path: Path
) -> None:
    """No half a model is left on disk."""
    folder = tmp_path / "model"
    with pytest.raises(ModelError, match=f"(?s){said}"):
        write_model(Snapshot.of(make(), inputs=inputs), folder)
    assert not folder.exists()


def test_what_is_kept_of_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    """All but its folder, which is this machine's."""
    saved = write_model(Snapshot.of(nn.Linear(4, 2)), tmp_path / "model")
    kept = SavedModel.from_dict(saved.to_dict())
    assert kept.folder is None
    assert SavedModel.from_dict(saved.to_dict(), folder=str(saved.folder)) == saved
    assert (kept.flavor, kept.error, kept.versions["torch"]) == ("pytorch", None, torch.__version__)
    failed = SavedModel(error="for a reason")
    assert SavedModel.from_dict(failed.to_dict()) == failed
