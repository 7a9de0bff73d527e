"""A folder of benchmark files, laid out as users have it, and the files missing from it."""

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import DataError, MissingError
from harness.files.reads import changed_since_read, sha256_of_read

MAX_FILE_NAME = 255  # bytes, on the usual file systems
FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")  # of Unicode
UNUSUAL = re.compile(r"^/|\.\.|[\\\0]")  # what a name has that may lie elsewhere, or cannot be

# Names of data in records. A user's folder cannot carry the name of the embedded benchmark.
EMBEDDED = "shapes"
OWN = "files"  # the user's own files
HUB = "hub"  # files written from data sets of the Hugging Face hub

HUB_NOTES = ".hub"  # folder in hub data: the data set and revision behind each written file
MARKER = "embedded-benchmark.json"  # marks the embedded benchmark, also in a copy of its folder


@dataclass(frozen=True)
class Needed:
    """A file, or a `folder` of images, that a task needs: candidate paths, description, source.

    `candidates` are relative to the data folder, the recommended path first. An `optional` file
    may be absent. So may a file for which one of the `substitutes` exists, unless one of the files
    `required_with` it exists.
    """

    candidates: tuple[str, ...]
    description: str
    source: str
    optional: bool = False
    folder: bool = False
    substitutes: tuple[str, ...] = ()
    required_with: tuple[str, ...] = ()

    def __str__(self) -> str:
        first, *others = self.candidates
        alternatives = f" (or {', '.join(others)})" if others else ""
        return f"{first}{alternatives}: {self.description}; get it from {self.source}"


@dataclass(frozen=True)
class DataFolder:
    """The root of the benchmark files, and the data's `name` in every record.

    The name is `shapes` (embedded benchmark), `hub`, or `files` (the user's own).
    """

    root: Path
    name: str

    @property
    def description(self) -> dict[str, str]:
        """What a record says of the data beside its name and hashes; by default nothing."""
        return {}

    def find(self, needed: Needed) -> Path | None:
        """Return the first candidate path that exists."""
        paths = (self.root / candidate for candidate in needed.candidates)
        return next((path for path in paths if path.exists()), None)

    def path(self, needed: Needed) -> Path:
        """Return the first candidate path that exists.

        Raises MissingError with the file's description and source if there is none.
        """
        path = self.find(needed)
        if path is None:
            raise MissingError(f"{self.root}: missing {needed}")
        return path

    def expected_path(self, needed: Needed) -> Path:
        """Return the first candidate path that exists, else the recommended one."""
        return self.find(needed) or self.root / needed.candidates[0]

    def missing(self, needed: Iterable[Needed]) -> list[Needed]:
        """Return the required files that do not exist, each once."""
        return [
            item
            for item in dict.fromkeys(needed)
            if self.find(item) is None and self._is_required(item)
        ]

    def display_path(self, path: Path) -> str:
        """Return the path of one of its files for messages: below the root."""
        return path.relative_to(self.root).as_posix()

    def _is_required(self, needed: Needed) -> bool:
        if needed.optional:
            return False
        return not self._has_any(needed.substitutes) or self._has_any(needed.required_with)

    def _has_any(self, candidates: Iterable[str]) -> bool:
        return any((self.root / candidate).exists() for candidate in candidates)

    def fingerprint(self, needed: Iterable[Needed]) -> dict[str, str]:
        """Return the SHA-256 of every existing file by its path below the root.

        Folders (images) are left out: hashing them takes too long. A file that was read within
        `reading_into` is not read again. Raises DataError for one that has changed since.
        """
        paths = {path for item in needed if (path := self.find(item)) and path.is_file()}
        return {
            path.relative_to(self.root).as_posix(): _sha256_as_read(path) for path in sorted(paths)
        }


def _sha256_as_read(path: Path) -> str:
    """Return the SHA-256 of what was parsed of a file, or of the file if it was not read."""
    if changed_since_read(path):
        raise DataError(f"{path}: was changed since it was read; start again")
    return sha256_of_read(path) or sha256_of(path)


