"""Print how often the gate finds a drop of one point: `python -m tests.drift.power` (minutes).

Each metric, of the size of the real benchmark, is one of the CELLS of a check of all tasks; it
alone has dropped.
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np

from harness.drift.verdicts import Verdict, adjusted_ps, enough_draws, judge
from tests.drift import simulation
from tests.drift.simulation import Benchmark, Generator, Pair

CELLS = 65  # metrics of all seven tasks on all of their splits with known truths
DROP = 1.0  # points
CHURNS = (2.0, 5.0, 10.0)  # percent of the units that flip between the two runs
TIMES = 100  # simulations of each
MAP_TIMES = 4  # of mAP, which takes long
MAP_DROP = 0.0006  # of the scores of positive boxes: 0.3 points of mAP, which is found already

Simulated = Callable[[Generator, float], Pair]


def power(
    benchmark: Benchmark, simulated: Simulated, churn: float, *, times: int
) -> tuple[float, float]:
    """Return the share of simulations whose drop is called drift, and the mean drop."""
    generator = np.random.Generator(np.random.PCG64(1))
    verdicts, differences = [], []
    for _ in range(times):
        test = simulation.compare(simulated(generator, churn), draws=enough_draws(CELLS))
        adjusted = adjusted_ps([test, *[test._replace(p=1.0)] * (CELLS - 1)])
        verdicts.append(judge(benchmark.metric, test, adjusted[test.p]))
        differences.append(test.difference)
    share = float(np.mean([verdict == Verdict.DRIFTED for verdict in verdicts]))
    return share, float(np.mean(differences))


def rows() -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    churns = " | ".join(f"churn {churn:g} %" for churn in CHURNS)
    yield f"| metric | units | drawn and swapped by | {churns} |"
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
        f"| ovad box map | 14,300 | 2,000 images | {share:.0%} of {MAP_TIMES} "
        f"at {drop:+.2f} points, every score moved |" + " |" * (len(CHURNS) - 1)
    )


def _row(benchmark: Benchmark, simulated: Simulated) -> str:
    shares = [power(benchmark, simulated, churn, times=TIMES)[0] for churn in CHURNS]
    by = (
        f"{benchmark.clusters:,} clusters" if benchmark.clusters < benchmark.units else "themselves"
    )
    name = f"{benchmark.task} {benchmark.split} {benchmark.metric}"
    cells = " | ".join(f"{share:.0%}" for share in shares)
    return f"| {name} | {benchmark.units:,} | {by} | {cells} |"


if __name__ == "__main__":
    for row in rows():
        sys.stdout.write(row + "\n")
        sys.stdout.flush()
