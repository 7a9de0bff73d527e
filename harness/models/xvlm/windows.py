"""The geometry of Swin's windows: which tokens attend to each other, with which bias and mask.

Liu et al., "Swin Transformer" (arXiv 2103.14030), section 3.2. A grid has side * side tokens, row
by row, and a window N = w * w of them.
"""

from functools import cache

import torch
from torch import Tensor

# Added to the scores of two tokens that only the cyclic shift has made neighbours.
OTHER_REGION = -100.0


def window_partition(side: int, window: int, shift: int) -> Tensor:
    """Return the tokens of each window of a grid [side, side], [(side / w)^2, w * w].

    The grid is cyclically shifted up and left by `shift` first (Swin, section 3.2).
    """
    grid = torch.arange(side * side).view(side, side).roll((-shift, -shift), (0, 1))
    windows = grid.view(side // window, window, side // window, window).transpose(1, 2)
    return windows.reshape(-1, window * window)


@cache
def relative_position_index(window: int) -> Tensor:
    """Return, for each pair of tokens in a window, [N, N], its row in the bias table.

    All blocks share one such tensor: nobody may change it.
    """
    with torch.inference_mode(False):  # kept: a later model may be trained with it
        numbers = torch.arange(window, device="cpu")
        row, column = torch.meshgrid(numbers, numbers, indexing="ij")
        row, column = row.flatten(), column.flatten()
        rows_down = row[:, None] - row[None, :] + window - 1
        columns_right = column[:, None] - column[None, :] + window - 1
        return rows_down * (2 * window - 1) + columns_right


def bias_rows(table: Tensor, window: int) -> Tensor:
    """Return a bias table [(2 w - 1)^2, heads] as [heads, w, 2 w - 1, w].

    Entry (x, d, x') is the bias of a query in column x to a key in column x', d - w + 1 rows below.
    """
    numbers = torch.arange(window, device="cpu")
    columns = numbers[:, None] - numbers[None, :] + window - 1
    grid = table.detach().T.unflatten(1, (2 * window - 1, 2 * window - 1)).flip(1)
    return grid[:, :, columns].transpose(1, 2).contiguous()


def bias_of_rows(rows: Tensor) -> Tensor:
    """Return the bias of each pair of tokens in a window, [1, heads, N, N], of `bias_rows`."""
    window = rows.shape[1]
    last = window - 1
    bias = torch.stack([rows[:, :, last - y : last - y + window] for y in range(window)], dim=1)
    return bias.view(1, len(rows), window**2, window**2)


def shift_mask(side: int, window: int, shift: int) -> Tensor:
    """Return the mask that keeps the regions of shifted windows apart, [(side / w)^2, N, N]."""
    band = torch.zeros(side, dtype=torch.long, device="cpu")
    band[side - window : side - shift] = 1
    band[side - shift :] = 2
    region = (3 * band[:, None] + band[None, :]).flatten()
    label = region[window_partition(side, window, 0)]
    return (label[:, :, None] != label[:, None, :]) * OTHER_REGION
