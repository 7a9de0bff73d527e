"""Image files and regions of them: naming, decoding and cropping.

Two policies decide which files are images (`decoding`). `strict` refuses a file that Pillow decodes
only in part, or into other pixels than it holds. `as-reference` reads what X-VLM's own code reads:
its datasets set `LOAD_TRUNCATED_IMAGES = True` and `MAX_IMAGE_PIXELS = None`, and convert every
picture to RGB by Pillow.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from harness.errors import DataError, MissingError
from harness.files.kinds import describe_other_kind

STRICT, AS_REFERENCE = POLICIES = ("strict", "as-reference")
PIXEL_LIMIT = 89_478_485  # Pillow's default: it refuses images of more than twice as many pixels
ORIENTATION = 0x0112  # EXIF: 1 for upright, 5 to 8 for a quarter turn
UPRIGHT, QUARTER_TURN = 1, 5
# Modes of more than 8 bits a pixel. Pillow clips them to RGB, so values above 255 turn white.
WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class Region:
    """A region of an image file: `box` is (left, top, width, height) in whole pixels.

    The pixels are those of the upright image, after the orientation in its EXIF data.
    """

    path: Path
    box: tuple[int, int, int, int]


View = Path | Region  # what a sample shows: a whole image file as stored, or a region of one
Prepare = Callable[[Image.Image], NDArray[np.uint8]]  # to pixels [R, R, 3]
PrepareAny = Callable[[Image.Image], Any]  # to whatever the model can put together
Prepared = dict[View, Any]


def image_file(view: View) -> Path:
    """Return the file of a view."""
    return view.path if isinstance(view, Region) else view


class Head(NamedTuple):
    """The size of an image in pixels as stored, and its EXIF orientation: from 1, upright, to 8."""

    width: int
    height: int
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height once the orientation is obeyed."""
        turned = self.orientation >= QUARTER_TURN
        return (self.height, self.width) if turned else (self.width, self.height)


def read_head(path: Path) -> Head:
    """Read the head of an image file, and of most files no pixel.

    Raises whatever Pillow raises for a damaged one.
    """
    with Image.open(path) as image:
        # Pillow decodes all of a PNG to find a note behind its pixels.
        noted = image.format != "PNG" or "exif" in image.info
        orientation = image.getexif().get(ORIENTATION, UPRIGHT) if noted else UPRIGHT
        if not isinstance(orientation, int) or not UPRIGHT <= orientation <= 8:
            orientation = UPRIGHT
        if image.format == "TIFF" and orientation > UPRIGHT:
            image.load()  # turns it upright; releases of Pillow differ in its size before
            orientation = UPRIGHT
        width, height = image.size
        return Head(width, height, orientation)


@contextmanager
def decoding(policy: str) -> Iterator[None]:
    """Decode images by one of the POLICIES within a block, in all threads of the process.

    Pillow keeps both switches in module variables, which other packages may have set.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    as_reference = policy == AS_REFERENCE
    ImageFile.LOAD_TRUNCATED_IMAGES = as_reference
    Image.MAX_IMAGE_PIXELS = None if as_reference else PIXEL_LIMIT
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = before


_link_roots: tuple[Path, ...] = ()  # folders that links and absolute names may lead into


@contextmanager
def allowing_links(roots: Sequence[Path]) -> Iterator[None]:
    """Let links of single images, and absolute names in annotations, lead into these folders.

    Hugging Face's cache, DVC and git-annex keep files elsewhere, with a link to each. The folders
    hold for all threads of the process, so only one command at a time may allow them.
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


def leads_out(path: Path) -> bool:
    """Return whether an image is a link to a file elsewhere, outside of the folders of links.

    An annotation must not reach such files. A link to itself leads nowhere.
    """
    try:
        return path.is_symlink() and not is_within(path, (path.parent, *_link_roots))
    except RuntimeError:  # of links in a circle, by Python 3.11 and 3.12
        return False


