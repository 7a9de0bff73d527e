"""The vision encoder as in Swin's `swin_transformer.py`: roll, partition into windows, and undo.

Every block rolls the grid and partitions it anew.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.models.xvlm.architecture import VisionArchitecture
from harness.models.xvlm.swin import Block, PatchMerging, Stage, VisionEncoder, WindowAttention


def encode(encoder: VisionEncoder, vision: VisionArchitecture, images: Tensor) -> Tensor:
    """Return the tokens [B, 1 + P, C] of normalised images [B, 3, R, R], encoded as one batch."""
    tokens = encoder.patch_embed(images)
    for number, stage in enumerate(encoder.layers):
        assert isinstance(stage, Stage)
        tokens = run_stage(
            stage, tokens, side=vision.stage_side(number), window=vision.stage_window(number)
        )
    tokens = encoder.norm(tokens)
    mean = F.adaptive_avg_pool1d(tokens.transpose(1, 2), 1).transpose(1, 2)
    return torch.cat([mean, tokens], dim=1)


def run_stage(stage: Stage, tokens: Tensor, *, side: int, window: int) -> Tensor:
    """Run a stage on tokens [B, side * side, C] in the order of the grid."""
    for number, block in enumerate(stage.blocks):
        assert isinstance(block, Block)
        tokens = _run_block(
            block,
            tokens,
            side=side,
            window=window,
            shift=window // 2 if number % 2 and side > window else 0,
        )
    return tokens if stage.downsample is None else _merge(stage.downsample, tokens, side=side)


def _run_block(block: Block, tokens: Tensor, *, side: int, window: int, shift: int) -> Tensor:
    batch, _, width = tokens.shape
    grid = block.norm1(tokens).view(batch, side, side, width)
    if shift:
        grid = torch.roll(grid, shifts=(-shift, -shift), dims=(1, 2))
    windows = _partition(grid, window).view(-1, window * window, width)
    attended = _attend(block.attn, windows).view(-1, window, window, width)
    grid = _reverse_partition(attended, window=window, side=side)
    if shift:
        grid = torch.roll(grid, shifts=(shift, shift), dims=(1, 2))
    tokens = tokens + grid.view(batch, side * side, width)
    return tokens + block.mlp.fc2(F.gelu(block.mlp.fc1(block.norm2(tokens))))


def _partition(grid: Tensor, window: int) -> Tensor:
    """Return the windows [B * W, window, window, C] of a grid [B, side, side, C]."""
    batch, side, _, width = grid.shape
    parts = grid.view(batch, side // window, window, side // window, window, width)
    return parts.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window, window, width)


def _reverse_partition(windows: Tensor, *, window: int, side: int) -> Tensor:
    """Return the grid [B, side, side, C] of windows [B * W, window, window, C]."""
    parts = windows.view(-1, side // window, side // window, window, window, windows.shape[-1])
    return parts.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, side, side, windows.shape[-1])


def _attend(attention: WindowAttention, windows: Tensor) -> Tensor:
    """Apply self-attention within windows [B * W, N, C].

    The bias is looked up at every call; the mask was created with the network.
    """
    count, length, width = windows.shape
    parts = (
        attention.qkv(windows)
        .reshape(count, length, 3, attention.heads, width // attention.heads)
        .permute(2, 0, 3, 1, 4)
    )
    query, key, value = parts[0], parts[1], parts[2]
    scores = (query * (width // attention.heads) ** -0.5) @ key.transpose(-2, -1)
    bias = attention.relative_position_bias_table[attention.relative_position_index.view(-1)]
    scores = scores + bias.view(length, length, -1).permute(2, 0, 1).contiguous().unsqueeze(0)
    if attention.attn_mask is not None:
        by_image = scores.view(-1, len(attention.attn_mask), attention.heads, length, length)
        by_image = by_image + attention.attn_mask.unsqueeze(1).unsqueeze(0)
        scores = by_image.view(-1, attention.heads, length, length)
    attended = (scores.softmax(-1) @ value).transpose(1, 2).reshape(count, length, width)
    return attention.proj(attended)


def _merge(merging: PatchMerging, tokens: Tensor, *, side: int) -> Tensor:
    """Halve the grid of tokens [B, side * side, C]."""
    batch, _, width = tokens.shape
    grid = tokens.view(batch, side, side, width)
    neighbours = [
        grid[:, 0::2, 0::2],
        grid[:, 1::2, 0::2],
        grid[:, 0::2, 1::2],
        grid[:, 1::2, 1::2],
    ]
    return merging.reduction(merging.norm(torch.cat(neighbours, dim=-1).view(batch, -1, 4 * width)))
