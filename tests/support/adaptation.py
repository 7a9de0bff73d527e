"""Adapt a checkpoint to another resolution or head, as the reference does before fine-tuning.

The rules of the reference's `load_pretrained(is_eval=False)`, pinned down by golden `i_adapt`. They
show that the released names and position tables are understood; no evaluation needs them.
"""

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.models.xvlm.key_names import without_bert

BIAS_TABLE = "relative_position_bias_table"
LAYER = re.compile(r"(.*encoder\.layer\.)(\d+)(\..*)")


def names_for_captioning(names: Iterable[str]) -> dict[str, str]:
    """Return new name -> name in a pre-training checkpoint, for a captioning model.

    The text encoder becomes the decoder.
    """
    return {re.sub(r"^text_encoder\.", "text_decoder.", name): name for name in names}


def names_for_nlvr(names: Iterable[str], *, fusion_layer: int) -> dict[str, str]:
    """Return new name -> name in a pre-training checkpoint, for NLVR2.

    Every fusion layer is used twice, once for each image.
    """
    renamed: dict[str, str] = {}
    for name in names:
        new = without_bert(name)
        match = LAYER.fullmatch(new)
        if match and int(match[2]) >= fusion_layer:
            first = fusion_layer + 2 * (int(match[2]) - fusion_layer)
            renamed[f"{match[1]}{first}{match[3]}"] = renamed[
                f"{match[1]}{first + 1}{match[3]}"
            ] = name
        else:
            renamed[new] = name
    return renamed


def names_for_vqa(names: Iterable[str], *, fusion_layer: int, same_width: bool) -> dict[str, str]:
    """Return new name -> name in a pre-training checkpoint, for VQA.

    The fusion layers also become the answer decoder. It attends to the question, not to the image:
    unless both have the `same_width`, its keys and values keep their initial values.
    """
    renamed: dict[str, str] = {}
    for name in names:
        renamed[without_bert(name)] = name
        if not name.startswith("text_encoder."):
            continue
        decoder = name.replace("text_encoder.", "text_decoder.", 1)
        match = LAYER.fullmatch(decoder)
        if match is None:
            renamed[decoder] = name
        elif int(match[2]) >= fusion_layer and (
            same_width or not re.search(r"crossattention\.self\.(key|value)\.", name)
        ):
            renamed[f"{match[1]}{int(match[2]) - fusion_layer}{match[3]}"] = name
    return renamed


def at_window(tensors: Mapping[str, Tensor], window: int) -> dict[str, Tensor]:
    """Interpolate every relative position table to `window` (image side in pixels / 32)."""
    return {
        name: interpolate_table(tensor, window) if name.endswith(BIAS_TABLE) else tensor
        for name, tensor in tensors.items()
    }


def interpolate_table(table: Tensor, window: int) -> Tensor:
    """Resample a relative position table [(2 v - 1)^2, heads] to [(2 window - 1)^2, heads].

    Source offsets grow geometrically from the middle, so that near neighbours keep their values; a
    bicubic spline interpolates them (BEiT's scheme, adopted by the reference). In float64.
    """
    old, new = math.isqrt(table.shape[0]), 2 * window - 1
    if old == new:
        return table
    source = geometric_offsets(old, new)
    target = np.arange(new) - new // 2
    resample = spline_matrix(source, target.astype(float))
    grid = table.detach().double().numpy().reshape(old, old, -1)
    resampled = np.einsum("io,jp,oph->ijh", resample, resample, grid)
    return torch.from_numpy(resampled.reshape(new * new, -1)).to(table.dtype)


def geometric_offsets(old: int, new: int) -> NDArray[np.float64]:
    """Return `old` offsets around 0 in steps 1, q, q^2, ..., the last at `new // 2`; q >= 1.01."""
    low, high, ratio = 1.01, 1.5, 1.5
    while high - low > 1e-6:
        ratio = (low + high) / 2
        reach = sum(ratio**step for step in range(old // 2))
        low, high = (low, ratio) if reach > new // 2 else (ratio, high)
    # The ratio tried last, not the middle of the remaining interval: the last offset then misses
    # new // 2 by up to 1e-4, as the reference's does.
    right = np.cumsum([ratio**step for step in range(old // 2)])
    return np.concatenate([-right[::-1], [0.0], right])


def spline_matrix(knots: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix [points, knots] that maps values at knots to a cubic spline at points.

    Not-a-knot ends, as in FITPACK (scipy's `RectBivariateSpline`); at least four knots.
    """
    scale = np.abs(knots).max()
    inner = knots[2:-2] / scale

    def basis(x: NDArray[np.float64]) -> NDArray[np.float64]:
        x = np.clip(x, knots[0], knots[-1]) / scale
        powers = x[:, None] ** np.arange(4)
        return np.concatenate([powers, np.maximum(x[:, None] - inner, 0) ** 3], axis=1)

    return np.linalg.solve(basis(knots).T, basis(points).T).T.astype(np.float64)
