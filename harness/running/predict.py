"""Predict what a run lacks, in batches that fit into memory.

All processes plan the same batches over all samples, and each owns a fixed shard of them. A batch
is computed whole even if part of it is on disk: the last digits of a float depend on what shares a
matrix product, and a resumed run must end in the same bytes, as must a run on more processes. If
memory runs out, a process halves its own batches and continues with the samples that it has not
predicted yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.callbacks import Report, Warn
from harness.capabilities import Model
from harness.engine.memory import is_out_of_memory
from harness.errors import HarnessError, MemoryFull
from harness.plugins import first_line
from harness.running.distributed import ProcessGroup, shard
from harness.running.loader import cut, load_batches, plan_batches
from harness.running.prepared import collate_of
from harness.running.run import Run
from harness.running.runners import predict_batches, predict_gallery
from harness.running.sample_inputs import InputChecksums
from harness.running.shards import ShardedPredictions
from harness.running.skipped import skipped
from harness.running.source import WHEN_NEEDED, Source
from harness.task import (
    GalleryTask,
    Prediction,
    Sample,
    SampleId,
    without_garbage_collection,
)


def predict(
    run: Run,
    model: Model,
    samples: Sequence[Sample],
    predictions: ShardedPredictions,
    group: ProcessGroup,
    *,
    batch_size: int,
    report: Report,
    warn: Warn,
    source: Source = WHEN_NEEDED,
) -> int:
    """Predict the samples of this process's shard that lack a prediction.

    The run was begun with `batch_size`; a smaller `run.speed.batch_size` cuts its batches. Returns
    the batch size that fitted into memory. Raises HarnessError if not even one sample at a time
    fits, DataError for an unreadable image unless the run skips its samples.
    """
    report(len(predictions.before), len(samples))
    if len(predictions.before) == len(samples):
        return batch_size
    checksums = InputChecksums()
    with without_garbage_collection():
        planned = shard(plan_batches(samples, batch_size), group)
        own = {sample.id: sample for batch in planned for sample in batch}
    writer = _Writer(run, len(samples), own, predictions, checksums, group, report, warn)
    fitting = min(batch_size, run.speed.batch_size or batch_size)
    while True:
        batches = (
            planned if fitting == batch_size else [b for p in planned for b in cut(p, fitting)]
        )
        try:
            _predict(run, model, samples, batches, writer, group, source)
            return fitting
        except Exception as error:
            if not isinstance(error, MemoryFull) and not is_out_of_memory(error):
                raise
            # Keep the text, not the error: its traceback keeps alive what fills the memory.
            reason = first_line(error) if str(error) else "out of memory"
        if fitting == 1:
            raise HarnessError(
                f"{reason}, even one sample at a time; free some memory, or use another --device "
                "or --dtype; what was predicted is kept, the same command continues"
            )
        fitting //= 2
        warn(f"{run.title}: {reason}; going on with batches of {fitting}")


@dataclass(frozen=True)
class _Writer:
    """Stores each prediction of this process's shard once, and reports the progress.

    Holds the ids of the samples that lack one.
    """

    run: Run
    total: int
    own: Mapping[SampleId, Sample]
    predictions: ShardedPredictions
    checksums: InputChecksums
    group: ProcessGroup
    report: Report
    warn: Warn

    def append(self, predictions: Iterable[tuple[SampleId, Prediction]]) -> None:
        """Store the predictions of samples that lack one."""
        new = {id: prediction for id, prediction in predictions if id in self}
        inputs = self.checksums.of(self.run.task, [self.own[id] for id in new])
        self.predictions.append(new.items(), inputs)
        done = len(self.predictions.before) + self.group.count(self.run.title, len(new))
        self.report(done, self.total)

    def skip(self, sample: Sample, reason: str) -> None:
        """Store the reason in place of a prediction."""
        if sample.id in self:
            self.warn(
                f"{self.run.title}: sample {sample.id} is skipped and counts as wrong: {reason}"
            )
            self.append([(sample.id, skipped(reason))])

    def __contains__(self, id: object) -> bool:
        """Whether a sample is of this shard and has no prediction."""
        predictions = self.predictions
        return id in self.own and id not in predictions.before and id not in predictions.file.done


def _predict(
    run: Run,
    model: Model,
    samples: Sequence[Sample],
    batches: Sequence[Sequence[Sample]],
    writer: _Writer,
    group: ProcessGroup,
    source: Source,
) -> None:
    """Predict the samples that lack a prediction, by the loop that suits the task."""
    task = run.task
    if not isinstance(task, GalleryTask):
        batches = [batch for batch in batches if any(sample.id in writer for sample in batch)]
    loaded = load_batches(
        source.hand_out(batches),
        model.prepare,
        workers=run.speed.workers,
        collate=collate_of(model),
        skip=writer.skip if run.skip else None,
        note=writer.checksums.add,
        read=source.read,
    )
    if isinstance(task, GalleryTask):
        predict_gallery(
            task,
            model,
            samples,
            loaded,
            writer.append,
            wanted={id for id in writer.own if id in writer},
            all_gather=group.all_gather,
        )
    else:
        predict_batches(task, model, loaded, writer.append)
