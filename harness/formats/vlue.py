"""Read VLUE's expressions: X-VLM's flat list, with the true box and the image's size in each entry.

Format: the keys that X-VLM's `grounding_eval_vlue` and `grounding_eval_bbox_vlue` read
(zengyan-97/X-VLM, `dataset/utils.py`). VLUE's repository does not hold the lists themselves.
"""

from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from harness.errors import DataError
from harness.files.parsing import Finite, Int64, decode_json_list
from harness.formats.refer import Detection, checked_box, refuse_duplicates
from harness.metrics.grounding import Box


@dataclass(frozen=True)
class BoxedExpression:
    """An expression, its image, and in pixels: the box (x, y, w, h), the detections, the size."""

    ref_id: int
    text: str
    image: str
    box: Box
    width: int
    height: int
    detections: tuple[Box, ...]


class _Entry(Struct, gc=False):
    ref_id: Int64
    text: str
    image: str
    bbox: tuple[Finite, Finite, Finite, Finite]
    width: Int64
    height: Int64
    dets: list[Detection] = []


def read_boxed_expressions(path: Path, *, detected: bool) -> list[BoxedExpression]:
    """Return the expressions of a list, in order.

    Raises DataError for a `ref_id` that occurs twice, for a box that is empty or outside its image,
    and where `detected`, for an entry without detections.
    """
    expressions = []
    for number, entry in enumerate(decode_json_list(path, _Entry)):
        where = f"{path}, item {number}"
        box = checked_box(
            entry.bbox, entry.ref_id, width=entry.width, height=entry.height, where=where
        )
        detections = tuple(Box(*detection[:4]) for detection in entry.dets)
        if any(detection.width <= 0 or detection.height <= 0 for detection in detections):
            raise DataError(f"{where}: has an empty detection")
        if detected and not detections:
            raise DataError(f"{where}: has no detections ('dets')")
        expressions.append(
            BoxedExpression(
                entry.ref_id, entry.text, entry.image, box, entry.width, entry.height, detections
            )
        )
    refuse_duplicates((expression.ref_id for expression in expressions), "ref_id", path)
    return expressions
