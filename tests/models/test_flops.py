"""A model has as many floating-point operations as its layers' formulas say."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from math import prod

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, flop_registry, register_flop_formula

from green_optuna.errors import ModelError, OptionError
from green_optuna.models import FlopCount, count_flops

SIZES = st.integers(1, 12)
Recurrent = nn.LSTM | nn.GRU | nn.RNN


def total(model: object, *inputs: object) -> int:
    """The operations of a model in all, with nothing uncounted."""
    count = count_flops(model, inputs, batch_size=1)
    assert count.uncounted == {}
    return count.total


@given(batch=SIZES, rows=SIZES, inputs=SIZES, outputs=SIZES, bias=st.booleans())
def test_a_linear_layer(batch: int, rows: int, inputs: int, outputs: int, bias: bool) -> None:
    """Each row takes a multiplication and an addition for each weight, and the bias nothing."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    count = count_flops(layer, torch.zeros(batch, rows, inputs))
    assert count.total == 2 * batch * rows * inputs * outputs
    assert count.batch_size == batch
    assert count.per_sample == 2 * rows * inputs * outputs


@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_layer_on_one_vector(bias: bool) -> None:
    """A vector without a batch is one row."""
    assert total(nn.Linear(6, 5, bias=bias), torch.zeros(6)) == 2 * 6 * 5


@settings(max_examples=40)
@given(
    dimensions=st.integers(1, 3),
    groups=st.integers(1, 3),
    kernel=st.integers(1, 3),
    steps=st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)),
)
def test_a_convolution(
    dimensions: int, groups: int, kernel: int, steps: tuple[int, int, int]
) -> None:
    """Each output takes the kernel once for each channel of its group, whatever the stride."""
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
    stride, padding, dilation = steps
    layer = kind(2 * groups, 3 * groups, kernel, stride, padding, dilation, groups)
    values = torch.zeros(2, 2 * groups, *(7 + one for one in range(dimensions)))
    outputs = layer(values).numel()
    assert total(layer, values) == 2 * outputs * 2 * kernel**dimensions


@settings(max_examples=40)
@given(
    dimensions=st.integers(1, 3),
    groups=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
)
def test_a_transposed_convolution(dimensions: int, groups: int, kernel: int, stride: int) -> None:
    """Each input spreads the kernel once for each output channel of its group."""
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[dimensions - 1]
    layer = kind(2 * groups, 3 * groups, kernel, stride, groups=groups)
    values = torch.zeros(2, 2 * groups, *(4 + one for one in range(dimensions)))
    assert total(layer, values) == 2 * values.numel() * 3 * kernel**dimensions


GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}


def one_dnn(enabled: bool) -> AbstractContextManager[None]:
    """Torch with oneDNN or without; no more is set, since a flag for other machines warns."""
    return torch.backends.mkldnn.flags(enabled=enabled, allow_tf32=None)


@pytest.fixture(params=[True, False], ids=["mkldnn", "native"])
def _both_backends(request: pytest.FixtureRequest) -> Iterator[None]:
    """With oneDNN, where torch runs an LSTM as one operator a layer, and without."""
    with one_dnn(request.param):
        yield


@pytest.mark.usefixtures("_both_backends")
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", GATES)
def test_a_recurrent_layer(kind: type[Recurrent], batch_first: bool, bidirectional: bool) -> None:
    """Each step takes each gate's matrices, of the input and of the hidden state."""
    layer = kind(6, 5, num_layers=2, batch_first=batch_first, bidirectional=bidirectional)
    directions = 1 + bidirectional
    first, second = 5 * (6 + 5), 5 * (directions * 5 + 5)
    expected = 2 * GATES[kind] * (4 * 7) * directions * (first + second)
    assert total(layer, torch.zeros(4, 7, 6)) == expected


