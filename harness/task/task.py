"""A benchmark by its official protocol: the base class of everything in `tasks/`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic

from harness.capabilities import Model
from harness.dataset import Dataset
from harness.formats.folder import DataFolder, Needed
from harness.images import image_file
from harness.sample_view import Picture, SampleView, prediction_text
from harness.task.samples import Batch, M, Prediction, S, SampleId
from harness.task.scores import Scores
from harness.workload import Workload


class Task(ABC, Generic[S, M]):
    """A benchmark by its official protocol: one subclass per benchmark, in `tasks/`, without state.

    name      in the command line, in records and in file names
    version   raised with every change that can change a result
    splits    in the order of the publication
    primary   the metric that the benchmark is known for
    needs     the capabilities that can predict, preferred first: Protocols of `capabilities/`
    protocol  what is done to the predictions, e.g. `iou>=0.5|per-expression`. A record carries it;
              `results/paper.yaml` says which protocols compare with the paper
    protocols  the same for single capabilities among `needs`, where it differs
    hidden    splits whose ground truth only a `server` has. A run ends in a file to upload, and
              its record waits for the server's numbers: `primary` and any of `server_metrics`
    weights_of  a task whose weights predict this one too, for checkpoints that have none for it
    any_split  whether users name the split, as with `--annotations`
    extra     whether `--task all` leaves it out, as a benchmark beside those of the paper's table
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
        """Start a slow `check_environment`, return the function that ends it; None: it is fast.

        `run` calls the function in a thread while it loads models. It raises MissingError where
        scoring would fail, and must not change the process, its environment variables for example.
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
        """Return how a sample contradicts its images, None where it does not.

        `sizes` are those of the images, (width, height) in pixels.
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
        """Return what `show` and `report` render of a sample.

        By default its images, its texts and the prediction as JSON; `prediction` is None where it
        was not kept.
        """
        return SampleView(
            pictures=tuple(map(Picture, sample.images)),
            texts=tuple(self.texts(sample)),
            prediction=prediction_text(prediction),
        )

    def viewer(
        self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]
    ) -> Callable[[Any], SampleView]:
        """Return the function that shows a sample of a split, by default by `view`.

        A task whose samples are compared with one another overrides it.
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
        """Return the protocol of a record about these samples, by default the same for all."""
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

        By default None: the format holds no predictions of single samples.
        """
        return None

    def export(
        self, samples: Sequence[S], predictions: Mapping[SampleId, Prediction]
    ) -> Sequence[Mapping[str, Any]]:
        """Return predictions with the keys of the annotations, for a file beside the record.

        By default none: official results have their own formats.
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
