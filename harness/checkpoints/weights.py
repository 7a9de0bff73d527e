"""Find the weights of an entry for a task, or those given by a path or by a hub's id."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.checkpoints.entries import SHIPPED, Entry, Release, entries, find_entry, names_results
from harness.checkpoints.hub import HUB_ID, hub_snapshot
from harness.checkpoints.vocabulary import BERT, bert_vocabulary
from harness.errors import MissingError, UsageError, nearest
from harness.files.paths import expanded, resolve_folder

SUFFIXES = (".th", ".pth", ".pt", ".bin", ".safetensors")
IN_FOLDERS = ("model.safetensors", "pytorch_model.bin")  # as transformers saves them


@dataclass(frozen=True)
class Weights:
    """A weight file, or a folder of files, to run, and its name in records.

    `vocabulary` is BERT's, for a family that needs it. `release` is None for weights given by path.
    `configuration` is a `config.json` beside such a file; released files need none. `arguments` are
    the family's own settings, from `--model-args` or the entry.
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


def find_weights(
    checkpoint: str, *, task: str, data: Path | None, given: Given | None = None, like: str = ""
) -> Weights:
    """Return the weights of an entry for a task, or those given by a path or by a hub's id.

    If the entry has no weights for the task, those for the task `like` are returned. Raises
    UsageError for an unknown name and for an entry that has neither, MissingError that names every
    missing file with its expected path and its source, one per line.
    """
    entry = find_entry(checkpoint)
    if entry is not None:
        weights = _released_weights(
            entry,
            task if task in entry.files else like or task,
            data,
            download=given.download if given else False,
        )
        own = weights.release.arguments if weights.release else {}
        texts = {key: str(value) for key, value in own.items()}  # as a flag states them
        return replace(weights, arguments={**texts, **(given.arguments if given else {})})
    given = given or Given()
    path = given_path(checkpoint, family=given.family, download=given.download)
    ending = path.suffix if path.is_file() else ""  # a folder may be called clip-v1.5
    name = given.name or checkpoint.rstrip("/").rpartition("/")[2].removesuffix(ending)
    if not names_results(name):
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


def given_path(checkpoint: str, *, family: str, download: bool = False) -> Path:
    """Return the path that `--checkpoint` names: a file, a folder, or a repository of the hub.

    Raises MissingError where it is absent, UsageError for a word that looks like none of them.
    """
    path = expanded(checkpoint)
    if path.is_dir() and family == "xvlm" and not _holds_weights(path):
        raise MissingError(
            f"--checkpoint {checkpoint}: is a folder, but without weights of X-VLM "
            f"({' or '.join(IN_FOLDERS)}); name the file, or together with --model a folder of "
            "another family, e.g. --model dual for a CLIP"
        )
    if not path.exists() and HUB_ID.fullmatch(checkpoint) and path.suffix not in SUFFIXES:
        path = _named_snapshot(checkpoint, download=download)
    elif not path.exists() and (path.suffix in SUFFIXES or os.sep in checkpoint):
        raise MissingError(f"--checkpoint {checkpoint}: no such file")
    elif not path.exists():
        raise UsageError(
            f"--checkpoint {checkpoint}: neither an entry of checkpoints.yaml nor a file"
            f"{nearest(checkpoint, entries())}"
        )
    return path


def _holds_weights(folder: Path) -> bool:
    """Return whether a folder holds weights as a file or in shards, but no model of transformers.

    The configuration of such a model states its type.
    """
    config = folder / "config.json"
    if config.is_file() and b'"model_type"' in config.read_bytes():
        return False
    names = [name for whole in IN_FOLDERS for name in (whole, f"{whole}.index.json")]
    return any((folder / name).is_file() for name in names)


def _named_snapshot(checkpoint: str, *, download: bool) -> Path:
    """Return the folder of a hub's repository that `--checkpoint` names."""
    try:
        return hub_snapshot(checkpoint, download=download)
    except MissingError as error:
        raise MissingError(
            f"--checkpoint {checkpoint}: neither a file nor an entry of checkpoints.yaml, and "
            f"{str(error).removeprefix(f'{checkpoint}: ')}"
        ) from error


