"""Capabilities that compare images with texts, and what the engine makes of them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeVar

from harness.capabilities.model import Images, ImagesOf, Model

# Candidates are ranked by the matching score, its sum with the cosine, or the cosine alone.
Ranking = Literal["itm", "itm+itc", "itc"]


class Array(Protocol):
    """A NumPy array, or a torch tensor on any device."""

    @property
    def shape(self) -> Sequence[int]:
        """The length of each axis."""
        ...

    def __len__(self) -> int: ...


class EncodedTexts(Protocol):
    """Encoded texts: `features` [T, f] for the shortlist, and whatever `score_pairs` takes."""

    @property
    def features(self) -> Array: ...


# What a PairScorer keeps of an image, and of all texts.
State = TypeVar("State", default=Any)
StateOf = TypeVar("StateOf", covariant=True)
Texts = TypeVar("Texts", bound=EncodedTexts, default=Any)
T = TypeVar("T")


class States(Protocol[StateOf]):
    """One state for each image: a list, or an array whose rows they are."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> StateOf: ...


@runtime_checkable
class DualEncoder(Model, Protocol[Images]):
    """A model that compares images and texts by the cosine of one feature vector of each.

    Retrieval ranks by it, and OVAD compares crops with sentences.
    """

    def encode_images(self, images: Images) -> Array:
        """Return the unit vectors [M, f] of images [M, R, R, 3]."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """Return the unit vectors [T, f] of texts."""
        ...


class EncodedImages(NamedTuple, Generic[State]):
    """Encoded images: unit vectors [M, f] for the shortlist, and states to score pairs with.

    The states are whatever the model's `score_pairs` takes: its image tokens on a GPU, for example.
    """

    features: Array
    states: States[State]


@runtime_checkable
class PairScorer(Model, Protocol[Images, State, Texts]):
    """A model that scores an image-text pair by both together, too slowly to score every pair.

    The engine shortlists by the cosine of features. Each process scores the pairs of the images
    that it has read, then those of images that slower processes have left. A model whose protocol
    ranks another number of candidates than the task's is `Shortlisting` as well.
    """

    @property
    def ranking(self) -> Ranking:
        """The protocol by which shortlisted candidates are ranked: `itm`, or `itm+itc`."""
        ...

    def read_images(self, images: Images) -> EncodedImages[State]:
        """Encode images [M, R, R, 3]."""
        ...

    def read_texts(self, texts: Sequence[str]) -> Texts:
        """Encode all texts of a gallery."""
        ...

    def score_pairs(self, image: State, texts: Texts, candidates: NDArray[np.int64]) -> Array:
        """Return the matching scores [n] of one image, by its state, and the texts `candidates`.

        `candidates` [n] are indices into `texts`, which `read_texts` returned.
        """
        ...


@runtime_checkable
class GroupScorer(PairScorer[Images, State, Texts], Protocol):
    """A PairScorer that scores the pairs of several images together.

    A GPU that scores those of one image may wait for its host. The engine groups the images of a
    batch, by `images_at_a_time`.
    """

    @property
    def images_at_a_time(self) -> int:
        """The number of images whose pairs are scored together."""
        ...

    def score_pairs_of_images(
        self, images: Sequence[State], texts: Texts, candidates: Sequence[NDArray[np.int64]]
    ) -> Array:
        """Return the matching scores of all pairs, image after image.

        The texts `candidates[i]` belong to the image with state `images[i]`.
        """
        ...


class Matches(NamedTuple):
    """The texts [n] that one image of a gallery was compared with, and their scores.

    image    index of the image in the whole gallery
    texts    indices [n] of the texts: the image's own shortlist, and every text whose shortlist
             contains the image
    itc      image-text contrast: the similarity [n] of the features
    itm      image-text matching: the scores [n] of a PairScorer; None for a DualEncoder
    ranking  the protocol that ranks them
    shortlist  how many candidates each image, and each text, has on its shortlist; 0 if unknown
    """

    image: int
    texts: NDArray[np.int64]
    itc: NDArray[np.float32]
    itm: NDArray[np.float32] | None
    ranking: Ranking
    shortlist: int = 0


class AllGather(Protocol):
    """Exchanges a value with the other processes of a run."""

    def __call__(self, value: T, /) -> list[T]:
        """Return the value of each process, in order of rank."""
        ...


class Gallery(NamedTuple, Generic[ImagesOf]):
    """The images that this process encodes, of a gallery shared by all processes of a run.

    `batches` yields triples: indices [n] in the whole gallery; the distinct images [M, R, R, 3]
    behind them; and, for each index, which of these images it is [n]. After the first call of
    `all_gather`, the gallery cannot be streamed again.

    Before an image is ranked, `claim` returns whether this process is to rank it, by its index.
    `others` yields, in the form of `batches`, images that other processes have encoded and not
    ranked. Whoever draws an image from it has to rank it.
    """

    batches: Iterable[tuple[Sequence[int], ImagesOf, NDArray[np.int64]]]
    all_gather: AllGather
    claim: Callable[[int], bool] = lambda number: True
    others: Iterable[tuple[Sequence[int], ImagesOf, NDArray[np.int64]]] = ()
