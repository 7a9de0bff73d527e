"""Predictions of other programs for own data, in the words of its annotations.

JSON lines, a JSON list, CSV or TSV, with an `id` and one other value per line:

    grounding  {"id": 7, "box": [40, 30, 120, 90]}      or box_xyxy, in pixels
    caption    {"id": "a.jpg", "caption": "two dogs"}
    vqa        {"id": 7, "answer": "two"}
    nlvr2      {"id": 7, "label": true}
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from harness.errors import DataError, nearest
from harness.files.parsing import Int64, convert
from harness.formats.own.kinds import FALSE, TRUE, Corners
from harness.formats.own.rows import read_rows

T = TypeVar("T", bound="Predicted")
Pairs = list[tuple[Any, Any]]


class Predicted(Struct, kw_only=True):
    """A prediction for the sample with an id."""

    id: Int64 | str


class _Box(Predicted, kw_only=True):
    box: Corners | None = None
    box_xyxy: Corners | None = None


class _Caption(Predicted, kw_only=True):
    caption: str


class _Answer(Predicted, kw_only=True):
    answer: str


class _Label(Predicted, kw_only=True):
    label: bool | str


def read_boxes(path: Path) -> list[tuple[Any, Corners, str]]:
    """Return (id, box as left, top, width, height in pixels, where it stands)."""
    boxes = []
    for where, entry in _read(path, _Box):
        if (entry.box is None) == (entry.box_xyxy is None):
            raise DataError(f"{where}: should have either 'box' or 'box_xyxy'")
        if entry.box is not None:
            boxes.append((entry.id, entry.box, where))
        elif entry.box_xyxy is not None:
            left, top, right, bottom = entry.box_xyxy
            boxes.append((entry.id, (left, top, right - left, bottom - top), where))
    return boxes


def read_captions(path: Path) -> Pairs:
    """Return (id, caption)."""
    return [(entry.id, entry.caption) for _, entry in _read(path, _Caption)]


def read_answers(path: Path) -> Pairs:
    """Return (id, answer)."""
    return [(entry.id, entry.answer) for _, entry in _read(path, _Answer)]


def read_labels(path: Path) -> Pairs:
    """Return (id, label as true or false)."""
    pairs: Pairs = []
    for where, entry in _read(path, _Label):
        label = entry.label
        if isinstance(label, str):
            if label.lower() not in (*TRUE, *FALSE):
                raise DataError(f"{where}: label should be true or false, but is {label!r}")
            label = label.lower() in TRUE
        pairs.append((entry.id, label))
    return pairs


def _read(path: Path, kind: type[T]) -> Sequence[tuple[str, T]]:
    """Return the predictions of a file, each with where it stands.

    Raises DataError for a file without any, an unknown key, and a wrong type.
    """
    rows = read_rows(path, kind="predictions").rows
    if not rows:
        raise DataError(f"{path}: has no prediction")
    known = kind.__struct_fields__
    for row in rows:
        if unknown := next((key for key in row.values if key not in known), None):
            raise DataError(
                f"{row.where}: has the unknown key {unknown!r}{nearest(unknown, known)}"
            )
    return [(row.where, convert(dict(row.values), kind, where=row.where)) for row in rows]
