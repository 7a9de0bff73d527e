"""From complete predictions to the content of a record, and the scores of each sample."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.published import split_deviations
from harness.errors import DataError
from harness.formats.folder import sha256_of
from harness.records.fingerprints import Fingerprints
from harness.records.id_column import ABSENT
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.predictions import PredictionFile
from harness.records.record import DEVIATIONS, SCHEMA, ResultRecord, Subset
from harness.records.sample_scores import SUFFIX as SAMPLE_SCORES
from harness.records.sample_scores import SampleScores, digest, write_sample_scores
from harness.running.run import Run
from harness.running.skipped import KEY, reasons, with_fallbacks
from harness.task import Prediction, Sample, SampleId, Scores


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
