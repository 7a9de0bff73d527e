"""Which weights there are: the entries of `checkpoints.yaml`, and files given by path."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import DataError, MissingError, UsageError, nearest
from harness.files.parsing import Item, read_yaml
from harness.files.paths import configured_folder, hub_cache, shipped

PAPER = "x-vlm-base-16m"  # the model of the paper's table
SHAPES = "xvlm-shapes"  # the model of the embedded benchmark
SUFFIXES = (".th", ".pth", ".pt", ".bin", ".safetensors")
BERT = "bert-base-uncased"
HUB_NAMES = (
    "models--google-bert--bert-base-uncased",
    "models--bert-base-uncased",
)  # its folder in the cache of Hugging Face's tools


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
    """A weight file to run: the name it has in records, and what checkpoints.yaml knows about it (`release`, None for a file by path).

    `configuration` is a `config.json` beside a file given by path; the released files need none.
    """

    name: str
    family: str
    path: Path
    vocabulary: Path
    release: Release | None = None
    configuration: Path | None = None


@cache
def entries() -> Mapping[str, Entry]:
    """Return the entries of `checkpoints.yaml` by name."""
    return read_entries(shipped("checkpoints.yaml"))


def read_entries(path: Path) -> Mapping[str, Entry]:
    """Read a `checkpoints.yaml`. Raises DataError for anything that is not as its head describes."""
    content = read_yaml(path)
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
    if not path.is_file():
        if path.suffix in SUFFIXES or os.sep in chosen:
            raise MissingError(
                f"--checkpoint {chosen}: "
                + ("is a folder, not a weight file" if path.is_dir() else "no such file")
            )
        raise UsageError(
            f"--checkpoint {chosen}: no entry of checkpoints.yaml and no file{nearest(chosen, entries())}"
        )
    vocabulary, configuration = path.parent / "vocab.txt", path.parent / "config.json"
    return Weights(
        name=path.stem,
        family="xvlm",
        path=path,
        vocabulary=vocabulary if vocabulary.is_file() else bert_vocabulary(data),
        configuration=configuration if configuration.is_file() else None,
    )


def _registered(entry: Entry, task: str, data: Path | None) -> Weights:
    if task not in entry.files:
        raise UsageError(
            f"{entry.name} has no checkpoint for {task}; it has some for: {', '.join(sorted(entry.files))}"
        )
    release = entry.files[task]
    if entry.embedded:
        folder = Path(__file__).parent / "shapes" / "weights"
        return Weights(
            entry.name, entry.family, folder / release.path, folder / entry.vocabulary, release
        )
    found: list[Path] = []
    missing: list[str] = []
    for find in (lambda: release_path(entry, release, data), lambda: bert_vocabulary(data)):
        try:
            found.append(find())
        except MissingError as error:
            missing += error.items
    if missing:
        raise MissingError(*missing)
    path, vocabulary = found
    return Weights(entry.name, entry.family, path, vocabulary, release)


def release_path(entry: Entry, release: Release, data: Path | None) -> Path:
    """Return where a released file is, below the checkpoints folder or the data folder. Raises MissingError with where to get it."""
    roots = [
        root
        for root in (configured_folder("checkpoints"), data / "checkpoints" if data else None)
        if root
    ]
    places = [
        root / below for root in roots for below in (f"{entry.name}/{release.path}", release.path)
    ]
    for place in places:
        if place.is_file():
            return place
    where = places[0] if places else Path("DATA") / "checkpoints" / entry.name / release.path
    raise MissingError(
        f"{where}: missing the {release.head} checkpoint of {entry.title}; get {release.path} from Google Drive, id {release.drive} "
        f"(licence {entry.licence}), or name a file with --checkpoint PATH"
    )


def bert_vocabulary(data: Path | None) -> Path:
    """Return the vocabulary of bert-base-uncased: below the data folder, or where the hub's own tools keep it on this machine.

    Raises MissingError where it is in neither.
    """
    places = (
        [data / below for below in (f"{BERT}/vocab.txt", f"data/{BERT}/vocab.txt", "vocab.txt")]
        if data
        else []
    )
    for place in places:
        if place.is_file():
            return place
    for name in HUB_NAMES:
        for snapshot in sorted(hub_cache().glob(f"{name}/snapshots/*/vocab.txt")):
            return snapshot
    where = places[0] if places else Path("DATA") / BERT / "vocab.txt"
    raise MissingError(
        f"{where}: missing the vocabulary of {BERT} (30,522 pieces); get vocab.txt from https://huggingface.co/google-bert/{BERT}"
    )


def _entry(path: Path, name: Any, value: Any) -> Entry:
    entry = Item(value, f"{path}: {name}")
    entry.only(*(field.name for field in fields(Entry) if field.name != "name"))
    files = entry.item("files")
    return Entry(
        name=str(name),
        title=entry.get("title", str),
        family=entry.get("family", str),
        licence=entry.get("licence", str),
        vocabulary=entry.get("vocabulary", str),
        files={task: _release(files.item(task)) for task in files.value},
        paper=entry.optional("paper", str),
        code=entry.optional("code", str),
        embedded=entry.optional("embedded", bool) or False,
        published=tuple(map(_published, entry.items("published")))
        if "published" in entry.value
        else (),
    )


def _release(file: Item) -> Release:
    file.only(*(field.name for field in fields(Release)))
    return Release(
        path=file.get("path", str),
        head=file.get("head", str),
        resolution=file.optional("resolution", int),
        drive=file.optional("drive", str),
        sha256=file.optional("sha256", str),
        settings=file.optional("settings", dict) or {},
    )


def _published(number: Item) -> Published:
    number.only(*(field.name for field in fields(Published)))
    return Published(
        task=number.get("task", str),
        split=number.get("split", str),
        metric=number.get("metric", str),
        value=number.get("value", float),
        source=number.get("source", str),
    )
