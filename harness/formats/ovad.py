"""Read OVAD's box annotations: the attributes, and the boxes that count with their labels.

Format: OVAD-Benchmark/ovad-benchmark-code, `ovad2000.json` (Bravo et al. 2023).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from harness.errors import DataError
from harness.files.parsing import Finite, Int64, NonEmptyList, decode_json

MIN_AREA = 50.0  # boxes with a smaller `area` field are left out (tools/extract_obj_boxes.py)
KINDS = ("is", "has")
LABELS = frozenset({-1, 0, 1})


@dataclass(frozen=True)
class Attribute:
    """An attribute: `name` is `type:synonym/synonym`, `is_has_att` the verb of its sentences.

    `freq_set` is head, medium or tail.
    """

    id: int
    name: str
    is_has_att: str
    freq_set: str


@dataclass(frozen=True)
class Box:
    """A labelled box, (x, y, w, h) in whole pixels.

    `labels` has 1 for each attribute the object has, 0 for each it lacks, and -1 for unknown.
    """

    id: int
    file_name: str
    pixels: tuple[int, int, int, int]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Annotations:
    """All attributes in the order of their ids, and the boxes that count, in file order."""

    attributes: tuple[Attribute, ...]
    boxes: tuple[Box, ...]


class _Attribute(Struct):
    id: Int64
    name: str
    is_has_att: str
    freq_set: str


class _Image(Struct, gc=False):
    id: Int64
    file_name: str


class _Annotation(Struct, gc=False):
    id: Int64
    image_id: Int64
    area: Finite
    bbox: tuple[Finite, Finite, Finite, Finite]
    att_vec: list[Int64]


class _File(Struct):
    attributes: NonEmptyList[_Attribute]
    images: NonEmptyList[_Image]
    annotations: NonEmptyList[_Annotation]


def read_ovad(path: Path) -> Annotations:
    """Read `ovad2000.json`. Coordinates are truncated to whole pixels, as in the official tool."""
    file = decode_json(path, _File)
    attributes = tuple(
        _attribute(entry, f"{path}: attributes[{number}]")
        for number, entry in enumerate(file.attributes)
    )
    if [attribute.id for attribute in attributes] != list(range(len(attributes))):
        raise DataError(
            f"{path}: the ids of its attributes should count from 0, in order: "
            "labels refer to attributes by position"
        )
    images: dict[int, str] = {}
    for number, image in enumerate(file.images):
        if image.id in images:
            raise DataError(f"{path}: images[{number}]: the id {image.id} occurs twice")
        images[image.id] = image.file_name
    boxes: dict[int, Box] = {}
    for number, entry in enumerate(file.annotations):
        if entry.area < MIN_AREA:
            continue
        where = f"{path}: annotations[{number}]"
        if entry.id in boxes:
            raise DataError(f"{where}: the id {entry.id} occurs twice")
        boxes[entry.id] = _box(entry, images, attributes=len(attributes), where=where)
    if not boxes:
        raise DataError(f"{path}: has no box with an area of {MIN_AREA:.0f} pixels or more")
    return Annotations(attributes, tuple(boxes.values()))


def _attribute(entry: _Attribute, where: str) -> Attribute:
    if entry.name.count(":") != 1:
        raise DataError(f"{where}.name should be like 'type:word/word', but is {entry.name!r}")
    if entry.is_has_att not in KINDS:
        raise DataError(f"{where}.is_has_att should be 'is' or 'has', but is {entry.is_has_att!r}")
    return Attribute(entry.id, entry.name, entry.is_has_att, entry.freq_set)


def _box(annotation: _Annotation, images: Mapping[int, str], *, attributes: int, where: str) -> Box:
    id, image_id, labels = annotation.id, annotation.image_id, annotation.att_vec
    if image_id not in images:
        raise DataError(f"{where}: annotation {id} is in image {image_id}, which is not listed")
    if len(labels) != attributes or not LABELS.issuperset(labels):
        raise DataError(
            f"{where}: att_vec of annotation {id} should be {attributes} numbers, each 1, 0 or -1"
        )
    x, y, width, height = map(int, annotation.bbox)
    if width < 1 or height < 1:
        raise DataError(f"{where}: annotation {id} has an empty box {list(annotation.bbox)}")
    return Box(id, images[image_id], (x, y, width, height), tuple(labels))
