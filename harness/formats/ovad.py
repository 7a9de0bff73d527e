"""Read OVAD's box annotations: which boxes count, what is asked of them, and what is known."""

from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.files.parsing import Item, read_json

SMALLEST = 50.0  # boxes whose `area` field is below it are left out (tools/extract_obj_boxes.py)
KINDS = ("is", "has")


@dataclass(frozen=True)
class Attribute:
    """An attribute: `name` is `type:synonym/synonym`, `is_has_att` how sentences use it, `freq_set` head, medium or tail."""

    id: int
    name: str
    is_has_att: str
    freq_set: str


@dataclass(frozen=True)
class Box:
    """A labelled box in whole pixels: 1 for each attribute that it has, 0 for each that it has not, -1 where nobody can say."""

    id: int
    file_name: str
    pixels: tuple[int, int, int, int]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Annotations:
    """All attributes in the order of their ids, and the boxes that count, in file order."""

    attributes: tuple[Attribute, ...]
    boxes: tuple[Box, ...]


def read_ovad(path: Path) -> Annotations:
    """Read `ovad2000.json`. Coordinates are cut off to whole pixels one by one, as the official tool does."""
    file = Item(read_json(path), str(path))
    attributes = tuple(map(_attribute, file.items("attributes")))
    if [attribute.id for attribute in attributes] != list(range(len(attributes))):
        raise DataError(
            f"{path}: the ids of its attributes should count from 0, in order: labels are told by place"
        )
    images = {image.get("id", int): image.get("file_name", str) for image in file.items("images")}
    boxes: dict[int, Box] = {}
    for annotation in file.items("annotations"):
        if annotation.get("area", float) < SMALLEST:
            continue
        box = _box(annotation, images, len(attributes))
        if box.id in boxes:
            raise DataError(f"{annotation.where}: the id {box.id} occurs twice")
        boxes[box.id] = box
    if not boxes:
        raise DataError(f"{path}: has no box of {SMALLEST:.0f} pixels or more")
    return Annotations(attributes, tuple(boxes.values()))


def _attribute(entry: Item) -> Attribute:
    attribute = Attribute(
        entry.get("id", int),
        entry.get("name", str),
        entry.get("is_has_att", str),
        entry.get("freq_set", str),
    )
    if attribute.name.count(":") != 1 or attribute.is_has_att not in KINDS:
        raise DataError(
            f"{entry.where}: an attribute is called `type:word/word` and `is` or `has`; this one is {attribute.name!r}"
        )
    return attribute


def _box(annotation: Item, images: dict[int, str], attributes: int) -> Box:
    number, image_id = annotation.get("id", int), annotation.get("image_id", int)
    if image_id not in images:
        raise DataError(
            f"{annotation.where}: annotation {number} lies in image {image_id}, which the file does not list"
        )
    labels = annotation.get("att_vec", list)
    if len(labels) != attributes or not all(
        type(label) is int and label in (-1, 0, 1) for label in labels
    ):
        raise DataError(
            f"{annotation.where}: 'att_vec' of annotation {number} should be {attributes} numbers, each 1, 0 or -1"
        )
    x, y, width, height = (int(value) for value in annotation.numbers("bbox", 4))
    if width < 1 or height < 1:
        raise DataError(f"{annotation.where}: annotation {number} has an empty box")
    return Box(number, images[image_id], (x, y, width, height), tuple(labels))
