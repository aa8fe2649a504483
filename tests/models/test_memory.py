"""Tensors hold at most what their sizes and the order of a model's operations say."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.profiler import ProfilerActivity, profile

from green_optuna.errors import ModelError
from green_optuna.models import peak_memory_bytes

FLOAT = 4  # bytes
WIDTHS = st.lists(st.integers(1, 40), min_size=2, max_size=6)


def size_of(model: nn.Module) -> int:
    """The bytes of a model's parameters and buffers."""
    return sum(one.nbytes for one in (*model.parameters(), *model.buffers()))


def chain(widths: list[int]) -> nn.Sequential:
    """Linear layers, one after the other."""
    return nn.Sequential(*(nn.Linear(*pair) for pair in pairwise(widths)))


@settings(max_examples=50)
@given(batch=st.integers(1, 9), widths=WIDTHS, training=st.booleans())
def test_a_chain_of_layers(batch: int, widths: list[int], training: bool) -> None:
    """A layer's output and the next one's live together, besides the parameters and the input."""
    model = chain(widths).train(training)
    values = torch.zeros(batch, widths[0])
    made = widths[1:]
    most = max((one + two for one, two in pairwise(made)), default=made[0])
    expected = size_of(model) + values.nbytes + FLOAT * batch * most
    assert peak_memory_bytes(model, values) == expected
    assert peak_memory_bytes(model, values) == expected


@pytest.mark.parametrize(("inplace", "copies"), [(False, 2), (True, 1)])
def test_what_works_in_place_takes_nothing_more(inplace: bool, copies: int) -> None:
    """An activation in place of its input needs no second tensor."""
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(inplace=inplace))
    values = torch.zeros(3, 5)
    expected = size_of(model) + values.nbytes + FLOAT * copies * 3 * 7
    assert peak_memory_bytes(model, values) == expected


class Dense(nn.Module):
    """Layers each of which takes the concatenation of all that came before it."""

    def __init__(self, width: int, growth: int, layers: int) -> None:
        """Make layers that grow the width by as much each."""
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width + n * growth, growth) for n in range(layers))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Keep each layer's output to the end."""
        kept = [values]
        for layer in self.layers:
            kept.append(layer(torch.cat(kept, dim=1)))
        return torch.cat(kept, dim=1)


@settings(max_examples=25)
@given(width=st.integers(1, 9), growth=st.integers(1, 9), layers=st.integers(1, 5))
def test_a_model_that_keeps_all_it_made(width: int, growth: int, layers: int) -> None:
    """At the end all the layers' outputs live beside their concatenation."""
    model, values = Dense(width, growth, layers), torch.zeros(3, width)
    kept = layers * growth + (width + layers * growth)
    expected = size_of(model) + values.nbytes + FLOAT * 3 * kept
    assert peak_memory_bytes(model, values) == expected


def test_an_embedding() -> None:
    """The table, the numbers that are looked up, and the rows found."""
    layer, numbers = nn.Embedding(11, 5), torch.zeros(7, dtype=torch.int64)
    assert peak_memory_bytes(layer, numbers) == FLOAT * 11 * 5 + 8 * 7 + FLOAT * 7 * 5


def test_buffers_count() -> None:
    """Running statistics are held as parameters are."""
    model, values = nn.BatchNorm1d(6), torch.zeros(3, 6)
    buffers = FLOAT * 2 * 6 + 8
    assert peak_memory_bytes(model, values) == FLOAT * 2 * 6 + buffers + 2 * values.nbytes


def test_a_shared_storage_counts_once() -> None:
    """Tied weights, views of an input and an input that is expanded are held once."""
    embedding, head = nn.Embedding(11, 5), nn.Linear(5, 11, bias=False)
    head.weight = embedding.weight
    numbers = torch.zeros(7, dtype=torch.int64)
    expected = FLOAT * 11 * 5 + numbers.nbytes + FLOAT * 7 * (5 + 11)
    assert peak_memory_bytes(nn.Sequential(embedding, head), numbers) == expected

    row, layer = torch.zeros(1, 6), nn.Linear(6, 5)
    expected = size_of(layer) + row.nbytes + FLOAT * 100 * 5
    assert peak_memory_bytes(layer, row.expand(100, 6)) == expected


def test_views_hold_nothing_of_their_own() -> None:
    """Another shape of the same values takes no memory."""
    values = torch.zeros(3, 4, 5)
    assert peak_memory_bytes(nn.Sequential(nn.Flatten(), nn.Unflatten(1, (5, 4))), values) == 240


class Unregistered(nn.Module):
    """A layer whose matrix is an ordinary attribute, and that keeps a mask that it once made."""

    def __init__(self) -> None:
        """Make the matrix."""
        super().__init__()
        self.matrix = torch.zeros(6, 5)
        self.mask: torch.Tensor | None = None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply, and mask in place."""
        if self.mask is None:
            self.mask = torch.ones(5)
        return (values @ self.matrix).mul_(self.mask)


def test_tensors_that_a_model_keeps_count_registered_or_not() -> None:
    """What it uses and keeps is held all the while, and is the same at each call."""
    model, values = Unregistered(), torch.zeros(3, 6)
    expected = FLOAT * (6 * 5 + 5) + values.nbytes + FLOAT * 3 * 5
    assert [peak_memory_bytes(model, values) for _ in range(3)] == [expected] * 3


def test_a_function_holds_the_weights_that_it_uses() -> None:
    """Of a function that calls a module, the module's weights are seen where they are used."""
    layer, values = nn.Linear(6, 5), torch.zeros(3, 6)

    def forward(values: torch.Tensor) -> object:
        return layer(values)

    expected = size_of(layer) + values.nbytes + FLOAT * 3 * 5
    assert peak_memory_bytes(forward, values) == peak_memory_bytes(layer, values) == expected
    assert peak_memory_bytes(layer.forward, values) == expected


