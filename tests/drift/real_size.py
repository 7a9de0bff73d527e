"""Time a check of results of real size: `python -m tests.drift.real_size`.

214,354 questions of VQA, 25,010 captions of 5,000 images in retrieval, 10,758 expressions of
RefCOCO+ and 14,300 boxes with 117 attributes of OVAD. In the second run 2 % of the outcomes differ,
and all scores of OVAD.
"""

import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.cli.main import main
from harness.metrics.attribute_ranks import Chance, MeanAveragePrecision
from harness.metrics.retrieval import statistics
from harness.records.record import write_record
from harness.records.sample_scores import SampleScores, write_sample_scores
from harness.statistics.means import means_of_parts
from harness.statistics.sums import Statistic
from tests.drift.power import BENCHMARKS, shares
from tests.support.records import RECORD

Run = Mapping[str, Statistic]
Generator = np.random.Generator
CHURN = 2.0  # percent


def write(folder: Path, task: str, split: str, run: Run, *, samples: int, torch: str) -> None:
    """Write a record and its sample scores, without predictions."""
    digests = np.arange(samples, dtype=np.uint64)
    first = next(iter(run.values())).each()
    if len(first) == samples:
        digests = np.where(first > 50, digests, digests + np.uint64(10**9))
    else:
        digests = digests + np.uint64(len(torch) * 10**9)
    by_sample = {next(iter(run)): first} if len(first) == samples else {}
    record = replace(
        RECORD, task=task, split=split, n=samples,
        metrics={name: _value(statistic) for name, statistic in run.items()}, intervals={},
        software={**RECORD.software, "torch": torch},
        predictions={"sha256": hashlib.sha256(f"{task}{torch}".encode()).hexdigest()},
    )  # fmt: skip
    path = record.path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    sidecar = path.with_name(f"{task}.{split}.contributions.npz")
    write_sample_scores(sidecar, SampleScores(list(range(samples)), digests, by_sample, run))
    sha256 = hashlib.sha256(sidecar.read_bytes()).hexdigest()
    write_record(path, replace(record, contributions={"file": sidecar.name, "sha256": sha256}))


def _value(statistic: Statistic) -> float:
    clusters = statistic.resampled()
    return float(clusters.of(np.ones((1, clusters.clusters)))[0])


def vqa(generator: Generator) -> Sequence[Run]:
    """Return two runs of 214,354 questions, with the parts by type of answer."""
    pair = shares(BENCHMARKS[0], generator, drop=0.0, churn=CHURN)
    kind = generator.integers(0, 3, size=BENCHMARKS[0].units)
    parts = {"accuracy": np.arange(len(kind))} | {
        f"accuracy_{name}": np.flatnonzero(kind == number)
        for number, name in enumerate(("number", "other", "yes_no"))
    }
    return [
        means_of_parts(side.each(), clusters=side.cluster.tolist(), parts=parts)
        for side in (pair.before, pair.after)
    ]


def retrieval(generator: Generator) -> Sequence[Run]:
    """Return two runs of 5,000 images and 25,010 captions."""
    captions = [6] * 10 + [5] * 4_990
    before = [generator.geometric(0.6, size=size) - 1 for size in (5_000, 25_010)]
    after = [
        np.where(generator.random(len(r)) < CHURN / 100, generator.geometric(0.6, len(r)) - 1, r)
        for r in before
    ]
    return [statistics(*ranks, captions) for ranks in (before, after)]


def attributes(generator: Generator) -> Sequence[Run]:
    """Return two runs of 14,300 boxes with 117 attributes."""
    boxes, images, kinds = 14_300, 2_000, 117
    image = np.sort(generator.integers(0, images, size=boxes)).astype(np.int32)
    image[:images] = np.arange(images)
    labels = (generator.random((boxes, kinds)) < generator.beta(0.6, 6.0, size=kinds)).astype("i1")
    labels[generator.random((boxes, kinds)) < 0.2] = -1
    true = 0.3 + 0.05 * generator.normal(size=(boxes, kinds)) + 0.05 * (labels == 1)
    noisy = [true + 0.005 * generator.normal(size=true.shape) for _ in range(2)]
    groups = {
        "": range(kinds),
        "_head": range(16),
        "_medium": range(16, 60),
        "_tail": range(60, 117),
    }
    runs = []
    for scores in noisy:
        run: dict[str, Statistic] = {}
        for name, members in groups.items():
            columns = np.array(members, dtype=np.int32)
            ranked = MeanAveragePrecision(scores.astype("f4"), labels, image, columns)
            run |= {f"map{name}": ranked, f"chance{name}": Chance(labels, image, columns)}
        runs.append(run)
    return runs


def refcoco(generator: Generator) -> Sequence[Run]:
    """Return two runs of 10,758 expressions."""
    pair = shares(BENCHMARKS[8], generator, drop=0.0, churn=CHURN)
    return [{"accuracy": side} for side in (pair.before, pair.after)]


def measure() -> None:
    """Write both runs, check them, and print the seconds and the memory of the check."""
    generator = np.random.Generator(np.random.PCG64(2))
    with tempfile.TemporaryDirectory() as folder:
        sides = [Path(folder) / name for name in ("before", "now")]
        for task, split, samples, runs in (
            ("vqav2", "val", 214_354, vqa(generator)),
            ("coco-retrieval", "test", 5_000, retrieval(generator)),
            ("refcoco+", "val", 10_758, refcoco(generator)),
            ("ovad", "box", 14_300, attributes(generator)),
        ):
            for side, run in zip(sides, runs, strict=True):
                write(side, task, split, run, samples=samples, torch=side.name)
        begin, used = time.perf_counter(), time.process_time()
        code = main(["check", str(sides[1]), "--baseline", str(sides[0])])
        seconds, processor = time.perf_counter() - begin, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sys.stdout.write(
        f"code {code}, {seconds:.1f} s, {processor:.1f} s of a core, at most {peak:.1f} GiB\n"
    )


if __name__ == "__main__":
    measure()
