"""The time of the benchmarks at their real sizes, projected from measured throughput."""

import io
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PIL import Image

from harness.bench import inputs
from harness.bench.engine_calls import BatchSizes
from harness.bench.fixtures import Fixtures
from harness.bench.throughput import DeviceLimits, Rate, measure_limits, measure_rates

PHOTOS_PER_CORE = 32  # decoded to measure the rate


@dataclass(frozen=True)
class RealSize:
    """A benchmark at its real size: the image files to decode, and the units to compute."""

    benchmark: str
    files: int
    units: dict[str, int]


# Counted in the official annotation files. The pairs are those of both directions' shortlists,
# united: one sixth less than their sum.
REAL_SIZES = (
    RealSize("vqav2 test", 81_434, {"question": 447_793}),
    RealSize("nlvr2 dev", 8_102, {"statement": 6_982}),
    RealSize("nlvr2 test", 8_082, {"statement": 6_967}),
    RealSize("coco-caption test", 5_000, {"caption": 5_000}),
    RealSize("coco-retrieval test", 5_000, {"image": 5_000, "text": 25_010, "pair": 6_430_000}),
    RealSize("flickr30k-retrieval test", 1_000, {"image": 1_000, "text": 5_000, "pair": 640_000}),
    RealSize("refcoco+ val, testA, testB", 3_000, {"expression": 21_373}),
    RealSize("ovad box", 2_000, {"crop": 14_300}),
)


@dataclass(frozen=True)
class ProjectedTime:
    """The seconds that a benchmark takes in the model, and for decoding its images."""

    benchmark: str
    model_s: float
    decode_s: float

    @property
    def seconds(self) -> float:
        """The longer of the two: images are decoded ahead of the model."""
        return max(self.model_s, self.decode_s)


@dataclass(frozen=True)
class Projection:
    """The limits of the device, the engine's rates, decoded images per second, and the times."""

    limits: DeviceLimits
    rates: list[Rate]
    decoded_per_second: float
    times: list[ProjectedTime]


def project(fixtures: Fixtures, sizes: BatchSizes | None = None) -> Projection:
    """Measure the engine on batches as in a run (or smaller `sizes`), and project the times."""
    sizes = sizes or BatchSizes(fixtures.device.chunk_sizes.batch)
    limits = measure_limits(fixtures.device, sizes.matrix)
    rates = measure_rates(fixtures, sizes, limits)
    decoded_per_second = _measure_decoding(fixtures.model("captioning").prepare)
    times = project_times(rates, decoded_per_second)
    return Projection(limits, rates, decoded_per_second, times)


def project_times(rates: Sequence[Rate], decoded_per_second: float) -> list[ProjectedTime]:
    """Return the times of all benchmarks at these rates."""
    per_second = {rate.unit: rate.per_second for rate in rates}
    return [
        ProjectedTime(
            size.benchmark,
            model_s=sum(count / per_second[unit] for unit, count in size.units.items()),
            decode_s=size.files / decoded_per_second,
        )
        for size in REAL_SIZES
    ]


def _measure_decoding(prepare: Callable[[Image.Image], Any]) -> float:
    """Decode and prepare photos on all cores, as a run does; return photos per second."""
    file = io.BytesIO()
    inputs.photo(seed=0).save(file, "JPEG", quality=inputs.QUALITY)
    cores = os.cpu_count() or 1
    count = PHOTOS_PER_CORE * cores

    def decode(_: int) -> None:
        with Image.open(io.BytesIO(file.getvalue())) as photo:
            prepare(photo)

    with ThreadPoolExecutor(cores) as pool:
        start = time.perf_counter()
        list(pool.map(decode, range(count)))
        return count / (time.perf_counter() - start)
