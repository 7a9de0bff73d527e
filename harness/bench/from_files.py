"""The time of the benchmarks from JPEG files to predictions: measured, by the loop of a run."""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from harness.bench import inputs
from harness.bench.fixtures import Fixtures
from harness.bench.pipelines import PIPELINES, Pipeline
from harness.bench.profiling import peak_memory
from harness.engine.memory import release_freed_memory
from harness.errors import UsageError, nearest
from harness.running.launch import default_workers
from harness.running.loader import load_batches, plan_batches
from harness.running.prepared import collate_of
from harness.running.runners import predict_samples
from harness.task import Batch, Prediction, SampleId

MADE = re.compile(r"photo-[0-9]{6}\.jpg")  # the names of the photos that are made here
PART = ".part"  # of a photo that is being made
JPEG = (".jpg", ".jpeg")


@dataclass(frozen=True)
class MeasuredTime:
    """The seconds that `files` image files of a benchmark take, with `samples` about them.

    `decode_s` is the time of decoding alone, `model_s` that of the model alone, on batches decoded
    before, and `seconds` that of a run, which does both at a time and takes `peak_bytes` of memory
    (None: unknown), beside the model. `predictions` are those of the run, by sample; `same` says
    that those of the model alone were equal.
    """

    benchmark: str
    files: int
    real_files: int
    samples: int
    decode_s: float
    model_s: float
    seconds: float
    peak_bytes: int | None = None
    predictions: Mapping[SampleId, Prediction] = field(default_factory=dict, repr=False)
    same: bool = True

    @property
    def overhead(self) -> float:
        """The time of a run as a multiple of the longer of its halves."""
        return self.seconds / max(self.decode_s, self.model_s)

    @property
    def real_seconds(self) -> float:
        """The time of the whole benchmark, in proportion to its files where fewer were read."""
        return self.seconds * self.real_files / self.files

    @property
    def predictions_sha256(self) -> str:
        """The hash of all predictions by their samples, in JSON's types."""
        content = sorted(self.predictions.items(), key=lambda item: str(item[0]))
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


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

    Writes photos into the folder where it holds none. `tasks` are names; none stands for all. A
    line says what was measured of each benchmark at once: the next ones may be cut off. Raises
    UsageError for a task without such a measurement, and for too few files.
    """
    known = [each.benchmark for each in PIPELINES]
    for name in tasks:
        if name not in known:
            raise UsageError(f"--from-files does not measure {name}{nearest(name, known)}")
    wanted = [each for each in PIPELINES if not tasks or each.benchmark in tasks]
    photos = find_photos(folder, max(min(limit, pipeline.files) for pipeline in wanted))
    measured = []
    for pipeline in wanted:
        files = photos[: min(limit, pipeline.files)]
        say(f"{pipeline.benchmark}: {len(files):,} of {pipeline.files:,} files")
        result = measure_pipeline(pipeline, files, fixtures, workers or default_workers())
        say(
            f"{pipeline.benchmark}: decode {result.decode_s:.2f} s, model {result.model_s:.2f} s, "
            f"from files {result.seconds:.2f} s, at real size {result.real_seconds:.1f} s"
        )
        measured.append(result)
    return measured


def find_photos(folder: Path, count: int) -> list[Path]:
    """Return the JPEG files of a folder; makes `count` photos where it holds no others.

    Photos that were made before are used again, and the rest is made. Raises UsageError for a
    folder that cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _find_or_make(folder, count)
    except OSError as error:
        raise UsageError(
            f"--from-files {folder}: cannot be used ({error.strerror}); name a folder of JPEG "
            "files, or one that can be filled with photos"
        ) from error


def _find_or_make(folder: Path, count: int) -> list[Path]:
    content = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    photos = [path for path in content if path.suffix.lower() in JPEG and path.is_file()]
    if others := [path for path in content if path.suffix != PART and not photos]:
        raise UsageError(
            f"--from-files {folder}: holds no JPEG file, but {others[0].name!r}; name the folder "
            "that has them, or an empty one, which is filled with photos"
        )
    if not all(MADE.fullmatch(photo.name) for photo in photos):
        return photos
    paths = [folder / f"photo-{number:06}.jpg" for number in range(count)]
    at_hand = set(photos)
    lacking = [number for number, path in enumerate(paths) if path not in at_hand]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(_write_photo, lacking, [paths[number] for number in lacking]))
    return paths


def _write_photo(seed: int, path: Path) -> None:
    """Write a photo of the size, and the size of file, that most images of COCO have."""
    whole = path.with_suffix(PART)  # if this ends early, no half photo is used next time
    inputs.photo(seed).save(whole, "JPEG", quality=inputs.QUALITY)
    whole.replace(path)


def measure_pipeline(
    pipeline: Pipeline, files: Sequence[Path], fixtures: Fixtures, workers: int
) -> MeasuredTime:
    """Time a benchmark on some files: decoding alone, the model alone, and a run.

    Raises UsageError for too few files.
    """
    task, model = pipeline.task, fixtures.model(pipeline.kind)
    samples = pipeline.samples(files, fixtures)
    if not samples:
        raise UsageError(
            f"{pipeline.benchmark}: too few image files for a sample ({len(files)}); "
            "raise --files, or give a folder with more"
        )
    batches = plan_batches(samples, fixtures.device.chunk_sizes.batch)

    def load() -> Iterable[Batch]:
        return load_batches(batches, model.prepare, workers=workers, collate=collate_of(model))

    def predict(batches: Iterable[Batch]) -> tuple[float, dict[SampleId, Prediction]]:
        begin = time.perf_counter()
        predictions = predict_samples(task, model, samples, batches)
        return time.perf_counter() - begin, predictions

    warm_up = list(islice(load(), 1))
    predict_samples(task, model, warm_up[0].samples, warm_up)
    begin = time.perf_counter()
    loaded = list(load())
    decode_s = time.perf_counter() - begin
    model_s, alone = predict(loaded)
    del loaded, warm_up
    release_freed_memory()
    runs: list[tuple[float, dict[SampleId, Prediction]]] = []
    peak = peak_memory(lambda: runs.append(predict(load())), fixtures.device)
    ((seconds, predictions),) = runs
    return MeasuredTime(
        benchmark=pipeline.benchmark,
        files=len(files),
        real_files=pipeline.files,
        samples=len(samples),
        decode_s=decode_s,
        model_s=model_s,
        seconds=seconds,
        peak_bytes=peak,
        predictions=predictions,
        same=predictions == alone,
    )