def digest_of_files(files: Mapping[str, str]) -> str:
    """Return the SHA-256 of annotation files, given that of each by its path."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()


def open_folder(root: Path) -> DataFolder:
    """Return the data folder at `root`, named by its content.

    The embedded benchmark and hub data keep their names wherever they are copied. Raises
    MissingError if `root` is not a folder.
    """
    if not root.is_dir():
        raise MissingError(
            f"{root}: no such data folder (from --data, XVLM_EVAL_DATA or the configuration file)"
        )
    if (root / MARKER).is_file():
        return DataFolder(root, EMBEDDED)
    return DataFolder(root, HUB if (root / HUB_NOTES).is_dir() else OWN)


def in_either_form(name: str, path_of: Callable[[str], Path], *, where: str) -> Path:
    """Return the path of a name in the form of Unicode that exists; as it is, if neither does.

    A name beyond ASCII is composed or decomposed, as by an archive made on macOS. The file of
    exactly this name comes first. Raises DataError, naming the annotation by `where`, if no file
    has this name, and one has the composed and another one the decomposed name.
    """
    path = path_of(name)
    if name.isascii() or _exists(path):
        return path
    if _are_two_files(name, path_of):
        raise DataError(
            f"{where}: names the file {name!a}, but one file has this name in composed and "
            "another one in decomposed characters of Unicode; name exactly one of them"
        )
    others = (path_of(unicodedata.normalize(form, name)) for form in FORMS)
    return next(filter(_exists, others), path)


def name_of_file(name: str, path_of: Callable[[str], Path]) -> str:
    """Return a text that is the same for all names of one file: composed, where forms are alike.

    Two files whose names differ only by the form of Unicode keep their names.
    """
    if name.isascii() or _are_two_files(name, path_of):
        return name
    return unicodedata.normalize("NFC", name)


def _are_two_files(name: str, path_of: Callable[[str], Path]) -> bool:
    """Return whether both forms of a name exist, and are not the same file, as on macOS."""
    composed, decomposed = (path_of(unicodedata.normalize(form, name)) for form in FORMS)
    if composed == decomposed or not (_exists(composed) and _exists(decomposed)):
        return False
    return not composed.samefile(decomposed)


def _exists(path: Path) -> bool:
    """Return whether a file exists; a decomposed name may be too long for any."""
    # Unlike `Path.exists`, this raises nothing for such a name.
    return os.path.exists(path)  # noqa: PTH110


def relative_path_within(
    name: str, *, where: str, folder: Path | str = "the folder of its images"
) -> str:
    """Return the file name of an annotation if it is relative and stays inside its folder.

    An absolute name is returned if it lies in a folder of `--allow-links`. Raises DataError for an
    absolute name, `..`, backslashes, null bytes and names that no file can have; `where` names the
    annotation, and `folder` appears in the message only.
    """
    if name.isascii() and 0 < len(name) <= MAX_FILE_NAME and not UNUSUAL.search(name):
        return name
    outside = name.startswith("/") or ".." in name.split("/")
    if name.startswith("/") and "\0" not in name and _may_name(Path(name)):
        return name
    if not name or "\0" in name:
        raise DataError(f"{where}: names the file {name!r}, but no file has this name")
    if "\\" in name and not outside:
        raise DataError(
            f"{where}: names the file {name!r}, whose folders are separated by a backslash; "
            "separate them by /"
        )
    if outside:
        raise DataError(f"{where}: names the file {name!r}, which lies outside of {folder}")
    if any(len(part.encode("utf-8", "replace")) > MAX_FILE_NAME for part in name.split("/")):
        raise DataError(
            f"{where}: names the file {name[:40]!r}..., of {len(name):,} characters; no file has "
            f"a name of more than {MAX_FILE_NAME} bytes"
        )
    return name


def _may_name(path: Path) -> bool:
    # Imported here: it imports Pillow, which a check of results never needs.
    from harness.images import may_name

    return may_name(path)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, of a folder that of its files and their names.

    Hidden files of a folder do not count. Raises DataError if one cannot be read.
    """
    if path.is_dir():
        names = sorted(
            file.relative_to(path)
            for file in path.rglob("*")
            if file.is_file() and not any(p.startswith(".") for p in file.relative_to(path).parts)
        )
        lines = [f"{sha256_of(path / name)}  {name.as_posix()}\n" for name in names]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
