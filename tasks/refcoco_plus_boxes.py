"""Boxes predicted for expressions: checked, scored by their IoU, and shown beside the true ones."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from harness.errors import DataError
from harness.files.parsing import is_number
from harness.images import View
from harness.metrics.grounding import THRESHOLD, Box, accuracy, distribution, in_pixels, iou
from harness.sample_view import PREDICTION, TRUTH, MarkedBox, Picture, SampleView, box_text
from harness.statistics.means import mean_of
from harness.task import Prediction, SampleId, Scores

FAR = 1.5  # image sizes between the centre of an image and that of a box
MARGIN = 0.1  # of an image, that a predicted box may reach out of it
SUSPICIOUS = 0.2  # share of boxes that reach out farther: a model that finds objects has few
MISREAD_BELOW = 50.0  # accuracy in percent of boxes that may have another layout
MISREAD_BY = 20.0  # points that the right layout gains at least

Layout = Callable[[float, float, float, float], tuple[float, float, float, float]]
# What people write in the place of (cx, cy, w, h) -> (cx, cy, w, h), all in 0..1 of the image.
LAYOUTS: Mapping[str, Layout] = {
    "two corners (x1, y1, x2, y2)": lambda a, b, c, d: ((a + c) / 2, (b + d) / 2, c - a, d - b),
    "corner and size (x, y, w, h)": lambda a, b, c, d: (a + c / 2, b + d / 2, c, d),
}


class Referred(Protocol):
    """An expression with the true box of its object."""

    @property
    def images(self) -> tuple[View, ...]: ...
    @property
    def text(self) -> str: ...
    @property
    def box(self) -> Box: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


def view_boxes(
    sample: Referred, predicted: Box | None, *, detections: Sequence[MarkedBox] = ()
) -> SampleView:
    """Return an expression with its true box, the predicted one, and detections below them."""
    true = _floats(sample.box)
    boxes = [*detections, MarkedBox(TRUTH, true)]
    if predicted is not None:
        boxes.append(MarkedBox(PREDICTION, _floats(predicted)))
    return SampleView(
        pictures=(Picture(sample.images[0], boxes=tuple(boxes)),),
        texts=(sample.text,),
        truth=box_text(true),
        prediction="no box" if predicted is None else box_text(_floats(predicted)),
    )


def _floats(box: Box) -> tuple[float, float, float, float]:
    x, y, width, height = map(float, box)
    return x, y, width, height


def score_overlaps(samples: Sequence[Referred], overlaps: Sequence[float]) -> Scores:
    """Return the scores of samples from the IoU of each, clustered by image."""
    correct = [100.0 * (overlap >= THRESHOLD) for overlap in overlaps]
    return Scores(
        {"accuracy": accuracy(overlaps)},
        {"accuracy": mean_of(correct, clusters=[str(s.images[0]) for s in samples])},
        {"accuracy": correct, "iou": [100 * overlap for overlap in overlaps]},
        breakdown={"iou": distribution(overlaps)},
    )


def box_of_prediction(prediction: Prediction, sent_id: SampleId) -> Sequence[float]:
    """Return a predicted box. Raises DataError for anything but four finite numbers."""
    if isinstance(prediction, list) and len(prediction) == 4 and all(map(is_number, prediction)):
        return prediction
    raise DataError(
        f"the prediction for sent_id {sent_id} should be a box of four numbers, "
        f"but is {reprlib.repr(prediction)}"
    )


def refuse_other_unit(box: Sequence[float], sent_id: SampleId) -> None:
    """Raise DataError for a negative size, and for coordinates that no box in 0..1 has.

    A box may reach over the border of its image, as the official evaluation does not clip.
    """
    cx, cy, width, height = box
    if min(width, height) < 0:
        problem = "has a negative size"
    elif max(map(abs, (cx - 0.5, cy - 0.5))) > FAR or max(width, height) > 2 * FAR:
        problem = "lies far outside of its image"
    else:
        return
    raise DataError(
        f"the box for sent_id {sent_id} {problem}: {reprlib.repr(list(box))}; a box is "
        "(cx, cy, w, h), its centre and its size in 0..1 of the image, neither pixels nor corners"
    )


def other_layout(
    samples: Sequence[Referred],
    boxes: Sequence[Sequence[float]],
    scored: float,
    layouts: Mapping[str, Layout],
) -> list[str]:
    """Return a caveat if the boxes score far better in another layout than the `scored` accuracy.

    `layouts` maps the name of each to a function of the four numbers to (cx, cy, w, h) in 0..1.
    """
    if scored >= MISREAD_BELOW:
        return []
    by_name = {
        name: accuracy(
            [_iou_as(layout, s, box) for s, box in zip(samples, boxes, strict=True)],
        )
        for name, layout in layouts.items()
    }
    name, best = max(by_name.items(), key=lambda item: item[1])
    if best < max(2 * scored, scored + MISREAD_BY):
        return []
    return [f"read as {name}, the boxes would score {best:.2f} instead of {scored:.2f}"]


def _iou_as(layout: Layout, sample: Referred, box: Sequence[float]) -> float:
    a, b, c, d = box
    read = layout(a, b, c, d)
    if min(read[2:]) <= 0:
        return 0.0
    return iou(sample.box, in_pixels(read, width=sample.width, height=sample.height))


def caveats_of(boxes: Sequence[Sequence[float]]) -> list[str]:
    """Return a caveat if so many boxes reach out of their images that they may be corners."""
    outside = sum(
        min(cx - w / 2, cy - h / 2) < -MARGIN or max(cx + w / 2, cy + h / 2) > 1 + MARGIN
        for cx, cy, w, h in boxes
    )
    if outside <= SUSPICIOUS * len(boxes):
        return []
    return [
        f"{outside:,} of {len(boxes):,} boxes reach out of their images by more than "
        f"{100 * MARGIN:.0f} % of its size; are they (cx, cy, w, h), centre and size, or corners?"
    ]
