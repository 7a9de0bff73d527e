"""Print how often the gate finds a drop at real sizes: `python -m tests.drift.power` (minutes).

Each metric, of the size of the real benchmark, drops by one point. Its result is tested alone, and
at the share of the level that it has among RESULTS results which all changed.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from harness.drift.judging import PART_FOR_ALL
from harness.drift.settings import Gate
from harness.statistics.means import Mean
from harness.statistics.paired import Pair
from harness.statistics.swaps import swap_test
from tests.drift.simulation import EVENNESS, with_error

Generator = np.random.Generator
RESULTS = 15  # of all seven tasks on their splits with known truths
DROP = 1.0  # points
CHURNS = (2.0, 5.0, 10.0)  # percent of the units that flip between the two runs


class Benchmark(NamedTuple):
    """A metric of a benchmark, its units and clusters, and about what X-VLM reaches on it."""

    name: str
    units: int
    clusters: int
    level: float


# Sizes of the official splits; levels as published for X-VLM.
BENCHMARKS = (
    Benchmark("vqav2 val accuracy", 214_354, 40_504, 78.2),
    Benchmark("nlvr2 dev accuracy", 6_982, 1_054, 84.4),
    Benchmark("nlvr2 test accuracy", 6_967, 1_052, 84.8),
    Benchmark("nlvr2 test consistency", 1_995, 1_052, 60.0),
    Benchmark("coco-retrieval test i2t_r1", 5_000, 5_000, 81.2),
    Benchmark("coco-retrieval test t2i_r1", 25_010, 5_000, 63.4),
    Benchmark("flickr30k-retrieval test i2t_r1", 1_000, 1_000, 97.1),
    Benchmark("flickr30k-retrieval test t2i_r1", 5_000, 1_000, 86.9),
    Benchmark("refcoco+ val accuracy", 10_758, 1_500, 84.5),
    Benchmark("refcoco+ testA accuracy", 5_726, 750, 89.0),
    Benchmark("refcoco+ testB accuracy", 4_889, 750, 76.9),
)


def shares(benchmark: Benchmark, generator: Generator, *, drop: float, churn: float) -> Pair:
    """Return a share of right units that drops by `drop` points; `churn` percent of units flip."""
    cluster = (np.arange(benchmark.units) * benchmark.clusters // benchmark.units).astype(np.int32)
    level = benchmark.level / 100
    hard = generator.beta(4 * level, 4 * (1 - level), size=benchmark.clusters)[cluster]
    right = generator.random(benchmark.units) < hard
    restless = (generator.beta(EVENNESS, EVENNESS, size=benchmark.clusters) * 2)[cluster]
    share = np.clip(right.mean(), 0.01, 0.99)
    # Right to wrong, wrong to right.
    rates = ((churn + drop) / 200 / share, (churn - drop) / 200 / (1 - share))
    flips = generator.random(benchmark.units) < np.where(right, *rates) * restless
    before, after = (np.where(side, 100.0, 0.0) for side in (right, right ^ flips))
    return Pair(*(Mean(values, cluster, benchmark.clusters) for values in (before, after)))


def found(benchmark: Benchmark, *, churn: float, times: int) -> tuple[int, int]:
    """Return how many of the simulated drops are proven, alone and among all results."""
    generator = np.random.Generator(np.random.PCG64(1))
    level = (1 - PART_FOR_ALL) * Gate().level
    alone = among = 0
    for number in range(times):
        pair = shares(benchmark, generator, drop=DROP, churn=churn)
        p = swap_test({"": pair}, level=level / RESULTS, seed=number).adjusted[""].drop
        alone += p < level
        among += p < level / RESULTS
    return alone, among


def rows(times: int) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    churns = " | ".join(f"churn {churn:g} %" for churn in CHURNS)
    yield f"| metric | units | clusters | {churns} |"
    yield "|---|---|---|" + "---|" * len(CHURNS)
    for benchmark in BENCHMARKS:
        cells = []
        for churn in CHURNS:
            if churn - DROP > 100 - benchmark.level:
                cells.append("–")  # more wrong units than there are would have to become right
                continue
            alone, among = found(benchmark, churn=churn, times=times)
            cells.append(f"{alone / times:.0%} / {among / times:.0%}")
        sizes = f"{benchmark.units:,} | {benchmark.clusters:,}"
        yield f"| {benchmark.name} | {sizes} | {' | '.join(cells)} |"
    yield f"half of {times} drops found: {with_error(times // 2, times)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1_000)
    for row in rows(parser.parse_args().times):
        sys.stdout.write(row + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
