"""A folder of benchmark files as people have it on disk, and what is missing from it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import DataError, MissingError

EMBEDDED = (
    "shapes"  # the name of the embedded benchmark's data in records; nothing else may carry it
)
OWN = "files"  # the name of the user's own data
HUB = "hub"  # the name of data that was written from copies on Hugging Face's hub
HUB_NOTES = (
    ".hub"  # a folder of notes in such data: what was written from which version of which copy
)
MARKER = "embedded-benchmark.json"  # a file that marks a folder as the embedded benchmark, wherever it is copied to


@dataclass(frozen=True)
class Needed:
    """A file, or a `folder` of images, that a task needs: where it may lie below the data folder (best place first), what, where to get it.

    An `optional` one need not be there; nor need one that is `spared_by` another file, unless one of the files is there that it belongs to
    (`needed_with`).
    """

    places: tuple[str, ...]
    what: str
    source: str
    optional: bool = False
    folder: bool = False
    spared_by: tuple[str, ...] = ()
    needed_with: tuple[str, ...] = ()

    def __str__(self) -> str:
        also = f" (or {', '.join(self.places[1:])})" if len(self.places) > 1 else ""
        return f"{self.places[0]}{also}: {self.what}; get it from {self.source}"


@dataclass(frozen=True)
class DataFolder:
    """The root of the benchmark files. `name` says what data this is in every record: `shapes`, `hub`, or `files` for the user's own."""

    root: Path
    name: str

    def find(self, needed: Needed) -> Path | None:
        """Return the first place at which a file or folder exists."""
        return next(
            (self.root / place for place in needed.places if (self.root / place).exists()), None
        )

    def path(self, needed: Needed) -> Path:
        """Return where a file or folder is; raises MissingError with what it is and where to get it."""
        found = self.find(needed)
        if found is None:
            raise MissingError(f"{self.root}: missing {needed}")
        return found

    def place(self, needed: Needed) -> Path:
        """Return where a file or folder is, or where it belongs."""
        return self.find(needed) or self.root / needed.places[0]

    def missing(self, needed: Iterable[Needed]) -> list[Needed]:
        """Return what has to be there and is not, each once."""
        return [
            item
            for item in dict.fromkeys(needed)
            if self.find(item) is None and self._required(item)
        ]

    def _required(self, needed: Needed) -> bool:
        spared = self._any(needed.spared_by) and not self._any(needed.needed_with)
        return not needed.optional and not spared

    def _any(self, places: Iterable[str]) -> bool:
        return any((self.root / place).exists() for place in places)

    def fingerprint(self, needed: Iterable[Needed]) -> dict[str, str]:
        """Return path below the root -> SHA-256, for the files that are there; folders (images) take too long to hash."""
        found = [
            path for item in needed if (path := self.find(item)) is not None and path.is_file()
        ]
        return {
            path.relative_to(self.root).as_posix(): sha256_of(path) for path in sorted(set(found))
        }


def open_folder(root: Path) -> DataFolder:
    """Return the user's data folder. What was written by us, the embedded benchmark or data from the hub, stays what it is.

    Raises MissingError where there is no folder.
    """
    if not root.is_dir():
        raise MissingError(
            f"{root}: no such data folder (from --data, XVLM_EVAL_DATA or the configuration file)"
        )
    if (root / MARKER).is_file():
        return DataFolder(root, EMBEDDED)
    return DataFolder(root, HUB if (root / HUB_NOTES).is_dir() else OWN)


def below(folder: Path, name: str, *, where: str) -> Path:
    """Return the path of a file that an annotation names; raises DataError for a name that leads out of the folder."""
    return folder / staying(name, where=where, folder=folder)


def staying(name: str, *, where: str, folder: Path | str = "the folder of its images") -> str:
    """Return the name of a file that an annotation has; raises DataError for one that leads out of any folder it is looked for in."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise DataError(f"{where}: names the file {name!r}, which lies outside of {folder}")
    return name


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal. Raises DataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
