"""The vision encoder: a Swin transformer whose output starts with the mean of its tokens.

Liu et al., "Swin Transformer" (arXiv 2103.14030), as X-VLM uses it (arXiv 2111.08276, section 3.1).
Parameter names are those of the released checkpoints. Window indices, relative positions and shift
masks are computed from the sizes (`windows.py`); the buffers that a released file carries are never
loaded.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from harness.engine.fused import add_norm, gather_norm, scatter_sum, window_attention
from harness.engine.memory import release_freed_memory
from harness.models.xvlm.architecture import PATCH, VisionArchitecture
from harness.models.xvlm.windows import (
    bias_of_rows,
    bias_rows,
    relative_position_index,
    shift_mask,
    window_partition,
)

EPSILON = 1e-5
MLP_RATIO = 4

# A CPU runs a block on a few windows at a time: on as many values as fit into its caches, but on at
# least this many tokens, since it reads the weights of a wide block anew each time.
VALUES_IN_CACHE = 1152 * 128
MIN_TOKENS = 576

# Bytes of tokens above which the memory that a stage has freed is returned to the system. After
# each block, this would save 10 MB more, and cost 3 % of the time of an image.
RELEASED_ABOVE = 2**21


class PatchEmbed(nn.Module):
    """Turn images [B, 3, R, R] into tokens [B, (R / 4)^2, C], row by row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.proj(images).flatten(2).transpose(1, 2))


class WindowAttention(nn.Module):
    """Multi-head self-attention within windows of N = w * w tokens, with relative position bias.

    `mask` [W, N, N] separates the regions of shifted windows (SW-MSA); None without a shift.
    """

    relative_position_index: Tensor
    attn_mask: Tensor | None

    def __init__(self, width: int, *, window: int, heads: int, mask: Tensor | None) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        index = relative_position_index(window)
        self.register_buffer("relative_position_index", index, persistent=False)
        self.register_buffer("attn_mask", mask, persistent=False)
        self._window = window
        # Set by `prepack`: on a GPU the bias with its mask; on a CPU the `bias_rows`, the runs of
        # consecutive windows that share a mask, and one mask per run (without runs, per window).
        self._bias: Tensor | None = None
        self._rows: Tensor | None = None
        self.runs: list[slice] = []
        self._masks: Tensor | None = None

    def forward(self, tokens: Tensor, windows: slice, bias: Tensor) -> Tensor:
        """Attend within some of the windows, given their tokens [B, W', N, C].

        The windows belong to one run if there are runs. `bias` is that of `window_bias`.
        """
        if self._masks is not None:
            bias = bias + self._masks[self._masks_of(windows), None]
        elif len(bias) > 1:
            bias = bias[windows]
        return self.proj(window_attention(self.qkv(tokens), bias, heads=self.heads))

    def window_bias(self) -> Tensor:
        """Return the bias to add to the scores, [W, heads, N, N]; W is 1 if all windows share it.

        Prepacked on a CPU, it excludes the masks.
        """
        if self._rows is not None:
            return bias_of_rows(self._rows)
        return self.attention_bias() if self._bias is None else self._bias

    def attention_bias(self) -> Tensor:
        """Return the relative position bias plus the mask, [W, heads, N, N]; W is 1 without one."""
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        return bias[None] if self.attn_mask is None else bias + self.attn_mask[:, None]

    def prepack(self, dtype: torch.dtype) -> None:
        """Store the bias, which depends on the weights only; on a CPU its rows, without the masks.

        A CPU expands the rows and adds the masks when it computes the windows: at 480 px, the
        biases of all blocks would take 70 MB, their sums with the masks 100 MB.
        """
        mask = self.attn_mask
        table = self.relative_position_bias_table
        if mask is not None and mask.device.type == "cpu":
            masks, counts = mask.unique_consecutive(dim=0, return_counts=True)
            if len(masks) < len(mask):
                ends = counts.cumsum(0).tolist()
                self.runs = [slice(*bounds) for bounds in pairwise([0, *ends])]
            self._masks, self.attn_mask = masks, None
            dtype = torch.float32  # only the sum is rounded to 16 bits
        if table.device.type == "cpu":
            self._rows = bias_rows(table.to(dtype), self._window)
            return
        self._bias = self.attention_bias().to(dtype).contiguous()

    def _masks_of(self, windows: slice) -> slice:
        """Return the indices of the masks of some windows: one of their run, or one per window."""
        for number, run in enumerate(self.runs):
            if windows.start < run.stop:
                return slice(number, number + 1)
        return windows


