"""Whether Triton's kernels are used in place of torch's operations, and whether they can be."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.engine.switch import Switch
from harness.files.environment import choice

FUSED = "XVLM_EVAL_FUSED"
MEASURED = ("float32", "tf32")  # the types in which the kernels were found to be faster
TOLERANCE = 1e-4  # of the kernels against torch, where they are tried
TF32_TOLERANCE = 1e-2  # the same for products in TF32; measured: 1.2e-3

Trial = tuple[str, Tensor, Tensor, float]  # name, result, expected result, tolerance

# Within `fused_kernels(True)`, Triton's kernels compute, else torch's operations.
fused_kernels = Switch()


def current(device: torch.device) -> AbstractContextManager[object]:
    """Make a GPU the one on which Triton starts kernels; torch goes by where the tensors are."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def kernels() -> Any:
    """Return the module of the kernels; imports Triton."""
    from harness.engine import triton_kernels

    return triton_kernels


def choose_kernels(device: torch.device, dtype: str) -> bool:
    """Return whether a run in `dtype` computes by Triton's kernels; never on a CPU.

    By default it does not: the kernels have changed since their goldens last ran on a GPU. The
    environment may ask for them in the types of MEASURED (`auto`), or in any type (`1`). Raises
    UsageError for another setting.
    """
    setting = choice(FUSED, "0", "auto", "1")
    wanted = setting == "1" or (setting == "auto" and dtype in MEASURED)
    return wanted and device.type == "cuda" and kernels_are_usable(device)


@cache
def kernels_are_usable(device: torch.device) -> bool:
    """Whether Triton's kernels compile for a device, and are right; warns where they are not."""
    return are_right(device, _trials, otherwise="no fused kernels, torch's operations instead")


def are_right(
    device: torch.device, trials: Callable[[torch.device], Iterator[Trial]], *, otherwise: str
) -> bool:
    """Whether all trials on a device agree with what is expected; else warns in one line."""
    try:
        with torch.inference_mode(), current(device):
            off = [
                f"{name} differ by {difference:.1e}"
                for name, result, expected, tolerance in trials(device)
                if not (difference := float((result - expected).abs().max())) < tolerance
            ]
        usable, reason = not off, ", ".join(off)
    except Exception as error:  # a compiler fails in many ways
        usable, reason = False, f"{type(error).__name__}: {error}".splitlines()[0]
    if not usable:
        message = f"{otherwise}: {reason}"
        warnings.warn_explicit(message, UserWarning, __name__, 1)  # prints no line of code
    return usable


def fp32_precision() -> str:
    """Return how GPUs multiply float32 at present: `ieee` or `tf32`."""
    return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "ieee"


def _trials(device: torch.device) -> Iterator[Trial]:
    """Yield the name, result, expected result and tolerance of each kernel, at real widths."""
    rng = torch.Generator().manual_seed(0)
    states = torch.randn(1, 144, 3 * 128, generator=rng).to(device)
    update, norm = states.roll(1, 1), torch.nn.LayerNorm(3 * 128, device=device)
    normed = torch.empty_like(states)
    kernels().rows(states, update=update, norm=norm, normed=normed)
    yield "normalised rows", normed, norm(states + update), TOLERANCE
    query, key, value = states.unflatten(-1, (3, 4, 32)).permute(2, 0, 3, 1, 4)
    expected = F.scaled_dot_product_attention(query, key, value)
    result = kernels().attention(query, key, value, None, "tf32")
    yield "attended tokens", result, expected, TF32_TOLERANCE
    bias = torch.zeros(1, 4, 144, 144, device=device)
    result = kernels().window_attention(states[None], bias, 4, "tf32")
    expected = expected.transpose(1, 2).flatten(2)[None]
    yield "tokens attended in windows", result, expected, TF32_TOLERANCE
