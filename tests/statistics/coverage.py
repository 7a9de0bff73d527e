"""Print how often 95 % intervals hold the true value: `python -m tests.statistics.coverage`.

Shares of right answers: single units, and clusters of eight whose outcomes are correlated (Beta
distribution); graded scores: skewed ones, as CIDEr's. A minute or two.
"""

import argparse
import math
import sys
from collections.abc import Iterator

import numpy as np

from harness.statistics.bootstrap import bca_interval
from harness.statistics.intervals import metric_interval
from harness.statistics.means import Mean
from harness.statistics.sums import Floats

Generator = np.random.Generator
SIZES = (40, 100, 1_000, 5_000)
SHARES = (0.5, 0.8, 0.96, 0.99, 0.997, 1.0)
TOGETHER = 0.35  # correlation of the outcomes in a cluster, as of RefCOCO+
IN_CLUSTER = 8
MEDIAN_OF_GAMMA = 2.0  # shape of graded scores; skewness 1.4


def covered_shares(
    generator: Generator, *, units: int, share: float, in_cluster: int, times: int
) -> float:
    """Return the share of simulations whose interval holds the true share."""
    clusters = units // in_cluster
    cluster = np.repeat(np.arange(clusters, dtype=np.int32), in_cluster)
    hits = 0
    for _ in range(times):
        rates = _rates(generator, share, clusters) if in_cluster > 1 else np.full(clusters, share)
        values = np.where(generator.random(len(cluster)) < rates[cluster], 100.0, 0.0)
        low, high = metric_interval(Mean(values, cluster, clusters))
        hits += low - 1e-9 <= 100 * share <= high + 1e-9
    return hits / times


def covered_means(generator: Generator, *, units: int, times: int) -> float:
    """Return the share of simulations whose interval holds the mean of skewed scores."""
    cluster = np.arange(units, dtype=np.int32)
    hits = 0
    for _ in range(times):
        values = generator.gamma(MEDIAN_OF_GAMMA, 50.0, size=units)
        low, high = bca_interval(Mean(values, cluster, units).resampled())
        hits += low <= 50.0 * MEDIAN_OF_GAMMA <= high
    return hits / times


def _rates(generator: Generator, share: float, clusters: int) -> Floats:
    """Return the share of right answers of each cluster."""
    if share == 1.0:
        return np.ones(clusters)
    weight = 1 / TOGETHER - 1
    return generator.beta(share * weight, (1 - share) * weight, size=clusters)


def rows(times: int) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    generator = np.random.Generator(np.random.PCG64(7))
    yield "| units | in clusters of | " + " | ".join(f"p {share:g}" for share in SHARES) + " |"
    yield "|---|---|" + "---|" * len(SHARES)
    for in_cluster in (1, IN_CLUSTER):
        for units in SIZES:
            if units // in_cluster < 10:
                continue
            cells = [
                covered_shares(
                    generator, units=units, share=share, in_cluster=in_cluster, times=times
                )
                for share in SHARES
            ]
            yield f"| {units:,} | {in_cluster} | " + " | ".join(f"{c:.1%}" for c in cells) + " |"
    for units in SIZES[:3]:
        share = covered_means(generator, units=units, times=times)
        yield f"graded scores, {units:,} units: {share:.1%} of {times:,}"
    yield f"standard error at 95 %: {math.sqrt(0.95 * 0.05 / times):.1%} of {times:,} simulations"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1_000)
    for row in rows(parser.parse_args().times):
        sys.stdout.write(row + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
