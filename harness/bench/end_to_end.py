"""Whole benchmarks, from image files to the metric: the authors' way beside a run of the engine.

Each side runs in a process of its own, one after the other, on the embedded benchmark's files and
weights, with one thread. The engine's side ends with a record on disk, intervals included; they are
computed last, and their time is also told apart. Times begin when all modules are imported, and
include loading the weights.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.bench.agreement import TOLERANCE
from harness.errors import HarnessError, UsageError, nearest
from harness.registry import ALL, find_task

AUTHORS, ENGINE = "authors", "engine"
# The splits, and the ratios that the engine is to reach.
BENCHMARKS: Mapping[str, tuple[str, float]] = {
    "coco-caption": ("test", 2.5),
    "caption-scoring": ("test", 1.0),
    "ovad": ("box", 1.5),
    "flickr30k-retrieval": ("test", 4.2),
    "refcoco+": ("val", 3.0),
    "nlvr2": ("dev", 2.1),
    "vqav2": ("val", 3.8),
}


@dataclass(frozen=True)
class Side:
    """What one side predicted, its metrics, and its seconds.

    `start_s` is the processor's time until all modules were imported, `processor_s` that of all
    that follows, Java's included, `intervals_s` its part from the time when the metrics are on disk
    until their intervals are known, and `clock_s` the whole by the clock.
    """

    predictions: Sequence[tuple[Any, Any]]
    metrics: Mapping[str, float]
    start_s: float
    processor_s: float
    clock_s: float
    intervals_s: float = 0.0


@dataclass(frozen=True)
class EndToEnd:
    """A benchmark on both sides. `floor` is the ratio to reach on the whole split."""

    benchmark: str
    samples: int
    authors: Side
    engine: Side
    floor: float | None

    @property
    def ratio(self) -> float:
        """The authors' processor time as a multiple of the engine's, intervals included."""
        return self.authors.processor_s / self.engine.processor_s

    @property
    def metric_ratio(self) -> float:
        """The same until the metrics are written: the authors' scripts compute no intervals."""
        return self.authors.processor_s / (self.engine.processor_s - self.engine.intervals_s)

    @property
    def largest_difference(self) -> float:
        """The largest difference of predicted numbers and metrics; infinite for other decisions."""
        authors, engine = dict(self.authors.predictions), dict(self.engine.predictions)
        pairs: list[tuple[Any, Any]] = [(authors, engine)] if authors else []
        common = self.authors.metrics.keys() & self.engine.metrics.keys()
        pairs += [(self.authors.metrics[name], self.engine.metrics[name]) for name in common]
        return max((difference(*pair) for pair in pairs), default=math.inf)

    @property
    def agree(self) -> bool:
        """Whether the decisions are equal and all numbers within TOLERANCE."""
        return self.largest_difference <= TOLERANCE


def choose_benchmarks(names: Sequence[str], tasks: Sequence[str]) -> list[str]:
    """Return the benchmarks that are named, or of named tasks; all where none is.

    Raises UsageError for an unknown name.
    """
    wanted = [*names, *(find_task(task).name for task in tasks if task != ALL)]
    for name in wanted:
        if name not in BENCHMARKS:
            raise UsageError(
                f"there is no end-to-end measurement of {name!r}{nearest(name, BENCHMARKS)}"
            )
    return [name for name in BENCHMARKS if name in wanted or not wanted]


def measure_end_to_end(
    names: Sequence[str], *, limit: int | None, say: Callable[[str], None]
) -> list[EndToEnd]:
    """Measure benchmarks, on at most `limit` samples of each; `say` receives a line before each.

    Raises HarnessError where a side fails.
    """
    measured = []
    for name in names:
        split, floor = BENCHMARKS[name]
        say(f"{name} {split}")
        authors, engine = (_run(side, name, split, limit) for side in (AUTHORS, ENGINE))
        samples = len(engine.predictions)
        measured.append(EndToEnd(name, samples, authors, engine, None if limit else floor))
    return measured


def difference(actual: Any, expected: Any) -> float:
    """Return the largest difference of two values of JSON; infinite where they are not alike.

    A number and NaN are not.

    >>> difference({"a": [1.0, 2.5]}, {"a": [1.0, 2.0]}), difference("a cup", "a cap")
    (0.5, inf)
    """
    if isinstance(actual, dict) and isinstance(expected, dict):
        if actual.keys() != expected.keys():
            return math.inf
        return max((difference(actual[key], expected[key]) for key in actual), default=0.0)
    if isinstance(actual, list) and isinstance(expected, list):
        if len(actual) != len(expected):
            return math.inf
        return max(map(difference, actual, expected), default=0.0)
    if isinstance(actual, bool | str) or isinstance(expected, bool | str):
        return 0.0 if actual == expected else math.inf
    if isinstance(actual, int | float) and isinstance(expected, int | float):
        apart = abs(actual - expected)
        return math.inf if math.isnan(apart) else apart
    return 0.0 if actual == expected else math.inf


def _run(side: str, name: str, split: str, limit: int | None) -> Side:
    """Run one side in a process with one thread."""
    with tempfile.TemporaryDirectory(prefix="xvlm-eval-bench-") as folder:
        path = Path(folder) / "outcome.json"
        command = [sys.executable, "-m", "harness.bench.end_to_end_side"]
        process = subprocess.run(
            [*command, side, name, split, str(limit or 0), str(path)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            raise HarnessError(f"{name}, {side}: failed\n{process.stderr.strip()[-2000:]}")
        content = json.loads(path.read_text())
    predictions = [(id, prediction) for id, prediction in content.pop("predictions")]
    return Side(predictions=predictions, **content)
