"""One memory, many readers: seat texts at what they look at, so that its keys and values are made once and never repeated.

Readers stand in a table [G, n, T]: a row for each of G memories (an image, a pair of images), n seats in it, T tokens a seat.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Readers:
    """Texts seated at their memories: `ids` and `present` [G, n, T]; text i sits at `row[i]`, `column[i]`."""

    ids: Tensor
    present: Tensor
    row: NDArray[np.int64]
    column: NDArray[np.int64]

    def each(self, states: Tensor) -> Tensor:
        """Return what belongs to each text, [N, ..], out of a table [G, n, ..]."""
        return states[torch.from_numpy(self.row), torch.from_numpy(self.column)]


def seat(ids: Tensor, present: Tensor, memory_of: NDArray[np.int64], *, memories: int) -> Readers:
    """Seat texts, tokens `ids` and `present` [N, T], at `memory_of` [N] of so many memories, from left to right in their row."""
    column = np.empty_like(memory_of)
    taken: Counter[int] = Counter()
    for number, memory in enumerate(memory_of.tolist()):
        column[number] = taken[memory]
        taken[memory] += 1
    shape = (memories, max(taken.values(), default=0), ids.shape[1])
    table, there = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    there[:, :, 0] = 1  # an empty seat still needs a token to attend to
    table[memory_of, column], there[memory_of, column] = ids, present
    return Readers(table, there, memory_of, column)
