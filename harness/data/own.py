"""Own data as a source of data: what `--annotations`, `--images` and `--answers` name."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.callbacks import Progress
from harness.checkpoints import PAPER
from harness.errors import MissingError, UsageError, nearest
from harness.files.paths import expanded
from harness.formats.own.folder import KINDS, PREFIX, OwnFolder, data_name, is_own
from harness.registry import known_task


@dataclass(frozen=True)
class OwnFiles:
    """Files of annotations, their images and, for questions, a file of candidate answers.

    `more` are the files of annotations after the first one, `name` is that of the data in
    records, `folder` where released weights are looked for.
    """

    name: str
    annotations: Path
    images: Path
    answers: Path | None = None
    folder: Path | None = None
    more: tuple[Path, ...] = ()
    default_checkpoint = PAPER

    def __str__(self) -> str:
        return ", ".join([*map(str, (self.annotations, *self.more)), f"images of {self.images}"])

    def open(self, splits: Mapping[str, Sequence[str]], *, progress: Progress) -> OwnFolder:
        """Return the files as a data folder. Raises MissingError for what does not exist."""
        missing = [
            f"{flag} {path}: no such {kind}"
            for flag, path, kind, exists in (
                *(
                    ("--annotations", path, "file", path.is_file())
                    for path in (self.annotations, *self.more)
                ),
                ("--images", self.images, "folder", self.images.is_dir()),
                ("--answers", self.answers, "file", not self.answers or self.answers.is_file()),
            )
            if not exists
        ]
        if missing:
            raise MissingError(*missing)
        return OwnFolder(self.images, self.name, self.annotations, self.answers, self.more)


def own_files(
    annotations: str | Sequence[str],
    *,
    images: str | None,
    name: str | None,
    answers: str | None,
    folder: Path | None = None,
) -> OwnFiles:
    """Return own data by the values of its flags; the images lie beside the annotations by default.

    It has the name of the first file. Raises UsageError for a name that no file can have.
    """
    files = [annotations] if isinstance(annotations, str) else annotations
    path, *more = (expanded(file) for file in files)
    return OwnFiles(
        name=data_name(name, path),
        annotations=path,
        images=expanded(images) if images else path.parent,
        answers=expanded(answers) if answers else None,
        folder=folder,
        more=tuple(more),
    )


def needs_annotations(task: str) -> bool:
    """Return whether a task name stands for own data only: a kind may be a benchmark as well."""
    name = task.lower()
    return is_own(name) or (name in KINDS and known_task(name) is None)


def own_task(words: Sequence[str]) -> str:
    """Return the name of the task on own data that the values of `--task` mean.

    Raises UsageError unless they are one of KINDS, or the name of such a task.
    """
    names = [name for word in words for name in word.split(",") if name]
    kinds = [name.lower().removeprefix(PREFIX) for name in names]
    if len(kinds) != 1 or kinds[0] not in KINDS:
        if len(names) == 1:
            problem = f"--task {names[0]}: is not a task on own data{nearest(kinds[0], KINDS)}"
            if known_task(names[0]) is not None:
                problem += (
                    "; the files of a benchmark, also several, lie below --data DIR: "
                    f"`xvlm-eval data --layout --task {names[0]}` shows where"
                )
            raise UsageError(problem)
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
