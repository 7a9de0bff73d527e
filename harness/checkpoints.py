"""Find weights: the entries of `checkpoints.yaml`, and weight files given by path."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from msgspec import Struct, structs

from harness.dataset import Origin
from harness.errors import MissingError, UsageError, nearest
from harness.files.parsing import Finite, Int64, decode_yaml
from harness.files.paths import config_file, hub_cache_folder, resolve_folder, shipped_path

PAPER = "x-vlm-base-16m"  # the model of the paper's table
SHAPES = "xvlm-shapes"  # the model of the embedded benchmark
SUFFIXES = (".th", ".pth", ".pt", ".bin", ".safetensors")
INCLUDE = "XVLM_EVAL_CHECKPOINTS_FILE"  # more files like checkpoints.yaml
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # of a repository: no pickles
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
    with the Google Drive id `drive` that contains the file. `url`: the address of another file.
    `arguments`: the family's own, which `--model-args` may replace one by one.
    """

    path: str
    head: str
    alternatives: tuple[str, ...] = ()
    resolution: Int64 | None = None
    drive: str | None = None
    archive: str | None = None
    url: str | None = None
    sha256: str | None = None
    arguments: dict[str, str] = {}

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


class Entry(_Content, frozen=True, kw_only=True):
    """A released model: `files` has the weights by task, `source` the file that describes them."""

    name: str
    source: Path


@dataclass(frozen=True)
class Weights:
    """A weight file, or a folder of files, to run, and its name in records.

    `vocabulary` is that of BERT, for a family that wants it. `release` is None for weights given by
    path. `configuration` is a `config.json` beside such a file; released files need none.
    `arguments` are the family's own settings, from `--model-args` or the entry.
    """

    name: str
    family: str
    path: Path
    vocabulary: Path | None = None
    release: Release | None = None
    configuration: Path | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """What a user says of weights that no entry describes.

    family      `--model`: the family they belong to
    vocabulary  whether that family wants the vocabulary of BERT
    name        `--name`: their name in records; by default that of the file or folder
    arguments   `--model-args`
    download    whether a hub id that is not in the hub's cache may be downloaded
    """

    family: str = "xvlm"
    vocabulary: bool = True
    name: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    download: bool = False


def entries() -> Mapping[str, Entry]:
    """Return the entries that can be named: the shipped ones, and the user's own.

    Raises DataError for a file of the user's that is no `checkpoints.yaml`, UsageError where two
    files describe one name.
    """
    found: dict[str, Entry] = {}
    for path in (shipped_path("checkpoints.yaml"), *own_files()):
        for name, entry in read_entries(path).items():
            if name in found:
                raise UsageError(f"{path}: {name} is an entry of {found[name].source} already")
            found[name] = entry
    return found


def own_files() -> list[Path]:
    """Return the user's own `checkpoints.yaml` files.

    Those of `--include` and `XVLM_EVAL_CHECKPOINTS_FILE` (several, separated as in PATH), and the
    one in the configuration folder. Raises MissingError for a file that is named, but absent.
    """
    named = [
        Path(name).expanduser()
        for name in os.environ.get(INCLUDE, "").split(os.pathsep)
        if name.strip()
    ]
    for path in named:
        if not path.is_file():
            raise MissingError(f"{path}: no such file of checkpoints (--include, or {INCLUDE})")
    configured = config_file().with_name("checkpoints.yaml")
    return [*named, *([configured] if configured.is_file() else [])]


def include(paths: Sequence[str]) -> None:
    """Add files to those of `own_files`, for this process and those that it starts."""
    before = [name for name in os.environ.get(INCLUDE, "").split(os.pathsep) if name]
    os.environ[INCLUDE] = os.pathsep.join([*before, *paths])


@cache
def read_entries(path: Path) -> Mapping[str, Entry]:
    """Read a `checkpoints.yaml`. Raises DataError for missing and unknown keys and wrong types."""
    contents = decode_yaml(path, dict[str, _Content])
    return {
        name: Entry(name=name, source=path, **structs.asdict(entry))
        for name, entry in contents.items()
    }


def find_entry(name: str) -> Entry | None:
    """Return the entry with a name; case, `_` and `-` are ignored."""
    wanted = normalise_name(name)
    matches = (entry for entry in entries().values() if normalise_name(entry.name) == wanted)
    return next(matches, None)


