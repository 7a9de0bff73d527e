"""Predict and score: run a model over the samples of a task, and turn what it said into a record."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.capabilities import Model
from harness.errors import DataError
from harness.inference.loader import load_batches, plan_batches
from harness.predictions import open_predictions
from harness.provenance import computing, software
from harness.results import SCHEMA, ResultRecord, Subset, record_path, write_json, write_record
from harness.sources.folder import DataFolder, sha256_of
from harness.task import Sample, Task

Report = Callable[[int, int], None]  # samples done, samples in all


@dataclass(frozen=True)
class Run:
    """Everything that determines the predictions of one task on one split; `checkpoint` and `settings` go into the record as they are."""

    task: Task
    split: str
    data: DataFolder
    checkpoint: Mapping[str, Any]
    settings: Mapping[str, Any]
    limit: int | None = None

    def path(self, out: Path, suffix: str = ".json") -> Path:
        name = self.checkpoint["name"]
        return record_path(out, checkpoint=name, task=self.task.name, split=self.split, limit=self.limit, suffix=suffix)


@dataclass(frozen=True)
class Speed:
    """What decides how fast a run is, and never what comes out of it."""

    batch_size: int
    workers: int


def evaluate(run: Run, model: Model, *, out: Path, speed: Speed, fresh: bool, report: Report) -> Path:
    """Carry out a run, going on where an earlier one stopped, and return the path of its record.

    Whatever was predicted before an error or a kill stays on disk; `fresh` discards what an earlier run left.
    """
    everything = run.task.load(run.data, run.split)
    if run.limit is not None and run.limit >= len(everything):
        run = replace(run, limit=None)
    samples = everything if run.limit is None else subset(everything, run.limit)
    identity = identify(run, model, samples, total=len(everything))
    path = run.path(out, ".predictions.jsonl")
    began = time.monotonic()
    with open_predictions(path, identity, software=software(), fresh=fresh) as file:
        before = len(file.done)
        report(before, len(samples))
        # Planned over all samples, and a batch of which only a part was written is computed whole: the last digits of a float depend on
        # what shares a matrix product, and a resumed run has to end in the same bytes.
        batches = [batch for batch in plan_batches(samples, speed.batch_size) if any(sample.id not in file.done for sample in batch)]
        for batch in load_batches(batches, model.prepare, workers=speed.workers):
            predictions = run.task.predict(model, batch)
            answered = zip(batch.samples, predictions, strict=True)
            file.append([(sample.id, prediction) for sample, prediction in answered if sample.id not in file.done])
            report(len(file.done), len(samples))
        predicted, made_with = dict(file.done), file.software
    seconds = time.monotonic() - began
    record = make_record(run, samples, predicted, identity=identity, predictions=path, made_with=made_with)
    write_record(run.path(out), record)
    write_json(run.path(out, ".timings.json"), {"predicted": len(predicted) - before, "seconds": round(seconds, 3), **asdict(speed)})
    return run.path(out)


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
        "checkpoint": run.checkpoint["sha256"],
        "data": {"name": run.data.name, "sha256": _digest(files), "files": files},
        "settings": dict(run.settings),
        "software": computing(),
    }


def make_record(
    run: Run,
    samples: Sequence[Sample],
    predicted: Mapping[Any, Any],
    *,
    identity: Mapping[str, Any],
    predictions: Path,
    made_with: Mapping[str, Any],
) -> ResultRecord:
    """Score complete predictions. Raises DataError where a sample has none, or something was predicted that is no sample."""
    ids = [sample.id for sample in samples]
    if missing := [id for id in ids if id not in predicted]:
        raise DataError(
            f"{predictions}: {len(missing)} of {len(ids)} samples have no prediction, e.g. {missing[0]!r}; a partial run is not scored"
        )
    if extra := predicted.keys() - set(ids):
        raise DataError(
            f"{predictions}: predicts {len(extra)} samples that {run.task.name} {run.split} does not have, e.g. {min(extra, key=str)!r}"
        )
    scores = run.task.score(samples, predicted)
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
        checkpoint=dict(run.checkpoint),
        data=identity["data"],
        settings=dict(run.settings),
        predictions={"file": predictions.name, "sha256": sha256_of(predictions)},
        software=made_with,
    )


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()
