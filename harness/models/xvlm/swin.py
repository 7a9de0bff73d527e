"""The vision encoder: a Swin transformer whose output starts with the mean of its tokens.

Liu et al., "Swin Transformer" (arXiv 2103.14030), as X-VLM uses it (arXiv 2111.08276, section 3.1). Parameter names are those of the
released checkpoints. Positions, windows and masks follow from the sizes, so the buffers that a released file carries are never loaded.
"""

import torch
from torch import Tensor, nn

from harness.engine.chunks import chunk_sizes_of
from harness.engine.matmul import Linear, aligned, attend
from harness.engine.memory import release_freed_memory
from harness.models.xvlm.architecture import PATCH, VisionArchitecture

EPSILON = 1e-5
MLP_RATIO = 4
IN_CACHE = (
    2304 * 128
)  # numbers that pass through a block at a time on a CPU: faster than all at once, and in a fraction of the memory
OTHER_REGION = (
    -100.0
)  # added to the score of two tokens that only the cyclic shift made neighbours (Swin, section 3.2)


class PatchEmbedding(nn.Module):
    """Turn images [B, 3, R, R] into tokens [B, (R / 4)^2, C]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.proj(images).flatten(2).transpose(1, 2))


class WindowAttention(nn.Module):
    """Let the tokens of each window attend to one another, biased by their relative positions."""

    relative_position_index: Tensor
    apart: Tensor | None

    def __init__(self, width: int, *, window: int, heads: int, apart: Tensor | None) -> None:
        """Keep what to add to the scores of tokens that are no neighbours, `apart` [W, w * w, w * w], if there are such."""
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer(
            "relative_position_index", relative_position_index(window), persistent=False
        )
        self.register_buffer("apart", apart, persistent=False)
        self._settled: Tensor | None = None

    def forward(self, tokens: Tensor, before: Tensor, windows: slice) -> Tensor:
        """Take the tokens of some `windows`, [B, W' * w * w, C], and return what they find, added to `before` of the same shape."""
        side = len(self.relative_position_index)
        parts = (
            self.qkv(tokens).unflatten(1, (-1, side)).unflatten(-1, (3, self.heads, -1))
        )  # [B, W, w * w, 3, heads, C / heads]
        parts = parts.permute(3, 0, 1, 4, 2, 5)
        # Where all windows have the same bias, every one is as an image of its own; otherwise as a head: the bias is that of all images.
        query, key, value = parts.flatten(1, 2) if self.apart is None else parts.flatten(2, 3)
        attended = attend(query, key, value, self._bias(query.dtype, windows))
        return self.proj.added(
            attended.reshape(parts.shape[1:]).transpose(2, 3).flatten(3).flatten(1, 2), before
        )

    def settle(self, dtype: torch.dtype) -> None:
        """Make once what follows from the weights."""
        self._settled = self._all_biases(dtype)

    def _bias(self, dtype: torch.dtype, windows: slice) -> Tensor:
        """Return what is added to the scores, [1, heads, w * w, w * w], or with W' times as many heads where windows differ."""
        biases = self._all_biases(dtype) if self._settled is None else self._settled
        return biases[windows if self.apart is not None else slice(None)].flatten(0, 1)[None]

    def _all_biases(self, dtype: torch.dtype) -> Tensor:
        """Return the biases of all windows [W, heads, w * w, w * w], or [1, heads, w * w, w * w] where they are the same."""
        biases = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)[
            None
        ]
        biases = biases if self.apart is None else biases + self.apart[:, None]
        return aligned(biases.to(dtype))


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, MLP_RATIO * width)
        self.fc2 = Linear(MLP_RATIO * width, width)

    def forward(self, tokens: Tensor, before: Tensor) -> Tensor:
        """Return what is made of tokens, added to `before` of the same shape."""
        return self.fc2.added(self.fc1.activated(tokens), before)


