"""What a model can do, as Protocols: raw text and prepared images in, NumPy out. Tasks and models meet here and nowhere else.

Implementing one of them is all it takes to bring in another model family; a task asks for the one it `needs`.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@runtime_checkable
class Model(Protocol):
    """What every model offers."""

    @property
    def protocol(self) -> str:
        """What the model does to its inputs and which head answers, e.g. `bbox|384px|bicubic|30-words`: whatever can move a number."""
        ...

    @property
    def device(self) -> str:
        """The kind of device it computes on, `cpu` or `cuda (NVIDIA H200)`: another kind may move the last digits of a number."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the model was made of beside its weight file, e.g. the hash of its vocabulary: as much a part of it as the weights."""
        ...

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image as the model wants it, [R, R, 3]. Called from several threads at once."""
        ...


@runtime_checkable
class Tokenizing(Protocol):
    """A model that tells which tokens it makes of a text. No task needs it: it is for the fingerprint of a run's inputs."""

    def token_ids(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        """Return the tokens of each text as the model reads it: cleaned, and cut where it cuts."""
        ...


@runtime_checkable
class Grounder(Model, Protocol):
    """A model that finds what an expression refers to."""

    def ground(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a box for each expression, [N, 4], as (cx, cy, w, h) in 0..1 of the whole image.

        `images` [M, R, R, 3] come from `prepare`; expression n is about `images[image_of[n]]`.
        """
        ...


@runtime_checkable
class Answerer(Model, Protocol):
    """A model that answers questions about images from a list of answers."""

    def answer(
        self,
        images: NDArray[np.uint8],
        questions: Sequence[str],
        image_of: NDArray[np.int64],
        *,
        answers: Sequence[str],
        shortlist: int,
    ) -> Sequence[int]:
        """Return the best answer to each question, [N], as an index into `answers`; the likeliest `shortlist` are looked at closely."""
        ...


@runtime_checkable
class PairReasoner(Model, Protocol):
    """A model that judges statements about two images."""

    def judge(
        self, images: NDArray[np.uint8], statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> Sequence[bool]:
        """Return whether each statement, [N], is true of its images: `images_of` [N, 2] are the left and the right one."""
        ...


@runtime_checkable
class Captioner(Model, Protocol):
    """A model that describes images."""

    def caption(self, images: NDArray[np.uint8]) -> Sequence[str]:
        """Return a caption for each image, [M]."""
        ...


class Matches(NamedTuple):
    """What was seen of one image of a gallery: `texts` [n] compared with it, by index, and their scores [n].

    `itc` is the similarity of features (image-text contrast), `itm` the logit that the text tells of the image (image-text matching).
    Among the texts are the image's own shortlist, and those texts that have the image in theirs.
    """

    image: int
    texts: NDArray[np.int64]
    itc: NDArray[np.float32]
    itm: NDArray[np.float32]


class Gallery(NamedTuple):
    """Images to be compared with texts, of which each process of a run has its share.

    `images` yields that share in batches: their numbers in the whole gallery, and the images [M, R, R, 3]. `gather` returns what each
    process gives it, in the same order everywhere.
    """

    images: Iterable[tuple[Sequence[int], NDArray[np.uint8]]]
    all_gather: Callable[[Any], list[Any]]


@runtime_checkable
class Retriever(Model, Protocol):
    """A model that compares every image of a gallery with every text."""

    def retrieve(
        self, gallery: Gallery, texts: Sequence[str], *, shortlist: int, wanted: Container[int]
    ) -> Iterator[Matches]:
        """Yield the matches of each image in `wanted` (numbers of this process's share), in order.

        `shortlist` is how many texts of an image, and images of a text, are looked at closely: of the whole gallery, and all texts.
        """
        ...


@runtime_checkable
class AttributeMatcher(Model, Protocol):
    """A model that says how well sentences describe images."""

    def similarity(
        self, images: NDArray[np.uint8], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return a score for each image and sentence, [M, S]."""
        ...
