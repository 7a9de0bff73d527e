"""Attention over packed rows: queries cut into tiles, each with its own range of keys."""

import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _packed_attention(
    query,
    key,
    value,
    mask,
    out,
    table,
    order,
    heads,
    tokens,
    scale,
    key_row,
    key_head,
    key_token,
    value_row,
    value_head,
    value_token,
    mask_row,
    mask_token,
    ORDERED: tl.constexpr,
    PACKED_KEYS: tl.constexpr,
    MASKED: tl.constexpr,
    WIDTH: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    BLOCKS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Let the queries of one tile and head attend to all keys of the tile, a block at a time."""
    program = tl.program_id(0)
    head, tile = program % heads, program // heads
    first, end = tl.load(table + 4 * tile), tl.load(table + 4 * tile + 1)
    row, last = tl.load(table + 4 * tile + 2), tl.load(table + 4 * tile + 3)
    rows, columns = first + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    inside, within = rows < end, (columns < WIDTH)[None, :]
    queries = tl.load(order + rows, mask=inside, other=0) if ORDERED else rows
    at = queries.to(tl.int64)[:, None] * heads * WIDTH + head * WIDTH + columns[None, :]
    numbers = tl.load(query + at, mask=inside[:, None] & within, other=0.0)
    if PACKED_KEYS:
        begin, count = row, last - row
        key += begin.to(tl.int64) * key_token + head * key_head
        value += begin.to(tl.int64) * value_token + head * value_head
    else:
        count = tokens
        key += row.to(tl.int64) * key_row + head * key_head
        value += row.to(tl.int64) * value_row + head * value_head
        mask += row.to(tl.int64) * mask_row
    highest = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    attended = tl.zeros([ROWS, COLUMNS], tl.float32)
    for block in range(0, BLOCKS):
        keys = block * KEYS + tl.arange(0, KEYS)
        there = keys < count
        present = there[:, None] & within
        some = tl.load(key + keys[:, None] * key_token + columns[None, :], mask=present, other=0.0)
        scores = tl.dot(numbers, tl.trans(some), input_precision=PRECISION) * scale
        if MASKED:
            added = tl.load(mask + keys * mask_token, mask=there, other=0.0)
            scores += added.to(tl.float32)[None, :]
        scores = tl.where(there[None, :], scores, float("-inf"))
        top = tl.maximum(highest, tl.max(scores, 1))
        base = tl.where(top == float("-inf"), 0.0, top)  # all keys so far are masked
        weights, kept = tl.exp(scores - base[:, None]), tl.exp(highest - base)
        total = total * kept + tl.sum(weights, 1)
        value_at = value + keys[:, None] * value_token + columns[None, :]
        some = tl.load(value_at, mask=present, other=0.0)
        attended = attended * kept[:, None] + tl.dot(
            weights.to(some.dtype), some, input_precision=PRECISION
        )
        highest = top
    attended = attended / total[:, None]
    tl.store(out + at, attended.to(out.dtype.element_ty), mask=inside[:, None] & within)


def packed_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    precision: str,
    *,
    table: Tensor,
    order: Tensor | None,
    rows: int,
    most_keys: int | None,
) -> Tensor:
    """Attend with packed queries [N, heads * w] to keys and values [B, heads, S, w].

    The tile `table[i]` [4] (int32) holds the first query of at most `rows`, and the end of the
    queries; then the begin and end of its keys, `most_keys` or fewer of row 0; or, where that is
    None, the row of its keys, and 0. Query r is row `order[r]` of `query`. `mask` [B or 1, 1, 1, S]
    is added to the scores where a tile has a whole row of keys.
    """
    heads, tokens, width = key.shape[1:]
    key, value = (part if part.stride(3) == 1 else part.contiguous() for part in (key, value))
    query = query.contiguous()
    out = query.new_empty(query.shape)
    longest = tokens if most_keys is None else most_keys
    keys = 32 if longest > 16 and rows > 16 else 16
    mask_row = 0 if mask is None or len(mask) == 1 else mask.stride(0)
    _packed_attention[(len(table) * heads,)](
        query,
        key,
        value,
        query if mask is None else mask,
        out,
        table,
        table if order is None else order,
        heads,
        tokens,
        width**-0.5,
        *key.stride()[:3],
        *value.stride()[:3],
        mask_row,
        0 if mask is None else mask.stride(3),
        ORDERED=order is not None,
        PACKED_KEYS=most_keys is not None,
        MASKED=mask is not None,
        WIDTH=width,
        COLUMNS=max(16, triton.next_power_of_2(width)),
        ROWS=rows,
        KEYS=keys,
        BLOCKS=triton.cdiv(longest, keys),
        PRECISION=precision,
        num_warps=max(1, rows // 16),
        num_stages=2,
    )
    return out
