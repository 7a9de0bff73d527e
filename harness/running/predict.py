"""Predict what a run still lacks, in batches that fit into memory.

The batches of a run are planned once, by all processes alike, and shared out: whose sample is whose never changes after that. Where the
memory is full nevertheless, this process cuts its own batches in halves and goes on with what it has not predicted yet.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from harness.callbacks import Report, Warn
from harness.capabilities import Model
from harness.errors import HarnessError, MemoryFull
from harness.running.distributed import ProcessGroup, share
from harness.running.loader import cut, load_batches, plan_batches
from harness.running.shards import ShardedPredictions
from harness.running.skipped import skipped
from harness.task import Batch, Prediction, Sample, SampleId, Task, Work
from harness.workload import CostModel

T = TypeVar("T")

USUAL = 32  # samples in a batch of a model that does not tell what it costs
SHARE = 0.5  # of the free memory that a run is planned for: costs are estimates, and images decoded ahead need some, too


@dataclass(frozen=True)
class Speed:
    """What decides how fast a run is, and none of its metrics. (Another batch size may move the last digits of a predicted float.)

    A `batch_size` of None is chosen by what the model costs and the memory that is free.
    """

    batch_size: int | None
    workers: int


class Batching(NamedTuple):
    """The batch size that was planned, and the one that fitted in the end where it was halved; both None where nothing was to be done."""

    batch_size: int | None
    halved_to: int | None

    @classmethod
    def of_all(cls, processes: Sequence["Batching"]) -> "Batching":
        """Return that of a run out of those of its processes, which planned the same."""
        return cls(
            processes[0].batch_size,
            min((one.halved_to for one in processes if one.halved_to is not None), default=None),
        )


def predict(
    task: Task,
    model: Model,
    samples: Sequence[Sample],
    shared: ShardedPredictions,
    *,
    speed: Speed,
    label: str,
    report: Report,
    warn: Warn,
    group: ProcessGroup,
    skip: bool = False,
) -> Batching:
    """Predict what this process is to predict of what is lacking. `label` names the run among all that the processes carry out.

    With `skip`, samples whose images cannot be read are noted as such, and the run goes on. Raises HarnessError where not even one sample
    at a time fits into memory.
    """
    report(len(shared.before), len(samples))
    if len(shared.before) == len(samples):
        return Batching(None, None)
    size = min(group.all_gather(speed.batch_size or fitting_batch_size(task, model, samples)))
    # Planned over all samples, and a batch of which only a part was written is computed whole: the last digits of a float depend on what
    # shares a matrix product, and a resumed run has to end in the same bytes, as has one of more processes.
    planned = share(plan_batches(samples, size), group)
    own = frozenset(
        sample.id for batch in planned for sample in batch if sample.id not in shared.before
    )
    fits, gathering = size, _Once(group)
    unreadable: list[tuple[SampleId, Prediction]] = []

    def left_out(sample: Sample, reason: str) -> None:
        if sample.id in own:
            warn(f"{label}: sample {sample.id} is skipped and counts as wrong: {reason}")
            unreadable.append((sample.id, skipped(reason)))

    while True:
        full = None
        try:
            batches = (
                planned
                if fits == size
                else [piece for batch in planned for piece in cut(batch, fits)]
            )
            load = partial(
                load_batches,
                prepare=model.prepare,
                workers=speed.workers,
                leave_out=left_out if skip else None,
            )
            work = _work(
                samples, own - shared.done, batches, load=load, all_gather=gathering.all_gather
            )
            for answered in chain(
                task.answer(model, work), [()]
            ):  # at last, what was left out after the last prediction
                new = {
                    id: prediction
                    for id, prediction in (*answered, *unreadable)
                    if id in work.lacking and id not in shared.file.done
                }
                unreadable.clear()
                shared.file.append(new.items())
                report(len(shared.before) + group.count(label, len(new)), len(samples))
        except (MemoryFull, MemoryError) as error:
            full = (
                str(error) or "out of memory"
            )  # not the error itself, which would keep alive what fills the memory
        if full is None:
            return Batching(size, None if fits == size else fits)
        if fits == 1 or gathering.done:
            raise HarnessError(
                f"{full}, {_no_remedy(fits)}; what was predicted is kept, the same command goes on"
            )
        fits //= 2
        warn(f"{label}: {full}; going on with batches of {fits}")


def fitting_batch_size(task: Task, model: Model, samples: Sequence[Sample]) -> int:
    """Return a power of two: the largest batch that fits into the memory that is free, and is of use.

    A power of two, so that a run that goes on on the same machine computes the same batches, however much is free to the byte.
    """
    if not isinstance(model, CostModel):
        return USUAL
    room, workload = model.memory_budget(), task.workload(samples)
    if room.free is None:
        return min(USUAL, room.largest)
    left = SHARE * room.free - model.cost(workload).resident_bytes
    size = room.largest
    while size > 1 and model.cost(workload.part(size)).peak_batch_bytes > left:
        size //= 2
    return size


def _work(
    samples: Sequence[Sample],
    lacking: frozenset[Any],
    planned: Sequence[Sequence[Sample]],
    *,
    load: Callable[[Sequence[Sequence[Sample]]], Iterator[Batch]],
    all_gather: Callable[[Any], list[Any]],
) -> Work:
    def batches(everything: bool) -> Iterator[Batch]:
        return load(
            [
                batch
                for batch in planned
                if everything or any(sample.id in lacking for sample in batch)
            ]
        )

    return Work(samples, lacking, batches, all_gather)


class _Once:
    """Passes on what a process tells the others, and notes that it did.

    A task that has told the others something cannot begin anew, as they would wait in vain for what they know already. It need not: a task
    that compares its samples with one another has seen all of its batches by then.
    """

    def __init__(self, group: ProcessGroup) -> None:
        self._group, self.done = group, False

    def all_gather(self, value: T) -> list[T]:
        self.done = True
        return self._group.all_gather(value)


def _no_remedy(fits: int) -> str:
    if fits == 1:
        return "even one sample at a time; free some memory, or use another --device or --dtype"
    return "and smaller batches do not help here; use more processes (torchrun), another --device or --dtype"
