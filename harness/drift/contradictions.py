"""Contradictions between two results of the same samples.

`harness.records.integrity` checks that the files of one result agree.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.drift.samples import SCORE_DIGITS
from harness.errors import DataError
from harness.records.sample_scores import digest
from harness.records.stored import StoredResult
from harness.statistics.means import MeanOfMeans
from harness.statistics.sums import Statistic

# Measures of a sample that depend on the predictions for other samples too: the rank of an image
# among all images.
OF_OTHERS = ("t2i_*",)
NAMED = 3  # samples that a message names


def contradictions_between(base: StoredResult, result: StoredResult) -> list[str]:
    """Return a sentence for each contradiction of two results: one prediction, two scores.

    Empty where another version of the task, or other samples, may be the reason, and where a result
    has no sample scores.
    """
    if base.record.task_version != result.record.task_version:
        return []
    try:
        old, new = base.sample_scores, result.sample_scores
    except DataError:
        return []
    if list(old.ids) != list(new.ids):
        return []
    # Where nothing was predicted, a task may score by what it predicted before.
    same = (old.digests == new.digests) & (old.digests != digest(None))
    all_same = bool((old.digests == new.digests).all())
    found = []
    for name, before in old.by_sample.items():
        after = new.by_sample.get(name)
        if after is None or (_is_of_others(name) and not all_same):
            continue
        differing = np.flatnonzero(same & (np.abs(after - before) > SCORE_DIGITS)).tolist()
        if differing:
            samples = ", ".join(repr(old.ids[index]) for index in differing[:NAMED])
            found.append(
                f"{name} of {len(differing)} samples is another than the baseline's, although "
                f"their predictions are the same, e.g. of {samples}; one of the two was not scored "
                "with these predictions or by this code: `check --rescore --data DIR` tells which"
            )
    return found


def describe_other_units(before: Statistic, after: Statistic) -> str | None:
    """Return how the units of a metric differ between two runs, None if they can be paired."""
    old, new = before.resampled(), after.resampled()
    if before.kind != after.kind:
        return f"a {after.kind}, the baseline a {before.kind}"
    if len(before.each()) != len(after.each()) or old.clusters != new.clusters:
        return (
            f"{len(after.each())} units in {new.clusters} clusters, "
            f"the baseline {len(before.each())} in {old.clusters}"
        )
    pairs = zip(_arrangement(before), _arrangement(after), strict=True)
    if any(not np.array_equal(one, other) for one, other in pairs):
        return (
            "its samples belong to other clusters, or have other labels, than the baseline's; "
            "score the predictions of both by the same release: `xvlm-eval score --out DIR`"
        )
    return None


def _arrangement(statistic: Any) -> Iterator[NDArray[Any]]:
    """Yield the arrays that say which units belong together, and their true labels."""
    if isinstance(statistic, MeanOfMeans):
        for part in statistic.parts:
            yield from _arrangement(part)
        return
    for name in ("cluster", "image", "labels"):
        if isinstance(array := getattr(statistic, name, None), np.ndarray):
            yield array


def _is_of_others(measure: str) -> bool:
    return any(fnmatchcase(measure, pattern) for pattern in OF_OTHERS)
