"""Compare files and counts with the published facts about them.

These facts hold for the real benchmarks, never for the embedded one. A folder that differs can
still be evaluated, but is not the official split.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.dataset import Count, Digest
from harness.errors import DataError
from harness.files.parsing import read_text
from harness.formats.folder import EMBEDDED, DataFolder
from harness.images import image_file
from harness.task import Task

BLOCK = 2**20  # bytes read at a time


def digest_deviation(path: Path, published: Digest | None) -> str | None:
    """Return how a file's digest differs from the published one; None where it does not.

    Raises DataError if the file cannot be read.
    """
    if published is None:
        return None
    digest = digest_of(path, published.algorithm)
    if digest == published.value or (published.content and published.content == _content_of(path)):
        return None
    return f"its {published.algorithm} is {digest}, but {published.value} in {published.source}"


def split_deviations(task: Task, data: DataFolder, split: str, samples: Sequence[Any]) -> list[str]:
    """Return how a split differs from the published one, one sentence each: it is official or not.

    Compares its counts, its images and texts, and the files that it was read from. `run`, `table`
    and `data` all judge by it. Nothing is published about the embedded benchmark.
    """
    if data.name == EMBEDDED:
        return []
    deviations = content_deviations(task, split, samples)
    for needed in task.files(split):
        path = data.find(needed)
        if path is not None and path.is_file():
            deviation = digest_deviation(path, task.dataset.digests.get(path.name))
            deviations += [f"{path.name}: {deviation}"] if deviation else []
    return deviations


def content_deviations(task: Task, split: str, samples: Sequence[Any]) -> list[str]:
    """Return how the counts of a split, its images and its texts differ from the published ones."""
    dataset = task.dataset
    counted = count_deviations(task.counts(samples), dataset.counts.get(split, {}))
    if counted or not (dataset.images or dataset.contents):
        return counted
    entries = (
        ([image_file(view).name for view in sample.images], task.annotation(sample))
        for sample in samples
    )
    return dataset.content_deviations(split, entries)


def count_deviations(counts: Mapping[str, int], published: Mapping[str, Count]) -> list[str]:
    """Return how the counts of a split differ from the published ones, one sentence each."""
    return [
        f"{count:,} {name}, officially {_in_words(published[name])}"
        for name, count in counts.items()
        if name in published and not _matches(count, published[name])
    ]


def digest_of(path: Path, algorithm: str) -> str:
    """Return the digest of a file in hexadecimal. Raises DataError if it cannot be read."""
    try:
        hasher = hashlib.sha1() if algorithm == "git-blob" else hashlib.new(algorithm)
        if algorithm == "git-blob":
            hasher.update(b"blob %d\0" % path.stat().st_size)
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                hasher.update(block)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return hasher.hexdigest()


def _content_of(path: Path) -> str | None:
    """Return the MD5 of the parsed content of a JSON file or of JSON lines; None for others."""
    try:
        text = read_text(path)
        try:
            content = json.loads(text)
        except ValueError:
            content = [json.loads(line) for line in text.split("\n") if line.strip()]
        return hashlib.md5(json.dumps(content).encode()).hexdigest()
    except (DataError, ValueError, RecursionError):
        return None


def _matches(count: int, official: Count) -> bool:
    low, high = official if isinstance(official, tuple) else (official, official)
    return low <= count <= high


def _in_words(official: Count) -> str:
    return f"{official:,}" if isinstance(official, int) else f"{official[0]:,} to {official[1]:,}"
