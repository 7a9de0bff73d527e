"""The switched-off paths of a GPU beside the ones in use: same files, same weights, in turns.

    python -m tests.gpu_paths PHOTOS [--dry]

Benchmark by benchmark, from JPEG files: what each path takes, and how many of its predictions are
those of torch's operations. Each line is printed as soon as it was measured. `--dry` tries the
first benchmarks on a CPU with a small model, where all paths compute by torch.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from harness.bench.fixtures import Fixtures
from harness.bench.from_files import MeasuredTime, find_photos, measure_pipeline
from harness.bench.models import SIZES
from harness.bench.pipelines import PIPELINES
from harness.engine.device import RERANKED_IMAGES, Device, choose_device
from harness.engine.kernels import FUSED
from harness.engine.packed_attention import PACKED_ATTENTION
from harness.engine.step_graphs import STEP_GRAPHS
from harness.running.launch import default_workers
from tests.support.predicting import alike, values

TORCH = {FUSED: "0"}
FUSED_ONLY = {FUSED: "auto"}
PACKED = {**FUSED_ONLY, PACKED_ATTENTION: "1"}
GROUPS = {RERANKED_IMAGES: "8"}
GRAPHS = {**FUSED_ONLY, STEP_GRAPHS: "1"}


class Trial(NamedTuple):
    """The paths of a benchmark on some files, the first of which the others are compared with."""

    benchmark: str
    files: int
    paths: Mapping[str, Mapping[str, str]]


TRIALS = (  # the most valuable first
    Trial(
        "coco-retrieval",
        256,
        {
            "torch": TORCH,
            "fused": FUSED_ONLY,
            "packed": PACKED,
            "packed, groups of 8": {**PACKED, **GROUPS},
            "groups of 8": {**FUSED_ONLY, **GROUPS},
        },
    ),
    Trial("vqav2", 512, {"torch": TORCH, "fused": FUSED_ONLY, "packed": PACKED}),
    Trial("coco-caption", 1536, {"torch": TORCH, "fused": FUSED_ONLY, "graphs": GRAPHS}),
    Trial("nlvr2", 512, {"torch": TORCH, "fused": FUSED_ONLY, "packed": PACKED}),
    Trial("refcoco+", 256, {"torch": TORCH, "fused": FUSED_ONLY, "packed": PACKED}),
)


def main() -> None:
    """Measure all trials."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--dry", action="store_true", help="a small model, few files, on a CPU")
    options = parser.parse_args()
    size = "tiny" if options.dry else "base"
    with tempfile.TemporaryDirectory() as folder:
        fixtures = Fixtures(SIZES[size], device_of(TORCH, options.dry), Path(folder))
        for trial in TRIALS[:3] if options.dry else TRIALS:
            count = 3 if options.dry else trial.files
            for line in compare(trial, find_photos(options.photos, count)[:count], fixtures):
                print(line, flush=True)


def compare(trial: Trial, files: list[Path], fixtures: Fixtures) -> Iterator[str]:
    """Yield a line for each path of a benchmark."""
    (pipeline,) = (each for each in PIPELINES if each.benchmark == trial.benchmark)
    model = fixtures.model(pipeline.kind)
    dry, first = fixtures.device.torch.type == "cpu", None
    for name, environment in trial.paths.items():
        device = device_of(environment, dry)
        fixtures.device = model.runtime.device = device
        vars(model).pop("_static", None)  # the buffers of the path before
        measured = measure_pipeline(pipeline, files, fixtures, default_workers())
        first = first or measured
        yield f"{trial.benchmark}, {name} ({device.name}): {describe(measured, first)}"


def describe(measured: MeasuredTime, first: MeasuredTime) -> str:
    """Say what a path took, and how its predictions differ from those of the first path."""
    peak = "unknown" if measured.peak_bytes is None else f"{measured.peak_bytes / 2**20:,.0f} MB"
    pairs = [
        pair
        for id, prediction in first.predictions.items()
        for pair in zip(values(measured.predictions[id]), values(prediction), strict=True)
        if isinstance(pair[1], float)
    ]
    largest = max((abs(one - other) for one, other in pairs), default=0.0)
    share = alike(measured.predictions, first.predictions, within=0.05)
    return (
        f"model {measured.samples / measured.model_s:,.1f} a second, "
        f"from files {measured.samples / measured.seconds:,.1f}, peak {peak}; "
        f"predictions alike {100 * share:.2f} %, largest difference {largest:.1e}, "
        f"bytes {'the same' if measured.predictions == first.predictions else 'differ'}"
        f"{'' if measured.same else '; NOT REPEATABLE'}"
    )


def device_of(environment: Mapping[str, str], dry: bool) -> Device:
    """Return the device as the environment chooses it; on a CPU, with what only GPUs are given."""
    with environment_of(environment):
        if not dry:
            return choose_device("cuda", "tf32")
        return replace(
            choose_device("cpu", "float32"),
            packed_attention=environment.get(PACKED_ATTENTION) == "1",
            step_graphs=environment.get(STEP_GRAPHS) == "1",
        )


@contextmanager
def environment_of(environment: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, and restore all afterwards."""
    before = dict(os.environ)
    for name in (FUSED, PACKED_ATTENTION, STEP_GRAPHS, RERANKED_IMAGES):
        os.environ.pop(name, None)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    main()
