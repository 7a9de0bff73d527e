"""Choose samples of a stored result: the wrong ones, the lowest scores, what a baseline changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from harness.drift.samples import SampleChange, changed_samples, compare_predictions
from harness.errors import MissingError, UsageError
from harness.records.stored import StoredResult, find_results, read_result
from harness.running.stored_samples import StoredSamples
from harness.task import SampleId

GAIN, LOSS, CHANGED = FLIPS = ("gain", "loss", "changed")


@dataclass(frozen=True)
class Choice:
    """Which samples are chosen: only `wrong` ones, `ids` (as text), at most `limit`, sorted by
    `score` (lowest first), `gain` or `loss` (largest first), else as annotated."""

    wrong: bool = False
    sort: str | None = None
    ids: Sequence[str] = ()
    limit: int | None = None


def find_path(path: Path) -> list[StoredResult]:
    """Return the result of a record, or those of a folder that `run --out` wrote, by its path.

    Raises MissingError where nothing is there, DataError for a damaged record.
    """
    if not path.exists():
        raise MissingError(
            f"{path}: no such record or folder of results; "
            f"`xvlm-eval run --task refcoco+ --out {path}` makes one"
        )
    return [read_result(path)] if path.is_file() else list(find_results(path).results)


def matching(result: StoredResult, baseline: Sequence[StoredResult]) -> StoredResult | None:
    """Return the baseline's result of the same checkpoint, task, split and subset.

    A baseline that is a single record counts for every result of its task and split.
    """
    record = result.record
    same = [
        other
        for other in baseline
        if (other.record.task, other.record.split) == (record.task, record.split)
        and other.record.subset == record.subset
    ]
    named = [other for other in same if other.title == result.title]
    return next(iter(named), same[0] if len(baseline) == 1 and same else None)


def changes_since(before: StoredResult, after: StoredResult) -> Mapping[SampleId, SampleChange]:
    """Return the samples that changed since a baseline, by id, the most important first.

    Raises HarnessError where the two cannot be compared.
    """
    predictions = compare_predictions(before, after)
    return {change.id: change for change in changed_samples(before, after, predictions)}


def flip(change: SampleChange) -> str:
    """Return whether a change is a `gain` or a `loss` of score, or `changed` without effect."""
    if change.before is None or change.after is None:
        return CHANGED
    return GAIN if change.after > change.before else LOSS


def choose(
    samples: StoredSamples, choice: Choice, changes: Mapping[SampleId, SampleChange] | None = None
) -> list[int]:
    """Return the indices of the chosen samples, in order.

    Raises UsageError for an unknown id, for `wrong` or `score` of a result whose samples have no
    such score, and for `gain` or `loss` without `changes`.
    """
    title = samples.result.title
    indices = list(range(len(samples)))
    if choice.ids:
        known = {str(id): number for number, id in enumerate(samples.ids)}
        if unknown := [id for id in choice.ids if id not in known]:
            close = get_close_matches(unknown[0], known, n=3) or list(known)[:3]
            raise UsageError(f"{title}: has no sample {unknown[0]}; its ids: {', '.join(close)}, …")
        indices = [known[id] for id in choice.ids]
    if choice.wrong:
        if samples.measures and any(samples.wrong(index) is None for index in indices):
            raise UsageError(
                f"{title}: its samples are scored by {samples.measures[0]}, "
                "by which none is right or wrong; --sort score shows the lowest first"
            )
        indices = [index for index in indices if samples.wrong(index)]
    if choice.sort == "score":
        indices = _by_score(samples, indices)
    elif choice.sort is not None:
        if changes is None:
            raise UsageError(f"--sort {choice.sort} compares with --baseline DIR; name one")
        order = [change for change in changes.values() if flip(change) == choice.sort]
        kept = set(indices)
        indices = [index for change in order if (index := samples.index(change.id)) in kept]
    return indices[: choice.limit]


def _by_score(samples: StoredSamples, indices: Sequence[int]) -> list[int]:
    if not samples.measures:
        return list(indices)
    columns = [samples.scores(measure) for measure in samples.measures]
    return sorted(indices, key=lambda index: tuple(column[index] for column in columns))
