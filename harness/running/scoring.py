"""From complete predictions to a record: the last stage of a run, in process 0."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.capabilities import Model
from harness.data.published import split_deviations
from harness.errors import DataError, HarnessError
from harness.files.atomic import replacing
from harness.formats.folder import sha256_of
from harness.images import STRICT
from harness.plugins import MODEL, TASK
from harness.records.fingerprints import Fingerprints
from harness.records.id_column import ABSENT
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.predictions import PredictionFile
from harness.records.provenance import code_sha256, computing, release
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

DEFAULT_FAMILY = "xvlm"
SUBMISSION = ".submission.json"
EXPORT = ".export.jsonl"
HALVED_TO = "batch_size_halved_to"  # a key of a record's `predictions`


def identify(run: Run, model: Model, samples: Sequence[Sample], *, total: int) -> dict[str, Any]:
    """Return the identity of a run: runs with the same identity make the same predictions.

    It holds hashes, but no names or paths. `total` is the size of the whole split.
    """
    files = run.data.fingerprint(run.task.files(run.split))
    return {
        "task": run.task.name,
        "task_version": run.task.version,
        "split": run.split,
        "n": len(samples),
        "subset": None if run.limit is None else {"limit": run.limit, "total": total},
        "protocol": run.task.protocol_for(model, samples),
        "checkpoint": {
            "sha256": run.sha256,
            **_family(run),
            **_arguments(run),
            **model.provenance,
        },
        "data": {"name": run.data.name, "sha256": digest_of_files(files), "files": files},
        "settings": _settings(run, model),
        "software": computing(),
        "code": {
            "release": release(),
            "sha256": code_sha256(*_of_no_plugin(run, model)),
            **{plugin.kind: plugin.identity() for plugin in run.plugins},
        },
    }


def _family(run: Run) -> dict[str, str]:
    """Return the model family, where it is not the one that records without a name are of."""
    family = run.weights.family
    return {} if family == DEFAULT_FAMILY else {"family": family}


def _of_no_plugin(run: Run, model: Model) -> list[object]:
    """Return the task and the model, unless the code of a plugin includes that of their class."""
    packages = {plugin.kind: _package(plugin.module) for plugin in run.plugins}
    parts = {TASK: run.task, MODEL: model}
    return [
        part
        for kind, part in parts.items()
        if packages.get(kind) != _package(type(part).__module__)
    ]


def _package(module: str) -> str:
    return module.partition(".")[0]


def _arguments(run: Run) -> dict[str, Any]:
    """Return the family's own settings, where the user gave any."""
    return {"arguments": dict(run.weights.arguments)} if run.weights.arguments else {}


def _settings(run: Run, model: Model) -> dict[str, str]:
    """Return the flags that can move a number; `images` only where it is not the default."""
    settings = {"dtype": run.dtype, "device": model.device}
    return settings if run.images == STRICT else {**settings, "images": run.images}


def finish(
    run: Run,
    samples: Sequence[Sample],
    file: PredictionFile,
    *,
    identity: Mapping[str, Any],
    halved_to: int | None,
) -> Outcome:
    """Score complete predictions, and write the record and, for a hidden split, the submission.

    `halved_to` is the smallest batch size if memory ran out; the record notes it.
    """
    (record, scores), path = make_record(run, samples, file, identity=identity), run.path()
    earlier = _record_of(record.predictions["sha256"], path)
    if halved_to is None and earlier is not None:  # nothing was predicted: keep its note
        halved_to = earlier.predictions.get(HALVED_TO)
    if halved_to is not None:
        record = replace(record, predictions={**record.predictions, HALVED_TO: halved_to})
    if run.split not in run.task.hidden:
        write_record(path, record)
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
    """Return the record of complete predictions and its scores; write the sample scores beside it.

    Puts the predictions into the order of the samples. Raises DataError where a sample has none.
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
        intervals=dict(scores.intervals),
        breakdown={kind: dict(values) for kind, values in scores.breakdown.items()},
        not_run=dict(scores.not_run),
        checkpoint={**run.checkpoint, **identity["checkpoint"]},
        data={
            **identity["data"],
            **run.data.description,
            **({DEVIATIONS: deviations} if deviations else {}),
        },
        settings=identity["settings"],
        predictions=_file(file.path) | ({KEY: skipped} if skipped else {}),
        software=file.software,
        inputs=file.inputs,
        contributions=_file(sample_scores_path),
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


def _file(path: Path) -> dict[str, Any]:
    return {"file": path.name, "sha256": sha256_of(path)}


def _record_of(predictions_sha256: str, path: Path) -> ResultRecord | None:
    """Return the record at a path if it was made of these very predictions."""
    try:
        record = read_record(path)
    except DataError:
        return None
    return record if record.predictions.get("sha256") == predictions_sha256 else None


def digest_of_files(files: Mapping[str, str]) -> str:
    """Return the SHA-256 of annotation files, given that of each by its path."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()
