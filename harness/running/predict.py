"""Predict what a run lacks, in batches that fit into memory.

All processes plan the same batches over all samples, and each owns a fixed shard of them. A batch
is computed whole even if part of it is on disk: the last digits of a float depend on what shares a
matrix product, and a resumed run must end in the same bytes, as must a run on more processes. If
memory runs out, a process cuts its batches, and those it takes over, to half their size and
continues with the samples that it has not predicted yet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import TypeVar

import numpy as np

from harness.capabilities import Model
from harness.engine.memory import forget_locals, is_out_of_memory
from harness.errors import HarnessError, MemoryFull, first_line
from harness.records.id_column import ABSENT, IdColumn
from harness.running.context import Context
from harness.running.inputs.sample_inputs import InputChecksums
from harness.running.loader import cut, load_batches, plan_batches
from harness.running.prepared import collate_of
from harness.running.processes.claims import Claims
from harness.running.processes.distributed import deal
from harness.running.processes.shards import ShardedPredictions
from harness.running.run import Run
from harness.running.runners import predict_batches, predict_gallery
from harness.running.skipped import skipped
from harness.running.supply import BatchSupply
from harness.task import GalleryTask, Prediction, Sample, SampleId, without_garbage_collection

T = TypeVar("T")


def predict(
    run: Run,
    model: Model,
    samples: Sequence[Sample],
    predictions: ShardedPredictions,
    context: Context,
    *,
    batch_size: int,
) -> int:
    """Predict the samples of this process's share that lack a prediction, then those of others.

    The run was begun with `batch_size`; a smaller `run.speed.batch_size` cuts its batches. Returns
    the batch size that fitted into memory. Raises HarnessError if not even one sample at a time
    fits, DataError for an unreadable image unless the run skips its samples.
    """
    group = context.group
    context.report(len(predictions.before), len(samples))
    if len(predictions.before) == len(samples):
        return batch_size
    writer = _Writer(run, len(samples), predictions, InputChecksums(), context)
    with without_garbage_collection():
        dealt = deal(plan_batches(samples, batch_size), group.size)
        lacking = [_lacking(batches, predictions.before) for batches in dealt]
    claims = Claims[Sequence[Sample]](lacking, group, run.title)
    own = dealt[group.rank] if isinstance(run.task, GalleryTask) else []
    del dealt, lacking  # megabytes of batches that are done
    fitting = min(batch_size, run.speed.batch_size or batch_size)
    while True:
        whole = fitting == batch_size
        supply = BatchSupply(claims, None if whole else fitting, writer.lacks)
        try:
            _predict(
                run,
                model,
                samples=samples,
                own=own if whole else [piece for batch in own for piece in cut(batch, fitting)],
                supply=supply,
                writer=writer,
                batch_size=batch_size,
            )
            return fitting
        except Exception as error:
            if not isinstance(error, MemoryFull) and not is_out_of_memory(error):
                raise
            # Keep the text, not the error: its traceback keeps alive what fills the memory.
            reason = first_line(error) if str(error) else "out of memory"
            forget_locals(error)
        if fitting == 1:
            raise HarnessError(
                f"{reason}, even one sample at a time; free some memory, or use another --device "
                "or --dtype; what was predicted is kept, the same command continues"
            )
        fitting //= 2
        context.warn(f"{run.title}: {reason}; going on with batches of {fitting}")


def _lacking(batches: Sequence[list[Sample]], before: IdColumn) -> Sequence[list[Sample]]:
    """Return the batches with a sample that is not among those predicted `before`."""
    if not before or not batches:
        return batches
    rows = before.rows([sample.id for batch in batches for sample in batch])
    firsts = np.cumsum([0, *map(len, batches[:-1])])
    return list(compress(batches, np.logical_or.reduceat(rows == ABSENT, firsts)))


@dataclass(frozen=True)
class _Writer:
    """Stores the predictions that this process makes, each once, and reports the progress."""

    run: Run
    total: int
    predictions: ShardedPredictions
    checksums: InputChecksums
    context: Context

    def append(self, predictions: Iterable[tuple[Sample, Prediction]]) -> None:
        """Store the predictions of samples that lack one."""
        new = [(sample, prediction) for sample, prediction in predictions if self.lacks(sample)]
        inputs = self.checksums.of(self.run.task, [sample for sample, _ in new])
        self.predictions.append([(sample.id, prediction) for sample, prediction in new], inputs)
        done = len(self.predictions.before) + self.context.group.count(self.run.title, len(new))
        self.context.report(done, self.total)

    def skip(self, sample: Sample, reason: str) -> None:
        """Store the reason in place of a prediction."""
        if self.lacks(sample):
            self.context.warn(
                f"{self.run.title}: sample {sample.id} is skipped and counts as wrong: {reason}"
            )
            self.append([(sample, skipped(reason))])

    def lacks(self, sample: Sample) -> bool:
        """Whether a sample has no prediction, neither from before nor by this process."""
        predictions = self.predictions
        return sample.id not in predictions.before and sample.id not in predictions.file


def _predict(
    run: Run,
    model: Model,
    *,
    samples: Sequence[Sample],
    own: Sequence[Sequence[Sample]],
    supply: BatchSupply[Sample],
    writer: _Writer,
    batch_size: int,
) -> None:
    """Predict the samples that lack a prediction, by the loop that suits the task.

    In a gallery, this process encodes all of its `own` batches: even the image of a sample with a
    prediction is a candidate for the texts of other samples.
    """
    task, source = run.task, writer.context.source
    load = partial(
        load_batches,
        prepare=model.prepare,
        workers=run.speed.workers,
        collate=collate_of(model),
        note=writer.checksums.add,
        read=source.read,
    )
    skip = writer.skip if run.skip else None
    if not isinstance(task, GalleryTask):
        handed_out = source.hand_out(supply, batch_size)
        loaded = load(handed_out, take=supply.take, skip=skip)
        predict_batches(task, model, loaded, writer.append)
        return
    supply.claim_first()
    unencoded = _Unencoded(writer)
    predict_gallery(
        task,
        model,
        samples,
        load(source.hand_out(own, batch_size), skip=unencoded.skip if run.skip else None),
        writer.append,
        wanted={sample.id for sample in samples if writer.lacks(sample)},
        all_gather=unencoded.all_gather,
        claim=supply.claim,
        others=load(supply.others(without=unencoded.ids), take=supply.take, skip=skip),
    )


class _Unencoded:
    """The samples of a gallery that are skipped because their owner cannot read their images.

    A process that takes over their batch leaves them out, even if it can read these images: they
    have no features. It also skips those that it cannot read itself.
    """

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer
        self.ids: set[SampleId] = set()

    def skip(self, sample: Sample, reason: str) -> None:
        """Store the reason in place of the prediction for an own sample."""
        self.ids.add(sample.id)
        self._writer.skip(sample, reason)

    def all_gather(self, value: T) -> list[T]:
        """Return the value of every process; gathers the skipped samples too."""
        gathered = self._writer.context.group.all_gather((value, frozenset(self.ids)))
        self.ids.update(*(ids for _, ids in gathered))
        return [value for value, _ in gathered]
