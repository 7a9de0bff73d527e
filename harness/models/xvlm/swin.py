"""The vision encoder: a Swin transformer whose output starts with the mean of its tokens.

Liu et al., "Swin Transformer" (arXiv 2103.14030), as X-VLM uses it (arXiv 2111.08276, section 3.1). Parameter names are those of the
released checkpoints. Positions, windows and masks follow from the sizes, so the buffers that a released file carries are never loaded.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.models.xvlm.architecture import PATCH, VisionArchitecture

EPSILON = 1e-5
MLP_RATIO = 4
OTHER_REGION = -100.0  # added to the score of two tokens that only the cyclic shift made neighbours (Swin, section 3.2)


class PatchEmbedding(nn.Module):
    """Turn images [B, 3, R, R] into tokens [B, (R / 4)^2, C]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.proj(images).flatten(2).transpose(1, 2))


class WindowAttention(nn.Module):
    """Let the tokens of each window [.., w * w, C] attend to one another, biased by their relative positions."""

    relative_position_index: Tensor

    def __init__(self, width: int, *, window: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", relative_position_index(window), persistent=False)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        """Take windows [B, W, w * w, C] and a mask [W, w * w, w * w] of what to add to the scores; return the same shape as `windows`."""
        query, key, value = self.qkv(windows).unflatten(-1, (3, self.heads, -1)).movedim(-3, 0).transpose(-2, -3)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        if mask is not None:
            bias = bias + mask[:, None]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        return self.proj(attended.transpose(-2, -3).flatten(-2))


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """One layer of attention within windows and an MLP, on tokens [B, side * side, C]; `shift` moves the windows' grid."""

    attn_mask: Tensor | None

    def __init__(self, width: int, *, side: int, window: int, heads: int, shift: int) -> None:
        super().__init__()
        self.side, self.window, self.shift = side, window, shift
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = WindowAttention(width, window=window, heads=heads)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = Mlp(width)
        self.register_buffer("attn_mask", shift_mask(side, window, shift) if shift else None, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        grid = self.norm1(tokens).unflatten(1, (self.side, self.side))
        grid = torch.roll(grid, (-self.shift, -self.shift), (1, 2)) if self.shift else grid
        grid = unite(self.attn(cut(grid, self.window), self.attn_mask), self.side)
        grid = torch.roll(grid, (self.shift, self.shift), (1, 2)) if self.shift else grid
        tokens = tokens + grid.flatten(1, 2)
        return tokens + self.mlp(self.norm2(tokens))


class PatchMerging(nn.Module):
    """Halve the grid: concatenate 2 x 2 neighbours and project, [B, N, C] to [B, N / 4, 2 C]."""

    def __init__(self, width: int, *, side: int) -> None:
        super().__init__()
        self.side = side
        self.norm = nn.LayerNorm(4 * width, eps=EPSILON)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        # The neighbours' order, (row, column) = (0, 0) (1, 0) (0, 1) (1, 1), is baked into the released weights.
        quads = tokens.unflatten(1, (self.side // 2, 2, self.side // 2, 2)).permute(0, 1, 3, 4, 2, 5)
        return self.reduction(self.norm(quads.flatten(3).flatten(1, 2)))


class Stage(nn.Module):
    """The blocks of one resolution, and the merging into the next (none after the last)."""

    def __init__(self, vision: VisionArchitecture, stage: int) -> None:
        super().__init__()
        width, side, window = vision.width * 2**stage, vision.stage_side(stage), vision.stage_window(stage)
        shift = window // 2 if side > window else 0
        self.blocks = nn.ModuleList(
            Block(width, side=side, window=window, heads=vision.heads[stage], shift=shift if number % 2 else 0)
            for number in range(vision.depths[stage])
        )
        self.downsample = PatchMerging(width, side=side) if stage < len(vision.depths) - 1 else None

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens)
        return tokens if self.downsample is None else self.downsample(tokens)


class VisionEncoder(nn.Module):
    """Turn normalised images [B, 3, R, R] into tokens [B, 1 + (R / 32)^2, 8 C], the first being the mean of the others."""

    def __init__(self, vision: VisionArchitecture) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(vision.width)
        self.layers = nn.ModuleList(Stage(vision, stage) for stage in range(len(vision.depths)))
        self.norm = nn.LayerNorm(vision.output_width, eps=EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patch_embed(images)
        for stage in self.layers:
            tokens = stage(tokens)
        tokens = self.norm(tokens)
        return torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)


def region_tokens(tokens: Tensor, *, image_of: Tensor, inside: Tensor) -> Tensor:
    """Return the tokens [N, 1 + P, C] of N regions: the mean over the patches inside the region, then all patches of its image.

    `tokens` [M, 1 + P, C] are the encoder's output, `image_of` [N] the image of each region, `inside` [N, P] is 1 for its patches (X-VLM,
    section 3.2: an object is the image seen through the mean of its patches).
    """
    patches = tokens[image_of, 1:]
    inside = inside.to(patches.dtype)
    mean = torch.einsum("np,npc->nc", inside, patches) / inside.sum(1, keepdim=True)
    return torch.cat([mean[:, None], patches], dim=1)


def cut(grid: Tensor, window: int) -> Tensor:
    """Cut a grid [B, side, side, C] into windows [B, (side / w)^2, w * w, C], row by row."""
    rows = grid.unflatten(1, (-1, window)).unflatten(3, (-1, window))
    return rows.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def unite(windows: Tensor, side: int) -> Tensor:
    """Lay windows [B, (side / w)^2, w * w, C] out as the grid [B, side, side, C] they were cut from."""
    window = int(windows.shape[2] ** 0.5)
    rows = windows.unflatten(1, (side // window, side // window)).unflatten(3, (window, window))
    return rows.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def relative_position_index(window: int) -> Tensor:
    """Return, for each pair of a window's tokens [w * w, w * w], the row of the bias table that holds their offset."""
    row, column = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    row, column = row.flatten(), column.flatten()
    rows_down = row[:, None] - row[None, :] + window - 1
    columns_right = column[:, None] - column[None, :] + window - 1
    return rows_down * (2 * window - 1) + columns_right


def shift_mask(side: int, window: int, shift: int) -> Tensor:
    """Return what keeps tokens apart that the shift wrapped around into one window, [(side / w)^2, w * w, w * w]."""
    band = torch.zeros(side, dtype=torch.long)
    band[side - window : side - shift] = 1
    band[side - shift :] = 2
    region = (3 * band[:, None] + band[None, :])[None, :, :, None]
    label = cut(region, window)[0, :, :, 0]
    return (label[:, :, None] != label[:, None, :]) * OTHER_REGION
