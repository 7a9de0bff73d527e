"""Benchmarks that compare every image with every text: image-text retrieval."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from harness.capabilities import Matches, Model, shortlist_of
from harness.task.samples import M, Prediction, S
from harness.task.task import Task
from harness.workload import Workload


class GalleryTask(Task[S, Model]):
    """A benchmark that compares every image with every text; one sample is an image.

    Such samples cannot be predicted batch by batch. The engine encodes the whole gallery, finds
    the likely pairs and scores them; the task turns the matches of an image into its prediction.

    collection  its images, as the protocols of models name them: `coco`, for example
    """

    collection: ClassVar[str] = ""

    @property
    @abstractmethod
    def shortlist(self) -> int:
        """How many candidates of each image, and of each text, most models rank."""

    def shortlist_of(self, model: Model) -> int:
        """Return how many candidates a model ranks: by its own protocol, else the task's number."""
        return shortlist_of(model, self.collection, default=self.shortlist)

    def workload(self, samples: Sequence[S], shortlist: int | None = None) -> Workload:
        """Count the pairs on the shortlists of both directions; a pair on both counts once.

        A shortlist has `shortlist` candidates, by default the task's number. Images shortlist few
        pairs that texts do not: COCO's two lists of 1,280,000 and 6,402,560 pairs unite to little
        more than the longer one.
        """
        workload, count = super().workload(samples), shortlist or self.shortlist
        images, texts = workload.images, len(workload.texts)
        by_image, by_text = images * min(count, texts), texts * min(count, images)
        return workload._replace(
            pairs=max(by_image, by_text), pairs_at_most=min(by_image + by_text, images * texts)
        )

    @abstractmethod
    def as_prediction(self, matches: Matches) -> Prediction:
        """Return the prediction for an image: the texts it was compared with, and their scores."""


def workload_of(task: Task[S, M], model: Model, samples: Sequence[S]) -> Workload:
    """Return the amount of work that samples require of a model."""
    if isinstance(task, GalleryTask):
        return task.workload(samples, task.shortlist_of(model))
    return task.workload(samples)
