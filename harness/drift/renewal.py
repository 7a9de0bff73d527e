"""Renew a baseline: replace it by new results, and keep the anchor that they are held against."""

import gzip
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from harness.drift.anchor import FOLDER, Checks, check_all
from harness.drift.lineage import Renewal, append_renewal
from harness.drift.settings import Gate, override
from harness.errors import DataError, HarnessError, MissingError, UsageError
from harness.files.atomic import replacing
from harness.records.integrity import contradictions
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.provenance import commit, release
from harness.records.sample_scores import SUFFIX as SAMPLE_SCORES
from harness.records.stored import StoredResult, StoredResults, find_results, refuse_unreadable
from harness.records.stored_predictions import read_prediction_bytes

FIRST = "the first baseline"


class Renewed(NamedTuple):
    """The outcome of a renewal: `refused` where results drifted and nobody gave a reason.

    `checks` is None for the first baseline of a checkpoint. `removed` are the titles of results
    that the baseline held, and the new results do not.
    """

    checkpoints: Sequence[str]
    refused: bool
    reviewed: bool
    checks: Checks | None
    removed: Sequence[str] = ()


def renew(results: Path, baseline: Path, *, gate: Gate, reason: str | None) -> Renewed:
    """Replace the baseline of each checkpoint in `results`, unless a check fails without a reason.

    With a reason the new results are the anchor as well: a person reviewed them. Without one, they
    have to pass the check against the baseline and its anchor, which stays. Raises UsageError for
    an empty reason, DataError for results that contradict themselves and for a folder below either
    one that cannot be read, MissingError without any result.
    """
    if reason is not None and not reason.strip():
        raise UsageError("the reason is empty; say which numbers moved, and why that is right")
    if results.resolve() == baseline.resolve():
        raise UsageError(f"{results}: is the baseline itself; name the new results")
    new = _sound_results(results)
    checkpoints = sorted({result.record.checkpoint["name"] for result in new})
    _restore(baseline, checkpoints)
    before = _readable_results(baseline).results if baseline.is_dir() else ()
    known = [name for name in checkpoints if _of(before, name)]
    checks = None
    if known:
        checks = check_all(results, baseline, gate=_only(gate, checkpoints))
    if checks is not None and checks.failed and reason is None:
        return Renewed(checkpoints, True, False, checks)
    for name in checkpoints:
        _replace(_of(before, name), _of(new, name), baseline, name, reason)
    kept = {result.title for result in new}
    removed = [
        result.title
        for name in checkpoints
        for result in _of(before, name)
        if result.title not in kept
    ]
    return Renewed(checkpoints, False, reason is not None or not known, checks, removed)


def _replace(
    before: Sequence[StoredResult],
    after: Sequence[StoredResult],
    baseline: Path,
    checkpoint: str,
    reason: str | None,
) -> None:
    """Replace the baseline of one checkpoint, and note it in the lineage."""
    reviewed = reason is not None or not before
    folder, anchor = baseline / checkpoint, baseline / FOLDER / checkpoint
    renewal = Renewal(
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        checkpoint=checkpoint,
        reviewed=reviewed,
        reason=reason or ("the check against the anchor passed" if before else FIRST),
        release=release(),
        commit=commit(),
        before=_hashes(before),
        after=_hashes(after),
        changes=_changes(before, after),
    )
    staged, staged_anchor, old, old_anchor = (
        baseline / f".{checkpoint}.{kind}" for kind in ("new", "anchor", "old", "old-anchor")
    )
    hidden = (staged, staged_anchor, old, old_anchor)
    try:
        _remove(hidden)
        for result in after:
            _copy(result, staged)
        moves = [(folder, old)] if folder.exists() else []
        moves.append((staged, folder))
        if not reviewed and not anchor.exists():  # the baseline was the anchor
            shutil.copytree(folder, staged_anchor)
            anchor.parent.mkdir(exist_ok=True)
            moves.append((staged_anchor, anchor))
        elif reviewed and anchor.exists():
            moves.append((anchor, old_anchor))
        with _moved(moves):
            append_renewal(baseline, renewal)
    except (OSError, HarnessError) as error:
        _remove((staged, staged_anchor))
        if isinstance(error, HarnessError):
            raise
        why = error.strerror or "a copy failed"
        raise HarnessError(
            f"{baseline}: cannot be written ({why}); the baseline was not replaced"
        ) from error
    _remove(hidden)


