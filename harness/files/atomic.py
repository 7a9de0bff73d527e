"""Write files atomically: a reader sees the old content or the new one, never a part of it."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.files.temporary import temporary_file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of an empty file that replaces `path` on success, and else is deleted.

    Creates the parent folder. Raises OSError if the file system refuses, and for a folder's path.
    """
    if not path.name:  # of "", "." and "/"
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with temporary_file(path.parent) as temporary:
        yield temporary
        temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON. Raises OSError if the file cannot be written, ValueError for NaN."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")
