"""RefCOCO+: find the object that an expression refers to; no expression says where it is.

Data: lichengunc/refer, UNC split, images of COCO train2014; testA refers to people, testB to the
rest. Protocol: X-VLM's `Grounding_bbox.py`: each expression counts once, and a box is correct if
its IoU with the true one is at least one half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from harness.capabilities import Grounder
from harness.dataset import Dataset
from harness.errors import DataError
from harness.files.parsing import is_number
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.refer import read_flat, read_references
from harness.formats.submissions import match_predictions, read_boxes
from harness.metrics.grounding import Box, in_pixels, iou
from harness.sample_view import SampleView
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task
from tasks.refcoco_plus_boxes import (
    LAYOUTS,
    Layout,
    box_of_prediction,
    caveats_of,
    other_layout,
    refuse_other_unit,
    score_overlaps,
    view_boxes,
)
from tasks.refcoco_plus_files import DATASET, FLAT, FLAT_NAMES, IMAGES, INSTANCES, REFS, SPLITS


@dataclass(frozen=True)
class Expression(Sample):
    """A referring expression; its id is the dataset's `sent_id`.

    `box` is the true box (x, y, w, h) of the object, `width` and `height` the size of the image,
    all in pixels. `image` is the name of the image in X-VLM's lists, `image_id` COCO's.
    """

    text: str
    image: str
    ref_id: int
    image_id: int
    box: Box
    width: int
    height: int


class RefCOCOPlus(Task[Expression, Grounder]):
    """Visual grounding on the UNC splits, one sample per expression."""

    name: ClassVar[str] = "refcoco+"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = SPLITS
    primary: ClassVar[str] = "accuracy"
    needs: ClassVar[tuple[type, ...]] = (Grounder,)
    protocol: ClassVar[str] = "iou>=0.5|per-expression"
    dataset: ClassVar[Dataset] = DATASET
    references: ClassVar[Mapping[str, Needed]] = dict.fromkeys(SPLITS, REFS)  # by split
    instances: ClassVar[Needed] = INSTANCES
    lists: ClassVar[Mapping[str, Needed]] = FLAT  # X-VLM's, by split
    other_layouts: ClassVar[Mapping[str, Layout]] = LAYOUTS  # that a file of boxes may have

    def files(self, split: str) -> Sequence[Needed]:
        """Name the references, their boxes, X-VLM's list of the split (optional) and the images."""
        lists = (self.lists[split],) if split in self.lists else ()
        return (self.references[split], self.instances, *lists, IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[Expression]:
        """Read the expressions of a split: X-VLM's list, as its code does, else the originals."""
        path, instances = data.path(self.references[split]), data.path(self.instances)
        references = read_references(path, instances)
        name = split.partition("-")[0]  # RefCOCOg's `val-google` is `val` in a file of its own
        flat = data.find(self.lists[split]) if split in self.lists else None
        sentences = (
            read_flat(flat, references, split)
            if flat
            else [
                (ref, sentence)
                for ref in references
                if ref.split == name
                for sentence in ref.sentences
            ]
        )
        images = image_folder(data, IMAGES)
        expressions = [
            Expression(
                id=sentence.sent_id,
                images=(
                    images.image(ref.file_name, where=f"{instances}, image of ref_id {ref.ref_id}"),
                ),
                text=sentence.text,
                image=images.full_name(ref.file_name),
                ref_id=ref.ref_id,
                image_id=ref.image_id,
                box=ref.box,
                width=ref.width,
                height=ref.height,
            )
            for ref, sentence in sentences
        ]
        if not expressions:
            raise DataError(f"{flat or path}: has no expression of the split {name}")
        return expressions

    def counts(self, samples: Sequence[Expression]) -> Mapping[str, int]:
        """Add the number of references."""
        return {**super().counts(samples), "references": len({sample.ref_id for sample in samples})}

    def flat_lists(self, samples: Mapping[str, Sequence[Expression]]) -> Mapping[str, Any]:
        """Return X-VLM's lists; its test list holds testA, then testB."""
        lists: dict[str, list[Any]] = {}
        for split, expressions in samples.items():
            if split not in self.lists:
                continue
            lists.setdefault(f"refcoco+/{FLAT_NAMES[split]}", []).extend(
                {
                    "image": expression.image,
                    "text": expression.text,
                    "ref_id": expression.ref_id,
                }
                for expression in expressions
            )
        return lists

    def check_annotation(self, sample: Expression, sizes: Sequence[tuple[int, int]]) -> str | None:
        """Report an image whose size differs from the annotated size."""
        expected = (sample.width, sample.height)
        if sizes[0] == expected:
            return None
        return "is {} x {} pixels, by the annotations {} x {}".format(*sizes[0], *expected)

    def texts(self, sample: Expression) -> Sequence[str]:
        """Return the expression."""
        return (sample.text,)

    def view(self, sample: Expression, prediction: Prediction) -> SampleView:
        """Show the true box and the predicted one on the image."""
        return view_boxes(sample, self.box_in_pixels(sample, prediction))

    def box_in_pixels(self, sample: Expression, prediction: Prediction) -> Box | None:
        """Return the predicted box of an expression in pixels of its image, None without one."""
        if prediction is None:
            return None
        box = box_of_prediction(prediction, sample.id)
        return in_pixels(box, width=sample.width, height=sample.height)

    def predict(self, model: Grounder, batch: Batch[Expression]) -> Sequence[Prediction]:
        """Return a box [cx, cy, w, h] in 0..1 of the image for each expression."""
        texts = [expression.text for expression in batch.samples]
        boxes = model.ground(batch.images, texts, batch.image_of[:, 0])
        predictions = [[float(number) for number in box] for box in boxes]
        for sample, box in zip(batch.samples, predictions, strict=True):
            if len(box) == 4 and all(map(is_number, box)):
                refuse_other_unit(box, sample.id)
        return predictions

    def fallback_prediction(self, sample: Expression) -> Prediction:
        """Return an empty box."""
        return [0.0, 0.0, 0.0, 0.0]

    def score(
        self, samples: Sequence[Expression], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return the accuracy over expressions in percent, and the distribution of the IoU.

        The interval is over images: the expressions about one image are not independent.
        """
        boxes = [box_of_prediction(predictions[s.id], s.id) for s in samples]
        for sample, box in zip(samples, boxes, strict=True):
            refuse_other_unit(box, sample.id)
        overlaps = [
            iou(s.box, in_pixels(box, width=s.width, height=s.height))
            for s, box in zip(samples, boxes, strict=True)
        ]
        scores = score_overlaps(samples, overlaps)
        misread = other_layout(samples, boxes, scores.metrics["accuracy"], self.other_layouts)
        return replace(scores, caveats=[*caveats_of(boxes), *misread])

    def score_official(self, samples: Sequence[Expression], path: Path) -> Scores:
        """Score a JSON list of `pred` boxes (cx, cy, w, h in 0..1) with `sent_id`, or X-VLM's.

        X-VLM writes `ref_id` instead: its boxes are matched with the expressions in order.
        """
        return self.score(samples, self.official_predictions(samples, path))

    def official_predictions(
        self, samples: Sequence[Expression], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the boxes of such a file."""
        sentences: dict[int, list[int]] = {}
        for sample in samples:
            sentences.setdefault(sample.ref_id, []).append(int(sample.id))
        boxes = read_boxes(path, sentences)
        return match_predictions(path, boxes, [sample.id for sample in samples])
