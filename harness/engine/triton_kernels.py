"""The kernels behind `fused`, in Triton: each reads its inputs once and writes its result once.

Imported only where they are used. `TRITON_INTERPRET=1` runs them on a CPU, slowly, for the tests.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROW_NUMBERS = 4096  # numbers of a block of rows that one program normalises


@triton.jit
def _window_attention(
    qkv,
    bias,
    out,
    heads,
    biases,
    scale,
    TOKENS: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Let some queries of one head of one window attend to all its keys, a block at a time."""
    blocks: tl.constexpr = (TOKENS + ROWS - 1) // ROWS
    program = tl.program_id(0)
    head = (program // blocks) % heads
    window = (program // (blocks * heads)).to(tl.int64)
    stride = 3 * heads * WIDTH
    rows, columns = (program % blocks) * ROWS + tl.arange(0, ROWS), tl.arange(0, WIDTH)
    row_inside = rows[:, None] < TOKENS
    first = qkv + window * TOKENS * stride + head * WIDTH
    query = tl.load(first + rows[:, None] * stride + columns[None, :], mask=row_inside, other=0.0)
    bias += ((window % biases) * heads + head) * TOKENS * TOKENS + rows[:, None] * TOKENS
    highest = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    attended = tl.zeros([ROWS, WIDTH], tl.float32)
    for begin in range(0, TOKENS, KEYS):
        keys = begin + tl.arange(0, KEYS)
        inside = keys < TOKENS
        at = first + keys[:, None] * stride + columns[None, :]
        key = tl.load(at + heads * WIDTH, mask=inside[:, None], other=0.0)
        value = tl.load(at + 2 * heads * WIDTH, mask=inside[:, None], other=0.0)
        added = tl.load(bias + keys[None, :], mask=row_inside & inside[None, :], other=0.0)
        scores = tl.dot(query, tl.trans(key), input_precision=PRECISION) * scale + added
        scores = tl.where(inside[None, :], scores, float("-inf"))
        top = tl.maximum(highest, tl.max(scores, 1))
        weights, kept = tl.exp(scores - top[:, None]), tl.exp(highest - top)
        total = total * kept + tl.sum(weights, 1)
        attended = attended * kept[:, None] + tl.dot(
            weights.to(value.dtype), value, input_precision=PRECISION
        )
        highest = top
    attended = attended / total[:, None]
    out += window * TOKENS * heads * WIDTH + head * WIDTH
    at = out + rows[:, None] * heads * WIDTH + columns[None, :]
    tl.store(at, attended.to(out.dtype.element_ty), mask=row_inside)


def window_attention(
    qkv: Tensor,
    bias: Tensor,
    heads: int,
    precision: str,
    *,
    rows: int = 64,
    keys: int = 32,
    warps: int = 4,
    stages: int = 2,
) -> Tensor:
    """Attend within windows: qkv [B, W, N, 3 C] and bias [W or 1, heads, N, N] to [B, W, N, C]."""
    images, windows, tokens, width = qkv.shape
    out = qkv.new_empty(images, windows, tokens, width // 3)
    head_width = width // 3 // heads
    _window_attention[(images * windows * heads * triton.cdiv(tokens, rows),)](
        qkv.contiguous(),
        bias.contiguous(),
        out,
        heads,
        len(bias),
        head_width**-0.5,
        TOKENS=tokens,
        WIDTH=head_width,
        ROWS=rows,
        KEYS=keys,
        PRECISION=precision,
        num_warps=warps,
        num_stages=stages,
    )
    return out


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


@triton.jit
def _rows(
    states,
    update,
    index,
    weight,
    shift,
    total,
    normed,
    count,
    indexed,
    tokens,
    epsilon,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
    GATHER: tl.constexpr,
    UPDATE: tl.constexpr,
    STORE: tl.constexpr,
    SCATTER: tl.constexpr,
    NORM: tl.constexpr,
):
    """Gather rows, add an update, store (or scatter) the sums, and normalise them."""
    rows = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = (rows < count)[:, None] & (columns < WIDTH)[None, :]
    straight = rows[:, None] * WIDTH + columns[None, :]
    if GATHER or SCATTER:
        place = tl.load(index + rows % indexed, mask=rows < count, other=0)
        moved = (rows // indexed * tokens + place)[:, None] * WIDTH + columns[None, :]
    else:
        moved = straight
    numbers = tl.load(states + (moved if GATHER else straight), mask=inside, other=0.0)
    numbers = numbers.to(tl.float32)
    if UPDATE:
        numbers += tl.load(update + straight, mask=inside, other=0.0).to(tl.float32)
    if STORE:
        tl.store(total + (moved if SCATTER else straight), numbers, mask=inside)
    if NORM:
        mean = tl.sum(numbers, 1) / WIDTH
        centred = tl.where(inside, numbers - mean[:, None], 0.0)
        variance = tl.sum(centred * centred, 1) / WIDTH
        scaled = centred * tl.rsqrt(variance + epsilon)[:, None]
        gain = tl.load(weight + columns, mask=columns < WIDTH, other=0.0)
        offset = tl.load(shift + columns, mask=columns < WIDTH, other=0.0)
        scaled = scaled * gain[None, :] + offset[None, :]
        tl.store(normed + straight, scaled.to(normed.dtype.element_ty), mask=inside)


def rows(
    states: Tensor,
    *,
    update: Tensor | None = None,
    index: Tensor | None = None,
    norm: torch.nn.LayerNorm | None = None,
    total: Tensor | None = None,
    normed: Tensor | None = None,
    gather: bool = False,
    scatter: bool = False,
) -> None:
    """Add an `update` to rows of `states`, write the sums to `total`, normalised to `normed`.

    With `gather`, `states` are [B, T, C], and row r of B * n rows is token `index[r % n]` of image
    r // n; with `scatter`, `total` is.
    """
    tensors = (states, update, index, total, normed)
    assert all(part.is_contiguous() for part in tensors if part is not None)
    shaped = next(part for part in (update, normed, states) if part is not None)
    width = states.shape[-1]
    count, block = shaped.numel() // width, triton.next_power_of_2(width)
    moved = states if gather else total
    some = max(1, ROW_NUMBERS // block)
    _rows[(triton.cdiv(count, some),)](
        states,
        states if update is None else update,
        states if index is None else index,
        states if norm is None else norm.weight,
        states if norm is None else norm.bias,
        states if total is None else total,
        states if normed is None else normed,
        count,
        1 if index is None else len(index),
        moved.shape[1] if index is not None and moved is not None else 1,
        0.0 if norm is None else norm.eps,
        WIDTH=width,
        BLOCK=block,
        ROWS=some,
        GATHER=gather,
        UPDATE=update is not None,
        STORE=total is not None,
        SCATTER=scatter,
        NORM=norm is not None,
        num_warps=4,
    )
