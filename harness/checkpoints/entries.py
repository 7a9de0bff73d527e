"""The entries that can be named: `checkpoints.yaml`, those of packages, and the user's own."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from harness.errors import DataError, MissingError, UsageError
from harness.files.parsing import Finite, Int64, decode_yaml, yaml_line
from harness.files.paths import config_file, distinct, expanded, shipped_path
from harness.files.validation_errors import show
from harness.plugins import find_entry_points

PAPER = "x-vlm-base-16m"  # the model of the paper's table
SHAPES = "xvlm-shapes"  # the model of the embedded benchmark
SHIPPED = "xvlm-eval"
GROUP = "xvlm_eval.checkpoints"  # of entry points: packages that hold a checkpoints.yaml
INCLUDE = "XVLM_EVAL_CHECKPOINTS_FILE"  # more files like checkpoints.yaml
# Families whose heads are known; one of a package may have heads of its own.
TUNED = ("xvlm", "albef", "blip")
HEADS = ("pretrain", "retrieval", "bbox", "vqa", "nlvr", "captioning", "none")


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a released model; checkpoints.yaml describes the keys.

    `resolution` None: read it from the tensors. `sha256` None: unknown. `archive`: the archive
    with the Google Drive id `drive` that contains the file. `url`: the address of another file.
    `arguments`: the family's own, numbers as YAML has them, which `--model-args` may replace one by
    one.
    `hub`: a repository of Hugging Face's hub (`revision`: a commit of it) that stands in for an
    absent file.
    """

    path: str
    head: str
    alternatives: tuple[str, ...] = ()
    resolution: Int64 | None = None
    drive: str | None = None
    archive: str | None = None
    url: str | None = None
    sha256: str | None = None
    hub: str | None = None
    revision: str | None = None
    arguments: dict[str, str | Int64 | Finite] = {}

    @property
    def candidates(self) -> tuple[str, ...]:
        """The paths the file may have below its folder; the first that exists counts."""
        return (self.path, *self.alternatives)


class Published(Struct, frozen=True, forbid_unknown_fields=True):
    """A number published for a model, its source, and the protocol if it is not the paper's.

    `kind` is `paper`, `authors' log` or `third party`.
    """

    task: str
    split: str
    metric: str
    value: Finite
    source: str
    protocol: str | None = None
    kind: Literal["paper", "authors' log", "third party"] = "paper"


