"""One side of an end-to-end comparison, in a process of its own.

python -m harness.bench.end_to_end_side authors ovad box 40 outcome.json
"""

import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from PIL import Image

from harness.bench.authors import captions, fusing, matching
from harness.bench.authors.items import Outcome
from harness.bench.end_to_end import AUTHORS, ENGINE
from harness.callbacks import no_progress
from harness.checkpoints import SHAPES, Weights, find_weights
from harness.data.resolve import Embedded
from harness.metrics.meteor import meteor_scorer
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.checkpoint import Checkpoint, read_checkpoint
from harness.records.predictions import SUFFIX
from harness.records.record import read_record
from harness.records.stored_predictions import read_predictions
from harness.registry import find_task
from harness.running import launch, planning
from harness.running.processes.distributed import SingleProcess
from harness.running.run import Speed
from harness.running.subset import subset
from harness.shapes.benchmark import embedded_data
from harness.statistics.interval import Interval
from harness.statistics.intervals import metric_intervals
from harness.statistics.sums import Statistic
from harness.task import Sample, Task, load_samples
from harness.task import scores as task_scores

# What either side imports only when it needs it; neither is timed.
IMPORTED = (
    "harness.engine.similarity",
    "harness.models.xvlm.load",
    "numpy.ma",
    "pycocoevalcap.bleu.bleu",
    "pycocoevalcap.cider.cider",
    "pycocoevalcap.meteor.meteor",
    "pycocoevalcap.rouge.rouge",
    "pycocoevalcap.spice.spice",
    "pycocoevalcap.tokenizer.ptbtokenizer",
    "pycocotools.coco",
    "safetensors.torch",
    "yaml",
)
SCORING = "caption-scoring"  # of the embedded model's captions, which are not timed
RunBenchmark = Callable[[Sequence[Any], Checkpoint, Tokenizer, Path], Outcome]
AUTHORS_RUNS: dict[str, RunBenchmark] = {
    "coco-caption": captions.run_captions,
    "ovad": matching.run_attributes,
    "flickr30k-retrieval": matching.run_retrieval,
    "refcoco+": fusing.run_grounding,
    "nlvr2": fusing.run_pairs,
    "vqav2": fusing.run_answers,
}


def main(side: str, name: str, split: str, limit: str, path: str) -> None:
    """Run a benchmark on one side, with one thread, and write its outcome and times."""
    torch.set_num_threads(1)
    start_s = processor_seconds()
    with tempfile.TemporaryDirectory(prefix="xvlm-eval-bench-") as folder:
        run = _prepare(side, name, split, int(limit) or None, Path(folder))
        before, clock = processor_seconds(), time.perf_counter()
        with timing_intervals() as intervals:
            outcome = run()
        meteor_scorer().end()  # the time of a process counts from its end on
        content = {
            "predictions": [[id, prediction] for id, prediction in outcome.predictions.items()],
            "metrics": outcome.metrics,
            "start_s": start_s,
            "processor_s": processor_seconds() - before,
            "intervals_s": sum(intervals),
            "clock_s": time.perf_counter() - clock,
        }
    Path(path).write_text(json.dumps(content))


@contextmanager
def timing_intervals() -> Iterator[list[float]]:
    """Note the processor time of the intervals that are computed in a block.

    A run computes them once its metrics are written; all of it is in Python and NumPy.
    """
    noted: list[float] = []

    def timed(statistics: Mapping[str, Statistic]) -> dict[str, Interval]:
        before = processor_seconds()
        intervals = metric_intervals(statistics)
        noted.append(processor_seconds() - before)
        return intervals

    with patch.object(task_scores, "metric_intervals", timed):
        yield noted


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _prepare(
    side: str, name: str, split: str, limit: int | None, folder: Path
) -> Callable[[], Outcome]:
    """Return what is timed."""
    task = find_task("coco-caption" if name == SCORING else name)
    if name == SCORING:
        return _prepare_scoring(side, task, split, limit, folder)
    if side == ENGINE:
        return lambda: _run_engine(task, split, limit, folder)
    weights = _weights(task)
    return lambda: _run_authors(task, weights, split, limit, folder)


def _run_engine(task: Task, split: str, limit: int | None, folder: Path) -> Outcome:
    """Run a task as `xvlm-eval run` does, and read what it left."""
    request = planning.Request(
        tasks=[task.name],
        splits=[split],
        checkpoint=SHAPES,
        data=Embedded(),
        out=folder,
        speed=Speed(workers=1),
        device="cpu",
        dtype="float32",
        limit=limit,
    )
    plan = planning.make_plan(request)
    (outcome,) = launch.run_all(plan, SingleProcess(), progress=no_progress, warn=lambda text: None)
    record = read_record(outcome.record)
    stored = read_predictions(plan.runs[0].path(SUFFIX))
    return Outcome(dict(stored.predictions), dict(record.metrics))


def _run_authors(
    task: Task, weights: Weights, split: str, limit: int | None, folder: Path
) -> Outcome:
    samples = _samples(task, split, limit)
    assert weights.vocabulary is not None
    with torch.inference_mode():
        checkpoint, tokenizer = read_checkpoint(weights.path), Tokenizer(weights.vocabulary)
        return AUTHORS_RUNS[task.name](samples, checkpoint, tokenizer, folder)


def _prepare_scoring(
    side: str, task: Task, split: str, limit: int | None, folder: Path
) -> Callable[[], Outcome]:
    """Predict captions, and return a function that scores them."""
    weights, samples = _weights(task), _samples(task, split, limit)
    assert weights.vocabulary is not None
    with torch.inference_mode():
        texts = captions.predict_captions(
            samples, read_checkpoint(weights.path), Tokenizer(weights.vocabulary)
        )

    def score() -> Outcome:
        if side == AUTHORS:
            return Outcome(texts, captions.score_captions(samples, texts, folder))
        scores = task.score(samples, texts)
        assert scores.intervals  # they are part of every record
        return Outcome(texts, dict(scores.metrics))

    return score


def _weights(task: Task) -> Weights:
    return find_weights(SHAPES, task=task.name, data=None)


def _samples(task: Task, split: str, limit: int | None) -> Sequence[Any]:
    samples: Sequence[Sample] = load_samples(task, embedded_data(), split)
    return samples if limit is None or limit >= len(samples) else subset(samples, limit)


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    Image.init()  # imports the formats
    main(*sys.argv[1:])
