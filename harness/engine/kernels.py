"""Whether Triton's kernels are used in place of torch's operations, and whether they can be."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

TOLERANCE = 1e-4  # of the kernels against torch, where they are tried

_in_use = False


@contextmanager
def fused_kernels(enabled: bool) -> Iterator[None]:
    """Compute by Triton kernels, or by torch's operations."""
    global _in_use
    before, _in_use = _in_use, enabled
    try:
        yield
    finally:
        _in_use = before


def in_use() -> bool:
    """Whether Triton's kernels compute at present."""
    return _in_use


def kernels() -> Any:
    """Return the module of the kernels; imports Triton."""
    from harness.engine import triton_kernels

    return triton_kernels


@cache
def kernels_are_usable(device: torch.device) -> bool:
    """Whether Triton's kernels compile for a device, and are right; warns where they are not."""
    try:
        states, norm = torch.randn(64, 96, device=device), torch.nn.LayerNorm(96, device=device)
        update, normed = states.roll(1, 0), torch.empty_like(states)
        with torch.inference_mode():
            kernels().rows(states, update=update, norm=norm, normed=normed)
            difference = (normed - norm(update + states)).abs().max()
        usable, reason = bool(difference < TOLERANCE), f"a result differs by {difference:.1e}"
    except Exception as error:  # a compiler fails in many ways
        usable, reason = False, f"{type(error).__name__}: {error}".splitlines()[0]
    if not usable:
        warnings.warn(f"no fused kernels, torch's operations instead: {reason}", stacklevel=2)
    return usable


def fp32_precision() -> str:
    """Return how GPUs multiply float32 at present: `ieee` or `tf32`."""
    return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "ieee"
