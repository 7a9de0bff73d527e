"""Own data as a source of data: what `--annotations`, `--images` and `--answers` name."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.callbacks import Progress
from harness.checkpoints import PAPER
from harness.errors import MissingError, UsageError, nearest
from harness.formats.own.folder import KINDS, PREFIX, OwnFolder, data_name, is_own


@dataclass(frozen=True)
class OwnFiles:
    """A file of annotations, its images and, for questions, a file of candidate answers.

    `name` is that of the data in records, `folder` where released weights are looked for.
    """

    name: str
    annotations: Path
    images: Path
    answers: Path | None = None
    folder: Path | None = None
    default_checkpoint = PAPER

    def __str__(self) -> str:
        return f"{self.annotations}, images of {self.images}"

    def open(self, splits: Mapping[str, Sequence[str]], *, progress: Progress) -> OwnFolder:
        """Return the files as a data folder. Raises MissingError for what does not exist."""
        missing = [
            f"{flag} {path}: no such {kind}"
            for flag, path, kind, exists in (
                ("--annotations", self.annotations, "file", self.annotations.is_file()),
                ("--images", self.images, "folder", self.images.is_dir()),
                ("--answers", self.answers, "file", not self.answers or self.answers.is_file()),
            )
            if not exists
        ]
        if missing:
            raise MissingError(*missing)
        return OwnFolder(self.images, self.name, self.annotations, self.answers)


def own_files(
    annotations: str,
    *,
    images: str | None,
    name: str | None,
    answers: str | None,
    folder: Path | None = None,
) -> OwnFiles:
    """Return own data by the values of its flags; the images lie beside the annotations by default.

    Raises UsageError for a name that no file can have.
    """
    path = Path(annotations).expanduser()
    return OwnFiles(
        name=data_name(name, path),
        annotations=path,
        images=Path(images).expanduser() if images else path.parent,
        answers=Path(answers).expanduser() if answers else None,
        folder=folder,
    )


def needs_annotations(task: str) -> bool:
    """Return whether a task name stands for own data only; `nlvr2` is a benchmark as well."""
    name = task.lower()
    return is_own(name) or (name in KINDS and name != "nlvr2")


def own_task(words: Sequence[str]) -> str:
    """Return the name of the task on own data that the values of `--task` mean.

    Raises UsageError unless they are one of KINDS, or the name of such a task.
    """
    names = [name for word in words for name in word.split(",") if name]
    kinds = [name.lower().removeprefix(PREFIX) for name in names]
    if len(kinds) != 1 or kinds[0] not in KINDS:
        if len(names) == 1:
            raise UsageError(f"--task {names[0]}: is no task on own data{nearest(kinds[0], KINDS)}")
        raise UsageError(f"with --annotations, --task is one of {', '.join(KINDS)}")
    return PREFIX + kinds[0]


@contextmanager
def naming_image_folder(source: object) -> Iterator[None]:
    """Add to a MissingError about an image of own data by which flag its folder is named."""
    try:
        yield
    except MissingError as error:
        folder = f"{source.images}/" if isinstance(source, OwnFiles) else None
        if folder is None or not any(item.startswith(folder) for item in error.items):
            raise
        raise MissingError(
            *error.items,
            f"--images names the folder of the images, here {folder}",
        ) from error
