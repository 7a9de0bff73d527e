"""The pictures of a sample: read as a run reads them, scaled, with their boxes drawn on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from harness.images import Region, image_file, read_views
from harness.sample_view import DETECTION, GIVEN, PREDICTION, TRUTH, MarkedBox, Picture, SampleView

# Distinct for colour-blind people (Okabe and Ito); the labels name them as well.
COLOURS = {TRUTH: "#009e73", PREDICTION: "#d55e00", DETECTION: "#999999", GIVEN: "#0072b2"}
SMALLEST = 384  # pixels of the longer side up to which a picture is enlarged for people
GAP = 12  # pixels between two pictures
BACKGROUND = "#ffffff"


@dataclass(frozen=True)
class OpenedPicture:
    """A picture scaled down to fit, in RGB, and the size of the original in pixels."""

    image: Image.Image
    width: int
    height: int


def boxes_of(picture: Picture) -> tuple[MarkedBox, ...]:
    """Return the boxes of a picture; that of a region first, as what the sample is about."""
    if not isinstance(picture.view, Region):
        return picture.boxes
    x, y, width, height = map(float, picture.view.box)
    return (MarkedBox(GIVEN, (x, y, width, height)), *picture.boxes)


def open_picture(picture: Picture, *, longest: int) -> OpenedPicture:
    """Read the whole image of a picture, at most `longest` pixels in its longer side.

    Raises MissingError for an absent file, DataError for one that cannot be decoded.
    """
    path, size = image_file(picture.view), (0, 0)
    upright = isinstance(picture.view, Region)

    def prepare(image: Image.Image) -> NDArray[np.uint8]:
        nonlocal size
        image = ImageOps.exif_transpose(image) if upright else image
        size = image.size
        scaled = image.convert("RGB")
        scaled.thumbnail((longest, longest))
        return np.asarray(scaled)

    pixels = read_views([path], prepare, needed_by="the picture of a sample")[path]
    return OpenedPicture(Image.fromarray(pixels), *size)


def draw_sample(view: SampleView, *, longest: int = 1024) -> Image.Image:
    """Return the pictures of a sample side by side, with their boxes and labels.

    Raises MissingError or DataError for an image that cannot be read.
    """
    drawn = [_draw(picture, longest=longest) for picture in view.pictures]
    if len(drawn) == 1:
        return drawn[0]
    width = sum(image.width for image in drawn) + GAP * (len(drawn) - 1)
    canvas = Image.new("RGB", (max(width, 1), max(image.height for image in drawn)), BACKGROUND)
    left = 0
    for image in drawn:
        canvas.paste(image, (left, 0))
        left += image.width + GAP
    return canvas


def file_name(title: Sequence[str], id: object) -> str:
    """Return a file name for a sample's picture, without letters that a path gives a meaning."""
    text = ".".join([*title, str(id)])
    return (
        "".join(char if char.isalnum() or char in "-_.+" else "_" for char in text)[:150] + ".png"
    )


def missing_images(view: SampleView) -> list[Path]:
    """Return the image files of a sample that are not there."""
    paths = [image_file(picture.view) for picture in view.pictures]
    return [path for path in paths if not path.is_file()]


def _draw(picture: Picture, *, longest: int) -> Image.Image:
    opened = open_picture(picture, longest=longest)
    image = opened.image
    if max(image.size) < SMALLEST:
        factor = -(-SMALLEST // max(image.size))
        image = image.resize(
            (image.width * factor, image.height * factor), Image.Resampling.LANCZOS
        )
    scale = image.width / opened.width
    canvas = ImageDraw.Draw(image)
    line = max(2, round(max(image.size) / 200))
    for box in boxes_of(picture):
        _draw_box(canvas, box, scale=scale, line=line)
    return image


def _draw_box(canvas: ImageDraw.ImageDraw, box: MarkedBox, *, scale: float, line: int) -> None:
    x, y, width, height = (number * scale for number in box.box)
    corners = sorted((x, x + width)), sorted((y, y + height))
    (left, right), (top, bottom) = corners
    colour = COLOURS.get(box.role, COLOURS[DETECTION])
    canvas.rectangle((left, top, right, bottom), outline=colour, width=line)
    if box.role == DETECTION:
        return
    label = box.label or box.role
    # The label of a prediction stands below its box, so that it does not cover that of the truth.
    anchor = (left, bottom) if box.role == PREDICTION else (left, max(top - 12, 0))
    area = canvas.textbbox(anchor, label)
    canvas.rectangle((area[0] - 2, area[1] - 1, area[2] + 2, area[3] + 1), fill=colour)
    canvas.text(anchor, label, fill="#ffffff")
