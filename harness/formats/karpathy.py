"""Read captions by the Karpathy split: the original `dataset_{coco,flickr30k}.json`, and the flat lists of ALBEF, BLIP and X-VLM."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.files.parsing import Item, items, read_json
from harness.formats.folder import relative_path_within


@dataclass(frozen=True)
class Picture:
    """An image and what people said of it; `image` is its file, `folder/name` or `name`, as the annotation has it."""

    image: str
    captions: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.image.rsplit("/", 1)[-1]


def read_karpathy(path: Path, split: str) -> list[Picture]:
    """Return the pictures of a split (train, restval, val, test) of an original file, in its order."""
    pictures = []
    for image in Item(read_json(path), str(path)).items("images"):
        if image.get("split", str) == split:
            folder = image.optional("filepath", str)
            name = relative_path_within(image.get("filename", str), where=image.where)
            captions = tuple(sentence.get("raw", str) for sentence in image.items("sentences"))
            pictures.append(Picture(f"{folder}/{name}" if folder else name, captions))
    return _checked(pictures, path)


def read_flat_captions(path: Path) -> list[Picture]:
    """Return the pictures of a flat list of `{"image": ..., "caption": [...]}`, in its order."""
    return _checked(
        [
            Picture(entry.get("image", str), entry.texts("caption"))
            for entry in items(read_json(path), str(path))
        ],
        path,
    )


def coco_id(picture: Picture, *, where: Path) -> int:
    """Return the number of a COCO image, which its file name ends in."""
    match = re.search(r"(\d+)\.\w+$", picture.name)
    if match is None:
        raise DataError(f"{where}: the image {picture.image!r} has no number in its name")
    return int(match[1])


def _checked(pictures: Iterable[Picture], path: Path) -> list[Picture]:
    found: dict[str, Picture] = {}
    for picture in pictures:
        relative_path_within(picture.image, where=str(path))
        if picture.image in found:
            raise DataError(f"{path}: the image {picture.image!r} occurs twice")
        if not picture.captions:
            raise DataError(f"{path}: the image {picture.image!r} has no caption")
        found[picture.image] = picture
    return list(found.values())
