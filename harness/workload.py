"""Workloads and their cost: they decide the batch size and forecast a run.

A model need not estimate its cost; one without `CostModel` gets batches of a fixed size.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class Workload(NamedTuple):
    """What a task asks of a model.

    samples        the number of samples
    images         the number of distinct images or regions, each encoded once
    pairs          the number of pairs that are computed: a text and the image or images it is about
    pairs_at_most  an upper bound of `pairs`, where the number depends on the model
    texts          each encoded once
    choices        the answers that all samples choose from
    shortlist      how many of the `choices`, the likeliest ones, are scored for each sample
    """

    samples: int
    images: int
    pairs: int
    pairs_at_most: int
    texts: Sequence[str] = ()
    choices: Sequence[str] = ()
    shortlist: int = 0

    def part(self, samples: int) -> "Workload":
        """Return the workload of a batch with this number of samples."""
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
    """The cost of a workload: floating-point operations, and bytes of memory.

    `resident_bytes` stay allocated until the end of the run, beside the weights: the features of a
    gallery. `peak_batch_bytes` are allocated while the workload is computed as one batch.
    """

    flops: float
    resident_bytes: float
    peak_batch_bytes: float


class MemoryBudget(NamedTuple):
    """The memory of a device: bytes `free` (None if unknown) and `taken` by this process.

    Batches of more than `largest` samples are no faster.
    """

    free: int | None
    taken: int
    largest: int


@runtime_checkable
class CostModel(Protocol):
    """A model that estimates its cost.

    Its batches are as large as its memory allows, and `run --plan` forecasts the cost of a run. Any
    model that raises `harness.errors.MemoryFull` is called again with smaller batches.
    """

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of a workload."""
        ...

    def memory_budget(self) -> MemoryBudget:
        """Return the memory that is free now."""
        ...
