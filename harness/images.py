"""Image files and regions of them: naming, decoding and cropping."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from harness.errors import DataError, MissingError


@dataclass(frozen=True)
class Region:
    """A region of an image file: `box` is (left, top, width, height) in whole pixels.

    The pixels are those of the upright image, after the orientation in its EXIF data.
    """

    path: Path
    box: tuple[int, int, int, int]


View = Path | Region  # what a sample shows: a whole image file as stored, or a region of one
Prepare = Callable[[Image.Image], NDArray[np.uint8]]
Prepared = dict[View, NDArray[np.uint8]]


def image_file(view: View) -> Path:
    """Return the file of a view."""
    return view.path if isinstance(view, Region) else view


_link_roots: tuple[Path, ...] = ()  # folders that links and absolute names may lead into


@contextmanager
def allowing_links(roots: Sequence[Path]) -> Iterator[None]:
    """Let links of single images, and absolute names in annotations, lead into these folders.

    Hugging Face's cache, DVC and git-annex keep files elsewhere, with a link to each. For one
    command at a time, as other threads see it too.
    """
    global _link_roots
    earlier, _link_roots = _link_roots, tuple(roots)
    try:
        yield
    finally:
        _link_roots = earlier


def may_name(path: Path) -> bool:
    """Return whether an annotation may name an absolute path: it lies in a folder of links."""
    return path.is_absolute() and is_within(path, _link_roots)


def is_within(path: Path, roots: Iterable[Path]) -> bool:
    """Return whether a path lies in one of the folders, once all links are followed."""
    target = path.resolve()
    return any(target.is_relative_to(root.resolve()) for root in roots)


def read_views(views: Sequence[View], prepare: Prepare, *, needed_by: str) -> Prepared:
    """Decode the image file that `views` share, once, and prepare every view of it.

    Raises MissingError for an absent file and DataError for one that cannot be decoded, naming the
    file and what it is `needed_by`.
    """
    path = image_file(views[0])
    if path.exists() and not path.is_file():  # opening a pipe would block for ever
        raise DataError(f"{path}: is not a file (needed by {needed_by}); get the image again")
    # An annotation must not reach files elsewhere by a link beside the images.
    if path.is_symlink() and not is_within(path, (path.parent, *_link_roots)):
        raise DataError(
            f"{path}: is a link that leads out of its folder (needed by {needed_by}); "
            "link the whole folder instead, or name the folder that holds the files: "
            "--allow-links DIR"
        )
    try:
        with Image.open(path) as image:
            image.load()
            return {
                view: prepare(_crop(image, view.box) if isinstance(view, Region) else image)
                for view in views
            }
    except FileNotFoundError as error:
        raise MissingError(f"{path}: no such image (needed by {needed_by})") from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"{path}: is not an image that Pillow can read (needed by {needed_by}); "
            "get the file again"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: cannot be decoded: {error} (needed by {needed_by}); get the file again"
        ) from error


def _crop(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return a region of an image, upright and in RGB, clipped at the borders.

    Raises ValueError for a region outside of the image.
    """
    upright = ImageOps.exif_transpose(image).convert("RGB")
    x, y, width, height = box
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, upright.width), min(y + height, upright.height)
    if left >= right or top >= bottom:
        raise ValueError(
            f"the region {list(box)} lies outside of the {upright.width} x {upright.height} pixels"
        )
    return upright.crop((left, top, right, bottom))
