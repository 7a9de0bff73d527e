"""One memory, many readers: bring texts of like length together, and seat them at what they look at.

A memory is what is looked at: an image, a pair of images, a question. Its keys and values are made once, whoever looks. Readers are what
looks at it: captions, expressions, statements, answers, beams. They sit in a table [G, n, T]: a row for each of G memories, n seats in it,
T tokens a seat.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.chunks import ChunkSizes
from harness.engine.device import send

WASTE = 0.1  # the share of padding that a group may have, unless it is one of few: a small matrix product costs more than some padding


def by_length(lengths: Sequence[int], chunk_sizes: ChunkSizes) -> Iterator[list[int]]:
    """Yield groups of texts, by index and shortest first, which padded to their longest waste little and are no more than fill a device."""
    group: list[int] = []
    filled = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        seats = (len(group) + 1) * lengths[index]
        wasted = seats - filled - lengths[index]
        if group and (
            seats > chunk_sizes.text_tokens
            or (len(group) >= chunk_sizes.min_group and wasted > WASTE * seats)
        ):
            yield group
            group, filled = [], 0
        group.append(index)
        filled += lengths[index]
    if group:
        yield group


@dataclass(frozen=True)
class Table:
    """Some of the texts, seated: text `texts[i]` at `row[i], column[i]`; row g looks at memory `memories[g]`.

    `ids` and `present` are [G, n, T]; `present` is 1 for tokens and 0 for padding. An empty seat has one token, to attend to.
    """

    texts: Tensor
    memories: Tensor
    row: Tensor
    column: Tensor
    ids: Tensor
    present: Tensor

    def each(self, states: Tensor) -> Tensor:
        """Return what belongs to each of `texts`, [N, ..], out of a table [G, n, ..]."""
        return states[send(self.row, states.device), send(self.column, states.device)]


def seat(
    texts: Sequence[Sequence[int]], memory_of: NDArray[np.int64], chunk_sizes: ChunkSizes
) -> Iterator[Table]:
    """Yield tables, on the host, that seat all texts, given as token ids, each at its memory, `memory_of` [N]."""
    for group in by_length([len(text) for text in texts], chunk_sizes):
        chosen = np.array(sorted(group), dtype=np.int64)
        memories, row = np.unique(memory_of[chosen], return_inverse=True)
        row = row.reshape(-1).astype(np.int64)
        column, taken = np.empty_like(row), Counter[int]()
        for number, place in enumerate(row.tolist()):
            column[number] = taken[place]
            taken[place] += 1
        ids, present = padded([texts[index] for index in chosen])
        shape = (len(memories), max(taken.values()), ids.shape[1])
        table, there = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        there[:, :, 0] = 1
        table[row, column], there[row, column] = ids, present
        yield Table(
            *(torch.from_numpy(numbers) for numbers in (chosen, memories, row, column)),
            table,
            there,
        )  # type: ignore[call-arg]


def padded(texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return token ids padded with 0 to the longest text, [N, T], and 1 for what is no padding."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], dtype=torch.long)
    return ids, torch.arange(longest).lt(
        torch.tensor([len(text) for text in texts])[:, None]
    ).long()
