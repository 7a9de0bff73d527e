"""What a benchmark is: official annotation files in, samples out; predictions in, metrics out.

Read this first, then `capabilities.py`, then `running/evaluate.py`. A task goes through a run in
three steps, each of them one method:

    samples = task.load(data, "val")                 # annotation files -> samples
    predictions = task.predict(model, batch)         # a batch of samples -> one call of the model
    scores = task.score(samples, predictions)        # predictions by id -> the official metrics

`load_samples` calls `task.load`, and refuses samples that share an id. In between, the runner
decodes images, forms batches, and stores every prediction on disk. A task never sees a file name of
its output, a pixel, or torch.
"""

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeVar

from harness.capabilities import ImagesOf, Matches, Model, shortlist_of
from harness.dataset import Dataset
from harness.errors import DataError
from harness.formats.folder import DataFolder, Needed
from harness.images import View, image_file
from harness.sample_view import Picture, SampleView, prediction_text
from harness.statistics.interval import Interval
from harness.statistics.intervals import metric_intervals
from harness.statistics.sums import Statistic
from harness.workload import Workload

Prediction = Any  # the prediction for one sample, in JSON's types: a string, a box, ...
SampleId = int | str


@dataclass(frozen=True, slots=True)
class Sample:
    """One unit of prediction: a question, a statement, an image to describe.

    Tasks subclass it and add fields in the dataset's own words. Texts are byte for byte those of
    the annotation file. Samples about the same images may share one tuple of them.
    """

    id: SampleId
    images: tuple[View, ...]


# The samples of a task, and the models that it works with. A task of a name is of any.
S = TypeVar("S", bound=Sample, default=Any)
M = TypeVar("M", bound=Model, default=Any)


@dataclass(frozen=True)
class Batch(Generic[S, ImagesOf]):
    """Samples with their images, each distinct image once.

    `images` [M, R, R, 3] were prepared by the model, or are what its `collate` made of them; the
    p-th image of sample n is `images[image_of[n, p]]`. A task hands them on. For example, three
    questions about two images:

        samples   [Question(1), Question(2), Question(3)]
        images    [2, 384, 384, 3]
        image_of  [[0], [0], [1]]
    """

    samples: Sequence[S]
    images: ImagesOf
    image_of: NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """The result of scoring, in percent or in the benchmark's own unit.

    metrics     name -> value: the numbers of a record
    statistics  name -> contribution of each unit to that metric, for intervals and tests
    by_sample   name -> value of each sample, in order of the samples; higher is better. Changed
                samples are ranked by the first entry, ties by the next
    breakdown   kind -> name -> value: parts of the split, and other scoring protocols
    not_run     name -> reason, for a metric that could not be computed
    caveats     sentences on what makes the metrics doubtful; `run` and `score` print them
    """

    metrics: Mapping[str, float]
    statistics: Mapping[str, Statistic] = field(default_factory=dict)
    by_sample: Mapping[str, Sequence[float]] = field(default_factory=dict)
    breakdown: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)
    caveats: Sequence[str] = ()

    @cached_property
    def intervals(self) -> Mapping[str, Interval]:
        """The 95 % confidence interval of each metric that has a statistic."""
        return metric_intervals(
            {name: self.statistics[name] for name in self.metrics if name in self.statistics}
        )


