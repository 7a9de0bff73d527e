"""The smallest drop that a check against a baseline can prove, metric by metric."""

from math import inf, isnan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.drift.judging import PART_FOR_ALL
from harness.drift.settings import Gate
from harness.metrics.attribute_ranks import Chance
from harness.records.integrity import sound_sample_scores
from harness.records.stored import StoredResult, find_sound_results
from harness.statistics.paired import Pair, compare, detectable_drop


class Detectable(NamedTuple):
    """The smallest drops of a metric, in points, that a check can prove.

    alone     where no other result changed
    among     where all results of the baseline changed, so that they share the level
    restless  as `among`, where `churn` percent of the units have another outcome anyway, as many
              better as worse

    The lost units are taken to lie in as many clusters. A drop within fewer clusters has to be
    larger: the test counts clusters. None for rankings, whose drop is no sum over units, for BLEU
    of captions without a match, which has no derivative, and for the cases in `unprovable`: a
    check proves no drop, not even one to 0.
    """

    checkpoint: str
    task: str
    split: str
    metric: str
    units: int
    clusters: int
    value: float
    alone: float | None
    among: float | None
    restless: float | None
    unprovable: tuple[str, ...] = ()


def detectable_drops(baseline: Path, gate: Gate, *, churn: float) -> list[Detectable]:
    """Return the smallest detectable drop of every metric of a baseline.

    Raises MissingError for a folder that does not exist, DataError for sample scores that are
    damaged or contradict their record.
    """
    results = [
        result
        for result in find_sound_results(baseline)
        if result.record.contributions.get("sha256") and sound_sample_scores(result).statistics
        if gate.compares(checkpoint=result.record.checkpoint["name"])
    ]
    level = (1 - PART_FOR_ALL) * gate.level / gate.sides
    return [
        _detectable(result, metric, gate, level=level, sharing=len(results), churn=churn)
        for result in results
        for metric, statistic in result.sample_scores.statistics.items()
        if statistic.kind != Chance.kind  # a property of the labels, which cannot drop
        and gate.compares(checkpoint=result.record.checkpoint["name"], metric=metric)
    ]


def _detectable(
    result: StoredResult, metric: str, gate: Gate, *, level: float, sharing: int, churn: float
) -> Detectable:
    record, statistic = result.record, result.sample_scores.statistics[metric]
    pair = Pair(statistic, statistic)
    quiet, units = compare(pair), len(statistic.each())
    restless = quiet._replace(churn=quiet.unit * float(np.sqrt(churn / 100 * units)))
    margin = gate.margin_of(metric)
    known = quiet.unit and not isnan(quiet.churn)
    cases = {
        "alone": (quiet, level),
        "among": (quiet, level / sharing),
        "restless": (restless, level / sharing),
    }
    drops = {
        case: detectable_drop(comparison, level=share, margin=margin) if known else None
        for case, (comparison, share) in cases.items()
    }
    unprovable = tuple(case for case, drop in drops.items() if drop == inf)
    names = (record.checkpoint["name"], record.task, record.split, metric)
    clusters = pair.clusters[0].clusters
    alone, among, swapped = (None if drop == inf else drop for drop in drops.values())
    value = record.metrics[metric]
    return Detectable(*names, units, clusters, value, alone, among, swapped, unprovable)
