"""What torch's operators compute, of those that its counter has no formula for.

The module imports torch, so that it is imported late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from math import prod

import torch
from torch.utils.flop_counter import flop_registry

Formula = Callable[..., int]
Shape = Sequence[int]
Operator = torch._ops.OpOverload | torch._ops.HigherOrderOperator


class Kind(Enum):
    """How much an operator that has no formula computes."""

    MOVE = "none: it makes, copies or rearranges data"
    ELEMENTWISE = "a few operations an element"
    OTHER = "not known, and maybe much"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Operators that compute nothing, beside those whose result is a view.
_MOVES = _words(
    """
    _assert_async _assert_scalar _assert_tensor_metadata _chunk_cat _coalesced _copy_from
    _efficientzerotensor _functional_assert_async _functional_assert_scalar
    _has_same_storage_numel _index_put_impl
    _jagged_to_padded_dense_forward _lazy_clone _linalg_check_errors _local_scalar_dense
    _make_dep_token _mkldnn_reshape _mkldnn_transpose _nested_from_padded
    _nested_from_padded_tensor _nested_get_jagged_dummy _nested_get_lengths
    _nested_get_max_seqlen _nested_get_min_seqlen _nested_get_offsets _nested_get_ragged_idx
    _nested_tensor_from_mask _nested_tensor_from_mask_left_aligned
    _nested_tensor_from_tensor_list _nested_tensor_size _nested_tensor_storage_offsets
    _nested_tensor_strides _nested_view_from_buffer_copy _nnz _pack_padded_sequence
    _padded_dense_to_jagged_forward _pin_memory _print _reshape_alias _reshape_copy
    _resize_output _sparse_compressed_tensor_with_dims _sparse_coo_tensor_with_dims
    _sparse_coo_tensor_with_dims_and_tensors _stack _to_copy _to_dense _to_sparse _to_sparse_bsc
    _to_sparse_bsr _to_sparse_csc _to_sparse_csr _unsafe_index _unsafe_index_put
    _unsafe_masked_index _unsafe_view arange as_strided_scatter block_diag cat channel_shuffle
    clone complex constant_pad_nd copy copy_sparse_to_sparse dense_dim diag_embed
    diagonal_scatter embedding empty empty_like empty_permuted empty_quantized empty_strided eye
    fill flip from_file full full_like gather im2col index index_copy index_fill index_put
    index_select int_repr is_coalesced is_pinned is_same_size is_set_to item lift lift_fresh
    masked_fill masked_scatter masked_select max_unpool2d max_unpool3d narrow_copy new_empty
    new_empty_strided new_full new_ones new_zeros nonzero nonzero_static ones ones_like
    pixel_shuffle pixel_unshuffle put q_per_channel_axis q_per_channel_scales
    q_per_channel_zero_points q_scale q_zero_point qscheme record_stream reflection_pad1d
    reflection_pad2d reflection_pad3d repeat repeat_interleave replication_pad1d
    replication_pad2d replication_pad3d resize resize_as resize_as_sparse roll rot90
    scalar_tensor scatter select_scatter set slice_scatter sparse_compressed_tensor
    sparse_coo_tensor sparse_dim sparse_mask split_copy split_with_sizes_copy stack
    sym_constrain_range sym_constrain_range_for_size take to_mkldnn to_padded_tensor tril
    tril_indices triu triu_indices unbind_copy unsafe_split unsafe_split_with_sizes where zero
    zeros zeros_like
    """
)

# Operators that do a few operations for each element that they read or write, and that torch
# tags neither as pointwise nor as a reduction: normalisation, pooling, resampling, sums, order.
_ELEMENTWISE = _words(
    """
    _adaptive_avg_pool2d _adaptive_avg_pool3d _add_relu _aminmax _batch_norm_no_update
    _batch_norm_with_update _coalesce _cummax_helper _cummin_helper _embedding_bag
    _embedding_bag_forward_only _fused_rms_norm _is_all_true _is_any_true _log_softmax
    _logcumsumexp _make_per_channel_quantized_tensor _make_per_tensor_quantized_tensor
    _masked_scale _masked_softmax _native_batch_norm_legit _native_batch_norm_legit_functional
    _native_batch_norm_legit_no_training _nested_tensor_softmax_with_shape _prelu_kernel
    _safe_softmax _softmax _standard_gamma _thnn_fused_gru_cell _thnn_fused_lstm_cell
    _transform_bias_rescale_qkv _unique _unique2 _upsample_bicubic2d_aa _upsample_bilinear2d_aa
    _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
    _weight_norm_interface abs adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool2d adaptive_max_pool3d all allclose amax amin aminmax any argmax argmin
    avg_pool1d avg_pool2d avg_pool3d bartlett_window batch_norm_elemt batch_norm_stats bernoulli
    binary_cross_entropy binary_cross_entropy_with_logits bincount binomial blackman_window
    bucketize cauchy col2im cudnn_batch_norm cummax cummin cumprod cumsum dequantize dist equal
    exponential fake_quantize_per_channel_affine_cachemask
    fake_quantize_per_tensor_affine_cachemask fft_fftfreq fft_rfftfreq floor_divide
    fractional_max_pool2d fractional_max_pool3d geometric glu grid_sampler_2d grid_sampler_3d
    hamming_window hann_window heaviside hardswish histc huber_loss index_add index_reduce isin
    kaiser_window kthvalue linalg_cross linalg_vector_norm linspace log_normal
    log_sigmoid_forward log_softmax logcumsumexp logspace logsumexp max max_pool2d_with_indices
    max_pool3d_with_indices mean median min miopen_batch_norm mode mse_loss multinomial
    nanmedian native_batch_norm native_dropout native_group_norm native_layer_norm
    nll_loss2d_forward nll_loss_forward norm normal normal_functional poisson polar prod
    quantize_per_channel quantize_per_tensor quantize_per_tensor_dynamic rand rand_like randint
    randint_like randn randn_like random randperm range renorm rrelu_with_noise scatter_add
    scatter_reduce searchsorted segment_reduce smooth_l1_loss softmax sort std std_mean sum topk
    trace unfold_backward uniform unique_consecutive unique_dim unique_dim_consecutive
    upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d
    upsample_nearest3d upsample_trilinear3d var var_mean
    """
)

# Torch 2.13 has both tags; of older versions, which lack the second, the list above knows most.
_TAGS = frozenset(
    tag for name in ("pointwise", "reduction") if (tag := getattr(torch.Tag, name, None))
)


def kind_of(operator: Operator) -> Kind:
    """Tell how much an operator that has no formula computes; what is not known is OTHER."""
    if not isinstance(operator, torch._ops.OpOverload):
        return Kind.OTHER  # one of higher order: it runs functions, which nobody sees
    if operator.is_view or torch.Tag.inplace_view in operator.tags:
        return Kind.MOVE
    if operator.namespace in ("prim", "profiler"):
        return Kind.MOVE  # such as the device of a tensor
    if operator.namespace == "aten":
        name = str(operator.overloadpacket).partition(".")[2]
        bare = name.removesuffix("_")  # what works in place does what its twin does
        if bare in _MOVES:
            return Kind.MOVE
        if bare in _ELEMENTWISE:
            return Kind.ELEMENTWISE
        twin = getattr(torch.ops.aten, bare, operator.overloadpacket)
        overloads = [getattr(twin, overload) for overload in twin.overloads()]
    else:
        overloads = []
    tagged = any(_TAGS.intersection(one.tags) for one in (operator, *overloads))
    return Kind.ELEMENTWISE if tagged else Kind.OTHER


def flops_by(
    packet: object, args: tuple[object, ...], kwargs: Mapping[str, object], result: object
) -> int | None:
    """Return the operations that an operator took, or None where it has no formula.

    Torch's registry goes first: a user may have added to it.
    """
    if not _is_dense((args, kwargs)):
        return None  # the formulas are those of full matrices
    name = str(packet)
    if packet not in flop_registry and name not in _FORMULAS and name.endswith("_"):
        # What works in place does what its twin does.
        name = name.removesuffix("_")
        packet = getattr(torch.ops.aten, name.partition(".")[2], packet)
    if packet in flop_registry:
        return int(flop_registry[packet](*args, **kwargs, out_val=result))
    formula = _FORMULAS.get(name)
    return None if formula is None else formula(*(_shapes(one) for one in args))


def _is_dense(value: object) -> bool:
    """Tell whether all tensors in a value have an element wherever there can be one."""
    if isinstance(value, torch.Tensor):
        return value.layout is torch.strided
    if isinstance(value, Mapping):
        return all(map(_is_dense, value.values()))
    return not isinstance(value, list | tuple) or all(map(_is_dense, value))


def _shapes(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return value.shape
    return [_shapes(one) for one in value] if isinstance(value, list | tuple) else value


# Each takes the arguments of the operator, with the shapes of tensors in place of them.


def _matrix_by_matrix(left: Shape, right: Shape, *_: object) -> int:
    return 2 * prod(left) * right[-1]


def _added_matrix_by_matrix(_added: Shape, *factors: Shape) -> int:
    return _matrix_by_matrix(*factors[:2])


def _vector(matrix: Shape, *_: object) -> int:
    return 2 * prod(matrix)


def _added_vector(_added: Shape, matrix: Shape, *_: object) -> int:
    return 2 * prod(matrix)


def _added_outer(_added: Shape, left: Shape, right: Shape, *_: object) -> int:
    return 2 * prod(left) * prod(right)


def _attention(query: Shape, key: Shape, value: Shape, *_: object) -> int:
    # Each query meets each key in the scores and each value in their mean; a mask saves nothing.
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _recurrent(steps: Shape, weights: Sequence[Shape], *_: object) -> int:
    # All layers and directions at once. Of packed sequences the steps stand in one row after
    # the other, so that each row takes each matrix once, either way; biases are vectors.
    return 2 * prod(steps[:-1]) * sum(prod(shape) for shape in weights if len(shape) == 2)


def _recurrent_hidden_first(
    steps: Shape, _hidden: object, weights: Sequence[Shape], *_: object
) -> int:
    return _recurrent(steps, weights)


def _recurrent_layer(steps: Shape, of_input: Shape, of_hidden: Shape, *_: object) -> int:
    return _recurrent(steps, (of_input, of_hidden))


# The operators that torch's own registry lacks, on each device.
_FORMULAS: Mapping[str, Formula] = {
    "aten._addmm_activation": _added_matrix_by_matrix,
    "aten._cudnn_rnn": _recurrent,
    "aten._int_mm": _matrix_by_matrix,
    "aten._lstm_mps": _recurrent_hidden_first,
    "aten._scaled_dot_product_attention_math_for_mps": _attention,
    "aten._scaled_dot_product_flash_attention_for_cpu": _attention,
    "aten._scaled_dot_product_fused_attention_overrideable": _attention,
    "aten.addbmm": _added_matrix_by_matrix,
    "aten.addmv": _added_vector,
    "aten.addr": _added_outer,
    "aten.dot": _vector,
    "aten.miopen_rnn": _recurrent,
    "aten.mkldnn_rnn_layer": _recurrent_layer,
    "aten.mv": _vector,
    "aten.vdot": _vector,
}
