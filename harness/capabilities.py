"""What a model can do, as Protocols. Tasks and models meet here and nowhere else.

    Grounder          an expression and its image -> a box
    Localizer         an expression and its image -> a map of the image
    Answerer          a question, its image and a list of answers -> one of the answers
    PairReasoner      a statement and two images -> true or false
    Captioner         an image -> a caption
    DualEncoder       images, texts -> features, compared by their cosine
    PairScorer        images, texts -> features, and a score for any pair of them
    AttributeMatcher  images and sentences -> a matrix of similarities

Texts go in raw, images as the model itself prepared them, and arrays or Python values come out. A
model family implements the Protocols that it can; each task names those that it can work with.
What is common to many models, such as two-stage retrieval, is the engine's: a model offers the
small steps.
A grounder of another package, for example, is any object like this one:

    class CentreGrounder:
        protocol, device, provenance = "centre|224px", "cpu", {}

        def prepare(self, image):
            return np.asarray(image.convert("RGB").resize((224, 224)))

        def ground(self, images, expressions, image_of):
            return np.full((len(expressions), 4), 0.5, dtype=np.float32)

A model may offer more: `Collating`, `Tokenizing` and `Shortlisting` below, and
`harness.workload.CostModel`. Where a batch does not fit into memory, it is called again with
smaller ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import TypeVar

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
    """Texts, encoded: `features` [T, f] for the shortlist, and what else `score_pairs` wants."""

    @property
    def features(self) -> Array: ...


# The images of a batch: pixels [M, R, R, 3], or what the model's own `collate` returns.
Pixels = NDArray[np.uint8]
Images = TypeVar("Images", contravariant=True, default=Pixels)
ImagesOf = TypeVar("ImagesOf", default=Pixels)
# What a PairScorer keeps of an image, and of all texts.
State = TypeVar("State", default=Any)
StateOf = TypeVar("StateOf", covariant=True)
Texts = TypeVar("Texts", bound=EncodedTexts, default=Any)
Prepared = TypeVar("Prepared", contravariant=True)  # one image
Collated = TypeVar("Collated", covariant=True)
T = TypeVar("T")


@runtime_checkable
class Model(Protocol):
    """What every model offers."""

    @property
    def protocol(self) -> str:
        """Everything in the model's inputs and heads that can change a result.

        For example `bbox|384px|bicubic|30-words`. Results of different protocols are never
        compared.
        """
        ...

    @property
    def device(self) -> str:
        """The kind of device it computes on: `cpu`, or `cuda (NVIDIA H200)`.

        Another kind may change the last digits of a predicted number.
        """
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Everything beside the weight file that makes up the model, in JSON's types.

        For example the SHA-256 of its vocabulary. It identifies the model as the weights do.
        """
        ...

    def prepare(self, image: Image.Image) -> object:
        """Return an image as the model takes it: pixels [R, R, 3], or anything that can be pickled.

        Called from several threads at once. Images other than arrays of one shape need a model
        that is `Collating`.
        """
        ...


@runtime_checkable
class Collating(Protocol[Prepared, Collated]):
    """A model that puts the images of a batch together itself: of unequal sizes, with masks.

    The images of other models are arrays of one shape, which are stacked: [M, R, R, 3].
    """

    def collate(self, prepared: Sequence[Prepared]) -> Collated:
        """Return images [M], as `prepare` returned them, in the form that the capabilities take."""
        ...


@runtime_checkable
class Tokenizing(Protocol):
    """A model that shows its tokens, for the fingerprint of a run's inputs. No task needs it."""

    def token_ids(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        """Return the token ids of each text as the model reads it: cleaned and truncated."""
        ...


@runtime_checkable
class Grounder(Model, Protocol[Images]):
    """A model that locates what an expression refers to."""

    def ground(
        self, images: Images, expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a box [N, 4] for each expression, as (cx, cy, w, h) in 0..1 of the whole image.

        Expression n is about `images[image_of[n]]`, of images [M, R, R, 3].
        """
        ...


@runtime_checkable
class Localizer(Model, Protocol[Images]):
    """A model that shows where in an image an expression finds its evidence, without any box."""

    def localize(
        self, images: Images, expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a localization map [N, P, P] for each expression, as by Grad-CAM.

        Its cells cover the whole image, top left first; larger values are stronger evidence, and
        the scale of a map means nothing. Expression n is about `images[image_of[n]]`, of images
        [M, R, R, 3].
        """
        ...


@runtime_checkable
class Answerer(Model, Protocol[Images]):
    """A model that answers questions about images with one of a list of answers."""

    def answer(
        self,
        images: Images,
        questions: Sequence[str],
        image_of: NDArray[np.int64],
        *,
        answers: Sequence[str],
        shortlist: int,
    ) -> Sequence[int]:
        """Return the best answer to each question [N], as an index into `answers`.

        The `shortlist` answers with the likeliest first tokens are ranked in full. Question n is
        about `images[image_of[n]]`, of images [M, R, R, 3].
        """
        ...


class Judgement(NamedTuple):
    """Whether a statement is true, and its logits (false, true)."""

    answer: bool
    logits: tuple[float, float]


@runtime_checkable
class PairReasoner(Model, Protocol[Images]):
    """A model that judges statements about two images."""

    def judge(
        self, images: Images, statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> Sequence[bool | Judgement]:
        """Return whether each statement [N] is true, with its logits where the model has any.

        `images_of` [N, 2] are the indices of its left and right image in images [M, R, R, 3].
        """
        ...


@runtime_checkable
class Captioner(Model, Protocol[Images]):
    """A model that describes images."""

    def caption(self, images: Images) -> Sequence[str]:
        """Return a caption for each of the images [M, R, R, 3]."""
        ...


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
    """Images, encoded: a unit vector [M, f] for the shortlist, and a state to score pairs with.

    The states are whatever the model's `score_pairs` takes: its image tokens on a GPU, for example.
    """

    features: Array
    states: States[State]


@runtime_checkable
class PairScorer(Model, Protocol[Images, State, Texts]):
    """A model that scores an image-text pair by both together, too slowly to score every pair.

    The engine shortlists by the cosine of features, and each process scores the pairs of the images
    that it read.
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


@runtime_checkable
class Shortlisting(Protocol):
    """A model whose protocol states how many candidates are ranked. Others take the task's number.

    BLIP-2, for example, re-ranks 128 candidates of COCO's images and texts, X-VLM 256.
    """

    def shortlist_for(self, collection: str) -> int | None:
        """Return the number for a collection of images (`coco`, `flickr30k`); None: the task's."""
        ...


class AllGather(Protocol):
    """Exchanges a value with the other processes of a run."""

    def __call__(self, value: T, /) -> list[T]:
        """Return the value of each process, in order of rank."""
        ...


class Gallery(NamedTuple, Generic[ImagesOf]):
    """The images that this process encodes, of a gallery shared by all processes of a run.

    `batches` yields indices [n] in the whole gallery, images [M, R, R, 3], each distinct one once,
    and which of them each index stands for [n]. After the first call of `all_gather` the gallery
    cannot be streamed again.
    """

    batches: Iterable[tuple[Sequence[int], ImagesOf, NDArray[np.int64]]]
    all_gather: AllGather


@runtime_checkable
class AttributeMatcher(Model, Protocol[Images]):
    """A model that compares images with sentences."""

    def similarity(self, images: Images, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return the similarity [M, S] of each of the images [M, R, R, 3] and each sentence."""
        ...
