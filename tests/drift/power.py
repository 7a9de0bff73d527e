"""Print how surely the gate finds a drop of one point at the sizes of the real benchmarks: `python -m tests.drift.power` (minutes).

Each metric is simulated as one of the CELLS of a check of all tasks, of which it alone has dropped.
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np

from harness.drift.check import DRIFTED, Cell, enough_draws, judge
from tests.drift import simulation
from tests.drift.simulation import Benchmark, Generator, Pair

CELLS = 65  # metrics of all seven tasks on all of their splits with known truths
DROP = 1.0  # points
CHURNS = (2.0, 5.0, 10.0)  # percent of the units that flip between the two runs
TIMES = 100  # simulations of each
MAP_TIMES = 4  # of mAP, which takes long
MAP_DROP = 0.0006  # taken from the scores of those that have an attribute: 0.3 points of mAP, which it finds already

Simulated = Callable[[Generator, float], Pair]


def power(
    benchmark: Benchmark, simulated: Simulated, churn: float, *, times: int
) -> tuple[float, float]:
    """Return the share of simulations in which the drop is called drift, and the mean of the drops."""
    draws = np.random.Generator(np.random.PCG64(1))
    others = [Cell("simulated", "", "", str(number), p=1.0) for number in range(CELLS - 1)]
    found = []
    for _ in range(times):
        cell = simulation.tested(benchmark, simulated(draws, churn), draws=enough_draws(CELLS))
        found.append(judge([cell, *others])[0])
    return float(np.mean([cell.verdict == DRIFTED for cell in found])), float(
        np.mean([cell.difference for cell in found])
    )


def rows() -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| metric | units | drawn and swapped by | {' | '.join(f'churn {churn:g} %' for churn in CHURNS)} |"
    yield "|---|---|---|" + "---|" * len(CHURNS)
    for benchmark in simulation.SHARES:

        def simulated(draws: Generator, churn: float, benchmark: Benchmark = benchmark) -> Pair:
            return simulation.shares(benchmark, draws, drop=DROP, churn=churn)

        yield _row(benchmark, simulated)
    yield _row(
        simulation.CIDER,
        lambda draws, churn: simulation.ciders(draws, drop=DROP, churn=simulation.WORDINGS * churn),
    )
    yield _row(
        simulation.BLEU,
        lambda draws, churn: simulation.bleus(draws, drop=DROP, churn=simulation.WORDINGS * churn),
    )
    share, drop = power(
        simulation.OVAD,
        lambda draws, _: simulation.attributes(draws, drop=MAP_DROP),
        0.0,
        times=MAP_TIMES,
    )
    yield (
        f"| ovad box map | 14,300 | 2,000 images | {share:.0%} of {MAP_TIMES} at {drop:+.2f} points, every score moved |"
        + " |" * (len(CHURNS) - 1)
    )


def _row(benchmark: Benchmark, simulated: Simulated) -> str:
    shares = [power(benchmark, simulated, churn, times=TIMES)[0] for churn in CHURNS]
    by = (
        f"{benchmark.clusters:,} clusters" if benchmark.clusters < benchmark.units else "themselves"
    )
    name = f"{benchmark.task} {benchmark.split} {benchmark.metric}"
    return f"| {name} | {benchmark.units:,} | {by} | {' | '.join(f'{share:.0%}' for share in shares)} |"


if __name__ == "__main__":
    for row in rows():
        sys.stdout.write(row + "\n")
        sys.stdout.flush()