class Task(ABC, Generic[S, M]):
    """A benchmark by its official protocol: one subclass per benchmark, in `tasks/`, without state.

    name      in the command line, in records and in file names
    version   raised with every change that can change a result
    splits    in the order of the publication
    primary   the metric that the benchmark is known for
    needs     the capabilities that can predict, preferred first: Protocols of `capabilities.py`
    protocol  what is done to the predictions, e.g. `iou>=0.5|per-expression`. A record carries it;
              `results/paper.yaml` says which protocols compare with the paper
    protocols  the same for single capabilities among `needs`, where it differs
    hidden    splits whose ground truth only a `server` has. A run ends in a file to upload, and
              its record waits for the server's numbers: `primary` and any of `server_metrics`
    weights_of  a task whose fine-tuned weights predict this one too, for entries without its own
    any_split  whether the user names the split, as the data of his own (`--annotations`)
    extra     whether `--task all` leaves it out: a benchmark beside those of the paper's table
    dataset   the published facts about its files: origins, hashes, official counts

    The smallest task that does something:

        class Colours(Task):
            name, version, splits, primary = "colours", 1, ("test",), "accuracy"
            needs, protocol = (Captioner,), "exact-match"

            def files(self, split):
                return (LIST, IMAGES)

            def load(self, data, split):
                return read_colours(data.path(LIST), data.expected_path(IMAGES))

            def predict(self, model, batch):
                return model.caption(batch.images[batch.image_of[:, 0]])

            def fallback_prediction(self, sample):
                return ""

            def score(self, samples, predictions):
                correct = [100.0 * (predictions[s.id] == s.colour) for s in samples]
                return Scores({"accuracy": sum(correct) / len(correct)})

            def score_official(self, samples, path):
                return self.score(samples, read_json(path))
    """

    name: ClassVar[str]
    version: ClassVar[int]
    splits: ClassVar[tuple[str, ...]]
    primary: ClassVar[str]
    needs: ClassVar[tuple[type, ...]]
    protocol: ClassVar[str]
    protocols: ClassVar[Mapping[type, str]] = {}
    hidden: ClassVar[frozenset[str]] = frozenset()
    server: ClassVar[str] = ""
    server_metrics: ClassVar[tuple[str, ...]] = ()
    weights_of: ClassVar[str] = ""
    any_split: ClassVar[bool] = False
    extra: ClassVar[bool] = False
    dataset: ClassVar[Dataset] = Dataset()

    # Before a run

    @abstractmethod
    def files(self, split: str) -> Sequence[Needed]:
        """Name the files and folders that `split` needs, and where people get them."""

    def check_environment(self) -> None:
        """Raise MissingError where a program that scoring needs is absent.

        Called before the first prediction, not hours later.
        """

    def begin_trial(self) -> Callable[[], None] | None:
        """Begin `check_environment` and return a function that ends it; None: it takes no time.

        `run` calls the function in a thread while it loads models: it raises MissingError where
        scoring would fail, and must not change the process, such as its environment.
        """
        return None

    @abstractmethod
    def load(self, data: DataFolder, split: str) -> Sequence[S]:
        """Return the samples of `split` in the order of the annotation file.

        Raises DataError for anything that does not follow the format.
        """

    def counts(self, samples: Sequence[S]) -> Mapping[str, int]:
        """Count what publications report about a split, in the dataset's words.

        By default `samples` and distinct `images`.
        """
        return {
            "samples": len(samples),
            "images": len({image_file(view) for sample in samples for view in sample.images}),
        }

    def annotation(self, sample: S) -> Sequence[str]:
        """Return the texts by which a sample is recognised as one of the official split.

        By default those that the model reads.
        """
        return self.texts(sample)

    def check_annotation(self, sample: S, sizes: Sequence[tuple[int, int]]) -> str | None:
        """Return how a sample contradicts its images, of these (width, height) in pixels.

        None where it does not.
        """
        return None

    def flat_lists(self, samples: Mapping[str, Sequence[S]]) -> Mapping[str, Any]:
        """Return X-VLM's own lists of these samples (by split), by file name; by default none.

        The names are relative to the folder `data/finetune` of the authors' code, the lists are in
        JSON's types.
        """
        return {}

    def workload(self, samples: Sequence[S]) -> Workload:
        """Return the amount of work that the samples require.

        By default every distinct image is encoded once, and each sample is one image-text pair.
        """
        # Samples may share a tuple of images: by identity, each is looked at once.
        distinct = {id(sample.images): sample.images for sample in samples}
        images = len({view for views in distinct.values() for view in views})
        texts = [text for sample in samples for text in self.texts(sample)]
        return Workload(
            samples=len(samples),
            images=images,
            pairs=len(samples),
            pairs_at_most=len(samples),
            texts=texts,
        )

    def texts(self, sample: S) -> Sequence[str]:
        """Return the texts of a sample that the model reads; by default none."""
        return ()

    # For people

    def view(self, sample: Any, prediction: Prediction) -> SampleView:
        """Return what a sample looks like; `prediction` is None where it was not kept.

        By default its images, its texts and the prediction as JSON. `show` and `report` render it.
        """
        return SampleView(
            pictures=tuple(map(Picture, sample.images)),
            texts=tuple(self.texts(sample)),
            prediction=prediction_text(prediction),
        )

    def viewer(
        self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]
    ) -> Callable[[Any], SampleView]:
        """Return the function that shows a sample of a split; by default by `view`.

        For a task whose samples are compared with one another.
        """
        return lambda sample: self.view(sample, predictions.get(sample.id))

    # Prediction

    def protocol_of(self, model: Model) -> str:
        """Return the protocol of a record: the task's part, then the model's.

        The task's part is that of the first of `needs` which the model has.
        """
        own = self.protocol
        if self.protocols:
            used = next((need for need in self.needs if isinstance(model, need)), None)
            own = self.protocols.get(used, own) if used is not None else own
        return f"{own}|{model.protocol}"

    def protocol_for(self, model: Model, samples: Sequence[S]) -> str:
        """Return the protocol of a record about these samples; by default whatever they are."""
        return self.protocol_of(model)

    def predict(self, model: M, batch: Batch[S]) -> Sequence[Prediction]:
        """Return the prediction for each sample of a batch, by one call of the model.

        Every task but a GalleryTask implements it.
        """
        raise TypeError(f"{self.name} does not predict batch by batch")

    @abstractmethod
    def fallback_prediction(self, sample: S) -> Prediction:
        """Return a wrong prediction: it stands for a sample whose image cannot be read.

        For samples of a `hidden` split it may use their id only, like `submission`.
        """

    # Scoring

    @abstractmethod
    def score(self, samples: Sequence[S], predictions: Mapping[SampleId, Prediction]) -> Scores:
        """Compute the official metrics from a prediction for every sample."""

    @abstractmethod
    def score_official(self, samples: Sequence[S], path: Path) -> Scores:
        """Score a file in the benchmark's own result format.

        Raises DataError where it does not hold exactly one prediction for every sample.
        """

    def official_predictions(
        self, samples: Sequence[S], path: Path
    ) -> Mapping[SampleId, Prediction] | None:
        """Return the predictions in a file that `score_official` takes, as `predict` makes them.

        By default None, where that format holds no prediction of a single sample.
        """
        return None

    def export(
        self, samples: Sequence[S], predictions: Mapping[SampleId, Prediction]
    ) -> Sequence[Mapping[str, Any]]:
        """Return predictions in the words of the annotations, for a file beside the record.

        By default none: official results have formats of their own.
        """
        return ()

    def submission(self, samples: Sequence[S], predictions: Mapping[SampleId, Prediction]) -> Any:
        """Return the file to upload for a `hidden` split, in JSON's types.

        It may use the ids of the samples only: `import-score` rebuilds it without annotations.
        """
        raise TypeError(f"{self.name} has no hidden split")

    def pending_scores(self) -> Scores:
        """Return the scores of a `hidden` split: no metric yet, and where to upload."""
        reason = f"the truths are hidden; upload the submission to {self.server}"
        return Scores({}, not_run={self.primary: reason})


