"""What a task asks of a model, and what that costs: from which follow the batch size, and what a run will take before it is begun.

A model need not know: one that does not offer `CostModel` gets batches of a fixed size.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class Workload(NamedTuple):
    """How much a task asks of a model: `samples` about `images` distinct images (or regions of them).

    `texts` are read, each once; `pairs` of a text and what it looks at (an image, a pair of images) are computed, `pairs_at_most` where it
    depends on the model. Of the `choices`, answers that all texts have in common, the likeliest `shortlist` are read for each.
    """

    samples: int
    images: int
    pairs: int
    pairs_at_most: int
    texts: Sequence[str] = ()
    choices: Sequence[str] = ()
    shortlist: int = 0

    def part(self, samples: int) -> "Workload":
        """Return the demand of a batch, of so many of the samples."""
        shares = [
            -(-count * samples // max(self.samples, 1))
            for count in (self.images, self.pairs, self.pairs_at_most, len(self.texts))
        ]
        images, pairs, pairs_at_most, texts = shares
        return self._replace(
            samples=samples,
            images=images,
            pairs=pairs,
            pairs_at_most=pairs_at_most,
            texts=self.texts[:texts],
        )


class Cost(NamedTuple):
    """What a demand costs: floating-point operations, and bytes.

    `resident_bytes` stays until the end of the run, beside the weights: the features of a gallery. `peak_batch_bytes` comes and goes, if all of the demand is
    computed as one batch.
    """

    flops: float
    resident_bytes: float
    peak_batch_bytes: float


class MemoryBudget(NamedTuple):
    """What there is to compute with: bytes that are `free` (None: nobody knows), bytes `taken` by this process, and what it fills best.

    Batches of more than `largest` samples get no faster.
    """

    free: int | None
    taken: int
    largest: int


@runtime_checkable
class CostModel(Protocol):
    """What a model may offer beside its capabilities: its batches are then as large as its memory, and `run --plan` tells what a run costs.

    Whether a model offers this or not: where it raises `harness.errors.MemoryFull`, it is asked again in smaller batches.
    """

    def cost(self, workload: Workload) -> Cost:
        """Return what a demand costs."""
        ...

    def memory_budget(self) -> MemoryBudget:
        """Return what there is to compute with now."""
        ...
