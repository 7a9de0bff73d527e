"""Whether a metric falls over several results: what its clusters add to each, and p of the trend.

Without a trend, the results of a cluster of samples could have come in any order, so p is the share
of orders, drawn for every cluster that changed, whose slope falls as steeply (a paired permutation
test, one-sided).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.drift.contradictions import describe_other_units
from harness.statistics.means import Mean, MeanOfMeans
from harness.statistics.sums import Statistic

DRAWS = 9_999  # random orders
EXACT_UP_TO = 200  # clusters; with more, the slope is normal by the central limit theorem
AT_ONCE = 200  # draws in memory


def p_of_fall(values: NDArray[np.float64], *, seed: int = 0) -> float:
    """Return p of a falling trend of `values` [K, C]: what each cluster adds to each of K results.

    >>> p_of_fall(np.array([[1.0] * 9, [0.5] * 9, [0.0] * 9])) < 0.001
    True
    >>> p_of_fall(np.ones((3, 9)))
    1.0
    """
    changed = values[:, (values != values[0]).any(axis=0)]
    runs, clusters = changed.shape
    if not clusters:
        return 1.0
    weights = np.arange(runs) - (runs - 1) / 2
    slope = float((weights @ changed).sum())
    if clusters > EXACT_UP_TO:
        spread = changed.var(axis=0, ddof=1).sum() * (weights**2).sum()
        return 0.5 * math.erfc(-slope / math.sqrt(2 * spread))
    rng = np.random.default_rng(seed)
    hits, tolerance = 0, 1e-9 * max(1.0, abs(slope))
    for first in range(0, DRAWS, AT_ONCE):
        draws = min(AT_ONCE, DRAWS - first)
        orders = rng.permuted(np.broadcast_to(changed.T, (draws, clusters, runs)), axis=2)
        hits += int(((orders @ weights).sum(axis=1) <= slope + tolerance).sum())
    return (1 + hits) / (1 + DRAWS)


def parts_of_clusters(statistics: Sequence[Statistic]) -> NDArray[np.float64]:
    """Return what each cluster adds to a metric of each run, [K, C]; no run if they do not pair.

    Of a metric that is no mean (BLEU, METEOR, mAP), to first order: what it adds to the change
    since the first run.
    """
    if not statistics:
        return np.empty((0, 0))
    first, *others = statistics
    if any(describe_other_units(first, other) for other in others):
        return np.empty((0, 0))
    means = [_parts(statistic) for statistic in statistics]
    if known := [part for part in means if part is not None]:
        return np.stack(known)
    base = first.resampled()
    changes = [
        np.where(base.changed_in(run), base.changes_in(run), 0.0)
        for run in (other.resampled() for other in others)
    ]
    return np.stack([np.zeros_like(changes[0]), *changes])


def _parts(statistic: Statistic | None) -> NDArray[np.float64] | None:
    """Return what each cluster [C] adds to a metric that is a mean; None for any other."""
    if isinstance(statistic, Mean):
        sums, _ = statistic.rows().T
        return np.asarray(sums / len(statistic.values))
    if isinstance(statistic, MeanOfMeans):
        parts = [_parts(part) for part in statistic.parts]
        known = [part for part in parts if part is not None]
        if len({len(part) for part in known}) == 1:
            return np.asarray(np.mean(known, axis=0))
    return None