def normalise_name(name: str) -> str:
    """Return a name in lower case, without `_`, `-` and blanks."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def find_weights(
    checkpoint: str, *, task: str, data: Path | None, given: Given | None = None, like: str = ""
) -> Weights:
    """Return the weights of an entry for a task, or those given by a path or by a hub's id.

    An entry without weights for the task has those of the task `like`. Raises UsageError for an
    unknown name and for an entry that has neither. MissingError names every missing file with its
    expected path and its source, one per line.
    """
    entry = find_entry(checkpoint)
    if entry is not None:
        weights = _released_weights(entry, task if task in entry.files else like or task, data)
        own = weights.release.arguments if weights.release else {}
        return replace(weights, arguments={**own, **(given.arguments if given else {})})
    given = given or Given()
    path = Path(checkpoint).expanduser()
    if path.is_dir() and given.family == "xvlm":
        raise MissingError(f"--checkpoint {checkpoint}: is a folder, not a weight file")
    if not path.exists() and HUB_ID.fullmatch(checkpoint) and path.suffix not in SUFFIXES:
        path = _hub_snapshot(checkpoint, download=given.download)
    elif not path.exists() and (path.suffix in SUFFIXES or os.sep in checkpoint):
        raise MissingError(f"--checkpoint {checkpoint}: no such file")
    elif not path.exists():
        raise UsageError(
            f"--checkpoint {checkpoint}: neither an entry of checkpoints.yaml nor a file"
            f"{nearest(checkpoint, entries())}"
        )
    name = given.name or checkpoint.rstrip("/").rpartition("/")[2].removesuffix(path.suffix)
    if name.strip(".") == "" or "/" in name:  # results lie in a folder of this name
        raise UsageError(
            f"--checkpoint {checkpoint}: has no name that results can be stored under; "
            "give it one with --name"
        )
    folder = path if path.is_dir() else path.parent
    vocabulary, configuration = folder / "vocab.txt", folder / "config.json"
    if given.vocabulary and not vocabulary.is_file():
        vocabulary = bert_vocabulary(data)
    return Weights(
        name=name,
        family=given.family,
        path=path,
        vocabulary=vocabulary if given.vocabulary else None,
        configuration=configuration if configuration.is_file() else None,
        arguments=given.arguments,
    )


def _hub_snapshot(name: str, *, download: bool) -> Path:
    """Return the folder of a hub's repository in the cache of Hugging Face's tools.

    Raises MissingError if it is not there and `download` is false, or it cannot be downloaded.
    """
    # Imported here: weights that lie in a file need no hub.
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name,
                local_files_only=not download,
                cache_dir=hub_cache_folder(),
                allow_patterns=HUB_FILES,
            )
        )
    except Exception as error:  # the hub's client raises dozens of kinds
        remedy = (
            f"could not be downloaded ({str(error).splitlines()[0][:200]})"
            if download
            else "is not in the hub's cache; --download gets it"
        )
        raise MissingError(
            f"--checkpoint {name}: neither a file nor an entry of checkpoints.yaml, and as a "
            f"repository of Hugging Face's hub {remedy}"
        ) from error


def _released_weights(entry: Entry, task: str, data: Path | None) -> Weights:
    release = entry.files.get(task)
    if release is None:
        raise UsageError(
            f"{entry.name} has no checkpoint for {task}; "
            f"it has checkpoints for: {', '.join(sorted(entry.files))}"
        )
    if entry.embedded:
        folder = Path(__file__).parent / "shapes" / "weights"
        vocabulary = folder / entry.vocabulary if entry.vocabulary else None
        return Weights(entry.name, entry.family, folder / release.path, vocabulary, release)
    paths: list[Path] = []
    missing: list[str] = []
    finders = [lambda: release_path(entry, release, data)]
    if entry.vocabulary:
        finders.append(lambda: bert_vocabulary(data))
    for find in finders:
        try:
            paths.append(find())
        except MissingError as error:
            missing += error.items
    if missing:
        raise MissingError(*missing)
    path, vocabulary = paths[0], paths[1] if entry.vocabulary else None
    return Weights(entry.name, entry.family, path, vocabulary, release)


def release_path(entry: Entry, release: Release, data: Path | None) -> Path:
    """Return the path of a released file, below the checkpoints folder or the data folder.

    The folder named after the entry is searched before its parent. Raises MissingError with the
    expected path and the source.
    """
    roots = [resolve_folder("checkpoints"), data / "checkpoints" if data else None]
    folders = [folder for root in roots if root for folder in (root / entry.name, root)]
    if entry.source != shipped_path("checkpoints.yaml"):  # a user's own: beside his file
        folders.insert(0, entry.source.parent)
    paths = [folder / candidate for folder in folders for candidate in release.candidates]
    if path := next((path for path in paths if path.exists()), None):
        return path
    home = folders[0] if folders else Path("DATA") / "checkpoints" / entry.name
    alternatives = f" (or {', '.join(release.alternatives)})" if release.alternatives else ""
    source = f"from {release.url or f'Google Drive, id {release.drive}'}"
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