def read_views(views: Sequence[View], prepare: PrepareAny, *, needed_by: str) -> Prepared:
    """Decode the image file that `views` share, once, and prepare every view of it.

    Raises MissingError for an absent file and DataError for one that cannot be decoded by the
    policy in force (see `decoding`), naming the file and what it is `needed_by`; and what `prepare`
    raises, with a note that names them.
    """
    path = image_file(views[0])
    if path.exists() and not path.is_file():  # opening a pipe would block for ever
        raise DataError(f"{path}: is not a file (needed by {needed_by}); get the image again")
    if leads_out(path):
        raise DataError(
            f"{path}: is a link that leads out of its folder (needed by {needed_by}); "
            "link the whole folder instead, or name the folder that holds the files: "
            "--allow-links DIR"
        )
    images = _decode(path, views, needed_by)
    try:
        return {view: prepare(image) for view, image in images.items()}
    except Exception as error:
        kinds = (OSError, SyntaxError, ValueError)  # of a conversion to RGB, for example
        if isinstance(error, kinds) and _is_raised_by_pillow(error):
            raise _undecodable(path, error, needed_by) from error
        error.add_note(f"prepare of {path}, needed by {needed_by}")
        raise


def _decode(path: Path, views: Sequence[View], needed_by: str) -> dict[View, Image.Image]:
    """Return every view of a file as an image in memory; raises the errors of `read_views`."""
    try:
        with Image.open(path) as image:
            image.load()
            if image.mode in WIDE_MODES and not ImageFile.LOAD_TRUNCATED_IMAGES:
                raise DataError(
                    f"{path}: has more than 8 bits a pixel (mode {image.mode}), and values above "
                    f"255 would turn white (needed by {needed_by}); save it with 8 bits, or pass "
                    f"--images {AS_REFERENCE} to evaluate it as X-VLM's code does"
                )
            if not any(isinstance(view, Region) for view in views):
                return dict.fromkeys(views, image)
            upright = _rgb_by_opencv(ImageOps.exif_transpose(image))
            return {
                view: _crop(upright, view) if isinstance(view, Region) else image for view in views
            }
    except (DataError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise MissingError(f"{path}: no such image (needed by {needed_by})") from error
    except UnidentifiedImageError as error:
        problem = describe_other_kind(path, "image") or (
            f"{path}: is not an image that Pillow can read; get the file again"
        )
        raise DataError(f"{problem} (needed by {needed_by})") from error
    # A decoder may raise anything for a damaged file: Pillow's plugins raise RuntimeError,
    # NotImplementedError, KeyError, struct.error and more.
    except Exception as error:
        raise _undecodable(path, error, needed_by) from error


def _undecodable(path: Path, error: Exception, needed_by: str) -> DataError:
    text = str(error) if isinstance(error, OSError | SyntaxError | ValueError) else ""
    reason = " ".join((text or f"{type(error).__name__} {error}").split())[:200]
    remedy = "get the file again"
    if isinstance(error, Image.DecompressionBombError) or "truncated" in reason:
        remedy += f", or pass --images {AS_REFERENCE} to read it as X-VLM's code does"
    return DataError(f"{path}: cannot be decoded: {reason} (needed by {needed_by}); {remedy}")


def _is_raised_by_pillow(error: Exception) -> bool:
    """Return whether Pillow raised an error: it is about the image, not in the model's own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("PIL.")


def _crop(upright: Image.Image, region: Region) -> Image.Image:
    """Return a region of an upright RGB image, clipped at the borders.

    Raises ValueError for a region outside of the image.
    """
    x, y, width, height = region.box
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, upright.width), min(y + height, upright.height)
    if left >= right or top >= bottom:
        raise ValueError(
            f"the region {list(region.box)} lies outside of the "
            f"{upright.width} x {upright.height} pixels"
        )
    return upright.crop((left, top, right, bottom))


def _rgb_by_opencv(image: Image.Image) -> Image.Image:
    """Return an image in RGB as OpenCV decodes it; Pillow's colours of CMYK differ by up to 2.

    OVAD's script crops what `cv2.imread` returns: of a CMYK JPEG, whose values are stored inverted,
    `k - ((255 - c) * k >> 8)` for each colour c (OpenCV, `icvCvt_CMYK2BGR_8u_C4C3R`).
    """
    if image.mode != "CMYK":
        return image.convert("RGB")
    stored = 255 - np.asarray(image).astype(np.int32)  # Pillow inverts them when it decodes
    colours, black = stored[..., :3], stored[..., 3:]
    return Image.fromarray((black - ((255 - colours) * black >> 8)).astype(np.uint8))
