"""Rows gathered, summed, stored or scattered, and normalised (LayerNorm)."""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROW_NUMBERS = 4096  # numbers of a block of rows that one program normalises


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
