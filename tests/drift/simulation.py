"""Simulated pairs of runs, of the sizes of the real benchmarks, whose true change is known.

A share of the units (`churn`, in percent) flips, more in some images than in others; without a drop
it does not matter which run came first.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.drift.verdicts import Verdict, adjusted_ps, judge
from harness.metrics.attribute_ranks import MeanAveragePrecision
from harness.metrics.caption_sums import Bleu
from harness.statistics.interval import Interval
from harness.statistics.means import Mean
from harness.statistics.paired import Comparison, flips, p_of_no_change
from harness.statistics.sums import Statistic

Generator = np.random.Generator


class Benchmark(NamedTuple):
    """A metric of a benchmark, its units and clusters, and about what X-VLM reaches on it."""

    task: str
    split: str
    metric: str
    units: int
    clusters: int
    level: float


# Sizes of the official splits; levels as published for X-VLM.
SHARES = (
    Benchmark("vqav2", "val", "accuracy", 214_354, 40_504, 78.2),
    Benchmark("nlvr2", "dev", "accuracy", 6_982, 2_018, 84.4),
    Benchmark("nlvr2", "test", "accuracy", 6_967, 1_995, 84.8),
    Benchmark("nlvr2", "test", "consistency", 1_995, 1_995, 60.0),
    Benchmark("coco-retrieval", "test", "i2t_r1", 5_000, 5_000, 81.2),
    Benchmark("coco-retrieval", "test", "t2i_r1", 25_010, 5_000, 63.4),
    Benchmark("flickr30k-retrieval", "test", "i2t_r1", 1_000, 1_000, 97.1),
    Benchmark("flickr30k-retrieval", "test", "t2i_r1", 5_000, 1_000, 86.9),
    Benchmark("refcoco+", "val", "accuracy", 10_758, 1_500, 84.5),
    Benchmark("refcoco+", "testA", "accuracy", 5_726, 750, 89.0),
    Benchmark("refcoco+", "testB", "accuracy", 4_889, 750, 76.9),
)
CIDER = Benchmark("coco-caption", "test", "cider", 5_000, 5_000, 140.8)
BLEU = Benchmark("coco-caption", "test", "bleu4", 5_000, 5_000, 41.3)
OVAD = Benchmark("ovad", "box", "map", 14_300, 2_000, 28.0)
WORDINGS = 5  # captions change this much more often than answers turn right or wrong
EVENNESS = 2.0  # of churn over clusters (Beta distribution): a small one puts it into few clusters


class Pair(NamedTuple):
    """A metric before and after."""

    before: Statistic
    after: Statistic


def compare(pair: Pair, *, draws: int) -> Comparison:
    """Test a pair, with an interval of no width: computing it is slow, and only hides alarms."""
    before, after = (side.resampled() for side in pair)
    difference = float(
        after.of(np.ones((1, after.clusters)))[0] - before.of(np.ones((1, before.clusters)))[0]
    )
    p = p_of_no_change(*pair, draws=draws)
    return Comparison(difference, Interval(difference, difference), p, flips(*pair))


def judge_all(benchmarks: Sequence[Benchmark], comparisons: Sequence[Comparison]) -> list[Verdict]:
    """Judge all metrics of a check together."""
    adjusted = adjusted_ps(comparisons)
    return [
        judge(benchmark.metric, comparison, adjusted[comparison.p])
        for benchmark, comparison in zip(benchmarks, comparisons, strict=True)
    ]


def shares(benchmark: Benchmark, draws: Generator, *, drop: float, churn: float) -> Pair:
    """Return a share of right units that drops by `drop` points; `churn` percent of units flip."""
    cluster = np.arange(benchmark.units) * benchmark.clusters // benchmark.units
    hard = draws.beta(*_beta(benchmark.level / 100), size=benchmark.clusters)[cluster]
    right = draws.random(benchmark.units) < hard
    restless = (draws.beta(EVENNESS, EVENNESS, size=benchmark.clusters) * 2)[cluster]
    restless = (draws.beta(EVENNESS, EVENNESS, size=benchmark.clusters) * 2)[cluster]

    def outcomes(drop: float) -> NDArray[np.float64]:
        """Return the units' scores in one run, which differs from `right` by half of the churn."""
        share = np.clip(right.mean(), 0.01, 0.99)
        # Right to wrong, wrong to right.
        rates = ((churn / 2 + drop) / 200 / share, (churn / 2 - drop) / 200 / (1 - share))
        return np.where(
            right ^ (draws.random(benchmark.units) < np.where(right, *rates) * restless), 100.0, 0.0
        )

    return Pair(
        *(
            Mean(values, cluster.astype(np.int32), benchmark.clusters)
            for values in (outcomes(0.0), outcomes(drop))
        )
    )


