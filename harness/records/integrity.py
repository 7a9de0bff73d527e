"""Check that a record, its sample scores and its predictions agree.

Each file is verified by its hash in the record; here, their contents are compared.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.formats.same_files import are_files_of
from harness.metrics.attribute_ranks import MeanAveragePrecision
from harness.plugins import TASK
from harness.records.sample_scores import SampleScores, digest
from harness.records.stored import StoredResult, StoredResults
from harness.statistics.sums import Sums

CLOSE = 1e-6  # of a metric: a sum in another order
NAMED = 3  # samples that a message names


def contradictions(result: StoredResult) -> list[str]:
    """Return a sentence for each way a record, its sample scores and predictions disagree.

    Sentences without the result's name; none for a result of a hidden split, which has no scores.
    """
    record = result.record
    found = list(_impossible_numbers(result))
    if not record.predictions.get("sha256") and "receipt" not in record.predictions:
        found.append("the record does not hold the hash of its predictions")
    if not record.data.get("sha256"):
        found.append("the record does not hold the hash of its data")
    elif (files := record.data.get("files")) and not are_files_of(record.data, files):
        found.append("the hash of the data in the record is not that of the files it names")
    if not record.contributions.get("sha256"):
        if record.metrics and "receipt" not in record.predictions:
            found.append("the record does not hold the hash of its sample scores")
        return found
    try:
        scores = result.sample_scores
    except DataError as error:
        return [*found, str(error)]
    found += _against_record(result, scores)
    try:
        found += _against_predictions(result, scores)
    except DataError as error:
        found.append(str(error))
    return found


def sound_sample_scores(result: StoredResult) -> SampleScores:
    """Return the scores of a result's samples.

    Raises MissingError if the file is missing, DataError if it contradicts the record.
    """
    scores = result.sample_scores
    if reason := next(_against_record(result, scores), None):
        raise DataError(f"{result.path}: {reason}; score the predictions again")
    return scores


def without_contradictions(found: StoredResults) -> StoredResults:
    """Return results without those whose record contradicts itself or its sample scores.

    They count as damaged. A record without a file of sample scores contradicts none.
    """
    checked = [(result, _contradiction(result)) for result in found.results]
    rejected = [reason for _, reason in checked if reason is not None]
    return replace(
        found,
        results=tuple(result for result, reason in checked if reason is None),
        rejected=(*found.rejected, *rejected),
        damaged=found.damaged + len(rejected),
    )


def contradicting_records(found: StoredResults) -> list[str]:
    """Return one sentence for each record that contradicts itself or its sample scores.

    Each begins with the path of the record.
    """
    return [reason for result in found.results if (reason := _contradiction(result)) is not None]


def _contradiction(result: StoredResult) -> str | None:
    """Return why the numbers of a record cannot be right, beginning with its path."""
    if reason := next(_impossible_numbers(result), None):
        return f"{result.path}: {reason}"
    if not result.record.contributions.get("sha256") or not result.keeps_sample_scores:
        return None
    try:
        sound_sample_scores(result)
    except DataError as error:
        return str(error)
    return None


def _impossible_numbers(result: StoredResult) -> Iterator[str]:
    for name, value in result.record.metrics.items():
        if not math.isfinite(value):
            yield f"{name} is {value}"
        low, high = result.record.intervals.get(name, (value, value))
        if not low - CLOSE <= value <= high + CLOSE:
            yield f"{name} is {value:.2f}, outside of its interval, {low:.2f} to {high:.2f}"


def _against_record(result: StoredResult, scores: SampleScores) -> Iterator[str]:
    if len(scores.ids) != result.record.n:
        yield f"the record is about {result.record.n} samples, the sample scores {len(scores.ids)}"
    if len(set(scores.ids)) != len(scores.ids):
        yield "the sample scores hold an id twice"
    for name, values in scores.by_sample.items():
        if not np.isfinite(values).all():
            yield f"the sample scores hold {name} values that are not numbers"
    for name, statistic in scores.statistics.items():
        if not np.isfinite(statistic.each()).all():
            yield f"the sample scores of {name} hold values that are not numbers"
            continue
        clusters = statistic.resampled()
        if isinstance(clusters, Sums) and not np.isfinite(clusters.rows).all():
            yield f"the sample scores of {name} hold values that are not numbers"
            continue
        value = float(clusters.of(np.ones((1, clusters.clusters)))[0])
        recorded = result.record.metrics.get(name)
        if recorded is None:
            yield f"the sample scores hold {name}, the record does not"
        elif not math.isclose(value, recorded, rel_tol=CLOSE, abs_tol=CLOSE):
            yield f"the record says {name} {recorded:.2f}, its sample scores make {value:.2f}"
    yield from _against_one_another(scores)


def _against_one_another(scores: SampleScores) -> Iterator[str]:
    """Yield the measures whose values by sample are not those that the metric is made of."""
    for name, values in scores.by_sample.items():
        statistic = scores.statistics.get(name)
        if statistic is None or len(units := statistic.each()) != len(values):
            continue
        if differing := np.flatnonzero(~np.isclose(units, values, rtol=CLOSE, atol=CLOSE)).tolist():
            samples = ", ".join(repr(scores.ids[index]) for index in differing[:NAMED])
            yield f"{name} of {len(differing)} samples is told in two ways, e.g. of {samples}"


def _against_predictions(result: StoredResult, scores: SampleScores) -> Iterator[str]:
    predictions = result.predictions
    if predictions is None:
        return
    if predictions.keys() != set(scores.ids):
        yield "the predictions are about other samples than the sample scores"
        return
    differing = [
        id
        for id, expected in zip(scores.ids, scores.digests.tolist(), strict=True)
        if digest(predictions[id]) != expected
    ]
    if differing:
        yield (
            f"{len(differing)} predictions are not those that were scored, "
            f"e.g. of {', '.join(map(repr, differing[:NAMED]))}; score them again"
        )
    if TASK not in result.record.software:  # a plugin's may rank what it makes of predictions
        yield from _other_ranked_scores(scores, predictions)


def _other_ranked_scores(
    scores: SampleScores, predictions: Mapping[int | str, Any]
) -> Iterator[str]:
    """Yield the statistic whose scores by sample and attribute are not those predicted.

    A sample that was skipped has no prediction to compare.
    """
    checked: list[NDArray[Any]] = []  # the statistics of one result share their scores
    for name, statistic in scores.statistics.items():
        if not isinstance(statistic, MeanAveragePrecision):
            continue
        if any(statistic.scores is each for each in checked):
            continue
        checked.append(statistic.scores)
        known = [i for i, id in enumerate(scores.ids) if isinstance(predictions[id], list)]
        rows = [predictions[scores.ids[index]] for index in known]
        if differing := np.flatnonzero(_differ(rows, statistic.scores[known])).tolist():
            samples = ", ".join(repr(scores.ids[known[index]]) for index in differing[:NAMED])
            yield f"{name} ranks other scores than those predicted, e.g. of {samples}"
            return


def _differ(predicted: list[list[Any]], ranked: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return which of the rows differ, [n]: all of them where one is no row of numbers."""
    try:
        rows = np.array(predicted, dtype=np.float64).reshape(len(predicted), -1)
    except (TypeError, ValueError):
        return np.ones(len(predicted), dtype=np.bool_)
    if rows.shape != ranked.shape:
        return np.ones(len(predicted), dtype=np.bool_)
    return ~np.isclose(rows, ranked, rtol=CLOSE, atol=CLOSE).all(axis=1)
