"""Read captions by the Karpathy split: the original files, and flat lists made from them.

Formats: `dataset_{coco,flickr30k}.json` (Karpathy & Fei-Fei 2015) and the `{dataset}_{split}.json`
of ALBEF, BLIP and X-VLM.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from harness.errors import DataError
from harness.files.parsing import Int64, NonEmptyList, decode_json, decode_json_list
from harness.files.reads import shared
from harness.formats.folder import relative_path_within

COCO_NAME = re.compile(r"COCO_[a-z]+\d{4}_(\d{12})\.\w+")
LAST_NUMBER = re.compile(r"(\d+)\.\w+$")


@dataclass(frozen=True)
class CaptionedImage:
    """An image file, `folder/name` or `name` as in the annotation, and its captions.

    `number` is the id that the annotation gives the image: `cocoid`, else `imgid`; None in a list
    without ids.
    """

    image: str
    captions: tuple[str, ...]
    number: int | None = None


class _Sentence(Struct, gc=False):
    raw: str


class _Image(Struct, gc=False):
    filename: str
    split: str
    sentences: NonEmptyList[_Sentence]
    filepath: str | None = None
    cocoid: Int64 | None = None
    imgid: Int64 | None = None


class _Dataset(Struct):
    images: NonEmptyList[_Image]


class _FlatImage(Struct, gc=False):
    image: str
    caption: str | list[str]
    image_id: int | str | None = None


def read_karpathy(path: Path, split: str) -> list[CaptionedImage]:
    """Return the images of a split (train, restval, val, test) of an original file, in order."""
    images = []
    for number, entry in enumerate(_read_images(path)):
        if entry.split == split:
            name = relative_path_within(entry.filename, where=f"{path}: images[{number}]")
            images.append(
                CaptionedImage(
                    f"{entry.filepath}/{name}" if entry.filepath else name,
                    tuple(sentence.raw for sentence in entry.sentences),
                    entry.imgid if entry.cocoid is None else entry.cocoid,
                )
            )
    return _checked(images, path)


@shared
def _read_images(path: Path) -> list[_Image]:
    return decode_json(path, _Dataset).images


def read_flat_captions(path: Path, *, repeated: bool = False) -> list[CaptionedImage]:
    """Return the images of a flat list of `{"image": ..., "caption": [...]}`, in order.

    Raises DataError for an image that occurs twice, unless `repeated` allows it.
    """
    return _checked(
        (
            CaptionedImage(
                entry.image,
                (entry.caption,) if isinstance(entry.caption, str) else tuple(entry.caption),
                entry.image_id if isinstance(entry.image_id, int) else None,
            )
            for entry in decode_json_list(path, _FlatImage)
        ),
        path,
        repeated=repeated,
    )


def read_captioned_images(path: Path, split: str) -> list[CaptionedImage]:
    """Return the images of a split from Karpathy's file or from a list of the split.

    Raises DataError for a file without such an image.
    """
    karpathy = path.name.startswith("dataset_")
    images = read_karpathy(path, split) if karpathy else read_flat_captions(path)
    if not images:
        raise DataError(f"{path}: has no image of the split {split}")
    return images


def caption_id(image: CaptionedImage) -> int | str:
    """Return the id of an image in COCO's caption results.

    It is COCO's own number, from the file name or the annotation. In a list of other images, it is
    the number at the end of the file name, as in X-VLM's code; without one, the whole name.
    """
    name = image.image.rsplit("/", 1)[-1]
    if match := COCO_NAME.fullmatch(name):
        return int(match[1])
    if image.number is not None:
        return image.number
    match = LAST_NUMBER.search(name)
    return int(match[1]) if match else image.image


def _checked(
    images: Iterable[CaptionedImage], path: Path, *, repeated: bool = False
) -> list[CaptionedImage]:
    checked: list[CaptionedImage] = []
    names: set[str] = set()
    for image in images:
        relative_path_within(image.image, where=str(path))
        if image.image in names and not repeated:
            raise DataError(f"{path}: the image {image.image!r} occurs twice")
        if not image.captions:
            raise DataError(f"{path}: the image {image.image!r} has no caption")
        names.add(image.image)
        checked.append(image)
    return checked
