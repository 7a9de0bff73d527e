"""What a model can do, as Protocols: raw text and prepared images in, NumPy out. Tasks and models meet here and nowhere else.

Implementing one of them is all it takes to bring in another model family; a task asks for the one it `needs`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

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
    def made_of(self) -> Mapping[str, Any]:
        """What the model was made of beside its weight file, e.g. the hash of its vocabulary: as much a part of it as the weights."""
        ...

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image as the model wants it, [R, R, 3]. Called from several threads at once."""
        ...


@runtime_checkable
class Grounder(Model, Protocol):
    """A model that finds what an expression refers to."""

    def ground(self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a box for each expression, [N, 4], as (cx, cy, w, h) in 0..1 of the whole image.

        `images` [M, R, R, 3] come from `prepare`; expression n is about `images[image_of[n]]`.
        """
        ...
