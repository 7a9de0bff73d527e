"""Open the pictures that a user hands over, and prepare them for a model."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.capabilities import Model
from harness.errors import DataError, UsageError
from harness.files.paths import expanded
from harness.images import STRICT, View, decoding, read_views
from harness.running.prepared import collate_of, together

# A Pillow image, the path of an image file, or an array [H, W, 3] of uint8.
Picture = Any


def open_picture(picture: Picture) -> Image.Image:
    """Return a picture as a Pillow image, decoded.

    As in the benchmarks, a note of a camera about its orientation (EXIF) is not followed. Raises
    MissingError for an absent file, DataError for one that cannot be decoded, UsageError for
    anything but a picture.
    """
    if isinstance(picture, Image.Image):
        try:
            picture.load()
        except (OSError, ValueError) as error:  # closed, or its file is truncated
            raise DataError(f"the image {picture!r} cannot be read: {error}") from error
        return _not_empty(picture)
    if isinstance(picture, str | PathLike):
        path = expanded(picture)
        with decoding(STRICT):
            copies: dict[Any, Any] = read_views([path], _copied, needed_by="the caller")
        image: Image.Image = copies[path]
        return image
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim in (2, 3):
        try:
            return _not_empty(Image.fromarray(picture))
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"an array of shape {list(picture.shape)} is not an image; [H, W, 3] is"
            ) from error
    raise UsageError(
        f"an image should be a Pillow image, a path, or an array [H, W, 3] of uint8, not "
        f"{type(picture).__name__}"
    )


def _not_empty(image: Image.Image) -> Image.Image:
    """Return an image. Raises UsageError for one without pixels."""
    if 0 in image.size:
        raise UsageError(f"an image of {image.width} x {image.height} pixels has none to look at")
    return image


def are_several(pictures: Any) -> bool:
    """Return whether the user handed over a list of pictures rather than one."""
    return isinstance(pictures, list | tuple)


def prepared(model: Model, pictures: Sequence[Image.Image]) -> Any:
    """Return pictures [M, ...] as the model takes them: stacked, or put together by its `collate`.

    Raises ModelError where the model prepares them in different shapes and does neither.
    """
    images: dict[View, Any] = {
        Path(f"image {number}"): model.prepare(picture)
        for number, picture in enumerate(pictures, start=1)
    }
    return together(images, collate_of(model))


def _copied(image: Image.Image) -> Any:
    """Return an image that outlives its file."""
    return image.copy()
