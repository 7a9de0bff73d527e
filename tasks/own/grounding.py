"""Grounding on own data: RefCOCO+'s protocol on expressions and boxes of one's own."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.formats.own.entries import Located, read_entries
from harness.formats.own.images import Shown, shown_images
from harness.formats.own.kinds import RegionEntry, box_problem
from harness.formats.own.predictions import read_boxes
from harness.formats.submissions import match_predictions
from harness.metrics.grounding import Box, in_pixels
from harness.task import Prediction, SampleId, Scores
from tasks.own.data import OwnData, own_folder
from tasks.refcoco_plus import Expression, RefCOCOPlus
from tasks.refcoco_plus_boxes import Layout

NO_BOX = Box(0.0, 0.0, 0.0, 0.0)
# What people write in the place of left, top, width, height, from which the four numbers are made.
LAYOUTS: Mapping[str, Layout] = {
    "left, top, right, bottom ('box_xyxy')": lambda cx, cy, w, h: (
        (cx + w / 2) / 2, (cy + h / 2) / 2, w - (cx - w / 2), h - (cy - h / 2)),
    "centre and size": lambda cx, cy, w, h: (cx - w / 2, cy - h / 2, w, h),
}  # fmt: skip


@dataclass(frozen=True)
class OwnExpression(Expression):
    """An expression; `has_box` where the true box is known. An image of unknown size has size 0.

    `ambiguous` counts the boxes of a COCO file that no expression identifies: their category occurs
    more than once in the image.
    """

    has_box: bool
    ambiguous: int


class OwnGrounding(OwnData, RefCOCOPlus):
    """Visual grounding on own data, one sample per expression."""

    name: ClassVar[str] = "own-grounding"
    version: ClassVar[int] = 1
    weights_of: ClassVar[str] = "refcoco+"
    truth: ClassVar[str] = "box"
    other_layouts: ClassVar[Mapping[str, Layout]] = LAYOUTS

    def load(self, data: DataFolder, split: str) -> Sequence[OwnExpression]:
        """Read the expressions; sizes that the annotations lack are read from the images."""
        own = own_folder(data, self)
        entries = read_entries(
            own.annotations, RegionEntry, kind="grounding", truth=self.truth, more=own.more
        )
        _refuse_fractions((each.entry.true_box, each.where) for each in entries.located)
        images = shown_images(((e.entry.image, e.where) for e in entries.located), own.root)
        return [
            _expression(each, images[each.entry.image], entries.ambiguous)
            for each in entries.located
        ]

    def score(self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]) -> Scores:
        """Return the accuracy in percent; none without true boxes.

        Raises DataError where neither the annotations nor the image tell the size of an image.
        """
        if not samples[0].has_box:
            return self.not_scored()
        for sample in samples:
            unreadable = predictions[sample.id] == self.fallback_prediction(sample)
            if not sample.width and not unreadable:
                raise _size_unknown(sample)
        scores = super().score(samples, predictions)
        ambiguous = samples[0].ambiguous
        if ambiguous:
            left_out = (
                f"{ambiguous:,} boxes of the file were left out: their category is not the only "
                "one of its kind in its image, so its name does not say which box is meant"
            )
            scores = replace(scores, caveats=[*scores.caveats, left_out])
        return scores

    def export(
        self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]
    ) -> Sequence[Mapping[str, Any]]:
        """Return boxes in pixels: left, top, width, height."""
        lines = []
        for sample in samples:
            box = in_pixels(predictions[sample.id], width=sample.width, height=sample.height)
            lines.append({"id": sample.id, "box": [round(float(number), 4) for number in box]})
        return lines

    def official_predictions(
        self, samples: Sequence[Any], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the boxes of a file of `id` and `box` (or `box_xyxy`), in pixels."""
        by_id = {sample.id: sample for sample in samples}
        pairs = []
        boxes = read_boxes(path)
        _refuse_fractions((box, where) for _, box, where in boxes)
        for id, box, where in boxes:
            sample = by_id.get(id)
            if sample is not None and not sample.width:
                raise _size_unknown(sample)
            if sample is not None and min(box[2:]) < 0:
                raise DataError(f"{where}: {box_problem(box, None, None)}")
            x, y, width, height = box
            centre = (x + width / 2, y + height / 2, width, height)
            sizes = (sample.width, sample.height) * 2 if sample else (1, 1, 1, 1)
            pairs.append((id, [number / size for number, size in zip(centre, sizes, strict=True)]))
        return match_predictions(path, pairs, [sample.id for sample in samples])


def _expression(each: Located[RegionEntry], shown: Shown, ambiguous: int) -> OwnExpression:
    """Return the sample of an entry. Raises DataError for a box or size the image contradicts."""
    entry, size = each.entry, (shown.width, shown.height)
    if entry.width is not None and entry.height is not None:
        if shown.width and size != (entry.width, entry.height):
            raise DataError(
                f"{each.where}: says that {entry.image} is {entry.width} x {entry.height} pixels, "
                f"but it is {shown.width} x {shown.height} (upright)"
            )
        size = (entry.width, entry.height)
    box = entry.true_box
    if size[0] and (problem := box_problem(box, *size)):
        raise DataError(f"{each.where}: {problem}")
    return OwnExpression(
        id=each.id,
        images=(shown.view,),
        text=entry.expression,
        image=entry.image,
        ref_id=0,
        image_id=0,
        box=Box(*box) if box else NO_BOX,
        width=size[0],
        height=size[1],
        has_box=box is not None,
        ambiguous=ambiguous,
    )


def _refuse_fractions(boxes: Iterable[tuple[Sequence[float] | None, str]]) -> None:
    """Raise DataError, with the first place, where all boxes of a file lie in one pixel.

    Then they are in 0..1 of their images. Those that are None are unknown.
    """
    known = [(box, where) for box, where in boxes if box is not None and any(box)]
    if known and all(max(box) <= 1 for box, _ in known):
        box, where = known[0]
        raise DataError(
            f"{where}: has the box {reprlib.repr(list(box))}, and all others lie in 0..1 too; "
            "boxes are in pixels of the upright image: multiply them by its width and height"
        )


def _size_unknown(sample: OwnExpression) -> DataError:
    return DataError(
        f"{sample.image}: cannot be read, and its annotation {sample.id!r} does not tell its size, "
        "without which its box cannot be scored; name the folder of the images by --images DIR "
        "(that of linked ones by --allow-links DIR), or give 'width' and 'height'"
    )
