"""Faster matrix products for a loaded network. Without this file, only the speed would change.

`prepack` replaces the linear maps of a network in place. On a CPU, torch multiplies by MKL, which
reads a matrix as it is stored and, on processors of other makers, leaves half of their vector
width unused. oneDNN, which comes with torch, rearranges ("prepacks") a matrix once for the
processor at hand and then multiplies at full width. In float32, torch offers this to its own
compiler only, by private operators: they are tried before they are used.

`scaled_dot_product_attention` has the signature of torch's. On a GPU, torch's fused attention has
no fast kernel for 32 bits: plain matrix products are faster, and in TF32 they run on tensor cores.
"""

from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.engine.kernels import fp32_precision, fused_kernels, kernels
from harness.engine.memory import release_freed_memory

# The operation that oneDNN applies to a product before it is stored.
PostOp = tuple[str, list[float], str]
NO_POST_OP: PostOp = ("none", [], "")
GELU: PostOp = ("gelu", [], "none")  # exact, not the approximation by tanh
ALIGNMENT = 8  # of row lengths: tensor cores run at half speed for other multiples
MIN_KEYS = 64  # for fewer keys, one fused attention kernel beats several products on a GPU
HEAD_WIDTHS = (16, 32, 64, 128)  # that the kernels of attention take
FREED_AT_ONCE = 64 * 2**20  # bytes of weights that were packed before memory is given back
TOLERANCE = 1e-4  # of oneDNN's products against torch's, where they are tried


class Prepackable(Protocol):
    """A module that can compute once what follows from its weights."""

    def prepack(self, dtype: torch.dtype) -> None: ...


def prepack(
    network: nn.Module,
    dtype: torch.dtype,
    *,
    keep: Iterable[nn.Module] = (),
    tied: Iterable[nn.Module] = (),
) -> None:
    """Replace the linear maps of a network by the fastest ones for its device and `dtype`.

    In float32 on a CPU: prepacked weights, with a GELU that directly follows a map computed in the
    same operation (the GELU becomes an identity). In 16 bits: weights rounded once, not at every
    call. On a GPU: rows padded to ALIGNMENT. The network cannot be trained afterwards, nor can
    gradients pass through it, except through the modules to `keep` as they are. Raises ValueError
    for one map in several places if a GELU follows it in some of them only. A map that is
    `tied` to an embedding shares its weight with it on a CPU, instead of packing a second one: as
    fast, to the same bits, for many rows at a time.
    """
    tied = set(tied)
    kept = {module for part in keep for module in part.modules()}
    packed: dict[nn.Module, nn.Module] = {}
    freed = 0
    for module in list(network.modules()):
        if module in kept:
            continue
        if hasattr(module, "prepack"):  # an `isinstance` of a Protocol takes ten times as long
            cast(Prepackable, module).prepack(dtype)
        children = [*module.named_children(), ("", nn.Identity())]
        for (name, layer), (next_name, next_layer) in pairwise(children):
            if type(layer) is not nn.Linear:
                continue
            gelu = isinstance(next_layer, nn.GELU) and next_layer.approximate == "none"
            if layer not in packed:
                plain, size = layer in tied, layer.weight.nbytes
                packed[layer] = _packed(layer, dtype, gelu=gelu, plain=plain)
                if isinstance(packed[layer], PrepackedLinear):
                    layer.register_parameter("weight", None)  # no second copy, even for a while
                    freed += size
                if freed > FREED_AT_ONCE:
                    release_freed_memory()  # the packed weights do not fit into the gaps
                    freed = 0
            elif isinstance(known := packed[layer], PrepackedLinear) and known.has_gelu != gelu:
                raise ValueError(f"{name}: a GELU follows this shared map in some places only")
            setattr(module, name, packed[layer])
            if gelu and isinstance(packed[layer], PrepackedLinear):
                setattr(module, next_name, nn.Identity())


def _packed(linear: nn.Linear, dtype: torch.dtype, *, gelu: bool, plain: bool) -> nn.Module:
    if linear.weight.device.type == "cuda" and linear.out_features % ALIGNMENT:
        linear = PaddedLinear(linear)
    if dtype is not torch.float32:
        return _rounded(linear, dtype)
    if linear.weight.device.type == "cpu" and onednn_is_usable():
        return PrepackedLinear(linear, GELU if gelu else NO_POST_OP, plain=plain)
    return linear


