"""Capabilities that predict an answer, a box or a caption for each sample of a batch."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness.capabilities.model import Images, Model


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

        The `shortlist` answers with the likeliest first tokens are ranked in full: the task's
        number, or that of a `Shortlisting` model. Question n is about `images[image_of[n]]`, of
        images [M, R, R, 3].
        """
        ...


@runtime_checkable
class AnswerGenerator(Model, Protocol[Images]):
    """A model that answers questions about images in words of its own."""

    def generate_answers(
        self, images: Images, questions: Sequence[str], image_of: NDArray[np.int64]
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


@runtime_checkable
class AttributeMatcher(Model, Protocol[Images]):
    """A model that compares images with sentences."""

    def similarity(self, images: Images, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return the similarity [M, S] of each of the images [M, R, R, 3] and each sentence."""
        ...


class AttributePrompts(NamedTuple):
    """How sentences stand for an attribute in OVAD: a model's `attribute_prompts`, if it has any.

    prompt   the templates: `a`, `the`, `none`, `photo`, or `all`, which is the first three
    pooling  of the similarities of an attribute's sentences: `mean`, or `max`
    """

    prompt: str = "all"
    pooling: str = "mean"
