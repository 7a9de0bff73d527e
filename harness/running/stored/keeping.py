"""Keep the scores of stored predictions as a result: a record, sample scores and predictions.

Such a result is compared with a baseline like that of a run, without a model.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.checkpoints.entries import names_results
from harness.errors import DataError, HarnessError, UsageError
from harness.files.atomic import replacing
from harness.formats.folder import digest_of_files, sha256_of
from harness.formats.same_files import are_files_of
from harness.records.fingerprints import Fingerprints
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.predictions import open_predictions
from harness.records.provenance import code_sha256, commit, release
from harness.records.record import (
    DEVIATIONS,
    SCHEMA,
    ResultRecord,
    read_record,
    record_path,
    write_record,
)
from harness.records.sample_scores import SUFFIX as SAMPLE_SCORES
from harness.records.sample_scores import SampleScores, write_sample_scores
from harness.records.stored_predictions import StoredPredictions, read_prediction_bytes
from harness.running.scoring import hashed_file, sample_scores
from harness.running.skipped import KEY, reasons
from harness.running.stored.scoring import Scored

# What the first line of stored predictions holds about their run, of which a record is made.
HELD = {"protocol": str, "checkpoint": Mapping, "data": Mapping, "settings": Mapping}
FOREIGN = "official-results"  # the protocol's part for predictions that another program made


def keep_scores(scored: Scored, out: Path, *, checkpoint: str | None) -> Path:
    """Write a result below `out`, as `run` does, and return the path of its record.

    `checkpoint` names the weights; predictions of `run` are by default of those that their record,
    or their folder, names. Raises UsageError without a name, DataError for predictions of `run`
    that were made on other annotation files or do not name their run, HarnessError where a file
    cannot be written.
    """
    data = {"name": scored.data, "sha256": digest_of_files(scored.files), "files": scored.files}
    origin = _own_origin(scored) if scored.stored else _foreign_origin(scored, data)
    if scored.stored:  # the same files, at the paths that the run read them from
        data = {key: origin.identity["data"].get(key, value) for key, value in data.items()}
    weights = {**origin.weights, "name": checkpoint or origin.weights["name"]}
    if checkpoint is not None and checkpoint != origin.weights["name"]:
        weights["registered"] = False
    name = _refuse_path(str(weights["name"]))

    def path(suffix: str) -> Path:
        return record_path(
            out, checkpoint=name, task=scored.task, split=scored.split, suffix=suffix
        )

    try:
        if scored.predictions is None:  # of matrices: the file itself stands for predictions
            predictions = hashed_file(scored.file)
        else:
            _write_predictions(scored, path(PREDICTIONS), origin)
            skipped = reasons(scored.predictions)
            predictions = hashed_file(path(PREDICTIONS)) | ({KEY: skipped} if skipped else {})
        path(SAMPLE_SCORES).parent.mkdir(parents=True, exist_ok=True)
        write_sample_scores(path(SAMPLE_SCORES), sample_scores_of(scored))
    except OSError as error:
        raise HarnessError(
            f"{error.filename or out}: cannot be written ({error.strerror}); choose another --out"
        ) from error
    record = ResultRecord(
        schema=SCHEMA,
        task=scored.task,
        task_version=scored.definition.version,
        split=scored.split,
        n=scored.n,
        subset=None,
        protocol=origin.identity["protocol"],
        metrics=dict(scored.scores.metrics),
        intervals=dict(scored.scores.intervals),
        breakdown={kind: dict(values) for kind, values in scored.scores.breakdown.items()},
        not_run=dict(scored.scores.not_run),
        checkpoint=weights,
        data={**data, **({DEVIATIONS: scored.deviations} if scored.deviations else {})},
        settings=origin.identity["settings"],
        predictions=predictions,
        software=origin.software,
        inputs=scored.stored.inputs if scored.stored else {},
        contributions=hashed_file(path(SAMPLE_SCORES)),
    )
    write_record(path(".json"), record)
    return path(".json")


def sample_scores_of(scored: Scored) -> SampleScores:
    """Return the scores of each sample, with the digest of its prediction.

    Where no prediction of a single sample is known, the digest is of its scores.
    """
    predictions = scored.predictions
    if predictions is None:
        columns = [np.asarray(values, np.float64) for values in scored.scores.by_sample.values()]
        rows = np.stack(columns, axis=1).tolist()
        predictions = {sample.id: row for sample, row in zip(scored.samples, rows, strict=True)}
    fingerprints = scored.stored.fingerprints if scored.stored else Fingerprints()
    return sample_scores(scored.scores, scored.samples, predictions, fingerprints)


class _Origin(NamedTuple):
    """Where predictions come from: their run's identity, its software, and the weights."""

    identity: Mapping[str, Any]
    software: Mapping[str, Any]
    weights: Mapping[str, Any]