@pytest.mark.usefixtures("_both_backends")
@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_lstm_with_projections(bidirectional: bool) -> None:
    """The hidden state is projected once a step, and is then as wide as the projection."""
    layer = nn.LSTM(6, 5, num_layers=2, proj_size=3, bidirectional=bidirectional)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # once, torch warns that oneDNN cannot project
        layer(torch.zeros(4, 7, 6))
    directions = 1 + bidirectional
    first, second = 4 * 5 * (6 + 3) + 5 * 3, 4 * 5 * (directions * 3 + 3) + 5 * 3
    assert total(layer, torch.zeros(4, 7, 6)) == 2 * (4 * 7) * directions * (first + second)


@pytest.mark.usefixtures("_both_backends")
@pytest.mark.parametrize("kind", GATES)
def test_packed_sequences_count_their_own_steps(kind: type[Recurrent]) -> None:
    """Sequences of lengths 4, 2 and 1 take seven steps, not three times four."""
    packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(4, 3, 6), torch.tensor([4, 2, 1]))
    expected = 2 * GATES[kind] * 7 * 5 * (6 + 5)
    count = count_flops(kind(6, 5), packed)
    assert (count.total, count.batch_size) == (expected, 3)


class Unrolled(nn.Module):
    """A recurrent layer as a loop over its cell."""

    def __init__(self, cell: nn.LSTMCell | nn.GRUCell | nn.RNNCell) -> None:
        """Take the cell."""
        super().__init__()
        self.cell = cell

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """Go through the steps."""
        state = None
        for step in steps:
            state = self.cell(step, state)
        return torch.Tensor(state[0] if isinstance(state, tuple) else state)


CELLS = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell, nn.RNN: nn.RNNCell}


@settings(max_examples=30)
@given(
    kind=st.sampled_from(list(CELLS)),
    shape=st.tuples(st.integers(1, 6), SIZES, SIZES),
    hidden=SIZES,
    enabled=st.booleans(),
)
def test_a_recurrent_layer_counts_as_a_loop_over_its_cell(
    kind: type[Recurrent], shape: tuple[int, int, int], hidden: int, enabled: bool
) -> None:
    """The fused operator and the unrolled loop are two ways to one number."""
    values, inputs = torch.zeros(shape), shape[2]
    loop = Unrolled(CELLS[kind](inputs, hidden))
    with one_dnn(enabled):
        assert total(kind(inputs, hidden), values) == total(loop, values)


@pytest.mark.parametrize("packed", [False, True])
def test_the_recurrent_operator_of_a_gpu(packed: bool) -> None:
    """The operator that CUDA runs for all layers counts as the layers do on a CPU."""
    layer = nn.LSTM(6, 5, num_layers=2, proj_size=3, bidirectional=True, device="meta")
    weights = list(layer.parameters())
    rows = (11,) if packed else (4, 7)
    steps = torch.zeros(*rows, 6, device="meta")
    hidden, cell = torch.zeros(4, 7, 3, device="meta"), torch.zeros(4, 7, 5, device="meta")
    sizes = [7, 4] if packed else []

    def forward() -> object:
        return torch.ops.aten._cudnn_rnn(
            steps, weights, 5, None, hidden, cell, 2, 5, 3, 2, False, 0.0, False, True, sizes, None
        )

    per_row = sum(one.numel() for one in weights if one.dim() == 2)
    count = count_flops(forward, (), batch_size=7)
    assert count.by_operation == {"aten._cudnn_rnn": 2 * prod(rows) * per_row}


def attention_flops(batch: int, heads: int, queries: int, keys: int, width: int) -> int:
    """The scores of all queries with all keys, and the means of the values with them."""
    return 2 * batch * heads * queries * keys * (width + width)


@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION])
@pytest.mark.parametrize("causal", [False, True])
def test_attention(backend: SDPBackend, causal: bool) -> None:
    """Each backend counts the full matrix of scores, half of which a causal mask leaves idle."""
    query, key = torch.zeros(2, 3, 10, 8), torch.zeros(2, 3, 12, 8)

    def attend() -> torch.Tensor:
        return F.scaled_dot_product_attention(query, key, key, is_causal=causal)

    with sdpa_kernel(backend):
        assert total(attend) == attention_flops(2, 3, 10, 12, 8)


