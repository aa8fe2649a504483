"""A call of a model is made as inference makes it, and leaves nothing behind."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from green_optuna.errors import ModelError, OptionError
from green_optuna.models import count_flops, peak_memory_bytes
from green_optuna.models.calls import Call


class Stateful(nn.Module):
    """A model that writes its buffers, replaces one and draws random numbers at each call."""

    seen: torch.Tensor
    last: torch.Tensor

    def __init__(self) -> None:
        """Make the buffers."""
        super().__init__()
        self.linear = nn.Linear(6, 5)
        self.dropout = nn.Dropout().eval()
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("last", torch.zeros(5))

    def forward(self, values: torch.Tensor, error: BaseException | None = None) -> torch.Tensor:
        """Count the call, then project with noise."""
        self.seen += 1
        self.last = torch.randn(5)
        found = self.linear(values) + self.last
        if error is not None:
            raise error
        return torch.Tensor(found)


Use = Callable[[object, object], object]


@pytest.mark.parametrize("use", [count_flops, peak_memory_bytes])
@pytest.mark.parametrize("error", [None, ValueError("no"), KeyboardInterrupt()])
def test_a_call_leaves_the_model_as_it_was(use: Use, error: BaseException | None) -> None:
    """Modes, buffers and switches are as before, whatever the call ends in."""
    model = Stateful().train()
    model.dropout.eval()  # one part is in evaluation mode, and is to stay so
    buffers = dict(model.named_buffers())
    inputs = {"values": torch.zeros(4, 6), "error": error}
    if error is None:
        use(model, inputs)
    else:
        with pytest.raises(ModelError if isinstance(error, Exception) else KeyboardInterrupt):
            use(model, inputs)
    assert (model.training, model.linear.training, model.dropout.training) == (True, True, False)
    after = dict(model.named_buffers())
    assert all(after[name] is buffer for name, buffer in buffers.items())
    assert (float(model.seen), float(model.last.abs().sum())) == (0, 0)
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled()


def test_no_thread_draws_a_random_number_twice() -> None:
    """What another thread draws while a model is evaluated is not given out once more."""
    call = Call.of(nn.Linear(2, 2), torch.zeros(1, 2))
    torch.manual_seed(1)
    expected = [float(torch.rand(())) for _ in range(3)]
    torch.manual_seed(1)
    drawn = [float(torch.rand(()))]
    with call.evaluating():
        thread = threading.Thread(target=lambda: drawn.append(float(torch.rand(()))))
        thread.start()
        thread.join()
    drawn.append(float(torch.rand(())))
    assert drawn == expected


def test_a_call_keeps_buffers_of_any_kind() -> None:
    """Sparse buffers, lazy ones and those of a scripted module are no obstacle."""
    graph = nn.Sequential(nn.Linear(3, 2))
    graph.register_buffer("edges", torch.eye(3).to_sparse())
    lazy = nn.LazyBatchNorm1d(affine=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript
        scripted = torch.jit.script(nn.BatchNorm1d(3))
    for model in (graph, scripted):
        count_flops(model, torch.zeros(2, 3))
    assert scripted.training
    with Call.of(lazy, torch.zeros(2, 3)).evaluating():
        assert not lazy.training
    assert lazy.training


@pytest.mark.parametrize("use", [count_flops, peak_memory_bytes])
def test_training_goes_on_after_a_call(use: Use) -> None:
    """A backward pass that waits for a model's buffers does not notice a call in between."""
    model, values = nn.Sequential(nn.BatchNorm1d(6).eval(), nn.Linear(6, 5)), torch.ones(4, 6)
    loss = model(values).sum()
    use(model, values)
    loss.backward()
    assert model[1].weight.grad is not None