class Mlp(nn.Module):
    """The feed-forward block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(tokens)))


class Block(nn.Module):
    """A Swin transformer block: (S)W-MSA and MLP, on the tokens of a grid, [B, side * side, C].

    `windows` [W, N] holds the tokens of each window, after the cyclic shift.
    """

    windows: Tensor

    def __init__(self, width: int, *, side: int, window: int, heads: int, shift: int) -> None:
        super().__init__()
        mask = shift_mask(side, window, shift) if shift else None
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = WindowAttention(width, window=window, heads=heads, mask=mask)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = Mlp(width)
        self.register_buffer("windows", window_partition(side, window, shift), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Partition the grid into windows, run the block on each, and reverse the partition.

        Works in place: returns `tokens`, whose windows have been overwritten with the output.
        """
        bias = self.attn.window_bias()
        for windows in self._chunks(tokens):
            index = self.windows[windows].flatten()
            some, normed = gather_norm(tokens, index, self.norm1)
            attended = self.attn(normed.unflatten(1, (-1, self.windows.shape[1])), windows, bias)
            some, normed = add_norm(some, attended.flatten(1, 2), self.norm2)
            scatter_sum(tokens, index, some, self.mlp(normed))
        return tokens

    def prepack(self, dtype: torch.dtype) -> None:
        """Sort the windows by their masks on a CPU, which computes a few windows at a time.

        Most windows of a large grid have an empty mask: they share one bias, which stays in the
        caches.
        """
        mask = self.attn.attn_mask
        if mask is not None and mask.device.type == "cpu":
            kind = mask.unique(dim=0, return_inverse=True)[1]
            if int(kind.max()) + 1 < len(mask):
                order = kind.argsort(stable=True)
                self.windows, self.attn.attn_mask = self.windows[order], mask[order]

    def _chunks(self, tokens: Tensor) -> Iterator[slice]:
        """Yield the windows to compute at a time: all of them, or on a CPU a few of one run."""
        count = len(self.windows)
        step = count
        if tokens.device.type == "cpu":
            tokens_per_window = max(1, tokens.numel() // (count * tokens.shape[-1]))
            fitting = VALUES_IN_CACHE // (tokens_per_window * tokens.shape[-1])
            step = max(1, fitting, MIN_TOKENS // tokens_per_window)
        return (
            slice(first, min(first + step, run.stop))
            for run in self.attn.runs or [slice(0, count)]
            for first in range(run.start, run.stop, step)
        )


class PatchMerging(nn.Module):
    """Halve the grid: concatenate 2 x 2 neighbours and project, [B, N, C] to [B, N / 4, 2 C]."""

    def __init__(self, width: int, *, side: int) -> None:
        super().__init__()
        self.side = side
        self.norm = nn.LayerNorm(4 * width, eps=EPSILON)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        half = self.side // 2
        grid = tokens.unflatten(1, (half, 2, half, 2))  # [B, row, row in 2, column, column in 2, C]
        # The order (row, column) = (0, 0) (1, 0) (0, 1) (1, 1) is part of the released weights.
        quads = grid.permute(0, 1, 3, 4, 2, 5).flatten(3).flatten(1, 2)
        return self.reduction(self.norm(quads)).float()


class Stage(nn.Module):
    """The blocks of one resolution, in turn W-MSA and SW-MSA, and the patch merging after it."""

    def __init__(self, vision: VisionArchitecture, stage: int) -> None:
        super().__init__()
        width, side = vision.width * 2**stage, vision.stage_side(stage)
        window, heads = vision.stage_window(stage), vision.heads[stage]
        shift = window // 2 if side > window else 0
        self.blocks = nn.ModuleList(
            Block(width, side=side, window=window, heads=heads, shift=shift if number % 2 else 0)
            for number in range(vision.depths[stage])
        )
        last = stage + 1 == len(vision.depths)
        self.downsample = None if last else PatchMerging(width, side=side)

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens)
        if tokens.device.type == "cpu" and tokens.nbytes > RELEASED_ABOVE:
            release_freed_memory()
        return tokens if self.downsample is None else self.downsample(tokens)


class VisionEncoder(nn.Module):
    """Turn normalised images [B, 3, R, R] into tokens [B, 1 + (R / 32)^2, 8 C].

    The first token is the mean of the others, which are in the order of the grid.
    """

    def __init__(self, vision: VisionArchitecture) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(vision.width)
        self.layers = nn.ModuleList(Stage(vision, stage) for stage in range(len(vision.depths)))
        self.norm = nn.LayerNorm(vision.output_width, eps=EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patch_embed(images).float()  # residuals stay in float32 under autocast
        for stage in self.layers:
            tokens = stage(tokens)
        tokens = self.norm(tokens)
        return torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)
