"""The steps of a transformer block, in as few passes over a GPU's memory as they need.

Each function is a few operations of torch, which define its result. Within `fused_kernels(True)`,
one Triton kernel computes the same: on a GPU, most of a Swin transformer's time is spent on
reading and writing what plain operations leave behind for one another.
"""

import torch
from torch import Tensor, nn

from harness.engine.kernels import fp32_precision, fused_kernels, kernels
from harness.engine.matmul import scaled_dot_product_attention, uses_attention_kernels


def window_attention(qkv: Tensor, bias: Tensor, *, heads: int) -> Tensor:
    """Attend within windows of N tokens: projected qkv [B, W, N, 3 C] to [B, W, N, C].

    `bias` [W, heads, N, N], or [1, heads, N, N] where all windows have the same, is added to the
    scores.
    """
    if uses_attention_kernels(qkv, width=qkv.shape[-1] // (3 * heads)):
        return kernels().window_attention(qkv, bias, heads, fp32_precision())
    parts = qkv.unflatten(-1, (3, heads, -1)).permute(3, 0, 1, 4, 2, 5)
    one_image = len(qkv) == 1 and qkv.device.type == "cpu"  # its parts are views in this order
    if len(bias) == 1 or one_image:  # each image has these biases once: windows are like images
        query, key, value = parts.flatten(1, 2)
    else:  # each window has its own, the same for all images: windows are like heads
        query, key, value = parts.flatten(2, 3)
        bias = bias.flatten(0, 1)[None]
    attended = scaled_dot_product_attention(query, key, value, attn_mask=bias)
    return attended.reshape(parts.shape[1:]).transpose(2, 3).flatten(3)


def gather_norm(tokens: Tensor, index: Tensor, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """Return the tokens `index` [n] of all tokens [B, T, C], and the same normalised."""
    if not fused_kernels.is_on:
        gathered = tokens.index_select(1, index)
        return gathered, norm(gathered)
    gathered = tokens.new_empty(len(tokens), len(index), tokens.shape[-1])
    normed = torch.empty_like(gathered, dtype=_input_dtype(tokens))
    kernels().rows(
        tokens.contiguous(), index=index, norm=norm, total=gathered, normed=normed, gather=True
    )
    return gathered, normed


def add_norm(residual: Tensor, update: Tensor, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """Return the sum of two tensors [.., C], and the sum normalised."""
    if not fused_kernels.is_on:
        total = residual + update
        return total, norm(total)
    total = torch.empty_like(residual)
    normed = torch.empty_like(residual, dtype=_input_dtype(residual))
    kernels().rows(residual, update=update.contiguous(), norm=norm, total=total, normed=normed)
    return total, normed


def norm_of_sum(update: Tensor, residual: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Return the normalised sum of two tensors [.., C], in float32."""
    if not fused_kernels.is_on:
        return norm(update + residual)
    normed = torch.empty_like(residual, dtype=torch.float32)
    kernels().rows(residual.contiguous(), update=update.contiguous(), norm=norm, normed=normed)
    return normed


def scatter_sum(output: Tensor, index: Tensor, residual: Tensor, update: Tensor) -> None:
    """Store the sums of two tensors [B, n, C] as the tokens `index` [n] of `output` [B, T, C]."""
    if not fused_kernels.is_on:
        output.index_copy_(1, index, residual + update)
        return
    kernels().rows(residual, update=update.contiguous(), index=index, total=output, scatter=True)


def _input_dtype(tokens: Tensor) -> torch.dtype:
    """Return the type in which a linear map takes its input."""
    device = tokens.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tokens.dtype
