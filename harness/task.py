"""What a benchmark is, seen from the harness: rows of official annotation files in, samples out; predictions in, metrics out.

Read this first, then `capabilities.py`, then `evaluate.py`. A task never sees pixels and never imports torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.sources.folder import DataFolder, Needed
from harness.statistics import Interval

Prediction = Any  # what one sample's prediction is, in JSON's types
SampleId = int | str


@dataclass(frozen=True)
class Sample:
    """One unit of prediction. Adapters add fields in the dataset's own words; text is byte for byte the annotation."""

    id: SampleId
    images: tuple[Path, ...]


@dataclass(frozen=True)
class Batch:
    """Samples and their images, each distinct image once.

    `images` [M, R, R, 3] are as the model prepared them; row n's p-th image is `images[image_of[n, p]]`.
    """

    samples: Sequence[Any]
    images: NDArray[np.uint8]
    image_of: NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Metrics by name, in percent or as the benchmark's own score, with the 95 % confidence interval where one is known."""

    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)


class Task(ABC):
    """A benchmark by its official protocol. One subclass per benchmark, in `tasks/`; subclasses hold no state.

    `version` is raised whenever a change can move a number. `needs` is the capability (a Protocol of `capabilities.py`) that predicts.
    `protocol` says what is done to the predictions; what a record must say to stand beside the paper is in `results/paper.yaml`.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    splits: ClassVar[tuple[str, ...]]
    primary: ClassVar[str]
    needs: ClassVar[type]
    protocol: ClassVar[str]

    @abstractmethod
    def files(self, split: str) -> Sequence[Needed]:
        """Name the files and folders that `split` needs, and where people get them."""

    @abstractmethod
    def load(self, data: DataFolder, split: str) -> Sequence[Any]:
        """Read the samples of `split`, in the order of the annotation file. Raises DataError for anything not as the format says."""

    @abstractmethod
    def predict(self, model: Any, batch: Batch) -> Sequence[Prediction]:
        """Ask the model once for all samples of a batch; returns one prediction a sample, in JSON's types."""

    @abstractmethod
    def score(self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]) -> Scores:
        """Compute the official metrics from a prediction for every sample."""
