"""A model has as many parameters as its layers' formulas say."""

import subprocess
import sys
import warnings
from dataclasses import FrozenInstanceError

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from green_optuna.errors import ModelError
from green_optuna.models import ParameterCount, count_parameters

SIZES = st.integers(min_value=1, max_value=24)


class TiedLanguageModel(nn.Module):
    """An embedding whose weight is that of the output layer as well."""

    def __init__(self, vocabulary: int, width: int) -> None:
        """Tie the two."""
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.embedding.weight


class Impostor:
    """An object that has parameters(), but is no torch module."""

    def parameters(self) -> list[torch.Tensor]:
        """Return something that could be counted by mistake."""
        return [torch.zeros(3)]


@given(inputs=SIZES, outputs=SIZES, bias=st.booleans())
def test_a_linear_layer(inputs: int, outputs: int, bias: bool) -> None:
    """A linear layer has inputs x outputs weights, and one bias an output."""
    expected = inputs * outputs + (outputs if bias else 0)
    count = count_parameters(nn.Linear(inputs, outputs, bias=bias))
    assert count == ParameterCount(total=expected, trainable=expected)


@given(groups=st.integers(1, 4), inputs=st.integers(1, 4), outputs=st.integers(1, 4), size=SIZES)
def test_a_convolution(groups: int, inputs: int, outputs: int, size: int) -> None:
    """A grouped convolution has outputs x inputs / groups x kernel weights, and its biases."""
    layer = nn.Conv2d(groups * inputs, groups * outputs, kernel_size=(size, 3), groups=groups)
    assert count_parameters(layer).total == groups * outputs * (inputs * size * 3 + 1)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_lstm(bidirectional: bool) -> None:
    """Each LSTM layer and direction has 4 (h i + h h + 2 h) parameters."""
    inputs, hidden, directions = 5, 7, 2 if bidirectional else 1
    first = 4 * (hidden * inputs + hidden * hidden + 2 * hidden)
    second = 4 * (hidden * hidden * directions + hidden * hidden + 2 * hidden)
    layer = nn.LSTM(inputs, hidden, num_layers=2, bidirectional=bidirectional)
    assert count_parameters(layer).total == directions * (first + second)


def test_shared_parameters_count_once() -> None:
    """An output layer tied to the embedding adds nothing."""
    assert count_parameters(TiedLanguageModel(vocabulary=11, width=4)).total == 11 * 4


def test_a_layer_used_twice_counts_once() -> None:
    """The same layer at two places in a model is one layer."""
    layer = nn.Linear(3, 3)
    assert count_parameters(nn.Sequential(layer, nn.ReLU(), layer)).total == 3 * 3 + 3


def test_frozen_layers_are_not_trainable() -> None:
    """Frozen parameters are in the total and not among the trainable ones."""
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    model[0].requires_grad_(False)
    assert count_parameters(model) == ParameterCount(total=40 + 18, trainable=18)


def test_buffers_are_not_parameters() -> None:
    """Batch normalisation has a scale and a shift; its running statistics are buffers."""
    assert count_parameters(nn.BatchNorm1d(6)).total == 2 * 6


def test_a_model_without_parameters_has_none() -> None:
    """Zero is a count like any other."""
    assert count_parameters(nn.Flatten()) == ParameterCount(total=0, trainable=0)


def test_a_wrapped_model_counts_as_the_model() -> None:
    """DataParallel adds no parameters."""
    model = nn.Linear(3, 2)
    assert count_parameters(nn.DataParallel(model)) == count_parameters(model)


def test_a_model_on_the_meta_device_counts_by_shape() -> None:
    """Parameters count without memory behind them."""
    assert count_parameters(nn.Linear(10_000, 10_000, device="meta")).total == 10_000 * 10_001


def test_a_quantised_parameter_counts_by_element() -> None:
    """Eight bits an element or thirty-two: an element is a parameter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its own quantisation
        quantised = torch.quantize_per_tensor(torch.zeros(5, 3), 0.1, 0, torch.qint8)
    module = nn.Module()
    module.weight = nn.Parameter(quantised, requires_grad=False)
    assert count_parameters(module) == ParameterCount(total=15, trainable=0)


def test_a_lazy_layer_has_no_parameters_to_count_before_its_first_pass() -> None:
    """A lazy layer is named in the error, and counts once it has seen an input."""
    model = nn.Sequential(nn.LazyLinear(4))
    with pytest.raises(ModelError, match=r"'0\.weight' of Sequential .*one forward pass"):
        count_parameters(model)
    model(torch.zeros(1, 3))
    assert count_parameters(model).total == 3 * 4 + 4


def test_counting_changes_nothing() -> None:
    """A model's parameters are the same after they have been counted."""
    model = nn.Linear(2, 2).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count_parameters(model)
    assert not model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_number_is_no_model() -> None:
    """A count that is known already is to be used as it is."""
    with pytest.raises(ModelError, match="1234 is a number of parameters already: use it"):
        count_parameters(1234)


@pytest.mark.parametrize("model", [None, True, 3.5, "net", Impostor(), torch.zeros(3)])
def test_what_is_no_torch_module_is_refused(model: object) -> None:
    """The error names the type and each way to tell the number of parameters."""
    with pytest.raises(ModelError, match=type(model).__name__) as caught:
        count_parameters(model)
    for remedy in ("torch.nn.Module", "an int", "trial.watch(model)", "n_params="):
        assert remedy in str(caught.value)


def test_a_class_is_no_model() -> None:
    """A class passed where its instance was meant is told apart."""
    with pytest.raises(ModelError, match="the class Linear itself; pass an instance"):
        count_parameters(nn.Linear)


def test_a_count_is_frozen() -> None:
    """A count is a result, which nobody changes."""
    count = count_parameters(nn.Linear(2, 2))
    with pytest.raises(FrozenInstanceError):
        count.total = 0  # type: ignore[misc]


def test_counting_does_not_import_torch() -> None:
    """Where torch was never imported nothing is a module, and it is not imported to find out."""
    script = (
        "import sys\n"
        "from green_optuna.errors import ModelError\n"
        "from green_optuna.models import count_parameters\n"
        "try:\n    count_parameters(object())\n"
        "except ModelError:\n    print('torch' in sys.modules)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