def test_attention_with_shared_keys() -> None:
    """Heads that share keys and values compute as much as heads that do not."""
    query, key = torch.zeros(2, 6, 10, 8), torch.zeros(2, 3, 10, 8)

    def attend() -> torch.Tensor:
        return F.scaled_dot_product_attention(query, key, key, enable_gqa=True)

    assert total(attend) == attention_flops(2, 6, 10, 10, 8)


@pytest.mark.parametrize("need_weights", [False, True])
def test_multi_head_attention_in_evaluation_mode(need_weights: bool) -> None:
    """Four projections and the attention; no fused fast path hides them."""
    layer = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    values = torch.zeros(3, 10, 8)
    inputs = {"query": values, "key": values, "value": values, "need_weights": need_weights}
    expected = 4 * (2 * 3 * 10 * 8 * 8) + attention_flops(3, 2, 10, 10, 4)
    count = count_flops(layer, inputs)
    assert (count.total, count.uncounted) == (expected, {})


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_a_transformer(padded: bool, training: bool) -> None:
    """Projections, attention and the two wide layers, in either mode, padding included."""
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    model = nn.TransformerEncoder(layer, num_layers=3).train(training)
    mask = torch.tensor([[False] * 10, [False] * 4 + [True] * 6])
    inputs = {"src": torch.zeros(2, 10, 8), "src_key_padding_mask": mask if padded else None}
    projections, wide = 4 * (2 * 2 * 10 * 8 * 8), 2 * (2 * 2 * 10 * 8 * 16)
    expected = 3 * (projections + wide + attention_flops(2, 2, 10, 10, 4))
    count = count_flops(model, inputs)
    assert (count.total, count.uncounted) == (expected, {})
    assert torch.backends.mha.get_fastpath_enabled()
    assert {one.training for one in model.modules()} == {training}


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (lambda: torch.ones(3, 4) @ torch.ones(4, 5), 2 * 3 * 4 * 5),
        (lambda: torch.ones(3, 4) @ torch.ones(4), 2 * 3 * 4),
        (lambda: torch.ones(4) @ torch.ones(4, 5), 2 * 4 * 5),
        (lambda: torch.ones(4) @ torch.ones(4), 2 * 4),
        (lambda: torch.addmv(torch.ones(3), torch.ones(3, 4), torch.ones(4)), 2 * 3 * 4),
        (lambda: torch.addr(torch.ones(3, 4), torch.ones(3), torch.ones(4)), 2 * 3 * 4),
        (
            lambda: torch.addbmm(torch.ones(3, 5), torch.ones(2, 3, 4), torch.ones(2, 4, 5)),
            2 * 2 * 3 * 4 * 5,
        ),
        (lambda: torch.ones(6, 1, 3, 4) @ torch.ones(2, 4, 5), 2 * 6 * 2 * 3 * 4 * 5),
        (lambda: torch.einsum("bij,bjk->bik", torch.ones(2, 3, 4), torch.ones(2, 4, 5)), 240),
        (
            lambda: torch.einsum("bij,bjk,kl->bil", *(torch.ones(2, 3, 3),) * 2, torch.ones(3, 7)),
            2 * 2 * 3 * 3 * (3 + 7),
        ),
    ],
)
def test_products_of_matrices(product: Callable[[], torch.Tensor], expected: int) -> None:
    """However a product is written, it takes two operations for each pair of elements."""
    assert total(product) == expected


def test_an_embedding_computes_nothing() -> None:
    """Rows that are looked up are no arithmetic; a 0 is no figure to compare models by."""
    count = count_flops(nn.Embedding(5, 3), torch.tensor([1, 2]))
    assert count == FlopCount(total=0, batch_size=2, by_operation={}, uncounted={}, elementwise={})
    with pytest.raises(ModelError, match="operations 0 were counted"):
        count.per_sample_or_error()