def _own_origin(scored: Scored) -> _Origin:
    """Return the origin of predictions that `run` made on the same data."""
    assert scored.stored is not None
    stored: StoredPredictions = scored.stored
    for key, kind in HELD.items():
        if not isinstance(stored.identity.get(key), kind):
            raise DataError(
                f"{scored.file}: its first line does not hold the {key!r} of the run; score the "
                "predictions without --out"
            )
    made_on = stored.identity["data"]
    if not are_files_of(made_on, scored.files):
        raise DataError(
            f"{scored.file}: the predictions were made on other annotation files; give their "
            "--data, or score them without --out"
        )
    if made_on.get("name") != scored.data:
        raise DataError(
            f"{scored.file}: the predictions were made on the data {made_on.get('name')!r}, and "
            f"are scored on {scored.data!r}, whose files are the same; give the --data of the run, "
            "or score them without --out"
        )
    names = {"name": scored.file.resolve().parent.name, "registered": False}
    stem = scored.file.name.removesuffix(".gz").removesuffix(PREDICTIONS)
    path = scored.file.with_name(f"{stem}.json")
    if path.is_file():  # without it, the folder names the weights
        beside = read_record(path)
        sha256 = hashlib.sha256(read_prediction_bytes(scored.file)).hexdigest()
        if beside.predictions.get("sha256") == sha256:
            names = dict(beside.checkpoint)
    weights = {**names, **stored.identity["checkpoint"]}
    return _Origin(stored.identity, stored.software, weights)


def _foreign_origin(scored: Scored, data: Mapping[str, Any]) -> _Origin:
    """Return the origin of predictions that another program made."""
    task = scored.definition
    identity = {
        "task": scored.task,
        "task_version": task.version,
        "split": scored.split,
        "n": scored.n,
        "subset": None,
        "protocol": f"{task.protocol}|{FOREIGN}",
        "data": data,
        "settings": {},
        "source_sha256": sha256_of(scored.file),
    }
    software = {"xvlm-eval": release(), "commit": commit(), "code": code_sha256(task)}
    weights = {"name": "", "registered": False, "file": scored.file.name}
    return _Origin(identity, software, weights)


def _write_predictions(scored: Scored, path: Path, origin: _Origin) -> None:
    """Write the predictions in the order of the samples.

    Raises IdentityError or HarnessError where other predictions are at that path.
    """
    assert scored.predictions is not None
    if scored.stored is not None and not _is_same_file(scored.file, path):
        content = read_prediction_bytes(scored.file)
        if path.exists() and path.read_bytes() != content:
            raise HarnessError(f"{path}: holds other predictions; choose another --out")
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    with open_predictions(path, origin.identity, software=origin.software) as file:
        file.append((id, value) for id, value in scored.predictions.items() if id not in file)
        file.arrange([sample.id for sample in scored.samples])


def _is_same_file(path: Path, other: Path) -> bool:
    return other.exists() and path.resolve() == other.resolve()


def _refuse_path(name: str) -> str:
    """Return the name of weights. Raises UsageError for one that no folder of results can have."""
    if name.startswith(".") or not names_results(name):  # a folder with a dot is hidden
        raise UsageError(f"--checkpoint {name!r}: should be a name like x-vlm-base-16m, not a path")
    return name
