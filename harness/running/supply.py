"""The batches that a process decodes ahead of its model, and those that it then computes.

Own batches are decoded ahead before they are claimed: decoding is cheap beside the model, and what
another process takes over meanwhile is dropped. The batches of others are claimed before they are
decoded, and no more than one of them ahead of the model.
"""

from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cached_property
from typing import Generic

from harness.running.loader import cut
from harness.running.processes.claims import Claims
from harness.task import S, SampleId


class BatchSupply(Generic[S]):
    """The batches of a process for `load_batches`, in pieces that fit into its memory.

    `cut_to` is the largest number of samples in a piece, None for whole batches. Pieces without a
    sample that `lacks` a prediction are left out. After an error, a supply of smaller pieces begins
    with what was claimed before.
    """

    def __init__(
        self,
        claims: Claims[Sequence[S]],
        cut_to: int | None,
        lacks: Callable[[S], bool],
    ) -> None:
        self._claims, self._cut_to, self._lacks = claims, cut_to, lacks
        # The position of the own batch of each piece that is not taken yet; None for a batch of
        # another process, which was claimed before its pieces were handed out.
        self._ahead: deque[int | None] = deque()

    def __iter__(self) -> Iterator[Sequence[S] | None]:
        """Yield the pieces to decode; None: no further one before the next was taken."""
        position = 0
        while position < self._claims.available:
            yield from self._pieces(self._claims.own[position], position)
            position += 1
        yield from self.others()

    def others(self, *, without: Container[SampleId] = ()) -> Iterator[Sequence[S] | None]:
        """Yield pieces of the batches of other processes, which are claimed as they are yielded.

        Samples that are in `without` by then are left out.
        """
        for batch in list(self._claims.taken_over):
            yield from self._pieces(_without(batch, without))
        while True:
            ahead = len(self._ahead)
            # A batch that waits for this model is better left to its owner, if it is the last.
            other = self._claims.take_over(leaving=ahead) if ahead < 2 else None
            if other is not None:
                yield from self._pieces(_without(other, without))
            elif ahead:
                yield None
            else:
                return

    def take(self) -> bool:
        """Claim the batch of the next piece; return False where another process has taken it over.

        Called once for each piece, in order, when the model is ready for it.
        """
        position = self._ahead.popleft()
        return position is None or self._claim(position)

    def claim_first(self) -> None:
        """Claim the first own batch: this process is about to hold what others would make again."""
        self._claim(0)

    def claim(self, sample: S) -> bool:
        """Claim the own batch of a sample, with those before it.

        Returns False where another process has taken it over.
        """
        return self._claim(self._position_of[sample.id])

    @cached_property
    def _position_of(self) -> dict[SampleId, int]:
        return {sample.id: n for n, batch in enumerate(self._claims.own) for sample in batch}

    def _claim(self, position: int) -> bool:
        while self._claims.claimed <= position:
            if self._claims.claim_own() is None:
                return False
        return True

    def _pieces(self, batch: Sequence[S], position: int | None = None) -> Iterator[Sequence[S]]:
        """Yield the pieces of a batch that lack a prediction; an own batch has a `position`."""
        for piece in [batch] if self._cut_to is None else cut(batch, self._cut_to):
            if any(map(self._lacks, piece)):
                self._ahead.append(position)
                yield piece


def _without(batch: Sequence[S], ids: Container[SampleId]) -> Sequence[S]:
    return [sample for sample in batch if sample.id not in ids]
