"""What a model can do, as Protocols. Tasks and models meet here and nowhere else.

    Grounder          an expression and its image -> a box
    Localizer         an expression and its image -> a map of the image
    Answerer          a question, its image and a list of answers -> one of the answers
    AnswerGenerator   a question and its image -> an answer in free words
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

A model may offer more: `Tokenizing` below, and `harness.workload.CostModel`. Where a batch does
not fit into memory, it raises `harness.errors.MemoryFull` and is called again with smaller ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Candidates are ranked by the matching score, its sum with the cosine, or the cosine alone.
Ranking = Literal["itm", "itm+itc", "itc"]


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

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image [R, R, 3] as the model takes it. Called from several threads at once."""
        ...


@runtime_checkable
class Tokenizing(Protocol):
    """A model that shows its tokens, for the fingerprint of a run's inputs. No task needs it."""

    def token_ids(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        """Return the token ids of each text as the model reads it: cleaned and truncated."""
        ...


def shortlist_of(model: Any, released: int) -> int:
    """Return how many candidates a model ranks: its attribute `shortlist`, if it has any.

    By default as many as in the task's protocol, `released`.
    """
    own: int | None = getattr(model, "shortlist", None)
    return own or released


@runtime_checkable
class Grounder(Model, Protocol):
    """A model that locates what an expression refers to."""

    def ground(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a box [N, 4] for each expression, as (cx, cy, w, h) in 0..1 of the whole image.

        Expression n is about `images[image_of[n]]`, of images [M, R, R, 3].
        """
        ...


@runtime_checkable
class Localizer(Model, Protocol):
    """A model that shows where in an image an expression finds its evidence, without any box."""

    def localize(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a localization map [N, P, P] for each expression, as by Grad-CAM.

        Its cells cover the whole image, top left first; larger values are stronger evidence, and
        the scale of a map means nothing. Expression n is about `images[image_of[n]]`, of images
        [M, R, R, 3].
        """
        ...


@runtime_checkable
class Answerer(Model, Protocol):
    """A model that answers questions about images with one of a list of answers."""

    def answer(
        self,
        images: NDArray[np.uint8],
        questions: Sequence[str],
        image_of: NDArray[np.int64],
        *,
        answers: Sequence[str],
        shortlist: int,
    ) -> Sequence[int]:
        """Return the best answer to each question [N], as an index into `answers`.

        The `shortlist` answers with the likeliest first tokens are ranked in full; a model whose
        protocol has another number than the task's states it as its attribute `shortlist`. Question
        n is about `images[image_of[n]]`, of images [M, R, R, 3].
        """
        ...


@runtime_checkable
class AnswerGenerator(Model, Protocol):
    """A model that answers questions about images in words of its own."""

    def generate_answers(
        self, images: NDArray[np.uint8], questions: Sequence[str], image_of: NDArray[np.int64]
    ) -> Sequence[str]:
        """Return an answer to each question [N], as text.

        Question n is about `images[image_of[n]]`, of images [M, R, R, 3].
        """
        ...


class Judgement(NamedTuple):
    """Whether a statement is true, and its logits (false, true)."""

    answer: bool
    logits: tuple[float, float]


@runtime_checkable
class PairReasoner(Model, Protocol):
    """A model that judges statements about two images."""

    def judge(
        self, images: NDArray[np.uint8], statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> Sequence[bool | Judgement]:
        """Return whether each statement [N] is true, with its logits where the model has any.

        `images_of` [N, 2] are the indices of its left and right image in images [M, R, R, 3].
        """
        ...


@runtime_checkable
class Captioner(Model, Protocol):
    """A model that describes images."""

    def caption(self, images: NDArray[np.uint8]) -> Sequence[str]:
        """Return a caption for each of the images [M, R, R, 3]."""
        ...


class Array(Protocol):
    """A NumPy array, or a torch tensor on any device."""

    @property
    def shape(self) -> Sequence[int]:
        """The length of each axis."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@runtime_checkable
class DualEncoder(Model, Protocol):
    """A model that compares images and texts by the cosine of one feature vector of each.

    Retrieval ranks by it, and OVAD compares crops with sentences.
    """

    def encode_images(self, images: NDArray[np.uint8]) -> Array:
        """Return the unit vectors [M, f] of images [M, R, R, 3]."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """Return the unit vectors [T, f] of texts."""
        ...


class EncodedImages(NamedTuple):
    """Images, encoded: a unit vector [M, f] for the shortlist, and a state to score pairs with.

    The states are whatever the model's `score_pairs` takes: its image tokens on a GPU, for example.
    """

    features: Array
    states: Array | Sequence[Any]


class EncodedTexts(Protocol):
    """Texts, encoded: `features` [T, f] for the shortlist, and what else `score_pairs` wants."""

    @property
    def features(self) -> Array: ...


@runtime_checkable
class PairScorer(Model, Protocol):
    """A model that scores an image-text pair by both together, too slowly to score every pair.

    The engine shortlists by the cosine of features, and each process scores the pairs of the images
    that it read. A model whose protocol ranks another number of candidates than the task's states
    it as its attribute `shortlist`.
    """

    @property
    def ranking(self) -> Ranking:
        """The protocol by which shortlisted candidates are ranked: `itm`, or `itm+itc`."""
        ...

    def read_images(self, images: NDArray[np.uint8]) -> EncodedImages:
        """Encode images [M, R, R, 3]."""
        ...

    def read_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """Encode all texts of a gallery."""
        ...

    def score_pairs(self, image: Any, texts: Any, candidates: NDArray[np.int64]) -> Array:
        """Return the matching scores [n] of one image, by its state, and the texts `candidates`.

        `candidates` [n] are indices into `texts`, which `read_texts` returned.
        """
        ...


class Matches(NamedTuple):
    """The texts [n] that one image of a gallery was compared with, and their scores.

    image      index of the image in the whole gallery
    texts      indices [n] of the texts: the image's own shortlist, and every text whose shortlist
               contains the image
    itc        image-text contrast: the similarity [n] of the features
    itm        image-text matching: the scores [n] of a PairScorer; None for a DualEncoder
    ranking    the protocol that ranks them
    shortlist  how many candidates of each image and text were ranked; 0: as many as the task says
    """

    image: int
    texts: NDArray[np.int64]
    itc: NDArray[np.float32]
    itm: NDArray[np.float32] | None
    ranking: Ranking
    shortlist: int = 0


class Gallery(NamedTuple):
    """The images that this process encodes, of a gallery shared by all processes of a run.

    `batches` yields indices [n] in the whole gallery, images [M, R, R, 3], each distinct one once,
    and which of them each index stands for [n]. `all_gather` exchanges a value with the other
    processes: it returns the value of each, in order of rank. After the first call the gallery
    cannot be streamed again.
    """

    batches: Iterable[tuple[Sequence[int], NDArray[np.uint8], NDArray[np.int64]]]
    all_gather: Callable[[Any], list[Any]]


@runtime_checkable
class AttributeMatcher(Model, Protocol):
    """A model that compares images with sentences."""

    def similarity(
        self, images: NDArray[np.uint8], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return the similarity [M, S] of each of the images [M, R, R, 3] and each sentence."""
        ...


class AttributePrompts(NamedTuple):
    """How sentences stand for an attribute in OVAD: a model's `attribute_prompts`, if it has any.

    prompt   the templates: `a`, `the`, `none`, `photo`, or `all`, which is the first three
    pooling  of the similarities of an attribute's sentences: `mean`, or `max`
    """

    prompt: str = "all"
    pooling: str = "mean"