@contextmanager
def _moved(moves: Sequence[tuple[Path, Path]]) -> Iterator[None]:
    """Rename folders in turn; where that or the body fails, rename them back."""
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            source.rename(target)
            done.append((source, target))
        yield
    except BaseException:
        for source, target in reversed(done):
            try:
                target.rename(source)
            except OSError as error:
                raise HarnessError(
                    f"{target}: cannot be renamed back to {source} ({error.strerror}); do that "
                    "before anything else, or the old baseline is lost"
                ) from error
        raise


def _restore(baseline: Path, checkpoints: Sequence[str]) -> None:
    """Bring back the baselines that a renewal had set aside when it was killed."""
    for name in checkpoints:
        folder, old = baseline / name, baseline / f".{name}.old"
        if old.is_dir() and not folder.exists():
            old.rename(folder)


def _remove(folders: Sequence[Path]) -> None:
    """Remove folders as far as possible; what is left of a hidden one does not count."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(result: StoredResult, folder: Path) -> None:
    """Copy a record with its sample scores, and its predictions compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = result.path.name.removesuffix(".json")
    shutil.copy(result.path, folder)
    if result.record.contributions:
        shutil.copy(result.path.with_name(stem + SAMPLE_SCORES), folder)
    for suffix in (PREDICTIONS, f"{PREDICTIONS}.gz"):
        path = result.path.with_name(stem + suffix)
        if path.is_file():
            content = gzip.compress(read_prediction_bytes(path), 9, mtime=0)
            with replacing(folder / f"{stem}{PREDICTIONS}.gz") as temporary:
                temporary.write_bytes(content)
            return


def _readable_results(folder: Path) -> StoredResults:
    """Return every result below a folder. Raises DataError for a folder that cannot be read."""
    found = find_results(folder)
    refuse_unreadable(found)
    return found


def _sound_results(folder: Path) -> list[StoredResult]:
    """Return the results of whole splits, which contradict themselves in nothing."""
    found = _readable_results(folder)
    results = [result for result in found.results if result.record.subset is None]
    faults = [
        *found.rejected,
        *(f"{result.path}: {fault}" for result in results for fault in contradictions(result)),
    ]
    if faults:
        raise DataError(faults[0] + (f" (and {len(faults) - 1} more)" if faults[1:] else ""))
    if not results:
        raise MissingError(f"{folder}: holds no result of a whole split")
    return results


def _only(gate: Gate, checkpoints: list[str]) -> Gate:
    return override(gate, checkpoints=checkpoints)


def _of(results: Sequence[StoredResult], checkpoint: str) -> list[StoredResult]:
    return [result for result in results if result.record.checkpoint["name"] == checkpoint]


def _name(result: StoredResult) -> str:
    return f"{result.record.task}.{result.record.split}"


def _hashes(results: Sequence[StoredResult]) -> dict[str, str]:
    return {_name(result): str(result.record.predictions.get("sha256")) for result in results}


def _changes(
    before: Sequence[StoredResult], after: Sequence[StoredResult]
) -> dict[str, tuple[float | None, float | None]]:
    """Return the metrics that moved, by task, split and name, with their old and new value."""
    old, new = (
        {
            f"{_name(result)}.{metric}": value
            for result in results
            for metric, value in result.record.metrics.items()
        }
        for results in (before, after)
    )
    return {
        name: (old.get(name), new.get(name))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    }
