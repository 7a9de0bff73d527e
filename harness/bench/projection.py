"""What the benchmarks would take at their real sizes, from the engine's measured throughput and that of decoding their images."""

import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from harness.bench.lab import Lab
from harness.bench.throughput import Batch, Limits, Rate, limits, rates

PHOTO = (640, 480)  # pixels: the size of most images of COCO
QUALITY = 92  # of the JPEG: files as large as COCO's
DECODED = 32  # photos for each core, to measure decoding


@dataclass(frozen=True)
class Benchmark:
    """A benchmark at its real size: how many image files are decoded, and how many of what the model computes."""

    name: str
    files: int
    work: dict[str, int]


# Counted in the official annotation files. Pairs: the shortlists of both directions, united, hold a sixth less than one after the other.
BENCHMARKS = (
    Benchmark("vqav2 test", 81_434, {"question": 447_793}),
    Benchmark("nlvr2 dev", 8_102, {"statement": 6_982}),
    Benchmark("nlvr2 test", 8_082, {"statement": 6_967}),
    Benchmark("coco-caption test", 5_000, {"caption": 5_000}),
    Benchmark("coco-retrieval test", 5_000, {"image": 5_000, "text": 25_010, "pair": 6_430_000}),
    Benchmark("flickr30k-retrieval test", 1_000, {"image": 1_000, "text": 5_000, "pair": 640_000}),
    Benchmark("refcoco+ val, testA, testB", 3_000, {"expression": 21_373}),
    Benchmark("ovad box", 2_000, {"crop": 14_300}),
)


@dataclass(frozen=True)
class Projected:
    """Seconds that a benchmark takes of the model and of decoding; images are decoded ahead of the model, so that the longer counts."""

    benchmark: str
    model_s: float
    decode_s: float

    @property
    def seconds(self) -> float:
        return max(self.model_s, self.decode_s)


@dataclass(frozen=True)
class Projection:
    """What the device does at best, the engine's rates, how many images the host decodes a second, and what follows."""

    limits: Limits
    rates: list[Rate]
    decoded_per_second: float
    benchmarks: list[Projected]


def project(lab: Lab, batch: Batch | None = None) -> Projection:
    """Measure the engine on batches as a run has them (or smaller ones, to try this out)."""
    batch = batch or Batch(lab.device.chunk_sizes.batch)
    best_case = limits(lab.device, batch.matrix)
    found = rates(lab, batch, best_case)
    decoded = _decoded_per_second(lab.model("captioning").prepare)
    return Projection(best_case, found, decoded, projected(found, decoded))


def projected(found: list[Rate], decoded_per_second: float) -> list[Projected]:
    """Return what all benchmarks take at these rates."""
    per_second = {rate.what: rate.per_second for rate in found}
    return [
        Projected(
            benchmark.name,
            model_s=sum(count / per_second[what] for what, count in benchmark.work.items()),
            decode_s=benchmark.files / decoded_per_second,
        )
        for benchmark in BENCHMARKS
    ]


def _decoded_per_second(prepare: Callable[[Image.Image], Any]) -> float:
    """Decode photos on all cores, as a run does, and return how many a second."""
    draws = np.random.default_rng(0)
    coarse = draws.integers(0, 256, (PHOTO[1] // 8, PHOTO[0] // 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize(PHOTO).save(file, "JPEG", quality=QUALITY)
    cores = os.cpu_count() or 1

    def decode(_: int) -> None:
        with Image.open(io.BytesIO(file.getvalue())) as photo:
            prepare(photo)

    with ThreadPoolExecutor(cores) as pool:
        start = time.perf_counter()
        list(pool.map(decode, range(DECODED * cores)))
        return DECODED * cores / (time.perf_counter() - start)
