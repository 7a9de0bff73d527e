"""Run a cluster of real processes on this machine that sleep instead of computing.

    python -m tests.cluster VOCABULARY [--processes 8] [--seconds 15]

torchrun starts the processes, and each carries out `harness.running.predict.predict` over samples
that cost what batches of a benchmark of the real size cost X-VLM (base), by its cost model: a
batch, or the pairs of an image of a gallery. The model sleeps for as long, scaled so that each of
equal processes would sleep for `--seconds` in all. The efficiency is the time that the work takes
if it is dealt out perfectly, divided by the time until the last process is done; once with all
processes equal, once with the first 1.5 times slower; with every N-th batch for each, and with
processes that take over the batches of others. Everything but the model is real: the counters,
the decoding, the files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from harness.bench.models import SIZES, random_model
from harness.capabilities import EncodedImages, Matches
from harness.engine.device import Device
from harness.images import Region
from harness.running.context import Context
from harness.running.predict import predict
from harness.running.processes.claims import Claims
from harness.running.processes.distributed import ProcessGroup
from harness.running.processes.shards import open_sharded
from harness.running.processes.torchrun import joined
from harness.task import Batch, GalleryTask, Sample, Task
from harness.workload import CostModel, Workload
from tests.sharding import SLOW, SPLITS, costs_of, reranked

BATCHES = {"vqav2 test": 512, "refcoco+ val": 256, "coco-caption test": 128, "nlvr2 dev": 128}
GALLERY = "coco-retrieval test"
GALLERY_BATCH = 128
LONGER = 3  # times as long sleeps for a gallery, whose 5,000 predictions take the processor's time


class SleepingModel:
    """A model whose images are the numbers of samples, and that sleeps for what each costs."""

    protocol, device, provenance, ranking = "sleep", "cpu", {}, "itm"

    def __init__(self, seconds: Sequence[float], encoding: float, slow: float) -> None:
        self._seconds, self._encoding, self._slow = seconds, encoding, slow

    def prepare(self, image: Image.Image) -> np.ndarray:
        return np.array(image.convert("RGB"))

    def answer(self, images: np.ndarray) -> list[int]:
        numbers = _numbers(images)
        time.sleep(self._slow * sum(self._seconds[number] for number in numbers))
        return numbers

    def read_images(self, images: np.ndarray) -> EncodedImages[int]:
        time.sleep(self._slow * self._encoding * len(images))
        return EncodedImages(np.ones((len(images), 1), np.float32), _numbers(images))

    def read_texts(self, texts: Sequence[str]) -> Any:
        return SimpleNamespace(features=np.ones((len(texts), 1), np.float32))

    def score_pairs(self, image: int, texts: Any, candidates: np.ndarray) -> np.ndarray:
        time.sleep(self._slow * self._seconds[image])
        return np.full(len(candidates), image, np.float32)


class Batches(Task):
    """A benchmark of which one sample stands for a batch."""

    name = "batches"

    def predict(self, model: Any, batch: Batch) -> list[int]:
        return model.answer(batch.images[batch.image_of[:, 0]])

    files = load = fallback_prediction = score = score_official = None  # type: ignore[assignment]


class Pairs(GalleryTask):
    """A gallery."""

    name, shortlist = "pairs", 1

    def texts(self, sample: Sample) -> Sequence[str]:
        return ("text",) if sample.id == 0 else ()

    def as_prediction(self, matches: Matches) -> list[float]:
        return matches.itm.tolist() if matches.itm is not None else []

    files = load = fallback_prediction = score = score_official = None  # type: ignore[assignment]


def main() -> None:
    """Measure every split, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vocabulary", type=Path)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    if "RANK" in os.environ:
        _measure(json.loads(options.vocabulary.read_text()))
        return
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(_picture()).save(Path(folder) / "picture.png")
        plan = Path(folder) / "plan.json"
        plan.write_text(
            json.dumps([*_scenarios(options.vocabulary, options.processes * options.seconds)])
        )
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        launcher += ["--nproc-per-node", str(options.processes), "-m", "tests.cluster", str(plan)]
        subprocess.run(launcher, check=True)


