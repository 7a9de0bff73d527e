"""The embedded benchmark: images and official annotation files, written into the cache once.

The tasks read these files as they read the real benchmarks.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from harness.errors import DataError
from harness.files.parsing import read_json
from harness.files.paths import cache_folder
from harness.files.temporary import temporary_folder
from harness.formats.folder import EMBEDDED, MARKER, DataFolder
from harness.shapes.formats import (
    write_captions_and_questions,
    write_flickr30k,
    write_nlvr2,
    write_ovad,
)
from harness.shapes.refcoco_plus import write_refcoco_plus
from harness.shapes.storage import write_json
from harness.shapes.vlue import write_vlue

# Raise with any change to the files written: the folders of earlier versions stay as they are.
VERSION = 4


def embedded_data() -> DataFolder:
    """Return the embedded benchmark; the first call writes it into the cache (a few seconds).

    Raises DataError where the cache cannot be written.
    """
    root = cache_folder() / "shapes" / f"v{VERSION}"
    if not _complete(root):
        try:
            with _only_writer(root), temporary_folder(root.parent) as temporary:
                if not _complete(root):
                    write_benchmark(temporary / root.name)
                    # Files may have been deleted, e.g. by a cleaner of temporary files.
                    if root.exists():
                        shutil.rmtree(root)
                    (temporary / root.name).rename(root)
        except OSError as error:
            # If it is complete now, another process has written it in the meantime.
            if not _complete(root):
                raise DataError(
                    f"{root}: the embedded benchmark cannot be written ({error.strerror}); "
                    "set XVLM_EVAL_CACHE to a folder that can"
                ) from error
    return DataFolder(root, EMBEDDED)


@contextmanager
def _only_writer(root: Path) -> Iterator[None]:
    """Wait until no other process writes `root`: of several that start at once, one draws.

    The system releases the lock of a process that is killed. A file system without locks (some
    network ones) lets all of them write, and the first to finish wins.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root.with_name(f".{root.name}.lock"), fallback_to_soft=False)
    with suppress(NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_benchmark(root: Path) -> None:
    """Write images and annotations into the new folder `root`, and a marker with the file count."""
    root.mkdir(parents=True)
    for write in (
        write_refcoco_plus,
        write_captions_and_questions,
        write_flickr30k,
        write_nlvr2,
        write_ovad,
        write_vlue,
    ):
        write(root)
    # Written last: a folder without it is incomplete.
    write_json(root / MARKER, {"name": EMBEDDED, "version": VERSION, "files": _file_count(root)})


def _complete(root: Path) -> bool:
    """Whether the folder holds as many files as were written."""
    try:
        marker = read_json(root / MARKER)
        return isinstance(marker, dict) and marker.get("files") == _file_count(root)
    except DataError:
        return False


def _file_count(root: Path) -> int:
    """Return the number of files below `root` but for markers, as fast as every run needs it."""
    return sum(name != MARKER for folder in os.walk(root) for name in folder[2])
