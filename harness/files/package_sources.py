"""The source files that the code of a package consists of, and those that it imports.

A package that is installed to be edited, or that imports such a package, is not told by versions:
its files are. What is installed as others are, in `site-packages`, changes with its version.
"""

import re
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

FROM = re.compile(rb"^[ \t]*from[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
IMPORT = re.compile(rb"^[ \t]*import[ \t]+([A-Za-z_][\w., \t]*)", re.MULTILINE)
INSTALLED = {"site-packages", "dist-packages"}  # folders of packages that are not edited


def files_of_module(name: str, *, apart: frozenset[str]) -> dict[str, Path]:
    """Return the files of the outermost package that holds a module, namespaces aside.

    With those of every package that they import, unless it is named in `apart`, belongs to Python
    or is installed in `site-packages`.
    """
    files = _files_of_package(name)
    unread, known = list(files.values()), {name.partition(".")[0], *apart, *sys.stdlib_module_names}
    while unread:
        for package in sorted(_imported(unread.pop().read_bytes()) - known):
            known.add(package)
            found = dict(_edited_files(package))
            files |= found
            unread += found.values()
    return files


def files_of_distribution(name: str | None) -> dict[str, Path]:
    """Return the Python files that a distribution installed; an editable one has next to none."""
    if name is None:
        return {}
    try:
        files = Distribution.from_name(name).files or ()
    except PackageNotFoundError:
        return {}
    paths = {str(file): Path(str(file.locate())) for file in files if file.suffix == ".py"}
    return {name: path for name, path in paths.items() if path.is_file()}


def _files_of_package(name: str) -> dict[str, Path]:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        spec = find_spec(".".join(parts[:end]))
        if spec is None or spec.origin is None or not spec.has_location:
            continue  # a namespace, which other packages share
        return dict(_files_of(spec, "/".join(parts[: end - 1])))
    return {}


def _imported(source: bytes) -> set[str]:
    """Return the outermost packages that a source file imports.

    >>> sorted(_imported(b"from a.b import c\\nimport d.e as f, g\\nfrom . import h\\n"))
    ['a', 'd', 'g']
    """
    names = FROM.findall(source)
    names += [name for line in IMPORT.findall(source) for name in line.split(b",")]
    words = [name.split(b".")[0].split() for name in names]
    return {word[0].decode() for word in words if word}


def _edited_files(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a package or namespace, without what is installed in `site-packages`."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # of a module that is broken, or has no specification
        return
    if spec is not None:
        for relative, path in _files_of(spec, ""):
            if not INSTALLED & set(path.parts):
                yield relative, path


def _files_of(spec: ModuleSpec, prefix: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a package or module by their names; nothing of a zip archive."""
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not folders and spec.has_location and (spec.origin or "").endswith(".py"):
        origin = Path(str(spec.origin))
        if origin.is_file():
            yield (Path(prefix) / origin.name).as_posix(), origin
    for folder in folders:
        for path in filter(Path.is_file, folder.rglob("*.py")):
            yield (Path(prefix) / path.relative_to(folder.parent)).as_posix(), path
