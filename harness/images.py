"""Image files and parts of them: naming, decoding and cropping."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from harness.errors import DataError, MissingError


@dataclass(frozen=True)
class Region:
    """A part of an image file: left, top, width and height in whole pixels of the upright image (the orientation in its EXIF applied)."""

    path: Path
    box: tuple[int, int, int, int]


View = Path | Region  # what a sample shows: a whole image file, as stored, or a part of one


def image_file(view: View) -> Path:
    """Return the file that a view is of."""
    return view.path if isinstance(view, Region) else view


Prepare = Callable[[Image.Image], NDArray[np.uint8]]
Prepared = dict[View, NDArray[np.uint8]]


def read_views(views: Sequence[View], prepare: Prepare, *, needed_by: str) -> Prepared:
    """Decode an image file and prepare every view of it.

    Raises MissingError or DataError for a file that is not there or cannot be decoded, naming it and what it is `needed_by`.
    """
    path = image_file(views[0])
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise DataError(f"{path}: is not a file (needed by {needed_by}); get the image again")
    if path.is_symlink() and not path.resolve().is_relative_to(
        path.parent.resolve()
    ):  # an annotation may not show what lies elsewhere
        raise DataError(
            f"{path}: is a link that leads out of its folder (needed by {needed_by}); link the whole folder instead"
        )
    try:
        with Image.open(path) as image:
            image.load()
            return {
                view: prepare(_cut(image, view.box) if isinstance(view, Region) else image)
                for view in views
            }
    except FileNotFoundError as error:
        raise MissingError(f"{path}: no such image (needed by {needed_by})") from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"{path}: is no image that Pillow can read (needed by {needed_by}); get the file again"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: cannot be decoded: {error} (needed by {needed_by}); get the file again"
        ) from error


def _cut(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return a part of an image, upright and in colour; what lies beyond the border is cut off. Raises ValueError where nothing is left."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    x, y, width, height = box
    left, top, right, bottom = (
        max(x, 0),
        max(y, 0),
        min(x + width, upright.width),
        min(y + height, upright.height),
    )
    if left >= right or top >= bottom:
        raise ValueError(
            f"the region {list(box)} lies outside of the {upright.width} x {upright.height} pixels"
        )
    return upright.crop((left, top, right, bottom))