class PrepackedLinear(nn.Module):
    """A linear map whose weight oneDNN keeps in its own layout, and in no other.

    A `plain` one reads the weight as it is stored, each time. A row of the result has the same bits
    whatever else is in the batch.
    """

    def __init__(self, linear: nn.Linear, post_op: PostOp, *, plain: bool = False) -> None:
        super().__init__()
        self.bias = linear.bias
        weight = linear.weight.detach()
        self._weight = weight if plain else _prepack_weight(weight)
        self._post_op = post_op

    @property
    def post_op(self) -> str:
        """The operation that follows in the same call: `gelu` or `none`."""
        return self._post_op[0]

    @property
    def has_gelu(self) -> bool:
        """Whether a GELU follows in the same call."""
        return self._post_op == GELU

    def forward(self, states: Tensor) -> Tensor:
        return _onednn_linear(states, self._weight, self.bias, self._post_op)


class PaddedLinear(nn.Linear):
    """A linear map with outputs added to a multiple of ALIGNMENT, and dropped from the result."""

    def __init__(self, linear: nn.Linear) -> None:
        outputs, inputs = linear.weight.shape
        padding = -outputs % ALIGNMENT
        super().__init__(inputs, outputs + padding, bias=linear.bias is not None, device="meta")
        self.weight = _constant(F.pad(linear.weight, (0, 0, 0, padding)))
        if linear.bias is not None:
            self.bias = _constant(F.pad(linear.bias, (0, padding)))
        self._outputs = outputs

    def forward(self, states: Tensor) -> Tensor:
        return super().forward(states)[..., : self._outputs]


def _rounded(linear: nn.Linear, dtype: torch.dtype) -> nn.Linear:
    """Round a map's parameters. They become new ones: a weight may also be an embedding."""
    for name, parameter in list(linear.named_parameters()):
        linear.register_parameter(name, _constant(parameter.to(dtype)))
    return linear


def _constant(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach(), requires_grad=False)


@cache
def onednn_is_usable() -> bool:
    """Whether this torch has oneDNN's linear operators under known names, and they are correct."""
    rng = torch.Generator().manual_seed(0)
    states, weight, bias = (
        torch.randn(*shape, generator=rng) for shape in ((33, 64), (48, 64), (48,))
    )
    expected = F.linear(states, weight, bias)
    try:
        packed = _prepack_weight(weight)
        plain = _onednn_linear(states, packed, bias, NO_POST_OP)
        activated = _onednn_linear(states, packed, bias, GELU)
    except (AttributeError, RuntimeError):
        return False
    return all(
        torch.allclose(result, right, rtol=0, atol=TOLERANCE)
        for result, right in ((plain, expected), (activated, F.gelu(expected)))
    )


def _prepack_weight(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    return packed


def _onednn_linear(states: Tensor, weight: Tensor, bias: Tensor | None, post_op: PostOp) -> Tensor:
    rows = states
    if states.numel() == states.shape[-1]:
        # oneDNN sums a single row in another order than the same row among others.
        rows = states.reshape(1, -1).expand(2, -1)
    result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, *post_op)
    return result if rows is states else result[0].view(*states.shape[:-1], -1)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
) -> Tensor:
    """Attend with queries [.., L, w] to keys and values [.., S, w], as torch's function does.

    `attn_mask` broadcasts to [.., L, S] and is added to the scores.
    """
    if uses_attention_kernels(query, width=query.shape[-1]):
        return kernels().attention(query, key, value, attn_mask, fp32_precision())
    mask = None if attn_mask is None else attn_mask.to(query.dtype)
    if uses_plain_matmul(query, keys=key.shape[-2]):
        return plain_attention(query, key, value, mask)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def uses_attention_kernels(states: Tensor, *, width: int) -> bool:
    """Whether a kernel computes attention for these states, with heads of this `width`.

    In full float32, which tensor cores do not multiply, torch's products are faster.
    """
    if not fused_kernels.is_on or width not in HEAD_WIDTHS:
        return False
    return states.dtype is not torch.float32 or fp32_precision() == "tf32"


def uses_plain_matmul(query: Tensor, *, keys: int) -> bool:
    """Whether attention to this number of `keys` is computed by plain products."""
    return query.device.type == "cuda" and query.dtype is torch.float32 and keys >= MIN_KEYS


def plain_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Attend by two plain matrix products.

    All scores [.., L, S] are in memory at once, S padded to a multiple of ALIGNMENT.
    """
    keys = key.shape[-2]
    padding = -keys % ALIGNMENT
    if padding:
        key, value = (F.pad(part, (0, 0, 0, padding)) for part in (key, value))
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if mask is not None:
        scores[..., :keys] += mask
    if padding:
        scores[..., keys:] = -torch.inf
    return scores.softmax(-1) @ value
