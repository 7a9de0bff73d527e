"""The batch size of a run: decided once, by all processes together.

`--batch-size` decides, or else the process with the least memory. The size is noted in the
prediction file when the run begins, and a resumed run keeps it, so that its batches are the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.capabilities import Model
from harness.running.processes.distributed import ProcessGroup
from harness.task import Sample, Task, without_garbage_collection, workload_of
from harness.workload import CostModel

DEFAULT = 32  # samples in a batch of a model without a cost model
BATCHES_EACH = 4  # of every process, where samples are few: fewer would leave some idle
# The fraction of the free memory that a batch is planned for: costs are estimates, and images
# decoded ahead take memory too.
MEMORY_FRACTION = 0.5


def agree_on_batch_size(
    flag: int | None, task: Task, model: Model, samples: Sequence[Sample], group: ProcessGroup
) -> int:
    """Return the batch size of a run that begins, the same in every process. A collective call."""
    smallest = min(group.all_gather(flag or fitting_batch_size(task, model, samples)))
    return smallest if flag else even_batch_size(smallest, len(samples), group.size)


def even_batch_size(size: int, samples: int, processes: int) -> int:
    """Return a batch size for which no process waits long for the others at the end.

    Whole batches are dealt: of ten, two of eight processes compute two and the others one. So a
    large size is halved until every process has about BATCHES_EACH, or it is DEFAULT.

    >>> even_batch_size(512, 5_000, 1), even_batch_size(512, 5_000, 8)
    (512, 128)
    """
    if processes == 1:
        return size
    while size > DEFAULT and size * processes * BATCHES_EACH > samples:
        size = max(DEFAULT, size // 2)
    return size


def noted_batch_size(software: Mapping[str, Any]) -> int | None:
    """Return the batch size noted in a prediction file; None where an older version wrote it."""
    size = software.get("batch_size")
    return size if type(size) is int and size > 0 else None


def fitting_batch_size(task: Task, model: Model, samples: Sequence[Sample]) -> int:
    """Return the largest useful batch size that fits into the free memory, a power of two.

    A power of two, because free memory varies from run to run: the same machine should choose the
    same size again.
    """
    if not isinstance(model, CostModel):
        return DEFAULT
    budget = model.memory_budget()
    with without_garbage_collection():
        workload = workload_of(task, model, samples)
    if budget.free is None:
        return min(DEFAULT, budget.largest)
    available = MEMORY_FRACTION * budget.free - model.cost(workload).resident_bytes
    size = budget.largest
    while size > 1 and model.cost(workload.part(size)).peak_batch_bytes > available:
        size //= 2
    return size