class _Content(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: str
    family: str
    licence: str
    files: dict[str, Release]
    vocabulary: str | None = None
    paper: str | None = None
    code: str | None = None
    embedded: bool = False
    published: tuple[Published, ...] = ()


class Source(NamedTuple):
    """A file of entries: its path, and the package (`name version`) it comes with, if any."""

    path: Path
    package: str | None

    @property
    def own(self) -> bool:
        """Whether it is the user's own."""
        return self.package is None

    def __str__(self) -> str:
        return f"{self.path} of {self.package}" if self.package else str(self.path)


class Entry(_Content, frozen=True, kw_only=True):
    """A released model: `files` has the weights by task, `source` the file that describes them."""

    name: str
    source: Source


def entries() -> Mapping[str, Entry]:
    """Return the entries that can be named: the shipped ones, those of packages, the user's own.

    Raises DataError for a file of entries that is no `checkpoints.yaml`, UsageError where two files
    describe one name.
    """
    by_name: dict[str, Entry] = {}
    own = (Source(path, None) for path in own_files())
    for source in (Source(shipped_path("checkpoints.yaml"), SHIPPED), *_of_packages(), *own):
        for name, entry in read_entries(*source).items():
            if name in by_name:
                raise UsageError(
                    f"{source}: {name} is an entry of {by_name[name].source} already; "
                    "give one of the two another name"
                )
            by_name[name] = entry
    return by_name


def _of_packages() -> list[Source]:
    """Return the `checkpoints.yaml` of each package with an entry point of the GROUP.

    Nothing of a package is run. Raises MissingError for a package without that file.
    """
    sources = []
    for point in find_entry_points(GROUP):
        spec = find_spec(point.module.partition(".")[0])
        folders = spec.submodule_search_locations if spec else None
        names = [*point.module.split(".")[1:], "checkpoints.yaml"]
        paths = [Path(folder, *names) for folder in folders or ()]
        path = next((path for path in paths if path.is_file()), None)
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.module
        if path is None:
            raise MissingError(
                f"{package}: its entry point {point.name!r} of the group {GROUP} names "
                f"{point.module!r}, a package without a checkpoints.yaml; uninstall it, "
                "or report it to its authors"
            )
        sources.append(Source(path, package))
    return sources


def own_files() -> list[Path]:
    """Return the user's own `checkpoints.yaml` files.

    Those of `--include` and `XVLM_EVAL_CHECKPOINTS_FILE` (several, separated as in PATH), and the
    one in the configuration folder; each once. Raises MissingError for a file that is named, but
    absent.
    """
    named = [
        expanded(name) for name in os.environ.get(INCLUDE, "").split(os.pathsep) if name.strip()
    ]
    for path in named:
        if not path.is_file():
            raise MissingError(f"{path}: no such file of checkpoints (--include, or {INCLUDE})")
    configured = config_file().with_name("checkpoints.yaml")
    return distinct([*named, *([configured] if configured.is_file() else [])])


@contextmanager
def including(paths: Sequence[str]) -> Iterator[None]:
    """Add files to those of `own_files` within a block, also in the processes that it starts."""
    before = os.environ.get(INCLUDE)
    names = [name for name in (before or "").split(os.pathsep) if name]
    os.environ[INCLUDE] = os.pathsep.join([*names, *paths])
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(INCLUDE, None)
        else:
            os.environ[INCLUDE] = before


def read_entries(path: Path, package: str | None = None) -> Mapping[str, Entry]:
    """Read a `checkpoints.yaml`.

    Raises DataError for missing and unknown keys, wrong types, an unknown head, and a name that no
    folder can have.
    """
    modified = path.stat().st_mtime_ns if path.is_file() else 0
    return _read_entries(path, package, folder=Path.cwd(), modified=modified)


@cache
def _read_entries(
    path: Path, package: str | None, *, folder: Path, modified: int
) -> Mapping[str, Entry]:
    """Read a file once per version of it; `folder` is what a relative path is relative to."""
    contents, source = decode_yaml(path, dict[str, _Content]), Source(path, package)
    for name in contents:
        if not names_results(name):
            raise DataError(
                f"{path}: names an entry {show(name)}, but results lie in a folder of its name; "
                "choose one like my-model"
            )
        _refuse_unknown_heads(path, name, contents[name])
    return {
        name: Entry(name=name, source=source, **structs.asdict(entry))
        for name, entry in contents.items()
    }


def _refuse_unknown_heads(path: Path, name: str, content: _Content) -> None:
    if content.family not in TUNED:
        return
    for task, release in content.files.items():
        if release.head not in HEADS:
            line = yaml_line(path, (name, "files", task, "head"))
            raise DataError(
                f"{path}, line {line}: {name} has weights for {task} with the unknown head "
                f"{show(release.head)}; heads are {', '.join(HEADS)}"
            )


def find_entry(name: str) -> Entry | None:
    """Return the entry with a name; case, `_` and `-` are ignored."""
    wanted = normalise_name(name)
    matches = (entry for entry in entries().values() if normalise_name(entry.name) == wanted)
    return next(matches, None)


def names_results(name: str) -> bool:
    """Return whether results can lie in a folder of the name of a checkpoint."""
    return name.strip(". ") != "" and "/" not in name and name.isprintable()


def normalise_name(name: str) -> str:
    """Return a name in lower case, without `_`, `-` and blanks."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
