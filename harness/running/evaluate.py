"""Predict and score: run a model over the samples of a task, and write a record of the result.

    load       annotation files -> samples, and the identity of the run
    predict    samples -> predictions, appended to a file on disk as they are made
    score      predictions -> metrics -> the record

The predictions on disk carry the identity of their run. A killed run continues from them when it
is started again, and ends in the same bytes as an undisturbed one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from harness.callbacks import Report, Warn
from harness.capabilities import Model
from harness.engine.memory import release_freed_memory
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.predictions import PredictionFile
from harness.records.provenance import code_versions, processor, software
from harness.records.record import remove_record
from harness.running.batch_size import agree_on_batch_size, noted_batch_size
from harness.running.context import Context
from harness.running.finish import finish
from harness.running.identity import identify
from harness.running.inputs.file_check import FileCheck
from harness.running.inputs.fingerprint import fingerprint_inputs
from harness.running.inputs.preparation_check import check_preparation
from harness.running.predict import predict
from harness.running.processes.shards import ShardedPredictions, merge_shards, open_sharded
from harness.running.retried import retry_unreadable
from harness.running.run import Outcome, Run
from harness.running.scoring import refuse_other_samples
from harness.running.subset import subset
from harness.running.timings import SUFFIX as TIMINGS
from harness.running.timings import Stopwatch, add_sitting
from harness.task import Sample


def evaluate(run: Run, model: Model, context: Context) -> Outcome | None:
    """Predict the missing samples of a run, score it, and return the outcome in rank 0, else None.

    Every process of the group calls it, and predicts its share of the samples and then those that
    slower processes have left. Predictions made before an error or a kill stay on disk.
    """
    group = context.group
    stopwatch = Stopwatch()
    # Every process reads the annotations itself: faster than to exchange them.
    whole_split = context.source.load(run)
    release_freed_memory()  # of the files and what was parsed of them
    if run.limit is not None and run.limit >= len(whole_split):
        run = replace(run, limit=None)
    samples = whole_split if run.limit is None else subset(whole_split, run.limit)
    identity = identify(run, model, samples, total=len(whole_split))
    batch_size = agree_on_batch_size(run.speed.batch_size, run.task, model, samples, group)
    with _opened(run, model, samples, context, identity=identity, batch_size=batch_size) as (
        predictions,
        inputs_check,
    ):
        release_freed_memory()  # of earlier predictions
        stopwatch.end("load")
        batch_size = noted_batch_size(predictions.software) or batch_size
        if group.rank == 0 and len(predictions.before) < len(samples):
            remove_record(run.path())
            _warn_of_other_batches(run, batch_size, context.warn)
        checking = replace(context, report=_checking(context.report, inputs_check))
        fitting = predict(run, model, samples, predictions, checking, batch_size=batch_size)
        inputs_check.finish()
        stopwatch.end("predict")
        if group.rank == 0:
            smallest = min(group.all_gather(fitting))  # by now, the other shards are closed
            sitting = {
                "batch_size": batch_size,
                "halved_to": smallest if smallest < batch_size else None,
                "workers": run.speed.workers,
                "processes": group.size,
            }
            merge_shards(predictions.file, identity)
            context.report(len(predictions.file), len(samples))
            return _finish(run, samples, predictions, stopwatch, identity=identity, sitting=sitting)
    group.all_gather(fitting)
    return None


@contextmanager
def _opened(
    run: Run,
    model: Model,
    samples: Sequence[Sample],
    context: Context,
    *,
    identity: Mapping[str, Any],
    batch_size: int,
) -> Iterator[tuple[ShardedPredictions, FileCheck]]:
    """Open the prediction file of a run, and begin to check the inputs of earlier predictions.

    Samples that were skipped and can be read now lose theirs. A collective call. Raises
    IdentityError for the predictions of another run.
    """
    rank = context.group.rank
    inputs = fingerprint_inputs(run.task, model, samples) if rank == 0 else {}

    def check(file: PredictionFile) -> None:
        refuse_other_samples(run, samples, file)
        check_preparation(run.task, model, samples, file, inputs=inputs)
        inputs_check.begin(file)
        planned = noted_batch_size(file.software) or batch_size
        retry_unreadable(
            run, model, samples, file, inputs=inputs, batch_size=planned, warn=context.warn
        )

    with (
        FileCheck(run.task, samples, workers=run.speed.workers) as inputs_check,
        open_sharded(
            run.path(PREDICTIONS),
            identity,
            software={
                **software(),
                **code_versions(identity["code"]),
                "processor": processor(),
                "batch_size": batch_size,
            },
            inputs=inputs,
            fresh=run.fresh,
            group=context.group,
            check=check,
        ) as predictions,
    ):
        yield predictions, inputs_check


def _finish(
    run: Run,
    samples: Sequence[Sample],
    predictions: ShardedPredictions,
    stopwatch: Stopwatch,
    *,
    identity: Mapping[str, Any],
    sitting: Mapping[str, Any],
) -> Outcome:
    """Score complete predictions, write the record, and note how long this `sitting` took."""
    file, before = predictions.file, len(predictions.before)
    predicted = len(file) - before
    outcome = finish(run, samples, file, identity=identity, halved_to=sitting["halved_to"])
    stopwatch.end("score")
    if predicted:
        times = {"predicted": predicted, "seconds": stopwatch.seconds}
        add_sitting(run.path(TIMINGS), {**times, **sitting}, first=not before)
    return outcome


def _checking(report: Report, inputs_check: FileCheck) -> Report:
    """Return a report that also ends the run where an input of an earlier prediction changed.

    Image files are read from the second report on, that of the first batch.
    """
    calls = count()

    def report_and_check(done: int, total: int) -> None:
        report(done, total)
        if next(calls):
            inputs_check.read_images()
        inputs_check.raise_if_changed()

    return report_and_check


def _warn_of_other_batches(run: Run, batch_size: int, warn: Warn) -> None:
    """Warn where `--batch-size` is not the batch size that a resumed run was begun with."""
    flag = run.speed.batch_size
    if flag is not None and flag != batch_size:
        now = f"now cut to {flag}" if flag < batch_size else "which it keeps"
        warn(
            f"{run.title}: was begun with batches of {batch_size}, {now}; "
            f"--fresh begins anew with batches of {flag}"
        )
