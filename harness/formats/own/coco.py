"""COCO's captions and boxes as rows of own data: `images` and `annotations` of one JSON file."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from harness.errors import DataError
from harness.files.parsing import Finite, Int64, convert

Rows = list[tuple[str, Mapping[str, Any]]]


class _Image(Struct):
    id: Int64
    file_name: str
    width: Int64 | None = None
    height: Int64 | None = None


class _Category(Struct):
    id: Int64
    name: str


class _Annotation(Struct):
    image_id: Int64
    id: Int64 | None = None
    caption: str | UnsetType = UNSET
    bbox: tuple[Finite, Finite, Finite, Finite] | UnsetType = UNSET
    category_id: Int64 | None = None
    iscrowd: Int64 = 0


class _Content(Struct):
    images: list[_Image]
    annotations: list[_Annotation] = []
    categories: list[_Category] = []


def is_coco(content: Any) -> bool:
    """Return whether a JSON document is laid out as COCO's."""
    return isinstance(content, dict) and isinstance(content.get("images"), list)


def coco_rows(content: Any, path: Path, *, kind: str) -> tuple[Rows, int]:
    """Return the rows for a task of a `kind`, and how many boxes are left out as ambiguous.

    A box is expressed by the name of its category where it is the only one of it in its image.
    Raises DataError for a kind that COCO's format does not serve, and for a wrong type or id.
    """
    if kind not in ("grounding", "caption", "retrieval"):
        raise DataError(
            f"{path}: is in COCO's format, which has captions and boxes, but nothing for {kind}; "
            "write one JSON object per line (docs/own-data.md)"
        )
    parsed = convert(content, _Content, where=str(path))
    images: dict[int, _Image] = {}
    for index, image in enumerate(parsed.images):
        if image.id in images:
            raise DataError(f"{path}: images[{index}]: id {image.id} occurs twice")
        images[image.id] = image
    for index, annotation in enumerate(parsed.annotations):
        if annotation.image_id not in images:
            raise DataError(
                f"{path}: annotations[{index}]: image_id {annotation.image_id} is not in images"
            )
    if kind == "grounding":
        return _boxes(parsed, images, path)
    return _captions(parsed, images, path), 0


def _captions(parsed: _Content, images: Mapping[int, _Image], path: Path) -> Rows:
    captions: dict[int, list[str]] = {}
    for index, annotation in enumerate(parsed.annotations):
        if annotation.caption is UNSET:
            raise DataError(f"{path}: annotations[{index}] has no 'caption'; are these boxes?")
        captions.setdefault(annotation.image_id, []).append(annotation.caption)
    return [
        (
            f"{path}, image {id}",
            {"id": id, "image": image.file_name}
            | ({"captions": captions[id]} if id in captions else {}),
        )
        for id, image in images.items()
    ]


def _boxes(parsed: _Content, images: Mapping[int, _Image], path: Path) -> tuple[Rows, int]:
    names: dict[int | None, str] = {}
    for number, category in enumerate(parsed.categories):
        if category.id in names:
            raise DataError(f"{path}: categories[{number}]: id {category.id} occurs twice")
        names[category.id] = category.name

    def named(annotation: _Annotation) -> tuple[str, str | None]:  # the file, not the id of it
        return images[annotation.image_id].file_name, names.get(annotation.category_id)

    counts = Counter(map(named, parsed.annotations))
    rows: Rows = []
    for index, annotation in enumerate(parsed.annotations):
        where = f"{path}: annotations[{index}]"
        if annotation.bbox is UNSET:
            raise DataError(f"{where} has no 'bbox'; are these captions?")
        if annotation.category_id not in names:
            raise DataError(f"{where}: category_id {annotation.category_id} is not in categories")
        if annotation.iscrowd or counts[named(annotation)] > 1:
            continue
        image = images[annotation.image_id]
        values = {
            "id": annotation.id,
            "image": image.file_name,
            "expression": names[annotation.category_id],
            "box": list(annotation.bbox),
            "width": image.width,
            "height": image.height,
        }
        rows.append((where, {key: value for key, value in values.items() if value is not None}))
    if parsed.annotations and not rows:
        raise DataError(
            f"{path}: none of its {len(parsed.annotations)} boxes is the only one of its category "
            "in its image, so no category names one; write expressions (docs/own-data.md)"
        )
    return rows, len(parsed.annotations) - len(rows)