def test_what_works_element_by_element_is_told_apart() -> None:
    """Activations and normalisation are named with their elements, and are not in the total."""
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.LayerNorm(5), nn.Softmax(-1))
    count = count_flops(model, torch.zeros(4, 6))
    assert count.by_operation == {"aten.addmm": 2 * 4 * 6 * 5}
    assert count.elementwise == {
        "aten.relu": 20,
        "aten.native_layer_norm": 20,
        "aten._softmax": 20,
    }
    assert count.per_sample_or_error() == 60


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(4),
        nn.InstanceNorm2d(4),
        nn.GroupNorm(2, 4),
        nn.RMSNorm(6),
        nn.MaxPool2d(2),
        nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d(1),
        nn.LPPool2d(2, 2),
        nn.GELU(),
        nn.GLU(1),
        nn.PReLU(),
        nn.Upsample(scale_factor=2),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.PixelShuffle(2),
        nn.ReflectionPad2d(1),
        nn.Flatten(),
        nn.Sequential(nn.Dropout(), nn.Sigmoid()),
        nn.Unfold(2),
        nn.Softplus(),
        nn.CosineSimilarity(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_without_products_have_nothing_big_uncounted(layer: nn.Module) -> None:
    """Torch's layers that have no matrix are known to work element by element, or to move data."""
    values = torch.ones(2, 4, 6, 6)
    count = count_flops(layer, (values, values) if type(layer) is nn.CosineSimilarity else values)
    assert (count.total, count.uncounted) == (0, {})


class Spectrum(nn.Module):
    """A linear layer on the magnitudes of a short-time Fourier transform."""

    def __init__(self) -> None:
        """Make the layer."""
        super().__init__()
        self.linear = nn.Linear(33, 2)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """Transform, then project each frame."""
        window = torch.hann_window(64)
        frames = torch.stft(wave, 64, hop_length=32, window=window, return_complex=True)
        return torch.Tensor(self.linear(frames.abs().mT))


def test_a_fourier_transform_is_named_as_uncounted() -> None:
    """What no formula covers is named with the times it ran, and the figure is refused."""
    count = count_flops(Spectrum(), torch.zeros(3, 320))
    assert count.uncounted == {"aten._fft_r2c": 1}
    assert count.per_sample == 2 * 11 * 33 * 2
    with pytest.raises(ModelError, match=r"beside 4356 .* aten\._fft_r2c \(1x\).*formula"):
        count.per_sample_or_error()


def test_a_quantised_layer_is_never_free() -> None:
    """Quantised products have no formula, and say so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its own quantisation
        quantize = torch.ao.quantization.quantize_dynamic
        model = quantize(nn.Sequential(nn.Linear(6, 5)).eval())  # type: ignore[no-untyped-call]
        count = count_flops(model, torch.zeros(4, 6))
    assert (count.total, count.uncounted) == (0, {"quantized.linear_dynamic": 1})
    with pytest.raises(ModelError, match=r"quantized\.linear_dynamic"):
        count.per_sample_or_error()


@pytest.fixture
def _doubling() -> Iterator[None]:
    """An operator of one's own, while a test runs."""
    with torch.library._scoped_library("green_tests", "DEF") as library:
        library.define("double(Tensor x) -> Tensor")
        library.impl("double", lambda x: x + x, "CPU")
        yield
        flop_registry.pop(torch.ops.green_tests.double, None)


@pytest.mark.usefixtures("_doubling")
def test_an_operator_of_ones_own_counts_by_the_formula_that_torch_is_given() -> None:
    """It is named as uncounted until torch's registry has a formula for it."""

    def double() -> torch.Tensor:
        return torch.Tensor(torch.ops.green_tests.double(torch.ones(3, 4)))

    before = count_flops(double, (), batch_size=1)
    assert (before.total, before.uncounted) == (0, {"green_tests.double": 1})
    register_flop_formula(torch.ops.green_tests.double)(lambda x, **_: prod(x))
    after = count_flops(double, (), batch_size=1)
    assert (after.by_operation, after.uncounted) == ({"green_tests.double": 12}, {})


def test_a_model_that_only_works_element_by_element_is_not_free() -> None:
    """Nothing was counted of it, so that there is no figure to compare it by."""
    count = count_flops(nn.ReLU(), torch.zeros(3, 4))
    assert (count.total, count.elementwise) == (0, {"aten.relu": 12})
    with pytest.raises(ModelError, match=r"operations 0 were counted.* aten\.relu|\(aten\.relu\)"):
        count.per_sample_or_error()


@pytest.mark.parametrize("called_before", [False, True])
def test_a_compiled_module(called_before: bool) -> None:
    """It counts as it was written, and is compiled at its next call if it was not before."""
    compilations = []

    def backend(graph: torch.fx.GraphModule, _inputs: object) -> Callable[..., object]:
        compilations.append(graph)
        return graph.forward

    torch.compiler.reset()
    compiled = torch.compile(nn.Sequential(nn.Linear(6, 5), nn.ReLU()).eval(), backend=backend)
    values = torch.zeros(4, 6)
    with torch.no_grad():
        if called_before:
            compiled(values)
        assert total(compiled, values) == 2 * 4 * 6 * 5
        compiled(values)
        compiled(values)
    assert len(compilations) == 1


def test_attention_that_torch_compiles_for_itself() -> None:
    """Torch's flexible attention counts as any other, and works as before afterwards."""
    from torch.nn.attention.flex_attention import flex_attention

    query = torch.ones(2, 3, 16, 8)

    def attend() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns that it is slow uncompiled
            return flex_attention(query, query, query)

    assert total(attend) == attention_flops(2, 3, 16, 16, 8)
    assert isinstance(attend(), torch.Tensor)


@pytest.mark.parametrize("form", ["scripted", "traced", "frozen", "exported"])
def test_other_forms_of_a_module(form: str) -> None:
    """Scripted, traced, frozen and exported modules count as the module does, warm too."""
    model, values = nn.Sequential(nn.Conv1d(7, 5, 3), nn.ReLU()).eval(), torch.zeros(4, 7, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript
        forms: dict[str, Callable[[], Callable[..., object]]] = {
            "scripted": lambda: torch.jit.script(model),
            "traced": lambda: torch.jit.trace(model, values),  # type: ignore[no-untyped-call]
            "frozen": lambda: torch.jit.freeze(torch.jit.script(model)),
            "exported": lambda: torch.export.export(model, (values,)).module(),
        }
        other = forms[form]()
        for _ in range(3):
            other(values)
        assert total(other, values) == total(model, values) == 2 * 4 * 5 * 4 * 7 * 3


def test_a_model_without_memory_behind_it() -> None:
    """Shapes suffice: on the meta device nothing is computed, and all is counted."""
    layer = nn.Linear(10_000, 10_000, device="meta")
    assert total(layer, torch.zeros(3, 10_000)) == 2 * 3 * 10_000**2


def test_a_branch_that_torch_chooses_is_named_as_uncounted() -> None:
    """What runs inside an operator of higher order is out of sight, and so is not zero."""

    def branch(values: torch.Tensor) -> object:
        return torch.cond(values.sum() > 0, lambda x: x @ x, lambda x: x + x, (values,))

    count = count_flops(branch, torch.ones(3, 3))
    assert (count.total, count.uncounted) == (0, {"cond": 1})


def test_what_runs_on_nested_tensors_is_named_as_uncounted() -> None:
    """Sequences of several lengths in one tensor have products of their own."""
    values = torch.nested.nested_tensor([torch.zeros(2, 6)] * 2, layout=torch.jagged)
    count = count_flops(nn.Linear(6, 5), values)
    assert (count.total, count.uncounted) == (0, {"aten.linear": 1})
    with pytest.raises(ModelError, match=r"aten\.linear"):
        count.per_sample_or_error()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_precision_does_not_matter(dtype: torch.dtype) -> None:
    """An operation is one at any precision."""
    assert total(nn.Linear(6, 5, dtype=dtype), torch.zeros(4, 6, dtype=dtype)) == 240


def test_a_method_and_a_function_count_as_the_module() -> None:
    """What is called may be a method of a module, or a function that calls one."""
    layer, values = nn.Linear(6, 5), torch.zeros(4, 6)
    assert total(layer.forward, values) == total(lambda x: layer(x) + 0, values) == 240
    assert total(torch.inference_mode()(layer.forward), values) == 240


@given(batch=SIZES, factor=st.integers(1, 5))
def test_operations_grow_with_the_batch(batch: int, factor: int) -> None:
    """A sample takes as much in any batch."""
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(9, 4))
    small = count_flops(model, torch.zeros(batch, 2, 5))
    large = count_flops(model, torch.zeros(batch * factor, 2, 5))
    assert large.total == factor * small.total
    assert large.per_sample == small.per_sample


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()), (2, 3, 9, 9)),
        (nn.GRU(6, 5, num_layers=2, bidirectional=True), (4, 7, 6)),
        (nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), (2, 10, 8)),
    ],
    ids=["convolution", "gru", "transformer"],
)
def test_torchs_own_counter_finds_as_much(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Where torch's counter sees all there is, both are the same."""
    values = torch.zeros(shape)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(values)
    assert total(model, values) == counter.get_total_flops() > 0


def test_a_count_survives_json() -> None:
    """What was written to JSON reads back as the same count."""
    count = count_flops(Spectrum(), torch.zeros(3, 320))
    assert FlopCount.from_dict(json.loads(json.dumps(count.to_dict()))) == count


def test_threads_count_beside_one_another() -> None:
    """Counts in several threads do not mix."""
    found: dict[int, int] = {}

    def count(width: int) -> None:
        for _ in range(5):
            found[width] = found.get(width, 0) + total(nn.Linear(width, 3), torch.zeros(2, width))

    threads = [threading.Thread(target=count, args=(width,)) for width in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {width: 5 * 2 * 2 * 3 * width for width in range(1, 6)}


def test_a_module_that_spreads_over_threads_is_refused() -> None:
    """Torch's counter sees one thread: the module inside is to be passed."""
    parallel = nn.DataParallel(nn.Linear(6, 5))
    model = nn.Sequential(parallel)
    values = torch.zeros(4, 6)
    assert total(model, values) == 240  # without a GPU it calls the module inside
    parallel.device_ids = [0, 1]
    with pytest.raises(ModelError, match=r"over 2 devices with DataParallel.*model\.module"):
        count_flops(model, values)


def test_what_runs_nothing_of_torch_is_refused() -> None:
    """A function that never comes to torch would seem free."""
    with pytest.raises(ModelError, match="sum ran no operation of torch"):
        count_flops(sum, ([1, 2],), batch_size=2)


def test_work_in_another_thread_is_not_taken_for_nothing() -> None:
    """A model all of whose work is out of sight is refused, not counted as zero."""
    layer, values = nn.Linear(6, 5), torch.zeros(4, 6)

    def forward() -> None:
        thread = threading.Thread(target=layer, args=(values,))
        thread.start()
        thread.join()

    with pytest.raises(ModelError, match="ran no operation of torch in this thread"):
        count_flops(forward, (), batch_size=4)


@pytest.mark.parametrize("model", [None, 3, "net", nn.Linear])
def test_what_cannot_be_called_is_refused(model: object) -> None:
    """The error says what may be passed."""
    with pytest.raises(ModelError, match=r"pass a torch\.nn\.Module"):
        count_flops(model, torch.zeros(4, 6))


def test_a_lazy_layer_is_refused_and_stays_lazy() -> None:
    """A count gives no layer its shape."""
    model = nn.Sequential(nn.LazyLinear(4))
    with pytest.raises(ModelError, match=r"'0\.weight' of Sequential .*one forward pass"):
        count_flops(model, torch.zeros(1, 3))
    assert isinstance(model[0], nn.LazyLinear)


def test_inputs_that_do_not_fit_are_named() -> None:
    """The error shows the shapes, and what torch said."""
    with pytest.raises(ModelError, match=r"Linear cannot run .* \(4, 7\), torch\.float32"):
        count_flops(nn.Linear(6, 5), torch.zeros(4, 7))


def test_the_batch_size_is_given_where_it_cannot_be_told() -> None:
    """A figure a sample wants to know how many samples there are."""
    with pytest.raises(OptionError, match="batch_size cannot be told"):
        count_flops(nn.Linear(6, 5), {"input": torch.tensor(1.0)})
    assert count_flops(nn.Linear(6, 5), torch.zeros(4, 6), batch_size=2).per_sample == 120


def test_torch_is_not_imported_to_count() -> None:
    """Where torch was never imported no model is one of torch."""
    script = (
        "import sys\n"
        "import green_optuna as go\n"
        "for count in (lambda *call: go.count_flops(*call, batch_size=1), go.peak_memory_bytes):\n"
        "    try:\n        count(len, {'obj': None})\n"
        "    except go.ModelError as error:\n        print('none of torch' in str(error))\n"
        "print('torch' in sys.modules)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False"]


# What must not look cheaper than it is


class Functional(nn.Module):
    """A module that calls a function, beside a parameter of its own."""

    def __init__(self, function: Callable[[torch.Tensor], object]) -> None:
        """Keep the function."""
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(4, 4))

    def forward(self, x: torch.Tensor) -> object:
        """Call it."""
        return self.function(x)


@pytest.mark.parametrize(
    "sparse",
    [torch.Tensor.to_sparse, torch.Tensor.to_sparse_csr, torch.Tensor.to_sparse_csc],
)
def test_products_of_sparse_matrices_are_named_as_uncounted(
    sparse: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    """Their zeros are no work, so the formula of a full matrix does not hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls these layouts beta
        matrix = sparse(torch.eye(8))
        count = count_flops(Functional(lambda x: matrix @ x), torch.ones(8, 3))
    assert count.total == 0
    assert count.uncounted
    with pytest.raises(ModelError, match="not all known"):
        count.per_sample_or_error()


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (lambda x: torch.zeros(2, 3).addmm_(x, torch.ones(4, 3)), 2 * 2 * 4 * 3),
        (lambda x: torch.zeros(2).addmv_(x, torch.ones(4)), 2 * 2 * 4),
        (lambda x: torch.zeros(5, 2, 3).baddbmm_(x.expand(5, 2, 4), torch.ones(5, 4, 3)), 240),
    ],
)
def test_a_product_in_place_counts_as_its_twin(
    product: Callable[[torch.Tensor], torch.Tensor], expected: int
) -> None:
    """Where its result goes does not matter."""
    count = count_flops(Functional(product), torch.ones(2, 4))
    assert (count.total, count.uncounted) == (expected, {})


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.from_numpy(x.numpy() @ x.numpy().T).view(-1),  # outside torch
        lambda x: (x[:, :, None] * x.T[None]).sum(1),  # a product of matrices by hand
        lambda x: x @ x.T + (x.repeat(50, 50) ** 2).sum(),
    ],
)
def test_work_that_is_not_counted_is_no_figure_to_compare_by(
    function: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    """A total of 0, or one beside which more elements are worked on, is refused with both."""
    count = count_flops(Functional(function), torch.ones(4, 6))
    with pytest.raises(ModelError, match="Compare such models by their energy"):
        count.per_sample_or_error()


def test_a_model_that_only_begins_its_work_is_refused() -> None:
    """A generator's steps come later, where nobody counts them."""

    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
            prefix = self.layer(x)
            return (self.layer(prefix) for _ in range(100))

    with pytest.raises(ModelError, match="only begins its work"):
        count_flops(Steps(), torch.ones(4, 6))


def test_a_module_that_torchscript_has_optimised_is_refused() -> None:
    """Its convolutions run where no operation is seen: the message says what to count instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript
        scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval())
        optimised = torch.jit.optimize_for_inference(scripted)
        with pytest.raises(ModelError, match="pass the module that it was made of"):
            count_flops(optimised, torch.ones(1, 3, 8, 8))
