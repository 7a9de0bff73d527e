"""How often the gate is wrong, by simulation; seeded, so the counts are the same every time."""

from collections import Counter

import numpy as np
import pytest

from harness.drift.verdicts import Verdict, enough_draws
from harness.statistics.interval import LEVEL
from tests.drift import simulation

CHECKS = 100  # simulated checks of all metrics
SCALE = 20  # the simulated benchmarks are this many times smaller than the real ones
COPIES = 3  # of each metric, as several splits and derived metrics have


def simulated_check(generator, *, churn, drop=0.0, copies=COPIES):
    """The verdicts, by benchmark, on `copies` of every metric of smaller benchmarks."""
    simulated = [
        entry
        for _ in range(copies)
        for entry in simulation.all_metrics(generator, churn=churn, drop=drop, scale=SCALE)
    ]
    benchmarks = [benchmark for benchmark, _ in simulated]
    draws = enough_draws(len(simulated))
    tests = [simulation.compare(pair, draws=draws) for _, pair in simulated]
    return list(zip(benchmarks, simulation.judge_all(benchmarks, tests), strict=True))


@pytest.mark.parametrize("churn", [0.5, 4.0])
def test_without_a_change_false_alarms_over_all_cells_are_rarer_than_the_level(churn):
    generator = np.random.Generator(np.random.PCG64(11))
    alarms = sum(
        any(verdict == Verdict.DRIFTED for _, verdict in simulated_check(generator, churn=churn))
        for _ in range(CHECKS)
    )
    assert alarms <= (1 - LEVEL) * CHECKS


@pytest.mark.parametrize("churn", [0.3, 1.0, 4.0])
def test_without_a_change_a_check_of_one_metric_gives_no_more_false_alarms(churn):
    """Few changed units are where a bootstrap alone would alarm too often: four are enough."""
    generator = np.random.Generator(np.random.PCG64(12))
    benchmark = simulation.Benchmark("refcoco+", "val", "accuracy", 1_000, 150, 84.5)
    alarms = 0
    for _ in range(400):
        pair = simulation.shares(benchmark, generator, drop=0.0, churn=churn)
        test = simulation.compare(pair, draws=enough_draws(1))
        alarms += simulation.judge_all([benchmark], [test]) == [Verdict.DRIFTED]
    assert alarms <= (1 - LEVEL) * 400


def test_a_drop_of_five_points_is_found_in_the_larger_benchmarks_every_time():
    generator = np.random.Generator(np.random.PCG64(13))
    drifted = Counter(
        f"{benchmark.task} {benchmark.metric}"
        for _ in range(10)
        for benchmark, verdict in simulated_check(generator, churn=12.0, drop=5.0, copies=1)
        if verdict == Verdict.DRIFTED
    )
    for metric in ("vqav2 accuracy", "coco-retrieval t2i_r1", "coco-caption bleu4"):
        assert drifted[metric] == 10


def test_mean_average_precision_is_found_to_drop_and_not_to_drop():
    generator = np.random.Generator(np.random.PCG64(14))
    for drop, expected in ((0.0, False), (0.03, True)):
        pair = simulation.attributes(generator, drop=drop, boxes=400, images=100, kinds=6)
        test = simulation.compare(pair, draws=500)
        assert (simulation.judge_all([simulation.OVAD], [test]) == [Verdict.DRIFTED]) == expected
