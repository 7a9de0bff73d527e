"""Simulate how evenly a cluster's processes are loaded, by the cost model of X-VLM (base).

    python -m tests.sharding VOCABULARY [--processes 8]

No process is started: every batch of a benchmark of the real size has a cost in operations, and a
process takes as long as its batches. The efficiency is the mean load divided by the largest one.
Batches are dealt as the harness does (`deal`: every N-th one), by cost (the costliest first, each
to the process with the least so far), and on demand (the next one to whoever is free), where one
process is also made to take half as long again for everything.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from harness.bench.models import SIZES, random_model
from harness.engine.device import Device
from harness.running.batch_size import even_batch_size
from harness.running.loader import plan_batches
from harness.task import Sample
from harness.workload import CostModel, Workload

Loads = NDArray[np.float64]
SLOW = 1.5  # times as long, for a straggler
WORDS = ("what", "color", "is", "the", "man", "wearing", "on", "left", "side", "of", "this", "dog")
# Samples and images of a split, and the batch size that a GPU chooses alone.
SPLITS = {
    "vqav2 test": (447_793, 81_434),
    "coco-caption test": (5_000, 5_000),
    "nlvr2 dev": (6_982, 4_051),
    "refcoco+ val": (10_758, 1_500),
    "ovad box": (14_300, 14_300),
    "coco-retrieval test, encoding": (5_000, 5_000),
    "flickr30k-retrieval test, encoding": (1_000, 1_000),
}


def main() -> None:
    """Print the table of efficiencies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vocabulary", type=Path)
    parser.add_argument("--processes", type=int, default=8)
    options = parser.parse_args()
    count = options.processes
    model = random_model(
        "vqa", SIZES["base"], options.vocabulary, Device(torch.device("cpu"), "float32")
    )
    print(f"{'split':36} {'batch':>5} {'every Nth':>9} {'by cost':>8} {'1 slow':>7} {'demand':>7}")
    for title, (samples, images) in SPLITS.items():
        for size in dict.fromkeys([512, even_batch_size(512, samples, count), 32]):
            costs = costs_of(title, samples, images, size, model)
            _print(title, size, costs, count)
    _print("coco-retrieval test, re-ranking", 1, reranked(5_000, 25_010, 256), count)


def _print(title: str, size: int, costs: Loads, count: int) -> None:
    every = np.array([costs[rank::count].sum() for rank in range(count)])
    slow = np.where(np.arange(count) == 0, SLOW, 1.0)
    capacity = (1 / slow).sum()  # what the cluster computes in the time of one whole process
    numbers = (
        every.mean() / every.max(),
        _greedy(np.sort(costs)[::-1], np.ones(count)),
        costs.sum() / capacity / (every * slow).max(),
        _greedy(costs, slow),
    )
    row = " ".join(f"{100 * number:7.1f}%" for number in numbers)
    print(f"{title:36} {size:5} {row}", flush=True)


def _greedy(costs: Loads, slow: Loads) -> float:
    """Return the efficiency where each batch goes to the process that is free first."""
    times = np.zeros(len(slow))
    for cost in costs:
        next_free = int(times.argmin())
        times[next_free] += cost * slow[next_free]
    return float(costs.sum() / (1 / slow).sum() / times.max())


def costs_of(title: str, samples: int, images: int, size: int, model: CostModel) -> Loads:
    """Return the operations of each batch; for other tasks than VQA, images have one cost."""
    draws = np.random.default_rng(0)
    of_image = np.sort(np.concatenate([np.arange(images), draws.integers(0, images, samples)]))
    of_image = np.sort(draws.choice(of_image, samples, replace=False))
    paths = [(Path(f"{number}.jpg"),) for number in range(images)]
    views = [paths[number] for number in of_image]
    batches = plan_batches([Sample(n, view) for n, view in enumerate(views)], size)
    if not title.startswith("vqa"):
        return np.array([len({id(s.images) for s in batch}) for batch in batches], dtype=np.float64)
    lengths = 3 + draws.gamma(4.0, 1.1, samples)  # words of a question: 3 to 20, 7.4 on average
    texts = [" ".join(WORDS[n % len(WORDS)] for n in range(int(length))) for length in lengths]
    answers = [f"{word} {number}" for number in range(300) for word in WORDS]
    return np.array([_cost(batch, texts, answers, model) for batch in batches])


def _cost(
    batch: Sequence[Sample], texts: Sequence[str], answers: Sequence[str], model: CostModel
) -> float:
    images, count = len({id(sample.images) for sample in batch}), len(batch)
    asked = [texts[int(sample.id)] for sample in batch]
    workload = Workload(count, images, count, count, asked, answers[:3128], 128)
    return float(model.cost(workload).flops)


def reranked(images: int, texts: int, shortlist: int) -> Loads:
    """Return the candidates of each image where both directions' shortlists are united.

    Features lie in clusters of a few directions, so that some images are near to many texts.
    """
    draws = np.random.default_rng(0)
    basis = draws.standard_normal((40, 256))
    gallery = draws.gamma(0.5, 1.0, (images, 40)) @ basis
    of_image = np.arange(texts) % images
    captions = gallery[of_image] + 4 * draws.standard_normal((texts, 256))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    captions /= np.linalg.norm(captions, axis=1, keepdims=True)
    near = np.zeros((images, texts), dtype=np.bool_)
    similarity = (gallery @ captions.T).astype(np.float32)
    rows = np.argpartition(-similarity, shortlist, axis=1)[:, :shortlist]
    np.put_along_axis(near, rows, True, axis=1)
    columns = np.argpartition(-similarity, shortlist, axis=0)[:shortlist]
    np.put_along_axis(near, columns, True, axis=0)
    return near.sum(axis=1).astype(np.float64)


if __name__ == "__main__":
    main()
