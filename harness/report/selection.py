"""Choose samples of a stored result: the wrong ones, the lowest scores, gains and losses."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from harness.errors import MissingError, UsageError
from harness.records.stored import StoredResults, find_results, read_result
from harness.report.baseline import Changes, flip
from harness.running.stored.samples import StoredSamples


@dataclass(frozen=True)
class Choice:
    """Which samples are chosen, and in which order.

    Only `wrong` ones, only `ids` (as text), at most `limit`; sorted by `score` (lowest first),
    `gain` or `loss` (largest first), else as annotated.
    """

    wrong: bool = False
    sort: str | None = None
    ids: Sequence[str] = ()
    limit: int | None = None


def results_at(path: Path) -> StoredResults:
    """Return the result of a record, or all results of a folder that `run --out` wrote.

    Raises MissingError for an absent path, DataError for a damaged record.
    """
    if not path.exists():
        raise MissingError(
            f"{path}: no such record or folder of results; "
            f"`xvlm-eval run --task refcoco+ --out {path}` makes one"
        )
    return StoredResults((read_result(path),), ()) if path.is_file() else find_results(path)


def choose(samples: StoredSamples, choice: Choice, changes: Changes | None = None) -> list[int]:
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
    if samples.unscored and (choice.wrong or choice.sort == "score"):
        flag = "--wrong" if choice.wrong else "--sort score"
        raise UsageError(f"{title}: {flag} needs a score for each sample, but {samples.unscored}")
    if choice.wrong:
        if any(samples.wrong(index) is None for index in indices):
            raise UsageError(
                f"{title}: its samples are scored by {samples.measures[0]}, "
                "by which none is right or wrong; --sort score shows the lowest first"
            )
        indices = [index for index in indices if samples.wrong(index)]
    if choice.sort == "score":
        indices = worst_first(samples, indices)
    elif choice.sort is not None:
        if changes is None:
            raise UsageError(f"--sort {choice.sort} compares with --baseline DIR; name one")
        order = [change for change in changes.by_id.values() if flip(change) == choice.sort]
        kept = set(indices)
        indices = [index for change in order if (index := samples.index(change.id)) in kept]
    return indices[: choice.limit]


def worst_first(samples: StoredSamples, indices: Sequence[int]) -> list[int]:
    """Return the indices by ascending first measure; further measures and the order break ties."""
    if not samples.measures:
        return list(indices)
    columns = [samples.scores(measure) for measure in samples.measures]
    return sorted(indices, key=lambda index: [column[index] for column in columns])
