"""What a task reads from annotation files, and what a model predicts at once."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import repeat
from operator import length_hint
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


def samples_of_columns(kind: type[S], **columns: Iterable[Any]) -> list[S]:
    """Return samples of a `kind` from one column per field, such as `id=ids, text=texts`.

    A column holds one value for each sample, or is an endless `itertools.repeat(value)`. With
    hundreds of thousands of samples of a class with `slots`, this takes a third of the time of one
    call per sample, because it calls neither `__init__` nor `__post_init__`. Raises ValueError for
    columns that are missing, unknown or of different lengths.
    """
    names = [field.name for field in fields(kind)]
    if columns.keys() != set(names):
        differing = ", ".join(sorted(columns.keys() ^ set(names)))
        raise ValueError(f"{kind.__name__}: has a column or a field too many: {differing}")
    lists = {
        name: values if _is_endless(values) else list(values) for name, values in columns.items()
    }
    lengths = {len(values) for values in lists.values() if isinstance(values, list)}
    if len(lengths) != 1:
        raise ValueError(f"{kind.__name__}: has columns of the lengths {sorted(lengths)}")
    if hasattr(object.__new__(kind), "__dict__"):  # a class without slots
        rows = zip(*(lists[name] for name in names), strict=False)  # a repeat has no end
        return [kind(**dict(zip(names, row, strict=True))) for row in rows]
    # Samples without values, then one slot after another. A deque of no length drives `map` in C.
    samples: list[S] = list(map(object.__new__, repeat(kind, *lengths)))
    for name in names:
        deque(map(getattr(kind, name).__set__, samples, lists[name]), maxlen=0)
    return samples


def _is_endless(values: Iterable[Any]) -> bool:
    return isinstance(values, repeat) and length_hint(values, -1) < 0


@dataclass(frozen=True)
class Batch(Generic[S, ImagesOf]):
    """Samples with their images, each distinct image once.

    The model prepared the `images` [M, R, R, 3]; where it is `Collating`, they are what its
    `collate` returned. The p-th image of sample n is `images[image_of[n, p]]`. A task passes them
    to the model unseen. For example, three questions about two images:

        samples   [Question(1), Question(2), Question(3)]
        images    [2, 384, 384, 3]
        image_of  [[0], [0], [1]]
    """

    samples: Sequence[S]
    images: ImagesOf
    image_of: NDArray[np.int64]
