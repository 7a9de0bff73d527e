"""Read referring expressions: the original files of the REFER API, and X-VLM's flat lists.

Formats: lichengunc/refer (`refs(unc).p`, `instances.json`) and the files of zengyan-97/X-VLM's `data/finetune`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.files.parsing import Item, items, read_json, read_plain_pickle
from harness.metrics.grounding import Box


@dataclass(frozen=True)
class Sentence:
    """One expression of a reference; `sent_id` is unique in the whole dataset."""

    sent_id: int
    text: str


@dataclass(frozen=True)
class Reference:
    """An object that people referred to: its box and image, both in pixels, and what they said."""

    ref_id: int
    split: str
    file_name: str
    width: int
    height: int
    box: Box
    sentences: tuple[Sentence, ...]


def read_references(refs: Path, instances: Path) -> list[Reference]:
    """Return every reference joined with its annotation and image, in file order.

    Raises DataError where a reference has no annotation, an annotation no image, or a box lies outside its image. A box that only reaches
    beyond the border stays as it is, as in the official evaluation.
    """
    file = Item(read_json(instances), str(instances))
    images, boxes = _by_id(file, "images"), _by_id(file, "annotations")
    references = [
        _join(ref, images, boxes, instances) for ref in items(read_plain_pickle(refs), str(refs))
    ]
    _refuse_twice([reference.ref_id for reference in references], "ref_id", refs)
    _refuse_twice(
        [sentence.sent_id for reference in references for sentence in reference.sentences],
        "sent_id",
        refs,
    )
    return references


def read_flat(path: Path, references: Sequence[Reference]) -> list[tuple[Reference, Sentence]]:
    """Return the expressions of a flat list (`image`, `text`, `ref_id`), in its order, joined with their references.

    The flat list has no sentence ids: an expression is the next sentence of its reference with the same text, or the next one at all where
    the text was edited; the list's text is what counts.
    """
    by_id = {reference.ref_id: reference for reference in references}
    left = {reference.ref_id: list(reference.sentences) for reference in references}
    expressions = []
    for entry in items(read_json(path), str(path)):
        ref_id, text = entry.get("ref_id", int), entry.get("text", str)
        if ref_id not in by_id:
            raise DataError(f"{entry.where}: ref_id {ref_id} is not among the references")
        if not left[ref_id]:
            raise DataError(
                f"{entry.where}: ref_id {ref_id} has only {len(by_id[ref_id].sentences)} sentences, this is one more"
            )
        same = next(
            (sentence for sentence in left[ref_id] if sentence.text == text), left[ref_id][0]
        )
        left[ref_id].remove(same)
        expressions.append((by_id[ref_id], Sentence(same.sent_id, text)))
    return expressions


def _by_id(file: Item, key: str) -> dict[int, Item]:
    found: dict[int, Item] = {}
    for item in file.items(key):
        number = item.get("id", int)
        if number in found:
            raise DataError(
                f"{item.where}: the id {number} was there before, at {found[number].where}"
            )
        found[number] = item
    return found


def _join(
    ref: Item, images: Mapping[int, Item], boxes: Mapping[int, Item], instances: Path
) -> Reference:
    ref_id, ann_id = ref.get("ref_id", int), ref.get("ann_id", int)
    if ann_id not in boxes:
        raise DataError(
            f"{ref.where}: ref_id {ref_id} points to annotation {ann_id}, which {instances} does not have"
        )
    box = boxes[ann_id]
    image_id = box.get("image_id", int)
    if image_id != ref.get("image_id", int):
        raise DataError(
            f"{ref.where}: ref_id {ref_id} is about image {ref.get('image_id', int)}, its annotation {ann_id} about image {image_id}"
        )
    if image_id not in images:
        raise DataError(
            f"{box.where}: annotation {ann_id} lies in image {image_id}, which the file does not list"
        )
    image = images[image_id]
    width, height = image.get("width", int), image.get("height", int)
    return Reference(
        ref_id=ref_id,
        split=ref.get("split", str),
        file_name=image.get("file_name", str),
        width=width,
        height=height,
        box=_box(box, width=width, height=height),
        sentences=tuple(
            Sentence(s.get("sent_id", int), s.get("sent", str)) for s in ref.items("sentences")
        ),
    )


def _box(annotation: Item, *, width: int, height: int) -> Box:
    box = Box(*annotation.numbers("bbox", 4))
    if box.width <= 0 or box.height <= 0:
        raise DataError(
            f"{annotation.where}: annotation {annotation.value['id']} has an empty box {list(box)}"
        )
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        number = annotation.value["id"]
        raise DataError(
            f"{annotation.where}: annotation {number} has the box {list(box)}, outside its image of {width} x {height} pixels"
        )
    return box


def _refuse_twice(ids: Sequence[int], what: str, path: Path) -> None:
    seen: set[int] = set()
    for number in ids:
        if number in seen:
            raise DataError(f"{path}: {what} {number} occurs twice")
        seen.add(number)
