"""What a benchmark is, seen from the harness: rows of official annotation files in, samples out; predictions in, metrics out.

Read this first, then `capabilities.py`, then `evaluate.py`. A task never sees pixels and never imports torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.dataset import Dataset
from harness.formats.folder import DataFolder, Needed
from harness.images import View, image_file
from harness.statistics.bootstrap import interval
from harness.statistics.interval import Interval
from harness.statistics.sums import Statistic
from harness.workload import Workload

Prediction = Any  # what one sample's prediction is, in JSON's types
SampleId = int | str


@dataclass(frozen=True)
class Sample:
    """One unit of prediction. Adapters add fields in the dataset's own words; text is byte for byte the annotation."""

    id: SampleId
    images: tuple[View, ...]


@dataclass(frozen=True)
class Batch:
    """Samples and their images, each distinct image once.

    `images` [M, R, R, 3] are as the model prepared them; row n's p-th image is `images[image_of[n, p]]`.
    """

    samples: Sequence[Any]
    images: NDArray[np.uint8]
    image_of: NDArray[np.int64]


@dataclass(frozen=True)
class Work:
    """What a process is to predict: all samples, which of its share of them still lack a prediction, and how to load that share in batches.

    `gather` returns what each process of the run gives, for tasks whose samples are compared with one another.
    """

    samples: Sequence[Any]
    lacking: frozenset[SampleId]
    batches: Callable[[bool], Iterator[Batch]]
    all_gather: Callable[[Any], list[Any]]

    def to_do(self) -> Iterator[Batch]:
        """Yield the batches in which a sample lacks its prediction, whole: what shares a batch may move the last digits of a float."""
        return self.batches(False)

    def everything(self) -> Iterator[Batch]:
        """Yield all batches of this process: for tasks whose samples are compared with one another."""
        return self.batches(True)


Answered = Sequence[tuple[SampleId, Prediction]]


@dataclass(frozen=True)
class Scores:
    """What came out, in percent or as the benchmark's own score.

    `metrics` by name; `statistics`, by the same names, what each unit contributed to them: intervals and comparisons are made of it.
    `by_sample` is what each sample got, in order, more is better: which changes matter is told by its first entry, then by the next.
    `breakdown` (kind -> name -> value) is for parts of the split and for other protocols; `not_run` says of a metric that could not be
    computed why.
    """

    metrics: Mapping[str, float]
    statistics: Mapping[str, Statistic] = field(default_factory=dict)
    by_sample: Mapping[str, Sequence[float]] = field(default_factory=dict)
    breakdown: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def intervals(self) -> Mapping[str, Interval]:
        """The 95 % confidence interval of each metric that has a statistic."""
        return {
            name: interval(self.statistics[name])
            for name in self.metrics
            if name in self.statistics
        }


class Task(ABC):
    """A benchmark by its official protocol. One subclass per benchmark, in `tasks/`; subclasses hold no state.

    `version` is raised whenever a change can move a number. `needs` is the capability (a Protocol of `capabilities.py`) that predicts.
    `protocol` says what is done to the predictions; what a record must say to stand beside the paper is in `results/paper.yaml`. The truths
    of `hidden` splits are known to a `server` only: a run ends in a file to upload, and its record waits for the number.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    splits: ClassVar[tuple[str, ...]]
    primary: ClassVar[str]
    needs: ClassVar[type]
    protocol: ClassVar[str]
    hidden: ClassVar[frozenset[str]] = frozenset()
    server: ClassVar[str] = ""
    dataset: ClassVar[Dataset] = Dataset()  # what is published about its files

    @abstractmethod
    def files(self, split: str) -> Sequence[Needed]:
        """Name the files and folders that `split` needs, and where people get them."""

    def check_environment(self) -> None:  # noqa: B027  (most tasks need nothing)
        """Raise MissingError where what scoring needs is not on this machine: better before hours of predicting than after."""

    @abstractmethod
    def load(self, data: DataFolder, split: str) -> Sequence[Any]:
        """Read the samples of `split`, in the order of the annotation file. Raises DataError for anything not as the format says."""

    def counts(self, samples: Sequence[Any]) -> Mapping[str, int]:
        """Count what publications tell of a split, in the dataset's words: `samples` and `images`, and what a task adds."""
        return {
            "samples": len(samples),
            "images": len({image_file(view) for sample in samples for view in sample.images}),
        }

    def flat_lists(self, samples: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        """Return X-VLM's own lists of these samples (by split), by file name; none by default.

        The names are relative to the folder `data/finetune` of the authors' code, the lists are in
        JSON's types.
        """
        return {}

    def check_annotation(self, sample: Any, sizes: Sequence[tuple[int, int]]) -> str | None:
        """Say what of a sample does not fit its images, of these widths and heights in pixels; None where all does."""
        return None

    def texts(self, sample: Any) -> Sequence[str]:
        """Return the texts that a sample puts to the model; none, unless a task says which."""
        return ()

    def predict(self, model: Any, batch: Batch) -> Sequence[Prediction]:
        """Ask the model once for all samples of a batch; returns one prediction a sample, in JSON's types."""
        raise TypeError(f"{self.name} does not predict batch by batch")

    def answer(self, model: Any, work: Work) -> Iterator[Answered]:
        """Yield predictions as they are made: batch by batch, unless a task compares its samples with one another."""
        for batch in work.to_do():
            yield [
                (sample.id, prediction)
                for sample, prediction in zip(
                    batch.samples, self.predict(model, batch), strict=True
                )
            ]

    def workload(self, samples: Sequence[Any]) -> Workload:
        """Say how much the samples ask of a model; unless a task says otherwise, every distinct image once, looked at once a sample."""
        images = len({view for sample in samples for view in sample.images})
        texts = [text for sample in samples for text in self.texts(sample)]
        return Workload(
            samples=len(samples),
            images=images,
            pairs=len(samples),
            pairs_at_most=len(samples),
            texts=texts,
        )

    def submission(self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]) -> Any:
        """Return what the server of the hidden splits wants to be uploaded, in JSON's types."""
        raise TypeError(f"{self.name} has no hidden split")

    def pending_scores(self) -> Scores:
        """Return the scores of a hidden split: none yet, and what to do with the submission."""
        return Scores(
            {},
            not_run={
                self.primary: f"the truths are hidden; upload the submission to {self.server}"
            },
        )

    @abstractmethod
    def fallback_prediction(self, sample: Any) -> Prediction:
        """Return a prediction that is wrong: it stands for a sample that could not be predicted."""

    @abstractmethod
    def score(self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]) -> Scores:
        """Compute the official metrics from a prediction for every sample."""

    @abstractmethod
    def score_official(self, samples: Sequence[Any], path: Path) -> Scores:
        """Score a file in the benchmark's own result format. Raises DataError where it does not hold one prediction for every sample."""