def test_a_call_is_in_evaluation_mode_without_gradients() -> None:
    """What runs is inference: dropout is off, and nothing is kept for a backward pass."""
    seen: list[tuple[bool, bool]] = []

    class Watched(nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            seen.append((self.training, torch.is_grad_enabled()))
            return values + 1

    call = Call.of(Watched(), torch.zeros(2))
    with call.evaluating():
        call()
    assert seen == [(False, False)]


def test_other_threads_keep_torchs_fast_path() -> None:
    """While a transformer is counted in one thread, another's takes its fused path."""
    inside, done = threading.Event(), threading.Event()
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    values = torch.zeros(2, 10, 8)

    class Waiting(nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            inside.set()
            done.wait(20)
            return torch.Tensor(layer(values))

    thread = threading.Thread(target=count_flops, args=(Waiting(), values))
    thread.start()
    assert inside.wait(20)
    with torch.no_grad(), torch.profiler.profile() as profiler:
        layer(values)
    done.set()
    thread.join()
    names = {event.name for event in profiler.events() or ()}
    assert "aten::_transformer_encoder_layer_fwd" in names


@pytest.mark.parametrize(
    ("inputs", "args", "kwargs"),
    [
        (3, (3,), {}),
        ([3, 4], ([3, 4],), {}),
        ((3, 4), (3, 4), {}),
        ({"a": 3}, (), {"a": 3}),
    ],
)
def test_inputs_become_arguments(
    inputs: object, args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    """A tuple is several arguments, a mapping those by name, and all else is one."""
    call = Call.of(print, inputs, batch_size=1)
    assert (call.args, dict(call.kwargs)) == (args, kwargs)


def test_the_module_behind_a_call_is_found() -> None:
    """A method and a partial application are of the module whose mode they run in."""
    model = nn.Sequential()  # empty, which is false in Python and a module all the same
    for one in (model, model.forward, functools.partial(model.forward), functools.partial(model)):
        assert Call.of(one, torch.zeros(2)).module is model
    assert Call.of(len, torch.zeros(2)).module is None


@pytest.mark.parametrize(
    ("inputs", "size"),
    [
        (torch.zeros(4, 6), 4),
        ((torch.tensor(1.0), torch.zeros(3, 2)), 3),
        ({"mask": None, "values": np.zeros((5, 2))}, 5),
        (nn.utils.rnn.pack_padded_sequence(torch.zeros(4, 2, 6), torch.tensor([4, 1])), 2),
    ],
)
def test_the_batch_size_is_that_of_the_first_input_with_one(inputs: object, size: int) -> None:
    """Numbers and nothings are passed over; arrays count as tensors do."""
    assert Call.of(print, inputs).batch_size == size
    assert Call.of(print, inputs, batch_size=7).batch_size == 7


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "2"])
def test_a_batch_size_that_is_none_is_refused(size: object) -> None:
    """The error shows what was given."""
    with pytest.raises(OptionError, match=rf"batch_size is {size!r}: give a whole number"):
        Call.of(print, torch.zeros(2), batch_size=size)  # type: ignore[arg-type]


def test_inputs_go_to_the_models_device() -> None:
    """Tensors, also those in lists and dicts, are copied to where the parameters are."""
    inputs = ([torch.zeros(2)], {"a": (torch.zeros(2), 3)}, torch.zeros(2))
    call = Call.of(nn.Linear(2, 2, device="meta"), inputs, batch_size=1)
    first, second, third = call.args
    assert {first[0].device.type, second["a"][0].device.type, third.device.type} == {"meta"}
    assert second["a"][1] == 3
    assert call.device == torch.device("meta")
    assert inputs[2].device.type == "cpu"


def test_a_function_runs_where_its_inputs_are() -> None:
    """Without a module the first tensor tells the device, and without one nothing does."""
    assert Call.of(len, torch.zeros(2, device="meta")).device == torch.device("meta")
    assert Call.of(len, [1], batch_size=1).device is None


def test_a_model_that_cannot_run_is_named_with_its_inputs() -> None:
    """The error has the model, the shapes and the first of what was said."""
    call = Call.of(nn.Linear(6, 5), {"input": torch.zeros(4, 7)})
    with pytest.raises(ModelError, match=r"Linear cannot run .*input=Tensor of shape \(4, 7\)"):
        call.attempt()


class Merging(nn.Linear):
    """A layer that merges its adapter into its weight for evaluation, as LoRA's do."""

    merged = False

    def train(self, mode: bool = True) -> Merging:
        """Merge before evaluation, and take apart before training."""
        super().train(mode)
        if mode is self.merged:
            with torch.no_grad():
                self.weight += -1.0 if mode else 1.0
            self.merged = not mode
        return self


@pytest.mark.parametrize("training", [True, False])
def test_what_a_layer_does_for_evaluation_is_undone(training: bool) -> None:
    """Modes are restored as they are set, so that each layer does what it does on the way back."""
    inner, outer = Merging(3, 3), nn.Sequential(Merging(3, 3))
    model = nn.Sequential(inner, outer).train(training)
    inner.eval()  # one part is in evaluation mode, and is to stay so
    weights = [parameter.clone() for parameter in model.parameters()]
    count_flops(model, torch.zeros(1, 3))
    assert all(map(torch.allclose, model.parameters(), weights))
    assert (model.training, inner.training, outer[0].training) == (training, False, training)
    assert inner.merged


def test_inputs_without_memory_for_a_model_with_some_are_refused() -> None:
    """There is nothing in them to compute with; the message names where the model is."""
    with pytest.raises(ModelError, match="cannot be copied to cpu"):
        count_flops(nn.Linear(4, 5), torch.zeros(3, 4, device="meta"))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [(torch.zeros(0, 4), "the first input has no sample"), ((3, "x"), "no input has a first")],
)
def test_a_batch_size_that_cannot_be_told_says_why(inputs: object, said: str) -> None:
    """Of no samples, or of no tensor."""
    with pytest.raises(OptionError, match=said):
        Call.of(nn.Linear(4, 5), inputs)


def test_the_batch_size_is_told_of_tensors_inside_lists_and_dicts() -> None:
    """Wherever the first one is."""
    for inputs in ([torch.zeros(5, 4)], {"x": {"y": [torch.zeros(5, 4)]}}, (3, (torch.zeros(5),))):
        assert Call.of(lambda *_, **__: None, inputs).batch_size == 5


def test_a_buffer_that_holds_nan_is_not_written_again() -> None:
    """Though NaN equals nothing, it is what it was."""
    model = nn.Linear(2, 2)
    model.register_buffer("missing", torch.full((2,), float("nan")))
    version = model.missing._version
    count_flops(model, torch.zeros(1, 2))
    assert model.missing._version == version
