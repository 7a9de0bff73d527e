"""A file that is being fetched: what came so far, on disk in pieces, with a note of which bytes are there."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType

from harness.errors import DataError, HarnessError
from harness.files.parsing import read_json


class Partial:
    """Pieces of a file that arrive in any order; a kill at any moment loses at most what was not noted yet.

    `path` is `<name>.partial`, and the note `<name>.partial.json` says of each piece how many of its bytes are there.
    """

    def __init__(self, path: Path, *, url: str, total: int, tag: str | None, piece: int) -> None:
        """Open a partial file to go on with it, if the note says that it is of this very version; else begin anew."""
        self.path, self.note = path, path.with_name(f"{path.name}.json")
        self._head = {"url": url, "total": total, "tag": tag, "piece": piece}
        self._total, self._piece = total, piece
        self._written = self._noted()
        self.there = sum(self._written.values())  # bytes that came so far
        self._lock = Lock()
        try:
            self._file = os.open(
                path, os.O_RDWR | os.O_CREAT | (0 if self._written else os.O_TRUNC), 0o666
            )
        except OSError as error:
            raise HarnessError(f"{path}: cannot be written ({error.strerror})") from error

    def __enter__(self) -> "Partial":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.save()
        os.close(self._file)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of each piece that is not whole yet."""
        for start in range(0, self._total, self._piece):
            end = min(start + self._piece, self._total)
            if self._written.get(start, 0) < end - start:
                yield start, end

    def written(self, start: int) -> int:
        """Return how many bytes of the piece that begins at `start` are there."""
        return self._written.get(start, 0)

    def write(self, start: int, block: bytes) -> None:
        """Add bytes to the end of what is there of a piece."""
        offset = start + self.written(start)
        view = memoryview(block)
        try:
            while view:
                count = os.pwrite(self._file, view, offset)
                view, offset = view[count:], offset + count
        except OSError as error:
            raise HarnessError(
                f"{self.path}: cannot be written ({error.strerror}); what came so far is kept"
            ) from error
        with self._lock:
            self._written[start] = offset - start
            self.there += len(block)

    def save(self) -> None:
        """Note what is there, after it is: the note never promises more than the disk holds."""
        with self._lock:
            content = json.dumps(
                {
                    **self._head,
                    "written": {str(start): count for start, count in self._written.items()},
                }
            )
            temporary = self.note.with_name(f"{self.note.name}.new")
            try:
                os.fsync(self._file)
                temporary.write_text(content, encoding="utf-8")
                temporary.replace(self.note)
            except OSError as error:
                raise HarnessError(
                    f"{self.note}: cannot be written ({error.strerror}); what came so far is kept"
                ) from error

    def _noted(self) -> dict[int, int]:
        """Return what an earlier sitting noted of the same version of the same file; without a tag no version can be told from another."""
        try:
            content = read_json(self.note)
            if (
                self._head["tag"] is None
                or not self.path.is_file()
                or {**content, "written": None} != {**self._head, "written": None}
            ):
                return {}
            written = {int(start): int(count) for start, count in content["written"].items()}
        except (DataError, KeyError, TypeError, ValueError, AttributeError):
            return {}
        size = self.path.stat().st_size
        sound = all(
            start % self._piece == 0 and 0 <= count <= self._piece and start + count <= size
            for start, count in written.items()
        )
        return written if sound else {}


def discard(path: Path) -> None:
    """Delete a partial file and its note."""
    for one in (path, path.with_name(f"{path.name}.json")):
        one.unlink(missing_ok=True)