def _scenarios(vocabulary: Path, total: float) -> Iterator[Mapping[str, Any]]:
    """Yield the splits: the seconds of each sample, and to encode an image of a gallery."""

    def model(head: str) -> CostModel:
        device = Device(torch.device("cpu"), "float32")
        return random_model(head, SIZES["base"], vocabulary, device)

    answerer, retriever = model("vqa"), model("retrieval")
    for title, size in BATCHES.items():
        costs = costs_of(title, *SPLITS[title], size, answerer)
        yield {"title": f"{title}, {size}", "seconds": [*(total * costs / costs.sum())]}

    def flops(images: int, pairs: int) -> float:
        texts = ["a man on a bench with a dog beside him"] * 10
        return retriever.cost(Workload(images, images, pairs, pairs, texts)).flops

    pairs = reranked(5_000, 25_010, 256)
    encoding = flops(2, 0) - flops(1, 0)
    costs = pairs * (flops(1, 10) - flops(1, 0)) / 10
    scale = LONGER * total / (costs + encoding).sum()
    yield {"title": GALLERY, "seconds": [*(scale * costs)], "encoding": scale * encoding}


def _measure(scenarios: Sequence[Mapping[str, Any]]) -> None:
    """Run all splits as one of the processes; the first prints."""
    folder = Path(sys.argv[1]).parent
    with joined() as group:
        for scenario in scenarios:
            row = [
                _efficiency(scenario, folder / f"{slow}{take_over}", group, slow, take_over)
                for slow in (1.0, SLOW)
                for take_over in (False, True)
            ]
            if group.rank == 0:
                text = "  ".join(f"{100 * share:5.1f} % ({moved:3})" for share, moved in row)
                print(f"{scenario['title']:24} {text}", flush=True)


def _efficiency(
    scenario: Mapping[str, Any], out: Path, group: ProcessGroup, slow: float, take_over: bool
) -> tuple[float, int]:
    """Return the efficiency, and how many samples were predicted by others than their owners."""
    seconds, encoding = scenario["seconds"], scenario.get("encoding", 0)
    model = SleepingModel(seconds, encoding, slow if group.rank == 0 else 1.0)
    picture = out.parent / "picture.png"
    samples = [
        Sample(number, (Region(picture, (number % 80, number // 80, 1, 1)),))
        for number in range(len(seconds))
    ]
    title = f"{scenario['title']} {slow} {take_over}"
    run = SimpleNamespace(
        task=Pairs() if encoding else Batches(),
        title=title,
        speed=SimpleNamespace(batch_size=None, workers=1),
        skip=False,
    )
    batch_size = GALLERY_BATCH if encoding else 1
    path = out / f"{title}.predictions.jsonl"
    alone = nullcontext() if take_over else _without_taking_over()
    options: dict[str, Any] = {"software": {}, "inputs": {}, "fresh": True, "check": _ignore}
    with open_sharded(path, {"title": title}, group=group, **options) as predictions, alone:
        group.all_gather(None)
        began = time.monotonic()
        predict(
            run,  # type: ignore[arg-type]
            model,
            samples,
            predictions,
            Context(group, report=_ignore, warn=_ignore),
            batch_size=batch_size,
        )
        took = time.monotonic() - began
        own = {n for n in range(len(seconds)) if n // batch_size % group.size == group.rank}
        moved = len(predictions.file.done.keys() - own)
    ends = group.all_gather((took, moved))
    perfect = (sum(seconds) + encoding * len(seconds)) / (group.size - 1 + 1 / slow)
    return perfect / max(took for took, _ in ends), sum(moved for _, moved in ends)


def _without_taking_over() -> Any:
    from unittest.mock import patch

    return patch.object(Claims, "take_over", lambda self, leaving=0: None)


def _picture() -> np.ndarray:
    """Return an image [80, 80, 3] of which each pixel is its number."""
    numbers = np.arange(80 * 80)
    pixels = np.stack([numbers // 256, numbers % 256, 0 * numbers], axis=-1)
    return pixels.reshape(80, 80, 3).astype(np.uint8)


def _numbers(images: np.ndarray) -> list[int]:
    return [256 * int(high) + int(low) for high, low, _ in images[:, 0, 0]]


def _ignore(*_: object) -> None:
    pass


if __name__ == "__main__":
    main()
