"""How often the gate is wrong, by simulation; seeded, so the counts are the same every time.

`python -m tests.drift.simulation` simulates a thousand checks of all results and more; its table is
in `docs/error-rates.md`.
"""

import numpy as np

from tests.drift import simulation

QUICK = ("nlvr2", "refcoco+ testB", "coco-retrieval val", "coco-caption val")


def quick_results():
    """Five results of the committed baseline whose swaps are drawn soon."""
    return [
        result
        for result in simulation.committed_results()
        if any(name in result.title for name in QUICK)
    ]


def last(alarms):
    *_, alarm = alarms
    return alarm


def test_without_a_change_whole_checks_fail_more_rarely_than_the_level():
    results = quick_results()
    assert len(results) == 5
    alarms = last(simulation.count_alarms(results, churn=1.0, checks=40, seed=5))
    assert alarms.failed <= 0.05 * 40


def test_simulated_noise_has_the_churn_that_it_says():
    _, draw = next(r for r in simulation.committed_results() if "refcoco+ testB" in r.title)
    generator = np.random.Generator(np.random.PCG64(1))
    base = draw(generator, 0.0)["accuracy"].each()
    shares = [(draw(generator, 4.0)["accuracy"].each() != base).mean() for _ in range(50)]
    assert 0.03 < np.mean(shares) < 0.05
