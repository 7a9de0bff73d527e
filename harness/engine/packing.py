"""Texts laid end to end: readers of one memory, without padding.

Almost everything that a layer does, it does to each token alone, and all readers of one memory look at the same. Only where a text attends
to itself it matters where it begins and ends. Texts of one length lie next to one another, and attend together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from harness.engine.chunks import ChunkSizes
from harness.engine.device import send


class Seats(NamedTuple):
    """How texts of different lengths sit in a table of n rows and T seats: the token `of` each seat, [n, T], and `hidden` [n, 1, 1, T],
    -inf for the seats beyond a text's end; and the seat `at` which each token sits, counted through all rows.
    """

    of: Tensor
    hidden: Tensor
    at: Tensor


@dataclass(frozen=True)
class Run:
    """Texts next to one another that attend to themselves together: which of a strip's `texts`, which of its `tokens`, the longest length.

    Where all are of this length, they need no seats.
    """

    texts: slice
    tokens: slice
    length: int
    seats: Seats | None = None

    @property
    def hidden(self) -> Tensor | None:
        return None if self.seats is None else self.seats.hidden

    def seated(self, strip: Tensor) -> Tensor:
        """Return the table [n, T, d] of this run's texts, out of a strip of tokens [N, d]."""
        tokens = strip[self.tokens]
        return (
            tokens.unflatten(0, (-1, self.length)) if self.seats is None else tokens[self.seats.of]
        )

    def laid(self, table: Tensor) -> Tensor:
        """Return the tokens of a table [n, T, d] end to end."""
        tokens = table.flatten(0, 1)
        return tokens if self.seats is None else tokens[self.seats.at]


@dataclass(frozen=True)
class Strip:
    """Some of the texts, `texts` [n] by index, shortest first and laid end to end: `length` [n] tokens each, from `first` [n] on."""

    texts: Tensor
    length: Tensor
    first: Tensor
    runs: tuple[Run, ...]

    @property
    def places(self) -> Tensor:
        """Where in its text each token stands, [N], on the host."""
        return _places(self.length)

    def spread(self, values: Tensor) -> Tensor:
        """Return for each token, [N], what `values` [n], on the host, hold of its text."""
        return values.repeat_interleave(self.length)

    def on(self, device: torch.device) -> "Strip":
        """Return the strip on a device, but for `length`, which the host needs."""
        runs = (
            run
            if run.seats is None
            else replace(run, seats=Seats(*(send(part, device) for part in run.seats)))
            for run in self.runs
        )
        return Strip(send(self.texts, device), self.length, send(self.first, device), tuple(runs))


def lay_out(lengths: Sequence[int], chunk_sizes: ChunkSizes) -> Iterator[Strip]:
    """Yield strips of all texts, of at most as many tokens as fill a device (of one text, if it has more)."""
    order = torch.tensor(lengths, dtype=torch.long).sort(stable=True)
    end = order.values.cumsum(0)
    begin = 0
    while begin < len(end):
        before = int(end[begin - 1]) if begin else 0
        stop = max(begin + 1, int(torch.searchsorted(end, before + chunk_sizes.tokens, right=True)))
        length = order.values[begin:stop]
        yield Strip(
            order.indices[begin:stop],
            length,
            length.cumsum(0) - length,
            tuple(_runs(length, chunk_sizes.alike)),
        )
        begin = stop


def _runs(length: Tensor, alike: int) -> Iterator[Run]:
    """Yield the runs of texts `length` [n] long: those of one length, together with longer ones where they are fewer than `alike`."""
    counts = length.unique_consecutive(return_counts=True)[1].tolist()
    begin = token = stop = 0
    for number, count in enumerate(counts, start=1):
        stop += count
        if stop - begin >= alike or number == len(counts):
            some = length[begin:stop]
            tokens = slice(token, token + int(some.sum()))
            yield Run(
                slice(begin, stop),
                tokens,
                int(some[-1]),
                None if some[0] == some[-1] else _seats(some),
            )
            begin, token = stop, tokens.stop


def _seats(length: Tensor) -> Seats:
    seat, first = torch.arange(int(length[-1])), (length.cumsum(0) - length)[:, None]
    of = first + torch.minimum(
        seat, length[:, None] - 1
    )  # beyond its end, a text's last token sits: nobody sees it
    hidden = torch.where(seat < length[:, None], 0.0, -torch.inf)[:, None, None]
    at = (torch.arange(len(length)) * len(seat)).repeat_interleave(length) + _places(length)
    return Seats(of, hidden, at)


def _places(length: Tensor) -> Tensor:
    return torch.arange(int(length.sum())) - (length.cumsum(0) - length).repeat_interleave(length)
