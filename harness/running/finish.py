"""The end of a run, in process 0: its record, the file to upload, the predictions to export."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError
from harness.files.atomic import replacing
from harness.records.predictions import PredictionFile
from harness.records.record import ResultRecord, read_record, write_record, write_result
from harness.running.run import Outcome, Run
from harness.running.scoring import make_record
from harness.running.skipped import reasons, with_fallbacks
from harness.task import Prediction, Sample, SampleId

SUBMISSION = ".submission.json"
EXPORT = ".export.jsonl"
# What a record says that is without intervals, as they are being computed.
UNFINISHED = {"intervals": "the run ended before; the same command computes them"}
HALVED_TO = "batch_size_halved_to"  # a key of a record's `predictions`


def finish(
    run: Run,
    samples: Sequence[Sample],
    file: PredictionFile,
    *,
    identity: Mapping[str, Any],
    halved_to: int | None,
) -> Outcome:
    """Score complete predictions, and write the record and, for a hidden split, the submission.

    The record is written as soon as its metrics are known, and again with their intervals, which
    may take many times as long. `halved_to` is the smallest batch size if memory ran out; the
    record notes it.
    """
    (record, scores), path = make_record(run, samples, file, identity=identity), run.path()
    earlier = _record_of(record.predictions["sha256"], path)
    if halved_to is None and earlier is not None:  # nothing was predicted: keep its note
        halved_to = earlier.predictions.get(HALVED_TO)
    if halved_to is not None:
        record = replace(record, predictions={**record.predictions, HALVED_TO: halved_to})
    if run.split not in run.task.hidden:
        if earlier is None:
            write_record(path, replace(record, not_run={**record.not_run, **UNFINISHED}))
        write_record(path, replace(record, intervals=dict(scores.intervals)))
        skipped = reasons(file.done)
        predicted = [sample for sample in samples if str(sample.id) not in skipped]
        return Outcome(path, caveats=scores.caveats, export=_export(run, predicted, file.done))
    submission = run.path(SUBMISSION)
    predictions = with_fallbacks(run.task, samples, file.done)
    write_result(submission, run.task.submission(samples, predictions))
    if earlier is None or "receipt" not in earlier.predictions:  # a server's number stays
        write_record(path, record)
    return Outcome(path, submission)


def _export(
    run: Run, samples: Sequence[Sample], predictions: Mapping[SampleId, Prediction]
) -> Path | None:
    """Write the predictions in the words of the annotations, where the task has such words."""
    lines = run.task.export(samples, predictions)
    if not lines:
        return None
    path = run.path(EXPORT)
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def _record_of(predictions_sha256: str, path: Path) -> ResultRecord | None:
    """Return the record at a path if it was made of these very predictions."""
    try:
        record = read_record(path)
    except DataError:
        return None
    return record if record.predictions.get("sha256") == predictions_sha256 else None
