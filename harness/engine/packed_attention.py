"""Attention of packed texts without padding, by one kernel for texts of any lengths.

`harness.engine.packing` pads segments of unequal lengths for each attention. Within
`packed_attention(True)` it cuts them into `Tiles` instead: a few queries of one segment, and the
range of its keys. A Triton kernel computes a tile for each head. `attend_tiles` also states it as
operations of torch, with which the kernel is compared before it is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.engine.kernels import TF32_TOLERANCE, Trial, are_right, fp32_precision, kernels
from harness.engine.switch import Switch
from harness.files.environment import is_on

PACKED_ATTENTION = "XVLM_EVAL_PACKED_ATTENTION"
ROWS = (16, 32, 64)  # queries of a tile that tensor cores take

# Within `packed_attention(True)`, packed texts are cut into tiles for the kernel, else padded.
packed_attention = Switch()


def choose_packed_attention(device: torch.device, dtype: str) -> bool:
    """Return whether a run in `dtype` attends by the kernel: on a GPU, where it is asked for.

    Never in full float32, which tensor cores do not multiply. Raises UsageError for an unknown
    setting.
    """
    wanted = is_on(PACKED_ATTENTION) and dtype != "float32"
    return wanted and device.type == "cuda" and packed_attention_is_usable(device)


@dataclass(frozen=True)
class Tiles:
    """The queries of segments in tiles of at most `rows`, for the kernel.

    A row of `table` [P, 4] (int32) holds a tile's first query and the end of its segment's queries.
    The begin and end of the keys among all tokens follow, `most_keys` or fewer; or, where that is
    None, the row of the keys [B, heads, S, w], and 0. Query r is the token `order[r]`; None where
    these are the same.
    """

    table: Tensor
    order: Tensor | None
    rows: int
    most_keys: int | None


def cut_by_text(queries: Tensor, keys: Tensor) -> Tiles:
    """Cut the queries of texts, as many as `queries` [n], that attend to their text's `keys` [n].

    Both are counts on the host; texts lie end to end.
    """
    end = keys.cumsum(0)
    return _cut(queries, end - keys, end, order=None, most_keys=int(keys.max()))


def cut_by_row(row: Tensor | None, count: int) -> Tiles:
    """Cut `count` queries by the `row` [count] of the keys to which they attend, 0 .. G - 1.

    On the host; None stands for row 0 alone.
    """
    if row is None:
        counts, order = torch.tensor([count]), None
    else:
        sorted_rows, order = row.sort(stable=True)
        counts = row.bincount()
        order = None if torch.equal(sorted_rows, row) else order.int()
    rows = torch.arange(len(counts))
    return _cut(counts, rows, torch.zeros_like(rows), order=order, most_keys=None)


def _cut(
    counts: Tensor, begin: Tensor, end: Tensor, *, order: Tensor | None, most_keys: int | None
) -> Tiles:
    """Cut segments of `counts` [n] queries into tiles that suit their mean length."""
    mean = float(counts.float().mean())
    rows = next((size for size in ROWS if mean <= 1.5 * size), ROWS[-1])
    tiles = (counts + rows - 1) // rows
    segment = torch.arange(len(counts)).repeat_interleave(tiles)
    number = torch.arange(len(segment)) - (tiles.cumsum(0) - tiles)[segment]
    query_end = counts.cumsum(0)
    first = (query_end - counts)[segment] + rows * number
    table = torch.stack([first, query_end[segment], begin[segment], end[segment]], dim=1)
    return Tiles(table.int(), order, rows, most_keys)


def attend_tiles(
    query: Tensor, tiles: Tiles, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return the context [N, d] of projected queries [N, d], given keys and values on a GPU.

    These are [B, heads, S, w]; `mask` [B or 1, 1, 1, S] is added to the scores.
    """
    if query.device.type == "cpu":
        return attend_tiles_by_torch(query, tiles, keys, values, mask)
    return _attend_by_kernel(query, tiles, keys, values, mask, fp32_precision())


def attend_tiles_by_torch(
    query: Tensor, tiles: Tiles, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return what `attend_tiles` returns, computed by torch tile by tile."""
    heads = keys.shape[1]
    order = torch.arange(len(query), device=query.device) if tiles.order is None else tiles.order
    context = torch.empty_like(query)
    for first, end, begin, last in tiles.table.tolist():
        tokens = order[first : min(end, first + tiles.rows)]
        row, some = (begin, slice(None)) if tiles.most_keys is None else (0, slice(begin, last))
        attended = F.scaled_dot_product_attention(
            query[tokens].unflatten(-1, (heads, -1)).transpose(0, 1)[None],
            keys[row : row + 1, :, some],
            values[row : row + 1, :, some],
            attn_mask=None if mask is None else mask[row if len(mask) > 1 else 0][None],
        )
        context[tokens] = attended[0].transpose(0, 1).flatten(1)
    return context


def _attend_by_kernel(
    query: Tensor, tiles: Tiles, keys: Tensor, values: Tensor, mask: Tensor | None, precision: str
) -> Tensor:
    context: Tensor = kernels().packed_attention(
        query,
        keys,
        values,
        mask,
        precision,
        table=tiles.table,
        order=tiles.order,
        rows=tiles.rows,
        most_keys=tiles.most_keys,
    )
    return context


@cache
def packed_attention_is_usable(device: torch.device) -> bool:
    """Whether the kernel compiles for a device, and is right; warns where it is not."""
    return are_right(device, _trials, otherwise="no packed attention, padded texts instead")


def _trials(device: torch.device) -> Iterator[Trial]:
    """Yield the name, result, expected result and tolerance of each use, at a real width."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.tensor([1, 5, 12, 40])
    states = torch.randn(3, int(lengths.sum()), 4 * 64, generator=rng).to(device)
    query, key, value = states
    key, value = (part.unflatten(-1, (4, -1)).transpose(0, 1)[None] for part in (key, value))
    row = torch.tensor([1, 0]).repeat(len(query) // 2)
    mask = torch.zeros(2, 1, 1, 20, device=device)
    mask[1, ..., 15:] = -torch.inf
    of_texts, by_row = cut_by_text(lengths, lengths), cut_by_row(row, len(query))
    of_images = [part[0, :, :40].unflatten(1, (2, 20)).transpose(0, 1) for part in (key, value)]
    trials: list[tuple[str, Tiles, list[Tensor], Tensor | None]] = [
        ("tokens attended in texts", of_texts, [key, value], None),
        ("tokens attended in images", by_row, of_images, mask),
    ]
    for name, tiles, (keys, values), added in trials:
        order = None if tiles.order is None else tiles.order.to(device)
        on_device = replace(tiles, table=tiles.table.to(device), order=order)
        expected = attend_tiles_by_torch(query, on_device, keys, values, added)
        result = _attend_by_kernel(query, on_device, keys, values, added, "tf32")
        yield name, result, expected, TF32_TOLERANCE
