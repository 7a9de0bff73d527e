"""Whether annotation files at hand are those of a run, wherever they lie."""

import re
from collections.abc import Mapping
from typing import Any

from harness.formats.folder import digest_of_files

NUMBERED = re.compile(r"\d+/")  # begins the names of further files of own data, read in this order


def are_files_of(data: Mapping[str, Any], files: Mapping[str, str]) -> bool:
    """Return whether files have the content of those that a record or a run names as its `data`.

    `files` are SHA-256 by path. The paths do not matter, as a file may lie at another of its
    candidate paths, or be renamed; the order of own data's files does.

    >>> data = {"sha256": digest_of_files({"a/dev.json": "12"}), "files": {"a/dev.json": "12"}}
    >>> are_files_of(data, {"dev.json": "12"}), are_files_of(data, {"a/dev.json": "34"})
    (True, False)
    """
    if data.get("sha256") == digest_of_files(files):
        return True
    recorded = data.get("files")
    if not isinstance(recorded, Mapping) or data.get("sha256") != digest_of_files(recorded):
        return False
    return _contents(recorded) == _contents(files)


def _contents(files: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the number of each file, if it has one, with its hash."""
    numbers = ((NUMBERED.match(name), str(sha256)) for name, sha256 in files.items())
    return sorted((number[0] if number else "", sha256) for number, sha256 in numbers)