class Block(nn.Module):
    """One layer of attention within windows and an MLP, on tokens [B, side * side, C] in the order of its windows."""

    turn: Tensor | None

    def __init__(
        self, width: int, *, side: int, window: int, heads: int, shift: int, before: Tensor
    ) -> None:
        """`shift` moves the windows' grid; `before` is the order in which the tokens come."""
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = WindowAttention(
            width,
            window=window,
            heads=heads,
            apart=shift_mask(side, window, shift) if shift else None,
        )
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = Mlp(width)
        self.places = window * window
        self.order = window_order(side, window, shift)
        self.register_buffer("turn", reordering(before, self.order), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens in the order of this block's windows. On a CPU, some windows at a time pass through all of it."""
        tokens = tokens if self.turn is None else tokens.index_select(1, self.turn)
        windows = tokens.shape[1] // self.places
        step = (
            windows
            if tokens.device.type != "cpu"
            else max(1, IN_CACHE // max(1, tokens.numel() // windows))
        )
        if step >= windows:
            return self._pass(tokens, slice(windows))
        passed = torch.empty_like(tokens)
        for first in range(0, windows, step):
            some, places = (
                slice(first, first + step),
                slice(first * self.places, (first + step) * self.places),
            )
            passed[:, places] = self._pass(tokens[:, places], some)
        return passed

    def _pass(self, tokens: Tensor, windows: slice) -> Tensor:
        tokens = self.attn(self.norm1(tokens), tokens, windows)
        return self.mlp(self.norm2(tokens), tokens)


class PatchMerging(nn.Module):
    """Halve the grid: concatenate 2 x 2 neighbours and project, [B, N, C] to [B, N / 4, 2 C]."""

    neighbours: Tensor

    def __init__(self, width: int, *, side: int, before: Tensor, after: Tensor) -> None:
        """`before` is the order in which tokens come, `after` that in which those of the next stage leave."""
        super().__init__()
        self.norm = nn.LayerNorm(4 * width, eps=EPSILON)
        self.reduction = Linear(4 * width, 2 * width, bias=False)
        # The neighbours' order, (row, column) = (0, 0) (1, 0) (0, 1) (1, 1), is baked into the released weights.
        quads = (
            torch.arange(side * side, device="cpu")
            .view(side // 2, 2, side // 2, 2)
            .permute(0, 2, 3, 1)
            .reshape(-1, 4)
        )
        self.register_buffer(
            "neighbours", torch.argsort(before)[quads[after]].flatten(), persistent=False
        )

    def forward(self, tokens: Tensor) -> Tensor:
        quads = tokens.index_select(1, self.neighbours).unflatten(1, (-1, 4)).flatten(2)
        return self.reduction(self.norm(quads)).float()


class Stage(nn.Module):
    """The blocks of one resolution, and the merging into the next (none after the last). Tokens come in the order of unmoved windows."""

    def __init__(self, vision: VisionArchitecture, stage: int) -> None:
        super().__init__()
        width, side, window = (
            vision.width * 2**stage,
            vision.stage_side(stage),
            vision.stage_window(stage),
        )
        shift = window // 2 if side > window else 0
        blocks: list[Block] = []
        for number in range(vision.depths[stage]):
            before = blocks[-1].order if blocks else window_order(side, window, 0)
            moved = shift if number % 2 else 0
            blocks.append(
                Block(
                    width,
                    side=side,
                    window=window,
                    heads=vision.heads[stage],
                    shift=moved,
                    before=before,
                )
            )
        self.blocks = nn.ModuleList(blocks)
        self.order = blocks[-1].order
        self.downsample = None
        if stage + 1 < len(vision.depths):
            after = window_order(side // 2, vision.stage_window(stage + 1), 0)
            self.downsample = PatchMerging(width, side=side, before=self.order, after=after)

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens)
        return tokens if self.downsample is None else self.downsample(tokens)


class VisionEncoder(nn.Module):
    """Turn normalised images [B, 3, R, R] into tokens [B, 1 + (R / 32)^2, 8 C], the first being the mean of the others.

    Between the stages, tokens stand in the order of the windows: cutting a grid into windows and moving it are one gather, made once.
    """

    begin: Tensor
    end: Tensor | None

    def __init__(self, vision: VisionArchitecture) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(vision.width)
        self.layers = nn.ModuleList(Stage(vision, stage) for stage in range(len(vision.depths)))
        self.norm = nn.LayerNorm(vision.output_width, eps=EPSILON)
        last = self.layers[-1]
        assert isinstance(last, Stage)
        self.register_buffer(
            "begin", window_order(vision.stage_side(0), vision.stage_window(0), 0), persistent=False
        )
        self.register_buffer(
            "end", reordering(last.order, last.order.sort().values), persistent=False
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encode some images at a time, as many as fill the device."""
        step = max(1, chunk_sizes_of(images.device).image_patches // len(self.begin))
        tokens = torch.cat([self._encode(some) for some in images.split(step)])
        if images.device.type == "cpu" and torch.is_inference_mode_enabled():
            release_freed_memory()  # what encoding took is of other sizes than what comes after it
        return tokens

    def _encode(self, images: Tensor) -> Tensor:
        tokens = (
            self.patch_embed(images).float().index_select(1, self.begin)
        )  # under autocast, too: sums stay in float32
        for stage in self.layers:
            tokens = stage(tokens)
        tokens = self.norm(tokens)
        tokens = tokens if self.end is None else tokens.index_select(1, self.end)
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


def window_order(side: int, window: int, shift: int) -> Tensor:
    """Return which token of a grid [side, side], by its place row after row, stands where when the windows are read one after another.

    The grid is moved up and left by `shift` first, around the border (Swin, section 3.2).
    """
    grid = torch.arange(side * side, device="cpu").view(side, side).roll((-shift, -shift), (0, 1))
    return grid.view(side // window, window, side // window, window).transpose(1, 2).flatten()


def reordering(before: Tensor, after: Tensor) -> Tensor | None:
    """Return the places from which tokens are taken to change their order, None where nothing changes."""
    return None if torch.equal(before, after) else torch.argsort(before)[after]


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
    region = (3 * band[:, None] + band[None, :]).flatten()
    label = region[window_order(side, window, 0)].view(-1, window * window)
    return (label[:, :, None] != label[:, None, :]) * OTHER_REGION