def test_sequences_of_several_lengths_hold_what_they_are_made_of() -> None:
    """A jagged tensor is its rows and where each sequence begins and ends, without padding."""
    rows = [torch.zeros(2, 6), torch.zeros(1, 6)]
    values = torch.nested.nested_tensor(rows, layout=torch.jagged)
    layer = nn.Linear(6, 5)
    expected = size_of(layer) + FLOAT * 3 * 6 + 8 * 3 + FLOAT * 3 * 5
    assert peak_memory_bytes(layer, values) == expected


@pytest.mark.parametrize("form", ["scripted", "frozen", "compiled"])
def test_other_forms_of_a_module(form: str) -> None:
    """Scripted, frozen and compiled modules hold as much as the module does."""
    model, values = chain([6, 5, 4]).eval(), torch.zeros(3, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript
        forms: dict[str, Callable[[], Callable[..., object]]] = {
            "scripted": lambda: torch.jit.script(model),
            "frozen": lambda: torch.jit.freeze(torch.jit.script(model)),
            "compiled": lambda: torch.compile(model, backend="eager"),
        }
        other = forms[form]()
        other(values)
        assert peak_memory_bytes(other, values) == peak_memory_bytes(model, values)


def test_precision_counts_by_its_bytes() -> None:
    """Half the precision takes half the memory."""
    model = chain([6, 5, 4])
    full = peak_memory_bytes(model, torch.zeros(3, 6))
    half = peak_memory_bytes(model.to(torch.bfloat16), torch.zeros(3, 6, dtype=torch.bfloat16))
    assert full == 2 * half


def test_a_model_without_memory_behind_it() -> None:
    """On the meta device the sizes are what the model would take."""
    model, values = chain([6, 5, 4]), torch.zeros(3, 6)
    expected = peak_memory_bytes(model, values)
    assert peak_memory_bytes(model.to("meta"), values.to("meta")) == expected


def test_what_runs_beside_it_does_not_count() -> None:
    """Threads that allocate, and that measure, change nothing."""
    model, values = chain([20, 30, 40]), torch.zeros(3, 20)
    expected = peak_memory_bytes(model, values)
    done = threading.Event()
    found: list[int] = []

    def allocate() -> None:
        while not done.is_set():
            torch.zeros(100_000)

    def measure() -> None:
        found.extend(peak_memory_bytes(model, values) for _ in range(5))

    busy = threading.Thread(target=allocate)
    threads = [threading.Thread(target=measure) for _ in range(3)]
    busy.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    busy.join()
    assert found == [expected] * 15


def allocated_bytes(model: nn.Module, values: torch.Tensor) -> int:
    """What torch's allocator had given out at most during a call, by its own events."""
    with torch.no_grad():
        model(values)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            model(values)
    results = profiler.profiler.kineto_results.events()
    events = sorted(
        (event.start_ns(), event.nbytes()) for event in results if event.name() == "[memory]"
    )
    live = peak = 0
    for _, size in events:
        live += size
        peak = max(peak, live)
    return peak


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (chain([20, 30, 40, 10]), (7, 20)),
        (Dense(20, 10, 4), (7, 20)),
        (nn.GRU(6, 5, num_layers=2, bidirectional=True), (4, 7, 6)),
        (nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 24), nn.GELU(), nn.Linear(24, 6)), (9, 6)),
    ],
    ids=["chain", "dense", "gru", "transformer's wide layers"],
)
def test_the_allocator_saw_as_much(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Beyond parameters and input, torch's allocator gave out what the operations held.

    That is so of operators that want no scratch space of their own, which convolutions do.
    """
    values = torch.zeros(shape)
    made = peak_memory_bytes(model, values) - size_of(model) - values.nbytes
    assert made == allocated_bytes(model.eval(), values)


def test_what_runs_nothing_of_torch_is_refused() -> None:
    """A function that never comes to torch would seem to need nothing."""
    with pytest.raises(ModelError, match="sum ran no operation of torch"):
        peak_memory_bytes(sum, ([1, 2],))


def test_tensors_without_a_storage_are_refused() -> None:
    """Where the memory cannot be told it is not left out."""
    layer, values = nn.Linear(4, 3, bias=False), torch.eye(4).to_sparse()
    with pytest.raises(ModelError, match=r"layout torch\.sparse_coo cannot be told"):
        peak_memory_bytes(layer, values)


def test_a_lazy_layer_is_refused() -> None:
    """A layer without a shape has no size yet."""
    model = nn.Sequential(nn.LazyLinear(4))
    with pytest.raises(ModelError, match="one forward pass"):
        peak_memory_bytes(model, torch.zeros(1, 3))
