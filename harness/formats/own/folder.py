"""The files of own data, which lie anywhere, as a data folder that tasks read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.formats.folder import EMBEDDED, HUB, OWN, DataFolder, Needed, sha256_of

PREFIX = "own-"  # of the names of tasks on own data
KINDS = ("grounding", "caption", "retrieval", "vqa", "nlvr2")
MAX_NAME = 100  # characters; file systems allow 255 bytes, and suffixes follow
NOT_IN_NAMES = re.compile(r"[^\w-]+")

ANNOTATIONS = Needed(("annotations",), "the annotations", "--annotations FILE")
IMAGES = Needed(
    ("images",),
    "the images",
    "where you have them, or name another folder by --images DIR",
    folder=True,
)
ANSWERS = Needed(("answers",), "the candidate answers", "--answers FILE", optional=True)


def is_own(task: str) -> bool:
    """Return whether a task is one on own data, by its name."""
    return task.startswith(PREFIX)


@dataclass(frozen=True)
class OwnFolder(DataFolder):
    """Own data: `root` is the folder of the images, `name` that of the data in records."""

    annotations: Path
    answers: Path | None = None
    more: tuple[Path, ...] = ()  # further files of annotations

    @property
    def description(self) -> dict[str, str]:
        """The name of the folder of images; neither where it lies, nor what is in it."""
        return {"images": self.root.resolve().name}

    def find(self, needed: Needed) -> Path | None:
        """Return the file or folder that plays a part in own data, None for one not given."""
        paths = {ANNOTATIONS: self.annotations, IMAGES: self.root, ANSWERS: self.answers}
        return paths.get(needed)

    def fingerprint(self, needed: Iterable[Needed]) -> dict[str, str]:
        """Return the SHA-256 of the annotations and of the candidate answers, by file name.

        The names of further files state their places: entries without ids are numbered in order.
        """
        hashes = {self.annotations.name: sha256_of(self.annotations)}
        for number, path in enumerate(self.more, start=2):
            hashes[f"{number}/{path.name}"] = sha256_of(path)
        if self.answers is not None:
            name = self.answers.name
            hashes[name if name not in hashes else f"answers/{name}"] = sha256_of(self.answers)
        return hashes

    def display_path(self, path: Path) -> str:
        """Return the path of a file as the user named it: it need not lie below the root."""
        return str(path)


def data_name(given: str | None, annotations: Path) -> str:
    """Return the name of own data in records and file names, by default the stem of its file.

    Raises UsageError for a given name that no file can have, or that other data has.
    """
    if given is None:
        name = NOT_IN_NAMES.sub("-", Path(annotations.name.removesuffix(".gz")).stem)[
            :MAX_NAME
        ].strip("-")
        given = f"own-{name}" if name in ("", EMBEDDED, HUB, OWN) else name
    elif NOT_IN_NAMES.search(given) or not 0 < len(given) <= MAX_NAME:
        raise UsageError(
            f"--data-name {given!r}: should consist of letters, digits, `_` and `-`, "
            f"at most {MAX_NAME}: files are named after it"
        )
    elif given in (EMBEDDED, HUB, OWN):
        raise UsageError(f"--data-name {given}: is how records name other data; choose another")
    return given
