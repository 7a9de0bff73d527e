"""What a task reads from annotation files, and what a model predicts at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeVar

from harness.capabilities import ImagesOf, Model
from harness.images import View

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


# Type parameters of a task: its samples and its models. A task found by name leaves them open.
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
