"""Read referring expressions: the original files of the REFER API, and X-VLM's flat lists.

Formats: lichengunc/refer (`refs(unc).p`, `instances.json`) and zengyan-97/X-VLM
(`refcoco+_{val,test}.json`, and `dets.json` with detections of objects).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from harness.errors import DataError
from harness.files.parsing import (
    Finite,
    Int64,
    NonEmptyList,
    convert,
    decode_json,
    decode_json_list,
    read_plain_pickle,
)
from harness.files.reads import shared
from harness.metrics.grounding import Box


@dataclass(frozen=True)
class Sentence:
    """An expression of a reference; `sent_id` is unique in the whole dataset."""

    sent_id: int
    text: str


@dataclass(frozen=True)
class Reference:
    """A referred object: its image, its box (both in pixels) and the expressions for it."""

    ref_id: int
    image_id: int
    split: str
    file_name: str
    width: int
    height: int
    box: Box
    sentences: tuple[Sentence, ...]


class _Sentence(Struct, gc=False):
    sent_id: Int64
    sent: str


class _Reference(Struct, gc=False):
    ref_id: Int64
    ann_id: Int64
    image_id: Int64
    split: str
    sentences: NonEmptyList[_Sentence]


class _Image(Struct, gc=False):
    id: Int64
    file_name: str
    width: Int64
    height: Int64


class _Annotation(Struct, gc=False):
    id: Int64
    image_id: Int64
    bbox: tuple[Finite, Finite, Finite, Finite]


Entry = TypeVar("Entry", _Image, _Annotation)


class _Instances(Struct):
    images: NonEmptyList[_Image]
    annotations: NonEmptyList[_Annotation]


# x, y, w, h in pixels; MAttNet's files may go on with a score.
Detection = Annotated[list[Finite], Meta(min_length=4)]


class _FlatExpression(Struct, gc=False):
    ref_id: Int64
    text: str
    image: str | None = None


@shared
def read_references(refs: Path, instances: Path) -> list[Reference]:
    """Return every reference joined with its annotation and image, in file order.

    Raises DataError for a reference without an annotation, an annotation without an image, and a
    box outside its image. A box across the border is kept, as in the official evaluation.
    """
    content = decode_json(instances, _Instances)
    where = str(instances)
    images = _by_id(content.images, f"{where}: images")
    annotations = _by_id(content.annotations, f"{where}: annotations")
    entries: list[_Reference] = convert(
        read_plain_pickle(refs), NonEmptyList[_Reference], where=str(refs)
    )
    references = []
    for number, entry in enumerate(entries):
        annotation = _annotation_of(entry, annotations, instances, f"{refs}, item {number}")
        image = images.get(annotation.image_id)
        if image is None:
            raise DataError(
                f"{instances}: annotation {annotation.id} is in image {annotation.image_id}, "
                "which is not listed"
            )
        references.append(_join(entry, annotation, image, where=where))
    refuse_duplicates((reference.ref_id for reference in references), "ref_id", refs)
    sentences = (sentence for reference in references for sentence in reference.sentences)
    refuse_duplicates((sentence.sent_id for sentence in sentences), "sent_id", refs)
    return references


def read_flat(
    path: Path, references: Sequence[Reference], split: str
) -> list[tuple[Reference, Sentence]]:
    """Return a split's expressions in a flat list (`text`, `ref_id`), in order, with references.

    The list has no sentence ids: an expression is the next sentence of its reference with the same
    text, or the next sentence at all if the text was edited. Its text and the folder of its image
    are the list's. The list may hold other splits too. Raises DataError for an image that is not
    the reference's, and for more expressions than the reference has.
    """
    by_id = {reference.ref_id: reference for reference in references}
    unused = {reference.ref_id: list(reference.sentences) for reference in references}
    expressions = []
    for number, entry in enumerate(decode_json_list(path, _FlatExpression)):
        id, where = entry.ref_id, f"{path}, item {number}"
        if id not in by_id:
            raise DataError(f"{where}: ref_id {id} is not among the references")
        if not unused[id]:
            raise DataError(
                f"{where}: ref_id {id} has only {len(by_id[id].sentences)} sentences, "
                "this is one more"
            )
        same_text = (sentence for sentence in unused[id] if sentence.text == entry.text)
        sentence = next(same_text, unused[id][0])
        unused[id].remove(sentence)
        reference = by_id[id]
        if reference.split != split:
            continue
        if entry.image is not None:
            if PurePosixPath(entry.image).name != PurePosixPath(reference.file_name).name:
                raise DataError(
                    f"{where}: names the image {entry.image!r}, "
                    f"but ref_id {id} is in {reference.file_name!r}"
                )
            reference = replace(reference, file_name=entry.image)
        expressions.append((reference, Sentence(sentence.sent_id, entry.text)))
    return expressions


@shared
def read_detections(path: Path) -> Mapping[int, tuple[Box, ...]]:
    """Return the detections of each image by its id, in file order; possibly none.

    Raises DataError for a key that is not an image id, and for a box without area.
    """
    detections: dict[int, tuple[Box, ...]] = {}
    for key, entries in decode_json(path, dict[str, list[Detection]]).items():
        if not (key.isascii() and key.isdigit()):
            raise DataError(f"{path}: the key {key!r} should be the id of an image")
        boxes = tuple(Box(*entry[:4]) for entry in entries)
        for number, box in enumerate(boxes):
            if box.width <= 0 or box.height <= 0:
                raise DataError(f"{path}: detection {number} of image {key} is empty: {list(box)}")
        detections[int(key)] = boxes
    return detections


def _by_id(entries: Iterable[Entry], where: str) -> dict[int, Entry]:
    by_id: dict[int, Entry] = {}
    for number, entry in enumerate(entries):
        if entry.id in by_id:
            raise DataError(f"{where}[{number}]: the id {entry.id} occurs twice")
        by_id[entry.id] = entry
    return by_id


def _annotation_of(
    entry: _Reference, annotations: Mapping[int, _Annotation], instances: Path, where: str
) -> _Annotation:
    annotation = annotations.get(entry.ann_id)
    if annotation is None:
        raise DataError(
            f"{where}: ref_id {entry.ref_id} points to annotation {entry.ann_id}, "
            f"which {instances} does not have"
        )
    if annotation.image_id != entry.image_id:
        raise DataError(
            f"{where}: ref_id {entry.ref_id} is in image {entry.image_id}, "
            f"its annotation {annotation.id} in image {annotation.image_id}"
        )
    return annotation


def _join(entry: _Reference, annotation: _Annotation, image: _Image, *, where: str) -> Reference:
    return Reference(
        ref_id=entry.ref_id,
        image_id=entry.image_id,
        split=entry.split,
        file_name=image.file_name,
        width=image.width,
        height=image.height,
        box=checked_box(
            annotation.bbox, annotation.id, width=image.width, height=image.height, where=where
        ),
        sentences=tuple(Sentence(each.sent_id, each.sent) for each in entry.sentences),
    )


def checked_box(
    bbox: Sequence[float], annotation: int, *, width: int, height: int, where: str
) -> Box:
    """Return the box of an annotation. Raises DataError if it is empty, or outside its image."""
    box = Box(*bbox)
    if box.width <= 0 or box.height <= 0:
        raise DataError(f"{where}: annotation {annotation} has an empty box {list(box)}")
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        raise DataError(
            f"{where}: annotation {annotation} has the box {list(box)}, "
            f"outside its image of {width} x {height} pixels"
        )
    return box


def refuse_duplicates(ids: Iterable[int], name: str, path: Path) -> None:
    """Raise DataError, naming the file, for an id that occurs twice."""
    seen: set[int] = set()
    for id in ids:
        if id in seen:
            raise DataError(f"{path}: {name} {id} occurs twice")
        seen.add(id)