def _released_weights(
    entry: Entry, task: str, data: Path | None, *, download: bool = False
) -> Weights:
    release = entry.files.get(task)
    if release is None:
        raise UsageError(
            f"{entry.name} has no checkpoint for {task}; "
            f"it has checkpoints for: {', '.join(sorted(entry.files))}; "
            f"a file of your own is named by --checkpoint PATH --model {entry.family}"
        )
    if entry.embedded:
        folder = Path(__file__).parents[1] / "shapes" / "weights"
        vocabulary = folder / entry.vocabulary if entry.vocabulary else None
        return Weights(entry.name, entry.family, folder / release.path, vocabulary, release)
    paths: list[Path] = []
    missing: list[str] = []
    finders = [lambda: release_path(entry, release, data, download=download)]
    if entry.vocabulary:
        finders.append(lambda: _vocabulary(entry, data))
    for find in finders:
        try:
            paths.append(find())
        except MissingError as error:
            missing += error.items
    if missing:
        raise MissingError(*missing)
    path, vocabulary = paths[0], paths[1] if entry.vocabulary else None
    configuration = path.parent / "config.json" if entry.source.own and path.is_file() else None
    return Weights(
        entry.name,
        entry.family,
        path,
        vocabulary,
        release,
        configuration=configuration if configuration and configuration.is_file() else None,
    )


def release_path(
    entry: Entry, release: Release, data: Path | None, *, download: bool = False
) -> Path:
    """Return the path of a released file, below the checkpoints folder or the data folder.

    The folder named after the entry is searched before its parent; files of a user's entry lie
    beside their `checkpoints.yaml`, those of a package may. Raises MissingError with the expected
    path and the source.
    """
    folders = _folders(entry, data)
    paths = [folder / candidate for folder in folders for candidate in release.candidates]
    if path := next((path for path in paths if path.exists()), None):
        return path
    home = folders[0] if folders else Path("DATA") / "checkpoints" / entry.name
    alternatives = f" (or {', '.join(release.alternatives)})" if release.alternatives else ""
    where = f"{home / release.path}{alternatives}"
    if release.hub:
        try:
            return hub_snapshot(release.hub, download=download, revision=release.revision)
        except MissingError as error:
            raise MissingError(f"{where}: missing {entry.title}, and {error}") from error
    raise MissingError(
        f"{where}: missing the {release.head} checkpoint of {entry.title}; "
        f"{_remedy(release, home)} (licence {entry.licence}), or name a file with --checkpoint PATH"
    )


def _folders(entry: Entry, data: Path | None) -> list[Path]:
    """Return the folders that may hold the files of an entry, in order."""
    roots = [resolve_folder("checkpoints"), data / "checkpoints" if data else None]
    folders = [folder for root in roots if root for folder in (root / entry.name, root)]
    beside = entry.source.path.parent
    if entry.source.own:
        return [beside, *folders]
    return folders if entry.source.package == SHIPPED else [*folders, beside]


def _remedy(release: Release, home: Path) -> str:
    """Say where to get a file."""
    if not (release.url or release.drive):
        return "put it there"
    source = f"from {release.url or f'Google Drive, id {release.drive}'}"
    if release.archive:
        return f"get {release.archive} {source} and unpack it in {home}"
    return f"get {release.path} {source}"


def _vocabulary(entry: Entry, data: Path | None) -> Path:
    """Return the vocabulary of an entry: a file beside its weights, or BERT's."""
    name = str(entry.vocabulary)
    paths = [folder / name for folder in _folders(entry, data)]
    if path := next((path for path in paths if path.is_file()), None):
        return path
    if name == BERT or not entry.source.own:
        return bert_vocabulary(data)
    raise MissingError(
        f"{paths[0]}: missing the vocabulary of {entry.title}; put it there, or write "
        f"`vocabulary: {BERT}` in {entry.source} for that of BERT"
    )
