"""Predict and score: run a model over the samples of a task, and turn what it said into a record."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.callbacks import Report, Warn
from harness.capabilities import Model
from harness.errors import DataError
from harness.files.parsing import read_json
from harness.formats.folder import DataFolder, sha256_of
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.predictions import PredictionFile
from harness.records.provenance import computing, processor, software
from harness.records.record import (
    SCHEMA,
    ResultRecord,
    Subset,
    read_record,
    record_path,
    remove_record,
    write_record,
    write_result,
)
from harness.records.sample_scores import SUFFIX as CONTRIBUTIONS
from harness.records.sample_scores import SampleScores, digest, write_sample_scores
from harness.running.distributed import ProcessGroup, SingleProcess
from harness.running.fingerprint import fingerprint_inputs
from harness.running.predict import Batching, Speed, fitting_batch_size, predict
from harness.running.shards import merge_shards, open_sharded
from harness.running.skipped import KEY, as_scored, reasons
from harness.task import Prediction, Sample, SampleId, Scores, Task


@dataclass(frozen=True)
class Run:
    """Everything that determines the predictions of one task on one split; `checkpoint` and `settings` go into the record as they are.

    Where an image cannot be read, the run ends, or its samples are `skip`ped: they count as wrong, and the record lists them.
    """

    task: Task
    split: str
    data: DataFolder
    checkpoint: Mapping[str, Any]
    settings: Mapping[str, Any]
    limit: int | None = None
    skip: bool = False

    def path(self, out: Path, suffix: str = ".json") -> Path:
        """Return where the record of this run lies, or a file beside it."""
        name = self.checkpoint["name"]
        return record_path(
            out,
            checkpoint=name,
            task=self.task.name,
            split=self.split,
            limit=self.limit,
            suffix=suffix,
        )


class Outcome(NamedTuple):
    """The record that a run ended in and, where only a server knows the truths, the file to upload to it."""

    record: Path
    submission: Path | None = None


def evaluate(
    run: Run,
    model: Model,
    *,
    out: Path,
    speed: Speed,
    fresh: bool,
    report: Report,
    warn: Warn,
    group: ProcessGroup | None = None,
    skip: bool = False,
) -> Outcome | None:
    """Carry out a run, going on where an earlier one stopped, and return its outcome.

    Whatever was predicted before an error or a kill stays on disk; `fresh` discards what an earlier run left. Of several processes, a
    `group`, each predicts its share, and the first one has the outcome. `tell` is told what the user should know beside.
    """
    group = group or SingleProcess()
    began = time.monotonic()
    everything = run.task.load(run.data, run.split)
    if run.limit is not None and run.limit >= len(everything):
        run = replace(run, limit=None)
    run = replace(run, checkpoint={**run.checkpoint, **model.provenance})
    samples = everything if run.limit is None else subset(everything, run.limit)
    identity = identify(run, model, samples, total=len(everything))
    path = run.path(out, PREDICTIONS)
    size = speed.batch_size or min(group.all_gather(fitting_batch_size(run.task, model, samples)))
    begun_with = {**software(), "processor": processor(), "batch_size": size}
    inputs = fingerprint_inputs(run.task, model, samples) if group.rank == 0 else {}
    with open_sharded(
        path, identity, software=begun_with, inputs=inputs, fresh=fresh, group=group
    ) as shared:
        loaded = time.monotonic()
        if group.rank == 0 and len(shared.before) < len(samples):
            remove_record(run.path(out))
        if speed.batch_size is None:  # a run goes on in the batches it began with, wherever it does
            size = group.all_gather(_noted_batch_size(shared.file) or size)[0]
        speed, label = (
            replace(speed, batch_size=size),
            f"{run.checkpoint['name']} {run.task.name} {run.split}",
        )
        own = predict(
            run.task,
            model,
            samples,
            shared,
            speed=speed,
            label=label,
            report=report,
            warn=warn,
            group=group,
            skip=run.skip,
        )
        predicted = time.monotonic()
        if group.rank == 0:
            batching = Batching.of_all(group.all_gather(own))  # the others have closed their parts
            merge_shards(shared.file, identity)
            report(len(shared.file.done), len(samples))
            outcome = _finish(
                run, samples, shared.file, identity=identity, out=out, batching=batching
            )
            scored = time.monotonic()
            if fresh or len(shared.file.done) > len(shared.before):
                stages = {
                    "load": loaded - began,
                    "predict": predicted - loaded,
                    "score": scored - predicted,
                }
                sitting = {
                    "predicted": len(shared.file.done) - len(shared.before),
                    "seconds": {name: round(seconds, 3) for name, seconds in stages.items()},
                    **batching._asdict(),
                    "workers": speed.workers,
                    "processes": group.size,
                }
                _add_timings(run.path(out, ".timings.json"), sitting, first=not shared.before)
            return outcome
    group.all_gather(own)
    return None


def _finish(
    run: Run,
    samples: Sequence[Sample],
    file: PredictionFile,
    *,
    identity: Mapping[str, Any],
    out: Path,
    batching: Batching,
) -> Outcome:
    check_complete(run, samples, file)
    file.arrange([sample.id for sample in samples])
    path, record = run.path(out), make_record(run, samples, file, identity=identity)
    if batching.halved_to is not None:
        record = replace(
            record, predictions={**record.predictions, "batch_size_halved_to": batching.halved_to}
        )
    if run.split not in run.task.hidden:
        write_record(path, record)
        return Outcome(path)
    submission = run.path(out, ".submission.json")
    write_result(submission, run.task.submission(samples, as_scored(run.task, samples, file.done)))
    if not _scored_by_server(path, record):
        write_record(path, record)
    return Outcome(path, submission)


def _noted_batch_size(file: PredictionFile) -> int | None:
    noted = file.software.get("batch_size")
    return noted if type(noted) is int and noted > 0 else None


def _scored_by_server(path: Path, record: ResultRecord) -> bool:
    """Whether `import-score` has written down what a server said of these very predictions."""
    try:
        predictions = read_record(path).predictions
    except DataError:
        return False
    return "receipt" in predictions and predictions.get("sha256") == record.predictions["sha256"]


def subset(samples: Sequence[Any], limit: int) -> list[Any]:
    """Return `limit` samples, drawn by a hash of their ids: the same ones everywhere, in the order of the file."""
    ranked = sorted(samples, key=lambda sample: hashlib.sha256(str(sample.id).encode()).digest())
    chosen = {sample.id for sample in ranked[:limit]}
    return [sample for sample in samples if sample.id in chosen]


def identify(run: Run, model: Model, samples: Sequence[Sample], *, total: int) -> dict[str, Any]:
    """Return what tells this run from every other: two runs with the same identity make the same predictions."""
    files = run.data.fingerprint(run.task.files(run.split))
    return {
        "task": run.task.name,
        "task_version": run.task.version,
        "split": run.split,
        "n": len(samples),
        "subset": None if run.limit is None else {"limit": run.limit, "total": total},
        "protocol": f"{run.task.protocol}|{model.protocol}",
        "checkpoint": {
            name: value
            for name, value in run.checkpoint.items()
            if name not in ("name", "registered", "file")
        },
        "data": {"name": run.data.name, "sha256": _digest(files), "files": files},
        "settings": dict(run.settings),
        "software": computing(),
    }


def check_complete(run: Run, samples: Sequence[Sample], file: PredictionFile) -> None:
    """Raise DataError where a sample has no prediction, or something was predicted that is no sample."""
    ids = [sample.id for sample in samples]
    if missing := [id for id in ids if id not in file.done]:
        raise DataError(
            f"{file.path}: {len(missing)} of {len(ids)} samples have no prediction, e.g. {missing[0]!r}; a partial run is not scored"
        )
    if extra := file.done.keys() - set(ids):
        raise DataError(
            f"{file.path}: predicts {len(extra)} samples that {run.task.name} {run.split} does not have, e.g. {min(extra, key=str)!r}"
        )


def make_record(
    run: Run, samples: Sequence[Sample], file: PredictionFile, *, identity: Mapping[str, Any]
) -> ResultRecord:
    """Score complete predictions, and write what each sample contributed beside them. Raises DataError where they are not complete."""
    check_complete(run, samples, file)
    scores = (
        run.task.pending_scores()
        if run.split in run.task.hidden
        else run.task.score(samples, as_scored(run.task, samples, file.done))
    )
    left_out = reasons(file.done)
    contributions = file.path.with_name(file.path.name.replace(PREDICTIONS, CONTRIBUTIONS))
    write_sample_scores(contributions, contributed(scores, samples, file.done))
    return ResultRecord(
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
        checkpoint=dict(run.checkpoint),
        data=identity["data"],
        settings=dict(run.settings),
        predictions={"file": file.path.name, "sha256": sha256_of(file.path)}
        | ({KEY: left_out} if (left_out := reasons(file.done)) else {}),
        software=file.software,
        inputs=file.inputs,
        contributions={"file": contributions.name, "sha256": sha256_of(contributions)},
    )


def contributed(
    scores: Scores, samples: Sequence[Sample], predictions: Mapping[SampleId, Prediction]
) -> SampleScores:
    """Return what each sample contributed to its scores."""
    return SampleScores(
        ids=[sample.id for sample in samples],
        digests=np.array([digest(predictions[sample.id]) for sample in samples], dtype=np.uint64),
        by_sample={
            name: np.asarray(values, dtype=np.float64) for name, values in scores.by_sample.items()
        },
        statistics=scores.statistics,
    )


def _add_timings(path: Path, sitting: Mapping[str, Any], *, first: bool) -> None:
    """Note how long a sitting took, beside those of the same run before it."""
    try:
        earlier = [] if first or not path.exists() else list(read_json(path)["sittings"])
    except (DataError, KeyError, TypeError):
        earlier = []
    write_result(path, {"sittings": [*earlier, sitting]})


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()
