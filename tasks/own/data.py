"""What the tasks on own data have in common: files, captioned images, truths that may be absent."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from harness.dataset import Dataset
from harness.errors import DataError
from harness.formats.folder import DataFolder, Needed
from harness.formats.own.entries import Entries
from harness.formats.own.folder import ANNOTATIONS, ANSWERS, IMAGES, OwnFolder
from harness.formats.own.images import shown_images
from harness.formats.own.kinds import CaptionEntry
from harness.task import Scores, Task

P = TypeVar("P")


class OwnData(Task):
    """A task on own data; its split has the name of the data."""

    extra: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ()
    any_split: ClassVar[bool] = True
    dataset: ClassVar[Dataset] = Dataset(no_hub="own data")
    truth: ClassVar[str]  # the key of the truths in annotations

    def files(self, split: str) -> Sequence[Needed]:
        """Name the annotations and the images."""
        return (ANNOTATIONS, IMAGES)

    def counts(self, samples: Sequence[Any]) -> Mapping[str, int]:
        """Count samples and images."""
        return Task.counts(self, samples)

    def flat_lists(self, samples: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        """Return no list: the authors' code does not read own data."""
        return {}

    def not_scored(self) -> Scores:
        """Return the scores of samples without truths: none, and the reason."""
        reason = f"the annotations have no {self.truth!r}, so the samples were predicted only"
        return Scores({}, not_run={self.primary: reason})


class OwnQuestions(OwnData):
    """A task on own data with candidate answers."""

    def files(self, split: str) -> Sequence[Needed]:
        """Name the annotations, the candidate answers (optional) and the images."""
        return (ANNOTATIONS, ANSWERS, IMAGES)


def own_folder(data: DataFolder, task: Task) -> OwnFolder:
    """Return `data` as own data. Raises DataError for a folder of benchmark files."""
    if not isinstance(data, OwnFolder):
        raise DataError(
            f"{data.root}: {task.name} is predicted on own data; name it by --annotations FILE "
            "--images DIR"
        )
    return data


def captioned_images(
    entries: Entries[CaptionEntry], own: OwnFolder, picture: Callable[..., P]
) -> list[P]:
    """Return a sample for each image with its captions, made by `picture`."""
    images = shown_images(((e.entry.image, e.where) for e in entries.located), own.root)
    return [
        picture(
            id=each.id,
            images=(images[each.entry.image].view,),
            captions=tuple(each.entry.texts()),
            name=each.entry.image,
        )
        for each in entries.located
    ]
