"""The pictures of a sample: read as a run reads them, scaled, with their boxes drawn on them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from harness.images import Region, image_file, read_views
from harness.sample_view import DETECTION, GIVEN, PREDICTION, TRUTH, MarkedBox, Picture, SampleView

# Distinct for colour-blind people (Okabe and Ito); the labels name them as well.
COLOURS = {TRUTH: "#009e73", PREDICTION: "#d55e00", DETECTION: "#999999", GIVEN: "#0072b2"}
SMALLEST, LARGEST = 384, 1024  # pixels of the longer side of a drawn picture
GAP = 12  # pixels between two pictures
BACKGROUND = "#ffffff"


@dataclass(frozen=True)
class OpenedPicture:
    """A picture scaled down to fit, in RGB, and the size of the original in pixels."""

    image: Image.Image
    width: int
    height: int


def boxes_of(picture: Picture) -> tuple[MarkedBox, ...]:
    """Return the boxes of a picture; a region, which is the subject of its sample, comes first."""
    if not isinstance(picture.view, Region):
        return picture.boxes
    x, y, width, height = map(float, picture.view.box)
    return (MarkedBox(GIVEN, (x, y, width, height)), *picture.boxes)


def open_picture(picture: Picture, *, longest: int) -> OpenedPicture:
    """Read the whole image of a picture; its longer side is scaled down to `longest` pixels.

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


def draw_sample(view: SampleView) -> Image.Image:
    """Return the pictures of a sample side by side, with their boxes and labels.

    Raises MissingError or DataError for an image that cannot be read.
    """
    drawn = [_draw(picture) for picture in view.pictures]
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
    """Return a PNG file name for a sample; characters that are special in paths become `_`."""
    text = ".".join([*title, str(id)])
    return (
        "".join(char if char.isalnum() or char in "-_.+" else "_" for char in text)[:150] + ".png"
    )


def _draw(picture: Picture) -> Image.Image:
    opened = open_picture(picture, longest=LARGEST)
    image = opened.image
    if max(image.size) < SMALLEST:
        factor = math.ceil(SMALLEST / max(image.size))
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
    left, right = sorted((x, x + width))  # a predicted box may have a negative size
    top, bottom = sorted((y, y + height))
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
