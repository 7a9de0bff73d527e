"""Find weights: the entries of `checkpoints.yaml`, and weight files given by path."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from msgspec import Struct, structs

from harness.dataset import Origin
from harness.errors import MissingError, UsageError, nearest
from harness.files.parsing import Finite, Int64, decode_yaml
from harness.files.paths import hub_cache_folder, resolve_folder, shipped_path

PAPER = "x-vlm-base-16m"  # the model of the paper's table
SHAPES = "xvlm-shapes"  # the model of the embedded benchmark
SUFFIXES = (".th", ".pth", ".pt", ".bin", ".safetensors")
BERT = "bert-base-uncased"
# Folders of the vocabulary in the cache of Hugging Face's tools.
HUB_NAMES = ("models--google-bert--bert-base-uncased", "models--bert-base-uncased")
VOCABULARY = Origin(
    name="vocab.txt",
    url=f"https://huggingface.co/google-bert/{BERT}/resolve/"
    "86b5e0934494bd15c9632b12f734a8a67f723594/vocab.txt",
    instructions=f"https://huggingface.co/google-bert/{BERT}",
    format="file",
    licence="Apache-2.0",
    members={"vocab.txt": f"{BERT}/vocab.txt"},
    size=231_508,
    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
)


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a released model; checkpoints.yaml describes the keys.

    `resolution` None: read it from the tensors. `sha256` None: unknown. `archive`: the archive
    with the Google Drive id `drive` that contains the file.
    """

    path: str
    head: str
    alternatives: tuple[str, ...] = ()
    resolution: Int64 | None = None
    drive: str | None = None
    archive: str | None = None
    sha256: str | None = None

    @property
    def candidates(self) -> tuple[str, ...]:
        """The paths the file may have below its folder; the first that exists counts."""
        return (self.path, *self.alternatives)


class Published(Struct, frozen=True, forbid_unknown_fields=True):
    """A number published for a model, and its source."""

    task: str
    split: str
    metric: str
    value: Finite
    source: str


