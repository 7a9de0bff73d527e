"""Attention within the windows of a Swin transformer, with its bias."""

import triton
import triton.language as tl
from torch import Tensor

ROWS, KEYS = 64, 32  # queries of a program, and the keys that it reads at a time


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


def window_attention(qkv: Tensor, bias: Tensor, heads: int, precision: str) -> Tensor:
    """Attend within windows: qkv [B, W, N, 3 C] and bias [W or 1, heads, N, N] to [B, W, N, C]."""
    images, windows, tokens, width = qkv.shape
    out = qkv.new_empty(images, windows, tokens, width // 3)
    head_width = width // 3 // heads
    _window_attention[(images * windows * heads * triton.cdiv(tokens, ROWS),)](
        qkv.contiguous(),
        bias.contiguous(),
        out,
        heads,
        len(bias),
        head_width**-0.5,
        TOKENS=tokens,
        WIDTH=head_width,
        ROWS=ROWS,
        KEYS=KEYS,
        PRECISION=precision,
        num_warps=4,
        num_stages=2,
    )
    return out
