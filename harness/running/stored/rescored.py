"""Join the predictions of stored results with the truths once more, and compare the scores."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.callbacks import no_progress
from harness.data.own import OwnFiles
from harness.data.resolve import DataSource
from harness.errors import DataError, UsageError
from harness.formats.own.folder import is_own
from harness.formats.same_files import are_files_of
from harness.records.fingerprints import Fingerprints
from harness.records.integrity import CLOSE
from harness.records.record import ResultRecord
from harness.records.stored import StoredResult, find_results
from harness.registry import find_split, find_task
from harness.running.scoring import sample_scores
from harness.running.skipped import with_fallbacks
from harness.running.subset import subset
from harness.task import load_samples

NAMED = 3  # samples that a message names


def rescored_contradictions(results: Path, *, source: DataSource) -> list[str]:
    """Return a sentence for each result that differs from its predictions, scored anew.

    Results of hidden splits have no truths and are left out, as are those of other data where
    `source` is own data: one file. A result without predictions, or of other data than `source`,
    cannot be scored, which is returned as well.
    """
    contradictions = []
    for result in find_results(results).results:
        if isinstance(source, OwnFiles) and not _is_about(result.record, source):
            continue
        try:
            differences = _differences(result, source)
            contradictions += [f"{result.path}: {difference}" for difference in differences]
        except (DataError, UsageError) as error:  # the latter: of an unknown task or split
            contradictions.append(f"{result.path}: cannot be scored anew: {error}")
    return contradictions


def _is_about(record: ResultRecord, source: OwnFiles) -> bool:
    """Return whether a record is of own data of this name."""
    return is_own(record.task) and record.split == source.name


def _differences(result: StoredResult, source: DataSource) -> Iterator[str]:
    record = result.record
    task = find_task(record.task)
    find_split(task, record.split)
    if record.split in task.hidden:
        return
    if result.predictions is None:
        raise DataError("its predictions were not kept")
    data = source.open({task.name: [record.split]}, progress=no_progress)
    if not are_files_of(record.data, data.fingerprint(task.files(record.split))):
        flag = "--annotations" if is_own(record.task) else "--data"
        raise DataError(f"{source} has other annotation files; give those of the run as {flag}")
    samples = load_samples(task, data, record.split)
    if record.subset is not None:
        samples = subset(samples, record.subset.limit)
    if {sample.id for sample in samples} != result.predictions.keys():
        yield "the predictions are not about the samples of the split"
        return
    scores = task.score(samples, with_fallbacks(task, samples, result.predictions))
    for name in {**record.metrics, **scores.metrics}:
        recorded, anew = record.metrics.get(name), scores.metrics.get(name)
        if recorded is None or anew is None:
            differs = name not in {**record.not_run, **scores.not_run}
        else:
            differs = not math.isclose(recorded, anew, rel_tol=CLOSE, abs_tol=CLOSE)
        if differs:
            yield f"{name} is {anew} when scored anew, the record says {recorded}"
    new = sample_scores(scores, samples, result.predictions, Fingerprints())
    old = result.sample_scores
    if list(old.ids) != list(new.ids):
        yield "the sample scores are of other samples, or in another order"
        return
    for name, values in new.by_sample.items():
        if name not in old.by_sample:
            yield f"the sample scores lack {name}"
        elif wrong := np.flatnonzero(
            ~np.isclose(old.by_sample[name], values, rtol=CLOSE, atol=CLOSE)
        ).tolist():
            named = ", ".join(repr(old.ids[index]) for index in wrong[:NAMED])
            yield f"{name} of {len(wrong)} samples is another when scored anew, e.g. of {named}"