class _Content(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: str
    family: str
    licence: str
    vocabulary: str
    files: dict[str, Release]
    paper: str | None = None
    code: str | None = None
    embedded: bool = False
    published: tuple[Published, ...] = ()


class Entry(_Content, frozen=True, kw_only=True):
    """A released model: `files` has the weights by task."""

    name: str


@dataclass(frozen=True)
class Weights:
    """A weight file to run, and its name in records.

    `release` is None for a file given by path. `configuration` is a `config.json` beside such a
    file; released files need none.
    """

    name: str
    family: str
    path: Path
    vocabulary: Path
    release: Release | None = None
    configuration: Path | None = None


@cache
def entries() -> Mapping[str, Entry]:
    """Return the entries of the shipped `checkpoints.yaml` by name."""
    return read_entries(shipped_path("checkpoints.yaml"))


def read_entries(path: Path) -> Mapping[str, Entry]:
    """Read a `checkpoints.yaml`. Raises DataError for missing and unknown keys and wrong types."""
    contents = decode_yaml(path, dict[str, _Content])
    return {name: Entry(name=name, **structs.asdict(entry)) for name, entry in contents.items()}


def find_entry(name: str) -> Entry | None:
    """Return the entry with a name; case, `_` and `-` are ignored."""
    wanted = normalise_name(name)
    matches = (entry for entry in entries().values() if normalise_name(entry.name) == wanted)
    return next(matches, None)


def normalise_name(name: str) -> str:
    """Return a name in lower case, without `_`, `-` and blanks."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def find_weights(checkpoint: str, *, task: str, data: Path | None) -> Weights:
    """Return the weights of an entry for a task, or of a file given by path.

    Raises UsageError for an unknown name and for an entry without weights for the task.
    MissingError names every missing file with its expected path and its source, one per line.
    """
    entry = find_entry(checkpoint)
    if entry is not None:
        return _released_weights(entry, task, data)
    path = Path(checkpoint).expanduser()
    if path.is_file():
        if path.stem.strip(".") == "":  # results lie in a folder of this name
            raise UsageError(
                f"--checkpoint {checkpoint}: has no name that results can be stored under; "
                "rename it"
            )
        vocabulary, configuration = path.parent / "vocab.txt", path.parent / "config.json"
        return Weights(
            name=path.stem,
            family="xvlm",
            path=path,
            vocabulary=vocabulary if vocabulary.is_file() else bert_vocabulary(data),
            configuration=configuration if configuration.is_file() else None,
        )
    if path.suffix in SUFFIXES or os.sep in checkpoint:
        problem = "is a folder, not a weight file" if path.is_dir() else "no such file"
        raise MissingError(f"--checkpoint {checkpoint}: {problem}")
    raise UsageError(
        f"--checkpoint {checkpoint}: neither an entry of checkpoints.yaml nor a file"
        f"{nearest(checkpoint, entries())}"
    )


def _released_weights(entry: Entry, task: str, data: Path | None) -> Weights:
    release = entry.files.get(task)
    if release is None:
        raise UsageError(
            f"{entry.name} has no checkpoint for {task}; "
            f"it has checkpoints for: {', '.join(sorted(entry.files))}"
        )
    if entry.embedded:
        folder = Path(__file__).parent / "shapes" / "weights"
        path, vocabulary = folder / release.path, folder / entry.vocabulary
        return Weights(entry.name, entry.family, path, vocabulary, release)
    paths: list[Path] = []
    missing: list[str] = []
    for find in (lambda: release_path(entry, release, data), lambda: bert_vocabulary(data)):
        try:
            paths.append(find())
        except MissingError as error:
            missing += error.items
    if missing:
        raise MissingError(*missing)
    path, vocabulary = paths
    return Weights(entry.name, entry.family, path, vocabulary, release)


def release_path(entry: Entry, release: Release, data: Path | None) -> Path:
    """Return the path of a released file, below the checkpoints folder or the data folder.

    The folder named after the entry is searched before its parent. Raises MissingError with the
    expected path and the source.
    """
    roots = [resolve_folder("checkpoints"), data / "checkpoints" if data else None]
    folders = [folder for root in roots if root for folder in (root / entry.name, root)]
    paths = [folder / candidate for folder in folders for candidate in release.candidates]
    if path := _first_file(paths):
        return path
    home = folders[0] if folders else Path("DATA") / "checkpoints" / entry.name
    alternatives = f" (or {', '.join(release.alternatives)})" if release.alternatives else ""
    source = f"from Google Drive, id {release.drive}"
    remedy = (
        f"get {release.archive} {source} and unpack it in {home}"
        if release.archive
        else f"get {release.path} {source}"
    )
    raise MissingError(
        f"{home / release.path}{alternatives}: missing the {release.head} checkpoint of "
        f"{entry.title}; {remedy} (licence {entry.licence}), or name a file with --checkpoint PATH"
    )


def bert_vocabulary(data: Path | None) -> Path:
    """Return the vocabulary of bert-base-uncased, below the data folder or in the hub's cache.

    Raises MissingError if neither has it.
    """
    names = (f"{BERT}/vocab.txt", f"data/{BERT}/vocab.txt", "vocab.txt")
    paths = [data / name for name in names] if data else []
    if path := _first_file(paths):
        return path
    for name in HUB_NAMES:
        for snapshot in sorted(hub_cache_folder().glob(f"{name}/snapshots/*/vocab.txt")):
            return snapshot
    expected = paths[0] if paths else Path("DATA") / BERT / "vocab.txt"
    raise MissingError(
        f"{expected}: missing the vocabulary of {BERT} (30,522 pieces); "
        f"get vocab.txt from https://huggingface.co/google-bert/{BERT}"
    )


def _first_file(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
