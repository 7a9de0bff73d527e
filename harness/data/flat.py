"""Write X-VLM's and ALBEF's own lists from a data folder, for users of the authors' code.

A task makes the entries of its lists (`Task.flat_lists`), in the formats that the dataset classes
of zengyan-97/X-VLM read.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.data.inventory import Inventory
from harness.errors import DataError, HarnessError
from harness.files.atomic import replacing
from harness.task import Task


def build_flat(inventory: Inventory, folder: Path) -> Iterator[str]:
    """Write the lists of all splits that were loaded below `folder`, X-VLM's `data/finetune`.

    Yields a sentence for each list, and for a task without any. Raises HarnessError if one cannot
    be written, DataError for two tasks with different lists of one name, and at the end for splits
    that could not be read.
    """
    by_task: dict[str, tuple[Task, dict[str, Any]]] = {}
    for loaded in inventory.loaded:
        if loaded.samples:
            _, samples = by_task.setdefault(loaded.task.name, (loaded.task, {}))
            samples[loaded.split] = loaded.samples
    written: dict[str, tuple[str, Any]] = {}
    for task, samples in by_task.values():
        lists = task.flat_lists(samples)
        if not lists:
            yield f"{task.name}: makes no list for the authors' code"
        for name, content in lists.items():
            other, before = written.setdefault(name, (task.name, content))
            if content != before:
                raise DataError(
                    f"{folder / name}: is the name of a list of {other} and of another one of "
                    f"{task.name}; write them into two folders, by --task"
                )
            _write(folder / name, content)
            entries = content if isinstance(content, list) else content.get("annotations", content)
            yield f"{folder / name}: {len(entries):,} entries"
    unread = [
        f"{entry.task} {entry.split}: {'; '.join(entry.reasons)}"
        for entry in inventory.splits
        if not entry.counts
    ]
    if unread:
        raise DataError("\n  ".join(["not written:", *unread]))


def _write(path: Path, content: Any) -> None:
    try:
        with replacing(path) as temporary:
            # As the authors wrote theirs: the same bytes for the same content.
            temporary.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{path}: cannot be written ({error.strerror})") from error
