"""The time of the benchmarks from JPEG files to predictions: measured, by the loop of a run."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from harness.bench.fixtures import Fixtures
from harness.bench.pipelines import PIPELINES, Pipeline
from harness.bench.projection import PHOTO, QUALITY
from harness.engine.memory import release_freed_memory
from harness.running.launch import default_workers
from harness.running.loader import load_batches, plan_batches
from harness.running.prepared import collate_of
from harness.running.runners import predict_samples
from harness.task import Batch


@dataclass(frozen=True)
class MeasuredTime:
    """The seconds that `files` image files of a benchmark take, with `samples` about them.

    `decode_s` is the time of decoding alone, `model_s` that of the model alone, on batches decoded
    before, and `seconds` that of a run, which does both at a time.
    """

    benchmark: str
    files: int
    real_files: int
    samples: int
    decode_s: float
    model_s: float
    seconds: float

    @property
    def overhead(self) -> float:
        """The time of a run as a multiple of the longer of its halves."""
        return self.seconds / max(self.decode_s, self.model_s)

    @property
    def real_seconds(self) -> float:
        """The time of the whole benchmark, in proportion to its files where fewer were read."""
        return self.seconds * self.real_files / self.files


def measure_from_files(
    fixtures: Fixtures,
    folder: Path,
    *,
    limit: int,
    tasks: Sequence[str],
    workers: int | None,
    say: Callable[[str], None],
) -> list[MeasuredTime]:
    """Time the benchmarks on the JPEG files of a folder, at most `limit` for each benchmark.

    Writes photos into the folder where it holds none. `tasks` are names; none stands for all.
    """
    wanted = [each for each in PIPELINES if not tasks or each.benchmark in tasks]
    photos = find_photos(folder, max(min(limit, pipeline.files) for pipeline in wanted))
    measured = []
    for pipeline in wanted:
        files = photos[: min(limit, pipeline.files)]
        say(f"{pipeline.benchmark}: {len(files):,} of {pipeline.files:,} files")
        measured.append(_measure(pipeline, files, fixtures, workers or default_workers()))
    return measured


def find_photos(folder: Path, count: int) -> list[Path]:
    """Return the JPEG files of a folder; writes `count` photos where it holds none."""
    folder.mkdir(parents=True, exist_ok=True)
    photos = sorted(folder.glob("*.jpg"))
    if photos:
        return photos
    paths = [folder / f"photo-{number:06}.jpg" for number in range(count)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(_write_photo, range(count), paths))
    return paths


def _write_photo(seed: int, path: Path) -> None:
    """Write a photo of the size, and the size of file, that most images of COCO have."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (PHOTO[1] // 8, PHOTO[0] // 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(PHOTO).save(path, "JPEG", quality=QUALITY)


def _measure(
    pipeline: Pipeline, files: Sequence[Path], fixtures: Fixtures, workers: int
) -> MeasuredTime:
    task, model = pipeline.task, fixtures.model(pipeline.kind)
    samples = pipeline.samples(files, fixtures)
    batches = plan_batches(samples, fixtures.device.chunk_sizes.batch)

    def load() -> Iterable[Batch]:
        return load_batches(batches, model.prepare, workers=workers, collate=collate_of(model))

    def predict(batches: Iterable[Batch]) -> float:
        begin = time.perf_counter()
        predict_samples(task, model, samples, batches)
        return time.perf_counter() - begin

    warm_up = list(islice(load(), 1))
    predict_samples(task, model, warm_up[0].samples, warm_up)
    begin = time.perf_counter()
    loaded = list(load())
    decode_s = time.perf_counter() - begin
    model_s = predict(loaded)
    del loaded, warm_up
    release_freed_memory()
    seconds = predict(load())
    return MeasuredTime(
        pipeline.benchmark, len(files), pipeline.files, len(samples), decode_s, model_s, seconds
    )
