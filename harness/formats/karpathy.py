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
from harness.files.parsing import NonEmptyList, decode_json, decode_json_list
from harness.formats.folder import relative_path_within


@dataclass(frozen=True)
class CaptionedImage:
    """An image file, `folder/name` or `name` as in the annotation, and its captions."""

    image: str
    captions: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.image.rsplit("/", 1)[-1]


class _Sentence(Struct, gc=False):
    raw: str


class _Image(Struct, gc=False):
    filename: str
    split: str
    sentences: NonEmptyList[_Sentence]
    filepath: str | None = None


class _Dataset(Struct):
    images: NonEmptyList[_Image]


class _FlatImage(Struct, gc=False):
    image: str
    caption: str | list[str]


def read_karpathy(path: Path, split: str) -> list[CaptionedImage]:
    """Return the images of a split (train, restval, val, test) of an original file, in order."""
    images = []
    for number, entry in enumerate(decode_json(path, _Dataset).images):
        if entry.split == split:
            name = relative_path_within(entry.filename, where=f"{path}: images[{number}]")
            images.append(
                CaptionedImage(
                    f"{entry.filepath}/{name}" if entry.filepath else name,
                    tuple(sentence.raw for sentence in entry.sentences),
                )
            )
    return _checked(images, path)


def read_flat_captions(path: Path) -> list[CaptionedImage]:
    """Return the images of a flat list of `{"image": ..., "caption": [...]}`, in order."""
    return _checked(
        (
            CaptionedImage(
                entry.image,
                (entry.caption,) if isinstance(entry.caption, str) else tuple(entry.caption),
            )
            for entry in decode_json_list(path, _FlatImage)
        ),
        path,
    )


def coco_id(image: CaptionedImage, *, where: Path) -> int:
    """Return the id of a COCO image: the number at the end of its file name."""
    match = re.search(r"(\d+)\.\w+$", image.name)
    if match is None:
        raise DataError(f"{where}: the image {image.image!r} has no number in its name")
    return int(match[1])


def _checked(images: Iterable[CaptionedImage], path: Path) -> list[CaptionedImage]:
    by_name: dict[str, CaptionedImage] = {}
    for image in images:
        relative_path_within(image.image, where=str(path))
        if image.image in by_name:
            raise DataError(f"{path}: the image {image.image!r} occurs twice")
        if not image.captions:
            raise DataError(f"{path}: the image {image.image!r} has no caption")
        by_name[image.image] = image
    return list(by_name.values())
