"""How often the gate is wrong, by simulation: seeded, so that the counts are the same every time."""

from collections import Counter

import numpy as np
import pytest

from harness.drift.check import DRIFTED, enough_draws, judge
from harness.statistics.interval import LEVEL
from tests.drift import simulation

CHECKS = 100  # simulated checks of all metrics
SCALE = 20  # so many times smaller than the real ones are the benchmarks
COPIES = 3  # of each metric, as several splits and derived metrics have


def simulated_check(draws, *, churn, drop=0.0, copies=COPIES):
    """Judge `copies` of every metric of smaller benchmarks."""
    pairs = [
        entry
        for _ in range(copies)
        for entry in simulation.all_metrics(draws, churn=churn, drop=drop, scale=SCALE)
    ]
    return judge([simulation.tested(*entry, draws=enough_draws(len(pairs))) for entry in pairs])


@pytest.mark.parametrize("churn", [0.5, 4.0])
def test_without_a_change_false_alarms_over_all_cells_are_rarer_than_the_level(churn):
    draws = np.random.Generator(np.random.PCG64(11))
    alarms = sum(
        any(cell.verdict == DRIFTED for cell in simulated_check(draws, churn=churn))
        for _ in range(CHECKS)
    )
    assert alarms <= (1 - LEVEL) * CHECKS


@pytest.mark.parametrize("churn", [0.3, 1.0, 4.0])
def test_without_a_change_a_check_of_one_metric_alarms_no_oftener_either(churn):
    """Few changed units are where a bootstrap alone would alarm too often: four that went the same way by chance are enough for it."""
    draws = np.random.Generator(np.random.PCG64(12))
    benchmark = simulation.Benchmark("refcoco+", "val", "accuracy", 1_000, 150, 84.5)
    alarms = 0
    for _ in range(400):
        pair = simulation.shares(benchmark, draws, drop=0.0, churn=churn)
        (judged,) = judge([simulation.tested(benchmark, pair, draws=enough_draws(1))])
        alarms += judged.verdict == DRIFTED
    assert alarms <= (1 - LEVEL) * 400


def test_a_drop_of_five_points_is_found_in_the_larger_benchmarks_every_time():
    draws = np.random.Generator(np.random.PCG64(13))
    judged = [simulated_check(draws, churn=12.0, drop=5.0, copies=1) for _ in range(10)]
    found = Counter(
        f"{cell.task} {cell.metric}"
        for cells in judged
        for cell in cells
        if cell.verdict == DRIFTED
    )
    assert (
        found["vqav2 accuracy"]
        == found["coco-retrieval t2i_r1"]
        == found["coco-caption bleu4"]
        == 10
    )


def test_mean_average_precision_is_found_to_drop_and_not_to_drop():
    draws = np.random.Generator(np.random.PCG64(14))
    for drop, expected in ((0.0, False), (0.03, True)):
        pair = simulation.attributes(draws, drop=drop, boxes=400, images=100, kinds=6)
        (judged,) = judge([simulation.tested(simulation.OVAD, pair, draws=500)])
        assert (judged.verdict == DRIFTED) == expected
