"""Weakly supervised RefCOCO+: find the object by a model that was trained without any box.

Data: that of `refcoco+`, and `dets.json`, MAttNet's detections of objects in each image, by image
id. Protocol: X-VLM's `Grounding.py`, after ALBEF's: of the detections in the image, the one in
which the model's localization map is strongest counts as its box. Golden `d_weak_grounding`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from harness.capabilities import Localizer
from harness.dataset import NOT_STATED, Dataset
from harness.errors import DataError
from harness.formats.folder import DataFolder, Needed
from harness.formats.refer import read_detections
from harness.formats.submissions import match_predictions, read_detected_boxes
from harness.metrics.grounding import Box, iou_of_detection
from harness.metrics.weak_grounding import best_detection, box_scores, carried_forward
from harness.sample_view import DETECTION, MarkedBox, SampleView
from harness.task import Batch, Prediction, SampleId, Scores
from tasks.refcoco_plus import Expression, RefCOCOPlus
from tasks.refcoco_plus_boxes import SUSPICIOUS, box_of_prediction, score_overlaps, view_boxes
from tasks.refcoco_plus_files import DATASET as REFCOCO_PLUS
from tasks.refcoco_plus_files import FOLDERS
from tasks.vqav2_files import ANSWER_LIST

LISTS = replace(
    ANSWER_LIST,  # of the same archive
    licence=NOT_STATED,
    members={"refcoco+/dets.json": "refcoco+/dets.json"},
)
DATASET = replace(
    REFCOCO_PLUS,
    citation=f"{REFCOCO_PLUS.citation}; detections: Yu et al. 2018, MAttNet, arXiv 1801.08186",
    origins=(*REFCOCO_PLUS.origins, LISTS),
    hub=None,
    no_hub="no copy on the hub holds the detections",
)
DETECTIONS = Needed(  # in X-VLM's tree below data/finetune/, in ALBEF's below data/
    tuple(f"{folder}/dets.json" for folder in (*FOLDERS, "data/refcoco+")),
    "the detections of MAttNet",
    f"{LISTS.instructions} (data.tar)",
)


@dataclass(frozen=True)
class DetectedExpression(Expression):
    """A referring expression, and the detections (x, y, w, h in pixels) in its image."""

    detections: tuple[Box, ...]


class WeakRefCOCOPlus(RefCOCOPlus):
    """Visual grounding by choosing among detections, one sample per expression.

    A prediction is the chosen box in pixels, or None where no detection scores above 0.
    """

    name: ClassVar[str] = "refcoco+-weak"
    needs: ClassVar[tuple[type, ...]] = (Localizer,)
    extra: ClassVar[bool] = True  # X-VLM published no number
    protocol: ClassVar[str] = "iou>=0.5|per-expression|best-detection"
    dataset: ClassVar[Dataset] = DATASET

    def files(self, split: str) -> Sequence[Needed]:
        """Name the files of `refcoco+`, and the detections."""
        return (*super().files(split), DETECTIONS)

    def load(self, data: DataFolder, split: str) -> Sequence[DetectedExpression]:
        """Read the expressions of a split as `refcoco+` does, and the detections.

        Raises DataError for an image that the detections do not list.
        """
        path = data.path(DETECTIONS)
        detections = read_detections(path)
        expressions = super().load(data, split)
        for expression in expressions:
            if expression.image_id not in detections:
                raise DataError(
                    f"{path}: has no detections of image {expression.image_id}, "
                    f"which sent_id {expression.id} is about"
                )
        return [
            DetectedExpression(
                **{field.name: getattr(expression, field.name) for field in fields(expression)},
                detections=detections[expression.image_id],
            )
            for expression in expressions
        ]

    def flat_lists(self, samples: Mapping[str, Sequence[Expression]]) -> Mapping[str, Any]:
        """Return no list: those of `refcoco+` are the same."""
        return {}

    def view(self, sample: Expression, prediction: Prediction) -> SampleView:
        """Add the detections, of which one is chosen."""
        boxes = sample.detections if isinstance(sample, DetectedExpression) else ()
        detections = [
            MarkedBox(DETECTION, (float(x), float(y), float(width), float(height)))
            for x, y, width, height in boxes
        ]
        return view_boxes(sample, _detected_box(prediction, sample.id), detections=detections)

    def predict(self, model: Any, batch: Batch) -> Sequence[Prediction]:
        """Return the detection [x, y, w, h] in which the map of each expression is strongest."""
        localizer: Localizer = model
        texts = [expression.text for expression in batch.samples]
        maps = localizer.localize(batch.images, texts, batch.image_of[:, 0])
        predictions: list[Prediction] = []
        for sample, localization in zip(batch.samples, maps, strict=True):
            scores = box_scores(
                localization, sample.detections, width=sample.width, height=sample.height
            )
            best = best_detection(scores, sample.detections)
            predictions.append(None if best is None else list(best))
        return predictions

    def score(
        self, samples: Sequence[Expression], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return the accuracy over expressions in percent, and the distribution of the IoU.

        The interval is over images, as in `refcoco+`. As in the reference, an expression without a
        box is given that of the expression before it; the first ones without a box are wrong.
        """
        chosen = [_detected_box(predictions[s.id], s.id) for s in samples]
        boxes = carried_forward(chosen)
        overlaps = [
            0.0 if box is None else iou_of_detection(s.box, box)
            for s, box in zip(samples, boxes, strict=True)
        ]
        caveats = _caveats_of(samples, chosen)
        return replace(score_overlaps(samples, overlaps), caveats=caveats)

    def score_official(self, samples: Sequence[Expression], path: Path) -> Scores:
        """Score a JSON list of `pred` boxes (x, y, w, h in pixels, or null) with `sent_id`.

        The reference writes no boxes: it keeps its maps and scores them at once.
        """
        return self.score(samples, self.official_predictions(samples, path))

    def official_predictions(
        self, samples: Sequence[Expression], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the boxes of such a file."""
        ids = [sample.id for sample in samples]
        return match_predictions(path, read_detected_boxes(path), ids)


def _caveats_of(samples: Sequence[Any], chosen: Sequence[Box | None]) -> list[str]:
    """Return a caveat if many chosen boxes are none of the detections, as in another unit."""
    pairs = [(s, box) for s, box in zip(samples, chosen, strict=True) if box is not None]
    foreign = sum(
        not any(
            all(abs(one - other) <= 1 for one, other in zip(box, each, strict=True))
            for each in s.detections
        )
        for s, box in pairs
    )
    if foreign <= SUSPICIOUS * len(pairs):
        return []
    return [
        f"{foreign:,} of {len(pairs):,} boxes are none of the detections of their images; are they "
        "(x, y, w, h) in pixels, and of these detections?"
    ]


def _detected_box(prediction: Prediction, sent_id: SampleId) -> Box | None:
    """Return a predicted box, or None. Raises DataError for anything else."""
    if prediction is None:
        return None
    box = Box(*box_of_prediction(prediction, sent_id))
    if box.width < 0 or box.height < 0:
        raise DataError(f"the prediction for sent_id {sent_id} has a negative size: {list(box)}")
    return box
