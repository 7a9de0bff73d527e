"""What every model offers, and what any model may offer beside its capabilities."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import TypeVar

# The images of a batch: pixels [M, R, R, 3], or what the model's own `collate` returns.
Pixels = NDArray[np.uint8]
Images = TypeVar("Images", contravariant=True, default=Pixels)
ImagesOf = TypeVar("ImagesOf", default=Pixels)
Prepared = TypeVar("Prepared", contravariant=True)  # one image
Collated = TypeVar("Collated", covariant=True)


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
    """A model that shows its tokens: the fingerprint of a run's inputs holds them."""

    def token_ids(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        """Return the token ids of each text as the model reads it: cleaned and truncated."""
        ...


@runtime_checkable
class Shortlisting(Protocol):
    """A model whose protocol states how many candidates are ranked. Others take the task's number.

    BLIP-2, for example, re-ranks 128 candidates of COCO's images and texts, X-VLM 256.
    """

    def shortlist_for(self, collection: str) -> int | None:
        """Return how many candidates of a collection are ranked; None: as many as the task states.

        A collection is a set of images, such as `coco` or `flickr30k`, or VQA's list, `answers`.
        """
        ...


def shortlist_of(model: Model, collection: str, *, default: int) -> int:
    """Return how many candidates of a collection a model ranks, `default` if it does not say."""
    own = model.shortlist_for(collection) if isinstance(model, Shortlisting) else None
    return default if own is None else own
