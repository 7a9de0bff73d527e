"""From complete predictions to a record: the last stage of a run, in process 0."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.published import split_deviations
from harness.errors import DataError, HarnessError
from harness.files.atomic import replacing
from harness.formats.folder import sha256_of
from harness.records.fingerprints import Fingerprints
from harness.records.id_column import ABSENT
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.predictions import PredictionFile
from harness.records.record import (
    DEVIATIONS,
    SCHEMA,
    ResultRecord,
    Subset,
    read_record,
    write_record,
    write_result,
)
from harness.records.sample_scores import SUFFIX as SAMPLE_SCORES
from harness.records.sample_scores import SampleScores, digest, write_sample_scores
from harness.running.run import Outcome, Run
from harness.running.skipped import KEY, reasons, with_fallbacks
from harness.task import Prediction, Sample, SampleId, Scores

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


def make_record(
    run: Run,
    samples: Sequence[Sample],
    file: PredictionFile,
    *,
    identity: Mapping[str, Any],
) -> tuple[ResultRecord, Scores]:
    """Return the record of complete predictions, without intervals, and its scores.

    Writes the sample scores beside it, and puts the predictions into the order of the samples.
    Raises DataError where a sample has none.
    """
    check_complete(run, samples, file)
    file.arrange([sample.id for sample in samples])
    if run.split in run.task.hidden:
        scores = run.task.pending_scores()
    else:
        scores = run.task.score(samples, with_fallbacks(run.task, samples, file.done))
    deviations = [] if run.limit else split_deviations(run.task, run.data, run.split, samples)
    skipped = reasons(file.done)
    sample_scores_path = file.path.with_name(file.path.name.replace(PREDICTIONS, SAMPLE_SCORES))
    write_sample_scores(
        sample_scores_path, sample_scores(scores, samples, file.done, file.fingerprints)
    )
    record = ResultRecord(
        schema=SCHEMA,
        task=run.task.name,
        task_version=run.task.version,
        split=run.split,
        n=len(samples),
        subset=None if identity["subset"] is None else Subset(**identity["subset"]),
        protocol=identity["protocol"],
        metrics=dict(scores.metrics),
        intervals={},
        breakdown={kind: dict(values) for kind, values in scores.breakdown.items()},
        not_run=dict(scores.not_run),
        checkpoint={**run.checkpoint, **identity["checkpoint"]},
        data={
            **identity["data"],
            **run.data.description,
            **({DEVIATIONS: deviations} if deviations else {}),
        },
        settings=identity["settings"],
        predictions=hashed_file(file.path) | ({KEY: skipped} if skipped else {}),
        software=file.software,
        inputs=file.inputs,
        contributions=hashed_file(sample_scores_path),
    )
    return record, scores


def check_complete(run: Run, samples: Sequence[Sample], file: PredictionFile) -> None:
    """Raise DataError where a sample has no prediction, or a prediction has no sample."""
    ids = [sample.id for sample in samples]
    if missing := [id for id in ids if id not in file.done]:
        raise DataError(
            f"{file.path}: {len(missing)} of {len(ids)} samples have no prediction, e.g. "
            f"{missing[0]!r}; a partial run is not scored"
        )
    refuse_other_samples(run, samples, file)


def refuse_other_samples(run: Run, samples: Sequence[Sample], file: PredictionFile) -> None:
    """Raise DataError where a prediction has no sample."""
    ids = [sample.id for sample in samples]
    predicted = file.ids
    if np.count_nonzero(predicted.rows(ids) != ABSENT) < len(predicted):
        extra = predicted - set(ids)
        raise DataError(
            f"{file.path}: predicts {len(extra)} samples that {run.task.name} {run.split} does "
            f"not have, e.g. {min(extra, key=str)!r}; remove their lines, or predict anew with "
            "--fresh"
        )


def sample_scores(
    scores: Scores,
    samples: Sequence[Sample],
    predictions: Mapping[SampleId, Prediction],
    fingerprints: Fingerprints,
) -> SampleScores:
    """Return the contribution of each sample to its scores, and the digest of its prediction.

    `fingerprints` of the samples' inputs are kept if there are any.
    """
    ids = [sample.id for sample in samples]
    return SampleScores(
        ids=ids,
        digests=np.array([digest(predictions[sample.id]) for sample in samples], dtype=np.uint64),
        by_sample={
            name: np.asarray(values, dtype=np.float64) for name, values in scores.by_sample.items()
        },
        statistics=scores.statistics,
        inputs=fingerprints.parts_of(ids).numbers if fingerprints else None,
    )


def hashed_file(path: Path) -> dict[str, Any]:
    """Return the name and the SHA-256 of a file beside a record."""
    return {"file": path.name, "sha256": sha256_of(path)}


def _record_of(predictions_sha256: str, path: Path) -> ResultRecord | None:
    """Return the record at a path if it was made of these very predictions."""
    try:
        record = read_record(path)
    except DataError:
        return None
    return record if record.predictions.get("sha256") == predictions_sha256 else None
