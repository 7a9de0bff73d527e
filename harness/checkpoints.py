"""Which weights there are: the entries of `checkpoints.yaml`, and files given by path."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, DataError, MissingError, UsageError, nearest
from harness.places import cache as cache_folder
from harness.places import configured, shipped
from harness.sources.folder import sha256_of

PAPER = "x-vlm-base-16m"  # the model of the paper's table
SHAPES = "xvlm-shapes"  # the model of the embedded benchmark
SUFFIXES = (".th", ".pth", ".pt", ".bin", ".safetensors")
BERT = "bert-base-uncased"


@dataclass(frozen=True)
class Release:
    """One file of a released model. `resolution` None: read it from the tensors. `sha256` None: not known to us."""

    path: str
    head: str
    resolution: int | None = None
    drive: str | None = None
    sha256: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """A number that others printed for this model, and where."""

    task: str
    split: str
    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class Entry:
    """A released model: its files by task."""

    name: str
    title: str
    family: str
    licence: str
    vocabulary: str
    files: Mapping[str, Release]
    paper: str | None = None
    code: str | None = None
    embedded: bool = False
    published: tuple[Published, ...] = ()


@dataclass(frozen=True)
class Weights:
    """A weight file to run: the name it has in records, and what checkpoints.yaml knows about it (`release`, None for a file by path)."""

    name: str
    family: str
    path: Path
    vocabulary: Path
    release: Release | None = None


@cache
def entries() -> Mapping[str, Entry]:
    """Return the entries of `checkpoints.yaml` by name."""
    return read_entries(shipped("checkpoints.yaml"))


def read_entries(path: Path) -> Mapping[str, Entry]:
    """Read a `checkpoints.yaml`. Raises DataError for anything that is not as its head describes."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read as YAML ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: should hold one entry per model")
    return {name: _entry(path, name, value) for name, value in content.items()}


def find_entry(name: str) -> Entry | None:
    """Return the entry of a name; `_`, `-` and case do not matter."""
    wanted = plain(name)
    return next((entry for entry in entries().values() if plain(entry.name) == wanted), None)


def plain(name: str) -> str:
    """Return a name without what does not matter in it."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def find_weights(chosen: str, *, task: str, data: Path | None) -> Weights:
    """Return the weights for a task, of an entry or of a file. Raises UsageError for an unknown name.

    MissingError says where the file was looked for and where to get it.
    """
    entry = find_entry(chosen)
    if entry is not None:
        return _registered(entry, task, data)
    path = Path(chosen).expanduser()
    if path.suffix not in SUFFIXES and os.sep not in chosen:
        raise UsageError(f"--checkpoint {chosen}: no entry of checkpoints.yaml and no file{nearest(chosen, entries())}")
    if not path.is_file():
        raise MissingError(f"--checkpoint {chosen}: no such file")
    vocabulary = path.parent / "vocab.txt"
    return Weights(
        name=path.stem,
        family="xvlm",
        path=path,
        vocabulary=vocabulary if vocabulary.is_file() else _bert_vocabulary(data),
    )


def checked_sha256(weights: Weights) -> str:
    """Return the SHA-256 of a weight file; raises CheckpointError if it is not the one known, or recorded when it was first used."""
    found = sha256_of(weights.path)
    if weights.release is None:
        return found
    notebook = cache_folder() / "checkpoints.json"
    recorded = _notebook(notebook)
    key = f"{weights.name}/{weights.release.path}"
    known = weights.release.sha256 or recorded.get(key)
    if known is None:
        _note(notebook, {**recorded, key: found})
    elif known != found:
        origin = "checkpoints.yaml" if weights.release.sha256 else f"its first use here ({notebook})"
        raise CheckpointError(
            f"{weights.path}: sha256 is {found}, but {known} according to {origin}; "
            "get the file again, or use it under its own name with --checkpoint PATH"
        )
    return found


def _registered(entry: Entry, task: str, data: Path | None) -> Weights:
    if task not in entry.files:
        raise UsageError(f"{entry.name} has no checkpoint for {task}; it has some for: {', '.join(sorted(entry.files))}")
    release = entry.files[task]
    if entry.embedded:
        folder = Path(__file__).parent / "shapes" / "weights"
        return Weights(entry.name, entry.family, folder / release.path, folder / entry.vocabulary, release)
    found: list[Path] = []
    missing: list[str] = []
    for find in (lambda: _release_path(entry, release, data), lambda: _bert_vocabulary(data)):
        try:
            found.append(find())
        except MissingError as error:
            missing.append(str(error))
    if missing:
        raise MissingError("\n".join(missing))
    path, vocabulary = found
    return Weights(entry.name, entry.family, path, vocabulary, release)


def _release_path(entry: Entry, release: Release, data: Path | None) -> Path:
    roots = [root for root in (configured("checkpoints"), data / "checkpoints" if data else None) if root]
    places = [root / below for root in roots for below in (f"{entry.name}/{release.path}", release.path)]
    for place in places:
        if place.is_file():
            return place
    where = places[0] if places else Path("DATA") / "checkpoints" / entry.name / release.path
    raise MissingError(
        f"{where}: missing the {release.head} checkpoint of {entry.title}; get {release.path} from Google Drive, id {release.drive} "
        f"(licence {entry.licence}), or name a file with --checkpoint PATH"
    )


def _bert_vocabulary(data: Path | None) -> Path:
    """Return the vocabulary of bert-base-uncased: below the data folder, or where the hub's own tools keep it on this machine."""
    places = [data / below for below in (f"{BERT}/vocab.txt", f"data/{BERT}/vocab.txt", "vocab.txt")] if data else []
    for place in places:
        if place.is_file():
            return place
    hub = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "hub"
    for snapshot in sorted(hub.glob(f"models--*{BERT}/snapshots/*/vocab.txt")):
        return snapshot
    where = places[0] if places else Path("DATA") / BERT / "vocab.txt"
    raise MissingError(
        f"{where}: missing the vocabulary of {BERT} (30,522 pieces); get vocab.txt from https://huggingface.co/google-bert/{BERT}"
    )


def _entry(path: Path, name: Any, value: Any) -> Entry:
    try:
        files = {task: Release(**release) for task, release in value.pop("files").items()}
        published = tuple(Published(**number) for number in value.pop("published", ()))
        return Entry(name=str(name), files=files, published=published, **value)
    except (TypeError, AttributeError, KeyError) as error:
        raise DataError(f"{path}: the entry {name!r} is not as the head of the file describes ({error})") from error


def _note(path: Path, hashes: Mapping[str, str]) -> None:
    """Record hashes. A cache that cannot be written is no reason not to evaluate: the hash is in the record anyway."""
    temporary = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(path)


def _notebook(path: Path) -> dict[str, str]:
    """Return the hashes recorded so far; a notebook that cannot be read counts as empty, since it can be made again."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