def workload_of(task: Task[S, M], model: Model, samples: Sequence[S]) -> Workload:
    """Return the amount of work that samples require of a model."""
    if isinstance(task, GalleryTask):
        return task.workload(samples, task.shortlist_of(model))
    return task.workload(samples)


def load_samples(task: Task[S, M], data: DataFolder, split: str) -> Sequence[S]:
    """Return the samples of a split, each with an id of its own: every command loads them here.

    Predictions are stored and scored by id, so two samples with one id would share a prediction.
    Raises DataError for such samples, naming their images, for an id that is neither a whole number
    nor a string, and for a split without samples; and what `task.load` raises.
    """
    with without_garbage_collection():
        samples = task.load(data, split)
    if not samples:
        raise DataError(f"{data.root}: {task.name} {split} has no sample")
    ids = [sample.id for sample in samples]
    if set(map(type, ids)) in ({int}, {str}) and len(set(ids)) == len(ids):
        return samples
    by_id: dict[str, S] = {}  # as text: a record lists skipped samples by it
    for sample in samples:
        if type(sample.id) not in (int, str):
            raise DataError(
                f"{data.root}: {task.name} {split} has a sample with the id {sample.id!r}, "
                "which is neither a whole number nor a string"
            )
        if (key := str(sample.id)) in by_id:
            raise DataError(
                f"{data.root}: two samples of {task.name} {split} have the id {sample.id!r}, "
                f"{_images_of(by_id[key], data)} and {_images_of(sample, data)}; "
                "predictions are stored by id: give each sample one of its own"
            )
        by_id[key] = sample
    return samples


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector, which would search millions of answers for cycles in vain."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _images_of(sample: Sample, data: DataFolder) -> str:
    """Return the image files of a sample by their paths below the data folder, for messages."""
    paths = map(image_file, sample.images)
    return (
        " with ".join(
            str(path.relative_to(data.root) if path.is_relative_to(data.root) else path)
            for path in paths
        )
        or "without an image"
    )


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
        """Return how many candidates are ranked by the protocol of a model."""
        return shortlist_of(model, self.collection, default=self.shortlist)

    def workload(self, samples: Sequence[S], shortlist: int | None = None) -> Workload:
        """Count the pairs that the shortlists of both directions hold; a pair of both counts once.

        By default of the task's `shortlist`. Images shortlist few pairs that texts do not: COCO's
        two lists of 1,280,000 and 6,402,560 pairs unite to little more than the longer one.
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
