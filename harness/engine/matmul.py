"""What takes the time, as each device computes it fastest: linear maps, and attention.

On a CPU, torch multiplies by MKL, which takes a matrix as it lies, and on other makers' processors leaves half of their width unused.
oneDNN, which comes with torch as well, lays a matrix out for the processor at hand, once, and then multiplies at full width. In float32,
torch offers this to its own compiler only, by operators that may change from version to version: they are tried before they are trusted.

On a GPU, torch's fused attention has no fast kernel for 32 bits: plain products are faster, and in TF32 they run on tensor cores.
"""

from functools import cache
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Then = tuple[str, list[float], str]  # what oneDNN does to a product before it writes it down
AS_IT_IS: Then = ("none", [], "")
GELU: Then = ("gelu", [], "none")  # the exact one, without the approximation by tanh
ALIGNED = 8  # numbers that a row of a matrix has to be a multiple of: tensor cores take others at half the speed
WORTHWHILE = 64  # keys: where fewer are seen, a GPU's fused attention is faster, as it is one call instead of many
CLOSE = 1e-4  # to torch's own product, where oneDNN's is tried


@runtime_checkable
class Settling(Protocol):
    """A part of a network that can be made ready to compute in one type for good: its weights will not change any more."""

    def settle(self, dtype: torch.dtype) -> None: ...


def settle(network: nn.Module, dtype: torch.dtype) -> None:
    """Make a network ready to compute in `dtype`, on the device where it is. There are no gradients after that."""
    for part in network.modules():
        if isinstance(part, Settling):
            part.settle(dtype)


class Linear(nn.Linear):
    """A linear map; once settled, with its matrix as the device wants it, and in no other way."""

    _laid_out: Tensor | None = None

    def settle(self, dtype: torch.dtype) -> None:
        """Round the weights once, where products are in 16 bits, instead of each time; in float32 on a CPU, lay the matrix out."""
        if dtype is not torch.float32:
            for name, weight in list(
                self.named_parameters()
            ):  # new ones: a matrix may have other uses
                self.register_parameter(name, nn.Parameter(weight.to(dtype), requires_grad=False))
        elif self.weight.device.type == "cpu" and lays_out():
            self._laid_out = _layout(self.weight.detach())
            self.register_parameter("weight", None)

    def forward(self, states: Tensor) -> Tensor:
        if self._laid_out is None:
            return super().forward(states)
        return _product(states, self._laid_out, self.bias)

    def activated(self, states: Tensor) -> Tensor:
        """Return the map's GELU."""
        if self._laid_out is None:
            return F.gelu(super().forward(states))
        return _product(states, self._laid_out, self.bias, GELU)

    def added(self, states: Tensor, before: Tensor) -> Tensor:
        """Return the map plus what was there before, of the same shape."""
        if self._laid_out is None:
            return before + super().forward(
                states
            )  # not in place: under autocast, the sum is wider than what is added
        return _sum(states, self._laid_out, self.bias, before)


@cache
def lays_out() -> bool:
    """Whether this torch has oneDNN's products by the names that we know, and they come out right."""
    draws = torch.Generator().manual_seed(0)
    states, weight, bias, before = (
        torch.randn(*shape, generator=draws) for shape in ((33, 64), (48, 64), (48,), (33, 48))
    )
    expected = F.linear(states, weight, bias)
    try:
        matrix = _layout(weight)
        tried = (
            _product(states, matrix, bias),
            _product(states, matrix, bias, GELU),
            _sum(states, matrix, bias, before),
        )
    except (AttributeError, RuntimeError):
        return False
    official = (expected, F.gelu(expected), expected + before)
    return all(
        torch.allclose(found, right, rtol=0, atol=CLOSE)
        for found, right in zip(tried, official, strict=True)
    )


def _layout(weight: Tensor) -> Tensor:
    laid_out: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    return laid_out


def _product(states: Tensor, matrix: Tensor, bias: Tensor | None, then: Then = AS_IT_IS) -> Tensor:
    if _is_one_row(states):
        return _product(_twice(states), matrix, bias, then)[0].view(*states.shape[:-1], -1)
    result: Tensor = torch.ops.mkldnn._linear_pointwise(states, matrix, bias, *then)
    return result


def _sum(states: Tensor, matrix: Tensor, bias: Tensor | None, before: Tensor) -> Tensor:
    if _is_one_row(states):
        return _sum(_twice(states), matrix, bias, _twice(before))[0].view_as(before)
    result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(states, before, matrix, bias, "add")
    return result


def _is_one_row(states: Tensor) -> bool:
    """Whether there is nothing to multiply but one vector: oneDNN would add it up in another order than the same one among others."""
    return states.numel() == states.shape[-1]


def _twice(row: Tensor) -> Tensor:
    return row.reshape(1, -1).expand(2, -1)


def attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return what queries [.., L, w] find in values [.., S, w], weighted by their products with the keys, to which `mask` is added."""
    mask = None if mask is None else mask.to(query.dtype)
    if not by_products(query, seen=keys.shape[-2]):
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
    return attend_by_products(query, keys, values, mask)


def attend_by_products(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return the same by two plain products; the weights [.., L, S] are there all at once, S filled up so that rows are aligned.

    A mask that is `aligned` already is added as it is.
    """
    seen = keys.shape[-2]
    spare = -seen % ALIGNED
    if spare:
        keys, values = (F.pad(part, (0, 0, 0, spare)) for part in (keys, values))
    scores = (query * query.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    if mask is not None and mask.shape[-1] == seen + spare:
        scores += mask
    else:
        if mask is not None:
            scores[..., :seen] += mask
        if spare:
            scores[..., seen:] = -torch.inf
    return scores.softmax(-1) @ values


def by_products(numbers: Tensor, *, seen: int) -> bool:
    """Whether `attend` takes products for queries or masks like these, where so many keys are seen."""
    return numbers.device.type == "cuda" and numbers.dtype is torch.float32 and seen >= WORTHWHILE


def aligned(mask: Tensor) -> Tensor:
    """Return a mask [.., S] as `attend` wants one that is used often: where it takes products, filled up with what is hidden."""
    seen = mask.shape[-1]
    spare = -seen % ALIGNED if by_products(mask, seen=seen) else 0
    return F.pad(mask, (0, spare), value=-torch.inf).contiguous()


def widened(linear: Linear) -> Linear:
    """Return a map whose first outputs are those of another one, with some more so that rows are aligned."""
    outputs, inputs = linear.weight.shape
    wide = Linear(inputs, outputs + -outputs % ALIGNED, device=linear.weight.device).requires_grad_(
        False
    )
    wide.weight.zero_()[:outputs] = linear.weight
    wide.bias.zero_()[:outputs] = linear.bias
    return wide
