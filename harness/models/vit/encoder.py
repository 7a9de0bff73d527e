"""The vision transformer of ALBEF and BLIP: patches behind a [CLS] token, pre-LayerNorm blocks.

Dosovitskiy et al. (arXiv 2010.11929), as in both projects' `models/vit.py`. Parameter names are
those of the released checkpoints.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.engine.matmul import scaled_dot_product_attention
from harness.models.vit.architecture import VisionArchitecture

EPSILON = 1e-6


class PatchEmbed(nn.Module):
    """Turn images [B, 3, R, R] into patches [B, (R / P)^2, D], row by row."""

    def __init__(self, vision: VisionArchitecture) -> None:
        super().__init__()
        patch = vision.patch
        self.proj = nn.Conv2d(3, vision.width, kernel_size=patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention of all tokens of an image."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.project(tokens)
        return self.output(scaled_dot_product_attention(query, key, value))

    def project(self, tokens: Tensor) -> Tensor:
        """Return queries, keys and values of tokens [B, S, D], [3, B, heads, S, D / heads]."""
        return self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def output(self, context: Tensor) -> Tensor:
        """Join the heads of [B, heads, S, D / heads], and project."""
        return self.proj(context.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """The feed-forward block."""

    def __init__(self, width: int, inner_width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner_width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(inner_width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(tokens)))


class Block(nn.Module):
    """A transformer block on tokens [B, S, D]."""

    def __init__(self, vision: VisionArchitecture) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(vision.width, eps=EPSILON)
        self.attn = Attention(vision.width, vision.heads)
        self.norm2 = nn.LayerNorm(vision.width, eps=EPSILON)
        self.mlp = Mlp(vision.width, vision.inner_width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.feed_forward(tokens + self.attn(self.norm1(tokens)))

    def feed_forward(self, tokens: Tensor) -> Tensor:
        """Transform each token alone."""
        return tokens + self.mlp(self.norm2(tokens))


class VisionTransformer(nn.Module):
    """Turn normalised images [B, 3, R, R] into tokens [B, 1 + (R / P)^2, D], [CLS] first."""

    def __init__(self, vision: VisionArchitecture) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, vision.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, vision.tokens, vision.width))
        self.patch_embed = PatchEmbed(vision)
        self.blocks = nn.ModuleList(Block(vision) for _ in range(vision.depth))
        self.norm = nn.LayerNorm(vision.width, eps=EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def embed(self, images: Tensor) -> Tensor:
        """Return the input of the first block."""
        patches = self.patch_embed(images).float()  # residuals stay in float32 under autocast
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return tokens + self.pos_embed


def interpolate_positions(table: Tensor, side: int) -> Tensor:
    """Return a position table [1, 1 + S0 * S0, D] for `side` patches a side, as at loading.

    The row of [CLS] stays. (`interpolate_pos_embed` of both projects.)
    """
    old = math.isqrt(table.shape[1] - 1)
    if old == side:
        return table
    grid = table[:, 1:].unflatten(1, (old, old)).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([table[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
