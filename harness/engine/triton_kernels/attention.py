"""Attention to keys and values of any layout, with any mask added to its scores."""

import triton
import triton.language as tl
from torch import Tensor


@triton.jit(do_not_specialize=["queries", "tokens"])
def _attention(
    query,
    key,
    value,
    mask,
    out,
    heads,
    queries,
    tokens,
    scale,
    query_image,
    query_head,
    query_token,
    key_image,
    key_head,
    key_token,
    value_image,
    value_head,
    value_token,
    mask_image,
    mask_head,
    mask_query,
    mask_token,
    MASKED: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    BLOCKS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Let some queries of one head attend to all its keys, a block at a time."""
    blocks = tl.cdiv(queries, ROWS)
    program = tl.program_id(0)
    head, image = (program // blocks) % heads, (program // (blocks * heads)).to(tl.int64)
    rows, columns = (program % blocks) * ROWS + tl.arange(0, ROWS), tl.arange(0, WIDTH)
    row_inside = rows[:, None] < queries
    query += image * query_image + head * query_head
    key += image * key_image + head * key_head
    value += image * value_image + head * value_head
    at = query + rows[:, None] * query_token + columns[None, :]
    numbers = tl.load(at, mask=row_inside, other=0.0)
    highest = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    attended = tl.zeros([ROWS, WIDTH], tl.float32)
    for block in range(0, BLOCKS):
        keys = block * KEYS + tl.arange(0, KEYS)
        inside = keys < tokens
        key_at = key + keys[:, None] * key_token + columns[None, :]
        some = tl.load(key_at, mask=inside[:, None], other=0.0)
        scores = tl.dot(numbers, tl.trans(some), input_precision=PRECISION) * scale
        if MASKED:
            mask_at = mask + image * mask_image + head * mask_head
            mask_at += rows[:, None] * mask_query + keys[None, :] * mask_token
            added = tl.load(mask_at, mask=row_inside & inside[None, :], other=0.0)
            scores += added.to(tl.float32)
        scores = tl.where(inside[None, :], scores, float("-inf"))
        top = tl.maximum(highest, tl.max(scores, 1))
        base = tl.where(top == float("-inf"), 0.0, top)  # all keys so far are masked
        weights, kept = tl.exp(scores - base[:, None]), tl.exp(highest - base)
        total = total * kept + tl.sum(weights, 1)
        value_at = value + keys[:, None] * value_token + columns[None, :]
        some = tl.load(value_at, mask=inside[:, None], other=0.0)
        attended = attended * kept[:, None] + tl.dot(
            weights.to(some.dtype), some, input_precision=PRECISION
        )
        highest = top
    attended = attended / total[:, None]
    out += image * queries * heads * WIDTH + head * WIDTH
    at = out + rows[:, None] * heads * WIDTH + columns[None, :]
    tl.store(at, attended.to(out.dtype.element_ty), mask=row_inside)


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, precision: str
) -> Tensor:
    """Attend with queries [B, heads, L, w] to keys and values [B, heads, S, w].

    `mask` broadcasts to [B, heads, L, S]. The result [B, heads, L, w] lies in memory as
    [B, L, heads, w].
    """
    images, heads, queries, width = query.shape
    tokens = key.shape[2]
    query, key, value = (
        part if part.stride(3) == 1 else part.contiguous() for part in (query, key, value)
    )
    strides: tuple[int, ...] = (0, 0, 0, 0)
    if mask is not None:
        mask = mask.expand(images, heads, queries, tokens)
        strides = mask.stride()
    out = query.new_empty(images, queries, heads, width)
    rows = 64 if queries > 32 else 32 if queries > 16 else 16
    keys = 32 if tokens > 16 else 16
    _attention[(images * heads * triton.cdiv(queries, rows),)](
        query,
        key,
        value,
        query if mask is None else mask,
        out,
        heads,
        queries,
        tokens,
        width**-0.5,
        *query.stride()[:3],
        *key.stride()[:3],
        *value.stride()[:3],
        *strides,
        MASKED=mask is not None,
        WIDTH=width,
        ROWS=rows,
        KEYS=keys,
        BLOCKS=triton.cdiv(tokens, keys),
        PRECISION=precision,
        num_warps=rows // 16,
        num_stages=2,
    )
    return out.transpose(1, 2)