def ciders(draws: Generator, *, drop: float, churn: float, images: int = CIDER.units) -> Pair:
    """Return CIDEr that drops by `drop` points: `churn` percent of images have another caption."""
    image = draws.gamma(2.0, CIDER.level / 2, size=images)
    before, other = (image + draws.normal(0.0, 30.0, size=images) for _ in range(2))
    changed = draws.random(images) < churn / 100
    other -= 100 * drop / churn
    cluster = np.arange(images, dtype=np.int32)
    return Pair(
        *(Mean(values, cluster, images) for values in (before, np.where(changed, other, before)))
    )


def bleus(draws: Generator, *, drop: float, churn: float, images: int = BLEU.units) -> Pair:
    """Return BLEU-4 that drops by about `drop` points: `churn` percent have another caption."""
    guesses = np.stack([np.full(images, 10 - n) for n in range(4)], axis=1)
    rates = np.array([0.78, 0.52, 0.33, 0.21])  # BLEU-4 of about 41

    def matches(factor: float) -> np.ndarray:
        return draws.binomial(guesses, rates * factor)

    before, changed = matches(1.0), draws.random(images) < churn / 100
    other = matches(1 - drop / BLEU.level * 100 / churn)
    words = np.full((images, 2), 10)
    sides = (before, np.where(changed[:, None], other, before))
    return Pair(*(Bleu(np.hstack([side, guesses, words]).astype(np.int32), 4) for side in sides))


def attributes(
    draws: Generator,
    *,
    drop: float,
    boxes: int = OVAD.units,
    images: int = OVAD.clusters,
    kinds: int = 117,
) -> Pair:
    """Return mAP of boxes with noisy scores; `drop` is subtracted from those of positive boxes."""
    image = np.sort(draws.integers(0, images, size=boxes)).astype(np.int32)
    image[:images] = np.arange(images)
    share = draws.beta(0.6, 6.0, size=kinds)
    labels = (draws.random((boxes, kinds)) < share).astype(np.int8)
    labels[draws.random((boxes, kinds)) < 0.2] = -1
    true = 0.3 + 0.05 * draws.normal(size=(boxes, kinds)) + 0.05 * (labels == 1)
    before, after = (true + 0.005 * draws.normal(size=(boxes, kinds)) for _ in range(2))
    after -= drop * (labels == 1)
    columns = np.arange(kinds, dtype=np.int32)
    return Pair(
        *(
            MeanAveragePrecision(side.astype(np.float32), labels, image, columns)
            for side in (before, after)
        )
    )


def all_metrics(
    draws: Generator, *, churn: float, drop: float = 0.0, scale: int = 1
) -> Iterator[tuple[Benchmark, Pair]]:
    """Yield every metric but mAP, of benchmarks that are `scale` times smaller."""
    for benchmark in SHARES:
        smaller = benchmark._replace(
            units=benchmark.units // scale, clusters=benchmark.clusters // scale
        )
        yield benchmark, shares(smaller, draws, drop=drop, churn=churn)
    words = min(100.0, WORDINGS * churn)
    yield CIDER, ciders(draws, drop=drop, churn=words, images=CIDER.units // scale)
    yield BLEU, bleus(draws, drop=drop, churn=words, images=BLEU.units // scale)


def _beta(mean: float) -> tuple[float, float]:
    """Return parameters with a correlation of 0.2 within clusters, as outcomes of RefCOCO+ have."""
    return 4 * mean, 4 * (1 - mean)
